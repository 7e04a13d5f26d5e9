//! What the scheduler starts: a run of the project as it is then, deliveries, and notices.

use super::clock::Clock;
use super::daemon::Runs;
use super::fresh;
use super::plan::{Scheduled, SourceCheck, Start};
use super::state::{Event, Finished, What};
use crate::dispatch::{Dispatch, Dispatched, EndedRun};
use crate::flow::{self, Invoker, Observer, RunOutcome, RunRequest, Stop};
use jiff::{SignedDuration, Timestamp};
use perennial_core::error::{Error, Problems, Result};
use perennial_lake::Lake;
use perennial_project::{CatchUp, LoadOptions, Project};
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// How often the project is read again for changes of its schedules.
const RELOAD_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// Room for the deepest query that is allowed, as the main thread has it.
const STACK_BYTES: usize = 256 << 20;

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

    fn deliver_at(&self, at: Option<Timestamp>) {
        *self.deliver_at.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    fn request(&self, start: &Start, stop: Stop) -> RunRequest {
        let invoker = Invoker { command: format!("schedule run: {}", start.pipeline), ..self.invoker.clone() };
        RunRequest {
            pipeline: Some(start.pipeline.clone()),
            scheduled_for: Some(start.due.scheduled_for),
            attempt: start.due.attempt,
            resume: start.due.run_id.clone(),
            stop: Some(stop),
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

    async fn run(&self, start: &Start, is_last_attempt: bool, stop: Stop) -> Finished {
        self.console.begins(start);
        let job = Job {
            start: start.clone(),
            request: self.request(start, stop.clone()),
            project: self.reload(),
            last_good: self.project(),
            tools: self.tools(),
            is_last_attempt,
            stop,
        };
        match apart(move || job.run()).await {
            Ok((finished, deliver_at)) => {
                self.deliver_at(deliver_at);
                finished
            }
            Err(error) => {
                self.console.note(&error);
                Finished {
                    scheduled_for: start.due.scheduled_for,
                    at: self.clock.now(),
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
        let told = match Lake::open(&project.lake).await {
            Ok(lake) => told(&tools.dispatch(&project, &lake), event).await,
            Err(error) => Err(error),
        };
        match told {
            Ok(problems) => problems.iter().for_each(|problem| self.console.note(problem)),
            Err(error) => self.console.note(&error),
        }
    }

    async fn deliver(&self) {
        let at = *self.deliver_at.lock().unwrap_or_else(PoisonError::into_inner);
        if at.is_none_or(|at| self.clock.now() < at) {
            return;
        }
        let (project, tools) = (self.project(), self.tools());
        match apart(move || async move { tools.deliver(&project).await }).await {
            Ok(next) => self.deliver_at(next),
            Err(error) => self.console.note(&error),
        }
    }

    fn note(&self, error: &Error) {
        self.console.note(error);
    }

    fn alive(&self, is_ending: bool) {
        self.console.alive(is_ending);
    }
}

/// Does work in a thread of its own, so that what computes for long, or fails badly, stops neither clock nor deadlines.
async fn apart<T: Send + 'static, F: Future<Output = T>>(work: impl FnOnce() -> F + Send + 'static) -> Result<T> {
    let (send, ended) = tokio::sync::oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    let thread = std::thread::Builder::new().name("run".into()).stack_size(STACK_BYTES);
    // Nobody waits any more only where the process ends.
    let spawned = thread.spawn(move || drop(send.send(runtime.block_on(work()))));
    spawned.map_err(|e| Error::unreachable(format!("no thread can be started: {e}")))?;
    ended.await.map_err(|_| Error::bug("the run stopped"))
}

/// Tells somebody of an event that is worth it.
async fn told(dispatch: &Dispatch<'_>, event: &Event) -> Result<Problems> {
    let Event { pipeline, scheduled_for, what, .. } = event;
    let found = dispatch.project.pipelines.iter().find(|one| one.name == *pipeline);
    let catch_up = found.and_then(|one| one.schedule.as_ref()).map(|schedule| schedule.catch_up);
    match what {
        What::DeadlinePassed { deadline } => dispatch.tell_deadline(pipeline, *scheduled_for, *deadline).await,
        What::SourcesLate { late, run } => dispatch.tell_late_sources(pipeline, *scheduled_for, late, *run).await,
        What::Interrupted { again: false } => {
            dispatch.tell_missed(pipeline, *scheduled_for, "its run was interrupted and is not made up for").await
        }
        What::Missed { made_up: false } if catch_up == Some(CatchUp::None) => {
            dispatch.tell_missed(pipeline, *scheduled_for, "nothing ran at its time, and it is not made up for").await
        }
        // Something else takes its place.
        What::Missed { .. } | What::Interrupted { .. } | What::Skipped { .. } | What::ClockSetBack => {
            Ok(Problems::new())
        }
    }
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
        let (problems, next) = match delivered.await {
            Ok(dispatched) => (dispatched.problems, dispatched.next),
            Err(problems) => (problems, None),
        };
        problems.iter().for_each(|problem| self.console.note(problem));
        next
    }
}

/// One run, and what follows from it.
struct Job {
    start: Start,
    request: RunRequest,
    project: Result<Arc<Project>, Problems>,
    last_good: Arc<Project>,
    tools: Tools,
    is_last_attempt: bool,
    stop: Stop,
}

impl Job {
    /// Runs it. Returns how it ended, and when something waits to be sent once more.
    async fn run(self) -> (Finished, Option<Timestamp>) {
        let Job { start, request, project, last_good, tools, is_last_attempt, stop } = self;
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
                let found = project_now.pipelines.iter().find(|pipeline| pipeline.name == start.pipeline);
                let as_of = found.and_then(|pipeline| {
                    flow::scheduled_as_of(&project_now, pipeline, start.due.scheduled_for, request.now).ok()
                });
                let request = RunRequest { as_of, ..request.clone() };
                if let Err(error) = flow::record_not_begun(&project_now.lake, &request, &problems).await {
                    tools.console.note(&error);
                }
                Err(problems)
            }
        };
        let exit_code = outcome.as_ref().map_or_else(Problems::exit_code, RunOutcome::exit_code);
        let stopped = stop.borrow().is_some() && exit_code != 0;
        let is_tried_again = exit_code == 3 && !stopped && !is_last_attempt;
        let ended = EndedRun {
            pipeline: &start.pipeline,
            scheduled_for: Some(start.due.scheduled_for),
            started_at: request.now,
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
        (finished, dispatched.next)
    }
}

/// A problem with its place on one line.
fn described(error: &Error) -> String {
    match error.place() {
        Some(place) => format!("{place}: {}", error.message()),
        None => error.message().to_string(),
    }
}
