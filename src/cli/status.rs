//! `perennial status`.

use super::output::Format;
use super::table::Table;
use super::{Context, Outcome, Output, Verb};
use crate::dispatch::{Dispatch, PipelineState, PipelineStatus, SchedulerState, Status as Found};
use crate::flow::{Event, Observer};
use jiff::Timestamp;
use perennial_core::error::{Error, Problems};
use perennial_lake::Lake;
use perennial_project::Project;
use std::path::PathBuf;

/// Show whether all is well: pipelines, scheduler, sources, deliveries
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 all is well; 1 something is failing, late or dead; 3 the lake could not be reached."
)]
pub(super) struct Status {
    /// Also write metrics in Prometheus' text format to this file
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Status {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        let lake = Lake::open(&project.lake).await?;
        let (invoker, notes) = (context.invoker("status"), Notes(context));
        let dispatch = Dispatch {
            project: &project,
            lake: &lake,
            invoker: &invoker,
            now: context.now(),
            observer: &notes,
            into: None,
        };
        let found = dispatch.status().await?;
        if let Some(file) = &self.metrics {
            dispatch.write_metrics(Some(file)).await?;
        }
        match self.output.format {
            Format::Json => {
                let json = serde_json::to_value(&found).map_err(|e| Error::bug("cannot write JSON").because(e))?;
                context.printer.json(&json)?;
            }
            Format::Csv => {
                let (header, rows) = pipelines(&project, &found);
                context.printer.csv(&header, &rows)?;
            }
            Format::Text => context.printer.text(&text(&project, &found, context.printer.width))?,
        }
        Ok(if found.is_good { Outcome::Done } else { Outcome::BadData })
    }
}

/// Says the notes of what is sent.
pub(super) struct Notes<'a>(pub(super) &'a Context<'a>);

impl Observer for Notes<'_> {
    fn event(&self, event: Event<'_>) {
        if let Event::Note(note) = event {
            self.0.printer.say(format!("note: {note}"));
        }
    }
}

fn text(project: &Project, found: &Found, width: Option<usize>) -> String {
    let (header, rows) = pipelines(project, found);
    let mut text = Table::new(&header, rows).text(width);
    let scheduler = &found.scheduler;
    let process = scheduler.process.as_deref().unwrap_or_default();
    let seen = scheduler.seen_at.map(|at| local(project, at)).unwrap_or_default();
    text.push_str(&match scheduler.state {
        SchedulerState::None => "\nscheduler  none has run on this lake\n".to_string(),
        SchedulerState::Alive => match &scheduler.running {
            Some(pipeline) => format!("\nscheduler  alive: {process}, running {pipeline}\n"),
            None => format!("\nscheduler  alive: {process}\n"),
        },
        SchedulerState::Ended => format!("\nscheduler  ended in order at {seen}: {process}\n"),
        SchedulerState::Dead => format!("\nscheduler  DEAD: no sign of life since {seen}: {process}\n"),
    });
    if matches!(scheduler.state, SchedulerState::None | SchedulerState::Ended) {
        let is_left = |pipeline: &&PipelineStatus| pipeline.state == PipelineState::NotRun && pipeline.next.is_some();
        for pipeline in found.pipelines.iter().filter(is_left) {
            text.push_str(&format!(
                "not run    {} has a schedule, and nothing runs it: `perennial schedule run`, or one of `perennial schedule export`\n",
                pipeline.name
            ));
        }
    }
    for source in &found.late_sources {
        source.reasons.iter().for_each(|reason| text.push_str(&format!("late       {reason}\n")));
    }
    let waiting = found.outbox.iter().filter(|message| !message.state.is_end()).count();
    let first = found.outbox.iter().find(|message| !message.state.is_end());
    if let Some(first) = first {
        let since = local(project, first.queued.at);
        let why = found.outbox.iter().filter(|message| !message.state.is_end()).find_map(|m| m.ended.as_ref());
        let why = why.map(|ended| format!(": {}", ended.text)).unwrap_or_default();
        text.push_str(&format!("outbox     {waiting} waiting to be sent, the first since {since}{why}\n"));
    }
    found.delivery_problems.iter().for_each(|problem| text.push_str(&format!("delivery   {problem}\n")));
    for message in found.outbox.iter().filter(|message| message.state.is_end()) {
        let why = message.ended.as_ref().map(|ended| ended.text.as_str()).unwrap_or_default();
        let (id, state, queued) = (&message.id, message.state.name().replace('_', " "), &message.queued);
        text.push_str(&format!(
            "outbox     {state}: {} {} to {}: {why} (`perennial deliver --again {id}`)\n",
            queued.report, queued.period, queued.recipient
        ));
    }
    for pipeline in found.pipelines.iter().filter(|pipeline| pipeline.state == PipelineState::Failing) {
        let message = pipeline.last.as_ref().and_then(|run| run.message.as_deref()).unwrap_or("the run was killed");
        text.push_str(&format!("failing    {}: {message}\n", pipeline.name));
    }
    text.push_str(if found.is_good { "\nall is well\n" } else { "\nnot all is well\n" });
    text
}

fn pipelines(project: &Project, found: &Found) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let at = |time: Option<Timestamp>| time.map(|time| local(project, time)).unwrap_or_default();
    let rows = found.pipelines.iter().map(|pipeline| {
        let state = match pipeline.state {
            PipelineState::Good => "good".to_string(),
            PipelineState::NotRun => "not run yet".to_string(),
            PipelineState::Paused => "paused".to_string(),
            PipelineState::Missed => format!("MISSED {}", at(pipeline.missed)),
            PipelineState::Failing => {
                let runs = if pipeline.failed_runs == 1 { "run" } else { "runs" };
                format!("FAILING since {}, {} {runs}", at(pipeline.failing_since), pipeline.failed_runs)
            }
        };
        let release = pipeline.last_good.as_ref().and_then(|run| run.release).map(|number| number.to_string());
        vec![
            pipeline.name.clone(),
            state,
            at(pipeline.last_good.as_ref().map(|run| run.ended_at)),
            release.unwrap_or_default(),
            at(pipeline.next),
        ]
    });
    (vec!["pipeline", "state", "last_good", "release", "next"], rows.collect())
}

/// A time in the project's zone, with its offset.
fn local(project: &Project, time: Timestamp) -> String {
    match time.in_tz(&project.time_zone) {
        Ok(zoned) => zoned.strftime("%Y-%m-%d %H:%M %:z").to_string(),
        Err(_) => time.to_string(),
    }
}
