//! Loads by file: each file's rows are replaced by what the file contains now.

use super::context::LoadContext;
use super::fingerprint::{contract_fingerprint, files_fingerprint};
use super::ingest::{LoadStats, ingest};
use super::notes::Notes;
use super::plan::{self, LoadPlan, with_hash};
use super::rejects::Tally;
use super::{FileChange, FileOutcome, LoadOutcome, LoadRequest, file_input, raw_schema};
use perennial_core::error::Result;
use perennial_lake::{DataFile, LoadState, LoadedFile, TableVersion};
use perennial_sources::{Files, SourceFile};
use std::collections::BTreeSet;

/// Reads the files that are new or changed.
pub(crate) async fn load(
    request: &LoadRequest<'_>,
    context: &LoadContext<'_>,
    files: &Files,
    pattern: &str,
    tally: &mut Tally<'_>,
) -> Result<LoadOutcome> {
    let contract = contract_fingerprint(request.table);
    let plan = plan::plan(request.table, files, pattern, request.previous, &contract).await?;
    let mut load = FileLoad::new(request, contract, &plan);
    load.notes.remark(&plan.left_out);
    for (file, change) in &plan.files {
        if *change == FileChange::Unchanged {
            load.keep(&file.path, &file.tag, *change);
        } else {
            let input = file_input::input(files, file, context.table).await?;
            let stats = ingest(context, input, &load.state.accepted_columns, tally, None).await?;
            load.take(file, *change, stats, request.run_id);
        }
    }
    tally.finish()?;
    Ok(load.finish(request, tally))
}

/// The new state, file by file.
struct FileLoad<'a> {
    previous: Option<(&'a TableVersion, &'a LoadState)>,
    state: LoadState,
    data_files: Vec<DataFile>,
    outcomes: Vec<FileOutcome>,
    notes: Notes,
    changed: bool,
}

impl<'a> FileLoad<'a> {
    fn new(request: &LoadRequest<'a>, contract: String, plan: &LoadPlan) -> FileLoad<'a> {
        let accepted_columns = plan.accepted.clone();
        let LoadState { recent, replayed, .. } = request.previous.map(|(_, state)| state.clone()).unwrap_or_default();
        let mut load = FileLoad {
            previous: request.previous,
            state: LoadState { contract, accepted_columns, recent, replayed, ..LoadState::default() },
            data_files: Vec::new(),
            outcomes: Vec::new(),
            notes: Notes::default(),
            changed: request.previous.is_none(),
        };
        for path in &plan.vanished {
            let tag = request.previous.and_then(|(_, state)| state.files.get(path)).map(|file| file.tag.clone());
            load.keep(path, &tag.unwrap_or_default(), FileChange::Vanished);
        }
        load
    }

    /// Keeps the rows of a file as they are.
    fn keep(&mut self, path: &str, tag: &str, change: FileChange) {
        let Some((version, state)) = self.previous else { return };
        let Some(loaded) = state.files.get(path) else { return };
        let wanted: BTreeSet<&String> = loaded.data_files.iter().collect();
        self.data_files.extend(version.files.iter().filter(|file| wanted.contains(&file.path)).cloned());
        self.outcome(path, change, loaded);
        self.state.files.insert(path.to_string(), LoadedFile { tag: tag.to_string(), ..loaded.clone() });
    }

    /// Takes the rows of a file that was just read.
    fn take(&mut self, file: &SourceFile, change: FileChange, stats: LoadStats, run_id: &str) {
        let tag = with_hash(&file.tag, stats.content_id.as_deref());
        let loaded = stats.loaded_file(file.bytes, tag, run_id);
        self.changed = true;
        self.outcome(&file.path, change, &loaded);
        self.notes.add(&file.path, &self.state.accepted_columns, &stats);
        self.state.accepted_columns = stats.accepted;
        self.data_files.extend(stats.data_files);
        self.state.files.insert(file.path.clone(), loaded);
    }

    fn outcome(&mut self, path: &str, change: FileChange, loaded: &LoadedFile) {
        let (bytes, rows, rejects) = (loaded.bytes, loaded.rows, loaded.rejects);
        self.outcomes.push(FileOutcome { path: path.to_string(), change, bytes, rows, rejects });
    }

    fn finish(mut self, request: &LoadRequest<'_>, tally: &Tally<'_>) -> LoadOutcome {
        self.outcomes.sort_by(|a, b| a.path.cmp(&b.path));
        let other_contract = self.previous.is_some_and(|(_, state)| state.contract != self.state.contract);
        self.changed |= other_contract;
        let version = match self.previous {
            Some((version, _)) if !self.changed => version.clone(),
            _ => {
                let schema = raw_schema(request.table, &self.state.accepted_columns);
                TableVersion::new(schema, self.data_files, files_fingerprint(&self.state))
            }
        };
        LoadOutcome {
            version,
            notes: self.notes.lines(request.table, &self.outcomes),
            state: self.state,
            files: self.outcomes,
            rows: tally.accepted(),
            rejects: tally.rejected(),
            changed: self.changed,
        }
    }
}
