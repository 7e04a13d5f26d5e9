//! The types that columns have in the lake: those that every reader of Delta tables understands.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Result};
use std::collections::HashSet;
use std::sync::Arc;

/// The schema that a table has in the lake when a query's result has the given one: views and dictionaries become plain
/// text or bytes, unsigned numbers the next wider signed ones, timestamps with a time zone microseconds in UTC, and
/// every column is nullable.
///
/// # Errors
/// `Project` for a column without a name, two columns whose names differ at most in case, and a type that cannot be
/// stored.
pub fn lake_schema(table: &TableName, schema: &Schema) -> Result<SchemaRef> {
    let mut seen = HashSet::new();
    let mut fields = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        if field.name().trim().is_empty() {
            return Err(Error::project(format!("a column of {table} has no name")).hint("give it a name with AS"));
        }
        if !seen.insert(field.name().to_lowercase()) {
            return Err(Error::project(format!("duplicate column `{}` in {table}", field.name()))
                .hint("column names in the lake are not case-sensitive; rename one of the columns with AS"));
        }
        let data_type = lake_type(field.data_type()).ok_or_else(|| {
            Error::project(format!(
                "column `{}` of {table} is {}, which cannot be stored in the lake",
                field.name(),
                field.data_type()
            ))
            .hint("cast it to text, a number, a date or a timestamp")
        })?;
        fields.push(Field::new(field.name(), data_type, true));
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The type that values of a type have in the lake; `None` when they cannot be stored.
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

/// Negative scales are not supported in tables: their zeros are added before the decimal point.
fn decimal(precision: u8, scale: i8) -> Option<DataType> {
    let (precision, scale) =
        if scale < 0 { (precision.checked_add(scale.unsigned_abs())?, 0) } else { (precision, scale) };
    (precision <= 38).then_some(DataType::Decimal128(precision, scale))
}

/// The batch with the types of `schema`, columns matched by position; a value that does not fit is an error.
pub(crate) fn conform(table: &TableName, schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch> {
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
        .map(|(field, column)| conform_column(table, field, column))
        .collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

fn conform_column(table: &TableName, field: &Field, column: &ArrayRef) -> Result<ArrayRef> {
    if column.data_type() == field.data_type() {
        return Ok(column.clone());
    }
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(column, field.data_type(), &strict).map_err(|error| {
        Error::data(format!(
            "a value of column `{}` of {table} cannot be stored as {}: {error}",
            field.name(),
            field.data_type()
        ))
    })
}
