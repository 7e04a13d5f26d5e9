//! What runs, steps, sources, tests and rejects leave behind, as rows of `system.*`.
//!
//! Rows and their columns only: the lake writes them, the engine reads them. Nothing here looks at a clock or a disk.

mod rows;
#[cfg(test)]
mod tests;

pub use rows::{
    RejectRecord, ReleaseRecord, RunRecord, RunStatus, SourceRecord, SourceStatus, StepRecord, StepStatus, TestRecord,
    TestStatus,
};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

/// A kind of row of a system table.
pub trait Row: Sized {
    /// The table's name within `system`, as in `runs`.
    const TABLE: &'static str;

    /// Its columns. New ones come at the end; old files lack them and read as NULL there.
    fn schema() -> SchemaRef;

    /// Rows as a batch of [`Row::schema`].
    fn batch(rows: &[Self]) -> crate::error::Result<RecordBatch>;
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
    ]
}

/// A name for a run that begins now: sorts by time and differs from others of the same second
/// (`20261122T041500Z-3f9a`).
pub fn new_run_id(now: jiff::Timestamp) -> String {
    run_id(now, rand::random())
}

fn run_id(now: jiff::Timestamp, random: u16) -> String {
    format!("{}-{random:04x}", now.strftime("%Y%m%dT%H%M%SZ"))
}
