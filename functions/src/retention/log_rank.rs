//! `log_rank(duration, ended, group_of)`: whether groups of customers stay equally long.

use super::durations::{
    Columns, Durations, Row, damaged, from_state, is_number, is_truth, is_weight, list_of, state_fields, to_state,
};
use crate::aggregates::{bigint, refuse_distinct};
use crate::manual::{Example, Function, Kind, Page, Section};
use crate::models::log_rank::{LogRank, chi_square_tail, log_rank};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StringArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use hashbrown::HashMap;
use std::sync::Arc;

const NAME: &str = "log_rank";

/// The covariance has the square of this many cells.
const MOST_GROUPS: usize = 1000;

pub(crate) const FUNCTION: Function = Function { kind: Kind::Aggregate(function), page: &PAGE };

const PAGE: Page = Page {
    name: NAME,
    section: Section::Retention,
    syntax: "log_rank(duration, ended, group_of [, weight])",
    summary: "Tests whether two or more groups of customers stay equally long",
    arguments: &[
        (
            "duration",
            "number, how long the customer was seen: to his end, or to the last day of observation; 0 or more",
        ),
        (
            "ended",
            "BOOLEAN, whether that was his end; false: he was still there. A comparison stands in brackets: \
         `(status = 'left')`; without them it is read as a named argument",
        ),
        ("group_of", "TEXT or what can be written as text: the group of the customer"),
        ("weight", "BIGINT, how many customers the row stands for, 1 where it is not given"),
    ],
    returns: "STRUCT: `chi_square` DOUBLE, `degrees_of_freedom` BIGINT (groups less one, less groups that were never \
        at risk beside another), `p_value` DOUBLE (how often chance alone makes a difference as great, were the groups \
        equal), `reason` TEXT (why the first and third are NULL: there was nothing to compare; else NULL), `left_out` \
        BIGINT (customers with a NULL in any argument), `groups`, a LIST of STRUCT(`group_of` TEXT, `customers` \
        BIGINT, `observed` BIGINT: ends, `expected` DOUBLE: ends if all groups were alike) in the order of the text.",
    description: "At every duration with an end, the ends are expected to fall on groups as their customers at risk \
        do. The differences, summed over durations, are weighed by their hypergeometric covariance: chi-square with as \
        many degrees of freedom as that has ranks.",
    sources: &[
        "Mantel (1966), Evaluation of Survival Data and Two New Rank Order Statistics Arising in Its Consideration",
        "Kalbfleisch and Prentice (1980), The Statistical Analysis of Failure Time Data, section 1.4 (the example)",
    ],
    examples: &[Example {
        sql: "SELECT round(l.chi_square, 3) AS chi_square, l.degrees_of_freedom AS df, round(l.p_value, 6) AS p_value \
              FROM (\n  SELECT log_rank(weeks, relapsed, treatment, patients) AS l FROM (VALUES\n    \
              (6, true, '6-MP', 3), (6, false, '6-MP', 1), (7, true, '6-MP', 1), (9, false, '6-MP', 1),\n    \
              (10, true, '6-MP', 1), (10, false, '6-MP', 1), (11, false, '6-MP', 1), (13, true, '6-MP', 1),\n    \
              (16, true, '6-MP', 1), (17, false, '6-MP', 1), (19, false, '6-MP', 1), (20, false, '6-MP', 1),\n    \
              (22, true, '6-MP', 1), (23, true, '6-MP', 1), (25, false, '6-MP', 1), (32, false, '6-MP', 2),\n    \
              (34, false, '6-MP', 1), (35, false, '6-MP', 1), (1, true, 'none', 2), (2, true, 'none', 2),\n    \
              (3, true, 'none', 1), (4, true, 'none', 2), (5, true, 'none', 2), (8, true, 'none', 4),\n    \
              (11, true, 'none', 2), (12, true, 'none', 2), (15, true, 'none', 1), (17, true, 'none', 1),\n    \
              (22, true, 'none', 1), (23, true, 'none', 1)) AS t(weeks, relapsed, treatment, patients))",
        answer: "chi_square | df | p_value\n16.793 | 1 | 0.000042",
    }],
    limits: &[
        "It sees a difference that goes one way for the whole time. Curves that cross can differ much and give a high \
         p-value: look at `kaplan_meier` of each.",
        "Groups must be formed by what was known at the beginning. Grouping by what customers did later (bought twice, \
         stayed a year) proves only that those who stayed stayed.",
        "A negative, infinite or NaN duration is an error, and so are more than 1,000 groups.",
        "With one group, or where no two groups were ever at risk together, `chi_square` and `p_value` are NULL.",
    ],
    related: &["kaplan_meier"],
};

fn function() -> AggregateUDF {
    let mut signature = Signature::user_defined(Volatility::Immutable);
    signature.parameter_names = Some(["duration", "ended", "group_of", "weight"].map(String::from).to_vec());
    AggregateUDF::from(LogRankTest { signature })
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
        let label = |given: &DataType| !given.is_nested();
        let tests: [fn(&DataType) -> bool; 4] = [is_number, is_truth, label, is_weight];
        if !(3..=4).contains(&types.len()) || !types.iter().zip(tests).all(|(given, test)| test(given)) {
            let got: Vec<_> = types.iter().map(ToString::to_string).collect();
            return plan_err!(
                "{NAME}: arguments of (duration, ended, group_of [, weight]) are needed and not ({})",
                got.join(", ")
            );
        }
        let all = [DataType::Float64, DataType::Float64, DataType::Utf8, DataType::Int64];
        Ok(all[..types.len()].to_vec())
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
        let name = |part: &str| format!("{}[{part}]", arguments.name);
        let text = Field::new_list_field(DataType::Utf8, true);
        fields.push(Arc::new(Field::new_list(name("group_of"), text, true)));
        fields.push(Arc::new(Field::new(name("left_out"), DataType::Int64, true)));
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
        if self.groups.len() >= MOST_GROUPS && !self.groups.contains_key(label) {
            return exec_err!("{NAME}: there are more than {MOST_GROUPS} groups; compare fewer, such as by cohort");
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
                // Of nobody there is no group; the row is still looked at.
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
        state.push(list_of(Arc::new(StringArray::from(labels)))?);
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
        _ if test.groups.iter().all(|group| group.observed == 0) => "nobody ended in any group",
        _ => "no two groups were at risk together at an end that not all of them shared",
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
