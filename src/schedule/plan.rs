//! What is to be done at a moment: pure decisions over the schedules, what was decided before, and the time.
//!
//! Every planned time of a pipeline is decided once: it is run, skipped or missed. `handled` says up to which moment this
//! has happened; it never moves back, so that a clock that was set back runs nothing twice.

use super::state::{Deadline, Due, Event, Finished, PipelineState, Running, State, What};
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use perennial_calendar::TimeWindow;
use perennial_project::{Attempts, CatchUp, Overlap, PipelineSchedule, Project};
use std::collections::{BTreeMap, BTreeSet};

/// A planned time that is noticed later than this has been missed: nothing was running when it came.
const ON_TIME: SignedDuration = SignedDuration::from_mins(5);
/// A clock that was ahead by more than this has been put right: what was decided by it does not count.
const CLOCK_ERROR: SignedDuration = SignedDuration::from_hours(24);
/// How often sources that a run waits for are looked at.
const CHECK_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// Attempts of a planned time whose run was killed, at least: that is rarely the fault of the run.
const MIN_ATTEMPTS_AFTER_KILL: u32 = 3;

/// A pipeline that runs by itself.
#[derive(Clone, Debug)]
pub(crate) struct Scheduled {
    /// Its name.
    pub pipeline: String,
    /// When.
    pub schedule: PipelineSchedule,
    /// How often it is tried.
    pub attempts: Attempts,
}

impl Scheduled {
    /// Those of a project.
    pub fn of(project: &Project) -> Vec<Scheduled> {
        let scheduled = project.pipelines.iter().filter_map(|pipeline| {
            let (schedule, attempts) = (pipeline.schedule.clone()?, pipeline.attempts);
            Some(Scheduled { pipeline: pipeline.name.clone(), schedule, attempts })
        });
        scheduled.collect()
    }

    /// What its times follow from. Holidays are not part of it: one that is added changes the days to come only.
    fn signature(&self) -> String {
        let due = &self.schedule.due;
        let zone = due.zone.iana_name().unwrap_or_default();
        format!("{} {zone} {:?} {:?}", due.cron.text(), due.days, due.if_holiday)
    }

    /// The pause before an attempt that follows one that failed.
    fn pause_after(&self, attempt: u32) -> SignedDuration {
        let Attempts { first_pause, max_pause, .. } = self.attempts;
        let pause = first_pause.saturating_mul(2u32.saturating_pow(attempt.saturating_sub(1))).min(max_pause);
        SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX)
    }

    /// Whether another attempt follows one that could not reach something and ends now: not where the next planned time comes
    /// before it and takes its place.
    pub fn tries_again(&self, due: &Due, started_at: Timestamp, now: Timestamp) -> bool {
        if due.attempt >= self.attempts.max {
            return false;
        }
        if self.schedule.catch_up == CatchUp::All {
            return true;
        }
        // What comes during the run waits for its end, or is skipped.
        let waits = self.schedule.overlap == Overlap::Queue || due.made_up;
        let next = self.schedule.due.next_after(if waits { started_at.min(now) } else { now });
        let again = now.checked_add(self.pause_after(due.attempt)).ok();
        again.is_some_and(|again| next.is_none_or(|next| again < next))
    }

    fn is_kept_out(&self, at: Timestamp) -> bool {
        let time = self.schedule.due.zone.to_datetime(at).time();
        self.schedule.not_between.iter().any(|window| window.contains(time))
    }
}

/// What is to be done now.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// What was decided.
    pub events: Vec<Event>,
    /// The run to start.
    pub start: Option<Start>,
    /// Sources to look at; then the plan is made again.
    pub checks: Vec<SourceCheck>,
    /// When to plan again at the latest.
    pub wake: Option<Timestamp>,
}

/// A run to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    /// The pipeline.
    pub pipeline: String,
    /// The time it was planned for.
    pub due: Due,
}

/// Sources of which somebody must say whether they are fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceCheck {
    /// The pipeline that waits for them.
    pub pipeline: String,
    /// The sources.
    pub sources: Vec<String>,
    /// The time that the run was planned for.
    pub scheduled_for: Timestamp,
}

/// What was found by looking at the sources of a pipeline that waits.
#[derive(Clone, Debug)]
pub(crate) struct Freshness {
    /// For which planned time.
    pub scheduled_for: Timestamp,
    /// Those that are not fresh, each with the reason.
    pub late: Vec<String>,
    /// When.
    pub at: Timestamp,
}

/// Decides what became of all planned times up to now, and what to do next.
pub(crate) fn plan(
    state: &mut State,
    scheduled: &[Scheduled],
    paused: &BTreeSet<String>,
    freshness: &BTreeMap<String, Freshness>,
    now: Timestamp,
) -> Plan {
    let mut plan = Plan::default();
    state.pipelines.retain(|name, p| p.running.is_some() || scheduled.iter().any(|s| s.pipeline == *name));
    for one in scheduled {
        let new = || PipelineState::new(one.signature(), now);
        let pipeline = state.pipelines.entry(one.pipeline.clone()).or_insert_with(new);
        let mut decide = Decide { one, pipeline, now, events: &mut plan.events };
        decide.schedule_changed();
        decide.clock_was_ahead();
        match paused.contains(&one.pipeline) {
            // What comes due now is decided when it is resumed.
            true => decide.pipeline.deadline = None,
            false => {
                decide.planned_times();
                decide.deadline();
            }
        }
    }
    choose(state, scheduled, paused, freshness, now, &mut plan);
    plan
}

/// The decisions about one pipeline.
struct Decide<'a> {
    one: &'a Scheduled,
    pipeline: &'a mut PipelineState,
    now: Timestamp,
    events: &'a mut Vec<Event>,
}

impl Decide<'_> {
    fn event(&mut self, scheduled_for: Timestamp, what: What) {
        self.events.push(Event { at: self.now, pipeline: self.one.pipeline.clone(), scheduled_for, what });
    }

    /// A schedule owes nothing from before it was first seen.
    fn schedule_changed(&mut self) {
        let signature = self.one.signature();
        if self.pipeline.signature != signature {
            self.pipeline.signature = signature;
            self.pipeline.handled = self.pipeline.handled.max(self.now);
            self.pipeline.deadline = None;
        }
    }

    fn clock_was_ahead(&mut self) {
        let handled = self.pipeline.handled;
        if handled.duration_since(self.now) > CLOCK_ERROR {
            self.pipeline.handled = self.now;
            self.pipeline.due.retain(|due| due.scheduled_for <= self.now);
            self.pipeline.deadline = None;
            self.event(handled, What::ClockSetBack);
        }
    }

    fn planned_times(&mut self) {
        let times = self.one.schedule.due.between(self.pipeline.handled, self.now);
        self.pipeline.handled = self.pipeline.handled.max(self.now);
        let Some((newest, earlier)) = times.split_last() else { return };
        let catch_up = self.one.schedule.catch_up;
        for time in earlier {
            self.missed(*time, catch_up == CatchUp::All);
        }
        match self.now.duration_since(*newest) > ON_TIME {
            true => self.missed(*newest, catch_up != CatchUp::None),
            false => self.on_time(*newest),
        }
        self.pipeline.deadline = match self.one.schedule.finish_by {
            // A time that was skipped has no deadline of its own.
            Some(by) if self.pipeline.due.iter().any(|due| due.scheduled_for == *newest) || self.is_idle() => {
                let at = first_after(*newest, by, &self.one.schedule.due.zone);
                Some(Deadline { scheduled_for: *newest, at })
            }
            _ => self.pipeline.deadline,
        };
    }

    fn is_idle(&self) -> bool {
        self.pipeline.running.is_none()
    }

    fn missed(&mut self, time: Timestamp, make_up: bool) {
        self.event(time, What::Missed { made_up: make_up });
        if make_up {
            self.replace_waiting();
            self.pipeline.due.push(Due::new(time, true));
        }
    }

    fn on_time(&mut self, time: Timestamp) {
        // A run that makes up for a missed time is not the one before: what comes due meanwhile waits for it.
        let in_the_way = self.pipeline.running.as_ref().filter(|running| !running.due.made_up);
        match (in_the_way.map(|running| running.due.scheduled_for), self.one.schedule.overlap) {
            (Some(running), Overlap::Skip) => return self.event(time, What::Skipped { running }),
            (Some(running), Overlap::Queue) => {
                for waiting in std::mem::take(&mut self.pipeline.due) {
                    self.event(waiting.scheduled_for, What::Skipped { running });
                }
            }
            (None, _) => self.replace_waiting(),
        }
        self.pipeline.due.push(Due::new(time, false));
    }

    /// What has not begun when the next time comes gives way to it, unless all times are wanted.
    fn replace_waiting(&mut self) {
        if self.one.schedule.catch_up == CatchUp::All {
            return;
        }
        for waiting in std::mem::take(&mut self.pipeline.due) {
            self.event(waiting.scheduled_for, What::Missed { made_up: false });
        }
    }

    fn deadline(&mut self) {
        if let Some(deadline) = self.pipeline.deadline.filter(|deadline| deadline.at <= self.now) {
            self.pipeline.deadline = None;
            self.event(deadline.scheduled_for, What::DeadlinePassed { deadline: deadline.at });
        }
    }
}

/// Chooses the run to start: of those that may, the one that was planned first, then by name. One runs at a time.
fn choose(
    state: &mut State,
    scheduled: &[Scheduled],
    paused: &BTreeSet<String>,
    freshness: &BTreeMap<String, Freshness>,
    now: Timestamp,
    plan: &mut Plan,
) {
    let mut wake = Wake { now, at: None };
    let is_busy = state.pipelines.values().any(|pipeline| pipeline.running.is_some());
    let mut ready: Vec<Start> = Vec::new();
    for one in scheduled {
        let Some(pipeline) = state.pipelines.get_mut(&one.pipeline) else { continue };
        if paused.contains(&one.pipeline) {
            continue;
        }
        wake.at(one.schedule.due.next_after(now));
        wake.at(pipeline.deadline.map(|deadline| deadline.at));
        while let Some(due) = pipeline.due.first().cloned() {
            // The clock may have been set back since it was decided.
            let not_before = due.not_before.unwrap_or(due.scheduled_for).max(due.scheduled_for);
            if not_before > now {
                wake.at(Some(not_before));
                break;
            }
            match waits(one, &due, freshness.get(&one.pipeline), now) {
                Waits::No => {}
                Waits::SourceCheck(check, until) => {
                    plan.checks.extend(check);
                    wake.at(Some(until));
                    wake.at(now.checked_add(CHECK_EVERY).ok());
                    break;
                }
                Waits::InVain { late, run } => {
                    let what = What::SourcesLate { late, run };
                    let at = due.scheduled_for;
                    let is_told = pipeline.due.first_mut().is_some_and(|due| std::mem::replace(&mut due.late, true));
                    if !is_told {
                        plan.events.push(Event { at: now, pipeline: one.pipeline.clone(), scheduled_for: at, what });
                    }
                    if !run {
                        // Its deadline stays: until then somebody may run it by hand.
                        pipeline.due.remove(0);
                        continue;
                    }
                }
            }
            if one.is_kept_out(now) {
                wake.at(window_end(one, now));
            } else if !is_busy {
                let due = pipeline.due.first().cloned().unwrap_or(due);
                ready.push(Start { pipeline: one.pipeline.clone(), due });
            }
            break;
        }
    }
    ready.sort_by(|a, b| (a.due.scheduled_for, &a.pipeline).cmp(&(b.due.scheduled_for, &b.pipeline)));
    plan.start = ready.into_iter().next();
    plan.wake = wake.at;
}

/// Whether a run has to wait for sources.
enum Waits {
    No,
    SourceCheck(Option<SourceCheck>, Timestamp),
    InVain { late: Vec<String>, run: bool },
}

fn waits(one: &Scheduled, due: &Due, freshness: Option<&Freshness>, now: Timestamp) -> Waits {
    let Some(wait) = &one.schedule.wait_for else { return Waits::No };
    // Another attempt does not wait again.
    if due.attempt > 1 || due.late && wait.then_run {
        return Waits::No;
    }
    let until = first_after(due.scheduled_for, wait.until, &one.schedule.due.zone);
    let freshness = freshness.filter(|freshness| freshness.scheduled_for == due.scheduled_for);
    let is_recent = |freshness: &&Freshness| now.duration_since(freshness.at).abs() < CHECK_EVERY;
    match freshness {
        Some(freshness) if freshness.late.is_empty() => Waits::No,
        Some(freshness) if now >= until => Waits::InVain { late: freshness.late.clone(), run: wait.then_run },
        freshness => {
            let check = SourceCheck {
                pipeline: one.pipeline.clone(),
                sources: wait.sources.clone(),
                scheduled_for: due.scheduled_for,
            };
            Waits::SourceCheck(freshness.filter(is_recent).is_none().then_some(check), until)
        }
    }
}

/// The earliest of several moments to come.
struct Wake {
    now: Timestamp,
    at: Option<Timestamp>,
}

impl Wake {
    fn at(&mut self, at: Option<Timestamp>) {
        let at = at.filter(|at| *at > self.now);
        self.at = self.at.into_iter().chain(at).min();
    }
}

/// The first moment after another one at which the clock shows a time. Where it is skipped that day, the one after the gap.
pub(super) fn first_after(after: Timestamp, time: Time, zone: &TimeZone) -> Timestamp {
    let date = zone.to_datetime(after).date();
    let days = date.series(jiff::Span::new().days(1)).take(3);
    let at = |date: jiff::civil::Date| zone.to_zoned(date.to_datetime(time)).ok().map(|zoned| zoned.timestamp());
    days.filter_map(at).find(|at| *at > after).unwrap_or(after)
}

/// The end of the windows that a moment lies in.
fn window_end(one: &Scheduled, now: Timestamp) -> Option<Timestamp> {
    let zone = &one.schedule.due.zone;
    let mut at = now;
    // Windows may follow each other.
    for _ in 0..=one.schedule.not_between.len() {
        let time = zone.to_datetime(at).time();
        let Some(window) = one.schedule.not_between.iter().find(|window: &&TimeWindow| window.contains(time)) else {
            return Some(at);
        };
        at = first_after(at, window.end, zone);
    }
    Some(at)
}

/// Records that a run begins. This is made durable before it does.
pub(crate) fn started(state: &mut State, start: &Start, now: Timestamp) {
    if let Some(pipeline) = state.pipelines.get_mut(&start.pipeline) {
        pipeline.due.retain(|due| due.scheduled_for != start.due.scheduled_for);
        pipeline.running = Some(Running { due: start.due.clone(), started_at: now });
    }
}

/// Records how a run ended, and whether the same planned time is tried again.
pub(crate) fn ended(state: &mut State, scheduled: &[Scheduled], pipeline: &str, finished: Finished, now: Timestamp) {
    let Some(entry) = state.pipelines.get_mut(pipeline) else { return };
    let Some(running) = entry.running.take() else { return };
    let one = scheduled.iter().find(|one| one.pipeline == pipeline);
    let may_help = finished.exit_code == 3 && !finished.stopped;
    let is_replaced = one.is_some_and(|one| one.schedule.catch_up != CatchUp::All) && !entry.due.is_empty();
    let again = |one: &&Scheduled| may_help && !is_replaced && one.tries_again(&running.due, running.started_at, now);
    if let Some(one) = one.filter(again) {
        let not_before = now.checked_add(one.pause_after(running.due.attempt)).ok();
        let attempt = running.due.attempt + 1;
        entry.due.insert(0, Due { attempt, not_before, run_id: finished.run_id.clone(), ..running.due.clone() });
    } else {
        entry.settle(running.due.scheduled_for);
    }
    if finished.exit_code == 0 {
        entry.last_good = Some(running.due.scheduled_for);
    }
    entry.last = Some(finished);
}

/// Takes up what a process that is gone was doing: its run is tried again, unless it has been killed too often.
pub(crate) fn recover(state: &mut State, scheduled: &[Scheduled], now: Timestamp) -> Vec<Event> {
    let mut events = Vec::new();
    for (name, pipeline) in &mut state.pipelines {
        let Some(Running { due, .. }) = pipeline.running.take() else { continue };
        let one = scheduled.iter().find(|one| one.pipeline == *name);
        let max = one.map_or(0, |one| one.attempts.max.max(MIN_ATTEMPTS_AFTER_KILL));
        let again = due.attempt < max && one.is_some_and(|one| one.schedule.catch_up != CatchUp::None);
        let scheduled_for = due.scheduled_for;
        if again {
            let attempt = due.attempt + 1;
            pipeline.due.insert(0, Due { attempt, made_up: true, not_before: None, run_id: None, ..due });
        }
        events.push(Event { at: now, pipeline: name.clone(), scheduled_for, what: What::Interrupted { again } });
    }
    events
}
