//! What fits of repeat buying have in common: their arguments, which histories there can be, how much data is enough.

use super::collapsed::Weighted;
use super::definition::{Definition, Input};
use super::fit::{Fit, Model, Scale};
use crate::models::geometric::{self, DropOut};
use crate::models::{History, Maximum, Time};

/// The names of a fit of repeat buying, and how it is fitted.
pub(super) const fn definition(name: &'static str, model: Model, fit: fn(&[Weighted<3>]) -> Fit) -> Definition<3> {
    let inputs = ["frequency", "recency", "age"];
    Definition { name, model, inputs, takes_summary: true, has_unit: true, boolean: None, classify, fit }
}

/// Repeat purchases below which no fit is made: with fewer, four parameters are less certain than a guess.
const MIN_REPEATS: f64 = 10.0;

/// Logarithms of parameters beyond this are named together with the one that ended the search.
const FAR_OUT: f64 = 5.0;

/// What is to be done with (frequency, recency, age).
fn classify(input: &[f64; 3]) -> Input {
    let [frequency, recency, age] = *input;
    match (History { frequency, recency, age }).problem(Time::Continuous) {
        None => Input::Used,
        Some(wrong) => {
            Input::Impossible(format!("frequency {frequency}, recency {recency}, age {age} are impossible: {wrong}"))
        }
    }
}

/// Whether there is enough to fit a model of repeat buying; else why not.
pub(super) fn too_little(inputs: &[Weighted<3>]) -> Option<String> {
    let customers: f64 = inputs.iter().map(|row| row.weight).sum();
    let repeats: f64 = inputs.iter().map(|row| row.weight * row.input[0]).sum();
    if customers == 0.0 {
        return Some("there is no customer".into());
    }
    (repeats < MIN_REPEATS).then(|| {
        format!("there are {repeats} repeat purchases of {customers} customers, and a fit needs at least {MIN_REPEATS}")
    })
}

/// How to scale time: to a mean age of 10.
pub(super) fn scale(inputs: &[Weighted<3>]) -> Scale {
    let customers: f64 = inputs.iter().map(|row| row.weight).sum();
    let repeats: f64 = inputs.iter().map(|row| row.weight * row.input[0]).sum();
    let time: f64 = inputs.iter().map(|row| row.weight * row.input[2]).sum();
    Scale { factor: 10.0 * customers / time, power: repeats }
}

/// The fit of one of the two models with a drop-out after a purchase.
pub(super) fn fit(model: Model, drop_out: DropOut, inputs: &[Weighted<3>]) -> Fit {
    if let Some(reason) = too_little(inputs) {
        return Fit::too_little_data(model, reason);
    }
    let scale = scale(inputs);
    let histories = inputs.iter().map(|row| {
        let [frequency, recency, age] = row.input;
        (History { frequency, recency, age }, row.weight)
    });
    let maximum = geometric::maximum(drop_out, histories, scale.factor);
    Fit::from_maximum(model, maximum, scale, |parameter, upwards| boundary(&maximum, parameter, upwards))
}

/// What it means for the business that a parameter (by number) runs to infinity or to zero, and others with it.
fn boundary(maximum: &Option<Maximum<4>>, parameter: usize, upwards: bool) -> String {
    let mut meanings = vec![meaning(parameter, upwards, maximum)];
    for (other, at) in maximum.iter().flat_map(|end| end.at.iter().enumerate()) {
        let also = meaning(other, *at > 0.0, maximum);
        if at.abs() > FAR_OUT && !meanings.contains(&also) {
            meanings.push(also);
        }
    }
    meanings.join("; ")
}

fn meaning(parameter: usize, upwards: bool, maximum: &Option<Maximum<4>>) -> &'static str {
    let both = maximum.as_ref().is_some_and(|end| end.at[2] > 3.0 && end.at[3] > 3.0);
    match (parameter, upwards) {
        (0 | 1, true) => "r and alpha run to infinity: customers do not differ in how often they buy",
        (0, false) => "r runs to zero: a few customers make all repeat purchases, the others none",
        (1, false) => "alpha runs to zero: purchase rates differ without bound",
        (_, true) if both => "a and b run to infinity: customers do not differ in how likely they are to drop out",
        (2, false) | (3, true) => "a / b runs to zero: no drop-out is visible in these histories",
        _ => "a / b runs to infinity: customers drop out at the first chance",
    }
}
