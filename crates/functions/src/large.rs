//! The engine's functions that make much of little, with a bound: `repeat('x', 2000000000)` is two gigabytes that no
//! memory limit knows of.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, FieldRef, IntervalMonthDayNanoType, IntervalUnit};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::functions::{string, unicode};
use datafusion::functions_nested::{range, repeat, resize};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// What one call makes of one batch of rows, at most.
const MAX_BYTES: u128 = 256 << 20;

/// A function would have made more than is allowed at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLarge {
    function: String,
    bytes: u128,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (made, most) = (self.bytes >> 20, MAX_BYTES >> 20);
        write!(f, "`{}` would make {made} MB at once; at most {most} MB are allowed", self.function)
    }
}

impl Error for TooLarge {}

/// The functions in the place of the engine's.
pub(crate) fn functions() -> impl Iterator<Item = ScalarUDF> {
    let all: [(Arc<ScalarUDF>, Size); 7] = [
        (string::repeat(), repeated_text),
        (unicode::lpad(), padded_text),
        (unicode::rpad(), padded_text),
        (repeat::array_repeat_udf(), repeated_item),
        (resize::array_resize_udf(), resized_array),
        (range::range_udf(), series),
        (range::gen_series_udf(), series),
    ];
    all.into_iter().map(|(engines, size)| Bounded { engines, size }.into())
}

/// Bytes that one row makes, roughly; nothing where an argument is NULL.
type Size = fn(&[ArrayRef], usize) -> Option<u128>;

/// A function of the engine that is asked first how much it will make.
#[derive(Debug)]
struct Bounded {
    engines: Arc<ScalarUDF>,
    size: Size,
}

impl PartialEq for Bounded {
    fn eq(&self, other: &Bounded) -> bool {
        self.engines == other.engines
    }
}

impl Eq for Bounded {}

impl std::hash::Hash for Bounded {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.engines.hash(state);
    }
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.engines.name()
    }

    fn aliases(&self) -> &[String] {
        self.engines.aliases()
    }

    fn signature(&self) -> &Signature {
        self.engines.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.engines.coerce_types(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.engines.inner().return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.engines.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows =
            if args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_))) { 1 } else { args.number_rows };
        let arrays = args.args.iter().map(|arg| match arg {
            ColumnarValue::Array(array) => Ok(array.clone()),
            ColumnarValue::Scalar(scalar) => scalar.to_array(),
        });
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        let bytes: u128 = (0..rows).filter_map(|row| (self.size)(&arrays, row)).sum();
        if bytes > MAX_BYTES {
            return Err(DataFusionError::External(Box::new(TooLarge { function: self.name().to_string(), bytes })));
        }
        self.engines.invoke_with_args(args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.engines.documentation()
    }
}

fn repeated_text(args: &[ArrayRef], row: usize) -> Option<u128> {
    Some(bytes(args.first()?, row)? * count(args.get(1)?, row)?)
}

fn padded_text(args: &[ArrayRef], row: usize) -> Option<u128> {
    // The length is one of characters, each of which has up to four bytes.
    let widest = args.get(2).map_or(1, |fill| if bytes(fill, row).is_some_and(|b| b <= 1) { 1 } else { 4 });
    Some(count(args.get(1)?, row)? * widest)
}

fn repeated_item(args: &[ArrayRef], row: usize) -> Option<u128> {
    let item = args.first()?;
    let bytes = bytes(item, row).unwrap_or(0).max(8);
    Some(bytes * count(args.get(1)?, row)?)
}

fn resized_array(args: &[ArrayRef], row: usize) -> Option<u128> {
    Some(count(args.get(1)?, row)? * args.get(2).and_then(|fill| bytes(fill, row)).unwrap_or(0).max(8))
}

fn series(args: &[ArrayRef], row: usize) -> Option<u128> {
    let (start, stop) = match args {
        [stop] => (0, whole(stop, row)?),
        [start, stop, ..] => (whole(start, row)?, whole(stop, row)?),
        [] => return None,
    };
    let step = match args.get(2) {
        None => 1,
        Some(step) => match step.data_type() {
            DataType::Interval(IntervalUnit::MonthDayNano) => {
                let step = valid(step, row)?.as_primitive::<IntervalMonthDayNanoType>().value(at(step, row));
                let days = i128::from(step.months) * 28 + i128::from(step.days);
                // Dates are days; timestamps are read as nanoseconds.
                match args[0].data_type() {
                    DataType::Timestamp(..) => days * 86_400_000_000_000 + i128::from(step.nanoseconds),
                    _ => days,
                }
            }
            _ => whole(step, row)?,
        },
    };
    let (start, stop) = match args[0].data_type() {
        DataType::Timestamp(unit, _) => (start * nanoseconds(unit), stop * nanoseconds(unit)),
        _ => (start, stop),
    };
    let items = (stop - start).checked_div(step)?.max(0);
    Some(items.unsigned_abs() * 8)
}

fn nanoseconds(unit: &arrow::datatypes::TimeUnit) -> i128 {
    use arrow::datatypes::TimeUnit;
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

/// A constant has one row for all.
fn at(array: &ArrayRef, row: usize) -> usize {
    if array.len() == 1 { 0 } else { row }
}

fn valid(array: &ArrayRef, row: usize) -> Option<&ArrayRef> {
    array.is_valid(at(array, row)).then_some(array)
}

/// The bytes of a text, or of another value.
fn bytes(array: &ArrayRef, row: usize) -> Option<u128> {
    let (array, row) = (valid(array, row)?, at(array, row));
    let bytes = match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).len(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).len(),
        DataType::Utf8View => array.as_string_view().value(row).len(),
        _ => array.slice(row, 1).to_data().get_slice_memory_size().ok()?,
    };
    Some(bytes as u128)
}

fn whole(array: &ArrayRef, row: usize) -> Option<i128> {
    let one = ScalarValue::try_from_array(valid(array, row)?, at(array, row)).ok()?;
    match one {
        ScalarValue::Date32(day) => day.map(i128::from),
        other => match other.cast_to(&DataType::Int64).ok()? {
            ScalarValue::Int64(value) => value.map(i128::from),
            _ => None,
        },
    }
}

fn count(array: &ArrayRef, row: usize) -> Option<u128> {
    Some(whole(array, row)?.max(0).unsigned_abs())
}
