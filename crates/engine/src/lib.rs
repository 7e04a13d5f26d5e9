//! The only builder of a DataFusion session: settings, memory limit, functions, and the tables a query may read.
//!
//! Nothing here knows of projects, steps or releases. A table is a list of Parquet files with a schema, a view, rows in
//! memory, or a schema alone (for `check`). Queries never list folders or ask for sizes: what there is to read is told.
//!
//! Dialect: `duckdb`, the one of DataFusion's parsers that takes the most of what analysts write (`FILTER`, `QUALIFY`,
//! `GROUP BY ALL`, `ORDER BY ALL`, `EXCLUDE`, `::`, lambdas); the one thing it lacks, `UNNEST` after `FROM`, is added.

mod calendars;
mod causes;
mod comparisons;
mod complexity;
mod diagnose;
mod files;
mod other_engines;
mod origins;
mod patterns;
mod query;
mod replan;
mod source_view;
mod spots;
mod time_patterns;
mod trial;
mod types;
mod unnest;

#[cfg(test)]
mod figures_tests;
#[cfg(test)]
mod tests;

pub use causes::{UnknownTable, failure, failure_of_query, query_error};
pub use comparisons::mistyped_comparisons;
pub use complexity::too_deep;
pub use diagnose::{QueryProblem, diagnose, spot_of_type_error, uncomputable_subquery};
pub use origins::{Origin, origins};
pub use query::{Query, Rows};
pub use replan::problems_of_planning;
pub use source_view::{history_schema, history_view_sql, source_schema, source_view_sql};
pub use spots::{Spot, is_blank, second_statement, spot_named};
pub use time_patterns::mistaken_time_patterns;
pub use trial::{analysed, failing_casts, problems_of_run};
pub use types::{ValueExample, display_type, example_of, readable_schema};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::catalog::{MemoryCatalogProvider, MemorySchemaProvider, TableProvider};
use datafusion::common::config::{ConfigNonZeroUsize, SpillCompression};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, TableReference};
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer as rules;
use datafusion::prelude::{SessionConfig, SessionContext};
use object_store::ObjectStore;
use object_store::path::Path;
use perennial_calendar::BusinessCalendar;
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Kind, Result};
use perennial_core::sql::STANDARD;
use perennial_functions as functions;
use perennial_lake::TableVersion;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use url::Url;

/// The one catalog.
pub const CATALOG: &str = "perennial";

/// The schema of names without one, which has no tables.
const DEFAULT_SCHEMA: &str = "public";

/// Of the declared memory the share that the engine's pool may hand out: real memory is up to 2.5 times the pool.
const POOL_SHARE: f64 = 0.4;

/// What a session may use and how it reads the clock.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// What the program may use in all, in bytes, as the project declares it.
    pub memory_limit_bytes: u64,
    /// Threads that work on one query.
    pub threads: usize,
    /// IANA name of the project's time zone.
    pub time_zone: String,
    /// The calendars that functions of working days can be asked for, by name.
    pub calendars: BTreeMap<String, BusinessCalendar>,
}

impl Default for EngineSettings {
    fn default() -> EngineSettings {
        EngineSettings { memory_limit_bytes: 1 << 30, threads: 2, time_zone: "UTC".into(), calendars: BTreeMap::new() }
    }
}

/// Where the data files lie.
#[derive(Clone, Debug)]
pub struct EngineStore {
    /// The store.
    pub store: Arc<dyn ObjectStore>,
    /// Its root as a URL (`file:///`, `s3://bucket`).
    pub url: Url,
    /// The lake's root below it; file paths of tables are below this.
    pub prefix: Path,
}

/// A session that queries run in.
#[derive(Clone)]
pub struct Engine {
    context: SessionContext,
    settings: EngineSettings,
    store: Option<(ObjectStoreUrl, Path)>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Engine {
    /// A session with no tables yet. Without a store only views, schemas and rows in memory can be registered.
    ///
    /// # Errors
    /// [`perennial_core::error::Kind::Bug`] when the engine does not start.
    pub fn open(settings: EngineSettings, store: Option<EngineStore>) -> Result<Engine> {
        Engine::with_state(settings, store, |state| state)
    }

    /// A session that plans and never runs: of the optimiser only the rules that find mistakes, once over.
    pub fn for_check(settings: EngineSettings) -> Result<Engine> {
        Engine::with_state(settings, None, |state| {
            state.with_optimizer_rules(vec![
                Arc::new(rules::rewrite_set_comparison::RewriteSetComparison::new()),
                Arc::new(rules::simplify_expressions::SimplifyExpressions::new()),
                Arc::new(rules::replace_distinct_aggregate::ReplaceDistinctWithAggregate::new()),
                Arc::new(rules::decorrelate_predicate_subquery::DecorrelatePredicateSubquery::new()),
                Arc::new(rules::scalar_subquery_to_join::ScalarSubqueryToJoin::new()),
                Arc::new(rules::decorrelate_lateral_join::DecorrelateLateralJoin::new()),
            ])
        })
    }

    fn with_state(
        settings: EngineSettings,
        store: Option<EngineStore>,
        change: impl FnOnce(SessionStateBuilder) -> SessionStateBuilder,
    ) -> Result<Engine> {
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(TrackConsumersPool::new(
            FairSpillPool::new((settings.memory_limit_bytes as f64 * POOL_SHARE) as usize),
            NonZeroUsize::new(3).unwrap_or(NonZeroUsize::MIN),
        )));
        let runtime = runtime.build_arc().map_err(|e| failure(e, "cannot start the engine"))?;
        let store = match store {
            Some(EngineStore { store, url, prefix }) => {
                runtime.register_object_store(&url, store);
                let root = ObjectStoreUrl::parse(&url[..url::Position::BeforePath])
                    .map_err(|e| failure(e, "cannot use the lake's URL"))?;
                Some((root, prefix))
            }
            None => None,
        };
        let state = SessionStateBuilder::new()
            .with_config(session_config(&settings))
            .with_runtime_env(runtime)
            .with_default_features();
        let context = SessionContext::new_with_state(change(state).build());
        context.register_catalog(CATALOG, Arc::new(MemoryCatalogProvider::new()));
        functions::register(&context);
        context
            .register_relation_planner(Arc::new(unnest::UnnestInFrom))
            .map_err(|e| failure(e, "cannot start the engine"))?;
        Ok(Engine { context, settings, store })
    }

    /// A name for the calendars and the time zone of the session, which is another one when they change; nothing for SQL
    /// whose answers do not depend on them.
    pub fn calendars_behind(&self, sql: &str) -> Option<String> {
        functions::names_function_of_calendars(sql).then(|| calendars::digest(&self.settings))
    }

    /// DataFusion's state as it is now; tables registered later are seen through it as well.
    pub fn state(&self) -> SessionState {
        self.context.state()
    }

    /// A table over exactly these files. Files that lack a column of the schema give NULL there; no file, no row.
    ///
    /// # Errors
    /// [`perennial_core::error::Kind::Bug`] when the engine was opened without a store.
    pub fn register_files(&self, name: &TableName, version: &TableVersion) -> Result<()> {
        let schema = readable_schema(&version.schema);
        if version.files.is_empty() {
            return self.put(name, Arc::new(EmptyTable::new(schema)));
        }
        let Some((root, prefix)) = &self.store else {
            return Err(Error::bug(format!("{name} has files, but the engine was opened without a store")));
        };
        self.put(name, Arc::new(files::FilesTable::new(root.clone(), prefix, schema, &version.files)))
    }

    /// A table of which only the columns are known; it has no rows.
    pub fn register_schema(&self, name: &TableName, schema: SchemaRef) -> Result<()> {
        self.put(name, Arc::new(EmptyTable::new(readable_schema(&schema))))
    }

    /// A table of rows in memory.
    pub fn register_rows(&self, name: &TableName, schema: SchemaRef, rows: Vec<RecordBatch>) -> Result<()> {
        let table = MemTable::try_new(schema, vec![rows])
            .map_err(|e| failure(e, format!("cannot register the rows of {name}")))?;
        self.put(name, Arc::new(table))
    }

    /// A stored query. What it reads must be registered before; filters and columns are pushed into it.
    pub async fn register_view(&self, name: &TableName, sql: &str) -> Result<()> {
        let plan = self.plan(sql).await.map_err(|e| failure(e, format!("cannot create the view {name}")))?;
        self.register_plan(name, plan, sql)
    }

    /// A stored query that was planned already.
    pub fn register_plan(&self, name: &TableName, plan: LogicalPlan, sql: &str) -> Result<()> {
        let plan = without_places(plan).map_err(|e| failure(e, format!("cannot create the view {name}")))?;
        self.put(name, Arc::new(ViewTable::new(plan, Some(sql.to_string()))))
    }

    /// Whether a table of this name is registered.
    pub fn has(&self, name: &TableName) -> bool {
        self.context.table_exist(reference(name)).unwrap_or(false)
    }

    /// The columns of a registered table.
    pub async fn schema(&self, name: &TableName) -> Result<SchemaRef> {
        let provider = self.context.table_provider(reference(name)).await;
        Ok(provider.map_err(|e| failure(e, format!("cannot find {name}")))?.schema())
    }

    fn put(&self, name: &TableName, table: Arc<dyn TableProvider>) -> Result<()> {
        let catalog = self.context.catalog(CATALOG).ok_or_else(|| Error::bug("the catalog is missing"))?;
        if catalog.schema(&name.schema).is_none() {
            catalog
                .register_schema(&name.schema, Arc::new(MemorySchemaProvider::new()))
                .map_err(|e| failure(e, format!("cannot create the schema {}", name.schema)))?;
        }
        self.context.deregister_table(reference(name)).map_err(|e| failure(e, format!("cannot replace {name}")))?;
        self.context
            .register_table(reference(name), table)
            .map_err(|e| failure(e, format!("cannot register {name}")))?;
        Ok(())
    }

    /// Plans one statement that only reads. The error is DataFusion's own, for [`diagnose`].
    pub async fn plan(&self, sql: &str) -> Result<LogicalPlan, DataFusionError> {
        let plan = self.context.state().create_logical_plan(sql).await?;
        only_reads(&plan)?;
        Ok(plan)
    }

    /// A query, planned and not yet run.
    ///
    /// # Errors
    /// [`perennial_core::error::Kind::Project`] when it is not valid SQL or does more than read.
    pub async fn query(&self, sql: &str) -> Result<Query> {
        let refused = |found: QueryProblem| found.error_in(Kind::Project, "query", sql);
        if let Some(found) = diagnose::not_one_query(sql).or_else(|| too_deep(sql)) {
            return Err(refused(found));
        }
        let plan = self.plan(sql).await.map_err(|e| causes::planning_error(e, sql))?;
        let mistakes = mistyped_comparisons(&plan).into_iter().chain(mistaken_time_patterns(&plan, sql));
        match mistakes.min_by_key(|found| found.spot.map(|spot| (spot.line, spot.column))) {
            Some(found) => Err(refused(found)),
            None => Ok(Query::new(self.clone(), plan, sql)),
        }
    }

    /// All rows of a query, for results known to be small.
    pub async fn collect(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        self.query(sql).await?.collect().await
    }

    /// The same tables and memory in a session that needs less: one partition, joins that spill, spills compressed.
    /// For the one more try of a query that ran out of memory.
    pub fn frugal(&self) -> Engine {
        let mut config =
            session_config(&self.settings).with_target_partitions(1).with_create_default_catalog_and_schema(false);
        config.options_mut().optimizer.prefer_hash_join = false;
        config.options_mut().execution.spill_compression = SpillCompression::Lz4Frame;
        let state = SessionStateBuilder::new_from_existing(self.context.state()).with_config(config).build();
        Engine { context: SessionContext::new_with_state(state), ..self.clone() }
    }
}

/// A plan that does not say where its columns stand: it becomes part of queries with another text.
fn without_places(plan: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
    let plan = plan.transform_up_with_subqueries(|node| {
        node.map_expressions(|expr| {
            expr.transform_up(|e| match e {
                Expr::Column(column) if column.spans.first().is_some() => {
                    Ok(Transformed::yes(Expr::Column(Column::new(column.relation, column.name))))
                }
                other => Ok(Transformed::no(other)),
            })
        })
    })?;
    Ok(plan.data)
}

/// Whether an error means that the memory pool was empty.
pub fn is_out_of_memory(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::ResourcesExhausted(_))
}

/// Refuses statements that would change something.
pub fn only_reads(plan: &LogicalPlan) -> Result<(), DataFusionError> {
    datafusion::prelude::SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(plan)
}

/// A name as DataFusion takes it.
pub fn reference(name: &TableName) -> TableReference {
    TableReference::full(CATALOG, name.schema.as_str(), name.name.as_str())
}

/// An identifier in quotes.
pub fn quoted(name: &str) -> String {
    STANDARD.identifier(name)
}

/// A table's name in quotes.
pub fn quoted_name(name: &TableName) -> String {
    STANDARD.table(Some(&name.schema), &name.name)
}

/// A text as an SQL literal.
pub fn literal(text: &str) -> String {
    STANDARD.literal(text)
}

fn session_config(settings: &EngineSettings) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, DEFAULT_SCHEMA)
        .with_information_schema(true)
        .with_target_partitions(settings.threads.max(1))
        .with_option_extension(functions::Calendars::new(settings.calendars.clone()));
    let options = config.options_mut();
    options.sql_parser.collect_spans = true;
    // What is too deep is refused before, with its place.
    if let Ok(limit) = ConfigNonZeroUsize::try_new(10 * complexity::MAX_NESTING) {
        options.sql_parser.recursion_limit = limit;
    }
    options.sql_parser.dialect = datafusion::common::config::Dialect::DuckDB;
    options.execution.time_zone = Some(settings.time_zone.clone());
    // Row groups and pages are skipped by statistics; evaluating filters while decoding costs more than it saves when
    // most rows stay, which is what steps do.
    options.execution.parquet.pushdown_filters = false;
    options.execution.parquet.schema_force_view_types = true;
    config
}
