//! `log_rank(duration, ended, group_of)`: whether groups of customers stay equally long.

use super::durations::{
    Columns, Durations, Kind, Row, coerced, damaged, from_state, signature, state_fields, to_state,
};
use crate::common::{bigint, list_field, list_value, refuse_distinct};
use crate::constants::{ConstantProblem, Constants};
use crate::limits;
use crate::manual::{Function, Section, page};
use crate::models::log_rank::{LogRank, chi_square_tail, log_rank};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StringArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature};
use hashbrown::HashMap;
use std::sync::Arc;

const NAME: &str = "log_rank";

/// The covariance has the square of this many cells.
const MAX_GROUPS: usize = 1000;

pub(crate) const FUNCTION: Function =
    Function::aggregate("log_rank", Section::Retention, page!("log_rank"), function).with_rule(check_constants);

/// Names of the arguments and what they may be.
const ARGUMENTS: [(&str, Kind); 4] =
    [("duration", Kind::Number), ("ended", Kind::Outcome), ("group_of", Kind::Label), ("weight", Kind::Weight)];

fn function() -> AggregateUDF {
    AggregateUDF::from(LogRankTest { signature: signature(&ARGUMENTS) })
}

fn check_constants(arguments: &Constants<'_>) -> Result<(), ConstantProblem> {
    arguments.test_integer(3, limits::weight)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct LogRankTest {
    signature: Signature,
}

impl AggregateUDFImpl for LogRankTest {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerced(NAME, &ARGUMENTS, 1, types)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        refuse_distinct(NAME, &arguments)?;
        Ok(Box::<Groups>::default())
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let mut fields = state_fields(arguments.name);
        fields.push(list_field(arguments.name, "group_of", DataType::Utf8));
        fields.push(Arc::new(Field::new(format!("{}[left_out]", arguments.name), DataType::Int64, true)));
        Ok(fields)
    }

    /// `ORDER BY` inside the call makes no difference; by default the engine would hand its columns over as arguments.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// What was seen of each group, by its text, and the answer for as long as it holds.
#[derive(Debug, Default)]
struct Groups {
    groups: HashMap<String, Durations>,
    left_out: u64,
    answer: Option<ScalarValue>,
}

impl Groups {
    #[inline]
    fn group(&mut self, label: &str) -> Result<&mut Durations> {
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(label) {
            return exec_err!("{NAME}: there are more than {MAX_GROUPS} groups; compare fewer, for example cohorts");
        }
        Ok(self.groups.entry_ref(label).or_default())
    }
}

impl Accumulator for Groups {
    fn update_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        self.answer = None;
        let columns = Columns::new(&arguments[0], &arguments[1], arguments.get(3));
        let labels = arguments[2].as_string::<i32>();
        for row in 0..labels.len() {
            match columns.row(NAME, row)? {
                // A weight of 0 makes no group; the row is still validated.
                Row::Whole(input, 0) => Durations::default().add(NAME, input, 0)?,
                Row::Whole(input, weight) if labels.is_valid(row) => {
                    self.group(labels.value(row))?.add(NAME, input, weight)?;
                }
                Row::Whole(_, weight) | Row::LeftOut(weight) => self.left_out = self.left_out.saturating_add(weight),
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if let Some(answer) = &self.answer {
            return Ok(answer.clone());
        }
        let mut groups: Vec<(&String, &Durations)> = self.groups.iter().collect();
        groups.sort_unstable_by_key(|(label, _)| *label);
        let seen = groups.iter().map(|(_, group)| group.seen(NAME)).collect::<Result<Vec<_>>>()?;
        let labels: Vec<&str> = groups.iter().map(|(label, _)| label.as_str()).collect();
        let answer = ScalarValue::Struct(Arc::new(answer(&labels, &log_rank(&seen), self.left_out)?));
        self.answer = Some(answer.clone());
        Ok(answer)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut counts = Vec::new();
        let mut labels = Vec::new();
        for (label, durations) in &self.groups {
            counts.extend(durations.iter());
            labels.resize(counts.len(), label.as_str());
        }
        let mut state = to_state(&counts)?;
        state.push(list_value(Arc::new(StringArray::from(labels)))?);
        state.push(ScalarValue::Int64(Some(bigint(self.left_out))));
        Ok(state)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.answer = None;
        let labels = states[3].as_list_opt::<i32>().ok_or_else(damaged)?;
        let left_out = states[4].as_primitive::<Int64Type>();
        for row in 0..left_out.len() {
            let labels = labels.value(row);
            let labels = labels.as_string_opt::<i32>().ok_or_else(damaged)?;
            from_state(states, row, |i, input, weight| {
                self.group(labels.value(i))?.merge(input, weight);
                Ok(())
            })?;
            self.left_out = self.left_out.saturating_add(left_out.value(row).unsigned_abs());
        }
        Ok(())
    }

    fn size(&self) -> usize {
        let groups = self.groups.iter().map(|(label, group)| label.len() + size_of::<Durations>() + group.size());
        size_of::<Self>() + groups.sum::<usize>()
    }
}

fn fields() -> Fields {
    vec![
        Field::new("chi_square", DataType::Float64, true),
        Field::new("degrees_of_freedom", DataType::Int64, false),
        Field::new("p_value", DataType::Float64, true),
        Field::new("reason", DataType::Utf8, true),
        Field::new("left_out", DataType::Int64, false),
        Field::new("groups", DataType::List(Arc::new(item())), false),
    ]
    .into()
}

fn item() -> Field {
    Field::new_list_field(DataType::Struct(group_fields()), true)
}

fn group_fields() -> Fields {
    vec![
        Field::new("group_of", DataType::Utf8, false),
        Field::new("customers", DataType::Int64, false),
        Field::new("observed", DataType::Int64, false),
        Field::new("expected", DataType::Float64, false),
    ]
    .into()
}

/// Why nothing could be compared.
fn reason(test: &LogRank) -> Option<&'static str> {
    if test.degrees_of_freedom > 0 {
        return None;
    }
    Some(match test.groups.iter().filter(|group| group.customers > 0).count() {
        0 => "there is no customer",
        1 => "there is only one group",
        _ if test.groups.iter().all(|group| group.observed == 0) => "nobody left in any group",
        _ => "at no time at which customers left were two groups at risk that could differ",
    })
}

fn answer(labels: &[&str], test: &LogRank, left_out: u64) -> Result<StructArray> {
    let comparable = test.degrees_of_freedom > 0;
    let p_value = chi_square_tail(test.chi_square, test.degrees_of_freedom);
    let groups = StructArray::try_new(
        group_fields(),
        vec![
            Arc::new(StringArray::from(labels.to_vec())),
            Arc::new(test.groups.iter().map(|group| Some(bigint(group.customers))).collect::<Int64Array>()),
            Arc::new(test.groups.iter().map(|group| Some(bigint(group.observed))).collect::<Int64Array>()),
            Arc::new(test.groups.iter().map(|group| Some(group.expected)).collect::<Float64Array>()),
        ],
        None,
    )?;
    let offsets = OffsetBuffer::from_lengths([groups.len()]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Float64Array::from(vec![comparable.then_some(test.chi_square)])),
        Arc::new(Int64Array::from(vec![bigint(test.degrees_of_freedom as u64)])),
        Arc::new(Float64Array::from(vec![comparable.then_some(p_value)])),
        Arc::new(StringArray::from(vec![reason(test)])),
        Arc::new(Int64Array::from(vec![bigint(left_out)])),
        Arc::new(ListArray::try_new(Arc::new(item()), offsets, Arc::new(groups), None)?),
    ];
    Ok(StructArray::try_new(fields(), columns, None)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(rows: &[(u8, bool, u8)]) -> Groups {
        let columns: [ArrayRef; 3] = [
            Arc::new(rows.iter().map(|row| Some(f64::from(row.0) / 8.0)).collect::<Float64Array>()),
            Arc::new(rows.iter().map(|row| Some(f64::from(u8::from(row.1)))).collect::<Float64Array>()),
            Arc::new(rows.iter().map(|row| Some(row.2.to_string())).collect::<StringArray>()),
        ];
        let mut groups = Groups::default();
        groups.update_batch(&columns).unwrap();
        groups
    }

    proptest! {
        #[test]
        fn merged_states_and_other_orders_are_the_same_to_the_bit(
            rows in proptest::collection::vec((any::<u8>(), any::<bool>(), 0u8..5), 1..60),
            cut in 0usize..60,
        ) {
            let whole = of(&rows).evaluate().unwrap();
            let (one, other) = rows.split_at(cut.min(rows.len()));
            let mut merged = Groups::default();
            for part in [other, one] {
                let state: Vec<ArrayRef> = of(part).state().unwrap().iter().map(|s| s.to_array().unwrap()).collect();
                merged.merge_batch(&state).unwrap();
            }
            prop_assert_eq!(merged.evaluate().unwrap(), whole.clone());
            let turned: Vec<_> = rows.iter().rev().copied().collect();
            prop_assert_eq!(of(&turned).evaluate().unwrap(), whole);
        }
    }
}
