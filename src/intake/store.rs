//! Where intake writes: the part of the lake it needs, so that tests can stand in for it.

use crate::contract::TableName;
use crate::error::Result;
use crate::lake::{DataFile, Lake, TableWriter};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

/// Makes data files that nothing refers to yet.
#[async_trait::async_trait]
pub trait DataFiles: Send + Sync {
    /// A writer of rows of one table.
    async fn writer(&self, table: &TableName, run_id: &str, schema: SchemaRef) -> Result<Box<dyn DataFileWriter>>;
}

/// Writes rows of one table.
#[async_trait::async_trait]
pub trait DataFileWriter: Send {
    /// Adds rows.
    async fn write(&mut self, batch: &RecordBatch) -> Result<()>;
    /// Ends and names the files.
    async fn finish(self: Box<Self>) -> Result<Vec<DataFile>>;
}

#[async_trait::async_trait]
impl DataFiles for Lake {
    async fn writer(&self, table: &TableName, run_id: &str, schema: SchemaRef) -> Result<Box<dyn DataFileWriter>> {
        Ok(Box::new(self.table_writer(table, run_id, schema)?))
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
