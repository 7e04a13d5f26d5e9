//! The decisions by random histories, and the loop with a clock that jumps and runs that build nothing.

use super::clock::{Clock, SimulatedClock};
use super::daemon::{Daemon, Runs, Signal};
use super::plan::{self, Freshness, Scheduled, SourceCheck, Start};
use super::state::{self, Due, Event, Finished, Heartbeat, State, What};
use crate::flow::Stop;
use jiff::civil::time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use perennial_calendar::{CronLine, DayRule, DueTimes, OnHoliday, TimeWindow};
use perennial_core::error::Error;
use perennial_lake::{Holder, Lake};
use perennial_project::{Attempts, CatchUp, Overlap, PipelineSchedule, WaitFor};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::mpsc;

/// A pipeline with a cron line in a zone, and the defaults of everything else.
fn scheduled(pipeline: &str, line: &str, zone: &str) -> Scheduled {
    let due = DueTimes {
        cron: CronLine::parse(line).unwrap(),
        zone: TimeZone::get(zone).unwrap(),
        days: DayRule::EveryDay,
        if_holiday: OnHoliday::Run,
        calendar: None,
    };
    let schedule = PipelineSchedule {
        due,
        as_of_offset_days: 0,
        catch_up: CatchUp::Latest,
        overlap: Overlap::Skip,
        wait_for: None,
        not_between: Vec::new(),
        stop_after: None,
        finish_by: None,
    };
    Scheduled { pipeline: pipeline.to_string(), schedule, attempts: Attempts { max: 1, ..Attempts::default() } }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

fn finished(scheduled_for: Timestamp, exit_code: u8, now: Timestamp) -> Finished {
    Finished { scheduled_for, at: now, run_id: None, exit_code, stopped: false, message: None }
}

// ---- random histories ----

#[derive(Clone, Debug)]
enum Act {
    /// Time goes by.
    Pass(i64),
    /// The clock is set back, by an hour at most.
    SetBack(i64),
    /// The run that goes on ends.
    End(u8),
    /// The process is killed; the next one starts some time later.
    Kill(i64),
    /// It is paused or resumed.
    Toggle,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (1i64..200_000).prop_map(Act::Pass),
        8 => (1i64..4_000).prop_map(Act::Pass),
        1 => (1i64..3_600).prop_map(Act::SetBack),
        6 => prop_oneof![4 => Just(0u8), 1 => Just(1u8), 2 => Just(3u8)].prop_map(Act::End),
        2 => (1i64..400_000).prop_map(Act::Kill),
        1 => Just(Act::Toggle),
    ]
}

const ZONES: [&str; 4] = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"];
const LINES: [&str; 6] = ["30 2 * * *", "0 */6 * * *", "15 1,2,3 * * *", "0 3 L * *", "0 23 * * MON", "*/20 2 * * *"];

/// What was decided of every planned time of one pipeline.
#[derive(Default)]
struct Decided {
    started: Vec<(Timestamp, u32)>,
    /// Skipped, or missed for good.
    dropped: Vec<Timestamp>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Never two runs of one planned time, never before it, in order; and each is decided exactly once.
    #[test]
    fn every_planned_time_is_decided_once(
        line in 0..LINES.len(), zone in 0..ZONES.len(), catch_up in 0..3usize, queue: bool,
        start in 1_770_000_000i64..1_900_000_000, acts in prop::collection::vec(act(), 1..80),
    ) {
        let mut one = scheduled("nightly", LINES[line], ZONES[zone]);
        one.schedule.catch_up = [CatchUp::Latest, CatchUp::All, CatchUp::None][catch_up];
        one.schedule.overlap = if queue { Overlap::Queue } else { Overlap::Skip };
        one.attempts = Attempts { max: 3, ..Attempts::default() };
        let begin = Timestamp::from_second(start).unwrap();
        let (mut now, mut latest) = (begin, begin);
        let mut state = State::default();
        let mut paused = BTreeSet::new();
        let mut decided = Decided::default();
        let all = [one];
        plan::plan(&mut state, &all, &paused, &BTreeMap::new(), now);
        for act in acts {
            match act {
                Act::Pass(by) => now += seconds(by),
                Act::SetBack(by) => now -= seconds(by),
                Act::End(code) => {
                    let running = state.pipelines.get("nightly").and_then(|p| p.running.clone());
                    if let Some(running) = running {
                        plan::ended(&mut state, &all, "nightly", finished(running.due.scheduled_for, code, now), now);
                    }
                }
                Act::Kill(by) => {
                    // What the next process knows is what was written.
                    state = serde_json::from_slice(&serde_json::to_vec(&state).unwrap()).unwrap();
                    now += seconds(by);
                    plan::recover(&mut state, &all, now);
                }
                Act::Toggle => {
                    if !paused.remove("nightly") {
                        paused.insert("nightly".to_string());
                    }
                }
            }
            latest = latest.max(now);
            let plan = plan::plan(&mut state, &all, &paused, &BTreeMap::new(), now);
            for event in plan.events {
                match event.what {
                    What::Skipped { .. } | What::Missed { made_up: false } => decided.dropped.push(event.scheduled_for),
                    _ => {}
                }
            }
            if let Some(start) = plan.start {
                plan::started(&mut state, &start, now);
                decided.started.push((start.due.scheduled_for, start.due.attempt));
                prop_assert!(start.due.scheduled_for <= now, "before its time");
            }
            prop_assert!(plan.wake.is_none_or(|wake| wake > now));
        }
        let first = decided.started.iter().find(|(time, _)| *time <= begin);
        prop_assert!(first.is_none(), "from before the first day: {first:?}");
        let mut sorted = decided.started.clone();
        sorted.sort();
        prop_assert_eq!(&sorted, &decided.started, "in order");
        sorted.dedup();
        prop_assert_eq!(&sorted, &decided.started, "none twice");
        if paused.is_empty() {
            let begun: BTreeSet<Timestamp> = decided.started.iter().map(|(time, _)| *time).collect();
            let dropped: BTreeSet<Timestamp> = decided.dropped.iter().copied().collect();
            let waiting: BTreeSet<Timestamp> =
                state.pipelines["nightly"].due.iter().map(|due| due.scheduled_for).collect();
            let known: BTreeSet<Timestamp> = &(&begun | &dropped) | &waiting;
            let due: BTreeSet<Timestamp> = all[0].schedule.due.between(begin, latest).into_iter().collect();
            prop_assert_eq!(known, due);
            if all[0].schedule.catch_up == CatchUp::All && queue {
                prop_assert!(state.pipelines["nightly"].due.windows(2).all(|d| d[0].scheduled_for < d[1].scheduled_for));
            }
        }
    }
}

#[test]
fn every_event_is_read_as_it_was_written() {
    let now = at("2026-10-01T02:00:00Z");
    let all = [
        What::Missed { made_up: true },
        What::Skipped { running: now },
        What::SourcesLate { late: vec!["erp".to_string()], run: false },
        What::DeadlinePassed { deadline: now },
        What::Interrupted { again: true },
        What::ClockSetBack,
    ];
    let event = |what| Event { at: now, pipeline: "n".to_string(), scheduled_for: now, what };
    let mut state = State::default();
    state.add(all.map(event));
    assert_eq!(serde_json::from_str::<State>(&serde_json::to_string(&state).unwrap()).unwrap(), state);
}

#[test]
fn a_clock_that_was_years_ahead_does_not_stop_the_schedule() {
    let all = [scheduled("nightly", "0 2 * * *", "UTC")];
    let mut state = State::default();
    let none = (BTreeSet::new(), BTreeMap::new());
    plan::plan(&mut state, &all, &none.0, &none.1, at("2099-01-01T00:00:00Z"));
    let plan = plan::plan(&mut state, &all, &none.0, &none.1, at("2026-10-01T00:00:00Z"));
    assert_eq!(plan.events[0].what, What::ClockSetBack);
    let plan = plan::plan(&mut state, &all, &none.0, &none.1, at("2026-10-01T02:00:00Z"));
    assert_eq!(plan.start.unwrap().due.scheduled_for, at("2026-10-01T02:00:00Z"));
}

#[test]
fn a_schedule_that_was_changed_owes_nothing_from_before() {
    let mut state = State::default();
    let none = (BTreeSet::new(), BTreeMap::new());
    let mut plan_at = |line: &str, now: &str| {
        let all = [scheduled("nightly", line, "Europe/Berlin")];
        plan::plan(&mut state, &all, &none.0, &none.1, at(now))
    };
    plan_at("0 2 * * *", "2026-10-01T10:00:00Z");
    let changed = plan_at("0 4 * * *", "2026-10-01T12:00:00Z");
    assert!(changed.start.is_none() && changed.events.is_empty());
    assert_eq!(changed.wake, Some(at("2026-10-02T02:00:00Z")));
    assert!(plan_at("0 4 * * *", "2026-10-02T02:00:00Z").start.is_some());
}

// ---- the loop ----

/// How long a run takes, and its exit code.
type Behaviour = Box<dyn Fn(&Start) -> (SignedDuration, u8)>;

/// Runs that build nothing: each takes a time and ends with a code.
struct FakeRuns {
    clock: SimulatedClock,
    behave: Behaviour,
    /// How long what follows from a run takes.
    delivers: SignedDuration,
    set_back: SignedDuration,
    late_until: Option<Timestamp>,
    log: Mutex<Vec<String>>,
    scheduled: Mutex<Option<Vec<Scheduled>>>,
    signals: Mutex<Vec<(Timestamp, Signal)>>,
    sender: mpsc::Sender<Signal>,
}

impl FakeRuns {
    fn log(&self, line: String) {
        self.log.lock().unwrap().push(format!("{} {line}", short(self.clock.now())));
    }
}

/// `10-01 02:00`.
fn short(at: Timestamp) -> String {
    at.strftime("%m-%d %H:%M").to_string()
}

#[async_trait::async_trait(?Send)]
impl Runs for FakeRuns {
    async fn scheduled(&self, _now: Timestamp, _at_once: bool) -> Option<Vec<Scheduled>> {
        self.scheduled.lock().unwrap().take()
    }

    async fn run(&self, start: &Start, scheduled: Option<&Scheduled>, mut stop: Stop) -> Finished {
        let Due { scheduled_for, attempt, made_up, .. } = start.due;
        let made_up = if made_up { " made up" } else { "" };
        let now = self.clock.now();
        let tries_again = scheduled.is_some_and(|one| one.tries_again(&start.due, now, now));
        let last = if tries_again { " not the last" } else { "" };
        self.log(format!("{} for {} attempt {attempt}{made_up}{last}", start.pipeline, short(scheduled_for)));
        let (takes, code) = (self.behave)(start);
        let end = self.clock.now() + takes;
        let mut stopped = false;
        tokio::select! {
            () = self.clock.sleep_until(end) => {}
            reason = stop.wait_for(Option::is_some) => {
                if let Ok(reason) = reason {
                    stopped = true;
                    self.log(format!("stopped: {}", reason.clone().unwrap_or_default()));
                }
            }
        }
        drop(stop);
        if !self.delivers.is_zero() {
            self.clock.sleep_until(self.clock.now() + self.delivers).await;
        }
        if !self.set_back.is_zero() {
            self.clock.set(self.clock.now() - self.set_back);
        }
        let exit_code = if stopped { 3 } else { code };
        Finished { stopped, ..finished(scheduled_for, exit_code, self.clock.now()) }
    }

    async fn late(&self, check: &SourceCheck) -> Vec<String> {
        match self.late_until {
            Some(until) if self.clock.now() < until => vec![format!("{}: no new file has come", check.sources[0])],
            _ => Vec::new(),
        }
    }

    async fn tell(&self, event: &Event) {
        self.log(format!("{} {} {:?}", event.pipeline, short(event.scheduled_for), event.what));
    }

    async fn deliver(&self) {}

    fn note(&self, error: &Error) {
        self.log(format!("note: {error}"));
    }

    fn alive(&self, _is_ending: bool) {
        let mut signals = self.signals.lock().unwrap();
        while signals.first().is_some_and(|(at, _)| *at <= self.clock.now()) {
            self.sender.try_send(signals.remove(0).1).unwrap();
        }
    }
}

/// A simulated scheduler in a lake of its own.
struct World {
    folder: tempfile::TempDir,
    scheduled: Vec<Scheduled>,
    late_until: Option<Timestamp>,
    signals: Vec<(Timestamp, Signal)>,
    change: Option<Vec<Scheduled>>,
    delivers: SignedDuration,
    set_back: SignedDuration,
}

/// A folder in memory where there is one: every decision is synced.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

impl World {
    fn new(scheduled: impl IntoIterator<Item = Scheduled>) -> World {
        let scheduled = scheduled.into_iter().collect();
        let folder = folder();
        let (delivers, set_back) = (SignedDuration::ZERO, SignedDuration::ZERO);
        World { folder, scheduled, late_until: None, signals: Vec::new(), change: None, delivers, set_back }
    }

    async fn lake(&self) -> Lake {
        Lake::open(self.folder.path().to_str().unwrap()).await.unwrap()
    }

    /// What happened from one moment to another one.
    async fn run(
        &self,
        from: Timestamp,
        until: Timestamp,
        behave: impl Fn(&Start) -> (SignedDuration, u8) + 'static,
    ) -> Vec<String> {
        let lake = self.lake().await;
        let clock = SimulatedClock::new(from);
        let holder = Holder {
            run_id: String::new(),
            host: "here".to_string(),
            user: "ann".to_string(),
            pid: std::process::id(),
            command: "schedule run".to_string(),
        };
        let lock = lake.lock_scheduler(holder.clone(), from).await.unwrap();
        let (sender, signals) = mpsc::channel(8);
        let runs = FakeRuns {
            clock: clock.clone(),
            behave: Box::new(behave),
            delivers: self.delivers,
            set_back: self.set_back,
            late_until: self.late_until,
            log: Mutex::default(),
            scheduled: Mutex::new(self.change.clone()),
            signals: Mutex::new(self.signals.clone()),
            sender,
        };
        let daemon = Daemon {
            lake: &lake,
            lock: &lock,
            holder: &holder,
            clock: &clock,
            runs: &runs,
            grace: seconds(600),
            until: Some(until),
        };
        daemon.run(self.scheduled.clone(), signals).await.unwrap();
        lock.release().await.unwrap();
        runs.log.into_inner().unwrap()
    }
}

fn takes_minutes(minutes: i64) -> impl Fn(&Start) -> (SignedDuration, u8) + 'static {
    move |_| (SignedDuration::from_mins(minutes), 0)
}

#[tokio::test]
async fn pipelines_run_one_after_the_other_in_the_order_of_their_times_and_names() {
    let all = ["b", "a", "c"].map(|name| scheduled(name, if name == "c" { "0 1 * * *" } else { "30 1 * * *" }, "UTC"));
    let log = World::new(all).run(at("2026-10-01T00:00:00Z"), at("2026-10-01T12:00:00Z"), takes_minutes(60)).await;
    let expected = ["10-01 01:00 c for 10-01 01:00", "10-01 02:00 a for 10-01 01:30", "10-01 03:00 b for 10-01 01:30"];
    assert_eq!(log, expected.map(|line| format!("{line} attempt 1")));
}

#[tokio::test]
async fn nights_of_clock_changes_run_once() {
    // Berlin skips 02:30 on 29 March 2026 and shows it twice on 25 October; New York on 8 March and 1 November; Lord Howe
    // skips 02:00 to 02:30 on 4 October and repeats 01:30 to 02:00 on 5 April.
    for (zone, line, day, expected) in [
        ("Europe/Berlin", "30 2 * * *", "2026-03-28", vec!["03-28 01:30", "03-29 01:00", "03-30 00:30"]),
        ("Europe/Berlin", "30 2 * * *", "2026-10-24", vec!["10-24 00:30", "10-25 00:30", "10-26 01:30"]),
        ("America/New_York", "30 2 * * *", "2026-03-07", vec!["03-07 07:30", "03-08 07:00", "03-09 06:30"]),
        ("America/New_York", "30 1 * * *", "2026-10-31", vec!["10-31 05:30", "11-01 05:30", "11-02 06:30"]),
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03", vec!["10-02 15:45", "10-03 15:30", "10-04 15:15"]),
        ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04", vec!["04-03 14:45", "04-04 14:45", "04-05 15:15"]),
    ] {
        let tz = TimeZone::get(zone).unwrap();
        let day: jiff::civil::Date = day.parse().unwrap();
        let start = tz.to_zoned(day.at(0, 0, 0, 0)).unwrap().timestamp();
        let end = tz.to_zoned(day.checked_add(jiff::Span::new().days(3)).unwrap().at(0, 0, 0, 0)).unwrap().timestamp();
        let log = World::new([scheduled("n", line, zone)]).run(start, end, takes_minutes(10)).await;
        let expected: Vec<String> = expected.iter().map(|time| format!("{time} n for {time} attempt 1")).collect();
        assert_eq!(log, expected, "{zone} {line}");
    }
}

#[tokio::test]
async fn a_time_that_comes_while_the_last_run_goes_on_is_skipped_or_waits() {
    let mut one = scheduled("n", "0 * * * *", "UTC");
    let (from, until) = (at("2026-10-01T00:30:00Z"), at("2026-10-01T04:30:00Z"));
    let log = World::new([one.clone()]).run(from, until, takes_minutes(100)).await;
    let skipped = |at: &str, running: &str| format!("{at} n {at} Skipped {{ running: 2026-10-01T{running}:00:00Z }}");
    let expected = [
        "10-01 01:00 n for 10-01 01:00 attempt 1".to_string(),
        skipped("10-01 02:00", "01"),
        "10-01 03:00 n for 10-01 03:00 attempt 1".to_string(),
        skipped("10-01 04:00", "03"),
    ];
    assert_eq!(log, expected);
    one.schedule.overlap = Overlap::Queue;
    let log = World::new([one]).run(from, until, takes_minutes(100)).await;
    let expected = [
        "10-01 01:00 n for 10-01 01:00 attempt 1".to_string(),
        "10-01 02:40 n for 10-01 02:00 attempt 1".to_string(),
        // At most one waits.
        skipped("10-01 03:00", "02").replacen("10-01 03:00", "10-01 04:00", 1),
        "10-01 04:20 n for 10-01 04:00 attempt 1".to_string(),
    ];
    assert_eq!(log, expected);
}

#[tokio::test]
async fn what_was_missed_is_made_up_for_in_the_same_way_whether_it_was_off_or_paused() {
    for (catch_up, expected) in [
        (CatchUp::Latest, vec!["10-04 02:00"]),
        (CatchUp::All, vec!["10-02 02:00", "10-03 02:00", "10-04 02:00"]),
        (CatchUp::None, vec![]),
    ] {
        for is_paused in [false, true] {
            let mut one = scheduled("n", "0 2 * * *", "UTC");
            one.schedule.catch_up = catch_up;
            let world = World::new([one]);
            let (first, off) = (at("2026-10-01T00:00:00Z"), at("2026-10-01T12:00:00Z"));
            world.run(first, off, takes_minutes(10)).await;
            if is_paused {
                let lake = world.lake().await;
                assert!(state::pause(&lake, "n", "ann on here", off).await.unwrap());
                assert!(!state::pause(&lake, "n", "ann on here", off).await.unwrap());
                let log = world.run(off, at("2026-10-04T12:00:00Z"), takes_minutes(10)).await;
                assert_eq!(log, [""; 0], "paused");
                assert!(state::resume(&lake, "n").await.unwrap());
            }
            let log = world.run(at("2026-10-04T12:00:00Z"), at("2026-10-05T00:00:00Z"), takes_minutes(10)).await;
            let runs: Vec<&String> = log.iter().filter(|line| line.contains(" for ")).collect();
            let made: Vec<String> = expected.iter().map(|time| format!("n for {time} attempt 1 made up")).collect();
            assert!(runs.iter().map(|run| &run[12..]).eq(made.iter().map(String::as_str)), "{catch_up:?}: {log:?}");
            assert_eq!(log.len() - runs.len(), 3, "each missed time is recorded: {log:?}");
        }
    }
}

#[tokio::test]
async fn what_may_help_is_tried_again_with_longer_pauses() {
    let mut one = scheduled("n", "0 2 * * *", "UTC");
    one.attempts = Attempts { max: 4, first_pause: Duration::from_secs(300), max_pause: Duration::from_secs(600) };
    let world = World::new([one]);
    let unreachable = |_: &Start| (seconds(0), 3);
    let log = world.run(at("2026-10-01T00:00:00Z"), at("2026-10-01T12:00:00Z"), unreachable).await;
    let expected = [
        "10-01 02:00 n for 10-01 02:00 attempt 1 not the last",
        "10-01 02:05 n for 10-01 02:00 attempt 2 not the last",
        "10-01 02:15 n for 10-01 02:00 attempt 3 not the last",
        "10-01 02:25 n for 10-01 02:00 attempt 4",
    ];
    assert_eq!(log, expected);
    let bad_data = |_: &Start| (seconds(0), 1);
    let log = world.run(at("2026-10-02T00:00:00Z"), at("2026-10-02T12:00:00Z"), bad_data).await;
    assert_eq!(log.len(), 1, "{log:?}");
    // The second attempt succeeds.
    let once = |start: &Start| (seconds(0), if start.due.attempt == 1 { 3 } else { 0 });
    let log = world.run(at("2026-10-03T00:00:00Z"), at("2026-10-03T12:00:00Z"), once).await;
    assert_eq!(log.len(), 2, "{log:?}");
}

#[tokio::test]
async fn an_attempt_is_the_last_where_the_next_time_comes_before_another_one() {
    let mut one = scheduled("n", "*/10 * * * *", "UTC");
    one.attempts = Attempts { max: 3, first_pause: Duration::from_secs(300), max_pause: Duration::from_secs(3600) };
    let (from, until) = (at("2026-10-01T00:00:00Z"), at("2026-10-01T00:25:00Z"));
    let log = World::new([one.clone()]).run(from, until, |_| (seconds(0), 3)).await;
    let expected = [
        "10-01 00:10 n for 10-01 00:10 attempt 1 not the last",
        "10-01 00:15 n for 10-01 00:10 attempt 2",
        "10-01 00:20 n for 10-01 00:20 attempt 1 not the last",
    ];
    assert_eq!(log, expected);
    // A run that ends at :18 fails for good: the one of :20 comes before its second attempt.
    let due = Due::new(at("2026-10-01T00:10:00Z"), false);
    let again = |one: &Scheduled, end| one.tries_again(&due, at("2026-10-01T00:10:00Z"), at(end));
    assert!(again(&one, "2026-10-01T00:14:00Z") && !again(&one, "2026-10-01T00:18:00Z"));
    // Where what came during the run is skipped there is room after it, where it waits there is none.
    assert!(again(&one, "2026-10-01T00:22:00Z"));
    one.schedule.overlap = Overlap::Queue;
    assert!(!again(&one, "2026-10-01T00:22:00Z"));
    one.schedule.catch_up = CatchUp::All;
    assert!(again(&one, "2026-10-01T00:22:00Z"));
}

#[tokio::test]
async fn a_deadline_is_told_when_it_passes_and_not_when_the_run_ends() {
    let mut one = scheduled("n", "0 2 * * *", "Europe/Berlin");
    one.schedule.finish_by = Some(time(7, 0, 0, 0));
    let (from, until) = (at("2026-10-01T00:00:00+02:00"), at("2026-10-01T12:00:00+02:00"));
    let log = World::new([one.clone()]).run(from, until, takes_minutes(400)).await;
    let passed = "10-01 05:00 n 10-01 00:00 DeadlinePassed { deadline: 2026-10-01T05:00:00Z }";
    assert_eq!(log, ["10-01 00:00 n for 10-01 00:00 attempt 1", passed]);
    // One that has succeeded, or whose failure is known, is not told.
    for code in [0, 1] {
        let log = World::new([one.clone()]).run(from, until, move |_| (seconds(60), code)).await;
        assert_eq!(log.len(), 1, "{log:?}");
    }
    // The machine was off.
    let world = World::new([one]);
    world.run(at("2026-09-30T12:00:00Z"), at("2026-09-30T13:00:00Z"), takes_minutes(1)).await;
    let log = world.run(at("2026-10-01T06:00:00Z"), at("2026-10-01T08:00:00Z"), takes_minutes(1)).await;
    assert!(log.iter().any(|line| line.contains("DeadlinePassed")), "{log:?}");
}

#[tokio::test]
async fn runs_keep_out_of_windows() {
    let mut one = scheduled("n", "0 2 * * *", "Europe/Berlin");
    one.schedule.not_between =
        vec![TimeWindow::parse("01:30-03:00").unwrap(), TimeWindow::parse("03:00-03:45").unwrap()];
    let (from, until) = (at("2026-10-01T00:00:00+02:00"), at("2026-10-01T12:00:00+02:00"));
    let log = World::new([one]).run(from, until, takes_minutes(1)).await;
    assert_eq!(log, ["10-01 01:45 n for 10-01 00:00 attempt 1"]);
}

#[tokio::test]
async fn a_run_waits_for_sources_until_its_deadline() {
    let mut one = scheduled("n", "0 2 * * *", "UTC");
    let (from, until) = (at("2026-10-01T00:00:00Z"), at("2026-10-01T12:00:00Z"));
    let wait = |then_run| Some(WaitFor { sources: vec!["erp".to_string()], until: time(4, 0, 0, 0), then_run });
    one.schedule.wait_for = wait(true);
    let world =
        |one: &Scheduled, late_until: &str| World { late_until: Some(at(late_until)), ..World::new([one.clone()]) };
    let log = world(&one, "2026-10-01T03:10:30Z").run(from, until, takes_minutes(1)).await;
    assert_eq!(log, ["10-01 03:11 n for 10-01 02:00 attempt 1"]);
    let late =
        |run| format!("10-01 04:00 n 10-01 02:00 SourcesLate {{ late: [\"erp: no new file has come\"], run: {run} }}");
    let log = world(&one, "2026-10-01T09:00:00Z").run(from, until, takes_minutes(1)).await;
    assert_eq!(log, [late(true), "10-01 04:00 n for 10-01 02:00 attempt 1".to_string()]);
    one.schedule.wait_for = wait(false);
    let log = world(&one, "2026-10-01T09:00:00Z").run(from, until, takes_minutes(1)).await;
    assert_eq!(log, [late(false)]);
    one.schedule.finish_by = Some(time(7, 0, 0, 0));
    let log = world(&one, "2026-10-01T09:00:00Z").run(from, until, takes_minutes(1)).await;
    let passed = "10-01 07:00 n 10-01 02:00 DeadlinePassed { deadline: 2026-10-01T07:00:00Z }".to_string();
    assert_eq!(log, [late(false), passed]);
    one.schedule.finish_by = None;
    // While one waits, others run.
    let other = scheduled("o", "30 2 * * *", "UTC");
    let both = World { late_until: Some(at("2026-10-01T03:00:00Z")), ..World::new([one, other]) };
    let log = both.run(from, until, takes_minutes(1)).await;
    assert_eq!(log, ["10-01 02:30 o for 10-01 02:30 attempt 1", "10-01 03:00 n for 10-01 02:00 attempt 1"]);
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_asked_to_end_and_not_tried_again() {
    let mut one = scheduled("n", "0 2 * * *", "UTC");
    one.schedule.stop_after = Some(Duration::from_secs(3 * 3600));
    one.attempts = Attempts::default();
    let (from, until) = (at("2026-10-01T00:00:00Z"), at("2026-10-01T12:00:00Z"));
    // What follows from a run does not count.
    let delivers = World { delivers: SignedDuration::from_hours(4), ..World::new([one.clone()]) };
    let log = delivers.run(from, until, takes_minutes(120)).await;
    assert_eq!(log.len(), 1, "{log:?}");
    let log = World::new([one]).run(from, until, takes_minutes(999)).await;
    assert_eq!(log.len(), 2, "{log:?}");
    assert!(log[1].starts_with("10-01 05:00 stopped: the run took longer than 3h"), "{log:?}");
}

#[tokio::test]
async fn it_ends_in_order_and_makes_up_for_what_it_stopped() {
    let world = World {
        signals: vec![(at("2026-10-01T02:00:00Z"), Signal::End)],
        ..World::new([scheduled("n", "0 2 * * *", "UTC")])
    };
    let end = at("2026-10-01T12:00:00Z");
    // Within the grace time of ten minutes the run comes to its end.
    let log = world.run(at("2026-10-01T00:00:00Z"), end, takes_minutes(5)).await;
    assert_eq!(log, ["10-01 02:00 n for 10-01 02:00 attempt 1"]);
    let lake = world.lake().await;
    let beat = Heartbeat::read(&lake).await.unwrap().unwrap();
    assert!(beat.ended && beat.running.is_none(), "{beat:?}");
    assert_eq!((beat.at, beat.since), (at("2026-10-01T02:05:00Z"), at("2026-10-01T00:00:00Z")));
    assert_eq!(beat.next.map(|next| next.scheduled_for), Some(at("2026-10-02T02:00:00Z")));

    let world = World { folder: folder(), ..world };
    let log = world.run(at("2026-10-01T00:00:00Z"), end, takes_minutes(50)).await;
    assert!(log[1].starts_with("10-01 02:10 stopped: the scheduler was asked to end"), "{log:?}");
    let again = World { signals: Vec::new(), ..world };
    let log = again.run(at("2026-10-01T03:00:00Z"), end, takes_minutes(50)).await;
    assert_eq!(log.len(), 2, "{log:?}");
    assert!(log.iter().any(|line| line == "10-01 03:00 n for 10-01 02:00 attempt 2 made up"), "{log:?}");
}

#[tokio::test]
async fn a_schedule_that_is_read_again_counts_from_then_on() {
    let world = World {
        change: Some(vec![scheduled("n", "0 3 * * *", "UTC")]),
        ..World::new([scheduled("n", "0 2 * * *", "UTC")])
    };
    let log = world.run(at("2026-10-01T00:00:00Z"), at("2026-10-02T00:00:00Z"), takes_minutes(1)).await;
    assert_eq!(log, ["10-01 03:00 n for 10-01 03:00 attempt 1"]);
}

#[tokio::test]
async fn a_clock_that_is_set_back_during_a_run_starts_it_once() {
    let world = World { set_back: SignedDuration::from_mins(60), ..World::new([scheduled("n", "0 2 * * *", "UTC")]) };
    let log = world.run(at("2026-10-01T00:00:00Z"), at("2026-10-03T00:00:00Z"), takes_minutes(30)).await;
    assert_eq!(log, ["10-01 02:00 n for 10-01 02:00 attempt 1", "10-02 02:00 n for 10-02 02:00 attempt 1"]);
}

/// Resident memory of this process.
#[cfg(target_os = "linux")]
fn resident_kilobytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn memory_does_not_grow_over_a_thousand_days() {
    let mut one = scheduled("nightly", "0 2 * * *", "Europe/Berlin");
    one.schedule.finish_by = Some(time(3, 0, 0, 0));
    let other = scheduled("noon", "0 */12 * * *", "Europe/Berlin");
    let world = World::new([one, other]);
    let day = |days: i64| at("2026-01-01T00:00:00Z") + SignedDuration::from_hours(24 * days);
    // The first days fill what is kept of events.
    world.run(day(0), day(300), takes_minutes(90)).await;
    let before = resident_kilobytes();
    let log = world.run(day(300), day(1300), takes_minutes(90)).await;
    let after = resident_kilobytes();
    let size = std::fs::metadata(world.folder.path().join("_perennial/schedule/state.json")).unwrap().len();
    eprintln!("1,000 days: {} lines, {before} KB before, {after} KB after, state {size} bytes", log.len());
    assert!(log.len() >= 3000);
    // The log of this test is in it.
    assert!(after < before + 8 * 1024, "{before} KB before, {after} KB after");
    assert!(size < 250_000, "{size}");
}

#[tokio::test]
async fn what_was_looked_at_for_another_time_does_not_count() {
    let mut one = scheduled("n", "0 2 * * *", "UTC");
    one.schedule.wait_for = Some(WaitFor { sources: vec!["erp".to_string()], until: time(4, 0, 0, 0), then_run: true });
    let mut state = State::default();
    let all = [one];
    plan::plan(&mut state, &all, &BTreeSet::new(), &BTreeMap::new(), at("2026-10-01T00:00:00Z"));
    let now = at("2026-10-01T02:00:00Z");
    let old = Freshness { scheduled_for: at("2026-09-30T02:00:00Z"), late: Vec::new(), at: now };
    let plan = plan::plan(&mut state, &all, &BTreeSet::new(), &BTreeMap::from([("n".to_string(), old)]), now);
    assert!(plan.start.is_none());
    assert_eq!(plan.checks.len(), 1);
}
