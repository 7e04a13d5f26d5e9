//! Files that bring new and changed rows: each file's rows are replaced by what it holds now.

use super::feed::{Fed, Feed};
use super::notes::Notes;
use super::plan::{self, LoadPlan, with_hash};
use super::rejects::{Tally, reject_runs};
use super::{FileChange, FileOutcome, LoadRequest, Loaded, file, raw_schema};
use crate::error::Result;
use crate::lake::{DataFile, LoadState, LoadedFile, TableVersion};
use crate::sources::{Files, SourceFile};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// Reads the files that are new or changed.
pub(super) async fn load(
    request: &LoadRequest<'_>,
    feed: &Feed<'_>,
    files: &Files,
    pattern: &str,
    tally: &mut Tally<'_>,
) -> Result<Loaded> {
    let contract = plan::contract_fingerprint(request.table);
    let plan = plan::plan(request.table, files, pattern, request.previous, &contract).await?;
    let mut gathered = Gathered::new(request, contract, &plan);
    for (file, change) in &plan.files {
        if *change == FileChange::Unchanged {
            gathered.keep(&file.path, &file.tag, *change);
        } else {
            let input = file::input(files, file, feed.table).await?;
            let fed = feed.read(input, &gathered.state.accepted_columns, tally, None).await?;
            gathered.take(file, *change, fed, request.run_id);
        }
    }
    tally.finish()?;
    Ok(gathered.finish(request, tally))
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
    fn new(request: &LoadRequest<'a>, contract: String, plan: &LoadPlan) -> Gathered<'a> {
        let accepted_columns = plan.accepted.clone();
        let LoadState { recent, replayed, .. } = request.previous.map(|(_, state)| state.clone()).unwrap_or_default();
        let mut gathered = Gathered {
            previous: request.previous,
            state: LoadState { contract, accepted_columns, recent, replayed, ..LoadState::default() },
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
    fn take(&mut self, file: &SourceFile, change: FileChange, fed: Fed, run_id: &str) {
        let loaded = LoadedFile {
            bytes: file.bytes,
            tag: with_hash(&file.tag, fed.sign.as_deref()),
            rows: fed.rows,
            rejects: fed.rejects,
            newest: fed.newest.clone(),
            data_files: fed.data_files.iter().map(|file| file.path.clone()).collect(),
            run_id: run_id.to_string(),
            reject_runs: reject_runs(&[], run_id, fed.rejects),
        };
        self.changed = true;
        self.outcome(&file.path, change, &loaded);
        self.notes.file(&file.path, &self.state.accepted_columns, &fed);
        self.state.accepted_columns = fed.accepted;
        self.data_files.extend(fed.data_files);
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
