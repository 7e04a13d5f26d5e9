//! Release records: the JSON of `_perennial/releases/00000001.json`, which every later version must be able to read.
//!
//! A record names objects by hash: a manifest of every table, the load state of every source table, the stored queries
//! and the results of tests. Objects that two releases have in common exist once, so that a record stays small and a
//! night writes what changed. A record carries its own hash. Those of formats 1 and 2 held everything themselves
//! ([`super::earlier_record`]).

use super::damaged::Damaged;
use super::load_states::{read_load_state, store_load_state};
use super::objects::{NewObjects, OBJECTS_AT_ONCE, object_path};
use super::open::Lake;
use super::release::{LoadStates, record_path};
use super::verify::Part;
use super::{DataFile, LoadState, Release, TableVersion, TestCounts, TestResult, ViewVersion, earlier_record};
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use futures::{StreamExt, TryStreamExt};
use perennial_core::contract::TableName;
use perennial_core::digest::digest;
use perennial_core::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The format that this program writes; it reads this one and all earlier ones.
const FORMAT: u32 = 3;

/// The record of a release, without its hash.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    format: u32,
    pub(crate) number: u64,
    run_id: String,
    published_at: jiff::Timestamp,
    as_of: jiff::civil::Date,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rollback_of: Option<u64>,
    tables: BTreeMap<TableName, TableEntry>,
    /// Load states, by hash.
    pub(crate) loaded: BTreeMap<TableName, String>,
    /// Stored queries, each after those it reads, by hash.
    views: Vec<(TableName, String)>,
    /// Results of tests, by hash.
    tests: String,
    /// How the tests of a release ended that an earlier version made and that was published again.
    #[serde(default, skip_serializing_if = "no_counts")]
    earlier_counts: TestCounts,
    /// The list of the project's files, by hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project: Option<String>,
}

impl Record {
    /// When it was published, and the business date of its run.
    pub(crate) fn times(&self) -> (jiff::Timestamp, jiff::civil::Date) {
        (self.published_at, self.as_of)
    }

    /// The objects that it names: what they are, of which table, and their hashes.
    pub(crate) fn objects(&self) -> impl Iterator<Item = (Part, Option<&TableName>, &str)> {
        let tables = self.tables.iter().map(|(name, entry)| (Part::Manifest, Some(name), entry.manifest.as_str()));
        let loaded = self.loaded.iter().map(|(name, hash)| (Part::LoadState, Some(name), hash.as_str()));
        let views = self.views.iter().map(|(name, hash)| (Part::View, Some(name), hash.as_str()));
        let tests = std::iter::once((Part::Tests, None, self.tests.as_str()));
        let project = self.project.iter().map(|hash| (Part::Project, None, hash.as_str()));
        tables.chain(loaded).chain(views).chain(tests).chain(project)
    }
}

fn no_counts(counts: &TestCounts) -> bool {
    *counts == TestCounts::default()
}

/// A table in a record.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableEntry {
    /// The hash of its manifest.
    manifest: String,
    changed_in: u64,
    /// The rows of its files, against a manifest that is not of this table.
    rows: u64,
}

/// What a table's version is: the object that releases share.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    columns: Vec<ColumnRecord>,
    files: Vec<DataFile>,
    fingerprint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    as_of: Option<jiff::civil::Date>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    definition: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    built_from: BTreeMap<TableName, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColumnRecord {
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

/// What a record's text begins with, before the hash of the rest.
const SEAL_START: &str = r#"{"hash":""#;
/// What is between the hash and the record.
const SEAL_MIDDLE: &str = r#"","release":"#;
/// Characters of a hash.
const HASH_LENGTH: usize = 64;

/// A record as its text: JSON that carries the hash of the record in it.
fn seal(record: &Record) -> Result<String> {
    let text = serde_json::to_string(record)
        .map_err(|e| Error::bug(format!("a release cannot be written as JSON: {e}")).because(e))?;
    Ok(format!("{SEAL_START}{}{SEAL_MIDDLE}{text}}}", digest([&text])))
}

/// The record's JSON out of its sealed text; `None` when it is not what was written.
fn unseal(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(SEAL_START.as_bytes())?;
    let (hash, rest) = rest.split_at_checked(HASH_LENGTH)?;
    let record = rest.strip_prefix(SEAL_MIDDLE.as_bytes())?.strip_suffix(b"}")?;
    (digest([record]).as_bytes() == hash).then_some(record)
}

/// A release as its record and the objects that it names. `before` is the record of the release before, whose load
/// states this one continues.
pub(crate) async fn write(lake: &Lake, release: &Release, before: Option<&Record>) -> Result<(String, NewObjects)> {
    let mut objects = NewObjects::default();
    let mut tables = BTreeMap::new();
    for (name, table) in &release.tables {
        let manifest = objects.add_json("a manifest", &manifest(name, table)?)?;
        tables.insert(name.clone(), TableEntry { manifest, changed_in: table.changed_in, rows: table.rows() });
    }
    let mut loaded = BTreeMap::new();
    for (name, state) in &release.loaded {
        let before = before.and_then(|record| record.loaded.get(name));
        loaded.insert(name.clone(), store_load_state(lake, state, before, &mut objects).await?);
    }
    let mut views = Vec::new();
    for (name, view) in &release.views {
        views.push((name.clone(), objects.add_json("a view", view)?));
    }
    let record = Record {
        format: FORMAT,
        number: release.number,
        run_id: release.run_id.clone(),
        published_at: release.published_at,
        as_of: release.as_of,
        rollback_of: release.rollback_of,
        tables,
        loaded,
        views,
        tests: objects.add_json("results of tests", &release.tests)?,
        earlier_counts: release.earlier_counts,
        project: release.project.clone(),
    };
    Ok((seal(&record)?, objects))
}

/// The record of a release as it is written, without what it names; `None` for those of earlier formats, which name
/// nothing.
///
/// # Errors
/// `Data` when it is not what was written, `Project` when a newer version of the program wrote it.
pub(crate) fn parse(from: &str, text: &[u8]) -> Result<Option<Record>> {
    let Some(record) = unseal(text) else {
        let format = serde_json::from_slice::<FormatOnly>(text).map_err(|_| Damaged::changed(from))?.format;
        return match format {
            1 | 2 => Ok(None),
            newer => Err(newer_format(from, newer)),
        };
    };
    let format = serde_json::from_slice::<FormatOnly>(record).map_err(|e| not_a_record(from, &e))?.format;
    if format > FORMAT {
        return Err(newer_format(from, format));
    }
    serde_json::from_slice(record).map(Some).map_err(|e| not_a_record(from, &e))
}

pub(crate) fn not_a_record(from: &str, error: &serde_json::Error) -> Error {
    Error::data(format!("{from} is not a release record: {error}"))
}

fn newer_format(from: &str, format: u32) -> Error {
    Error::project(format!("{from} has format {format}, which a newer version of perennial wrote"))
        .hint(format!("this version reads formats up to {FORMAT}; update perennial"))
}

/// The release of a number, whose record has this text, with all that it names.
///
/// # Errors
/// `Data` when a record or an object is missing or damaged, `Project` when a newer version wrote it, `Unreachable` when
/// the store fails.
pub(crate) async fn read(lake: &Lake, number: u64, text: &[u8], load_states: LoadStates) -> Result<Release> {
    let from = record_path(number);
    let release = match parse(&from, text)? {
        Some(record) => {
            resolve(lake, record, load_states).await.map_err(|error| error.context(format!("release {number}")))?
        }
        None => earlier_record::read(&from, text)?,
    };
    if release.number != number {
        let found = release.number;
        return Err(Error::data(format!("{from} is the record of release {found}, not of {number}"))
            .hint(format!("rename it to {} if that release has no record, or delete it", record_path(found))));
    }
    lake.verify_files_of(&release);
    Ok(release)
}

/// A record with the objects that it names.
async fn resolve(lake: &Lake, mut record: Record, load_states: LoadStates) -> Result<Release> {
    if load_states == LoadStates::Skip {
        record.loaded.clear();
    }
    let tables = futures::stream::iter(record.tables).map(|(name, entry)| async move {
        let manifest: Manifest = lake.object_json(&entry.manifest).await.map_err(|error| error.context(&name))?;
        let version = version(&name, manifest, entry.changed_in)?;
        if version.rows() != entry.rows {
            return Err(Damaged::changed(&object_path(&entry.manifest)).into());
        }
        Ok::<_, Error>((name, version))
    });
    let loaded = futures::stream::iter(record.loaded).map(|(name, hash)| async move {
        let state: LoadState = read_load_state(lake, &hash).await.map_err(|error| error.context(&name))?;
        Ok::<_, Error>((name, state))
    });
    let views = futures::stream::iter(record.views).map(|(name, hash)| async move {
        let view: ViewVersion = lake.object_json(&hash).await.map_err(|error| error.context(&name))?;
        Ok::<_, Error>((name, view))
    });
    let (tables, loaded, views, tests) = futures::try_join!(
        tables.buffered(OBJECTS_AT_ONCE).try_collect::<BTreeMap<TableName, TableVersion>>(),
        loaded.buffered(OBJECTS_AT_ONCE).try_collect::<BTreeMap<TableName, LoadState>>(),
        views.buffered(OBJECTS_AT_ONCE).try_collect::<Vec<(TableName, ViewVersion)>>(),
        lake.object_json::<BTreeMap<String, TestResult>>(&record.tests),
    )?;
    Ok(Release {
        number: record.number,
        run_id: record.run_id,
        published_at: record.published_at,
        as_of: record.as_of,
        rollback_of: record.rollback_of,
        tables,
        loaded,
        tests,
        views,
        project: record.project,
        earlier_counts: record.earlier_counts,
    })
}

/// A version as it is kept.
pub(crate) fn manifest(name: &TableName, table: &TableVersion) -> Result<Manifest> {
    // A new field of versions does not compile until somebody says here how it is kept.
    let TableVersion { schema, files, fingerprint, changed_in: _, as_of, definition, built_from, notes } = table;
    Ok(Manifest {
        columns: schema.fields().iter().map(|f| column_record(name, f)).collect::<Result<_>>()?,
        files: files.clone(),
        fingerprint: fingerprint.clone(),
        as_of: *as_of,
        definition: definition.clone(),
        built_from: built_from.clone(),
        notes: notes.clone(),
    })
}

/// The version of a table that a manifest describes.
pub(crate) fn version(name: &TableName, manifest: Manifest, changed_in: u64) -> Result<TableVersion> {
    let Manifest { columns, files, fingerprint, as_of, definition, built_from, notes } = manifest;
    let schema = schema(&columns)
        .ok_or_else(|| Error::data(format!("the manifest of {name} has a column of an unknown type")))?;
    Ok(TableVersion { schema: Arc::new(schema), files, fingerprint, changed_in, as_of, definition, built_from, notes })
}

/// The columns of a table; `None` when one has a type that is not of the lake.
pub(crate) fn schema(columns: &[ColumnRecord]) -> Option<Schema> {
    fields(columns).map(Schema::new)
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
