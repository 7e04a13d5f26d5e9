//! `perennial schedule`.

use super::output::{Format, Level, LogFormat, Printer};
use super::progress::Progress;
use super::table::Table;
use super::{Context, Outcome, Output, Verb};
use crate::dispatch::{DeliveryState, Dispatched, EndedRun};
use crate::flow::{Ending, Observer, RunOutcome};
use crate::schedule::{
    self, Clock, Console, Daemon, Event, Installation, Overview, ProjectFolder, ProjectRuns, Scheduled, Signal,
    Simulation, Start, Target, What,
};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use perennial_core::error::{Error, Problems, Result};
use perennial_lake::{Holder, Lake};
use perennial_project::Project;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often the clock is looked at, so that one that was changed or a machine that slept is noticed.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Run pipelines at their times; list, pause and export their schedules
#[derive(clap::Args)]
pub(super) struct Schedule {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    Run(Run),
    List(List),
    Next(Next),
    Pause(Pause),
    Resume(Resume),
    Export(Export),
}

/// Run every pipeline at its times, and deliver its reports, until the process is asked to end
///
/// One process for each lake. SIGTERM and SIGINT end it in order: a run may go on for the grace time and is then ended and
/// recorded; a second signal ends it at once. SIGHUP reads the project again. A run that was interrupted is made up for
/// when the scheduler starts again.
#[derive(clap::Args)]
struct Run {
    /// How long a run may go on after the process was asked to end, in seconds
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    grace: u32,
    /// Simulate days of the calendar instead, in a copy of the project with a lake, reports and mails of its own
    ///
    /// Both days count. It ends with exit code 1 if the last run of a pipeline failed or was given up. Files of `arrivals/DATE/` are laid over the copy at the beginning of that date. Mails are written to
    /// `outbox/*.eml`; nothing leaves the machine.
    #[arg(long, value_name = "DATE..DATE")]
    simulate: Option<String>,
    /// The folder of the simulation, made anew each time [default: `simulation` below the project]
    #[arg(long, value_name = "DIR", requires = "simulate")]
    into: Option<PathBuf>,
}

/// List the pipelines that run by themselves: when, the next time, and how the last run ended
#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    output: Output,
}

/// Show the next planned times
#[derive(clap::Args)]
struct Next {
    /// Only those of this pipeline
    #[arg(value_name = "PIPELINE")]
    pipeline: Option<String>,
    /// Number of times
    #[arg(long, default_value_t = 10)]
    count: usize,
    #[command(flatten)]
    output: Output,
}

/// Pause a pipeline: its times are not run until it is resumed
#[derive(clap::Args)]
struct Pause {
    #[command(flatten)]
    which: Which,
}

/// Resume a paused pipeline; what it has missed is made up for as its `catch_up` says
#[derive(clap::Args)]
struct Resume {
    #[command(flatten)]
    which: Which,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The pipeline
    #[arg(value_name = "PIPELINE")]
    pipeline: Option<String>,
    /// All pipelines
    #[arg(long)]
    all: bool,
}

/// Write the schedules for another scheduler
///
/// `systemd` makes the scheduler a service, with `--timers` each pipeline a timer of its own. What the other scheduler cannot
/// express, such as `L`, `#` or working days, is refused.
#[derive(clap::Args)]
struct Export {
    /// The other scheduler
    #[arg(value_enum)]
    target: TargetName,
    /// For systemd: a timer for each pipeline instead of the scheduler as a service
    #[arg(long)]
    timers: bool,
    /// For Kubernetes: the image
    #[arg(long, default_value = "perennial:latest", value_name = "IMAGE")]
    image: String,
    /// For systemd: the account
    #[arg(long, default_value = "perennial", value_name = "USER")]
    user: String,
    /// Write files into this folder instead of stdout
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum TargetName {
    /// Units: the scheduler as a service, or timers
    Systemd,
    /// A crontab
    Cron,
    /// A CronJob for each pipeline
    Kubernetes,
}

#[async_trait::async_trait(?Send)]
impl Verb for Schedule {
    fn format(&self) -> Format {
        match &self.action {
            Action::List(list) => list.output.format,
            Action::Next(next) => next.output.format,
            Action::Run(_) | Action::Pause(_) | Action::Resume(_) | Action::Export(_) => Format::Text,
        }
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        match &self.action {
            Action::Run(run) => match &run.simulate {
                Some(days) => run.simulate(days, project, context).await,
                None => run.run(project, context).await,
            },
            Action::List(list) => list.run(&project, context).await,
            Action::Next(next) => next.run(&project, context).await,
            Action::Pause(pause) => pause.which.set(true, &project, context).await,
            Action::Resume(resume) => resume.which.set(false, &project, context).await,
            Action::Export(export) => export.run(&project, context),
        }
    }
}

/// The clock of the machine.
struct SystemClock;

#[async_trait::async_trait]
impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the command line is where the clock is read")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep_until(&self, at: Timestamp) {
        let wait = Duration::try_from(at.duration_since(self.now())).unwrap_or_default();
        tokio::time::sleep(wait.min(LOOK_EVERY)).await;
    }
}

impl Run {
    async fn run(&self, project: Project, context: &Context<'_>) -> Result<Outcome, Problems> {
        let scheduled = Scheduled::of(&project);
        if scheduled.is_empty() {
            return Err(schedule::nothing_scheduled().into());
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let now = clock.now();
        let invoker = context.invoker("schedule run");
        let holder = Holder {
            run_id: String::new(),
            host: invoker.host.clone(),
            user: invoker.user.clone(),
            pid: invoker.pid,
            command: invoker.command.clone(),
        };
        let lake = Lake::open(&project.lake).await?;
        let lock = lake.lock_scheduler(holder.clone(), now).await?;
        schedule::notes(&project, now).iter().for_each(|note| context.printer.say(format!("note: {note}")));

        let console: Arc<dyn Console> = Arc::new(Log::new(context, &project));
        let zone = zone_of(&project);
        for one in &scheduled {
            let next = one.schedule.due.next_after(now).map_or("never".to_string(), |next| local(next, &zone));
            context.printer.say(format!("schedule {}  `{}`, next {next}", one.pipeline, one.schedule.due.cron.text()));
        }
        let folder = ProjectFolder { root: project.root.clone(), vars: context.common.vars.clone(), adjust: None };
        let runs = ProjectRuns::new(folder, project, invoker, clock.clone(), console, None);
        let grace = SignedDuration::from_secs(self.grace.into());
        let daemon =
            Daemon { lake: &lake, lock: &lock, holder: &holder, clock: &*clock, runs: &runs, grace, until: None };
        daemon.run(scheduled, signals()?).await?;
        lock.release().await?;
        Ok(Outcome::Done)
    }

    async fn simulate(&self, days: &str, project: Project, context: &Context<'_>) -> Result<Outcome, Problems> {
        let (first, last) = days_of(days)?;
        let folder = self.into.clone().unwrap_or_else(|| project.root.join("simulation"));
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        let simulation = Simulation { first, last, folder, vars: context.common.vars.clone() };
        let console = Arc::new(SimulationLog::new(context, &project, simulation.outbox()));
        simulation.run(&project, context.invoker("schedule run --simulate"), console.clone()).await?;
        let line = format!("reports and mails lie in {}", simulation.folder.display());
        context.printer.say(line);
        let failing = console.failing.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(if failing.is_empty() { Outcome::Done } else { Outcome::BadData })
    }
}

/// The first and the last of `2026-10-01..2026-10-08`.
fn days_of(text: &str) -> Result<(Date, Date)> {
    let parsed = text.split_once("..").and_then(|(first, last)| {
        Some((first.trim().parse::<Date>().ok()?, last.trim_start_matches('=').trim().parse::<Date>().ok()?))
    });
    let hint = "write the first and the last day, as in 2026-10-01..2026-10-08";
    let Some((first, last)) = parsed else {
        return Err(Error::project(format!("`{text}` does not name two days")).hint(hint));
    };
    if last < first {
        return Err(Error::project(format!("the last day, {last}, lies before the first, {first}")).hint(hint));
    }
    Ok((first, last))
}

/// What the process is asked by signals.
#[cfg(unix)]
fn signals() -> Result<tokio::sync::mpsc::Receiver<Signal>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, receiver) = tokio::sync::mpsc::channel(8);
    let kinds = [
        (SignalKind::terminate(), Signal::End),
        (SignalKind::interrupt(), Signal::End),
        (SignalKind::hangup(), Signal::Reload),
    ];
    for (kind, meaning) in kinds {
        let mut signal = signal(kind).map_err(|e| Error::bug("cannot wait for signals").because(e))?;
        let sender = sender.clone();
        tokio::spawn(async move { while signal.recv().await.is_some() && sender.send(meaning).await.is_ok() {} });
    }
    Ok(receiver)
}

#[cfg(not(unix))]
fn signals() -> Result<tokio::sync::mpsc::Receiver<Signal>> {
    let (sender, receiver) = tokio::sync::mpsc::channel(8);
    tokio::spawn(
        async move { while tokio::signal::ctrl_c().await.is_ok() && sender.send(Signal::End).await.is_ok() {} },
    );
    Ok(receiver)
}

fn zone_of(project: &Project) -> TimeZone {
    TimeZone::get(&project.time_zone).unwrap_or(TimeZone::UTC)
}

/// A time as the zone's clocks show it, with its offset.
fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %:z").to_string()
}

/// Shows what the scheduler does, as lines.
struct Log {
    printer: &'static Printer,
    progress: Progress<'static>,
    zone: TimeZone,
    is_ready: AtomicBool,
}

impl Log {
    fn new(context: &Context<'_>, project: &Project) -> Log {
        // It is used to the end of the process, and by runs in threads of their own. A log has no bars.
        let mut printer = Printer::new(Format::Text, context.printer.log_format);
        printer.terminal = false;
        let printer: &'static Printer = Box::leak(Box::new(printer));
        Log { printer, progress: Progress::new(printer), zone: zone_of(project), is_ready: AtomicBool::new(false) }
    }

    /// A line for people, or what happened for programs.
    fn say(&self, level: Level, event: &str, start: (&str, Timestamp), line: &str, fields: serde_json::Value) {
        if self.printer.log_format == LogFormat::Text {
            return self.printer.say(line);
        }
        let (pipeline, scheduled_for) = start;
        let mut all = serde_json::json!({ "pipeline": pipeline, "scheduled_for": scheduled_for, "message": line });
        if let (Some(all), serde_json::Value::Object(fields)) = (all.as_object_mut(), fields) {
            all.extend(fields);
        }
        self.printer.log(level, event, all);
    }
}

impl Console for Log {
    fn observer(&self) -> &dyn Observer {
        &self.progress
    }

    fn begins(&self, start: &Start) {
        let due = &start.due;
        let attempt = if due.attempt > 1 { format!(", attempt {}", due.attempt) } else { String::new() };
        let made_up = if due.made_up { ", made up for" } else { "" };
        let at = local(due.scheduled_for, &self.zone);
        let line = format!("schedule {}  planned for {at}{made_up}{attempt}", start.pipeline);
        let fields = serde_json::json!({ "attempt": due.attempt, "made_up": due.made_up });
        self.say(Level::Info, "schedule_run", (&start.pipeline, due.scheduled_for), &line, fields);
    }

    fn ended(&self, start: &Start, ended: &EndedRun<'_>, dispatched: &Dispatched) {
        let (exit_code, problems, what) = what_came_of(ended);
        if !problems.is_empty() {
            self.printer.problems(problems);
        }
        dispatched.problems.iter().for_each(|problem| self.note(problem));
        let sent = dispatched.ended.iter().filter(|message| message.state == DeliveryState::Sent).count();
        let sent = if sent > 0 { format!(", {sent} delivered") } else { String::new() };
        let waiting = match dispatched.waiting {
            0 => String::new(),
            waiting => format!(", {waiting} to be delivered later"),
        };
        let line = match exit_code {
            0 => format!("schedule {}  done: {what}{sent}{waiting}", start.pipeline),
            code => format!("schedule {}  failed (exit code {code}): {what}{sent}{waiting}", start.pipeline),
        };
        let level = if exit_code == 0 { Level::Info } else { Level::Error };
        let fields = serde_json::json!({ "exit_code": exit_code });
        self.say(level, "schedule_run_ended", (&start.pipeline, start.due.scheduled_for), &line, fields);
    }

    fn event(&self, event: &Event) {
        let line = format!("schedule {}  {}", event.pipeline, described(event, &self.zone));
        let fields = serde_json::to_value(&event.what).unwrap_or_default();
        self.say(Level::Warn, "schedule_event", (&event.pipeline, event.scheduled_for), &line, fields);
    }

    fn note(&self, error: &Error) {
        let hint = error.hint_text().map(|hint| format!("; {hint}")).unwrap_or_default();
        self.printer.say(format!("note: {error}{hint}"));
    }

    fn alive(&self, is_ending: bool) {
        use sd_notify::NotifyState;
        let state = match is_ending {
            true => NotifyState::Stopping,
            false if !self.is_ready.swap(true, Ordering::Relaxed) => NotifyState::Ready,
            false => NotifyState::Watchdog,
        };
        // Where no systemd listens nobody is told.
        let _ = sd_notify::notify(&[state]);
    }
}

/// What happened, in words.
fn described(event: &Event, zone: &TimeZone) -> String {
    let at = local(event.scheduled_for, zone);
    match &event.what {
        What::Missed { made_up: true } => format!("{at} was missed and is made up for"),
        What::Missed { made_up: false } => format!("{at} was missed"),
        What::Skipped { running } => {
            format!("{at} is skipped: the run planned for {} is still going on", local(*running, zone))
        }
        What::SourcesLate { late, run: true } => format!("{at} runs without fresh sources: {}", late.join("; ")),
        What::SourcesLate { late, run: false } => {
            format!("{at} is given up: sources are not fresh: {}", late.join("; "))
        }
        What::DeadlinePassed { deadline } => {
            format!("the run planned for {at} has not succeeded by {}", local(*deadline, zone))
        }
        What::Interrupted { again: true } => format!("the run planned for {at} was interrupted and is made up for"),
        What::Interrupted { again: false } => format!("the run planned for {at} was interrupted"),
        What::ClockSetBack => "the clock was set back by more than a day; planned times count from now on".to_string(),
    }
}

/// What came of a run: exit code, problems, and in a few words.
fn what_came_of<'a>(ended: &EndedRun<'a>) -> (u8, &'a Problems, String) {
    match ended.result {
        Ok(outcome) => (outcome.exit_code(), &outcome.problems, outcome_in_words(outcome)),
        Err(problems) => (problems.exit_code(), problems, "did not come to its end".to_string()),
    }
}

fn outcome_in_words(outcome: &RunOutcome) -> String {
    let tests = outcome.tests;
    let release = match &outcome.ending {
        Ending::Published { release, .. } => format!("release {release}"),
        Ending::NothingNew { release } => format!("release {release} stays current"),
        Ending::Withheld { .. } => "nothing was to be published".to_string(),
        Ending::NotPublished => "not published".to_string(),
    };
    let failed = if tests.failed > 0 { format!(", {} failed", tests.failed) } else { String::new() };
    let warned = if tests.warned > 0 { format!(", {} warned", tests.warned) } else { String::new() };
    let editions = outcome.editions.iter().filter(|edition| edition.is_new);
    let editions = editions.map(|e| format!(", {} {} edition {}", e.report, e.period, e.number)).collect::<String>();
    format!("{release} as of {}, tests {} passed{warned}{failed}{editions}", outcome.as_of, tests.passed)
}

/// Shows a simulation: one line for each run.
struct SimulationLog {
    log: Log,
    outbox: PathBuf,
    mails: AtomicU64,
    /// Pipelines whose last run has failed, or was given up.
    failing: Mutex<BTreeSet<String>>,
}

impl SimulationLog {
    fn new(context: &Context<'_>, project: &Project, outbox: PathBuf) -> SimulationLog {
        SimulationLog { log: Log::new(context, project), outbox, mails: AtomicU64::new(0), failing: Mutex::default() }
    }

    /// Mails that were written since this was asked last.
    fn new_mails(&self) -> u64 {
        let entries = std::fs::read_dir(&self.outbox).into_iter().flatten().flatten();
        let count =
            entries.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "eml")).count() as u64;
        count - self.mails.swap(count, Ordering::Relaxed).min(count)
    }
}

/// A simulation is quiet: a run is a line.
struct Quiet;

impl Observer for Quiet {
    fn event(&self, _event: crate::flow::Event<'_>) {}
}

impl Console for SimulationLog {
    fn observer(&self) -> &dyn Observer {
        &Quiet
    }

    fn begins(&self, _start: &Start) {}

    fn ended(&self, start: &Start, ended: &EndedRun<'_>, dispatched: &Dispatched) {
        let (exit_code, problems, what) = what_came_of(ended);
        let mails = match self.new_mails() {
            0 => String::new(),
            mails => format!(", {}", super::output::count(mails, "mail", "mails")),
        };
        let failed = if exit_code == 0 { String::new() } else { format!("failed (exit code {exit_code}): ") };
        let at = local(start.due.scheduled_for, &self.log.zone);
        let attempt = if start.due.attempt > 1 { format!(" attempt {}", start.due.attempt) } else { String::new() };
        let line = format!("{at}  {}{attempt}  {failed}{what}{mails}", start.pipeline);
        let level = if exit_code == 0 { Level::Info } else { Level::Error };
        let fields = serde_json::json!({ "exit_code": exit_code });
        self.log.say(level, "schedule_run_ended", (&start.pipeline, start.due.scheduled_for), &line, fields);
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        if exit_code == 0 {
            failing.remove(&start.pipeline);
        } else {
            failing.insert(start.pipeline.clone());
            self.log.printer.problems(problems);
        }
        dispatched.problems.iter().for_each(|problem| self.log.note(problem));
    }

    fn event(&self, event: &Event) {
        self.log.event(event);
        if let What::SourcesLate { run: false, .. } = event.what {
            self.failing.lock().unwrap_or_else(PoisonError::into_inner).insert(event.pipeline.clone());
        }
    }

    fn note(&self, error: &Error) {
        self.log.note(error);
    }

    fn alive(&self, _is_ending: bool) {}
}

impl List {
    async fn run(&self, project: &Project, context: &Context<'_>) -> Result<Outcome, Problems> {
        let now = context.now();
        let overviews = schedule::overviews(project, now).await?;
        let printer = context.printer;
        match printer.format {
            Format::Json => {
                let rows: Vec<serde_json::Value> = overviews.iter().map(overview_json).collect();
                printer.json(&rows.into())?;
            }
            Format::Csv => printer.csv(&LIST_COLUMNS, &overviews.iter().map(row).collect::<Vec<_>>())?,
            Format::Text => {
                let rows = overviews.iter().map(row).collect();
                printer.text(&Table::new(&LIST_COLUMNS, rows).text(printer.width))?;
                schedule::notes(project, now).iter().for_each(|note| printer.say(format!("note: {note}")));
            }
        }
        Ok(Outcome::Done)
    }
}

const LIST_COLUMNS: [&str; 7] = ["pipeline", "schedule", "zone", "next", "next_utc", "last", "state"];

fn row(one: &Overview) -> Vec<String> {
    let show = |at: Option<Timestamp>| at.map(|at| local(at, &one.zone)).unwrap_or_default();
    let last = one.state.as_ref().and_then(|state| state.last.as_ref());
    let last = last.map(|last| {
        let ending = if last.exit_code == 0 { "ok".to_string() } else { format!("exit code {}", last.exit_code) };
        format!("{} {ending}", local(last.scheduled_for, &one.zone))
    });
    vec![
        one.pipeline.clone(),
        one.cron.clone(),
        one.zone.iana_name().unwrap_or("UTC").to_string(),
        show(one.next),
        one.next.map(|next| next.to_string()).unwrap_or_default(),
        last.unwrap_or_default(),
        one.status().to_string(),
    ]
}

fn overview_json(one: &Overview) -> serde_json::Value {
    let zone = one.zone.iana_name().unwrap_or("UTC");
    let state = one.state.as_ref();
    serde_json::json!({
        "pipeline": one.pipeline, "schedule": one.cron, "zone": zone, "state": one.status(),
        "next": one.next.map(|at| at.to_zoned(one.zone.clone()).to_string()), "next_utc": one.next,
        "running": state.and_then(|s| s.running.as_ref()), "due": state.map(|s| &s.due),
        "last": state.and_then(|s| s.last.as_ref()), "last_good": state.and_then(|s| s.last_good),
    })
}

impl Next {
    async fn run(&self, project: &Project, context: &Context<'_>) -> Result<Outcome, Problems> {
        let times = schedule::next_times(project, self.pipeline.as_deref(), self.count, context.now()).await?;
        let zone = zone_of(project);
        let name = zone.iana_name().unwrap_or("UTC").to_string();
        let printer = context.printer;
        if printer.format == Format::Json {
            let row = |planned: &schedule::Planned| {
                let at = planned.scheduled_for;
                let local = at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
                serde_json::json!({ "pipeline": planned.pipeline, "local": local, "zone": name, "utc": at })
            };
            printer.json(&times.iter().map(row).collect::<Vec<_>>().into())?;
            return Ok(Outcome::Done);
        }
        let row = |planned: &schedule::Planned| {
            let at = planned.scheduled_for;
            let day = at.to_zoned(zone.clone()).strftime("%a").to_string();
            vec![planned.pipeline.clone(), day, local(at, &zone), name.clone(), at.to_string()]
        };
        let rows: Vec<Vec<String>> = times.iter().map(row).collect();
        let columns = ["pipeline", "day", "local", "zone", "utc"];
        match printer.format {
            Format::Csv => printer.csv(&columns, &rows)?,
            _ => printer.text(&Table::new(&columns, rows).text(printer.width))?,
        }
        Ok(Outcome::Done)
    }
}

impl Which {
    async fn set(&self, to_paused: bool, project: &Project, context: &Context<'_>) -> Result<Outcome, Problems> {
        let chosen = match &self.pipeline {
            Some(name) => vec![schedule::scheduled_pipeline(project, name)?],
            None => Scheduled::of(project),
        };
        if chosen.is_empty() {
            return Err(schedule::nothing_scheduled().into());
        }
        let lake = Lake::open(&project.lake).await?;
        let invoker = context.invoker("schedule pause");
        for one in chosen {
            let (name, now) = (&one.pipeline, context.now());
            let changed = match to_paused {
                true => schedule::pause(&lake, name, &format!("{} on {}", invoker.user, invoker.host), now).await?,
                false => schedule::resume(&lake, name).await?,
            };
            let line = match (to_paused, changed) {
                (true, true) => format!("{name} is paused; `perennial schedule resume {name}` resumes it"),
                (true, false) => format!("{name} is paused already"),
                (false, true) => format!("{name} is resumed"),
                (false, false) => format!("{name} is not paused"),
            };
            context.printer.say(line);
        }
        Ok(Outcome::Done)
    }
}

impl Export {
    fn run(&self, project: &Project, context: &Context<'_>) -> Result<Outcome, Problems> {
        let target = match self.target {
            TargetName::Systemd if self.timers => Target::SystemdTimers,
            TargetName::Systemd => Target::SystemdService,
            TargetName::Cron => Target::Cron,
            TargetName::Kubernetes => Target::Kubernetes { image: self.image.clone() },
        };
        let program =
            std::env::current_exe().map_err(|e| Error::bug("cannot tell where this program is").because(e))?;
        let installation = Installation { program: program.display().to_string(), user: self.user.clone() };
        let files = schedule::export(project, &target, &installation, context.now())?;
        if let Some(folder) = &self.into {
            let failed = |e: std::io::Error| Error::unreachable(format!("cannot write to {}: {e}", folder.display()));
            std::fs::create_dir_all(folder).map_err(failed)?;
            for file in &files {
                std::fs::write(folder.join(&file.name), &file.text).map_err(failed)?;
                context.printer.say(format!("written  {}", folder.join(&file.name).display()));
            }
            return Ok(Outcome::Done);
        }
        for (index, file) in files.iter().enumerate() {
            let separator = if index > 0 && self.target == TargetName::Kubernetes { "---\n" } else { "" };
            context.printer.text(&format!("{separator}# {}\n{}", file.name, file.text))?;
        }
        Ok(Outcome::Done)
    }
}
