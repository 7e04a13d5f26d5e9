//! Parquet: the columns asked for, in batches, with the types of the file.

use super::files::{Files, Location, SourceFile, below};
use super::sftp::RangeFile;
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
    /// Why a block of a remote file could not be fetched.
    lost: Lost,
    hash: Option<String>,
}

/// Arrow keeps of an error only its words.
type Lost = Arc<Mutex<Option<Error>>>;

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
                build(&file.path, opened, Lost::default(), wanted)
            }
            Location::Store { store, prefix } => {
                let place = Place::Store(store.clone(), below(prefix, &file.path)?);
                let remote = Remote::new(place, file, Handle::current());
                build(&file.path, remote.clone(), remote.lost.clone(), wanted)
            }
            Location::Sftp(sftp) => {
                let handle = Handle::current();
                let place = Place::Sftp(Box::new(handle.block_on(sftp.ranges(file))?));
                let remote = Remote::new(place, file, handle);
                build(&file.path, remote.clone(), remote.lost.clone(), wanted)
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
        let batch = batch.map_err(|e| broken(&self.name, &self.lost, e))?;
        Ok(batch.map(|batch| TypedRows { batch, faults: Vec::new() }))
    }

    fn finish(&mut self) -> Result<Option<String>> {
        Ok(self.hash.take())
    }
}

/// The words for a file that cannot be read further, unless it is its place that is lost.
fn broken(name: &str, lost: &Lost, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    let known = lost.lock().unwrap_or_else(PoisonError::into_inner).take();
    known.unwrap_or_else(|| Error::data(format!("`{name}` cannot be read as Parquet: {error}")).because(error))
}

fn build<T: ChunkReader + 'static>(
    name: &str,
    file: T,
    lost: Lost,
    wanted: impl Fn(&str) -> bool,
) -> Result<ParquetReader> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| broken(name, &lost, e))?;
    let fields = builder.schema().fields();
    let roots: Vec<usize> = (0..fields.len()).filter(|i| wanted(fields[*i].name())).collect();
    let fields = builder.schema().project(&roots)?.fields().iter().map(|field| field.name().clone()).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let rows = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(|e| broken(name, &lost, e))?;
    Ok(ParquetReader { name: name.to_string(), fields, rows, lost, hash: None })
}

/// Where blocks come from.
enum Place {
    Store(Arc<dyn ObjectStore>, ObjectPath),
    Sftp(Box<RangeFile>),
}

/// A file elsewhere, read in blocks by a thread that may wait.
#[derive(Clone)]
struct Remote {
    place: Arc<Place>,
    name: String,
    bytes: u64,
    handle: Handle,
    kept: Arc<Mutex<VecDeque<(u64, Bytes)>>>,
    lost: Lost,
}

impl Remote {
    fn new(place: Place, file: &SourceFile, handle: Handle) -> Remote {
        let (name, bytes) = (file.path.clone(), file.bytes);
        Remote { place: Arc::new(place), name, bytes, handle, kept: Arc::default(), lost: Lost::default() }
    }

    fn block(&self, number: u64) -> Result<Bytes, ParquetError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, block)) = kept.iter().find(|(known, _)| *known == number) {
            return Ok(block.clone());
        }
        let range = number * BLOCK_BYTES..((number + 1) * BLOCK_BYTES).min(self.bytes);
        let block = self.handle.block_on(self.fetch(range)).map_err(|error| {
            let words = error.to_string();
            *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            ParquetError::General(words)
        })?;
        if kept.len() == BLOCKS_KEPT {
            kept.pop_front();
        }
        kept.push_back((number, block.clone()));
        Ok(block)
    }

    async fn fetch(&self, range: std::ops::Range<u64>) -> Result<Bytes> {
        match self.place.as_ref() {
            Place::Store(store, path) => store
                .get_range(path, range)
                .await
                .map_err(|e| Error::unreachable(format!("cannot read `{}`: {e}", self.name)).because(e)),
            Place::Sftp(file) => file.read(range).await,
        }
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
