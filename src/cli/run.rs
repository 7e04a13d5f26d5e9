//! `perennial run`.

use super::output::{Format, Level, LogFormat, count};
use super::progress::Progress;
use super::status::Notes;
use super::{Context, Outcome, Output, Verb};
use crate::dispatch::{Dispatch, EndedRun, What};
use crate::flow::{self, Changed, Ending, RunOutcome, RunRequest};
use crate::schedule::last_planned_time;
use indicatif::HumanCount;
use perennial_core::error::{Error, Place, Problems, Result};
use perennial_lake::Lake;
use perennial_project::{PROJECT_FILE, Project};
use std::path::Path;

/// Run a pipeline: ingest, steps, tests, publish, reports
#[derive(clap::Args)]
pub(super) struct Run {
    /// The pipeline; may be left out if the project has only one
    #[arg(value_name = "PIPELINE")]
    pipeline: Option<String>,
    /// Steps to run: `marts.rfm`, `marts.*`, `+rfm`, `rfm+`, `tag:nightly`, `path:sql/marts`
    #[arg(long, short, value_name = "SELECTION", num_args = 1..)]
    select: Vec<String>,
    /// Steps to leave as they are
    #[arg(long, value_name = "SELECTION", num_args = 1..)]
    exclude: Vec<String>,
    /// The business date that figures describe; only facts before it are seen
    #[arg(long, value_name = "DATE")]
    as_of: Option<jiff::civil::Date>,
    /// Accept an as-of date in the future: days that have not been count as days without a sale
    #[arg(long)]
    allow_future: bool,
    /// Read every file and run every step again
    #[arg(long)]
    full_refresh: bool,
    /// The planned time of a run that another scheduler starts: the pipeline's `as_of` says which day it describes. `last` is
    /// the last one by the pipeline's own schedule
    #[arg(long, value_name = "TIME", conflicts_with = "as_of")]
    scheduled_for: Option<String>,
    /// Do everything but publish: the newest release stays current, and no report is issued
    #[arg(long)]
    no_publish: bool,
    /// Send what is due afterwards, and tell those who watch how the run ended
    #[arg(long)]
    deliver: bool,
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Run {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let command = self.pipeline.as_ref().map_or("run".to_string(), |name| format!("run {name}"));
        let request = RunRequest {
            pipeline: self.pipeline.clone(),
            select: self.select.clone(),
            exclude: self.exclude.clone(),
            as_of: self.as_of,
            allow_future: self.allow_future,
            full_refresh: self.full_refresh,
            publish: !self.no_publish,
            ..RunRequest::new(context.now(), context.invoker(&command))
        };
        let project = match context.project() {
            Ok(project) => project,
            Err(problems) => {
                self.record_unreadable(&request, &problems, context).await;
                return Err(problems);
            }
        };
        let planned = match self.scheduled_for.as_deref() {
            Some("last") => Some(last_planned_time(&project, self.pipeline.as_deref(), context.now())?),
            given => given.map(|text| planned_time(text, &project.time_zone)).transpose()?,
        };
        let request = RunRequest { scheduled_for: planned, ..request };
        run_and_print(&project, &request, self.deliver, context).await
    }
}

impl Run {
    /// Records a run whose project cannot be read, where the project still says in which lake.
    async fn record_unreadable(&self, request: &RunRequest, problems: &Problems, context: &Context<'_>) {
        let is_elsewhere = |problem: &Error| match problem.place() {
            Some(Place::File { file, .. } | Place::Whole(file)) => file != PROJECT_FILE,
            _ => false,
        };
        if !problems.iter().all(is_elsewhere) {
            return;
        }
        let Ok(root) = context.root() else { return };
        let Ok((draft, _)) = Project::draft(&root, &context.load_options()) else { return };
        // A lake that no run has made is not made for this.
        if !draft.lake.contains("://") && !Path::new(&draft.lake).exists() {
            return;
        }
        if let Err(error) = flow::record_not_begun(&draft.lake, request, problems).await {
            context.printer.say(format!("note: cannot record the run: {error}"));
        }
        // What the project says of those who watch could be read.
        if let Some(pipeline) = self.pipeline.as_deref() {
            after_run(&draft, request, pipeline, Err(problems), self.deliver, context).await;
        }
    }
}

/// The planned time of a run: an instant (`2026-10-01T23:00+02:00`) or a time in the project's zone (`2026-10-01T23:00`).
fn planned_time(text: &str, time_zone: &str) -> Result<jiff::Timestamp> {
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Ok(instant);
    }
    let local = text.parse::<jiff::civil::DateTime>().and_then(|local| local.in_tz(time_zone));
    local.map(|zoned| zoned.timestamp()).map_err(|error| {
        Error::project(format!("`{text}` is not a time"))
            .because(error)
            .hint(format!("write 2026-10-01T23:00 for a time in {time_zone}, or 2026-10-01T23:00+02:00"))
    })
}

/// Runs a pipeline, prints what came of it, and where it is asked for sends what is due.
pub(super) async fn run_and_print(
    project: &Project,
    request: &RunRequest,
    delivers: bool,
    context: &Context<'_>,
) -> Result<Outcome, Problems> {
    let pipeline = request.pipeline(project).map(|pipeline| pipeline.name.clone());
    if delivers {
        before_run(project, context).await;
    }
    let result = execute(project, request, context).await;
    if let Ok(pipeline) = pipeline {
        after_run(project, request, &pipeline, result.as_ref(), delivers, context).await;
    }
    let outcome = result?;
    if context.printer.format == Format::Json {
        context.printer.json(&outcome_json(&outcome))?;
    }
    Ok(outcome_of(&outcome))
}

/// Says that a run begins, to the dead-man's switch of the project.
async fn before_run(project: &Project, context: &Context<'_>) {
    let Ok(lake) = Lake::open(&project.lake).await else { return };
    let (invoker, observer) = (context.invoker("run"), Notes(context));
    let dispatch =
        Dispatch { project, lake: &lake, invoker: &invoker, now: context.now(), observer: &observer, into: None };
    dispatch.before_run().await;
}

/// What follows from the end of a run. Nothing of it fails the run.
async fn after_run(
    project: &Project,
    request: &RunRequest,
    pipeline: &str,
    result: Result<&RunOutcome, &Problems>,
    delivers: bool,
    context: &Context<'_>,
) {
    let Ok(lake) = Lake::open(&project.lake).await else { return };
    let (invoker, observer) = (context.invoker("run"), Notes(context));
    let dispatch =
        Dispatch { project, lake: &lake, invoker: &invoker, now: context.now(), observer: &observer, into: None };
    let (scheduled_for, started_at) = (request.scheduled_for, request.now);
    let ended = EndedRun { pipeline, scheduled_for, started_at, result, is_tried_again: false };
    let dispatched = dispatch.after_run(&ended, delivers).await;
    if context.printer.format == Format::Json {
        return;
    }
    for message in &dispatched.ended {
        let (queued, state) = (&message.queued, message.state.name().replace('_', " "));
        let what = if queued.what == What::NotIssued { " (not issued)" } else { "" };
        let line = format!("deliver  {} {}{what} to {}: {state}", queued.report, queued.period, queued.recipient);
        context.printer.say(line);
    }
    if dispatched.waiting > 0 {
        let messages = count(dispatched.waiting as u64, "message waits", "messages wait");
        context.printer.say(format!("deliver  {messages} for another attempt: `perennial deliver`"));
    }
    if !dispatched.problems.is_empty() {
        context.printer.problems(&dispatched.problems);
    }
}

/// Runs a pipeline and prints its progress and outcome, except as JSON.
pub(super) async fn execute(
    project: &Project,
    request: &RunRequest,
    context: &Context<'_>,
) -> Result<RunOutcome, Problems> {
    let progress = Progress::new(context.printer);
    let began = std::time::Instant::now();
    let outcome = flow::run(project, request, &progress).await?;
    progress.clear();
    let seconds = began.elapsed().as_secs_f64();
    if context.printer.log_format == LogFormat::Json {
        let mut fields = outcome_json(&outcome);
        fields["seconds"] = seconds.into();
        let level = if outcome_of(&outcome) == Outcome::Done { Level::Info } else { Level::Error };
        context.printer.log(level, "run_ended", fields);
    } else if context.printer.format != Format::Json {
        print(project, &outcome, seconds, context);
    }
    if context.printer.format != Format::Json && !outcome.problems.is_empty() {
        context.printer.problems(&outcome.problems);
    }
    Ok(outcome)
}

/// How the verb ended.
pub(super) fn outcome_of(outcome: &RunOutcome) -> Outcome {
    match outcome.exit_code() {
        0 => Outcome::Done,
        code => Outcome::ExitCode(code),
    }
}

fn print(project: &Project, outcome: &RunOutcome, seconds: f64, context: &Context<'_>) {
    let say = |line: String| context.printer.say(line);
    if let Some(replayed) = &outcome.replayed {
        say(format!(
            "replay   {} accepted, {} rejected again, {} read again since",
            HumanCount(replayed.accepted),
            HumanCount(replayed.rejected),
            HumanCount(replayed.superseded)
        ));
    }
    let tests = outcome.tests;
    say(format!(
        "tests    {} passed, {} warned, {} failed",
        HumanCount(tests.passed),
        HumanCount(tests.warned),
        HumanCount(tests.failed)
    ));
    release_lines(outcome).into_iter().for_each(|line| say(format!("release  {line}")));
    for edition in &outcome.editions {
        let state = if edition.is_new { format!("edition {}", edition.number) } else { "unchanged".to_string() };
        say(format!("report   {} {}  {state}", edition.report, edition.period));
        for file in edition.files.iter().filter(|_| edition.is_new) {
            say(format!("         {}", project.reports_folder.join(file).display()));
        }
    }
    for line in &outcome.not_issued {
        say(format!("report   {line}"));
    }
    let state = if outcome_of(outcome) == Outcome::Done { "done " } else { "ended" };
    say(format!("{state}    run {} in {seconds:.1} s", outcome.run_id));
}

/// What readers see after a run, in words.
fn release_lines(outcome: &RunOutcome) -> Vec<String> {
    let current = match outcome.before {
        Some((release, _)) => format!("release {release} stays current"),
        None => "nothing is published yet".to_string(),
    };
    match &outcome.ending {
        Ending::Published { release, changed } => {
            let mut lines = vec![format!("{release} published as of {}, {} changed", outcome.as_of, counted(*changed))];
            if let Some((before, describes)) = outcome.before.filter(|(_, describes)| *describes > outcome.as_of) {
                let back = format!("`perennial rollback {before}` brings release {before} back");
                lines.push(format!("{before} described {describes}, a later day; {back}"));
            }
            lines
        }
        Ending::NothingNew { .. } if outcome.failed_sources > 0 => {
            let failed = count(outcome.failed_sources, "source", "sources");
            vec![format!("not published: {failed} failed, and nothing else is new; {current}")]
        }
        Ending::NothingNew { release } => vec![format!("{release} stays current: nothing new")],
        Ending::Withheld { changed } => {
            vec![format!("not published, as asked: {} would change; {current}", counted(*changed))]
        }
        Ending::NotPublished => vec![format!("not published: {current}")],
    }
}

fn counted(changed: Changed) -> String {
    let tables = count(changed.tables, "table", "tables");
    match changed.views {
        0 => tables,
        views => format!("{tables} and {}", count(views, "view", "views")),
    }
}

/// What a run did, for programs.
pub(super) fn outcome_json(outcome: &RunOutcome) -> serde_json::Value {
    let (ending, release) = match &outcome.ending {
        Ending::Published { release, .. } => ("published", Some(*release)),
        Ending::NothingNew { release } => ("nothing_new", Some(*release)),
        Ending::Withheld { .. } => ("withheld", None),
        Ending::NotPublished => ("not_published", None),
    };
    let editions = outcome.editions.iter().map(|e| {
        serde_json::json!({
            "report": e.report, "period": e.period, "edition": e.number, "new": e.is_new,
            "files": e.files.iter().map(|f| f.display().to_string()).collect::<Vec<_>>(),
        })
    });
    let problems = outcome.problems.iter().map(|p| p.to_string());
    let tests = outcome.tests;
    serde_json::json!({
        "run_id": outcome.run_id, "as_of": outcome.as_of, "ending": ending, "release": release,
        "failed_sources": outcome.failed_sources, "replayed": outcome.replayed,
        "tests": { "passed": tests.passed, "warned": tests.warned, "failed": tests.failed },
        "editions": editions.collect::<Vec<_>>(), "not_issued": outcome.not_issued,
        "problems": problems.collect::<Vec<_>>(),
    })
}
