//! The first rows of one step, without keeping them.

use super::check::Step;
use super::materialise::{engine_error, rows_of};
use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use perennial_core::error::Result;
use perennial_engine::Engine;

/// The first `limit` rows of a step's query over the tables the engine knows (see [`super::register`]). What it reads
/// is taken from their files, so only this one step is computed, and only until there are enough rows.
///
/// # Errors
/// At the step's file when its query fails.
pub async fn show(engine: &Engine, step: &Step, limit: usize) -> Result<Vec<RecordBatch>> {
    let rows = rows_of(engine, &step.rendered.sql, Some(limit)).await.map_err(|e| engine_error(step, e))?;
    let schema = rows.schema();
    let mut shown: Vec<RecordBatch> = rows.try_collect().await.map_err(|e| engine_error(step, e))?;
    if shown.is_empty() {
        shown.push(RecordBatch::new_empty(schema));
    }
    Ok(shown)
}
