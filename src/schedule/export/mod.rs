//! Schedules in the words of other schedulers, for those who have one.
//!
//! What such a scheduler cannot express is refused, and never left out without a word: times that would differ are a
//! mistake, other rules are named in what is written.

mod cron;
mod fields;
mod kubernetes;
mod systemd;

use super::plan::Scheduled;
use fields::Fields;
use jiff::Timestamp;
use jiff::tz::Offset;
use perennial_calendar::{DayRule, DueTimes, OnHoliday};
use perennial_core::error::{Error, Problems, Result};
use perennial_project::{CatchUp, Overlap, Project};

/// Which scheduler.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// systemd: `perennial schedule run` as a service.
    SystemdService,
    /// systemd: a timer for each pipeline.
    SystemdTimers,
    /// A crontab.
    Cron,
    /// Kubernetes: a CronJob for each pipeline.
    Kubernetes {
        /// The image of the container.
        image: String,
    },
}

/// How the program is called there.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    /// The program, as an absolute path.
    pub program: String,
    /// The account.
    pub user: String,
}

/// A file for another scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExportedFile {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The files for another scheduler.
///
/// # Errors
/// Every schedule that the target cannot express.
pub(crate) fn export(
    project: &Project,
    target: &Target,
    installation: &Installation,
    now: Timestamp,
) -> Result<Vec<ExportedFile>, Problems> {
    if let Target::SystemdService = target {
        return Ok(vec![systemd::service(project, installation)]);
    }
    let scheduled = Scheduled::of(project);
    if scheduled.is_empty() {
        return Err(super::overview::nothing_scheduled().into());
    }
    let mut problems = Problems::new();
    let mut jobs = Vec::new();
    for one in &scheduled {
        jobs.extend(problems.keep(Job::new(one, target, now)));
    }
    let jobs = problems.or_ok(jobs)?;
    Ok(match target {
        Target::SystemdService | Target::SystemdTimers => systemd::timers(project, &jobs, installation),
        Target::Cron => vec![cron::crontab(project, &jobs, installation)],
        Target::Kubernetes { image } => kubernetes::cron_jobs(project, &jobs, image),
    })
}

/// A pipeline whose times another scheduler can express.
struct Job<'a> {
    one: &'a Scheduled,
    fields: Fields,
    /// The zone's name.
    zone: String,
    /// What only `perennial schedule run` obeys, or does in another way.
    notes: Vec<String>,
}

impl<'a> Job<'a> {
    fn new(one: &'a Scheduled, target: &Target, now: Timestamp) -> Result<Job<'a>> {
        let due = &one.schedule.due;
        let cannot = |what: String| {
            let target = match target {
                Target::SystemdService | Target::SystemdTimers => "a systemd timer",
                Target::Cron => "cron",
                Target::Kubernetes { .. } => "a Kubernetes CronJob",
            };
            Error::project(format!("the schedule of `{}` cannot be exported: {target} has no {what}", one.pipeline))
                .hint("run `perennial schedule run` there instead; `perennial schedule export systemd` makes it a service")
        };
        if due.days != DayRule::EveryDay {
            return Err(cannot("working days (`run_on`)".to_string()));
        }
        if due.if_holiday != OnHoliday::Run {
            return Err(cannot("holidays (`if_holiday`)".to_string()));
        }
        let fields = Fields::of(due.cron.text()).map_err(cannot)?;
        if fields.is_either_day() && matches!(target, Target::SystemdTimers) {
            return Err(cannot("rule for days of the month or weekdays, whichever comes".to_string()));
        }
        let zone = due.zone.iana_name().unwrap_or("UTC").to_string();
        let notes = one.unexpressed(target).chain(clock_changes(due, &fields, target, now)).collect();
        Ok(Job { one, fields, zone, notes })
    }
}

impl Scheduled {
    /// What another scheduler does not do.
    fn unexpressed(&self, target: &Target) -> impl Iterator<Item = String> + use<> {
        let schedule = &self.schedule;
        let is_systemd = matches!(target, Target::SystemdTimers);
        let rules = [
            (schedule.wait_for.is_some(), "wait_for"),
            (!schedule.not_between.is_empty(), "not_between"),
            (schedule.finish_by.is_some(), "finish_by"),
            (schedule.catch_up == CatchUp::All, "catch_up: all"),
            (schedule.catch_up == CatchUp::None && matches!(target, Target::Cron), "catch_up: none"),
            (schedule.overlap == Overlap::Queue, "overlap: queue"),
            (self.attempts.max > 1 && !is_systemd, "attempts"),
            (schedule.stop_after.is_some() && matches!(target, Target::Cron), "stop_after"),
        ];
        let dropped = rules.into_iter().filter(|(is_set, _)| *is_set).map(|(_, rule)| rule);
        dropped.map(|rule| format!("`{rule}` is not obeyed here, only by `perennial schedule run`"))
    }
}

/// Years ahead in which clock changes are looked at.
const YEARS: i64 = 3;

/// The next clock change at which another scheduler may leave a time out or run it twice.
fn clock_changes(due: &DueTimes, fields: &Fields, target: &Target, now: Timestamp) -> Option<String> {
    let until = now.checked_add(jiff::SignedDuration::from_hours(24 * 366 * YEARS)).ok()?;
    let is_fixed = !fields.every_hour();
    let what = match target {
        Target::Cron | Target::Kubernetes { .. } => "may leave this time out, or run it twice",
        Target::SystemdService | Target::SystemdTimers => "leaves this time out",
    };
    // systemd runs a time that occurs twice once, at the first.
    let only_gaps = matches!(target, Target::SystemdTimers);
    let mut before = due.zone.to_offset(now);
    for change in due.zone.following(now) {
        let at = change.timestamp();
        if at > until {
            return None;
        }
        let after = change.offset();
        if is_fixed && (after > before || !only_gaps) && concerns(fields, before, after, at) {
            let local = after.to_datetime(at).date();
            return Some(format!(
                "on {local} the clock changes in {}, and this scheduler {what}; `perennial schedule run` runs it once",
                due.zone.iana_name().unwrap_or("UTC")
            ));
        }
        before = after;
    }
    None
}

/// Whether a time of the day lies among those that a change skips or repeats.
fn concerns(fields: &Fields, before: Offset, after: Offset, at: Timestamp) -> bool {
    let (old, new) = (before.to_datetime(at), after.to_datetime(at));
    let (first, end) = if old < new { (old, new) } else { (new, old) };
    fields.times().any(|time| {
        let on = |date: jiff::civil::Date| date.to_datetime(time);
        [first.date(), end.date()].into_iter().any(|date| first <= on(date) && on(date) < end)
    })
}

/// The command of a run. Which day it describes follows from the time it was planned for, also when it starts late.
fn run_arguments(one: &Scheduled, project_folder: &str) -> Vec<String> {
    let words = ["run", &one.pipeline, "--deliver", "--scheduled-for", "last", "--project", project_folder];
    words.into_iter().map(str::to_string).collect()
}
