//! `mode(value)`: the value that occurs most often.

use super::counts::{Counts, Finish, Sorted};
use super::groups::{Many, One};
use super::max_by::unpacked;
use crate::common::refuse_distinct;
use crate::manual::{Function, Section, page};
use arrow::array::{ArrayRef, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, FieldRef};
use arrow::row::{RowConverter, SortField};
use datafusion::common::{plan_err, utils::take_function_args};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility};

pub(crate) const FUNCTION: Function = Function::aggregate("mode", Section::General, page!("mode"), function);

fn function() -> AggregateUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    Mode { signature: signature.clone().with_parameter_names(vec!["value"]).unwrap_or(signature) }.into()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Mode {
    signature: Signature,
}

impl Mode {
    fn groups(arguments: &AccumulatorArgs<'_>) -> Result<Counts> {
        refuse_distinct("mode", arguments)?;
        Counts::new(arguments.expr_fields[0].data_type().clone(), MostFrequent)
    }
}

impl AggregateUDFImpl for Mode {
    fn name(&self) -> &str {
        "mode"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [value] = take_function_args("mode", types.iter().map(unpacked))?;
        if !RowConverter::supports_fields(&[SortField::new(value.clone())]) {
            return plan_err!("mode: values of type {value} cannot be compared");
        }
        Ok(vec![value])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [value] = take_function_args("mode", types.iter().map(unpacked))?;
        Ok(value)
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let [value] = take_function_args("mode", arguments.input_fields)?;
        Ok(Counts::state_fields(arguments.name, unpacked(value.data_type())))
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(One::new(Mode::groups(&arguments)?)))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Many(Mode::groups(&arguments)?)))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

#[derive(Debug)]
struct MostFrequent;

impl Finish for MostFrequent {
    fn finish(&self, sorted: &Sorted) -> Result<ArrayRef> {
        let most = sorted.offsets.windows(2).map(|ends| {
            // The first of equals is the smallest value.
            (ends[0]..ends[1]).reduce(|best, i| if sorted.counts[i] > sorted.counts[best] { i } else { best })
        });
        let places: UInt64Array = most.map(|place| place.map(|place| place as u64)).collect();
        Ok(take(&sorted.values, &places, None)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::groups::laws::parts_are_the_whole;
    use super::*;
    use arrow::array::StringArray;
    use proptest::prelude::*;
    use std::sync::Arc;

    proptest! {
        #[test]
        fn parts_and_the_whole_agree(
            rows in prop::collection::vec((0..4_usize, prop::option::of("[a-c]?")), 1..40),
        ) {
            let value: ArrayRef = Arc::new(rows.iter().map(|row| row.1.as_deref()).collect::<StringArray>());
            let groups: Vec<usize> = rows.iter().map(|row| row.0).collect();
            parts_are_the_whole(|| Counts::new(DataType::Utf8, MostFrequent).unwrap(), &[value], &groups);
        }
    }
}
