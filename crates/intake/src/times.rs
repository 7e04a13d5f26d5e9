//! Dates and timestamps.
//!
//! The most common formats (fixed digits between fixed characters) are parsed here, byte by byte; everything else is
//! left to jiff, which also knows month names and two-digit years. Both agree on what a date is: 31 February is not
//! one.

use super::calendar::{Parts, days};
use super::named_formats::NamedFormat;
use super::numbers::Parsed;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use perennial_core::contract::EPOCH_FORMATS;
use perennial_core::error::{Error, Result};
use perennial_sources::LocalTime;
use std::borrow::Cow;

const MICROSECONDS: i64 = 1_000_000;
const DAY_SECONDS: i64 = 86_400;

pub(super) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A format of dates or timestamps, parsed quickly if it has a fixed width.
pub(super) struct TimeFormat {
    text: String,
    pub(super) fixed: Option<Vec<Piece>>,
    named: Option<NamedFormat>,
    /// Microseconds of one unit, of a format that counts since 1970.
    epoch: Option<i64>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Piece {
    Year,
    Month,
    /// Three letters of an English month name.
    MonthName,
    Day,
    Hour,
    Minute,
    Second,
    /// An optional decimal point with up to nine digits.
    Fraction,
    /// `+01:00`, `+0100` or, in the default formats, `Z`.
    Offset,
    Letter(u8),
}

impl TimeFormat {
    /// A strftime format or a named format.
    ///
    /// # Errors
    /// Of kind `Project` when jiff does not support it.
    pub(super) fn new(text: &str) -> Result<TimeFormat> {
        let named = NamedFormat::named(text);
        if named.is_some() {
            return Ok(TimeFormat { text: text.to_string(), fixed: None, epoch: None, named });
        }
        // A zoned timestamp has every field, so only a mistake in the format itself can fail.
        let sample = jiff::Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
        if let Err(error) = jiff::fmt::strtime::format(text, &sample) {
            return Err(Error::project(format!("`{text}` is not a format of dates: {error}")).because(error));
        }
        let epoch = EPOCH_FORMATS.iter().find(|(name, _)| *name == text).map(|(_, microseconds)| *microseconds);
        let epoch = epoch.or((text == "%s").then_some(MICROSECONDS));
        Ok(TimeFormat { text: text.to_string(), fixed: pieces(text), epoch, named })
    }
}

/// The pieces of a format in which every directive has a fixed width.
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
            // A space matches any run of spaces in jiff; here only a single one.
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

/// RFC 3339 with `T` or a space, with or without fraction and offset: the default format.
fn default_pieces() -> [Piece; 11] {
    use Piece::*;
    [Year, Letter(b'-'), Month, Letter(b'-'), Day, Letter(b'T'), Hour, Letter(b':'), Minute, Letter(b':'), Second]
}

/// Parses a text by pieces of fixed width. `None` if it has another form; whether the date exists is not checked.
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

/// Microseconds of `.123456789`; digits after the sixth are dropped, as the lake has microseconds.
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

/// Microseconds of a count since 1970, as in `1767600000.123`, whose unit is a number of microseconds.
fn since_epoch(text: &str, unit: i64) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let good = !whole.is_empty() && (whole.len() == digits.len() || !decimals.is_empty()) && decimals.len() <= 18;
    if !good || !whole.bytes().chain(decimals.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Units are powers of ten; digits after the microseconds are dropped.
    let places = unit.ilog10() as usize;
    let part = decimals.bytes().chain(std::iter::repeat(b'0')).take(places);
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

/// Reads dates.
pub(super) struct DateReader {
    formats: Vec<TimeFormat>,
}

impl DateReader {
    /// With the formats of the contract; ISO when it names none.
    ///
    /// # Errors
    /// Of kind `Project` for an invalid format.
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
                Some(parts) => match parts.days() {
                    Some(days) => return Ok(days as i32),
                    None => shape_fits = true,
                },
                None if format.named.is_some() => match format.named.and_then(|named| named.read(text)) {
                    // The time of day is not dropped.
                    Some(Parts { second: 1.., .. }) | None => {}
                    Some(parts) => match parts.days() {
                        Some(days) if parts.microsecond == 0 => return Ok(days as i32),
                        _ => shape_fits = true,
                    },
                },
                None => {
                    if let Ok(date) = BrokenDownTime::parse(&format.text, text).and_then(|time| time.to_date()) {
                        return days(date.year().into(), date.month().into(), date.day().into())
                            .map(|days| days as i32)
                            .ok_or_else(|| Cow::from("the date does not exist"));
                    }
                }
            }
        }
        Err(reason("a date", &self.formats, "%Y-%m-%d", shape_fits))
    }
}

#[cold]
fn reason(what: &str, formats: &[TimeFormat], default: &str, shape_fits: bool) -> Cow<'static, str> {
    let names: Vec<String> = formats.iter().map(|f| format!("`{}`", f.text)).collect();
    let names = if names.is_empty() { format!("`{default}`") } else { names.join(" or ") };
    if shape_fits {
        format!("the date does not exist in the calendar (format {names})").into()
    } else {
        format!("the text is not {what} of the format {names}").into()
    }
}

/// Reads timestamps as microseconds since 1970-01-01T00:00:00Z.
pub(super) struct InstantReader {
    formats: Vec<TimeFormat>,
    default: [Piece; 11],
    local: LocalTime,
}

impl InstantReader {
    /// With the formats of the contract (RFC 3339 and `%Y-%m-%d %H:%M:%S` when it names none) and the zone of texts
    /// without an offset.
    ///
    /// # Errors
    /// Of kind `Project` for an invalid format or an unknown zone.
    pub(super) fn new(formats: &[String], zone: &str) -> Result<InstantReader> {
        Ok(InstantReader {
            formats: formats.iter().map(|f| TimeFormat::new(f)).collect::<Result<_>>()?,
            default: default_pieces(),
            local: LocalTime::new(zone)?,
        })
    }

    /// Microseconds since the epoch.
    pub(super) fn parse(&mut self, text: &str) -> Parsed<i64> {
        if self.formats.is_empty() {
            return match read_fixed(text.as_bytes(), &self.default, true) {
                Some(parts) => match self.place(parts) {
                    Some(placed) => placed,
                    None => Err(self.reason(true)),
                },
                None => Err(self.reason(false)),
            };
        }
        let mut shape_fits = false;
        for i in 0..self.formats.len() {
            let format = &self.formats[i];
            if let Some(timestamp) = format.epoch.and_then(|unit| since_epoch(text, unit)) {
                return Ok(timestamp);
            }
            let parts = match format.fixed.as_ref().and_then(|pieces| read_fixed(text.as_bytes(), pieces, false)) {
                Some(parts) => Some(parts),
                None if format.named.is_some() => format.named.and_then(|named| named.read(text)),
                None => match read_with_jiff(&format.text, text) {
                    Some(Broken::Timestamp(microseconds)) => return Ok(microseconds),
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
        Err(self.reason(shape_fits))
    }

    fn reason(&self, shape_fits: bool) -> Cow<'static, str> {
        reason("a timestamp", &self.formats, "%Y-%m-%dT%H:%M:%S", shape_fits)
    }

    /// `None` when there is no such day; a reason for rejection when the clocks skipped that time.
    fn place(&mut self, parts: Parts) -> Option<Parsed<i64>> {
        let days = parts.days()?;
        let local = (days * DAY_SECONDS + parts.second) * MICROSECONDS + parts.microsecond;
        Some(match parts.offset_seconds {
            Some(offset) => Ok(local - offset * MICROSECONDS),
            None => self.local.in_utc(local).map_err(Cow::from),
        })
    }
}

enum Broken {
    Timestamp(i64),
    Parts(Parts),
}

fn read_with_jiff(format: &str, text: &str) -> Option<Broken> {
    let time = BrokenDownTime::parse(format, text).ok()?;
    if time.offset().is_some() || time.timestamp().is_some() {
        return time.to_timestamp().ok().map(|timestamp| Broken::Timestamp(timestamp.as_microsecond()));
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
