//! Times of a day between two others.

use super::Invalid;
use jiff::civil::Time;

/// From one time of the day to another one, which may lie on the next day; the end is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWindow {
    /// Its first moment.
    pub start: Time,
    /// The first moment after it; midnight for one that lasts until the end of the day.
    pub end: Time,
}

impl TimeWindow {
    /// Reads a window written as `22:00-04:30`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<TimeWindow, Invalid> {
        let (start, end) = minutes(text)?;
        if end - start >= 24 * 60 {
            return Err(Invalid::new(format!("`{text}` is the whole day"), "write a shorter one: \"03:00-03:45\""));
        }
        let time = |minutes: u16| {
            let minutes = minutes % (24 * 60);
            Time::new((minutes / 60) as i8, (minutes % 60) as i8, 0, 0).map_err(|_| invalid(text))
        };
        Ok(TimeWindow { start: time(start)?, end: time(end)? })
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

/// Start and end in minutes from the beginning of the day; an end on the next day is more than 1,440.
pub(crate) fn minutes(text: &str) -> Result<(u16, u16), Invalid> {
    let (start, end) = text.split_once('-').ok_or_else(|| invalid(text))?;
    let at = |time: &str| minute_of_day(time.trim()).ok_or_else(|| invalid(text));
    let (start, end) = (at(start)?, at(end)?);
    if start == end || start == 24 * 60 {
        return Err(Invalid::new(format!("`{text}` has no length"), "write 00:00-24:00 for a whole day"));
    }
    Ok((start, if end > start { end } else { end + 24 * 60 }))
}

fn invalid(text: &str) -> Invalid {
    Invalid::new(
        format!("`{text}` is not a time window"),
        "write two times of the day from 00:00 to 24:00: \"22:00-04:30\"",
    )
}

/// `9:05` and `09:05`, until `24:00`.
fn minute_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !(1..=2).contains(&hour.len()) || minute.len() != 2 || !is_number(hour) || !is_number(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= 24 * 60).then_some(minutes)
}
