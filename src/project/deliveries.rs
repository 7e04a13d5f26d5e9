//! How a table's rows are delivered: `files` and `format`, `table` or `query`, or `path` and its paging.

use super::document::{Document, Text};
use super::fields::{Fields, one_of};
use super::{environment, formats, pages};
use crate::contract::{Delivery, Format, Relation, RelationRows};
use crate::error::Error;
use crate::sources::SystemKind;

/// Reads where a table's rows are, which depends on the kind of system its source is.
pub(super) fn read(fields: &Fields, name: &str, kind: Option<SystemKind>) -> Delivery {
    refuse_keys_of_others(fields, kind);
    match kind {
        Some(SystemKind::Database) => Delivery::Relation(relation(fields, name)),
        Some(SystemKind::Http) => Delivery::Pages(pages::read(fields)),
        // Without a location that can be read, files are what most tables have.
        Some(SystemKind::Files) | None => Delivery::Files {
            pattern: files(fields).unwrap_or_default(),
            format: fields
                .required("format")
                .and_then(|node| formats::read(fields.document, node))
                .unwrap_or(Format::JsonLines),
        },
    }
}

const KEYS: [(&str, SystemKind); 5] = [
    ("files", SystemKind::Files),
    ("format", SystemKind::Files),
    ("table", SystemKind::Database),
    ("query", SystemKind::Database),
    ("path", SystemKind::Http),
];

/// Reports keys that say how another kind of system delivers.
fn refuse_keys_of_others(fields: &Fields, kind: Option<SystemKind>) {
    let Some(kind) = kind else { return };
    for (key, belongs) in KEYS {
        if belongs != kind && fields.optional(key).is_some() {
            let own = KEYS.iter().filter(|(_, of)| *of == kind).map(|(key, _)| *key);
            let what = match belongs {
                SystemKind::Files => "a source of files",
                SystemKind::Database => "a database",
                SystemKind::Http => "a service over HTTP",
            };
            let error = Error::project(format!("`{key}` belongs to {what}, which this source's `location` is not"));
            fields.document.report(&fields.span_of(key), error.hint(one_of(own)));
        }
    }
}

fn files(fields: &Fields) -> Option<String> {
    let text = fields.required_text("files")?;
    let pattern = &text.value;
    let error = match globset::GlobBuilder::new(pattern).literal_separator(true).build() {
        Err(error) => Error::project(format!("`{pattern}` is not a pattern of files: {}", error.kind())),
        Ok(_)
            if pattern.starts_with('/')
                || pattern.split('/').any(|part| part == "..")
                || environment::is_url(pattern) =>
        {
            Error::project(format!("the files `{pattern}` lie outside the source's location"))
                .hint("`files` counts from `location`; move the common part there")
        }
        Ok(_) => return Some(pattern.clone()),
    };
    fields.document.report(&text.span, error);
    None
}

fn relation(fields: &Fields, name: &str) -> Relation {
    let table = fields.text("table");
    let query = fields.text("query");
    if let (Some(_), Some(query)) = (&table, &query) {
        fields.document.report(&query.span, Error::project("a table has `table` or `query`, not both"));
    }
    let filter = fields.text("where");
    if let (Some(_), Some(filter)) = (&query, &filter) {
        let error = Error::project("`where` belongs to `table`; a query has its own");
        fields.document.report(&filter.span, error);
    }
    for text in [&query, &filter].into_iter().flatten() {
        check_sql(fields.document, text);
    }
    // A table of the source is called as in the contract when nothing else is said.
    let rows = match (table, query) {
        (_, Some(query)) => RelationRows::Query(query.value.trim().trim_end_matches(';').to_string()),
        (Some(table), None) => RelationRows::Table(table.value),
        (None, None) => RelationRows::Table(name.to_string()),
    };
    Relation { rows, filter: filter.map(|text| text.value) }
}

fn check_sql(document: &Document, text: &Text) {
    if text.value.trim().trim_end_matches(';').contains(';') {
        document.report(&text.span, Error::project("one statement only: there is a `;` within"));
    }
}
