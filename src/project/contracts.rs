//! `pipelines/sources/*.yml`: what sources promise.

use super::columns;
use super::document::{Document, Node, Text, Value};
use super::environment::{self, Lookup};
use super::fields::{Fields, one_of};
use super::names;
use crate::contract::{BadRowPolicy, Column, ColumnPolicy, CsvOptions, Format, RejectLimit, Source, SourceTable};
use crate::contract::{TextEncoding, ValueType};
use crate::error::Error;
use std::path::Path;

const COLUMN_POLICIES: [(&str, ColumnPolicy); 3] =
    [("accept", ColumnPolicy::Accept), ("ignore", ColumnPolicy::Ignore), ("fail", ColumnPolicy::Fail)];
const BAD_ROW_POLICIES: [(&str, BadRowPolicy); 2] = [("reject", BadRowPolicy::Reject), ("fail", BadRowPolicy::Fail)];
const ENCODINGS: [(&str, TextEncoding); 3] =
    [("utf-8", TextEncoding::Utf8), ("gb18030", TextEncoding::Gb18030), ("big5", TextEncoding::Big5)];
const FORMATS: [&str; 3] = ["csv", "json_lines", "parquet"];
/// The share of rejects that fails a source when the contract names no other.
const DEFAULT_REJECT_SHARE: f64 = 0.05;

/// What a contract is read with besides its text.
pub(super) struct Surroundings<'a> {
    pub root: &'a Path,
    pub lookup: Lookup<'a>,
    /// The project's zone, for instants written without one.
    pub time_zone: &'a str,
}

/// Reads the contract of one source, whose name is the file's.
pub(super) fn read(document: &Document, name: &str, around: &Surroundings) -> Option<Source> {
    check_source_name(document, name);
    let node = document.parse_all()?;
    let fields = Fields::of(document, &node, "a source", 0..0)?;
    let description = fields.words("description");
    let location =
        fields.required_text("location").and_then(|text| environment::expand(document, &text, around.lookup));
    let tables = fields.required("tables");
    let tables = tables.and_then(|node| document.entries(node, "`tables`")).unwrap_or_default();
    let tables = tables.iter().filter_map(|(key, node)| read_table(document, key, node, around)).collect();
    fields.finish();
    let location = environment::locate(around.root, &location?);
    Some(Source { name: name.to_string(), description, location, tables })
}

fn check_source_name(document: &Document, name: &str) {
    if let Err(error) = names::check("a source", name) {
        document.report(&(0..0), error);
    } else if name.contains("__") {
        let error = Error::project(format!("`{name}` cannot be the name of a source: `__` parts source and table"));
        document.report(&(0..0), error.hint("use a single `_`"));
    }
}

fn read_table(document: &Document, key: &Text, node: &Node, around: &Surroundings) -> Option<SourceTable> {
    if let Err(error) = names::check("a table", &key.value) {
        document.report(&key.span, error);
    }
    let fields = Fields::of(document, node, "a table", key.span.clone())?;
    let table = SourceTable {
        name: key.value.clone(),
        description: fields.words("description"),
        files: files(&fields).unwrap_or_default(),
        format: fields.required("format").and_then(|node| format(document, node)).unwrap_or(Format::JsonLines),
        on_new_column: fields.choice("on_new_column", &COLUMN_POLICIES, ColumnPolicy::Accept),
        on_missing_column: fields.choice("on_missing_column", &COLUMN_POLICIES, ColumnPolicy::Fail),
        on_bad_row: fields.choice("on_bad_row", &BAD_ROW_POLICIES, BadRowPolicy::Reject),
        max_rejects: max_rejects(&fields),
        columns: read_columns(&fields, around),
        key: Vec::new(),
        newest_by: None,
        time_column: None,
        place: Some(document.place(&key.span)),
    };
    let table = name_columns(&fields, table);
    fields.finish();
    Some(table)
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

fn format(document: &Document, node: &Node) -> Option<Format> {
    match &node.value {
        Value::Scalar { text, .. } => format_named(document, &Text { value: text.clone(), span: node.span.clone() }),
        Value::Map(entries) => match entries.as_slice() {
            [(key, options)] if key.value == "csv" => csv(document, key, options),
            [(key, options)] => {
                let format = format_named(document, key)?;
                if let Some(fields) = Fields::of(document, options, "this format", key.span.clone()) {
                    fields.finish();
                }
                Some(format)
            }
            _ => {
                document
                    .report(&node.span, Error::project("a format is one word or one key with options").hint(formats()));
                None
            }
        },
        _ => {
            let message = format!("a format is one word or one key with options, found {}", node.kind());
            document.report(&node.span, Error::project(message).hint(formats()));
            None
        }
    }
}

fn formats() -> String {
    one_of(FORMATS.into_iter())
}

fn format_named(document: &Document, text: &Text) -> Option<Format> {
    match text.value.as_str() {
        "csv" => Some(Format::Csv(plain_csv())),
        "json_lines" => Some(Format::JsonLines),
        "parquet" => Some(Format::Parquet),
        other => {
            document.report(&text.span, Error::project(format!("unknown format `{other}`")).hint(formats()));
            None
        }
    }
}

fn plain_csv() -> CsvOptions {
    CsvOptions { delimiter: b',', collapse: false, quote: Some(b'"'), header: true, encoding: TextEncoding::Utf8 }
}

fn csv(document: &Document, key: &Text, node: &Node) -> Option<Format> {
    let defaults = plain_csv();
    let fields = Fields::of(document, node, "the csv format", key.span.clone())?;
    let delimiter = fields.text("delimiter").and_then(|text| one_byte(document, "delimiter", &text, &[("tab", b'\t')]));
    let quote = match fields.text("quote") {
        Some(text) if text.value == "none" => None,
        Some(text) => one_byte(document, "quote", &text, &[]).or(defaults.quote),
        None => defaults.quote,
    };
    let options = CsvOptions {
        delimiter: delimiter.unwrap_or(defaults.delimiter),
        collapse: fields.flag("collapse", defaults.collapse),
        quote,
        header: fields.flag("header", defaults.header),
        encoding: fields.choice("encoding", &ENCODINGS, defaults.encoding),
    };
    if options.quote == Some(options.delimiter) {
        let error = Error::project("`quote` and `delimiter` are the same character");
        document.report(&fields.span_of("quote"), error);
    }
    fields.finish();
    Some(Format::Csv(options))
}

fn one_byte(document: &Document, what: &str, text: &Text, words: &[(&str, u8)]) -> Option<u8> {
    if let Some((_, byte)) = words.iter().find(|(word, _)| *word == text.value) {
        return Some(*byte);
    }
    match text.value.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0) => Some(*byte),
        _ => {
            let error = Error::project(format!("`{what}` is `{}`, which is not one ASCII character", text.value));
            let hint = if words.is_empty() {
                "write one character in quotes, or `none`"
            } else {
                "write one character in quotes, or `tab`"
            };
            document.report(&text.span, error.hint(hint));
            None
        }
    }
}

fn max_rejects(fields: &Fields) -> RejectLimit {
    let defaults = RejectLimit { rows: None, share: Some(DEFAULT_REJECT_SHARE) };
    let Some(node) = fields.optional("max_rejects") else { return defaults };
    let owner = fields.span_of("max_rejects");
    let Some(limit) = Fields::of(fields.document, node, "`max_rejects`", owner.clone()) else { return defaults };
    let rows = limit.number::<u64>("rows", "a number of rows").map(|(rows, _)| rows);
    let share = limit.number::<f64>("share", "a share from 0 to 1").and_then(|(share, span)| {
        let good = (0.0..=1.0).contains(&share);
        if !good {
            let error =
                Error::project(format!("`share` is `{share}`")).hint("write a share from 0 to 1: `0.05` is 5 %");
            fields.document.report(&span, error);
        }
        good.then_some(share)
    });
    if !limit.has("rows") && !limit.has("share") {
        fields.document.report(&owner, Error::project("`max_rejects` needs `rows` or `share`"));
    }
    limit.finish();
    RejectLimit { rows, share }
}

fn read_columns(fields: &Fields, around: &Surroundings) -> Vec<Column> {
    let Some(node) = fields.required("columns") else { return Vec::new() };
    let entries = fields.document.entries(node, "`columns`").unwrap_or_default();
    entries.iter().filter_map(|(key, node)| columns::read(fields.document, key, node, around.time_zone)).collect()
}

/// Reads the keys that name columns, which must be known.
fn name_columns(fields: &Fields, mut table: SourceTable) -> SourceTable {
    // Columns that could not be read are known by name, so that one mistake is not reported twice.
    let declared: Vec<&str> = match fields.optional("columns").map(|node| &node.value) {
        Some(Value::Map(entries)) => entries.iter().map(|(key, _)| key.value.as_str()).collect(),
        _ => Vec::new(),
    };
    let known = |key: &str, text: &Text| {
        let found = declared.contains(&text.value.as_str());
        if !found && !declared.is_empty() {
            let error = Error::project(format!("`{key}` names the unknown column `{}`", text.value));
            fields.document.report(&text.span, error.suggest(&text.value, declared.iter().copied()));
        }
        found
    };
    for text in fields.texts("key") {
        if table.key.contains(&text.value) {
            fields.document.report(&text.span, Error::project(format!("`key` names `{}` twice", text.value)));
        } else if known("key", &text) {
            table.key.push(text.value);
        }
    }
    if let Some(text) = fields.text("newest_by").filter(|text| known("newest_by", text)) {
        if !fields.has("key") {
            let error = Error::project("`newest_by` says nothing without a `key`");
            fields.document.report(&text.span, error.hint("name the columns that identify a row in `key`"));
        }
        table.newest_by = Some(text.value);
    }
    if let Some(text) = fields.text("time_column").filter(|text| known("time_column", text)) {
        check_time_column(fields, &table, &text);
        table.time_column = Some(text.value);
    }
    table
}

fn check_time_column(fields: &Fields, table: &SourceTable, text: &Text) {
    let column = table.columns.iter().find(|column| column.name == text.value);
    let timed = |column: &Column| matches!(column.data_type, ValueType::Date { .. } | ValueType::Instant { .. });
    if column.is_some_and(|column| !timed(column)) {
        let error =
            Error::project(format!("`time_column` names `{}`, which is neither a date nor an instant", text.value));
        let times: Vec<&str> = table.columns.iter().filter(|c| timed(c)).map(|c| c.name.as_str()).collect();
        let hint = match times.is_empty() {
            true => "no column of this table is of type date or instant".to_string(),
            false => one_of(times.into_iter()),
        };
        fields.document.report(&text.span, error.hint(hint));
    }
}
