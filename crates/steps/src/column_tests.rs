//! Failing rows counted: rules of columns, the grain, and the queries of `sql/tests`.
//!
//! Rules about single rows (`not_null`, `accepted_values`, `range`) of one table are counted in one scan; `unique`, the
//! grain and `relationships` take a query each. An example is only fetched where rows fail; it has the grain and the
//! tested column, and of personal columns no value: examples are kept and printed where everybody reads them.

use super::check::{CheckedSql, Step, TestQuery};
use super::materialise::rows_of;
use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type, Schema};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::StreamExt;
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Result};
use perennial_engine::{Engine, failure, literal, quoted, quoted_name};
use perennial_lake::history::TestStatus;
use perennial_project::{ColumnRule, Severity};
use std::collections::BTreeSet;

/// One test of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestOutcome {
    /// `marts.rfm.customer_id.not_null`, `marts.rfm.grain`, `tests.sums`.
    pub name: String,
    /// The table it is about; for a query of `sql/tests` the test itself.
    pub table: TableName,
    /// The column, for rules of one column.
    pub column: Option<String>,
    /// The table that it is held against.
    pub against: Option<TableName>,
    /// What a failure does.
    pub severity: Severity,
    /// Its status.
    pub status: TestStatus,
    /// Rows that fail it; for `unique` and the grain, values that occur more than once.
    pub failures: u64,
    /// One of the failing rows, as `column = value, ...`.
    pub example: Option<String>,
}

/// What stands for a value that is not shown.
const HIDDEN: &str = "***";

/// A test as a query: what to count, and where an example is.
pub(super) struct TestPlan {
    name: String,
    /// The column it is about; `None` for the grain.
    pub column: Option<String>,
    severity: Severity,
    /// The table and column that it is held against.
    pub other: Option<(TableName, String)>,
    /// Condition under which a row fails, where the row alone decides.
    predicate: Option<String>,
    /// Query of the failing rows.
    failing_rows: String,
}

impl TestPlan {
    /// The outcome when it is not run.
    pub fn skipped(&self, step: &Step) -> TestOutcome {
        TestOutcome {
            name: self.name.clone(),
            table: step.name.clone(),
            column: self.column.clone(),
            against: self.other.as_ref().map(|(table, _)| table.clone()),
            severity: self.severity,
            status: TestStatus::Skipped,
            failures: 0,
            example: None,
        }
    }
}

/// Runs those tests in a step's header that `which` takes on its table, which must be registered.
///
/// # Errors
/// When a query fails; that is the engine's or the store's failure, as `check` has planned these queries.
pub async fn test_step(
    engine: &Engine,
    step: &Step,
    which: &(dyn Fn(&ColumnRule) -> bool + Sync),
) -> Result<Vec<TestOutcome>> {
    run_planned(engine, step, &planned(step, which)).await
}

/// Runs tests of a step. What is wrong with their queries is said without their text, which nobody wrote.
pub(super) async fn run_planned(engine: &Engine, step: &Step, tests: &[TestPlan]) -> Result<Vec<TestOutcome>> {
    outcomes(engine, step, tests).await.map_err(|error| {
        let message = format!("the tests of {} cannot be run: {}", step.name, error.message());
        let said = Error::new(error.kind(), message);
        let said = match error.hint_text() {
            Some(hint) => said.hint(hint.to_string()),
            None => said,
        };
        said.because(error)
    })
}

async fn outcomes(engine: &Engine, step: &Step, tests: &[TestPlan]) -> Result<Vec<TestOutcome>> {
    let together: Vec<&TestPlan> = tests.iter().filter(|t| t.predicate.is_some()).collect();
    let mut row_counts = count_together(engine, step, &together).await?.into_iter();
    let mut outcomes = Vec::new();
    for test in tests {
        let failures = match test.predicate {
            Some(_) => row_counts.next().unwrap_or(0),
            None => count_alone(engine, &test.failing_rows).await?,
        };
        let example = if failures > 0 { first_row(engine, &test.failing_rows, &step.personal).await? } else { None };
        let status = status(failures, test.severity);
        outcomes.push(TestOutcome { status, failures, example, ..test.skipped(step) });
    }
    Ok(outcomes)
}

/// Runs a query whose rows are failures.
///
/// # Errors
/// `Data` or `Project` at the test's file when the query fails.
pub async fn test_query(engine: &Engine, test: &TestQuery) -> Result<TestOutcome> {
    let fail = |e| failure(e, format!("{} cannot be computed", test.name)).at(test.rendered.start());
    let mut rows = rows_of(engine, &test.rendered.sql, None).await.map_err(fail)?;
    let (mut failures, mut example) = (0, None);
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(fail)?;
        if example.is_none() && batch.num_rows() > 0 {
            example = Some(row_text(&batch, 0, &test.personal)?);
        }
        failures += batch.num_rows() as u64;
    }
    Ok(TestOutcome { failures, example, status: status(failures, test.severity), ..skipped_query(test) })
}

/// The outcome of a query whose tables could not be computed.
pub fn skipped_query(test: &TestQuery) -> TestOutcome {
    TestOutcome {
        name: test.name.to_string(),
        table: test.name.clone(),
        column: None,
        against: None,
        severity: test.severity,
        status: TestStatus::Skipped,
        failures: 0,
        example: None,
    }
}

fn status(failures: u64, severity: Severity) -> TestStatus {
    match (failures, severity) {
        (0, _) => TestStatus::Passed,
        (_, Severity::Warn) => TestStatus::Warned,
        (_, Severity::Error) => TestStatus::Failed,
    }
}

/// Whether a rule compares a step's table with that of another step, which need not be computed when the step is.
pub(super) fn looks_elsewhere(rule: &ColumnRule, step: &Step, checked: &CheckedSql) -> bool {
    match rule {
        ColumnRule::Relationships { to, .. } => {
            *to != step.name && checked.step(to).is_some() && !checked.graph.upstream(&step.name).contains(to)
        }
        _ => false,
    }
}

/// The tests in a step's header that `which` takes.
pub(super) fn planned(step: &Step, which: &(dyn Fn(&ColumnRule) -> bool + Sync)) -> Vec<TestPlan> {
    let table = quoted_name(&step.name);
    let mut tests = Vec::new();
    // The grain is tested with the rules about one table, not with those that compare two.
    if !step.header.grain.is_empty() && which(&ColumnRule::Unique) {
        let columns: Vec<String> = step.header.grain.iter().map(|c| quoted(c)).collect();
        tests.push(TestPlan {
            name: format!("{}.grain", step.name),
            column: None,
            severity: Severity::Error,
            other: None,
            predicate: None,
            failing_rows: more_than_once(&table, &columns.join(", "), ""),
        });
    }
    for column in &step.header.columns {
        for test in column.tests.iter().filter(|t| which(&t.rule)) {
            let (word, predicate, failing_rows) = rule_sql(step, &table, &column.name, &test.rule);
            tests.push(TestPlan {
                name: format!("{}.{}.{word}", step.name, column.name),
                column: Some(column.name.clone()),
                severity: test.severity,
                other: match &test.rule {
                    ColumnRule::Relationships { to, column } => Some((to.clone(), column.clone())),
                    _ => None,
                },
                predicate,
                failing_rows,
            });
        }
    }
    tests
}

/// Name of the rule, condition of a failing row where the row alone decides, and the query of failing rows.
fn rule_sql(step: &Step, table: &str, column: &str, rule: &ColumnRule) -> (&'static str, Option<String>, String) {
    let name = quoted(column);
    let grain = step.header.grain.iter().filter(|key| *key != column);
    let shown: Vec<String> = grain.map(|key| quoted(key)).chain([name.clone()]).collect();
    let by_row = |word, predicate: String| {
        let failing = format!("SELECT {} FROM {table} WHERE {predicate}", shown.join(", "));
        (word, Some(predicate), failing)
    };
    match rule {
        ColumnRule::NotNull => by_row("not_null", format!("{name} IS NULL")),
        ColumnRule::AcceptedValues(values) => {
            let list: Vec<String> = values.iter().map(|v| literal(v)).collect();
            let accepted = if list.is_empty() {
                "FALSE".into()
            } else {
                format!("CAST({name} AS VARCHAR) IN ({})", list.join(", "))
            };
            by_row("accepted_values", format!("{name} IS NOT NULL AND NOT ({accepted})"))
        }
        ColumnRule::Range { min, max } => {
            let predicate = range_predicate(&step.schema, column, min.as_deref(), max.as_deref());
            by_row("range", predicate.unwrap_or_else(|| "FALSE".into()))
        }
        ColumnRule::Unique => ("unique", None, more_than_once(table, &name, &format!("WHERE {name} IS NOT NULL"))),
        ColumnRule::Relationships { to, column: other } => {
            let (to, other) = (quoted_name(to), quoted(other));
            let shown: Vec<String> = shown.iter().map(|column| format!("a.{column}")).collect();
            let failing = format!(
                "SELECT {shown} FROM {table} a WHERE a.{name} IS NOT NULL \
                 AND NOT EXISTS (SELECT 1 FROM {to} b WHERE b.{other} = a.{name})",
                shown = shown.join(", ")
            );
            ("relationships", None, failing)
        }
    }
}

fn more_than_once(table: &str, columns: &str, filter: &str) -> String {
    format!("SELECT {columns}, count(*) AS times FROM {table} {filter} GROUP BY {columns} HAVING count(*) > 1")
}

/// When a value is out of range. Bounds of numbers are taken as written, others as quoted literals of the column's
/// type.
pub(super) fn range_predicate(schema: &Schema, column: &str, min: Option<&str>, max: Option<&str>) -> Option<String> {
    let data_type = schema.field_with_name(column).ok()?.data_type();
    let name = quoted(column);
    let below = min.map(|v| format!("{name} < {}", bound(data_type, v)));
    let above = max.map(|v| format!("{name} > {}", bound(data_type, v)));
    let sides: Vec<String> = below.into_iter().chain(above).collect();
    (!sides.is_empty()).then(|| format!("({})", sides.join(" OR ")))
}

fn bound(data_type: &DataType, value: &str) -> String {
    let is_literal = value.starts_with('\'') || value.contains(['(', ' ']);
    match data_type {
        _ if is_literal => value.to_string(),
        t if t.is_numeric() => value.to_string(),
        DataType::Date32 => format!("DATE {}", literal(value)),
        DataType::Timestamp(..) => format!("TIMESTAMP {}", literal(value)),
        _ => literal(value),
    }
}

async fn count_together(engine: &Engine, step: &Step, tests: &[&TestPlan]) -> Result<Vec<u64>> {
    if tests.is_empty() {
        return Ok(Vec::new());
    }
    let counts = tests
        .iter()
        .enumerate()
        .map(|(i, test)| format!("count(*) FILTER (WHERE {}) AS f{i}", test.predicate.as_deref().unwrap_or("FALSE")));
    let sql = format!("SELECT {} FROM {}", counts.collect::<Vec<_>>().join(", "), quoted_name(&step.name));
    let rows = engine.collect(&sql).await?;
    let row = rows.iter().find(|b| b.num_rows() > 0).ok_or_else(|| Error::bug("a count gave no row"))?;
    Ok((0..tests.len()).map(|i| row.column(i).as_primitive::<Int64Type>().value(0) as u64).collect())
}

async fn count_alone(engine: &Engine, failing_rows: &str) -> Result<u64> {
    let rows = engine.collect(&format!("SELECT count(*) FROM ({failing_rows})")).await?;
    let row = rows.iter().find(|b| b.num_rows() > 0).ok_or_else(|| Error::bug("a count gave no row"))?;
    Ok(row.column(0).as_primitive::<Int64Type>().value(0) as u64)
}

async fn first_row(engine: &Engine, sql: &str, personal: &BTreeSet<String>) -> Result<Option<String>> {
    let rows = engine.collect(&format!("SELECT * FROM ({sql}) ORDER BY ALL LIMIT 1")).await?;
    rows.iter().find(|b| b.num_rows() > 0).map(|batch| row_text(batch, 0, personal)).transpose()
}

/// A row as `column = value, ...`; the values of personal columns are not in it.
pub(super) fn row_text(batch: &RecordBatch, row: usize, personal: &BTreeSet<String>) -> Result<String> {
    let options = FormatOptions::default().with_null("NULL").with_date_format(Some("%Y-%m-%d"));
    let mut parts = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let value = ArrayFormatter::try_new(column.as_ref(), &options)?.value(row).try_to_string()?;
        let value = match column.is_null(row) {
            true => "NULL".into(),
            false if personal.contains(field.name()) => HIDDEN.into(),
            false => value,
        };
        parts.push(format!("{} = {value}", field.name()));
    }
    Ok(parts.join(", "))
}
