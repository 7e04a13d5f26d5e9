//! What makers of rows need of the lake, so that their tests can stand in for it.

use super::{DataFile, Lake, TableWriter};
use crate::contract::TableName;
use crate::error::Result;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

/// Makes data files that nothing refers to yet.
pub trait DataFiles: Send + Sync {
    /// A writer of the rows of one table in one run.
    ///
    /// # Errors
    /// Of kind `Project` for a table or column that cannot be kept under its name or type.
    fn writer(&self, table: &TableName, run_id: &str, schema: SchemaRef) -> Result<Box<dyn DataFileWriter>>;
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

impl DataFiles for Lake {
    fn writer(&self, table: &TableName, run_id: &str, schema: SchemaRef) -> Result<Box<dyn DataFileWriter>> {
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
