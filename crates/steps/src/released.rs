//! Tables of a release under the project's present SQL, which may not be the SQL that made them: what is not there, or
//! not as the SQL has it, is named, and never taken for a table without rows.

use super::check::{CheckedSql, Step, TestQuery};
use super::column_tests::{TestOutcome, TestPlan, planned, run_planned, skipped_query, test_query};
use super::run::register_given;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::error::DataFusionError;
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Problems, Result};
use perennial_engine::{Engine, diagnose, display_type, readable_schema};
use perennial_lake::TableVersion;
use perennial_project::Materialize;
use std::collections::{BTreeMap, BTreeSet};

/// Why something cannot be computed from the tables of a release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// The release does not have this table.
    NoTable(TableName),
    /// A table of the release does not have this column.
    NoColumn {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
    },
    /// A column of the release has another type than the step's SQL gives it now.
    OtherType {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// Its type in the release.
        released: String,
        /// Its type by the present SQL.
        present: String,
    },
    /// The SQL of a view or test does not fit the columns of the release.
    DoesNotFit {
        /// The view or test.
        name: TableName,
        /// What is wrong.
        message: String,
    },
    /// A table describes another business date than the query was rendered for.
    OtherDate {
        /// The table.
        table: TableName,
        /// The date that it describes.
        describes: jiff::civil::Date,
    },
    /// It was run and stopped at this error.
    Stopped(String),
}

impl Obstacle {
    fn does_not_fit(name: &TableName, error: &DataFusionError, sql: &str) -> Obstacle {
        let found = diagnose(error, sql).into_iter().next();
        let message = found.map_or_else(|| error.strip_backtrace(), |found| found.message);
        Obstacle::DoesNotFit { name: name.clone(), message }
    }
}

/// A test of what a release holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseTest {
    /// How it ended.
    pub outcome: TestOutcome,
    /// Why it was skipped.
    pub obstacle: Option<Obstacle>,
}

/// Makes everything of a release known to an engine, for queries: raw tables, relations of sources, tables and views,
/// those of a step by the step's present SQL. What the release lacks is known with its columns and no rows; it is
/// returned with the reason, and so is every view over it.
///
/// # Errors
/// Only of the engine.
pub async fn register(
    engine: &Engine,
    checked: &CheckedSql,
    tables: &BTreeMap<TableName, TableVersion>,
) -> Result<BTreeMap<TableName, Obstacle>> {
    let made: BTreeSet<&TableName> = checked.steps.iter().map(|s| &s.name).collect();
    let given = tables.iter().filter(|(name, _)| !made.contains(name)).map(|(n, v)| (n.clone(), v.clone())).collect();
    register_given(engine, &checked.sources, &given).await?;
    let mut obstacles = BTreeMap::new();
    for source in checked.sources.iter().filter(|source| !given.contains_key(&source.raw)) {
        for name in [&source.raw, &source.name] {
            obstacles.insert(name.clone(), Obstacle::NoTable(source.name.clone()));
        }
    }
    for step in &checked.steps {
        let upstream = step.reads.iter().find_map(|table| obstacles.get(table));
        let obstacle = match (step.header.materialize, tables.get(&step.name), upstream) {
            (Materialize::Table, Some(version), _) => {
                engine.register_files(&step.name, version)?;
                None
            }
            (Materialize::Table, None, _) => Some(Obstacle::NoTable(step.name.clone())),
            (Materialize::View, _, Some(upstream)) => Some(upstream.clone()),
            (Materialize::View, _, None) => match engine.plan(&step.rendered.sql).await {
                Ok(plan) => {
                    engine.register_plan(&step.name, plan, &step.rendered.sql)?;
                    None
                }
                Err(error) => Some(Obstacle::does_not_fit(&step.name, &error, &step.rendered.sql)),
            },
        };
        if let Some(obstacle) = obstacle {
            engine.register_schema(&step.name, step.schema.clone())?;
            obstacles.insert(step.name.clone(), obstacle);
        }
    }
    Ok(obstacles)
}

/// Runs the tests of the selected steps, and the queries of `sql/tests` that read one of them, on the tables of a
/// release, whose queries were rendered for the business date `as_of`. A test that cannot be run does not stop the
/// others.
///
/// # Errors
/// Only what keeps all tests from being run; errors of single tests are in the problems.
pub async fn test_released(
    engine: &Engine,
    checked: &CheckedSql,
    selected: &BTreeSet<TableName>,
    tables: &BTreeMap<TableName, TableVersion>,
    as_of: jiff::civil::Date,
) -> Result<(Vec<ReleaseTest>, Problems)> {
    let obstacles = register(engine, checked, tables).await?;
    let (mut tests, mut problems) = (Vec::new(), Problems::new());
    for step in checked.steps.iter().filter(|s| selected.contains(&s.name)) {
        let mut runnable = Vec::new();
        for test in planned(step, &|_| true) {
            match obstacle_of(engine, step, &test, &obstacles).await? {
                None => runnable.push(test),
                obstacle => tests.push(ReleaseTest { outcome: test.skipped(step), obstacle }),
            }
        }
        match run_planned(engine, step, &runnable).await {
            Ok(outcomes) => {
                tests.extend(outcomes.into_iter().map(|outcome| ReleaseTest { outcome, obstacle: None }));
            }
            Err(error) => {
                tests.extend(runnable.iter().map(|test| stopped(test.skipped(step), &error)));
                problems.push(error);
            }
        }
    }
    let dates = dates(checked, tables);
    let is_step = |table: &TableName| checked.step(table).is_some();
    let concerned = |test: &&TestQuery| match test.reads.iter().any(is_step) {
        true => test.reads.iter().any(|table| selected.contains(table)),
        // One that reads sources alone goes with no step.
        false => selected.len() == checked.steps.len(),
    };
    for test in checked.tests.iter().filter(concerned) {
        let unlike = |table: &TableName| {
            let date = dates.get(table).into_iter().flatten().find(|date| **date != as_of)?;
            Some(Obstacle::OtherDate { table: table.clone(), describes: *date })
        };
        let obstacle = test.reads.iter().find_map(|table| obstacles.get(table).cloned());
        let obstacle = match obstacle.or_else(|| test.reads.iter().find_map(unlike)) {
            None => match engine.plan(&test.rendered.sql).await {
                Ok(_) => None,
                Err(error) => Some(Obstacle::does_not_fit(&test.name, &error, &test.rendered.sql)),
            },
            found => found,
        };
        if obstacle.is_some() {
            tests.push(ReleaseTest { outcome: skipped_query(test), obstacle });
            continue;
        }
        match test_query(engine, test).await {
            Ok(outcome) => tests.push(ReleaseTest { outcome, obstacle: None }),
            Err(error) => {
                tests.push(stopped(skipped_query(test), &error));
                problems.push(error);
            }
        }
    }
    Ok((tests, problems))
}

fn stopped(outcome: TestOutcome, error: &Error) -> ReleaseTest {
    ReleaseTest { outcome, obstacle: Some(Obstacle::Stopped(error.message().to_string())) }
}

/// Why a test in a step's header cannot be run on the tables that the engine knows.
async fn obstacle_of(
    engine: &Engine,
    step: &Step,
    test: &TestPlan,
    obstacles: &BTreeMap<TableName, Obstacle>,
) -> Result<Option<Obstacle>> {
    let other = test.other.as_ref();
    let tables = [Some(&step.name), other.map(|(table, _)| table)];
    if let Some(found) = tables.into_iter().flatten().find_map(|table| obstacles.get(table)) {
        return Ok(Some(found.clone()));
    }
    let (released, present) = (engine.schema(&step.name).await?, readable_schema(&step.schema));
    // Examples of failing rows have the grain in them.
    for column in step.header.grain.iter().chain(&test.column) {
        let found = unlike_column(&step.name, column, &released, &present);
        if found.is_some() {
            return Ok(found);
        }
    }
    if let Some((table, column)) = other
        && engine.schema(table).await?.field_with_name(column).is_err()
    {
        return Ok(Some(Obstacle::NoColumn { table: table.clone(), column: column.clone() }));
    }
    Ok(None)
}

fn unlike_column(table: &TableName, column: &str, released: &SchemaRef, present: &SchemaRef) -> Option<Obstacle> {
    let (table, column_name) = (table.clone(), column.to_string());
    let Ok(released) = released.field_with_name(column) else {
        return Some(Obstacle::NoColumn { table, column: column_name });
    };
    let present = present.field_with_name(column).ok()?;
    let (released, present) = (released.data_type(), present.data_type());
    (!is_alike(released, present)).then(|| Obstacle::OtherType {
        table,
        column: column_name,
        released: display_type(released),
        present: display_type(present),
    })
}

/// Whether a test written for one type can be run on another. Numbers are compared with numbers of any type, and the
/// scale of a computed decimal is not known before it is computed.
fn is_alike(one: &DataType, other: &DataType) -> bool {
    one == other
        || (one.is_numeric() && other.is_numeric())
        || matches!((one, other), (DataType::Timestamp(..), DataType::Timestamp(..)))
        || one.is_nested() && other.is_nested()
}

/// The business dates that steps describe: a view those of what it reads.
fn dates(
    checked: &CheckedSql,
    tables: &BTreeMap<TableName, TableVersion>,
) -> BTreeMap<TableName, BTreeSet<jiff::civil::Date>> {
    let mut dates: BTreeMap<TableName, BTreeSet<jiff::civil::Date>> = BTreeMap::new();
    for step in &checked.steps {
        let own = match step.header.materialize {
            Materialize::Table => tables.get(&step.name).and_then(|version| version.as_of).into_iter().collect(),
            Materialize::View => step.reads.iter().filter_map(|table| dates.get(table)).flatten().copied().collect(),
        };
        dates.insert(step.name.clone(), own);
    }
    dates
}
