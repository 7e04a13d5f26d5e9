//! The shapes columns have in the lake: those that every reader of Delta tables understands.

use crate::contract::TableName;
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use std::collections::HashSet;
use std::sync::Arc;

/// The schema a table has in the lake when a query's result has this one: views and dictionaries become plain text or
/// bytes, unsigned numbers the next wider signed ones, instants microseconds in UTC, and every column may be NULL.
///
/// Errors (`Project`): a column without a name, two of one name (but for case), a type no table can hold.
pub fn lake_schema(table: &TableName, schema: &Schema) -> Result<SchemaRef> {
    let mut seen = HashSet::new();
    let mut fields = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        if field.name().trim().is_empty() {
            return Err(Error::project(format!("a column of {table} has no name")).hint("name it with AS"));
        }
        if !seen.insert(field.name().to_lowercase()) {
            return Err(Error::project(format!("two columns of {table} are called `{}`", field.name()))
                .hint("tables in the lake do not tell upper from lower case; rename one with AS"));
        }
        let shape = lake_type(field.data_type()).ok_or_else(|| {
            Error::project(format!(
                "column `{}` of {table} is {}, which no table in the lake can hold",
                field.name(),
                field.data_type()
            ))
            .hint("cast it to text, a number, a date or an instant")
        })?;
        fields.push(Field::new(field.name(), shape, true));
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The type values of a type are kept as; `None` when there is none.
fn lake_type(given: &DataType) -> Option<DataType> {
    use DataType::*;
    Some(match given {
        Boolean | Int8 | Int16 | Int32 | Int64 | Float32 | Float64 | Date32 | Utf8 | Binary => given.clone(),
        Null | LargeUtf8 | Utf8View => Utf8,
        LargeBinary | BinaryView | FixedSizeBinary(_) => Binary,
        UInt8 => Int16,
        UInt16 => Int32,
        UInt32 | UInt64 => Int64,
        Float16 => Float32,
        Date64 => Date32,
        Timestamp(_, None) => Timestamp(TimeUnit::Microsecond, None),
        Timestamp(_, Some(_)) => Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Decimal32(p, s) | Decimal64(p, s) | Decimal128(p, s) | Decimal256(p, s) => decimal(*p, *s)?,
        Dictionary(_, value) => lake_type(value)?,
        RunEndEncoded(_, value) => lake_type(value.data_type())?,
        List(f) | LargeList(f) | ListView(f) | LargeListView(f) | FixedSizeList(f, _) => {
            List(Arc::new(Field::new("element", lake_type(f.data_type())?, true)))
        }
        Struct(fields) => Struct(
            fields
                .iter()
                .map(|f| Some(Field::new(f.name(), lake_type(f.data_type())?, true)))
                .collect::<Option<Fields>>()?,
        ),
        _ => return None,
    })
}

/// Scales below zero are not for tables: their digits are moved before the point.
fn decimal(precision: u8, scale: i8) -> Option<DataType> {
    let (precision, scale) =
        if scale < 0 { (precision.checked_add(scale.unsigned_abs())?, 0) } else { (precision, scale) };
    (precision <= 38).then_some(DataType::Decimal128(precision, scale))
}

/// The batch with its columns, taken by position, in the shape of `schema`; a value that does not fit is an error.
pub(super) fn into_shape(table: &TableName, schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch> {
    if batch.num_columns() != schema.fields().len() {
        return Err(Error::bug(format!(
            "a batch of {} columns was written to {table}, which has {}",
            batch.num_columns(),
            schema.fields().len()
        )));
    }
    let columns = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| reshape(table, field, column))
        .collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

fn reshape(table: &TableName, field: &Field, column: &ArrayRef) -> Result<ArrayRef> {
    if column.data_type() == field.data_type() {
        return Ok(column.clone());
    }
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(column, field.data_type(), &strict).map_err(|error| {
        Error::data(format!(
            "a value of column `{}` of {table} cannot be kept as {}: {error}",
            field.name(),
            field.data_type()
        ))
    })
}
