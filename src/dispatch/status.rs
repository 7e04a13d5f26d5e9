//! Whether all is well: how pipelines, scheduler, sources and the outbox stand.

use super::ended_run::late_sources;
use super::process::has_ended;
use super::recipients::row_problems;
use super::run_history::{History, PastRun, by_pipeline, text};
use super::{Delivered, Dispatch};
use crate::flow::Reader;
use jiff::{SignedDuration, Timestamp};
use perennial_core::error::Result;
use perennial_lake::StateFolder;
use perennial_lake::history::{SourceRecord, SourceStatus};
use perennial_project::PipelineSchedule;
use perennial_reports::text_rows;
use std::collections::{BTreeMap, BTreeSet};

/// A planned time is missed when nothing has run for it after this time, or after twice the longest run where that is longer.
const LATE_START: SignedDuration = SignedDuration::from_hours(1);
/// A scheduler that has given no sign of life for so long is dead.
const SIGN_OF_LIFE: SignedDuration = SignedDuration::from_mins(3);
/// What was not delivered counts as a failure for so long.
const UNDELIVERED_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Whether all is well.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Status {
    /// Whether nothing is failing, late or dead.
    pub is_good: bool,
    /// When.
    pub at: Timestamp,
    /// By name.
    pub pipelines: Vec<PipelineStatus>,
    /// The scheduler of the lake.
    pub scheduler: SchedulerStatus,
    /// Sources that are late, each with the reason.
    pub late_sources: Vec<LateSource>,
    /// Messages that were not sent, or may not have been.
    pub outbox: Vec<Delivered>,
    /// Messages that cannot be read, and rows for which nothing could be sent.
    pub delivery_problems: Vec<String>,
}

/// How a pipeline stands.
#[derive(Debug, serde::Serialize)]
pub(crate) struct PipelineStatus {
    /// Its name.
    pub name: String,
    /// In a word.
    pub state: PipelineState,
    /// The last run that succeeded.
    pub last_good: Option<PastRun>,
    /// The last run.
    pub last: Option<PastRun>,
    /// When it began to fail.
    pub failing_since: Option<Timestamp>,
    /// Runs that have failed since.
    pub failed_runs: u64,
    /// A planned time for which nothing has run.
    pub missed: Option<Timestamp>,
    /// The next planned time.
    pub next: Option<Timestamp>,
}

/// How a pipeline stands, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PipelineState {
    /// Its last run succeeded.
    Good,
    /// It has never run.
    NotRun,
    /// Nothing has run at its last planned time.
    Missed,
    /// Its last run failed.
    Failing,
    /// It is paused.
    Paused,
}

/// How the scheduler stands.
#[derive(Debug, serde::Serialize)]
pub(crate) struct SchedulerStatus {
    /// In a word.
    pub state: SchedulerState,
    /// Its last sign of life.
    pub seen_at: Option<Timestamp>,
    /// The machine and process.
    pub process: Option<String>,
    /// The pipeline that it runs.
    pub running: Option<String>,
    /// The planned time that it runs it for.
    pub running_for: Option<Timestamp>,
}

/// How the scheduler stands, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SchedulerState {
    /// None has ever run here.
    None,
    /// It lives.
    Alive,
    /// It ended in order.
    Ended,
    /// It gives no sign of life and has not ended in order.
    Dead,
}

/// A source that is late.
#[derive(Debug, serde::Serialize)]
pub(crate) struct LateSource {
    /// The source.
    pub source: String,
    /// Why.
    pub reasons: Vec<String>,
}

/// What the scheduler writes about once a minute.
#[derive(serde::Deserialize)]
struct Heartbeat {
    host: String,
    pid: u32,
    at: Timestamp,
    ended: bool,
    running: Option<Running>,
}

#[derive(serde::Deserialize)]
struct Running {
    pipeline: String,
    scheduled_for: Timestamp,
}

/// What the scheduler has decided, as far as it counts here.
#[derive(Default, serde::Deserialize)]
struct Decided {
    pipelines: BTreeMap<String, Waiting>,
}

#[derive(serde::Deserialize)]
struct Waiting {
    due: Vec<serde::de::IgnoredAny>,
}

impl Dispatch<'_> {
    /// How everything stands.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails.
    pub(crate) async fn status(&self) -> Result<Status> {
        let reader = Reader::for_queries(self.project, None).await?;
        let histories = by_pipeline(&reader, self.only_pipeline()).await?;
        let scheduler = self.scheduler().await?;
        let names = self.lake.state_names_below(StateFolder::Schedule, "paused").await?;
        let file = |name: &str| name.rsplit('/').next().map(|name| name.trim_end_matches(".json").to_string());
        let paused: BTreeSet<String> = names.iter().filter_map(|name| file(name)).collect();
        let waiting = self.waiting(&scheduler).await?;
        let nothing = History::default();
        let mut pipelines = Vec::new();
        for pipeline in &self.project.pipelines {
            let history = histories.get(&pipeline.name).unwrap_or(&nothing);
            let is_running = scheduler.running.as_ref() == Some(&pipeline.name);
            let is_paused = paused.contains(&pipeline.name);
            let schedule = pipeline.schedule.as_ref();
            let running = scheduler.running_for.filter(|_| is_running);
            let missed = schedule.and_then(|schedule| missed(schedule, history, running, self.now));
            // It waits for its sources, its next attempt, or another run, as it was declared.
            let is_waiting = waiting.get(&pipeline.name).is_some_and(|waiting| !waiting.due.is_empty());
            let missed = missed.filter(|_| is_running || !is_waiting);
            let state = match history {
                _ if is_paused => PipelineState::Paused,
                History { last: None, .. } if missed.is_none() => PipelineState::NotRun,
                history if history.failed > 0 => PipelineState::Failing,
                _ if missed.is_some() => PipelineState::Missed,
                _ => PipelineState::Good,
            };
            pipelines.push(PipelineStatus {
                name: pipeline.name.clone(),
                state,
                last_good: history.last_good.clone(),
                last: history.last.clone(),
                failing_since: history.failing_since,
                failed_runs: history.failed,
                missed: missed.filter(|_| !is_paused),
                next: schedule.filter(|_| !is_paused).and_then(|schedule| schedule.due.next_after(self.now)),
            });
        }
        let late_sources = self.late_sources(&reader).await?;
        let (outbox, damaged) = self.outbox(false).await?;
        let mut delivery_problems: Vec<String> = damaged.iter().map(|problem| problem.message().to_string()).collect();
        delivery_problems.extend(row_problems(self).await?.into_iter().map(|problem| problem.message));
        // Where nothing has run the plan, nothing will.
        let is_idle = matches!(scheduler.state, SchedulerState::None | SchedulerState::Ended);
        let is_left = |pipeline: &PipelineStatus| pipeline.state == PipelineState::NotRun && pipeline.next.is_some();
        let is_bad = |state| matches!(state, PipelineState::Failing | PipelineState::Missed);
        let is_undelivered = |message: &Delivered| {
            let ended = message.ended.as_ref().filter(|_| message.state.is_end());
            ended.is_some_and(|ended| self.now.duration_since(ended.at) < UNDELIVERED_FOR)
        };
        Ok(Status {
            is_good: !pipelines.iter().any(|pipeline| is_bad(pipeline.state))
                && scheduler.state != SchedulerState::Dead
                && !(is_idle && pipelines.iter().any(is_left))
                && delivery_problems.is_empty()
                && late_sources.is_empty()
                && !outbox.iter().any(is_undelivered),
            at: self.now,
            pipelines,
            scheduler,
            late_sources,
            outbox,
            delivery_problems,
        })
    }

    /// What waits to begin, where a scheduler lives that will begin it.
    async fn waiting(&self, scheduler: &SchedulerStatus) -> Result<BTreeMap<String, Waiting>> {
        if scheduler.state != SchedulerState::Alive {
            return Ok(BTreeMap::new());
        }
        let bytes = self.lake.read_state(StateFolder::Schedule, "state.json").await?;
        let decided = bytes.and_then(|bytes| serde_json::from_slice::<Decided>(&bytes).ok()).unwrap_or_default();
        Ok(decided.pipelines)
    }

    async fn scheduler(&self) -> Result<SchedulerStatus> {
        let state = SchedulerState::None;
        let none = SchedulerStatus { state, seen_at: None, process: None, running: None, running_for: None };
        let bytes = self.lake.read_state(StateFolder::Schedule, "heartbeat.json").await?;
        let Some(beat) = bytes.and_then(|bytes| serde_json::from_slice::<Heartbeat>(&bytes).ok()) else {
            return Ok(none);
        };
        let state = match self.now.duration_since(beat.at) < SIGN_OF_LIFE {
            _ if beat.ended => SchedulerState::Ended,
            _ if has_ended(&beat.host, beat.pid, self.invoker) => SchedulerState::Dead,
            true => SchedulerState::Alive,
            false => SchedulerState::Dead,
        };
        let running = beat.running.filter(|_| state == SchedulerState::Alive);
        Ok(SchedulerStatus {
            state,
            seen_at: Some(beat.at),
            process: Some(format!("process {} on {}", beat.pid, beat.host)),
            running_for: running.as_ref().map(|running| running.scheduled_for),
            running: running.map(|running| running.pipeline),
        })
    }

    /// Sources whose newest rows are older than their contract allows, by the last run that read them.
    async fn late_sources(&self, reader: &Reader) -> Result<Vec<LateSource>> {
        let sql = "SELECT source, table_name, status, newest FROM (SELECT *, row_number() OVER \
                   (PARTITION BY source, table_name ORDER BY run_id DESC) AS nth FROM system.sources) WHERE nth = 1 \
                   ORDER BY source, table_name";
        let mut records = Vec::new();
        for row in text_rows(&reader.query(sql, None).await?)? {
            let (Some(source), Some(table)) = (text(&row, "source"), text(&row, "table_name")) else { continue };
            let is_failed = text(&row, "status").as_deref() == Some(SourceStatus::Failed.as_str());
            records.push(SourceRecord {
                newest: text(&row, "newest"),
                status: if is_failed { SourceStatus::Failed } else { SourceStatus::Unchanged },
                ..SourceRecord::unread("", &source, &table)
            });
        }
        let late = late_sources(self.project, &records, self.now).into_iter();
        Ok(late.filter_map(|(source, reason)| Some(LateSource { source, reasons: reason?.lines })).collect())
    }
}

/// The last planned time for which something should have run by now and nothing has: neither a run that has ended nor the
/// one that is going on, which may be of an earlier time. What has never run is not late.
fn missed(
    schedule: &PipelineSchedule,
    history: &History,
    running: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    let longest = schedule.stop_after.and_then(|limit| SignedDuration::try_from(limit).ok());
    let grace = longest.map_or(LATE_START, |longest| longest.saturating_mul(2).max(LATE_START));
    let planned = schedule.due.last_until(now.checked_sub(grace).ok()?)?;
    let last = history.last.as_ref().map(|last| last.scheduled_for.unwrap_or(last.started_at).max(last.started_at));
    let ran_for = last.into_iter().chain(running).max()?;
    (ran_for < planned).then_some(planned)
}
