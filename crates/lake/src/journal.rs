//! What a run has finished, written down while it goes on, so that a later one can go on from there. A data file that a
//! journal names is deleted only with the journal.
//!
//! A journal is a folder of small objects: its head, which says what it depends on and means nothing to the lake, and one
//! for each table. An object that was not written whole counts as not written: its table is made again.

use super::lock::Lock;
use super::open::Lake;
use super::record::{Manifest, manifest, version};
use super::run_ids::started_at;
use super::{DataFile, LoadState, StateFolder, TableVersion, durable};
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The name of the object that a journal begins with.
const HEAD: &str = "head.json";

/// What a run had finished.
#[derive(Clone, Debug)]
pub struct Journal {
    /// What [`Lake::begin_journal`] was given.
    pub head: serde_json::Value,
    /// The tables, those of sources with what was read of them.
    pub tables: BTreeMap<TableName, (TableVersion, Option<LoadState>)>,
}

impl Journal {
    fn files(&self) -> impl Iterator<Item = &DataFile> {
        self.tables.values().flat_map(|(version, _)| &version.files)
    }
}

/// A table in a journal.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FinishedTable {
    manifest: Manifest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    loaded: Option<LoadState>,
}

impl Lake {
    /// Begins the journal of a run.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn begin_journal(&self, run_id: &str, head: &serde_json::Value) -> Result<()> {
        self.put_state(StateFolder::Journals, &format!("{run_id}/{HEAD}"), head.to_string().into_bytes()).await
    }

    /// Adds a table that is finished; one of a source with what was read of it. When this returns, its files survive a
    /// power failure.
    ///
    /// # Errors
    /// `Unreachable` when the store fails, `Bug` for a column that the lake cannot keep.
    pub async fn add_to_journal(
        &self,
        run_id: &str,
        table: &TableName,
        finished: &TableVersion,
        loaded: Option<&LoadState>,
    ) -> Result<()> {
        let entry = FinishedTable { manifest: manifest(table, finished)?, loaded: loaded.cloned() };
        let text = serde_json::to_vec(&entry)
            .map_err(|e| Error::bug(format!("a journal cannot be written as JSON: {e}")).because(e))?;
        durable::sync(self, finished.files.iter().map(|file| file.path.clone()).collect()).await?;
        self.put_state(StateFolder::Journals, &format!("{run_id}/{table}.json"), text).await
    }

    /// The runs of which there are journals, oldest first.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn journal_runs(&self) -> Result<Vec<String>> {
        let names = self.state_names(StateFolder::Journals).await?;
        let runs = names.iter().filter_map(|name| Some(name.split_once('/')?.0.to_string()));
        Ok(runs.collect::<BTreeSet<String>>().into_iter().collect())
    }

    /// The journal of a run; `None` where there is none, or its head cannot be read.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn journal(&self, run_id: &str) -> Result<Option<Journal>> {
        let (head, tables) = self.read_journal(run_id).await?;
        let journal = head.map(|head| Journal { head, tables });
        journal.iter().flat_map(Journal::files).for_each(|file| self.register_blocks(file));
        Ok(journal)
    }

    /// Deletes the journal of a run with those of its files that neither a release nor another journal names.
    ///
    /// # Errors
    /// `Unreachable` when the lock was lost or the store fails.
    pub async fn delete_journal(&self, lock: &Lock, run_id: &str) -> Result<()> {
        lock.verify().await?;
        let own = self.files_of_journal(run_id).await?;
        if !own.is_empty() {
            let releases = self.releases_since(self.latest().await?, run_id).await?;
            let mut named = self.files_of_journals_but(run_id).await?;
            named.extend(releases.iter().flat_map(super::repair::file_paths).map(str::to_string));
            self.delete_all(own.difference(&named).cloned().collect()).await?;
        }
        self.forget_journal(run_id).await
    }

    /// Deletes the journal of a run whose end is still to come, and none of its files: [`Lake::end_run`] deletes those that
    /// nothing names.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn forget_journal(&self, run_id: &str) -> Result<()> {
        for name in self.journal_objects(run_id).await? {
            self.delete_state(StateFolder::Journals, &name).await?;
        }
        Ok(())
    }

    /// Deletes the journals of runs that began before a time.
    ///
    /// # Errors
    /// Those of [`Lake::delete_journal`].
    pub async fn expire_journals(&self, lock: &Lock, from: jiff::Timestamp) -> Result<()> {
        for run_id in self.journal_runs().await? {
            if started_at(&run_id).is_none_or(|began| began < from) {
                self.delete_journal(lock, &run_id).await?;
            }
        }
        Ok(())
    }

    /// The data files that the journal of a run names.
    pub(crate) async fn files_of_journal(&self, run_id: &str) -> Result<BTreeSet<String>> {
        let (_, tables) = self.read_journal(run_id).await?;
        Ok(tables.into_values().flat_map(|(version, _)| version.files).map(|file| file.path).collect())
    }

    /// The data files that journals name, but that of one run.
    pub(crate) async fn files_of_journals_but(&self, run_id: &str) -> Result<BTreeSet<String>> {
        let mut files = BTreeSet::new();
        for other in self.journal_runs().await?.iter().filter(|other| *other != run_id) {
            files.append(&mut self.files_of_journal(other).await?);
        }
        Ok(files)
    }

    /// The head and the tables, as far as they can be read.
    async fn read_journal(
        &self,
        run_id: &str,
    ) -> Result<(Option<serde_json::Value>, BTreeMap<TableName, (TableVersion, Option<LoadState>)>)> {
        let (mut head, mut tables) = (None, BTreeMap::new());
        for name in self.journal_objects(run_id).await? {
            let Some(text) = self.read_state(StateFolder::Journals, &name).await? else { continue };
            let Some(object) = name.strip_prefix(run_id).and_then(|name| name.strip_prefix('/')) else { continue };
            if object == HEAD {
                head = serde_json::from_slice(&text).ok();
                continue;
            }
            let table = object.strip_suffix(".json").and_then(|name| TableName::try_from(name.to_string()).ok());
            let entry = serde_json::from_slice::<FinishedTable>(&text).ok();
            if let (Some(table), Some(FinishedTable { manifest, loaded })) = (table, entry)
                && let Ok(finished) = version(&table, manifest, 0)
            {
                tables.insert(table, (finished, loaded));
            }
        }
        Ok((head, tables))
    }

    async fn journal_objects(&self, run_id: &str) -> Result<Vec<String>> {
        self.state_names_below(StateFolder::Journals, run_id).await
    }
}
