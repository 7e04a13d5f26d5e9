//! Loads by file: each file's rows are replaced by what the file contains now.

use super::context::LoadContext;
use super::diff::Diff;
use super::fingerprint::{contract_fingerprint, files_fingerprint};
use super::ingest::{LoadStats, ingest};
use super::notes::Notes;
use super::plan::{self, LoadPlan, PlannedFile, VanishedFile, with_hash};
use super::rejects::Tally;
use super::{FileChange, FileOutcome, LoadOutcome, LoadRequest, data_files, file_input, raw_schema};
use perennial_core::error::Result;
use perennial_lake::{DataFile, HeldText, LoadState, LoadedFile, TableVersion};
use perennial_sources::{Files, SourceFile};

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
    for PlannedFile { file, change, known } in &plan.files {
        if !change.is_read() {
            load.keep(known.as_ref().unwrap_or(&file.path), &file.path, Some(file), *change);
            continue;
        }
        let (input, hashes) = file_input::input_and_hashes(files, file, context.table).await?;
        let mut duplicates = Diff::of_file(request.table, &load.state.accepted_columns)?;
        let stats = ingest(context, input, &load.state.accepted_columns, tally, duplicates.as_mut()).await?;
        load.take(file, *change, stats, hashes.as_ref().map(file_input::held), request.run_id);
    }
    tally.finish()?;
    load.finish(request, context, tally).await
}

/// The new state, file by file.
struct FileLoad<'a> {
    previous: Option<(&'a TableVersion, &'a LoadState)>,
    rotated: bool,
    state: LoadState,
    /// Those that were written.
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
            rotated: request.table.rotated,
            state: LoadState { contract, accepted_columns, recent, replayed, ..LoadState::default() },
            data_files: Vec::new(),
            outcomes: Vec::new(),
            notes: Notes::default(),
            changed: request.previous.is_none(),
        };
        for VanishedFile { known, path } in &plan.vanished {
            load.keep(known, path, None, FileChange::Vanished);
        }
        load
    }

    /// Keeps the rows of a file as they are; `file` is what it is now, unless it has gone.
    fn keep(&mut self, known: &str, path: &str, file: Option<&SourceFile>, change: FileChange) {
        let Some(loaded) = self.previous.and_then(|(_, state)| state.files.get(known)) else { return };
        let kept = plan::keep(loaded, known, path, file);
        if change == FileChange::Vanished && !loaded.gone && !self.rotated {
            self.notes.gone(path, loaded.rows);
        }
        self.outcome(path, change, &kept);
        self.state.files.insert(path.to_string(), kept);
    }

    /// Takes the rows of a file that was just read.
    fn take(&mut self, file: &SourceFile, change: FileChange, stats: LoadStats, held: Option<HeldText>, run_id: &str) {
        let tag = with_hash(&file.tag, stats.content_id.as_deref());
        let loaded = LoadedFile { held, ..stats.loaded_file(file.bytes, tag, run_id) };
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

    async fn finish(
        mut self,
        request: &LoadRequest<'_>,
        context: &LoadContext<'_>,
        tally: &Tally<'_>,
    ) -> Result<LoadOutcome> {
        self.outcomes.sort_by(|a, b| a.path.cmp(&b.path));
        let other_contract = self.previous.is_some_and(|(_, state)| state.contract != self.state.contract);
        self.changed |= other_contract;
        let version = match self.previous {
            Some((version, _)) if !self.changed => version.clone(),
            previous => {
                let mut files = match previous {
                    Some((version, _)) => data_files::keep_remembered(context, version, &mut self.state).await?,
                    None => Vec::new(),
                };
                files.extend(self.data_files);
                let schema = raw_schema(request.table, &self.state.accepted_columns);
                TableVersion::new(schema, files, files_fingerprint(&self.state))
            }
        };
        Ok(LoadOutcome {
            version,
            notes: self.notes.lines(request.table, &self.outcomes),
            state: self.state,
            files: self.outcomes,
            rows: tally.accepted(),
            rejects: tally.rejected(),
            changed: self.changed,
        })
    }
}
