//! Cells of workbooks as text: what a person would read, without rounding errors of binary numbers.

use calamine::{DataRef, ExcelDateTime};
use std::fmt::Write;

/// From here on, not every whole number is exact in binary.
const EXACT: f64 = 1e15;
const DAY_MILLISECONDS: f64 = 86_400_000.0;

/// What a cell was before it became text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CellKind {
    /// Text.
    Text,
    /// A number, a date, a timestamp or a Boolean.
    Native,
    /// An error, or a formula without a value.
    Error,
}

/// Writes a cell's value; an empty cell writes nothing.
pub(super) fn write_cell(value: &DataRef<'_>, out: &mut String) -> CellKind {
    // Writing to a text does not fail.
    match value {
        DataRef::Empty => CellKind::Text,
        DataRef::String(text) => {
            out.push_str(text);
            CellKind::Text
        }
        DataRef::SharedString(text) => {
            out.push_str(text);
            CellKind::Text
        }
        DataRef::Int(number) => {
            let _ = write!(out, "{number}");
            CellKind::Native
        }
        DataRef::Float(number) => {
            write_number(*number, out);
            CellKind::Native
        }
        DataRef::Bool(value) => {
            out.push_str(if *value { "true" } else { "false" });
            CellKind::Native
        }
        DataRef::DateTime(timestamp) if timestamp.is_duration() => {
            write_duration(timestamp.as_f64(), out);
            CellKind::Native
        }
        DataRef::DateTime(timestamp) => write_timestamp(timestamp, out),
        DataRef::DateTimeIso(text) => {
            out.push_str(text);
            CellKind::Native
        }
        DataRef::DurationIso(text) => {
            write_iso_duration(text, out);
            CellKind::Native
        }
        DataRef::Error(error) => {
            let _ = write!(out, "{error}");
            CellKind::Error
        }
    }
}

/// A number with the 15 digits that spreadsheets keep, so that 7.0000000000000009 is 7; a whole number with all its digits.
fn write_number(number: f64, out: &mut String) {
    let _ = if number == 0.0 {
        out.write_str("0")
    } else if number.fract() == 0.0 && number.abs() < EXACT {
        write!(out, "{}", number as i64)
    } else if number.fract() == 0.0 || !number.is_finite() {
        write!(out, "{number}")
    } else {
        let kept = format!("{number:.14e}").parse().unwrap_or(number);
        write!(out, "{kept}")
    };
}

/// A date, a timestamp or a time of day, in ISO 8601.
fn write_timestamp(timestamp: &ExcelDateTime, out: &mut String) -> CellKind {
    let value = timestamp.as_f64();
    let (year, month, day, hour, minute, second, millisecond) = timestamp.to_ymd_hms_milli();
    // The library returns the last day for all that follow it.
    let beyond = (year, month, day) == (9999, 12, 31) && !(2_957_003.0..2_958_466.0).contains(&value);
    if !(0.0..2_958_466.0).contains(&value) || beyond {
        write_number(value, out);
        return CellKind::Error;
    }
    if value >= 1.0 {
        let _ = write!(out, "{year:04}-{month:02}-{day:02}");
        if (hour, minute, second, millisecond) == (0, 0, 0, 0) {
            return CellKind::Native;
        }
        out.push('T');
    }
    let _ = write!(out, "{hour:02}:{minute:02}:{second:02}");
    if millisecond > 0 {
        let _ = write!(out, ".{millisecond:03}");
    }
    CellKind::Native
}

/// A duration in hours, minutes and seconds; hours may exceed 24.
fn write_duration(days: f64, out: &mut String) {
    let milliseconds = (days.abs() * DAY_MILLISECONDS).round() as u64;
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    let sign = if days < 0.0 && milliseconds > 0 { "-" } else { "" };
    let _ = write!(out, "{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if rest > 0 {
        let _ = write!(out, ".{rest:03}");
    }
}

/// `PT10H00M00S` of OpenDocument as `10:00:00`; any other form stays as it is.
fn write_iso_duration(text: &str, out: &mut String) {
    let parts = || {
        let (hours, rest) = text.strip_prefix("PT")?.split_once('H')?;
        let (minutes, rest) = rest.split_once('M')?;
        Some((hours, minutes, rest.strip_suffix('S')?))
    };
    match parts() {
        Some((hours, minutes, seconds)) => {
            let seconds = match seconds.split_once('.') {
                Some((whole, fraction)) if fraction.bytes().all(|b| b == b'0') => whole,
                _ => seconds,
            };
            let _ = write!(out, "{hours}:{minutes}:{seconds}");
        }
        None => out.push_str(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calamine::{CellErrorType, ExcelDateTimeType};

    fn written(value: DataRef<'_>) -> (String, CellKind) {
        let mut out = String::new();
        let kind = write_cell(&value, &mut out);
        (out, kind)
    }

    #[test]
    fn numbers_have_the_digits_that_a_spreadsheet_shows() {
        for (number, text) in [
            (7.000_000_000_000_001, "7"),
            (0.1 + 0.2, "0.3"),
            (2.55, "2.55"),
            (-0.0, "0"),
            (12.0, "12"),
            (-1234.5, "-1234.5"),
            (0.000_001, "0.000001"),
            (1e-9, "0.000000001"),
            (602_701_000_000.0, "602701000000"),
            (1_234_567_890_123_456.0, "1234567890123456"),
            (123_456_789_012_345_680.0, "123456789012345680"),
            (1e22, "10000000000000000000000"),
            (1_234.567_890_123_45, "1234.56789012345"),
            (99.999_999_999_999_99, "100"),
        ] {
            assert_eq!(written(DataRef::Float(number)), (text.to_string(), CellKind::Native), "{number:e}");
        }
        assert_eq!(written(DataRef::Int(-3)).0, "-3");
    }

    #[test]
    fn days_and_times_are_iso() {
        let timestamp =
            |value, old| written(DataRef::DateTime(ExcelDateTime::new(value, ExcelDateTimeType::DateTime, old)));
        for (value, old, text) in [
            (46348.0, false, "2026-11-22"),
            (46348.5, false, "2026-11-22T12:00:00"),
            (46_348.416_666_666_664, false, "2026-11-22T10:00:00"),
            (45943.541, false, "2025-10-13T12:59:02.400"),
            (1.0, false, "1900-01-01"),
            (60.0, false, "1900-02-29"),
            (61.0, false, "1900-03-01"),
            (0.75, false, "18:00:00"),
            (44886.0, true, "2026-11-22"),
            (2_958_465.0, false, "9999-12-31"),
        ] {
            assert_eq!(timestamp(value, old), (text.to_string(), CellKind::Native), "{value}");
        }
        assert_eq!(timestamp(-1.0, false), ("-1".to_string(), CellKind::Error));
        assert_eq!(timestamp(2_958_466.0, false), ("2958466".to_string(), CellKind::Error));
        let duration =
            |value| written(DataRef::DateTime(ExcelDateTime::new(value, ExcelDateTimeType::TimeDelta, false))).0;
        assert_eq!(
            [duration(1.5), duration(0.000_005_787_037_037), duration(-0.25)],
            ["36:00:00", "00:00:00.500", "-06:00:00"]
        );
        assert_eq!(written(DataRef::DurationIso("PT10H00M05.000000000S".into())).0, "10:00:05");
    }

    #[test]
    fn truths_and_errors_have_their_words() {
        assert_eq!(written(DataRef::Bool(true)), ("true".to_string(), CellKind::Native));
        assert_eq!(written(DataRef::Error(CellErrorType::Div0)), ("#DIV/0!".to_string(), CellKind::Error));
        assert_eq!(written(DataRef::SharedString("1,5")), ("1,5".to_string(), CellKind::Text));
        assert_eq!(written(DataRef::Empty), (String::new(), CellKind::Text));
    }
}
