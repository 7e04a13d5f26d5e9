//! `tests/steps/*.yml`: given rows, expected rows, for one step.
//!
//! The step's query runs over the given rows alone; columns that a given row does not name are NULL, tables not given
//! have no rows. Values are cast to the columns' types exactly, and only the columns that expected rows name are
//! compared. `as_of` and `vars` are the test's own, laid over the project's.

use super::check::{Checked, Step};
use super::column_tests::row_text;
use super::materialise::rows_of;
use super::render::{Renderer, RunContext, suggest_table};
use super::template::Template;
use crate::contract::TableName;
use crate::engine::{Engine, EngineSettings, diagnose, display_type, readable_schema};
use crate::error::{Error, Place, Problems, Result};
use crate::project::{Project, TextFile};
use arrow::array::{ArrayRef, StringArray, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use arrow::util::display::FormatOptions;
use futures::TryStreamExt;
use minijinja::value::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

type Row = BTreeMap<String, Option<String>>;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    step: String,
    as_of: Option<String>,
    #[serde(default)]
    vars: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    given: BTreeMap<String, Vec<Row>>,
    expect: Expected,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    #[serde(default)]
    order: Order,
    rows: Vec<Row>,
}

#[derive(Clone, Copy, Default, PartialEq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    #[default]
    Any,
    Exact,
}

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

/// Names in a test's file, against the project. A step with a problem of its own is not reported again.
pub(super) fn check(file: &TextFile, checked: &Checked, broken: &BTreeSet<TableName>, problems: &mut Problems) {
    let Some(written) = problems.keep(read(file)) else { return };
    let Some(step) = problems.keep(step_of(file, &written, checked, broken)).flatten() else { return };
    for (table, rows) in &written.given {
        let Some(name) = problems.keep(given_name(file, table, step)) else { continue };
        let Some(schema) = schema_of(&name, checked) else { continue };
        let columns: BTreeSet<&String> = rows.iter().flat_map(|row| row.keys()).collect();
        for column in columns.into_iter().filter(|c| schema.field_with_name(c).is_err()) {
            let known = schema.fields().iter().map(|f| f.name().as_str());
            let error = Error::project(format!("{name} has no column `{column}`"));
            problems.push(error.at(place_behind(file, table, column)).suggest(column, known));
        }
    }
    if let Err(error) = compared_columns(file, &written.expect, &step.schema) {
        problems.push(error);
    }
}

/// Runs one test.
///
/// # Errors
/// When the file is wrong (which `check` reports as well) or the engine fails; a difference of rows is in the outcome.
pub async fn run_step_test(
    project: &Project,
    checked: &Checked,
    context: &RunContext,
    file: &TextFile,
) -> Result<StepTestOutcome> {
    let written = read(file)?;
    let Some(step) = step_of(file, &written, checked, &BTreeSet::new())? else {
        return Err(Error::project(format!("step `{}` has problems of its own", written.step)));
    };
    let engine = engine_with(project, checked, step, file, &written)?;
    let rendered = {
        let (renderer, _) = Renderer::new(project, &own_context(file, &written, context)?);
        renderer.render(Template::rest_of(&step.file, body_of(project, step)), Value::UNDEFINED)?
    };
    let place = |error| {
        let found = diagnose(&error, &rendered.sql).into_iter().next();
        found.map_or_else(|| Error::bug(error.to_string()), |found| rendered.error(found))
    };
    let rows = rows_of(&engine, &rendered.sql, None).await.map_err(place)?;
    let schema = rows.schema();
    let batches: Vec<RecordBatch> = rows.try_collect().await.map_err(place)?;
    let columns = compared_columns(file, &written.expect, &schema)?;
    let failure = compare(file, step, &written.expect, &columns, &schema, &batches)?;
    Ok(StepTestOutcome { file: file.path.clone(), step: step.name.clone(), failure })
}

fn read(file: &TextFile) -> Result<Written> {
    serde_saphyr::from_str(&file.text).map_err(|error| {
        let bare = error.without_snippet();
        let place = match error.location() {
            Some(at) => Place::at(&file.path, file.text.clone(), at.line() as usize, at.column() as usize),
            None => Place::Whole(file.path.clone()),
        };
        let text = bare.to_string();
        let text = text.split(" at line ").next().unwrap_or(&text).lines().next().unwrap_or_default().to_string();
        Error::project(text)
            .at(place)
            .hint("a test has `step`, `as_of`, `vars`, `given` and `expect` with `order` and `rows`")
    })
}

fn step_of<'a>(
    file: &TextFile,
    written: &Written,
    checked: &'a Checked,
    broken: &BTreeSet<TableName>,
) -> Result<Option<&'a Step>> {
    if let Some(step) = checked.steps.iter().find(|s| s.name.to_string() == written.step) {
        return Ok(Some(step));
    }
    if broken.iter().any(|b| b.to_string() == written.step) {
        return Ok(None);
    }
    let known: Vec<String> = checked.steps.iter().map(|s| s.name.to_string()).collect();
    let error =
        Error::project(format!("there is no step `{}`", written.step)).at(place_behind(file, "step", &written.step));
    Err(suggest_table(error, &written.step, &known))
}

fn own_context(file: &TextFile, written: &Written, context: &RunContext) -> Result<RunContext> {
    let mut own = context.clone();
    own.vars.extend(written.vars.clone());
    if let Some(text) = &written.as_of {
        own.as_of = text.parse().map_err(|_| {
            Error::project(format!("`{text}` is not a day; write it as 2026-02-15"))
                .at(place_behind(file, "as_of", text))
        })?;
    }
    Ok(own)
}

fn body_of(project: &Project, step: &Step) -> usize {
    project.steps.iter().find(|s| s.name == step.name).map_or(0, |s| s.body)
}

fn given_name(file: &TextFile, table: &str, step: &Step) -> Result<TableName> {
    let found = step.reads.iter().find(|r| r.to_string() == table);
    found.cloned().ok_or_else(|| {
        let known: Vec<String> = step.reads.iter().map(TableName::to_string).collect();
        let error = Error::project(format!("{} does not read `{table}`", step.name));
        error.at(place_behind(file, "given", table)).suggest(table, known.iter().map(String::as_str))
    })
}

/// The first place of a word behind another.
fn place_behind(file: &TextFile, after: &str, word: &str) -> Place {
    let from = file.text.find(after).map_or(0, |i| i + after.len());
    let start = file.text[from..].find(word).map_or(0, |i| from + i);
    Place::span(&file.path, file.text.clone(), start..start + word.len())
}

fn schema_of(table: &TableName, checked: &Checked) -> Option<SchemaRef> {
    if let Some(step) = checked.step(table) {
        return Some(step.schema.clone());
    }
    let source = checked.sources.iter().find(|s| s.name == *table || s.raw == *table)?;
    Some(if source.raw == *table { source.raw_schema.clone() } else { source.schema.clone() })
}

fn engine_with(
    project: &Project,
    checked: &Checked,
    step: &Step,
    file: &TextFile,
    written: &Written,
) -> Result<Engine> {
    let settings = EngineSettings { time_zone: project.time_zone.clone(), threads: 1, ..EngineSettings::default() };
    let engine = Engine::open(settings, None)?;
    for table in written.given.keys() {
        given_name(file, table, step)?;
    }
    for table in &step.reads {
        let Some(schema) = schema_of(table, checked) else { continue };
        let schema = readable_schema(&schema);
        let rows = written.given.get(&table.to_string()).map_or(&[][..], Vec::as_slice);
        let batch = batch_of(file, &table.to_string(), &schema, rows)?;
        engine.register_rows(table, schema, vec![batch])?;
    }
    Ok(engine)
}

fn batch_of(file: &TextFile, table: &str, schema: &SchemaRef, rows: &[Row]) -> Result<RecordBatch> {
    let columns = schema.fields().iter().map(|field| {
        if !rows.iter().any(|row| row.contains_key(field.name())) {
            return Ok(new_null_array(field.data_type(), rows.len()));
        }
        let texts: Vec<Option<&str>> =
            rows.iter().map(|row| row.get(field.name()).and_then(|v| v.as_deref())).collect();
        cast_exactly(texts, field.data_type()).map_err(|why| {
            let error = Error::project(format!("column `{}` of {table} {why}", field.name()));
            error.at(place_behind(file, table, field.name()))
        })
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// Texts as values of a type; more decimal places than the type has are refused, not rounded.
fn cast_exactly(texts: Vec<Option<&str>>, to: &DataType) -> Result<ArrayRef, String> {
    if matches!(to, DataType::Struct(_) | DataType::List(_)) {
        return from_json(&texts, to);
    }
    if let DataType::Decimal128(_, scale) = to {
        let places = |text: &str| text.trim().split_once('.').map_or(0, |(_, p)| p.trim_end_matches('0').len());
        if let Some(text) = texts.iter().flatten().find(|t| places(t) > (*scale).max(0) as usize) {
            return Err(format!("is {}, which cannot hold {text}", display_type(to)));
        }
    }
    let shown: Vec<String> = texts.iter().flatten().map(|t| format!("`{t}`")).collect();
    let options = CastOptions { safe: false, format_options: FormatOptions::default() };
    cast_with_options(&StringArray::from(texts), to, &options)
        .map_err(|_| format!("is {}, which one of {} is not", display_type(to), shown.join(", ")))
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
        Err(error) => Err(format!("is {}, to be written as JSON: {error}", display_type(to))),
    }
}

/// The columns that expected rows name, in the order of the query's.
fn compared_columns(file: &TextFile, expect: &Expected, schema: &Schema) -> Result<Vec<String>> {
    let named: BTreeSet<&String> = expect.rows.iter().flat_map(|row| row.keys()).collect();
    let known: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    for name in &named {
        if !known.contains(&name.as_str()) {
            let error = Error::project(format!("the step gives no column `{name}`"));
            return Err(error.at(place_behind(file, "expect", name)).suggest(name, known));
        }
        if let Some(index) = expect.rows.iter().position(|row| !row.contains_key(*name)) {
            let error = Error::project(format!("expected row {} does not name `{name}`, which others do", index + 1));
            return Err(error.at(place_behind(file, "expect", "rows")));
        }
    }
    Ok(known.into_iter().filter(|k| named.iter().any(|n| n == k)).map(str::to_string).collect())
}

fn compare(
    file: &TextFile,
    step: &Step,
    expect: &Expected,
    columns: &[String],
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Result<Option<Error>> {
    let indices: Vec<usize> = columns.iter().filter_map(|c| schema.index_of(c).ok()).collect();
    let shape = Arc::new(schema.project(&indices)?);
    let wanted = texts_of(&[batch_of(file, "expect", &shape, &expect.rows)?])?;
    let given = batches.iter().map(|b| b.project(&indices)).collect::<Result<Vec<_>, _>>()?;
    let got = texts_of(&given)?;
    let lines = match expect.order {
        Order::Exact => differences_in_order(&wanted, &got),
        Order::Any => differences(&wanted, &got),
    };
    if lines.is_empty() {
        return Ok(None);
    }
    let message = format!(
        "{} gives other rows than expected ({} for {})\n{}",
        step.name,
        got.len(),
        wanted.len(),
        lines.join("\n")
    );
    Ok(Some(Error::data(message).at(place_behind(file, "expect", "rows"))))
}

fn texts_of(batches: &[RecordBatch]) -> Result<Vec<String>> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            rows.push(row_text(batch, row)?);
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
