//! Summaries and partial states as columns.

use super::amount::Amount;
use super::purchases::{Ends, Summary, Window};
use crate::models::Unit;
use arrow::array::{
    ArrayRef, BooleanBufferBuilder, Float64Builder, Int32Builder, Int64Builder, ListArray, PrimitiveArray, StringArray,
    StructArray, UInt32Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::error::Result;
use std::sync::Arc;

/// The fields of a summary.
pub(super) fn fields() -> Fields {
    Fields::from(vec![
        Field::new("unit", DataType::Utf8, true),
        Field::new("frequency", DataType::Int64, true),
        Field::new("recency", DataType::Float64, true),
        Field::new("age", DataType::Float64, true),
        Field::new("mean_spend", DataType::Float64, true),
        Field::new("holdout_length", DataType::Float64, true),
        Field::new("holdout_frequency", DataType::Int64, true),
        Field::new("holdout_mean_spend", DataType::Float64, true),
    ])
}

/// The fields of a partial state: ends of observation, then day and amount of every purchase.
pub(super) fn state_fields(amount: &DataType) -> Vec<(&'static str, DataType)> {
    let list = |item| DataType::List(Arc::new(Field::new_list_field(item, true)));
    vec![
        ("observed_to", DataType::Int32),
        ("holdout_to", DataType::Int32),
        ("days", list(DataType::UInt32)),
        ("amounts", list(amount.clone())),
    ]
}

/// Summaries, in days, on their way to a column of structs, in a unit.
pub(super) struct Columns {
    unit: Unit,
    known: BooleanBufferBuilder,
    frequency: Int64Builder,
    recency: Float64Builder,
    age: Float64Builder,
    mean_spend: Float64Builder,
    holdout_length: Float64Builder,
    holdout_frequency: Int64Builder,
    holdout_mean_spend: Float64Builder,
}

impl Columns {
    pub(super) fn new(unit: Unit, customers: usize) -> Columns {
        let numbers = || Float64Builder::with_capacity(customers);
        let counts = || Int64Builder::with_capacity(customers);
        Columns {
            unit,
            known: BooleanBufferBuilder::new(customers),
            frequency: counts(),
            recency: numbers(),
            age: numbers(),
            mean_spend: numbers(),
            holdout_length: numbers(),
            holdout_frequency: counts(),
            holdout_mean_spend: numbers(),
        }
    }

    pub(super) fn add(&mut self, summary: Option<Summary>) {
        let unit = self.unit;
        let length = |days: i32| Unit::Day.convert(days.into(), unit);
        let holdout = summary.and_then(|summary| summary.holdout);
        self.known.append(summary.is_some());
        self.frequency.append_option(summary.map(|summary| summary.repeats.days));
        self.recency.append_option(summary.map(|summary| length(summary.recency)));
        self.age.append_option(summary.map(|summary| length(summary.age)));
        self.mean_spend.append_option(summary.and_then(|summary| summary.repeats.mean));
        self.holdout_length.append_option(holdout.map(|(days, _)| length(days)));
        self.holdout_frequency.append_option(holdout.map(|(_, window): (i32, Window)| window.days));
        self.holdout_mean_spend.append_option(holdout.and_then(|(_, window)| window.mean));
    }

    pub(super) fn finish(mut self) -> Result<StructArray> {
        let known = self.known.finish();
        let name = self.unit.name();
        let unit: StringArray = known.iter().map(|known| known.then_some(name)).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(unit),
            Arc::new(self.frequency.finish()),
            Arc::new(self.recency.finish()),
            Arc::new(self.age.finish()),
            Arc::new(self.mean_spend.finish()),
            Arc::new(self.holdout_length.finish()),
            Arc::new(self.holdout_frequency.finish()),
            Arc::new(self.holdout_mean_spend.finish()),
        ];
        Ok(StructArray::try_new(fields(), columns, Some(NullBuffer::new(known)))?)
    }
}

/// Partial states on their way to columns.
pub(super) struct State<A> {
    observed_to: Int32Builder,
    holdout_to: Int32Builder,
    offsets: Vec<i32>,
    days: Vec<u32>,
    amounts: Vec<A>,
}

impl<A: Amount> State<A> {
    pub(super) fn new(customers: usize) -> State<A> {
        State {
            observed_to: Int32Builder::with_capacity(customers),
            holdout_to: Int32Builder::with_capacity(customers),
            offsets: vec![0],
            days: Vec::with_capacity(customers),
            amounts: Vec::with_capacity(customers),
        }
    }

    /// Adds a customer with the days of the purchases.
    pub(super) fn add(&mut self, ends: Ends, days: impl Iterator<Item = (u32, A)>) {
        for (day, amount) in days {
            self.days.push(day);
            self.amounts.push(amount);
        }
        self.observed_to.append_value(ends.observed_to);
        self.holdout_to.append_value(ends.holdout_to);
        // Offsets of a list are 32 bits: there is no batch of states with more purchases than that.
        self.offsets.push(i32::try_from(self.days.len()).unwrap_or(i32::MAX));
    }

    pub(super) fn finish(mut self, amount: &DataType) -> Result<Vec<ArrayRef>> {
        let offsets = OffsetBuffer::new(self.offsets.into());
        let item = |data_type: &DataType| Arc::new(Field::new_list_field(data_type.clone(), true));
        let days = Arc::new(UInt32Array::from(self.days));
        let amounts = PrimitiveArray::<A::State>::from_iter_values(self.amounts).with_data_type(amount.clone());
        Ok(vec![
            Arc::new(self.observed_to.finish()),
            Arc::new(self.holdout_to.finish()),
            Arc::new(ListArray::try_new(item(&DataType::UInt32), offsets.clone(), days, None)?),
            Arc::new(ListArray::try_new(item(amount), offsets, Arc::new(amounts), None)?),
        ])
    }
}
