//! Cron lines of five fields in a time zone.

use super::Invalid;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A cron line: minute, hour, day of the month, month, weekday; or `@daily` and its like.
#[derive(Clone, Debug)]
pub struct CronLine {
    text: String,
    cron: croner::Cron,
}

impl CronLine {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it, also that it never occurs.
    pub fn parse(text: &str) -> Result<CronLine, Invalid> {
        let _ = text;
        Err(Invalid { message: "not read yet".into(), hint: None, span: 0..0 })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first instant after another one. A fixed time that the clock skips is moved to the next instant that exists; one
    /// that occurs twice is its first occurrence. Lines with `*`, a step or a range of hours follow real time.
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let _ = (after, zone, &self.cron);
        None
    }
}
