//! `perennial run`.

use super::output::{Format, count, thousands};
use super::progress::Progress;
use super::{Context, Outcome, Output};
use crate::error::Problems;
use crate::flow::{self, Ending, Night, NightRequest};
use crate::project::Project;

/// One night: ingest, steps, tests, publish, reports.
#[derive(clap::Args)]
pub(super) struct Run {
    /// The pipeline; not needed where the project has one
    #[arg(value_name = "PIPELINE")]
    pipeline: Option<String>,
    /// Steps to run: `marts.rfm`, `marts.*`, `+rfm`, `rfm+`, `tag:nightly`, `path:sql/marts`
    #[arg(long, short, value_name = "SELECTION", num_args = 1..)]
    select: Vec<String>,
    /// Steps to leave as they are
    #[arg(long, value_name = "SELECTION", num_args = 1..)]
    exclude: Vec<String>,
    /// The business date the figures describe; only facts before it are seen
    #[arg(long, value_name = "DATE")]
    as_of: Option<jiff::civil::Date>,
    /// Read every file and run every step again
    #[arg(long)]
    full_refresh: bool,
    #[command(flatten)]
    pub(super) output: Output,
}

impl Run {
    pub(super) async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        let request = NightRequest {
            pipeline: self.pipeline.clone(),
            select: self.select.clone(),
            exclude: self.exclude.clone(),
            as_of: self.as_of,
            full_refresh: self.full_refresh,
            replay: None,
            now: context.now(),
            who: context.who("run"),
        };
        run_night(&project, &request, context).await
    }
}

/// Runs a night and tells of it; `demo` does the same twice.
pub(super) async fn run_night(
    project: &Project,
    request: &NightRequest,
    context: &Context<'_>,
) -> Result<Outcome, Problems> {
    let progress = Progress::new(context.printer);
    let began = std::time::Instant::now();
    let night = flow::night(project, request, &progress).await?;
    progress.clear();
    match context.printer.format {
        Format::Json => context.printer.json(&as_json(&night))?,
        _ => tell(project, &night, began.elapsed().as_secs_f64(), context),
    }
    if !night.problems.is_empty() {
        if context.printer.format != Format::Json {
            context.printer.problems(&night.problems);
        }
        return Ok(Outcome::Told(night.problems.exit_code()));
    }
    Ok(if matches!(night.ending, Ending::NotPublished) { Outcome::FoundFaults } else { Outcome::Done })
}

fn tell(project: &Project, night: &Night, seconds: f64, context: &Context<'_>) {
    let say = |line: String| context.printer.say(line);
    let t = night.tests;
    if let Some(replayed) = &night.replayed {
        say(format!(
            "replay   {} taken, {} refused again, {} read again since",
            thousands(replayed.taken),
            thousands(replayed.refused),
            thousands(replayed.superseded)
        ));
    }
    say(format!(
        "tests    {} passed, {} warned, {} failed",
        thousands(t.passed),
        thousands(t.warned),
        thousands(t.failed)
    ));
    match &night.ending {
        Ending::Published { release, changed_tables } => {
            say(format!("release  {release} published, {} changed", count(*changed_tables, "table", "tables")));
        }
        Ending::NothingNew { release } => say(format!("release  {release} stands: nothing new")),
        Ending::NotPublished => say("release  not published: the last one stands".to_string()),
    }
    for edition in &night.editions {
        let state = if edition.is_new { format!("edition {}", edition.number) } else { "unchanged".to_string() };
        say(format!("report   {} {}  {state}", edition.report, edition.period));
        for file in edition.files.iter().filter(|_| edition.is_new) {
            say(format!("         {}", project.reports_folder.join(file).display()));
        }
    }
    for line in &night.not_issued {
        say(format!("report   {line}"));
    }
    let word = if night.problems.is_empty() && night.ending != Ending::NotPublished { "done " } else { "ended" };
    say(format!("{word}    run {} in {seconds:.1} s", night.run_id));
}

fn as_json(night: &Night) -> serde_json::Value {
    let (ending, release) = match &night.ending {
        Ending::Published { release, .. } => ("published", Some(*release)),
        Ending::NothingNew { release } => ("nothing_new", Some(*release)),
        Ending::NotPublished => ("not_published", None),
    };
    let editions = night.editions.iter().map(|e| {
        serde_json::json!({
            "report": e.report, "period": e.period, "edition": e.number, "new": e.is_new,
            "files": e.files.iter().map(|f| f.display().to_string()).collect::<Vec<_>>(),
        })
    });
    let problems = night.problems.iter().map(|p| p.to_string());
    serde_json::json!({
        "run_id": night.run_id, "ending": ending, "release": release,
        "replayed": night.replayed,
        "tests": { "passed": night.tests.passed, "warned": night.tests.warned, "failed": night.tests.failed },
        "editions": editions.collect::<Vec<_>>(), "not_issued": night.not_issued,
        "problems": problems.collect::<Vec<_>>(),
    })
}
