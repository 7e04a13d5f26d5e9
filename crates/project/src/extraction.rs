//! Where a table's rows are extracted from: `files` and `format`, `table` or `query`, or `path` and its paging.

use super::document::{Document, Text};
use super::fields::{Fields, one_of};
use super::{environment, formats, pages};
use perennial_core::contract::{Extraction, Format, Relation, RelationRows};
use perennial_core::error::Error;
use perennial_core::sql::Dialect;
use perennial_sources::{Contents, SourceKind};

/// Reads where a table's rows come from, which depends on what its source contains.
pub(super) fn read(fields: &Fields, name: &str, kind: Option<&SourceKind>) -> Extraction {
    let contents = kind.map(|kind| kind.contents);
    check_foreign_keys(fields, contents);
    match contents {
        Some(Contents::Relations) => Extraction::Relation(relation(fields, name, kind.and_then(|kind| kind.dialect))),
        Some(Contents::Pages) => Extraction::Pages(pages::read(fields)),
        // Without a valid location, assume files as most tables have them.
        Some(Contents::Files) | None => Extraction::Files {
            pattern: files(fields).unwrap_or_default(),
            format: fields
                .required("format")
                .and_then(|node| formats::read(fields.document, node))
                .unwrap_or(Format::JsonLines),
        },
    }
}

const KEYS: [(&str, Contents); 5] = [
    ("files", Contents::Files),
    ("format", Contents::Files),
    ("table", Contents::Relations),
    ("query", Contents::Relations),
    ("path", Contents::Pages),
];

/// Reports keys for other kinds of sources.
fn check_foreign_keys(fields: &Fields, kind: Option<Contents>) {
    let Some(kind) = kind else { return };
    for (key, belongs) in KEYS {
        if belongs != kind && fields.optional(key).is_some() {
            let own = KEYS.iter().filter(|(_, of)| *of == kind).map(|(key, _)| *key);
            let what = match belongs {
                Contents::Files => "a source of files",
                Contents::Relations => "a database",
                Contents::Pages => "a service over HTTP",
            };
            let error = Error::project(format!("`{key}` is for {what}, which the `location` of this source is not"));
            fields.document.report(&fields.span_of(key), error.hint(one_of(own)));
        }
    }
}

fn files(fields: &Fields) -> Option<String> {
    let text = fields.required_text("files")?;
    let pattern = &text.value;
    let error = match globset::GlobBuilder::new(pattern).literal_separator(true).build() {
        Err(error) => Error::project(format!("`{pattern}` is not a file pattern: {}", error.kind())),
        Ok(_)
            if pattern.starts_with('/')
                || pattern.split('/').any(|part| part == "..")
                || environment::is_url(pattern) =>
        {
            Error::project(format!("the files `{pattern}` are outside the source's location"))
                .hint("`files` is relative to `location`; move the common part there")
        }
        Ok(_) => return Some(pattern.clone()),
    };
    fields.document.report(&text.span, error);
    None
}

fn relation(fields: &Fields, name: &str, dialect: Option<Dialect>) -> Relation {
    let table = fields.text("table");
    let query = fields.text("query");
    if let (Some(text), Some(dialect)) = (&table, dialect)
        && let Err(error) = dialect.parse_table(&text.value)
    {
        fields.document.report(&text.span, error);
    }
    if let (Some(_), Some(query)) = (&table, &query) {
        fields.document.report(&query.span, Error::project("a table has `table` or `query`, not both"));
    }
    let filter = fields.text("where");
    if let (Some(_), Some(filter)) = (&query, &filter) {
        let error = Error::project("`where` is for `table`; write the condition into the query");
        fields.document.report(&filter.span, error);
    }
    for text in [&query, &filter].into_iter().flatten() {
        check_sql(fields.document, text);
    }
    // The default is the relation with the name of the table.
    let rows = match (table, query) {
        (_, Some(query)) => RelationRows::Query(query.value.trim().trim_end_matches(';').to_string()),
        (Some(table), None) => RelationRows::Table(table.value),
        (None, None) => RelationRows::Table(name.to_string()),
    };
    Relation { rows, filter: filter.map(|text| text.value) }
}

fn check_sql(document: &Document, text: &Text) {
    if text.value.trim().trim_end_matches(';').contains(';') {
        document.report(&text.span, Error::project("only one statement is allowed: remove the `;`"));
    }
}
