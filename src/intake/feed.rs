//! Rows from readers to data files: read and converted on blocking threads, compared and written by the caller's task, a
//! few batches apart.

use super::comparison::Comparison;
use super::convert::{Converted, Converter, Origin};
use super::known::numbers;
use super::rejects::{RejectSink, Tally};
use super::remarks::Remark;
use crate::contract::{SourceTable, TableName};
use crate::error::{Error, Result};
use crate::lake::{DataFile, DataFileWriter, DataFiles};
use crate::sources::{RowReader, TextReader, TypedReader};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Batches between the threads that read and the task that writes.
const BATCHES_AHEAD: usize = 3;

/// Opens a reader, on the thread that will read.
pub(super) type Open = Box<dyn FnOnce() -> Result<RowReader> + Send>;

/// What does not change within one load.
pub(super) struct Feed<'a> {
    pub(super) lake: &'a dyn DataFiles,
    pub(super) target: &'a TableName,
    pub(super) source: &'a str,
    pub(super) table: &'a Arc<SourceTable>,
    pub(super) run_id: &'a str,
    pub(super) now: jiff::Timestamp,
    pub(super) rejects: &'a dyn RejectSink,
    pub(super) progress: &'a (dyn Fn(u64, u64) + Send + Sync),
}

/// What is read together: one file, relation or run of pages.
pub(super) struct Input {
    /// What stands in `_file`.
    pub(super) label: String,
    /// Readers that share the work.
    pub(super) readers: Vec<Open>,
    /// All its fields are known from the start, so that a promised one can be missing as a whole.
    pub(super) has_header: bool,
    /// Its size, for progress; 0 where nobody knows.
    pub(super) bytes: u64,
}

/// What became of it.
#[derive(Default)]
pub(super) struct Fed {
    pub(super) data_files: Vec<DataFile>,
    /// What the reader says of its content: a file's hash, a service's token.
    pub(super) sign: Option<String>,
    /// The greatest value of the time column.
    pub(super) newest: Option<String>,
    /// The greatest value of the load's cursor.
    pub(super) cursor: Option<i64>,
    /// Rows that keep the contract.
    pub(super) rows: u64,
    /// Those of them that were written.
    pub(super) written: u64,
    pub(super) rejects: u64,
    pub(super) accepted: Vec<String>,
    pub(super) missing: Vec<String>,
    pub(super) ignored: Vec<String>,
    /// Names of fields and the system's names of their types.
    pub(super) types: Vec<(String, String)>,
    /// What a person should know of values.
    pub(super) remarks: Vec<Remark>,
    /// What a person should know of total rows.
    pub(super) totals: Vec<String>,
}

/// What a reading thread says.
struct Piece {
    converted: Converted,
    /// Bytes of the input read so far.
    bytes: u64,
}

impl Feed<'_> {
    /// Reads an input into data files; with a comparison, only the rows that it lets pass. Nothing refers to what was
    /// written when it fails.
    pub(super) async fn read(
        &self,
        input: Input,
        accepted: &[String],
        tally: &mut Tally<'_>,
        mut comparison: Option<&mut Comparison>,
    ) -> Result<Fed> {
        let (sender, mut pieces) = mpsc::channel(BATCHES_AHEAD);
        let lines = Arc::new(AtomicU64::new(0));
        let mut threads = Vec::new();
        for open in input.readers {
            let converter = Converter::new(self.table.clone(), self.origin(&input.label), accepted, lines.clone())?;
            let (sender, has_header) = (sender.clone(), input.has_header);
            threads.push(tokio::task::spawn_blocking(move || match open()? {
                RowReader::Text(reader) => read_text(reader, has_header, converter, &sender),
                RowReader::Typed(reader) => read_typed(reader, converter, &sender),
            }));
        }
        drop(sender);
        let mut out = Output::new(self);
        let mut fed = Fed::default();
        let cursor = self.table.load.cursor();
        let (rows_before, rejects_before) = (tally.accepted(), tally.refused());
        let mut bytes = 0;
        while let Some(Piece { converted: Converted { mut batch, mut rejects, refused }, bytes: reached }) =
            pieces.recv().await
        {
            fed.cursor = fed.cursor.max(greatest(&batch, &cursor, self.now));
            let read = (batch.num_rows() + rejects.len()) as u64;
            if let Some(comparison) = &mut comparison {
                if let Some(refused) = &refused {
                    comparison.note_refused(refused)?;
                }
                let (passed, repeated) = comparison.sieve(self.source, self.table, &batch)?;
                rejects.extend(repeated);
                batch = passed;
            }
            let counted = tally.count(read - rejects.len() as u64, &rejects);
            (self.progress)(reached.saturating_sub(bytes), read);
            bytes = bytes.max(reached);
            if !rejects.is_empty() {
                self.rejects.keep(rejects).await?;
            }
            counted?;
            fed.written += batch.num_rows() as u64;
            out.write(batch).await?;
        }
        for (i, thread) in threads.into_iter().enumerate() {
            let ending = thread.await.map_err(|e| Error::bug(format!("reading `{}` stopped: {e}", input.label)))??;
            fed.take(ending, i == 0);
        }
        (self.progress)(input.bytes.saturating_sub(bytes), 0);
        fed.data_files = out.finish().await?;
        fed.rows = tally.accepted() - rows_before;
        fed.rejects = tally.refused() - rejects_before;
        Ok(fed)
    }

    pub(super) fn origin(&self, label: &str) -> Origin {
        Origin {
            source: self.source.to_string(),
            file: label.to_string(),
            run_id: self.run_id.to_string(),
            loaded_at: self.now,
        }
    }
}

impl Fed {
    /// Takes what one reader knows at its end. Readers that share the work have the same fields.
    fn take(&mut self, ending: Fed, first: bool) {
        self.newest = self.newest.take().max(ending.newest.clone());
        Remark::gather(&mut self.remarks, &ending.remarks);
        if first {
            let Fed { sign, accepted, missing, ignored, types, totals, .. } = ending;
            (self.sign, self.accepted, self.missing, self.ignored, self.types, self.totals) =
                (sign, accepted, missing, ignored, types, totals);
        }
    }
}

/// The greatest cursor of the rows of a batch, as a number; of a row the greatest of its columns counts. Days and moments
/// in the future do not: a database does not take them for a watermark either, or nothing would be read after them.
fn greatest(batch: &RecordBatch, columns: &[String], now: jiff::Timestamp) -> Option<i64> {
    let arrays: Vec<_> = columns.iter().filter_map(|name| batch.column_by_name(name)).collect();
    let tomorrow = now.as_second() + 86_400;
    let most = match arrays.first()?.data_type() {
        DataType::Date32 => tomorrow.div_euclid(86_400),
        DataType::Timestamp(_, _) => tomorrow.saturating_mul(1_000_000),
        _ => i64::MAX,
    };
    let values: Vec<Vec<Option<i64>>> = arrays.into_iter().map(numbers).collect();
    let of_row = |row: usize| values.iter().filter_map(|column| column[row]).max();
    (0..batch.num_rows()).filter_map(of_row).filter(|cursor| *cursor <= most).max()
}

fn read_text(
    mut reader: Box<dyn TextReader>,
    has_header: bool,
    mut converter: Converter,
    out: &mpsc::Sender<Piece>,
) -> Result<Fed> {
    converter.bind(reader.fields())?;
    if has_header {
        converter.refuse_missing(|name| reader.hint_for_missing(name), reader.fields())?;
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
    let sign = if out.is_closed() { None } else { reader.finish()? };
    ending(converter, sign, Vec::new())
}

fn read_typed(mut reader: Box<dyn TypedReader>, mut converter: Converter, out: &mpsc::Sender<Piece>) -> Result<Fed> {
    let fields = reader.fields().to_vec();
    converter.bind(&fields)?;
    converter.refuse_missing(|_| None, &fields)?;
    while let Some(rows) = reader.next_rows()? {
        let converted = converter.convert_typed(&rows)?;
        if out.blocking_send(Piece { converted, bytes: 0 }).is_err() {
            break;
        }
    }
    let types = fields.into_iter().zip(reader.types().iter().cloned()).collect();
    let sign = if out.is_closed() { None } else { reader.finish()? };
    ending(converter, sign, types)
}

fn ending(mut converter: Converter, sign: Option<String>, types: Vec<(String, String)>) -> Result<Fed> {
    Ok(Fed {
        sign,
        types,
        totals: converter.finish_totals()?,
        remarks: converter.remarks(),
        newest: converter.newest(),
        accepted: converter.accepted(),
        missing: converter.missing(),
        ignored: converter.ignored,
        ..Fed::default()
    })
}

/// The data files of one input: a new one whenever a column comes in.
pub(super) struct Output<'a> {
    feed: &'a Feed<'a>,
    open: Option<(SchemaRef, Box<dyn DataFileWriter>)>,
    data_files: Vec<DataFile>,
}

impl<'a> Output<'a> {
    pub(super) fn new(feed: &'a Feed<'a>) -> Output<'a> {
        Output { feed, open: None, data_files: Vec::new() }
    }

    pub(super) async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let schema = batch.schema();
        if self.open.as_ref().is_some_and(|(open, _)| *open != schema) {
            self.close().await?;
        }
        let writer = match &mut self.open {
            Some((_, writer)) => writer,
            None => {
                let writer = self.feed.lake.writer(self.feed.target, self.feed.run_id, schema.clone())?;
                &mut self.open.insert((schema, writer)).1
            }
        };
        writer.write(&batch).await
    }

    async fn close(&mut self) -> Result<()> {
        if let Some((_, writer)) = self.open.take() {
            self.data_files.extend(writer.finish().await?);
        }
        Ok(())
    }

    pub(super) async fn finish(mut self) -> Result<Vec<DataFile>> {
        self.close().await?;
        Ok(self.data_files)
    }
}

/// The number of a load's next rows, counted over all its readers.
pub(super) fn take_lines(lines: &AtomicU64, rows: usize) -> std::ops::Range<i64> {
    let first = lines.fetch_add(rows as u64, Ordering::Relaxed) as i64 + 1;
    first..first + rows as i64
}
