//! What a run is asked to do, and what came of it.

use super::replay::{ReplayCounts, ReplayRequest};
use perennial_core::error::{Error, Problems, Result, expected};
use perennial_lake::{Holder, TestCounts};
use perennial_project::{AsOf, Pipeline, Project};
use std::path::PathBuf;

/// What a run is asked to do.
#[derive(Clone, Debug)]
pub(crate) struct RunRequest {
    /// The pipeline; `None` if the project has only one.
    pub pipeline: Option<String>,
    /// Selection of steps instead of the pipeline's own; empty for the pipeline's.
    pub select: Vec<String>,
    /// Steps to leave as they are.
    pub exclude: Vec<String>,
    /// The business date that figures describe; `None` for the project's.
    pub as_of: Option<jiff::civil::Date>,
    /// Read every file and build every step again.
    pub full_refresh: bool,
    /// Whether a run that succeeds publishes what it has made.
    pub publish: bool,
    /// Read no source, but try rejected rows again.
    pub replay: Option<ReplayRequest>,
    /// When the run began.
    pub now: jiff::Timestamp,
    /// Who runs it.
    pub invoker: Invoker,
}

impl RunRequest {
    /// A run of everything.
    pub fn new(now: jiff::Timestamp, invoker: Invoker) -> RunRequest {
        RunRequest {
            pipeline: None,
            select: Vec::new(),
            exclude: Vec::new(),
            as_of: None,
            full_refresh: false,
            publish: true,
            replay: None,
            now,
            invoker,
        }
    }

    /// The pipeline that is asked for, or the only one; for a replay, the only one that reads the source whose rejects are
    /// tried again.
    pub(super) fn pipeline<'a>(&self, project: &'a Project) -> Result<&'a Pipeline> {
        let names: Vec<&str> = project.pipelines.iter().map(|p| p.name.as_str()).collect();
        match (&self.pipeline, project.pipelines.as_slice()) {
            (Some(name), pipelines) => pipelines
                .iter()
                .find(|p| p.name == *name)
                .ok_or_else(|| Error::project(format!("unknown pipeline `{name}`")).suggest(name, names)),
            (None, [only]) => Ok(only),
            (None, []) => Err(Error::project("the project has no pipeline")
                .hint("write pipelines/nightly.yml with `sources: [\"*\"]`")),
            (None, pipelines) => match &self.replay {
                Some(replay) => replay.pipeline(pipelines),
                None => Err(Error::project("the project has several pipelines, and none is named").hint(format!(
                    "{}, as in `perennial run {}`",
                    expected(&names),
                    names[0]
                ))),
            },
        }
    }
}

/// The business date that figures describe: the one asked for, the project's, or today in its time zone.
pub(super) fn as_of(
    project: &Project,
    asked: Option<jiff::civil::Date>,
    now: jiff::Timestamp,
) -> Result<jiff::civil::Date> {
    match (asked, project.as_of) {
        (Some(date), _) | (None, AsOf::Date(date)) => Ok(date),
        (None, AsOf::Today) => {
            let zoned = now.in_tz(&project.time_zone);
            let unknown = |e| Error::project(format!("unknown time zone `{}`", project.time_zone)).because(e);
            Ok(zoned.map_err(unknown)?.date())
        }
    }
}

/// Who runs a command, for the lock and the record.
#[derive(Clone, Debug)]
pub(crate) struct Invoker {
    /// Name of the machine.
    pub host: String,
    /// Name of the account.
    pub user: String,
    /// Process id.
    pub pid: u32,
    /// The verb.
    pub command: String,
}

impl Invoker {
    /// The same for the lock.
    pub(super) fn holder(&self, run_id: &str) -> Holder {
        Holder {
            run_id: run_id.to_string(),
            host: self.host.clone(),
            user: self.user.clone(),
            pid: self.pid,
            command: self.command.clone(),
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A new release was published.
    Published {
        /// Its number.
        release: u64,
        /// Tables that differ from the previous release.
        changed_tables: u64,
    },
    /// Nothing changed: the previous release stays current.
    NothingNew {
        /// Its number.
        release: u64,
    },
    /// Everything was made and passed its tests, and nothing was to be published: the previous release stays current.
    Withheld {
        /// Tables that differ from the previous release.
        changed_tables: u64,
    },
    /// A test, step or source failed: the previous release stays current.
    NotPublished,
}

/// What a run did.
#[derive(Debug)]
pub(crate) struct RunOutcome {
    /// Its id.
    pub run_id: String,
    /// How it ended.
    pub ending: Ending,
    /// Tests, counted.
    pub tests: TestCounts,
    /// What became of rejected rows that were tried again.
    pub replayed: Option<ReplayCounts>,
    /// Editions that were issued or found unchanged.
    pub editions: Vec<EditionOutcome>,
    /// Reports that were not issued, each with its reason.
    pub not_issued: Vec<String>,
    /// What went wrong without stopping the run: a stale source, a page without its font, a failed step.
    pub problems: Problems,
}

impl RunOutcome {
    /// A run that has not published anything yet.
    pub(super) fn new(run_id: &str, tests: TestCounts) -> RunOutcome {
        RunOutcome {
            run_id: run_id.to_string(),
            ending: Ending::NotPublished,
            tests,
            replayed: None,
            editions: Vec::new(),
            not_issued: Vec::new(),
            problems: Problems::new(),
        }
    }
}

/// The edition of a report after a run: a new one, or the last one if it already says the same.
#[derive(Clone, Debug)]
pub(crate) struct EditionOutcome {
    /// The report.
    pub report: String,
    /// The period's label.
    pub period: String,
    /// Counted within the period, from 1.
    pub number: u32,
    /// Whether this run issued it.
    pub is_new: bool,
    /// Its files.
    pub files: Vec<PathBuf>,
}
