//! Delta logs, through which DuckDB, Spark, Polars and others read the tables of the newest release. They are derived
//! from the release records, never the other way round.
//!
//! Every commit contains the release's number as a transaction of the application `perennial`, so that no commit is
//! repeated, whenever a process is killed. The format is Delta's public protocol: commits in JSON ([`log`]) and, every
//! few commits, a checkpoint in Parquet ([`checkpoint`]).

mod actions;
mod checkpoint;
mod log;

use super::open::{Lake, RECORDS};
use super::{DataFile, Release, TableVersion, stats};
use actions::{Action, AddFile, FileFormat, Metadata, Protocol, Transaction};
use actions::{decode_path, encode_path, has_local_times, schema_json};
use arrow::datatypes::Schema;
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectStoreExt, PutPayload};
use perennial_core::contract::TableName;
use perennial_core::digest::digest;
use perennial_core::error::{Error, Kind, Result};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) use log::{CommitOutcome, DeltaLog, LOG_FOLDER, Snapshot};

/// The application of the transactions.
const APPLICATION: &str = "perennial";
/// Tables and files that are processed at a time.
const TABLES_AT_ONCE: usize = 8;
const FILES_AT_ONCE: usize = 8;
/// How often a commit is tried when other programs write to the same log at the same time.
const MAX_ATTEMPTS: usize = 16;

/// The release that every Delta log has reached.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Progress {
    /// In format 1, tables that never had rows had no log, and no table said which of its columns have statistics.
    format: u32,
    pub(crate) release: u64,
}

impl Progress {
    /// The format that this program writes.
    const FORMAT: u32 = 2;
}

impl Lake {
    /// Brings all Delta logs to the release; returns how many tables were checked.
    pub(crate) async fn update_delta_logs(&self, release: &Release) -> Result<usize> {
        let progress = self.delta_progress().await?;
        if progress.format >= Progress::FORMAT && progress.release >= release.number {
            return Ok(0);
        }
        let behind = self.tables_behind(release, &progress).await?;
        let is_repeated = progress.format < Progress::FORMAT;
        let work = behind.iter().map(|name| self.update_delta_log(release, name, is_repeated));
        let results: Vec<Result<()>> = futures::stream::iter(work).buffer_unordered(TABLES_AT_ONCE).collect().await;
        results.into_iter().collect::<Result<Vec<()>>>()?;
        self.set_delta_progress(release.number).await?;
        Ok(behind.len())
    }

    /// Tables that have changed since the logs were updated, and those that are no longer in the release.
    async fn tables_behind(&self, release: &Release, progress: &Progress) -> Result<BTreeSet<TableName>> {
        let Progress { format, release: reached } = *progress;
        let mut behind = BTreeSet::new();
        let mut is_lost = false;
        for number in reached.max(1)..release.number {
            let old = match self.find_release(number).await {
                Err(error) if error.kind() == Kind::Data => None,
                found => found?,
            };
            is_lost |= old.is_none() && number == reached;
            let tables = old.into_iter().flat_map(|old| old.tables.into_keys());
            behind.extend(tables.filter(|name| !release.tables.contains_key(name)));
        }
        // Where the record of what the logs have reached is lost, this release does not continue it.
        let compares_all = is_lost || format < Progress::FORMAT;
        let changed = release.tables.iter().filter(|(_, table)| compares_all || table.changed_in > reached);
        behind.extend(changed.map(|(name, _)| name.clone()));
        Ok(behind)
    }

    /// Brings one log to the release. `is_repeated` compares it also if it has reached the release already, because an
    /// earlier format may have recorded less.
    async fn update_delta_log(&self, release: &Release, name: &TableName, is_repeated: bool) -> Result<()> {
        let log = DeltaLog::new(self, name)?;
        for _ in 0..MAX_ATTEMPTS {
            let snapshot = log.read().await?;
            let actions = self.next_actions(release, &log, snapshot.as_ref(), is_repeated).await?;
            if actions.is_empty() {
                return Ok(());
            }
            let version = snapshot.as_ref().map_or(0, |s| s.version + 1);
            let outcome = log.commit(version, &actions).await?;
            if outcome == CommitOutcome::Conflict {
                // Another program has written this version: the log is read and compared again.
                continue;
            }
            if let Some(snapshot) = snapshot
                && version - snapshot.checkpoint.unwrap_or(0) >= checkpoint::CHECKPOINT_INTERVAL
            {
                // Without it readers open more commits; the next commit tries again.
                checkpoint::write(&log, &snapshot.after(version, actions), release.published_at).await.ok();
            }
            return Ok(());
        }
        let number = release.number;
        Err(Error::unreachable(format!(
            "cannot bring the Delta log of {name} to release {number}: other programs keep writing to it"
        ))
        .hint("the next run will try again; the release itself is complete"))
    }

    /// The actions that bring a log to the release; none when nothing differs.
    async fn next_actions(
        &self,
        release: &Release,
        log: &DeltaLog<'_>,
        snapshot: Option<&Snapshot>,
        is_repeated: bool,
    ) -> Result<Vec<Action>> {
        let version = release.tables.get(log.table);
        let now = release.published_at.as_millisecond();
        let actions = match (snapshot, version) {
            (Some(snapshot), _) => {
                // A log that is ahead of the release is never taken back. One that has reached a release of this number
                // or a later one which was published earlier is of another history: that of a lake from a backup.
                let first_done = release.number as i64 + i64::from(is_repeated);
                let is_done = |reached: &Transaction| {
                    reached.version >= first_done && reached.last_updated.is_none_or(|at| at >= now)
                };
                if snapshot.contents.transactions.get(APPLICATION).is_some_and(is_done) {
                    return Ok(Vec::new());
                }
                match version {
                    Some(version) => self.changes(log, snapshot, version, now).await?,
                    None => snapshot.contents.files.values().map(|file| Action::from(file.removal(now))).collect(),
                }
            }
            (None, Some(version)) => {
                let protocol = Protocol::of(&version.schema);
                let metadata = new_metadata(release, log.table, version)?;
                let mut actions = vec![Action::from(protocol), Action::from(metadata)];
                actions.extend(self.added(log, version, &BTreeMap::new(), now).await?);
                actions
            }
            // The table was removed before it had a log.
            (None, None) => Vec::new(),
        };
        if actions.is_empty() {
            return Ok(actions);
        }
        let transaction =
            Transaction { app_id: APPLICATION.to_string(), version: release.number as i64, last_updated: Some(now) };
        let first = [commit_info(release, snapshot.is_none(), &actions), Action::from(transaction)];
        Ok(first.into_iter().chain(actions).collect())
    }

    /// The actions for what differs between the log and the table's version in the release.
    async fn changes(
        &self,
        log: &DeltaLog<'_>,
        snapshot: &Snapshot,
        version: &TableVersion,
        now: i64,
    ) -> Result<Vec<Action>> {
        let mut actions = schema_change(log, snapshot, version)?;
        let has_other_columns = !actions.is_empty();
        let files = &snapshot.contents.files;
        let found: BTreeMap<String, &AddFile> = files.values().map(|file| (decode_path(&file.path), file)).collect();
        actions.extend(self.added(log, version, &found, now).await?);
        let mut left = found;
        let mut kept = Vec::new();
        for file in &version.files {
            kept.extend(left.remove(relative_path(log, file)?).map(|add| (add, file)));
        }
        if has_other_columns {
            actions.extend(self.updated_statistics(&kept, version).await?);
        }
        actions.extend(left.values().map(|file| Action::from(file.removal(now))));
        Ok(actions)
    }

    /// The additions of files that the log does not have.
    async fn added(
        &self,
        log: &DeltaLog<'_>,
        version: &TableVersion,
        found: &BTreeMap<String, &AddFile>,
        now: i64,
    ) -> Result<Vec<Action>> {
        let mut new = Vec::new();
        for file in &version.files {
            let path = relative_path(log, file)?;
            if !found.contains_key(path) {
                new.push((encode_path(path), file));
            }
        }
        let added = new.into_iter().map(|(path, file)| async move {
            Ok(Action::from(AddFile {
                path,
                partition_values: BTreeMap::new(),
                size: file.bytes as i64,
                modification_time: now,
                data_change: true,
                stats: stats::of_file(self, file, &version.schema).await?,
                tags: None,
                deletion_vector: None,
            }))
        });
        futures::stream::iter(added).buffered(FILES_AT_ONCE).try_collect().await
    }

    /// Additions that only replace statistics, for files whose statistics do not match the table's new columns.
    async fn updated_statistics(&self, kept: &[(&AddFile, &DataFile)], version: &TableVersion) -> Result<Vec<Action>> {
        let updated = kept.iter().map(|(add, file)| self.updated_file(add, file, version));
        let updated: Vec<Option<Action>> = futures::stream::iter(updated).buffered(FILES_AT_ONCE).try_collect().await?;
        Ok(updated.into_iter().flatten().collect())
    }

    async fn updated_file(&self, add: &AddFile, file: &DataFile, version: &TableVersion) -> Result<Option<Action>> {
        let stats = stats::of_file(self, file, &version.schema).await?;
        let is_changed = stats != add.stats;
        Ok(is_changed.then(|| Action::from(AddFile { stats, data_change: false, ..add.clone() })))
    }

    /// How far the logs are.
    pub(crate) async fn delta_progress(&self) -> Result<Progress> {
        let text = self.read(&progress_path()).await?;
        // If it is missing or cannot be read, every log is compared with the release.
        let progress = text.and_then(|text| serde_json::from_slice(&text).ok());
        Ok(progress.unwrap_or(Progress { format: 0, release: 0 }))
    }

    /// Whether every log has reached a release, so that it can be compared with it.
    pub(crate) async fn delta_logs_have_reached(&self, release: u64) -> Result<bool> {
        let progress = self.delta_progress().await?;
        Ok(progress.format >= Progress::FORMAT && progress.release >= release)
    }

    async fn set_delta_progress(&self, release: u64) -> Result<()> {
        let text = serde_json::to_vec(&Progress { format: Progress::FORMAT, release })
            .map_err(|e| Error::bug(format!("the progress of Delta logs cannot be written as JSON: {e}")))?;
        let put = self.store().put(&self.path(&progress_path()), PutPayload::from(text)).await;
        put.map(|_| ()).map_err(|e| self.failed(&format!("write {} to", progress_path()), e))
    }
}

/// Whether a log has exactly the files of a table's version and, where it says how many rows they hold, these.
pub(crate) fn is_log_of(log: &DeltaLog<'_>, snapshot: &Snapshot, version: &TableVersion) -> Result<bool> {
    let mut wanted = BTreeMap::new();
    for file in &version.files {
        wanted.insert(relative_path(log, file)?, file);
    }
    let is_of_version = |add: &AddFile| {
        wanted.remove(decode_path(&add.path).as_str()).is_some_and(|file| {
            let stats = add.stats.as_deref().map(serde_json::from_str::<Value>);
            let has_rows = stats.is_none_or(|stats| {
                stats.is_ok_and(|stats| stats.get("numRecords").is_none_or(|rows| rows.as_u64() == Some(file.rows)))
            });
            has_rows && u64::try_from(add.size) == Ok(file.bytes)
        })
    };
    let all_are_of_version = snapshot.contents.files.values().all(is_of_version);
    Ok(all_are_of_version && wanted.is_empty())
}

fn progress_path() -> String {
    format!("{RECORDS}/delta.json")
}

fn relative_path<'f>(log: &DeltaLog<'_>, file: &'f DataFile) -> Result<&'f str> {
    log.relative(&file.path).ok_or_else(|| {
        Error::bug(format!("{} is listed as a file of {} but is not in its folder", file.path, log.table))
    })
}

fn commit_info(release: &Release, is_new: bool, actions: &[Action]) -> Action {
    let removes = actions.iter().any(|action| action.remove.is_some());
    let (operation, parameters) = match (is_new, removes) {
        (true, _) => ("CREATE TABLE", json!({})),
        (false, false) => ("WRITE", json!({"mode": "Append"})),
        (false, true) => ("WRITE", json!({"mode": "Overwrite"})),
    };
    let info = json!({
        "timestamp": release.published_at.as_millisecond(),
        "operation": operation,
        "operationParameters": parameters,
        "engineInfo": format!("perennial/{}", env!("CARGO_PKG_VERSION")),
        "perennial.run": release.run_id,
    });
    Action { commit_info: Some(info), ..Action::default() }
}

fn new_metadata(release: &Release, name: &TableName, version: &TableVersion) -> Result<Metadata> {
    Ok(Metadata {
        id: table_id(&release.run_id, name),
        name: Some(name.to_string()),
        description: None,
        format: FileFormat::default(),
        schema_string: schema_json(name, &version.schema)?.to_string(),
        partition_columns: Vec::new(),
        configuration: with_statistics_columns(BTreeMap::new(), &version.schema),
        created_time: Some(release.published_at.as_millisecond()),
    })
}

/// The identifier of a new table, a UUID of version 8, which may be made from a hash: it stays the same when a commit is
/// tried again.
fn table_id(run_id: &str, name: &TableName) -> String {
    let hash = digest([run_id, &name.to_string()]);
    let part = |range: std::ops::Range<usize>| hash.get(range).unwrap_or_default();
    format!("{}-{}-8{}-8{}-{}", part(0..8), part(8..12), part(13..16), part(17..20), part(20..32))
}

/// The properties of a table, among them which columns have statistics.
fn with_statistics_columns(mut properties: BTreeMap<String, String>, schema: &Schema) -> BTreeMap<String, String> {
    const COLUMNS: &str = "delta.dataSkippingStatsColumns";
    const NUMBER: &str = "delta.dataSkippingNumIndexedCols";
    properties.remove(COLUMNS);
    properties.remove(NUMBER);
    let columns: Vec<String> = stats::columns(schema).map(|name| format!("`{}`", name.replace('`', "``"))).collect();
    // Not every reader accepts an empty list.
    if columns.is_empty() {
        properties.insert(NUMBER.to_string(), "0".to_string());
    } else {
        properties.insert(COLUMNS.to_string(), columns.join(","));
    }
    properties
}

/// The actions for changed columns, or for changes in which of them have statistics.
fn schema_change(log: &DeltaLog<'_>, snapshot: &Snapshot, version: &TableVersion) -> Result<Vec<Action>> {
    let wanted = schema_json(log.table, &version.schema)?;
    let found: Value = serde_json::from_str(&snapshot.metadata.schema_string)
        .map_err(|e| log.damaged(format!("its schema is not JSON: {e}")))?;
    let configuration = with_statistics_columns(snapshot.metadata.configuration.clone(), &version.schema);
    if found == wanted && configuration == snapshot.metadata.configuration {
        return Ok(Vec::new());
    }
    let mut actions = Vec::new();
    if has_local_times(&version.schema) && !snapshot.protocol.has_local_times() {
        actions.push(Action::from(snapshot.protocol.with_local_times()));
    }
    let schema_string = wanted.to_string();
    actions.push(Action::from(Metadata { schema_string, configuration, ..snapshot.metadata.clone() }));
    Ok(actions)
}
