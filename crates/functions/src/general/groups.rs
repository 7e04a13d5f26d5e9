//! One implementation of an aggregate for both of the engine's ways: many groups at once, and one group or window.

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::buffer::NullBuffer;
use datafusion::common::{ScalarValue, not_impl_err};
use datafusion::error::Result;
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use std::fmt::Debug;

/// What an aggregate keeps for groups that are numbered from 0.
pub(crate) trait Groups: Debug + Send + Sync + 'static {
    /// Rows can be taken away again, as a window that slides does.
    const RETRACTS: bool = false;

    /// The same aggregate with no groups.
    fn empty(&self) -> Result<Self>
    where
        Self: Sized;

    /// Sets the number of groups.
    fn grow(&mut self, groups: usize);

    /// Adds rows of the arguments.
    fn add(&mut self, values: &[ArrayRef], rows: Rows<'_>) -> Result<()>;

    /// Takes rows away that were added; only called where `RETRACTS`.
    fn remove(&mut self, _values: &[ArrayRef], _rows: Rows<'_>) -> Result<()> {
        not_impl_err!("rows cannot be taken away from this aggregate")
    }

    /// Adds rows of partial states.
    fn merge(&mut self, states: &[ArrayRef], rows: Rows<'_>) -> Result<()>;

    /// The answers of the first groups.
    fn answers(&self, groups: usize) -> Result<ArrayRef>;

    /// The partial states of the first groups.
    fn states(&self, groups: usize) -> Result<Vec<ArrayRef>>;

    /// Removes the first groups; the others move up.
    fn forget(&mut self, groups: usize);

    /// How many groups there are.
    fn len(&self) -> usize;

    /// Bytes in memory.
    fn size(&self) -> usize;
}

/// Rows of a batch, each with its group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    count: usize,
    groups: Option<&'a [usize]>,
    filter: Option<&'a BooleanArray>,
}

impl<'a> Rows<'a> {
    fn of_one_group(values: &[ArrayRef]) -> Rows<'static> {
        Rows { count: values.first().map_or(0, |array| array.len()), groups: None, filter: None }
    }

    fn of_groups(groups: &'a [usize], filter: Option<&'a BooleanArray>) -> Rows<'a> {
        Rows { count: groups.len(), groups: Some(groups), filter }
    }

    /// Number of the row, number of its group.
    pub(crate) fn iter(self) -> impl Iterator<Item = (usize, usize)> + 'a {
        let kept = move |row: &usize| self.filter.is_none_or(|filter| filter.is_valid(*row) && filter.value(*row));
        (0..self.count).filter(kept).map(move |row| (row, self.groups.map_or(0, |groups| groups[row])))
    }

    /// Calls a function with every row that is not NULL, and its group.
    pub(crate) fn each(self, nulls: Option<&NullBuffer>, mut call: impl FnMut(usize, usize)) {
        match (self.groups, self.filter, nulls) {
            (Some(groups), None, None) => groups.iter().enumerate().for_each(|(row, group)| call(row, *group)),
            (_, _, nulls) => {
                let valid = self.iter().filter(|(row, _)| nulls.is_none_or(|nulls| nulls.is_valid(*row)));
                valid.for_each(|(row, group)| call(row, group));
            }
        }
    }

    /// Whether all rows belong to group 0.
    pub(crate) fn are_all_of_one_group(self) -> bool {
        self.groups.is_none() && self.filter.is_none()
    }
}

/// For `GROUP BY`.
pub(crate) struct Many<G>(pub(crate) G);

impl<G: Groups> GroupsAccumulator for Many<G> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.0.grow(total_num_groups);
        self.0.add(values, Rows::of_groups(group_indices, opt_filter))
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.0.grow(total_num_groups);
        self.0.merge(values, Rows::of_groups(group_indices, None))
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = count(&self.0, emit_to);
        let answers = self.0.answers(groups)?;
        self.0.forget(groups);
        Ok(answers)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = count(&self.0, emit_to);
        let states = self.0.states(groups)?;
        self.0.forget(groups);
        Ok(states)
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |array| array.len());
        let groups: Vec<usize> = (0..rows).collect();
        let mut alone = self.0.empty()?;
        alone.grow(rows);
        alone.add(values, Rows::of_groups(&groups, opt_filter))?;
        alone.states(rows)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.0.size()
    }
}

fn count(groups: &impl Groups, emit_to: EmitTo) -> usize {
    match emit_to {
        EmitTo::All => groups.len(),
        EmitTo::First(first) => first,
    }
}

/// For one group, or a window.
#[derive(Debug)]
pub(crate) struct One<G>(G);

impl<G: Groups> One<G> {
    pub(crate) fn new(mut groups: G) -> One<G> {
        groups.grow(1);
        One(groups)
    }
}

impl<G: Groups> Accumulator for One<G> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.add(values, Rows::of_one_group(values))
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.remove(values, Rows::of_one_group(values))
    }

    fn supports_retract_batch(&self) -> bool {
        G::RETRACTS
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge(states, Rows::of_one_group(states))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.0.answers(1)?, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.states(1)?.iter().map(|state| ScalarValue::try_from_array(state, 0)).collect()
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.0.size()
    }
}

#[cfg(test)]
pub(crate) mod laws {
    use super::*;
    use arrow::compute::concat;

    /// Rows all at once; in partial states that are merged, in any order; emitted in two steps; and one group after
    /// the other: the answers are the same to the bit.
    pub(crate) fn parts_are_the_whole<G: Groups>(make: impl Fn() -> G, values: &[ArrayRef], groups: &[usize]) {
        let total = groups.iter().max().map_or(0, |last| last + 1);
        let mut whole = Many(make());
        whole.update_batch(values, groups, None, total).unwrap();
        let whole = whole.evaluate(EmitTo::All).unwrap();
        assert_eq!(whole.len(), total);

        let mut merged = Many(make());
        for from in (0..groups.len()).step_by(3).rev() {
            let length = 3.min(groups.len() - from);
            let part: Vec<ArrayRef> = values.iter().map(|array| array.slice(from, length)).collect();
            let mut partial = Many(make());
            partial.update_batch(&part, &groups[from..from + length], None, total).unwrap();
            let states = partial.state(EmitTo::All).unwrap();
            merged.merge_batch(&states, &(0..total).collect::<Vec<_>>(), total).unwrap();
        }
        assert_eq!(&merged.evaluate(EmitTo::All).unwrap(), &whole);

        let rows = Many(make()).convert_to_state(values, None).unwrap();
        let mut merged = Many(make());
        merged.merge_batch(&rows, groups, total).unwrap();
        let first = merged.evaluate(EmitTo::First(total / 2)).unwrap();
        let rest = merged.evaluate(EmitTo::All).unwrap();
        assert_eq!(&concat(&[&first, &rest]).unwrap(), &whole);

        for group in 0..total {
            let filter: BooleanArray = groups.iter().map(|of| Some(*of == group)).collect();
            let own: Vec<ArrayRef> =
                values.iter().map(|array| arrow::compute::filter(array, &filter).unwrap()).collect();
            let mut one = One::new(make());
            one.update_batch(&own).unwrap();
            let answer = one.evaluate().unwrap().to_array().unwrap();
            assert_eq!(&answer, &whole.slice(group, 1));
            if G::RETRACTS {
                one.update_batch(values).unwrap();
                one.retract_batch(values).unwrap();
                assert_eq!(&one.evaluate().unwrap().to_array().unwrap(), &answer);
            }
        }
    }
}
