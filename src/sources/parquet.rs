//! Parquet: the columns asked for, in batches, with the types of the file.

use super::files::{Files, Location, SourceFile, below};
use super::typed::{TypedReader, TypedRows};
use crate::error::{Error, Result};
use ::bytes::{Buf, Bytes};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use std::collections::VecDeque;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;
/// A remote file is fetched in blocks of this size, of which the last few are kept.
const BLOCK_BYTES: u64 = 4 * 1024 * 1024;
const BLOCKS_KEPT: usize = 8;

/// Reads a Parquet file.
pub struct ParquetReader {
    name: String,
    fields: Vec<String>,
    rows: ParquetRecordBatchReader,
    hash: Option<String>,
}

impl ParquetReader {
    /// Opens a file; `wanted` chooses the columns by name, `hash` is what is known of the content. Blocks, and needs a
    /// running Tokio for remote files.
    ///
    /// # Errors
    /// Of kind `Data` when it is no Parquet file, `Unreachable` when it cannot be read.
    pub fn open(
        files: &Files,
        file: &SourceFile,
        hash: Option<String>,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<ParquetReader> {
        if file.bytes == 0 {
            return Err(Error::data(format!("`{}` is empty (0 bytes) and so no Parquet file", file.path)));
        }
        let reader = match files.place() {
            Location::Folder(root) => {
                let opened = File::open(root.join(&file.path))
                    .map_err(|e| Error::unreachable(format!("cannot read `{}`: {e}", file.path)).because(e))?;
                build(&file.path, opened, wanted)
            }
            Location::Store { store, prefix } => {
                build(&file.path, Remote::new(store, below(prefix, &file.path)?, file), wanted)
            }
        };
        reader.map(|reader| ParquetReader { hash, ..reader })
    }
}

impl TypedReader for ParquetReader {
    fn fields(&self) -> &[String] {
        &self.fields
    }

    fn next_rows(&mut self) -> Result<Option<TypedRows>> {
        let batch = self.rows.next().transpose();
        let batch =
            batch.map_err(|e| Error::data(format!("`{}` cannot be read as Parquet: {e}", self.name)).because(e))?;
        Ok(batch.map(|batch| TypedRows { batch, faults: Vec::new() }))
    }

    fn finish(&mut self) -> Result<Option<String>> {
        Ok(self.hash.take())
    }
}

fn build<T: ChunkReader + 'static>(name: &str, file: T, wanted: impl Fn(&str) -> bool) -> Result<ParquetReader> {
    let broken = |e: ParquetError| match e {
        ParquetError::External(inner) if inner.is::<object_store::Error>() => {
            Error::unreachable(format!("cannot read `{name}`: {inner}")).because(inner)
        }
        e => Error::data(format!("`{name}` cannot be read as Parquet: {e}")).because(e),
    };
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(broken)?;
    let fields = builder.schema().fields();
    let roots: Vec<usize> = (0..fields.len()).filter(|i| wanted(fields[*i].name())).collect();
    let fields = builder.schema().project(&roots)?.fields().iter().map(|field| field.name().clone()).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let rows = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(broken)?;
    Ok(ParquetReader { name: name.to_string(), fields, rows, hash: None })
}

/// A file in a store, read in blocks by a thread that may wait.
struct Remote {
    store: Arc<dyn ObjectStore>,
    path: ObjectPath,
    bytes: u64,
    handle: Handle,
    kept: Mutex<VecDeque<(u64, Bytes)>>,
}

impl Remote {
    fn new(store: &Arc<dyn ObjectStore>, path: ObjectPath, file: &SourceFile) -> Remote {
        let kept = Mutex::new(VecDeque::new());
        Remote { store: store.clone(), path, bytes: file.bytes, handle: Handle::current(), kept }
    }

    fn block(&self, number: u64) -> Result<Bytes, ParquetError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, block)) = kept.iter().find(|(known, _)| *known == number) {
            return Ok(block.clone());
        }
        let range = number * BLOCK_BYTES..((number + 1) * BLOCK_BYTES).min(self.bytes);
        let block = self
            .handle
            .block_on(self.store.get_range(&self.path, range))
            .map_err(|e| ParquetError::External(Box::new(e)))?;
        if kept.len() == BLOCKS_KEPT {
            kept.pop_front();
        }
        kept.push_back((number, block.clone()));
        Ok(block)
    }
}

impl Length for Remote {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Remote {
    type T = ::bytes::buf::Reader<Bytes>;

    /// From `start` to the end of its block at least, which holds any page header.
    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let end = ((start / BLOCK_BYTES + 1) * BLOCK_BYTES + BLOCK_BYTES).min(self.bytes);
        Ok(self.get_bytes(start, (end - start) as usize)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let end = start + length as u64;
        if end > self.bytes {
            return Err(ParquetError::EOF(format!("bytes {start} to {end} of {} are asked for", self.bytes)));
        }
        let (first, last) = (start / BLOCK_BYTES, end.saturating_sub(1).max(start) / BLOCK_BYTES);
        if first == last {
            let from = (start % BLOCK_BYTES) as usize;
            return Ok(self.block(first)?.slice(from..from + length));
        }
        let mut joined = Vec::with_capacity(length);
        for number in first..=last {
            let block = self.block(number)?;
            let from = start.saturating_sub(number * BLOCK_BYTES) as usize;
            let to = (end - number * BLOCK_BYTES).min(block.len() as u64) as usize;
            joined.extend_from_slice(&block[from..to]);
        }
        Ok(joined.into())
    }
}
