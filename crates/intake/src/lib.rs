//! Applies the contract to the rows of a source, in one pass from text to typed columns in the lake.
//!
//! [`load_table`] reads what is new or changed of one table. `by_file` loads files whose rows replace those of the same
//! file; `merge` loads everything that is merged by key with the rows of the lake. Rejected rows go to a [`RejectSink`]
//! with file, line, column, value and reason. A value is cast exactly or its row rejected, never guessed and never
//! silently NULL.
//!
//! Every version of a key stays in `raw.*`; the view over it selects the newest. Nothing refers to the data files
//! before a release does, so a failed load leaves nothing behind.

mod bounds;
mod by_file;
mod calendar;
mod cell_rejects;
mod cells;
mod columns;
mod context;
mod control_totals;
mod convert;
mod data_files;
mod diff;
mod duplicates;
mod expectations;
mod file_input;
mod fingerprint;
mod full_width;
mod identifiers;
mod identity;
mod infer;
mod ingest;
mod key_index;
mod localized;
mod merge;
mod named_formats;
mod notes;
mod numbers;
mod output;
mod plan;
mod probe;
mod read_range;
mod rejects;
mod replay;
mod swapped_dates;
mod times;
mod typed;
mod unfold;
mod warnings;

pub use infer::{Guess, GuessOptions, guess};
pub use plan::{FileChange, raw_schema, tag_parts};
pub use probe::{ProbeOutcome, Sample, SampleColumn, probe_table};
pub use rejects::{Reject, RejectSink};
pub use replay::{RejectedRow, ReplayOutcome, reject_id, replay_table};

use context::LoadContext;
use perennial_core::contract::{Extraction, Load, Source, SourceTable, TableName};
use perennial_core::error::Result;
use perennial_lake::{DataFiles, LoadState, TableVersion};
use perennial_sources::System;
use rejects::Tally;
use std::sync::Arc;

/// What to load.
pub struct LoadRequest<'a> {
    /// The source, opened.
    pub system: &'a System,
    /// The source, for its name and location.
    pub source: &'a Source,
    /// The table.
    pub table: &'a SourceTable,
    /// The state of the last release, if there is one.
    pub previous: Option<(&'a TableVersion, &'a LoadState)>,
    /// Where rows are written.
    pub lake: &'a dyn DataFiles,
    /// The run that reads.
    pub run_id: &'a str,
    /// Written into every row as `_loaded_at`.
    pub now: jiff::Timestamp,
    /// When a table has more data files than this, small ones are merged; 0 means never.
    pub max_data_files: usize,
    /// Stores rejected rows.
    pub rejects: &'a dyn RejectSink,
    /// Called for every batch with the bytes and rows read since the last call.
    pub progress: &'a (dyn Fn(u64, u64) + Send + Sync),
}

impl<'a> LoadRequest<'a> {
    fn context(&self, target: &'a TableName, table: &'a Arc<SourceTable>) -> LoadContext<'a> {
        LoadContext {
            lake: self.lake,
            target,
            source: &self.source.name,
            table,
            run_id: self.run_id,
            now: self.now,
            rejects: self.rejects,
            progress: self.progress,
        }
    }
}

/// A table after a load.
#[derive(Debug)]
pub struct LoadOutcome {
    /// Its state now; `changed_in` is 0 when a file was read.
    pub version: TableVersion,
    /// What has been read of it, to be kept with the release.
    pub state: LoadState,
    /// Every file that exists or existed, by path.
    pub files: Vec<FileOutcome>,
    /// Notes for the run's output: new and missing columns, changed and vanished files.
    pub notes: Vec<String>,
    /// Rows that were added: by file all that conform to the contract, in a merge those that are new or changed.
    pub rows: u64,
    /// Rows rejected by this load.
    pub rejects: u64,
    /// A file was read, so that state and version are worth a release.
    pub changed: bool,
}

impl LoadOutcome {
    /// Files that this load read.
    pub fn files_read(&self) -> u64 {
        self.files.iter().filter(|file| file.change.is_read()).count() as u64
    }

    /// Files whose rows are unchanged, including vanished ones.
    pub fn files_unchanged(&self) -> u64 {
        self.files.len() as u64 - self.files_read()
    }
}

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOutcome {
    /// Path below the source's location.
    pub path: String,
    /// How it changed.
    pub change: FileChange,
    /// Size in bytes.
    pub bytes: u64,
    /// Rows accepted when it was read.
    pub rows: u64,
    /// Rows rejected when it was read.
    pub rejects: u64,
}

/// Brings one table of a source up to date.
///
/// # Errors
/// Of kind `Data` when a file as a whole is unusable (truncated, damaged, without a header or a column of the
/// contract), when there are too many rejects, when an expectation that fails the source is violated, or when rows of
/// a vanished file would have to be read again; `Project` for a mistake in the contract; `Unreachable` when the source
/// or the lake cannot be reached. Rejects found before the failure stay in the sink.
pub async fn load_table(request: LoadRequest<'_>) -> Result<LoadOutcome> {
    let table = Arc::new(request.table.clone());
    let target = TableName::raw(&request.source.name, &request.table.name);
    let context = request.context(&target, &table);
    let recent = request.previous.map_or(&[][..], |(_, state)| &state.recent);
    let mut tally = Tally::new(&request.source.name, request.table, recent);
    let mut loaded = match (request.system, &request.table.extraction) {
        (System::Files(files), Extraction::Files { pattern, .. }) if request.table.load == Load::ByFile => {
            by_file::load(&request, &context, files, pattern, &mut tally).await?
        }
        _ => merge::load(&request, &context, &mut tally).await?,
    };
    expectations::check(&request, &tally, &mut loaded)?;
    loaded.state.forget_closed();
    if loaded.changed {
        data_files::merge_small(&context, &mut loaded.version, &mut loaded.state, request.max_data_files).await?;
    }
    Ok(loaded)
}

#[cfg(test)]
mod fingerprint_tests;
#[cfg(test)]
mod locale_tests;
#[cfg(test)]
mod localized_tests;
#[cfg(test)]
mod merge_tests;
#[cfg(test)]
mod relation_tests;
#[cfg(test)]
mod rotation_tests;
#[cfg(test)]
mod merged_files_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod times_tests;
