//! The rows of `system.*`: the history of runs, steps, sources, tests, rejects and deliveries.
//!
//! This module has only rows and their columns. It reads neither the clock nor the disk.

mod rows;
#[cfg(test)]
mod tests;

pub use rows::{
    DeliveryRecord, RejectRecord, ReleaseRecord, RunRecord, RunStatus, SourceRecord, SourceStatus, StepRecord,
    StepStatus, TestRecord, TestStatus,
};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use perennial_core::error::Result;

/// A row of a system table.
pub trait Row: Sized {
    /// The table's name within `system`, as in `runs`.
    const TABLE: &'static str;

    /// Its columns. New ones are added at the end; old files lack them, so that they are NULL there.
    fn schema() -> SchemaRef;

    /// Rows as a batch of [`Row::schema`].
    ///
    /// # Errors
    /// `Bug` when the columns do not match the schema.
    fn batch(rows: &[Self]) -> Result<RecordBatch>;
}

/// Every system table: its name within `system` and its columns.
pub fn tables() -> Vec<(&'static str, SchemaRef)> {
    fn table<R: Row>() -> (&'static str, SchemaRef) {
        (R::TABLE, R::schema())
    }
    vec![
        table::<RunRecord>(),
        table::<StepRecord>(),
        table::<SourceRecord>(),
        table::<RejectRecord>(),
        table::<TestRecord>(),
        table::<ReleaseRecord>(),
        table::<DeliveryRecord>(),
    ]
}

/// A column of a system table that has a new name. Files that were written before have the old one.
#[derive(Clone, Copy, Debug)]
pub struct RenamedColumn {
    /// The table's name within `system`.
    pub table: &'static str,
    /// The old name.
    pub old: &'static str,
    /// The new name.
    pub new: &'static str,
}

/// All renamed columns of system tables.
pub const RENAMED_COLUMNS: &[RenamedColumn] =
    &[RenamedColumn { table: TestRecord::TABLE, old: "faults", new: "failures" }];
