//! An aggregate function of a model: rows are collapsed per group, partial states merge, the fit is made at the end.
//!
//! The state is the distinct inputs with their weights, so the answer does not depend on the order of rows or on the
//! number of partitions, not in the last bit.

use super::arguments::{Row, Rows, coerced};
use super::collapsed::{Collapsed, MOST_CUSTOMERS, Weighted};
use super::fit::{Fit, Model};
use crate::aggregates::{bigint, refuse_distinct};
use crate::models::Unit;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, ListArray, StringArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

/// What a fit needs to be an aggregate function. `K` numbers describe a customer.
pub(crate) trait FitOf<const K: usize>: Copy + Debug + PartialEq + Eq + Hash + Send + Sync + 'static {
    /// The model of the answer.
    const MODEL: Model;
    /// The name in SQL.
    const NAME: &'static str;
    /// Names of the arguments.
    const INPUTS: [&'static str; K];
    /// The fields of a `purchase_summary` that are these arguments, where it may be given instead.
    const SUMMARY: Option<[&'static str; K]>;
    /// Whether time is measured in a unit.
    const HAS_UNIT: bool = true;
    /// Which argument may be a BOOLEAN (1 and 0).
    const BOOLEAN: Option<usize> = None;
    /// What is to be done with an input: asked once per distinct input.
    fn judge(input: &[f64; K]) -> Judgement;
    /// The fit of inputs in ascending order, of which there may be none. Unit and counts are filled in afterwards.
    fn fit(inputs: &[Weighted<K>]) -> Fit;
}

/// What is to be done with an input.
pub(crate) enum Judgement {
    /// It counts.
    Use,
    /// It says nothing to this model and is left out, and counted as left out.
    LeaveOut,
    /// It cannot be: what is wrong with it, with the values, and what is allowed.
    Fault(String),
}

/// Makes the aggregate function of a model.
pub(crate) fn function<M: FitOf<K>, const K: usize>() -> AggregateUDF {
    let unit: &[&str] = if M::HAS_UNIT { &["unit"] } else { &[] };
    let names: Vec<String> = M::INPUTS.iter().chain(unit).chain(&["weight"]).map(ToString::to_string).collect();
    let mut signature = Signature::user_defined(Volatility::Immutable);
    // What `with_parameter_names` would do after looking for names that stand twice.
    signature.parameter_names = Some(names);
    AggregateUDF::from(FitFunction::<M, K> { signature, model: PhantomData })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FitFunction<M, const K: usize> {
    signature: Signature,
    model: PhantomData<M>,
}

impl<M: FitOf<K>, const K: usize> AggregateUDFImpl for FitFunction<M, K> {
    fn name(&self) -> &str {
        M::NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerced::<M, K>(types)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(Fit::data_type(M::MODEL))
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        refuse_distinct(M::NAME, &arguments)?;
        Ok(Box::new(OneGroup::<M, K>::default()))
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs) -> bool {
        !arguments.is_distinct
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(ManyGroups::<M, K>::default()))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let name = |part: &str| format!("{}[{part}]", arguments.name);
        let list =
            |part: &str, data_type| Arc::new(Field::new_list(name(part), Field::new_list_field(data_type, true), true));
        let mut fields: Vec<FieldRef> = M::INPUTS.iter().map(|part| list(part, DataType::Float64)).collect();
        fields.push(list("weight", DataType::Int64));
        fields.push(Arc::new(Field::new(name("left_out"), DataType::Int64, true)));
        fields.push(Arc::new(Field::new(name("unit"), DataType::Utf8, true)));
        Ok(fields)
    }

    /// `ORDER BY` inside the call makes no difference; by default the engine would hand its columns over as arguments.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// What a group has seen.
#[derive(Debug)]
struct Group<M, const K: usize> {
    inputs: Collapsed<K>,
    left_out: u64,
    /// The unit of the rows, once there is a row: stated or not.
    unit: Option<Option<Unit>>,
    model: PhantomData<M>,
}

impl<M, const K: usize> Default for Group<M, K> {
    fn default() -> Self {
        Group { inputs: Collapsed::default(), left_out: 0, unit: None, model: PhantomData }
    }
}

impl<M: FitOf<K>, const K: usize> Group<M, K> {
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
        self.inputs.add(input, weight, |input| match M::judge(input) {
            Judgement::Use => Ok(true),
            Judgement::LeaveOut => {
                left_out = true;
                Ok(false)
            }
            Judgement::Fault(fault) => exec_err!("{}: {fault}", M::NAME),
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
                    "{}: rows with the units {} and {} stand in one group; a fit has one unit",
                    M::NAME,
                    name(present),
                    name(unit)
                )
            }
        }
    }

    fn retract(&mut self, row: Row<K>) {
        match row {
            Row::LeftOut(weight) => self.left_out = self.left_out.saturating_sub(weight),
            Row::Whole(input, weight) if matches!(M::judge(&input), Judgement::LeaveOut) => {
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
        let fit = M::fit(&self.inputs.sorted());
        Ok(Fit { unit: self.unit.flatten(), customers, left_out: self.left_out, ..fit })
    }

    /// The sum of the weights, of which a double can hold every one.
    fn customers(&self) -> Result<u64> {
        let customers = self.inputs.customers();
        if customers.max(self.left_out) > MOST_CUSTOMERS {
            return exec_err!("{}: the weights come to more than 2^53 customers", M::NAME);
        }
        Ok(customers)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.inputs.size()
    }
}

/// All groups of a query at once.
#[derive(Debug)]
struct ManyGroups<M, const K: usize> {
    groups: Vec<Group<M, K>>,
    size: usize,
}

impl<M, const K: usize> Default for ManyGroups<M, K> {
    fn default() -> Self {
        ManyGroups { groups: Vec::new(), size: 0 }
    }
}

impl<M: FitOf<K>, const K: usize> ManyGroups<M, K> {
    fn grow(&mut self, count: usize) {
        if self.groups.len() < count {
            self.groups.resize_with(count, Group::default);
        }
    }

    /// Room that a group takes beside its entry in the list.
    fn change(&mut self, index: usize, change: impl FnOnce(&mut Group<M, K>) -> Result<()>) -> Result<()> {
        let group = &mut self.groups[index];
        let before = group.inputs.size();
        change(group)?;
        self.size = self.size + group.inputs.size() - before;
        Ok(())
    }

    fn taken(&mut self, emit: EmitTo) -> Vec<Group<M, K>> {
        let taken = emit.take_needed(&mut self.groups);
        self.size -= taken.iter().map(|group| group.inputs.size()).sum::<usize>();
        taken
    }
}

impl<M: FitOf<K>, const K: usize> GroupsAccumulator for ManyGroups<M, K> {
    fn update_batch(
        &mut self,
        arguments: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.grow(count);
        let rows = Rows::<K>::read::<M>(arguments)?;
        let mut units = rows.units();
        for (row, index) in groups.iter().enumerate() {
            if filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row)) {
                let (values, unit) = (rows.get::<M>(row)?, units.get(M::NAME, row)?);
                self.change(*index, |group| group.add(values, unit))?;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let fits: Vec<Fit> = self.taken(emit).iter().map(Group::fit).collect::<Result<_>>()?;
        Ok(Arc::new(Fit::to_array(M::MODEL, &fits)))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        states(&self.taken(emit))
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.grow(count);
        let states = States::<K>::read::<M>(states)?;
        for (row, index) in groups.iter().enumerate() {
            self.change(*index, |group| states.merge(row, group))?;
        }
        Ok(())
    }

    /// Every row as a group of its own.
    fn convert_to_state(&self, arguments: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = arguments[0].len();
        let groups: Vec<usize> = (0..rows).collect();
        let mut single = ManyGroups::<M, K>::default();
        single.update_batch(arguments, &groups, filter, rows)?;
        single.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.groups.capacity() * size_of::<Group<M, K>>() + self.size
    }
}

/// One group, with its answer kept for as long as it holds: a window asks per row.
#[derive(Debug)]
struct OneGroup<M, const K: usize> {
    group: Group<M, K>,
    answer: Option<ScalarValue>,
}

impl<M, const K: usize> Default for OneGroup<M, K> {
    fn default() -> Self {
        OneGroup { group: Group::default(), answer: None }
    }
}

impl<M: FitOf<K>, const K: usize> Accumulator for OneGroup<M, K> {
    fn update_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        self.answer = None;
        let rows = Rows::<K>::read::<M>(arguments)?;
        let mut units = rows.units();
        for row in 0..rows.len() {
            self.group.add(rows.get::<M>(row)?, units.get(M::NAME, row)?)?;
        }
        Ok(())
    }

    fn retract_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        self.answer = None;
        let rows = Rows::<K>::read::<M>(arguments)?;
        for row in 0..rows.len() {
            self.group.retract(rows.get::<M>(row)?);
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
        let states = States::<K>::read::<M>(states)?;
        (0..rows).try_for_each(|row| states.merge(row, &mut self.group))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.group.size()
    }
}

/// States as columns: a list per number of the input, a list of weights, the count of those left out, the unit. The
/// unit is NULL before the first row and empty where it is not stated.
fn states<M: FitOf<K>, const K: usize>(groups: &[Group<M, K>]) -> Result<Vec<ArrayRef>> {
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
    let offsets = OffsetBuffer::<i32>::from_lengths(groups.iter().map(|group| group.inputs.len()));
    let list = |data_type, values| -> Result<ArrayRef> {
        let field = Arc::new(Field::new_list_field(data_type, true));
        Ok(Arc::new(ListArray::try_new(field, offsets.clone(), values, None)?))
    };
    let mut columns = Vec::with_capacity(K + 3);
    for numbers in inputs {
        columns.push(list(DataType::Float64, Arc::new(Float64Array::new(ScalarBuffer::from(numbers), None)))?);
    }
    columns.push(list(DataType::Int64, Arc::new(Int64Array::new(ScalarBuffer::from(weights), None)))?);
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
    fn read<M: FitOf<K>>(columns: &'a [ArrayRef]) -> Result<Self> {
        let damaged = || DataFusionError::Execution(format!("{}: a partial state is damaged", M::NAME));
        let lists = columns[..K].iter().map(|column| column.as_list_opt::<i32>().ok_or_else(damaged));
        Ok(States {
            inputs: lists.collect::<Result<_>>()?,
            weights: columns[K].as_list_opt::<i32>().ok_or_else(damaged)?,
            left_out: columns[K + 1].as_primitive_opt::<Int64Type>().ok_or_else(damaged)?,
            units: columns[K + 2].as_string_opt::<i32>().ok_or_else(damaged)?,
        })
    }

    fn merge<M: FitOf<K>>(&self, row: usize, group: &mut Group<M, K>) -> Result<()> {
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
