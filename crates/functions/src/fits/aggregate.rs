//! An aggregate function of a model: rows are collapsed per group, partial states merge, the fit is made at the end.
//!
//! The state is the distinct inputs with their weights, so the answer is the same to the bit for any order of rows
//! and any number of partitions.

use super::arguments::{Row, Rows, coerced};
use super::collapsed::{Collapsed, MAX_CUSTOMERS};
use super::definition::{Definition, Input};
use super::fit::Fit;
use crate::common::{bigint, list_column, list_field, refuse_distinct};
use crate::models::Unit;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, ListArray, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type};
use datafusion::common::{ScalarValue, exec_datafusion_err, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use std::sync::Arc;

/// Makes the aggregate function of a model.
pub(crate) fn function<const K: usize>(definition: &'static Definition<K>) -> AggregateUDF {
    let mut signature = Signature::user_defined(Volatility::Immutable);
    // What `with_parameter_names` would do after looking for duplicate names.
    signature.parameter_names = Some(definition.arguments().into_iter().map(String::from).collect());
    AggregateUDF::from(FitFunction { signature, definition })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FitFunction<const K: usize> {
    signature: Signature,
    definition: &'static Definition<K>,
}

impl<const K: usize> AggregateUDFImpl for FitFunction<K> {
    fn name(&self) -> &str {
        self.definition.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerced(self.definition, types)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(Fit::data_type(self.definition.model))
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        refuse_distinct(self.definition.name, &arguments)?;
        Ok(Box::new(OneGroup { group: Group::new(self.definition), answer: None }))
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs) -> bool {
        !arguments.is_distinct
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(ManyGroups::new(self.definition)))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let name = arguments.name;
        let inputs = self.definition.inputs.iter();
        let mut fields: Vec<FieldRef> = inputs.map(|part| list_field(name, part, DataType::Float64)).collect();
        fields.push(list_field(name, "weight", DataType::Int64));
        fields.push(Arc::new(Field::new(format_state_name(name, "left_out"), DataType::Int64, true)));
        fields.push(Arc::new(Field::new(format_state_name(name, "unit"), DataType::Utf8, true)));
        Ok(fields)
    }

    /// `ORDER BY` inside the call makes no difference; by default the engine would hand its columns over as arguments.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// What a group has seen.
#[derive(Debug)]
struct Group<const K: usize> {
    definition: &'static Definition<K>,
    inputs: Collapsed<K>,
    left_out: u64,
    /// The unit of the rows, once there is a row: stated or not.
    unit: Option<Option<Unit>>,
}

impl<const K: usize> Group<K> {
    fn new(definition: &'static Definition<K>) -> Group<K> {
        Group { definition, inputs: Collapsed::default(), left_out: 0, unit: None }
    }

    #[inline]
    fn add(&mut self, row: Row<K>, unit: Option<Unit>) -> Result<()> {
        let (input, weight) = match row {
            Row::Whole(input, weight) => (input, weight),
            Row::LeftOut(weight) => {
                self.left_out = self.left_out.saturating_add(weight);
                return Ok(());
            }
        };
        let mut left_out = false;
        self.inputs.add(input, weight, |input| match (self.definition.classify)(input) {
            Input::Used => Ok(true),
            Input::LeftOut => {
                left_out = true;
                Ok(false)
            }
            Input::Impossible(why) => exec_err!("{}: {why}", self.definition.name),
        })?;
        if left_out {
            self.left_out = self.left_out.saturating_add(weight);
            return Ok(());
        }
        self.set_unit(unit)
    }

    #[inline]
    fn set_unit(&mut self, unit: Option<Unit>) -> Result<()> {
        match self.unit {
            Some(present) if present == unit => Ok(()),
            None => {
                self.unit = Some(unit);
                Ok(())
            }
            Some(present) => {
                let name = |unit: Option<Unit>| unit.map_or("none", Unit::name);
                exec_err!(
                    "{}: rows with the units {} and {} are in one group; a fit has one unit",
                    self.definition.name,
                    name(present),
                    name(unit)
                )
            }
        }
    }

    fn retract(&mut self, row: Row<K>) {
        match row {
            Row::LeftOut(weight) => self.left_out = self.left_out.saturating_sub(weight),
            Row::Whole(input, weight) if matches!((self.definition.classify)(&input), Input::LeftOut) => {
                self.left_out = self.left_out.saturating_sub(weight);
            }
            Row::Whole(input, weight) => self.inputs.retract(input, weight),
        }
        if self.inputs.is_empty() {
            self.unit = None;
        }
    }

    fn fit(&self) -> Result<Fit> {
        let customers = self.customers()?;
        let fit = (self.definition.fit)(&self.inputs.sorted());
        Ok(Fit { unit: self.unit.flatten(), customers, left_out: self.left_out, ..fit })
    }

    /// The sum of the weights, of which a double can hold every one.
    fn customers(&self) -> Result<u64> {
        let customers = self.inputs.customers();
        if customers.max(self.left_out) > MAX_CUSTOMERS {
            return exec_err!("{}: the weights come to more than 2^53 customers", self.definition.name);
        }
        Ok(customers)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.inputs.size()
    }
}

/// All groups of a query at once.
#[derive(Debug)]
struct ManyGroups<const K: usize> {
    definition: &'static Definition<K>,
    groups: Vec<Group<K>>,
    size: usize,
}

impl<const K: usize> ManyGroups<K> {
    fn new(definition: &'static Definition<K>) -> ManyGroups<K> {
        ManyGroups { definition, groups: Vec::new(), size: 0 }
    }

    fn grow(&mut self, count: usize) {
        if self.groups.len() < count {
            self.groups.resize_with(count, || Group::new(self.definition));
        }
    }

    /// Changes a group, keeping count of the memory that groups take besides their entries in the list.
    fn change(&mut self, index: usize, change: impl FnOnce(&mut Group<K>) -> Result<()>) -> Result<()> {
        let group = &mut self.groups[index];
        let before = group.inputs.size();
        change(group)?;
        self.size = self.size + group.inputs.size() - before;
        Ok(())
    }

    fn taken(&mut self, emit: EmitTo) -> Vec<Group<K>> {
        let taken = emit.take_needed(&mut self.groups);
        self.size -= taken.iter().map(|group| group.inputs.size()).sum::<usize>();
        taken
    }
}

impl<const K: usize> GroupsAccumulator for ManyGroups<K> {
    fn update_batch(
        &mut self,
        arguments: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.grow(count);
        let rows = Rows::read(self.definition, arguments)?;
        let mut units = rows.units();
        for (row, index) in groups.iter().enumerate() {
            if filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row)) {
                let (values, unit) = (rows.get(row)?, units.get(row)?);
                self.change(*index, |group| group.add(values, unit))?;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let fits: Vec<Fit> = self.taken(emit).iter().map(Group::fit).collect::<Result<_>>()?;
        Ok(Arc::new(Fit::to_array(self.definition.model, &fits)))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        states(&self.taken(emit))
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.grow(count);
        let states = States::read(self.definition, states)?;
        for (row, index) in groups.iter().enumerate() {
            self.change(*index, |group| states.merge(row, group))?;
        }
        Ok(())
    }

    /// Every row as a group of its own.
    fn convert_to_state(&self, arguments: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = arguments[0].len();
        let groups: Vec<usize> = (0..rows).collect();
        let mut single = ManyGroups::new(self.definition);
        single.update_batch(arguments, &groups, filter, rows)?;
        single.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.groups.capacity() * size_of::<Group<K>>() + self.size
    }
}

/// One group, with its answer kept for as long as it holds: a window asks per row.
#[derive(Debug)]
struct OneGroup<const K: usize> {
    group: Group<K>,
    answer: Option<ScalarValue>,
}

impl<const K: usize> Accumulator for OneGroup<K> {
    fn update_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        self.answer = None;
        let rows = Rows::read(self.group.definition, arguments)?;
        let mut units = rows.units();
        for row in 0..rows.len() {
            self.group.add(rows.get(row)?, units.get(row)?)?;
        }
        Ok(())
    }

    fn retract_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        self.answer = None;
        let rows = Rows::read(self.group.definition, arguments)?;
        for row in 0..rows.len() {
            self.group.retract(rows.get(row)?);
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if let Some(answer) = &self.answer {
            return Ok(answer.clone());
        }
        let answer = self.group.fit()?.to_scalar();
        self.answer = Some(answer.clone());
        Ok(answer)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let states = states(std::slice::from_ref(&self.group))?;
        states.iter().map(|column| ScalarValue::try_from_array(column, 0)).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.answer = None;
        let rows = states[0].len();
        let states = States::read(self.group.definition, states)?;
        (0..rows).try_for_each(|row| states.merge(row, &mut self.group))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.group.size()
    }
}

/// States as columns: a list per number of the input, a list of weights, the count of those left out, the unit. The
/// unit is NULL before the first row and empty where it is not stated.
fn states<const K: usize>(groups: &[Group<K>]) -> Result<Vec<ArrayRef>> {
    let total = groups.iter().map(|group| group.inputs.len()).sum();
    let mut inputs: [Vec<f64>; K] = std::array::from_fn(|_| Vec::with_capacity(total));
    let mut weights: Vec<i64> = Vec::with_capacity(total);
    for group in groups {
        group.customers()?;
        for (input, weight) in group.inputs.iter() {
            for (list, number) in inputs.iter_mut().zip(input) {
                list.push(number);
            }
            weights.push(bigint(weight));
        }
    }
    let lengths = || groups.iter().map(|group| group.inputs.len());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(K + 3);
    for numbers in inputs {
        columns.push(Arc::new(list_column(Arc::new(Float64Array::from(numbers)), lengths())?));
    }
    columns.push(Arc::new(list_column(Arc::new(Int64Array::from(weights)), lengths())?));
    columns.push(Arc::new(groups.iter().map(|group| Some(bigint(group.left_out))).collect::<Int64Array>()));
    let units = groups.iter().map(|group| group.unit.map(|unit| unit.map_or("", Unit::name)));
    columns.push(Arc::new(units.collect::<StringArray>()));
    Ok(columns)
}

/// States that have arrived from other partitions.
struct States<'a, const K: usize> {
    inputs: Vec<&'a ListArray>,
    weights: &'a ListArray,
    left_out: &'a Int64Array,
    units: &'a StringArray,
}

impl<'a, const K: usize> States<'a, K> {
    fn read(definition: &Definition<K>, columns: &'a [ArrayRef]) -> Result<Self> {
        let damaged = || exec_datafusion_err!("{}: a partial state is damaged", definition.name);
        let lists = columns[..K].iter().map(|column| column.as_list_opt::<i32>().ok_or_else(damaged));
        Ok(States {
            inputs: lists.collect::<Result<_>>()?,
            weights: columns[K].as_list_opt::<i32>().ok_or_else(damaged)?,
            left_out: columns[K + 1].as_primitive_opt::<Int64Type>().ok_or_else(damaged)?,
            units: columns[K + 2].as_string_opt::<i32>().ok_or_else(damaged)?,
        })
    }

    fn merge(&self, row: usize, group: &mut Group<K>) -> Result<()> {
        let lists: Vec<ArrayRef> = self.inputs.iter().map(|list| list.value(row)).collect();
        let numbers: Vec<&[f64]> =
            lists.iter().map(|list| list.as_primitive::<Float64Type>().values().as_ref()).collect();
        let weights = self.weights.value(row);
        let weights = weights.as_primitive::<Int64Type>();
        group.inputs.reserve(weights.len());
        for (i, weight) in weights.values().iter().enumerate() {
            let input = std::array::from_fn(|k| numbers[k][i]);
            group.inputs.merge(input, u64::try_from(*weight).unwrap_or_default());
        }
        group.left_out += u64::try_from(self.left_out.value(row)).unwrap_or_default();
        if self.units.is_valid(row) {
            group.set_unit(Unit::named(self.units.value(row)))?;
        }
        Ok(())
    }
}
