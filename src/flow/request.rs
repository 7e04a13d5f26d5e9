//! What a run is asked to do, and what came of it.

use super::replay::{ReplayCounts, ReplayRequest};
use perennial_core::error::{Error, Kind, Problems, Result, expected};
use perennial_lake::history::{SourceRecord, StepRecord, TestRecord};
use perennial_lake::{Holder, Release, TestCounts};
use perennial_project::{AsOf, Pipeline, Project};
use std::path::PathBuf;

/// Asks a run to end, and says why.
pub(crate) type Stop = tokio::sync::watch::Receiver<Option<String>>;

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
    /// The time it was planned for; `None` for a run by hand.
    pub scheduled_for: Option<jiff::Timestamp>,
    /// Which attempt of the same planned time it is, from 1.
    pub attempt: u32,
    /// The run that failed and whose finished sources and steps are used again, if nothing else has changed.
    pub resume: Option<String>,
    /// Ends it in order when it is asked to; nobody asks a run by hand.
    pub stop: Option<Stop>,
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
            scheduled_for: None,
            attempt: 1,
            resume: None,
            stop: None,
            now,
            invoker,
        }
    }

    /// The business date that the figures of this run describe: the one that is asked for, that of the planned time by the
    /// pipeline's rule, or the project's.
    ///
    /// # Errors
    /// `Project` when it lies in the future and may not.
    pub(super) fn as_of(&self, project: &Project, pipeline: &Pipeline) -> Result<jiff::civil::Date> {
        let asked = match (self.as_of, self.scheduled_for) {
            (None, Some(planned)) => Some(scheduled_as_of(project, pipeline, planned, self.now)?),
            (asked, _) => asked,
        };
        // The rule of a schedule may name the day after the planned one: what has happened until midnight is seen.
        match self.allow_future || (self.as_of.is_none() && self.scheduled_for.is_some()) {
            true => as_of(project, asked, self.now),
            false => past_as_of(project, asked, self.now),
        }
    }

    /// What comes first: the end of the work, or that the run is asked to end. Then the work is left where it is, and
    /// everything that follows a failure is done. While the work holds `publishing` it goes on.
    pub(super) async fn unless_stopped<T>(
        &self,
        publishing: &tokio::sync::Mutex<()>,
        work: impl Future<Output = Result<T, Problems>>,
    ) -> Result<T, Problems> {
        let Some(mut stop) = self.stop.clone() else { return work.await };
        let asked = async move {
            match stop.wait_for(Option::is_some).await.map(|reason| reason.clone()) {
                Ok(reason) => {
                    drop(publishing.lock().await);
                    reason.unwrap_or_default()
                }
                // Nobody is left who could ask.
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            outcome = work => outcome,
            reason = asked => {
                Err(Error::unreachable(reason).hint("`perennial retry` goes on where the run stopped").into())
            }
        }
    }

    /// The pipeline that is asked for, or the only one; for a replay, the only one that reads the source whose rejects are
    /// tried again.
    pub(crate) fn pipeline<'a>(&self, project: &'a Project) -> Result<&'a Pipeline> {
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

/// The business date of a run that was planned for a time: its day in the project's time zone, moved by the rule of the
/// pipeline's schedule. Late starts and runs that are made up for describe the day they were planned for.
///
/// # Errors
/// `Project` when that time is still to come or there is no such day.
pub(crate) fn scheduled_as_of(
    project: &Project,
    pipeline: &Pipeline,
    planned: jiff::Timestamp,
    now: jiff::Timestamp,
) -> Result<jiff::civil::Date> {
    if planned > now {
        let error = format!("the run was planned for {planned}, which is still to come");
        return Err(Error::project(error).hint("give the planned time of a run that is due"));
    }
    let offset_days = pipeline.schedule.as_ref().map_or(0, |schedule| schedule.as_of_offset_days);
    let day = today(project, planned)?;
    let moved = day.checked_add(jiff::Span::new().days(offset_days));
    moved.map_err(|e| Error::project(format!("there is no day {offset_days} days after {day}")).because(e))
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
    /// What was read of every table of a source.
    pub sources: Vec<SourceRecord>,
    /// Steps that failed.
    pub failed_steps: Vec<StepRecord>,
    /// Tests that warned or failed.
    pub tests_not_passed: Vec<TestRecord>,
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
    /// The exit code it calls for.
    pub(crate) fn exit_code(&self) -> u8 {
        match self.ending {
            _ if !self.problems.is_empty() => self.problems.exit_code(),
            Ending::NotPublished => Kind::Data.exit_code(),
            _ => 0,
        }
    }

    /// The newest release after a run that has done what it was to do, so that there is nothing to go on with; `None` after
    /// any other. What it published with a source missing is not gone on with: the release is another one.
    pub(super) fn newest_if_complete(&self) -> Option<u64> {
        match self.ending {
            Ending::Published { release, .. } => Some(release),
            Ending::NothingNew { release } => (self.failed_sources == 0).then_some(release),
            Ending::Withheld { .. } => Some(self.before.map_or(0, |(release, _)| release)),
            Ending::NotPublished => None,
        }
    }

    /// A run that has not published anything yet.
    pub(super) fn new(run_id: &str, as_of: jiff::civil::Date, before: Option<&Release>) -> RunOutcome {
        RunOutcome {
            run_id: run_id.to_string(),
            as_of,
            before: before.map(|release| (release.number, release.as_of)),
            ending: Ending::NotPublished,
            failed_sources: 0,
            sources: Vec::new(),
            failed_steps: Vec::new(),
            tests_not_passed: Vec::new(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_is_not_stopped_between_its_publication_and_the_record_of_it() {
        let invoker = Invoker { host: String::new(), user: String::new(), pid: 0, command: String::new() };
        let (ask, stop) = tokio::sync::watch::channel(None);
        let request = RunRequest { stop: Some(stop), ..RunRequest::new(jiff::Timestamp::UNIX_EPOCH, invoker) };
        let (publishing, recorded) = (tokio::sync::Mutex::new(()), std::cell::Cell::new(false));
        let work = async {
            let held = publishing.lock().await;
            ask.send_replace(Some("stopped".to_string()));
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            recorded.set(true);
            drop(held);
            std::future::pending::<Result<(), Problems>>().await
        };
        let problems = request.unless_stopped(&publishing, work).await.unwrap_err();
        assert!(recorded.get());
        assert_eq!(problems.iter().next().unwrap().message(), "stopped");
    }
}
