//! Tests against the newest release, and the given and expected rows of steps.

use super::build::test_record;
use super::plan::{accepted, check_against};
use super::reader::{nothing_published, open_engine};
use super::request::as_of;
use perennial_core::error::{Error, Problems, Result};
use perennial_lake::history::{TestRecord, TestStatus};
use perennial_lake::{Lake, Release};
use perennial_project::Project;
use perennial_steps::{CheckedSql, Obstacle, ReleaseTest, RunContext};
use std::collections::{BTreeMap, BTreeSet};

/// How tests ended.
#[derive(Debug, Default)]
pub(crate) struct TestReport {
    /// Every test.
    pub tests: Vec<Tested>,
    /// What else is worth a line.
    pub notes: Vec<String>,
    /// Why tests were not run, and errors of those that stopped.
    pub problems: Problems,
}

/// One test.
#[derive(Debug)]
pub(crate) struct Tested {
    /// How it ended.
    pub record: TestRecord,
    /// Why it was skipped.
    pub reason: Option<String>,
}

/// Runs the tests of the selected steps and of `sql/tests` against the newest release, and the given and expected rows
/// of `tests/steps`. What the release does not have, or has for another business date, is skipped with the reason;
/// before the first release, everything but the given rows is.
pub(crate) async fn test(
    project: &Project,
    select: &[String],
    exclude: &[String],
    now: jiff::Timestamp,
) -> Result<TestReport, Problems> {
    let lake = Lake::open(&project.lake).await?;
    let release = lake.latest().await?;
    // A release is tested as of the day it describes and with the columns it has.
    let as_of = release.as_ref().map_or_else(|| as_of(project, None, now), |r| Ok(r.as_of))?;
    let columns = release.as_ref().map(|r| accepted(&r.loaded)).unwrap_or_default();
    let checked = check_against(project, as_of, columns).await?.checked;
    let all = ["*".to_string()];
    let selected = checked.select(if select.is_empty() { &all } else { select }, exclude)?;
    let mut report = TestReport::default();
    report.given_rows(project, &checked, &selected, as_of).await;
    let engine = open_engine(project, Some(&lake))?;
    let nothing = BTreeMap::new();
    let tables = release.as_ref().map_or(&nothing, |release| &release.tables);
    let (tests, problems) = perennial_steps::test_released(&engine, &checked, &selected, tables, as_of).await?;
    match &release {
        Some(release) => {
            report.explain(project, release, &tests);
            report.problems.extend(problems);
        }
        None => report.before_first_release(&tests),
    }
    let run_id = release.as_ref().map_or("", |release| release.run_id.as_str());
    report.tests.extend(tests.into_iter().map(|test| Tested {
        record: test_record(run_id, &test.outcome),
        reason: test.obstacle.map(|obstacle| match &release {
            Some(release) => said(release, &obstacle),
            None => nothing_published().message().to_string(),
        }),
    }));
    Ok(report)
}

impl TestReport {
    async fn given_rows(
        &mut self,
        project: &Project,
        checked: &CheckedSql,
        selected: &BTreeSet<perennial_core::contract::TableName>,
        as_of: jiff::civil::Date,
    ) {
        let context = RunContext { as_of, vars: project.vars.clone() };
        for file in &project.step_tests {
            let outcome = perennial_steps::run_step_test(project, checked, &context, file).await;
            let Some(outcome) = self.problems.keep(outcome) else { continue };
            if selected.contains(&outcome.step) {
                self.tests.push(Tested { record: step_test_record(&outcome), reason: None });
            }
        }
    }

    /// Says once for each reason why tests were skipped.
    fn explain(&mut self, project: &Project, release: &Release, tests: &[ReleaseTest]) {
        let mut skipped: BTreeMap<&Obstacle, Vec<&str>> = BTreeMap::new();
        for test in tests {
            if let Some(obstacle) = &test.obstacle {
                skipped.entry(obstacle).or_default().push(&test.outcome.name);
            }
        }
        for (obstacle, names) in skipped {
            let what = match names.as_slice() {
                [one] => format!("{one} is not run"),
                names => format!("{} tests are not run", names.len()),
            };
            match obstacle {
                Obstacle::OtherDate { .. } => self.notes.push(format!("{what}: {}", said(release, obstacle))),
                // Their errors are among the problems.
                Obstacle::Stopped(_) => {}
                _ => self.problems.push(obstacle_error(project, release, obstacle, &what)),
            }
        }
    }

    /// Given rows need no release; it is an error if nothing but a release could have been tested.
    fn before_first_release(&mut self, tests: &[ReleaseTest]) {
        let skipped = tests.iter().filter(|test| test.obstacle.is_some()).count();
        let nothing_published = nothing_published();
        if skipped == 0 {
        } else if self.tests.is_empty() && skipped == tests.len() {
            self.problems.push(nothing_published);
        } else {
            let (why, hint) = (nothing_published.message(), nothing_published.hint_text().unwrap_or_default());
            self.notes.push(format!("{skipped} tests are not run: {why}; {hint}"));
        }
    }
}

fn step_test_record(outcome: &perennial_steps::StepTestOutcome) -> TestRecord {
    TestRecord {
        run_id: String::new(),
        test: outcome.file.clone(),
        table: Some(outcome.step.to_string()),
        column: None,
        severity: "error".to_string(),
        status: if outcome.failure.is_none() { TestStatus::Passed } else { TestStatus::Failed },
        failures: u64::from(outcome.failure.is_some()),
        example: outcome.failure.as_ref().map(ToString::to_string),
    }
}

/// The error for something that an obstacle keeps from being computed.
pub(super) fn obstacle_error(project: &Project, release: &Release, obstacle: &Obstacle, what: &str) -> Error {
    let error = Error::project(format!("{what}: {}", said(release, obstacle)));
    let run = if project.pipelines.len() > 1 { "perennial run PIPELINE" } else { "perennial run" };
    match obstacle {
        Obstacle::NoTable(table) if table.schema == "source" => {
            error.hint("run the pipeline that has this source in its `sources` first")
        }
        Obstacle::NoTable(table) | Obstacle::NoColumn { table, .. } | Obstacle::OtherType { table, .. } => {
            error.hint(format!("`{run} --select {table}` first"))
        }
        Obstacle::DoesNotFit { .. } => error.hint(format!("`{run}` first")),
        Obstacle::OtherDate { .. } | Obstacle::Stopped(_) => error,
    }
}

/// An obstacle in words.
fn said(release: &Release, obstacle: &Obstacle) -> String {
    let number = release.number;
    match obstacle {
        Obstacle::NoTable(table) => format!("{table} is not in release {number}"),
        Obstacle::NoColumn { table, column } => format!("{table} has no column `{column}` in release {number} yet"),
        Obstacle::OtherType { table, column, released, present } => {
            format!("column `{column}` of {table} is {released} in release {number}, and {present} by its SQL")
        }
        Obstacle::DoesNotFit { name, message } => format!("{name} does not fit release {number}: {message}"),
        Obstacle::OtherDate { table, describes } => {
            format!("{table} describes {describes}, and release {number} {}", release.as_of)
        }
        Obstacle::Stopped(message) => message.clone(),
    }
}
