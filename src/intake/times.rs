//! Days and moments.
//!
//! The formats met every day (fixed digits between fixed letters) are read by hand, byte for byte; whatever they do not
//! accept is given to jiff, which also knows month names and two-digit years. Both agree on what a day is: 31 February
//! is none.

use super::named_formats::NamedFormat;
use super::numbers::Parsed;
use crate::contract::EPOCH_FORMATS;
use crate::error::{Error, Result};
use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use std::borrow::Cow;

const MICROSECONDS: i64 = 1_000_000;
const DAY_SECONDS: i64 = 86_400;
/// Days whose offset is remembered; a power of two.
const DAYS_KEPT: usize = 1024;

pub(super) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A format of days or moments, read quickly where it is of fixed shape.
pub(super) struct TimeFormat {
    text: String,
    pub(super) fixed: Option<Vec<Piece>>,
    named: Option<NamedFormat>,
    /// Microseconds of one, of a format that counts since 1970.
    epoch: Option<i64>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Piece {
    Year,
    Month,
    /// Three letters of an English name.
    MonthName,
    Day,
    Hour,
    Minute,
    Second,
    /// A point and up to nine digits, or nothing.
    Fraction,
    /// `+01:00`, `+0100` or, where the default formats allow it, `Z`.
    Offset,
    Letter(u8),
}

/// What stands in a text, before it is placed in a zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Parts {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    /// Seconds of the day.
    pub(super) second: i64,
    pub(super) microsecond: i64,
    pub(super) offset_seconds: Option<i64>,
}

impl TimeFormat {
    /// A strftime format, or one with a name.
    ///
    /// # Errors
    /// Of kind `Project` when jiff does not know it.
    pub(super) fn new(text: &str) -> Result<TimeFormat> {
        let named = NamedFormat::named(text);
        if named.is_some() {
            return Ok(TimeFormat { text: text.to_string(), fixed: None, epoch: None, named });
        }
        // Every field is known of a moment in a zone, so only a mistake in the format itself can fail.
        let some_moment = jiff::Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
        if let Err(error) = jiff::fmt::strtime::format(text, &some_moment) {
            return Err(Error::project(format!("`{text}` is not a format of dates: {error}")).because(error));
        }
        let epoch = EPOCH_FORMATS.iter().find(|(name, _)| *name == text).map(|(_, microseconds)| *microseconds);
        let epoch = epoch.or((text == "%s").then_some(MICROSECONDS));
        Ok(TimeFormat { text: text.to_string(), fixed: pieces(text), epoch, named })
    }
}

/// The pieces of a format in which every directive has one width.
fn pieces(format: &str) -> Option<Vec<Piece>> {
    use Piece::*;
    let mut found = Vec::new();
    let mut rest = format;
    while let Some(first) = rest.as_bytes().first() {
        let (length, more): (usize, &[Piece]) = match rest.as_bytes() {
            [b'%', b'Y', ..] => (2, &[Year]),
            [b'%', b'm', ..] => (2, &[Month]),
            [b'%', b'b', ..] => (2, &[MonthName]),
            [b'%', b'd', ..] => (2, &[Day]),
            [b'%', b'H', ..] => (2, &[Hour]),
            [b'%', b'M', ..] => (2, &[Minute]),
            [b'%', b'S', ..] => (2, &[Second]),
            [b'%', b'F', ..] => (2, &[Year, Letter(b'-'), Month, Letter(b'-'), Day]),
            [b'%', b'T', ..] => (2, &[Hour, Letter(b':'), Minute, Letter(b':'), Second]),
            [b'%', b'.', b'f', ..] => (3, &[Fraction]),
            [b'%', b'z', ..] => (2, &[Offset]),
            [b'%', b':', b'z', ..] => (3, &[Offset]),
            [b'%', ..] => return None,
            // Blanks match any run of blanks in jiff; here the one that is written.
            _ => (1, &[]),
        };
        found.extend_from_slice(more);
        if more.is_empty() {
            found.push(Letter(*first));
        }
        rest = rest.get(length..)?;
    }
    let month = found.contains(&Month) || found.contains(&MonthName);
    (found.contains(&Year) && month && found.contains(&Day)).then_some(found)
}

/// RFC 3339 with `T` or a blank, with or without fraction and offset: what is read when no format is named.
fn default_pieces() -> [Piece; 11] {
    use Piece::*;
    [Year, Letter(b'-'), Month, Letter(b'-'), Day, Letter(b'T'), Hour, Letter(b':'), Minute, Letter(b':'), Second]
}

/// Reads a text by pieces of fixed width. Nothing when its shape is another; whether the day exists is not looked at.
fn read_fixed(text: &[u8], pieces: &[Piece], defaults: bool) -> Option<Parts> {
    let mut parts = Parts { year: 0, month: 0, day: 0, second: 0, microsecond: 0, offset_seconds: None };
    let mut at = 0;
    for piece in pieces {
        match piece {
            Piece::Letter(letter) => {
                let byte = *text.get(at)?;
                if byte != *letter && !(defaults && *letter == b'T' && (byte == b' ' || byte == b't')) {
                    return None;
                }
                at += 1;
            }
            Piece::Year => {
                parts.year = two(text, at)? * 100 + two(text, at + 2)?;
                at += 4;
            }
            Piece::MonthName => {
                let name = text.get(at..at + 3)?;
                parts.month = MONTHS.iter().position(|month| month.as_bytes() == name)? as i64 + 1;
                at += 3;
            }
            Piece::Fraction => (parts.microsecond, at) = fraction(text, at)?,
            Piece::Offset => (parts.offset_seconds, at) = offset(text, at, defaults)?,
            _ => {
                let value = two(text, at)?;
                at += 2;
                match piece {
                    Piece::Month => parts.month = value,
                    Piece::Day => parts.day = value,
                    Piece::Hour if value < 24 => parts.second += value * 3600,
                    Piece::Minute if value < 60 => parts.second += value * 60,
                    Piece::Second if value < 60 => parts.second += value,
                    _ => return None,
                }
            }
        }
    }
    if defaults {
        (parts.microsecond, at) = fraction(text, at)?;
        if at < text.len() {
            (parts.offset_seconds, at) = offset(text, at, true)?;
        }
    }
    (at == text.len()).then_some(parts)
}

fn two(text: &[u8], at: usize) -> Option<i64> {
    let tens = text.get(at)?.wrapping_sub(b'0');
    let ones = text.get(at + 1)?.wrapping_sub(b'0');
    (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
}

/// Microseconds of `.123456789`; digits behind the sixth are cut, as the lake keeps microseconds.
fn fraction(text: &[u8], at: usize) -> Option<(i64, usize)> {
    if text.get(at) != Some(&b'.') {
        return Some((0, at));
    }
    let digits = text[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 || digits > 9 {
        return None;
    }
    let microseconds =
        (0..6).fold(0, |sum, i| sum * 10 + if i < digits { i64::from(text[at + 1 + i] - b'0') } else { 0 });
    Some((microseconds, at + 1 + digits))
}

/// Microseconds of a count since 1970 of units of so many microseconds, as in `1767600000.123`.
fn since_epoch(text: &str, unit: i64) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, behind) = digits.split_once('.').unwrap_or((digits, ""));
    let good = !whole.is_empty() && (whole.len() == digits.len() || !behind.is_empty()) && behind.len() <= 18;
    if !good || !whole.bytes().chain(behind.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Units are powers of ten; digits behind the microseconds are cut.
    let places = unit.ilog10() as usize;
    let part = behind.bytes().chain(std::iter::repeat(b'0')).take(places);
    let part = part.fold(0, |sum, byte| sum * 10 + i64::from(byte - b'0'));
    let microseconds = sign * whole.parse::<i64>().ok()?.checked_mul(unit)?.checked_add(part)?;
    jiff::Timestamp::from_microsecond(microseconds).ok().map(|_| microseconds)
}

fn offset(text: &[u8], at: usize, zulu: bool) -> Option<(Option<i64>, usize)> {
    let sign = match text.get(at)? {
        b'Z' | b'z' if zulu => return Some((Some(0), at + 1)),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = two(text, at + 1)?;
    let colon = usize::from(text.get(at + 3) == Some(&b':'));
    let minutes = two(text, at + 3 + colon)?;
    (hours < 24 && minutes < 60).then(|| (Some(sign * (hours * 3600 + minutes * 60)), at + 5 + colon))
}

/// Days since 1970-01-01 of a day of the Gregorian calendar; nothing when there is no such day.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
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

/// Reads days.
pub(super) struct DateReader {
    formats: Vec<TimeFormat>,
}

impl DateReader {
    /// With the contract's formats; ISO when it names none.
    ///
    /// # Errors
    /// Of kind `Project` for a format that is none.
    pub(super) fn new(formats: &[String]) -> Result<DateReader> {
        let formats = match formats {
            [] => vec![TimeFormat::new("%Y-%m-%d")?],
            formats => formats.iter().map(|f| TimeFormat::new(f)).collect::<Result<_>>()?,
        };
        Ok(DateReader { formats })
    }

    /// Days since 1970-01-01.
    pub(super) fn parse(&self, text: &str) -> Parsed<i32> {
        let mut shape_fits = false;
        for format in &self.formats {
            let parts = format.fixed.as_ref().and_then(|pieces| read_fixed(text.as_bytes(), pieces, false));
            match parts {
                Some(parts) => match days(parts.year, parts.month, parts.day) {
                    Some(days) => return Ok(days as i32),
                    None => shape_fits = true,
                },
                None if format.named.is_some() => match format.named.and_then(|named| named.read(text)) {
                    // The time of a moment is no part of a day, and is not dropped.
                    Some(Parts { second: 1.., .. }) | None => {}
                    Some(parts) => match days(parts.year, parts.month, parts.day) {
                        Some(days) if parts.microsecond == 0 => return Ok(days as i32),
                        _ => shape_fits = true,
                    },
                },
                None => {
                    if let Ok(date) = BrokenDownTime::parse(&format.text, text).and_then(|time| time.to_date()) {
                        return days(date.year().into(), date.month().into(), date.day().into())
                            .map(|days| days as i32)
                            .ok_or_else(|| Cow::from("there is no such day"));
                    }
                }
            }
        }
        Err(refusal("a date", &self.formats, "%Y-%m-%d", shape_fits))
    }
}

#[cold]
fn refusal(what: &str, formats: &[TimeFormat], default: &str, shape_fits: bool) -> Cow<'static, str> {
    let names: Vec<String> = formats.iter().map(|f| format!("`{}`", f.text)).collect();
    let names = if names.is_empty() { format!("`{default}`") } else { names.join(" or ") };
    if shape_fits {
        format!("there is no such day in the calendar (read as {names})").into()
    } else {
        format!("the text is not {what} written {names}").into()
    }
}

/// Reads moments as microseconds since 1970-01-01T00:00:00Z.
pub(super) struct InstantReader {
    formats: Vec<TimeFormat>,
    default: [Piece; 11],
    zone: TimeZone,
    zone_name: String,
    offsets: Vec<Option<(i64, DayOffset)>>,
}

/// What is known of the offset on one day.
#[derive(Clone, Copy)]
enum DayOffset {
    /// The same all day, in seconds.
    Uniform(i64),
    /// Clocks change.
    Changing,
}

impl InstantReader {
    /// With the contract's formats (RFC 3339 and `%Y-%m-%d %H:%M:%S` when it names none) and the zone of texts that
    /// name no offset.
    ///
    /// # Errors
    /// Of kind `Project` for a format or zone that is none.
    pub(super) fn new(formats: &[String], zone: &str) -> Result<InstantReader> {
        Ok(InstantReader {
            formats: formats.iter().map(|f| TimeFormat::new(f)).collect::<Result<_>>()?,
            default: default_pieces(),
            zone: TimeZone::get(zone)
                .map_err(|e| Error::project(format!("`{zone}` is not a known time zone")).because(e))?,
            zone_name: zone.to_string(),
            offsets: vec![None; DAYS_KEPT],
        })
    }

    /// Microseconds since the epoch.
    pub(super) fn parse(&mut self, text: &str) -> Parsed<i64> {
        if self.formats.is_empty() {
            return match read_fixed(text.as_bytes(), &self.default, true) {
                Some(parts) => match self.place(parts) {
                    Some(placed) => placed,
                    None => Err(self.refuse(true)),
                },
                None => Err(self.refuse(false)),
            };
        }
        let mut shape_fits = false;
        for i in 0..self.formats.len() {
            let format = &self.formats[i];
            if let Some(moment) = format.epoch.and_then(|unit| since_epoch(text, unit)) {
                return Ok(moment);
            }
            let parts = match format.fixed.as_ref().and_then(|pieces| read_fixed(text.as_bytes(), pieces, false)) {
                Some(parts) => Some(parts),
                None if format.named.is_some() => format.named.and_then(|named| named.read(text)),
                None => match read_with_jiff(&format.text, text) {
                    Some(Broken::Moment(microseconds)) => return Ok(microseconds),
                    Some(Broken::Parts(parts)) => Some(parts),
                    None => None,
                },
            };
            if let Some(parts) = parts {
                match self.place(parts) {
                    Some(placed) => return placed,
                    None => shape_fits = true,
                }
            }
        }
        Err(self.refuse(shape_fits))
    }

    fn refuse(&self, shape_fits: bool) -> Cow<'static, str> {
        refusal("a moment", &self.formats, "%Y-%m-%dT%H:%M:%S", shape_fits)
    }

    /// Nothing when there is no such day; a refusal when the clocks jumped over that time.
    fn place(&mut self, parts: Parts) -> Option<Parsed<i64>> {
        let days = days(parts.year, parts.month, parts.day)?;
        let local = days * DAY_SECONDS + parts.second;
        let offset = match parts.offset_seconds {
            Some(offset) => offset,
            None => match self.day_offset(days, parts) {
                DayOffset::Uniform(offset) => offset,
                DayOffset::Changing => match self.changing_offset(parts) {
                    Ok(offset) => offset,
                    Err(reason) => return Some(Err(reason)),
                },
            },
        };
        Some(Ok((local - offset) * MICROSECONDS + parts.microsecond))
    }

    fn day_offset(&mut self, days: i64, parts: Parts) -> DayOffset {
        let slot = days as usize & (DAYS_KEPT - 1);
        match self.offsets[slot] {
            Some((known, offset)) if known == days => offset,
            _ => {
                let offset = self.look_up_day(parts);
                self.offsets[slot] = Some((days, offset));
                offset
            }
        }
    }

    /// Whether the zone has one offset from the day's first to its last moment.
    fn look_up_day(&self, parts: Parts) -> DayOffset {
        let Some(start) = civil(parts, 0) else { return DayOffset::Changing };
        let Some(end) = civil(parts, DAY_SECONDS - 1) else { return DayOffset::Changing };
        let first = self.zone.to_ambiguous_timestamp(start).offset();
        let last = self.zone.to_ambiguous_timestamp(end).offset();
        let (AmbiguousOffset::Unambiguous { offset: first }, AmbiguousOffset::Unambiguous { offset: last }) =
            (first, last)
        else {
            return DayOffset::Changing;
        };
        let (Ok(from), Ok(to)) = (first.to_timestamp(start), last.to_timestamp(end)) else {
            return DayOffset::Changing;
        };
        match self.zone.following(from).next() {
            Some(transition) if transition.timestamp() <= to => DayOffset::Changing,
            _ if first != last => DayOffset::Changing,
            _ => DayOffset::Uniform(first.seconds().into()),
        }
    }

    fn changing_offset(&self, parts: Parts) -> Parsed<i64> {
        let time = civil(parts, parts.second).ok_or(Cow::from("the moment is out of range"))?;
        match self.zone.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { offset } => Ok(offset.seconds().into()),
            // The time comes twice; the first one is still under the offset before.
            AmbiguousOffset::Fold { before, .. } => Ok(before.seconds().into()),
            AmbiguousOffset::Gap { .. } => {
                Err(format!("there is no such time in {}: the clocks were put forward over it", self.zone_name).into())
            }
        }
    }
}

fn civil(parts: Parts, second: i64) -> Option<DateTime> {
    let (hour, minute) = ((second / 3600) as i8, (second / 60 % 60) as i8);
    DateTime::new(parts.year as i16, parts.month as i8, parts.day as i8, hour, minute, (second % 60) as i8, 0).ok()
}

enum Broken {
    Moment(i64),
    Parts(Parts),
}

fn read_with_jiff(format: &str, text: &str) -> Option<Broken> {
    let time = BrokenDownTime::parse(format, text).ok()?;
    if time.offset().is_some() || time.timestamp().is_some() {
        return time.to_timestamp().ok().map(|moment| Broken::Moment(moment.as_microsecond()));
    }
    let date = time.to_date().ok()?;
    let clock = time.to_time().unwrap_or(jiff::civil::Time::midnight());
    Some(Broken::Parts(Parts {
        year: date.year().into(),
        month: date.month().into(),
        day: date.day().into(),
        second: i64::from(clock.hour()) * 3600 + i64::from(clock.minute()) * 60 + i64::from(clock.second()),
        microsecond: i64::from(clock.subsec_nanosecond() / 1000),
        offset_seconds: None,
    }))
}
