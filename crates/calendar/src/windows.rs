//! Times of a day between two others.

use super::Invalid;
use jiff::civil::Time;

/// From one time of the day to another one, which may lie on the next day; the end is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWindow {
    /// Its first moment.
    pub start: Time,
    /// The first moment after it.
    pub end: Time,
}

impl TimeWindow {
    /// Reads a window written as `22:00-04:30`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<TimeWindow, Invalid> {
        let _ = text;
        Err(Invalid { message: "not read yet".into(), hint: None, span: 0..0 })
    }

    /// Whether a time of the day lies in it.
    pub fn contains(&self, time: Time) -> bool {
        if self.start <= self.end {
            self.start <= time && time < self.end
        } else {
            self.start <= time || time < self.end
        }
    }
}
