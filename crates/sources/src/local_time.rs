//! Local times of a time zone as timestamps, for values that have no zone themselves.

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use perennial_core::contract::day_of;
use perennial_core::error::{Error, Result};

const DAY_MICROSECONDS: i64 = 86_400_000_000;
/// Days whose offset is cached; a power of two.
const DAYS_KEPT: usize = 1024;

/// Converts local times of one zone.
pub struct LocalTime {
    zone: TimeZone,
    name: String,
    is_utc: bool,
    offsets: Vec<Option<(i64, DayOffset)>>,
}

/// What is known of the offset on one day.
#[derive(Clone, Copy)]
enum DayOffset {
    /// The same all day, in microseconds.
    Uniform(i64),
    /// Clocks change on that day.
    Changing,
}

impl LocalTime {
    /// For a zone of the IANA database.
    ///
    /// # Errors
    /// Of kind `Project` when there is no such zone.
    pub fn new(zone: &str) -> Result<LocalTime> {
        let found =
            TimeZone::get(zone).map_err(|e| Error::project(format!("`{zone}` is not a known time zone")).because(e))?;
        Ok(LocalTime { zone: found, name: zone.to_string(), is_utc: is_utc(zone), offsets: vec![None; DAYS_KEPT] })
    }

    /// The timestamp of a local time, both in microseconds since 1970-01-01 00:00. When the time occurs twice, the first
    /// one counts.
    ///
    /// # Errors
    /// The reason, when clocks were set forward over that time or it is out of range.
    #[inline]
    pub fn in_utc(&mut self, local_microseconds: i64) -> Result<i64, String> {
        if self.is_utc {
            return Ok(local_microseconds);
        }
        let days = local_microseconds.div_euclid(DAY_MICROSECONDS);
        let slot = days as usize & (DAYS_KEPT - 1);
        let offset = match self.offsets[slot] {
            Some((known, offset)) if known == days => offset,
            _ => self.look_up(days, slot),
        };
        match offset {
            DayOffset::Uniform(offset) => Ok(local_microseconds - offset),
            DayOffset::Changing => self.on_day_of_change(local_microseconds, days),
        }
    }

    #[cold]
    fn look_up(&mut self, days: i64, slot: usize) -> DayOffset {
        let offset = day_of(days).and_then(|day| self.uniform(day)).map_or(DayOffset::Changing, DayOffset::Uniform);
        self.offsets[slot] = Some((days, offset));
        offset
    }

    /// The offset in microseconds, if it is the same all day.
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

    fn on_day_of_change(&self, local_microseconds: i64, days: i64) -> Result<i64, String> {
        let outside = || "the timestamp is out of range".to_string();
        let day = day_of(days).ok_or_else(outside)?;
        let of_day = jiff::Span::new().microseconds(local_microseconds.rem_euclid(DAY_MICROSECONDS));
        let clock = day.at(0, 0, 0, 0).checked_add(of_day).map_err(|_| outside())?;
        let offset = match self.zone.to_ambiguous_timestamp(clock).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            // The time occurs twice; the first one has the offset before the change.
            AmbiguousOffset::Fold { before, .. } => before,
            AmbiguousOffset::Gap { .. } => {
                return Err(format!("the time does not exist in {}: the clocks were set forward", self.name));
            }
        };
        Ok(local_microseconds - i64::from(offset.seconds()) * 1_000_000)
    }
}

/// Whether a zone is UTC by one of its names.
pub(crate) fn is_utc(zone: &str) -> bool {
    ["UTC", "Etc/UTC", "Z", "Zulu", "Etc/Zulu", "UCT", "Etc/UCT", "Universal", "Etc/Universal"]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(text: &str) -> i64 {
        let time: jiff::civil::DateTime = text.parse().unwrap();
        time.to_zoned(TimeZone::UTC).unwrap().timestamp().as_microsecond()
    }

    #[test]
    fn local_times_become_timestamps() {
        let mut berlin = LocalTime::new("Europe/Berlin").unwrap();
        assert_eq!(berlin.in_utc(clock("2026-01-05T10:00:00.000001")), Ok(clock("2026-01-05T09:00:00.000001")));
        assert_eq!(berlin.in_utc(clock("2026-07-05T10:00:00")), Ok(clock("2026-07-05T08:00:00")));
        // The last day of summer time: 02:30 comes twice, and the first counts.
        assert_eq!(berlin.in_utc(clock("2026-10-25T02:30:00")), Ok(clock("2026-10-25T00:30:00")));
        assert_eq!(berlin.in_utc(clock("2026-10-25T03:30:00")), Ok(clock("2026-10-25T02:30:00")));
        assert!(berlin.in_utc(clock("2026-03-29T02:30:00")).unwrap_err().contains("set forward"));
        assert_eq!(berlin.in_utc(clock("2026-03-29T03:30:00")), Ok(clock("2026-03-29T01:30:00")));
        let mut utc = LocalTime::new("UTC").unwrap();
        assert_eq!(utc.in_utc(clock("2026-03-29T02:30:00")), Ok(clock("2026-03-29T02:30:00")));
        assert!(LocalTime::new("Mars/Olympus").is_err());
    }
}
