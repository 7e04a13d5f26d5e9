//! The contract applied to the rows of a source, in one pass from text to typed columns in the lake.
//!
//! [`load_table`] reads the files of one table that were not read before, that changed, or that were read under another
//! contract. Accepted rows become data files, one set for each source file, so that a changed file's rows are replaced
//! exactly. Refused rows go to a [`RejectSink`] with file, line, column, value and reason. A value is cast exactly or
//! refused, never guessed and never silently NULL.
//!
//! Of a key every version stays in `raw.*`; which one is newest is asked by the view over it. Nothing refers to the
//! data files before a release does, so a load that fails leaves nothing behind.

mod columns;
mod compared;
mod comparison;
mod convert;
mod deliveries;
mod exchanged;
mod expectations;
mod feed;
mod file;
mod infer;
mod full_width;
mod identifiers;
mod known;
mod named_formats;
mod notes;
mod numbers;
mod plan;
mod probe;
mod rejects;
mod remarks;
mod replay;
mod scope;
mod styled;
mod times;
mod totals;
mod typed;
mod unfold;

pub use infer::{Guess, GuessOptions, guess};
pub use plan::{FileChange, raw_schema};
pub use probe::{Probed, Sample, SampleColumn, probe_table};
pub use rejects::{Reject, RejectSink};
pub use replay::{RefusedRow, Replayed, reject_id, replay_table};

use crate::contract::{Delivery, Load, Source, SourceTable, TableName};
use crate::error::Result;
use crate::lake::{DataFiles, LoadState, TableVersion};
use crate::sources::System;
use feed::Feed;
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
    /// The state of the last release, when there is one.
    pub previous: Option<(&'a TableVersion, &'a LoadState)>,
    /// Where rows are written.
    pub lake: &'a dyn DataFiles,
    /// The run that reads.
    pub run_id: &'a str,
    /// Written into every row as `_loaded_at`.
    pub now: jiff::Timestamp,
    /// Takes refused rows.
    pub rejects: &'a dyn RejectSink,
    /// Told of every batch: bytes of the source and rows read since the last call.
    pub progress: &'a (dyn Fn(u64, u64) + Send + Sync),
}

impl<'a> LoadRequest<'a> {
    fn feed(&self, target: &'a TableName, table: &'a Arc<SourceTable>) -> Feed<'a> {
        Feed {
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
pub struct Loaded {
    /// Its state now; `changed_in` is 0 when a file was read.
    pub version: TableVersion,
    /// What has been read of it, to be kept with the release.
    pub state: LoadState,
    /// Every file that exists or did, by path.
    pub files: Vec<FileOutcome>,
    /// What a person should know: new and missing columns, changed and vanished files.
    pub notes: Vec<String>,
    /// Rows of this load that were kept: of files all that keep the contract, in loads that compare those that are new
    /// or changed.
    pub rows: u64,
    /// Rows refused by this load.
    pub rejects: u64,
    /// A file was read, so that state and version are worth a release.
    pub changed: bool,
}

impl Loaded {
    /// Files that this load read.
    pub fn files_read(&self) -> u64 {
        self.files.iter().filter(|file| file.change.is_read()).count() as u64
    }

    /// Files whose rows stay as they were, vanished ones included.
    pub fn files_unchanged(&self) -> u64 {
        self.files.len() as u64 - self.files_read()
    }
}

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOutcome {
    /// Path below the source's location.
    pub path: String,
    /// What it was found to be.
    pub change: FileChange,
    /// Size in bytes.
    pub bytes: u64,
    /// Rows accepted when it was read.
    pub rows: u64,
    /// Rows refused when it was read.
    pub rejects: u64,
}

/// Brings one table of a source up to date.
///
/// # Errors
/// Of kind `Data` when a file cannot be trusted as a whole (cut short, damaged, without header, without a promised
/// column), when the contract refuses the first bad row or too many of them, when an expectation that fails the source is
/// not met, or when rows of a vanished file would have to be read again; `Project` for a mistake in the contract;
/// `Unreachable` when the source or the lake cannot be reached.
/// Rejects found before stay with the sink.
pub async fn load_table(request: LoadRequest<'_>) -> Result<Loaded> {
    let table = Arc::new(request.table.clone());
    let target = TableName::raw(&request.source.name, &request.table.name);
    let feed = request.feed(&target, &table);
    let recent = request.previous.map_or(&[][..], |(_, state)| &state.recent);
    let mut tally = Tally::new(&request.source.name, request.table, recent);
    let mut loaded = match (request.system, &request.table.delivery) {
        (System::Files(files), Delivery::Files { pattern, .. }) if request.table.load == Load::Deliveries => {
            deliveries::load(&request, &feed, files, pattern, &mut tally).await?
        }
        _ => compared::load(&request, &feed, &mut tally).await?,
    };
    expectations::check(&request, &tally, &mut loaded)?;
    loaded.state.forget_closed();
    Ok(loaded)
}

#[cfg(test)]
mod compared_tests;
#[cfg(test)]
mod styled_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod times_tests;
#[cfg(test)]
mod written_tests;
