//! Replay of rejects: the current contract is applied to the stored rows, each exactly once.
//!
//! A row that is accepted counts as read when it was rejected: it has that `_loaded_at`, so that it never supersedes
//! what was read since. In a table that is merged by key, a key that was read later closes its reject without its row.
//! Which rejects are closed is part of the release that publishes the rows.

use super::context::LoadContext;
use super::convert::{ConvertedBatch, Converter, Origin};
use super::key_index::{Hasher, Key};
use super::output::Output;
use super::{LoadOutcome, LoadRequest, raw_schema, rejects};
use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use futures::TryStreamExt;
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Result};
use perennial_lake::{DataFile, LoadState, LoadedFile, TableVersion};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// A rejected row as it was stored.
#[derive(Clone, Debug)]
pub struct RejectedRow {
    /// The run that rejected it.
    pub run_id: String,
    /// When that run read it.
    pub loaded_at: jiff::Timestamp,
    /// The file.
    pub file: String,
    /// The line or row in it.
    pub line: u64,
    /// Its fields as a JSON object of texts.
    pub row: String,
}

impl RejectedRow {
    /// Identifies it among the rejects of its table.
    pub fn id(&self) -> String {
        reject_id(&self.run_id, self.line, &self.file)
    }
}

/// Identifies a reject among those of its table.
pub fn reject_id(run_id: &str, line: u64, file: &str) -> String {
    format!("{run_id}/{line}/{file}")
}

/// What became of a replay.
#[derive(Debug)]
pub struct ReplayOutcome {
    /// The table with the accepted rows.
    pub loaded: LoadOutcome,
    /// Rows accepted.
    pub accepted: u64,
    /// Rejects closed because their key has been read since.
    pub superseded: u64,
    /// Rows rejected again, each with its place and reason.
    pub rejected: Vec<String>,
}

/// Applies the contract to rejected rows of one table.
///
/// # Errors
/// Of kind `Data` when a stored row is not a JSON object, otherwise as [`super::load_table`].
pub async fn replay_table(request: &LoadRequest<'_>, rows: &[RejectedRow]) -> Result<ReplayOutcome> {
    let Some((version, state)) = request.previous else {
        return Err(Error::project(format!("{} has not been loaded yet", request.table.name)));
    };
    let table = Arc::new(request.table.clone());
    let target = TableName::raw(&request.source.name, &request.table.name);
    let context = request.context(&target, &table);
    let mut replay = Replay {
        last_read: match table.load.merges() && !table.key.is_empty() {
            true => Some(last_read(request, version, state).await?),
            false => None,
        },
        context,
        version,
        state: state.clone(),
        data_files: Vec::new(),
        accepted: 0,
        superseded: 0,
        rejected: Vec::new(),
    };
    let mut by_read: BTreeMap<(jiff::Timestamp, &str, &str), Vec<&RejectedRow>> = BTreeMap::new();
    for row in rows {
        by_read.entry((row.loaded_at, &row.run_id, &row.file)).or_default().push(row);
    }
    // The newest first: of two rejected versions of a row it counts, and the older one has been read again since.
    for rows in by_read.values().rev() {
        replay.take(rows).await?;
    }
    Ok(replay.finish(request))
}

/// When each key was read last, in microseconds since 1970.
async fn last_read(request: &LoadRequest<'_>, version: &TableVersion, state: &LoadState) -> Result<(Hasher, LastRead)> {
    let schema = raw_schema(request.table, &state.accepted_columns);
    let columns: Vec<String> = request.table.columns.iter().map(|column| column.name.clone()).collect();
    let mut hasher = Hasher::new(&schema, &request.table.key, &columns)?;
    let mut wanted = request.table.key.clone();
    wanted.push("_loaded_at".to_string());
    let mut last = LastRead::new();
    for file in &version.files {
        let mut rows = request.lake.rows(file, &wanted).await?;
        while let Some(batch) = rows.try_next().await? {
            let Some(loaded) = batch.column_by_name("_loaded_at") else { continue };
            let loaded = loaded.as_primitive::<TimestampMicrosecondType>();
            for (key, time) in hasher.keys(&batch)?.into_iter().zip(loaded.values()) {
                let latest = last.entry(key).or_insert(*time);
                *latest = (*latest).max(*time);
            }
        }
    }
    Ok((hasher, last))
}

type LastRead = HashMap<Key, i64>;

struct Replay<'a> {
    context: LoadContext<'a>,
    last_read: Option<(Hasher, LastRead)>,
    version: &'a TableVersion,
    state: LoadState,
    data_files: Vec<DataFile>,
    accepted: u64,
    superseded: u64,
    rejected: Vec<String>,
}

impl Replay<'_> {
    /// Replays the rows of one file that one run rejected.
    async fn take(&mut self, rows: &[&RejectedRow]) -> Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        let origin = Origin { loaded_at: first.loaded_at, ..Origin::of(&self.context, &first.file) };
        let mut converter =
            Converter::new(self.context.table.clone(), origin, &self.state.accepted_columns, Arc::default())?;
        let (batch, native) = as_batch(rows)?;
        let fields: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        converter.bind(&fields)?;
        let lines = rows.iter().map(|row| row.line as i64).collect();
        let ConvertedBatch { batch, rejects, .. } = converter.convert_rows(lines, batch, &native)?;
        for reject in &rejects {
            self.rejected.push(rejects::describe(reject));
        }
        let read: BTreeSet<u64> = batch
            .column_by_name("_line")
            .map(|c| c.as_primitive::<Int64Type>().values().iter().map(|l| *l as u64).collect())
            .unwrap_or_default();
        let batch = self.not_read_since(batch, first.loaded_at.as_microsecond())?;
        let accepted = batch.num_rows() as u64;
        self.accepted += accepted;
        self.superseded += read.len() as u64 - accepted;
        self.state.replayed.extend(rows.iter().filter(|row| read.contains(&row.line)).map(|row| row.id()));
        let mut out = Output::new(&self.context);
        out.write(batch).await?;
        let data_files = out.finish().await?;
        // It may have another name by now, and another file may have its name.
        let is_read = |path: &String, file: &LoadedFile| {
            file.name(path) == first.file && LoadState::open_runs(file).contains(&first.run_id)
        };
        if let Some((_, file)) = self.state.files.iter_mut().find(|(path, file)| is_read(path, file)) {
            file.rows += accepted;
            file.rejects = file.rejects.saturating_sub(read.len() as u64);
            file.data_files.extend(data_files.iter().map(|file| file.path.clone()));
        }
        self.data_files.extend(data_files);
        self.state.accepted_columns = converter.accepted();
        Ok(())
    }

    /// The rows whose key was not read since. (What was read in the same load says that the key was deleted or
    /// duplicate.)
    fn not_read_since(&mut self, batch: RecordBatch, rejected_at: i64) -> Result<RecordBatch> {
        let Some((hasher, last_read)) = &mut self.last_read else { return Ok(batch) };
        let mut passes = Vec::with_capacity(batch.num_rows());
        for key in hasher.keys(&batch)? {
            passes.push(last_read.get(&key).is_none_or(|time| *time <= rejected_at));
            // Once a version is accepted, older ones are not.
            let time = last_read.entry(key).or_insert(rejected_at);
            *time = (*time).max(rejected_at.saturating_add(1));
        }
        Ok(filter_record_batch(&batch, &BooleanArray::from(passes))?)
    }

    fn finish(self, request: &LoadRequest<'_>) -> ReplayOutcome {
        let changed = self.accepted + self.superseded > 0;
        let mut version = self.version.clone();
        if self.accepted > 0 {
            version.schema = raw_schema(request.table, &self.state.accepted_columns);
            version.files.extend(self.data_files);
            version.fingerprint = format!("{}+{}", version.fingerprint, request.run_id);
            version.changed_in = 0;
        }
        let rejects = self.rejected.len() as u64;
        let loaded = LoadOutcome {
            version,
            state: self.state,
            files: Vec::new(),
            notes: Vec::new(),
            rows: self.accepted,
            rejects,
            changed,
        };
        ReplayOutcome { loaded, accepted: self.accepted, superseded: self.superseded, rejected: self.rejected }
    }
}

/// Stored rows as a batch of texts with all their fields; and for every field, which of its texts were numbers of a
/// workbook.
fn as_batch(rows: &[&RejectedRow]) -> Result<(RecordBatch, Vec<Vec<bool>>)> {
    type Fields = serde_json::Map<String, serde_json::Value>;
    let parse = |row: &&RejectedRow| {
        serde_json::from_str::<Fields>(&row.row).map_err(|e| {
            Error::data(format!("the stored row of `{}` line {} is not a JSON object: {e}", row.file, row.line))
        })
    };
    let rows = rows.iter().map(parse).collect::<Result<Vec<Fields>>>()?;
    let mut names: Vec<&String> = Vec::new();
    for name in rows.iter().flat_map(Fields::keys) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let column = |name: &&String| {
        let texts: StringArray = rows.iter().map(|row| row.get(*name).and_then(text)).collect();
        (name.to_string(), Arc::new(texts) as ArrayRef, true)
    };
    let is_number = |name: &&String| {
        rows.iter().map(|row| row.get(*name).is_some_and(serde_json::Value::is_number)).collect::<Vec<bool>>()
    };
    let native = names.iter().map(is_number).collect();
    Ok((RecordBatch::try_from_iter_with_nullable(names.iter().map(column))?, native))
}
