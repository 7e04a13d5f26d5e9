//! Tables, releases, the lock and the history of runs, in a folder or on an object store. The only writer of data.
//!
//! There is no SQL here. A table's rows are Parquet files that no reader knows of until a [`Release`] names them; the
//! release is one object that is put only if none of its number exists, so it exists wholly or not at all. The Delta
//! logs that other programs open follow the release and are completed by the next run if the process died in between.
//!
//! ```text
//! <lake>/_perennial/lock                        the process that writes
//! <lake>/_perennial/releases/00000001.json      every table's exact files
//! <lake>/_perennial/delta.json                  the release that every Delta log has reached
//! <lake>/_perennial/runs/<run_id>.json          runs that have begun and not ended
//! <lake>/<schema>/<table>/<run_id>-<n>.parquet  rows, with `_delta_log/` beside them
//! <lake>/system/<name>/<run_id>-<part>-<n>rows.parquet
//! ```

mod data_files;
mod delta;
mod durable;
pub mod history;
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
pub use release::{NewRelease, Publication};
pub use repair::{KilledRun, Repairs};
pub use shape::lake_schema;
pub use writer::TableWriter;

use arrow::datatypes::SchemaRef;
use perennial_core::contract::TableName;
use std::collections::{BTreeMap, BTreeSet};

/// One published state of every table.
#[derive(Clone, Debug)]
pub struct Release {
    /// Counted from 1.
    pub number: u64,
    /// The run that published it.
    pub run_id: String,
    /// When it was published.
    pub published_at: jiff::Timestamp,
    /// The business date its figures describe.
    pub as_of: jiff::civil::Date,
    /// Set when this release repeats an earlier one.
    pub rollback_of: Option<u64>,
    /// Every table and its exact files.
    pub tables: BTreeMap<TableName, TableVersion>,
    /// What has been read of every source table, recorded together with the rows.
    pub loaded: BTreeMap<TableName, LoadState>,
    /// Tests passed and warned when it was published.
    pub tests: TestCounts,
    /// Relations that are stored queries, each after those it reads: name and SQL.
    pub views: Vec<(TableName, String)>,
    /// Hash of the definition of every step, so that changed SQL can be told from changed data.
    pub definitions: BTreeMap<TableName, String>,
}

/// How many tests of a run had which result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TestCounts {
    /// Tests without a failing row.
    pub passed: u64,
    /// Tests of severity `warn` that failed.
    pub warned: u64,
    /// Tests of severity `error` that failed.
    pub failed: u64,
}

/// One state of one table.
#[derive(Clone, Debug)]
pub struct TableVersion {
    /// The columns; those that a file lacks are NULL in its rows.
    pub schema: SchemaRef,
    /// The files that hold its rows.
    pub files: Vec<DataFile>,
    /// Hash of everything that determines the rows (SQL, variables, versions read); equal means unchanged.
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
    /// Columns that are not in the contract and were accepted, in the order in which they appeared.
    pub accepted_columns: Vec<String>,
    /// How far the system has been read; only where loads read what has changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<Watermark>,
    /// When the whole table was last compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_at: Option<jiff::Timestamp>,
    /// The system's own names for the types of its columns.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, String>,
    /// Row counts of the last loads that read something, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<LoadCount>,
    /// Rejects (run, file and line, as `run_id/line/file`) whose rows have been replayed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub replayed: BTreeSet<String>,
}

impl LoadState {
    /// The runs whose rejects of a file are still open.
    pub fn open_runs(file: &LoadedFile) -> &[String] {
        match file.reject_runs.as_slice() {
            // Records of earlier versions name only the run that read the file.
            [] if file.rejects > 0 => std::slice::from_ref(&file.run_id),
            runs => runs,
        }
    }

    /// Removes the replayed rejects of runs that no longer have open ones.
    pub fn forget_closed(&mut self) {
        let open: BTreeSet<&String> = self.files.values().flat_map(LoadState::open_runs).collect();
        let open: BTreeSet<String> = open.into_iter().cloned().collect();
        self.replayed.retain(|id| id.split_once('/').is_some_and(|(run, _)| open.contains(run)));
    }
}

/// How far a system was read.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Watermark {
    /// In the system's own notation: where the next read begins.
    pub system: String,
    /// The greatest cursor of the rows in the lake, as days, microseconds or a number.
    pub lake: Option<i64>,
}

/// Row counts of one load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LoadCount {
    /// Rows read, including rejects.
    pub read: u64,
    /// Rows rejected.
    pub rejects: u64,
}

/// One source file that has been read.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LoadedFile {
    /// Size in bytes.
    pub bytes: u64,
    /// Identifies the content: the store's entity tag, or in a folder the modification time and a hash.
    pub tag: String,
    /// Rows accepted.
    pub rows: u64,
    /// Rows rejected.
    pub rejects: u64,
    /// The greatest value of the table's time column, as RFC 3339 or a date.
    pub newest: Option<String>,
    /// The data files that hold its rows (paths below the lake's root).
    pub data_files: Vec<String>,
    /// The run that read it.
    pub run_id: String,
    /// The runs whose rejects of it are open: none of their rows has been read again since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reject_runs: Vec<String>,
}
