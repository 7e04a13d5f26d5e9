//! How long customers were seen, and whether they ended: the arguments and the state of the aggregates of retention.

use crate::common::{bigint, list_field, list_value, type_name};
use crate::fits::collapsed::{Collapsed, MAX_CUSTOMERS};
use crate::limits;
use crate::models::kaplan_meier::Seen;
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::datatypes::{DataType, FieldRef, Float64Type, Int64Type};
use datafusion::common::{ScalarValue, exec_datafusion_err, exec_err, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Signature, Volatility};
use std::sync::Arc;

/// The columns of a batch.
pub(super) struct Columns<'a> {
    duration: &'a Float64Array,
    ended: &'a Float64Array,
    weight: Option<&'a Int64Array>,
}

/// One row: a duration with 1 where it ended, and how many customers it stands for.
pub(super) enum Row {
    /// Nothing is NULL.
    Whole([f64; 2], u64),
    /// Duration, ended or weight is NULL.
    LeftOut(u64),
}

/// What an argument may be.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A number.
    Number,
    /// BOOLEAN, or 1 and 0, which is seen row by row.
    Outcome,
    /// What can be written as text.
    Label,
    /// A whole number.
    Weight,
}

impl Kind {
    /// The type that an argument is brought to; an error says what is needed.
    fn coerced(self, given: &DataType) -> Result<DataType, &'static str> {
        let is_number = given.is_numeric() || given.is_null();
        match self {
            Kind::Number if is_number => Ok(DataType::Float64),
            Kind::Number => Err("a number"),
            Kind::Outcome if is_number || given == &DataType::Boolean => Ok(DataType::Float64),
            Kind::Outcome => Err("BOOLEAN"),
            Kind::Label if !given.is_nested() => Ok(DataType::Utf8),
            Kind::Label => Err("a text"),
            Kind::Weight if given.is_integer() || given.is_null() => Ok(DataType::Int64),
            Kind::Weight => Err("a whole number"),
        }
    }
}

/// The types that the arguments of an aggregate of retention are brought to. The last `optional` may be left out.
pub(super) fn coerced(
    function: &str,
    arguments: &[(&str, Kind)],
    optional: usize,
    types: &[DataType],
) -> Result<Vec<DataType>> {
    let (needed, optional) = arguments.split_at(arguments.len() - optional);
    if !(needed.len()..=arguments.len()).contains(&types.len()) {
        let names: Vec<&str> = needed.iter().map(|(name, _)| *name).collect();
        let options: String = optional.iter().map(|(name, _)| format!(" [, {name}")).collect();
        let ends = "]".repeat(optional.len());
        let given: Vec<_> = types.iter().map(type_name).collect();
        let (names, given) = (names.join(", "), given.join(", "));
        return plan_err!("{function}: arguments of ({names}{options}{ends}) are needed and not ({given})");
    }
    let coerced = arguments.iter().zip(types).map(|((name, kind), given)| match kind.coerced(given) {
        Ok(coerced) => Ok(coerced),
        Err(needed) => plan_err!("{function}: {name} is {}; it is {needed}", type_name(given)),
    });
    coerced.collect()
}

/// A signature with the names of the arguments.
pub(super) fn signature(arguments: &[(&str, Kind)]) -> Signature {
    let mut signature = Signature::user_defined(Volatility::Immutable);
    signature.parameter_names = Some(arguments.iter().map(|(name, _)| (*name).to_string()).collect());
    signature
}

impl<'a> Columns<'a> {
    /// Of columns that were brought to DOUBLE, DOUBLE and BIGINT.
    pub fn new(duration: &'a ArrayRef, ended: &'a ArrayRef, weight: Option<&'a ArrayRef>) -> Columns<'a> {
        Columns {
            duration: duration.as_primitive::<Float64Type>(),
            ended: ended.as_primitive::<Float64Type>(),
            weight: weight.map(|weight| weight.as_primitive::<Int64Type>()),
        }
    }

    /// A row.
    #[inline]
    pub fn row(&self, function: &str, row: usize) -> Result<Row> {
        let weight = match self.weight {
            Some(weights) if weights.is_null(row) => return Ok(Row::LeftOut(1)),
            Some(weights) => {
                limits::weight(weights.value(row)).map_err(|problem| exec_datafusion_err!("{function}: {problem}"))?
            }
            None => 1,
        };
        if self.duration.is_null(row) || self.ended.is_null(row) {
            return Ok(Row::LeftOut(weight));
        }
        Ok(Row::Whole([self.duration.value(row), self.ended.value(row)], weight))
    }
}

/// Distinct durations with the numbers of those who ended and those who were last seen then.
#[derive(Debug, Default)]
pub(super) struct Durations {
    counts: Collapsed<2>,
}

impl Durations {
    /// Adds a row; an impossible duration is an error.
    #[inline]
    pub fn add(&mut self, function: &str, input: [f64; 2], weight: u64) -> Result<()> {
        self.counts.add(input, weight, |[duration, ended]| {
            let wrong = if !duration.is_finite() || *duration < 0.0 {
                "the duration is a finite number, 0 or more"
            } else if *ended != 0.0 && *ended != 1.0 {
                "ended is true or false (1 or 0)"
            } else {
                return Ok(true);
            };
            exec_err!("{function}: duration {duration}, ended {ended} are impossible: {wrong}")
        })
    }

    /// What was seen, ascending by time.
    pub fn seen(&self, function: &str) -> Result<Vec<Seen>> {
        if self.counts.customers() > MAX_CUSTOMERS {
            return exec_err!("{function}: the weights come to more than 2^53 customers");
        }
        let mut all: Vec<Seen> = Vec::with_capacity(self.counts.len());
        for row in self.counts.sorted() {
            let [time, ended] = row.input;
            let weight = row.weight as u64;
            if all.last().is_none_or(|last| last.time != time) {
                all.push(Seen { time, ended: 0, left: 0 });
            }
            if let Some(seen) = all.last_mut() {
                if ended == 1.0 { seen.ended += weight } else { seen.left += weight }
            }
        }
        Ok(all)
    }

    /// Bytes it takes.
    pub fn size(&self) -> usize {
        self.counts.size()
    }

    /// Durations, whether they ended, and weights, in no order.
    pub fn iter(&self) -> impl Iterator<Item = ([f64; 2], u64)> {
        self.counts.iter()
    }

    /// Adds what [`Durations::iter`] of another gave.
    pub fn merge(&mut self, input: [f64; 2], weight: u64) {
        self.counts.merge(input, weight);
    }
}

/// The fields of the state that [`to_state`] makes.
pub(super) fn state_fields(name: &str) -> Vec<FieldRef> {
    let list = |part, item| list_field(name, part, item);
    vec![list("duration", DataType::Float64), list("ended", DataType::Float64), list("weight", DataType::Int64)]
}

/// Counts as three lists.
pub(super) fn to_state(counts: &[([f64; 2], u64)]) -> Result<Vec<ScalarValue>> {
    let column = |k: usize| counts.iter().map(|(input, _)| Some(input[k])).collect::<Float64Array>();
    let weights = counts.iter().map(|(_, weight)| Some(bigint(*weight))).collect::<Int64Array>();
    Ok(vec![list_value(Arc::new(column(0)))?, list_value(Arc::new(column(1)))?, list_value(Arc::new(weights))?])
}

/// Reads the three lists of a state, for every row of it in turn.
pub(super) fn from_state(
    lists: &[ArrayRef],
    row: usize,
    mut each: impl FnMut(usize, [f64; 2], u64) -> Result<()>,
) -> Result<()> {
    let values = |k: usize| lists.get(k).and_then(|list| list.as_list_opt::<i32>()).map(|list| list.value(row));
    let (Some(durations), Some(ended), Some(weights)) = (values(0), values(1), values(2)) else {
        return Err(damaged());
    };
    let (Some(durations), Some(ended), Some(weights)) = (
        durations.as_primitive_opt::<Float64Type>(),
        ended.as_primitive_opt::<Float64Type>(),
        weights.as_primitive_opt::<Int64Type>(),
    ) else {
        return Err(damaged());
    };
    (0..durations.len()).try_for_each(|i| {
        each(i, [durations.value(i), ended.value(i)], u64::try_from(weights.value(i)).unwrap_or_default())
    })
}

/// The error of a state that no accumulator made.
pub(super) fn damaged() -> DataFusionError {
    DataFusionError::Internal("the partial state of an aggregate of retention has other columns".into())
}
