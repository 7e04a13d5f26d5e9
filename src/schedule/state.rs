//! What the scheduler remembers, in the lake: which planned times were decided, what is due, running and paused.
//!
//! Only the process that holds the scheduler's lock writes `state.json` and `heartbeat.json`; a pause is an object of its
//! own, which any process may put or delete.

use jiff::Timestamp;
use perennial_core::error::{Error, Result};
use perennial_lake::{Lake, StateFolder};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const STATE: &str = "state.json";
const HEARTBEAT: &str = "heartbeat.json";
/// The folder of paused pipelines.
const PAUSED: &str = "paused";
/// Events that are kept; older ones are forgotten.
const MAX_EVENTS: usize = 500;

/// Everything that was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    format: u32,
    /// By name.
    pub pipelines: BTreeMap<String, PipelineState>,
    /// What else happened than runs that began on time, newest last.
    pub events: VecDeque<Event>,
    /// It was changed, and that could not be written.
    #[serde(skip)]
    pub is_unwritten: bool,
}

/// What was decided for a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PipelineState {
    /// What its planned times follow from.
    pub signature: String,
    /// Every planned time up to this one is decided.
    pub handled: Timestamp,
    /// Planned times whose runs have not begun, or are to be tried again; ascending.
    pub due: Vec<Due>,
    /// The run that is going on.
    pub running: Option<Running>,
    /// The deadline to come.
    pub deadline: Option<Deadline>,
    /// How the last run ended.
    pub last: Option<Finished>,
    /// The planned time of the last run that succeeded.
    pub last_good: Option<Timestamp>,
}

/// A planned time whose run is to begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Due {
    /// The planned time.
    pub scheduled_for: Timestamp,
    /// Whether it was missed, or its run was interrupted.
    pub made_up: bool,
    /// Which attempt comes next, from 1.
    pub attempt: u32,
    /// Before this it is not tried again.
    pub not_before: Option<Timestamp>,
    /// Whether the sources that it waited for did not become fresh.
    pub late: bool,
    /// The attempt that failed, from which the next one goes on.
    pub run_id: Option<String>,
}

/// A run that is going on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    /// What for.
    pub due: Due,
    /// When it began.
    pub started_at: Timestamp,
}

/// A moment by which a run must have succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deadline {
    /// The planned time.
    pub scheduled_for: Timestamp,
    /// The moment.
    pub at: Timestamp,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finished {
    /// The planned time.
    pub scheduled_for: Timestamp,
    /// When.
    pub at: Timestamp,
    /// The run; none if it could not begin.
    pub run_id: Option<String>,
    /// As of `perennial run`.
    pub exit_code: u8,
    /// Whether it was ended because it took too long or the scheduler ends.
    pub stopped: bool,
    /// Its first problem.
    pub message: Option<String>,
}

/// Something else than a run that began on time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Event {
    /// When it was noticed.
    pub at: Timestamp,
    /// The pipeline.
    pub pipeline: String,
    /// The planned time.
    pub scheduled_for: Timestamp,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub(crate) enum What {
    /// Nothing ran at the planned time.
    Missed {
        /// Whether it is made up for.
        made_up: bool,
    },
    /// The run of an earlier planned time was still going on.
    Skipped {
        /// That time.
        running: Timestamp,
    },
    /// Sources did not become fresh in time.
    SourcesLate {
        /// Which, and why.
        late: Vec<String>,
        /// Whether the run begins without them; else it is given up.
        run: bool,
    },
    /// The time by which the run had to have succeeded passed.
    DeadlinePassed {
        /// That time.
        deadline: Timestamp,
    },
    /// The process that ran it ended before the run did.
    Interrupted {
        /// Whether it is tried again.
        again: bool,
    },
    /// The clock had been ahead by more than a day: what was decided by it does not count.
    ClockSetBack,
}

/// A sign of life, put about once a minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heartbeat {
    /// 1.
    pub format: u32,
    /// Its machine.
    pub host: String,
    /// Its user.
    pub user: String,
    /// Its process.
    pub pid: u32,
    /// When it began.
    pub since: Timestamp,
    /// When it was alive.
    pub at: Timestamp,
    /// Whether it has ended in order.
    pub ended: bool,
    /// The next planned time.
    pub next: Option<Planned>,
    /// The run that is going on.
    pub running: Option<Planned>,
}

/// A planned time of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Planned {
    /// The pipeline.
    pub pipeline: String,
    /// The time.
    pub scheduled_for: Timestamp,
}

impl Default for State {
    fn default() -> State {
        State { format: 1, pipelines: BTreeMap::new(), events: VecDeque::new(), is_unwritten: false }
    }
}

impl State {
    /// What the lake remembers; nothing where no scheduler has run.
    ///
    /// # Errors
    /// `Unreachable` when the store fails, `Data` when the object cannot be read.
    pub async fn read(lake: &Lake) -> Result<State> {
        match lake.read_state(StateFolder::Schedule, STATE).await? {
            Some(text) => serde_json::from_slice(&text).map_err(|error| damaged(lake, STATE, error)),
            None => Ok(State::default()),
        }
    }

    /// Writes it; then it survives a power failure.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn write(&self, lake: &Lake) -> Result<()> {
        lake.put_state(StateFolder::Schedule, STATE, json(self)?).await
    }

    /// Adds events; the oldest are forgotten.
    pub fn add(&mut self, events: impl IntoIterator<Item = Event>) {
        self.events.extend(events);
        let surplus = self.events.len().saturating_sub(MAX_EVENTS);
        self.events.drain(..surplus);
    }

    /// Whether it has to be written. That time went by without anything planned does not count.
    pub fn must_be_written(&self, before: &State) -> bool {
        let is_same = |name: &String, pipeline: &PipelineState| {
            let before = before.pipelines.get(name);
            before.is_some_and(|before| PipelineState { handled: before.handled, ..pipeline.clone() } == *before)
        };
        before.is_unwritten
            || self.events != before.events
            || self.pipelines.len() != before.pipelines.len()
            || !self.pipelines.iter().all(|(name, pipeline)| is_same(name, pipeline))
    }

    /// The run that is going on.
    pub fn running(&self) -> Option<Planned> {
        self.pipelines.iter().find_map(|(name, pipeline)| {
            let scheduled_for = pipeline.running.as_ref()?.due.scheduled_for;
            Some(Planned { pipeline: name.clone(), scheduled_for })
        })
    }
}

impl PipelineState {
    /// A pipeline that is seen for the first time: it owes nothing.
    pub fn new(signature: String, now: Timestamp) -> PipelineState {
        PipelineState {
            signature,
            handled: now,
            due: Vec::new(),
            running: None,
            deadline: None,
            last: None,
            last_good: None,
        }
    }

    /// How a planned time ended is known: there is nothing more to say about it at its deadline.
    pub fn settle(&mut self, scheduled_for: Timestamp) {
        self.deadline = self.deadline.filter(|deadline| deadline.scheduled_for > scheduled_for);
    }
}

impl Due {
    /// The first attempt of a planned time.
    pub fn new(scheduled_for: Timestamp, made_up: bool) -> Due {
        Due { scheduled_for, made_up, attempt: 1, not_before: None, late: false, run_id: None }
    }
}

impl Heartbeat {
    /// The last sign of life.
    #[cfg(test)]
    pub async fn read(lake: &Lake) -> Result<Option<Heartbeat>> {
        let Some(text) = lake.read_state(StateFolder::Schedule, HEARTBEAT).await? else { return Ok(None) };
        serde_json::from_slice(&text).map(Some).map_err(|error| damaged(lake, HEARTBEAT, error))
    }

    /// Puts it.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn write(&self, lake: &Lake) -> Result<()> {
        lake.put_state(StateFolder::Schedule, HEARTBEAT, json(self)?).await
    }
}

/// The pipelines that are paused.
///
/// # Errors
/// `Unreachable` when the store fails.
pub(crate) async fn paused(lake: &Lake) -> Result<BTreeSet<String>> {
    let names = lake.state_names_below(StateFolder::Schedule, PAUSED).await?;
    let pipeline = |name: &String| Some(name.rsplit('/').next()?.strip_suffix(".json")?.to_string());
    Ok(names.iter().filter_map(pipeline).collect())
}

/// Pauses a pipeline, and says whether it was not paused before.
///
/// # Errors
/// `Unreachable` when the store fails.
pub(crate) async fn pause(lake: &Lake, pipeline: &str, by: &str, now: Timestamp) -> Result<bool> {
    let content = json(&serde_json::json!({ "format": 1, "since": now, "by": by }))?;
    lake.create_state(StateFolder::Schedule, &format!("{PAUSED}/{pipeline}.json"), content).await
}

/// Resumes a pipeline, and says whether it was paused.
///
/// # Errors
/// `Unreachable` when the store fails.
pub(crate) async fn resume(lake: &Lake, pipeline: &str) -> Result<bool> {
    let was_paused = paused(lake).await?.contains(pipeline);
    lake.delete_state(StateFolder::Schedule, &format!("{PAUSED}/{pipeline}.json")).await?;
    Ok(was_paused)
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value).map_err(|e| Error::bug("the state of the scheduler cannot be written").because(e))
}

fn damaged(lake: &Lake, name: &str, error: serde_json::Error) -> Error {
    let path = format!("{}/_perennial/schedule/{name}", lake.location());
    Error::data(format!("{path} cannot be read: {error}"))
        .hint("delete it: the scheduler then begins anew and makes up for nothing that was missed")
}
