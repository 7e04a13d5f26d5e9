//! Release records: the JSON of `_perennial/releases/00000001.json`, which every later version must be able to read.

use super::{DataFile, LoadState, Release, TableVersion, TestCounts};
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The format that this program writes; it reads this one and all earlier ones.
const FORMAT: u32 = 2;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    format: u32,
    number: u64,
    run_id: String,
    published_at: jiff::Timestamp,
    as_of: jiff::civil::Date,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rollback_of: Option<u64>,
    tests: TestCounts,
    tables: BTreeMap<TableName, TableRecord>,
    loaded: BTreeMap<TableName, LoadState>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    views: Vec<(TableName, String)>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    definitions: BTreeMap<TableName, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableRecord {
    changed_in: u64,
    fingerprint: String,
    columns: Vec<ColumnRecord>,
    files: Vec<DataFile>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnRecord {
    name: String,
    #[serde(rename = "type")]
    data_type: String,
    /// The element of a list or the members of a struct.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<ColumnRecord>,
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

/// The release as JSON.
pub(crate) fn write(release: &Release) -> Result<String> {
    let mut tables = BTreeMap::new();
    for (name, table) in &release.tables {
        let columns = table.schema.fields().iter().map(|f| column_record(name, f)).collect::<Result<_>>()?;
        let record = TableRecord {
            changed_in: table.changed_in,
            fingerprint: table.fingerprint.clone(),
            columns,
            files: table.files.clone(),
        };
        tables.insert(name.clone(), record);
    }
    let record = Record {
        format: FORMAT,
        number: release.number,
        run_id: release.run_id.clone(),
        published_at: release.published_at,
        as_of: release.as_of,
        rollback_of: release.rollback_of,
        tests: release.tests,
        tables,
        loaded: release.loaded.clone(),
        views: release.views.clone(),
        definitions: release.definitions.clone(),
    };
    serde_json::to_string(&record)
        .map_err(|e| Error::bug(format!("a release cannot be written as JSON: {e}")).because(e))
}

/// The release that is written in a JSON text; `from` names it in errors.
pub(crate) fn read(from: &str, text: &[u8]) -> Result<Release> {
    let broken = |e: serde_json::Error| Error::data(format!("{from} is not a release record: {e}"));
    let format = serde_json::from_slice::<FormatOnly>(text).map_err(broken)?.format;
    if format > FORMAT {
        return Err(Error::project(format!("{from} has format {format}, which a newer version of perennial wrote"))
            .hint(format!("this version reads formats up to {FORMAT}; update perennial")));
    }
    let record: Record = serde_json::from_slice(text).map_err(broken)?;
    let mut tables = BTreeMap::new();
    for (name, table) in record.tables {
        let fields = fields(&table.columns).ok_or_else(|| {
            Error::data(format!("{from} is not a release record: {name} has a column of an unknown type"))
        })?;
        let version = TableVersion {
            schema: Arc::new(Schema::new(fields)),
            files: table.files,
            fingerprint: table.fingerprint,
            changed_in: table.changed_in,
        };
        tables.insert(name, version);
    }
    Ok(Release {
        number: record.number,
        run_id: record.run_id,
        published_at: record.published_at,
        as_of: record.as_of,
        rollback_of: record.rollback_of,
        tables,
        loaded: record.loaded,
        tests: record.tests,
        views: record.views,
        definitions: record.definitions,
    })
}

fn column_record(table: &TableName, field: &Field) -> Result<ColumnRecord> {
    let (data_type, parts) = match field.data_type() {
        DataType::List(element) => ("list".to_string(), vec![column_record(table, element)?]),
        DataType::Struct(members) => {
            ("struct".to_string(), members.iter().map(|f| column_record(table, f)).collect::<Result<_>>()?)
        }
        simple => (simple_name(simple).ok_or_else(|| unknown_type(table, field))?, Vec::new()),
    };
    Ok(ColumnRecord { name: field.name().clone(), data_type, parts })
}

fn unknown_type(table: &TableName, field: &Field) -> Error {
    Error::bug(format!(
        "column `{}` of {table} is {}, which is not a type of the lake",
        field.name(),
        field.data_type()
    ))
}

/// The types without parts and their names.
const SIMPLE: [(&str, DataType); 12] = [
    ("boolean", DataType::Boolean),
    ("int8", DataType::Int8),
    ("int16", DataType::Int16),
    ("int32", DataType::Int32),
    ("int64", DataType::Int64),
    ("float32", DataType::Float32),
    ("float64", DataType::Float64),
    ("date", DataType::Date32),
    ("text", DataType::Utf8),
    ("bytes", DataType::Binary),
    ("local_time", DataType::Timestamp(TimeUnit::Microsecond, None)),
    ("null", DataType::Null),
];

const INSTANT: &str = "instant";

fn simple_name(given: &DataType) -> Option<String> {
    match given {
        DataType::Decimal128(precision, scale) => Some(format!("decimal({precision},{scale})")),
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if &**zone == "UTC" => Some(INSTANT.to_string()),
        other => SIMPLE.iter().find(|(_, t)| t == other).map(|(name, _)| name.to_string()),
    }
}

fn fields(columns: &[ColumnRecord]) -> Option<Fields> {
    columns.iter().map(|c| Some(Field::new(&c.name, data_type(c)?, true))).collect()
}

fn data_type(column: &ColumnRecord) -> Option<DataType> {
    match column.data_type.as_str() {
        "list" => Some(DataType::List(fields(&column.parts)?.first()?.clone())),
        "struct" => Some(DataType::Struct(fields(&column.parts)?)),
        INSTANT => Some(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        name => match name.strip_prefix("decimal(").and_then(|rest| rest.strip_suffix(')')) {
            Some(digits) => {
                let (precision, scale) = digits.split_once(',')?;
                Some(DataType::Decimal128(precision.trim().parse().ok()?, scale.trim().parse().ok()?))
            }
            None => SIMPLE.iter().find(|(n, _)| *n == name).map(|(_, t)| t.clone()),
        },
    }
}
