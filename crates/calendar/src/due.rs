//! When a pipeline is due: a cron line, on the days that a calendar allows.

use super::{BusinessCalendar, CronLine};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Which of the days of a cron line count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DayRule {
    /// All.
    #[default]
    EveryDay,
    /// Working days.
    WorkingDay,
    /// The n-th working day of a month, from 1.
    NthWorkingDay(u8),
    /// The last working day of a month.
    LastWorkingDay,
}

/// What becomes of a time on a day without work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnHoliday {
    /// It stays.
    #[default]
    Run,
    /// It moves to the next working day.
    Next,
    /// It moves to the working day before.
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

impl DueTimes {
    /// The first due time after an instant.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.cron.next_after(after, &self.zone)
    }

    /// All due times after one instant and up to another one.
    pub fn between(&self, after: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        let mut times = Vec::new();
        let mut at = after;
        while let Some(next) = self.next_after(at).filter(|next| *next <= until) {
            times.push(next);
            at = next;
        }
        times
    }
}
