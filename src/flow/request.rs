//! What a run is asked to do, and what came of it.

use super::replay::{ReplayCounts, ReplayRequest};
use perennial_core::error::{Error, Problems, Result, expected};
use perennial_lake::{Holder, Release, TestCounts};
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
    /// Whether that date may lie in the future.
    pub allow_future: bool,
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
            allow_future: false,
            full_refresh: false,
            publish: true,
            replay: None,
            now,
            invoker,
        }
    }

    /// The business date that the figures of this run describe.
    ///
    /// # Errors
    /// `Project` when it lies in the future and may not.
    pub(super) fn as_of(&self, project: &Project) -> Result<jiff::civil::Date> {
        match self.allow_future {
            true => as_of(project, self.as_of, self.now),
            false => past_as_of(project, self.as_of, self.now),
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
        (None, AsOf::Today) => today(project, now),
    }
}

/// The day in the project's time zone.
fn today(project: &Project, now: jiff::Timestamp) -> Result<jiff::civil::Date> {
    let zoned = now.in_tz(&project.time_zone);
    let unknown = |e| Error::project(format!("unknown time zone `{}`", project.time_zone)).because(e);
    Ok(zoned.map_err(unknown)?.date())
}

/// The business date that the project's figures describe when none is asked for, which may not lie in the future: months
/// that have not been would be closed without a sale.
///
/// # Errors
/// `Project` when it lies in the future.
pub(super) fn past_as_of(
    project: &Project,
    asked: Option<jiff::civil::Date>,
    now: jiff::Timestamp,
) -> Result<jiff::civil::Date> {
    let (date, today) = (as_of(project, asked, now)?, today(project, now)?);
    if date <= today {
        return Ok(date);
    }
    let error = format!("the as-of date {date} is in the future: today is {today} in {}", project.time_zone);
    let hint = match asked {
        Some(_) => "days that have not been would count as days without a sale; `--allow-future` runs it nevertheless",
        None => "write `as_of: today` in perennial.yml; `perennial run --allow-future` runs it nevertheless",
    };
    Err(Error::project(error).hint(hint))
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
        /// What differs from the previous release.
        changed: Changed,
    },
    /// Nothing changed: the previous release stays current.
    NothingNew {
        /// Its number.
        release: u64,
    },
    /// Everything was made and passed its tests, and nothing was to be published: the previous release stays current.
    Withheld {
        /// What differs from the previous release.
        changed: Changed,
    },
    /// A test, step or source failed: the previous release stays current.
    NotPublished,
}

/// How much of a release differs from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    /// Tables kept in files.
    pub tables: u64,
    /// Stored queries.
    pub views: u64,
}

/// What a run did.
#[derive(Debug)]
pub(crate) struct RunOutcome {
    /// Its id.
    pub run_id: String,
    /// The business date of its figures.
    pub as_of: jiff::civil::Date,
    /// The newest release when it began and the business date of that.
    pub before: Option<(u64, jiff::civil::Date)>,
    /// How it ended.
    pub ending: Ending,
    /// Sources that could not be read.
    pub failed_sources: u64,
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
    pub(super) fn new(run_id: &str, as_of: jiff::civil::Date, before: Option<&Release>) -> RunOutcome {
        RunOutcome {
            run_id: run_id.to_string(),
            as_of,
            before: before.map(|release| (release.number, release.as_of)),
            ending: Ending::NotPublished,
            failed_sources: 0,
            tests: TestCounts::default(),
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
