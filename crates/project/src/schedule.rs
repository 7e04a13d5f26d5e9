//! When a pipeline runs by itself: `schedule` and the keys beside it.

use super::document::{Text, Value};
use super::fields::{Fields, one_of};
use super::{Attempts, CatchUp, Overlap, PipelineSchedule, Project, WaitFor, calendars};
use jiff::civil::Time;
use jiff::tz::TimeZone;
use perennial_calendar::{BusinessCalendar, CronLine, DayRule, DueTimes, OnHoliday, TimeWindow};
use perennial_core::error::Error;

const CATCH_UP: [(&str, CatchUp); 3] = [("latest", CatchUp::Latest), ("all", CatchUp::All), ("none", CatchUp::None)];
const OVERLAP: [(&str, Overlap); 2] = [("skip", Overlap::Skip), ("queue", Overlap::Queue)];
const IF_HOLIDAY: [(&str, OnHoliday); 3] =
    [("next", OnHoliday::Next), ("previous", OnHoliday::Previous), ("skip", OnHoliday::Skip)];
const THEN: [(&str, bool); 2] = [("run", true), ("give_up", false)];
/// Keys that say when or how a pipeline runs by itself.
const KEYS: [&str; 10] = [
    "as_of",
    "catch_up",
    "overlap",
    "run_on",
    "if_holiday",
    "calendar",
    "wait_for",
    "not_between",
    "stop_after",
    "finish_by",
];
/// Greatest number of working days that a month can have.
const MAX_WORKING_DAYS: u8 = 31;
/// Greatest number of days between the date of a schedule and the business date.
const MAX_OFFSET_DAYS: i64 = 31;

/// Reads the schedule of a pipeline with these sources. The options of the project are read already.
pub(super) fn read(fields: &Fields, project: &Project, sources: &[String]) -> Option<PipelineSchedule> {
    let line = fields.text("schedule");
    if line.is_none() {
        for key in KEYS.into_iter().filter(|key| fields.is_set(key)) {
            let error = Error::project(format!("`{key}` has no effect without a `schedule`"));
            fields.document.report(&fields.span_of(key), error);
        }
    }
    let days = day_rule(fields);
    let if_holiday = if_holiday(fields, days);
    let calendar = calendar(fields, project);
    let as_of_offset_days = as_of_offset_days(fields);
    let not_between = not_between(fields);
    let wait_for = wait_for(fields, sources);
    let catch_up = fields.choice("catch_up", &CATCH_UP, CatchUp::default());
    let overlap = fields.choice("overlap", &OVERLAP, Overlap::default());
    let stop_after = fields.duration("stop_after", "1m", "7d");
    let finish_by = fields.time_of_day("finish_by");
    let line = line?;
    let cron = cron(fields, &line)?;
    let zone = TimeZone::get(&project.time_zone).unwrap_or(TimeZone::UTC);
    let due = DueTimes { cron, zone, days, if_holiday, calendar };
    check_due(fields, &line, &due);
    note_surprises(fields, &line, &due);
    Some(PipelineSchedule { due, as_of_offset_days, catch_up, overlap, wait_for, not_between, stop_after, finish_by })
}

/// A cron line; each of its fields that is wrong is reported.
fn cron(fields: &Fields, line: &Text) -> Option<CronLine> {
    let mut text = line.value.clone();
    loop {
        let invalid = match CronLine::parse(&text) {
            Ok(cron) => return (text == line.value).then_some(cron),
            Err(invalid) => invalid,
        };
        let span = invalid.span.clone();
        let is_replaced = text.get(span.clone()).is_none_or(|field| field.is_empty() || field.starts_with('*'));
        if text == line.value || !is_replaced {
            fields.document.report_invalid(line, invalid);
        }
        if is_replaced {
            return None;
        }
        // The rest is read with a good field in place of the wrong one.
        text.replace_range(span.clone(), &format!("{:<1$}", "*", span.len()));
    }
}

/// Reads `attempts`.
pub(super) fn attempts(fields: &Fields) -> Attempts {
    let defaults = Attempts::default();
    let Some(node) = fields.optional("attempts") else { return defaults };
    let owner = fields.span_of("attempts");
    let Some(attempts) = Fields::of(fields.document, node, "`attempts`", owner) else { return defaults };
    let pause = |key| attempts.duration(key, "1s", "1d");
    let read = Attempts {
        max: attempts.count("max", defaults.max.into(), 1..=100) as u32,
        first_pause: pause("first_pause").unwrap_or(defaults.first_pause),
        max_pause: pause("max_pause").unwrap_or(defaults.max_pause),
    };
    if read.first_pause > read.max_pause {
        let key = if attempts.is_set("first_pause") { "first_pause" } else { "max_pause" };
        let [first, longest] = [read.first_pause, read.max_pause].map(|pause| pause.as_secs());
        let error = Error::project(format!("`first_pause` ({first}s) is longer than `max_pause` ({longest}s)"));
        attempts.document.report(&attempts.span_of(key), error);
    }
    attempts.finish();
    read
}

fn day_rule(fields: &Fields) -> DayRule {
    let Some(node) = fields.optional("run_on") else { return DayRule::EveryDay };
    let document = fields.document;
    match &node.value {
        Value::Scalar { text, .. } if text == "working_day" => DayRule::WorkingDay,
        Value::Scalar { text, .. } if text == "last_working_day" => DayRule::LastWorkingDay,
        Value::Map(_) => {
            let owner = fields.span_of("run_on");
            let Some(rule) = Fields::of(document, node, "`run_on`", owner) else { return DayRule::EveryDay };
            let number = rule
                .required("nth_working_day")
                .map_or(1, |_| rule.count("nth_working_day", 1, 1..=MAX_WORKING_DAYS.into()));
            rule.finish();
            DayRule::NthWorkingDay(number as u8)
        }
        other => {
            let found = match other {
                Value::Scalar { text, .. } => format!("`run_on` is `{text}`"),
                _ => format!("`run_on` is {}", node.kind()),
            };
            let words = ["working_day", "last_working_day", "{nth_working_day: 3}"];
            document.report(&node.span, Error::project(found).hint(one_of(words.into_iter())));
            DayRule::EveryDay
        }
    }
}

fn if_holiday(fields: &Fields, days: DayRule) -> OnHoliday {
    let rule = fields.choice("if_holiday", &IF_HOLIDAY, OnHoliday::default());
    if fields.is_set("if_holiday") && matches!(days, DayRule::NthWorkingDay(_) | DayRule::LastWorkingDay) {
        let error = Error::project("`if_holiday` has no effect on the n-th or last working day of a month");
        fields.document.report(&fields.span_of("if_holiday"), error);
    }
    rule
}

/// The calendar of a rule for working days.
fn calendar(fields: &Fields, project: &Project) -> Option<BusinessCalendar> {
    let name = fields.text("calendar");
    let asked_by = ["run_on", "if_holiday"].into_iter().find(|key| fields.is_set(key));
    match asked_by {
        None => {
            if name.is_some() && fields.is_set("schedule") {
                let error = Error::project("`calendar` has no effect without `run_on` or `if_holiday`");
                fields.document.report(&fields.span_of("calendar"), error);
            }
            None
        }
        Some(key) => {
            let owner = (format!("`{key}`"), fields.span_of(key));
            calendars::chosen(fields.document, name.as_ref(), (&owner.0, &owner.1), &project.calendars).cloned()
        }
    }
}

/// `scheduled_date`, `scheduled_date + 1` or `scheduled_date - 1`.
fn as_of_offset_days(fields: &Fields) -> i64 {
    let Some(text) = fields.text("as_of") else { return 0 };
    let days = text.value.trim().strip_prefix("scheduled_date").map(str::trim_start).and_then(|rest| {
        let (sign, digits) = match rest.chars().next() {
            None => return Some(0),
            Some('+') => (1, &rest[1..]),
            Some('-') => (-1, &rest[1..]),
            Some(_) => return None,
        };
        let digits = digits.trim_start();
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let days: i64 = digits.parse().ok().filter(|_| is_number)?;
        (days <= MAX_OFFSET_DAYS).then_some(sign * days)
    });
    days.unwrap_or_else(|| {
        let error = Error::project(format!("`as_of` is `{}`", text.value));
        let hint =
            format!("write `scheduled_date`, or `scheduled_date + 1` or `- 1`, with 0 to {MAX_OFFSET_DAYS} days");
        fields.document.report(&text.span, error.hint(hint));
        0
    })
}

/// Parts of the day at which no run begins, which may not be the whole day.
fn not_between(fields: &Fields) -> Vec<TimeWindow> {
    let windows = fields.windows("not_between");
    let is_covered = |minute: i16| {
        let time = Time::new((minute / 60) as i8, (minute % 60) as i8, 0, 0).unwrap_or_default();
        windows.iter().any(|window| window.contains(time))
    };
    if (0..24 * 60).all(is_covered) {
        let error = Error::project("`not_between` leaves no time of the day at which a run could begin");
        fields.document.report(&fields.span_of("not_between"), error);
    }
    windows
}

fn wait_for(fields: &Fields, sources: &[String]) -> Option<WaitFor> {
    let node = fields.optional("wait_for")?;
    let wait = Fields::of(fields.document, node, "`wait_for`", fields.span_of("wait_for"))?;
    let mut names: Vec<String> = Vec::new();
    wait.required("sources");
    for text in wait.texts("sources") {
        if names.contains(&text.value) {
            wait.document.report(&text.span, Error::project(format!("duplicate source `{}`", text.value)));
        } else if sources.contains(&text.value) {
            names.push(text.value);
        } else {
            let error = Error::project(format!("the pipeline does not read a source `{}`", text.value));
            wait.document.report(&text.span, error.suggest(&text.value, sources.iter().map(String::as_str)));
        }
    }
    wait.required("until");
    let until = wait.time_of_day("until");
    wait.required("then");
    let then_run = wait.choice("then", &THEN, false);
    wait.finish();
    Some(WaitFor { sources: names, until: until?, then_run })
}

/// Notes what a line says that few people mean.
fn note_surprises(fields: &Fields, line: &Text, due: &DueTimes) {
    let words: Vec<&str> = line.value.split_whitespace().collect();
    let is_any = |word: &str| matches!(word, "*" | "?");
    if let [_, _, day, _, weekday] = words[..]
        && !is_any(day)
        && !is_any(weekday)
    {
        let message = format!("the schedule `{}` has a day of the month and a weekday", line.value);
        let hint = "it is due on days that are one or the other; write `*` for the one that is not meant";
        fields.document.note(&line.span, message, hint);
    }
    // All days of a line have the same times, so that the first of them shows how many.
    let begin = jiff::civil::date(2023, 12, 31).at(23, 59, 59, 0).to_zoned(due.zone.clone());
    let Some(first) = begin.ok().and_then(|begin| due.cron.next_after(begin.timestamp(), &due.zone)) else { return };
    let date = |instant| due.zone.to_datetime(instant).date();
    let is_again = due.cron.next_after(first, &due.zone).is_some_and(|second| date(second) == date(first));
    if is_again && fields.is_set("finish_by") {
        let message = "`finish_by` is one time of the day, and the schedule is due more often";
        let hint = "only the last run that is due before it has a deadline; `stop_after` is a limit for each run";
        fields.document.note(&fields.span_of("finish_by"), message, hint);
    }
}

/// Reports a line that never occurs on the days that its rules allow.
fn check_due(fields: &Fields, line: &Text, due: &DueTimes) {
    let leap_year = jiff::civil::date(2024, 1, 1).at(0, 0, 0, 0).to_zoned(due.zone.clone());
    let Ok(before) = leap_year.map(|zoned| zoned.timestamp()) else { return };
    if due.next_after(before).is_none() {
        let error = Error::project(format!("the schedule `{}` never occurs", line.value));
        let hint = "none of its days is one that `run_on`, `if_holiday` and the calendar allow";
        fields.document.report(&line.span, error.hint(hint));
    }
}
