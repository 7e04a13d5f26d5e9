//! Where bytes rest: tables, releases and the lock, on a folder or an object store. The only writer of data.
//!
//! There is no SQL here. A table's rows are Parquet files that no reader knows of until a [`Release`] names them; the
//! release is one object put under a condition, so it exists wholly or not at all. The Delta logs that outside readers
//! open follow the release and are finished by the next run if the process died in between.
//!
//! ```text
//! <lake>/_perennial/lock                        who writes
//! <lake>/_perennial/releases/00000001.json      every table's exact files
//! <lake>/_perennial/delta.json                  the release that all Delta logs have reached
//! <lake>/_perennial/runs/<run_id>.json          runs that began and have not ended
//! <lake>/<schema>/<table>/<run_id>-<n>.parquet  rows, with `_delta_log/` beside them
//! <lake>/system/<name>/<run_id>-<part>-<n>rows.parquet
//! ```

mod data_files;
mod delta;
mod durable;
mod lease;
mod lock;
mod open;
mod record;
mod release;
mod repair;
mod shape;
mod stats;
mod system;
#[cfg(test)]
mod tests;
mod writer;

pub use data_files::{DataFileRows, DataFileWriter, DataFiles};
pub use lock::{Holder, Lock};
pub use open::Lake;
pub use release::{NewRelease, Published};
pub use repair::{KilledRun, Repairs};
pub use shape::lake_schema;
pub use writer::TableWriter;

use crate::contract::TableName;
use arrow::datatypes::SchemaRef;
use std::collections::{BTreeMap, BTreeSet};

/// One published state of every table.
#[derive(Clone, Debug)]
pub struct Release {
    /// Counted from 1.
    pub number: u64,
    /// The run that published it.
    pub run_id: String,
    /// When, in UTC.
    pub published_at: jiff::Timestamp,
    /// The business date its figures describe.
    pub as_of: jiff::civil::Date,
    /// Set when this release repeats an earlier one.
    pub rollback_of: Option<u64>,
    /// Every table and its exact files.
    pub tables: BTreeMap<TableName, TableVersion>,
    /// What was read of every source table: the watermark, committed with the data.
    pub loaded: BTreeMap<TableName, LoadState>,
    /// Tests passed and warned when it was published.
    pub tests: TestCounts,
    /// Relations that are stored queries, each after those it reads: name and SQL.
    pub views: Vec<(TableName, String)>,
    /// Hash of the definition of every step, so that changed SQL can be told from changed data.
    pub definitions: BTreeMap<TableName, String>,
}

/// Tests of a run, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TestCounts {
    /// No row was a fault.
    pub passed: u64,
    /// Faults in tests of severity `warn`.
    pub warned: u64,
    /// Faults in tests of severity `error`.
    pub failed: u64,
}

/// One state of one table.
#[derive(Clone, Debug)]
pub struct TableVersion {
    /// Columns; files that lack one read as NULL there.
    pub schema: SchemaRef,
    /// The files that hold its rows.
    pub files: Vec<DataFile>,
    /// Hash of everything the content follows from (SQL, variables, versions read); equal means unchanged.
    pub fingerprint: String,
    /// The release that first held this state (0 before it is published).
    pub changed_in: u64,
}

impl TableVersion {
    /// Rows in all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|f| f.rows).sum()
    }
}

/// One Parquet file of a table.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DataFile {
    /// Path below the lake's root.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Rows.
    pub rows: u64,
}

/// What has been read of one source table.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LoadState {
    /// Hash of the contract the rows were read under; another contract reads every file again.
    pub contract: String,
    /// Every file read, by its path below the source's location.
    pub files: BTreeMap<String, LoadedFile>,
    /// Columns that were not promised and accepted, in order of arrival.
    pub accepted_columns: Vec<String>,
    /// How far the system was read, in its own words; only where loads read what changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<Watermark>,
    /// When the whole table was last compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_at: Option<jiff::Timestamp>,
    /// The system's own names of its columns' types.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, String>,
    /// What the last loads that read something brought, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<LoadCount>,
    /// Rejects (run, file and line, as `run_id/line/file`) whose rows were taken after all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub replayed: BTreeSet<String>,
}

impl LoadState {
    /// The runs whose rejects of a file are open.
    pub fn open_runs(file: &LoadedFile) -> &[String] {
        match file.reject_runs.as_slice() {
            // Records of earlier versions name only the run that read the file.
            [] if file.rejects > 0 => std::slice::from_ref(&file.run_id),
            runs => runs,
        }
    }

    /// Forgets which rejects were replayed of runs whose rejects are no longer open.
    pub fn forget_closed(&mut self) {
        let open: BTreeSet<&String> = self.files.values().flat_map(LoadState::open_runs).collect();
        let open: BTreeSet<String> = open.into_iter().cloned().collect();
        self.replayed.retain(|id| id.split_once('/').is_some_and(|(run, _)| open.contains(run)));
    }
}

/// How far a system was read.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Watermark {
    /// In the system's own words: what the next read begins with.
    pub system: String,
    /// The greatest cursor of the rows in the lake, as days, microseconds or a number.
    pub lake: Option<i64>,
}

/// What one load brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LoadCount {
    /// Rows read, refused ones among them.
    pub read: u64,
    /// Rows refused.
    pub rejects: u64,
}

/// One source file that has been read.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LoadedFile {
    /// Size in bytes.
    pub bytes: u64,
    /// What tells one content from another: the store's entity tag, or on a folder the time of change and a hash.
    pub tag: String,
    /// Rows accepted.
    pub rows: u64,
    /// Rows refused.
    pub rejects: u64,
    /// The greatest value of the table's time column, as RFC 3339 or a date.
    pub newest: Option<String>,
    /// The data files that hold its rows (paths below the lake's root).
    pub data_files: Vec<String>,
    /// The run that read it.
    pub run_id: String,
    /// The runs whose rejects of it are open: none of their rows was read again since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reject_runs: Vec<String>,
}
