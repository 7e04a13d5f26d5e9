//! `pipelines/sources/*.yml`: what sources promise.

use super::document::{Document, Node, Text, Value};
use super::environment::{self, Lookup};
use super::fields::{Fields, one_of};
use super::{access, columns, deliveries, formats, loads, names, ready_made, settings, written};
use crate::contract::{
    BadRowPolicy, Column, ColumnPolicy, Delivery, Expectations, Format, Load, RejectLimit, Relation, RelationRows,
    Source, SourceTable, ValueType,
};
use crate::error::{Error, Problems, Result};
use crate::sources::{self, SystemKind};
use std::path::Path;

const COLUMN_POLICIES: [(&str, ColumnPolicy); 3] =
    [("accept", ColumnPolicy::Accept), ("ignore", ColumnPolicy::Ignore), ("fail", ColumnPolicy::Fail)];
const BAD_ROW_POLICIES: [(&str, BadRowPolicy); 2] = [("reject", BadRowPolicy::Reject), ("fail", BadRowPolicy::Fail)];
/// The share of rejects that fails a source when the contract names no other.
const DEFAULT_REJECT_SHARE: f64 = 0.05;

/// What a contract is read with besides its text.
pub(super) struct Surroundings<'a> {
    pub root: &'a Path,
    pub lookup: Lookup<'a>,
    /// The project's zone, for instants written without one.
    pub time_zone: &'a str,
}

/// Reads the text of one contract as if it were `pipelines/sources/<name>.yml` of a project in `root`; instants without a
/// zone of their own are in `time_zone`.
///
/// # Errors
/// Every problem of the text, of kind `Project`.
pub fn read_contract(name: &str, text: &str, root: &Path, time_zone: &str) -> Result<Source, Problems> {
    let document = Document::new(format!("pipelines/sources/{name}.yml"), text);
    let around = Surroundings { root, lookup: &|variable| std::env::var(variable).ok(), time_zone };
    let source = read(&document, name, &around);
    let problems = document.into_problems();
    match source {
        Some(source) => problems.or_ok(source),
        None => Err(problems),
    }
}

/// Reads the contract of one source, whose name is the file's.
pub(super) fn read(document: &Document, name: &str, around: &Surroundings) -> Option<Source> {
    check_source_name(document, name);
    let node = document.parse_all()?;
    let fields = Fields::of(document, &node, "a source", 0..0)?;
    let mut description = fields.words("description");
    let location = fields.required_text("location").and_then(|text| {
        let location = environment::locate(around.root, &environment::expand(document, &text, around.lookup)?);
        let has_password = url::Url::parse(&location).is_ok_and(|url| url.password().is_some());
        if has_password {
            let error = Error::project("`location` holds a password");
            document.report(&text.span, error.hint("take it out, and write `password: ${NAME}` or `password_file`"));
        }
        match sources::kind_of(&location) {
            Ok(kind) => Some((location, kind)),
            Err(error) => {
                document.report(&text.span, error);
                None
            }
        }
    });
    let kind = location.as_ref().map(|(_, kind)| *kind);
    let access = access::read(&fields, around.root);
    let ready_made = ready_made::read(&fields, location.as_ref().map(|(location, _)| location.as_str()), around);
    let tables = match fields.has("ready_made") {
        true => fields.optional("tables"),
        false => fields.required("tables"),
    };
    let mut tables = tables.map(|node| read_tables(document, node, kind, around)).unwrap_or_default();
    if let Some(ready_made) = ready_made {
        tables = ready_made.with(tables);
        if description.is_empty() {
            description = ready_made.description;
        }
    }
    fields.finish();
    check_histories(document, &tables);
    let (location, _) = location?;
    Some(Source { name: name.to_string(), description, location, access, tables })
}

/// Reads the tables of a source; those that cannot be read at all are left out.
pub(super) fn read_tables(
    document: &Document,
    node: &Node,
    kind: Option<SystemKind>,
    around: &Surroundings,
) -> Vec<SourceTable> {
    let entries = document.entries(node, "`tables`").unwrap_or_default();
    entries.iter().filter_map(|(key, node)| read_table(document, key, node, kind, around)).collect()
}

/// The history of a table is a relation of its own, whose name no other table may have.
fn check_histories(document: &Document, tables: &[SourceTable]) {
    for table in tables.iter().filter(|table| table.history) {
        let name = format!("{}_history", table.name);
        if tables.iter().any(|other| other.name == name) {
            let message = format!("the table `{name}` has the name of the history of `{}`", table.name);
            let error = Error::project(message).hint("give the table another name, or the other no `history`");
            document.report(&(0..0), error);
        }
    }
}

fn check_source_name(document: &Document, name: &str) {
    if let Err(error) = names::check("a source", name) {
        document.report(&(0..0), error);
    } else if name.contains("__") {
        let error = Error::project(format!("`{name}` cannot be the name of a source: `__` parts source and table"));
        document.report(&(0..0), error.hint("use a single `_`"));
    }
}

fn read_table(
    document: &Document,
    key: &Text,
    node: &Node,
    kind: Option<SystemKind>,
    around: &Surroundings,
) -> Option<SourceTable> {
    if let Err(error) = names::check("a table", &key.value) {
        document.report(&key.span, error);
    }
    let fields = Fields::of(document, node, "a table", key.span.clone())?;
    let delivery = deliveries::read(&fields, &key.value, kind);
    let time_zone = fields.text("zone").and_then(|text| settings::time_zone(document, text));
    let time_zone = time_zone.as_deref().unwrap_or(around.time_zone);
    let promises = match &delivery {
        Delivery::Files { format: Format::Named(name), .. } => formats::promises(name, time_zone),
        _ => None,
    };
    let columns = columns::read_all(&fields, promises.as_ref(), time_zone);
    formats::check_fields(&fields, &delivery, &columns);
    // Of a database's table a contract names what is wanted; in a file a column nobody named is news.
    let new_column = match delivery {
        Delivery::Relation(_) => ColumnPolicy::Ignore,
        Delivery::Files { .. } | Delivery::Pages(_) => ColumnPolicy::Accept,
    };
    let table = SourceTable {
        name: key.value.clone(),
        description: fields.words("description"),
        delivery,
        load: Load::Deliveries,
        optional: false,
        history: false,
        on_new_column: fields.choice("on_new_column", &COLUMN_POLICIES, new_column),
        on_missing_column: fields.choice("on_missing_column", &COLUMN_POLICIES, ColumnPolicy::Fail),
        on_changed_type: fields.choice("on_changed_type", &COLUMN_POLICIES, ColumnPolicy::Accept),
        on_bad_row: fields.choice("on_bad_row", &BAD_ROW_POLICIES, BadRowPolicy::Reject),
        max_rejects: max_rejects(&fields),
        columns,
        key: Vec::new(),
        newest_by: None,
        time_column: None,
        total_rows: None,
        expectations: Expectations::default(),
        place: Some(document.place(&key.span)),
    };
    let mut table = name_columns(&fields, table, promises.as_ref());
    table.optional = optional(&fields, &table);
    table.load = loads::read(&fields, &table);
    table.history = loads::history(&fields, &table.load);
    table.expectations = loads::expectations(&fields, &table);
    table.total_rows = written::total_rows(&fields, &table);
    written::check_delivery(&fields, &table);
    fields.finish();
    Some(table)
}

/// Reads `optional`, which is about relations named by `table`: folders without files are good as they are, and what a
/// query stands on is not known.
fn optional(fields: &Fields, table: &SourceTable) -> bool {
    let optional = fields.flag("optional", false);
    let is_named = matches!(&table.delivery, Delivery::Relation(Relation { rows: RelationRows::Table(_), .. }));
    if optional && !is_named {
        let error = Error::project("`optional` is for a `table` of a database, whose name can be looked up");
        fields.document.report(&fields.span_of("optional"), error);
    }
    optional
}

fn max_rejects(fields: &Fields) -> RejectLimit {
    let defaults = RejectLimit { rows: None, share: Some(DEFAULT_REJECT_SHARE), times_usual: None };
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
    let times_usual = limit.number::<f64>("times_usual", "a number").and_then(|(times, span)| {
        let good = times.is_finite() && times >= 1.0;
        if !good {
            let error = Error::project(format!("`times_usual` is `{times}`"));
            fields
                .document
                .report(&span, error.hint("write a number of at least 1: `3` is three times the usual share"));
        }
        good.then_some(times)
    });
    if !["rows", "share", "times_usual"].iter().any(|key| limit.has(key)) {
        fields.document.report(&owner, Error::project("`max_rejects` needs `rows`, `share` or `times_usual`"));
    }
    limit.finish();
    RejectLimit { rows, share, times_usual }
}

/// What the contract of a named format promises where a table says nothing else.
pub(super) struct Promises {
    pub columns: Vec<Column>,
    pub key: Vec<String>,
    pub newest_by: Option<String>,
    pub time_column: Option<String>,
}

/// Reads the contract of a format: the keys of a table that are about its columns.
pub(super) fn read_promises(document: &Document, time_zone: &str) -> Option<Promises> {
    let node = document.parse_all()?;
    let fields = Fields::of(document, &node, "the contract of a format", 0..0)?;
    let mut table = SourceTable {
        name: document.file.clone(),
        description: String::new(),
        delivery: Delivery::Files { pattern: String::new(), format: Format::JsonLines },
        load: Load::Deliveries,
        optional: false,
        history: false,
        columns: columns::read_all(&fields, None, time_zone),
        key: Vec::new(),
        newest_by: None,
        on_new_column: ColumnPolicy::Accept,
        on_missing_column: ColumnPolicy::Fail,
        on_changed_type: ColumnPolicy::Accept,
        on_bad_row: BadRowPolicy::Reject,
        max_rejects: RejectLimit::default(),
        time_column: None,
        total_rows: None,
        expectations: Expectations::default(),
        place: None,
    };
    table = name_columns(&fields, table, None);
    fields.finish();
    let SourceTable { columns, key, newest_by, time_column, .. } = table;
    Some(Promises { columns, key, newest_by, time_column })
}

/// Reads the keys that name columns, which must be known; those that are left out are as the format promises.
fn name_columns(fields: &Fields, mut table: SourceTable, promises: Option<&Promises>) -> SourceTable {
    // Columns that could not be read are known by name, so that one mistake is not reported twice.
    let mut declared: Vec<&str> = match fields.optional("columns").map(|node| &node.value) {
        Some(Value::Map(entries)) => {
            entries.iter().filter(|(_, node)| !columns::is_omitted(node)).map(|(key, _)| key.value.as_str()).collect()
        }
        _ => Vec::new(),
    };
    let promised: Vec<String> = match promises {
        Some(_) => table.columns.iter().map(|column| column.name.clone()).collect(),
        None => Vec::new(),
    };
    declared.extend(promised.iter().map(String::as_str).filter(|name| !fields.names_column(name)));
    if let Some(promises) = promises {
        let there = |name: &&String| declared.contains(&name.as_str());
        if !fields.has("key") {
            table.key = promises.key.clone();
            for gone in promises.key.iter().filter(|name| !there(name)) {
                let error = Error::project(format!("`{gone}` is part of the format's key and omitted"));
                fields
                    .document
                    .report(&fields.span_of("columns"), error.hint("name another `key`, or `key: []` for none"));
            }
        }
        let keyed = !table.key.is_empty() || !fields.texts("key").is_empty();
        table.newest_by = promises.newest_by.clone().filter(|name| keyed && there(&name));
        table.time_column = promises.time_column.clone().filter(|name| there(&name));
    }
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
        if !fields.has("key") && table.key.is_empty() {
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
