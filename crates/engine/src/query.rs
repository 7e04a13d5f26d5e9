//! A planned query and its rows, which come as they are asked for.

use super::causes::{planning_error, query_error};
use super::{Engine, is_out_of_memory};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::{SendableRecordBatchStream, execute_stream};
use futures::StreamExt;
use perennial_core::error::Result;
use std::fmt;

/// A query, planned and not yet run.
pub struct Query {
    engine: Engine,
    plan: LogicalPlan,
    sql: String,
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query").field("sql", &self.sql).finish_non_exhaustive()
    }
}

impl Query {
    pub(super) fn new(engine: Engine, plan: LogicalPlan, sql: &str) -> Query {
        Query { engine, plan, sql: sql.to_string() }
    }

    /// The same query with this maximum number of rows.
    pub fn limit(self, rows: usize) -> Result<Query> {
        let Query { engine, plan, sql } = self;
        let limited = LogicalPlanBuilder::from(plan).limit(0, Some(rows)).and_then(LogicalPlanBuilder::build);
        Ok(Query { plan: limited.map_err(|e| planning_error(e, &sql))?, engine, sql })
    }

    /// Begins to run it. When memory runs out before the first rows, it is tried once more with the plan that needs the
    /// least.
    ///
    /// # Errors
    /// `Project` when it cannot be planned or memory does not suffice, `Data` when a value cannot be computed or a file
    /// of the lake is damaged, `Unreachable` when the store cannot be reached.
    pub async fn rows(self) -> Result<Rows> {
        match self.first_rows(&self.engine).await? {
            Err(error) if is_out_of_memory(&error) => match self.first_rows(&self.engine.frugal()).await? {
                Err(error) => Err(query_error(error, &self.sql)),
                Ok(rows) => Ok(rows),
            },
            Err(error) => Err(query_error(error, &self.sql)),
            Ok(rows) => Ok(rows),
        }
    }

    /// All rows, for results known to be small; one batch at least, which tells the columns.
    ///
    /// # Errors
    /// As [`Query::rows`].
    pub async fn collect(self) -> Result<Vec<RecordBatch>> {
        let mut rows = self.rows().await?;
        let mut all = Vec::new();
        while let Some(batch) = rows.next().await? {
            all.push(batch);
        }
        if all.is_empty() {
            all.push(RecordBatch::new_empty(rows.schema()));
        }
        Ok(all)
    }

    async fn first_rows(&self, engine: &Engine) -> Result<Result<Rows, DataFusionError>> {
        let state = engine.state();
        let planned = match state.optimize(&self.plan) {
            Ok(optimised) => state.query_planner().create_physical_plan(&optimised, &state).await,
            Err(error) => Err(error),
        };
        let mut stream = match planned.and_then(|plan| execute_stream(plan, state.task_ctx())) {
            Ok(stream) => stream,
            Err(error) if is_out_of_memory(&error) => return Ok(Err(error)),
            Err(error) => return Err(planning_error(error, &self.sql)),
        };
        Ok(match stream.next().await.transpose() {
            Ok(first) => Ok(Rows { stream, first, sql: self.sql.clone() }),
            Err(error) => Err(error),
        })
    }
}

/// Rows as they are computed.
pub struct Rows {
    stream: SendableRecordBatchStream,
    first: Option<RecordBatch>,
    sql: String,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("sql", &self.sql).finish_non_exhaustive()
    }
}

impl Rows {
    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }

    /// The next rows; nothing behind the last.
    ///
    /// # Errors
    /// As [`Query::rows`].
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => self.stream.next().await.transpose().map_err(|e| query_error(e, &self.sql)),
        }
    }
}
