//! What fits of repeat buying have in common: their arguments, which histories there can be, how much data is enough.

use super::aggregate::Judgement;
use super::collapsed::Weighted;
use super::fit::{Fit, Model, Scale};
use crate::models::geometric::{DropOut, Likelihood};
use crate::models::{History, Maximum};

/// Names of the arguments and of the fields of a summary.
pub(crate) const INPUTS: [&str; 3] = ["frequency", "recency", "age"];

/// The arguments for the manual.
pub(crate) const ARGUMENTS: &[(&str, &str)] = &[
    ("frequency", "number, repeat purchases: days with a purchase after the first"),
    ("recency", "number, time from the first to the last purchase, 0 without a repeat"),
    ("age", "number, time from the first purchase to the end of observation"),
    ("unit", "TEXT, the unit of recency and age: day, week, month or year; the same in all rows of a group"),
    ("weight", "BIGINT, how many customers the row stands for, 1 where it is not given"),
    ("summary", "STRUCT of `purchase_summary`, instead of the first four"),
];

/// The answer for the manual, of a model with four parameters.
pub(crate) const RETURNS: &str = "STRUCT";

/// Repeat purchases below which no fit is made: with fewer, four parameters are less certain than a guess.
const FEWEST_REPEATS: f64 = 10.0;

/// What is to be done with (frequency, recency, age).
pub(crate) fn judge(input: &[f64; 3]) -> Judgement {
    let [frequency, recency, age] = *input;
    let wrong = if !input.iter().all(|number| number.is_finite()) {
        "all three are finite numbers"
    } else if frequency < 0.0 || frequency.fract() != 0.0 {
        "the frequency is a whole number, 0 or more"
    } else if age <= 0.0 {
        "the age is more than 0"
    } else if recency < 0.0 || recency > age {
        "the recency lies between 0 and the age"
    } else if frequency == 0.0 && recency > 0.0 {
        "without a repeat purchase the recency is 0"
    } else if frequency > 0.0 && recency == 0.0 {
        "with a repeat purchase the recency is more than 0, since purchases of a day count once"
    } else {
        return Judgement::Use;
    };
    Judgement::Fault(format!("frequency {frequency}, recency {recency}, age {age} cannot be: {wrong}"))
}

/// Whether there is enough to fit a model of repeat buying; else why not.
pub(crate) fn too_little(inputs: &[Weighted<3>]) -> Option<String> {
    let customers: f64 = inputs.iter().map(|row| row.weight).sum();
    let repeats: f64 = inputs.iter().map(|row| row.weight * row.input[0]).sum();
    if customers == 0.0 {
        return Some("there is no customer".into());
    }
    (repeats < FEWEST_REPEATS).then(|| {
        format!("there are {repeats} repeat purchases of {customers} customers, and a fit needs {FEWEST_REPEATS}")
    })
}

/// How to scale time: to a mean age of 10.
pub(crate) fn scale(inputs: &[Weighted<3>]) -> Scale {
    let customers: f64 = inputs.iter().map(|row| row.weight).sum();
    let repeats: f64 = inputs.iter().map(|row| row.weight * row.input[0]).sum();
    let time: f64 = inputs.iter().map(|row| row.weight * row.input[2]).sum();
    Scale { factor: 10.0 * customers / time, power: repeats }
}

/// The fit of one of the two models with a drop-out after a purchase.
pub(crate) fn fit(model: Model, drop_out: DropOut, inputs: &[Weighted<3>]) -> Fit {
    if let Some(reason) = too_little(inputs) {
        return Fit::too_little_data(model, reason);
    }
    let scale = scale(inputs);
    let histories = inputs.iter().map(|row| {
        let [frequency, recency, age] = row.input;
        (History { frequency, recency, age }, row.weight)
    });
    let maximum = Likelihood::new(drop_out, histories, scale.factor).maximum();
    Fit::from_maximum(model, maximum, scale, |parameter, upwards| boundary(&maximum, parameter, upwards))
}

fn boundary(_maximum: &Option<Maximum<4>>, parameter: usize, upwards: bool) -> String {
    format!("{parameter} {upwards}")
}
