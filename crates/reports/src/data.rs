//! Arrow rows as values of a template.
//!
//! Decimals stay exact ([`Decimal`] as an object that only prints and compares), dates, timestamps and instants become ISO
//! text, NULL becomes none. A [`Row`] refuses columns that its query does not have.

use super::decimal::Decimal;
use arrow::array::{
    Array, AsArray, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array,
    Int64Array, RecordBatch, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::datatypes::{
    DataType, Date32Type, Decimal256Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use minijinja::ErrorKind;
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr, Value};
use perennial_core::contract::day_of;
use perennial_core::error::{Error, Result, closest, suggestion};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

impl Object for Decimal {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.unscaled != 0
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        other.downcast_ref::<Decimal>().map(|other| self.as_ref().cmp(other))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A row of a query in a template.
#[derive(Debug)]
pub(crate) struct Row {
    query: Arc<str>,
    columns: Value,
}

impl Row {
    /// The rows of a query as templates see them. What is not a list of mappings stays as it is.
    pub(crate) fn all(query: &str, rows: &Value) -> Value {
        let query: Arc<str> = query.into();
        let Ok(rows) = rows.try_iter() else { return rows.clone() };
        let row = |columns: Value| Value::from_object(Row { query: query.clone(), columns });
        Value::from(rows.map(row).collect::<Vec<_>>())
    }

    fn names(&self) -> Vec<String> {
        self.columns.try_iter().map(|keys| keys.map(|key| key.to_string()).collect()).unwrap_or_default()
    }

    /// The error of a column that the query does not have.
    pub(crate) fn unknown(&self, column: &str) -> minijinja::Error {
        let names = self.names();
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        unknown(format!("the query `{}` has no column `{column}`", self.query), column, known)
    }
}

impl Object for Row {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let value = self.columns.get_attr(name).unwrap_or(Value::UNDEFINED);
        Some(if value.is_undefined() { Value::from(self.unknown(name)) } else { value })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.names().into_iter().map(Value::from).collect())
    }
}

/// An attribute of a value that may be missing.
pub(crate) fn attribute_if_any(value: &Value, name: &str) -> Option<Value> {
    let found = match value.downcast_object_ref::<Row>() {
        Some(row) => row.columns.get_attr(name),
        None => value.get_attr(name),
    };
    found.ok().filter(|value| !value.is_undefined())
}

/// Refuses an undefined value with an error that names the expression it comes from.
pub(crate) fn defined(value: &Value) -> Result<(), minijinja::Error> {
    if !value.is_undefined() {
        return Ok(());
    }
    // To ask an undefined value for an attribute is the way to an error that knows where it comes from.
    value.get_attr("").map(drop)
}

/// The number in a value: an exact decimal, a whole number or a float. None, undefined and text have none.
pub(crate) fn number(value: &Value) -> Option<Decimal> {
    if let Some(decimal) = value.downcast_object_ref::<Decimal>() {
        return Some(*decimal);
    }
    if !value.is_number() {
        return None;
    }
    if value.is_integer() {
        return i128::try_from(value.clone()).ok().map(|n| Decimal::new(n, 0));
    }
    f64::try_from(value.clone()).ok().and_then(Decimal::from_f64)
}

/// An error of a template.
pub(crate) fn invalid(message: impl Into<String>) -> minijinja::Error {
    minijinja::Error::new(ErrorKind::InvalidOperation, message.into())
}

/// The error of an unknown name: which one comes close, or which there are.
pub(crate) fn unknown<'a>(message: String, given: &str, known: impl IntoIterator<Item = &'a str>) -> minijinja::Error {
    invalid(match suggestion(given, known) {
        Some(hint) => format!("{message}; {hint}"),
        None => message,
    })
}

/// The hint for an unknown name that may be added, or is one of many: which one comes close, else what to do.
pub(crate) fn near_or<'a>(given: &str, known: impl IntoIterator<Item = &'a str>, otherwise: &str) -> String {
    match closest(given, &known.into_iter().collect::<Vec<_>>()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => otherwise.to_string(),
    }
}

/// The number of a value, or an error that says what it was instead.
pub(crate) fn given(value: &Value) -> Result<Decimal, minijinja::Error> {
    defined(value)?;
    number(value).ok_or_else(|| {
        let what = if value.is_none() { "none (an unknown number)".to_string() } else { format!("`{value}`") };
        invalid(format!("expected a number here, not {what}"))
    })
}

/// The day of a value: an ISO date, a timestamp without a zone as it is written, or an instant cut in the time zone.
pub(crate) fn day(value: &Value, zone: &jiff::tz::TimeZone) -> Result<jiff::civil::Date, minijinja::Error> {
    defined(value)?;
    let text = value.to_string();
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(at.to_zoned(zone.clone()).date());
    }
    // A date, or a calendar time without a zone, which `date_trunc` gives: it is never shifted.
    let calendar = text.parse::<jiff::civil::DateTime>();
    calendar.map(|at| at.date()).map_err(|_| invalid(format!("expected a date such as 2026-09-30, not `{text}`")))
}

/// The rows of a query as a list of objects, columns by name.
pub(crate) fn rows(batches: &[RecordBatch]) -> Result<Value> {
    let mut out = Vec::new();
    for batch in batches {
        let schema = batch.schema();
        for row in 0..batch.num_rows() {
            let mut pairs = Vec::with_capacity(batch.num_columns());
            for (field, column) in schema.fields().iter().zip(batch.columns()) {
                pairs.push((field.name().clone(), cell(field.name(), column.as_ref(), row)?));
            }
            out.push(Value::from_pairs(pairs));
        }
    }
    Ok(Value::from(out))
}

macro_rules! primitive {
    ($array:expr, $row:expr, $kind:ty) => {
        Value::from($array.as_any().downcast_ref::<$kind>().map(|a| a.value($row)))
    };
}

fn cell(name: &str, array: &dyn Array, row: usize) -> Result<Value> {
    if array.is_null(row) {
        return Ok(Value::from(()));
    }
    Ok(match array.data_type() {
        DataType::Utf8 => Value::from(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Value::from(array.as_string::<i64>().value(row)),
        DataType::Utf8View => Value::from(array.as_string_view().value(row)),
        DataType::Boolean => primitive!(array, row, BooleanArray),
        DataType::Int8 => primitive!(array, row, Int8Array),
        DataType::Int16 => primitive!(array, row, Int16Array),
        DataType::Int32 => primitive!(array, row, Int32Array),
        DataType::Int64 => primitive!(array, row, Int64Array),
        DataType::UInt8 => primitive!(array, row, UInt8Array),
        DataType::UInt16 => primitive!(array, row, UInt16Array),
        DataType::UInt32 => primitive!(array, row, UInt32Array),
        DataType::UInt64 => primitive!(array, row, UInt64Array),
        DataType::Float32 => primitive!(array, row, Float32Array),
        DataType::Float64 => primitive!(array, row, Float64Array),
        DataType::Decimal128(_, scale) => {
            decimal(array.as_any().downcast_ref::<Decimal128Array>().map_or(0, |a| a.value(row)), *scale)
        }
        DataType::Decimal256(_, scale) => match array.as_primitive::<Decimal256Type>().value(row).to_i128() {
            Some(unscaled) => decimal(unscaled, *scale),
            None => return Err(Error::data(format!("column `{name}` contains a decimal of more than 38 digits"))),
        },
        DataType::Date32 => {
            Value::from(civil_day(name, i64::from(array.as_primitive::<Date32Type>().value(row)))?.to_string())
        }
        DataType::Timestamp(unit, zone) => {
            let microseconds = match unit {
                TimeUnit::Second => array.as_primitive::<TimestampSecondType>().value(row).saturating_mul(1_000_000),
                TimeUnit::Millisecond => {
                    array.as_primitive::<TimestampMillisecondType>().value(row).saturating_mul(1_000)
                }
                TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().value(row),
                TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().value(row) / 1_000,
            };
            let at = jiff::Timestamp::from_microsecond(microseconds).map_err(|e| {
                Error::data(format!("column `{name}` contains an instant that is out of range")).because(e)
            })?;
            match zone {
                Some(_) => Value::from(at.to_string()),
                None => Value::from(at.to_zoned(jiff::tz::TimeZone::UTC).datetime().to_string()),
            }
        }
        DataType::Dictionary(_, _) => {
            let plain = array.as_any_dictionary();
            let key = plain.normalized_keys()[row];
            return cell(name, plain.values().as_ref(), key);
        }
        DataType::Null => Value::from(()),
        other => {
            return Err(Error::project(format!("column `{name}` is {other}, which a report cannot show"))
                .hint("cast it in the query to text, a number or a date"));
        }
    })
}

fn decimal(unscaled: i128, scale: i8) -> Value {
    Value::from_object(match u32::try_from(scale) {
        Ok(scale) => Decimal::new(unscaled, scale),
        Err(_) => Decimal::new(unscaled * 10i128.pow(u32::from(scale.unsigned_abs())), 0),
    })
}

fn civil_day(name: &str, since_epoch: i64) -> Result<jiff::civil::Date> {
    day_of(since_epoch).ok_or_else(|| Error::data(format!("column `{name}` contains a date that is out of range")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Date32Array, StringArray};
    use arrow::datatypes::{Field, Schema};

    #[test]
    fn decimals_stay_exact_and_nulls_are_none() {
        let schema = Schema::new(vec![
            Field::new("revenue", DataType::Decimal128(38, 2), true),
            Field::new("period", DataType::Date32, true),
            Field::new("name", DataType::Utf8, true),
        ]);
        let revenue = Decimal128Array::from(vec![Some(12_345_678_901_234_567_890_123_i128), None])
            .with_precision_and_scale(38, 2)
            .unwrap();
        let batch = RecordBatch::try_new(
            Arc::new(schema),
            vec![
                Arc::new(revenue),
                Arc::new(Date32Array::from(vec![Some(20_697), None])),
                Arc::new(StringArray::from(vec![Some("客户"), None])),
            ],
        )
        .unwrap();
        let rows = rows(&[batch]).unwrap();
        let first = rows.get_item_by_index(0).unwrap();
        assert_eq!(first.get_attr("revenue").unwrap().to_string(), "123456789012345678901.23");
        assert_eq!(first.get_attr("period").unwrap().as_str(), Some("2026-09-01"));
        let second = rows.get_item_by_index(1).unwrap();
        assert!(second.get_attr("revenue").unwrap().is_none());
        assert!(second.get_attr("period").unwrap().is_none());
    }

    #[test]
    fn calendar_time_is_not_shifted_and_instants_are() {
        use arrow::array::TimestampMicrosecondArray;
        let midnight = jiff::civil::date(2026, 9, 1).at(0, 0, 0, 0).in_tz("UTC").unwrap().timestamp().as_microsecond();
        let column = |zone: Option<&str>| {
            let array = TimestampMicrosecondArray::from(vec![midnight]).with_timezone_opt(zone.map(Arc::<str>::from));
            cell("at", &array, 0).unwrap()
        };
        let (calendar, instant) = (column(None), column(Some("UTC")));
        assert_eq!(calendar.as_str(), Some("2026-09-01T00:00:00"));
        assert_eq!(instant.as_str(), Some("2026-09-01T00:00:00Z"));
        let new_york = jiff::tz::TimeZone::get("America/New_York").unwrap();
        assert_eq!(day(&calendar, &new_york).unwrap(), jiff::civil::date(2026, 9, 1));
        assert_eq!(day(&instant, &new_york).unwrap(), jiff::civil::date(2026, 8, 31));
        assert_eq!(day(&Value::from("2026-09-01"), &new_york).unwrap(), jiff::civil::date(2026, 9, 1));
        assert!(day(&Value::from("September"), &new_york).is_err());
    }

    #[test]
    fn numbers_are_found_in_values() {
        assert_eq!(number(&Value::from(-3)), Decimal::parse("-3"));
        assert_eq!(number(&Value::from(0.25)), Decimal::parse("0.25"));
        assert_eq!(number(&Value::from_object(Decimal::new(250, 2))), Decimal::parse("2.5"));
        assert_eq!(number(&Value::from("3")), None);
        assert_eq!(number(&Value::from(())), None);
    }
}
