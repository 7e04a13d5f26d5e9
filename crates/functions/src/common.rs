//! What functions have in common.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type, Schema, TimeUnit};
use datafusion::common::{ScalarValue, exec_datafusion_err, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::utils::format_state_name;
use datafusion::physical_plan::PhysicalExpr;
use std::sync::Arc;

/// The engine says when it wants values counted once; an aggregate that does not do that must not give another answer.
pub(crate) fn refuse_distinct(name: &str, arguments: &AccumulatorArgs<'_>) -> Result<()> {
    if arguments.is_distinct {
        return exec_err!("{name}: DISTINCT is not supported; use a subquery with SELECT DISTINCT");
    }
    Ok(())
}

/// A count as SQL has them.
pub(crate) fn bigint(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The name of a type in a message; of nested ones only what they are.
pub(crate) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Struct(_) => "a STRUCT".into(),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => "a LIST".into(),
        other => other.to_string(),
    }
}

/// The value of an argument that must be constant; nothing where it is not.
pub(crate) fn constant(argument: &Arc<dyn PhysicalExpr>) -> Option<ScalarValue> {
    let nothing = RecordBatch::new_empty(Arc::new(Schema::empty()));
    match argument.evaluate(&nothing) {
        Ok(ColumnarValue::Scalar(value)) => Some(value),
        _ => None,
    }
}

/// A field of an aggregate's partial state that holds lists.
pub(crate) fn list_field(aggregate: &str, part: &str, item: DataType) -> FieldRef {
    Arc::new(Field::new_list(format_state_name(aggregate, part), Field::new_list_field(item, true), true))
}

/// Items as a column of lists of these lengths.
pub(crate) fn list_column(items: ArrayRef, lengths: impl IntoIterator<Item = usize>) -> Result<ListArray> {
    let field = Arc::new(Field::new_list_field(items.data_type().clone(), true));
    Ok(ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), items, None)?)
}

/// Items as one value that is a list.
pub(crate) fn list_value(items: ArrayRef) -> Result<ScalarValue> {
    let length = items.len();
    Ok(ScalarValue::List(Arc::new(list_column(items, [length])?)))
}

/// Whether values of a type are texts, or NULL.
pub(crate) fn is_text(given: &DataType) -> bool {
    match given {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

/// The fields of a confidence interval.
pub(crate) fn interval_fields() -> Fields {
    ["estimate", "low", "high"].map(|name| Field::new(name, DataType::Float64, true)).into_iter().collect()
}

/// Timestamps in whole seconds since 1970, rounded down.
pub(crate) fn whole_seconds(function: &str, array: &ArrayRef, unit: TimeUnit) -> Result<Int64Array> {
    let per_second = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let numbers = array.to_data().into_builder().data_type(DataType::Int64).build()?;
    let numbers = arrow::array::make_array(numbers);
    let numbers = numbers
        .as_primitive_opt::<Int64Type>()
        .ok_or_else(|| exec_datafusion_err!("{function}: a timestamp that is not a number"))?;
    numbers
        .try_unary(|ticks: i64| {
            let seconds = ticks.div_euclid(per_second);
            // Far beyond any calendar, and differences stay within 64 bits.
            (-(1 << 60)..1 << 60).contains(&seconds).then_some(seconds).ok_or(ticks)
        })
        .map_err(|ticks: i64| exec_datafusion_err!("{function}: the time {ticks} lies beyond the calendar"))
}
