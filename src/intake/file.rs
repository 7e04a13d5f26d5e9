//! One file: read and converted on a blocking thread, written by the caller's task, a few batches apart.

use super::convert::{Converted, Converter, Origin};
use super::plan::with_hash;
use super::rejects::{RejectSink, Tally};
use super::remarks::Remark;
use crate::contract::{ColumnPolicy, Format, SourceTable, TableName};
use crate::error::{Error, Result};
use crate::lake::{DataFile, DataFileWriter, DataFiles};
use crate::sources::{FileBytes, Files, ParquetReader, SourceFile, has_header, open_text};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Batches between the thread that reads and the task that writes.
const BATCHES_AHEAD: usize = 3;

/// What does not change from file to file of one load.
pub(super) struct FileLoad<'a> {
    pub(super) files: &'a Files,
    pub(super) lake: &'a dyn DataFiles,
    pub(super) target: &'a TableName,
    pub(super) source: &'a str,
    pub(super) table: &'a Arc<SourceTable>,
    pub(super) run_id: &'a str,
    pub(super) now: jiff::Timestamp,
    pub(super) rejects: &'a dyn RejectSink,
    pub(super) progress: &'a (dyn Fn(u64, u64) + Send + Sync),
}

/// What became of one file.
pub(super) struct ReadFile {
    pub(super) data_files: Vec<DataFile>,
    pub(super) tag: String,
    pub(super) newest: Option<String>,
    pub(super) rows: u64,
    pub(super) rejects: u64,
    pub(super) accepted: Vec<String>,
    pub(super) missing: Vec<String>,
    pub(super) ignored: Vec<String>,
    pub(super) remarks: Vec<Remark>,
    pub(super) notes: Vec<String>,
}

/// What the reading thread says.
struct Piece {
    converted: Converted,
    /// Bytes of the file read so far.
    bytes: u64,
}

/// What the reading thread knows at the end.
struct Ending {
    hash: Option<String>,
    newest: Option<String>,
    accepted: Vec<String>,
    missing: Vec<String>,
    ignored: Vec<String>,
    remarks: Vec<Remark>,
    notes: Vec<String>,
}

impl FileLoad<'_> {
    /// Reads a file into data files. Nothing refers to what was written when it fails.
    pub(super) async fn read(&self, file: &SourceFile, accepted: &[String], tally: &mut Tally<'_>) -> Result<ReadFile> {
        let origin = Origin {
            source: self.source.to_string(),
            file: file.path.clone(),
            run_id: self.run_id.to_string(),
            loaded_at: self.now,
        };
        let converter = Converter::new(self.table.clone(), origin, accepted)?;
        let (sender, mut pieces) = mpsc::channel(BATCHES_AHEAD);
        let reader = self.start(file, converter, sender).await?;
        let mut out = Output { load: self, open: None, data_files: Vec::new() };
        let (rows_before, rejects_before) = (tally.accepted(), tally.refused());
        let mut bytes = 0;
        while let Some(Piece { converted: Converted { batch, rejects }, bytes: reached }) = pieces.recv().await {
            let rows = batch.num_rows() as u64;
            let counted = tally.count(rows, &rejects);
            (self.progress)(reached - bytes, rows + rejects.len() as u64);
            bytes = reached;
            if !rejects.is_empty() {
                self.rejects.keep(rejects).await?;
            }
            counted?;
            out.write(batch).await?;
        }
        let ending = reader.await.map_err(|e| Error::bug(format!("reading `{}` stopped: {e}", file.path)))??;
        (self.progress)(file.bytes.saturating_sub(bytes), 0);
        Ok(ReadFile {
            data_files: out.finish().await?,
            tag: with_hash(&file.tag, ending.hash.as_deref()),
            newest: ending.newest,
            rows: tally.accepted() - rows_before,
            rejects: tally.refused() - rejects_before,
            accepted: ending.accepted,
            missing: ending.missing,
            ignored: ending.ignored,
            remarks: ending.remarks,
            notes: ending.notes,
        })
    }

    /// Starts the thread that reads.
    async fn start(
        &self,
        file: &SourceFile,
        converter: Converter,
        sender: mpsc::Sender<Piece>,
    ) -> Result<tokio::task::JoinHandle<Result<Ending>>> {
        let table = self.table.clone();
        let format = table.format().cloned().unwrap_or(Format::JsonLines);
        if format == Format::Parquet {
            let (files, file) = (self.files.clone(), file.clone());
            let hash = self.files.content_hash(&file).await?;
            return Ok(tokio::task::spawn_blocking(move || read_parquet(&files, &file, hash, converter, &sender)));
        }
        let bytes = self.files.read(file).await?;
        Ok(tokio::task::spawn_blocking(move || read_text(bytes, &table, &format, converter, &sender)))
    }
}

fn read_text(
    bytes: FileBytes,
    table: &SourceTable,
    format: &Format,
    mut converter: Converter,
    out: &mpsc::Sender<Piece>,
) -> Result<Ending> {
    let promised = Converter::promised_fields(table);
    let mut reader = open_text(bytes, format, &promised, table.on_new_column != ColumnPolicy::Ignore)?;
    converter.bind(reader.fields())?;
    if has_header(format) {
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
    let hash = if out.is_closed() { None } else { reader.finish()? };
    ending(converter, hash)
}

fn read_parquet(
    files: &Files,
    file: &SourceFile,
    hash: Option<String>,
    mut converter: Converter,
    out: &mpsc::Sender<Piece>,
) -> Result<Ending> {
    let mut reader = ParquetReader::open(files, file, |name| converter.wants(name))?;
    let fields: Vec<String> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
    converter.bind(&fields)?;
    converter.refuse_missing(|_| None, &fields)?;
    while let Some(batch) = reader.next_rows()? {
        let converted = converter.convert_typed(&batch)?;
        if out.blocking_send(Piece { converted, bytes: 0 }).is_err() {
            break;
        }
    }
    ending(converter, hash)
}

fn ending(mut converter: Converter, hash: Option<String>) -> Result<Ending> {
    Ok(Ending {
        hash,
        notes: converter.finish_totals()?,
        remarks: converter.remarks(),
        newest: converter.newest(),
        accepted: converter.accepted(),
        missing: converter.missing(),
        ignored: converter.ignored,
    })
}

/// The data files of one source file: a new one whenever a column comes in.
struct Output<'a> {
    load: &'a FileLoad<'a>,
    open: Option<(SchemaRef, Box<dyn DataFileWriter>)>,
    data_files: Vec<DataFile>,
}

impl Output<'_> {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
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
                let writer = self.load.lake.writer(self.load.target, self.load.run_id, schema.clone())?;
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

    async fn finish(mut self) -> Result<Vec<DataFile>> {
        self.close().await?;
        Ok(self.data_files)
    }
}
