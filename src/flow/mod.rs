//! One run, and the other things one does with a project: everything that brings the layers together.
//!
//! [`run`] is the main flow on one screen. It prints nothing and does not read the clock: progress goes to an
//! [`Observer`], and `now` is an argument.

mod build;
mod clock;
mod commit;
mod editions;
mod events;
mod issue;
mod journal;
mod next_release;
mod plan;
mod probe;
mod pull;
mod reader;
mod record;
mod reject_buffer;
mod replay;
mod request;
mod row_pages;
mod test;
mod vacuum;
mod verbs;
#[cfg(test)]
mod tests;

use build::Build;
use editions::ReportRun;
use journal::RunJournal;
use next_release::{load_state_changed, next_release};
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Problems, Result};
use perennial_lake::{Lake, Lock, Release, new_run_id};
use perennial_project::{AsOf, Project};
use plan::Plan;
use pull::Pull;
use record::{Record, RunFacts};
use tokio::sync::Mutex;
use vacuum::vacuum_after_run;

pub(crate) use events::{Event, Observer};
pub(crate) use journal::retry;
pub(crate) use plan::check;
pub(crate) use probe::{ProbeStatus, SourceTest, TableTest, test_sources};
pub(crate) use reader::Reader;
pub(crate) use record::record_not_begun;
pub(crate) use replay::{Correction, ReplayRequest};
pub(crate) use request::{Changed, EditionOutcome, Ending, Invoker, RunOutcome, RunRequest, Stop, scheduled_as_of};
pub(crate) use row_pages::RowPages;
pub(crate) use test::{TestReport, Tested, test};
pub(crate) use vacuum::{plan_vacuum, vacuum};
pub(crate) use verbs::{ReportRequest, as_published, report, rollback, show};

/// One run: pull, build, test, publish, report, record.
///
/// # Errors
/// What kept the run from starting or finishing: a mistake in the project, a lake that cannot be reached or is locked by
/// another run. Everything else (a failed source, step or test, a page without its font) is in the [`RunOutcome`].
pub(crate) async fn run(
    project: &Project,
    request: &RunRequest,
    observer: &dyn Observer,
) -> Result<RunOutcome, Problems> {
    let pipeline = request.pipeline(project)?;
    let as_of = request.as_of(project, pipeline)?;
    let lake = Lake::open(&project.lake).await?;
    let latest = lake.latest().await?;
    let last_run_id = lake.last_run_id(latest.as_ref().map(|release| release.run_id.as_str())).await?;
    let run_id = new_run_id(request.now, last_run_id.as_deref());
    let facts = RunFacts::new(project, pipeline, request, as_of);
    // The project is checked before the lock is taken: that needs no data of this run.
    let plan = match plan::plan(project, pipeline, request, as_of, latest.as_ref()).await {
        Ok(plan) => plan,
        Err(problems) => {
            let record = Record::new(&lake, &run_id, &request.invoker, facts, request.now);
            record_failure_to_begin(record, &problems, observer).await;
            return Err(problems);
        }
    };
    observer.event(Event::Started { run_id: &run_id, pipeline: &pipeline.name, as_of });
    let Begun { lock, latest, now } = match begin(project, request, &lake, &run_id, &facts, observer).await {
        Ok(begun) => begun,
        Err(error) => {
            let problems = Problems::from(error);
            // Nobody sees what a planned run says. A run by hand that meets another one tells its caller, and is no
            // failure of the pipeline.
            if request.scheduled_for.is_some() {
                let record = Record::new(&lake, &run_id, &request.invoker, facts, request.now);
                record_failure_to_begin(record, &problems, observer).await;
            }
            return Err(problems);
        }
    };
    if let Some(later) = latest.as_ref().filter(|latest| request.publish && latest.as_of > as_of) {
        let (number, describes) = (later.number, later.as_of);
        observer.event(Event::Note(format!(
            "release {number} describes {describes}: with what this run publishes readers go back to {as_of}; \
             `--no-publish` leaves release {number} current"
        )));
    }
    let mut record = Record::new(&lake, &run_id, &request.invoker, facts, now);
    let outcome = match RunJournal::open(project, request, as_of, &lake, &run_id, latest.as_ref()).await {
        Ok(journal) => {
            let publishing = Mutex::new(());
            let run = Run {
                project,
                request,
                observer,
                lake: &lake,
                lock: &lock,
                latest,
                journal: &journal,
                now,
                publishing: &publishing,
            };
            let outcome = request.unless_stopped(&publishing, run.execute(plan, &mut record)).await;
            let newest = outcome.as_ref().ok().and_then(RunOutcome::newest_if_complete);
            if let Err(error) = journal.close(&lake, &lock, newest).await {
                observer
                    .event(Event::Note(note_of("`perennial retry` cannot use all that this run has finished", &error)));
            }
            outcome
        }
        Err(error) => Err(error.into()),
    };
    if let Some(first) = outcome.as_ref().err().and_then(|problems| problems.iter().next()) {
        record.failed(first);
    }
    // A failure to record never fails a run.
    match record.write(&lock).await {
        Ok(()) => record::compact(&lake, &lock, observer).await,
        Err(error) => observer.event(Event::Note(note_of("cannot record the run", &error))),
    }
    let outcome = match (outcome, lock.release().await) {
        (Ok(_), Err(error)) => Err(error.into()),
        (outcome, _) => outcome,
    };
    if pipeline.vacuum && outcome.as_ref().is_ok_and(|outcome| outcome.newest_if_complete().is_some()) {
        vacuum_after_run(project, &request.invoker, now, observer).await;
    }
    outcome
}

/// What a run holds once it has begun.
struct Begun {
    lock: Lock,
    /// The release that it starts from.
    latest: Option<Release>,
    /// When it began, after everything that was published before.
    now: jiff::Timestamp,
}

/// Takes the lock, repairs what runs that were killed left behind, and marks the run as begun.
async fn begin(
    project: &Project,
    request: &RunRequest,
    lake: &Lake,
    run_id: &str,
    facts: &RunFacts,
    observer: &dyn Observer,
) -> Result<Begun> {
    let lock = lake.lock(request.invoker.holder(run_id), request.now).await?;
    record::repair(project, lake, &lock, request.now, observer).await?;
    let latest = lake.latest().await?;
    let now = clock::not_before(latest.as_ref(), run_id, request.now, observer)?;
    lake.begin_run(&lock, now, &facts.to_json()?).await?;
    Ok(Begun { lock, latest, now })
}

/// A failure to record never hides what kept the run from beginning.
async fn record_failure_to_begin(record: Record<'_>, problems: &Problems, observer: &dyn Observer) {
    if let Err(error) = record.not_begun(problems).await {
        observer.event(Event::Note(note_of("cannot record the run", &error)));
    }
}

/// An error that stops nothing, as a note with what to do about it.
fn note_of(what: &str, error: &Error) -> String {
    match error.hint_text() {
        Some(hint) => format!("{what}: {error}; {hint}"),
        None => format!("{what}: {error}"),
    }
}

/// A run that holds the lake's lock.
struct Run<'a> {
    project: &'a Project,
    request: &'a RunRequest,
    observer: &'a dyn Observer,
    lake: &'a Lake,
    lock: &'a Lock,
    /// The release that it starts from.
    latest: Option<Release>,
    /// What it and the run that it continues have finished.
    journal: &'a RunJournal,
    /// When it began, after everything that was published before.
    now: jiff::Timestamp,
    /// Held from the publication until it is recorded: in between nothing stops the run.
    publishing: &'a Mutex<()>,
}

impl Run<'_> {
    async fn execute(self, plan: Plan<'_>, record: &mut Record<'_>) -> Result<RunOutcome, Problems> {
        let Run { project, request, observer, lake, lock, latest, journal, now, publishing } = self;
        let run_id = record.run_id.clone();
        let pull = Pull {
            lake,
            run_id: &run_id,
            now,
            previous: latest.as_ref(),
            // Of a selection only the steps are made anew: rows of files that are gone cannot be read again.
            full_refresh: request.full_refresh && request.select.is_empty(),
            max_data_files: project.merge_raw_files,
            rejects: &*record.rejects,
            journal,
            observer,
        };
        let (mut pulled, replayed) = match &request.replay {
            None => (pull.all(&plan.sources).await, None),
            Some(replay) => {
                let reader = Reader::open(project, None).await?;
                let (pulled, counts) = pull.replay(&plan.sources, replay, &reader).await?;
                (pulled, Some(counts))
            }
        };
        pulled.carry_over(project, latest.as_ref());
        record.pulled(&pulled.records);
        // A date that was asked for in this run, or planned, needs no reminder.
        if let (None, None, AsOf::Date(date)) = (request.as_of, request.scheduled_for, project.as_of)
            && let Some(unseen) = pulled.unseen(date)
        {
            observer.event(Event::Note(unseen));
        }
        let mut outcome = RunOutcome { replayed, ..RunOutcome::new(&run_id, plan.as_of, latest.as_ref()) };
        outcome.failed_sources = pulled.problems.len() as u64;
        outcome.sources.clone_from(&pulled.records);
        outcome.problems.extend(std::mem::take(&mut pulled.problems));
        if pulled.incomplete {
            record.ended(&outcome);
            return Ok(outcome);
        }

        let plan = plan.with_columns_of(project, &pulled.loaded).await?;
        let previous = latest.as_ref();
        let build = Build { project, lake, plan: &plan, pulled: &pulled, previous, journal, run_id: &run_id, observer };
        let mut built = build.all(request.full_refresh).await?;
        record.built(&built);

        outcome.tests = built.tests;
        outcome.failed_steps = built.failed_steps();
        outcome.tests_not_passed = built.tests_not_passed();
        outcome.problems.extend(std::mem::take(&mut built.problems));
        let reports = ReportRun { project, plan: &plan, observer, run_id: &run_id, now: record.now() };
        if !built.publishable {
            reports.skip_all(&built.reason, &mut outcome);
            record.ended(&outcome);
            return Ok(outcome);
        }

        let new = next_release(project, &plan, &pulled, &built, latest.as_ref(), &run_id, record.now());
        reader::check_readable(project, lake, &new).await?;
        let changes = new.changes(latest.as_ref())?;
        let before = latest.as_ref().map(|release| &release.tables);
        let is_table = |name: &&TableName| {
            new.tables.contains_key(*name) || before.is_some_and(|before| before.contains_key(*name))
        };
        let tables = changes.iter().filter(is_table).count();
        let changed = Changed { tables: tables as u64, views: (changes.len() - tables) as u64 };
        if !request.publish {
            outcome.ending = Ending::Withheld { changed };
            record.ended(&outcome);
            return Ok(outcome);
        }
        let release = match latest {
            Some(latest) if changes.is_empty() && !new.differs(&latest)? && !load_state_changed(&pulled, &latest) => {
                outcome.ending = Ending::NothingNew { release: latest.number };
                latest
            }
            _ => {
                let publication = publishing.lock().await;
                let published = lake.publish(lock, new).await?;
                outcome.ending = Ending::Published { release: published.release.number, changed };
                record.published(&published.release);
                drop(publication);
                if let Some(error) = published.delta_behind {
                    let what = "the next run brings the Delta logs up to date";
                    observer.event(Event::Note(note_of(what, &error)));
                }
                published.release
            }
        };

        // The release stands: a page that cannot be written is a problem, and not the end of the run.
        if let Err(error) = reports.issue_all(&release, &pulled.records, &mut outcome).await {
            outcome.problems.push(error);
        }
        record.ended(&outcome);
        Ok(outcome)
    }
}
