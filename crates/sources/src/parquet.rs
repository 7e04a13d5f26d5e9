//! Parquet: the columns asked for, in batches, with the types of the file.

use crate::files::{Files, LocalFile, RandomAccess, RangeReader, SourceFile, unreadable};
use crate::typed::{TypedReader, TypedRows};
use bytes::{Buf, Bytes};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use perennial_core::error::{Error, Result};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;
/// A remote file is read in blocks of this size, of which the last few are kept.
const BLOCK_BYTES: u64 = 4 * 1024 * 1024;
const BLOCKS_KEPT: usize = 8;

/// Reads a Parquet file.
pub struct ParquetReader {
    name: String,
    fields: Vec<String>,
    rows: ParquetRecordBatchReader,
    /// Why a block of a remote file could not be read.
    cause: Cause,
    hash: Option<String>,
    opened: Opened,
}

/// The file itself, to see at the end whether it is still the same.
enum Opened {
    Local(LocalFile),
    Remote(Remote),
}

/// Parquet keeps only the message of an error; the error itself is here.
type Cause = Arc<Mutex<Option<Error>>>;

impl ParquetReader {
    /// Opens a file; `wanted` selects the columns by name, `hash` is the hash of the content where it is known. Blocks, and
    /// needs a running Tokio for remote files.
    ///
    /// # Errors
    /// Of kind `Data` when it is not a Parquet file, `Unreachable` when it cannot be read.
    pub fn open(
        files: &Files,
        file: &SourceFile,
        hash: Option<String>,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<ParquetReader> {
        if file.bytes == 0 {
            return Err(Error::data(format!("`{}` is empty (0 bytes), so it is not a Parquet file", file.path)));
        }
        let reader = match files.random_access(file) {
            RandomAccess::Local(path) => {
                let local = LocalFile::open(&path, file)?;
                let opened = local.file.try_clone().map_err(|e| unreadable(&file.path, e))?;
                build(&file.path, opened, Cause::default(), Opened::Local(local), wanted)
            }
            RandomAccess::Remote(opening) => {
                let handle = Handle::current();
                let remote = Remote::new(handle.block_on(opening)?, file, handle);
                build(&file.path, remote.clone(), remote.cause.clone(), Opened::Remote(remote), wanted)
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
        let batch = batch.map_err(|e| broken(&self.name, &self.cause, e))?;
        Ok(batch.map(|batch| TypedRows { batch, rejects: Vec::new() }))
    }

    fn finish(&mut self) -> Result<Option<String>> {
        match &self.opened {
            Opened::Local(local) => local.check_unchanged()?,
            Opened::Remote(remote) => remote.handle.block_on(remote.ranges.check_unchanged())?,
        }
        Ok(self.hash.take())
    }
}

/// That a file cannot be read further.
fn broken(name: &str, cause: &Cause, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    let known = cause.lock().unwrap_or_else(PoisonError::into_inner).take();
    known.unwrap_or_else(|| Error::data(format!("`{name}` cannot be read as Parquet: {error}")).because(error))
}

fn build<T: ChunkReader + 'static>(
    name: &str,
    file: T,
    cause: Cause,
    opened: Opened,
    wanted: impl Fn(&str) -> bool,
) -> Result<ParquetReader> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| broken(name, &cause, e))?;
    let fields = builder.schema().fields();
    let roots: Vec<usize> = (0..fields.len()).filter(|i| wanted(fields[*i].name())).collect();
    let fields = builder.schema().project(&roots)?.fields().iter().map(|field| field.name().clone()).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let rows =
        builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(|e| broken(name, &cause, e))?;
    Ok(ParquetReader { name: name.to_string(), fields, rows, cause, hash: None, opened })
}

/// A file elsewhere, read in blocks by a thread that may block.
#[derive(Clone)]
struct Remote {
    ranges: Arc<dyn RangeReader>,
    bytes: u64,
    handle: Handle,
    kept: Arc<Mutex<VecDeque<(u64, Bytes)>>>,
    cause: Cause,
}

impl Remote {
    fn new(ranges: Box<dyn RangeReader>, file: &SourceFile, handle: Handle) -> Remote {
        let (bytes, cause) = (file.bytes, Cause::default());
        Remote { ranges: ranges.into(), bytes, handle, kept: Arc::default(), cause }
    }

    fn block(&self, number: u64) -> Result<Bytes, ParquetError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, block)) = kept.iter().find(|(known, _)| *known == number) {
            return Ok(block.clone());
        }
        let range: Range<u64> = number * BLOCK_BYTES..((number + 1) * BLOCK_BYTES).min(self.bytes);
        let block = self.handle.block_on(self.ranges.read(range)).map_err(|error| {
            let message = error.to_string();
            *self.cause.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            ParquetError::General(message)
        })?;
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
    type T = bytes::buf::Reader<Bytes>;

    /// From `start` to the end of its block at least, which contains any page header.
    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let end = ((start / BLOCK_BYTES + 1) * BLOCK_BYTES + BLOCK_BYTES).min(self.bytes);
        Ok(self.get_bytes(start, (end - start) as usize)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let end = start + length as u64;
        if end > self.bytes {
            return Err(ParquetError::EOF(format!("bytes {start} to {end} of {} were requested", self.bytes)));
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
