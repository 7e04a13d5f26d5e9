//! Which days are working days.

use jiff::civil::{Date, Weekday};
use std::collections::{BTreeMap, BTreeSet};

/// Working days of a company or country.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusinessCalendar {
    /// Days of the week without work.
    pub weekend: Vec<Weekday>,
    /// Days without work, with their names (may be empty).
    pub holidays: BTreeMap<Date, String>,
    /// Days on which work is done although they are of a weekend or holidays (China's 调休).
    pub working_days: BTreeSet<Date>,
}

/// How many days are looked at for the next working day: ten years, for calendars that hardly have any.
const DAYS_AHEAD: usize = 3_660;

impl BusinessCalendar {
    /// Monday to Friday, without holidays.
    pub fn monday_to_friday() -> BusinessCalendar {
        BusinessCalendar { weekend: vec![Weekday::Saturday, Weekday::Sunday], ..BusinessCalendar::default() }
    }

    /// Whether work is done on a day.
    pub fn is_working_day(&self, date: Date) -> bool {
        self.working_days.contains(&date)
            || !self.weekend.contains(&date.weekday()) && !self.holidays.contains_key(&date)
    }

    /// The first working day after a day; nothing where there is none within ten years.
    pub fn next_working_day(&self, date: Date) -> Option<Date> {
        days_after(date).take(DAYS_AHEAD).find(|day| self.is_working_day(*day))
    }

    /// The last working day before a day; nothing where there is none within ten years.
    pub fn previous_working_day(&self, date: Date) -> Option<Date> {
        days_before(date).take(DAYS_AHEAD).find(|day| self.is_working_day(*day))
    }

    /// The n-th working day of a month, from 1; nothing where the month has fewer.
    pub fn nth_working_day(&self, year: i16, month: i8, n: u8) -> Option<Date> {
        let mut days = days_of_month(year, month)?.filter(|day| self.is_working_day(*day));
        days.nth(usize::from(n.checked_sub(1)?))
    }

    /// The last working day of a month; nothing where the month has none.
    pub fn last_working_day(&self, year: i16, month: i8) -> Option<Date> {
        days_of_month(year, month)?.filter(|day| self.is_working_day(*day)).last()
    }

    /// The n-th working day after a day; the day itself for 0.
    pub fn working_days_after(&self, date: Date, n: u16) -> Option<Date> {
        (0..n).try_fold(date, |day, _| self.next_working_day(day))
    }

    /// Until when it knows of holidays and extra working days: the end of the year of the last one, for they are published
    /// by years. Nothing where it names none and so never ends.
    pub fn ends(&self) -> Option<Date> {
        let last = self.holidays.keys().next_back().into_iter().chain(self.working_days.iter().next_back()).max()?;
        Some(last.last_of_year())
    }

    /// The days without work directly before a day, the nearest first.
    pub(crate) fn free_days_before(&self, date: Date) -> impl Iterator<Item = Date> {
        days_before(date).take(DAYS_AHEAD).take_while(|day| !self.is_working_day(*day))
    }

    /// The days without work directly after a day.
    pub(crate) fn free_days_after(&self, date: Date) -> impl Iterator<Item = Date> {
        days_after(date).take(DAYS_AHEAD).take_while(|day| !self.is_working_day(*day))
    }
}

fn days_after(date: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(date.tomorrow().ok(), |day| day.tomorrow().ok())
}

fn days_before(date: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(date.yesterday().ok(), |day| day.yesterday().ok())
}

fn days_of_month(year: i16, month: i8) -> Option<impl Iterator<Item = Date>> {
    let first = Date::new(year, month, 1).ok()?;
    Some(std::iter::successors(Some(first), |day| day.tomorrow().ok()).take_while(move |day| day.month() == month))
}
