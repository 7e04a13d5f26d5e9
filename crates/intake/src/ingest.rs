//! Rows from readers to data files: read and converted on blocking threads, merged and written by the caller's task, a
//! few batches behind.

use super::context::LoadContext;
use super::convert::{ConvertedBatch, Converter, Origin};
use super::diff::Diff;
use super::duplicates::Duplicates;
use super::key_index::cursor_values;
use super::output::Output;
use super::rejects::{Tally, reject_runs};
use super::warnings::ValueWarning;
use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use perennial_core::error::{Error, Result};
use perennial_lake::{DataFile, LoadedFile};
use perennial_sources::{RowReader, TextReader, TypedReader};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::sync::mpsc;

/// Batches between the reading threads and the writing task.
const BATCHES_AHEAD: usize = 3;

/// Opens a reader, on the thread that will read.
pub(crate) type Open = Box<dyn FnOnce() -> Result<RowReader> + Send>;

/// What is read together: one file, one relation, or the pages of one path.
pub(crate) struct Input {
    /// The value of `_file`.
    pub(crate) label: String,
    /// Readers that share the work.
    pub(crate) readers: Vec<Open>,
    /// All fields are known from the start, so that a column can be missing as a whole.
    pub(crate) has_header: bool,
    /// Size, for progress; 0 when unknown.
    pub(crate) bytes: u64,
}

/// What became of an input.
#[derive(Default)]
pub(crate) struct LoadStats {
    pub(crate) data_files: Vec<DataFile>,
    /// The reader's identification of the content: the hash of a file, the resume token of a service.
    pub(crate) content_id: Option<String>,
    /// The greatest value of the time column.
    pub(crate) newest: Option<String>,
    /// The greatest value of the load's cursor.
    pub(crate) cursor: Option<i64>,
    /// Rows that conform to the contract.
    pub(crate) rows: u64,
    /// Those of them that were written.
    pub(crate) written: u64,
    pub(crate) rejects: u64,
    pub(crate) accepted: Vec<String>,
    pub(crate) missing: Vec<String>,
    pub(crate) ignored: Vec<String>,
    /// Names of fields and the system's names of their types.
    pub(crate) types: Vec<(String, String)>,
    /// Suspicious values.
    pub(crate) warnings: Vec<ValueWarning>,
    /// Differences between total rows and the rows they sum up.
    pub(crate) totals: Vec<String>,
    /// Rows whose key an earlier row has.
    pub(crate) duplicates: Duplicates,
    /// Notes of the reader.
    pub(crate) remarks: Vec<String>,
}

/// A message of a reading thread.
struct Piece {
    converted: ConvertedBatch,
    /// Bytes of the input read so far.
    bytes: u64,
}

/// Reads an input into data files; with a diff, only the rows that are new or changed. Nothing refers to what was
/// written when it fails.
pub(crate) async fn ingest(
    context: &LoadContext<'_>,
    input: Input,
    accepted: &[String],
    tally: &mut Tally<'_>,
    mut diff: Option<&mut Diff>,
) -> Result<LoadStats> {
    let (sender, mut pieces) = mpsc::channel(BATCHES_AHEAD);
    let lines = Arc::new(AtomicU64::new(0));
    let mut threads = Vec::new();
    for open in input.readers {
        let origin = Origin::of(context, &input.label);
        let converter = Converter::new(context.table.clone(), origin, accepted, lines.clone())?;
        let (sender, has_header) = (sender.clone(), input.has_header);
        threads.push(tokio::task::spawn_blocking(move || match open()? {
            RowReader::Text(reader) => read_text(reader, has_header, converter, &sender),
            RowReader::Typed(reader) => read_typed(reader, converter, &sender),
        }));
    }
    drop(sender);
    let mut out = Output::new(context);
    let mut stats = LoadStats::default();
    let cursor = context.table.load.cursor();
    let (rows_before, rejects_before) = (tally.accepted(), tally.rejected());
    let mut bytes = 0;
    while let Some(Piece { converted: ConvertedBatch { mut batch, mut rejects, rejected }, bytes: reached }) =
        pieces.recv().await
    {
        stats.cursor = stats.cursor.max(greatest_cursor(&batch, &cursor, context.now));
        let read = (batch.num_rows() + rejects.len()) as u64;
        if let Some(diff) = &mut diff {
            diff.note_rejected(rejected.as_ref(), rejects.len())?;
            let (passed, repeated) = diff.filter(context.source, context.table, &batch)?;
            rejects.extend(repeated);
            batch = passed;
        }
        let counted = tally.count(read - rejects.len() as u64, &rejects);
        (context.progress)(reached.saturating_sub(bytes), read);
        bytes = bytes.max(reached);
        if !rejects.is_empty() {
            context.rejects.keep(rejects).await?;
        }
        counted?;
        stats.written += batch.num_rows() as u64;
        out.write(batch).await?;
    }
    for (i, thread) in threads.into_iter().enumerate() {
        let end = thread.await.map_err(|e| Error::bug(format!("reading `{}` stopped: {e}", input.label)))??;
        stats.take(end, i == 0);
    }
    (context.progress)(input.bytes.saturating_sub(bytes), 0);
    stats.data_files = out.finish().await?;
    stats.duplicates = diff.map(Diff::take_duplicates).unwrap_or_default();
    stats.rows = tally.accepted() - rows_before;
    stats.rejects = tally.rejected() - rejects_before;
    Ok(stats)
}

impl LoadStats {
    /// The file as the lake remembers it: `bytes` long, with this tag, read by this run.
    pub(crate) fn loaded_file(&self, bytes: u64, tag: String, run_id: &str) -> LoadedFile {
        LoadedFile {
            bytes,
            tag,
            rows: self.written,
            rejects: self.rejects,
            newest: self.newest.clone(),
            data_files: self.data_files.iter().map(|file| file.path.clone()).collect(),
            run_id: run_id.to_string(),
            reject_runs: reject_runs(&[], run_id, self.rejects),
            ..LoadedFile::default()
        }
    }

    /// Adds what one reader knows at its end. Readers that share the work have the same fields.
    fn take(&mut self, end: LoadStats, first: bool) {
        self.newest = self.newest.take().max(end.newest.clone());
        ValueWarning::merge(&mut self.warnings, &end.warnings);
        if first {
            let LoadStats { content_id, accepted, missing, ignored, types, totals, remarks, .. } = end;
            (self.content_id, self.accepted, self.missing, self.ignored, self.types, self.totals) =
                (content_id, accepted, missing, ignored, types, totals);
            self.remarks = remarks;
        }
    }
}

/// The greatest cursor of the rows of a batch, as a number; of a row the greatest of its columns counts. Values in the
/// future do not count: a database does not take them as a watermark either, or nothing would be read after them.
fn greatest_cursor(batch: &RecordBatch, columns: &[String], now: jiff::Timestamp) -> Option<i64> {
    let arrays: Vec<_> = columns.iter().filter_map(|name| batch.column_by_name(name)).collect();
    let tomorrow = now.as_second() + 86_400;
    let max = match arrays.first()?.data_type() {
        DataType::Date32 => tomorrow.div_euclid(86_400),
        DataType::Timestamp(_, _) => tomorrow.saturating_mul(1_000_000),
        _ => i64::MAX,
    };
    let values: Vec<Vec<Option<i64>>> = arrays.into_iter().map(cursor_values).collect();
    let of_row = |row: usize| values.iter().filter_map(|column| column[row]).max();
    (0..batch.num_rows()).filter_map(of_row).filter(|cursor| *cursor <= max).max()
}

fn read_text(
    mut reader: Box<dyn TextReader>,
    has_header: bool,
    mut converter: Converter,
    out: &mpsc::Sender<Piece>,
) -> Result<LoadStats> {
    converter.bind(reader.fields())?;
    if has_header {
        converter.check_missing(|name| reader.hint_for_missing(name), reader.fields())?;
    }
    let mut bound = reader.fields().len();
    loop {
        // New fields of JSON are known only after the rows that bring them; their names end the list.
        let Some(rows) = reader.next_rows()? else { break };
        if rows.fields().len() > bound {
            bound = rows.fields().len();
            converter.bind(rows.fields())?;
        }
        let converted = converter.convert_text(&rows)?;
        if out.blocking_send(Piece { converted, bytes: reader.bytes() }).is_err() {
            // The other side failed and says why.
            break;
        }
    }
    let content_id = if out.is_closed() { None } else { reader.finish()? };
    Ok(LoadStats { remarks: reader.remarks(), ..finish(converter, content_id, Vec::new())? })
}

fn read_typed(
    mut reader: Box<dyn TypedReader>,
    mut converter: Converter,
    out: &mpsc::Sender<Piece>,
) -> Result<LoadStats> {
    let fields = reader.fields().to_vec();
    converter.bind(&fields)?;
    converter.check_missing(|_| None, &fields)?;
    while let Some(rows) = reader.next_rows()? {
        let converted = converter.convert_typed(&rows)?;
        if out.blocking_send(Piece { converted, bytes: 0 }).is_err() {
            break;
        }
    }
    let types = fields.into_iter().zip(reader.types().iter().cloned()).collect();
    let content_id = if out.is_closed() { None } else { reader.finish()? };
    finish(converter, content_id, types)
}

fn finish(mut converter: Converter, content_id: Option<String>, types: Vec<(String, String)>) -> Result<LoadStats> {
    Ok(LoadStats {
        content_id,
        types,
        totals: converter.finish_totals()?,
        warnings: converter.warnings(),
        newest: converter.newest(),
        accepted: converter.accepted(),
        missing: converter.missing(),
        ignored: converter.ignored,
        ..LoadStats::default()
    })
}
