//! `kaplan_meier(duration, ended)`: how long customers stay, where some are still there.

use super::durations::{Columns, Durations, Row, from_state, is_number, is_truth, is_weight, state_fields, to_state};
use crate::aggregates::{bigint, refuse_distinct};
use crate::manual::{Example, Function, Kind, Page, Section};
use crate::models::kaplan_meier::{Curve, Step, curve};
use crate::models::numeric::normal_quantile;
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type, Int64Type};
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use std::sync::Arc;

const NAME: &str = "kaplan_meier";

pub(crate) const FUNCTION: Function = Function { kind: Kind::Aggregate(function), page: &PAGE };

const PAGE: Page = Page {
    name: NAME,
    section: Section::Retention,
    syntax: "kaplan_meier(duration, ended [, weight [, until]])",
    summary: "The share of customers who stay longer than each duration, where some are still there when last seen",
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
        ("weight", "BIGINT, how many customers the row stands for, 1 where it is not given"),
        (
            "until",
            "number, the same in all rows of a group: to where the restricted mean goes. The greatest duration \
         seen where it is not given or NULL",
        ),
    ],
    returns: "STRUCT: `customers` BIGINT, `ended` BIGINT (of these), `left_out` BIGINT (with a NULL among duration, \
        ended and weight); `median` DOUBLE (the first duration at which a half or fewer are left; NULL means: not \
        reached), `median_low` and `median_high` DOUBLE (its 95 % interval; NULL: not reached); `restricted_mean` \
        DOUBLE (mean duration within `until`), `restricted_mean_se` DOUBLE (its standard error), `until` DOUBLE; \
        `curve`, a LIST with a STRUCT for each duration seen, ascending: `time` DOUBLE, `at_risk` BIGINT (customers \
        seen so long), `ended` BIGINT, `left_observation` BIGINT (last seen then, not ended), `survival` DOUBLE, \
        `standard_error` DOUBLE (Greenwood; NULL at survival 0), `low` and `high` DOUBLE (95 % interval; NULL at \
        survival 1 and 0). All durations are in the unit of the input.",
    description: "Survival is the product of `1 - ended / at_risk` over the durations so far. A customer last seen at \
        a duration counts as at risk there: ends come before leaving observation. The standard error is `S sqrt(sum of \
        d / (n (n - d)))`; the interval is symmetric for `ln(-ln S)`, so that it stays between 0 and 1; the interval \
        of the median is where that band crosses a half. The restricted mean is the area under the curve, customers \
        who stay longer counting as `until`: unlike the median it always exists, and compare groups at one `until`.",
    sources: &[
        "Kaplan and Meier (1958), Nonparametric Estimation from Incomplete Observations, JASA 53",
        "Greenwood (1926), The Natural Duration of Cancer",
        "Kalbfleisch and Prentice (1980), The Statistical Analysis of Failure Time Data, equation 1.13 (the interval)",
        "Brookmeyer and Crowley (1982), A Confidence Interval for the Median Survival Time, Biometrics 38",
        "Klein and Moeschberger (2003), Survival Analysis, section 4.5 (the restricted mean)",
    ],
    examples: &[
        Example {
            sql: "SELECT k.customers AS customers, k.ended AS ended, k.median AS median, k.median_high AS high,\n  \
                  round(k.restricted_mean, 3) AS mean, k.until AS until\nFROM (SELECT kaplan_meier(months, ended) AS k \
                  FROM (VALUES\n    \
                  (1, true), (2, true), (2, false), (3, true), (5, false), (6, true), (8, false), (8, false)\n  \
                  ) AS t(months, ended))",
            answer: "customers | ended | median | high | mean | until\n8 | 4 | 6.0 | NULL | 5.225 | 8.0",
        },
        Example {
            sql: "SELECT s['time'] AS time, s['at_risk'] AS at_risk, s['ended'] AS ended, round(s['survival'], 4) AS \
                  survival,\n  round(s['standard_error'], 4) AS standard_error, round(s['low'], 3) AS low, \
                  round(s['high'], 3) AS high\nFROM (SELECT unnest(kaplan_meier(weeks, relapsed)['curve']) AS s \
                  FROM (VALUES\n    (6, true), (6, true), (6, true), (6, false), (7, true), (9, false), (10, true), \
                  (10, false), (11, false),\n    (13, true), (16, true), (17, false), (19, false), (20, false), \
                  (22, true), (23, true), (25, false),\n    (32, false), (32, false), (34, false), (35, false)\n  \
                  ) AS t(weeks, relapsed))\nWHERE s['ended'] > 0",
            answer: "time | at_risk | ended | survival | standard_error | low | high\n\
                     6.0 | 21 | 3 | 0.8571 | 0.0764 | 0.62 | 0.952\n\
                     7.0 | 17 | 1 | 0.8067 | 0.0869 | 0.563 | 0.923\n\
                     10.0 | 15 | 1 | 0.7529 | 0.0963 | 0.503 | 0.889\n\
                     13.0 | 12 | 1 | 0.6902 | 0.1068 | 0.432 | 0.849\n\
                     16.0 | 11 | 1 | 0.6275 | 0.1141 | 0.368 | 0.805\n\
                     22.0 | 7 | 1 | 0.5378 | 0.1282 | 0.268 | 0.747\n\
                     23.0 | 6 | 1 | 0.4482 | 0.1346 | 0.188 | 0.68",
        },
    ],
    limits: &[
        "Leaving observation must have nothing to do with being about to end. Customers who cancelled their account \
         have ended; they did not leave observation.",
        "A negative, infinite or NaN duration is an error, and so are different values of `until` in one group.",
        "The restricted mean is NULL where `until` lies beyond the greatest duration seen and somebody stayed.",
        "The end of the curve rests on few customers: look at `at_risk`.",
    ],
    related: &["log_rank", "shifted_beta_geometric_fit", "survival"],
};

fn function() -> AggregateUDF {
    let mut signature = Signature::user_defined(Volatility::Immutable);
    signature.parameter_names = Some(["duration", "ended", "weight", "until"].map(String::from).to_vec());
    AggregateUDF::from(KaplanMeier { signature })
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
        let tests = [is_number, is_truth, is_weight, is_number];
        if !(2..=4).contains(&types.len()) || !types.iter().zip(tests).all(|(given, test)| test(given)) {
            let got: Vec<_> = types.iter().map(ToString::to_string).collect();
            return plan_err!(
                "{NAME}: arguments of (duration, ended [, weight [, until]]) are needed and not ({})",
                got.join(", ")
            );
        }
        let all = [DataType::Float64, DataType::Float64, DataType::Int64, DataType::Float64];
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
            None if until.is_finite() && until >= 0.0 => self.until = Some(until),
            None => return exec_err!("{NAME}: until is {until}; it is a finite number, 0 or more"),
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
