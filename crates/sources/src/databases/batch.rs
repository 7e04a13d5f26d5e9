//! Typed rows of a database, built cell by cell.

use crate::text::RAW_CHARACTERS;
use crate::typed::{CellReject, TypedRows};
use arrow::array::{
    ArrayBuilder, ArrayRef, Float64Builder, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use perennial_core::error::{Error, Result};
use std::sync::Arc;

/// Size limits of a batch, in rows and in bytes of its texts.
const MAX_ROWS: usize = 8192;
const MAX_TEXT_BYTES: usize = 8 * 1024 * 1024;

/// What a column of a batch holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cells {
    /// Text as a person would write the value.
    Text,
    /// 64-bit integers.
    Integer,
    /// Doubles.
    Float,
    /// Microseconds since 1970-01-01 UTC.
    Timestamp,
}

enum Builder {
    Text(StringBuilder),
    Integer(Int64Builder),
    Float(Float64Builder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl Builder {
    fn new(cells: Cells) -> Builder {
        match cells {
            Cells::Text => Builder::Text(StringBuilder::new()),
            Cells::Integer => Builder::Integer(Int64Builder::new()),
            Cells::Float => Builder::Float(Float64Builder::new()),
            Cells::Timestamp => Builder::Timestamp(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
        }
    }

    fn data_type(&self) -> DataType {
        match self {
            Builder::Text(_) => DataType::Utf8,
            Builder::Integer(_) => DataType::Int64,
            Builder::Float(_) => DataType::Float64,
            Builder::Timestamp(_) => DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into())),
        }
    }

    fn null(&mut self) {
        match self {
            Builder::Text(builder) => builder.append_null(),
            Builder::Integer(builder) => builder.append_null(),
            Builder::Float(builder) => builder.append_null(),
            Builder::Timestamp(builder) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Builder::Text(builder) => ArrayBuilder::finish(builder),
            Builder::Integer(builder) => ArrayBuilder::finish(builder),
            Builder::Float(builder) => ArrayBuilder::finish(builder),
            Builder::Timestamp(builder) => ArrayBuilder::finish(builder),
        }
    }
}

/// Collects cells, row by row and field by field, until a batch is full.
pub(super) struct BatchBuilder {
    schema: SchemaRef,
    columns: Vec<Builder>,
    rejects: Vec<CellReject>,
    field: usize,
    rows: usize,
    text_bytes: usize,
}

impl BatchBuilder {
    /// Fields by name, each with its cell type; at least one.
    pub(super) fn new<'a>(fields: impl IntoIterator<Item = (&'a str, Cells)>) -> BatchBuilder {
        let (names, columns): (Vec<_>, Vec<_>) =
            fields.into_iter().map(|(name, cells)| (name, Builder::new(cells))).unzip();
        let fields: Vec<Field> =
            names.iter().zip(&columns).map(|(name, builder)| Field::new(*name, builder.data_type(), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        BatchBuilder { schema, columns, rejects: Vec::new(), field: 0, rows: 0, text_bytes: 0 }
    }

    /// The next cell: NULL.
    pub(super) fn null(&mut self) {
        self.columns[self.field].null();
        self.field += 1;
    }

    /// The next cell: a text.
    pub(super) fn text(&mut self, text: &str) -> Result<()> {
        match &mut self.columns[self.field] {
            Builder::Text(builder) => builder.append_value(text),
            _ => return Err(Error::bug(format!("field {} got a text, but has another type", self.field))),
        }
        self.text_bytes += text.len();
        self.field += 1;
        Ok(())
    }

    /// The next cell: an integer.
    pub(super) fn integer(&mut self, value: i64) -> Result<()> {
        match &mut self.columns[self.field] {
            Builder::Integer(builder) => builder.append_value(value),
            _ => return Err(Error::bug(format!("field {} got an integer, but has another type", self.field))),
        }
        self.field += 1;
        Ok(())
    }

    /// The next cell: a double.
    pub(super) fn float(&mut self, value: f64) -> Result<()> {
        match &mut self.columns[self.field] {
            Builder::Float(builder) => builder.append_value(value),
            _ => return Err(Error::bug(format!("field {} got a float, but has another type", self.field))),
        }
        self.field += 1;
        Ok(())
    }

    /// The next cell: a timestamp, in microseconds since 1970-01-01 UTC.
    pub(super) fn timestamp(&mut self, microseconds: i64) -> Result<()> {
        match &mut self.columns[self.field] {
            Builder::Timestamp(builder) => builder.append_value(microseconds),
            _ => return Err(Error::bug(format!("field {} got a timestamp, but has another type", self.field))),
        }
        self.field += 1;
        Ok(())
    }

    /// The next cell: a value that has no exact counterpart; NULL in the batch.
    pub(super) fn reject(&mut self, raw: &str, reason: impl Into<String>) {
        let raw = raw.chars().take(RAW_CHARACTERS).collect();
        self.rejects.push(CellReject { row: self.rows, field: self.field, raw, reason: reason.into() });
        self.null();
    }

    /// Ends a row. Returns whether the batch is full.
    ///
    /// # Errors
    /// Of kind `Bug` when the row had too few cells.
    pub(super) fn end_row(&mut self) -> Result<bool> {
        if self.field != self.columns.len() {
            return Err(Error::bug(format!("a row ended after {} of {} cells", self.field, self.columns.len())));
        }
        self.field = 0;
        self.rows += 1;
        Ok(self.rows >= MAX_ROWS || self.text_bytes >= MAX_TEXT_BYTES)
    }

    /// The rows so far; `None` when there are none.
    pub(super) fn take(&mut self) -> Result<Option<TypedRows>> {
        if self.rows == 0 {
            return Ok(None);
        }
        self.rows = 0;
        self.text_bytes = 0;
        let columns = self.columns.iter_mut().map(Builder::finish).collect();
        let batch = RecordBatch::try_new(self.schema.clone(), columns)?;
        Ok(Some(TypedRows { batch, rejects: std::mem::take(&mut self.rejects) }))
    }
}

/// Writes bytes as hexadecimal digits, in lower case.
pub(super) fn hex(bytes: &[u8], out: &mut String) {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;

    #[test]
    fn cells_come_back_and_rejects_know_their_position() {
        let mut batch = BatchBuilder::new([("id", Cells::Integer), ("note", Cells::Text)]);
        batch.integer(1).unwrap();
        batch.text("one").unwrap();
        assert!(!batch.end_row().unwrap());
        batch.integer(2).unwrap();
        batch.reject("0000-00-00", "no day");
        assert!(!batch.end_row().unwrap());
        let rows = batch.take().unwrap().unwrap();
        assert_eq!(rows.batch.num_rows(), 2);
        let expected = CellReject { row: 1, field: 1, raw: "0000-00-00".into(), reason: "no day".into() };
        assert_eq!(rows.rejects, [expected]);
        assert_eq!(rows.batch.column(1).as_string::<i32>().iter().collect::<Vec<_>>(), [Some("one"), None]);
        assert!(batch.take().unwrap().is_none());
    }

    #[test]
    fn long_texts_end_a_batch_early() {
        let mut batch = BatchBuilder::new([("note", Cells::Text)]);
        batch.text(&"x".repeat(MAX_TEXT_BYTES)).unwrap();
        assert!(batch.end_row().unwrap());
    }

    #[test]
    fn a_short_row_is_a_bug_of_the_reader() {
        let mut batch = BatchBuilder::new([("a", Cells::Text), ("b", Cells::Text)]);
        batch.null();
        assert!(batch.end_row().is_err());
    }

    #[test]
    fn bytes_are_written_in_hexadecimal() {
        let mut out = String::new();
        hex(&[0, 15, 160, 255], &mut out);
        assert_eq!(out, "000fa0ff");
    }
}
