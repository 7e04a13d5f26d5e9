//! Purchases of an aggregate's groups between Arrow and [`Purchases`].

use super::amount::Amount;
use super::purchase_columns::{Columns, State};
use super::purchases::{Ends, NO_DAY, Purchases};
use crate::models::Unit;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, StructArray};
use arrow::datatypes::{DataType, Date32Type, Int32Type, UInt32Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use std::sync::Arc;

/// All groups of an aggregate.
#[derive(Debug)]
pub(super) struct PurchaseGroups<A> {
    purchases: Purchases<A>,
    unit: Unit,
    /// The type of amounts in a partial state, and their decimal places.
    amount: DataType,
    scale: i8,
}

impl<A: Amount> PurchaseGroups<A> {
    pub(super) fn new(unit: Unit, amount: DataType, scale: i8) -> PurchaseGroups<A> {
        PurchaseGroups { purchases: Purchases::default(), unit, amount, scale }
    }

    fn add(&mut self, values: &[ArrayRef], keep: impl Fn(usize) -> bool, group: impl Fn(usize) -> usize) -> Result<()> {
        let rows = Rows::<A>::new(values);
        for row in (0..values[0].len()).filter(|row| keep(*row)) {
            if let Some((day, amount, ends)) = rows.get(row)? {
                self.purchases.add(group(row), day, amount, ends)?;
            }
        }
        self.purchases.tidy();
        Ok(())
    }

    fn add_states(&mut self, values: &[ArrayRef], group: impl Fn(usize) -> usize) -> Result<()> {
        let (observed, holdout) = (values[0].as_primitive::<Int32Type>(), values[1].as_primitive::<Int32Type>());
        let (days, amounts) = (values[2].as_list::<i32>(), values[3].as_list::<i32>());
        let day_values = days.values().as_primitive::<UInt32Type>().values();
        let amount_values = amounts.values().as_primitive::<A::State>().values();
        for row in 0..observed.len() {
            let group = group(row);
            let ends = Ends { observed_to: observed.value(row), holdout_to: holdout.value(row) };
            self.purchases.end(group, ends)?;
            let (from, to) = (days.value_offsets()[row] as usize, days.value_offsets()[row + 1] as usize);
            let amount_from = amounts.value_offsets()[row] as usize;
            for i in from..to {
                self.purchases.add_state(group, day_values[i], amount_values[amount_from + i - from]);
            }
        }
        self.purchases.tidy();
        Ok(())
    }

    fn answers(&self, purchases: &mut Purchases<A>) -> Result<StructArray> {
        let mut columns = Columns::new(self.unit, purchases.customers());
        purchases.summaries(self.scale, |summary| columns.add(summary))?;
        columns.finish()
    }

    fn states(&self, purchases: &mut Purchases<A>) -> Result<Vec<ArrayRef>> {
        let mut state = State::<A>::new(purchases.customers());
        purchases.states(|ends, days| state.add(ends, days));
        state.finish(&self.amount)
    }
}

impl<A: Amount> GroupsAccumulator for PurchaseGroups<A> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.purchases.reserve(total);
        match filter {
            None => self.add(values, |_| true, |row| groups[row]),
            Some(filter) => self.add(values, |row| kept(filter, row), |row| groups[row]),
        }
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.purchases.reserve(total);
        self.add_states(values, |row| groups[row])
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let mut taken = self.purchases.take(emitted(emit, self.purchases.customers()));
        Ok(Arc::new(self.answers(&mut taken)?))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let mut taken = self.purchases.take(emitted(emit, self.purchases.customers()));
        self.states(&mut taken)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut each = PurchaseGroups::<A>::new(self.unit, self.amount.clone(), self.scale);
        let rows = values[0].len();
        each.purchases.reserve(rows);
        each.add(values, |row| filter.is_none_or(|filter| kept(filter, row)), |row| row)?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.purchases.size()
    }
}

/// One group: aggregates without GROUP BY, and windows.
#[derive(Debug)]
pub(super) struct OneCustomer<A> {
    groups: PurchaseGroups<A>,
    /// The answer, where nothing has changed since it was given.
    answer: Option<ScalarValue>,
}

impl<A: Amount> OneCustomer<A> {
    pub(super) fn new(mut groups: PurchaseGroups<A>) -> OneCustomer<A> {
        groups.purchases.reserve(1);
        OneCustomer { groups, answer: None }
    }
}

impl<A: Amount> Accumulator for OneCustomer<A> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.answer = None;
        self.groups.add(values, |_| true, |_| 0)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.answer = None;
        self.groups.add_states(states, |_| 0)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.answer.is_none() {
            let mut purchases = std::mem::take(&mut self.groups.purchases);
            let answers = self.groups.answers(&mut purchases);
            self.groups.purchases = purchases;
            self.answer = Some(ScalarValue::try_from_array(&answers?, 0)?);
        }
        Ok(self.answer.clone().unwrap_or(ScalarValue::Null))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut purchases = std::mem::take(&mut self.groups.purchases);
        let states = self.groups.states(&mut purchases);
        self.groups.purchases = purchases;
        states?.iter().map(|column| ScalarValue::try_from_array(column, 0)).collect()
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.groups.purchases.size()
    }
}

/// The columns of a batch of purchases.
struct Rows<'a, A: Amount> {
    day: &'a PrimitiveArray<Date32Type>,
    amount: &'a PrimitiveArray<A::Input>,
    observed_to: &'a PrimitiveArray<Date32Type>,
    holdout_to: Option<&'a PrimitiveArray<Date32Type>>,
}

impl<'a, A: Amount> Rows<'a, A> {
    fn new(values: &'a [ArrayRef]) -> Rows<'a, A> {
        Rows {
            day: values[0].as_primitive(),
            amount: values[1].as_primitive(),
            observed_to: values[2].as_primitive(),
            holdout_to: values.get(4).map(|column| column.as_primitive()),
        }
    }

    /// Nothing where the day or the end of observation is NULL.
    fn get(&self, row: usize) -> Result<Option<(i32, Option<A>, Ends)>> {
        if self.day.is_null(row) || self.observed_to.is_null(row) {
            return Ok(None);
        }
        let amount = if self.amount.is_null(row) { None } else { Some(A::read(self.amount.value(row))?) };
        let holdout_to =
            self.holdout_to.filter(|column| column.is_valid(row)).map_or(NO_DAY, |column| column.value(row));
        Ok(Some((self.day.value(row), amount, Ends { observed_to: self.observed_to.value(row), holdout_to })))
    }
}

fn kept(filter: &BooleanArray, row: usize) -> bool {
    filter.is_valid(row) && filter.value(row)
}

fn emitted(emit: EmitTo, all: usize) -> usize {
    match emit {
        EmitTo::All => all,
        EmitTo::First(customers) => customers,
    }
}
