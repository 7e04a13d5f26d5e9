//! When something is due: cron lines in a time zone, business days, opening hours.
//!
//! There is no clock, no disk and nothing of perennial here: times are arguments, calendars are values. What a text says
//! wrongly is an [`Invalid`], which the caller places in its file.

mod business;
mod cron;
mod due;
mod hours;
mod ics;
mod windows;
mod working_days;

#[cfg(test)]
mod tests;

pub use business::BusinessCalendar;
pub use cron::CronLine;
pub use due::{DayRule, DueTimes, OnHoliday};
pub use hours::{Moment, OpenTime, OpeningHours};
pub use ics::read_ics;
pub use windows::TimeWindow;
pub use working_days::WorkingDays;

/// What is wrong with a text, and what is allowed instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
    /// The bytes of the text that it is about; all of it where it is empty.
    pub span: std::ops::Range<usize>,
}

impl Invalid {
    /// What is wrong with a whole text, and what is allowed.
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Invalid {
        Invalid { message: message.into(), hint: Some(hint.into()), span: 0..0 }
    }

    /// The same of a part of the text.
    fn within(self, span: std::ops::Range<usize>) -> Invalid {
        Invalid { span, ..self }
    }
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Invalid {}
