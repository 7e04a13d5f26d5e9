//! Holidays from an ICS file.

use super::Invalid;
use icalendar::parser::{Component, Property, read_components, unfold};
use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};

/// The days of all-day events of an iCalendar file (RFC 5545) and their names. Events that are repeated every year are
/// looked at within these years; events with a time of day and cancelled ones are left out.
///
/// # Errors
/// What cannot be read: no calendar, no event that lasts all day, an event with a rule other than once a year.
pub fn read_ics(text: &str, years: RangeInclusive<i16>) -> Result<BTreeMap<Date, String>, Invalid> {
    let text_of_calendar = text.trim_start_matches('\u{feff}');
    let unfolded = unfold(text_of_calendar);
    let calendars = read_components(unfolded.trim()).map_err(|_| no_calendar(text))?;
    let [calendar] = calendars.as_slice() else { return Err(no_calendar(text)) };
    if !calendar.name.as_str().eq_ignore_ascii_case("VCALENDAR") {
        return Err(no_calendar(text));
    }
    let mut days: BTreeMap<Date, String> = BTreeMap::new();
    let events = calendar.components.iter().filter(|part| part.name.as_str().eq_ignore_ascii_case("VEVENT"));
    for (event, place) in events.zip(places_of_events(text).chain(std::iter::repeat(0..0))) {
        let event = Event { event, place };
        if event.value("STATUS").is_some_and(|status| status.eq_ignore_ascii_case("CANCELLED")) {
            continue;
        }
        for day in event.days(&years)? {
            let name = event.name();
            let names = days.entry(day).or_default();
            if !names.split(", ").any(|known| known == name) {
                let separator = if names.is_empty() { "" } else { ", " };
                *names = format!("{names}{separator}{name}");
            }
        }
    }
    if days.is_empty() {
        return Err(Invalid::new(
            "the calendar has no events that last all day",
            format!("holidays have `DTSTART;VALUE=DATE:{}1225`", years.start()),
        ));
    }
    Ok(days)
}

fn no_calendar(text: &str) -> Invalid {
    let first_line = 0..text.find(['\r', '\n']).unwrap_or(text.len());
    Invalid::new(
        "the text is not an iCalendar file",
        "it begins with `BEGIN:VCALENDAR`, ends with `END:VCALENDAR`, and every line between has a name and a colon",
    )
    .within(first_line)
}

/// The first line of each event.
fn places_of_events(text: &str) -> impl Iterator<Item = Range<usize>> {
    let lines = text.split_inclusive('\n').scan(0, |begin, line| {
        let start = *begin;
        *begin += line.len();
        Some((start, line.trim_end()))
    });
    lines.filter(|(_, line)| line.eq_ignore_ascii_case("BEGIN:VEVENT")).map(|(start, line)| start..start + line.len())
}

struct Event<'a> {
    event: &'a Component<'a>,
    place: Range<usize>,
}

/// The longest event that can be meant as holidays.
const MAX_DAYS: i32 = 366;

impl Event<'_> {
    fn properties(&self, name: &str) -> impl Iterator<Item = &Property<'_>> {
        self.event.properties.iter().filter(move |property| property.name.as_str().eq_ignore_ascii_case(name))
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.properties(name).next().map(|property| property.val.as_str().trim())
    }

    fn name(&self) -> String {
        self.value("SUMMARY").unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Every day on which it takes place; none where it has a time of day.
    fn days(&self, years: &RangeInclusive<i16>) -> Result<Vec<Date>, Invalid> {
        let start =
            self.value("DTSTART").ok_or_else(|| self.wrong("has no DTSTART", "write the day on which it begins"))?;
        if start.contains('T') {
            return Ok(Vec::new());
        }
        let first = self.date(start)?;
        for name in ["RDATE", "RECURRENCE-ID"] {
            if self.value(name).is_some() {
                return Err(
                    self.wrong(&format!("has {name}, which is not read"), "write an event of its own for each day")
                );
            }
        }
        let length = self.length(first)?;
        let without: BTreeSet<Date> = self
            .properties("EXDATE")
            .flat_map(|property| property.val.as_str().split(','))
            .map(|text| self.date(text.trim().get(..8).unwrap_or(text)))
            .collect::<Result<_, _>>()?;
        let starts = match self.value("RRULE") {
            Some(rule) => self.repeated(first, rule, years)?,
            None => vec![first],
        };
        let starts = starts.into_iter().filter(|start| !without.contains(start));
        Ok(starts.flat_map(|start| (0..length).filter_map(move |day| start.checked_add(day.days()).ok())).collect())
    }

    /// How many days it lasts.
    fn length(&self, first: Date) -> Result<i32, Invalid> {
        let days = match (self.value("DTEND"), self.value("DURATION")) {
            (Some(end), _) => (self.date(end)? - first).get_days(),
            (None, Some(duration)) => {
                let span: Result<Span, _> = duration.parse();
                let span =
                    span.map_err(|_| self.wrong(&format!("has the duration `{duration}`"), "write `P1D` or DTEND"))?;
                span.get_weeks() * 7 + span.get_days()
            }
            (None, None) => 1,
        };
        // Some programs write the same day as the end of an event of one day.
        let days = if days == 0 { 1 } else { days };
        if (1..=MAX_DAYS).contains(&days) {
            return Ok(days);
        }
        let hint = format!("an event lasts from 1 to {MAX_DAYS} days; DTEND is the day after the last one");
        Err(self.wrong(&format!("lasts {days} days"), &hint))
    }

    /// The days on which an event begins that is repeated every year.
    fn repeated(&self, first: Date, rule: &str, years: &RangeInclusive<i16>) -> Result<Vec<Date>, Invalid> {
        let refused = || {
            let what = format!("has the rule `{rule}`");
            self.wrong(&what, "only FREQ=YEARLY on one day is read; write an event of its own for each of the others")
        };
        let mut interval: i16 = 1;
        let (mut count, mut until, mut frequency) = (None, None, "");
        let (mut month, mut month_day, mut weekday) = (None, None, None);
        for part in rule.split(';').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').ok_or_else(refused)?;
            match key.to_ascii_uppercase().as_str() {
                "FREQ" => frequency = value,
                "INTERVAL" => interval = value.parse().ok().filter(|years| *years > 0).ok_or_else(refused)?,
                "COUNT" => count = Some(value.parse::<usize>().map_err(|_| refused())?),
                "UNTIL" => until = Some(self.date(value.get(..8).unwrap_or(value))?),
                "BYMONTH" => month = Some(value.parse::<i8>().map_err(|_| refused())?),
                "BYMONTHDAY" => month_day = Some(value.parse::<i8>().map_err(|_| refused())?),
                "BYDAY" => weekday = Some(nth_weekday(value).ok_or_else(refused)?),
                "WKST" => {}
                _ => return Err(refused()),
            }
        }
        let on_other_day = month_day.is_some_and(|day| day != first.day());
        if !frequency.eq_ignore_ascii_case("YEARLY")
            || month.is_some_and(|month| month != first.month())
            || on_other_day
            || weekday.is_some() && (month.is_none() || month_day.is_some())
        {
            return Err(refused());
        }
        let in_year = |year: i16| {
            let first_of_month = Date::new(year, first.month(), 1).ok()?;
            match weekday {
                Some((nth, weekday)) => first_of_month.nth_weekday_of_month(nth, weekday).ok(),
                // 29 February is left out in other years.
                None => Date::new(year, first.month(), first.day()).ok(),
            }
        };
        let all = (first.year()..=*years.end()).step_by(usize::from(interval.unsigned_abs())).filter_map(in_year);
        let all = all.filter(|day| *day >= first).take_while(|day| until.is_none_or(|until| *day <= until));
        Ok(all.take(count.unwrap_or(usize::MAX)).filter(|day| years.contains(&day.year())).collect())
    }

    /// `20261225`.
    fn date(&self, text: &str) -> Result<Date, Invalid> {
        let digits =
            |range: Range<usize>| text.get(range).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        let date = || {
            let (year, month, day) = (digits(0..4)?, digits(4..6)?, digits(6..8)?);
            let date = Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
            (text.len() == 8).then_some(date)
        };
        date().ok_or_else(|| {
            self.wrong(&format!("has `{text}`, which is not a day"), "write year, month and day: 20261225")
        })
    }

    fn wrong(&self, what: &str, hint: &str) -> Invalid {
        let name = self.name();
        let id = self.value("UID").unwrap_or_default();
        let name = if name.is_empty() { id } else { &name };
        Invalid::new(format!("the event `{name}` {what}"), hint).within(self.place.clone())
    }
}

/// `4TH`: the fourth Thursday of a month; `-1MO`: its last Monday.
fn nth_weekday(text: &str) -> Option<(i8, Weekday)> {
    let (nth, day) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let weekday = match day.to_ascii_uppercase().as_str() {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    };
    let nth: i8 = nth.parse().ok()?;
    (nth != 0 && (-5..=5).contains(&nth)).then_some((nth, weekday))
}
