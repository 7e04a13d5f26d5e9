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
mod convert;
mod exchanged;
mod file;
mod full_width;
mod identifiers;
mod named_formats;
mod numbers;
mod plan;
mod rejects;
mod remarks;
mod styled;
mod times;
mod totals;
mod typed;

pub use plan::{FileChange, raw_schema};
pub use rejects::{Reject, RejectSink};

use crate::contract::{ColumnPolicy, Delivery, Source, SourceTable, TableName};
use crate::error::{Error, Result, list};
use crate::lake::{DataFile, DataFiles, LoadState, LoadedFile, TableVersion};
use crate::sources::System;
use file::{FileLoad, ReadFile};
use rejects::Tally;
use remarks::Remark;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
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
    /// Rows accepted by this load.
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
/// column), when the contract refuses the first bad row or too many of them, or when rows of a vanished file would have
/// to be read again; `Project` for a mistake in the contract; `Unreachable` when the source or the lake cannot be
/// reached.
/// Rejects found before stay with the sink.
pub async fn load_table(request: LoadRequest<'_>) -> Result<Loaded> {
    let (System::Files(files), Delivery::Files { pattern, .. }) = (request.system, &request.table.delivery) else {
        return Err(Error::bug("not there yet"));
    };
    let contract = plan::contract_fingerprint(request.table);
    let plan = plan::plan(request.table, files, pattern, request.previous, &contract).await?;
    let table = Arc::new(request.table.clone());
    let target = TableName::raw(&request.source.name, &request.table.name);
    let load = FileLoad {
        files,
        lake: request.lake,
        target: &target,
        source: &request.source.name,
        table: &table,
        run_id: request.run_id,
        now: request.now,
        rejects: request.rejects,
        progress: request.progress,
    };
    let mut tally = Tally::new(&request.source.name, request.table);
    let mut gathered = Gathered::new(&request, contract, &plan);
    for (file, change) in &plan.files {
        if *change == FileChange::Unchanged {
            gathered.keep(&file.path, &file.tag, *change);
        } else {
            let read = load.read(file, &gathered.state.accepted_columns, &mut tally).await?;
            gathered.take(file, *change, read, request.run_id);
        }
    }
    tally.finish()?;
    Ok(gathered.finish(&request, &tally))
}

/// The new state, file by file.
struct Gathered<'a> {
    previous: Option<(&'a TableVersion, &'a LoadState)>,
    state: LoadState,
    data_files: Vec<DataFile>,
    outcomes: Vec<FileOutcome>,
    notes: Notes,
    changed: bool,
}

impl<'a> Gathered<'a> {
    fn new(request: &LoadRequest<'a>, contract: String, plan: &plan::LoadPlan) -> Gathered<'a> {
        let accepted_columns = plan.accepted.clone();
        let mut gathered = Gathered {
            previous: request.previous,
            state: LoadState { contract, accepted_columns, ..LoadState::default() },
            data_files: Vec::new(),
            outcomes: Vec::new(),
            notes: Notes::default(),
            changed: request.previous.is_none(),
        };
        for path in &plan.vanished {
            let tag = request.previous.and_then(|(_, state)| state.files.get(path)).map(|file| file.tag.clone());
            gathered.keep(path, &tag.unwrap_or_default(), FileChange::Vanished);
        }
        gathered
    }

    /// A file whose rows stay as they are.
    fn keep(&mut self, path: &str, tag: &str, change: FileChange) {
        let Some((version, state)) = self.previous else { return };
        let Some(loaded) = state.files.get(path) else { return };
        let wanted: BTreeSet<&String> = loaded.data_files.iter().collect();
        self.data_files.extend(version.files.iter().filter(|file| wanted.contains(&file.path)).cloned());
        self.outcome(path, change, loaded);
        self.state.files.insert(path.to_string(), LoadedFile { tag: tag.to_string(), ..loaded.clone() });
    }

    /// A file that was read now.
    fn take(&mut self, file: &crate::sources::SourceFile, change: FileChange, read: ReadFile, run_id: &str) {
        let loaded = LoadedFile {
            bytes: file.bytes,
            tag: read.tag,
            rows: read.rows,
            rejects: read.rejects,
            newest: read.newest,
            data_files: read.data_files.iter().map(|file| file.path.clone()).collect(),
            run_id: run_id.to_string(),
        };
        self.changed = true;
        self.data_files.extend(read.data_files);
        self.outcome(&file.path, change, &loaded);
        self.notes.file(&file.path, &self.state.accepted_columns, &read.accepted, &read.missing, &read.ignored);
        Remark::gather(&mut self.notes.remarks, read.remarks);
        self.notes.totals.extend(read.notes);
        self.state.accepted_columns = read.accepted;
        self.state.files.insert(file.path.clone(), loaded);
    }

    fn outcome(&mut self, path: &str, change: FileChange, loaded: &LoadedFile) {
        let (bytes, rows, rejects) = (loaded.bytes, loaded.rows, loaded.rejects);
        self.outcomes.push(FileOutcome { path: path.to_string(), change, bytes, rows, rejects });
    }

    fn finish(mut self, request: &LoadRequest<'_>, tally: &Tally<'_>) -> Loaded {
        self.outcomes.sort_by(|a, b| a.path.cmp(&b.path));
        let other_contract = self.previous.is_some_and(|(_, state)| state.contract != self.state.contract);
        self.changed |= other_contract;
        let version = match self.previous {
            Some((version, _)) if !self.changed => version.clone(),
            _ => TableVersion {
                schema: raw_schema(request.table, &self.state.accepted_columns),
                files: self.data_files,
                fingerprint: fingerprint(&self.state),
                changed_in: 0,
            },
        };
        Loaded {
            version,
            notes: self.notes.words(request.table, &self.outcomes),
            state: self.state,
            files: self.outcomes,
            rows: tally.accepted(),
            rejects: tally.refused(),
            changed: self.changed,
        }
    }
}

/// Hash of what the rows follow from: the contract, the accepted columns and the content of every file that gave rows.
fn fingerprint(state: &LoadState) -> String {
    let mut hash = Sha256::new();
    hash.update(&state.contract);
    hash.update(format!("{:?}", state.accepted_columns));
    for (path, file) in state.files.iter().filter(|(_, file)| file.rows > 0) {
        hash.update(format!("{path:?} {} {:?}\n", file.bytes, plan::content_sign(file)));
    }
    format!("{:x}", hash.finalize())
}

/// What a person should know after a load, gathered over its files.
#[derive(Default)]
struct Notes {
    new: Vec<(String, String)>,
    missing: BTreeMap<String, Vec<String>>,
    ignored: BTreeSet<String>,
    remarks: Vec<Remark>,
    totals: Vec<String>,
}

impl Notes {
    fn file(&mut self, path: &str, before: &[String], after: &[String], missing: &[String], ignored: &[String]) {
        let new = after.iter().filter(|name| !before.contains(name));
        self.new.extend(new.map(|name| (name.clone(), path.to_string())));
        for name in missing {
            self.missing.entry(name.clone()).or_default().push(path.to_string());
        }
        self.ignored.extend(ignored.iter().cloned());
    }

    fn words(&self, table: &SourceTable, outcomes: &[FileOutcome]) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
        for (name, path) in &self.new {
            notes.push(format!("new column `{name}` in `{path}`, kept as text"));
        }
        if table.on_missing_column == ColumnPolicy::Accept {
            for (name, files) in &self.missing {
                let files: Vec<&str> = files.iter().map(String::as_str).collect();
                notes.push(match files.as_slice() {
                    few if few.len() <= 3 => format!("column `{name}` is missing in {}, read as empty", list(few)),
                    many => format!("column `{name}` is missing in {} files, read as empty", many.len()),
                });
            }
        }
        if !self.ignored.is_empty() && table.on_new_column != ColumnPolicy::Ignore {
            let names: Vec<&str> = self.ignored.iter().map(String::as_str).collect();
            notes.push(format!("columns left out: {}", list(&names)));
        }
        notes.extend(self.remarks.iter().map(Remark::words));
        notes.extend(self.totals.iter().cloned());
        for outcome in outcomes {
            match outcome.change {
                FileChange::Changed => notes.push(format!("`{}` changed; its rows were replaced", outcome.path)),
                FileChange::Vanished => {
                    notes.push(format!("`{}` is no longer there; its {} rows stay", outcome.path, outcome.rows));
                }
                _ => {}
            }
        }
        notes
    }
}

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
