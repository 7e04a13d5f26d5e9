//! How often every value occurs in every group: what `mode` and `quantile_cutoffs` are made from.

use super::groups::{Groups, Rows};
use crate::common::{list_column, list_field};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use arrow::row::{RowConverter, SortField};
use datafusion::common::{exec_datafusion_err, exec_err, utils::take_function_args};
use datafusion::error::Result;
use hashbrown::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

/// What is made of the counted values.
pub(super) trait Finish: Debug + Send + Sync + 'static {
    /// Whether the values may be counted; what they are is known then.
    fn check(&self, _values: &ArrayRef) -> Result<()> {
        Ok(())
    }

    /// An answer for each group.
    fn finish(&self, sorted: &Sorted) -> Result<ArrayRef>;
}

/// The distinct values of groups in ascending order, group after group.
pub(super) struct Sorted {
    /// Where each group begins, and where the last one ends.
    pub(super) offsets: Vec<usize>,
    /// The values.
    pub(super) values: ArrayRef,
    /// How often each occurs.
    pub(super) counts: Vec<i64>,
}

/// Values counted by group. NULL is not counted.
pub(super) struct Counts {
    data_type: DataType,
    converter: RowConverter,
    /// Every distinct value of any group as bytes that compare as the values do, with its number.
    numbers: HashMap<Arc<[u8]>, u32>,
    distinct: Vec<Arc<[u8]>>,
    bytes: usize,
    counts: HashMap<(u32, u32), i64>,
    groups: usize,
    finish: Arc<dyn Finish>,
}

impl Debug for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counts").field("groups", &self.groups).field("distinct", &self.distinct.len()).finish()
    }
}

impl Counts {
    pub(super) fn new(data_type: DataType, finish: impl Finish) -> Result<Counts> {
        Counts::with(data_type, Arc::new(finish))
    }

    fn with(data_type: DataType, finish: Arc<dyn Finish>) -> Result<Counts> {
        let options = SortOptions { descending: false, nulls_first: true };
        let converter = RowConverter::new(vec![SortField::new_with_options(data_type.clone(), options)])?;
        let (numbers, counts) = (HashMap::new(), HashMap::new());
        Ok(Counts { data_type, converter, numbers, distinct: Vec::new(), bytes: 0, counts, groups: 0, finish })
    }

    /// The columns of a partial state.
    pub(super) fn state_fields(name: &str, data_type: DataType) -> Vec<FieldRef> {
        vec![list_field(name, "values", data_type), list_field(name, "counts", DataType::Int64)]
    }

    fn number(&mut self, value: &[u8]) -> Result<u32> {
        if let Some(number) = self.numbers.get(value) {
            return Ok(*number);
        }
        let Ok(number) = u32::try_from(self.distinct.len()) else {
            return exec_err!("more than {} distinct values cannot be counted", u32::MAX);
        };
        let value: Arc<[u8]> = value.into();
        self.bytes += value.len();
        self.numbers.insert(value.clone(), number);
        self.distinct.push(value);
        Ok(number)
    }

    /// Adds `times` for every row.
    fn change(&mut self, values: &ArrayRef, rows: Rows<'_>, times: i64) -> Result<()> {
        let nulls = values.logical_nulls();
        let keys = self.converter.convert_columns(std::slice::from_ref(values))?;
        for (row, group) in rows.iter() {
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                let number = self.number(keys.row(row).data())?;
                self.change_one(group, number, times);
            }
        }
        Ok(())
    }

    fn change_one(&mut self, group: usize, number: u32, times: i64) {
        let count = self.counts.entry((group as u32, number)).or_insert(0);
        *count += times;
        if *count == 0 {
            self.counts.remove(&(group as u32, number));
        }
    }

    /// The values of the first groups in their order.
    fn sorted(&self, groups: usize) -> Result<Sorted> {
        let mut order: Vec<u32> = (0..self.distinct.len() as u32).collect();
        order.sort_unstable_by(|a, b| self.distinct[*a as usize].cmp(&self.distinct[*b as usize]));
        let mut rank = vec![0_u32; order.len()];
        for (place, number) in order.iter().enumerate() {
            rank[*number as usize] = place as u32;
        }
        let wanted = || self.counts.iter().filter(|((group, _), _)| (*group as usize) < groups);
        // Laid out by group, then sorted within each.
        let mut offsets = vec![0_usize; groups + 1];
        wanted().for_each(|((group, _), _)| offsets[*group as usize + 1] += 1);
        for group in 0..groups {
            offsets[group + 1] += offsets[group];
        }
        let mut next = offsets.clone();
        let mut entries = vec![(0_u32, 0_i64); offsets[groups]];
        for ((group, number), count) in wanted() {
            let place = &mut next[*group as usize];
            entries[*place] = (rank[*number as usize], *count);
            *place += 1;
        }
        offsets.windows(2).for_each(|ends| entries[ends[0]..ends[1]].sort_unstable());
        let parser = self.converter.parser();
        let rows = entries.iter().map(|(rank, _)| parser.parse(&self.distinct[order[*rank as usize] as usize]));
        let values = self.converter.convert_rows(rows)?.swap_remove(0);
        Ok(Sorted { offsets, values, counts: entries.into_iter().map(|(_, count)| count).collect() })
    }
}

impl Groups for Counts {
    const RETRACTS: bool = true;

    fn empty(&self) -> Result<Counts> {
        Counts::with(self.data_type.clone(), self.finish.clone())
    }

    fn grow(&mut self, groups: usize) {
        self.groups = groups;
    }

    fn add(&mut self, values: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        self.finish.check(&values[0])?;
        self.change(&values[0], rows, 1)
    }

    fn remove(&mut self, values: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        self.change(&values[0], rows, -1)
    }

    fn merge(&mut self, states: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [values, counts] = take_function_args("counted values", states)?;
        let foreign = || exec_datafusion_err!("a partial state is not one of counted values");
        let (values, counts) =
            (values.as_list_opt::<i32>().ok_or_else(foreign)?, counts.as_list_opt::<i32>().ok_or_else(foreign)?);
        let keys = self.converter.convert_columns(std::slice::from_ref(values.values()))?;
        let times = counts.values().as_primitive_opt::<Int64Type>().ok_or_else(foreign)?;
        for (row, group) in rows.iter() {
            let from = values.value_offsets()[row] as usize;
            let first_count = counts.value_offsets()[row] as usize;
            for i in 0..values.value_length(row) as usize {
                let number = self.number(keys.row(from + i).data())?;
                self.change_one(group, number, times.value(first_count + i));
            }
        }
        Ok(())
    }

    fn answers(&self, groups: usize) -> Result<ArrayRef> {
        self.finish.finish(&self.sorted(groups)?)
    }

    fn states(&self, groups: usize) -> Result<Vec<ArrayRef>> {
        let sorted = self.sorted(groups)?;
        let lengths = || sorted.offsets.windows(2).map(|ends| ends[1] - ends[0]);
        let counts: ArrayRef = Arc::new(Int64Array::from(sorted.counts));
        let [values, counts] = [sorted.values, counts].map(|items| list_column(items, lengths()));
        Ok(vec![Arc::new(values?), Arc::new(counts?)])
    }

    fn forget(&mut self, groups: usize) {
        self.groups -= groups;
        if self.groups == 0 {
            self.counts.clear();
            self.numbers.clear();
            self.distinct.clear();
            self.bytes = 0;
            return;
        }
        let gone = groups as u32;
        let rest = self.counts.drain().filter(|((group, _), _)| *group >= gone);
        self.counts = rest.map(|((group, number), count)| ((group - gone, number), count)).collect();
    }

    fn len(&self) -> usize {
        self.groups
    }

    fn size(&self) -> usize {
        let pointers = 2 * size_of::<Arc<[u8]>>() + 2 * size_of::<usize>();
        self.counts.capacity() * size_of::<((u32, u32), i64)>() + self.distinct.len() * pointers + self.bytes
    }
}
