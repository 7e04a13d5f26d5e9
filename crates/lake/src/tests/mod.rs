//! Tests of the lake, by what could go wrong.

mod compaction;
mod damage;
mod delta;
mod faults;
mod latest;
mod locks;
mod readers;
mod releases;
mod repairs;
mod s3;
mod tables;
mod vacuum;
mod verify;

use super::*;
use crate::delta::{DeltaLog, Snapshot};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use perennial_core::error::{Kind, Result};
use std::sync::Arc;
use tempfile::TempDir;

fn timestamp(text: &str) -> jiff::Timestamp {
    text.parse().unwrap()
}

fn now() -> jiff::Timestamp {
    timestamp("2026-11-22T04:15:00Z")
}

fn holder(run_id: &str) -> Holder {
    Holder {
        run_id: run_id.to_string(),
        host: "here".to_string(),
        user: "ann".to_string(),
        pid: std::process::id(),
        command: "run nightly".to_string(),
    }
}

fn name(text: &str) -> TableName {
    TableName::try_from(text.to_string()).unwrap()
}

/// A lake in a folder whose name is not plain ASCII.
async fn new_lake() -> (TempDir, Lake) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path().join("my läke").to_str().unwrap()).await.unwrap();
    (folder, lake)
}

/// Rows with an `id` from `first` on and a text.
fn rows(first: i64, count: i64) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(first..first + count));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((first..first + count).map(|i| format!("row {i}"))));
    RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("text", texts, true)]).unwrap()
}

async fn try_table(lake: &Lake, table: &str, run_id: &str, batch: &RecordBatch) -> Result<TableVersion> {
    let mut writer = lake.table_writer(&name(table), run_id, batch.schema())?;
    writer.write(batch).await?;
    let schema = writer.schema();
    let files = writer.finish().await?;
    Ok(TableVersion::new(schema, files, format!("{table} by {run_id}")))
}

/// A written table that no release names yet.
async fn table(lake: &Lake, table: &str, run_id: &str, batch: &RecordBatch) -> TableVersion {
    try_table(lake, table, run_id, batch).await.unwrap()
}

/// The result of a test of `marts.a`.
fn result(failures: u64) -> TestResult {
    TestResult { tables: [name("marts.a")].into(), failures }
}

fn new_release(run_id: &str, tables: impl IntoIterator<Item = (&'static str, TableVersion)>) -> NewRelease {
    NewRelease {
        run_id: run_id.to_string(),
        published_at: now(),
        as_of: jiff::civil::date(2026, 11, 1),
        tables: tables.into_iter().map(|(n, t)| (name(n), t)).collect(),
        loaded: BTreeMap::new(),
        tests: [("a", 0), ("b", 0), ("c", 0), ("d", 2)]
            .map(|(test, failures)| (test.to_string(), result(failures)))
            .into(),
        views: Vec::new(),
        project: BTreeMap::new(),
        sql: BTreeSet::new(),
    }
}

/// The text of a release's record, with the objects that it names in the lake.
async fn write_record(lake: &Lake, release: &Release) -> String {
    let (text, objects) = record::write(lake, release, None).await.unwrap();
    lake.put_objects(objects).await.unwrap();
    text
}

/// The state of a table in its Delta log; `None` without a log.
async fn delta_snapshot(lake: &Lake, table: &str) -> Option<Snapshot> {
    DeltaLog::new(lake, &name(table)).unwrap().read().await.unwrap()
}

/// The files that a Delta log names, by their paths below the lake, and its schema's columns; `None` without a log.
async fn delta_files(lake: &Lake, table: &str) -> Option<(Vec<String>, Vec<String>)> {
    let snapshot = delta_snapshot(lake, table).await?;
    let folder = table.replace('.', "/");
    let files = snapshot.contents.files.keys().map(|path| format!("{folder}/{path}")).collect();
    let schema: serde_json::Value = serde_json::from_str(&snapshot.metadata.schema_string).unwrap();
    let fields = schema["fields"].as_array().unwrap();
    Some((files, fields.iter().map(|field| field["name"].as_str().unwrap().to_string()).collect()))
}

async fn delta_version(lake: &Lake, table: &str) -> u64 {
    delta_snapshot(lake, table).await.unwrap().version
}

/// Every Delta log matches the release.
async fn assert_delta_follows(lake: &Lake, release: &Release) {
    for (name, version) in &release.tables {
        let mut wanted: Vec<String> = version.files.iter().map(|f| f.path.clone()).collect();
        wanted.sort();
        let (files, columns) = delta_files(lake, &name.to_string()).await.expect("every table has a log");
        assert_eq!(files, wanted, "files of {name} in release {}", release.number);
        let expected: Vec<String> = version.schema.fields().iter().map(|f| f.name().clone()).collect();
        assert_eq!(columns, expected);
    }
}

/// Every file that the release names exists and has the size that it says.
async fn assert_complete(lake: &Lake, release: &Release) {
    let there: BTreeMap<String, u64> = lake.list("").await.unwrap().into_iter().collect();
    for file in release.tables.values().flat_map(|t| &t.files) {
        assert_eq!(there.get(&file.path), Some(&file.bytes), "{}", file.path);
    }
}
