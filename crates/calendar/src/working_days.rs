//! Working days of a calendar by the numbers of days, counted without a walk: for many rows.

use super::BusinessCalendar;
use jiff::civil::{Date, Weekday, date};

/// The working days of a calendar, ready to be counted. Days are numbered from 1970-01-01, which is 0; those before it are
/// negative.
#[derive(Clone, Debug)]
pub struct WorkingDays {
    /// For Monday to each day of the week: the working days before it; the last entry is that of a whole week.
    of_week: [i64; 8],
    /// Days that are not as others of their weekday, ascending, each with the sum of differences up to it.
    exceptions: Vec<(i64, i64)>,
}

/// 0001-01-01.
const FIRST_DAY: i64 = -719_162;

/// 9999-12-31.
const LAST_DAY: i64 = 2_932_896;

impl WorkingDays {
    /// Those of a calendar.
    pub fn new(calendar: &BusinessCalendar) -> WorkingDays {
        let mut of_week = [0; 8];
        for (index, weekday) in WEEK.into_iter().enumerate() {
            of_week[index + 1] = of_week[index] + i64::from(!calendar.weekend.contains(&weekday));
        }
        let mut sum = 0;
        let mut exceptions = Vec::new();
        for day in exceptional_days(calendar) {
            let difference =
                i64::from(calendar.is_working_day(day)) - i64::from(!calendar.weekend.contains(&day.weekday()));
            if difference != 0 {
                sum += difference;
                exceptions.push((day_number(day), sum));
            }
        }
        WorkingDays { of_week, exceptions }
    }

    /// Whether work is done on a day.
    pub fn contains(&self, day: i64) -> bool {
        self.before(day + 1) > self.before(day)
    }

    /// The working days after one day and up to another one; negative where that lies before.
    pub fn between(&self, from: i64, to: i64) -> i64 {
        self.before(to + 1) - self.before(from + 1)
    }

    /// The n-th working day after a day, before it where n is negative; the day itself for 0. Nothing beyond the years 1
    /// to 9999.
    pub fn add(&self, day: i64, n: i64) -> Option<i64> {
        let mut at = day;
        let mut missing = n;
        let ahead = if n > 0 { self.between(day, LAST_DAY) } else { self.before(FIRST_DAY) - self.before(day) };
        if !(FIRST_DAY..=LAST_DAY).contains(&day) || missing.unsigned_abs() > ahead.unsigned_abs() {
            return None;
        }
        while missing != 0 {
            // So many days hold at most as many working days, and all of the last leap are some, so it ends on one.
            let next = at + missing;
            missing -= if n > 0 { self.between(at, next) } else { self.before(next) - self.before(at) };
            at = next;
        }
        Some(at)
    }

    /// The working days from some day long ago up to a day, without it.
    fn before(&self, day: i64) -> i64 {
        let (week, weekday) = week_of(day);
        let exceptions = self.exceptions.partition_point(|(exception, _)| *exception < day);
        let sum = exceptions.checked_sub(1).map_or(0, |last| self.exceptions[last].1);
        week * self.of_week[7] + self.of_week[weekday] + sum
    }
}

/// The days of the week in their order.
pub(crate) const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

/// The holidays and extra working days of a calendar, ascending.
pub(crate) fn exceptional_days(calendar: &BusinessCalendar) -> Vec<Date> {
    let mut days: Vec<Date> = calendar.holidays.keys().chain(&calendar.working_days).copied().collect();
    days.sort_unstable();
    days.dedup();
    days
}

/// The number of a day.
pub(crate) fn day_number(day: Date) -> i64 {
    day.duration_since(date(1970, 1, 1)).as_hours() / 24
}

/// The number of the week of a day, and its weekday: 0 is Monday.
pub(crate) fn week_of(day: i64) -> (i64, usize) {
    // 1970-01-01 was a Thursday.
    ((day + 3).div_euclid(7), (day + 3).rem_euclid(7) as usize)
}
