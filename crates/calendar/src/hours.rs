//! Opening hours, and the seconds between two moments that fall into them.
//!
//! Nothing here walks from day to day: a span of a century costs as much as one of an hour. The local clock is taken as
//! if it were never changed, weeks are multiplied, and what is unusual is added: holidays and extra working days, then at
//! each change of the clock the open time that it skips or repeats.

use super::working_days::{WEEK, day_number, exceptional_days, week_of};
use super::{BusinessCalendar, Invalid, windows};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::ops::Range;

/// Opening hours of a week, as in `Mon-Fri 09:00-17:30, Sat 10:00-14:00` or `24/7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpeningHours {
    /// For Monday to Sunday the windows that begin on that day, in seconds of the day; those that last over midnight end
    /// after 86,400.
    week: [Vec<(i64, i64)>; 7],
    /// Whether holidays make no difference (`24/7`).
    always: bool,
}

/// The length of a day on a clock that is not changed.
const DAY: i64 = 86_400;

/// Days of the week as they are written.
const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl OpeningHours {
    /// Reads opening hours: days, then windows, then other days and theirs; windows without days hold for every day.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(text: &str) -> Result<OpeningHours, Invalid> {
        let words = words(text);
        let mut hours = OpeningHours { week: Default::default(), always: false };
        if let [word] = words.as_slice()
            && text[word.clone()] == *"24/7"
        {
            return Ok(OpeningHours { week: std::array::from_fn(|_| vec![(0, DAY)]), always: true });
        }
        let mut days: Vec<usize> = Vec::new();
        let mut before = "";
        for span in &words {
            let word = &text[span.clone()];
            if word.starts_with(|c: char| c.is_ascii_digit()) {
                let (start, end) = windows::minutes(word).map_err(|invalid| invalid.within(span.clone()))?;
                let window = (i64::from(start) * 60, i64::from(end) * 60);
                let every_day: Vec<usize> = (0..7).collect();
                for day in if before.is_empty() { &every_day } else { &days } {
                    hours.week[*day].push(window);
                }
                if before.is_empty() {
                    days = every_day;
                }
            } else {
                // Days after a window begin a new group.
                if before.starts_with(|c: char| c.is_ascii_digit()) {
                    days.clear();
                }
                days.extend(days_of(word).ok_or_else(|| unknown_days(word).within(span.clone()))?);
            }
            before = word;
        }
        match words.last() {
            None => Err(Invalid::new("there are no opening hours", FORM)),
            Some(last) if !before.starts_with(|c: char| c.is_ascii_digit()) => {
                Err(Invalid::new(format!("`{before}` has no hours"), FORM).within(last.clone()))
            }
            Some(_) => Ok(hours),
        }
    }

    /// The day of the week whose hours an extra working day has: its own, or Monday's where it has none, or those of the
    /// first day that has some.
    fn hours_of_extra_day(&self, weekday: usize) -> usize {
        std::iter::once(weekday).chain(0..7).find(|day| !self.week[*day].is_empty()).unwrap_or(weekday)
    }
}

const FORM: &str = "write days and hours: 'Mon-Fri 09:00-17:30, Sat 10:00-14:00', or '24/7'";

fn unknown_days(word: &str) -> Invalid {
    Invalid::new(format!("`{word}` is not a day of the week"), format!("expected one of {}", NAMES.join(", ")))
}

/// Where the words stand that commas, semicolons and white space separate. White space around a hyphen separates nothing.
fn words(text: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut joins = false;
    let is_separator = |c: char| c.is_whitespace() || matches!(c, ',' | ';');
    for word in text.split(is_separator).filter(|word| !word.is_empty()) {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        let end = start + word.len();
        match words.last_mut() {
            Some(last) if joins || word.starts_with('-') => last.end = end,
            _ => words.push(start..end),
        }
        joins = word.ends_with('-');
    }
    words
}

/// The days of `Mon` or `Fri-Mon`, 0 for Monday.
fn days_of(word: &str) -> Option<Vec<usize>> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let day = |name: &str| NAMES.iter().position(|known| known.eq_ignore_ascii_case(name.trim()));
    let (first, last) = (day(first)?, day(last)?);
    let count = (last + 7 - first) % 7 + 1;
    Some((first..first + count).map(|day| day % 7).collect())
}

/// A moment in seconds, rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Since 1970-01-01 00:00 UTC.
    Instant(i64),
    /// As a local clock shows it, since 1970-01-01 00:00. One that is skipped stands for the next that exists, one that
    /// occurs twice for its first occurrence.
    Local(i64),
}

/// Opening hours with the holidays of a calendar, in a time zone.
///
/// Hours name days of the week themselves, so that the calendar's weekend makes no difference. On a holiday no window
/// begins, except with `24/7`; an extra working day has the hours of its weekday, or Monday's where that has none. A window
/// over midnight belongs to the day on which it begins.
#[derive(Clone, Debug)]
pub struct OpenTime {
    days: OpenDays,
    /// Ascending, without a gap; the first has no beginning.
    parts: Vec<ZonePart>,
}

/// A time without a change of the clock.
#[derive(Clone, Debug)]
struct ZonePart {
    /// The instant of its beginning, in seconds.
    from: i64,
    /// Local time less UTC, in seconds.
    offset: i64,
    /// The local time of its end.
    until_local: i64,
    /// Open seconds on the clock that have not passed, from those of some moment: what changes up to its beginning skipped,
    /// less what they repeated.
    skipped: i64,
}

impl OpenTime {
    /// For moments within a range, in seconds since 1970-01-01 00:00 UTC.
    pub fn new(hours: &OpeningHours, calendar: &BusinessCalendar, zone: &TimeZone, range: Range<i64>) -> OpenTime {
        let days = OpenDays::new(hours, calendar);
        // No local time is further than two days from UTC.
        let at = |second: i64| {
            let (least, greatest) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
            Timestamp::from_second(second.clamp(least, greatest)).unwrap_or(Timestamp::UNIX_EPOCH)
        };
        let (first, last) = (at(range.start.saturating_sub(2 * DAY)), at(range.end.saturating_add(2 * DAY)));
        let offset = i64::from(zone.to_offset(first).seconds());
        let mut parts = vec![ZonePart { from: i64::MIN, offset, until_local: i64::MAX, skipped: 0 }];
        for change in zone.following(first).take_while(|change| change.timestamp() <= last) {
            let (from, offset) = (change.timestamp().as_second(), i64::from(change.offset().seconds()));
            if let Some(before) = parts.last_mut() {
                before.until_local = from + before.offset;
                let skipped = before.skipped + days.before(from + offset) - days.before(before.until_local);
                parts.push(ZonePart { from, offset, until_local: i64::MAX, skipped });
            }
        }
        OpenTime { days, parts }
    }

    /// The open seconds between two moments; negative when `to` is before `from`.
    pub fn between(&self, from: Moment, to: Moment) -> i64 {
        self.before(to) - self.before(from)
    }

    /// The open seconds from some moment to this one.
    fn before(&self, moment: Moment) -> i64 {
        let part = match moment {
            Moment::Instant(second) => self.parts.partition_point(|part| part.from <= second) - 1,
            Moment::Local(second) => self.parts.partition_point(|part| part.until_local <= second),
        };
        let part = &self.parts[part.min(self.parts.len() - 1)];
        let local = match moment {
            Moment::Instant(second) => second + part.offset,
            Moment::Local(second) => second.max(part.from.saturating_add(part.offset)),
        };
        self.days.before(local) - part.skipped
    }
}

/// Opening hours of days on a clock that is never changed.
#[derive(Clone, Debug)]
struct OpenDays {
    /// For a day like the day of the week `a` after one like `b`, at `8 * b + a`, what is open from its midnight to the
    /// next; [`CLOSED`] is the eighth kind. Windows do not overlap and ascend.
    kinds: Vec<Vec<(i64, i64)>>,
    /// Open seconds from Monday to each day of the week; the last entry is that of a whole week.
    of_week: [i64; 8],
    /// Days that are of another kind than their weekday, ascending.
    exceptions: Vec<(i64, usize)>,
    /// Days that are open for longer or shorter than others of their weekday, ascending, each with the sum of differences
    /// up to it.
    differences: Vec<(i64, i64)>,
}

/// The kind of a day on which no window begins.
const CLOSED: usize = 7;

impl OpenDays {
    fn new(hours: &OpeningHours, calendar: &BusinessCalendar) -> OpenDays {
        let kinds = (0..64).map(|kinds| open_within_day(hours, kinds / 8, kinds % 8)).collect();
        let mut days = OpenDays { kinds, of_week: [0; 8], exceptions: Vec::new(), differences: Vec::new() };
        for weekday in 0..7 {
            days.of_week[weekday + 1] = days.of_week[weekday] + days.length((weekday + 6) % 7, weekday);
        }
        if hours.always {
            return days;
        }
        for date in exceptional_days(calendar) {
            let weekday = WEEK.iter().position(|day| *day == date.weekday()).unwrap_or(0);
            let is_extra = calendar.working_days.contains(&date);
            let kind = if is_extra { hours.hours_of_extra_day(weekday) } else { CLOSED };
            days.exceptions.push((day_number(date), kind));
        }
        // A window over midnight lasts into the day after.
        let mut touched: Vec<i64> = days.exceptions.iter().flat_map(|(day, _)| [*day, day + 1]).collect();
        touched.dedup();
        let mut sum = 0;
        for day in touched {
            let weekday = week_of(day).1;
            sum += days.length(days.kind(day - 1), days.kind(day)) - days.length((weekday + 6) % 7, weekday);
            days.differences.push((day, sum));
        }
        days
    }

    /// The open seconds from some day long ago to a local time.
    fn before(&self, local: i64) -> i64 {
        let (day, second) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let (week, weekday) = week_of(day);
        let differences = self.differences.partition_point(|(other, _)| *other < day);
        let difference = differences.checked_sub(1).map_or(0, |last| self.differences[last].1);
        let windows = &self.kinds[8 * self.kind(day - 1) + self.kind(day)];
        let today: i64 = windows.iter().map(|(start, end)| second.clamp(*start, *end) - start).sum();
        week * self.of_week[7] + self.of_week[weekday] + difference + today
    }

    fn kind(&self, day: i64) -> usize {
        let exception = self.exceptions.binary_search_by_key(&day, |(other, _)| *other);
        exception.map_or_else(|_| week_of(day).1, |index| self.exceptions[index].1)
    }

    fn length(&self, before: usize, kind: usize) -> i64 {
        self.kinds[8 * before + kind].iter().map(|(start, end)| end - start).sum()
    }
}

/// What is open on a day of one kind after a day of another kind, from midnight to midnight.
fn open_within_day(hours: &OpeningHours, before: usize, kind: usize) -> Vec<(i64, i64)> {
    let of = |kind: usize| hours.week.get(kind).map_or(&[][..], Vec::as_slice).iter().copied();
    let from_before = of(before).map(|(start, end)| ((start - DAY).max(0), end - DAY));
    let own = of(kind).map(|(start, end)| (start, end.min(DAY)));
    let mut windows: Vec<(i64, i64)> = from_before.chain(own).filter(|(start, end)| start < end).collect();
    windows.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (start, end) in windows {
        match joined.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    joined
}
