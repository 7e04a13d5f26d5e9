//! Refused rows taken after all, as a run that reads nothing else.

use super::Event;
use super::pull::{Pull, Pulled};
use super::reader::Reader;
use crate::contract::{Source, SourceTable, TableName};
use crate::engine::literal;
use crate::error::{Error, Result};
use crate::history::SourceRecord;
use crate::intake::{self, LoadRequest, RefusedRow, Replayed};
use crate::lake::Release;
use crate::sources::System;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::collections::BTreeMap;

/// Which refused rows are tried again.
#[derive(Clone, Debug, Default)]
pub struct ReplayRequest {
    /// Only of this source.
    pub source: Option<String>,
    /// Only of this table of the source.
    pub table: Option<String>,
    /// Values that people put right, each instead of the one that was refused.
    pub corrections: Vec<Correction>,
}

/// A refused value that somebody put right.
#[derive(Clone, Debug)]
pub struct Correction {
    /// The run that refused it.
    pub run_id: String,
    /// The source.
    pub source: String,
    /// Its table.
    pub table: String,
    /// The file.
    pub file: String,
    /// The line.
    pub line: u64,
    /// The value as it should have been; `None` for no value.
    pub value: Option<String>,
}

/// What a replay did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ReplayCounts {
    /// Rows taken.
    pub taken: u64,
    /// Rows refused again.
    pub refused: u64,
    /// Rejects closed because their rows have been read since.
    pub superseded: u64,
}

impl Pull<'_> {
    /// Tries refused rows again; what the last release holds of all sources stands beside them.
    pub async fn replay(
        &self,
        sources: &[&Source],
        request: &ReplayRequest,
        reader: &Reader,
    ) -> Result<(Pulled, ReplayCounts)> {
        let mut pulled = Pulled::default();
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
                    self.stand(source, table, previous, &mut pulled);
                    continue;
                }
                let replayed = self.replay_table(source, table, &rows).await?;
                counts.taken += replayed.taken;
                counts.superseded += replayed.superseded;
                counts.refused += replayed.refused.len() as u64;
                self.tell(source, table, &replayed);
                pulled.take(self.run_id, source, table, replayed.loaded);
            }
        }
        Ok((pulled, counts))
    }

    /// The rows of the last release.
    fn stand(&self, source: &Source, table: &SourceTable, previous: &Release, pulled: &mut Pulled) {
        let raw = TableName::raw(&source.name, &table.name);
        let (Some(version), Some(state)) = (previous.tables.get(&raw), previous.loaded.get(&raw)) else { return };
        pulled.records.push(SourceRecord {
            newest: super::issue::newest(state),
            ..SourceRecord::unread(self.run_id, &source.name, &table.name)
        });
        pulled.versions.insert(raw.clone(), version.clone());
        pulled.loaded.insert(raw, state.clone());
    }

    async fn replay_table(&self, source: &Source, table: &SourceTable, rows: &[RefusedRow]) -> Result<Replayed> {
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
            rejects: self.rejects,
            progress: &|_, _| {},
        };
        intake::replay_table(&request, rows).await
    }

    fn tell(&self, source: &Source, table: &SourceTable, replayed: &Replayed) {
        let label = format!("{}.{}", source.name, table.name);
        let (taken, again, closed) = (replayed.taken, replayed.refused.len(), replayed.superseded);
        let note = format!("{label}: {taken} refused rows taken, {again} refused again, {closed} read again since");
        self.observer.event(Event::Note(note));
        for reason in replayed.refused.iter().take(3) {
            self.observer.event(Event::Note(format!("{label}: still refused: {reason}")));
        }
    }
}

fn check_names(sources: &[&Source], request: &ReplayRequest) -> Result<()> {
    let Some(name) = &request.source else { return Ok(()) };
    let known = sources.iter().map(|source| source.name.as_str());
    let source = sources.iter().find(|source| source.name == *name);
    let source = source.ok_or_else(|| Error::project(format!("no source `{name}`")).suggest(name, known))?;
    let Some(table) = &request.table else { return Ok(()) };
    let known: Vec<&str> = source.tables.iter().map(|table| table.name.as_str()).collect();
    if known.contains(&table.as_str()) {
        return Ok(());
    }
    Err(Error::project(format!("source `{name}` has no table `{table}`")).suggest(table, known))
}

/// Open rejects of a table whose rows were kept, with what people put right.
async fn open_rows(
    reader: &Reader,
    source: &Source,
    table: &SourceTable,
    corrections: &[Correction],
) -> Result<Vec<RefusedRow>> {
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
) -> Result<RefusedRow> {
    let text = |column: usize| {
        let column = batch.column(column);
        let shown = ArrayFormatter::try_new(column, &FormatOptions::default())?;
        Ok::<_, Error>(column.is_valid(row).then(|| shown.value(row).to_string()))
    };
    let started = batch.column(5).as_primitive::<TimestampMicrosecondType>().value(row);
    let mut refused = RefusedRow {
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
        let mut fields: BTreeMap<String, Option<String>> = serde_json::from_str(&refused.row)
            .map_err(|e| Error::data(format!("the row kept of `{}` is no JSON object: {e}", refused.file)))?;
        fields.insert(from, correction.value.clone());
        refused.row = serde_json::to_string(&fields).map_err(|e| Error::bug(format!("a row as JSON: {e}")))?;
    }
    Ok(refused)
}
