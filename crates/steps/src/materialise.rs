//! One step's rows into files.

use super::check::Step;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::physical_plan::{SendableRecordBatchStream, execute_stream};
use futures::StreamExt;
use perennial_core::error::{Error, Result};
use perennial_engine::{Engine, Spot, failure_of_query, is_out_of_memory};
use perennial_lake::{DataFile, DataFiles, lake_schema};

/// Why rows could not be computed or written.
enum AttemptError {
    Engine(DataFusionError),
    Other(Error),
}

/// Computes a step and writes its rows. When memory runs out it is tried once more with one partition and joins that
/// spill. `written` is told the number of rows so far. The schema is that of the computed rows: what was planned may
/// differ from it in a type (a decimal's scale is known only once `round` has seen its literal).
///
/// # Errors
/// `Data` at the step's file when a value cannot be computed, `Project` when memory does not suffice, and those of the
/// writer.
pub async fn materialise(
    engine: &Engine,
    step: &Step,
    run_id: &str,
    lake: &dyn DataFiles,
    written: &(dyn Fn(u64) + Sync),
) -> Result<(SchemaRef, Vec<DataFile>)> {
    match attempt(engine, step, run_id, lake, written).await {
        Err(AttemptError::Engine(error)) if is_out_of_memory(&error) => {
            attempt(&engine.frugal(), step, run_id, lake, written).await.map_err(|error| step_error(step, error))
        }
        other => other.map_err(|error| step_error(step, error)),
    }
}

async fn attempt(
    engine: &Engine,
    step: &Step,
    run_id: &str,
    lake: &dyn DataFiles,
    written: &(dyn Fn(u64) + Sync),
) -> Result<(SchemaRef, Vec<DataFile>), AttemptError> {
    let mut rows = rows_of(engine, &step.rendered.sql, None).await.map_err(AttemptError::Engine)?;
    let schema = lake_schema(&step.name, &rows.schema()).map_err(AttemptError::Other)?;
    let mut writer = lake.writer(&step.name, run_id, rows.schema()).map_err(AttemptError::Other)?;
    let mut count = 0;
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(AttemptError::Engine)?;
        writer.write(&batch).await.map_err(AttemptError::Other)?;
        count += batch.num_rows() as u64;
        written(count);
    }
    Ok((schema, writer.finish().await.map_err(AttemptError::Other)?))
}

/// All partitions of a query in one stream, at most `limit` rows, with the engine's own errors.
pub(super) async fn rows_of(
    engine: &Engine,
    sql: &str,
    limit: Option<usize>,
) -> Result<SendableRecordBatchStream, DataFusionError> {
    let state = engine.state();
    let mut plan = state.create_logical_plan(sql).await?;
    if limit.is_some() {
        plan = LogicalPlanBuilder::from(plan).limit(0, limit)?.build()?;
    }
    let plan = state.create_physical_plan(&plan).await?;
    execute_stream(plan, state.task_ctx())
}

fn step_error(step: &Step, error: AttemptError) -> Error {
    match error {
        AttemptError::Engine(error) => engine_error(step, error),
        AttemptError::Other(error) => error.context(format!("cannot write {}", step.name)),
    }
}

/// An error of the engine while a step was computed, at the step's file.
pub(super) fn engine_error(step: &Step, error: DataFusionError) -> Error {
    let rendered = &step.rendered;
    let place = |spot: Option<Spot>| Some(spot.map_or_else(|| rendered.start(), |spot| rendered.place(spot)));
    failure_of_query(error, format!("{} cannot be computed", step.name), &rendered.sql, place)
}
