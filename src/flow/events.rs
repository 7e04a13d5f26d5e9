//! What an [`Observer`] learns while a run goes on.

/// A step of the way.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// The project is in order and the run begins.
    Started {
        /// Its identifier.
        run_id: &'a str,
        /// The pipeline.
        pipeline: &'a str,
        /// The business date that its figures describe.
        as_of: jiff::civil::Date,
    },
    /// Something worth a line.
    Note(String),
    /// Rows of a source table have been read.
    SourceProgress {
        /// `erp.orders`.
        table: &'a str,
        /// Rows so far.
        rows: u64,
    },
    /// A source table is loaded.
    SourceDone {
        /// `erp.orders`.
        table: &'a str,
        /// Accepted rows.
        rows: u64,
        /// Rejected rows.
        rejects: u64,
        /// Files read; for a database or service 1 if it had anything new, else 0.
        files: u64,
        /// The relation or path of a database or service.
        relation: Option<&'a str>,
        /// Elapsed seconds.
        seconds: f64,
    },
    /// A step has produced rows.
    StepProgress {
        /// The step.
        step: &'a str,
        /// Rows so far.
        rows: u64,
    },
    /// A step is built.
    StepDone {
        /// The step.
        step: &'a str,
        /// Its rows.
        rows: u64,
        /// Elapsed seconds.
        seconds: f64,
    },
    /// A step is as it was.
    StepUnchanged {
        /// The step.
        step: &'a str,
    },
    /// A step cannot be built because one upstream of it failed.
    StepSkipped {
        /// The step.
        step: &'a str,
        /// The failed step.
        because: &'a str,
    },
    /// A step failed; its error is among the problems of the run.
    StepFailed {
        /// The step.
        step: &'a str,
    },
    /// A test did not pass.
    TestNotPassed {
        /// The test.
        test: &'a str,
        /// The number of failures.
        failures: u64,
        /// Whether it keeps the run from publishing, as a test of severity `error` does.
        blocks: bool,
        /// One of the failures.
        example: Option<&'a str>,
    },
    /// A report is being issued.
    ReportStarted {
        /// The report.
        report: &'a str,
    },
    /// A report is issued, or could not be.
    ReportDone {
        /// The report.
        report: &'a str,
    },
    /// What is not kept any more was removed.
    Vacuumed {
        /// Releases.
        releases: u64,
        /// Files, of releases that were removed earlier.
        files: u64,
        /// Their bytes.
        bytes: u64,
    },
}

/// Receives the events of a run.
pub(crate) trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: Event<'_>);
}
