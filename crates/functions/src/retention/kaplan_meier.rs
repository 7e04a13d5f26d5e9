//! `kaplan_meier(duration, ended)`: how long customers stay, where some are still there.

use super::durations::{Columns, Durations, Kind, Row, coerced, from_state, signature, state_fields, to_state};
use crate::common::{bigint, refuse_distinct};
use crate::constants::{ConstantProblem, Constants, ValueProblem};
use crate::limits;
use crate::manual::{Function, Section, page};
use crate::models::kaplan_meier::{Curve, Step, curve};
use crate::models::numeric::normal_quantile;
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type, Int64Type};
use datafusion::common::{ScalarValue, exec_datafusion_err, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature};
use std::sync::Arc;

const NAME: &str = "kaplan_meier";

pub(crate) const FUNCTION: Function =
    Function::aggregate("kaplan_meier", Section::Retention, page!("kaplan_meier"), function).with_rule(check_constants);

/// Names of the arguments and what they may be.
const ARGUMENTS: [(&str, Kind); 4] =
    [("duration", Kind::Number), ("ended", Kind::Outcome), ("weight", Kind::Weight), ("until", Kind::Number)];

fn function() -> AggregateUDF {
    AggregateUDF::from(KaplanMeier { signature: signature(&ARGUMENTS) })
}

fn check_constants(arguments: &Constants<'_>) -> Result<(), ConstantProblem> {
    arguments.test_integer(2, limits::weight)?;
    arguments.test_number(3, test_until)
}

fn test_until(until: f64) -> Result<f64, ValueProblem> {
    if until.is_finite() && until >= 0.0 {
        return Ok(until);
    }
    Err(ValueProblem::new(format!("until is {until}"), "it is a finite number, 0 or more"))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct KaplanMeier {
    signature: Signature,
}

impl AggregateUDFImpl for KaplanMeier {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerced(NAME, &ARGUMENTS, 2, types)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        refuse_distinct(NAME, &arguments)?;
        Ok(Box::<Group>::default())
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let mut fields = state_fields(arguments.name);
        let single =
            |part: &str, data_type| Arc::new(Field::new(format!("{}[{part}]", arguments.name), data_type, true));
        fields.push(single("left_out", DataType::Int64));
        fields.push(single("until", DataType::Float64));
        Ok(fields)
    }

    /// `ORDER BY` inside the call makes no difference; by default the engine would hand its columns over as arguments.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// What a group has seen, and its answer for as long as it holds.
#[derive(Debug, Default)]
struct Group {
    durations: Durations,
    left_out: u64,
    until: Option<f64>,
    answer: Option<ScalarValue>,
}

impl Group {
    fn set_until(&mut self, until: f64) -> Result<()> {
        match self.until {
            Some(present) if present == until => {}
            Some(present) => return exec_err!("{NAME}: until is {present} and {until} in one group; it has one value"),
            None => {
                test_until(until).map_err(|problem| exec_datafusion_err!("{NAME}: {problem}"))?;
                self.until = Some(until);
            }
        }
        Ok(())
    }
}

impl Accumulator for Group {
    fn update_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        self.answer = None;
        let columns = Columns::new(&arguments[0], &arguments[1], arguments.get(2));
        let until = arguments.get(3).map(|until| until.as_primitive::<Float64Type>());
        for row in 0..arguments[0].len() {
            match columns.row(NAME, row)? {
                Row::Whole(input, weight) => self.durations.add(NAME, input, weight)?,
                Row::LeftOut(weight) => self.left_out = self.left_out.saturating_add(weight),
            }
            if let Some(until) = until.filter(|until| until.is_valid(row)) {
                self.set_until(until.value(row))?;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if let Some(answer) = &self.answer {
            return Ok(answer.clone());
        }
        let curve = curve(&self.durations.seen(NAME)?, normal_quantile(0.975));
        let answer = ScalarValue::Struct(Arc::new(answer(&curve, self.until, self.left_out)?));
        self.answer = Some(answer.clone());
        Ok(answer)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let counts: Vec<_> = self.durations.iter().collect();
        let mut state = to_state(&counts)?;
        state.push(ScalarValue::Int64(Some(bigint(self.left_out))));
        state.push(ScalarValue::Float64(self.until));
        Ok(state)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.answer = None;
        let left_out = states[3].as_primitive::<Int64Type>();
        let until = states[4].as_primitive::<Float64Type>();
        for row in 0..left_out.len() {
            from_state(states, row, |_, input, weight| {
                self.durations.merge(input, weight);
                Ok(())
            })?;
            self.left_out = self.left_out.saturating_add(left_out.value(row).unsigned_abs());
            if until.is_valid(row) {
                self.set_until(until.value(row))?;
            }
        }
        Ok(())
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.durations.size()
    }
}

const COUNTS: [&str; 3] = ["customers", "ended", "left_out"];
const NUMBERS: [&str; 6] = ["median", "median_low", "median_high", "restricted_mean", "restricted_mean_se", "until"];

fn fields() -> Fields {
    let counts = COUNTS.iter().map(|name| Field::new(*name, DataType::Int64, false));
    let numbers = NUMBERS.iter().map(|name| Field::new(*name, DataType::Float64, true));
    counts.chain(numbers).chain([Field::new("curve", DataType::List(Arc::new(item())), false)]).collect()
}

fn item() -> Field {
    Field::new_list_field(DataType::Struct(step_fields()), true)
}

fn step_fields() -> Fields {
    let counts = ["at_risk", "ended", "left_observation"].map(|name| Field::new(name, DataType::Int64, false));
    let numbers = ["standard_error", "low", "high"].map(|name| Field::new(name, DataType::Float64, true));
    let time = [Field::new("time", DataType::Float64, false)];
    let survival = [Field::new("survival", DataType::Float64, false)];
    time.into_iter().chain(counts).chain(survival).chain(numbers).collect()
}

fn answer(curve: &Curve, until: Option<f64>, left_out: u64) -> Result<StructArray> {
    let ended: u64 = curve.steps.iter().map(|step| step.seen.ended).sum();
    let customers = curve.steps.first().map_or(0, |step| step.at_risk);
    let until = until.or(curve.last_time());
    let mean = until.and_then(|until| curve.restricted_mean(until));
    let counts = [customers, ended, left_out];
    let numbers = [
        curve.median,
        curve.median_low,
        curve.median_high,
        mean.map(|mean| mean.mean),
        mean.map(|mean| mean.standard_error),
        until,
    ];
    let counts = counts.map(|count| Arc::new(Int64Array::from(vec![bigint(count)])) as ArrayRef);
    let numbers = numbers.map(|number| Arc::new(Float64Array::from(vec![number])) as ArrayRef);
    let steps = steps(&curve.steps)?;
    let offsets = OffsetBuffer::from_lengths([steps.len()]);
    let list: ArrayRef = Arc::new(ListArray::try_new(Arc::new(item()), offsets, Arc::new(steps), None)?);
    Ok(StructArray::try_new(fields(), counts.into_iter().chain(numbers).chain([list]).collect(), None)?)
}

fn steps(steps: &[Step]) -> Result<StructArray> {
    let number = |of: fn(&Step) -> Option<f64>| Arc::new(steps.iter().map(of).collect::<Float64Array>()) as ArrayRef;
    let count = |of: fn(&Step) -> u64| {
        Arc::new(steps.iter().map(|step| Some(bigint(of(step)))).collect::<Int64Array>()) as ArrayRef
    };
    let columns = vec![
        number(|step| Some(step.seen.time)),
        count(|step| step.at_risk),
        count(|step| step.seen.ended),
        count(|step| step.seen.left),
        number(|step| Some(step.survival)),
        number(|step| step.standard_error),
        number(|step| step.limits.map(|limits| limits.0)),
        number(|step| step.limits.map(|limits| limits.1)),
    ];
    Ok(StructArray::try_new(step_fields(), columns, None)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(rows: &[(u8, bool, i64)]) -> Group {
        let columns: [ArrayRef; 3] = [
            Arc::new(rows.iter().map(|row| Some(f64::from(row.0) / 8.0)).collect::<Float64Array>()),
            Arc::new(rows.iter().map(|row| Some(f64::from(u8::from(row.1)))).collect::<Float64Array>()),
            Arc::new(rows.iter().map(|row| Some(row.2)).collect::<Int64Array>()),
        ];
        let mut group = Group::default();
        group.update_batch(&columns).unwrap();
        group
    }

    proptest! {
        #[test]
        fn merged_states_and_other_orders_are_the_same_to_the_bit(
            rows in proptest::collection::vec((any::<u8>(), any::<bool>(), 0i64..4), 1..60),
            cut in 0usize..60,
        ) {
            let whole = of(&rows).evaluate().unwrap();
            let (one, other) = rows.split_at(cut.min(rows.len()));
            let mut merged = Group::default();
            for part in [other, one] {
                let state: Vec<ArrayRef> = of(part).state().unwrap().iter().map(|s| s.to_array().unwrap()).collect();
                merged.merge_batch(&state).unwrap();
            }
            prop_assert_eq!(merged.evaluate().unwrap(), whole.clone());
            let turned: Vec<_> = rows.iter().rev().copied().collect();
            prop_assert_eq!(of(&turned).evaluate().unwrap(), whole.clone());
            let repeated: Vec<_> = rows.iter().flat_map(|row| (0..row.2).map(|_| (row.0, row.1, 1))).collect();
            prop_assert_eq!(of(&repeated).evaluate().unwrap(), whole);
        }
    }
}
