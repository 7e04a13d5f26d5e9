//! `perennial test`.

use super::output::{Format, count, thousands};
use super::{Context, Outcome, Output};
use crate::error::Problems;
use crate::flow;
use crate::history::{TestRecord, TestStatus};

/// Run the tests of steps and of `sql/tests` against the newest release, and the given and expected rows of
/// `tests/steps`.
#[derive(clap::Args)]
pub(super) struct Test {
    /// Steps whose tests run
    #[arg(long, short, value_name = "SELECTION", num_args = 1..)]
    select: Vec<String>,
    /// Steps to leave out
    #[arg(long, value_name = "SELECTION", num_args = 1..)]
    exclude: Vec<String>,
    #[command(flatten)]
    pub(super) output: Output,
}

impl Test {
    pub(super) async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        let results = flow::test(&project, &self.select, &self.exclude, context.now()).await?;
        let of = |status: TestStatus| results.iter().filter(|r| r.status == status).count() as u64;
        if context.printer.format == Format::Json {
            let items: Vec<serde_json::Value> = results.iter().map(as_json).collect();
            context.printer.json(&serde_json::Value::Array(items))?;
        } else if context.printer.format == Format::Csv {
            let rows: Vec<Vec<String>> = results.iter().map(as_row).collect();
            context.printer.csv(&["test", "severity", "status", "faults", "example"], &rows)?;
        } else {
            for result in results.iter().filter(|r| r.status != TestStatus::Passed) {
                context.printer.say(format!(
                    "{:7}  {}: {}{}",
                    result.status.word(),
                    result.test,
                    count(result.faults, "fault", "faults"),
                    result.example.as_ref().map(|e| format!(", as in {e}")).unwrap_or_default()
                ));
            }
            context.printer.say(format!(
                "tests    {} passed, {} warned, {} failed",
                thousands(of(TestStatus::Passed)),
                thousands(of(TestStatus::Warned)),
                thousands(of(TestStatus::Failed))
            ));
        }
        Ok(if of(TestStatus::Failed) > 0 { Outcome::FoundFaults } else { Outcome::Done })
    }
}

fn as_row(result: &TestRecord) -> Vec<String> {
    let example = result.example.clone().unwrap_or_default();
    vec![result.test.clone(), result.severity.clone(), result.status.word().into(), result.faults.to_string(), example]
}

fn as_json(result: &TestRecord) -> serde_json::Value {
    serde_json::json!({
        "test": result.test, "table": result.table, "column": result.column, "severity": result.severity,
        "status": result.status.word(), "faults": result.faults, "example": result.example,
    })
}
