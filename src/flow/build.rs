//! Steps and their tests, on the rows that this run pulled.

use super::journal::RunJournal;
use super::plan::Plan;
use super::pull::PullOutcome;
use super::reader::open_engine;
use super::{Event, Observer};
use perennial_core::contract::TableName;
use perennial_core::error::{Problems, Result};
use perennial_lake::history::{StepRecord, StepStatus, TestRecord, TestStatus};
use perennial_lake::{Lake, Release, TableVersion, TestCounts, ViewVersion};
use perennial_project::{Project, Severity};
use perennial_steps::{Progress, RunInput, StepOutcome, StepResult, TestOutcome};
use std::collections::BTreeMap;

/// Steps that are built at the same time. Each query uses all threads already, so more would only share them.
const CONCURRENT_STEPS: usize = 2;

/// The context of a build.
pub(super) struct Build<'a> {
    pub project: &'a Project,
    pub lake: &'a Lake,
    pub plan: &'a Plan<'a>,
    pub pulled: &'a PullOutcome,
    pub previous: Option<&'a Release>,
    /// What the run that is continued had made, and where finished tables are written down.
    pub journal: &'a RunJournal,
    pub run_id: &'a str,
    pub observer: &'a dyn Observer,
}

/// What became of the steps and tests.
pub(super) struct BuildOutcome {
    pub tables: BTreeMap<TableName, TableVersion>,
    pub views: BTreeMap<TableName, ViewVersion>,
    pub steps: Vec<StepRecord>,
    pub tested: Vec<TestOutcome>,
    pub test_records: Vec<TestRecord>,
    pub tests: TestCounts,
    /// Whether no step or test failed.
    pub publishable: bool,
    /// Why it cannot be published, for the reports that are not issued.
    pub reason: String,
    pub problems: Problems,
}

impl Build<'_> {
    /// Brings every selected step up to date and runs all tests.
    pub async fn all(&self, full_refresh: bool) -> Result<BuildOutcome> {
        let engine = open_engine(self.project, Some(self.lake))?;
        let mut previous = self.previous.map(|release| release.tables.clone()).unwrap_or_default();
        previous.extend(self.journal.resumed.steps.clone());
        let input = RunInput {
            checked: &self.plan.checked,
            selected: &self.plan.selected,
            as_of: self.plan.as_of,
            previous: &previous,
            previous_views: self.previous.map_or(&[], |r| &r.views),
            given: &self.pulled.versions,
            run_id: self.run_id,
            full_refresh,
            resumed: &self.journal.resumed.step_names,
            parallel_steps: CONCURRENT_STEPS,
        };
        let outcome = perennial_steps::run(
            &engine,
            &input,
            self.lake,
            &StepProgress { observer: self.observer, journal: self.journal },
        )
        .await?;
        let publishable = outcome.may_be_published();
        let mut built = BuildOutcome {
            tables: outcome.tables,
            views: outcome.views,
            steps: Vec::new(),
            test_records: outcome.tests.iter().map(|t| test_record(self.run_id, t)).collect(),
            tested: outcome.tests,
            tests: TestCounts::default(),
            publishable,
            reason: String::new(),
            problems: Problems::new(),
        };
        for test in &built.tested {
            count(test, &mut built.tests, &mut built.reason);
        }
        for step in outcome.steps {
            built.add(self.run_id, step);
        }
        Ok(built)
    }
}

/// Counts a test; the first that fails is the reason why nothing is published.
fn count(test: &TestOutcome, counts: &mut TestCounts, reason: &mut String) {
    match test.status {
        TestStatus::Passed => counts.passed += 1,
        TestStatus::Warned => counts.warned += 1,
        TestStatus::Failed => {
            counts.failed += 1;
            if reason.is_empty() {
                *reason = format!("test {} failed", test.name);
            }
        }
        TestStatus::Skipped => {}
    }
}

impl BuildOutcome {
    /// Steps that failed.
    pub fn failed_steps(&self) -> Vec<StepRecord> {
        self.steps.iter().filter(|step| step.status == StepStatus::Failed).cloned().collect()
    }

    /// Tests that warned or failed.
    pub fn tests_not_passed(&self) -> Vec<TestRecord> {
        let not_passed = |test: &&TestRecord| matches!(test.status, TestStatus::Warned | TestStatus::Failed);
        self.test_records.iter().filter(not_passed).cloned().collect()
    }

    fn add(&mut self, run_id: &str, step: StepOutcome) {
        let name = step.name.to_string();
        let (status, reason) = (step.result.status(), step.result.reason());
        if let StepResult::Failed(error) = step.result {
            self.reason = format!("step {name} failed");
            self.problems.push(error);
        }
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

/// The record of a test. A test whose input is missing counts as failed.
pub(super) fn test_record(run_id: &str, test: &TestOutcome) -> TestRecord {
    TestRecord {
        run_id: run_id.to_string(),
        test: test.name.clone(),
        table: Some(test.table.to_string()),
        column: test.column.clone(),
        severity: match test.severity {
            Severity::Error => "error".to_string(),
            Severity::Warn => "warn".to_string(),
        },
        status: test.status,
        failures: test.failures,
        example: test.example.clone(),
    }
}

/// The progress of steps as events and in the journal.
struct StepProgress<'a> {
    observer: &'a dyn Observer,
    journal: &'a RunJournal,
}

impl Progress for StepProgress<'_> {
    fn rows(&self, step: &TableName, rows: u64) {
        self.observer.event(Event::StepProgress { step: &step.to_string(), rows });
    }

    fn built(&self, step: &TableName, version: &TableVersion) {
        self.journal.add(step, version, None);
    }

    fn finished(&self, outcome: &StepOutcome) {
        let step = outcome.name.to_string();
        self.observer.event(match &outcome.result {
            StepResult::Built => {
                Event::StepDone { step: &step, rows: outcome.rows, seconds: outcome.took.as_secs_f64() }
            }
            StepResult::Unchanged | StepResult::View => Event::StepUnchanged { step: &step },
            StepResult::Failed(_) => Event::StepFailed { step: &step },
            StepResult::Skipped { because } => {
                let because = because.to_string();
                return self.observer.event(Event::StepSkipped { step: &step, because: &because });
            }
        });
    }

    fn tested(&self, test: &TestOutcome) {
        let blocks = test.status == TestStatus::Failed;
        if blocks || test.status == TestStatus::Warned {
            let example = test.example.as_deref();
            self.observer.event(Event::TestNotPassed { test: &test.name, failures: test.failures, blocks, example });
        }
    }
}
