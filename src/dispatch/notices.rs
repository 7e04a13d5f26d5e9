//! News of the pipelines for those who watch them: once, then daily while it lasts, and once when it is over. What could not
//! be told is told later.

use super::due::webhook_name;
use super::streak::{self, Streak, Tell};
use jiff::{SignedDuration, Timestamp};
use perennial_core::error::{Error, Problems, Result};
use perennial_delivery::Outcome;
use perennial_lake::{Lake, StateFolder};
use perennial_project::{Address, NotifyOn, NotifyTo, Project, Webhook};

/// Layout of what is remembered.
const FORMAT: u32 = 1;
/// What could not be told for so long is forgotten; `status` still says it.
const FORGET_AFTER: SignedDuration = SignedDuration::from_hours(72);
/// The shortest and the longest pause before what could not be told is tried again.
const PAUSES: (SignedDuration, SignedDuration) = (SignedDuration::from_mins(5), SignedDuration::from_hours(1));

/// News.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Notice {
    /// What makes it this one.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// One line, without the project's name.
    pub title: String,
    /// Whether it is good news.
    pub is_good: bool,
    /// Names and values: pipeline, planned time, run.
    pub facts: Vec<(String, String)>,
    /// What happened, line by line: never a value of a row.
    pub lines: Vec<String>,
    /// What to do.
    pub to_do: Vec<String>,
}

impl Notice {
    /// As the text of a mail: facts in a column, what happened, what to do.
    pub(super) fn text(&self) -> String {
        let width = self.facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let facts: String = self.facts.iter().map(|(name, value)| format!("{name:width$}  {value}\n")).collect();
        let block = |title: &str, lines: &[String]| match lines {
            [] => String::new(),
            lines => format!("\n{title}\n{}", lines.iter().map(|line| format!("  {line}\n")).collect::<String>()),
        };
        let what = block("What happened", &self.lines);
        let gap = if facts.is_empty() { "" } else { "\n" };
        format!("{}\n{gap}{facts}{what}{}", self.title, block("What to do", &self.to_do))
    }
}

/// What goes wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reason {
    /// What it is in short, without counts: another one is news.
    pub key: String,
    /// The end of the title: `test tests.bridge failed`.
    pub headline: String,
    /// More of it.
    pub lines: Vec<String>,
    /// What to do about it.
    pub to_do: Vec<String>,
}

/// Something that people are told of while it lasts.
#[derive(Clone, Debug)]
pub(super) struct Subject<'a> {
    /// What kind of news it is.
    pub on: NotifyOn,
    /// The pipeline.
    pub pipeline: &'a str,
    /// What it is about beside the pipeline: a source.
    pub about: Option<&'a str>,
    /// Facts that each notice begins with.
    pub facts: Vec<(String, String)>,
}

/// Tells one of those who are to be told.
#[async_trait::async_trait]
pub(super) trait Teller: Send + Sync {
    /// By mail.
    async fn mail(&self, to: &Address, notice: &Notice) -> Outcome;
    /// By a webhook.
    async fn webhook(&self, to: &Webhook, notice: &Notice) -> Outcome;
}

/// Somebody who is told, and the name by which they are remembered.
enum Target<'a> {
    Mail(&'a Address),
    Webhook(&'a Webhook),
}

/// What is remembered of a subject.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Remembered {
    format: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    streak: Option<Streak>,
    /// What could not be told, and to whom.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pending: Vec<(String, Notice)>,
}

/// Those who are told, and what they were told.
pub(super) struct Notices<'a> {
    pub project: &'a Project,
    pub lake: &'a Lake,
    pub teller: &'a dyn Teller,
    pub now: Timestamp,
}

impl Notices<'_> {
    /// Takes note that something goes wrong, or does not, and tells it if it is news, and says whether it told that it is
    /// over. What could not be told is a problem and is told later.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails.
    pub async fn see(&self, subject: &Subject<'_>, reason: Option<&Reason>, problems: &mut Problems) -> Result<bool> {
        let has_targets = |on| !self.targets(on, subject.pipeline).is_empty();
        // Who wants to know of the recovery alone is told of it.
        let recovers = subject.on == NotifyOn::Failure;
        if !(has_targets(subject.on) || recovers && has_targets(NotifyOn::Recovery)) {
            return Ok(false);
        }
        let name = object_name(subject);
        let before = self.remembered(&name).await?;
        let (tell, streak) = streak::next(before.streak.clone(), reason.map(|reason| reason.key.as_str()), self.now);
        let mut after = Remembered { format: FORMAT, streak: streak.clone(), pending: before.pending.clone() };
        if let Some(tell) = tell {
            let since = streak.as_ref().map_or(self.now, |streak| streak.since);
            let notice = self.notice(subject, reason, tell, since);
            // What was not told yet is told by the newer one.
            after.pending.clear();
            // That a source is fresh again concerns those who were told that it is late.
            let is_recovery = tell == Tell::Over && subject.on != NotifyOn::LateSource;
            let on = if is_recovery { NotifyOn::Recovery } else { subject.on };
            after.pending = self.tell(on, subject.pipeline, &notice, problems).await;
        }
        self.remember(&name, &before, after).await?;
        Ok(tell == Some(Tell::Over))
    }

    /// Takes note that something is over that was told with something else.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails.
    pub async fn end(&self, subject: &Subject<'_>) -> Result<()> {
        let name = object_name(subject);
        let before = self.remembered(&name).await?;
        let (_, streak) = streak::next(before.streak.clone(), None, self.now);
        let after = Remembered { streak, pending: Vec::new(), ..before.clone() };
        self.remember(&name, &before, after).await
    }

    /// When to try again to tell what could not be told.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails.
    pub async fn next_attempt(&self) -> Result<Option<Timestamp>> {
        let mut next: Option<Timestamp> = None;
        for name in self.lake.state_names(StateFolder::Notices).await? {
            if !name.starts_with(FOLDER) {
                continue;
            }
            for (_, notice) in self.remembered(&name).await?.pending {
                let pause = self.now.duration_since(notice.at).clamp(PAUSES.0, PAUSES.1);
                let at = self.now.checked_add(pause).unwrap_or(self.now);
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        Ok(next)
    }

    /// Tells something that does not last.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails.
    pub async fn tell_once(&self, subject: &Subject<'_>, reason: &Reason, problems: &mut Problems) -> Result<()> {
        let notice = self.notice(subject, Some(reason), Tell::First, self.now);
        let pending = self.tell(subject.on, subject.pipeline, &notice, problems).await;
        if pending.is_empty() {
            return Ok(());
        }
        let name = object_name(subject);
        let before = self.remembered(&name).await?;
        let mut after = before.clone();
        after.pending.extend(pending);
        self.remember(&name, &before, after).await
    }

    /// Tells what could not be told before.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails.
    pub async fn tell_pending(&self, problems: &mut Problems) -> Result<()> {
        for name in self.lake.state_names(StateFolder::Notices).await? {
            if !name.starts_with(FOLDER) {
                continue;
            }
            let before = self.remembered(&name).await?;
            if before.pending.is_empty() {
                continue;
            }
            let mut after = Remembered { pending: Vec::new(), ..before.clone() };
            for (to, notice) in &before.pending {
                let targets = self.all_targets();
                let target = targets.iter().find(|(known, _)| known == to);
                let is_old = self.now.duration_since(notice.at) > FORGET_AFTER;
                let Some((_, target)) = target.filter(|_| !is_old) else { continue };
                if !self.reaches(to, target, notice, problems).await {
                    after.pending.push((to.clone(), notice.clone()));
                }
            }
            self.remember(&name, &before, after).await?;
        }
        Ok(())
    }

    /// Tells all who want to know; returns those who could not be told now.
    async fn tell(
        &self,
        on: NotifyOn,
        pipeline: &str,
        notice: &Notice,
        problems: &mut Problems,
    ) -> Vec<(String, Notice)> {
        let mut pending = Vec::new();
        for (name, target) in self.targets(on, pipeline) {
            if !self.reaches(&name, &target, notice, problems).await {
                pending.push((name, notice.clone()));
            }
        }
        pending
    }

    /// Tells one; false where that may be tried again.
    async fn reaches(&self, name: &str, target: &Target<'_>, notice: &Notice, problems: &mut Problems) -> bool {
        let outcome = match target {
            Target::Mail(address) => self.teller.mail(address, notice).await,
            Target::Webhook(webhook) => self.teller.webhook(webhook, notice).await,
        };
        let (why, is_done) = match outcome {
            Outcome::Sent { .. } => return true,
            Outcome::Refused(why) | Outcome::Unknown(why) => (why, true),
            Outcome::Failed(why) => (why, false),
        };
        problems.push(Error::from(why).context(format!("the notice \"{}\" to {name}", notice.title)));
        is_done
    }

    /// Who is told of a kind of news of a pipeline.
    fn targets(&self, on: NotifyOn, pipeline: &str) -> Vec<(String, Target<'_>)> {
        let mut targets = Vec::new();
        for notify in &self.project.notify {
            let is_meant = notify.pipelines.is_empty() || notify.pipelines.iter().any(|name| name == pipeline);
            // News of messages is of no pipeline.
            if notify.on.contains(&on) && (is_meant || pipeline.is_empty()) {
                add(&mut targets, &notify.to);
            }
        }
        targets
    }

    fn all_targets(&self) -> Vec<(String, Target<'_>)> {
        let mut targets = Vec::new();
        self.project.notify.iter().for_each(|notify| add(&mut targets, &notify.to));
        targets
    }

    fn notice(&self, subject: &Subject<'_>, reason: Option<&Reason>, tell: Tell, since: Timestamp) -> Notice {
        let nothing = Reason::default();
        let reason = reason.unwrap_or(&nothing);
        // News of messages is of no pipeline.
        let whose = match (subject.about, subject.pipeline) {
            (_, "") => String::new(),
            (Some(about), _) => format!("{about}: "),
            (None, pipeline) => format!("{pipeline}: "),
        };
        let title = match tell {
            Tell::Over => format!("{whose}{}", over(subject.on)),
            Tell::Still => format!("{whose}still {}", reason.headline),
            Tell::Back => format!("{whose}comes and goes: {}", reason.headline),
            Tell::First | Tell::Another => format!("{whose}{}", reason.headline),
        };
        let mut facts = subject.facts.clone();
        if matches!(tell, Tell::Still | Tell::Back | Tell::Over | Tell::Another) {
            facts.push(("since".to_string(), local(self.project, since)));
        }
        Notice {
            id: perennial_core::digest::digest([title.as_str(), &self.now.to_string()])[..20].to_string(),
            at: self.now,
            title: perennial_core::visible::on_one_line(&title).to_string(),
            is_good: tell == Tell::Over,
            facts,
            lines: reason.lines.clone(),
            to_do: reason.to_do.clone(),
        }
    }

    async fn remembered(&self, name: &str) -> Result<Remembered> {
        let bytes = self.lake.read_state(StateFolder::Notices, name).await?;
        // What cannot be read is forgotten: somebody is then told once more.
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }

    async fn remember(&self, name: &str, before: &Remembered, after: Remembered) -> Result<()> {
        if after.streak == before.streak && after.pending == before.pending {
            return Ok(());
        }
        if after.streak.is_none() && after.pending.is_empty() {
            return self.lake.delete_state(StateFolder::Notices, name).await;
        }
        let after = Remembered { format: FORMAT, ..after };
        let json = serde_json::to_vec(&after).map_err(|e| Error::bug(format!("a notice cannot be written: {e}")))?;
        self.lake.put_state(StateFolder::Notices, name, json).await
    }
}

/// The folder of what is remembered here.
const FOLDER: &str = "told/";

fn object_name(subject: &Subject<'_>) -> String {
    let kind = match subject.on {
        NotifyOn::Failure | NotifyOn::Recovery => "failure",
        NotifyOn::Warning => "warning",
        NotifyOn::LateSource => "late-source",
        NotifyOn::Deadline => "deadline",
        NotifyOn::Delivery => "delivery",
    };
    let about = subject.about.map(|about| format!("-{about}")).unwrap_or_default();
    format!("{FOLDER}{kind}-{}{about}.json", subject.pipeline)
}

fn over(on: NotifyOn) -> &'static str {
    match on {
        NotifyOn::LateSource => "fresh again",
        NotifyOn::Warning => "no warnings any more",
        NotifyOn::Delivery => "every row of the deliveries can be used again",
        _ => "good again",
    }
}

fn add<'a>(targets: &mut Vec<(String, Target<'a>)>, to: &'a NotifyTo) {
    let mut add = |name: String, target| {
        if !targets.iter().any(|(known, _)| *known == name) {
            targets.push((name, target));
        }
    };
    match to {
        NotifyTo::Mail(addresses) => {
            addresses.iter().for_each(|address| add(address.address.clone(), Target::Mail(address)));
        }
        NotifyTo::Webhook(webhook) => {
            add(webhook_name(webhook), Target::Webhook(webhook));
        }
    }
}

/// A time in the project's zone, with its offset.
pub(crate) fn local(project: &Project, time: Timestamp) -> String {
    match time.in_tz(&project.time_zone) {
        Ok(zoned) => format!("{} ({})", zoned.strftime("%Y-%m-%d %H:%M %:z"), project.time_zone),
        Err(_) => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perennial_delivery::Reason as Why;
    use perennial_project::LoadOptions;
    use std::sync::Mutex;

    /// A teller whose server is away or not.
    #[derive(Default)]
    struct Server {
        is_away: Mutex<bool>,
        told: Mutex<Vec<(String, String)>>,
    }

    #[async_trait::async_trait]
    impl Teller for Server {
        async fn mail(&self, to: &Address, notice: &Notice) -> Outcome {
            if *self.is_away.lock().unwrap() {
                return Outcome::Failed(Why { text: "connection refused".into(), of_server: true, ..Why::default() });
            }
            self.told.lock().unwrap().push((to.address.clone(), notice.title.clone()));
            Outcome::Sent { answer: "ok".into() }
        }

        async fn webhook(&self, _: &Webhook, _: &Notice) -> Outcome {
            Outcome::Sent { answer: "ok".into() }
        }
    }

    impl Server {
        fn take(&self) -> Vec<(String, String)> {
            std::mem::take(&mut *self.told.lock().unwrap())
        }
    }

    fn told(to: &str, title: &str) -> (String, String) {
        (to.to_string(), title.to_string())
    }

    #[tokio::test]
    async fn what_could_not_be_told_is_told_later_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let settings = "name: Acme\nlake: lake\nmail: {from: r@acme.example, server: \"folder:outbox\"}\nnotify:\n\
                        - {on: [failure], mail: [ops@acme.example]}\n- {on: [recovery], mail: [boss@acme.example]}\n";
        std::fs::write(folder.path().join("perennial.yml"), settings).unwrap();
        let project = Project::load(folder.path(), &LoadOptions::of_process()).map_err(|p| format!("{p:?}")).unwrap();
        let lake = Lake::open(&project.lake).await.unwrap();
        let server = Server::default();
        let hour = |hours: i64| Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap();
        let at = |hours| Notices { project: &project, lake: &lake, teller: &server, now: hour(hours) };
        let subject = Subject { on: NotifyOn::Failure, pipeline: "nightly", about: None, facts: Vec::new() };
        let reason = Reason { key: "a".into(), headline: "test a failed".into(), ..Reason::default() };
        let mut problems = Problems::new();

        *server.is_away.lock().unwrap() = true;
        at(0).see(&subject, Some(&reason), &mut problems).await.unwrap();
        assert_eq!((server.take().len(), problems.iter().count()), (0, 1));
        *server.is_away.lock().unwrap() = false;
        for _ in 0..2 {
            at(1).tell_pending(&mut problems).await.unwrap();
        }
        at(2).see(&subject, Some(&reason), &mut problems).await.unwrap();
        assert_eq!(server.take(), [told("ops@acme.example", "nightly: test a failed")]);
        at(24).see(&subject, Some(&reason), &mut problems).await.unwrap();
        assert_eq!(server.take(), [told("ops@acme.example", "nightly: still test a failed")]);
        // Who wants to know of the recovery is told of it.
        at(48).see(&subject, None, &mut problems).await.unwrap();
        at(60).see(&subject, None, &mut problems).await.unwrap();
        assert_eq!(server.take(), [told("boss@acme.example", "nightly: good again")]);
        assert!(lake.state_names(StateFolder::Notices).await.unwrap().is_empty(), "nothing is left of it");
        assert_eq!(problems.iter().count(), 1);
    }

    fn project(folder: &std::path::Path, notify: &str) -> Project {
        let settings = format!(
            "name: Acme\nlake: lake\nmail: {{from: r@acme.example, server: \"folder:outbox\"}}\nnotify:\n{notify}"
        );
        std::fs::write(folder.join("perennial.yml"), settings).unwrap();
        Project::load(folder, &LoadOptions::of_process()).map_err(|p| format!("{p:?}")).unwrap()
    }

    fn hour(hours: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()
    }

    #[tokio::test]
    async fn a_server_that_is_away_for_two_days_is_asked_within_the_hour() {
        let folder = tempfile::tempdir().unwrap();
        let project = project(folder.path(), "- {on: [failure], mail: [ops@acme.example]}\n");
        let (lake, server) = (Lake::open(&project.lake).await.unwrap(), Server::default());
        let at = |hours| Notices { project: &project, lake: &lake, teller: &server, now: hour(hours) };
        let subject = Subject { on: NotifyOn::Failure, pipeline: "nightly", about: None, facts: Vec::new() };
        let reason = Reason { key: "a".into(), headline: "test a failed".into(), ..Reason::default() };
        let mut problems = Problems::new();
        *server.is_away.lock().unwrap() = true;
        assert_eq!(at(0).next_attempt().await.unwrap(), None);
        at(0).see(&subject, Some(&reason), &mut problems).await.unwrap();
        let pause = |from: i64, next: Option<Timestamp>| next.unwrap().duration_since(hour(from)).as_mins();
        assert_eq!(pause(0, at(0).next_attempt().await.unwrap()), 5);
        at(48).tell_pending(&mut problems).await.unwrap();
        assert_eq!(pause(48, at(48).next_attempt().await.unwrap()), 60);
        *server.is_away.lock().unwrap() = false;
        at(49).tell_pending(&mut problems).await.unwrap();
        assert_eq!(server.take(), [told("ops@acme.example", "nightly: test a failed")]);
        assert_eq!(at(49).next_attempt().await.unwrap(), None);
    }

    #[tokio::test]
    async fn who_wants_to_know_of_the_recovery_alone_is_told_of_it_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let project = project(folder.path(), "- {on: [recovery], mail: [boss@acme.example]}\n");
        let (lake, server) = (Lake::open(&project.lake).await.unwrap(), Server::default());
        let at = |hours| Notices { project: &project, lake: &lake, teller: &server, now: hour(hours) };
        let subject = |on| Subject { on, pipeline: "nightly", about: None, facts: Vec::new() };
        let reason = Reason { key: "a".into(), headline: "test a failed".into(), ..Reason::default() };
        let mut problems = Problems::new();
        for on in [NotifyOn::Failure, NotifyOn::Warning] {
            assert!(!at(0).see(&subject(on), Some(&reason), &mut problems).await.unwrap());
        }
        assert!(at(24).see(&subject(NotifyOn::Failure), None, &mut problems).await.unwrap());
        assert!(!at(24).see(&subject(NotifyOn::Warning), None, &mut problems).await.unwrap());
        at(24).end(&subject(NotifyOn::Deadline)).await.unwrap();
        assert_eq!(server.take(), [told("boss@acme.example", "nightly: good again")]);
    }
}
