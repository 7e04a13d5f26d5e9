//! Rows of a relation as Arrow batches: a task takes chunks from the server, the reader's own thread makes columns of
//! them.

use super::Pool;
use super::cells::{Cell, Column, cut};
use super::copy::{Chunk, copy};
use super::fields::{Decoder, Field};
use crate::error::{Error, Result};
use crate::sources::typed::{TypedFault, TypedReader, TypedRows};
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field as ArrowField, Schema};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Chunks that wait between the server and the reader, at most.
const CHUNKS_WAITING: usize = 2;

/// Statements that together give every row once; readers take the next when they are done with one.
pub(super) type Statements = Arc<Mutex<VecDeque<String>>>;

/// Reads what the statements give.
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
    /// Of kind `Project` when a zone is none.
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
        let malformed = |_| Error::data(format!("{} sends rows that are not what was asked for", self.pool.door.label));
        cut(&chunk.bytes, chunk.rows, self.fields.len(), &mut self.cells).map_err(malformed)?;
        let mut arrays = Vec::with_capacity(self.fields.len());
        let mut faults = Vec::new();
        for (i, decoder) in self.decoders.iter_mut().enumerate() {
            let cells = &self.cells[i * chunk.rows..(i + 1) * chunk.rows];
            let (array, refused) = decoder.read(Column { bytes: &chunk.bytes, cells }).map_err(malformed)?;
            arrays.push(array);
            let fault = |(row, refusal): (usize, Box<super::cells::Refusal>)| TypedFault {
                row,
                field: i,
                raw: refusal.raw,
                reason: refusal.reason,
            };
            faults.extend(refused.into_iter().map(fault));
        }
        let named = self.fields.iter().zip(&arrays);
        let fields: Vec<_> =
            named.map(|(name, array)| ArrowField::new(name, array.data_type().clone(), true)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(chunk.rows));
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
            .map_err(|e| Error::bug(format!("columns of PostgreSQL do not fit each other: {e}")).because(e))?;
        faults.sort_by_key(|fault| (fault.row, fault.field));
        Ok(TypedRows { batch, faults })
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
        // Without a reader nobody wants to know.
        let _ = to.send(Err(error)).await;
    }
}

async fn pump_all(pool: &Pool, statements: &Statements, to: &Sender<Result<Chunk>>) -> Result<()> {
    let next = || statements.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let Some(mut statement) = next() else { return Ok(()) };
    let mut link = pool.take().await?;
    loop {
        if copy(&mut link, &statement, to).await?.is_none() {
            return Ok(());
        }
        match next() {
            Some(more) => statement = more,
            None => break,
        }
    }
    pool.give_back(link);
    Ok(())
}
