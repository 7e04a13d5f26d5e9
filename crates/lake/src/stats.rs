//! Statistics of data files in a Delta log, with which readers skip files: rows, NULLs, minima and maxima.
//!
//! Text has none: names and addresses of customers do not belong in a log that is kept forever. Which columns have
//! statistics is a property of the table, because some readers find no rows when a bound is missing. For the same reason
//! a file has the bounds of all these columns, or no statistics at all.

use super::DataFile;
use super::open::Lake;
use arrow::array::{Array, ArrayRef, AsArray, UInt64Array};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow::datatypes::{Schema, TimeUnit, TimestampMicrosecondType};
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use perennial_core::contract::day_of;
use perennial_core::error::{Error, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Decimals with at most this many significant digits survive being parsed as floating point.
const EXACT_DIGITS: u32 = 15;

/// Bytes that are read from the end of a file at first: more than most footers have.
const TAIL_BYTES: u64 = 64 << 10;

/// The columns that have statistics.
pub(crate) fn columns(schema: &Schema) -> impl Iterator<Item = &str> {
    let fields = schema.fields().iter().filter(|field| has_bounds(field.data_type()));
    fields.map(|field| field.name().as_str())
}

fn has_bounds(data_type: &DataType) -> bool {
    use DataType::{Date32, Decimal128, Int8, Int16, Int32, Int64, Timestamp};
    matches!(
        data_type,
        Int8 | Int16 | Int32 | Int64 | Date32 | Timestamp(TimeUnit::Microsecond, _) | Decimal128(_, 0..)
    )
}

/// The statistics of a data file, in the JSON of a Delta log, from the file's footer; `None` when a bound is unknown.
/// `table` is the schema of the table.
pub(crate) async fn of_file(lake: &Lake, file: &DataFile, table: &Schema) -> Result<Option<String>> {
    let failed = |e: ParquetError| {
        Error::data(format!("{} in the lake {} is not a Parquet file: {e}", file.path, lake.location()))
    };
    let footer = ArrowReaderMetadata::try_new(footer(lake, file).await?, ArrowReaderOptions::new()).map_err(failed)?;
    let (groups, schema) = (footer.metadata().row_groups(), footer.schema());
    let mut statistics = Statistics { rows: file.rows, ..Statistics::default() };
    for name in columns(table) {
        let Ok(field) = schema.field_with_name(name) else {
            // The column was added after the file was written.
            statistics.nulls.insert(name.to_string(), file.rows);
            continue;
        };
        if table.field_with_name(name).is_ok_and(|column| column.data_type() != field.data_type()) {
            return Ok(None);
        }
        let column = StatisticsConverter::try_new(name, schema, footer.parquet_schema()).map_err(failed)?;
        let nulls = column.row_group_null_counts(groups.iter()).map_err(failed)?;
        let rows = groups.iter().map(|group| group.num_rows() as u64);
        let minima = column.row_group_mins(groups.iter()).map_err(failed)?;
        let maxima = column.row_group_maxes(groups.iter()).map_err(failed)?;
        if !statistics.add_column(name, &nulls, rows, &minima, &maxima) {
            return Ok(None);
        }
    }
    Ok(Some(statistics.json()?))
}

/// The statistics of a file; bounds are JSON.
#[derive(Default)]
struct Statistics {
    rows: u64,
    nulls: BTreeMap<String, u64>,
    minima: BTreeMap<String, String>,
    maxima: BTreeMap<String, String>,
    /// Whether some bounds are not values of the file.
    are_widened: bool,
}

impl Statistics {
    /// Adds a column from the statistics of the row groups; `false` when a bound is unknown.
    fn add_column(
        &mut self,
        name: &str,
        nulls: &UInt64Array,
        rows: impl Iterator<Item = u64>,
        minima: &ArrayRef,
        maxima: &ArrayRef,
    ) -> bool {
        let mut total_nulls = 0;
        let mut has_values = false;
        for (group, rows) in rows.enumerate() {
            if nulls.is_null(group) {
                return false;
            }
            total_nulls += nulls.value(group);
            let only_nulls = nulls.value(group) == rows;
            if !only_nulls && (minima.is_null(group) || maxima.is_null(group)) {
                return false;
            }
            has_values |= !only_nulls;
        }
        self.nulls.insert(name.to_string(), total_nulls);
        if !has_values {
            return true;
        }
        let (Some(minimum), Some(maximum)) = (bound(minima, Bound::Min), bound(maxima, Bound::Max)) else {
            return false;
        };
        self.are_widened |= minimum.is_widened || maximum.is_widened;
        self.minima.insert(name.to_string(), minimum.json);
        self.maxima.insert(name.to_string(), maximum.json);
        true
    }

    /// The JSON of an `add` action. Numbers are written with all their digits, which `serde_json` would not do.
    fn json(&self) -> Result<String> {
        fn object<T: std::fmt::Display>(values: &BTreeMap<String, T>) -> Result<String, serde_json::Error> {
            let entries = values.iter().map(|(name, value)| Ok(format!("{}:{value}", serde_json::to_string(name)?)));
            Ok(format!("{{{}}}", entries.collect::<Result<Vec<_>, serde_json::Error>>()?.join(",")))
        }
        let written = || {
            let (minima, maxima, nulls) = (object(&self.minima)?, object(&self.maxima)?, object(&self.nulls)?);
            let tight = if self.are_widened { r#","tightBounds":false"# } else { "" };
            let rows = self.rows;
            Ok(format!(
                r#"{{"numRecords":{rows}{tight},"minValues":{minima},"maxValues":{maxima},"nullCount":{nulls}}}"#
            ))
        };
        written().map_err(|e: serde_json::Error| Error::bug(format!("statistics cannot be written as JSON: {e}")))
    }
}

/// The metadata in the footer of a Parquet file.
async fn footer(lake: &Lake, file: &DataFile) -> Result<Arc<ParquetMetaData>> {
    let path = lake.path(&file.path);
    let mut bytes = TAIL_BYTES.min(file.bytes);
    loop {
        let tail = lake.store().get_range(&path, file.bytes - bytes..file.bytes).await;
        let tail = tail.map_err(|e| lake.failed(&format!("read {} from", file.path), e))?;
        let mut reader = ParquetMetaDataReader::new();
        match reader.try_parse_sized(&tail, file.bytes) {
            Ok(()) => {}
            Err(ParquetError::NeedMoreData(more)) if (more as u64) > bytes && (more as u64) <= file.bytes => {
                bytes = more as u64;
                continue;
            }
            Err(error) => return Err(Error::data(format!("{} is not a Parquet file: {error}", file.path))),
        }
        let read = reader.finish();
        return read.map(Arc::new).map_err(|e| Error::data(format!("{} is not a Parquet file: {e}", file.path)));
    }
}

#[derive(Clone, Copy)]
enum Bound {
    Min,
    Max,
}

/// A bound in JSON.
struct BoundJson {
    json: String,
    /// Whether it lies beyond the value in the file.
    is_widened: bool,
}

macro_rules! extreme {
    ($values:expr, $type:ty, $which:expr) => {{
        let values = $values.as_primitive_opt::<$type>()?;
        match $which {
            Bound::Min => min(values),
            Bound::Max => max(values),
        }
    }};
}

/// The minimum or maximum of some bounds; `None` for a value that cannot be written.
fn bound(values: &ArrayRef, which: Bound) -> Option<BoundJson> {
    let mut is_widened = false;
    let json = match values.data_type() {
        DataType::Int8 => extreme!(values, Int8Type, which)?.to_string(),
        DataType::Int16 => extreme!(values, Int16Type, which)?.to_string(),
        DataType::Int32 => extreme!(values, Int32Type, which)?.to_string(),
        DataType::Int64 => extreme!(values, Int64Type, which)?.to_string(),
        DataType::Date32 => format!("\"{}\"", day_of(extreme!(values, Date32Type, which)?.into())?),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let timestamp = extreme!(values, TimestampMicrosecondType, which)?;
            let text = jiff::Timestamp::from_microsecond(timestamp).ok()?.strftime("%Y-%m-%dT%H:%M:%S%.6f");
            format!("\"{text}{}\"", if zone.is_some() { "Z" } else { "" })
        }
        DataType::Decimal128(precision, scale) => {
            let exact = extreme!(values, Decimal128Type, which)?;
            let safe = widened(exact, which, *precision)?;
            is_widened = safe != exact;
            decimal_text(safe, usize::try_from(*scale).ok()?)
        }
        _ => return None,
    };
    Some(BoundJson { json, is_widened })
}

/// A bound that is valid even when a reader parses it as floating point; `None` when the type has no such value.
fn widened(exact: i128, which: Bound, precision: u8) -> Option<i128> {
    let digits = exact.unsigned_abs().checked_ilog10().map_or(0, |log| log + 1);
    if digits <= EXACT_DIGITS {
        return Some(exact);
    }
    let step = 10_i128.checked_pow(digits - EXACT_DIGITS)?;
    // At least one step away: the rounding error of floating point is about a tenth of one.
    let steps = match which {
        Bound::Min => exact.div_euclid(step) - 1,
        Bound::Max => exact.div_euclid(step) + 2,
    };
    let limit = 10_u128.checked_pow(u32::from(precision))?;
    steps.checked_mul(step).filter(|bound| bound.unsigned_abs() < limit)
}

fn decimal_text(unscaled: i128, scale: usize) -> String {
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    let dot = if scale > 0 { "." } else { "" };
    format!("{sign}{whole}{dot}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_are_written_with_all_their_digits() {
        let texts =
            [(0, 2), (-5, 2), (1234, 2), (7, 0), (-120, 1)].map(|(unscaled, scale)| decimal_text(unscaled, scale));
        assert_eq!(texts, ["0.00", "-0.05", "12.34", "7", "-12.0"]);
    }

    #[test]
    fn bounds_are_exact_where_that_is_safe_and_left_out_where_the_type_ends() {
        assert_eq!(widened(999_999_999_999_999, Bound::Max, 18), Some(999_999_999_999_999));
        // Sixteen digits: steps of ten.
        assert_eq!(widened(1_234_567_890_123_456, Bound::Max, 18), Some(1_234_567_890_123_470));
        assert_eq!(widened(1_234_567_890_123_456, Bound::Min, 18), Some(1_234_567_890_123_440));
        assert_eq!(widened(-1_234_567_890_123_456, Bound::Max, 18), Some(-1_234_567_890_123_440));
        assert_eq!(widened(9_999_999_999_999_999, Bound::Max, 16), None);
    }

    proptest! {
        #[test]
        fn bounds_hold_in_floating_point(exact in -10_i128.pow(37)..10_i128.pow(37), cut in 0_u32..37) {
            let exact = exact / 10_i128.pow(cut);
            let parsed = |bound: i128| bound.to_string().parse::<f64>().unwrap() as i128;
            prop_assert!(parsed(widened(exact, Bound::Min, 38).unwrap()) <= exact);
            prop_assert!(parsed(widened(exact, Bound::Max, 38).unwrap()) >= exact);
        }
    }
}
