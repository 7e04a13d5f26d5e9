//! What a person should know after a load.

use super::feed::Fed;
use super::remarks::Remark;
use super::{FileChange, FileOutcome};
use crate::contract::{ColumnPolicy, SourceTable};
use crate::error::list;
use std::collections::{BTreeMap, BTreeSet};

/// What a person should know after a load, gathered over its files.
#[derive(Default)]
pub(super) struct Notes {
    new: Vec<(String, String)>,
    missing: BTreeMap<String, Vec<String>>,
    ignored: BTreeSet<String>,
    remarks: Vec<Remark>,
    totals: Vec<String>,
}

impl Notes {
    pub(super) fn file(&mut self, path: &str, before: &[String], fed: &Fed) {
        let Fed { accepted, missing, ignored, .. } = fed;
        let new = accepted.iter().filter(|name| !before.contains(name));
        self.new.extend(new.map(|name| (name.clone(), path.to_string())));
        for name in missing {
            self.missing.entry(name.clone()).or_default().push(path.to_string());
        }
        self.ignored.extend(ignored.iter().cloned());
        Remark::gather(&mut self.remarks, &fed.remarks);
        self.totals.extend(fed.totals.iter().cloned());
    }

    pub(super) fn words(&self, table: &SourceTable, outcomes: &[FileOutcome]) -> Vec<String> {
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
