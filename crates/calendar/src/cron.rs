//! Cron lines of five fields in a time zone.
//!
//! The croner crate reads the fields and walks the calendar. What a clock change does to a line is decided here: croner
//! takes only a single hour with a single minute for a fixed time, gives up where a zone skips more than two hours, and
//! reads names of weekdays as numbers wherever they stand.

use super::Invalid;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use std::ops::Range;

/// A cron line: minute, hour, day of the month, month, weekday; or `@daily` and its like.
#[derive(Clone, Debug)]
pub struct CronLine {
    text: String,
    cron: Cron,
    /// Whether it follows real time through clock changes, as `*`, a step or a range of hours does.
    in_real_time: bool,
}

/// The fields of a line and what each may hold.
const FIELDS: [(&str, &str); 5] = [
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31, or L for the last"),
    ("month", "1 to 12 or JAN to DEC"),
    ("weekday", "0 to 7 or SUN to SAT, 0 and 7 being Sunday"),
];

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Shorthands for whole lines.
const SHORTHANDS: [&str; 5] = ["@hourly", "@daily", "@weekly", "@monthly", "@yearly"];

impl CronLine {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it, also that it never occurs.
    pub fn parse(text: &str) -> Result<CronLine, Invalid> {
        let is_shorthand = SHORTHANDS.contains(&text);
        if text.starts_with('@') && !is_shorthand {
            let known = SHORTHANDS.map(|name| format!("`{name}`")).join(", ");
            return Err(Invalid::new(format!("unknown schedule `{text}`"), format!("expected one of {known}")));
        }
        let fields = if is_shorthand { Vec::new() } else { fields(text) };
        if !is_shorthand && fields.len() != FIELDS.len() {
            return Err(Invalid::new(
                format!("a schedule has five fields, `{text}` has {}", fields.len()),
                "write minute, hour, day of the month, month and weekday: \"0 2 * * *\" is every day at 02:00",
            ));
        }
        for (index, span) in fields.iter().enumerate() {
            let field = &text[span.clone()];
            if !is_field(index, field) {
                let (name, allowed) = FIELDS[index];
                return Err(Invalid::new(
                    format!("`{field}` is not a valid {name} of a schedule"),
                    format!("expected {allowed}, `*`, a list `1,15`, a range `9-17` or a step `*/5`"),
                )
                .within(span.clone()));
            }
        }
        let in_real_time = match fields.get(1) {
            Some(hours) => text[hours.clone()].contains(['*', '/', '-']),
            None => text == "@hourly",
        };
        let cron = read(text).map_err(|error| Invalid {
            message: format!("`{text}` is not a valid schedule: {error}"),
            hint: None,
            span: 0..0,
        })?;
        // Seen from the day before a leap year.
        if cron.find_next_occurrence(&jiff::civil::datetime(2023, 12, 31, 0, 0, 0, 0), false).is_err() {
            return Err(Invalid::new(
                format!("the schedule `{text}` never occurs"),
                "none of its months has such a day",
            ));
        }
        Ok(CronLine { text: text.to_string(), cron, in_real_time })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first instant after another one. A fixed time that the clock skips is moved to the next instant that exists; one
    /// that occurs twice is its first occurrence. Lines with `*`, a step or a range of hours follow real time.
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if self.in_real_time { self.next_in_real_time(after, zone) } else { self.next_fixed(after, zone) }
    }

    fn next_fixed(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        // A later time on the clock is never an earlier instant, so the first that lies ahead is the nearest.
        let mut local = zone.to_datetime(after);
        loop {
            local = self.next_on_clock(local, false)?;
            let instant = fixed(local, zone)?;
            if instant > after {
                return Some(instant);
            }
        }
    }

    /// Between two changes of the clock local time is real time with an offset.
    fn next_in_real_time(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut changes = zone.following(after);
        let (mut from, mut offset, mut inclusive) = (after, zone.to_offset(after), false);
        loop {
            let local = self.next_on_clock(offset.to_datetime(from), inclusive)?;
            let instant = offset.to_timestamp(local).ok()?;
            match changes.next() {
                Some(change) if change.timestamp() <= instant => {
                    (from, offset, inclusive) = (change.timestamp(), change.offset(), true);
                }
                _ => return Some(instant),
            }
        }
    }

    /// The next time that a clock which is never changed would show; croner looks until the year 5000.
    fn next_on_clock(&self, local: DateTime, inclusive: bool) -> Option<DateTime> {
        self.cron.find_next_occurrence(&local, inclusive).ok()
    }

    /// Whether its day, month and weekday allow a date.
    pub(crate) fn is_on(&self, date: Date) -> bool {
        let weekday = croner::Weekday::from_days_from_sunday(date.weekday().to_sunday_zero_offset() as u32);
        let (year, month, day) = (i32::from(date.year()), date.month() as u32, date.day() as u32);
        self.cron.pattern.month_match(month).unwrap_or(false)
            && self.cron.pattern.day_match(year, month, day, weekday).unwrap_or(false)
    }

    /// The instants at which its times of the day occur on a date, whether or not the line allows the date.
    pub(crate) fn instants_on(&self, date: Date, zone: &TimeZone) -> Vec<Timestamp> {
        let (hours, minutes) = (self.cron.pattern.hours.values(), self.cron.pattern.minutes.values());
        let times = hours.iter().flat_map(|hour| minutes.iter().map(move |minute| (*hour, *minute)));
        let times = times.filter_map(|(hour, minute)| Time::new(hour as i8, minute as i8, 0, 0).ok());
        let mut instants = Vec::new();
        for local in times.map(|time| date.to_datetime(time)) {
            if !self.in_real_time {
                instants.extend(fixed(local, zone));
                continue;
            }
            let ambiguous = zone.to_ambiguous_timestamp(local);
            if !matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. }) {
                instants.extend(ambiguous.earlier().ok().into_iter().chain(ambiguous.later().ok()));
            }
        }
        instants
    }
}

/// The instant of a time on the clock: the first of two, and the next that exists for one that is skipped.
fn fixed(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let AmbiguousOffset::Gap { after, .. } = ambiguous.offset() else { return ambiguous.earlier().ok() };
    // The clock was changed between what it would have been before and after the change.
    let (from, until) = (ambiguous.earlier().ok()?, ambiguous.later().ok()?);
    let changes = zone.following(from).take_while(|change| change.timestamp() <= until);
    let change = changes.into_iter().find(|change| change.offset() == after);
    Some(change.map_or(until, |change| change.timestamp()))
}

fn read(text: &str) -> Result<Cron, croner::errors::CronError> {
    CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build().parse(text)
}

/// Where the fields stand.
fn fields(text: &str) -> Vec<Range<usize>> {
    let start = |field: &str| field.as_ptr() as usize - text.as_ptr() as usize;
    text.split_whitespace().map(|field| start(field)..start(field) + field.len()).collect()
}

/// Whether a field can be used where it stands.
fn is_field(index: usize, field: &str) -> bool {
    let upper = field.to_ascii_uppercase();
    let words = upper.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let items: Vec<&str> = upper.split(',').collect();
    // croner passes over an empty item, takes a name for a number in any field, and of `L,LW` only `LW`.
    let is_written_well = words.into_iter().all(|word| is_word(index, word))
        && items.iter().all(|item| !item.is_empty())
        && !(items.contains(&"L") && (items.contains(&"LW") || index == 4));
    let alone: Vec<&str> = (0..FIELDS.len()).map(|i| if i == index { field } else { "*" }).collect();
    is_written_well && read(&alone.join(" ")).is_ok()
}

/// Whether a word in upper case, or a number, belongs into a field.
fn is_word(index: usize, word: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number(word)
        || match index {
            2 => matches!(word, "L" | "LW") || word.strip_suffix('W').is_some_and(is_number),
            3 => MONTHS.contains(&word),
            4 => {
                let day = word.strip_suffix('L').unwrap_or(word);
                word == "L" || is_number(day) || WEEKDAYS.contains(&day)
            }
            _ => false,
        }
}
