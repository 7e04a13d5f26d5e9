//! `perennial test`.

use super::output::{Format, count};
use super::{Context, Outcome, Output, Verb};
use crate::flow::{self, TestReport, Tested};
use indicatif::HumanCount;
use perennial_core::error::Problems;
use perennial_lake::history::TestStatus;

/// Run the tests against the newest release, and the given and expected rows of steps
#[derive(clap::Args)]
pub(super) struct Test {
    /// Steps whose tests run
    #[arg(long, short, value_name = "SELECTION", num_args = 1..)]
    select: Vec<String>,
    /// Steps to leave out
    #[arg(long, value_name = "SELECTION", num_args = 1..)]
    exclude: Vec<String>,
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Test {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        let report = flow::test(&project, &self.select, &self.exclude, context.now()).await?;
        match context.printer.format {
            Format::Json => {
                let items: Vec<serde_json::Value> = report.tests.iter().map(as_json).collect();
                context.printer.json(&serde_json::Value::Array(items))?;
            }
            Format::Csv => {
                let rows: Vec<Vec<String>> = report.tests.iter().map(as_row).collect();
                context.printer.csv(&["test", "severity", "status", "failures", "example", "reason"], &rows)?;
            }
            Format::Text => print(&report, context),
        }
        match context.printer.format {
            // stdout has one document, which gives the reasons.
            Format::Json => report.problems.iter().for_each(|problem| context.printer.say(format!("error: {problem}"))),
            _ if report.problems.is_empty() => {}
            _ => context.printer.problems(&report.problems),
        }
        let failed = report.tests.iter().any(|test| test.record.status == TestStatus::Failed);
        Ok(match failed {
            true => Outcome::BadData,
            false if report.problems.is_empty() => Outcome::Done,
            false => Outcome::ExitCode(report.problems.exit_code()),
        })
    }
}

fn print(report: &TestReport, context: &Context<'_>) {
    let records = || report.tests.iter().map(|test| &test.record);
    for result in records().filter(|r| matches!(r.status, TestStatus::Warned | TestStatus::Failed)) {
        context.printer.say(format!(
            "{:7}  {}: {}{}",
            result.status.as_str(),
            result.test,
            count(result.failures, "failure", "failures"),
            result.example.as_ref().map(|e| format!(", such as {e}")).unwrap_or_default()
        ));
    }
    report.notes.iter().for_each(|note| context.printer.say(format!("note     {note}")));
    let of = |status: TestStatus| HumanCount(records().filter(|r| r.status == status).count() as u64);
    let skipped = match of(TestStatus::Skipped) {
        HumanCount(0) => String::new(),
        skipped => format!(", {skipped} skipped"),
    };
    context.printer.say(format!(
        "tests    {} passed, {} warned, {} failed{skipped}",
        of(TestStatus::Passed),
        of(TestStatus::Warned),
        of(TestStatus::Failed)
    ));
}

fn as_row(test: &Tested) -> Vec<String> {
    let result = &test.record;
    vec![
        result.test.clone(),
        result.severity.clone(),
        result.status.as_str().into(),
        result.failures.to_string(),
        result.example.clone().unwrap_or_default(),
        test.reason.clone().unwrap_or_default(),
    ]
}

fn as_json(test: &Tested) -> serde_json::Value {
    let result = &test.record;
    serde_json::json!({
        "test": result.test, "table": result.table, "column": result.column, "severity": result.severity,
        "status": result.status.as_str(), "failures": result.failures, "example": result.example,
        "reason": test.reason,
    })
}
