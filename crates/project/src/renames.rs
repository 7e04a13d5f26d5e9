//! Keys and values of contracts that have a new name. One table for the parser, its notes, `perennial migrate` and the
//! manual.

use super::Note;
use super::document::{Document, Node, Value};
use perennial_core::error::Error;
use std::ops::Range;

/// A key or value with a new name. The old name is still accepted in this version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rename {
    /// Where it is in a contract: keys from the top of the file, `*` for any.
    pub(crate) within: &'static [&'static str],
    /// Whether a key of that mapping has the name, or the value itself.
    pub(crate) kind: RenameKind,
    /// The old name.
    pub(crate) old: &'static str,
    /// The new name.
    pub(crate) new: &'static str,
}

/// What has a new name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RenameKind {
    /// A key.
    Key,
    /// A value, or the only key of a mapping in its place.
    Value,
}

/// All renames.
pub(crate) const RENAMES: &[Rename] = &[
    Rename { within: &[], kind: RenameKind::Key, old: "without", new: "exclude" },
    Rename { within: &["tables", "*", "load"], kind: RenameKind::Value, old: "deliveries", new: "by_file" },
    Rename { within: &["tables", "*", "columns", "*"], kind: RenameKind::Key, old: "written", new: "locale" },
    Rename { within: &["tables", "*", "expect"], kind: RenameKind::Key, old: "least_rows", new: "min_rows" },
    Rename { within: &["tables", "*", "expect"], kind: RenameKind::Key, old: "least_of_usual", new: "min_ratio" },
    Rename { within: &["tables", "*", "expect"], kind: RenameKind::Key, old: "most_of_usual", new: "max_ratio" },
    Rename { within: &["tables", "*", "expect"], kind: RenameKind::Key, old: "otherwise", new: "on_violation" },
    Rename { within: &["tables", "*", "total_rows"], kind: RenameKind::Key, old: "otherwise", new: "on_violation" },
    Rename {
        within: &["tables", "*"],
        kind: RenameKind::Key,
        old: "most_requests_per_second",
        new: "max_requests_per_second",
    },
    Rename { within: &["tables", "*", "paging", "cursor"], kind: RenameKind::Key, old: "keeps", new: "resume" },
    Rename { within: &["tables", "*", "since_format"], kind: RenameKind::Value, old: "as_delivered", new: "as_is" },
];

/// An old name in a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OldName {
    /// Bytes of the name in the file.
    pub(crate) span: Range<usize>,
    pub(crate) old: &'static str,
    pub(crate) new: &'static str,
}

/// Replaces old names in a parsed contract, and returns them in the order of the file. A mapping with both names is
/// reported.
pub(crate) fn apply(document: &Document, node: &mut Node) -> Vec<OldName> {
    let mut found = Vec::new();
    for rename in RENAMES {
        apply_within(document, node, rename.within, rename, &mut found);
    }
    found.sort_by_key(|name| name.span.start);
    // Aliases repeat what they name.
    found.dedup_by(|a, b| a.span == b.span);
    found
}

fn apply_within(document: &Document, node: &mut Node, path: &[&str], rename: &Rename, found: &mut Vec<OldName>) {
    if let [step, rest @ ..] = path {
        let Value::Map(entries) = &mut node.value else { return };
        for (_, node) in entries.iter_mut().filter(|(key, _)| *step == "*" || key.value == *step) {
            apply_within(document, node, rest, rename, found);
        }
        return;
    }
    let Rename { old, new, kind, .. } = *rename;
    match (&mut node.value, kind) {
        (Value::Map(entries), RenameKind::Key) => {
            let has_new = entries.iter().any(|(key, _)| key.value == new);
            let Some((key, _)) = entries.iter_mut().find(|(key, _)| key.value == old) else { return };
            if has_new {
                let error = Error::project(format!("`{old}` is the old name of `{new}`, which is given as well"));
                document.report(&key.span, error.hint(format!("remove `{old}`")));
            }
            key.value = new.to_string();
            found.push(OldName { span: key.span.clone(), old, new });
        }
        (Value::Map(entries), RenameKind::Value) => {
            if let [(key, _)] = entries.as_mut_slice()
                && key.value == old
            {
                key.value = new.to_string();
                found.push(OldName { span: key.span.clone(), old, new });
            }
        }
        (Value::Scalar { text, .. }, RenameKind::Value) if text == old => {
            *text = new.to_string();
            found.push(OldName { span: node.span.clone(), old, new });
        }
        _ => {}
    }
}

/// The note on a contract in which [`apply`] found old names.
pub(crate) fn note(document: &Document, found: &[OldName]) -> Option<Note> {
    let first = found.first()?;
    let mut names: Vec<String> = Vec::new();
    for OldName { old, new, .. } in found {
        let name = format!("`{old}` is now `{new}`");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let message = format!("{}; the old names are accepted in this version only", names.join(", "));
    Some(Note { place: document.place(&first.span), message, hint: "`perennial migrate` renames them".to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// The table of renames in the manual is this one.
    #[test]
    fn the_manual_lists_all_renames() {
        let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sources.md");
        let manual = std::fs::read_to_string(manual).unwrap();
        let rows: Vec<String> = RENAMES
            .iter()
            .map(|rename| {
                let within = match rename.within.last() {
                    None => "the source".to_string(),
                    Some(&"*") => match rename.within[rename.within.len() - 2] {
                        "tables" => "a table".to_string(),
                        _ => "a column".to_string(),
                    },
                    Some(key) => format!("`{key}`"),
                };
                format!("| {within} | `{}` | `{}` |", rename.old, rename.new)
            })
            .collect();
        let rows = rows.join("\n");
        assert!(manual.contains(&rows), "docs/sources.md does not have these rows:\n{rows}");
    }
}
