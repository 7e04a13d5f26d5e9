//! Pages of the manual on formats of known systems: what the format says of itself, and its contract as a table.

use super::format_contract::{self, FormatContract};
use super::keys::TableKeys;
use perennial_core::contract::{Column, ValueType};
use perennial_sources::formats::{FORMATS, NamedFormat};
use std::fmt::Write;

/// A format of a known system, as the manual describes it.
#[derive(Clone, Debug)]
pub struct FormatPage {
    /// As a contract writes it.
    pub name: &'static str,
    /// One line on what it is.
    pub title: &'static str,
    /// Where the files come from, what a row is, the traps; Markdown.
    pub manual: &'static str,
    /// Columns that identify a row, where a table names no others.
    pub key: Vec<String>,
    /// Of rows with one key, the one with the greatest value here is shown.
    pub newest_by: Option<String>,
    /// The column that says when a row happened.
    pub time_column: Option<String>,
    /// Its files are logs that are rotated.
    pub rotated: bool,
    /// The columns, where a table names no others.
    pub columns: Vec<Column>,
    /// All fields that a column can be read from; empty where files may bring others.
    pub fields: &'static [&'static str],
}

/// The pages of all formats, in their order.
pub fn format_pages() -> Vec<FormatPage> {
    FORMATS.iter().filter_map(|format| page(format)).collect()
}

fn page(format: &NamedFormat) -> Option<FormatPage> {
    let FormatContract { rotated, columns, keys } = format_contract::named(format.name, "UTC")?;
    let TableKeys { key, newest_by, time_column } = keys;
    let NamedFormat { name, title, manual, fields, .. } = *format;
    Some(FormatPage { name, title, manual, key, newest_by, time_column, rotated, columns, fields })
}

impl FormatPage {
    /// What a table of this format says at least.
    pub fn example(&self) -> String {
        format!("files: \"...\"\nformat: {}\n", self.name)
    }

    /// `key`, `newest_by`, `time_column` and `rotated` as a contract writes them, one a line.
    pub fn rules(&self) -> String {
        let mut text = match self.key.as_slice() {
            [] => "key: []\n".to_string(),
            key => format!("key: [{}]\n", key.join(", ")),
        };
        for (name, column) in [("newest_by", &self.newest_by), ("time_column", &self.time_column)] {
            if let Some(column) = column {
                // Writing into a String cannot fail.
                let _ = writeln!(text, "{name}: {column}");
            }
        }
        if self.rotated {
            text.push_str("rotated: true\n");
        }
        text
    }

    /// Fields that no column of the contract is read from.
    pub fn further_fields(&self) -> Vec<&'static str> {
        let read = |field: &&str| self.columns.iter().any(|column| column.from == **field);
        self.fields.iter().copied().filter(|field| !read(field)).collect()
    }

    /// The page as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n\n{}.\n\n{}\n", self.name, self.title, self.manual);
        let _ = write!(text, "## Contract\n\n```yaml\n{}```\n\nis the same as\n\n```yaml\n", self.example());
        let _ = write!(
            text,
            "{}{}```\n\nwith these columns, each of which a table may replace, add to or `omit`:\n\n",
            self.example(),
            self.rules()
        );
        text.push_str("| column | type | read from | |\n|---|---|---|---|\n");
        for column in &self.columns {
            let from = column.from.replace('|', "\\|");
            let notes = notes(column).replace('|', "\\|");
            let _ = writeln!(text, "| `{}` | {} | `{from}` | {notes} |", column.name, type_words(&column.data_type));
        }
        let further = self.further_fields();
        if !further.is_empty() {
            let further: Vec<String> = further.iter().map(|field| format!("`{field}`")).collect();
            let _ = write!(text, "\nFurther fields that a column can be read from: {}.\n", further.join(", "));
        }
        text
    }
}

/// The type of a column in a few words.
pub fn type_words(data_type: &ValueType) -> String {
    match data_type {
        ValueType::Text => "text".to_string(),
        ValueType::Integer => "integer".to_string(),
        ValueType::Decimal { precision, scale } => format!("decimal {precision}, {scale}"),
        ValueType::Float => "float".to_string(),
        ValueType::Boolean => "boolean".to_string(),
        ValueType::Date { .. } => "date".to_string(),
        ValueType::Instant { .. } => "instant".to_string(),
        ValueType::Enumeration(values) => format!("one of {}", values.join(", ")),
    }
}

/// What else a contract says of a column.
pub fn notes(column: &Column) -> String {
    let mut notes: Vec<String> = Vec::new();
    if !column.description.is_empty() {
        notes.push(column.description.clone());
    }
    if column.required {
        notes.push("required".to_string());
    }
    if column.personal {
        notes.push("personal".to_string());
    }
    notes.join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::document::Document;
    use super::super::format_contract;
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    /// The list of formats as Markdown that links their pages.
    fn format_index(pages: &[FormatPage]) -> String {
        let mut text = String::from(
            "# Formats of known systems\n\nA table whose `format` is one of these names has its columns, key and time from \
             the format. `perennial formats NAME`\nprints a page. These pages are generated from the code; every format \
             reads a sample as a test.\n\n| format | what it reads |\n|---|---|\n",
        );
        for page in pages {
            let _ = writeln!(text, "| [{0}]({0}.md) | {1} |", page.name, page.title);
        }
        text
    }

    #[test]
    fn every_format_has_a_contract_without_problems() {
        for format in FORMATS {
            let document = Document::new(format!("format {}", format.name), format.contract);
            assert!(format_contract::read(&document, "UTC").is_some(), "{}", format.name);
            let problems = document.into_problems();
            let written: Vec<String> = problems.iter().map(|error| error.to_string()).collect();
            assert_eq!(written, Vec::<String>::new(), "{}", format.name);
            let page = page(format).unwrap();
            assert!(!page.columns.is_empty() && page.time_column.is_some(), "{}", format.name);
            for column in &page.columns {
                let known = format.fields.is_empty() || format.fields.contains(&column.from.as_str());
                assert!(known, "{}: `{}` is not a field of the format", format.name, column.from);
            }
            assert!(!format.manual.contains("\n\n\n") && format.manual.ends_with('\n'), "{}", format.name);
        }
        assert_eq!(format_pages().len(), FORMATS.len());
    }

    /// The pages of `docs/formats` are what the code says.
    #[test]
    fn the_manual_in_docs_is_up_to_date() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats");
        let pages = format_pages();
        let mut texts: BTreeMap<String, String> =
            pages.iter().map(|page| (format!("{}.md", page.name), page.markdown())).collect();
        texts.insert("README.md".into(), format_index(&pages));
        let files = || std::fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        if std::env::var_os("PERENNIAL_WRITE_MANUAL").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            files().for_each(|file| std::fs::remove_file(file).unwrap());
            texts.iter().for_each(|(name, text)| std::fs::write(folder.join(name), text).unwrap());
        }
        let name = |path: std::path::PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        let standing: BTreeMap<String, String> =
            files().map(|file| (name(file.clone()), std::fs::read_to_string(file).unwrap())).collect();
        let names = standing.keys().chain(texts.keys());
        let stale: BTreeSet<&String> = names.filter(|name| standing.get(*name) != texts.get(*name)).collect();
        assert!(
            stale.is_empty(),
            "docs/formats is not what the code says ({stale:?}); write it anew with\n\
             PERENNIAL_WRITE_MANUAL=1 cargo test --workspace --lib the_manual_in_docs"
        );
    }
}
