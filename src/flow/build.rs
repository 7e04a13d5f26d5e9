//! Steps and their tests, over the rows pulled tonight.

use super::checked::Plan;
use super::pull::Pulled;
use super::reader::open_engine;
use super::{Event, Observer};
use crate::contract::TableName;
use crate::error::{Problems, Result};
use crate::history::{StepRecord, StepStatus, TestRecord, TestStatus};
use crate::lake::{Lake, Release, TableVersion, TestCounts};
use crate::project::{Project, Severity};
use crate::steps::{self, Progress, RunInput, StepOutcome, TestOutcome};
use std::collections::BTreeMap;

/// Steps under way at once: as many as there are threads to share the work of a query do not help each other.
const SIDE_BY_SIDE: usize = 2;

/// What a build needs.
pub(super) struct Build<'a> {
    pub project: &'a Project,
    pub lake: &'a Lake,
    pub plan: &'a Plan<'a>,
    pub pulled: &'a Pulled,
    pub before: Option<&'a Release>,
    pub run_id: &'a str,
    pub observer: &'a dyn Observer,
}

/// What came of it.
pub(super) struct Built {
    pub tables: BTreeMap<TableName, TableVersion>,
    pub steps: Vec<StepRecord>,
    pub test_records: Vec<TestRecord>,
    pub tests: TestCounts,
    /// Tests that warned, by name.
    pub warnings: Vec<String>,
    pub may_be_published: bool,
    /// Why not, for the reports that are not issued.
    pub reason: String,
    pub problems: Problems,
}

impl Build<'_> {
    /// Brings every selected step up to date and runs all tests.
    pub async fn all(&self, full_refresh: bool) -> Result<Built> {
        let engine = open_engine(self.project, Some(self.lake))?;
        let nothing = BTreeMap::new();
        let input = RunInput {
            checked: &self.plan.checked,
            selected: &self.plan.selected,
            previous: self.before.map_or(&nothing, |r| &r.tables),
            given: &self.pulled.versions,
            run_id: self.run_id,
            full_refresh,
            side_by_side: SIDE_BY_SIDE,
        };
        let outcome = steps::run(&engine, &input, self.lake, &Told(self.observer)).await?;
        let may_be_published = outcome.may_be_published();
        let mut built = Built {
            tables: outcome.tables,
            steps: Vec::new(),
            test_records: outcome.tests.iter().map(|t| test_record(self.run_id, t)).collect(),
            tests: TestCounts::default(),
            warnings: Vec::new(),
            may_be_published,
            reason: String::new(),
            problems: Problems::new(),
        };
        for test in &outcome.tests {
            built.count(test);
        }
        for step in outcome.steps {
            built.take(self.run_id, step);
        }
        Ok(built)
    }
}

impl Built {
    fn count(&mut self, test: &TestOutcome) {
        match test.status {
            steps::TestStatus::Passed => self.tests.passed += 1,
            steps::TestStatus::Warned => {
                self.tests.warned += 1;
                self.warnings.push(test.name.clone());
            }
            steps::TestStatus::Failed => {
                self.tests.failed += 1;
                if self.reason.is_empty() {
                    self.reason = format!("test {} failed", test.name);
                }
            }
            steps::TestStatus::Skipped => {}
        }
    }

    fn take(&mut self, run_id: &str, step: StepOutcome) {
        let name = step.name.to_string();
        let (status, reason) = match step.status {
            steps::StepStatus::Built => (StepStatus::Done, "its SQL or what it reads had changed".to_string()),
            steps::StepStatus::View => (StepStatus::Done, "a stored query".to_string()),
            steps::StepStatus::Unchanged => (StepStatus::Unchanged, "nothing it follows from had changed".to_string()),
            steps::StepStatus::Skipped { because } => (StepStatus::Skipped, format!("{because} failed")),
            steps::StepStatus::Failed(error) => {
                let reason = error.to_string();
                self.reason = format!("step {name} failed");
                self.problems.push(error);
                (StepStatus::Failed, reason)
            }
        };
        self.steps.push(StepRecord {
            run_id: run_id.to_string(),
            step: name,
            status,
            rows: Some(step.rows),
            elapsed_seconds: step.took.as_secs_f64(),
            reason,
        });
    }
}

/// A test as it is recorded. One that could not be run has failed: what it reads is not there.
pub(super) fn test_record(run_id: &str, test: &TestOutcome) -> TestRecord {
    let status = match test.status {
        steps::TestStatus::Passed => TestStatus::Passed,
        steps::TestStatus::Warned => TestStatus::Warned,
        steps::TestStatus::Failed => TestStatus::Failed,
        steps::TestStatus::Skipped => TestStatus::Skipped,
    };
    TestRecord {
        run_id: run_id.to_string(),
        test: test.name.clone(),
        table: Some(test.table.to_string()),
        column: test.column.clone(),
        severity: match test.severity {
            Severity::Error => "error".to_string(),
            Severity::Warn => "warn".to_string(),
        },
        status,
        faults: test.faults,
        example: test.example.clone(),
    }
}

/// Steps' progress as events.
struct Told<'a>(&'a dyn Observer);

impl Progress for Told<'_> {
    fn rows(&self, step: &TableName, rows: u64) {
        self.0.event(Event::StepProgress { step: &step.to_string(), rows });
    }

    fn finished(&self, outcome: &StepOutcome) {
        let step = outcome.name.to_string();
        self.0.event(match &outcome.status {
            steps::StepStatus::Built => {
                Event::StepDone { step: &step, rows: outcome.rows, seconds: outcome.took.as_secs_f64() }
            }
            steps::StepStatus::Unchanged | steps::StepStatus::View => Event::StepUnchanged { step: &step },
            steps::StepStatus::Failed(_) => Event::StepFailed { step: &step },
            steps::StepStatus::Skipped { because } => {
                let because = because.to_string();
                return self.0.event(Event::StepSkipped { step: &step, because: &because });
            }
        });
    }

    fn tested(&self, test: &TestOutcome) {
        let stops = test.status == steps::TestStatus::Failed;
        if stops || test.status == steps::TestStatus::Warned {
            let example = test.example.as_deref();
            self.0.event(Event::TestFaults { test: &test.name, faults: test.faults, stops, example });
        }
    }
}
