//! One run, and the other things one does with a project: everything that brings the layers together.
//!
//! [`run`] is the main flow on one screen. It prints nothing and does not read the clock: progress goes to an
//! [`Observer`], and `now` is an argument.

mod build;
mod editions;
mod events;
mod issue;
mod plan;
mod probe;
mod pull;
mod reader;
mod record;
mod reject_buffer;
mod replay;
mod request;
mod verbs;

use build::Build;
use editions::ReportRun;
use perennial_core::error::{Error, Problems, Result};
use perennial_lake::history::new_run_id;
use perennial_lake::{Lake, LoadState, Lock, Release};
use perennial_project::Project;
use plan::Plan;
use pull::{Pull, PullOutcome};
use record::Record;

pub(crate) use events::{Event, Observer};
pub(crate) use plan::check;
pub(crate) use probe::{ProbeStatus, SourceTest, TableTest, test_sources};
pub(crate) use reader::Reader;
pub(crate) use replay::{Correction, ReplayRequest};
pub(crate) use request::{EditionOutcome, Ending, Invoker, RunOutcome, RunRequest};
pub(crate) use verbs::{ReportRequest, report, rollback, show, test};

/// One run: pull, build, test, publish, report, record.
///
/// # Errors
/// What kept the run from starting or finishing: a mistake in the project, a lake that cannot be reached or is locked by
/// another run, a failed source of which no earlier rows exist. Everything else (a failed step or test, a stale source,
/// a page without its font) is in the [`RunOutcome`].
pub(crate) async fn run(
    project: &Project,
    request: &RunRequest,
    observer: &dyn Observer,
) -> Result<RunOutcome, Problems> {
    let pipeline = request.pipeline(project)?;
    let as_of = request::as_of(project, request.as_of, request.now)?;
    let lake = Lake::open(&project.lake).await?;
    // The project is checked before the lock is taken: that needs no data of this run.
    let latest = lake.latest().await?;
    let plan = plan::plan(project, pipeline, request, as_of, latest.as_ref()).await?;

    let run_id = new_run_id(request.now);
    let lock = lake.lock(request.invoker.holder(&run_id), request.now).await?;
    record::repair(&lake, &lock, request.now, observer).await?;
    lake.begin_run(&lock, request.now).await?;
    let mut record = Record::new(&lake, &run_id, &request.invoker, Some(as_of), request.now);
    let outcome = Run { project, request, observer, lake: &lake, lock: &lock }.execute(plan, &mut record).await;
    if let Some(first) = outcome.as_ref().err().and_then(|problems| problems.iter().next()) {
        record.failed(first);
    }
    // A failure to record never fails a run.
    if let Err(error) = record.write(&lock).await {
        observer.event(Event::Note(note_of("cannot record the run", &error)));
    }
    match (outcome, lock.release().await) {
        (Ok(_), Err(error)) => Err(error.into()),
        (outcome, _) => outcome,
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
}

impl Run<'_> {
    async fn execute(&self, plan: Plan<'_>, record: &mut Record<'_>) -> Result<RunOutcome, Problems> {
        let (project, lake, observer) = (self.project, self.lake, self.observer);
        let latest = lake.latest().await?;
        let run_id = record.run_id.clone();

        let pull = Pull {
            lake,
            run_id: &run_id,
            now: self.request.now,
            previous: latest.as_ref(),
            full_refresh: self.request.full_refresh,
            rejects: &*record.rejects,
            observer,
        };
        let (mut pulled, replayed) = match &self.request.replay {
            None => (pull.all(&plan.sources).await, None),
            Some(replay) => {
                let reader = Reader::open(project, None).await?;
                let (pulled, counts) = pull.replay(&plan.sources, replay, &reader).await?;
                (pulled, Some(counts))
            }
        };
        record.pulled(&pulled.records);
        if pulled.incomplete {
            return Err(pulled.problems);
        }

        let plan = plan.with_columns_of(project, &pulled.loaded).await?;
        let build =
            Build { project, lake, plan: &plan, pulled: &pulled, previous: latest.as_ref(), run_id: &run_id, observer };
        let built = build.all(self.request.full_refresh).await?;
        record.built(&built);

        let mut outcome = RunOutcome { replayed, ..RunOutcome::new(&run_id, built.tests) };
        outcome.problems.extend(std::mem::take(&mut pulled.problems));
        let reports = ReportRun { project, plan: &plan, observer, run_id: &run_id, now: record.now() };
        if !built.publishable {
            outcome.problems.extend(built.problems);
            outcome.not_issued = reports.skip_all(&built.reason)?;
            record.ended(&outcome);
            return Ok(outcome);
        }

        let new = plan.release(&run_id, record.now(), &pulled, built.tables, built.tests);
        let changes = new.changes(latest.as_ref())?;
        let release = match latest {
            Some(latest) if changes.is_empty() && !load_state_changed(&pulled, &latest) => {
                outcome.ending = Ending::NothingNew { release: latest.number };
                latest
            }
            _ => {
                let published = lake.publish(self.lock, new).await?;
                let (release, changed_tables) = (published.release.number, changes.len() as u64);
                outcome.ending = Ending::Published { release, changed_tables };
                if let Some(error) = published.delta_behind {
                    let what = "the next run brings the Delta logs up to date";
                    observer.event(Event::Note(note_of(what, &error)));
                }
                published.release
            }
        };

        reports.issue_all(&release, &pulled.records, &built.warnings, &mut outcome).await?;
        record.ended(&outcome);
        Ok(outcome)
    }
}

/// Whether what was read is worth a release although no table changed: rejects that were opened or closed, a type that
/// changed, a comparison of a whole table, or the position in a service from which the next run continues.
fn load_state_changed(pulled: &PullOutcome, previous: &Release) -> bool {
    pulled.loaded.iter().any(|(table, now)| {
        previous.loaded.get(table).is_some_and(|then| {
            let open_rejects = |state: &LoadState| -> Vec<Vec<String>> {
                state.files.values().map(|file| LoadState::open_runs(file).to_vec()).collect()
            };
            open_rejects(now) != open_rejects(then)
                || now.replayed != then.replayed
                || now.types != then.types
                || now.compared_at != then.compared_at
                || (now.watermark != then.watermark && now.watermark.as_ref().is_some_and(|mark| mark.lake.is_none()))
        })
    })
}
