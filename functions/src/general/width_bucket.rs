//! `width_bucket`: which of several bins a number lies in.

use super::numbers::common_type;
use super::thresholds::{Edge, score_by_thresholds, threshold_types};
use crate::manual::{Example, Function, Kind, Page, Section};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type, i256};
use datafusion::common::{exec_err, plan_err, utils::take_function_args};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

pub(crate) const FUNCTION: Function = Function { kind: Kind::Scalar(function), page: &PAGE };

const PAGE: Page = Page {
    name: "width_bucket",
    section: Section::General,
    syntax: "width_bucket(value, low, high, count)\nwidth_bucket(value, thresholds)",
    summary: "Which of `count` bins of equal width, or of bins between thresholds, a number lies in",
    arguments: &[
        ("value", "a number"),
        ("low", "a number, where bin 1 begins"),
        ("high", "a number, where the last bin ends; smaller than `low` where the bins run downwards"),
        ("count", "BIGINT from 1, how many bins"),
        ("thresholds", "LIST of numbers in ascending order, instead of the three: where each bin begins"),
    ],
    returns: "BIGINT from 1 to `count`; 0 below the first bin, `count + 1` beyond the last. With thresholds the number of \
        them that are not above the value. NULL where any argument is.",
    description: "As in PostgreSQL. A bin contains where it begins, not where it ends: a value of exactly `high` lies \
        beyond the last one. With `low` above `high` bin 1 begins at `low` and runs downwards. Decimals and whole numbers \
        are computed exactly, as soon as one argument is a DOUBLE all are.",
    sources: &[],
    examples: &[
        Example {
            sql: "SELECT width_bucket(5.35, 0.024, 10.06, 5) AS inside, width_bucket(-1, 0, 10, 5) AS below,\n    \
                width_bucket(10, 0, 10, 5) AS beyond, width_bucket(9, 10, 0, 5) AS downwards",
            answer: "inside | below | beyond | downwards\n3 | 0 | 6 | 1",
        },
        Example {
            sql: "SELECT age, width_bucket(age, [18, 30, 50]) AS band FROM (VALUES (17), (18), (64)) AS t (age)",
            answer: "age | band\n17 | 0\n18 | 1\n64 | 3",
        },
    ],
    limits: &[
        "NaN, bounds that are infinite or equal, a count below 1, and thresholds out of order or NULL are errors.",
        "For scores by quantiles, where a value on the edge belongs below it, see quantile_score.",
    ],
    related: &["quantile_score", "quantile_cutoffs"],
};

fn function() -> ScalarUDF {
    ScalarUDF::from(WidthBucket { signature: Signature::user_defined(Volatility::Immutable) })
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
                "width_bucket: {} arguments; it takes (value, low, high, count) or (value, thresholds)",
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
        let count = count.value(i);
        if count < 1 || count == i64::MAX {
            return exec_err!("width_bucket: {count} bins; from 1 on");
        }
        let [value, low, high] = bounds.map(|array| read(array, i));
        bucket(value, low, high, count).map(Some)
    };
    (0..count.len()).map(one).collect()
}

fn bucket(value: f64, low: f64, high: f64, count: i64) -> Result<i64> {
    if value.is_nan() || !low.is_finite() || !high.is_finite() || low == high {
        return exec_err!(
            "width_bucket: value {value}, low {low}, high {high}; bounds are finite and differ, and NaN lies nowhere"
        );
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
