//! Rows of a relation as Arrow batches: a task receives chunks from the server, the reader's own thread converts them to
//! columns.

use super::cells::{Cell, Column, InexactValue, cut};
use super::columns::{Decoder, Field};
use super::copy::{Chunk, copy};
use super::pool::Pool;
use crate::typed::{CellReject, TypedReader, TypedRows};
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field as ArrowField, Schema};
use perennial_core::error::{Error, Result};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Maximum number of chunks that wait between the server and the reader.
const CHUNKS_WAITING: usize = 2;

/// Statements that together give every row once; each reader takes the next when it is done with one.
pub(super) type Statements = Arc<Mutex<VecDeque<String>>>;

/// Reads the rows of the statements.
pub(super) struct CopyReader {
    pool: Arc<Pool>,
    handle: Handle,
    statements: Statements,
    fields: Vec<String>,
    types: Vec<String>,
    decoders: Vec<Decoder>,
    chunks: Option<Receiver<Result<Chunk>>>,
    cells: Vec<Cell>,
}

impl CopyReader {
    /// # Errors
    /// Of kind `Project` when a time zone is unknown.
    pub(super) fn new(pool: Arc<Pool>, statements: Statements, fields: &[Field]) -> Result<CopyReader> {
        Ok(CopyReader {
            pool,
            handle: Handle::current(),
            statements,
            fields: fields.iter().map(|field| field.name.clone()).collect(),
            types: fields.iter().map(|field| field.type_name.clone()).collect(),
            decoders: fields.iter().map(|field| Decoder::new(&field.reading)).collect::<Result<_>>()?,
            chunks: None,
            cells: Vec::new(),
        })
    }

    fn rows(&mut self, chunk: &Chunk) -> Result<TypedRows> {
        let malformed =
            |_| Error::data(format!("{} sends rows that do not match the query", self.pool.connector().label));
        cut(&chunk.bytes, chunk.rows, self.fields.len(), &mut self.cells).map_err(malformed)?;
        let mut arrays = Vec::with_capacity(self.fields.len());
        let mut rejects = Vec::new();
        for (i, decoder) in self.decoders.iter_mut().enumerate() {
            let cells = &self.cells[i * chunk.rows..(i + 1) * chunk.rows];
            let (array, rejected) = decoder.read(Column { bytes: &chunk.bytes, cells }).map_err(malformed)?;
            arrays.push(array);
            let reject = |(row, value): (usize, Box<InexactValue>)| CellReject {
                row,
                field: i,
                raw: value.raw,
                reason: value.reason,
            };
            rejects.extend(rejected.into_iter().map(reject));
        }
        let named = self.fields.iter().zip(&arrays);
        let fields: Vec<_> =
            named.map(|(name, array)| ArrowField::new(name, array.data_type().clone(), true)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(chunk.rows));
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
            .map_err(|e| Error::bug(format!("columns of PostgreSQL have different lengths: {e}")).because(e))?;
        rejects.sort_by_key(|reject| (reject.row, reject.field));
        Ok(TypedRows { batch, rejects })
    }
}

impl TypedReader for CopyReader {
    fn fields(&self) -> &[String] {
        &self.fields
    }

    fn types(&self) -> &[String] {
        &self.types
    }

    fn next_rows(&mut self) -> Result<Option<TypedRows>> {
        let chunks = self.chunks.get_or_insert_with(|| {
            let (sender, receiver) = channel(CHUNKS_WAITING);
            self.handle.spawn(pump(self.pool.clone(), self.statements.clone(), sender));
            receiver
        });
        match chunks.blocking_recv() {
            None => Ok(None),
            Some(chunk) => self.rows(&chunk?).map(Some),
        }
    }
}

/// Runs statements until none is left or nobody takes their rows.
async fn pump(pool: Arc<Pool>, statements: Statements, to: Sender<Result<Chunk>>) {
    if let Err(error) = pump_all(&pool, &statements, &to).await {
        // Without a reader nobody receives it.
        let _ = to.send(Err(error)).await;
    }
}

async fn pump_all(pool: &Pool, statements: &Statements, to: &Sender<Result<Chunk>>) -> Result<()> {
    let next = || statements.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let Some(mut statement) = next() else { return Ok(()) };
    let mut session = pool.take().await?;
    loop {
        if copy(&mut session, &statement, to).await?.is_none() {
            return Ok(());
        }
        match next() {
            Some(more) => statement = more,
            None => break,
        }
    }
    pool.give_back(session);
    Ok(())
}
