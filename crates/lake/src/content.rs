//! What rows hold, as a number that does not depend on their order or on the files they are in.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::row::{RowConverter, Rows, SortField};
use perennial_core::error::Result;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::iter::Sum;
use xxhash_rust::xxh3::xxh3_128;

/// The sum, modulo 2^128, of the XXH3 hashes (128 bits) of all rows in Arrow's row encoding. Rows that are added or
/// removed add or subtract their hashes; equal sums mean equal rows, as often as each occurs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Content(u128);

impl Sum for Content {
    fn sum<I: Iterator<Item = Content>>(contents: I) -> Content {
        Content(contents.fold(0, |sum, content| sum.wrapping_add(content.0)))
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Content, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(Content).map_err(serde::de::Error::custom)
    }
}

/// Sums up the content of batches of one schema.
pub(crate) struct ContentSum {
    converter: RowConverter,
    /// The rows of the last batch, of which the memory is used again.
    rows: Rows,
    sum: u128,
}

impl ContentSum {
    /// The content of no rows yet.
    ///
    /// # Errors
    /// `Bug` for a type that has no row encoding, which none of the lake's types is.
    pub(crate) fn new(schema: &Schema) -> Result<ContentSum> {
        let fields = schema.fields().iter().map(|field| SortField::new(field.data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        Ok(ContentSum { rows: converter.empty_rows(0, 0), converter, sum: 0 })
    }

    /// Adds the rows of a batch.
    ///
    /// # Errors
    /// `Bug` when the batch has other columns.
    pub(crate) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_columns() == 0 {
            // Rows without columns are all the same; their number says everything.
            self.sum = self.sum.wrapping_add(xxh3_128(&[]).wrapping_mul(batch.num_rows() as u128));
            return Ok(());
        }
        self.rows.clear();
        self.converter.append(&mut self.rows, batch.columns())?;
        self.sum = self.rows.iter().fold(self.sum, |sum, row| sum.wrapping_add(xxh3_128(row.data())));
        Ok(())
    }

    /// The sum so far; it begins anew.
    pub(crate) fn take(&mut self) -> Content {
        Content(std::mem::take(&mut self.sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, RecordBatchOptions, StringArray, new_null_array};
    use arrow::datatypes::{DataType, Field, TimeUnit};
    use std::sync::Arc;

    fn content<'a>(batches: impl IntoIterator<Item = &'a RecordBatch>) -> Content {
        let mut batches = batches.into_iter().peekable();
        let mut sum = ContentSum::new(&batches.peek().unwrap().schema()).unwrap();
        batches.for_each(|batch| sum.add(batch).unwrap());
        sum.take()
    }

    fn rows(ids: Vec<Option<i64>>, texts: Vec<Option<&str>>) -> RecordBatch {
        let (ids, texts): (ArrayRef, ArrayRef) = (Arc::new(Int64Array::from(ids)), Arc::new(StringArray::from(texts)));
        RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("text", texts, true)]).unwrap()
    }

    /// Made with Python's xxhash 3.6 from the encoding that the documentation of `arrow::row` describes: of an integer
    /// 1 (0 for NULL) and its big-endian bytes with the sign flipped; of a short text 2, eight bytes and the length (1
    /// when it is empty, 0 for NULL).
    #[test]
    fn the_content_is_the_sum_of_the_hashes_of_rows() {
        let batch = rows(
            vec![Some(1), Some(-2), None, Some(1), None, Some(7)],
            vec![Some("a"), None, Some("four"), Some("a"), None, Some("")],
        );
        assert_eq!(content([&batch]).to_string(), "d3d4d78b90683b9523047e02860db011");
        let nulls = batch.slice(2, 1).project(&[1]).unwrap();
        assert_ne!(content([&nulls]), Content::default());
        let ids = batch.slice(4, 1).project(&[0]).unwrap();
        assert_eq!(content([&ids, &ids]).to_string(), "7cc6f7e5cf5695d82fb772497fa223cc");
        // Three rows without columns.
        let options = RecordBatchOptions::new().with_row_count(Some(3));
        let empty = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options).unwrap();
        assert_eq!(content([&empty]).to_string(), "ccfe147903d6ca892005496cd3a7dc7d");
    }

    #[test]
    fn it_is_free_of_order_and_additive() {
        let batch = rows((0..9).map(Some).collect(), vec![Some("x"); 9]);
        let parts = [batch.slice(5, 4), batch.slice(0, 2), batch.slice(2, 3)];
        assert_eq!(content(&parts), content([&batch]));
        assert_eq!(parts.iter().map(|part| content([part])).sum::<Content>(), content([&batch]));
        assert_ne!(content([&batch.slice(0, 8)]), content([&batch]));
        // A row twice is not a row once, nor is it no row.
        assert_ne!(content([&batch.slice(0, 1), &batch.slice(0, 1)]), content([&batch.slice(0, 1)]));
        let text = serde_json::to_string(&content([&batch])).unwrap();
        assert_eq!(text.len(), 34);
        assert_eq!(serde_json::from_str::<Content>(&text).unwrap(), content([&batch]));
    }

    #[test]
    fn every_type_of_the_lake_has_an_encoding() {
        use DataType::*;
        let element = Arc::new(Field::new("element", Decimal128(38, 2), true));
        let members = vec![Field::new("a", Utf8, true), Field::new("b", List(element.clone()), true)];
        let types = [
            Boolean,
            Int8,
            Int16,
            Int32,
            Int64,
            Float32,
            Float64,
            Date32,
            Utf8,
            Binary,
            Timestamp(TimeUnit::Microsecond, None),
            Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Decimal128(38, 2),
            List(element),
            Struct(members.into()),
        ];
        for data_type in types {
            let schema = Arc::new(Schema::new(vec![Field::new("c", data_type.clone(), true)]));
            let nulls = |count| RecordBatch::try_new(schema.clone(), vec![new_null_array(&data_type, count)]).unwrap();
            assert_ne!(content([&nulls(1)]), content([&nulls(2)]), "{data_type}");
        }
    }
}
