//! Days of the company's history, and how busy each of them is.

use jiff::ToSpan;
use jiff::civil::{Date, date};
use perennial_core::error::{Error, Result};
use std::ops::Range;

/// Days that night one has seen: day 0 is 2024-10-01, day 729 is 2026-09-30.
pub(crate) const DAYS: i32 = 730;
/// The day that night two brings: 2026-10-01.
pub(crate) const NEXT_DAY: i32 = DAYS;
/// The day all prices rise: 2026-01-01.
pub(crate) const PRICE_RISE: i32 = 457;
/// August 2026, which night two corrects.
pub(crate) const AUGUST: Range<i32> = 669..700;
/// The day whose orders the ERP exports with American dates, after an update, and once more a day later: 2026-10-04.
pub(crate) const AMERICAN_DATES: i32 = NEXT_DAY + 3;
/// Accounts may be this much older than the history.
const DAYS_BEFORE: i32 = 2200;
/// Payments may be due this long after it.
const DAYS_AFTER: i32 = 120;
/// How busy January to December are.
const SEASON: [f64; 12] = [0.90, 0.86, 0.95, 0.95, 0.96, 0.92, 0.82, 0.82, 1.0, 1.05, 1.45, 1.70];
/// How busy Monday to Sunday are.
const WEEK: [f64; 7] = [1.1, 1.1, 1.1, 1.1, 1.15, 0.85, 0.6];

/// A day as text, ready to be copied.
struct DateText {
    iso: [u8; 10],
    german: [u8; 10],
}

/// Days as text, and the clock that runs fast where the company is busy.
pub(crate) struct Calendar {
    written: Vec<DateText>,
    /// Busy time passed at the beginning of each day and at the end of the last; over the history that night one has
    /// seen as much as there are days.
    clock: Vec<f64>,
}

impl Calendar {
    /// The days of the history and those after it, up to `last`.
    pub(crate) fn new(last: i32) -> Result<Calendar> {
        let mut written = Vec::new();
        let mut busy = vec![0.0];
        for day in -DAYS_BEFORE..=last + DAYS_AFTER {
            let date = civil(day)?;
            written.push(DateText {
                iso: bytes(&date.strftime("%Y-%m-%d").to_string())?,
                german: bytes(&date.strftime("%d.%m.%Y").to_string())?,
            });
            if (0..=last).contains(&day) {
                let weekday = date.weekday().to_monday_zero_offset() as usize;
                let today = SEASON[date.month() as usize - 1] * WEEK[weekday];
                busy.push(busy[busy.len() - 1] + today);
            }
        }
        let whole = busy[DAYS as usize];
        let clock = busy.into_iter().map(|passed| passed * f64::from(DAYS) / whole).collect();
        Ok(Calendar { written, clock })
    }

    /// `2026-09-30`.
    pub(crate) fn iso(&self, day: i32) -> &[u8; 10] {
        &self.written(day).iso
    }

    /// `30.09.2026`.
    pub(crate) fn german(&self, day: i32) -> &[u8; 10] {
        &self.written(day).german
    }

    fn written(&self, day: i32) -> &DateText {
        let last = self.written.len() as i32 - 1;
        &self.written[(day + DAYS_BEFORE).clamp(0, last) as usize]
    }

    /// `2026-09`.
    pub(crate) fn month(&self, day: i32) -> &str {
        std::str::from_utf8(&self.iso(day)[..7]).unwrap_or("")
    }

    /// Busy time passed at the beginning of a day.
    pub(crate) fn busy_time(&self, day: i32) -> f64 {
        self.clock[day.clamp(0, self.clock.len() as i32 - 1) as usize]
    }

    /// The day of a busy time; none behind the last day.
    pub(crate) fn day_at(&self, busy_time: f64) -> Option<i32> {
        let begun = self.clock.partition_point(|start| *start <= busy_time);
        (begun > 0 && begun < self.clock.len()).then(|| begun as i32 - 1)
    }
}

/// The days of the month before that of a day.
pub(crate) fn month_before(day: i32) -> Result<Range<i32>> {
    let date = civil(day)?;
    let end = day - i32::from(date.day()) + 1;
    let days = date.first_of_month().yesterday().map_or(0, |last| i32::from(last.days_in_month()));
    Ok(end - days..end)
}

/// The date of a day.
pub(crate) fn civil(day: i32) -> Result<Date> {
    date(2024, 10, 1).checked_add(day.days()).map_err(|error| Error::bug(format!("day {day}: {error}")))
}

fn bytes(text: &str) -> Result<[u8; 10]> {
    text.as_bytes().try_into().map_err(|_| Error::bug(format!("`{text}` is not a date of ten characters")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_days_are_what_they_say() {
        let day = |day| civil(day).unwrap().to_string();
        assert_eq!(day(0), "2024-10-01");
        assert_eq!(day(DAYS - 1), "2026-09-30");
        assert_eq!(day(NEXT_DAY), "2026-10-01");
        assert_eq!(day(PRICE_RISE), "2026-01-01");
        assert_eq!((day(AUGUST.start), day(AUGUST.end)), ("2026-08-01".into(), "2026-09-01".into()));
        assert_eq!(day(AMERICAN_DATES), "2026-10-04");
        let of_october = month_before(AMERICAN_DATES).unwrap();
        assert_eq!((day(of_october.start), day(of_october.end)), ("2026-09-01".into(), "2026-10-01".into()));
    }

    #[test]
    fn the_clock_runs_through_every_day() {
        let calendar = Calendar::new(NEXT_DAY).unwrap();
        assert_eq!(calendar.iso(-1), b"2024-09-30");
        assert_eq!(calendar.german(31), b"01.11.2024");
        assert_eq!(calendar.month(729), "2026-09");
        for day in 0..=NEXT_DAY {
            assert_eq!(calendar.day_at(calendar.busy_time(day)), Some(day));
        }
        assert_eq!(calendar.day_at(calendar.busy_time(NEXT_DAY + 1)), None);
        assert!((calendar.busy_time(DAYS) - 730.0).abs() < 1e-6);
    }
}
