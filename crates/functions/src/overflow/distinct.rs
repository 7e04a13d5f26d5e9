//! `sum(DISTINCT x)`, also over a window that slides.

use super::sum::Said;
use super::total::{Addend, Total};
use crate::common::list_value;
use arrow::array::{ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::Accumulator;
use hashbrown::HashMap;
use std::sync::Arc;

/// Each value that is there, and how often.
#[derive(Debug)]
pub(super) struct DistinctSum<T: Addend> {
    said: Said,
    data_type: DataType,
    counts: HashMap<T::Native, u64>,
    total: Total<T::Native>,
}

impl<T: Addend> DistinctSum<T> {
    pub(super) fn new(said: Said, data_type: &DataType) -> DistinctSum<T> {
        DistinctSum { said, data_type: data_type.clone(), counts: HashMap::new(), total: Total::default() }
    }

    fn add(&mut self, values: &ArrayRef) {
        for value in values.as_primitive::<T>().iter().flatten() {
            let count = self.counts.entry(value).or_insert(0);
            if *count == 0 {
                self.total.add(value);
            }
            *count += 1;
        }
    }
}

impl<T: Addend> Accumulator for DistinctSum<T> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(&values[0]);
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in values[0].as_primitive::<T>().iter().flatten() {
            let Some(count) = self.counts.get_mut(&value) else { continue };
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&value);
                self.total.remove(value);
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        states[0].as_list::<i32>().iter().flatten().for_each(|values| self.add(&values));
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = match self.counts.is_empty() {
            true => None,
            false => Some(self.said.judged(&self.total)?),
        };
        ScalarValue::new_primitive::<T>(sum, &self.data_type)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = PrimitiveArray::<T>::from_iter_values(self.counts.keys().copied());
        Ok(vec![list_value(Arc::new(values.with_data_type(self.data_type.clone())))?])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.counts.capacity() * size_of::<(T::Native, u64)>()
    }
}
