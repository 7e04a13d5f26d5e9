//! `perennial test`.

use super::output::{Format, count};
use super::{Context, Outcome, Output, Verb};
use crate::flow;
use indicatif::HumanCount;
use perennial_core::error::Problems;
use perennial_lake::history::{TestRecord, TestStatus};

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
        let results = flow::test(&project, &self.select, &self.exclude, context.now()).await?;
        match context.printer.format {
            Format::Json => {
                let items: Vec<serde_json::Value> = results.iter().map(as_json).collect();
                context.printer.json(&serde_json::Value::Array(items))?;
            }
            Format::Csv => {
                let rows: Vec<Vec<String>> = results.iter().map(as_row).collect();
                context.printer.csv(&["test", "severity", "status", "failures", "example"], &rows)?;
            }
            Format::Text => print(&results, context),
        }
        let failed = results.iter().any(|result| result.status == TestStatus::Failed);
        Ok(if failed { Outcome::BadData } else { Outcome::Done })
    }
}

fn print(results: &[TestRecord], context: &Context<'_>) {
    for result in results.iter().filter(|r| r.status != TestStatus::Passed) {
        context.printer.say(format!(
            "{:7}  {}: {}{}",
            result.status.as_str(),
            result.test,
            count(result.failures, "failure", "failures"),
            result.example.as_ref().map(|e| format!(", such as {e}")).unwrap_or_default()
        ));
    }
    let of = |status: TestStatus| HumanCount(results.iter().filter(|r| r.status == status).count() as u64);
    context.printer.say(format!(
        "tests    {} passed, {} warned, {} failed",
        of(TestStatus::Passed),
        of(TestStatus::Warned),
        of(TestStatus::Failed)
    ));
}

fn as_row(result: &TestRecord) -> Vec<String> {
    let example = result.example.clone().unwrap_or_default();
    vec![
        result.test.clone(),
        result.severity.clone(),
        result.status.as_str().into(),
        result.failures.to_string(),
        example,
    ]
}

fn as_json(result: &TestRecord) -> serde_json::Value {
    serde_json::json!({
        "test": result.test, "table": result.table, "column": result.column, "severity": result.severity,
        "status": result.status.as_str(), "failures": result.failures, "example": result.example,
    })
}
