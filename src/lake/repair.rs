//! What a run that was killed left behind is found and put right by the next one, under the lock.
//!
//! A run leaves a marker while it goes on. A marker found under the lock belongs to a run that was killed: its data
//! files are deleted unless a release names them.

use super::lock::{Holder, Lock};
use super::open::{Lake, RECORDS};
use crate::error::{Error, Result};
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectStoreExt, PutPayload};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::Ordering;

/// Deletions under way at a time.
const DELETES_AT_ONCE: usize = 16;

/// A run's marker.
#[derive(serde::Serialize, serde::Deserialize)]
struct Marker {
    format: u32,
    started_at: jiff::Timestamp,
    holder: Holder,
}

/// What a repair found and did.
#[derive(Debug, Default)]
pub struct Repairs {
    /// Tables whose Delta logs were behind and were looked at.
    pub delta_tables: usize,
    /// Why Delta logs are still behind, if so; releases are not touched by that.
    pub delta_behind: Option<Error>,
    /// Runs that began and never ended. They are found again until [`Lake::end_run`] is called for each.
    pub killed: Vec<KilledRun>,
    /// Files deleted that those runs had written and no release names.
    pub files_deleted: usize,
}

/// A run that began and never ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KilledRun {
    /// Run, machine, process, command.
    pub holder: Holder,
    /// When it began.
    pub started_at: jiff::Timestamp,
    /// The release it had published before it was killed.
    pub release: Option<u64>,
    /// Its row stands in `system.runs` already: it was killed after its last word.
    pub recorded: bool,
}

impl Lake {
    /// Notes that the lock's run has begun.
    pub async fn begin_run(&self, lock: &Lock, now: jiff::Timestamp) -> Result<()> {
        let marker = Marker { format: 1, started_at: now, holder: lock.holder().clone() };
        let text = serde_json::to_vec(&marker).map_err(|e| Error::bug(format!("a marker cannot be written: {e}")))?;
        let path = self.path(&marker_path(&lock.holder().run_id));
        let put = self.store().put(&path, PutPayload::from(text)).await;
        put.map(|_| ()).map_err(|e| self.failed("note that a run has begun", e))
    }

    /// Notes that a run has ended, well or not, and that this is recorded: the lock's own run, or a killed one that
    /// [`Lake::repair`] reported. Of the lock's own run the files that no release names are deleted.
    pub async fn end_run(&self, lock: &Lock, run_id: &str) -> Result<()> {
        if run_id == lock.holder().run_id {
            if self.unsure().load(Ordering::Acquire) {
                // A release of this run may yet appear; the next run's repair sees whether it did.
                return Ok(());
            }
            let written = std::mem::take(&mut *self.written());
            let latest = self.latest().await?;
            let named: BTreeSet<&str> = latest.iter().flat_map(file_paths).collect();
            let loose = written.iter().filter(|path| !named.contains(path.as_str())).cloned().collect();
            self.delete_all(loose).await?;
        }
        self.delete(&marker_path(run_id)).await
    }

    /// Puts right what killed runs left: lets the Delta logs follow the newest release, and deletes data files that
    /// were never released. Deletes nothing that any release names.
    pub async fn repair(&self, lock: &Lock) -> Result<Repairs> {
        lock.verify().await?;
        let mut repairs = Repairs::default();
        let latest = self.latest().await?;
        if let Some(latest) = &latest {
            match self.bring_delta_to(latest).await {
                Ok(tables) => repairs.delta_tables = tables,
                Err(error) => repairs.delta_behind = Some(error),
            }
        }
        let markers = self.markers(&lock.holder().run_id).await?;
        if markers.is_empty() {
            return Ok(repairs);
        }
        let releases = self.releases().await?;
        let published: BTreeMap<&str, u64> = releases.iter().map(|r| (r.run_id.as_str(), r.number)).collect();
        let recorded = self.list("system/runs").await?;
        for marker in markers {
            let run_id = &marker.holder.run_id;
            repairs.killed.push(KilledRun {
                release: published.get(run_id.as_str()).copied(),
                recorded: recorded.iter().any(|(path, _)| is_part_of(path, run_id)),
                started_at: marker.started_at,
                holder: marker.holder,
            });
        }
        let named: BTreeSet<&str> = releases.iter().flat_map(file_paths).collect();
        repairs.files_deleted = self.delete_loose(&repairs.killed, &named).await?;
        Ok(repairs)
    }

    /// Markers of other runs than this one.
    async fn markers(&self, own: &str) -> Result<Vec<Marker>> {
        let mut markers = Vec::new();
        for (path, _) in self.list(&format!("{RECORDS}/runs")).await? {
            let Some(text) = self.read(&path).await? else { continue };
            match serde_json::from_slice::<Marker>(&text) {
                Ok(marker) if marker.holder.run_id != own => markers.push(marker),
                Ok(_) => {}
                Err(error) => return Err(Error::data(format!("{path} is not a run's marker: {error}"))),
            }
        }
        Ok(markers)
    }

    /// Deletes the data files of killed runs that no release names.
    async fn delete_loose(&self, killed: &[KilledRun], named: &BTreeSet<&str>) -> Result<usize> {
        let mut loose = Vec::new();
        for folder in self.table_folders().await? {
            for (path, _) in self.list(&folder).await? {
                let of_killed = killed.iter().any(|k| is_data_file_of(&path, &k.holder.run_id));
                if of_killed && !named.contains(path.as_str()) {
                    loose.push(path);
                }
            }
        }
        let count = loose.len();
        self.delete_all(loose).await?;
        if let Some(folder) = self.folder() {
            remove_unfinished(folder);
        }
        Ok(count)
    }

    /// The folders of all schemas but the lake's own.
    async fn table_folders(&self) -> Result<Vec<String>> {
        let root = self.prefix().clone();
        let found = match self.store().list_with_delimiter(Some(&root)).await {
            Ok(found) => found.common_prefixes,
            Err(object_store::Error::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(self.failed("list its folders", error)),
        };
        let names = found.iter().filter_map(|path| path.filename().map(str::to_string));
        Ok(names.filter(|name| name != RECORDS && name != "system").collect())
    }

    async fn delete_all(&self, paths: Vec<String>) -> Result<()> {
        let deletes = paths.iter().map(|path| self.delete(path));
        futures::stream::iter(deletes).buffer_unordered(DELETES_AT_ONCE).try_collect::<Vec<()>>().await?;
        Ok(())
    }
}

fn file_paths(release: &super::Release) -> impl Iterator<Item = &str> {
    release.tables.values().flat_map(|t| t.files.iter().map(|f| f.path.as_str()))
}

fn marker_path(run_id: &str) -> String {
    format!("{RECORDS}/runs/{run_id}.json")
}

/// `<run_id>-<n>.parquet` in some folder.
fn is_data_file_of(path: &str, run_id: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let number = name.strip_prefix(run_id).and_then(|rest| rest.strip_prefix('-')?.strip_suffix(".parquet"));
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// A file of a system table that holds rows of the run.
fn is_part_of(path: &str, run_id: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_prefix(run_id).is_some_and(|rest| rest.starts_with('-'))
}

/// Uploads to a folder are files named `<path>#<n>` until they are whole. Under the lock nobody else writes any, so
/// those found are of processes that are gone. Not being able to remove one harms nobody: no reader looks at them.
fn remove_unfinished(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let upload = name.to_str().and_then(|n| n.rsplit_once('#'));
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => remove_unfinished(&entry.path()),
            Ok(_) if upload.is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())) => {
                std::fs::remove_file(entry.path()).ok();
            }
            _ => {}
        }
    }
}
