//! `width_bucket`: which of several bins a number lies in.

use super::numbers::common_type;
use super::thresholds::{self, Edge, score_by_thresholds, threshold_types};
use crate::constants::{ConstantProblem, Constants, ValueProblem};
use crate::manual::{Function, Section, page};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type, i256};
use datafusion::common::{exec_datafusion_err, exec_err, plan_err, utils::take_function_args};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

pub(crate) const FUNCTION: Function =
    Function::scalar("width_bucket", Section::General, page!("width_bucket"), function).with_rule(check_constants);

fn function() -> ScalarUDF {
    ScalarUDF::from(WidthBucket { signature: Signature::user_defined(Volatility::Immutable) })
}

fn check_constants(arguments: &Constants<'_>) -> Result<(), ConstantProblem> {
    if arguments.len() == 2 {
        return thresholds::check_constants(arguments);
    }
    if let (Some(low), Some(high)) = (arguments.number(1), arguments.number(2)) {
        test_bounds(low, high).map_err(|problem| problem.at(2))?;
    }
    arguments.test_integer(3, test_count)
}

fn test_bounds(low: f64, high: f64) -> Result<(), ValueProblem> {
    if low.is_finite() && high.is_finite() && low != high {
        return Ok(());
    }
    Err(ValueProblem::new(format!("low is {low} and high is {high}"), "bounds are finite and differ"))
}

fn test_count(count: i64) -> Result<i64, ValueProblem> {
    if (1..i64::MAX).contains(&count) {
        return Ok(count);
    }
    Err(ValueProblem::new(format!("the count of bins is {count}"), "it is a whole number from 1 on"))
}

fn error(problem: ValueProblem) -> DataFusionError {
    exec_datafusion_err!("width_bucket: {problem}")
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct WidthBucket {
    signature: Signature,
}

impl ScalarUDFImpl for WidthBucket {
    fn name(&self) -> &str {
        "width_bucket"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [value, thresholds] => threshold_types("width_bucket", value, thresholds),
            [bounds @ .., count] if bounds.len() == 3 => {
                if !(count.is_integer() || count.is_null()) {
                    return plan_err!("width_bucket: the count of bins is {count}; a whole number is needed");
                }
                let number = common_type("width_bucket", bounds)?;
                Ok(vec![number.clone(), number.clone(), number, DataType::Int64])
            }
            _ => plan_err!(
                "width_bucket: arguments of (value, low, high, count) or of (value, thresholds) are needed, and {} were given",
                types.len()
            ),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let [value, thresholds] = arguments.args.as_slice() {
            let edge = Edge::BelongsAbove;
            let bins = score_by_thresholds("width_bucket", value, thresholds, edge, arguments.number_rows)?;
            return Ok(ColumnarValue::Array(Arc::new(bins)));
        }
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let [value, low, high, count] = take_function_args("width_bucket", arrays)?;
        let count = count.as_primitive::<Int64Type>();
        let bounds = [&value, &low, &high];
        let bins: Int64Array = match value.data_type() {
            DataType::Float64 => {
                each_row(bounds, count, |array, i| array.as_primitive::<Float64Type>().value(i), bucket)?
            }
            _ => each_row(bounds, count, |array, i| array.as_primitive::<Decimal128Type>().value(i), exact_bucket)?,
        };
        Ok(ColumnarValue::Array(Arc::new(bins)))
    }
}

fn each_row<T>(
    bounds: [&ArrayRef; 3],
    count: &Int64Array,
    read: impl Fn(&ArrayRef, usize) -> T,
    bucket: impl Fn(T, T, T, i64) -> Result<i64>,
) -> Result<Int64Array> {
    let one = |i: usize| {
        if count.is_null(i) || bounds.iter().any(|array| array.is_null(i)) {
            return Ok(None);
        }
        let count = test_count(count.value(i)).map_err(error)?;
        let [value, low, high] = bounds.map(|array| read(array, i));
        bucket(value, low, high, count).map(Some)
    };
    (0..count.len()).map(one).collect()
}

fn bucket(value: f64, low: f64, high: f64, count: i64) -> Result<i64> {
    test_bounds(low, high).map_err(error)?;
    if value.is_nan() {
        return exec_err!("width_bucket: the value is NaN, which lies in no bin");
    }
    // Downwards is upwards with all signs changed.
    let (value, low, high) = if low < high { (value, low, high) } else { (-value, -low, -high) };
    if value < low {
        return Ok(0);
    }
    if value >= high {
        return Ok(count + 1);
    }
    let range = high - low;
    // Bounds too far apart for a difference are halved first.
    let share =
        if range.is_finite() { (value - low) / range } else { (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0) };
    // A share just below 1 may be rounded to it.
    Ok(((share * count as f64) as i64).min(count - 1) + 1)
}

fn exact_bucket(value: i128, low: i128, high: i128, count: i64) -> Result<i64> {
    if low == high {
        return exec_err!("width_bucket: low and high are equal; bounds differ");
    }
    let (value, low, high) = if low < high { (value, low, high) } else { (-value, -low, -high) };
    if value < low {
        return Ok(0);
    }
    if value >= high {
        return Ok(count + 1);
    }
    // Less than count, so it fits.
    let wide = |number: i128| i256::from_i128(number);
    let (above, range) = (wide(value).wrapping_sub(wide(low)), wide(high).wrapping_sub(wide(low)));
    let bins = above.wrapping_mul(wide(i128::from(count))).wrapping_div(range);
    Ok(bins.to_i128().unwrap_or(0) as i64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_belong_to_the_bin_that_begins_there() {
        for (value, expected) in [(-0.1, 0), (0.0, 1), (1.999, 1), (2.0, 2), (9.999, 5), (10.0, 6), (f64::INFINITY, 6)]
        {
            assert_eq!(bucket(value, 0.0, 10.0, 5).unwrap(), expected, "{value}");
            assert_eq!(bucket(10.0 - value, 10.0, 0.0, 5).unwrap(), expected, "{value} downwards");
        }
        assert_eq!(bucket(0.0, -f64::MAX, f64::MAX, 2).unwrap(), 2);
        assert_eq!(bucket(1.0f64.next_down(), 0.0, 1.0, 1_000).unwrap(), 1_000);
    }

    #[test]
    fn decimals_are_exact() {
        // Three tenths of the way is the beginning of the fourth of ten bins, which doubles miss.
        assert_eq!(exact_bucket(3, 0, 10, 10).unwrap(), 4);
        assert_eq!(exact_bucket(10_i128.pow(38) - 2, 1 - 10_i128.pow(38), 10_i128.pow(38) - 1, 7).unwrap(), 7);
        assert_eq!(exact_bucket(-5, 10, 0, 5).unwrap(), 6);
        assert_eq!(exact_bucket(11, 10, 0, 5).unwrap(), 0);
        assert_eq!(exact_bucket(10, 10, 0, 5).unwrap(), 1);
    }
}
