//! Release records of formats 1 and 2, which held everything that a release names. They are read and never written.

use super::record::{ColumnRecord, not_a_record, schema};
use super::{DataFile, LoadState, Release, TableVersion, TestCounts, ViewVersion};
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EarlierRecord {
    #[serde(rename = "format")]
    _format: u32,
    number: u64,
    run_id: String,
    published_at: jiff::Timestamp,
    as_of: jiff::civil::Date,
    #[serde(default)]
    rollback_of: Option<u64>,
    tests: TestCounts,
    tables: BTreeMap<TableName, EarlierTable>,
    loaded: BTreeMap<TableName, LoadState>,
    #[serde(default)]
    views: Vec<(TableName, String)>,
    #[serde(default)]
    definitions: BTreeMap<TableName, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EarlierTable {
    changed_in: u64,
    fingerprint: String,
    columns: Vec<ColumnRecord>,
    files: Vec<DataFile>,
}

/// The release that is written in a JSON text; `from` names it in errors.
///
/// All its steps describe the business date of its run: earlier versions did not say which of them depend on it.
pub(crate) fn read(from: &str, text: &[u8]) -> Result<Release> {
    let record: EarlierRecord = serde_json::from_slice(text).map_err(|e| not_a_record(from, &e))?;
    let mut definitions = record.definitions;
    let mut tables = BTreeMap::new();
    for (name, table) in record.tables {
        let schema = schema(&table.columns).ok_or_else(|| {
            Error::data(format!("{from} is not a release record: {name} has a column of an unknown type"))
        })?;
        let version = TableVersion {
            changed_in: table.changed_in,
            as_of: (!name.is_raw()).then_some(record.as_of),
            definition: definitions.remove(&name),
            ..TableVersion::new(Arc::new(schema), table.files, table.fingerprint)
        };
        tables.insert(name, version);
    }
    let views = record.views.into_iter().map(|(name, sql)| {
        let definition = definitions.remove(&name);
        let as_of = definition.is_some().then_some(record.as_of);
        (name, ViewVersion { sql, as_of, definition, reads: BTreeSet::new() })
    });
    Ok(Release {
        number: record.number,
        run_id: record.run_id,
        published_at: record.published_at,
        as_of: record.as_of,
        rollback_of: record.rollback_of,
        views: views.collect(),
        tables,
        loaded: record.loaded,
        tests: BTreeMap::new(),
        project: None,
        earlier_counts: record.tests,
    })
}
