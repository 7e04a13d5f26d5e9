//! `perennial run`.

use super::output::{Format, count};
use super::progress::Progress;
use super::{Context, Outcome, Output, Verb};
use crate::flow::{self, Changed, Ending, RunOutcome, RunRequest};
use indicatif::HumanCount;
use perennial_core::error::Problems;
use perennial_project::Project;

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
    /// Do everything but publish: the newest release stays current, and no report is issued
    #[arg(long)]
    no_publish: bool,
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Run {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
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
        run_and_print(&project, &request, context).await
    }
}

/// Runs a pipeline and prints what came of it.
pub(super) async fn run_and_print(
    project: &Project,
    request: &RunRequest,
    context: &Context<'_>,
) -> Result<Outcome, Problems> {
    let outcome = execute(project, request, context).await?;
    if context.printer.format == Format::Json {
        context.printer.json(&outcome_json(&outcome))?;
    }
    Ok(outcome_of(&outcome))
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
    if context.printer.format != Format::Json {
        print(project, &outcome, began.elapsed().as_secs_f64(), context);
        if !outcome.problems.is_empty() {
            context.printer.problems(&outcome.problems);
        }
    }
    Ok(outcome)
}

/// How the verb ended.
pub(super) fn outcome_of(outcome: &RunOutcome) -> Outcome {
    match outcome.ending {
        _ if !outcome.problems.is_empty() => Outcome::ExitCode(outcome.problems.exit_code()),
        Ending::NotPublished => Outcome::BadData,
        _ => Outcome::Done,
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
