//! Notes on a load for the run's output.

use super::duplicates::Duplicates;
use super::ingest::LoadStats;
use super::warnings::ValueWarning;
use super::{FileChange, FileOutcome};
use perennial_core::contract::{ColumnPolicy, SourceTable};
use perennial_core::error::list;
use std::collections::{BTreeMap, BTreeSet};

/// Names that are shown of a list.
const MAX_NAMES: usize = 3;

/// Remarks on single files that a run shows.
const MAX_REMARKS: usize = 10;

/// Notes on a load, collected over its files.
#[derive(Default)]
pub(super) struct Notes {
    new: Vec<(String, String)>,
    missing: BTreeMap<String, Vec<String>>,
    ignored: BTreeSet<String>,
    warnings: Vec<ValueWarning>,
    totals: Vec<String>,
    duplicates: Duplicates,
    /// Files that have gone, with their rows.
    gone: Vec<(String, u64)>,
    /// What the place of the files and their readers have to say.
    remarks: BTreeSet<String>,
}

impl Notes {
    /// Adds what was found in one file; `before` are the columns accepted earlier.
    pub(super) fn add(&mut self, path: &str, before: &[String], stats: &LoadStats) {
        let LoadStats { accepted, missing, ignored, .. } = stats;
        let new = accepted.iter().filter(|name| !before.contains(name));
        self.new.extend(new.map(|name| (name.clone(), path.to_string())));
        for name in missing {
            self.missing.entry(name.clone()).or_default().push(path.to_string());
        }
        self.ignored.extend(ignored.iter().cloned());
        ValueWarning::merge(&mut self.warnings, &stats.warnings);
        self.totals.extend(stats.totals.iter().cloned());
        self.duplicates.merge(stats.duplicates.clone());
        self.remark(&stats.remarks);
    }

    /// Adds a file that was there when it was last looked at.
    pub(super) fn gone(&mut self, path: &str, rows: u64) {
        self.gone.push((path.to_string(), rows));
    }

    /// Adds notes that say everything themselves.
    pub(super) fn remark(&mut self, remarks: &[String]) {
        self.remarks.extend(remarks.iter().cloned());
    }

    /// The notes, one per line.
    pub(super) fn lines(&self, table: &SourceTable, outcomes: &[FileOutcome]) -> Vec<String> {
        let mut notes: Vec<String> = self.remarks.iter().take(MAX_REMARKS).cloned().collect();
        if self.remarks.len() > MAX_REMARKS {
            notes.push(format!("{} more notes of this kind on other files", self.remarks.len() - MAX_REMARKS));
        }
        let mut new: BTreeMap<&String, Vec<&str>> = BTreeMap::new();
        for (name, path) in &self.new {
            new.entry(path).or_default().push(name);
        }
        for (path, names) in new {
            let word = if names.len() == 1 { "column" } else { "columns" };
            notes.push(format!("new {word} {} in `{path}`, kept as text", list(&names)));
        }
        if table.on_missing_column == ColumnPolicy::Accept {
            for (name, files) in &self.missing {
                let files: Vec<&str> = files.iter().map(String::as_str).collect();
                notes.push(match files.as_slice() {
                    few if few.len() <= 3 => format!("column `{name}` is missing in {}, read as NULL", list(few)),
                    many => format!("column `{name}` is missing in {} files, read as NULL", many.len()),
                });
            }
        }
        if !self.ignored.is_empty() && table.on_new_column != ColumnPolicy::Ignore {
            let names: Vec<&str> = self.ignored.iter().map(String::as_str).collect();
            notes.push(format!("columns not loaded: {}", list(&names)));
        }
        notes.extend(self.warnings.iter().map(ValueWarning::to_string));
        notes.extend(self.totals.iter().cloned());
        notes.extend(self.duplicates.notes(table));
        let renamed = outcomes.iter().filter(|outcome| outcome.change == FileChange::Renamed);
        // A log is renamed every day.
        let renamed: Vec<&str> = renamed.filter(|_| !table.rotated).map(|outcome| outcome.path.as_str()).collect();
        notes.extend(several(&renamed, |files| match renamed.len() {
            1 => format!("{files} was read before under another name, so it was not read again"),
            many => format!("{many} files were read before under other names ({files}), so they were not read again"),
        }));
        // A merge replaces no rows.
        let changed = outcomes.iter().filter(|outcome| outcome.change == FileChange::Changed && !table.load.merges());
        let changed: Vec<&str> = changed.map(|outcome| outcome.path.as_str()).collect();
        notes.extend(several(&changed, |files| match changed.len() {
            1 => format!("{files} changed; its rows were replaced"),
            many => format!("{many} files changed ({files}); their rows were replaced"),
        }));
        let gone: Vec<&str> = self.gone.iter().map(|(path, _)| path.as_str()).collect();
        let rows: u64 = self.gone.iter().map(|(_, rows)| rows).sum();
        notes.extend(several(&gone, |files| match gone.len() {
            1 => format!("{files} is no longer there; its {rows} rows are kept"),
            many => format!("{many} files are no longer there ({files}); their {rows} rows are kept"),
        }));
        notes
    }
}

/// A note on some files, of which a few are named; none without files.
fn several(files: &[&str], note: impl Fn(&str) -> String) -> Option<String> {
    let shown = list(&files[..files.len().min(MAX_NAMES)]);
    match files.len() {
        0 => None,
        count if count > MAX_NAMES => Some(note(&format!("{shown} and {} more", count - MAX_NAMES))),
        _ => Some(note(&shown)),
    }
}
