//! What the scheduler starts: a run of the project as it is then, deliveries, and notices.

use super::clock::Clock;
use super::daemon::Runs;
use super::fresh;
use super::plan::{Scheduled, SourceCheck, Start};
use super::state::{Due, Event, Finished, What};
use crate::dispatch::{Dispatch, Dispatched, EndedRun};
use crate::flow::{self, Invoker, Observer, RunOutcome, RunRequest, Stop};
use jiff::{SignedDuration, Timestamp};
use perennial_core::error::{Error, Kind, Problems, Result};
use perennial_lake::Lake;
use perennial_project::{CatchUp, LoadOptions, PipelineSchedule, Project};
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// How often the project is read again for changes of its schedules.
const RELOAD_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// When to try again what a lake or server that does not answer kept from being sent.
const DELIVER_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// A run that goes on for so long when the next time of its pipeline comes seems to hang.
const LONG_RUN: SignedDuration = SignedDuration::from_hours(6);
/// Room for the deepest query that is allowed, as the main thread has it.
const STACK_BYTES: usize = 256 << 20;
/// Room of each of the threads that compute for it.
const WORKER_STACK_BYTES: usize = 32 << 20;

/// Shows what happens, to a person or in a log.
pub(crate) trait Console: Send + Sync {
    /// Of a run.
    fn observer(&self) -> &dyn Observer;

    /// A run begins.
    fn begins(&self, start: &Start);

    /// A run has ended, and what followed from it was sent.
    fn ended(&self, start: &Start, ended: &EndedRun<'_>, dispatched: &Dispatched);

    /// Something else happened.
    fn event(&self, event: &Event);

    /// The scheduler itself met with a problem that stops nothing.
    fn note(&self, error: &Error);

    /// The process works, or ends.
    fn alive(&self, is_ending: bool);
}

/// How a project is read.
pub(crate) struct ProjectFolder {
    /// Its folder.
    pub root: PathBuf,
    /// Variables of the command line.
    pub vars: Option<String>,
    /// What is changed in it; a simulation has a lake of its own.
    pub adjust: Option<Box<dyn Fn(Project) -> Project + Send + Sync>>,
}

impl ProjectFolder {
    /// Reads it.
    ///
    /// # Errors
    /// Every problem of its files.
    pub fn load(&self) -> Result<Project, Problems> {
        let options = LoadOptions { vars: self.vars.as_deref(), ..LoadOptions::of_process() };
        let project = Project::load(&self.root, &options)?;
        Ok(match &self.adjust {
            Some(adjust) => adjust(project),
            None => project,
        })
    }
}

/// The runs of a project.
pub(crate) struct ProjectRuns {
    folder: ProjectFolder,
    /// As it could be read last, and when that was tried.
    project: Mutex<(Arc<Project>, Timestamp)>,
    invoker: Invoker,
    clock: Arc<dyn Clock>,
    console: Arc<dyn Console>,
    /// A folder into which everything goes instead of leaving the machine.
    into: Option<PathBuf>,
    /// When something waits to be sent once more. At first, what a process that is gone did not come to send.
    deliver_at: Mutex<Option<Timestamp>>,
}

impl ProjectRuns {
    /// Those of a project that was just read.
    pub fn new(
        folder: ProjectFolder,
        project: Project,
        invoker: Invoker,
        clock: Arc<dyn Clock>,
        console: Arc<dyn Console>,
        into: Option<PathBuf>,
    ) -> ProjectRuns {
        let now = clock.now();
        let (project, deliver_at) = (Mutex::new((Arc::new(project), now)), Mutex::new(Some(now)));
        ProjectRuns { folder, project, invoker, clock, console, into, deliver_at }
    }

    fn project(&self) -> Arc<Project> {
        self.project.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// The project as it is now. A lake that it did not have before is not taken: what was decided stands in the other one.
    fn reload(&self) -> Result<Arc<Project>, Problems> {
        let loaded = self.folder.load();
        let mut last = self.project.lock().unwrap_or_else(PoisonError::into_inner);
        last.1 = self.clock.now();
        let loaded = loaded?;
        if loaded.lake != last.0.lake {
            let error = Error::project(format!("the lake is `{}` now and was `{}`", loaded.lake, last.0.lake));
            return Err(error.hint("start the scheduler again").into());
        }
        last.0 = Arc::new(loaded);
        Ok(last.0.clone())
    }

    fn tools(&self) -> Tools {
        Tools {
            invoker: self.invoker.clone(),
            clock: self.clock.clone(),
            console: self.console.clone(),
            into: self.into.clone(),
        }
    }

    /// Has something sent at a time, or earlier where something else waits for that.
    fn deliver_at(&self, at: Option<Timestamp>) {
        let mut waits = self.deliver_at.lock().unwrap_or_else(PoisonError::into_inner);
        *waits = waits.into_iter().chain(at).min();
    }

    /// Takes what is due to be sent: what fails, and what comes meanwhile, is waited for anew.
    fn take_due(&self, now: Timestamp) -> bool {
        let mut waits = self.deliver_at.lock().unwrap_or_else(PoisonError::into_inner);
        waits.take_if(|at| *at <= now).is_some()
    }

    /// Tells that a run could not begin or has come to no end that is known.
    async fn tell_lost(&self, start: &Start, error: &Error) {
        let (project, tools) = (self.project(), self.tools());
        let told = match Lake::open(&project.lake).await {
            Ok(lake) => {
                let to_do = format!("perennial run {}    makes up for it", start.pipeline);
                let dispatch = tools.dispatch(&project, &lake);
                dispatch.tell_missed(&start.pipeline, start.due.scheduled_for, error.message(), to_do).await
            }
            Err(error) => Err(error),
        };
        self.after_telling(told);
    }

    /// What could not be told is tried again.
    fn after_telling(&self, told: Result<Problems>) {
        let problems = told.unwrap_or_else(Problems::from);
        problems.iter().for_each(|problem| self.console.note(problem));
        self.deliver_at(again_after(&problems, self.clock.now()));
    }

    fn request(&self, start: &Start, stop: Option<Stop>) -> RunRequest {
        let invoker = Invoker { command: format!("schedule run: {}", start.pipeline), ..self.invoker.clone() };
        RunRequest {
            pipeline: Some(start.pipeline.clone()),
            scheduled_for: Some(start.due.scheduled_for),
            attempt: start.due.attempt,
            resume: start.due.run_id.clone(),
            stop,
            ..RunRequest::new(self.clock.now(), invoker)
        }
    }
}

#[async_trait::async_trait(?Send)]
impl Runs for ProjectRuns {
    async fn scheduled(&self, now: Timestamp, at_once: bool) -> Option<Vec<Scheduled>> {
        let last = self.project.lock().unwrap_or_else(PoisonError::into_inner).1;
        if !at_once && now.duration_since(last).abs() < RELOAD_EVERY {
            return None;
        }
        self.reload().ok().map(|project| Scheduled::of(&project))
    }

    async fn run(&self, start: &Start, scheduled: Option<&Scheduled>, stop: Stop) -> Finished {
        self.console.begins(start);
        let job = Job {
            start: start.clone(),
            request: self.request(start, Some(stop.clone())),
            project: self.reload(),
            last_good: self.project(),
            tools: self.tools(),
            scheduled: scheduled.cloned(),
            stop,
        };
        match apart(move || job.run()).await {
            Ok((finished, deliver_at)) => {
                self.deliver_at(deliver_at);
                finished
            }
            Err(error) => {
                self.console.note(&error);
                let now = self.clock.now();
                let may_help = error.kind() == Kind::Unreachable;
                if !may_help || !scheduled.is_some_and(|one| one.tries_again(&start.due, now, now)) {
                    self.tell_lost(start, &error).await;
                }
                Finished {
                    scheduled_for: start.due.scheduled_for,
                    at: now,
                    run_id: None,
                    exit_code: error.kind().exit_code(),
                    stopped: false,
                    message: Some(error.to_string()),
                }
            }
        }
    }

    async fn late(&self, check: &SourceCheck) -> Vec<String> {
        fresh::late(&self.project(), check, self.clock.now()).await
    }

    async fn tell(&self, event: &Event) {
        self.console.event(event);
        let (project, tools) = (self.project(), self.tools());
        if let What::SourcesLate { late, run: false } = &event.what {
            let problem = Error::unreachable(format!("sources were not fresh in time: {}", late.join("; ")));
            let now = self.clock.now();
            let start = Start { pipeline: event.pipeline.clone(), due: Due::new(event.scheduled_for, false) };
            let request = self.request(&start, None);
            if let Err(error) = record_not_begun(&project, request, &problem.into(), now).await {
                self.console.note(&error);
            }
        }
        self.after_telling(match Lake::open(&project.lake).await {
            Ok(lake) => told(&tools.dispatch(&project, &lake), event).await,
            Err(error) => Err(error),
        });
    }

    async fn deliver(&self) {
        if !self.take_due(self.clock.now()) {
            return;
        }
        let (project, tools) = (self.project(), self.tools());
        match apart(move || async move { tools.deliver(&project).await }).await {
            Ok(next) => self.deliver_at(next),
            Err(error) => {
                self.console.note(&error);
                self.deliver_at(self.clock.now().checked_add(DELIVER_AGAIN_AFTER).ok());
            }
        }
    }

    fn note(&self, error: &Error) {
        self.console.note(error);
    }

    fn alive(&self, is_ending: bool) {
        self.console.alive(is_ending);
    }
}

/// Does work in threads of its own, so that what computes for long, or fails badly, stops neither clock nor deadlines.
async fn apart<T: Send + 'static, F: Future<Output = T>>(work: impl FnOnce() -> F + Send + 'static) -> Result<T> {
    let (send, ended) = tokio::sync::oneshot::channel();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.enable_all().thread_name("run").thread_stack_size(WORKER_STACK_BYTES).build();
    let runtime = runtime.map_err(|e| Error::unreachable(format!("no threads can be started: {e}")))?;
    let thread = std::thread::Builder::new().name("run".into()).stack_size(STACK_BYTES);
    let spawned = thread.spawn(move || {
        let outcome = runtime.block_on(work());
        // What was stopped may compute on for a moment.
        runtime.shutdown_background();
        // Nobody waits any more only where the process ends.
        drop(send.send(outcome));
    });
    spawned.map_err(|e| Error::unreachable(format!("no thread can be started: {e}")))?;
    ended.await.map_err(|_| Error::bug("the run stopped"))
}

/// Tells somebody of an event that is worth it.
async fn told(dispatch: &Dispatch<'_>, event: &Event) -> Result<Problems> {
    let Event { pipeline, scheduled_for, what, .. } = event;
    let found = dispatch.project.pipelines.iter().find(|one| one.name == *pipeline);
    let schedule = found.and_then(|one| one.schedule.as_ref());
    let catch_up = schedule.map(|schedule| schedule.catch_up);
    let missed = |why: &'static str| {
        let to_do = format!("perennial run {pipeline}    makes up for it");
        async move { dispatch.tell_missed(pipeline, *scheduled_for, why, to_do).await }
    };
    match what {
        What::DeadlinePassed { deadline } => dispatch.tell_deadline(pipeline, *scheduled_for, *deadline).await,
        What::SourcesLate { late, run } => {
            let mut problems = dispatch.tell_late_sources(pipeline, *scheduled_for, late, *run).await?;
            if !run {
                problems.extend(missed("its sources are late, and it does not run").await?);
            }
            Ok(problems)
        }
        What::Interrupted { again: false } => missed("its run was interrupted and is not made up for").await,
        What::Missed { made_up: false } if catch_up == Some(CatchUp::None) => {
            missed("nothing ran at its time, and it is not made up for").await
        }
        What::Skipped { running } if seems_to_hang(schedule, *running, *scheduled_for) => {
            let why = "its last run still goes on, and other ones are skipped";
            let to_do = format!("`stop_after` in pipelines/{pipeline}.yml ends a run that takes too long");
            dispatch.tell_missed(pipeline, *scheduled_for, why, to_do).await
        }
        // Something else takes its place.
        What::Missed { .. } | What::Interrupted { .. } | What::Skipped { .. } | What::ClockSetBack => {
            Ok(Problems::new())
        }
    }
}

/// Whether a run is worth a word that still goes on when a later time of its pipeline comes.
fn seems_to_hang(schedule: Option<&PipelineSchedule>, running: Timestamp, later: Timestamp) -> bool {
    let takes_long = later.duration_since(running) >= LONG_RUN;
    // One that overlaps the next time now and then is what `overlap` is for.
    takes_long || schedule.is_some_and(|schedule| schedule.due.next_after(running).is_some_and(|next| next < later))
}

/// When to try again what was not sent because something did not answer.
fn again_after(problems: &Problems, now: Timestamp) -> Option<Timestamp> {
    let may_help = problems.iter().any(|problem| problem.kind() == Kind::Unreachable);
    may_help.then(|| now.checked_add(DELIVER_AGAIN_AFTER).ok()).flatten()
}

/// Records that a run did not begin, with the day that it would have described.
async fn record_not_begun(project: &Project, request: RunRequest, problems: &Problems, now: Timestamp) -> Result<()> {
    let found = project.pipelines.iter().find(|one| Some(&one.name) == request.pipeline.as_ref());
    let planned = found.zip(request.scheduled_for);
    let as_of = planned.and_then(|(one, planned)| flow::scheduled_as_of(project, one, planned, now).ok());
    flow::record_not_begun(&project.lake, &RunRequest { as_of, ..request }, problems).await
}

/// What every piece of work needs.
struct Tools {
    invoker: Invoker,
    clock: Arc<dyn Clock>,
    console: Arc<dyn Console>,
    into: Option<PathBuf>,
}

impl Tools {
    fn dispatch<'a>(&'a self, project: &'a Project, lake: &'a Lake) -> Dispatch<'a> {
        Dispatch {
            project,
            lake,
            invoker: &self.invoker,
            now: self.clock.now(),
            observer: self.console.observer(),
            into: self.into.as_deref(),
        }
    }

    /// Sends what waits, and returns when to try again.
    async fn deliver(&self, project: &Project) -> Option<Timestamp> {
        let delivered = async {
            let lake = Lake::open(&project.lake).await?;
            if lake.latest().await?.is_none() {
                return Ok(Dispatched::default());
            }
            self.dispatch(project, &lake).deliver().await
        };
        let now = self.clock.now();
        let (problems, next) = match delivered.await {
            Ok(dispatched) => (dispatched.problems, dispatched.next),
            Err(problems) => (problems, now.checked_add(DELIVER_AGAIN_AFTER).ok()),
        };
        problems.iter().for_each(|problem| self.console.note(problem));
        next.or_else(|| again_after(&problems, now))
    }
}

/// One run, and what follows from it.
struct Job {
    start: Start,
    request: RunRequest,
    project: Result<Arc<Project>, Problems>,
    last_good: Arc<Project>,
    tools: Tools,
    scheduled: Option<Scheduled>,
    stop: Stop,
}

impl Job {
    /// Runs it. Returns how it ended, and when something waits to be sent once more.
    async fn run(self) -> (Finished, Option<Timestamp>) {
        let Job { start, request, project, last_good, tools, scheduled, stop } = self;
        let project_now = project.as_ref().map_or(last_good, Arc::clone);
        let lake = Lake::open(&project_now.lake).await;
        if let Ok(lake) = lake.as_ref()
            && start.due.attempt == 1
        {
            tools.dispatch(&project_now, lake).before_run().await;
        }
        let outcome = match project {
            Ok(project) => flow::run(&project, &request, tools.console.observer()).await,
            Err(problems) => {
                let recorded = record_not_begun(&project_now, request.clone(), &problems, request.now).await;
                if let Err(error) = recorded {
                    tools.console.note(&error);
                }
                Err(problems)
            }
        };
        let exit_code = outcome.as_ref().map_or_else(Problems::exit_code, RunOutcome::exit_code);
        let stopped = stop.borrow().is_some() && exit_code != 0;
        // What follows is not part of the run, and `stop_after` does not count it.
        let started_at = request.now;
        drop((stop, request));
        let tries_again = |one: &Scheduled| one.tries_again(&start.due, started_at, tools.clock.now());
        let is_tried_again = exit_code == 3 && !stopped && scheduled.as_ref().is_some_and(tries_again);
        let ended = EndedRun {
            pipeline: &start.pipeline,
            scheduled_for: Some(start.due.scheduled_for),
            started_at,
            result: outcome.as_ref(),
            is_tried_again,
        };
        let dispatched = match &lake {
            Ok(lake) => tools.dispatch(&project_now, lake).after_run(&ended, !is_tried_again).await,
            // The run has said so.
            Err(_) => Dispatched::default(),
        };
        tools.console.ended(&start, &ended, &dispatched);
        let problems = match &outcome {
            Ok(outcome) => &outcome.problems,
            Err(problems) => problems,
        };
        let finished = Finished {
            scheduled_for: start.due.scheduled_for,
            at: tools.clock.now(),
            run_id: outcome.as_ref().ok().map(|outcome| outcome.run_id.clone()),
            exit_code,
            stopped,
            message: problems.iter().next().map(described),
        };
        (finished, dispatched.next.or_else(|| again_after(&dispatched.problems, tools.clock.now())))
    }
}

/// A problem with its place on one line.
fn described(error: &Error) -> String {
    match error.place() {
        Some(place) => format!("{place}: {}", error.message()),
        None => error.message().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn what_computes_in_a_run_does_not_stop_the_clock() {
        let is_over = Arc::new(AtomicBool::new(false));
        let cores = std::thread::available_parallelism().unwrap().get();
        let seen = is_over.clone();
        let run = apart(move || async move {
            let compute = || {
                let is_over = seen.clone();
                // Half a minute without giving way, where nothing ends it.
                let step = move |_: &u32| {
                    std::thread::sleep(Duration::from_millis(1));
                    is_over.load(Ordering::Relaxed)
                };
                tokio::spawn(async move { (0..30_000).find(step).is_some() })
            };
            let tasks: Vec<_> = (0..4 * cores).map(|_| compute()).collect();
            futures::future::join_all(tasks).await.into_iter().all(|is_ended| is_ended.unwrap())
        });
        let clock = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            is_over.store(true, Ordering::Relaxed);
        };
        let (ended, ()) = tokio::join!(run, clock);
        assert!(ended.unwrap(), "the clock stood still");
    }

    #[tokio::test]
    async fn a_run_that_panics_is_an_error() {
        assert_eq!(apart(|| async { panic!("a bug") }).await.map(|()| 0).unwrap_err().kind(), Kind::Bug);
    }

    #[test]
    fn a_run_that_overlaps_the_next_time_once_does_not_hang() {
        let due = perennial_calendar::DueTimes {
            cron: perennial_calendar::CronLine::parse("*/10 * * * *").unwrap(),
            zone: jiff::tz::TimeZone::UTC,
            days: perennial_calendar::DayRule::EveryDay,
            if_holiday: perennial_calendar::OnHoliday::Run,
            calendar: None,
        };
        let schedule = PipelineSchedule {
            due,
            as_of_offset_days: 0,
            catch_up: CatchUp::Latest,
            overlap: perennial_project::Overlap::Skip,
            wait_for: None,
            not_between: Vec::new(),
            stop_after: None,
            finish_by: None,
        };
        let at = |minutes: i64| Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap();
        let hangs = |later| seems_to_hang(Some(&schedule), at(0), at(later));
        assert_eq!((hangs(10), hangs(20)), (false, true));
        // Of one that is gone only the time counts.
        let is_long = |later| seems_to_hang(None, at(0), at(later));
        assert_eq!((is_long(5 * 60), is_long(24 * 60)), (false, true));
    }
}
