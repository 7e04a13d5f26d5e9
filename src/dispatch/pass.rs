//! One pass over the outbox: what is due is sent, what waits is left, what is overdue is given up.

use super::carrier::{Carrier, Clock};
use super::outbox::{ANSWER_LIMIT, Channel, Ended, Entry, FIRST_PAUSE, Outbox, Queued, State, is_overdue};
use super::process::Process;
use jiff::Timestamp;
use perennial_core::error::{Error, Kind, Problems, Result};
use perennial_delivery::{Outcome, Reason};
use std::collections::BTreeSet;

/// What a pass over the outbox has come to.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// What has ended in this pass, or was found to have been abandoned.
    pub ended: Vec<(Entry, Queued, Ended)>,
    /// Messages that wait for another attempt.
    pub waiting: usize,
    /// The earliest of these attempts.
    pub next: Option<Timestamp>,
    /// Messages that could not be made ready or read, and why others wait: once a server and reason.
    pub problems: Problems,
}

/// One pass over the outbox.
pub(crate) struct Pass<'a> {
    pub outbox: Outbox<'a>,
    pub carrier: &'a dyn Carrier,
    pub process: &'a Process,
    pub clock: Clock,
}

/// Why a message is not wanted any more.
pub(crate) const SUPERSEDED: &str = "a newer edition has taken its place, or it is no longer declared";

impl Pass<'_> {
    /// Goes through messages. `is_wanted` says whether a message that has not been sent yet still is.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails: nothing is sent that cannot be noted before.
    pub(crate) async fn over(&self, entries: &[Entry], is_wanted: impl Fn(&Entry, &Queued) -> bool) -> Result<Passed> {
        let mut passed = Passed::default();
        let mut asked = Asked::default();
        for entry in entries.iter().filter(|entry| matches!(entry.state, State::Queued | State::Failed)) {
            match self.one(entry, &is_wanted, &mut asked, &mut passed).await {
                // What is damaged keeps no other message back.
                Err(error) if error.kind() == Kind::Data => passed.problems.push(error),
                other => other?,
            }
        }
        Ok(passed)
    }

    async fn one(
        &self,
        entry: &Entry,
        is_wanted: impl Fn(&Entry, &Queued) -> bool,
        asked: &mut Asked,
        passed: &mut Passed,
    ) -> Result<()> {
        let queued = self.outbox.queued(entry).await?;
        let now = self.clock.now();
        // Whoever waits for it does not ask again at once.
        let soon = now.checked_add(FIRST_PAUSE).unwrap_or(now);
        if !is_wanted(entry, &queued) {
            return self.give_up(entry, queued, SUPERSEDED, passed).await;
        }
        // All mail goes to one server.
        let server = match queued.channel {
            Channel::Mail => (Channel::Mail, String::new()),
            other => (other, queued.recipient.clone()),
        };
        let at = self.outbox.next_attempt(entry, &queued).await?.unwrap_or(now);
        if at > now {
            if let Some(ended) = self.outbox.ended(entry).await? {
                let reason = Reason { code: ended.code, text: ended.text, hint: ended.hint, ..Reason::default() };
                asked.say(server, &queued, reason, passed);
            }
            passed.waits(at);
            return Ok(());
        }
        if asked.silent.contains(&server) {
            match is_overdue(&queued, now) {
                true => self.give_up(entry, queued, "the server has not answered for a day", passed).await?,
                false => passed.waits(soon),
            }
            return Ok(());
        }
        let prepared = match self.carrier.prepare(&queued).await {
            Ok(prepared) => prepared,
            Err(error) if is_overdue(&queued, now) => {
                return self.give_up(entry, queued, error.message(), passed).await;
            }
            Err(error) => {
                passed.problems.push(error.context(described(&queued)));
                passed.waits(soon);
                return Ok(());
            }
        };
        let Some(claim) = self.outbox.claim(entry, self.process, self.clock.now()).await? else { return Ok(()) };
        let message_id = prepared.message_id().await;
        let outcome = tokio::time::timeout(ANSWER_LIMIT, prepared.send()).await.unwrap_or_else(|_| {
            let text = format!("no answer for {} minutes", ANSWER_LIMIT.as_secs() / 60);
            Outcome::Unknown(Reason { text, ..Reason::default() })
        });
        if matches!(&outcome, Outcome::Failed(reason) if reason.of_server) {
            asked.silent.insert(server.clone());
        }
        let ended = claim.end(&queued, &outcome, message_id, self.clock.now()).await;
        let (entry, ended) = ended.map_err(|error| not_noted(error, &queued, &outcome))?;
        match ended.not_before {
            Some(at) => {
                if let Outcome::Failed(reason) = outcome {
                    asked.say(server, &queued, reason, passed);
                }
                passed.waits(at);
            }
            None => passed.ended.push((entry, queued, ended)),
        }
        Ok(())
    }

    async fn give_up(&self, entry: &Entry, queued: Queued, why: &str, passed: &mut Passed) -> Result<()> {
        if let Some(claim) = self.outbox.claim(entry, self.process, self.clock.now()).await? {
            let (entry, ended) = claim.give_up(why, self.clock.now()).await?;
            passed.ended.push((entry, queued, ended));
        }
        Ok(())
    }
}

/// Where messages go, as far as one pass asks it.
type Server = (Channel, String);

/// What a pass remembers of those it has asked.
#[derive(Default)]
struct Asked {
    /// Those that did not answer, or refused the login: they are asked once in a pass.
    silent: BTreeSet<Server>,
    /// Why messages wait, as far as it was said.
    said: BTreeSet<(Server, String)>,
}

impl Asked {
    /// Says why a message waits, unless another one waits for the same.
    fn say(&mut self, server: Server, queued: &Queued, reason: Reason, passed: &mut Passed) {
        if self.said.insert((server, reason.text.clone())) {
            passed.problems.push(Error::from(reason).context(format!("{} waits", described(queued))));
        }
    }
}

impl Passed {
    fn waits(&mut self, at: Timestamp) {
        self.waiting += 1;
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }
}

/// A message in the words of errors: `management-review 2026-09 to ceo@example.com`.
pub(crate) fn described(queued: &Queued) -> String {
    format!("{} {} to {}", queued.report, queued.period, queued.recipient)
}

/// The lake failed after a message had been sent, or not: which of them is not in the outbox.
fn not_noted(error: Error, queued: &Queued, outcome: &Outcome) -> Error {
    let was = match outcome {
        Outcome::Sent { .. } => "was sent",
        Outcome::Refused(_) => "was refused",
        Outcome::Failed(_) => "was not sent",
        Outcome::Unknown(_) => "may have been sent",
    };
    let id = queued.id();
    error.context(format!("{} {was}, and the outbox does not know it", described(queued))).hint(format!(
        "it counts as unknown and is not sent again by itself; `perennial deliver --again {id}` sends it"
    ))
}

#[cfg(test)]
mod tests;
