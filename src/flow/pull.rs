//! Sources into `raw.*`: only files that are new or changed, and a source wholly or not at all.

use super::issue::newest;
use super::{Event, Observer};
use crate::contract::{Delivery, Source, SourceTable, TableName};
use crate::sources::System;
use crate::error::{Error, Problems, Result};
use crate::history::{SourceRecord, SourceStatus};
use crate::intake::{self, LoadRequest, Loaded, RejectSink};
use crate::lake::{Lake, LoadState, Release, TableVersion};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

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

    async fn source<'s>(&self, source: &'s Source) -> Result<Vec<Loaded>, (&'s SourceTable, Error)> {
        let mut tables = Vec::new();
        let Some(first) = source.tables.first() else { return Ok(tables) };
        let system = System::open(source).await.map_err(|error| (first, error))?;
        for table in &source.tables {
            tables.push(self.table(&system, source, table).await.map_err(|error| (table, error))?);
        }
        Ok(tables)
    }

    async fn table(&self, system: &System, source: &Source, table: &SourceTable) -> Result<Loaded> {
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
            rejects: self.rejects,
            progress: &|_bytes, more| {
                let rows = read.fetch_add(more, Ordering::Relaxed) + more;
                self.observer.event(Event::SourceProgress { table: &label, rows });
            },
        };
        let loaded = intake::load_table(request).await?;
        if loaded.files.is_empty() {
            if let Delivery::Files { pattern, .. } = &table.delivery {
                let place = format!("{}/{pattern}", source.location);
                let note = format!("{label}: nothing was ever delivered; no file matches {place}");
                self.observer.event(Event::Note(note));
            }
        }
        for note in &loaded.notes {
            self.observer.event(Event::Note(format!("{label}: {note}")));
        }
        self.observer.event(Event::SourceDone {
            table: &label,
            rows: loaded.rows,
            rejects: loaded.rejects,
            files: loaded.files_read(),
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
    fn take(&mut self, run_id: &str, source: &Source, table: &SourceTable, loaded: Loaded) {
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
