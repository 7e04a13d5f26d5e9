//! `tests/steps/*.yml`: given rows, expected rows, for one step.
//!
//! The step's query runs over the given rows alone; columns that a given row does not name are NULL, tables not given
//! have no rows. Values are cast to the columns' types exactly, and only the columns that expected rows name are
//! compared. `as_of` and `vars` are the test's own, laid over the project's.

use super::check::{CheckedSql, Step};
use super::column_tests::row_text;
use super::materialise::rows_of;
use super::render::{Renderer, RunContext, suggest_table};
use super::template::Template;
use arrow::array::{ArrayRef, StringArray, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use arrow::util::display::FormatOptions;
use futures::TryStreamExt;
use minijinja::value::Value;
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Problems, Result};
use perennial_engine::{Engine, EngineSettings, ValueExample, diagnose, display_type, example_of, readable_schema};
use perennial_project::{GivenTable, Project, Spanned, StepTest, TestCell, TestRow};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What became of given and expected rows.
#[derive(Debug)]
pub struct StepTestOutcome {
    /// The test's file.
    pub file: String,
    /// The step.
    pub step: TableName,
    /// Why it failed, rows side by side; nothing when it passed.
    pub failure: Option<Error>,
}

/// Checks the names and values of a test. A step with a problem of its own (`is_broken`) is not reported again.
pub(super) fn check(
    test: &StepTest,
    checked: &CheckedSql,
    is_broken: &dyn Fn(&TableName) -> bool,
    problems: &mut Problems,
) {
    let Some(step) = problems.keep(step_of(test, checked, is_broken)).flatten() else { return };
    for given in &test.given {
        let Some(name) = problems.keep(given_name(test, given, step)) else { continue };
        let Some(schema) = schema_of(&name, checked) else { continue };
        let unknown = |column: &str| Error::project(format!("{name} has no column `{column}`"));
        check_cells(test, &given.rows, &schema, &unknown, problems);
    }
    let unknown = |column: &str| Error::project(format!("{} has no column `{column}`", step.name));
    check_cells(test, &test.expect.rows, &step.schema, &unknown, problems);
    if let Err(error) = compared_columns(test, &step.schema) {
        problems.push(error);
    }
}

/// Every value of some rows: its column is known and it fits the column's type. An unknown column is reported once.
fn check_cells(
    test: &StepTest,
    rows: &[TestRow],
    schema: &SchemaRef,
    unknown: &dyn Fn(&str) -> Error,
    problems: &mut Problems,
) {
    let mut reported = BTreeSet::new();
    for cell in rows.iter().flat_map(|row| &row.cells) {
        let column = cell.column.value.as_str();
        let Ok(field) = schema.field_with_name(column) else {
            if reported.insert(column) {
                let known = schema.fields().iter().map(|f| f.name().as_str());
                problems.push(unknown(column).at(test.place(&cell.column.span)).suggest(column, known));
            }
            continue;
        };
        if let Err(error) = check_value(cell, field.data_type()) {
            problems.push(error.at(test.place(&cell.span)));
        }
    }
}

fn check_value(cell: &TestCell, data_type: &DataType) -> Result<(), Error> {
    let Some(text) = cell.value.as_deref() else { return Ok(()) };
    cast_exactly(vec![Some(text)], data_type).map(drop).map_err(|why| {
        let error = Error::project(format!("column `{}` {why}", cell.column.value));
        match example_of(data_type) {
            Some(ValueExample { what, text }) => error.hint(format!("write {what} such as `{text}`, or `~` for NULL")),
            None => error,
        }
    })
}

/// Runs one test.
///
/// # Errors
/// When the test itself is wrong (which `check` reports as well) or the engine fails; a difference of rows is in the
/// outcome.
pub async fn run_step_test(
    project: &Project,
    checked: &CheckedSql,
    context: &RunContext,
    test: &StepTest,
) -> Result<StepTestOutcome> {
    let Some(step) = step_of(test, checked, &|_| false)? else {
        return Err(Error::project(format!("step `{}` has problems of its own", test.step.value)));
    };
    let engine = engine_with(project, checked, step, test)?;
    let rendered = {
        let (renderer, _) = Renderer::new(project, &own_context(test, context));
        let rendered = renderer.render(Template::rest_of(&step.file, body_of(project, step)), Value::UNDEFINED);
        rendered.map_err(first_of)?
    };
    let place = |error| {
        let found = diagnose(&error, &rendered.sql).into_iter().next();
        found.map_or_else(|| Error::bug(error.to_string()), |found| rendered.error(found))
    };
    let rows = rows_of(&engine, &rendered.sql, None).await.map_err(place)?;
    let schema = rows.schema();
    let batches: Vec<RecordBatch> = rows.try_collect().await.map_err(place)?;
    let columns = compared_columns(test, &schema)?;
    let failure = compare(test, step, &columns, &schema, &batches)?;
    Ok(StepTestOutcome { file: test.file.path.clone(), step: step.name.clone(), failure })
}

fn first_of(errors: Vec<Error>) -> Error {
    errors.into_iter().next().unwrap_or_else(|| Error::bug("a template failed without an error"))
}

fn step_of<'a>(
    test: &StepTest,
    checked: &'a CheckedSql,
    is_broken: &dyn Fn(&TableName) -> bool,
) -> Result<Option<&'a Step>> {
    let Spanned { value: wanted, span } = &test.step;
    if let Some(step) = checked.steps.iter().find(|s| s.name.to_string() == *wanted) {
        return Ok(Some(step));
    }
    if TableName::try_from(wanted.clone()).is_ok_and(|name| is_broken(&name)) {
        return Ok(None);
    }
    let known: Vec<String> = checked.steps.iter().map(|s| s.name.to_string()).collect();
    let error = Error::project(format!("unknown step `{wanted}`")).at(test.place(span));
    Err(suggest_table(error, wanted, &known))
}

fn own_context(test: &StepTest, context: &RunContext) -> RunContext {
    let mut own = context.clone();
    own.vars.extend(test.vars.clone());
    own.as_of = test.as_of.unwrap_or(own.as_of);
    own
}

fn body_of(project: &Project, step: &Step) -> usize {
    project.steps.iter().find(|s| s.name == step.name).map_or(0, |s| s.body)
}

fn given_name(test: &StepTest, given: &GivenTable, step: &Step) -> Result<TableName> {
    let Spanned { value: table, span } = &given.table;
    let found = step.reads.iter().find(|r| r.to_string() == *table);
    found.cloned().ok_or_else(|| {
        let known: Vec<String> = step.reads.iter().map(TableName::to_string).collect();
        let error = Error::project(format!("{} does not read `{table}`", step.name));
        error.at(test.place(span)).suggest(table, known.iter().map(String::as_str))
    })
}

fn schema_of(table: &TableName, checked: &CheckedSql) -> Option<SchemaRef> {
    if let Some(step) = checked.step(table) {
        return Some(step.schema.clone());
    }
    let source = checked.sources.iter().find(|s| s.name == *table || s.raw == *table)?;
    Some(if source.raw == *table { source.raw_schema.clone() } else { source.schema.clone() })
}

fn engine_with(project: &Project, checked: &CheckedSql, step: &Step, test: &StepTest) -> Result<Engine> {
    let settings = EngineSettings {
        time_zone: project.time_zone.clone(),
        calendars: project.calendars.clone(),
        threads: 1,
        ..EngineSettings::default()
    };
    let engine = Engine::open(settings, None)?;
    for given in &test.given {
        given_name(test, given, step)?;
    }
    for table in &step.reads {
        let Some(schema) = schema_of(table, checked) else { continue };
        let schema = readable_schema(&schema);
        let given = test.given.iter().find(|given| given.table.value == table.to_string());
        let rows = given.map_or(&[][..], |given| &given.rows);
        let batch = batch_of(test, &table.to_string(), &schema, rows)?;
        engine.register_rows(table, schema, vec![batch])?;
    }
    Ok(engine)
}

fn batch_of(test: &StepTest, table: &str, schema: &SchemaRef, rows: &[TestRow]) -> Result<RecordBatch> {
    let columns = schema.fields().iter().map(|field| {
        let cells: Vec<Option<&TestCell>> = rows.iter().map(|row| row.cell(field.name())).collect();
        let Some(first) = cells.iter().flatten().next() else {
            return Ok(new_null_array(field.data_type(), rows.len()));
        };
        let texts = cells.iter().map(|cell| cell.and_then(|cell| cell.value.as_deref())).collect();
        cast_exactly(texts, field.data_type()).map_err(|why| {
            let error = Error::project(format!("column `{}` of {table} {why}", field.name()));
            error.at(test.place(&first.column.span))
        })
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// Texts as values of a type; more decimal places than the type has are refused, not rounded.
pub(super) fn cast_exactly(texts: Vec<Option<&str>>, to: &DataType) -> Result<ArrayRef, String> {
    if matches!(to, DataType::Struct(_) | DataType::List(_)) {
        return from_json(&texts, to);
    }
    if let DataType::Decimal128(_, scale) = to {
        let places = |text: &str| text.trim().split_once('.').map_or(0, |(_, p)| p.trim_end_matches('0').len());
        if let Some(text) = texts.iter().flatten().find(|t| places(t) > (*scale).max(0) as usize) {
            return Err(format!("is {}, which cannot hold `{text}`", display_type(to)));
        }
    }
    let shown: Vec<String> = texts.iter().flatten().map(|t| format!("`{t}`")).collect();
    let options = CastOptions { safe: false, format_options: FormatOptions::default() };
    cast_with_options(&StringArray::from(texts), to, &options)
        .map_err(|_| format!("is {}, which cannot hold {}", display_type(to), shown.join(", ")))
}

/// Structs and lists, which are written as JSON; members left out are NULL.
fn from_json(texts: &[Option<&str>], to: &DataType) -> Result<ArrayRef, String> {
    let shape = Arc::new(Schema::new(vec![Field::new("value", to.clone(), true)]));
    let lines: String = texts.iter().map(|t| format!("{{\"value\": {}}}\n", t.unwrap_or("null"))).collect();
    let read = || -> Result<Option<RecordBatch>, ArrowError> {
        let mut decoder = ReaderBuilder::new(shape).with_batch_size(texts.len().max(1)).build_decoder()?;
        decoder.decode(lines.as_bytes())?;
        decoder.flush()
    };
    match read() {
        Ok(Some(batch)) if batch.num_rows() == texts.len() => Ok(batch.column(0).clone()),
        Ok(_) => Ok(new_null_array(to, texts.len())),
        Err(error) => Err(format!("is {}, which is written as JSON: {error}", display_type(to))),
    }
}

/// The columns that expected rows name, in the order of the query's. Unknown ones are left out; `check` reports them.
fn compared_columns(test: &StepTest, schema: &Schema) -> Result<Vec<String>> {
    let expect = &test.expect;
    let named: BTreeSet<&str> =
        expect.rows.iter().flat_map(|row| row.cells.iter().map(|cell| cell.column.value.as_str())).collect();
    for name in &named {
        if let Some(index) = expect.rows.iter().position(|row| row.cell(name).is_none()) {
            let error = Error::project(format!("expected row {} does not name `{name}`, which others do", index + 1));
            let place = test.place(&expect.rows[index].span);
            return Err(error.at(place).hint("expected rows all name the same columns; write `~` for NULL"));
        }
    }
    let known = schema.fields().iter().map(|f| f.name().as_str());
    Ok(known.filter(|k| named.contains(k)).map(str::to_string).collect())
}

fn compare(
    test: &StepTest,
    step: &Step,
    columns: &[String],
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Result<Option<Error>> {
    let indices: Vec<usize> = columns.iter().filter_map(|c| schema.index_of(c).ok()).collect();
    let shape = Arc::new(schema.project(&indices)?);
    let wanted = texts_of(&[batch_of(test, "expect", &shape, &test.expect.rows)?])?;
    let given = batches.iter().map(|b| b.project(&indices)).collect::<Result<Vec<_>, _>>()?;
    let got = texts_of(&given)?;
    let lines = if test.expect.in_order { differences_in_order(&wanted, &got) } else { differences(&wanted, &got) };
    if lines.is_empty() {
        return Ok(None);
    }
    let counts = match got.len() == wanted.len() {
        true => String::new(),
        false => format!(" ({} instead of {})", got.len(), wanted.len()),
    };
    let message = format!("{} returned different rows than expected{counts}\n{}", step.name, lines.join("\n"));
    Ok(Some(Error::data(message).at(test.place(&test.expect.span))))
}

fn texts_of(batches: &[RecordBatch]) -> Result<Vec<String>> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            rows.push(row_text(batch, row, &BTreeSet::new())?);
        }
    }
    Ok(rows)
}

/// Rows missing and rows too many, however ordered.
fn differences(wanted: &[String], got: &[String]) -> Vec<String> {
    let mut rest: Vec<&String> = got.iter().collect();
    let mut lines = Vec::new();
    for row in wanted {
        match rest.iter().position(|r| *r == row) {
            Some(index) => {
                rest.remove(index);
            }
            None => lines.push(format!("  missing:    {row}")),
        }
    }
    lines.extend(rest.iter().map(|row| format!("  unexpected: {row}")));
    lines
}

fn differences_in_order(wanted: &[String], got: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for index in 0..wanted.len().max(got.len()) {
        match (wanted.get(index), got.get(index)) {
            (Some(w), Some(g)) if w == g => {}
            (w, g) => {
                lines.extend(w.map(|row| format!("  row {}, expected: {row}", index + 1)));
                lines.extend(g.map(|row| format!("  row {}, given:    {row}", index + 1)));
            }
        }
    }
    lines
}
