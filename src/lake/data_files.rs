//! What makers of rows need of the lake, so that their tests can stand in for it.

use super::{DataFile, Lake, TableWriter};
use crate::contract::TableName;
use crate::error::{Error, Kind, Result};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::FutureExt;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use std::ops::Range;
use std::sync::Arc;

/// Rows of a data file, some at a time.
pub type DataFileRows = BoxStream<'static, Result<RecordBatch>>;

/// Makes data files that nothing refers to yet, and reads those that something does.
#[async_trait::async_trait]
pub trait DataFiles: Send + Sync {
    /// A writer of the rows of one table in one run.
    ///
    /// # Errors
    /// Of kind `Project` for a table or column that cannot be kept under its name or type.
    fn writer(&self, table: &TableName, run_id: &str, schema: SchemaRef) -> Result<Box<dyn DataFileWriter>>;

    /// The rows of a data file in the order they were written, with those of the wanted columns that it has.
    ///
    /// # Errors
    /// `Unreachable` when the store fails, `Data` when the file is damaged.
    async fn rows(&self, file: &DataFile, wanted: &[String]) -> Result<DataFileRows>;
}

/// Writes rows of one table.
#[async_trait::async_trait]
pub trait DataFileWriter: Send {
    /// Adds rows, columns by position.
    ///
    /// # Errors
    /// `Data` when a value does not fit the lake's type, `Unreachable` when the store fails.
    async fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Ends the files and names them. Dropped without this, nothing of it is ever read.
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
        let (lake, path) = (self.clone(), file.path.clone());
        let failed = move |error: ParquetError| {
            let kind = if matches!(error, ParquetError::External(_)) { Kind::Unreachable } else { Kind::Data };
            Error::new(kind, format!("the lake {} could not give {path}: {error}", lake.location()))
        };
        let reader = StoredFile { store: self.store(), path: self.path(&file.path), bytes: file.bytes };
        let builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(&failed)?;
        let fields = builder.schema().fields();
        let roots: Vec<usize> = (0..fields.len()).filter(|i| wanted.contains(fields[*i].name())).collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let rows = builder.with_projection(mask).build().map_err(&failed)?;
        Ok(rows.map(move |batch| batch.map_err(&failed)).boxed())
    }
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
