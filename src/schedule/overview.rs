//! What `schedule list` and `schedule next` show.

use super::plan::Scheduled;
use super::state::{self, PipelineState, Planned, State};
use jiff::Timestamp;
use perennial_core::contract::{Extraction, Load};
use perennial_core::error::{Error, Result};
use perennial_lake::Lake;
use perennial_project::{CatchUp, Project};
use std::collections::BTreeSet;

/// Days ahead of which a calendar's end is told.
const CALENDAR_DAYS: i64 = 60;

/// A pipeline and its schedule.
#[derive(Clone, Debug)]
pub(crate) struct Overview {
    /// The pipeline.
    pub pipeline: String,
    /// Its cron line.
    pub cron: String,
    /// The zone in which it is meant.
    pub zone: jiff::tz::TimeZone,
    /// The next planned time; none while it is paused.
    pub next: Option<Timestamp>,
    /// What was decided for it; none before a scheduler has seen it.
    pub state: Option<PipelineState>,
    /// Whether it is paused.
    pub is_paused: bool,
}

impl Overview {
    /// How it stands, in a word.
    pub fn status(&self) -> &'static str {
        match &self.state {
            _ if self.is_paused => "paused",
            Some(state) if state.running.is_some() => "running",
            Some(state) if !state.due.is_empty() => "waiting",
            Some(state) if state.last.as_ref().is_some_and(|last| last.exit_code != 0) => "failed",
            Some(state) if state.last.is_some() => "ok",
            _ => "new",
        }
    }
}

/// The pipelines that run by themselves, by name.
///
/// # Errors
/// `Unreachable` when the lake cannot be read.
pub(crate) async fn overviews(project: &Project, now: Timestamp) -> Result<Vec<Overview>> {
    let lake = Lake::open(&project.lake).await?;
    let (state, paused) = (State::read(&lake).await?, state::paused(&lake).await?);
    let overview = |one: Scheduled| {
        let is_paused = paused.contains(&one.pipeline);
        Overview {
            cron: one.schedule.due.cron.text().to_string(),
            zone: one.schedule.due.zone.clone(),
            next: one.schedule.due.next_after(now).filter(|_| !is_paused),
            state: state.pipelines.get(&one.pipeline).cloned(),
            is_paused,
            pipeline: one.pipeline,
        }
    };
    Ok(Scheduled::of(project).into_iter().map(overview).collect())
}

/// The next planned times of all pipelines or of one, in order. What is paused is left out.
///
/// # Errors
/// `Project` for an unknown pipeline or one without a schedule, `Unreachable` when the lake cannot be read.
pub(crate) async fn next_times(
    project: &Project,
    pipeline: Option<&str>,
    count: usize,
    now: Timestamp,
) -> Result<Vec<Planned>> {
    let mut scheduled = Scheduled::of(project);
    if let Some(name) = pipeline {
        let one = scheduled_pipeline(project, name)?;
        scheduled.retain(|other| other.pipeline == one.pipeline);
    }
    let paused = state::paused(&Lake::open(&project.lake).await?).await?;
    let mut times: BTreeSet<(Timestamp, String)> = BTreeSet::new();
    for one in scheduled.iter().filter(|one| !paused.contains(&one.pipeline)) {
        let next = |at: &Timestamp| one.schedule.due.next_after(*at);
        let of_one = std::iter::successors(next(&now), next).take(count);
        times.extend(of_one.map(|at| (at, one.pipeline.clone())));
    }
    let planned = |(scheduled_for, pipeline)| Planned { pipeline, scheduled_for };
    Ok(times.into_iter().take(count).map(planned).collect())
}

/// The last planned time of a pipeline, or of the only one that has a schedule.
///
/// # Errors
/// `Project` for an unknown pipeline, one without a schedule, or none where there are several.
pub(crate) fn last_planned_time(project: &Project, pipeline: Option<&str>, now: Timestamp) -> Result<Timestamp> {
    let one = match (pipeline, Scheduled::of(project).as_slice()) {
        (Some(name), _) => scheduled_pipeline(project, name)?,
        (None, [only]) => only.clone(),
        (None, []) => return Err(nothing_scheduled()),
        (None, _) => {
            let error = Error::project("several pipelines have a schedule, and none is named");
            return Err(error.hint("name it: `perennial run PIPELINE --scheduled-for last`"));
        }
    };
    one.schedule.due.last_until(now).ok_or_else(|| {
        Error::project(format!("no time of the schedule `{}` has come yet", one.schedule.due.cron.text()))
    })
}

/// The error of a project without a schedule.
pub(crate) fn nothing_scheduled() -> Error {
    Error::project("no pipeline has a schedule")
        .hint("write `schedule: \"0 2 * * *\"` into pipelines/NAME.yml for 02:00 every day")
}

/// The schedule of a pipeline.
///
/// # Errors
/// `Project` for an unknown pipeline or one without a schedule.
pub(crate) fn scheduled_pipeline(project: &Project, name: &str) -> Result<Scheduled> {
    let all = Scheduled::of(project);
    if let Some(found) = all.iter().find(|one| one.pipeline == name) {
        return Ok(found.clone());
    }
    if project.pipelines.iter().any(|pipeline| pipeline.name == name) {
        let error = Error::project(format!("the pipeline `{name}` has no schedule"));
        return Err(
            error.hint(format!("write `schedule: \"0 2 * * *\"` into pipelines/{name}.yml for 02:00 every day"))
        );
    }
    let error = Error::project(format!("unknown pipeline `{name}`"));
    Err(error.suggest(name, all.iter().map(|one| one.pipeline.as_str())))
}

/// What somebody should know of the schedules before it matters: calendars that end soon, and runs that are made up for
/// and yet see only what is there today.
pub(crate) fn notes(project: &Project, now: Timestamp) -> Vec<String> {
    let mut notes = Vec::new();
    for one in Scheduled::of(project) {
        let due = &one.schedule.due;
        let today = due.zone.to_datetime(now).date();
        let soon = today.checked_add(jiff::Span::new().days(CALENDAR_DAYS)).unwrap_or(today);
        if let Some((calendar, end)) = due.calendar.as_ref().and_then(|c| Some((c, c.ends()?)))
            && end <= soon
        {
            let name = project.calendars.iter().find(|(_, other)| *other == calendar).map(|(name, _)| name.as_str());
            notes.push(format!(
                "the calendar `{}` of the pipeline `{}` knows no holiday after {end}; add those of the next year to \
                 `calendars` in perennial.yml",
                name.unwrap_or_default(),
                one.pipeline
            ));
        }
        if one.schedule.catch_up == CatchUp::All {
            let snapshots = snapshot_tables(project, &one.pipeline);
            if !snapshots.is_empty() {
                notes.push(format!(
                    "the pipeline `{}` has `catch_up: all`, but runs that are made up for read what {} has then, not what \
                     it had at the planned time; `catch_up: latest` runs once",
                    one.pipeline,
                    snapshots.join(", ")
                ));
            }
        }
    }
    notes
}

/// Tables of a pipeline whose earlier rows cannot be read any more.
fn snapshot_tables(project: &Project, pipeline: &str) -> Vec<String> {
    let Some(pipeline) = project.pipelines.iter().find(|one| one.name == pipeline) else { return Vec::new() };
    let sources = project.sources.iter().filter(|source| pipeline.sources.contains(&source.name));
    let tables = sources.flat_map(|source| source.tables.iter().map(move |table| (source, table)));
    let snapshots = tables.filter(|(_, table)| {
        matches!(table.load, Load::Snapshot | Load::Incremental { .. })
            && !matches!(table.extraction, Extraction::Files { .. })
    });
    snapshots.map(|(source, table)| format!("{}.{}", source.name, table.name)).collect()
}
