//! Which columns are read, how each is selected, and how its values become a column of the contract's type.

use super::cells::{Column, InexactValue, Malformed, Rejected};
use super::values::{self, DecimalShape};
use crate::local_time::LocalTime;
use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int64Array,
    TimestampMicrosecondArray,
};
use perennial_core::contract::ValueType;
use perennial_core::error::Result;
use perennial_core::reasons;
use std::sync::Arc;
use tokio_postgres::types::{Kind, Type};

/// A column of a relation that is read.
pub(super) struct Field {
    /// Its name in the database.
    pub(super) name: String,
    /// The server's name of its type.
    pub(super) type_name: String,
    /// It is selected as text, whatever its type is.
    pub(super) as_text: bool,
    pub(super) reading: Reading,
}

/// How values become an Arrow array.
#[derive(Clone)]
pub(super) enum Reading {
    Integer(Width),
    IntegerAsText(Width),
    IntegerAsDecimal(Width, DecimalShape),
    IntegerAsFloat(Width),
    Numeric(DecimalShape),
    NumericAsInteger,
    /// A `real` keeps its own type, so that 0.1 stays 0.1 as text.
    Real,
    Float,
    /// A double that is converted to another type, from its shortest text.
    FloatAsIs,
    Boolean,
    Date,
    /// A timestamp with a zone.
    Instant,
    /// A local time, read in a zone.
    Clock(String),
    /// A local time that is converted to a date.
    ClockAsIs,
    Text,
    Uuid,
    Hex,
}

/// Bytes of an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Two,
    Four,
    Eight,
}

/// How a column of a database type becomes what the contract wants (`None`: text), and whether the server has to convert
/// it to text first.
pub(super) fn reading_of(from: &Type, wanted: Option<&ValueType>) -> (Reading, bool) {
    use ValueType as Want;
    let text = (Reading::Text, true);
    let width = match *from {
        Type::INT2 => Some(Width::Two),
        Type::INT4 => Some(Width::Four),
        Type::INT8 => Some(Width::Eight),
        _ => None,
    };
    if let Some(width) = width {
        let reading = match wanted {
            Some(Want::Integer) => Reading::Integer(width),
            Some(Want::Float) => Reading::IntegerAsFloat(width),
            Some(Want::Decimal { precision, scale }) => {
                Reading::IntegerAsDecimal(width, DecimalShape::new(*precision, *scale))
            }
            _ => Reading::IntegerAsText(width),
        };
        return (reading, false);
    }
    match (from, wanted) {
        (&Type::NUMERIC, Some(Want::Decimal { precision, scale })) => {
            (Reading::Numeric(DecimalShape::new(*precision, *scale)), false)
        }
        (&Type::NUMERIC, Some(Want::Integer)) => (Reading::NumericAsInteger, false),
        (&Type::FLOAT8, Some(Want::Float)) => (Reading::Float, false),
        (&Type::FLOAT8, Some(Want::Decimal { .. } | Want::Integer)) => (Reading::FloatAsIs, false),
        (&Type::FLOAT4, Some(Want::Float | Want::Decimal { .. } | Want::Integer)) => (Reading::Real, false),
        (&Type::BOOL, Some(Want::Boolean)) => (Reading::Boolean, false),
        (&Type::DATE, Some(Want::Date { .. } | Want::Instant { .. })) => (Reading::Date, false),
        (&Type::TIMESTAMP, Some(Want::Instant { zone, .. })) => (Reading::Clock(zone.clone()), false),
        (&Type::TIMESTAMP, Some(Want::Date { .. })) => (Reading::ClockAsIs, false),
        (&Type::TIMESTAMPTZ, Some(Want::Instant { .. })) => (Reading::Instant, false),
        (&Type::TEXT | &Type::VARCHAR | &Type::NAME | &Type::JSON, _) => (Reading::Text, false),
        (&Type::UUID, _) => (Reading::Uuid, false),
        (&Type::BYTEA, _) => (Reading::Hex, false),
        _ if matches!(from.kind(), Kind::Enum(_)) || from.name() == "citext" => (Reading::Text, false),
        _ => text,
    }
}

/// Converts the columns of one reader, with what it caches between chunks.
pub(super) enum Decoder {
    Clock(Box<LocalTime>),
    Plain(Reading),
}

impl Decoder {
    /// # Errors
    /// Of kind `Project` for an unknown time zone.
    pub(super) fn new(reading: &Reading) -> Result<Decoder> {
        Ok(match reading {
            Reading::Clock(zone) => Decoder::Clock(Box::new(LocalTime::new(zone)?)),
            other => Decoder::Plain(other.clone()),
        })
    }

    /// The array of a column, and its rejected rows.
    pub(super) fn read(&mut self, column: Column<'_>) -> Result<(ArrayRef, Rejected), Malformed> {
        let mut rejected = Rejected::new();
        let array = match self {
            Decoder::Clock(zone) => {
                let read = |bytes| {
                    let clock = values::timestamp(i64::from_be_bytes(bytes))?;
                    zone.in_utc(clock)
                        .map_err(|reason| InexactValue::new(values::printed_timestamp(clock.into()), reason))
                };
                let (values, nulls) = column.fixed(&mut rejected, read)?;
                Arc::new(TimestampMicrosecondArray::new(values.into(), nulls).with_timezone("UTC"))
            }
            Decoder::Plain(reading) => read_plain(reading, column, &mut rejected)?,
        };
        Ok((array, rejected))
    }
}

fn read_plain(reading: &Reading, column: Column<'_>, rejected: &mut Rejected) -> Result<ArrayRef, Malformed> {
    Ok(match reading {
        Reading::Integer(width) => {
            let (values, nulls) = integers(column, *width, rejected, Ok)?;
            Arc::new(Int64Array::new(values.into(), nulls))
        }
        Reading::IntegerAsFloat(width) => {
            let (values, nulls) = integers(column, *width, rejected, whole_float)?;
            Arc::new(Float64Array::new(values.into(), nulls))
        }
        Reading::IntegerAsDecimal(width, shape) => {
            let (values, nulls) = integers(column, *width, rejected, |value| shape.of_integer(value))?;
            decimals(values, nulls, *shape)?
        }
        Reading::IntegerAsText(width) => column.texts(rejected, |bytes, out| {
            values::write_integer(integer(*width, bytes)?, out);
            Ok(())
        })?,
        Reading::Numeric(shape) => {
            let (values, nulls) = column.variable(rejected, |bytes| shape.of_numeric(bytes))?;
            decimals(values, nulls, *shape)?
        }
        Reading::NumericAsInteger => {
            let shape = DecimalShape::new(38, 0);
            let read = |bytes: &[u8]| Ok(shape.of_numeric(bytes)?.and_then(fits_integer));
            let (values, nulls) = column.variable(rejected, read)?;
            Arc::new(Int64Array::new(values.into(), nulls))
        }
        Reading::Real => {
            let read = |bytes| {
                let value = f32::from_be_bytes(bytes);
                values::finite(value.into()).map(|_| value)
            };
            let (values, nulls) = column.fixed(rejected, read)?;
            Arc::new(Float32Array::new(values.into(), nulls))
        }
        Reading::Float | Reading::FloatAsIs => {
            let (values, nulls) = column.fixed(rejected, |bytes| values::finite(f64::from_be_bytes(bytes)))?;
            Arc::new(Float64Array::new(values.into(), nulls))
        }
        Reading::Boolean => {
            let (values, nulls) = column.fixed(rejected, |bytes: [u8; 1]| Ok(bytes[0] != 0))?;
            Arc::new(BooleanArray::new(values.into(), nulls))
        }
        Reading::Date => {
            let (values, nulls) = column.fixed(rejected, |bytes| values::day(i32::from_be_bytes(bytes)))?;
            Arc::new(Date32Array::new(values.into(), nulls))
        }
        Reading::Instant | Reading::Clock(_) | Reading::ClockAsIs => {
            let (values, nulls) = column.fixed(rejected, |bytes| values::timestamp(i64::from_be_bytes(bytes)))?;
            let array = TimestampMicrosecondArray::new(values.into(), nulls);
            if matches!(reading, Reading::ClockAsIs) { Arc::new(array) } else { Arc::new(array.with_timezone("UTC")) }
        }
        Reading::Text => column.texts(rejected, |bytes, out| {
            out.extend_from_slice(bytes);
            Ok(())
        })?,
        Reading::Uuid => column.texts(rejected, values::write_uuid)?,
        Reading::Hex => column.texts(rejected, |bytes, out| {
            values::write_hex(bytes, out);
            Ok(())
        })?,
    })
}

/// Integers of any width, converted.
#[inline(always)]
fn integers<T: Copy + Default>(
    column: Column<'_>,
    width: Width,
    rejected: &mut Rejected,
    make: impl Fn(i64) -> Result<T, Box<InexactValue>>,
) -> Result<super::cells::Values<T>, Malformed> {
    match width {
        Width::Two => column.fixed(rejected, |bytes| make(i16::from_be_bytes(bytes).into())),
        Width::Four => column.fixed(rejected, |bytes| make(i32::from_be_bytes(bytes).into())),
        Width::Eight => column.fixed(rejected, |bytes| make(i64::from_be_bytes(bytes))),
    }
}

#[inline(always)]
fn integer(width: Width, bytes: &[u8]) -> Result<i64, Malformed> {
    Ok(match (width, bytes) {
        (Width::Two, &[a, b]) => i16::from_be_bytes([a, b]).into(),
        (Width::Four, &[a, b, c, d]) => i32::from_be_bytes([a, b, c, d]).into(),
        (Width::Eight, bytes) => i64::from_be_bytes(bytes.try_into().map_err(|_| Malformed)?),
        _ => return Err(Malformed),
    })
}

fn decimals(
    values: Vec<i128>,
    nulls: Option<arrow::buffer::NullBuffer>,
    shape: DecimalShape,
) -> Result<ArrayRef, Malformed> {
    let array = Decimal128Array::new(values.into(), nulls);
    Ok(Arc::new(array.with_precision_and_scale(shape.precision, shape.scale).map_err(|_| Malformed)?))
}

/// Doubles hold integers up to 2^53 and some above.
fn whole_float(value: i64) -> Result<f64, Box<InexactValue>> {
    let float = value as f64;
    // The greatest i64 becomes 2^63, which only saturates back.
    if float as i64 == value && float < 9.2e18 {
        return Ok(float);
    }
    Err(InexactValue::new(
        value.to_string(),
        "the integer has more digits than a float can hold, and numbers are never rounded",
    ))
}

fn fits_integer(value: i128) -> Result<i64, Box<InexactValue>> {
    i64::try_from(value).map_err(|_| InexactValue::new(value.to_string(), reasons::NOT_64_BITS))
}

/// The contract's type that holds the values of a type exactly; `numeric` is decided by its precision and scale.
pub(super) fn value_type(from: &Type, modifier: i32, sampled: Option<(u32, u32)>) -> ValueType {
    match *from {
        Type::INT2 | Type::INT4 | Type::INT8 => ValueType::Integer,
        Type::FLOAT4 | Type::FLOAT8 => ValueType::Float,
        Type::BOOL => ValueType::Boolean,
        Type::DATE => ValueType::Date { formats: vec![] },
        Type::TIMESTAMP | Type::TIMESTAMPTZ => ValueType::Instant { formats: vec![], zone: "UTC".into() },
        Type::NUMERIC => decimal_type(modifier, sampled),
        _ => match from.kind() {
            Kind::Enum(labels) => ValueType::Enumeration(labels.clone()),
            _ => ValueType::Text,
        },
    }
}

/// `sampled` is the maximum number of digits before and after the decimal point in a sample of the rows.
fn decimal_type(modifier: i32, sampled: Option<(u32, u32)>) -> ValueType {
    if let Some(declared) = declared_decimal(modifier) {
        return declared;
    }
    let (before, after) = sampled.unwrap_or((0, 0));
    // Money has two decimal places even where all amounts of a sample are integers, and more digits than a sample shows.
    let scale = after.max(2);
    let precision = if before + 4 + scale <= 18 { 18 } else { 38 };
    match scale < 38 {
        true => ValueType::Decimal { precision, scale: scale as i8 },
        false => ValueType::Text,
    }
}

/// `numeric(precision, scale)`, where it fits 38 digits.
pub(super) fn declared_decimal(modifier: i32) -> Option<ValueType> {
    if modifier < 4 {
        return None;
    }
    let packed = modifier - 4;
    let precision = packed >> 16 & 0xffff;
    // Eleven bits with a sign.
    let scale = ((packed & 0x7ff) ^ 1024) - 1024;
    let (precision, scale) = if scale < 0 { (precision - scale, 0) } else { (precision.max(scale), scale) };
    let precision = u8::try_from(precision).ok().filter(|precision| (1..=38).contains(precision))?;
    Some(ValueType::Decimal { precision, scale: scale as i8 })
}
