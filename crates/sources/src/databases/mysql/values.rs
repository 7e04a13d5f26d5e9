//! Values as the server sends them, converted to cells: exactly, or rejected with the reason.

use super::columns::{ColumnShape, Kind};
use crate::databases::batch::{BatchBuilder, Cells, hex};
use crate::local_time::is_utc;
use mysql_async::Value;
use perennial_core::contract::{Column, ValueType};
use perennial_core::error::{Error, Result};
use perennial_core::reasons;
use std::fmt::Write;

const EPOCH: jiff::civil::Date = jiff::civil::date(1970, 1, 1);
/// How `0000-00-00` may be named among the null values of a column, whatever its precision.
const ZERO_DATES: [&str; 2] = ["0000-00-00", "0000-00-00 00:00:00"];

/// Reads the values of one column.
pub(super) struct FieldReader {
    shape: ColumnShape,
    /// The type of its cells.
    pub(super) cells: Cells,
    /// Texts that mean NULL, by the contract.
    null_values: Vec<String>,
    /// Decimal places that the contract keeps, where it wants decimals.
    scale: Option<usize>,
    wants_date: bool,
    wants_instant: bool,
    text: String,
}

impl FieldReader {
    /// For the columns of the contract that are read from this one; none where the contract does not have it.
    ///
    /// # Errors
    /// Of kind `Project` when bytes are to be read as anything but text.
    pub(super) fn new(shape: &ColumnShape, wanted: &[&Column]) -> Result<FieldReader> {
        if shape.kind == Kind::Binary
            && let Some(column) = wanted.iter().find(|column| column.data_type != ValueType::Text)
        {
            let message = format!(
                "`{}` has the type `{}` in the database and is read as hexadecimal digits, which must be `text`",
                column.from, shape.type_name
            );
            return Err(Error::project(message).hint("declare it as `text`, or convert it in a `query`"));
        }
        let any = |wants: fn(&ValueType) -> bool| wanted.iter().any(|column| wants(&column.data_type));
        let scale = wanted.iter().find_map(|column| match column.data_type {
            ValueType::Decimal { scale, .. } => Some(scale.max(0) as usize),
            _ => None,
        });
        Ok(FieldReader {
            cells: cells(shape.kind, wanted),
            shape: shape.clone(),
            null_values: wanted.iter().flat_map(|column| column.null_values.iter().cloned()).collect(),
            scale,
            wants_date: any(|data_type| matches!(data_type, ValueType::Date { .. })),
            wants_instant: any(|data_type| matches!(data_type, ValueType::Instant { .. })),
            text: String::new(),
        })
    }

    /// Puts a value into its cell.
    pub(super) fn put(&mut self, value: Value, batch: &mut BatchBuilder) -> Result<()> {
        self.text.clear();
        match value {
            Value::NULL => {
                batch.null();
                Ok(())
            }
            Value::Int(value) => self.integer(value, batch),
            Value::UInt(value) => match i64::try_from(value) {
                Ok(value) => self.integer(value, batch),
                Err(_) if self.cells == Cells::Integer => {
                    batch.reject(&value.to_string(), reasons::NOT_64_BITS);
                    Ok(())
                }
                Err(_) => batch.text(&value.to_string()),
            },
            // The shortest digits that name the same single-precision number: 12.3, not 12.300000190734863.
            Value::Float(value) => self.floating(value.to_string(), batch),
            Value::Double(value) if self.cells == Cells::Float => batch.float(value),
            Value::Double(value) => self.floating(value.to_string(), batch),
            Value::Bytes(bytes) => self.bytes(bytes, batch),
            Value::Date(year, month, day, hour, minute, second, microsecond) => {
                self.date((year, month, day), (hour, minute, second, microsecond), batch)
            }
            Value::Time(negative, days, hours, minutes, seconds, microseconds) => {
                let hours = u64::from(days) * 24 + u64::from(hours);
                let sign = if negative { "-" } else { "" };
                write!(self.text, "{sign}{hours:02}:{minutes:02}:{seconds:02}").map_err(unwritten)?;
                self.fraction(microseconds)?;
                batch.text(&self.text)
            }
        }
    }

    fn integer(&mut self, value: i64, batch: &mut BatchBuilder) -> Result<()> {
        if self.cells == Cells::Integer {
            return batch.integer(value);
        }
        let width = if self.shape.kind == Kind::Year { 4 } else { self.shape.width };
        write!(self.text, "{value:0width$}").map_err(unwritten)?;
        batch.text(&self.text)
    }

    fn floating(&mut self, digits: String, batch: &mut BatchBuilder) -> Result<()> {
        let places = digits.split_once('.').map_or(0, |(_, places)| places.len());
        match self.scale {
            Some(scale) if places > scale && !self.null_values.contains(&digits) => {
                batch.reject(&digits, reasons::decimal_places(scale));
                Ok(())
            }
            _ => batch.text(&digits),
        }
    }

    fn bytes(&mut self, bytes: Vec<u8>, batch: &mut BatchBuilder) -> Result<()> {
        match self.shape.kind {
            Kind::Binary => {
                hex(&bytes, &mut self.text);
                batch.text(&self.text)
            }
            Kind::Bit if bytes.len() <= 8 => {
                let number = bytes.iter().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
                write!(self.text, "{number}").map_err(unwritten)?;
                batch.text(&self.text)
            }
            _ => match std::str::from_utf8(&bytes) {
                Ok(text) => batch.text(text),
                Err(_) => {
                    batch.reject(&String::from_utf8_lossy(&bytes), reasons::NOT_UTF8);
                    Ok(())
                }
            },
        }
    }

    fn date(&mut self, day: (u16, u8, u8), time: (u8, u8, u8, u32), batch: &mut BatchBuilder) -> Result<()> {
        let (year, month, of_month) = day;
        let (hour, minute, second, microsecond) = time;
        write!(self.text, "{year:04}-{month:02}-{of_month:02}").map_err(unwritten)?;
        if month == 0 || of_month == 0 {
            return self.zero_date(day, time, batch);
        }
        if self.cells == Cells::Timestamp {
            return match microseconds(day, time) {
                Some(timestamp) => batch.timestamp(timestamp),
                None => {
                    batch.reject(&self.text, "the date does not exist in the calendar");
                    Ok(())
                }
            };
        }
        let midnight = time == (0, 0, 0, 0);
        let day_only = match self.shape.kind {
            Kind::Date => !self.wants_instant || self.wants_date,
            // A date stored as midnight; the date of a timestamp with a zone is not known here.
            Kind::DateTime => midnight && self.wants_date && !self.wants_instant,
            _ => false,
        };
        if !day_only {
            write!(self.text, " {hour:02}:{minute:02}:{second:02}").map_err(unwritten)?;
            self.fraction(microsecond)?;
        }
        // Added only where it is needed, so that `null_values` can name the value as the database shows it.
        let zoned = self.shape.kind == Kind::Timestamp && (self.wants_instant || self.wants_date);
        if zoned && !self.null_values.contains(&self.text) {
            self.text.push_str("+00:00");
        }
        batch.text(&self.text)
    }

    /// A date with a month or day of zero: NULL where the contract says so, text where it wants text.
    fn zero_date(&mut self, day: (u16, u8, u8), time: (u8, u8, u8, u32), batch: &mut BatchBuilder) -> Result<()> {
        let (hour, minute, second, microsecond) = time;
        if self.shape.kind != Kind::Date {
            write!(self.text, " {hour:02}:{minute:02}:{second:02}").map_err(unwritten)?;
            self.fraction(microsecond)?;
        }
        let named = |text: &str| self.null_values.iter().any(|value| value == text);
        let zero = day == (0, 0, 0) && time == (0, 0, 0, 0);
        if named(&self.text) || zero && ZERO_DATES.iter().any(|text| named(text)) {
            batch.null();
        } else if self.wants_date || self.wants_instant {
            batch.reject(
                &self.text,
                "the month or day of the date is zero; if that means no value, add the value to `null_values`",
            );
        } else {
            return batch.text(&self.text);
        }
        Ok(())
    }

    fn fraction(&mut self, microseconds: u32) -> Result<()> {
        let places = match self.shape.decimals {
            0 if microseconds == 0 => return Ok(()),
            0 => 6,
            places => places,
        };
        let digits = format!("{microseconds:06}");
        write!(self.text, ".{}", &digits[..places.min(digits.len())]).map_err(unwritten)
    }
}

/// The cell type of a column: the lake's own type where that is exact, else text that the contract converts.
fn cells(kind: Kind, wanted: &[&Column]) -> Cells {
    let Some(first) = wanted.first() else { return Cells::Text };
    // `null_values` are compared with text.
    if wanted.iter().any(|column| column.data_type != first.data_type || !column.null_values.is_empty()) {
        return Cells::Text;
    }
    match (kind, &first.data_type) {
        (Kind::Integer | Kind::Year, ValueType::Integer) => Cells::Integer,
        (Kind::Double, ValueType::Float) => Cells::Float,
        (Kind::Timestamp, ValueType::Instant { .. }) => Cells::Timestamp,
        (Kind::DateTime, ValueType::Instant { zone, .. }) if is_utc(zone) => Cells::Timestamp,
        _ => Cells::Text,
    }
}

/// Microseconds since 1970-01-01 UTC.
fn microseconds(day: (u16, u8, u8), time: (u8, u8, u8, u32)) -> Option<i64> {
    let (year, month, of_month) = day;
    let (hour, minute, second, microsecond) = time;
    let date =
        jiff::civil::Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(of_month).ok()?);
    let days = date.ok()?.duration_since(EPOCH).as_secs();
    let seconds = days + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    Some(seconds * 1_000_000 + i64::from(microsecond))
}

fn unwritten(_: std::fmt::Error) -> Error {
    Error::bug("text could not be written to memory")
}
