//! One night, and the other things one does with a project: everything that brings the rooms together.
//!
//! [`night`] is the main flow on one screen. It prints nothing and does not look at the clock: what happens is told to
//! an [`Observer`], and `now` is an argument.

mod issue;
mod pull;
mod reader;
mod record;
mod verbs;

use crate::error::{Error, Problems};
use crate::lake::{Lake, TestCounts};
use crate::project::Project;
use crate::reports::Edition;
pub use reader::Reader;
pub use verbs::{ReportRequest, check, report, rollback, show, test};

/// Who runs this, for the lock and the record.
#[derive(Clone, Debug)]
pub struct Who {
    /// Name of the machine.
    pub host: String,
    /// Name of the account.
    pub user: String,
    /// Process id.
    pub pid: u32,
    /// The verb.
    pub command: String,
}

/// What a night is asked to do.
#[derive(Clone, Debug)]
pub struct NightRequest {
    /// The pipeline; `None` where the project has one.
    pub pipeline: Option<String>,
    /// Selection of steps over the pipeline's own; empty means the pipeline's.
    pub select: Vec<String>,
    /// Steps to leave as they are.
    pub exclude: Vec<String>,
    /// The business date figures describe; `None` takes the project's.
    pub as_of: Option<jiff::civil::Date>,
    /// Read every file and run every step again.
    pub full_refresh: bool,
    /// The moment the run began.
    pub now: jiff::Timestamp,
    /// Who runs it.
    pub who: Who,
}

/// How a night ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A new release stands.
    Published {
        /// Its number.
        release: u64,
        /// Tables that differ from the release before.
        changed_tables: u64,
    },
    /// Nothing changed, so the release before stands.
    NothingNew {
        /// Its number.
        release: u64,
    },
    /// A test, step or source failed: the release before stands.
    NotPublished,
}

/// What a night did.
#[derive(Debug)]
pub struct Night {
    /// Its id.
    pub run_id: String,
    /// How it ended.
    pub ending: Ending,
    /// Tests, counted.
    pub tests: TestCounts,
    /// Editions issued or found unchanged.
    pub editions: Vec<Edition>,
    /// Reports that were not issued, each with its reason.
    pub not_issued: Vec<String>,
    /// What went wrong without stopping everything: a source that is stale, a page without its font, a failed step.
    pub problems: Problems,
}

/// What is told while a night goes on.
#[derive(Debug)]
pub enum Event<'a> {
    /// Something worth a line.
    Note(String),
    /// Rows of a source table have been read.
    SourceProgress {
        /// `erp.orders`.
        table: &'a str,
        /// So far.
        rows: u64,
    },
    /// A source table is done.
    SourceDone {
        /// `erp.orders`.
        table: &'a str,
        /// Accepted.
        rows: u64,
        /// Refused.
        rejects: u64,
        /// Files read.
        files: u64,
        /// Elapsed.
        seconds: f64,
    },
    /// A step has made rows.
    StepProgress {
        /// The step.
        step: &'a str,
        /// So far.
        rows: u64,
    },
    /// A step is done.
    StepDone {
        /// The step.
        step: &'a str,
        /// Rows of its table.
        rows: u64,
        /// Elapsed.
        seconds: f64,
    },
    /// A step did not need to run.
    StepUnchanged {
        /// The step.
        step: &'a str,
    },
    /// A step failed; the problem follows at the end.
    StepFailed {
        /// The step.
        step: &'a str,
    },
    /// A test found faults.
    TestFaults {
        /// The test.
        test: &'a str,
        /// How many rows.
        faults: u64,
        /// Whether the release is stopped.
        stops: bool,
        /// One of them.
        example: Option<&'a str>,
    },
    /// A report is being made.
    ReportStarted {
        /// The report.
        report: &'a str,
    },
    /// A report is made.
    ReportDone {
        /// The report.
        report: &'a str,
    },
}

/// Hears what happens.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: Event<'_>);
}
