//! What a Delta log says of a file so that readers can pass over it: rows, NULLs, least and greatest values.
//!
//! Text is left out: least and greatest names or addresses of customers have no business in a log that is kept for
//! ever.

use super::DataFile;
use super::open::Lake;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow::datatypes::{TimeUnit, TimestampMicrosecondType};
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Decimals of at most so many digits are the same number when a reader takes them for floating point.
const EXACT_DECIMAL: u128 = 1_000_000_000_000_000;

/// Bytes read from a file's end at first: more than most footers have.
const TAIL_BYTES: u64 = 64 << 10;

/// The statistics of a data file as a Delta log's text, from the file's footer.
pub(super) async fn of_file(lake: &Lake, file: &DataFile) -> Result<String> {
    let failed = |e: ParquetError| {
        Error::data(format!("{} in the lake {} is not a Parquet file: {e}", file.path, lake.location()))
    };
    let footer = ArrowReaderMetadata::try_new(footer(lake, file).await?, ArrowReaderOptions::new()).map_err(failed)?;
    let (groups, schema) = (footer.metadata().row_groups(), footer.schema());
    let (mut least, mut greatest, mut nulls) = (Map::new(), Map::new(), Map::new());
    for field in schema.fields() {
        if field.data_type().is_nested() {
            continue;
        }
        let column = StatisticsConverter::try_new(field.name(), schema, footer.parquet_schema()).map_err(failed)?;
        let counts = column.row_group_null_counts(groups.iter()).map_err(failed)?;
        if counts.null_count() == 0 {
            nulls.insert(field.name().clone(), counts.values().iter().sum::<u64>().into());
        }
        let mins = column.row_group_mins(groups.iter()).map_err(failed)?;
        let maxes = column.row_group_maxes(groups.iter()).map_err(failed)?;
        // A row group without its bound says nothing about the file's.
        if mins.is_empty() || mins.null_count() > 0 || maxes.null_count() > 0 {
            continue;
        }
        if let (Some(low), Some(high)) = (bound(&mins, End::Least), bound(&maxes, End::Greatest)) {
            least.insert(field.name().clone(), low);
            greatest.insert(field.name().clone(), high);
        }
    }
    let rows = file.rows;
    Ok(json!({"numRecords": rows, "minValues": least, "maxValues": greatest, "nullCount": nulls}).to_string())
}

/// What the end of a Parquet file says of the whole.
async fn footer(lake: &Lake, file: &DataFile) -> Result<Arc<ParquetMetaData>> {
    let path = lake.path(&file.path);
    let mut bytes = TAIL_BYTES.min(file.bytes);
    loop {
        let tail = lake.store().get_range(&path, file.bytes - bytes..file.bytes).await;
        let tail = tail.map_err(|e| lake.failed(&format!("show {}", file.path), e))?;
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
enum End {
    Least,
    Greatest,
}

macro_rules! end {
    ($values:expr, $type:ty, $end:expr) => {{
        let values = $values.as_primitive_opt::<$type>()?;
        match $end {
            End::Least => min(values),
            End::Greatest => max(values),
        }
    }};
}

/// The least or greatest of some bounds as JSON; `None` for types whose bounds are not told.
fn bound(values: &ArrayRef, which: End) -> Option<Value> {
    match values.data_type() {
        DataType::Int8 => end!(values, Int8Type, which).map(Value::from),
        DataType::Int16 => end!(values, Int16Type, which).map(Value::from),
        DataType::Int32 => end!(values, Int32Type, which).map(Value::from),
        DataType::Int64 => end!(values, Int64Type, which).map(Value::from),
        DataType::Date32 => {
            crate::contract::day_of(end!(values, Date32Type, which)?.into()).map(|day| Value::from(day.to_string()))
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let moment = jiff::Timestamp::from_microsecond(end!(values, TimestampMicrosecondType, which)?).ok()?;
            let text = moment.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string();
            Some(Value::from(if zone.is_some() { format!("{text}Z") } else { text }))
        }
        DataType::Decimal128(_, scale) if (0..=15).contains(scale) => {
            let unscaled = end!(values, Decimal128Type, which)?;
            let exact = unscaled.unsigned_abs() < EXACT_DECIMAL;
            exact.then(|| json!(unscaled as f64 / 10f64.powi(i32::from(*scale))))
        }
        _ => None,
    }
}
