//! Tests of the lake, by what is at stake.

mod faults;
mod locks;
mod readers;
mod releases;
mod repairs;
mod s3;
mod tables;

use super::*;
use crate::error::Kind;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use std::sync::Arc;
use tempfile::TempDir;

fn moment(text: &str) -> jiff::Timestamp {
    text.parse().unwrap()
}

fn now() -> jiff::Timestamp {
    moment("2026-11-22T04:15:00Z")
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

async fn try_table(lake: &Lake, table: &str, run_id: &str, batch: &RecordBatch) -> crate::error::Result<TableVersion> {
    let mut writer = lake.table_writer(&name(table), run_id, batch.schema())?;
    writer.write(batch).await?;
    let schema = writer.schema();
    let files = writer.finish().await?;
    Ok(TableVersion { schema, files, fingerprint: format!("{table} by {run_id}"), changed_in: 0 })
}

/// A written table that no release names yet.
async fn table(lake: &Lake, table: &str, run_id: &str, batch: &RecordBatch) -> TableVersion {
    try_table(lake, table, run_id, batch).await.unwrap()
}

fn new_release(run_id: &str, tables: impl IntoIterator<Item = (&'static str, TableVersion)>) -> NewRelease {
    NewRelease {
        run_id: run_id.to_string(),
        published_at: now(),
        as_of: jiff::civil::date(2026, 11, 1),
        tables: tables.into_iter().map(|(n, t)| (name(n), t)).collect(),
        loaded: BTreeMap::new(),
        tests: TestCounts { passed: 3, warned: 1, failed: 0 },
        views: Vec::new(),
        definitions: BTreeMap::new(),
    }
}

/// The files that a Delta log names, by their paths below the lake, and its schema's columns; `None` without a log.
async fn delta_files(lake: &Lake, table: &str) -> Option<(Vec<String>, Vec<String>)> {
    let log = lake.log_store(&name(table)).unwrap();
    let mut delta = deltalake::DeltaTable::new(log);
    if !delta.verify_deltatable_existence().await.unwrap() {
        return None;
    }
    delta.load().await.unwrap();
    let state = delta.snapshot().unwrap();
    let folder = table.replace('.', "/");
    let mut files: Vec<String> =
        state.log_data().into_iter().map(|f| format!("{folder}/{}", f.object_store_path())).collect();
    files.sort();
    let columns = state.schema().fields().map(|f| f.name().to_string()).collect();
    Some((files, columns))
}

async fn delta_version(lake: &Lake, table: &str) -> u64 {
    let mut delta = deltalake::DeltaTable::new(lake.log_store(&name(table)).unwrap());
    delta.load().await.unwrap();
    delta.version().unwrap()
}

/// Every Delta log says what the release says.
async fn assert_delta_follows(lake: &Lake, release: &Release) {
    for (name, version) in &release.tables {
        let mut wanted: Vec<String> = version.files.iter().map(|f| f.path.clone()).collect();
        wanted.sort();
        match delta_files(lake, &name.to_string()).await {
            Some((files, columns)) => {
                assert_eq!(files, wanted, "files of {name} in release {}", release.number);
                let known: Vec<String> = version.schema.fields().iter().map(|f| f.name().clone()).collect();
                assert_eq!(columns, known);
            }
            None => assert!(wanted.is_empty(), "{name} has files and no log"),
        }
    }
}

/// Every file that the release names is there, of the size it says.
async fn assert_whole(lake: &Lake, release: &Release) {
    let there: BTreeMap<String, u64> = lake.list("").await.unwrap().into_iter().collect();
    for file in release.tables.values().flat_map(|t| &t.files) {
        assert_eq!(there.get(&file.path), Some(&file.bytes), "{}", file.path);
    }
}
