//! How many of a list of ascending thresholds lie below a number.

use super::numbers::common_type;
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Decimal128Type, Field, Float64Type};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use std::fmt::Display;
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

/// For every row, how many thresholds its number has passed; NULL where either is.
pub(super) fn score_by_thresholds(
    name: &str,
    value: &ColumnarValue,
    thresholds: &ColumnarValue,
    edge: Edge,
    rows: usize,
) -> Result<Int64Array> {
    // The same list for all rows is looked at once.
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
    T::Native: PartialOrd + Display,
{
    let values = values.as_primitive::<T>();
    let all = lists.values().as_primitive::<T>();
    let range = |list: usize| lists.value_offsets()[list] as usize..lists.value_offsets()[list + 1] as usize;
    for list in (0..lists.len()).filter(|list| lists.is_valid(*list)) {
        let range = range(list);
        let items = &all.values()[range.clone()];
        if range.clone().any(|i| all.is_null(i)) || items.iter().any(&is_nan) {
            return exec_err!("{name}: a threshold is NULL or NaN");
        }
        if let Some(pair) = items.windows(2).find(|pair| pair[0] > pair[1]) {
            return exec_err!("{name}: the threshold {} stands before {}; they are ascending", pair[0], pair[1]);
        }
    }
    let one = |row: usize| {
        let list = if same_for_all { 0 } else { row };
        if values.is_null(row) || lists.is_null(list) {
            return Ok(None);
        }
        let value = values.value(row);
        if is_nan(&value) {
            return exec_err!("{name}: the value is NaN, which lies nowhere");
        }
        Ok(Some(all.values()[range(list)].partition_point(|threshold| passed(threshold, &value)) as i64))
    };
    (0..values.len()).map(one).collect()
}
