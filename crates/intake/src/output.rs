//! The data files of one input.

use super::context::LoadContext;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use perennial_core::error::Result;
use perennial_lake::{DataFile, DataFileWriter};

/// Writes batches to data files, and starts a new file whenever the schema gains a column.
pub(crate) struct Output<'a> {
    context: &'a LoadContext<'a>,
    open: Option<(SchemaRef, Box<dyn DataFileWriter>)>,
    data_files: Vec<DataFile>,
}

impl<'a> Output<'a> {
    pub(crate) fn new(context: &'a LoadContext<'a>) -> Output<'a> {
        Output { context, open: None, data_files: Vec::new() }
    }

    pub(crate) async fn write(&mut self, batch: RecordBatch) -> Result<()> {
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
                let writer = self.context.lake.writer(self.context.target, self.context.run_id, schema.clone())?;
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

    pub(crate) async fn finish(mut self) -> Result<Vec<DataFile>> {
        self.close().await?;
        Ok(self.data_files)
    }
}
