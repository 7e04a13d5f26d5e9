//! A table that is exactly the Parquet files it was told of.

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Result, Statistics};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use object_store::path::Path;
use perennial_lake::DataFile;
use std::sync::Arc;

/// Parquet files with known sizes and row counts under one declared schema. Planning a scan asks the store nothing.
#[derive(Debug)]
pub(super) struct FilesTable {
    root: ObjectStoreUrl,
    schema: SchemaRef,
    files: Vec<PartitionedFile>,
    rows: usize,
    bytes: usize,
}

impl FilesTable {
    /// Paths are below `prefix`.
    pub(super) fn new(root: ObjectStoreUrl, prefix: &Path, schema: SchemaRef, files: &[DataFile]) -> FilesTable {
        let listed = files.iter().map(|file| partitioned(prefix, &schema, file)).collect();
        let rows = files.iter().map(|f| f.rows as usize).sum();
        let bytes = files.iter().map(|f| f.bytes as usize).sum();
        FilesTable { root, schema, files: listed, rows, bytes }
    }

    fn statistics(&self) -> Statistics {
        statistics(&self.schema, self.rows, self.bytes)
    }
}

fn partitioned(prefix: &Path, schema: &SchemaRef, file: &DataFile) -> PartitionedFile {
    // From a text the parts of the prefix would be encoded a second time: folders may have any letters.
    let location = prefix.parts().chain(Path::from(file.path.as_str()).parts()).collect();
    let mut found = PartitionedFile::new("", file.bytes);
    found.object_meta.location = location;
    found.with_statistics(Arc::new(statistics(schema, file.rows as usize, file.bytes as usize)))
}

fn statistics(schema: &SchemaRef, rows: usize, bytes: usize) -> Statistics {
    Statistics {
        num_rows: Precision::Exact(rows),
        total_byte_size: Precision::Inexact(bytes),
        column_statistics: vec![ColumnStatistics::new_unknown(); schema.fields().len()],
    }
}

#[async_trait]
impl TableProvider for FilesTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // Row groups and pages are skipped by their statistics; the rows left are filtered again above.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(FilesTable::statistics(self))
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let format = ParquetFormat::default().with_options(state.table_options().parquet.clone());
        let source = format.file_source(TableSchema::from(self.schema.clone()));
        let groups = FileGroup::new(self.files.clone()).split_files(state.config().target_partitions());
        let config = FileScanConfigBuilder::new(self.root.clone(), source)
            .with_file_groups(groups)
            .with_statistics(FilesTable::statistics(self))
            .with_projection_indices(projection.cloned())?
            .with_limit(if filters.is_empty() { limit } else { None })
            .build();
        format.create_physical_plan(state, config).await
    }
}
