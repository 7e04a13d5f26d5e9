//! Vacuum: releases that the retention does not cover are removed, and then what no release needs.
//!
//! A release is removed in two steps, so that whoever has opened it goes on reading. First it is written to the list of
//! removed releases and its record is put aside ([`super::removed`]). When the grace period is over the record goes, and
//! with it the objects and data files that nothing else names. A process that dies in between leaves nothing that the
//! next vacuum does not find.
//!
//! Everything is decided under the lake's lock, and objects are deleted under it: the next run may make one of the same
//! hash. A data file never gets the name of another, so that those can be deleted afterwards, while a run goes on.

use super::delta::{DeltaLog, LOG_FOLDER};
use super::durable::{self, TEMPORARY};
use super::lock::Lock;
use super::named::{Named, Published};
use super::objects::{object_hash, objects_folder};
use super::open::{Lake, RECORDS};
use super::release::record_path;
use super::removed::{Removed, aside_folder, aside_path};
use super::retention::Retention;
use super::run_ids::is_run_id;
use super::state::StateFolder;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{ObjectMeta, PutMode};
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Kind, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;
use std::sync::atomic::Ordering;

/// Records put aside at a time.
const WRITES_AT_ONCE: usize = 16;

/// A number of files and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waste {
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

impl AddAssign for Waste {
    fn add_assign(&mut self, other: Waste) {
        self.files += other.files;
        self.bytes += other.bytes;
    }
}

/// What goes of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableWaste {
    /// Goes now.
    pub now: Waste,
    /// Goes when the grace period of removed releases is over.
    pub later: Waste,
}

/// A release that is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoomedRelease {
    /// Its number.
    pub number: u64,
    /// When it was published.
    pub published_at: Timestamp,
    /// The business date of its run.
    pub as_of: jiff::civil::Date,
}

/// What a vacuum removes.
#[derive(Clone, Debug, Default)]
pub struct Vacuum {
    /// Releases, oldest first.
    pub releases: Vec<DoomedRelease>,
    /// The releases that stay.
    pub kept: BTreeSet<u64>,
    /// Data files and Delta logs, by table.
    pub tables: BTreeMap<TableName, TableWaste>,
    /// Records, manifests and the like.
    pub records: TableWaste,
    /// When the last of what goes later can go.
    pub later_from: Option<Timestamp>,
    /// Releases that are removed after this vacuum.
    removed: BTreeMap<u64, Removed>,
    /// The records of those that are removed by it.
    texts: Vec<(u64, bytes::Bytes)>,
    /// The records that were put aside and go, by their numbers.
    expired: BTreeSet<u64>,
    /// Tables that no release has, with the files of their Delta logs.
    logs: BTreeMap<TableName, Vec<ObjectMeta>>,
    /// Paths of objects and of what was being written when a process died.
    objects: Vec<String>,
    /// Paths of data files.
    data: Vec<String>,
}

impl Vacuum {
    /// All that goes.
    pub fn total(&self) -> TableWaste {
        let mut total = self.records;
        for waste in self.tables.values() {
            total.now += waste.now;
            total.later += waste.later;
        }
        total
    }

    fn of_table(&mut self, table: TableName) -> &mut TableWaste {
        self.tables.entry(table).or_default()
    }
}

/// What stays.
struct Stays {
    kept: Named,
    /// What removed releases need whose readers may still be there.
    waiting: Named,
    /// Data files of what failed runs had finished.
    journals: BTreeSet<String>,
    /// Runs in progress, or killed and not repaired yet.
    runs: BTreeSet<String>,
}

/// What becomes of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    Later,
    Now,
}

impl Lake {
    /// What [`Lake::vacuum`] would remove now. Needs no lock; what a run does meanwhile may be missing.
    ///
    /// # Errors
    /// `Data` when it is not known what a kept release needs because a part of it is damaged, `Unreachable` when the
    /// store fails.
    pub async fn plan_vacuum(&self, retention: &Retention, now: Timestamp) -> Result<Vacuum> {
        let records = self.records().await?;
        let published: Vec<(u64, Timestamp)> = records.iter().map(|record| (record.number, record.at)).collect();
        let kept = retention.kept(&published, now);
        let mut vacuum = Vacuum { removed: self.removed_releases().await?, kept, ..Vacuum::default() };
        let removed_now = Removed { on: now.to_zoned(retention.zone.clone()).date(), at: now };
        let mut waiting = Named::default();
        let mut stays = Named::default();
        // A process that died may have listed some that are to be kept after all.
        vacuum.removed.retain(|number, _| !vacuum.kept.contains(number));
        for Published { number, at, as_of, text } in records {
            let path = record_path(number);
            if vacuum.kept.contains(&number) {
                if !stays.add_record(&path, number, &text)? {
                    let error = Error::data(format!("{path} is the record of another release"));
                    return Err(error.hint("`perennial lake verify` says what is damaged and what repairs it"));
                }
                continue;
            }
            let removed = *vacuum.removed.entry(number).or_insert(removed_now);
            vacuum.releases.push(DoomedRelease { number, published_at: at, as_of });
            if retention.is_recent(removed.at, now) {
                vacuum.wait(removed, retention);
                waiting.add_record(&path, number, &text)?;
            }
            vacuum.texts.push((number, text));
        }
        let aside = self.list_objects(&aside_folder()).await?;
        for (path, meta) in &aside {
            let Some(number) = number_of(path) else { continue };
            if vacuum.kept.contains(&number) {
                // The process died that was to remove it, and now it is to be kept.
                vacuum.expired.insert(number);
                continue;
            }
            let removed = *vacuum.removed.entry(number).or_insert(removed_now);
            if !retention.is_recent(removed.at, now) {
                vacuum.expired.insert(number);
                vacuum.records.now += Waste { files: 1, bytes: meta.size };
                continue;
            }
            vacuum.wait(removed, retention);
            // One that cannot be read any more has no readers.
            match self.read(path).await?.map(|text| waiting.add_record(path, number, &text)) {
                Some(Err(error)) if error.kind() != Kind::Data => return Err(error),
                _ => {}
            }
        }
        stays.follow_all(self).await?;
        match waiting.follow_all(self).await {
            Err(error) if error.kind() != Kind::Data => return Err(error),
            _ => {}
        }
        let runs = self.list(&format!("{RECORDS}/runs")).await?;
        let runs = runs.iter().filter_map(|(path, _)| path.rsplit('/').next()?.strip_suffix(".json"));
        let stays = Stays {
            kept: stays,
            waiting,
            journals: self.files_of_journals_but("").await?,
            runs: runs.map(str::to_string).collect(),
        };
        for (path, meta) in self.list_objects("").await? {
            if let Some(month) = StateFolder::Outbox.month_of(&path) {
                if !retention.keeps_messages(month) {
                    vacuum.records.now += Waste { files: 1, bytes: meta.size };
                    vacuum.objects.push(path);
                }
                continue;
            }
            let written = Timestamp::from_millisecond(meta.last_modified.timestamp_millis()).unwrap_or(now);
            vacuum.judge(path, meta, &stays, !retention.is_recent(written, now));
        }
        Ok(vacuum)
    }

    /// Removes releases that the retention does not cover, and what no release needs. What is left to do is deleting data files,
    /// for which the lock need not be held: [`Lake::delete_waste`].
    ///
    /// # Errors
    /// `Unreachable` when the lock was lost or the store fails; then the next vacuum goes on. Otherwise those of
    /// [`Lake::plan_vacuum`], and those of a Delta log that cannot be brought to the newest release: it may name files
    /// that would go.
    pub async fn vacuum(&self, lock: &Lock, retention: &Retention, now: Timestamp) -> Result<Vacuum> {
        lock.verify().await?;
        let Some(latest) = self.latest().await? else { return Ok(Vacuum::default()) };
        if self.publication_unknown().load(Ordering::Acquire) {
            return Err(Error::unreachable("it is not known whether the last release was published")
                .hint("nothing was removed; the next run finds it out"));
        }
        self.update_delta_logs(&latest).await?;
        let before = self.removed_releases().await?;
        let vacuum = self.plan_vacuum(retention, now).await?;
        lock.verify().await?;
        if vacuum.removed != before {
            self.set_removed_releases(&vacuum.removed).await?;
        }
        let moves = vacuum.texts.iter().map(|(number, text)| self.put_aside(*number, text, retention, &vacuum, now));
        futures::stream::iter(moves).buffer_unordered(WRITES_AT_ONCE).try_collect::<Vec<()>>().await?;
        let expired = vacuum.expired.iter().map(|number| aside_path(*number)).collect();
        self.delete_paths(expired).await?;
        for (table, files) in &vacuum.logs {
            self.delete_log(table, files).await?;
        }
        lock.verify().await?;
        self.delete_paths(vacuum.objects.clone()).await?;
        let hashes = vacuum.objects.iter().filter_map(|path| object_hash(path));
        hashes.for_each(|hash| drop(self.objects().remove(&hash)));
        Ok(vacuum)
    }

    /// Deletes the data files that a vacuum has found that nobody needs.
    ///
    /// # Errors
    /// `Unreachable` when the store fails; the next vacuum deletes the others.
    pub async fn delete_waste(&self, vacuum: &Vacuum) -> Result<()> {
        self.delete_paths(vacuum.data.clone()).await
    }

    /// Puts the record of a removed release aside, if somebody may still read its files.
    async fn put_aside(
        &self,
        number: u64,
        text: &bytes::Bytes,
        retention: &Retention,
        vacuum: &Vacuum,
        now: Timestamp,
    ) -> Result<()> {
        if vacuum.removed.get(&number).is_some_and(|removed| retention.is_recent(removed.at, now)) {
            durable::write(self, &aside_path(number), text.to_vec(), PutMode::Overwrite).await?;
        }
        self.delete(&record_path(number)).await
    }

    /// Deletes a Delta log, the newest version first: what a process that dies leaves can still be read.
    async fn delete_log(&self, table: &TableName, files: &[ObjectMeta]) -> Result<()> {
        let log = DeltaLog::new(self, table)?;
        for path in log.in_order_of_deletion(files) {
            self.delete(&path).await?;
        }
        Ok(())
    }

    /// Deletes many objects.
    async fn delete_paths(&self, paths: Vec<String>) -> Result<()> {
        let places: Vec<Path> = paths.iter().map(|path| self.path(path)).collect();
        let mut deleted = self.store().delete_stream(futures::stream::iter(places.into_iter().map(Ok)).boxed());
        while let Some(result) = deleted.next().await {
            match result {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.failed("delete what nobody needs from", error)),
            }
        }
        Ok(())
    }
}

impl Vacuum {
    /// Something stays until readers of a removed release have ended.
    fn wait(&mut self, removed: Removed, retention: &Retention) {
        self.later_from = self.later_from.max(removed.at.checked_add(retention.grace).ok());
    }

    /// Decides about a file. `is_old` says whether it was written before the grace period.
    fn judge(&mut self, path: String, meta: ObjectMeta, stays: &Stays, is_old: bool) {
        let waste = Waste { files: 1, bytes: meta.size };
        if let Some(hash) = object_hash(&path).filter(|_| path.starts_with(&objects_folder())) {
            // A run that was killed may have published what is still on its way.
            let is_free = is_old && stays.runs.is_empty();
            let fate = fate(stays.kept.objects.contains_key(&hash), stays.waiting.objects.contains_key(&hash), is_free);
            match fate {
                Fate::Stays => {}
                Fate::Later => self.records.later += waste,
                Fate::Now => {
                    self.records.now += waste;
                    self.objects.push(path);
                }
            }
            return;
        }
        if path.ends_with(TEMPORARY) && is_old && stays.runs.is_empty() {
            self.records.now += waste;
            self.objects.push(path);
            return;
        }
        let mut parts = path.splitn(3, '/');
        let (Some(schema), Some(name), Some(rest)) = (parts.next(), parts.next(), parts.next()) else { return };
        if schema == RECORDS || schema == "system" {
            return;
        }
        let table = TableName::new(schema, name);
        if rest.starts_with(LOG_FOLDER) {
            match fate(stays.kept.tables.contains(&table), stays.waiting.tables.contains(&table), is_old) {
                Fate::Stays => {}
                Fate::Later => self.of_table(table).later += waste,
                Fate::Now => {
                    self.of_table(table.clone()).now += waste;
                    self.logs.entry(table).or_default().push(meta);
                }
            }
            return;
        }
        let Some(run_id) = run_of(rest) else { return };
        let is_needed = stays.kept.data.contains_key(&path) || stays.journals.contains(&path);
        let is_free = is_old && !stays.runs.contains(run_id);
        match fate(is_needed, stays.waiting.data.contains_key(&path), is_free) {
            Fate::Stays => {}
            Fate::Later => self.of_table(table).later += waste,
            Fate::Now => {
                self.of_table(table).now += waste;
                self.data.push(path);
            }
        }
    }
}

fn fate(is_needed: bool, is_waited_for: bool, is_free: bool) -> Fate {
    match (is_needed, is_waited_for, is_free) {
        (true, ..) => Fate::Stays,
        (_, true, _) => Fate::Later,
        (_, _, true) => Fate::Now,
        _ => Fate::Stays,
    }
}

/// The run that wrote a data file, by its name; `None` for files of other programs.
fn run_of(name: &str) -> Option<&str> {
    let (run_id, number) = name.strip_suffix(".parquet")?.rsplit_once('-')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && is_run_id(run_id)).then_some(run_id)
}

/// The number of a record that was put aside.
fn number_of(path: &str) -> Option<u64> {
    path.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()
}
