//! The engine's `sum` with its types and its name; whole numbers, decimals and durations are added with a carry.

use super::distinct::DistinctSum;
use super::total::{Addend, Total};
use super::{Overflow, total::Word};
use crate::general::groups::{Groups, Many, One, Rows};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, PrimitiveArray};
use arrow::datatypes::{
    DataType, Decimal128Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Field, FieldRef, Int64Type, TimeUnit, UInt64Type,
};
use datafusion::common::Span;
use datafusion::error::Result;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF, SetMonotonicity,
    Signature,
};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// `sum`. Its place does not count.
#[derive(Debug)]
pub(super) struct Sum {
    engines: Arc<AggregateUDF>,
    span: Option<Span>,
}

impl PartialEq for Sum {
    fn eq(&self, _: &Sum) -> bool {
        true
    }
}

impl Eq for Sum {}

impl Hash for Sum {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

/// What is said of a sum that does not fit.
#[derive(Clone, Debug)]
pub(super) struct Said {
    name: String,
    data_type: DataType,
    span: Option<Span>,
}

impl Said {
    /// The sum, if its type holds it.
    pub(super) fn judged<W: Word>(&self, total: &Total<W>) -> Result<W> {
        let Some(sum) = total.within(&self.data_type) else {
            let scale = if let DataType::Decimal128(_, scale) = self.data_type { scale } else { 0 };
            let computed = format!("{} is {}, which", self.name, total.text(scale));
            return Err(Overflow { computed, data_type: self.data_type.clone(), span: self.span }.into());
        };
        Ok(sum)
    }
}

/// Calls a function with the type of Arrow that a type is; the engine's own way for those that are none of ours.
macro_rules! by_type {
    ($data_type:expr, $make:ident($($argument:expr),*), $otherwise:expr) => {
        match $data_type {
            DataType::Int64 => $make::<Int64Type>($($argument),*),
            DataType::UInt64 => $make::<UInt64Type>($($argument),*),
            DataType::Decimal128(..) => $make::<Decimal128Type>($($argument),*),
            DataType::Duration(TimeUnit::Second) => $make::<DurationSecondType>($($argument),*),
            DataType::Duration(TimeUnit::Millisecond) => $make::<DurationMillisecondType>($($argument),*),
            DataType::Duration(TimeUnit::Microsecond) => $make::<DurationMicrosecondType>($($argument),*),
            DataType::Duration(TimeUnit::Nanosecond) => $make::<DurationNanosecondType>($($argument),*),
            _ => $otherwise,
        }
    };
}

impl Sum {
    pub(super) fn new(span: Option<Span>) -> Sum {
        Sum { engines: sum_udaf(), span }
    }

    /// Whether a function is the engine's.
    pub(super) fn replaces(function: &AggregateUDF) -> bool {
        function == sum_udaf().as_ref()
    }

    fn said(&self, arguments: &AccumulatorArgs<'_>) -> Said {
        // The name may hold a whole query's text.
        let name = if arguments.name.len() > 60 { "the sum" } else { arguments.name };
        Said { name: name.to_string(), data_type: arguments.return_type().clone(), span: self.span }
    }
}

fn one<T: Addend>(said: Said) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(One::new(Sums::<T>::new(said))))
}

fn many<T: Addend>(said: Said) -> Result<Box<dyn GroupsAccumulator>> {
    Ok(Box::new(Many(Sums::<T>::new(said))))
}

fn distinct<T: Addend>(said: Said, data_type: &DataType) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(DistinctSum::<T>::new(said, data_type)))
}

fn is_ours(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int64 | DataType::UInt64 | DataType::Decimal128(..) | DataType::Duration(_))
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        self.engines.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.engines.return_type(types)
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let (said, data_type) = (self.said(&arguments), arguments.return_type().clone());
        if arguments.is_distinct {
            return by_type!(&data_type, distinct(said, &data_type), self.engines.accumulator(arguments));
        }
        by_type!(&data_type, one(said), self.engines.accumulator(arguments))
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        match is_ours(arguments.return_type()) {
            true => self.accumulator(arguments),
            false => self.engines.create_sliding_accumulator(arguments),
        }
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if arguments.is_distinct || !is_ours(arguments.return_type()) {
            return self.engines.state_fields(arguments);
        }
        let field =
            |part: &str, data_type| Arc::new(Field::new(format_state_name(arguments.name, part), data_type, true));
        Ok(vec![field("sum", arguments.return_type().clone()), field("carry", DataType::Int64)])
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        self.engines.groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        let (said, data_type) = (self.said(&arguments), arguments.return_type().clone());
        by_type!(&data_type, many(said), self.engines.create_groups_accumulator(arguments))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.engines.inner().set_monotonicity(data_type)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.engines.documentation()
    }
}

/// The sum of one group, and how many values are in it.
#[derive(Clone, Copy, Debug, Default)]
struct Group<W> {
    sum: W,
    count: u64,
}

/// Sums of groups.
#[derive(Debug)]
struct Sums<T: Addend> {
    said: Said,
    groups: Vec<Group<T::Native>>,
    /// Of each group, once one of them has gone round.
    carries: Vec<i64>,
}

impl<T: Addend> Sums<T> {
    fn new(said: Said) -> Sums<T> {
        Sums { said, groups: Vec::new(), carries: Vec::new() }
    }

    #[cold]
    fn carry(&mut self, group: usize, by: i64) {
        self.carries.resize(self.groups.len(), 0);
        self.carries[group] += by;
    }

    fn total(&self, group: usize) -> Total<T::Native> {
        Total { sum: self.groups[group].sum, carry: self.carries.get(group).copied().unwrap_or_default() }
    }

    fn set(&mut self, group: usize, total: Total<T::Native>) {
        let before = self.carries.get(group).copied().unwrap_or_default();
        if total.carry != before {
            self.carry(group, total.carry - before);
        }
        self.groups[group].sum = total.sum;
    }

    fn array(&self, values: impl Iterator<Item = Option<T::Native>>) -> ArrayRef {
        Arc::new(PrimitiveArray::<T>::from_iter(values).with_data_type(self.said.data_type.clone()))
    }
}

impl<T: Addend> Groups for Sums<T> {
    const RETRACTS: bool = true;

    fn empty(&self) -> Result<Sums<T>> {
        Ok(Sums::new(self.said.clone()))
    }

    fn grow(&mut self, groups: usize) {
        self.groups.resize(groups, Group::default());
    }

    fn add(&mut self, values: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let values = values[0].as_primitive::<T>();
        if rows.are_all_of_one_group() && values.null_count() == 0 {
            let mut total = self.total(0);
            total.merge(T::Native::total(values.values()));
            self.set(0, total);
            self.groups[0].count += values.len() as u64;
            return Ok(());
        }
        rows.each(values.nulls(), |row, group| {
            let value = values.values()[row];
            let Group { sum, count } = &mut self.groups[group];
            let (added, round) = sum.plus(value);
            *sum = added;
            *count += 1;
            if round {
                self.carry(group, if value.negative() { -1 } else { 1 });
            }
        });
        Ok(())
    }

    fn remove(&mut self, values: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let values = values[0].as_primitive::<T>();
        rows.each(values.nulls(), |row, group| {
            let mut total = self.total(group);
            total.remove(values.values()[row]);
            self.set(group, total);
            self.groups[group].count -= 1;
        });
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let (sums, carries) = (states[0].as_primitive::<T>(), states[1].as_primitive::<Int64Type>());
        rows.each(sums.nulls(), |row, group| {
            let mut total = self.total(group);
            total.merge(Total { sum: sums.values()[row], carry: carries.values()[row] });
            self.set(group, total);
            self.groups[group].count += 1;
        });
        Ok(())
    }

    fn answers(&self, groups: usize) -> Result<ArrayRef> {
        let answer = |group: usize| match self.groups[group].count {
            0 => Ok(None),
            _ => self.said.judged(&self.total(group)).map(Some),
        };
        let answers = (0..groups).map(answer).collect::<Result<Vec<_>>>()?;
        Ok(self.array(answers.into_iter()))
    }

    fn states(&self, groups: usize) -> Result<Vec<ArrayRef>> {
        let sums = self.groups[..groups].iter().map(|group| (group.count > 0).then_some(group.sum));
        let carries = Int64Array::from_iter_values((0..groups).map(|group| self.total(group).carry));
        Ok(vec![self.array(sums), Arc::new(carries)])
    }

    fn forget(&mut self, groups: usize) {
        self.groups.drain(..groups);
        self.carries.drain(..groups.min(self.carries.len()));
    }

    fn len(&self) -> usize {
        self.groups.len()
    }

    fn size(&self) -> usize {
        self.groups.capacity() * size_of::<Group<T::Native>>() + self.carries.capacity() * size_of::<i64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::general::groups::laws::parts_are_the_whole;
    use arrow::array::Decimal128Array;
    use proptest::prelude::*;

    fn said(data_type: DataType) -> Said {
        Said { name: "sum(x)".into(), data_type, span: None }
    }

    proptest! {
        /// Values of half the type's width, so that partial sums leave it; what is left of them fits.
        #[test]
        fn parts_and_the_whole_agree(
            rows in prop::collection::vec((0..3_usize, prop::option::of(-1e18..1e18_f64)), 1..12),
        ) {
            let twice = || rows.iter().chain(rows.iter());
            let groups: Vec<usize> = twice().map(|row| row.0).collect();
            let signs = (0..rows.len()).map(|_| 8_i128).chain((0..rows.len()).map(|_| -8));
            let values = || twice().zip(signs.clone()).map(|(row, sign)| row.1.map(|x| x as i128 * sign));
            let integers: ArrayRef =
                Arc::new(values().map(|v| v.map(|v| v as i64)).collect::<Int64Array>());
            parts_are_the_whole(|| Sums::<Int64Type>::new(said(DataType::Int64)), &[integers], &groups);
            let wide = values().map(|v| v.map(|v| v * 10_i128.pow(19))).collect::<Decimal128Array>();
            let wide: ArrayRef = Arc::new(wide.with_precision_and_scale(38, 2).unwrap());
            let decimals = || Sums::<Decimal128Type>::new(said(DataType::Decimal128(38, 2)));
            parts_are_the_whole(decimals, &[wide], &groups);
        }
    }
}
