//! Clock times of a zone as moments, for systems whose timestamps know no zone.

use crate::contract::day_of;
use crate::error::{Error, Result};
use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};

const DAY_MICROSECONDS: i64 = 86_400_000_000;
/// Days whose offset is remembered; a power of two.
const DAYS_KEPT: usize = 1024;

/// Reads clock times of one zone.
pub(super) struct LocalTime {
    zone: TimeZone,
    name: String,
    utc: bool,
    offsets: Vec<Option<(i64, DayOffset)>>,
}

/// What is known of the offset on one day.
#[derive(Clone, Copy)]
enum DayOffset {
    /// The same all day, in microseconds.
    Uniform(i64),
    /// Clocks change.
    Changing,
}

impl LocalTime {
    /// Clock times of a zone of the IANA database.
    ///
    /// # Errors
    /// Of kind `Project` when there is no such zone.
    pub(super) fn new(zone: &str) -> Result<LocalTime> {
        let found =
            TimeZone::get(zone).map_err(|e| Error::project(format!("`{zone}` is not a known time zone")).because(e))?;
        let utc = ["UTC", "Etc/UTC", "Z"].iter().any(|name| name.eq_ignore_ascii_case(zone));
        Ok(LocalTime { zone: found, name: zone.to_string(), utc, offsets: vec![None; DAYS_KEPT] })
    }

    /// The moment of a clock time, both in microseconds since 1970-01-01 00:00. Of a time that comes twice the first is
    /// taken.
    ///
    /// # Errors
    /// The reason, when the clocks were put forward over that time or it lies outside of the calendar.
    #[inline]
    pub(super) fn in_utc(&mut self, clock_microseconds: i64) -> Result<i64, String> {
        if self.utc {
            return Ok(clock_microseconds);
        }
        let days = clock_microseconds.div_euclid(DAY_MICROSECONDS);
        let slot = days as usize & (DAYS_KEPT - 1);
        let offset = match self.offsets[slot] {
            Some((known, offset)) if known == days => offset,
            _ => self.look_up(days, slot),
        };
        match offset {
            DayOffset::Uniform(offset) => Ok(clock_microseconds - offset),
            DayOffset::Changing => self.on_a_day_of_change(clock_microseconds, days),
        }
    }

    #[cold]
    fn look_up(&mut self, days: i64, slot: usize) -> DayOffset {
        let offset = day_of(days).and_then(|day| self.uniform(day)).map_or(DayOffset::Changing, DayOffset::Uniform);
        self.offsets[slot] = Some((days, offset));
        offset
    }

    /// The offset in microseconds, when it is one from the day's first to its last moment.
    fn uniform(&self, day: Date) -> Option<i64> {
        let (start, end) = (day.at(0, 0, 0, 0), day.at(23, 59, 59, 999_999_999));
        let first = self.zone.to_ambiguous_timestamp(start).offset();
        let last = self.zone.to_ambiguous_timestamp(end).offset();
        let (AmbiguousOffset::Unambiguous { offset: first }, AmbiguousOffset::Unambiguous { offset: last }) =
            (first, last)
        else {
            return None;
        };
        let (from, to) = (first.to_timestamp(start).ok()?, last.to_timestamp(end).ok()?);
        let change = self.zone.following(from).next().is_some_and(|transition| transition.timestamp() <= to);
        (first == last && !change).then(|| i64::from(first.seconds()) * 1_000_000)
    }

    fn on_a_day_of_change(&self, clock_microseconds: i64, days: i64) -> Result<i64, String> {
        let outside = || "the moment is out of range".to_string();
        let day = day_of(days).ok_or_else(outside)?;
        let of_day = jiff::Span::new().microseconds(clock_microseconds.rem_euclid(DAY_MICROSECONDS));
        let clock = day.at(0, 0, 0, 0).checked_add(of_day).map_err(|_| outside())?;
        let offset = match self.zone.to_ambiguous_timestamp(clock).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            // The time comes twice; the first one is still under the offset before.
            AmbiguousOffset::Fold { before, .. } => before,
            AmbiguousOffset::Gap { .. } => {
                return Err(format!("there is no such time in {}: the clocks were put forward over it", self.name));
            }
        };
        Ok(clock_microseconds - i64::from(offset.seconds()) * 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(text: &str) -> i64 {
        let time: jiff::civil::DateTime = text.parse().unwrap();
        time.to_zoned(TimeZone::UTC).unwrap().timestamp().as_microsecond()
    }

    #[test]
    fn clock_times_become_moments_of_their_zone() {
        let mut berlin = LocalTime::new("Europe/Berlin").unwrap();
        assert_eq!(berlin.in_utc(clock("2026-01-05T10:00:00.000001")), Ok(clock("2026-01-05T09:00:00.000001")));
        assert_eq!(berlin.in_utc(clock("2026-07-05T10:00:00")), Ok(clock("2026-07-05T08:00:00")));
        // The last day of summer time: 02:30 comes twice, and the first counts.
        assert_eq!(berlin.in_utc(clock("2026-10-25T02:30:00")), Ok(clock("2026-10-25T00:30:00")));
        assert_eq!(berlin.in_utc(clock("2026-10-25T03:30:00")), Ok(clock("2026-10-25T02:30:00")));
        assert!(berlin.in_utc(clock("2026-03-29T02:30:00")).unwrap_err().contains("put forward"));
        assert_eq!(berlin.in_utc(clock("2026-03-29T03:30:00")), Ok(clock("2026-03-29T01:30:00")));
        let mut utc = LocalTime::new("UTC").unwrap();
        assert_eq!(utc.in_utc(clock("2026-03-29T02:30:00")), Ok(clock("2026-03-29T02:30:00")));
        assert!(LocalTime::new("Mars/Olympus").is_err());
    }
}
