//! When a pipeline is due: a cron line, on the days that a calendar allows.

use super::{BusinessCalendar, CronLine};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Which of the days of a cron line count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DayRule {
    /// All.
    #[default]
    EveryDay,
    /// Working days; times on others are left out, unless [`OnHoliday`] moves them.
    WorkingDay,
    /// The n-th working day of a month, from 1, where the line allows that day.
    NthWorkingDay(u8),
    /// The last working day of a month, where the line allows that day.
    LastWorkingDay,
}

/// What becomes of a time on a day without work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnHoliday {
    /// It stays.
    #[default]
    Run,
    /// It moves to the same time of the next working day; times that then fall together are one.
    Next,
    /// It moves to the same time of the working day before.
    Previous,
    /// It is left out.
    Skip,
}

/// The times at which something is due.
#[derive(Clone, Debug)]
pub struct DueTimes {
    /// The times of day, and days.
    pub cron: CronLine,
    /// The zone in which they are meant.
    pub zone: TimeZone,
    /// Which days count.
    pub days: DayRule,
    /// What becomes of times on days without work.
    pub if_holiday: OnHoliday,
    /// Working days; nothing where no rule asks for them.
    pub calendar: Option<BusinessCalendar>,
}

/// The calendar repeats after so many days: what is not due within them never is.
const DAYS_OF_400_YEARS: usize = 146_097;

impl DueTimes {
    /// The first due time after an instant; nothing where there will never be one, as where the third working day of a
    /// month has to be the first of the month.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let Some(calendar) = self.deciding_calendar() else { return self.cron.next_after(after, &self.zone) };
        let ahead = |date: Date| self.due_on(date, calendar).into_iter().filter(|instant| *instant > after).min();
        // What is due yesterday may still be ahead where the clock went back over midnight, and the hours after a midnight
        // that comes twice may be ahead of those before it.
        let yesterday = self.zone.to_datetime(after).date().yesterday().ok()?;
        let mut days = std::iter::successors(Some(yesterday), |day| day.tomorrow().ok()).take(DAYS_OF_400_YEARS);
        let (day, first) = days.find_map(|day| Some((day, ahead(day)?)))?;
        let of_next_day = day.tomorrow().ok().and_then(ahead);
        Some(of_next_day.map_or(first, |instant| instant.min(first)))
    }

    /// All due times after one instant and up to another one.
    pub fn between(&self, after: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        let next = |at: &Timestamp| self.next_after(*at).filter(|next| *next <= until);
        std::iter::successors(next(&after), next).collect()
    }

    /// The last due time up to a moment; nothing where there is none in nine years.
    pub fn last_until(&self, until: Timestamp) -> Option<Timestamp> {
        // A line of minutes has many times in a year, one of 29 February none in eight years.
        let spans = [1, 24, 8 * 24, 40 * 24, 400 * 24, 9 * 366 * 24].map(SignedDuration::from_hours);
        spans.into_iter().find_map(|span| self.between(until.checked_sub(span).ok()?, until).pop())
    }

    /// The calendar, where a rule asks for it.
    fn deciding_calendar(&self) -> Option<&BusinessCalendar> {
        let has_rule = self.days != DayRule::EveryDay || self.if_holiday != OnHoliday::Run;
        self.calendar.as_ref().filter(|_| has_rule)
    }

    /// The instants of a day that are due, those that were moved onto it among them.
    fn due_on(&self, date: Date, calendar: &BusinessCalendar) -> Vec<Timestamp> {
        if self.is_due(date, calendar) { self.cron.instants_on(date, &self.zone) } else { Vec::new() }
    }

    /// Whether the times of the line are due on a day. All days of a line have the same times, so that it does not matter
    /// which of them were moved onto it.
    fn is_due(&self, date: Date, calendar: &BusinessCalendar) -> bool {
        let is_on = |day: Date| self.cron.is_on(day);
        match self.days {
            DayRule::EveryDay | DayRule::WorkingDay if calendar.is_working_day(date) => {
                is_on(date)
                    || match self.if_holiday {
                        OnHoliday::Next => calendar.free_days_before(date).any(is_on),
                        OnHoliday::Previous => calendar.free_days_after(date).any(is_on),
                        OnHoliday::Run | OnHoliday::Skip => false,
                    }
            }
            DayRule::EveryDay | DayRule::WorkingDay => false,
            DayRule::NthWorkingDay(n) => {
                is_on(date) && calendar.nth_working_day(date.year(), date.month(), n) == Some(date)
            }
            DayRule::LastWorkingDay => {
                is_on(date) && calendar.last_working_day(date.year(), date.month()) == Some(date)
            }
        }
    }
}
