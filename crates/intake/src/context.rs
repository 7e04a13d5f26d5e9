//! What does not change during one load.

use super::rejects::RejectSink;
use perennial_core::contract::{SourceTable, TableName};
use perennial_lake::DataFiles;
use std::sync::Arc;

/// The table to be loaded, where its rows are written, and who is told.
pub(crate) struct LoadContext<'a> {
    pub(crate) lake: &'a dyn DataFiles,
    pub(crate) target: &'a TableName,
    pub(crate) source: &'a str,
    pub(crate) table: &'a Arc<SourceTable>,
    pub(crate) run_id: &'a str,
    pub(crate) now: jiff::Timestamp,
    pub(crate) rejects: &'a dyn RejectSink,
    /// Called for every batch with the bytes and rows read since the last call.
    pub(crate) progress: &'a (dyn Fn(u64, u64) + Send + Sync),
}
