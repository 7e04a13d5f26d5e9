//! Sources into `raw.*`: only files that are new or changed, and a source wholly or not at all.

use super::held::HeldRejects;
use super::issue::newest;
use super::{Event, Observer};
use crate::contract::{Delivery, Source, SourceTable, TableName};
use crate::error::{Error, Kind, Problems, Result};
use crate::history::{SourceRecord, SourceStatus};
use crate::intake::{self, LoadRequest, Loaded, RejectSink};
use crate::lake::{Lake, LoadState, Release, TableVersion};
use crate::sources::{self, System, SystemKind};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A server that is lost while it is read is tried again after so long; a restart takes that much.
const RETRIES_AFTER: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(10)];

/// What came of all sources.
#[derive(Default)]
pub(super) struct Pulled {
    /// Every raw table: read now, unchanged, or stale.
    pub versions: BTreeMap<TableName, TableVersion>,
    /// What has been read of each.
    pub loaded: BTreeMap<TableName, LoadState>,
    /// For the record and the foot of reports.
    pub records: Vec<SourceRecord>,
    /// Sources that failed; where an earlier release holds their rows, these stand in.
    pub problems: Problems,
    /// A source failed of which no rows are known.
    pub incomplete: bool,
}

/// What a pull needs.
pub(super) struct Pull<'a> {
    pub lake: &'a Lake,
    pub run_id: &'a str,
    pub now: jiff::Timestamp,
    pub previous: Option<&'a Release>,
    pub full_refresh: bool,
    pub rejects: &'a dyn RejectSink,
    pub observer: &'a dyn Observer,
}

impl Pull<'_> {
    /// Reads all sources, one after the other; the tables of one source stand and fall together.
    pub async fn all(&self, sources: &[&Source]) -> Pulled {
        let mut pulled = Pulled::default();
        for source in sources {
            match self.source(source).await {
                Ok(tables) => {
                    for (table, loaded) in source.tables.iter().zip(tables) {
                        pulled.take(self.run_id, source, table, loaded);
                    }
                }
                Err((table, error)) => self.fall_back(source, table, error, &mut pulled),
            }
        }
        pulled
    }

    /// Reads a source. A server that is lost while it is read is tried again: nothing refers to what was read of it.
    async fn source<'s>(&self, source: &'s Source) -> Result<Vec<Loaded>, (&'s SourceTable, Error)> {
        let first = source.tables.first();
        let mut waits = RETRIES_AFTER.iter();
        loop {
            let held = HeldRejects::new(self.rejects);
            let outcome = self.once(source, &held).await;
            let wait = match &outcome {
                Err((table, error)) if self.may_be_tried_again(source, error, &held) => {
                    waits.next().map(|wait| (*wait, format!("{}.{}: {}", source.name, table.name, error.message())))
                }
                _ => None,
            };
            if let Some((wait, why)) = wait {
                self.observer.event(Event::Note(format!("{why}; trying again in {} s", wait.as_secs())));
                tokio::time::sleep(wait).await;
                continue;
            }
            let kept = held.pass_on().await;
            return match (outcome, first) {
                (Ok(tables), Some(first)) => kept.map(|()| tables).map_err(|error| (first, error)),
                (outcome, _) => outcome,
            };
        }
    }

    fn may_be_tried_again(&self, source: &Source, error: &Error, held: &HeldRejects<'_>) -> bool {
        let server = matches!(sources::kind_of(&source.location), Ok(SystemKind::Database))
            || sources::scheme(&source.location) == "sftp";
        server && error.kind() == Kind::Unreachable && held.opened() && held.holds_all()
    }

    async fn once<'s>(
        &self,
        source: &'s Source,
        rejects: &HeldRejects<'_>,
    ) -> Result<Vec<Loaded>, (&'s SourceTable, Error)> {
        let mut tables = Vec::new();
        let Some(first) = source.tables.first() else { return Ok(tables) };
        let system = System::open(source).await.map_err(|error| (first, error))?;
        rejects.open();
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
        rejects: &HeldRejects<'_>,
    ) -> Result<Loaded> {
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
            rejects,
            progress: &|_bytes, more| {
                let rows = read.fetch_add(more, Ordering::Relaxed) + more;
                self.observer.event(Event::SourceProgress { table: &label, rows });
            },
        };
        let loaded = intake::load_table(request).await?;
        if loaded.files.is_empty()
            && let Delivery::Files { pattern, .. } = &table.delivery
        {
            let place = format!("{}/{pattern}", source.location);
            let note = format!("{label}: nothing was ever delivered; no file matches {place}");
            self.observer.event(Event::Note(note));
        }
        for note in &loaded.notes {
            self.observer.event(Event::Note(format!("{label}: {note}")));
        }
        self.observer.event(Event::SourceDone {
            table: &label,
            rows: loaded.rows,
            rejects: loaded.rejects,
            files: match table.delivery {
                Delivery::Files { .. } => loaded.files_read(),
                _ => u64::from(loaded.changed || loaded.rejects > 0),
            },
            relation: match &table.delivery {
                Delivery::Files { .. } => None,
                other => Some(other.words()),
            },
            seconds: began.elapsed().as_secs_f64(),
        });
        Ok(loaded)
    }

    /// A source failed: the rows of the last release stand in, all of them, so that its tables still fit each other.
    fn fall_back(&self, source: &Source, failed: &SourceTable, error: Error, pulled: &mut Pulled) {
        for table in &source.tables {
            let raw = TableName::raw(&source.name, &table.name);
            let known = self.previous.and_then(|r| Some((r.tables.get(&raw)?.clone(), r.loaded.get(&raw)?.clone())));
            let itself = table.name == failed.name;
            let message = if itself { error.to_string() } else { format!("{}.{} failed", source.name, failed.name) };
            pulled.records.push(SourceRecord {
                status: if itself { SourceStatus::Failed } else { SourceStatus::Stale },
                message: Some(message),
                newest: known.as_ref().and_then(|(_, state)| newest(state)),
                ..SourceRecord::unread(self.run_id, &source.name, &table.name)
            });
            match known {
                Some((version, state)) => {
                    pulled.versions.insert(raw.clone(), version);
                    pulled.loaded.insert(raw, state);
                }
                None => pulled.incomplete = true,
            }
        }
        self.observer.event(Event::Note(format!("source {} failed; its tables stay as they were", source.name)));
        pulled.problems.push(error.context(format!("source {}.{}", source.name, failed.name)));
    }
}

impl Pulled {
    pub(super) fn take(&mut self, run_id: &str, source: &Source, table: &SourceTable, loaded: Loaded) {
        self.records.push(SourceRecord {
            files_read: loaded.files_read(),
            files_unchanged: loaded.files_unchanged(),
            rows: loaded.rows,
            rejects: loaded.rejects,
            newest: newest(&loaded.state),
            status: if loaded.changed { SourceStatus::Done } else { SourceStatus::Unchanged },
            ..SourceRecord::unread(run_id, &source.name, &table.name)
        });
        let raw = TableName::raw(&source.name, &table.name);
        self.versions.insert(raw.clone(), loaded.version);
        self.loaded.insert(raw, loaded.state);
    }
}
