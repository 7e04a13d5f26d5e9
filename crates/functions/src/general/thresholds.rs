//! How many of a list of ascending thresholds lie below a number.

use super::numbers::common_type;
use crate::constants::{ConstantProblem, Constants, ValueProblem};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Decimal128Type, Field, Float64Type, Int64Type};
use arrow::util::display::array_value_to_string;
use datafusion::common::{ScalarValue, exec_datafusion_err, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use std::ops::Range;
use std::sync::Arc;

/// Where a number belongs that is equal to a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// Into the bin that begins there.
    BelongsAbove,
    /// Into the bin that ends there.
    BelongsBelow,
}

/// The types a number and its thresholds are compared in.
pub(super) fn threshold_types(name: &str, value: &DataType, thresholds: &DataType) -> Result<Vec<DataType>> {
    let item = match thresholds {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => item.data_type(),
        DataType::Null => &DataType::Null,
        other => return plan_err!("{name}: the thresholds are {other}; a LIST of numbers is needed"),
    };
    let number = common_type(name, [value, item])?;
    let list = DataType::List(Arc::new(Field::new_list_field(number.clone(), true)));
    Ok(vec![number, list])
}

/// Tests the thresholds of a call, its second argument, where they are constant.
pub(super) fn check_constants(arguments: &Constants<'_>) -> Result<(), ConstantProblem> {
    let Some(ScalarValue::List(list)) = arguments.value(1) else { return Ok(()) };
    let tested = match list.value_type() {
        DataType::Float64 => test::<Float64Type>(list, |x| x.is_nan()),
        DataType::Int64 => test::<Int64Type>(list, |_| false),
        DataType::Decimal128(..) => test::<Decimal128Type>(list, |_| false),
        _ => Ok(()),
    };
    tested.map_err(|problem| problem.at(1))
}

/// Whether the thresholds of every list are ascending and none is NULL or NaN.
fn test<T: ArrowPrimitiveType>(lists: &ListArray, is_nan: impl Fn(&T::Native) -> bool) -> Result<(), ValueProblem>
where
    T::Native: PartialOrd,
{
    let all = lists.values().as_primitive::<T>();
    for list in (0..lists.len()).filter(|list| lists.is_valid(*list)) {
        let range = range(lists, list);
        let items = &all.values()[range.clone()];
        if range.clone().any(|i| all.is_null(i)) || items.iter().any(&is_nan) {
            return Err(ValueProblem::new("a threshold is NULL or NaN", "thresholds are numbers"));
        }
        if let Some(i) = items.windows(2).position(|pair| pair[0] > pair[1]) {
            let shown = |i: usize| array_value_to_string(all, range.start + i).unwrap_or_default();
            return Err(ValueProblem::new(
                format!("the threshold {} comes before {}", shown(i), shown(i + 1)),
                "they are ascending",
            ));
        }
    }
    Ok(())
}

fn range(lists: &ListArray, list: usize) -> Range<usize> {
    lists.value_offsets()[list] as usize..lists.value_offsets()[list + 1] as usize
}

/// For every row, how many thresholds its number has passed; NULL where either is.
pub(super) fn score_by_thresholds(
    name: &str,
    value: &ColumnarValue,
    thresholds: &ColumnarValue,
    edge: Edge,
    rows: usize,
) -> Result<Int64Array> {
    // A list that is the same for all rows is read once.
    let same_for_all = matches!(thresholds, ColumnarValue::Scalar(_));
    let value = value.to_array(rows)?;
    let lists = thresholds.to_array(if same_for_all { 1 } else { rows })?;
    let lists = lists.as_list::<i32>();
    match value.data_type() {
        DataType::Float64 => {
            let passed = move |threshold: &f64, value: &f64| match edge {
                Edge::BelongsAbove => threshold <= value,
                Edge::BelongsBelow => threshold < value,
            };
            scores::<Float64Type>(name, &value, lists, same_for_all, |x| x.is_nan(), passed)
        }
        _ => {
            let passed = move |threshold: &i128, value: &i128| match edge {
                Edge::BelongsAbove => threshold <= value,
                Edge::BelongsBelow => threshold < value,
            };
            scores::<Decimal128Type>(name, &value, lists, same_for_all, |_| false, passed)
        }
    }
}

fn scores<T: ArrowPrimitiveType>(
    name: &str,
    values: &ArrayRef,
    lists: &ListArray,
    same_for_all: bool,
    is_nan: impl Fn(&T::Native) -> bool,
    passed: impl Fn(&T::Native, &T::Native) -> bool,
) -> Result<Int64Array>
where
    T::Native: PartialOrd,
{
    test::<T>(lists, &is_nan).map_err(|problem| exec_datafusion_err!("{name}: {problem}"))?;
    let values = values.as_primitive::<T>();
    let all = lists.values().as_primitive::<T>();
    let one = |row: usize| {
        let list = if same_for_all { 0 } else { row };
        if values.is_null(row) || lists.is_null(list) {
            return Ok(None);
        }
        let value = values.value(row);
        if is_nan(&value) {
            return exec_err!("{name}: the value is NaN, which lies in no bin");
        }
        Ok(Some(all.values()[range(lists, list)].partition_point(|threshold| passed(threshold, &value)) as i64))
    };
    (0..values.len()).map(one).collect()
}
