//! Rewrites old names of keys and values in the files of a project. Comments and layout stay as they are.

use super::document::Document;
use super::load;
use super::renames::{self, OldName};
use perennial_core::error::{Error, Problems};
use std::path::Path;

/// A file with its old names replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Path below the project's folder, with `/`.
    pub path: String,
    /// The new text of the file.
    pub text: String,
    /// The changes, in the order of the file.
    pub changes: Vec<Change>,
}

/// One changed name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// The old name.
    pub old: &'static str,
    /// The new name.
    pub new: &'static str,
}

/// The contracts of a project that have old names, rewritten, and the problems of those that cannot be: a file that cannot
/// be read, is not YAML, or has an old name that cannot be replaced. Nothing is written to disk.
pub fn migrations(root: &Path) -> (Vec<Migration>, Problems) {
    let mut problems = Problems::new();
    let mut found = Vec::new();
    for file in load::contracts(root, &mut problems) {
        match migrate(&file.path, &file.text) {
            Ok(migration) => found.extend(migration),
            Err(more) => problems.extend(more),
        }
    }
    (found, problems)
}

/// The text of a contract with its old names replaced; `None` if it has none.
///
/// # Errors
/// Of kind `Project` when the text is not YAML, or has an old name that cannot be replaced.
pub(crate) fn migrate(path: &str, text: &str) -> Result<Option<Migration>, Problems> {
    let document = Document::new(path, text);
    let Some(mut node) = document.parse_all() else { return Err(document.into_problems()) };
    let names = renames::apply(&document, &mut node);
    let names: Vec<&OldName> = names.iter().filter(|name| !is_repeated(text, name, &names)).collect();
    let mut new_text = text.to_string();
    // From the end, so that the bytes before stay where they are.
    for name in names.iter().rev() {
        match replacement(&text[name.span.clone()], name) {
            Some(new) => new_text.replace_range(name.span.clone(), &new),
            None => {
                let error = Error::project(format!("`{}` is now `{}`", name.old, name.new));
                document.report(&name.span, error.hint("rename it by hand: it is written as an alias or an escape"));
            }
        }
    }
    let changes = names.iter().map(|name| change(text, name)).collect();
    document.into_problems().or_ok(())?;
    let migration = Migration { path: path.to_string(), text: new_text, changes };
    Ok((!names.is_empty()).then_some(migration))
}

/// Whether a value is an alias of one that is replaced itself, and so gets its new name.
fn is_repeated(text: &str, name: &OldName, names: &[OldName]) -> bool {
    let Some(alias) = text[name.span.clone()].strip_prefix('*') else { return false };
    let anchor = format!("&{}", alias.trim_end());
    let before = &text[..name.span.start];
    // An anchor may be defined again; the last one before the alias counts.
    let mut ends = before.rmatch_indices(&anchor).map(|(at, _)| at + anchor.len());
    let Some(end) = ends.find(|end| before[*end..].starts_with(char::is_whitespace)) else { return false };
    names.iter().any(|other| other.span.start > end && text[end..other.span.start].trim().is_empty())
}

/// The new name in the quotes of the old one.
fn replacement(written: &str, name: &OldName) -> Option<String> {
    let quotes = ["", "\"", "'"];
    let quote = quotes.into_iter().find(|quote| written == format!("{quote}{}{quote}", name.old))?;
    Some(format!("{quote}{}{quote}", name.new))
}

fn change(text: &str, name: &OldName) -> Change {
    let before = &text[..name.span.start];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    Change {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().filter(|c| *c != '\u{feff}').count() + 1,
        old: name.old,
        new: name.new,
    }
}
