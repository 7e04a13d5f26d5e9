//! Calendar dates and clock times as they are written, and days of the Gregorian calendar.

/// What a text says, before it is placed in a time zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Parts {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    /// Seconds of the day.
    pub(crate) second: i64,
    pub(crate) microsecond: i64,
    pub(crate) offset_seconds: Option<i64>,
}

impl Parts {
    /// Days since 1970-01-01; `None` if there is no such day.
    pub(crate) fn days(&self) -> Option<i64> {
        days(self.year, self.month, self.day)
    }
}

/// Days since 1970-01-01 of a day of the Gregorian calendar; `None` if there is no such day.
pub(crate) fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    if day < 1 || day > last {
        return None;
    }
    // Years begin in March, so that the leap day is their last (Howard Hinnant, "chrono-compatible date algorithms").
    let shifted = year - i64::from(month <= 2);
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}
