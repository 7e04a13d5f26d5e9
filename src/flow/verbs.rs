//! The other things one does with a project: look at a step, test, make a report, go back.

use super::build::test_record;
use super::checked::{Looked, accepted, look};
use super::issue::Issue;
use super::reader::{Reader, nothing_published, open_engine};
use super::record::{self, Record};
use super::{Observer, Who, as_of};
use crate::error::{Error, Problems, Result};
use crate::history::{TestRecord, TestStatus, new_run_id};
use crate::lake::{Lake, Release};
use crate::project::{Language, Project};
use crate::reports::{self, Edition, Output, Period};
use crate::steps::{self, RunContext};
use arrow::array::RecordBatch;

/// The first rows of a step, computed now over the newest release; nothing is written.
pub async fn show(
    project: &Project,
    step: &str,
    limit: usize,
    asked: Option<jiff::civil::Date>,
    now: jiff::Timestamp,
) -> Result<Vec<RecordBatch>, Problems> {
    let lake = Lake::open(&project.lake).await?;
    let release = lake.latest().await?;
    let columns = release.as_ref().map(|r| accepted(&r.loaded)).unwrap_or_default();
    let checked = look(project, as_of(project, asked, now)?, columns).await?.checked;
    let selected = checked.select(&[step.to_string()], &[])?;
    let mut steps = checked.steps.iter().filter(|s| selected.contains(&s.name));
    let step = match (steps.next(), steps.next()) {
        (Some(step), None) => step,
        _ => {
            return Err(Error::project(format!("`{step}` is more than one step"))
                .hint("name one, as in `marts.rfm`")
                .into());
        }
    };
    let release = release.ok_or_else(nothing_published)?;
    let engine = open_engine(project, Some(&lake))?;
    steps::register(&engine, &checked, &release.tables).await?;
    Ok(steps::show(&engine, step, limit).await?)
}

/// Runs the tests of the selected steps and of `sql/tests` against the newest release, and the given and expected rows
/// of `tests/steps`. Without a release only the latter.
pub async fn test(
    project: &Project,
    select: &[String],
    exclude: &[String],
    now: jiff::Timestamp,
) -> Result<Vec<TestRecord>, Problems> {
    let lake = Lake::open(&project.lake).await?;
    let release = lake.latest().await?;
    // What was published is judged by the day it describes and the columns it has.
    let as_of = release.as_ref().map_or_else(|| as_of(project, None, now), |r| Ok(r.as_of))?;
    let columns = release.as_ref().map(|r| accepted(&r.loaded)).unwrap_or_default();
    let checked = look(project, as_of, columns).await?.checked;
    let everything = ["*".to_string()];
    let selected = checked.select(if select.is_empty() { &everything } else { select }, exclude)?;
    let context = RunContext { as_of, vars: project.vars.clone() };
    let mut results = Vec::new();
    for file in &project.step_tests {
        let outcome = steps::run_step_test(project, &checked, &context, file).await?;
        if selected.contains(&outcome.step) {
            results.push(step_test_record(&outcome));
        }
    }
    let Some(release) = release else { return Ok(results) };
    let engine = open_engine(project, Some(&lake))?;
    steps::register(&engine, &checked, &release.tables).await?;
    for step in checked.steps.iter().filter(|s| selected.contains(&s.name)) {
        let outcomes = steps::test_step(&engine, step, &|_| true).await?;
        results.extend(outcomes.iter().map(|t| test_record(&release.run_id, t)));
    }
    for test in checked.tests.iter().filter(|t| t.reads.iter().any(|table| selected.contains(table))) {
        results.push(test_record(&release.run_id, &steps::test_query(&engine, test).await?));
    }
    Ok(results)
}

fn step_test_record(outcome: &steps::StepTestOutcome) -> TestRecord {
    TestRecord {
        run_id: String::new(),
        test: outcome.file.clone(),
        table: Some(outcome.step.to_string()),
        column: None,
        severity: "error".to_string(),
        status: if outcome.failure.is_none() { TestStatus::Passed } else { TestStatus::Failed },
        faults: u64::from(outcome.failure.is_some()),
        example: outcome.failure.as_ref().map(ToString::to_string),
    }
}

/// A report asked for by name.
#[derive(Clone, Debug)]
pub struct ReportRequest {
    /// The report.
    pub report: String,
    /// The period as a reader writes it; `None` is the newest closed one.
    pub period: Option<String>,
    /// Languages; none means the report's own.
    pub languages: Vec<Language>,
    /// HTML, PDF or both.
    pub outputs: Vec<Output>,
    /// The release; `None` is the newest.
    pub release: Option<u64>,
    /// Now.
    pub now: jiff::Timestamp,
}

/// Issues one report now, and what could not be made of it (a PDF without a font).
pub async fn report(project: &Project, request: &ReportRequest) -> Result<(Edition, Problems), Problems> {
    let known = project.reports.iter().map(|r| r.name.as_str());
    let unknown = || Error::project(format!("no report `{}`", request.report)).suggest(&request.report, known);
    let report = project.reports.iter().find(|r| r.name == request.report).ok_or_else(unknown)?;
    let reader = Reader::open(project, request.release).await?;
    let release = reader.published()?;
    let Looked { feeds, .. } = look(project, release.as_of, accepted(&release.loaded)).await?;
    let warnings = reader.warnings().await?;
    let period = match &request.period {
        Some(text) => Period::parse(report.period, text)?,
        None => Period::newest_closed(report.period, release.as_of),
    };
    let languages = if request.languages.is_empty() { &report.languages } else { &request.languages };
    let issue =
        Issue { project, reader: &reader, release, sources: &[], warnings: &warnings, feeds: &feeds, now: request.now };
    let mut edition = issue.report(report, period, languages, &request.outputs).await?;
    reports::write_index(project, &project.reports_folder)?;
    let mut problems = Problems::new();
    std::mem::take(&mut edition.refused).into_iter().for_each(|error| problems.push(error));
    Ok((edition, problems))
}

/// Publishes an earlier release again, as a run of its own.
pub async fn rollback(
    project: &Project,
    to: u64,
    who: Who,
    now: jiff::Timestamp,
    observer: &dyn Observer,
) -> Result<Release> {
    let lake = Lake::open(&project.lake).await?;
    let run_id = new_run_id(now);
    let lock = lake.lock(who.holder(&run_id), now).await?;
    record::repair(&lake, &lock, now, observer).await?;
    lake.begin_run(&lock, now).await?;
    let mut record = Record::new(&lake, &run_id, &who, None, now);
    let published = lake.rollback(&lock, to, &run_id, now).await;
    match &published {
        Ok(published) => record.rolled_back(&published.release, to),
        Err(error) => record.failed(error),
    }
    record.write(&lock).await?;
    lock.release().await?;
    Ok(published?.release)
}
