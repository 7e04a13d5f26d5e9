//! The outbox: of every message a folder of events in the lake, each written once and never changed. Creating the event
//! `sending` is what gives a process the right to send, and it is durable before anything leaves; so a message is sent at
//! most once whatever is killed, and nothing that is due is forgotten.
//!
//! ```text
//! <yyyy-mm>/<id>/1-queued.json       what goes to whom
//! <yyyy-mm>/<id>/2-sending.json      a process has begun
//! <yyyy-mm>/<id>/3-sent.json         or refused, failed (tried again later), unknown, given_up
//! <yyyy-mm>/<id>/3-recorded.json     the end is a row of system.deliveries
//! ```
//!
//! A `sending` that is the last event and whose process is gone means that nobody knows: it counts as `unknown`, and only
//! a person decides to send again.

use super::process::Process;
use jiff::{SignedDuration, Timestamp};
use perennial_core::digest::digest;
use perennial_core::error::{Error, Result};
use perennial_delivery::Outcome;
use perennial_lake::{Lake, StateFolder};
use perennial_reports::Parameters;
use std::collections::{BTreeMap, BTreeSet};

/// Layout of the events, raised when it changes in a way that older programs cannot read.
const FORMAT: u32 = 1;

/// Characters of an id.
const ID_CHARACTERS: usize = 20;

/// The pause before the second attempt; each further one is twice as long.
pub(super) const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(5);
/// The longest pause between attempts.
const MAX_PAUSE: SignedDuration = SignedDuration::from_hours(4);
/// An attempt that fails so long after its message was queued is the last.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Sending takes less; a process on another machine that has not ended after this time is taken to be gone.
const SENDING_LIMIT: SignedDuration = SignedDuration::from_mins(15);
/// After this time a process stops waiting for the answer to what it sends; less than [`SENDING_LIMIT`].
pub(super) const ANSWER_LIMIT: std::time::Duration = std::time::Duration::from_secs(600);

/// How far a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It is to be sent.
    Queued,
    /// A process is sending it, or has died over it.
    Sending,
    /// It could not be sent and is tried again.
    Failed,
    /// Whether it was sent is not known.
    Unknown,
    /// It was not sent, and is not tried again.
    GivenUp,
    /// The server or service has refused it for good.
    Refused,
    /// It was accepted.
    Sent,
}

impl State {
    /// In the order in which one wins over another of the same number.
    const ALL: [State; 7] =
        [State::Queued, State::Sending, State::Failed, State::Unknown, State::GivenUp, State::Refused, State::Sent];

    /// Its name in files and tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Queued => "queued",
            State::Sending => "sending",
            State::Failed => "failed",
            State::Unknown => "unknown",
            State::GivenUp => "given_up",
            State::Refused => "refused",
            State::Sent => "sent",
        }
    }

    fn from_name(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more happens by itself.
    pub(crate) fn is_end(self) -> bool {
        !matches!(self, State::Queued | State::Sending | State::Failed)
    }
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// An edition.
    Edition,
    /// That an edition was not issued, and which was the last one.
    NotIssued,
}

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Channel {
    /// Mail.
    Mail,
    /// A folder.
    Folder,
    /// A place of an object store.
    Store,
    /// A webhook.
    Webhook,
}

impl Channel {
    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Channel::Mail => "mail",
            Channel::Folder => "folder",
            Channel::Store => "store",
            Channel::Webhook => "webhook",
        }
    }
}

/// What goes to whom: the first event.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Queued {
    /// [`FORMAT`].
    pub format: u32,
    /// When it was queued.
    pub at: Timestamp,
    /// What it says.
    pub what: What,
    /// What makes it another message than the last one: `edition 2`, `run 20261001T...`.
    pub occasion: String,
    /// The report.
    pub report: String,
    /// The period's label.
    pub period: String,
    /// Of a page for a row of a query: the values of its parameters.
    #[serde(default, skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
    /// The edition.
    pub edition: u32,
    /// The release it was made from.
    pub release: u64,
    /// The run that published the release.
    pub run_id: String,
    /// The name of the delivery in the report's `delivery.yml`.
    pub delivery: String,
    /// How it travels.
    pub channel: Channel,
    /// To whom: an address, a folder, a store; of a webhook its kind, as its URL is a secret.
    pub recipient: String,
    /// The name to show beside an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The language's tag; empty where all are meant.
    pub language: String,
    /// How often a person has asked for it once more.
    #[serde(default)]
    pub again: u32,
}

impl Queued {
    /// The layout of new ones.
    pub(crate) const FORMAT: u32 = FORMAT;

    /// Names the message: the same for whoever works out that it is due.
    pub(crate) fn id(&self) -> String {
        let named = [&self.report, &self.period, &self.occasion, &self.delivery, &self.recipient, &self.language];
        let what = match self.what {
            What::Edition => "edition",
            What::NotIssued => "not issued",
        };
        let slug = if self.parameters.is_empty() { String::new() } else { self.parameters.slug() };
        let mut id = digest([what].into_iter().chain(named.into_iter().map(String::as_str)).chain([slug.as_str()]));
        id.truncate(ID_CHARACTERS);
        id
    }

    /// Names the message where it is sent. One that a person sends once more has another name, so that no mail program
    /// takes it for the first.
    pub(crate) fn sent_as(&self) -> String {
        match self.again {
            0 => self.id(),
            again => format!("{}again{again}", self.id()),
        }
    }
}

/// A process has begun to send.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Sending {
    format: u32,
    at: Timestamp,
    attempt: u32,
    #[serde(flatten)]
    process: Process,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Ended {
    format: u32,
    /// When.
    pub at: Timestamp,
    /// Attempts so far.
    pub attempt: u32,
    /// The receiver's code: of SMTP, HTTP, or its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The answer, or why it was not sent.
    pub text: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The earliest time of the next attempt, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// What the recipient's mail program knows it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
}

impl Ended {
    /// An end without an answer.
    pub(crate) fn new(at: Timestamp, attempt: u32, text: String) -> Ended {
        Ended { format: FORMAT, at, attempt, code: None, text, hint: None, not_before: None, message_id: None }
    }
}

/// Where events are kept. The lake's; tests have one that dies at any step.
#[async_trait::async_trait]
pub(crate) trait Events: Send + Sync {
    /// The names of events below a folder (`2026-10`).
    async fn names(&self, folder: &str) -> Result<Vec<String>>;
    /// An event.
    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>>;
    /// Creates an event unless it exists, and says whether it did. It is durable afterwards.
    async fn create(&self, name: &str, content: Vec<u8>) -> Result<bool>;
}

#[async_trait::async_trait]
impl Events for Lake {
    async fn names(&self, folder: &str) -> Result<Vec<String>> {
        self.state_names_below(StateFolder::Outbox, folder).await
    }

    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.read_state(StateFolder::Outbox, name).await?.map(|bytes| bytes.to_vec()))
    }

    async fn create(&self, name: &str, content: Vec<u8>) -> Result<bool> {
        self.create_state(StateFolder::Outbox, name, content).await
    }
}

/// A message in the outbox, as the names of its events tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The month of its folder.
    pub month: String,
    /// Its id.
    pub id: String,
    /// The state of its last event.
    pub state: State,
    /// The number of that event.
    number: u32,
    /// The number of the last `queued`.
    queued: u32,
    /// Whether its end is a row of system.deliveries.
    pub recorded: bool,
}

impl Entry {
    /// A message that was just queued.
    pub(crate) fn new(month: &str, id: &str) -> Entry {
        let (month, id) = (month.to_string(), id.to_string());
        Entry { month, id, state: State::Queued, number: 1, queued: 1, recorded: false }
    }

    /// The same as it counts when its process is gone.
    pub(crate) fn in_state(&self, state: State) -> Entry {
        Entry { state, ..self.clone() }
    }

    fn event(&self, number: u32, state: &str) -> String {
        format!("{}/{}/{number}-{state}.json", self.month, self.id)
    }
}

/// The outbox.
#[derive(Clone, Copy)]
pub(crate) struct Outbox<'a> {
    events: &'a dyn Events,
}

impl<'a> Outbox<'a> {
    /// The outbox over its events.
    pub(crate) fn new(events: &'a dyn Events) -> Outbox<'a> {
        Outbox { events }
    }

    /// The messages of a month, by id.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails.
    pub(crate) async fn entries(&self, month: &str) -> Result<Vec<Entry>> {
        Ok(entries(month, &self.events.names(month).await?))
    }

    /// Queues a message in a month, unless it was queued before, and says whether it did.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails.
    pub(crate) async fn queue(&self, month: &str, queued: &Queued) -> Result<bool> {
        self.events.create(&format!("{month}/{}/1-queued.json", queued.id()), json(queued)?).await
    }

    /// Queues a message once more, and returns it as it is then. Of two who ask at the same time one does.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails.
    pub(crate) async fn queue_again(&self, entry: &Entry, now: Timestamp) -> Result<Option<Entry>> {
        let queued = self.queued(entry).await?;
        let queued = Queued { at: now, again: queued.again + 1, ..queued };
        let number = entry.number + 1;
        let is_first = self.events.create(&entry.event(number, State::Queued.name()), json(&queued)?).await?;
        let again = Entry { number, queued: number, state: State::Queued, recorded: false, ..entry.clone() };
        Ok(is_first.then_some(again))
    }

    /// What a message is.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails, `Data` when the event cannot be read.
    pub(crate) async fn queued(&self, entry: &Entry) -> Result<Queued> {
        self.read(&entry.event(entry.queued, State::Queued.name())).await
    }

    /// How the last attempt ended; `None` before one has.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails, `Data` when the event cannot be read.
    pub(crate) async fn ended(&self, entry: &Entry) -> Result<Option<Ended>> {
        match entry.state {
            State::Queued | State::Sending => Ok(None),
            state => self.read(&entry.event(entry.number, state.name())).await.map(Some),
        }
    }

    /// When the process began that was last to send, and whether it is gone.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails, `Data` when the event cannot be read.
    pub(crate) async fn abandoned(&self, entry: &Entry, here: &Process, now: Timestamp) -> Result<Option<Timestamp>> {
        if entry.state != State::Sending {
            return Ok(None);
        }
        let sending: Sending = self.read(&entry.event(entry.number, State::Sending.name())).await?;
        let is_late = now.duration_since(sending.at) > SENDING_LIMIT;
        Ok((is_late || here.knows_gone(&sending.process)).then_some(sending.at))
    }

    /// Whether the time for an attempt has come: at once for what is queued, after its pause for what has failed.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails, `Data` when the event cannot be read.
    pub(crate) async fn next_attempt(&self, entry: &Entry, queued: &Queued) -> Result<Option<Timestamp>> {
        match entry.state {
            State::Queued => Ok(Some(queued.at)),
            State::Failed => Ok(self.ended(entry).await?.and_then(|ended| ended.not_before)),
            _ => Ok(None),
        }
    }

    /// Takes the right to send. `None` where another process has it.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails: then nothing may be sent.
    pub(crate) async fn claim(&self, entry: &Entry, process: &Process, now: Timestamp) -> Result<Option<Claim<'a>>> {
        if !matches!(entry.state, State::Queued | State::Failed) {
            return Ok(None);
        }
        let attempt = self.ended(entry).await?.map_or(0, |ended| ended.attempt) + 1;
        let sending = Sending { format: FORMAT, at: now, attempt, process: process.clone() };
        let number = entry.number + 1;
        if !self.events.create(&entry.event(number, State::Sending.name()), json(&sending)?).await? {
            return Ok(None);
        }
        Ok(Some(Claim { outbox: *self, entry: Entry { number, state: State::Sending, ..entry.clone() }, attempt }))
    }

    /// Notes that the end of a message is a row of system.deliveries; says whether this process was the first.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails.
    pub(crate) async fn set_recorded(&self, entry: &Entry, now: Timestamp) -> Result<bool> {
        let content = json(&serde_json::json!({ "format": FORMAT, "at": now }))?;
        self.events.create(&entry.event(entry.number, RECORDED), content).await
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T> {
        let missing = || Error::data(format!("the outbox has lost its event {name}"));
        let bytes = self.events.read(name).await?.ok_or_else(missing)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let error = Error::data(format!("the event {name} of the outbox cannot be read: {error}"));
            error.hint("update perennial if a newer version has written it; otherwise delete the message's folder")
        })
    }
}

/// The right to send a message, once.
pub(crate) struct Claim<'a> {
    outbox: Outbox<'a>,
    entry: Entry,
    attempt: u32,
}

impl Claim<'_> {
    /// Writes how the attempt ended, and returns the entry as it is now. An attempt that fails a day after the message was
    /// queued is the last one.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails; the message then counts as unknown.
    pub(crate) async fn end(
        self,
        queued: &Queued,
        outcome: &Outcome,
        message_id: Option<String>,
        now: Timestamp,
    ) -> Result<(Entry, Ended)> {
        let state = match outcome {
            Outcome::Sent { .. } => State::Sent,
            Outcome::Refused(_) => State::Refused,
            Outcome::Failed(_) if is_overdue(queued, now) => State::GivenUp,
            Outcome::Failed(_) => State::Failed,
            Outcome::Unknown(_) => State::Unknown,
        };
        let mut ended = Ended { message_id, ..Ended::new(now, self.attempt, String::new()) };
        match outcome {
            Outcome::Sent { answer } => ended.text.clone_from(answer),
            Outcome::Refused(reason) | Outcome::Failed(reason) | Outcome::Unknown(reason) => {
                (ended.code, ended.text, ended.hint) = (reason.code.clone(), reason.text.clone(), reason.hint.clone());
                if state == State::Failed {
                    let asked = reason.retry_after.and_then(|wait| SignedDuration::try_from(wait).ok());
                    let wait = pause(self.attempt).max(asked.unwrap_or_default().min(MAX_PAUSE));
                    ended.not_before = Some(now.checked_add(wait).unwrap_or(now));
                }
            }
        }
        self.write(state, ended).await
    }

    /// Writes that the message is not sent any more, and why.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails.
    pub(crate) async fn give_up(self, why: &str, now: Timestamp) -> Result<(Entry, Ended)> {
        let ended = Ended::new(now, self.attempt - 1, why.to_string());
        self.write(State::GivenUp, ended).await
    }

    async fn write(self, state: State, ended: Ended) -> Result<(Entry, Ended)> {
        let number = self.entry.number + 1;
        self.outbox.events.create(&self.entry.event(number, state.name()), json(&ended)?).await?;
        Ok((Entry { number, state, ..self.entry }, ended))
    }
}

/// Whether a message that cannot be sent now is to be given up.
pub(crate) fn is_overdue(queued: &Queued, now: Timestamp) -> bool {
    now.duration_since(queued.at) >= GIVE_UP_AFTER
}

/// The pause after so many attempts.
fn pause(attempts: u32) -> SignedDuration {
    let doubled = FIRST_PAUSE.checked_mul(1_i32.checked_shl(attempts.saturating_sub(1)).unwrap_or(i32::MAX));
    doubled.filter(|pause| pause.is_positive()).map_or(MAX_PAUSE, |pause| pause.min(MAX_PAUSE))
}

/// The folder of a message: the month, in UTC, of what it is about.
pub(crate) fn month_of(time: Timestamp) -> String {
    time.strftime("%Y-%m").to_string()
}

/// The month of a time and the one before it.
pub(crate) fn recent_months(now: Timestamp) -> BTreeSet<String> {
    let first = now.to_zoned(jiff::tz::TimeZone::UTC).date().first_of_month();
    let before = first.yesterday().unwrap_or(first);
    BTreeSet::from([before.strftime("%Y-%m").to_string(), month_of(now)])
}

/// The name of the mark that an end is a row of system.deliveries.
const RECORDED: &str = "recorded";

/// The messages that the names of events tell of. Other names are left out.
fn entries(month: &str, names: &[String]) -> Vec<Entry> {
    let mut found: BTreeMap<&str, Entry> = BTreeMap::new();
    let mut recorded: BTreeSet<(&str, u32)> = BTreeSet::new();
    for name in names {
        let Some((id, event)) = name.strip_prefix(month).and_then(|rest| rest.strip_prefix('/')?.split_once('/'))
        else {
            continue;
        };
        let Some((number, state)) = event.strip_suffix(".json").and_then(|event| event.split_once('-')) else {
            continue;
        };
        let Ok(number) = number.parse::<u32>() else { continue };
        if state == RECORDED {
            recorded.insert((id, number));
            continue;
        }
        let Some(state) = State::from_name(state) else { continue };
        let first =
            || Entry { month: month.to_string(), id: id.to_string(), state, number, queued: 0, recorded: false };
        let entry = found.entry(id).or_insert_with(first);
        if (number, state) > (entry.number, entry.state) {
            (entry.number, entry.state) = (number, state);
        }
        if state == State::Queued {
            entry.queued = entry.queued.max(number);
        }
    }
    // Without its first event nobody knows what it is.
    let mut entries: Vec<Entry> = found.into_values().filter(|entry| entry.queued > 0).collect();
    entries.iter_mut().for_each(|entry| entry.recorded = recorded.contains(&(entry.id.as_str(), entry.number)));
    entries
}

fn json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::bug(format!("an event of the outbox cannot be written: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_month_before_is_recent_on_every_day_of_a_month() {
        for (now, months) in [
            ("2026-10-01T00:00:00Z", ["2026-09", "2026-10"]),
            ("2026-03-01T12:00:00Z", ["2026-02", "2026-03"]),
            ("2026-03-31T23:59:59Z", ["2026-02", "2026-03"]),
            ("2027-01-31T00:00:00Z", ["2026-12", "2027-01"]),
        ] {
            assert_eq!(recent_months(now.parse().unwrap()).into_iter().collect::<Vec<_>>(), months, "{now}");
        }
    }
}
