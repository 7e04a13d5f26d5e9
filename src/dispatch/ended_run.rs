//! How a run ended, in words for those who watch it: tests, tables, counts and places, never a value of a row.

use super::notices::Reason;
use crate::flow::{Ending, RunOutcome};
use jiff::Timestamp;
use perennial_core::error::{Error, Kind, Problems};
use perennial_lake::history::{SourceRecord, SourceStatus, TestStatus};
use perennial_project::Project;

/// A run that has ended, or could not begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EndedRun<'a> {
    /// The pipeline.
    pub pipeline: &'a str,
    /// The time it was planned for; `None` for one by hand.
    pub scheduled_for: Option<Timestamp>,
    /// When it began.
    pub started_at: Timestamp,
    /// What came of it, or what kept it from beginning or finishing.
    pub result: Result<&'a RunOutcome, &'a Problems>,
    /// Whether it has failed and another attempt follows by itself.
    pub is_tried_again: bool,
}

/// Lines of a reason.
const MAX_LINES: usize = 8;

impl EndedRun<'_> {
    /// The problems of the run.
    pub(super) fn problems(&self) -> &Problems {
        match self.result {
            Ok(outcome) => &outcome.problems,
            Err(problems) => problems,
        }
    }

    /// The exit code of `perennial run`.
    pub(super) fn exit_code(&self) -> u8 {
        match self.result {
            Ok(outcome) => outcome.exit_code(),
            Err(problems) => problems.exit_code(),
        }
    }

    /// Its id, if it began.
    pub(super) fn run_id(&self) -> Option<&str> {
        self.result.ok().map(|outcome| outcome.run_id.as_str())
    }

    /// Why it failed; `None` if it did not.
    pub(super) fn failure(&self) -> Option<Reason> {
        if self.exit_code() == 0 {
            return None;
        }
        let mut lines = Vec::new();
        let mut keys = Vec::new();
        let mut add = |key: String, line: String| {
            keys.push(key);
            lines.push(line);
        };
        if let Ok(outcome) = self.result {
            for test in outcome.tests_not_passed.iter().filter(|test| test.status == TestStatus::Failed) {
                let of = test.table.as_ref().filter(|table| **table != test.test);
                let of = of.map(|table| format!(" of {table}")).unwrap_or_default();
                add(
                    format!("test {}{of}", test.test),
                    format!("test {}{of} failed: {}", test.test, rows(test.failures)),
                );
            }
            for step in &outcome.failed_steps {
                add(format!("step {}", step.step), format!("step {} failed", step.step));
            }
            // Where the problem may be shown, it says more.
            let is_shown = |name: &str| {
                let begin = format!("{name}:");
                self.problems().iter().any(|p| p.kind() != Kind::Data && p.message().starts_with(&begin))
            };
            for source in outcome.sources.iter().filter(|source| source.status == SourceStatus::Failed) {
                let name = format!("source {}.{}", source.source, source.table);
                if !is_shown(&name) {
                    add(name.clone(), format!("{name} failed: its rows are not as its contract says"));
                }
            }
        }
        let is_told = |problem: &&Error| problem.kind() != Kind::Data || !problem.message().starts_with("source ");
        for problem in self.problems().iter().filter(is_told) {
            let line = shown(problem);
            // The place of a problem stays the same from night to night, its text may count something.
            let key = problem.place().map_or_else(|| line.clone(), ToString::to_string);
            add(key, line);
        }
        let headline = match lines.first() {
            Some(first) => first.clone(),
            None => "the run failed".to_string(),
        };
        let hidden = lines.len().saturating_sub(MAX_LINES);
        lines.truncate(MAX_LINES);
        if hidden > 0 {
            lines.push(format!("and {hidden} more"));
        }
        Some(Reason { key: keys.join("\n"), headline, lines, to_do: self.commands() })
    }

    fn commands(&self) -> Vec<String> {
        let mut to_do = Vec::new();
        if let Some(run_id) = self.run_id() {
            to_do.push(format!("perennial runs {run_id}    shows what was read, built and tested"));
        }
        match self.exit_code() {
            2 => to_do.push("perennial check    shows every mistake of the project at its line".to_string()),
            3 if self.is_tried_again => to_do.push("nothing: it is tried again by itself".to_string()),
            // What was published cannot be gone on with, and a test that failed on rows that were read fails again.
            _ if self.result.as_ref().is_ok_and(|run| run.ending == Ending::NotPublished && run.failed_sources > 0) => {
                to_do.push("perennial retry    goes on where the run stopped, once the cause is gone".to_string());
            }
            _ => to_do.push(format!("perennial run {}    runs it again, once the cause is gone", self.pipeline)),
        }
        to_do
    }

    /// The tests that warned; `None` if none did, or if the run came to none.
    pub(super) fn warnings(&self) -> Option<Reason> {
        let outcome = self.result.ok()?;
        let warned: Vec<_> = outcome.tests_not_passed.iter().filter(|test| test.status == TestStatus::Warned).collect();
        let first = warned.first()?;
        let mut lines: Vec<String> = warned
            .iter()
            .map(|test| match test.table.as_ref().filter(|table| **table != test.test) {
                Some(table) => format!("test {} of {table} warns: {}", test.test, rows(test.failures)),
                None => format!("test {} warns: {}", test.test, rows(test.failures)),
            })
            .collect();
        let hidden = lines.len().saturating_sub(MAX_LINES);
        lines.truncate(MAX_LINES);
        if hidden > 0 {
            lines.push(format!("and {hidden} more"));
        }
        let mut names: Vec<&str> = warned.iter().map(|test| test.test.as_str()).collect();
        names.sort_unstable();
        Some(Reason {
            key: names.join("\n"),
            headline: match warned.len() {
                1 => format!("test {} warns", first.test),
                number => format!("{number} tests warn"),
            },
            lines,
            to_do: vec![format!("perennial runs {}    shows all tests", outcome.run_id)],
        })
    }

    /// Whether the run has read its sources, so that what it says of them counts.
    pub(super) fn sources(&self) -> Option<&[SourceRecord]> {
        self.result.ok().map(|outcome| outcome.sources.as_slice())
    }
}

/// A problem in a line that quotes no row: those of data are named by their place alone.
pub(super) fn shown(problem: &Error) -> String {
    let place = problem.place().map(|place| format!("{place}: ")).unwrap_or_default();
    match problem.kind() {
        Kind::Data => match problem.place() {
            Some(place) => format!("{place}: the rows are not as they must be"),
            None => "rows are not as they must be".to_string(),
        },
        _ => match problem.hint_text() {
            Some(hint) => format!("{place}{}; {hint}", problem.message()),
            None => format!("{place}{}", problem.message()),
        },
    }
}

/// Why tables of a source are later than its contract says, by the source: its newest row is older than `fresh_within`, or
/// it could not be read.
pub(super) fn late_sources(
    project: &Project,
    records: &[SourceRecord],
    now: Timestamp,
) -> Vec<(String, Option<Reason>)> {
    let mut late = Vec::new();
    for source in &project.sources {
        let of_source: Vec<&SourceRecord> = records.iter().filter(|record| record.source == source.name).collect();
        if of_source.is_empty() {
            continue;
        }
        let mut reason = Reason::default();
        for record in of_source {
            let table = source.tables.iter().find(|table| table.name == record.table);
            let within = table.and_then(|table| table.expectations.fresh_within_seconds);
            let name = format!("{}.{}", record.source, record.table);
            let why = match (record.status, within, &record.newest) {
                (SourceStatus::Failed, ..) => Some(format!("{name} could not be read")),
                (_, Some(within), Some(newest)) => stale(newest, within, now).then(|| {
                    format!("{name}: the newest row is of {newest}, and `fresh_within` allows {} h", within / 3600)
                }),
                (_, Some(_), None) => Some(format!("{name} has no row with a time")),
                _ => None,
            };
            if let Some(why) = why {
                reason.key.push_str(&name);
                reason.key.push('\n');
                reason.lines.push(why);
            }
        }
        reason.headline = match reason.lines.as_slice() {
            [only] => only.clone(),
            lines => format!("{} tables are late", lines.len()),
        };
        reason.to_do = vec![format!("ask who runs {} for the missing rows; the next run reads them", source.name)];
        late.push((source.name.clone(), (!reason.lines.is_empty()).then_some(reason)));
    }
    late
}

/// Whether a time lies longer ago than it may. A date stands for its end, as in the contract's own test.
fn stale(newest: &str, within_seconds: i64, now: Timestamp) -> bool {
    let end_of_day = || {
        let day = newest.parse::<jiff::civil::Date>().ok()?.tomorrow().ok()?;
        Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    };
    let newest = newest.parse::<Timestamp>().ok().or_else(end_of_day);
    newest.is_some_and(|newest| now.duration_since(newest).as_secs() > within_seconds)
}

fn rows(failures: u64) -> String {
    match failures {
        1 => "1 row".to_string(),
        failures => format!("{failures} rows"),
    }
}
