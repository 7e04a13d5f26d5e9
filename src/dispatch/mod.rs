//! Who gets what: editions to their recipients, news of the pipelines to those who watch them, with an outbox in the lake
//! that says what was sent.
//!
//! [`Dispatch::deliver`] works out what is due (`due`, from the editions in `pages` and the rows in `rows`), queues it and
//! makes a pass over the outbox (`outbox`, `pass`); `transports` packs what `perennial_delivery` carries. [`Dispatch::after_run`]
//! does the same after a run and tells how it ended (`ended_run`, `notices`, `streak`). `status` and `metrics` say how all of it
//! stands.

mod carrier;
mod due;
mod ended_run;
mod metrics;
mod notices;
mod outbox;
mod pages;
mod pass;
mod preview;
mod process;
mod recipients;
mod rows;
mod run_history;
mod status;
mod streak;
#[cfg(test)]
mod testing;
mod texts;
mod transports;

use crate::flow::{Event, Invoker, Observer, Reader};
use carrier::Clock;
use jiff::Timestamp;
use metrics::OutboxCounts;
use notices::{Notices, Reason, Subject, local};
use outbox::{Ended, Entry, Outbox, Queued, State};
use pass::{Pass, SUPERSEDED, described};
use perennial_core::error::{Error, Kind, Problems, Result};
use perennial_delivery::{Signal, ping};
use perennial_lake::history::{DeliveryRecord, Row};
use perennial_lake::{Lake, is_run_id, new_run_id};
use perennial_project::{NotifyOn, Project};
use process::Process;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use transports::Transports;

pub(crate) use ended_run::EndedRun;
pub(crate) use outbox::{State as DeliveryState, What};
pub(crate) use preview::TestMail;
pub(crate) use status::{PipelineState, PipelineStatus, SchedulerState, Status};

/// What dispatch works with.
#[derive(Clone, Copy)]
pub(crate) struct Dispatch<'a> {
    /// The project.
    pub project: &'a Project,
    /// Its lake.
    pub lake: &'a Lake,
    /// Who runs it.
    pub invoker: &'a Invoker,
    /// Now.
    pub now: Timestamp,
    /// Receives notes.
    pub observer: &'a dyn Observer,
    /// A folder into which everything goes instead of leaving the machine, as in a simulation.
    pub into: Option<&'a Path>,
}

/// What became of what was due.
#[derive(Debug, Default)]
pub(crate) struct Dispatched {
    /// Messages that have ended, with their reports, recipients and answers.
    pub ended: Vec<Delivered>,
    /// Messages that wait for another attempt.
    pub waiting: usize,
    /// The earliest of these attempts.
    pub next: Option<Timestamp>,
    /// What went wrong. None of it concerns the run.
    pub problems: Problems,
}

/// A message of the outbox, for people and programs.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Delivered {
    /// Its id.
    pub id: String,
    /// How far it is.
    pub state: State,
    /// What it is.
    #[serde(flatten)]
    pub queued: Queued,
    /// How its last attempt ended.
    pub ended: Option<Ended>,
}

/// Messages that a notice names.
const MAX_SHOWN: usize = 20;

/// One pass at a time in a process: of two, each would issue the same pages for rows.
static PASS: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl<'a> Dispatch<'a> {
    /// Says that a run begins, to the dead-man's switch.
    pub(crate) async fn before_run(&self) {
        self.ping(Signal::Start, "").await;
    }

    /// Everything that follows from the end of a run: metrics, news, and where `delivers` says so what is due. Nothing of it
    /// fails the run.
    pub(crate) async fn after_run(&self, ended: &EndedRun<'_>, delivers: bool) -> Dispatched {
        let mut dispatched = Dispatched::default();
        let mut problems = Problems::new();
        problems.keep(metrics::remember(self.lake, ended, self.now).await);
        if delivers {
            problems.keep(self.tell_of_run(ended, &mut dispatched.problems).await);
            match self.send_due().await {
                Ok(delivered) => {
                    let before = std::mem::take(&mut dispatched.problems);
                    dispatched = delivered;
                    problems.extend(before);
                }
                Err(more) => problems.extend(more),
            }
            problems.keep(self.tell_later(&mut dispatched).await);
            self.ping_end(ended).await;
        }
        if self.project.metrics_file.is_some() {
            let written = self.write_metrics(None).await;
            problems.keep(written);
        }
        problems.extend(std::mem::take(&mut dispatched.problems));
        Dispatched { problems, ..dispatched }
    }

    /// Sends what is due, and what may be tried again; notices as well.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails; mistakes in the project.
    pub(crate) async fn deliver(&self) -> Result<Dispatched, Problems> {
        let mut problems = Problems::new();
        let transports = Transports::new(self.project, self.into, self.now)?;
        self.notices(&transports).tell_pending(&mut problems).await?;
        transports.close().await;
        let mut dispatched = self.send_due().await?;
        self.tell_later(&mut dispatched).await?;
        problems.extend(std::mem::take(&mut dispatched.problems));
        Ok(Dispatched { problems, ..dispatched })
    }

    /// Notices that could not be sent are another reason for a next attempt.
    async fn tell_later(&self, dispatched: &mut Dispatched) -> Result<()> {
        if self.project.notify.is_empty() {
            return Ok(());
        }
        let transports = Transports::new(self.project, self.into, self.now)?;
        let at = self.notices(&transports).next_attempt().await;
        transports.close().await;
        dispatched.next = [dispatched.next, at?].into_iter().flatten().min();
        Ok(())
    }

    /// Sends messages that are due, and those that may be tried again.
    async fn send_due(&self) -> Result<Dispatched, Problems> {
        let _only = PASS.lock().await;
        let transports = Transports::new(self.project, self.into, self.now)?;
        let due = recipients::due(self).await?;
        due.notes.iter().for_each(|note| self.observer.event(Event::Note(note.clone())));
        let outbox = Outbox::new(self.lake);
        let mut months = outbox::recent_months(self.now);
        months.extend(due.messages.iter().map(|(month, _)| month.clone()));
        months.extend(due.settled.iter().map(|(month, _)| month.clone()));
        let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
        for month in &months {
            entries.extend(outbox.entries(month).await?.into_iter().map(|entry| (entry.id.clone(), entry)));
        }
        for (month, queued) in &due.messages {
            let id = queued.id();
            if !entries.contains_key(&id) && outbox.queue(month, queued).await? {
                entries.insert(id.clone(), Entry::new(month, &id));
            }
        }
        recipients::settle(self, &due).await?;
        for entry in entries.values_mut().filter(|entry| entry.state == State::GivenUp && due.is_due(&entry.id)) {
            // It was not wanted for a while, as when its delivery was removed and put back.
            let ended = outbox.ended(entry).await;
            if ended.ok().flatten().is_some_and(|ended| ended.text == SUPERSEDED)
                && let Some(again) = outbox.queue_again(entry, self.now).await?
            {
                *entry = again;
            }
        }
        let here = Process::of(self.invoker);
        let clock = Clock::at(self.now);
        let pass = Pass { outbox, carrier: &transports, process: &here, clock };
        let all: Vec<Entry> = entries.into_values().collect();
        let passed = pass.over(&all, |entry, queued| due.wants(entry, queued)).await;
        transports.close().await;
        let passed = passed?;
        let mut dispatched =
            Dispatched { ended: Vec::new(), waiting: passed.waiting, next: passed.next, problems: due.problems };
        dispatched.problems.extend(passed.problems);
        let mut ended = passed.ended;
        let done: BTreeSet<String> = ended.iter().map(|(entry, ..)| entry.id.clone()).collect();
        for entry in all.iter().filter(|entry| !entry.recorded && !done.contains(&entry.id)) {
            ended.extend(kept(self.ended_before(outbox, entry, &here).await, &mut dispatched.problems)?.flatten());
        }
        self.tell_row_problems(&mut dispatched.problems).await?;
        self.record(outbox, &ended, &mut dispatched.problems).await?;
        for (entry, queued, end) in ended {
            if entry.state != State::GivenUp || end.text != SUPERSEDED {
                dispatched.ended.push(Delivered { id: entry.id, state: entry.state, queued, ended: Some(end) });
            }
        }
        Ok(dispatched)
    }

    /// A message that has ended without having been recorded: its process has died, or somewhere between.
    async fn ended_before(
        &self,
        outbox: Outbox<'_>,
        entry: &Entry,
        here: &Process,
    ) -> Result<Option<(Entry, Queued, Ended)>> {
        if let Some(since) = outbox.abandoned(entry, here, self.now).await? {
            let text = "the process that was sending it has ended, and nobody knows whether it was sent".to_string();
            let entry = entry.in_state(State::Unknown);
            let queued = outbox.queued(&entry).await?;
            return Ok(Some((entry, queued, Ended::new(since, 0, text))));
        }
        match entry.state.is_end() {
            true => match outbox.ended(entry).await? {
                Some(ended) => Ok(Some((entry.clone(), outbox.queued(entry).await?, ended))),
                None => Ok(None),
            },
            false => Ok(None),
        }
    }

    /// Writes rows of system.deliveries, and tells of what was not delivered.
    async fn record(
        &self,
        outbox: Outbox<'_>,
        ended: &[(Entry, Queued, Ended)],
        problems: &mut Problems,
    ) -> Result<()> {
        if ended.is_empty() {
            return Ok(());
        }
        let rows: Vec<DeliveryRecord> = ended.iter().map(|(entry, queued, end)| row(entry, queued, end)).collect();
        let id = self.next_id().await?;
        self.lake.append_system(DeliveryRecord::TABLE, &id, &DeliveryRecord::batch(&rows)?).await?;
        let mut failed = Vec::new();
        for (entry, queued, end) in ended {
            let is_first = outbox.set_recorded(entry, self.now).await?;
            let is_news = match entry.state {
                State::Sent => false,
                State::GivenUp => end.text != SUPERSEDED,
                _ => true,
            };
            if is_first && is_news {
                failed.push((entry, queued, end));
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        self.tell_undelivered(&failed, problems).await
    }

    async fn tell_undelivered(&self, failed: &[(&Entry, &Queued, &Ended)], problems: &mut Problems) -> Result<()> {
        let line = |(entry, queued, end): &(&Entry, &Queued, &Ended)| {
            format!("{}: {}: {}", described(queued), entry.state.name().replace('_', " "), end.text)
        };
        let shown = failed.iter().take(MAX_SHOWN);
        let mut lines: Vec<String> = shown.clone().map(line).collect();
        let mut to_do: Vec<String> = shown.clone().filter_map(|(_, _, end)| end.hint.clone()).collect();
        to_do.dedup();
        to_do.push("perennial deliver --again ID    sends one of them once more:".to_string());
        to_do.extend(shown.map(|(entry, queued, _)| format!("  {}  {}", entry.id, queued.recipient)));
        if failed.len() > MAX_SHOWN {
            lines.push(format!("and {} more", failed.len() - MAX_SHOWN));
            to_do.push("perennial deliver list --open    lists all of them".to_string());
        }
        let headline = match failed {
            [(entry, queued, _)] => match entry.state {
                State::Unknown => format!("{} may not have been sent", described(queued)),
                state => format!("{} was {}", described(queued), state.name().replace('_', " ")),
            },
            _ => format!("{} messages were not delivered, or may not have been", failed.len()),
        };
        let reason = Reason { key: String::new(), headline, lines, to_do };
        let subject = Subject { on: NotifyOn::Delivery, pipeline: "", about: Some("delivery"), facts: Vec::new() };
        let transports = Transports::new(self.project, self.into, self.now)?;
        let told = self.notices(&transports).tell_once(&subject, &reason, problems).await;
        transports.close().await;
        told
    }

    /// Tells of rows that nothing can be sent for, as long as there are some.
    async fn tell_row_problems(&self, problems: &mut Problems) -> Result<()> {
        if self.project.notify.is_empty() {
            return Ok(());
        }
        let found = recipients::row_problems(self).await?;
        let mut lines: Vec<String> = found.iter().take(MAX_SHOWN).map(|problem| problem.message.clone()).collect();
        let mut to_do: Vec<String> = found.iter().filter_map(|problem| problem.hint.clone()).take(MAX_SHOWN).collect();
        to_do.dedup();
        let headline = match lines.as_slice() {
            [only] => only.clone(),
            _ => format!("{} rows of the deliveries cannot be used", found.len()),
        };
        if found.len() > MAX_SHOWN {
            lines.push(format!("and {} more", found.len() - MAX_SHOWN));
        }
        let reason = (!found.is_empty()).then(|| Reason { key: lines.join("\n"), headline, lines, to_do });
        let subject = Subject { on: NotifyOn::Delivery, pipeline: "", about: Some("rows"), facts: Vec::new() };
        let transports = Transports::new(self.project, self.into, self.now)?;
        let told = self.notices(&transports).see(&subject, reason.as_ref(), problems).await;
        transports.close().await;
        told.map(drop)
    }

    /// Tells how a run ended, of its warnings, and of sources that are late.
    async fn tell_of_run(&self, ended: &EndedRun<'_>, problems: &mut Problems) -> Result<()> {
        if self.project.notify.is_empty() {
            return Ok(());
        }
        let transports = Transports::new(self.project, self.into, self.now)?;
        let notices = self.notices(&transports);
        // Before what is new, which is not tried twice at once.
        notices.tell_pending(problems).await?;
        let facts = self.facts(ended.pipeline, ended.scheduled_for, ended.run_id());
        let subject = |on| Subject { on, pipeline: ended.pipeline, about: None, facts: facts.clone() };
        let failure = ended.failure();
        // An attempt that is followed by another one is not the end.
        let mut is_told = false;
        if failure.is_none() || !ended.is_tried_again {
            is_told = notices.see(&subject(NotifyOn::Failure), failure.as_ref(), problems).await?;
        }
        if failure.is_none() {
            // The same run ends both, and one notice says that it is good again.
            match is_told {
                true => notices.end(&subject(NotifyOn::Deadline)).await?,
                false => drop(notices.see(&subject(NotifyOn::Deadline), None, problems).await?),
            }
            notices.see(&subject(NotifyOn::Warning), ended.warnings().as_ref(), problems).await?;
        }
        if let Some(records) = ended.sources() {
            for (source, late) in ended_run::late_sources(self.project, records, self.now) {
                let about = Subject { about: Some(&source), ..subject(NotifyOn::LateSource) };
                notices.see(&about, late.as_ref(), problems).await?;
            }
        }
        transports.close().await;
        Ok(())
    }

    /// Tells that the time by which a run had to have succeeded has passed. The next run that succeeds ends it.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails.
    pub(crate) async fn tell_deadline(
        &self,
        pipeline: &str,
        scheduled_for: Timestamp,
        deadline: Timestamp,
    ) -> Result<Problems> {
        let at = local(self.project, deadline);
        let reason = Reason {
            key: "deadline".to_string(),
            headline: "has not finished in time".to_string(),
            lines: vec![format!("a run had to have succeeded by {at}, and none has")],
            to_do: vec!["perennial status    shows whether a run is going on, waiting, or failing".to_string()],
        };
        self.tell(NotifyOn::Deadline, pipeline, Some(scheduled_for), &reason).await
    }

    /// Tells that a pipeline waited in vain for its sources.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails.
    pub(crate) async fn tell_late_sources(
        &self,
        pipeline: &str,
        scheduled_for: Timestamp,
        late: &[String],
        runs: bool,
    ) -> Result<Problems> {
        let what = if runs { "it runs without their new rows" } else { "it does not run" };
        let reason = Reason {
            key: "waited".to_string(),
            headline: format!("its sources are late; {what}"),
            lines: late.to_vec(),
            to_do: vec![format!("perennial run {pipeline}    runs it when they have come")],
        };
        self.tell(NotifyOn::LateSource, pipeline, Some(scheduled_for), &reason).await
    }

    /// Tells that nothing came of a time at which a run was due, as a failure, and the dead-man's switch as well.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails.
    pub(crate) async fn tell_missed(
        &self,
        pipeline: &str,
        scheduled_for: Timestamp,
        why: &str,
        to_do: String,
    ) -> Result<Problems> {
        self.ping(Signal::Fail, &format!("{pipeline}: {why}")).await;
        let reason = Reason { key: why.to_string(), headline: why.to_string(), lines: Vec::new(), to_do: vec![to_do] };
        self.tell(NotifyOn::Failure, pipeline, Some(scheduled_for), &reason).await
    }

    async fn tell(
        &self,
        on: NotifyOn,
        pipeline: &str,
        scheduled_for: Option<Timestamp>,
        reason: &Reason,
    ) -> Result<Problems> {
        let mut problems = Problems::new();
        let transports = Transports::new(self.project, self.into, self.now)?;
        let facts = self.facts(pipeline, scheduled_for, None);
        let subject = Subject { on, pipeline, about: None, facts };
        let notices = self.notices(&transports);
        match on {
            // That one run has waited in vain does not last.
            NotifyOn::LateSource => notices.tell_once(&subject, reason, &mut problems).await?,
            _ => {
                notices.see(&subject, Some(reason), &mut problems).await?;
            }
        }
        transports.close().await;
        Ok(problems)
    }

    fn notices<'n>(&'n self, transports: &'n Transports<'n>) -> Notices<'n> {
        Notices { project: self.project, lake: self.lake, teller: transports, now: self.now }
    }

    fn facts(&self, pipeline: &str, planned: Option<Timestamp>, run_id: Option<&str>) -> Vec<(String, String)> {
        let mut facts = vec![("pipeline".to_string(), pipeline.to_string())];
        facts.extend(planned.map(|planned| ("planned for".to_string(), local(self.project, planned))));
        facts.extend(run_id.map(|run_id| ("run".to_string(), run_id.to_string())));
        facts.push(("machine".to_string(), self.invoker.host.clone()));
        facts.push(("project".to_string(), self.project.root.display().to_string()));
        facts
    }

    async fn ping_end(&self, ended: &EndedRun<'_>) {
        if ended.is_tried_again {
            return;
        }
        let signal = match ended.exit_code() {
            0 => Signal::Success,
            code => Signal::Exit(code),
        };
        let body = ended.failure().map(|reason| reason.lines.join("\n")).unwrap_or_default();
        self.ping(signal, &body).await;
    }

    async fn ping(&self, signal: Signal, body: &str) {
        let Some(url) = self.project.ping.as_ref().filter(|_| self.into.is_none()) else { return };
        if let Some(reason) = ping(url, signal, body).await {
            self.observer.event(Event::Note(format!("{reason}; the run does not depend on it")));
        }
    }

    /// Writes the metrics to a file; to that of the project where none is given.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails or the file cannot be written.
    pub(crate) async fn write_metrics(&self, file: Option<&Path>) -> Result<()> {
        let Some(file) = file.or(self.project.metrics_file.as_deref()) else { return Ok(()) };
        let counts = self.outbox_counts().await?;
        metrics::write(file, &metrics::text(self.lake, counts).await?)
    }

    async fn outbox_counts(&self) -> Result<OutboxCounts> {
        let mut counts = OutboxCounts::default();
        let (messages, _) = self.outbox(false).await?;
        for delivered in messages {
            match delivered.state {
                State::Queued | State::Failed | State::Sending => counts.waiting += 1,
                State::Unknown => counts.unknown += 1,
                State::Refused | State::GivenUp => counts.not_delivered += 1,
                State::Sent => {}
            }
        }
        Ok(counts)
    }

    /// The messages of the outbox of this month and the one before, oldest first; without those that were sent or not needed
    /// any more where `all` does not ask for them. One whose process is gone is unknown; those that cannot be read are
    /// problems.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails.
    pub(crate) async fn outbox(&self, all: bool) -> Result<(Vec<Delivered>, Problems)> {
        let outbox = Outbox::new(self.lake);
        let here = Process::of(self.invoker);
        let (mut found, mut problems) = (Vec::new(), Problems::new());
        for month in outbox::recent_months(self.now) {
            for entry in outbox.entries(&month).await? {
                if !all && entry.state == State::Sent {
                    continue;
                }
                let delivered = kept(self.delivered(outbox, &entry, &here).await, &mut problems)?;
                let is_superseded = |message: &Delivered| message.ended.as_ref().is_some_and(|e| e.text == SUPERSEDED);
                found.extend(delivered.filter(|message| all || !is_superseded(message)));
            }
        }
        found.sort_by(|a, b| (a.queued.at, &a.id).cmp(&(b.queued.at, &b.id)));
        Ok((found, problems))
    }

    async fn delivered(&self, outbox: Outbox<'_>, entry: &Entry, here: &Process) -> Result<Delivered> {
        let (state, ended) = match self.ended_before(outbox, entry, here).await? {
            Some((entry, _, ended)) => (entry.state, Some(ended)),
            None => (entry.state, outbox.ended(entry).await?),
        };
        Ok(Delivered { id: entry.id.clone(), state, queued: outbox.queued(entry).await?, ended })
    }

    /// Queues a message once more that was refused, given up, or may not have been sent.
    ///
    /// # Errors
    /// `Project` when there is no such message, it was sent, or its edition is no longer the newest.
    pub(crate) async fn queue_again(&self, id: &str) -> Result<(), Problems> {
        let outbox = Outbox::new(self.lake);
        let here = Process::of(self.invoker);
        let mut found = Vec::new();
        for month in outbox::recent_months(self.now) {
            found.extend(outbox.entries(&month).await?.into_iter().filter(|entry| entry.id.starts_with(id)));
        }
        let entry = match found.as_slice() {
            [entry] if !id.is_empty() => entry,
            [] => {
                let error = Error::project(format!("the outbox has no message `{id}` of this month or the last"));
                return Err(error.hint("`perennial deliver list` lists its messages").into());
            }
            several => {
                let error = Error::project(format!("{} messages begin with `{id}`", several.len()));
                return Err(error.hint("`perennial deliver list` lists them; add characters").into());
            }
        };
        let queued = outbox.queued(entry).await?;
        match entry.state {
            State::Sent => {
                let error = Error::project(format!("{} was sent", described(&queued)));
                return Err(error.hint("`perennial deliver --test ADDRESS` sends a page to one address").into());
            }
            State::Queued | State::Failed => {
                let error = Error::project(format!("{} is going to be sent by itself", described(&queued)));
                return Err(error.hint("`perennial deliver` sends what is due").into());
            }
            State::Sending if outbox.abandoned(entry, &here, self.now).await?.is_none() => {
                let error = Error::unreachable(format!("{} is being sent by another process", described(&queued)));
                return Err(error.hint("wait until it has ended").into());
            }
            _ => {}
        }
        let due = recipients::due(self).await?;
        if !due.wants(entry, &queued) {
            let error = Error::project(format!("{} cannot be sent again: {SUPERSEDED}", described(&queued)));
            return Err(error.hint("`perennial deliver` sends the newest edition").into());
        }
        outbox.queue_again(entry, self.now).await?;
        Ok(())
    }

    /// An id of a run for what is recorded now, greater than all before.
    async fn next_id(&self) -> Result<String> {
        let files = self.lake.system_files().await?.of(DeliveryRecord::TABLE);
        let id = |path: &str| {
            let name = path.rsplit('/').next()?;
            let last = name.rsplit_once("_to_").map_or(name, |(_, last)| last);
            last.get(..21).filter(|id| is_run_id(id)).map(str::to_string)
        };
        let written = files.iter().filter_map(|file| id(&file.path)).max();
        let last = self.lake.last_run_id(written.as_deref()).await?;
        Ok(new_run_id(self.now, last.as_deref()))
    }

    /// The run of every pipeline that succeeded last, by pipeline.
    async fn last_good_runs(&self) -> Result<BTreeMap<String, String>> {
        let reader = Reader::for_queries(self.project, None).await?;
        let histories = run_history::by_pipeline(&reader, self.only_pipeline()).await?;
        let good = histories.into_iter().filter_map(|(name, history)| Some((name, history.last_good?.run_id)));
        Ok(good.collect())
    }

    fn only_pipeline(&self) -> Option<&str> {
        match self.project.pipelines.as_slice() {
            [only] => Some(&only.name),
            _ => None,
        }
    }
}

/// A message, unless it is damaged: that is a problem of it and keeps no other back.
fn kept<T>(read: Result<T>, problems: &mut Problems) -> Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == Kind::Data => {
            problems.push(error);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The row of system.deliveries of a message that has ended.
fn row(entry: &Entry, queued: &Queued, end: &Ended) -> DeliveryRecord {
    let kind = match queued.what {
        What::Edition => "edition",
        What::NotIssued => "not_issued",
    };
    let parameters = (!queued.parameters.is_empty()).then(|| serde_json::to_string(&queued.parameters).ok()).flatten();
    DeliveryRecord {
        id: entry.id.clone(),
        at: end.at,
        kind: kind.to_string(),
        report: queued.report.clone(),
        period: queued.period.clone(),
        parameters,
        edition: queued.edition.into(),
        release: queued.release,
        run_id: queued.run_id.clone(),
        delivery: queued.delivery.clone(),
        channel: queued.channel.name().to_string(),
        recipient: queued.recipient.clone(),
        language: (!queued.language.is_empty()).then(|| queued.language.clone()),
        message_id: end.message_id.clone(),
        state: entry.state.name().to_string(),
        code: end.code.clone(),
        answer: end.text.clone(),
        attempts: (end.attempt > 0).then(|| end.attempt.into()),
    }
}
