//! Types as the engine reads them from the lake, and their names in SQL.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::sync::Arc;

/// The schema a stored table is read under: text as views, which compare and group faster.
pub fn readable_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let data_type = match field.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
            other => other.clone(),
        };
        Field::new(field.name(), data_type, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A value of a type as an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueExample {
    /// What it is: `a date`.
    pub what: &'static str,
    /// The value as text.
    pub text: &'static str,
}

/// An example of the values of a type, for hints.
pub fn example_of(data_type: &DataType) -> Option<ValueExample> {
    let (what, text) = match data_type {
        DataType::Date32 => ("a date", "2026-01-31"),
        DataType::Timestamp(_, None) => ("a timestamp", "2026-01-31 12:30:00"),
        DataType::Timestamp(_, Some(_)) => ("a timestamp", "2026-01-31T12:30:00Z"),
        DataType::Interval(_) => ("an interval", "3 months"),
        DataType::Boolean => ("a truth value", "true"),
        DataType::Decimal128(..) | DataType::Float64 => ("a number", "12.50"),
        other if other.is_integer() => ("a whole number", "12"),
        _ => return None,
    };
    Some(ValueExample { what, text })
}

/// A type in the words of SQL.
pub fn display_type(data_type: &DataType) -> String {
    use DataType::*;
    match data_type {
        Utf8 | Utf8View | LargeUtf8 => "TEXT".into(),
        Int64 => "BIGINT".into(),
        Int32 => "INTEGER".into(),
        Int16 => "SMALLINT".into(),
        Int8 => "TINYINT".into(),
        UInt64 => "BIGINT UNSIGNED".into(),
        Float64 => "DOUBLE".into(),
        Float32 => "REAL".into(),
        Boolean => "BOOLEAN".into(),
        Date32 => "DATE".into(),
        Decimal128(p, s) => format!("DECIMAL({p},{s})"),
        Timestamp(_, None) => "TIMESTAMP".into(),
        Timestamp(_, Some(zone)) => format!("TIMESTAMP ({zone})"),
        Interval(_) => "INTERVAL".into(),
        Null => "NULL".into(),
        other => other.to_string().to_uppercase(),
    }
}
