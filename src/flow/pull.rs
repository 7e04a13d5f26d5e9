//! Sources into `raw.*`: only files that are new or changed, and each source as a whole or not at all.

use super::issue::newest;
use super::journal::RunJournal;
use super::next_release::gone_files;
use super::reject_buffer::RejectBuffer;
use super::{Event, Observer};
use perennial_core::contract::{Extraction, Source, SourceTable, TableName};
use perennial_core::error::{Error, Kind, Problems, Result};
use perennial_intake::{LoadOutcome, LoadRequest, RejectSink};
use perennial_lake::history::{SourceRecord, SourceStatus};
use perennial_lake::{Lake, LoadState, Release, TableVersion};
use perennial_project::Project;
use perennial_sources::System;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Waits before a server whose connection was lost is tried again; a restart takes about as long.
const RETRIES_AFTER: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(10)];

/// What became of all sources.
#[derive(Default)]
pub(super) struct PullOutcome {
    /// Every raw table: loaded now, unchanged, or stale.
    pub versions: BTreeMap<TableName, TableVersion>,
    /// What has been read of each.
    pub loaded: BTreeMap<TableName, LoadState>,
    /// For the record of the run and the provenance of reports.
    pub records: Vec<SourceRecord>,
    /// Sources that failed; rows of the previous release are used instead.
    pub problems: Problems,
    /// A source failed and the previous release has no rows of it.
    pub incomplete: bool,
}

/// The context of a pull.
pub(super) struct Pull<'a> {
    pub lake: &'a Lake,
    pub run_id: &'a str,
    pub now: jiff::Timestamp,
    pub previous: Option<&'a Release>,
    pub full_refresh: bool,
    pub max_data_files: usize,
    pub rejects: &'a dyn RejectSink,
    /// What the run that is continued had read, and where finished tables are written down.
    pub journal: &'a RunJournal,
    pub observer: &'a dyn Observer,
}

impl Pull<'_> {
    /// Reads all sources one after another; all tables of a source are loaded atomically.
    pub async fn all(&self, sources: &[&Source]) -> PullOutcome {
        let mut pulled = PullOutcome::default();
        for source in sources {
            if self.journal.resumed.holds(source) {
                self.take_over(source, &mut pulled);
                continue;
            }
            match self.source(source).await {
                Ok(tables) => {
                    for (table, loaded) in source.tables.iter().zip(tables) {
                        let raw = TableName::raw(&source.name, &table.name);
                        self.journal.add(&raw, &loaded.version, Some(&loaded.state));
                        pulled.add(self.run_id, source, table, loaded);
                    }
                }
                Err((table, error)) => self.fall_back(source, table, error, &mut pulled),
            }
        }
        pulled
    }

    /// Uses what the run that is continued had read of a source.
    fn take_over(&self, source: &Source, pulled: &mut PullOutcome) {
        let read_by = self.journal.resumed.run_id.as_deref().unwrap_or_default();
        for table in &source.tables {
            let raw = TableName::raw(&source.name, &table.name);
            let Some((version, state)) = self.journal.resumed.raw.get(&raw) else { continue };
            pulled.records.push(SourceRecord {
                newest: newest(state),
                message: Some(format!("read by run {read_by}")),
                ..SourceRecord::unread(self.run_id, &source.name, &table.name)
            });
            pulled.versions.insert(raw.clone(), version.clone());
            pulled.loaded.insert(raw, state.clone());
        }
        self.observer.event(Event::Note(format!("source {}: what run {read_by} has read is used", source.name)));
    }

    /// Reads a source. If the connection is lost it is tried again: nothing refers yet to what was read.
    async fn source<'s>(&self, source: &'s Source) -> Result<Vec<LoadOutcome>, (&'s SourceTable, Error)> {
        let first = source.tables.first();
        let mut waits = RETRIES_AFTER.iter();
        loop {
            let rejects = RejectBuffer::new(self.rejects);
            let outcome = self.once(source, &rejects).await;
            let wait = match &outcome {
                Err((table, error)) if may_retry(source, error, &rejects) => {
                    waits.next().map(|wait| (*wait, format!("{}.{}: {}", source.name, table.name, error.message())))
                }
                _ => None,
            };
            if let Some((wait, why)) = wait {
                self.observer.event(Event::Note(format!("{why}; trying again in {} s", wait.as_secs())));
                tokio::time::sleep(wait).await;
                continue;
            }
            let written = rejects.flush().await;
            return match (outcome, first) {
                (Ok(tables), Some(first)) => written.map(|()| tables).map_err(|error| (first, error)),
                (outcome, _) => outcome,
            };
        }
    }

    async fn once<'s>(
        &self,
        source: &'s Source,
        rejects: &RejectBuffer<'_>,
    ) -> Result<Vec<LoadOutcome>, (&'s SourceTable, Error)> {
        let mut tables = Vec::new();
        let Some(first) = source.tables.first() else { return Ok(tables) };
        let system = System::open(source).await.map_err(|error| (first, error))?;
        rejects.set_opened();
        for table in &source.tables {
            tables.push(self.table(&system, source, table, rejects).await.map_err(|error| (table, error))?);
        }
        Ok(tables)
    }

    async fn table(
        &self,
        system: &System,
        source: &Source,
        table: &SourceTable,
        rejects: &RejectBuffer<'_>,
    ) -> Result<LoadOutcome> {
        let began = Instant::now();
        let label = format!("{}.{}", source.name, table.name);
        let read = AtomicU64::new(0);
        let raw = TableName::raw(&source.name, &table.name);
        let previous = self.previous.filter(|_| !self.full_refresh);
        let previous = previous.and_then(|r| Some((r.tables.get(&raw)?, r.loaded.get(&raw)?)));
        let request = LoadRequest {
            system,
            source,
            table,
            previous,
            lake: self.lake,
            run_id: self.run_id,
            now: self.now,
            max_data_files: self.max_data_files,
            rejects,
            progress: &|_bytes, more| {
                let rows = read.fetch_add(more, Ordering::Relaxed) + more;
                self.observer.event(Event::SourceProgress { table: &label, rows });
            },
        };
        let mut loaded = perennial_intake::load_table(request).await?;
        if loaded.files.is_empty()
            && let Extraction::Files { pattern, .. } = &table.extraction
        {
            let place = format!("{}/{pattern}", source.location);
            let note = format!("{label} has never had a file: none matches {place}");
            self.observer.event(Event::Note(note));
        }
        if self.full_refresh {
            loaded.notes.extend(self.lost_files(&raw, &loaded));
        }
        let says_more = previous.is_some_and(|(_, before)| gone_files(before) != gone_files(&loaded.state));
        if loaded.changed || says_more {
            loaded.version.notes.clone_from(&loaded.notes);
        }
        for note in &loaded.notes {
            self.observer.event(Event::Note(format!("{label}: {note}")));
        }
        self.observer.event(Event::SourceDone {
            table: &label,
            rows: loaded.rows,
            rejects: loaded.rejects,
            files: match table.extraction {
                Extraction::Files { .. } => loaded.files_read(),
                _ => u64::from(loaded.changed || loaded.rejects > 0),
            },
            relation: match &table.extraction {
                Extraction::Files { .. } => None,
                other => Some(other.label()),
            },
            seconds: began.elapsed().as_secs_f64(),
        });
        Ok(loaded)
    }

    /// What a full refresh could not read again, because the source no longer has it.
    fn lost_files(&self, raw: &TableName, loaded: &LoadOutcome) -> Option<String> {
        let before = self.previous?.loaded.get(raw)?;
        let lost = before.files.iter().filter(|(path, file)| file.rows > 0 && !loaded.state.files.contains_key(*path));
        let lost: Vec<_> = lost.collect();
        let ((first, _), rows) = (lost.first()?, lost.iter().map(|(_, file)| file.rows).sum::<u64>());
        let files = if lost.len() == 1 { "1 file".to_string() } else { format!("{} files", lost.len()) };
        let rows = if rows == 1 { "1 row".to_string() } else { format!("{rows} rows") };
        Some(format!("the full refresh has dropped {rows} of {files} that are gone from the source, such as `{first}`"))
    }

    /// Uses the rows of the previous release for all tables of a failed source, so that they still fit each other.
    fn fall_back(&self, source: &Source, failed: &SourceTable, error: Error, pulled: &mut PullOutcome) {
        let mut missing = false;
        for table in &source.tables {
            let raw = TableName::raw(&source.name, &table.name);
            let previous = self.previous.and_then(|r| Some((r.tables.get(&raw)?.clone(), r.loaded.get(&raw)?.clone())));
            let is_cause = table.name == failed.name;
            let message = if is_cause { error.to_string() } else { format!("{}.{} failed", source.name, failed.name) };
            pulled.records.push(SourceRecord {
                status: if is_cause { SourceStatus::Failed } else { SourceStatus::Stale },
                message: Some(message),
                newest: previous.as_ref().and_then(|(_, state)| newest(state)),
                ..SourceRecord::unread(self.run_id, &source.name, &table.name)
            });
            match previous {
                Some((version, state)) => {
                    pulled.versions.insert(raw.clone(), version);
                    pulled.loaded.insert(raw, state);
                }
                None => missing = true,
            }
        }
        pulled.incomplete |= missing;
        let rows = match missing {
            true => "no release has its rows",
            false => "its tables keep the rows of the previous release",
        };
        self.observer.event(Event::Note(format!("source {} failed; {rows}", source.name)));
        pulled.problems.push(error.context(format!("source {}.{}", source.name, failed.name)));
    }
}

/// Whether a failed source is worth another attempt: its server was reached and then lost, and no reject was written.
fn may_retry(source: &Source, error: &Error, rejects: &RejectBuffer<'_>) -> bool {
    let retryable = perennial_sources::kind_of(&source.location).is_ok_and(|kind| kind.retryable);
    retryable && error.kind() == Kind::Unreachable && rejects.opened() && rejects.holds_all()
}

impl PullOutcome {
    /// The newest row that lies on a later day than the as-of date, in words, if there is one. Moments count by their day
    /// in UTC, so that the as-of date itself, where the zone matters, is passed over.
    pub(super) fn unseen(&self, as_of: jiff::civil::Date) -> Option<String> {
        let later = self.records.iter().filter_map(|record| {
            let day: jiff::civil::Date = record.newest.as_ref()?.get(..10)?.parse().ok()?;
            (day > as_of).then(|| (day, format!("{}.{}", record.source, record.table)))
        });
        let (day, table) = later.max()?;
        Some(format!(
            "{table} has rows up to {day}, and figures as of {as_of} do not see them: `as_of` in perennial.yml, or \
             `--as-of`, says which day they describe"
        ))
    }

    /// Adds the tables of the project that this run did not read, as the previous release has them.
    pub(super) fn carry_over(&mut self, project: &Project, previous: Option<&Release>) {
        let Some(previous) = previous else { return };
        let tables = project.sources.iter().flat_map(|s| s.tables.iter().map(|t| TableName::raw(&s.name, &t.name)));
        for raw in tables.filter(|raw| !self.versions.contains_key(raw)).collect::<Vec<_>>() {
            if let (Some(version), Some(state)) = (previous.tables.get(&raw), previous.loaded.get(&raw)) {
                self.versions.insert(raw.clone(), version.clone());
                self.loaded.insert(raw, state.clone());
            }
        }
    }

    /// Adds a table that was loaded.
    pub(super) fn add(&mut self, run_id: &str, source: &Source, table: &SourceTable, loaded: LoadOutcome) {
        self.records.push(SourceRecord {
            files_read: loaded.files_read(),
            files_unchanged: loaded.files_unchanged(),
            rows: loaded.rows,
            rejects: loaded.rejects,
            newest: newest(&loaded.state),
            status: if loaded.changed { SourceStatus::Done } else { SourceStatus::Unchanged },
            message: (!loaded.notes.is_empty()).then(|| loaded.notes.join("; ")),
            ..SourceRecord::unread(run_id, &source.name, &table.name)
        });
        let raw = TableName::raw(&source.name, &table.name);
        self.versions.insert(raw.clone(), loaded.version);
        self.loaded.insert(raw, loaded.state);
    }
}
