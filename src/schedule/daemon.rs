//! The process that obeys the schedules: it sleeps until something is due, starts it, and writes down what it decided
//! before anything follows from it.

use super::clock::Clock;
use super::plan::{self, Freshness, Plan, Scheduled, SourceCheck, Start, plan};
use super::state::{self, Event, Finished, Heartbeat, Planned, State};
use crate::flow::Stop;
use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use perennial_core::error::{Error, Result};
use perennial_lake::{Holder, Lake, Lock};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::{mpsc, watch};

/// How often it gives a sign of life.
const HEARTBEAT_EVERY: SignedDuration = SignedDuration::from_secs(45);
/// How often it tries again to send what could not be sent.
const DELIVER_EVERY: SignedDuration = SignedDuration::from_mins(5);
/// How long a run that was asked to end may take; what then still holds the lake's lock only ends with the process.
const STOP_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// What the scheduler starts. The loop knows nothing else of projects and runs.
#[async_trait::async_trait(?Send)]
pub(crate) trait Runs {
    /// The schedules as the project has them now; `None` where they are as before, or the project cannot be read: the run
    /// that is due then fails and says why.
    async fn scheduled(&self, now: Timestamp, at_once: bool) -> Option<Vec<Scheduled>>;

    /// Runs a pipeline, as it is scheduled now, for a planned time. What fails is in the result. Nobody listens to `stop` any
    /// more when the run has ended and only what follows from it goes on.
    async fn run(&self, start: &Start, scheduled: Option<&Scheduled>, stop: Stop) -> Finished;

    /// Those of some sources that are not fresh, each with the reason.
    async fn late(&self, check: &SourceCheck) -> Vec<String>;

    /// Says what happened.
    async fn tell(&self, event: &Event);

    /// Sends what could not be sent before.
    async fn deliver(&self);

    /// Says what went wrong in the scheduler itself, and stops nothing.
    fn note(&self, error: &Error);

    /// Says to whoever watches the process that it works, or that it ends.
    fn alive(&self, is_ending: bool);
}

/// What somebody asks of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// To end in order; at once when asked again.
    End,
    /// To read the project again.
    Reload,
}

/// The scheduler of a lake.
pub(crate) struct Daemon<'a> {
    /// Where its state is.
    pub lake: &'a Lake,
    /// The lock of the scheduler.
    pub lock: &'a Lock,
    /// Who it is.
    pub holder: &'a Holder,
    /// The time.
    pub clock: &'a dyn Clock,
    /// What it starts.
    pub runs: &'a dyn Runs,
    /// How long a run may go on after the process was asked to end.
    pub grace: SignedDuration,
    /// When it ends by itself; never where nothing is said.
    pub until: Option<Timestamp>,
}

/// Something that went on beside the loop and has ended.
enum Done {
    Finished { pipeline: String, finished: Finished },
    Freshness { pipeline: String, freshness: Freshness },
    Delivered,
    Told,
}

/// What the loop knows besides the state.
struct Loop<'a> {
    daemon: Daemon<'a>,
    state: State,
    scheduled: Vec<Scheduled>,
    freshness: BTreeMap<String, Freshness>,
    checking: BTreeSet<String>,
    background: FuturesUnordered<LocalBoxFuture<'a, Done>>,
    run: Option<RunUnderWay>,
    since: Timestamp,
    heartbeat_at: Option<Timestamp>,
    /// When deliveries were tried again; `None` while they are.
    delivered_at: Option<Timestamp>,
    reload: bool,
    /// When it was asked to end.
    ending_since: Option<Timestamp>,
}

/// The run that goes on.
struct RunUnderWay {
    stop: watch::Sender<Option<String>>,
    /// When it is asked to end because it takes too long, and how it is told.
    stop_at: Option<(Timestamp, String)>,
    asked_at: Option<Timestamp>,
}

impl<'a> Daemon<'a> {
    /// Obeys the schedules until it is asked to end.
    ///
    /// # Errors
    /// `Unreachable` when the state cannot be read, the lock was lost, or a run does not end that was asked to.
    pub async fn run(self, scheduled: Vec<Scheduled>, mut signals: mpsc::Receiver<Signal>) -> Result<()> {
        let now = self.clock.now();
        let mut state = State::read(self.lake).await?;
        let interrupted = plan::recover(&mut state, &scheduled, now);
        state.add(interrupted.iter().cloned());
        state.write(self.lake).await?;
        let mut looped = Loop {
            daemon: self,
            state,
            scheduled,
            freshness: BTreeMap::new(),
            checking: BTreeSet::new(),
            background: FuturesUnordered::new(),
            run: None,
            since: now,
            heartbeat_at: None,
            delivered_at: Some(Timestamp::MIN),
            reload: false,
            ending_since: None,
        };
        interrupted.into_iter().for_each(|event| looped.tell(event));
        let mut signals_open = true;
        loop {
            let now = looped.daemon.clock.now();
            looped.daemon.runs.alive(looped.ending_since.is_some());
            let wake = match looped.step(now).await {
                Ok(wake) => wake,
                Err(error) if looped.daemon.until.is_some() => return Err(error),
                // A store that is away for a while is not a reason to end: nothing was decided, and it is tried again.
                Err(error) => {
                    looped.daemon.runs.note(&error);
                    now.checked_add(SignedDuration::from_secs(30)).unwrap_or(now)
                }
            };
            looped.heartbeat(now, false).await?;
            looped.stop_run(now)?;
            if looped.may_end(now) {
                return looped.heartbeat(now, true).await;
            }
            let clock = looped.daemon.clock;
            // What goes on beside is looked at in between, whatever happens.
            let wake = wake.max(now.checked_add(SignedDuration::from_millis(1)).unwrap_or(now));
            tokio::select! {
                biased;
                signal = signals.recv(), if signals_open => match signal {
                    Some(Signal::End) if looped.ending_since.is_some() => return Ok(()),
                    Some(Signal::End) => looped.ending_since = Some(clock.now()),
                    Some(Signal::Reload) => looped.reload = true,
                    None => signals_open = false,
                },
                () = clock.sleep_until(wake) => {}
                Some(done) = looped.background.next() => looped.done(done, clock.now()).await,
            }
        }
    }
}

impl<'a> Loop<'a> {
    /// Decides what is to be done now, makes the decisions durable, and begins it. Returns when to look again at the latest.
    async fn step(&mut self, now: Timestamp) -> Result<Timestamp> {
        let (lake, runs) = (self.daemon.lake, self.daemon.runs);
        if let Some(scheduled) = runs.scheduled(now, std::mem::take(&mut self.reload)).await {
            self.scheduled = scheduled;
        }
        let is_due = |at: Timestamp| now.duration_since(at).abs() >= DELIVER_EVERY;
        if self.ending_since.is_none() && self.delivered_at.is_some_and(is_due) {
            self.delivered_at = None;
            self.background.push(Box::pin(async move {
                runs.deliver().await;
                Done::Delivered
            }));
        }
        let later = now.checked_add(SignedDuration::from_hours(24)).unwrap_or(now);
        if let Some(since) = self.ending_since {
            let grace = since.checked_add(self.daemon.grace).ok().filter(|at| *at > now);
            return Ok(self.stop_due().into_iter().chain(grace).fold(later, Timestamp::min));
        }
        if self.daemon.until.is_some_and(|until| now >= until) {
            return Ok(self.stop_due().unwrap_or(later));
        }
        let paused = state::paused(lake).await?;
        let mut next = self.state.clone();
        let Plan { events, start, checks, wake } = plan(&mut next, &self.scheduled, &paused, &self.freshness, now);
        let start = start.filter(|_| self.run.is_none());
        if let Some(start) = &start {
            plan::started(&mut next, start, now);
        }
        next.add(events.iter().cloned());
        if next.must_be_written(&self.state) {
            // Another process may have taken over what this one could not renew.
            self.daemon.lock.verify().await?;
            next.write(lake).await?;
            next.is_unwritten = false;
        }
        self.state = next;
        events.into_iter().for_each(|event| self.tell(event));
        checks.into_iter().for_each(|check| self.check(check));
        if let Some(start) = start {
            self.start(start, now);
        }
        let times = wake.into_iter().chain(self.daemon.until).filter(|at| *at > now);
        Ok(times.chain(self.stop_due()).fold(later, Timestamp::min))
    }

    fn tell(&mut self, event: Event) {
        let runs = self.daemon.runs;
        self.background.push(Box::pin(async move {
            runs.tell(&event).await;
            Done::Told
        }));
    }

    fn check(&mut self, check: SourceCheck) {
        if !self.checking.insert(check.pipeline.clone()) {
            return;
        }
        let (runs, clock) = (self.daemon.runs, self.daemon.clock);
        self.background.push(Box::pin(async move {
            let late = runs.late(&check).await;
            let freshness = Freshness { scheduled_for: check.scheduled_for, late, at: clock.now() };
            Done::Freshness { pipeline: check.pipeline, freshness }
        }));
    }

    fn start(&mut self, start: Start, now: Timestamp) {
        let one = self.scheduled.iter().find(|one| one.pipeline == start.pipeline).cloned();
        let (stop, stopped) = watch::channel(None);
        let stop_at = one.as_ref().and_then(|one| one.schedule.stop_after).and_then(|limit| {
            let limit = SignedDuration::try_from(limit).ok()?;
            Some((
                now.checked_add(limit).ok()?,
                format!("the run took longer than {limit:#}, its limit (`stop_after`)"),
            ))
        });
        self.run = Some(RunUnderWay { stop, stop_at, asked_at: None });
        self.heartbeat_at = None;
        self.freshness.remove(&start.pipeline);
        let runs = self.daemon.runs;
        self.background.push(Box::pin(async move {
            let finished = runs.run(&start, one.as_ref(), stopped).await;
            Done::Finished { pipeline: start.pipeline, finished }
        }));
    }

    /// Takes note of what has ended.
    async fn done(&mut self, done: Done, now: Timestamp) {
        match done {
            Done::Told => {}
            Done::Delivered => self.delivered_at = Some(now),
            Done::Freshness { pipeline, freshness } => {
                self.checking.remove(&pipeline);
                self.freshness.insert(pipeline, freshness);
            }
            Done::Finished { pipeline, finished } => {
                self.run = None;
                self.heartbeat_at = None;
                if finished.stopped && self.ending_since.is_some() {
                    // It stays in the state as a run under way, so that the next scheduler makes up for it.
                    return;
                }
                plan::ended(&mut self.state, &self.scheduled, &pipeline, finished, now);
                // The next step writes it, before anything else begins; at the end there is none.
                self.state.is_unwritten = true;
                if self.ending_since.is_some()
                    && let Err(error) = self.state.write(self.daemon.lake).await
                {
                    self.daemon.runs.note(&error);
                }
            }
        }
    }

    /// When the run is asked to end, or has to have ended.
    fn stop_due(&self) -> Option<Timestamp> {
        let run = self.run.as_ref()?;
        match (run.asked_at, self.ending_since) {
            (Some(asked), _) => asked.checked_add(STOP_WITHIN).ok(),
            (None, Some(since)) => since.checked_add(self.daemon.grace).ok(),
            // The limit is one of the run, not of the deliveries that follow it.
            (None, None) => run.stop_at.as_ref().map(|(at, _)| *at).filter(|_| !run.stop.is_closed()),
        }
    }

    /// Asks a run to end that takes too long, or longer than the process may.
    fn stop_run(&mut self, now: Timestamp) -> Result<()> {
        if self.stop_due().is_none_or(|at| now < at) {
            return Ok(());
        }
        let is_ending = self.ending_since.is_some();
        let Some(run) = &mut self.run else { return Ok(()) };
        if run.asked_at.is_some() {
            let error = "a run that was asked to end still goes on; the scheduler ends, and the run with it";
            return Err(Error::unreachable(error).hint("start the scheduler again; the next run repairs what is left"));
        }
        let reason = match &run.stop_at {
            Some((_, reason)) if !is_ending => reason.clone(),
            _ => "the scheduler was asked to end, and the run took longer than its grace time".to_string(),
        };
        run.asked_at = Some(now);
        run.stop.send_replace(Some(reason));
        Ok(())
    }

    /// Whether nothing goes on that must be waited for.
    fn may_end(&self, now: Timestamp) -> bool {
        match self.ending_since {
            Some(since) => {
                let is_over = now.duration_since(since) >= self.daemon.grace;
                self.run.is_none() && (is_over || self.background.is_empty())
            }
            None => self.daemon.until.is_some_and(|until| now >= until) && self.background.is_empty(),
        }
    }

    async fn heartbeat(&mut self, now: Timestamp, ended: bool) -> Result<()> {
        let is_due = |at: Timestamp| now.duration_since(at).abs() >= HEARTBEAT_EVERY;
        let running = self.state.running();
        if !ended && self.heartbeat_at.is_some_and(|at| !is_due(at)) {
            return Ok(());
        }
        self.heartbeat_at = Some(now);
        if let Err(error) = self.daemon.lock.verify().await {
            if self.daemon.lock.is_lost().await {
                return Err(error);
            }
            // A store that does not answer has given the lock to nobody.
            self.daemon.runs.note(&error);
        }
        let next = self.scheduled.iter().filter_map(|one| {
            Some(Planned { pipeline: one.pipeline.clone(), scheduled_for: one.schedule.due.next_after(now)? })
        });
        let Holder { host, user, pid, .. } = self.daemon.holder.clone();
        let next = next.min_by(|a, b| (a.scheduled_for, &a.pipeline).cmp(&(b.scheduled_for, &b.pipeline)));
        let heartbeat = Heartbeat { format: 1, host, user, pid, since: self.since, at: now, ended, next, running };
        // A sign of life that cannot be given is missed by whoever looks for it.
        if let Err(error) = heartbeat.write(self.daemon.lake).await {
            self.daemon.runs.note(&error);
        }
        Ok(())
    }
}
