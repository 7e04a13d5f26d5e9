//! One night, and the other things one does with a project: everything that brings the rooms together.
//!
//! [`night`] is the main flow on one screen. It prints nothing and does not look at the clock: what happens is told to
//! an [`Observer`], and `now` is an argument.

mod build;
mod checked;
mod discover;
mod held;
mod issue;
mod probe;
mod pull;
mod reader;
mod record;
mod replay;
mod verbs;

use crate::error::{Error, Problems, Result};
use crate::history::new_run_id;
use crate::lake::{Holder, Lake, LoadState, Lock, Release, TestCounts};
use crate::project::{AsOf, Pipeline, Project};
use crate::reports;
use build::{Build, Built};
pub use checked::check;
pub use discover::{Additions, DiscoverRequest, Discovered, discover, discover_new};
use issue::Issue;
pub use probe::{SourceTest, Standing, TableTest, test_sources};
use pull::{Pull, Pulled};
pub use reader::Reader;
use record::Record;
pub use replay::{Correction, ReplayCounts, ReplayRequest};
use std::path::PathBuf;
pub use verbs::{ReportRequest, report, rollback, show, test};

/// Runs one night: pull, build, test, publish, report, record.
///
/// Errors are what kept the night from beginning or ending: a mistake in the project, a lake that cannot be reached or
/// is held by another run, a source without any rows to stand in. Everything else (a failed step or test, a stale
/// source, a page without its font) is in the [`Night`].
pub async fn night(project: &Project, request: &NightRequest, observer: &dyn Observer) -> Result<Night, Problems> {
    let pipeline = pipeline(project, request.pipeline.as_deref())?;
    let as_of = as_of(project, request.as_of, request.now)?;
    let lake = Lake::open(&project.lake).await?;
    let run_id = new_run_id(request.now);
    // What the project asks is checked before the lock is taken; data of a first night are not needed for it.
    let before = lake.latest().await?;
    let plan = checked::plan(project, pipeline, request, as_of, before.as_ref()).await?;

    let lock = lake.lock(request.who.holder(&run_id), request.now).await?;
    record::repair(&lake, &lock, request.now, observer).await?;
    lake.begin_run(&lock, request.now).await?;
    let mut record = Record::new(&lake, &run_id, &request.who, Some(as_of), request.now);
    let outcome = run(project, plan, request, observer, &lake, &lock, &mut record).await;
    if let Some(first) = outcome.as_ref().err().and_then(|problems| problems.iter().next()) {
        record.failed(first);
    }
    // A failure to record never fails a run.
    if let Err(error) = record.write(&lock).await {
        observer.event(Event::Note(format!("the run could not be recorded: {error}")));
    }
    match (outcome, lock.release().await) {
        (Ok(_), Err(error)) => Err(error.into()),
        (outcome, _) => outcome,
    }
}

async fn run(
    project: &Project,
    plan: checked::Plan<'_>,
    request: &NightRequest,
    observer: &dyn Observer,
    lake: &Lake,
    lock: &Lock,
    record: &mut Record<'_>,
) -> Result<Night, Problems> {
    let before = lake.latest().await?;
    let run_id = record.run_id.clone();

    let pull = Pull {
        lake,
        run_id: &run_id,
        now: request.now,
        previous: before.as_ref(),
        full_refresh: request.full_refresh,
        rejects: &*record.rejects,
        observer,
    };
    let (mut pulled, replayed): (Pulled, _) = match &request.replay {
        None => (pull.all(&plan.sources).await, None),
        Some(replay) => {
            let (pulled, counts) = pull.replay(&plan.sources, replay, &Reader::open(project, None).await?).await?;
            (pulled, Some(counts))
        }
    };
    record.pulled(&pulled.records);
    if pulled.incomplete {
        return Err(pulled.problems);
    }

    let plan = plan.with_columns_of(project, &pulled.loaded).await?;
    let build =
        Build { project, lake, plan: &plan, pulled: &pulled, before: before.as_ref(), run_id: &run_id, observer };
    let built: Built = build.all(request.full_refresh).await?;
    record.built(&built);

    let mut night = Night { replayed, ..Night::new(&run_id, built.tests) };
    night.problems.extend(std::mem::take(&mut pulled.problems));
    if !built.may_be_published {
        night.ending = Ending::NotPublished;
        night.problems.extend(built.problems);
        night.not_issued = not_issued(project, &plan, request.now, &run_id, &built.reason)?;
        record.ended(&night);
        return Ok(night);
    }

    let new = plan.release(&run_id, record.moment(), &pulled, built.tables, built.tests);
    let changes = new.changes(before.as_ref())?;
    let release = match before {
        Some(before) if changes.is_empty() && !says_more(&pulled, &before) => {
            night.ending = Ending::NothingNew { release: before.number };
            before
        }
        _ => {
            let published = lake.publish(lock, new).await?;
            night.ending =
                Ending::Published { release: published.release.number, changed_tables: changes.len() as u64 };
            if let Some(error) = published.delta_behind {
                observer.event(Event::Note(format!("Delta logs follow with the next run: {error}")));
            }
            published.release
        }
    };

    issue_all(project, &plan, &release, &pulled, &built.warnings, record.moment(), observer, &mut night).await?;
    record.ended(&night);
    Ok(night)
}

/// Whether what was read is worth a release although no row is another: rejects that are open now, or were closed, a type
/// that changed, a comparison of a whole table, or the place where a service goes on.
fn says_more(pulled: &Pulled, before: &Release) -> bool {
    pulled.loaded.iter().any(|(table, now)| {
        before.loaded.get(table).is_some_and(|then| {
            let refused = |state: &LoadState| -> Vec<Vec<String>> {
                state.files.values().map(|file| LoadState::open_runs(file).to_vec()).collect()
            };
            refused(now) != refused(then)
                || now.replayed != then.replayed
                || now.types != then.types
                || now.compared_at != then.compared_at
                || (now.watermark != then.watermark && now.watermark.as_ref().is_some_and(|mark| mark.lake.is_none()))
        })
    })
}

/// Issues every report of the pipeline for its newest closed period. One that cannot be made does not stop the others.
#[allow(clippy::too_many_arguments, reason = "the last leg of one function, which has all of these at hand")]
async fn issue_all(
    project: &Project,
    plan: &checked::Plan<'_>,
    release: &Release,
    pulled: &Pulled,
    warnings: &[String],
    now: jiff::Timestamp,
    observer: &dyn Observer,
    night: &mut Night,
) -> Result<()> {
    if plan.reports.is_empty() {
        return Ok(());
    }
    let reader = Reader::of(project, release.clone()).await?;
    let issue =
        Issue { project, reader: &reader, release, sources: &pulled.records, warnings, feeds: &plan.feeds, now };
    for report in &plan.reports {
        observer.event(Event::ReportStarted { report: &report.name });
        let period = reports::Period::newest_closed(report.period, release.as_of);
        match issue.report(report, period, &report.languages, &reports::Output::ALL).await {
            Ok(edition) => {
                let reports::Edition { number, is_new, files, refused, .. } = edition;
                night.editions.push(Issued {
                    report: report.name.clone(),
                    period: period.label(),
                    number,
                    is_new,
                    files,
                });
                refused.into_iter().for_each(|error| night.problems.push(error));
            }
            Err(error) => {
                let (folder, reason) = (&project.reports_folder, error.message());
                reports::record_not_issued(folder, &report.name, period, reason, &night.run_id, now)?;
                night.not_issued.push(format!("{} {} not issued: {reason}", report.name, period.label()));
                if !reports::is_without_data(&error) {
                    night.problems.push(error);
                }
            }
        }
        observer.event(Event::ReportDone { report: &report.name });
    }
    reports::write_index(project, &project.reports_folder)
}

/// Notes for every report that it was not issued tonight and why; yesterday's edition stays.
fn not_issued(
    project: &Project,
    plan: &checked::Plan<'_>,
    now: jiff::Timestamp,
    run_id: &str,
    reason: &str,
) -> Result<Vec<String>> {
    let folder = &project.reports_folder;
    let mut lines = Vec::new();
    for report in &plan.reports {
        let period = reports::Period::newest_closed(report.period, plan.as_of);
        reports::record_not_issued(folder, &report.name, period, reason, run_id, now)?;
        lines.push(format!("{} {} not issued: {reason}", report.name, period.label()));
    }
    if !plan.reports.is_empty() {
        reports::write_index(project, folder)?;
    }
    Ok(lines)
}

/// The pipeline asked for, or the only one.
fn pipeline<'a>(project: &'a Project, name: Option<&str>) -> Result<&'a Pipeline> {
    let known: Vec<&str> = project.pipelines.iter().map(|p| p.name.as_str()).collect();
    match (name, project.pipelines.as_slice()) {
        (Some(name), pipelines) => pipelines
            .iter()
            .find(|p| p.name == name)
            .ok_or_else(|| Error::project(format!("no pipeline `{name}`")).suggest(name, known)),
        (None, [only]) => Ok(only),
        (None, []) => {
            Err(Error::project("the project has no pipeline")
                .hint("write pipelines/nightly.yml with `sources: [\"*\"]`"))
        }
        (None, _) => Err(Error::project("which pipeline?")
            .hint(format!("there are {}; name one: `perennial run NAME`", crate::error::list(&known)))),
    }
}

/// The business date that figures describe: the one asked for, the project's, or today in its time zone.
fn as_of(project: &Project, asked: Option<jiff::civil::Date>, now: jiff::Timestamp) -> Result<jiff::civil::Date> {
    match (asked, project.as_of) {
        (Some(date), _) | (None, AsOf::Date(date)) => Ok(date),
        (None, AsOf::Today) => {
            let zoned = now.in_tz(&project.time_zone);
            Ok(zoned.map_err(|e| Error::project(format!("`{}` is no time zone", project.time_zone)).because(e))?.date())
        }
    }
}

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

impl Who {
    /// The same as the lock knows it.
    fn holder(&self, run_id: &str) -> Holder {
        Holder {
            run_id: run_id.to_string(),
            host: self.host.clone(),
            user: self.user.clone(),
            pid: self.pid,
            command: self.command.clone(),
        }
    }
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
    /// Read nothing and try refused rows again.
    pub replay: Option<ReplayRequest>,
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
    /// What became of refused rows that were tried again.
    pub replayed: Option<ReplayCounts>,
    /// Editions issued or found unchanged.
    pub editions: Vec<Issued>,
    /// Reports that were not issued, each with its reason.
    pub not_issued: Vec<String>,
    /// What went wrong without stopping everything: a source that is stale, a page without its font, a failed step.
    pub problems: Problems,
}

impl Night {
    fn new(run_id: &str, tests: TestCounts) -> Night {
        Night {
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

/// An edition of this night, or the one that already said the same.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The report.
    pub report: String,
    /// The period's label.
    pub period: String,
    /// Counted within the period, from 1.
    pub number: u32,
    /// Whether it was made tonight.
    pub is_new: bool,
    /// Its files.
    pub files: Vec<PathBuf>,
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
        /// Files read; of a database or service 1 when it brought something and 0 when all was as before.
        files: u64,
        /// The relation or path of a database or service.
        relation: Option<&'a str>,
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
    /// A step was not begun, because one that it reads failed.
    StepSkipped {
        /// The step.
        step: &'a str,
        /// The one that failed.
        because: &'a str,
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
