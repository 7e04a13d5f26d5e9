//! `quantile_cutoffs(value, bins)`: the cut-offs between bins of equal size.

use super::counts::{Counts, Finish, Sorted};
use super::groups::{Many, One};
use super::numbers::{DIGITS, common_type};
use crate::common::{constant, refuse_distinct};
use crate::constants::{ConstantProblem, Constants, ValueProblem};
use crate::manual::{Function, Section, page};
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array, ListArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Float64Type, i256};
use datafusion::common::{
    ScalarValue, exec_datafusion_err, exec_err, plan_datafusion_err, plan_err, utils::take_function_args,
};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility};
use std::sync::Arc;

pub(crate) const FUNCTION: Function =
    Function::aggregate("quantile_cutoffs", Section::General, page!("quantile_cutoffs"), function)
        .with_rule(check_constants);

/// How many decimal places a cut-off has more than its values. A cut-off that is not equal to a value is at least
/// 1 / bins of the last place away from every value, so with up to 5,000 bins rounding cannot reach one.
const MORE_PLACES: i8 = 4;

fn function() -> AggregateUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    QuantileCutoffs { signature: signature.clone().with_parameter_names(vec!["value", "bins"]).unwrap_or(signature) }
        .into()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct QuantileCutoffs {
    signature: Signature,
}

impl QuantileCutoffs {
    fn groups(arguments: &AccumulatorArgs<'_>) -> Result<Counts> {
        refuse_distinct("quantile_cutoffs", arguments)?;
        let [value, _] = take_function_args("quantile_cutoffs", arguments.expr_fields)?;
        let finish = Cutoffs { bins: constant_bins(arguments)? };
        Counts::new(value.data_type().clone(), finish)
    }
}

fn constant_bins(arguments: &AccumulatorArgs<'_>) -> Result<i64> {
    let [_, bins] = take_function_args("quantile_cutoffs", arguments.exprs)?;
    match constant(bins) {
        Some(ScalarValue::Int64(Some(bins))) => {
            test_bins(bins).map_err(|problem| plan_datafusion_err!("quantile_cutoffs: {problem}"))
        }
        Some(other) => {
            plan_err!("quantile_cutoffs: the number of bins is {other}; it is a whole number from 2 to 1000")
        }
        None => plan_err!("quantile_cutoffs: the number of bins is not a constant; it is one number from 2 to 1000"),
    }
}

fn test_bins(bins: i64) -> Result<i64, ValueProblem> {
    if (2..=1000).contains(&bins) {
        return Ok(bins);
    }
    Err(ValueProblem::new(format!("the number of bins is {bins}"), "it is a whole number from 2 to 1000"))
}

fn check_constants(arguments: &Constants<'_>) -> Result<(), ConstantProblem> {
    arguments.test_integer(1, test_bins)
}

impl AggregateUDFImpl for QuantileCutoffs {
    fn name(&self) -> &str {
        "quantile_cutoffs"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [value, bins] = take_function_args("quantile_cutoffs", types)?;
        if !(bins.is_integer() || bins.is_null()) {
            return plan_err!("quantile_cutoffs: the number of bins is {bins}; a whole number is needed");
        }
        Ok(vec![common_type("quantile_cutoffs", [value])?, DataType::Int64])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [value, _] = take_function_args("quantile_cutoffs", types)?;
        let item = cutoff_type(&common_type("quantile_cutoffs", [value])?);
        Ok(DataType::List(Arc::new(Field::new_list_field(item, true))))
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let [value, _] = take_function_args("quantile_cutoffs", arguments.input_fields)?;
        let value = common_type("quantile_cutoffs", [value.data_type()])?;
        Ok(Counts::state_fields(arguments.name, value))
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(One::new(QuantileCutoffs::groups(&arguments)?)))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Many(QuantileCutoffs::groups(&arguments)?)))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

fn cutoff_type(value: &DataType) -> DataType {
    match value {
        DataType::Decimal128(digits, scale) => {
            let more = MORE_PLACES.min(DIGITS as i8 - scale).max(0);
            DataType::Decimal128((digits + more as u8).min(DIGITS), scale + more)
        }
        other => other.clone(),
    }
}

#[derive(Debug)]
struct Cutoffs {
    bins: i64,
}

/// A point between the values at two positions, at `parts / bins` of the way.
struct Between {
    below: usize,
    above: usize,
    parts: i64,
}

impl Cutoffs {
    /// Where the cut-offs of one group lie among its distinct values.
    fn places(&self, sorted: &Sorted, from: usize, to: usize) -> Vec<Between> {
        let total: i64 = sorted.counts[from..to].iter().sum();
        let (mut i, mut up_to) = (from, sorted.counts[from]);
        let place = |k: i64| {
            let exact = i128::from(total - 1) * i128::from(k);
            let (place, parts) = (exact / i128::from(self.bins), exact % i128::from(self.bins));
            while i128::from(up_to) <= place {
                i += 1;
                up_to += sorted.counts[i];
            }
            let next_is_other = i128::from(up_to) == place + 1 && parts > 0;
            Between { below: i, above: i + usize::from(next_is_other), parts: parts as i64 }
        };
        (1..self.bins).map(place).collect()
    }

    fn doubles(&self, sorted: &Sorted, places: impl Iterator<Item = Between>) -> Float64Array {
        let values = sorted.values.as_primitive::<Float64Type>();
        let cutoff = |between: Between| {
            let (below, above) = (values.value(between.below), values.value(between.above));
            let share = between.parts as f64 / self.bins as f64;
            let apart = above - below;
            let cutoff = if apart.is_finite() { below + apart * share } else { below * (1.0 - share) + above * share };
            // Rounding must not move it past its neighbours.
            cutoff.clamp(below, above)
        };
        places.map(cutoff).collect()
    }

    fn decimals(&self, sorted: &Sorted, places: impl Iterator<Item = Between>) -> Result<Decimal128Array> {
        let values = sorted.values.as_primitive::<Decimal128Type>();
        let DataType::Decimal128(digits, scale) = cutoff_type(values.data_type()) else {
            return exec_err!("quantile_cutoffs: the values are not decimals");
        };
        let wide = |number: i64| i256::from_i128(i128::from(number));
        let more = wide(10_i64.pow(u32::from((scale - values.scale()).unsigned_abs())));
        let greatest = 10_i128.pow(u32::from(digits)) - 1;
        let cutoff = |between: Between| {
            let part = |i: usize, parts: i64| i256::from_i128(values.value(i)).wrapping_mul(wide(parts));
            let sum = part(between.below, self.bins - between.parts).wrapping_add(part(between.above, between.parts));
            let rounded = half_away(sum.wrapping_mul(more), wide(self.bins)).to_i128();
            rounded.filter(|cutoff| (-greatest..=greatest).contains(cutoff)).ok_or_else(|| {
                exec_datafusion_err!("quantile_cutoffs: a cut-off does not fit into DECIMAL({digits}, {scale})")
            })
        };
        let cutoffs: Decimal128Array = places.map(cutoff).collect::<Result<Vec<_>>>()?.into();
        Ok(cutoffs.with_precision_and_scale(digits, scale)?)
    }
}

/// The quotient to the nearest whole number, halves away from zero.
fn half_away(number: i256, by: i256) -> i256 {
    let two = i256::from_i128(2);
    let half = if number < i256::ZERO { by.wrapping_neg() } else { by };
    number.wrapping_mul(two).wrapping_add(half).wrapping_div(by.wrapping_mul(two))
}

impl Finish for Cutoffs {
    fn check(&self, values: &ArrayRef) -> Result<()> {
        let Some(values) = values.as_primitive_opt::<Float64Type>() else { return Ok(()) };
        match values.iter().flatten().find(|value| !value.is_finite()) {
            Some(value) => exec_err!("quantile_cutoffs: a value is {value}; numbers are finite"),
            None => Ok(()),
        }
    }

    fn finish(&self, sorted: &Sorted) -> Result<ArrayRef> {
        let filled: Vec<bool> = sorted.offsets.windows(2).map(|ends| ends[0] < ends[1]).collect();
        let with_values = sorted.offsets.windows(2).filter(|ends| ends[0] < ends[1]);
        let places = with_values.flat_map(|ends| self.places(sorted, ends[0], ends[1]));
        let cutoffs: ArrayRef = match sorted.values.data_type() {
            DataType::Float64 => Arc::new(self.doubles(sorted, places)),
            _ => Arc::new(self.decimals(sorted, places)?),
        };
        let lengths = filled.iter().map(|filled| if *filled { self.bins as usize - 1 } else { 0 });
        let item = Arc::new(Field::new_list_field(cutoffs.data_type().clone(), true));
        let (offsets, nulls) = (OffsetBuffer::from_lengths(lengths), NullBuffer::from(filled));
        Ok(Arc::new(ListArray::try_new(item, offsets, cutoffs, Some(nulls))?))
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
            rows in prop::collection::vec((0..4_usize, prop::option::of(-9..9_i32)), 1..40),
            bins in 2..9_i64,
        ) {
            let groups: Vec<usize> = rows.iter().map(|row| row.0).collect();
            let doubles: ArrayRef =
                Arc::new(rows.iter().map(|row| row.1.map(|x| f64::from(x) / 7.0)).collect::<Float64Array>());
            parts_are_the_whole(|| Counts::new(DataType::Float64, Cutoffs { bins }).unwrap(), &[doubles], &groups);
        }

        /// Against sorting all values and taking the exact fraction.
        #[test]
        fn cut_offs_are_the_fraction_of_the_definition(
            mut values in prop::collection::vec(-99..99_i128, 1..60),
            bins in 2..9_i64,
        ) {
            let array: ArrayRef =
                Arc::new(Decimal128Array::from(values.clone()).with_precision_and_scale(20, 0).unwrap());
            let mut counts = One::new(Counts::new(DataType::Decimal128(20, 0), Cutoffs { bins }).unwrap());
            counts.update_batch(&[array]).unwrap();
            let list = counts.evaluate().unwrap().to_array().unwrap();
            let cutoffs = list.as_list::<i32>().value(0);
            let cutoffs = cutoffs.as_primitive::<Decimal128Type>();
            values.sort();
            for k in 1..bins {
                let place = (values.len() as i64 - 1) * k;
                let (below, parts) = ((place / bins) as usize, i128::from(place % bins));
                let above = (below + 1).min(values.len() - 1);
                let exact = values[below] * (i128::from(bins) - parts) + values[above] * parts;
                // At most half of the last of four places away.
                let miss = (cutoffs.value(k as usize - 1) * i128::from(bins) - exact * 10_000).abs();
                prop_assert!(2 * miss <= i128::from(bins), "{k} of {bins}: {miss}");
            }
        }
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        for (number, by, expected) in [(5, 2, 3), (-5, 2, -3), (4, 3, 1), (5, 3, 2), (-4, 3, -1), (0, 7, 0)] {
            assert_eq!(half_away(i256::from_i128(number), i256::from_i128(by)), i256::from_i128(expected));
        }
    }
}
