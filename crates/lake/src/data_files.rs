//! The part of the lake that other layers write rows through, as a trait that their tests can implement.

use super::damaged::damage_in;
use super::{DataFile, Lake, TableWriter};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Kind, Result};
use perennial_core::location::scrub;
use std::ops::Range;
use std::sync::Arc;

/// The rows of a data file, batch by batch.
pub type DataFileRows = BoxStream<'static, Result<RecordBatch>>;

/// Writes data files that nothing refers to yet, and reads data files.
#[async_trait::async_trait]
pub trait DataFiles: Send + Sync {
    /// A writer of the rows of one table in one run.
    ///
    /// # Errors
    /// `Project` for a table or column that cannot be stored under its name or with its type.
    fn writer(&self, table: &TableName, run_id: &str, schema: SchemaRef) -> Result<Box<dyn DataFileWriter>>;

    /// The rows of a data file in the order in which they were written, with those of the wanted columns that it has.
    ///
    /// # Errors
    /// `Unreachable` when the store fails, `Data` when the file is damaged.
    async fn rows(&self, file: &DataFile, wanted: &[String]) -> Result<DataFileRows>;

    /// The columns of a data file.
    ///
    /// # Errors
    /// `Unreachable` when the store fails, `Data` when the file is damaged.
    async fn schema(&self, file: &DataFile) -> Result<SchemaRef>;
}

/// Writes rows of one table.
#[async_trait::async_trait]
pub trait DataFileWriter: Send {
    /// Adds rows; columns are matched by position.
    ///
    /// # Errors
    /// `Data` when a value does not fit the type in the lake, `Unreachable` when the store fails.
    async fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Completes the files and returns them. What a writer wrote that is dropped without this is never read.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    async fn finish(self: Box<Self>) -> Result<Vec<DataFile>>;
}

#[async_trait::async_trait]
impl DataFiles for Lake {
    fn writer(&self, table: &TableName, run_id: &str, schema: SchemaRef) -> Result<Box<dyn DataFileWriter>> {
        Ok(Box::new(self.table_writer(table, run_id, schema)?))
    }

    async fn rows(&self, file: &DataFile, wanted: &[String]) -> Result<DataFileRows> {
        let builder = open(self, file).await?;
        let fields = builder.schema().fields();
        let roots: Vec<usize> = (0..fields.len()).filter(|i| wanted.contains(fields[*i].name())).collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let (lake, path) = (self.clone(), file.path.clone());
        let rows = builder.with_projection(mask).build().map_err(|error| unreadable(&lake, &path, &error))?;
        Ok(rows.map(move |batch| batch.map_err(|error| unreadable(&lake, &path, &error))).boxed())
    }

    async fn schema(&self, file: &DataFile) -> Result<SchemaRef> {
        Ok(open(self, file).await?.schema().clone())
    }
}

async fn open(lake: &Lake, file: &DataFile) -> Result<ParquetRecordBatchStreamBuilder<StoredFile>> {
    let reader = StoredFile { store: lake.store(), path: lake.path(&file.path), bytes: file.bytes };
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await;
    builder.map_err(|error| unreadable(lake, &file.path, &error))
}

fn unreadable(lake: &Lake, path: &str, error: &ParquetError) -> Error {
    if let Some(damaged) = damage_in(error) {
        return damaged.clone().into();
    }
    let kind = if matches!(error, ParquetError::External(_)) { Kind::Unreachable } else { Kind::Data };
    Error::new(kind, format!("cannot read {path} from the lake {}: {}", lake.location(), scrub(&error.to_string())))
}

#[async_trait::async_trait]
impl DataFileWriter for TableWriter {
    async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        TableWriter::write(self, batch).await
    }

    async fn finish(self: Box<Self>) -> Result<Vec<DataFile>> {
        TableWriter::finish(*self).await
    }
}

/// A data file in the store, read by ranges.
struct StoredFile {
    store: Arc<dyn ObjectStore>,
    path: Path,
    bytes: u64,
}

impl AsyncFileReader for StoredFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<bytes::Bytes>> {
        async move { self.store.get_range(&self.path, range).await.map_err(|e| ParquetError::External(Box::new(e))) }
            .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            let bytes = self.bytes;
            Ok(Arc::new(ParquetMetaDataReader::new().load_and_finish(self, bytes).await?))
        }
        .boxed()
    }
}
