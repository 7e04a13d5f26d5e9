//! Repair: what a run that was killed left behind is cleaned up by the next one, which holds the lock.
//!
//! There is a marker of every run in progress. A marker that is found while the lock is held belongs to a run that was
//! killed: its data files are deleted unless a release names them.

use super::Release;
use super::lock::{Holder, Lock};
use super::open::{Lake, RECORDS};
use super::run_ids::started_at;
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectStoreExt, PutPayload};
use perennial_core::error::{Error, Kind, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::Ordering;

/// Deletions under way at a time.
const DELETES_AT_ONCE: usize = 16;

/// The content of a run's marker.
#[derive(serde::Serialize, serde::Deserialize)]
struct Marker {
    format: u32,
    started_at: jiff::Timestamp,
    holder: Holder,
    /// What the caller knows of the run, which means nothing to the lake.
    #[serde(default)]
    facts: serde_json::Value,
}

impl Marker {
    /// What is known of a run whose marker cannot be read: its id begins with the moment when it began.
    fn of_unreadable(run_id: &str) -> Marker {
        let unknown = || "unknown".to_string();
        let holder =
            Holder { run_id: run_id.to_string(), host: unknown(), user: unknown(), pid: 0, command: unknown() };
        Marker { format: 1, started_at: started_at(run_id).unwrap_or_default(), holder, facts: serde_json::Value::Null }
    }
}

/// What a repair found and did.
#[derive(Debug, Default)]
pub struct Repairs {
    /// Tables whose Delta logs may have been behind and were checked.
    pub(crate) delta_tables: usize,
    /// Why Delta logs are still behind, if they are; releases are not affected.
    pub delta_behind: Option<Error>,
    /// Runs that began and never ended. They are found again until [`Lake::end_run`] is called for each.
    pub killed: Vec<KilledRun>,
    /// Deleted files that those runs had written and no release names.
    pub(crate) files_deleted: usize,
}

/// A run that began and never ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KilledRun {
    /// Its run, machine, process and command.
    pub holder: Holder,
    /// When it began.
    pub started_at: jiff::Timestamp,
    /// The release it had published before it was killed.
    pub release: Option<u64>,
    /// What [`Lake::begin_run`] was given; null where it cannot be read.
    pub facts: serde_json::Value,
    /// Whether its row is already in `system.runs`: it was killed after it had recorded its end.
    pub recorded: bool,
}

impl Lake {
    /// Records that the lock's run has begun. If it is killed, `facts` are what its record can say of it.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn begin_run(&self, lock: &Lock, now: jiff::Timestamp, facts: &serde_json::Value) -> Result<()> {
        let marker = Marker { format: 1, started_at: now, holder: lock.holder().clone(), facts: facts.clone() };
        let text = serde_json::to_vec(&marker)
            .map_err(|e| Error::bug(format!("a run's marker cannot be written as JSON: {e}")))?;
        let path = marker_path(&lock.holder().run_id);
        let put = self.store().put(&self.path(&path), PutPayload::from(text)).await;
        put.map(|_| ()).map_err(|e| self.failed(&format!("write {path} to"), e))
    }

    /// Removes the marker of a run that has ended, successfully or not, and whose end is recorded: the lock's own run or
    /// a killed one that [`Lake::repair`] reported. Files of the lock's own run that neither a release nor its journal
    /// names are deleted.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn end_run(&self, lock: &Lock, run_id: &str) -> Result<()> {
        if run_id == lock.holder().run_id {
            if self.publication_unknown().load(Ordering::Acquire) {
                // A release of this run may still appear; the next run's repair finds out.
                return Ok(());
            }
            let written = std::mem::take(&mut *self.written());
            let latest = self.latest().await?;
            let mut named = self.files_of_journal(run_id).await?;
            named.extend(latest.iter().flat_map(file_paths).map(str::to_string));
            self.delete_all(written.difference(&named).cloned().collect()).await?;
        }
        self.delete(&marker_path(run_id)).await
    }

    /// Cleans up after killed runs: brings the Delta logs to the newest release and deletes data files that were never
    /// released. Deletes nothing that a release names, or a journal.
    ///
    /// # Errors
    /// `Unreachable` when the lock was lost or the store fails.
    pub async fn repair(&self, lock: &Lock) -> Result<Repairs> {
        lock.verify().await?;
        let mut repairs = Repairs::default();
        let latest = self.latest().await?;
        if let Some(latest) = &latest {
            match self.update_delta_logs(latest).await {
                Ok(tables) => repairs.delta_tables = tables,
                Err(error) => repairs.delta_behind = Some(error),
            }
        }
        let markers = self.markers(&lock.holder().run_id).await?;
        if markers.is_empty() {
            return Ok(repairs);
        }
        let oldest = markers.iter().map(|marker| marker.holder.run_id.as_str()).min().unwrap_or_default();
        let releases = self.releases_since(latest, oldest).await?;
        let published: BTreeMap<&str, u64> = releases.iter().map(|r| (r.run_id.as_str(), r.number)).collect();
        let recorded = self.list("system/runs").await?;
        for marker in markers {
            let run_id = &marker.holder.run_id;
            repairs.killed.push(KilledRun {
                release: published.get(run_id.as_str()).copied(),
                recorded: recorded.iter().any(|(path, _)| is_part_of(path, run_id)),
                started_at: marker.started_at,
                facts: marker.facts,
                holder: marker.holder,
            });
        }
        let mut named = self.files_of_journals_but(&lock.holder().run_id).await?;
        named.extend(releases.iter().flat_map(file_paths).map(str::to_string));
        repairs.files_deleted = self.delete_unreferenced(&repairs.killed, &named).await?;
        Ok(repairs)
    }

    /// The newest release and those before it that a run can have published, or a later run. Runs exclude each other,
    /// their ids ascend, and each publishes at most once, so that these are the releases of runs no older than that one.
    pub(crate) async fn releases_since(&self, latest: Option<Release>, run_id: &str) -> Result<Vec<Release>> {
        let mut releases: Vec<Release> = latest.into_iter().collect();
        while let Some(earliest) = releases.last()
            && earliest.run_id.as_str() > run_id
        {
            match self.release_before(earliest.number).await {
                Ok(Some(release)) => releases.push(release),
                Ok(None) => break,
                // What cannot be read names nothing that could be kept, and is said elsewhere.
                Err(error) if error.kind() == Kind::Data => break,
                Err(error) => return Err(error),
            }
        }
        Ok(releases)
    }

    /// The release before one, of those that there are.
    async fn release_before(&self, number: u64) -> Result<Option<Release>> {
        if let Some(release) = self.find_release(number.saturating_sub(1)).await? {
            return Ok(Some(release));
        }
        let numbers = self.release_numbers().await?;
        match numbers.iter().rev().find(|earlier| **earlier < number) {
            Some(earlier) => self.find_release(*earlier).await,
            None => Ok(None),
        }
    }

    /// Markers of other runs than this one. One that cannot be read is that of a run that was killed while its disk lost
    /// power: its name says which.
    async fn markers(&self, own: &str) -> Result<Vec<Marker>> {
        let mut markers = Vec::new();
        for (path, _) in self.list(&format!("{RECORDS}/runs")).await? {
            let Some(run_id) = path.rsplit('/').next().and_then(|name| name.strip_suffix(".json")) else { continue };
            if run_id == own {
                continue;
            }
            let Some(text) = self.read(&path).await? else { continue };
            markers.push(serde_json::from_slice(&text).unwrap_or_else(|_| Marker::of_unreadable(run_id)));
        }
        Ok(markers)
    }

    /// Deletes the data files of killed runs that nothing names.
    async fn delete_unreferenced(&self, killed: &[KilledRun], named: &BTreeSet<String>) -> Result<usize> {
        let mut unreferenced = Vec::new();
        for folder in self.table_folders().await? {
            for (path, _) in self.list(&folder).await? {
                let of_killed = killed.iter().any(|k| is_data_file_of(&path, &k.holder.run_id));
                if of_killed && !named.contains(path.as_str()) {
                    unreferenced.push(path);
                }
            }
        }
        let count = unreferenced.len();
        self.delete_all(unreferenced).await?;
        if let Some(folder) = self.folder() {
            delete_incomplete(folder);
        }
        Ok(count)
    }

    /// The folders of all schemas except the lake's own.
    async fn table_folders(&self) -> Result<Vec<String>> {
        let root = self.prefix().clone();
        let found = match self.store().list_with_delimiter(Some(&root)).await {
            Ok(found) => found.common_prefixes,
            Err(object_store::Error::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(self.failed("list the folders of", error)),
        };
        let names = found.iter().filter_map(|path| path.filename().map(str::to_string));
        Ok(names.filter(|name| name != RECORDS && name != "system").collect())
    }

    pub(crate) async fn delete_all(&self, paths: Vec<String>) -> Result<()> {
        let deletes = paths.iter().map(|path| self.delete(path));
        futures::stream::iter(deletes).buffer_unordered(DELETES_AT_ONCE).try_collect::<Vec<()>>().await?;
        Ok(())
    }
}

pub(crate) fn file_paths(release: &Release) -> impl Iterator<Item = &str> {
    release.tables.values().flat_map(|t| t.files.iter().map(|f| f.path.as_str()))
}

fn marker_path(run_id: &str) -> String {
    format!("{RECORDS}/runs/{run_id}.json")
}

/// Whether a path ends in `<run_id>-<n>.parquet`.
fn is_data_file_of(path: &str, run_id: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let number = name.strip_prefix(run_id).and_then(|rest| rest.strip_prefix('-')?.strip_suffix(".parquet"));
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a file of a system table holds rows of the run.
fn is_part_of(path: &str, run_id: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_prefix(run_id).is_some_and(|rest| rest.starts_with('-'))
}

/// Deletes incomplete uploads, which are files named `<path>#<n>` in a folder. While the lock is held no other process
/// writes any, so those that are found belong to processes that have ended. If one cannot be deleted, no reader is
/// affected.
fn delete_incomplete(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let upload = name.to_str().and_then(|n| n.rsplit_once('#'));
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => delete_incomplete(&entry.path()),
            Ok(_) if upload.is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())) => {
                std::fs::remove_file(entry.path()).ok();
            }
            _ => {}
        }
    }
}
