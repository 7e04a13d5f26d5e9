//! Tables, releases, the lock and the history of runs, in a folder or on an object store. The only writer of data.
//!
//! There is no SQL here. A table's rows are Parquet files that no reader knows of until a [`Release`] names them; the
//! release is one object that is put only if none of its number exists, so it exists wholly or not at all. The Delta
//! logs that other programs open follow the release and are completed by the next run if the process died in between.
//!
//! ```text
//! <lake>/_perennial/lock                        the process that writes
//! <lake>/_perennial/releases/00000001.json      the manifest of every table and view, by hash
//! <lake>/_perennial/removed.json                releases that `keep` no longer covers
//! <lake>/_perennial/removed/00000001.json       the record of one whose files may still be read
//! <lake>/_perennial/latest                      where to begin to look for the newest release
//! <lake>/_perennial/objects/ab/<hash>           manifests, load states, results of tests, SQL and project files
//! <lake>/_perennial/delta.json                  the release that every Delta log has reached
//! <lake>/_perennial/runs/<run_id>.json          runs that have begun and not ended
//! <lake>/_perennial/outbox/ schedule/ ...       what was sent, planned and told ([`StateFolder`])
//! <lake>/<schema>/<table>/<run_id>-<n>.parquet  rows, with `_delta_log/` beside them
//! <lake>/system/<name>/<run_id>-<part>-<n>rows-<checksum>.parquet
//! ```

mod blocks;
mod compaction;
mod content;
mod damaged;
mod data_files;
mod delta;
mod durable;
mod earlier_record;
pub mod history;
mod journal;
mod latest;
mod lease;
mod load_states;
mod lock;
mod named;
mod objects;
mod open;
mod record;
mod release;
mod removed;
mod repair;
mod retention;
mod run_ids;
mod shape;
mod state;
mod stats;
mod system;
#[cfg(test)]
mod tests;
mod vacuum;
mod verified;
mod verify;
mod writer;

pub use blocks::Blocks;
pub use content::Content;
pub use damaged::{Damage, Damaged};
pub use data_files::{DataFileRows, DataFileWriter, DataFiles};
pub use journal::Journal;
pub use lock::{Holder, Lock};
pub use open::Lake;
pub use release::{NewRelease, Publication};
pub use removed::Removed;
pub use repair::{KilledRun, Repairs};
pub use retention::Retention;
pub use run_ids::{is_run_id, new_run_id};
pub use shape::lake_schema;
pub use state::StateFolder;
pub use system::SystemFiles;
pub use vacuum::{DoomedRelease, TableWaste, Vacuum, Waste};
pub use verify::{Finding, Part, Verification};
pub use writer::TableWriter;

use arrow::datatypes::SchemaRef;
use perennial_core::contract::TableName;
use perennial_core::digest::digest;
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
    /// The business date of the run that published it. What a table describes is in its version: a run of one pipeline
    /// leaves the tables of the others as they were.
    pub as_of: jiff::civil::Date,
    /// Set when this release repeats an earlier one.
    pub rollback_of: Option<u64>,
    /// Every table and its exact files.
    pub tables: BTreeMap<TableName, TableVersion>,
    /// What has been read of every source table, recorded together with the rows.
    pub loaded: BTreeMap<TableName, LoadState>,
    /// The latest result of every test, by its name.
    pub tests: BTreeMap<String, TestResult>,
    /// Relations that are stored queries, each after those it reads.
    pub views: Vec<(TableName, ViewVersion)>,
    /// The hash of the list of the project's files it was made with; `None` in releases of earlier versions.
    pub project: Option<String>,
    /// How its tests ended, in releases of earlier versions, which have no results by name.
    pub earlier_counts: TestCounts,
}

impl Release {
    /// How many tests have which result, of all tables or of some.
    pub fn test_counts(&self, of: Option<&BTreeSet<TableName>>) -> TestCounts {
        if self.tests.is_empty() {
            return self.earlier_counts;
        }
        let concerned = |test: &&TestResult| of.is_none_or(|tables| test.concerns(tables));
        let mut counts = TestCounts::default();
        for test in self.tests.values().filter(concerned) {
            match test.failures {
                0 => counts.passed += 1,
                _ => counts.warned += 1,
            }
        }
        counts
    }

    /// A stored query by its name.
    pub fn view(&self, name: &TableName) -> Option<&ViewVersion> {
        self.views.iter().find(|(view, _)| view == name).map(|(_, version)| version)
    }

    /// The business date that a table or view describes; `None` when it depends on none.
    pub fn as_of(&self, name: &TableName) -> Option<jiff::civil::Date> {
        self.tables.get(name).map_or_else(|| self.view(name).and_then(|view| view.as_of), |table| table.as_of)
    }

    /// The hash of the definition of a step: its SQL without the business date.
    pub fn definition(&self, name: &TableName) -> Option<&str> {
        let view = || self.view(name).and_then(|view| view.definition.as_deref());
        self.tables.get(name).and_then(|table| table.definition.as_deref()).or_else(view)
    }
}

/// The latest result of a test in a release. Tests that fail keep a release from being published, so that failing rows
/// are those of a test that warns.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TestResult {
    /// The tables it judges. It is forgotten with the last of them.
    pub tables: BTreeSet<TableName>,
    /// Failing rows; 0 when it passed.
    pub failures: u64,
}

impl TestResult {
    /// Whether it judges one of these tables.
    pub fn concerns(&self, tables: &BTreeSet<TableName>) -> bool {
        !self.tables.is_disjoint(tables)
    }
}

/// A stored query: its SQL is all there is of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ViewVersion {
    /// The query.
    pub sql: String,
    /// The business date it describes; `None` when it depends on none.
    pub as_of: Option<jiff::civil::Date>,
    /// Hash of a step's SQL without the business date; `None` for relations of sources.
    pub definition: Option<String>,
    /// What its query reads; empty in releases of earlier versions.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub reads: BTreeSet<TableName>,
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
    /// Hash of everything that determines the rows (SQL, variables, rows read); equal means unchanged.
    pub fingerprint: String,
    /// The release that first held this state (0 before it is published).
    pub changed_in: u64,
    /// The business date that its rows describe; `None` when they depend on none, as those of `raw.*`.
    pub as_of: Option<jiff::civil::Date>,
    /// The version of definitions and the hash of the step's SQL without the business date, which is an object of the
    /// lake: by it changed SQL is told from changed data. `None` for `raw.*`.
    pub definition: Option<String>,
    /// Of every relation that was read: the rows it had, as [`TableVersion::rows_id`] names them.
    pub built_from: BTreeMap<TableName, String>,
    /// What the load that made it had to say: new columns, files that are gone.
    pub notes: Vec<String>,
}

impl TableVersion {
    /// A version of these files that depends on no business date and was made by no step.
    pub fn new(schema: SchemaRef, files: Vec<DataFile>, fingerprint: String) -> TableVersion {
        TableVersion {
            schema,
            files,
            fingerprint,
            changed_in: 0,
            as_of: None,
            definition: None,
            built_from: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    /// Rows in all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|f| f.rows).sum()
    }

    /// Names the rows, in whatever files and order they are: equal for equal columns and rows. Files of earlier
    /// versions have no sum of their content; they are named by their paths.
    pub fn rows_id(&self) -> String {
        let columns = self.schema.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type()));
        let contents: Option<Vec<Content>> = self.files.iter().map(|file| file.content).collect();
        match contents {
            Some(contents) => {
                let rows = [self.rows().to_string(), contents.into_iter().sum::<Content>().to_string()];
                digest(columns.chain(rows))
            }
            None => digest(columns.chain(self.files.iter().map(|file| file.path.clone()))),
        }
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
    /// What its rows hold; `None` in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// Checksums of its blocks; `None` in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<Blocks>,
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
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
    /// The name under which it was read, where it has another now; its rows and rejects have that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_as: Option<String>,
    /// What it held; only where files are known by that and not by their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldText>,
    /// Where its rows are in data files that hold rows of other files as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<RowRange>,
    /// It is no longer there, and that has been said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
}

impl LoadedFile {
    /// The name that its rows and rejects have; `path` is that under which it is remembered.
    pub fn name<'a>(&'a self, path: &'a str) -> &'a str {
        self.read_as.as_deref().unwrap_or(path)
    }
}

/// The uncompressed content of a file when it was read.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HeldText {
    /// Its length.
    pub bytes: u64,
    /// Hash of its first bytes, [`HeldText::START_BYTES`] or all.
    pub start: String,
    /// Hash of all of it.
    pub hash: String,
}

impl HeldText {
    /// How many bytes are hashed to see whether a file can begin like another.
    pub const START_BYTES: u64 = 4096;
}

/// Consecutive rows of a data file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RowRange {
    /// The data file, by its path below the lake's root.
    pub data_file: String,
    /// The first row, counted from 0.
    pub first: u64,
    /// The number of rows.
    pub rows: u64,
}
