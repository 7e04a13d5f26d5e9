//! `exact_sum(value)`: a sum that is exact for any order of rows and in sliding windows.

use super::groups::{Groups, Many, One, Rows};
use super::numbers::{DIGITS, common_type};
use crate::common::refuse_distinct;
use crate::exact::ExactSum;
use crate::manual::{Function, Section, page};
use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Decimal256Array, Float64Array, Int64Array, Int64Builder, ListBuilder,
};
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Field, FieldRef, Float64Type, Int64Type, i256};
use datafusion::common::{exec_datafusion_err, exec_err, plan_err, utils::take_function_args};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility};
use std::sync::Arc;

pub(crate) const FUNCTION: Function = Function::aggregate("exact_sum", Section::General, page!("exact_sum"), function);

fn function() -> AggregateUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    Sum { signature: signature.clone().with_parameter_names(vec!["value"]).unwrap_or(signature) }.into()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sum {
    signature: Signature,
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &str {
        "exact_sum"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [value] = take_function_args("exact_sum", types)?;
        Ok(vec![common_type("exact_sum", [value])?])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [value] = take_function_args("exact_sum", types)?;
        match common_type("exact_sum", [value])? {
            DataType::Decimal128(_, scale) => Ok(DataType::Decimal128(DIGITS, scale)),
            double => Ok(double),
        }
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let field =
            |part: &str, data_type| Arc::new(Field::new(format_state_name(arguments.name, part), data_type, true));
        Ok(match arguments.return_field.data_type() {
            DataType::Decimal128(_, scale) => {
                vec![field("sum", DataType::Decimal256(76, *scale)), field("count", DataType::Int64)]
            }
            _ => vec![field("digits", DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true))))],
        })
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        refuse_distinct("exact_sum", &arguments)?;
        Ok(match arguments.return_type() {
            DataType::Float64 => Box::new(One::new(Doubles::default())),
            DataType::Decimal128(_, scale) => Box::new(One::new(Decimals::new(*scale))),
            other => return plan_err!("exact_sum: {other} cannot be added"),
        })
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        !arguments.is_distinct
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(match arguments.return_type() {
            DataType::Float64 => Box::new(Many(Doubles::default())),
            DataType::Decimal128(_, scale) => Box::new(Many(Decimals::new(*scale))),
            other => return plan_err!("exact_sum: {other} cannot be added"),
        })
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

#[derive(Debug, Default)]
struct Doubles {
    sums: Vec<ExactSum>,
}

impl Doubles {
    fn each(&mut self, values: &ArrayRef, rows: Rows<'_>, change: impl Fn(&mut ExactSum, f64)) {
        let values = values.as_primitive::<Float64Type>();
        let valid = rows.iter().filter(|(row, _)| values.is_valid(*row));
        valid.for_each(|(row, group)| change(&mut self.sums[group], values.value(row)));
    }
}

impl Groups for Doubles {
    const RETRACTS: bool = true;

    fn empty(&self) -> Result<Doubles> {
        Ok(Doubles::default())
    }

    fn grow(&mut self, groups: usize) {
        self.sums.resize_with(groups, ExactSum::default);
    }

    fn add(&mut self, values: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        self.each(&values[0], rows, ExactSum::add);
        Ok(())
    }

    fn remove(&mut self, values: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        self.each(&values[0], rows, ExactSum::remove);
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let lists = states[0].as_list::<i32>();
        let words = lists.values().as_primitive::<Int64Type>().values();
        for (row, group) in rows.iter() {
            let (from, to) = (lists.value_offsets()[row] as usize, lists.value_offsets()[row + 1] as usize);
            let other = ExactSum::decode(&words[from..to])
                .ok_or_else(|| exec_datafusion_err!("exact_sum: a partial state is not one of exact_sum"))?;
            self.sums[group].merge(&other);
        }
        Ok(())
    }

    fn answers(&self, groups: usize) -> Result<ArrayRef> {
        let sum = |sum: &ExactSum| match sum.value() {
            Ok(value) => Ok(value),
            Err(_) => exec_err!("exact_sum: the sum is greater than the greatest DOUBLE, {:e}", f64::MAX),
        };
        let sums: Float64Array = self.sums[..groups].iter().map(sum).collect::<Result<_>>()?;
        Ok(Arc::new(sums))
    }

    fn states(&self, groups: usize) -> Result<Vec<ArrayRef>> {
        let mut lists = ListBuilder::new(Int64Builder::new());
        for sum in &self.sums[..groups] {
            lists.values().append_slice(&sum.encode());
            lists.append(true);
        }
        Ok(vec![Arc::new(lists.finish())])
    }

    fn forget(&mut self, groups: usize) {
        self.sums.drain(..groups);
    }

    fn len(&self) -> usize {
        self.sums.len()
    }

    fn size(&self) -> usize {
        // Walking a million groups for every batch would cost more than the sums.
        let first = self.sums.first().map_or(0, ExactSum::heap);
        self.sums.capacity() * size_of::<ExactSum>() + self.sums.len() * first.max(4 * size_of::<i64>())
    }
}

#[derive(Debug)]
struct Decimals {
    scale: i8,
    sums: Vec<i256>,
    counts: Vec<i64>,
}

impl Decimals {
    fn new(scale: i8) -> Decimals {
        Decimals { scale, sums: Vec::new(), counts: Vec::new() }
    }

    fn add_one(&mut self, group: usize, value: i256, count: i64) -> Result<()> {
        let sum = &mut self.sums[group];
        *sum =
            sum.checked_add(value).ok_or_else(|| exec_datafusion_err!("exact_sum: the sum has more than 76 digits"))?;
        self.counts[group] += count;
        Ok(())
    }
}

impl Groups for Decimals {
    const RETRACTS: bool = true;

    fn empty(&self) -> Result<Decimals> {
        Ok(Decimals::new(self.scale))
    }

    fn grow(&mut self, groups: usize) {
        self.sums.resize(groups, i256::ZERO);
        self.counts.resize(groups, 0);
    }

    fn add(&mut self, values: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let values = values[0].as_primitive::<Decimal128Type>();
        let mut valid = rows.iter().filter(|(row, _)| values.is_valid(*row));
        valid.try_for_each(|(row, group)| self.add_one(group, i256::from_i128(values.value(row)), 1))
    }

    fn remove(&mut self, values: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let values = values[0].as_primitive::<Decimal128Type>();
        let mut valid = rows.iter().filter(|(row, _)| values.is_valid(*row));
        valid.try_for_each(|(row, group)| self.add_one(group, i256::from_i128(values.value(row)).wrapping_neg(), -1))
    }

    fn merge(&mut self, states: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let (sums, counts) = (states[0].as_primitive::<Decimal256Type>(), states[1].as_primitive::<Int64Type>());
        let mut rows = rows.iter();
        rows.try_for_each(|(row, group)| self.add_one(group, sums.value(row), counts.value(row)))
    }

    fn answers(&self, groups: usize) -> Result<ArrayRef> {
        let greatest = 10_i128.pow(u32::from(DIGITS)) - 1;
        let answer = |(sum, count): (&i256, &i64)| match sum.to_i128() {
            _ if *count == 0 => Ok(None),
            Some(sum) if (-greatest..=greatest).contains(&sum) => Ok(Some(sum)),
            _ => exec_err!("exact_sum: the sum does not fit into DECIMAL({DIGITS}, {})", self.scale),
        };
        let sums: Decimal128Array = self.sums[..groups].iter().zip(&self.counts).map(answer).collect::<Result<_>>()?;
        Ok(Arc::new(sums.with_precision_and_scale(DIGITS, self.scale)?))
    }

    fn states(&self, groups: usize) -> Result<Vec<ArrayRef>> {
        let sums = Decimal256Array::from_iter_values(self.sums[..groups].iter().copied());
        let counts = Int64Array::from_iter_values(self.counts[..groups].iter().copied());
        Ok(vec![Arc::new(sums.with_precision_and_scale(76, self.scale)?), Arc::new(counts)])
    }

    fn forget(&mut self, groups: usize) {
        self.sums.drain(..groups);
        self.counts.drain(..groups);
    }

    fn len(&self) -> usize {
        self.sums.len()
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i256>() + self.counts.capacity() * size_of::<i64>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::groups::laws::parts_are_the_whole;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_and_the_whole_agree(
            rows in prop::collection::vec((0..4_usize, prop::option::of(-1e300..1e300_f64), -40..40_i32), 1..40),
        ) {
            let groups: Vec<usize> = rows.iter().map(|row| row.0).collect();
            let doubles: ArrayRef =
                Arc::new(rows.iter().map(|row| row.1.map(|x| x * 10_f64.powi(7 * row.2 - 300))).collect::<Float64Array>());
            parts_are_the_whole(Doubles::default, &[doubles], &groups);
            let decimals = rows.iter().map(|row| row.1.map(|x| (x / 1e270) as i128)).collect::<Decimal128Array>();
            let decimals: ArrayRef = Arc::new(decimals.with_precision_and_scale(38, 2).unwrap());
            parts_are_the_whole(|| Decimals::new(2), &[decimals], &groups);
        }
    }
}
