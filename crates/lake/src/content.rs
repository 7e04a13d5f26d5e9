//! What rows hold, as a number that does not depend on their order or on the files they are in.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::row::{RowConverter, SortField};
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
    rows: RowConverter,
    sum: u128,
}

impl ContentSum {
    /// The content of no rows yet.
    ///
    /// # Errors
    /// `Bug` for a type that has no row encoding, which none of the lake's types is.
    pub(crate) fn new(schema: &Schema) -> Result<ContentSum> {
        let fields = schema.fields().iter().map(|field| SortField::new(field.data_type().clone()));
        Ok(ContentSum { rows: RowConverter::new(fields.collect())?, sum: 0 })
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
        let rows = self.rows.convert_columns(batch.columns())?;
        self.sum = rows.iter().fold(self.sum, |sum, row| sum.wrapping_add(xxh3_128(row.data())));
        Ok(())
    }

    /// The sum so far; it begins anew.
    pub(crate) fn take(&mut self) -> Content {
        Content(std::mem::take(&mut self.sum))
    }
}
