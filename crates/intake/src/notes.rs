//! Notes on a load for the run's output.

use super::ingest::LoadStats;
use super::warnings::ValueWarning;
use super::{FileChange, FileOutcome};
use perennial_core::contract::{ColumnPolicy, SourceTable};
use perennial_core::error::list;
use std::collections::{BTreeMap, BTreeSet};

/// Notes on a load, collected over its files.
#[derive(Default)]
pub(super) struct Notes {
    new: Vec<(String, String)>,
    missing: BTreeMap<String, Vec<String>>,
    ignored: BTreeSet<String>,
    warnings: Vec<ValueWarning>,
    totals: Vec<String>,
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
    }

    /// The notes, one per line.
    pub(super) fn lines(&self, table: &SourceTable, outcomes: &[FileOutcome]) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
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
        for outcome in outcomes {
            match outcome.change {
                // A merge replaces no rows.
                FileChange::Changed if !table.load.merges() => {
                    notes.push(format!("`{}` changed; its rows were replaced", outcome.path))
                }
                FileChange::Vanished => {
                    notes.push(format!("`{}` is no longer there; its {} rows are kept", outcome.path, outcome.rows));
                }
                _ => {}
            }
        }
        notes
    }
}
