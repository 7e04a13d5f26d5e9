//! Replay: rejected rows are tried again, in a run that reads nothing else.

use super::Event;
use super::pull::{Pull, PullOutcome};
use super::reader::Reader;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use perennial_core::contract::{Source, SourceTable, TableName};
use perennial_core::error::{Error, Result, expected};
use perennial_engine::literal;
use perennial_intake::{LoadRequest, RejectedRow, ReplayOutcome};
use perennial_lake::Release;
use perennial_lake::history::SourceRecord;
use perennial_project::Pipeline;
use perennial_sources::System;
use std::collections::{BTreeMap, BTreeSet};

/// Which rejected rows are tried again.
#[derive(Clone, Debug, Default)]
pub struct ReplayRequest {
    /// Only of this source.
    pub source: Option<String>,
    /// Only of this table of the source.
    pub table: Option<String>,
    /// Corrected values, each for one that was rejected.
    pub corrections: Vec<Correction>,
}

impl ReplayRequest {
    /// The one pipeline of several that reads the source, or the sources of the corrections where none is named.
    pub(super) fn pipeline<'a>(&self, pipelines: &'a [Pipeline]) -> Result<&'a Pipeline> {
        let sources: BTreeSet<&String> = match &self.source {
            Some(source) => BTreeSet::from([source]),
            None => self.corrections.iter().map(|correction| &correction.source).collect(),
        };
        let reads = |pipeline: &&Pipeline| sources.iter().all(|name| pipeline.sources.contains(*name));
        let reading: Vec<&Pipeline> = pipelines.iter().filter(reads).collect();
        let names: Vec<&str> = reading.iter().map(|pipeline| pipeline.name.as_str()).collect();
        let quoted: Vec<String> = sources.iter().map(|source| format!("`{source}`")).collect();
        match (reading.as_slice(), quoted.as_slice()) {
            ([only], _) => Ok(only),
            ([], [source]) => Err(Error::project(format!("no pipeline reads a source {source}"))),
            ([], _) => Err(Error::project(format!("no pipeline reads all of the sources {}", quoted.join(", ")))
                .hint("replay one source after the other, with `--source`")),
            (_, []) => Err(Error::project("the project has several pipelines, and none is named")
                .hint(format!("{}, with `--pipeline`, or name a source with `--source`", expected(&names)))),
            (_, [source]) => Err(Error::project(format!("several pipelines read the source {source}"))
                .hint(format!("{}, with `--pipeline`", expected(&names)))),
            _ => Err(Error::project(format!("several pipelines read the sources {}", quoted.join(", ")))
                .hint(format!("{}, with `--pipeline`", expected(&names)))),
        }
    }
}

/// A rejected value that somebody corrected.
#[derive(Clone, Debug)]
pub struct Correction {
    /// The run that rejected it.
    pub run_id: String,
    /// The source.
    pub source: String,
    /// Its table.
    pub table: String,
    /// The file.
    pub file: String,
    /// The line.
    pub line: u64,
    /// The correct value; `None` for no value.
    pub value: Option<String>,
}

/// What became of the rows of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ReplayCounts {
    /// Rows accepted now.
    pub accepted: u64,
    /// Rows rejected again.
    pub rejected: u64,
    /// Rejects closed because their rows have been read again since.
    pub superseded: u64,
}

impl Pull<'_> {
    /// Tries rejected rows again; everything else stays as the previous release has it.
    pub async fn replay(
        &self,
        sources: &[&Source],
        request: &ReplayRequest,
        reader: &Reader,
    ) -> Result<(PullOutcome, ReplayCounts)> {
        let mut pulled = PullOutcome::default();
        let mut counts = ReplayCounts::default();
        let previous = self.previous.ok_or_else(super::reader::nothing_published)?;
        check_names(sources, request)?;
        for source in sources {
            for table in &source.tables {
                let asked = request.source.as_ref().is_none_or(|name| *name == source.name)
                    && request.table.as_ref().is_none_or(|name| *name == table.name);
                let rows = match asked {
                    true => open_rows(reader, source, table, &request.corrections).await?,
                    false => Vec::new(),
                };
                if rows.is_empty() {
                    self.leave(source, table, previous, &mut pulled);
                    continue;
                }
                let replayed = self.replay_table(source, table, &rows).await?;
                counts.accepted += replayed.accepted;
                counts.superseded += replayed.superseded;
                counts.rejected += replayed.rejected.len() as u64;
                self.report(source, table, &replayed);
                pulled.add(self.run_id, source, table, replayed.loaded);
            }
        }
        Ok((pulled, counts))
    }

    /// Records that nothing of a table was read; like all that a run does not touch, it is carried over.
    fn leave(&self, source: &Source, table: &SourceTable, previous: &Release, pulled: &mut PullOutcome) {
        let Some(state) = previous.loaded.get(&TableName::raw(&source.name, &table.name)) else { return };
        pulled.records.push(SourceRecord {
            newest: super::issue::newest(state),
            ..SourceRecord::unread(self.run_id, &source.name, &table.name)
        });
    }

    async fn replay_table(&self, source: &Source, table: &SourceTable, rows: &[RejectedRow]) -> Result<ReplayOutcome> {
        let raw = TableName::raw(&source.name, &table.name);
        let previous = self.previous.and_then(|r| Some((r.tables.get(&raw)?, r.loaded.get(&raw)?)));
        let request = LoadRequest {
            system: &System::Nothing,
            source,
            table,
            previous,
            lake: self.lake,
            run_id: self.run_id,
            now: self.now,
            max_data_files: 0,
            rejects: self.rejects,
            progress: &|_, _| {},
        };
        perennial_intake::replay_table(&request, rows).await
    }

    fn report(&self, source: &Source, table: &SourceTable, replayed: &ReplayOutcome) {
        let label = format!("{}.{}", source.name, table.name);
        let (accepted, again, closed) = (replayed.accepted, replayed.rejected.len(), replayed.superseded);
        let note = format!("{label}: {accepted} accepted, {again} rejected again, {closed} read again since");
        self.observer.event(Event::Note(note));
        for reason in replayed.rejected.iter().take(3) {
            self.observer.event(Event::Note(format!("{label}: still rejected: {reason}")));
        }
    }
}

fn check_names(sources: &[&Source], request: &ReplayRequest) -> Result<()> {
    let Some(name) = &request.source else { return Ok(()) };
    let known = sources.iter().map(|source| source.name.as_str());
    let source = sources.iter().find(|source| source.name == *name);
    let source = source.ok_or_else(|| Error::project(format!("unknown source `{name}`")).suggest(name, known))?;
    let Some(table) = &request.table else { return Ok(()) };
    let known: Vec<&str> = source.tables.iter().map(|table| table.name.as_str()).collect();
    if known.contains(&table.as_str()) {
        return Ok(());
    }
    Err(Error::project(format!("source `{name}` has no table `{table}`")).suggest(table, known))
}

/// The open rejects of a table whose rows were kept, with their corrections.
async fn open_rows(
    reader: &Reader,
    source: &Source,
    table: &SourceTable,
    corrections: &[Correction],
) -> Result<Vec<RejectedRow>> {
    let sql = format!(
        "SELECT r.run_id, r.file, r.line, r.column_name, r.row, u.started_at \
         FROM (SELECT * FROM system.rejects WHERE source = {} AND table_name = {} AND {}) r \
         JOIN system.runs u ON u.run_id = r.run_id WHERE r.row IS NOT NULL ORDER BY r.run_id, r.file, r.line",
        literal(&source.name),
        literal(&table.name),
        reader.open_rejects()
    );
    let mut rows = Vec::new();
    for batch in reader.query(&sql, None).await? {
        for row in 0..batch.num_rows() {
            rows.push(refused_row(&batch, row, source, table, corrections)?);
        }
    }
    Ok(rows)
}

fn refused_row(
    batch: &RecordBatch,
    row: usize,
    source: &Source,
    table: &SourceTable,
    corrections: &[Correction],
) -> Result<RejectedRow> {
    let text = |column: usize| {
        let column = batch.column(column);
        let shown = ArrayFormatter::try_new(column, &FormatOptions::default())?;
        Ok::<_, Error>(column.is_valid(row).then(|| shown.value(row).to_string()))
    };
    let started = batch.column(5).as_primitive::<TimestampMicrosecondType>().value(row);
    let mut refused = RejectedRow {
        run_id: text(0)?.unwrap_or_default(),
        file: text(1)?.unwrap_or_default(),
        line: batch.column(2).as_primitive::<Int64Type>().value(row) as u64,
        row: text(4)?.unwrap_or_default(),
        loaded_at: jiff::Timestamp::from_microsecond(started).unwrap_or(jiff::Timestamp::UNIX_EPOCH),
    };
    let correction = corrections.iter().find(|c| {
        (&c.run_id, &c.source, &c.table, &c.file, c.line)
            == (&refused.run_id, &source.name, &table.name, &refused.file, refused.line)
    });
    if let (Some(correction), Some(column)) = (correction, text(3)?) {
        let from = table.columns.iter().find(|c| c.name == column).map_or(column.clone(), |c| c.from.clone());
        let mut fields: BTreeMap<String, Option<String>> = serde_json::from_str(&refused.row).map_err(|e| {
            Error::data(format!("the stored row of `{}` line {} is not a JSON object: {e}", refused.file, refused.line))
        })?;
        fields.insert(from, correction.value.clone());
        refused.row =
            serde_json::to_string(&fields).map_err(|e| Error::bug(format!("cannot write a row as JSON: {e}")))?;
    }
    Ok(refused)
}
