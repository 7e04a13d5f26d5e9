//! The keys of a table that name its columns: `key`, `newest_by` and `time_column`.

use super::columns;
use super::document::{Text, Value};
use super::fields::{Fields, one_of};
use perennial_core::contract::{Column, ValueType};
use perennial_core::error::Error;

/// What the keys of a table name.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableKeys {
    pub(crate) key: Vec<String>,
    pub(crate) newest_by: Option<String>,
    pub(crate) time_column: Option<String>,
}

/// Reads the keys, which must name columns of the table; missing ones are those of its format.
pub(crate) fn read(fields: &Fields, columns: &[Column], defaults: Option<&TableKeys>) -> TableKeys {
    let mut keys = TableKeys::default();
    let declared = declared(fields, columns, defaults.is_some());
    if let Some(defaults) = defaults {
        let is_declared = |name: &&String| declared.contains(*name);
        if !fields.is_set("key") {
            keys.key = defaults.key.clone();
            for omitted in defaults.key.iter().filter(|name| !is_declared(name)) {
                let error = Error::project(format!("`{omitted}` is part of the format's key and omitted"));
                fields
                    .document
                    .report(&fields.span_of("columns"), error.hint("name another `key`, or write `key: []` for none"));
            }
        }
        let has_key = !keys.key.is_empty() || !fields.texts("key").is_empty();
        keys.newest_by = defaults.newest_by.clone().filter(|name| has_key && is_declared(&name));
        keys.time_column = defaults.time_column.clone().filter(|name| is_declared(&name));
    }
    let names: Vec<&str> = declared.iter().map(String::as_str).collect();
    let is_known = |key: &str, text: &Text| fields.check_column(key, text, &names);
    for text in fields.texts("key") {
        if keys.key.contains(&text.value) {
            fields.document.report(&text.span, Error::project(format!("`key` names `{}` twice", text.value)));
        } else if is_known("key", &text) {
            keys.key.push(text.value);
        }
    }
    if let Some(text) = fields.text("newest_by").filter(|text| is_known("newest_by", text)) {
        if !fields.is_set("key") && keys.key.is_empty() {
            let error = Error::project("`newest_by` has no effect without a `key`");
            fields.document.report(&text.span, error.hint("list the columns that identify a row in `key`"));
        }
        keys.newest_by = Some(text.value);
    }
    if let Some(text) = fields.text("time_column").filter(|text| is_known("time_column", text)) {
        check_time_column(fields, columns, &text);
        keys.time_column = Some(text.value);
    }
    keys
}

/// Names of the columns. Those that could not be read are included, so that one mistake is not reported twice.
fn declared(fields: &Fields, columns: &[Column], with_defaults: bool) -> Vec<String> {
    let mut declared: Vec<String> = match fields.optional("columns").map(|node| &node.value) {
        Some(Value::Map(entries)) => {
            entries.iter().filter(|(_, node)| !columns::is_omitted(node)).map(|(key, _)| key.value.clone()).collect()
        }
        _ => Vec::new(),
    };
    if with_defaults {
        let more = columns.iter().map(|column| &column.name).filter(|name| !fields.names_column(name));
        declared.extend(more.cloned());
    }
    declared
}

fn check_time_column(fields: &Fields, columns: &[Column], text: &Text) {
    let column = columns.iter().find(|column| column.name == text.value);
    let is_time = |column: &Column| matches!(column.data_type, ValueType::Date { .. } | ValueType::Instant { .. });
    if column.is_some_and(|column| !is_time(column)) {
        let error =
            Error::project(format!("`time_column` names `{}`, which is neither a date nor an instant", text.value));
        let times: Vec<&str> = columns.iter().filter(|c| is_time(c)).map(|c| c.name.as_str()).collect();
        let hint = match times.is_empty() {
            true => "no column of this table is of type date or instant".to_string(),
            false => one_of(times.into_iter()),
        };
        fields.document.report(&text.span, error.hint(hint));
    }
}
