//! `max_by(value, by)` and `min_by(value, by)`: the value of the row that is greatest or smallest by something else.

use super::groups::{Groups, Many, One, Rows};
use crate::manual::{Function, Section, page};
use arrow::array::{Array, ArrayRef, UInt32Array, new_empty_array};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::row::{RowConverter, SortField};
use datafusion::common::{plan_err, utils::take_function_args};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility};
use std::sync::Arc;

pub(crate) const MAX_BY: Function = Function::aggregate("max_by", Section::General, page!("max_by"), max_by);
pub(crate) const MIN_BY: Function = Function::aggregate("min_by", Section::General, page!("min_by"), min_by);

fn max_by() -> AggregateUDF {
    By { name: "max_by", aliases: vec!["arg_max".into()], smallest: false, signature: signature() }.into()
}

fn min_by() -> AggregateUDF {
    By { name: "min_by", aliases: vec!["arg_min".into()], smallest: true, signature: signature() }.into()
}

fn signature() -> Signature {
    let signature = Signature::user_defined(Volatility::Immutable);
    signature.clone().with_parameter_names(vec!["value", "by"]).unwrap_or(signature)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct By {
    name: &'static str,
    aliases: Vec<String>,
    smallest: bool,
    signature: Signature,
}

impl By {
    fn groups(&self, arguments: &AccumulatorArgs<'_>) -> Result<Best> {
        let types = arguments.expr_fields.iter().map(|field| field.data_type().clone());
        let [value, by] = take_function_args(self.name, types)?;
        let options = SortOptions { descending: false, nulls_first: true };
        let by = SortField::new_with_options(by, SortOptions { descending: self.smallest, nulls_first: true });
        Best::new(vec![by, SortField::new_with_options(value.clone(), options)], value)
    }
}

impl AggregateUDFImpl for By {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [value, by] = take_function_args(self.name, types.iter().map(unpacked))?;
        let fields = vec![SortField::new(by.clone()), SortField::new(value.clone())];
        if !RowConverter::supports_fields(&fields) {
            return plan_err!("{}: values of type {value} by {by} cannot be compared", self.name);
        }
        Ok(vec![value, by])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [value, _] = take_function_args(self.name, types.iter().map(unpacked))?;
        Ok(value)
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let [value, by] =
            take_function_args(self.name, arguments.input_fields.iter().map(|f| unpacked(f.data_type())))?;
        let field =
            |part: &str, data_type| Arc::new(Field::new(format_state_name(arguments.name, part), data_type, true));
        Ok(vec![field("value", value), field("by", by)])
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(One::new(self.groups(&arguments)?)))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Many(self.groups(&arguments)?)))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// Dictionaries come as their values.
pub(super) fn unpacked(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        other => other.clone(),
    }
}

/// The greatest row of each group: `by`, then value, in bytes that compare as they do.
struct Best {
    fields: Vec<SortField>,
    value: DataType,
    converter: RowConverter,
    rows: Vec<Option<Vec<u8>>>,
    bytes: usize,
}

impl std::fmt::Debug for Best {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Best").field("groups", &self.rows.len()).finish_non_exhaustive()
    }
}

impl Best {
    fn new(fields: Vec<SortField>, value: DataType) -> Result<Best> {
        let converter = RowConverter::new(fields.clone())?;
        Ok(Best { fields, value, converter, rows: Vec::new(), bytes: 0 })
    }

    fn keep(&mut self, group: usize, row: &[u8]) {
        match &mut self.rows[group] {
            Some(best) if best.as_slice() >= row => {}
            Some(best) => {
                self.bytes = self.bytes + row.len() - best.len();
                best.clear();
                best.extend_from_slice(row);
            }
            none => {
                self.bytes += row.len();
                *none = Some(row.to_vec());
            }
        }
    }

    /// `by` and value of the first groups, NULL where a group has none.
    fn columns(&self, groups: usize) -> Result<Vec<ArrayRef>> {
        let parser = self.converter.parser();
        let kept = self.rows[..groups].iter().flatten().map(|row| parser.parse(row));
        let columns = self.converter.convert_rows(kept)?;
        let mut next = 0;
        let places: UInt32Array = self.rows[..groups]
            .iter()
            .map(|row| {
                row.as_ref().map(|_| {
                    next += 1;
                    next - 1
                })
            })
            .collect();
        if places.null_count() == 0 {
            return Ok(columns);
        }
        columns.iter().map(|column| Ok(take(column, &places, None)?)).collect()
    }
}

impl Groups for Best {
    fn empty(&self) -> Result<Best> {
        Best::new(self.fields.clone(), self.value.clone())
    }

    fn grow(&mut self, groups: usize) {
        self.rows.resize(groups, None);
    }

    fn add(&mut self, values: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [value, by] = take_function_args("max_by", values.iter().cloned())?;
        let nulls = by.logical_nulls();
        let keys = self.converter.convert_columns(&[by, value])?;
        for (row, group) in rows.iter() {
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                self.keep(group, keys.row(row).data());
            }
        }
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        self.add(states, rows)
    }

    fn answers(&self, groups: usize) -> Result<ArrayRef> {
        Ok(self.columns(groups)?.pop().unwrap_or_else(|| new_empty_array(&self.value)))
    }

    fn states(&self, groups: usize) -> Result<Vec<ArrayRef>> {
        let mut columns = self.columns(groups)?;
        columns.reverse();
        Ok(columns)
    }

    fn forget(&mut self, groups: usize) {
        let gone: usize = self.rows.drain(..groups).flatten().map(|row| row.len()).sum();
        self.bytes -= gone;
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn size(&self) -> usize {
        self.rows.capacity() * size_of::<Option<Vec<u8>>>() + self.bytes + self.converter.size()
    }
}

#[cfg(test)]
mod tests {
    use super::super::groups::laws::parts_are_the_whole;
    use super::*;
    use arrow::array::{Int32Array, StringArray};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_and_the_whole_agree(
            rows in prop::collection::vec((0..4_usize, prop::option::of(0..3_i32), prop::option::of("[a-c]?")), 1..40),
            smallest: bool,
        ) {
            let by: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<Int32Array>());
            let value: ArrayRef = Arc::new(rows.iter().map(|row| row.2.as_deref()).collect::<StringArray>());
            let groups: Vec<usize> = rows.iter().map(|row| row.0).collect();
            let first = SortField::new_with_options(
                DataType::Int32,
                SortOptions { descending: smallest, nulls_first: true },
            );
            let make = || Best::new(vec![first.clone(), SortField::new(DataType::Utf8)], DataType::Utf8).unwrap();
            parts_are_the_whole(make, &[value, by], &groups);
        }
    }
}
