//! Types as the lake stores them and as the engine reads them.

use crate::error::{Error, Result};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;

/// The schema a query's result is stored under: types that Parquet and Delta share, every column nullable.
///
/// Whole numbers without sign become signed (`row_number`, `rank` and `ntile` give them), instants become microseconds
/// in UTC, text and bytes their plain form.
///
/// # Errors
/// [`crate::error::Kind::Project`] naming the column whose type cannot be stored.
pub fn stored_schema(schema: &Schema) -> Result<SchemaRef> {
    let fields = schema.fields().iter().map(|field| {
        stored_type(field.data_type()).map(|t| Field::new(field.name(), t, true)).map_err(|why| {
            Error::project(format!("column `{}` {why}", field.name()))
        })
    });
    Ok(Arc::new(Schema::new(fields.collect::<Result<Vec<_>>>()?)))
}

fn stored_type(from: &DataType) -> Result<DataType, String> {
    use DataType::*;
    Ok(match from {
        Boolean | Int8 | Int16 | Int32 | Int64 | Float32 | Float64 | Date32 | Utf8 | Binary | Decimal128(..) => {
            from.clone()
        }
        UInt8 => Int16,
        UInt16 => Int32,
        UInt32 | UInt64 => Int64,
        Float16 => Float32,
        Utf8View | LargeUtf8 => Utf8,
        BinaryView | LargeBinary | FixedSizeBinary(_) => Binary,
        Date64 => Date32,
        Decimal32(p, s) | Decimal64(p, s) => Decimal128(*p, *s),
        Decimal256(p, s) if *p <= 38 => Decimal128(*p, *s),
        Timestamp(_, None) => Timestamp(TimeUnit::Microsecond, None),
        Timestamp(_, Some(_)) => Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Dictionary(_, value) => stored_type(value)?,
        RunEndEncoded(_, value) => stored_type(value.data_type())?,
        List(item) | LargeList(item) | ListView(item) | LargeListView(item) | FixedSizeList(item, _) => {
            List(Arc::new(Field::new("item", stored_type(item.data_type())?, true)))
        }
        Struct(fields) => Struct(
            fields
                .iter()
                .map(|f| stored_type(f.data_type()).map(|t| Field::new(f.name(), t, true)))
                .collect::<Result<Vec<_>, _>>()?
                .into(),
        ),
        Null => return Err("is NULL without a type; write `CAST(NULL AS <type>)`".into()),
        Interval(_) | Duration(_) => {
            return Err(format!("is of type {}, which tables do not hold; store days, seconds or both ends", display_type(from)));
        }
        other => return Err(format!("is of type {}, which tables do not hold", display_type(other))),
    })
}

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
