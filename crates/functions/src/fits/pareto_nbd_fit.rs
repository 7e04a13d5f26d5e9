//! `pareto_nbd_fit`: repeat buying at an individual rate until a drop-out at any time.

use super::aggregate::function;
use super::collapsed::Weighted;
use super::definition::Definition;
use super::fit::{Fit, Model};
use super::repeat_buying;
use crate::manual::{Function, Section, page};
use crate::models::pareto_nbd::{Likelihood, starts};
use crate::models::{History, by_ratio};

pub(crate) const FUNCTION: Function =
    Function::aggregate("pareto_nbd_fit", Section::Fits, page!("pareto_nbd_fit"), || function(&PARETO_NBD))
        .with_rule(|arguments| PARETO_NBD.check_constants(arguments));

static PARETO_NBD: Definition<3> = repeat_buying::definition("pareto_nbd_fit", Model::ParetoNbd, fit);

fn fit(inputs: &[Weighted<3>]) -> Fit {
    if let Some(reason) = repeat_buying::too_little(inputs) {
        return Fit::too_little_data(Model::ParetoNbd, reason);
    }
    let scale = repeat_buying::scale(inputs);
    let likelihood = Likelihood::new(inputs.iter().map(|row| {
        let [frequency, recency, age] = row.input;
        let history = History { frequency, recency: recency * scale.factor, age: age * scale.factor };
        (history, row.weight)
    }));
    let time = 10.0 * inputs.iter().map(|row| row.weight).sum::<f64>();
    let maximum = by_ratio::maximum(&likelihood, &starts(scale.power / time));
    let at = maximum.map_or([0.0; 4], |maximum| maximum.at);
    Fit::from_maximum(Model::ParetoNbd, maximum, scale, |parameter, upwards| boundary(at, parameter, upwards))
}

/// What it means that the likelihood rises towards a bound of r, alpha/r, s or beta/s; `at` are logarithms of the
/// parameters, time scaled to a mean age of 10.
fn boundary(at: [f64; 4], coordinate: usize, upwards: bool) -> String {
    let [_, _, s, beta] = at.map(f64::exp);
    let dropped_out = -(-s * (10.0 / beta).ln_1p()).exp_m1();
    let what = match (coordinate, upwards) {
        (0, true) => "r and alpha run to infinity: customers differ in how often they buy no more than by chance",
        (0, false) => "r and alpha run to zero: most customers never buy again, and the few who do buy all the time",
        (1, true) => "alpha runs to infinity: hardly any customer ever buys again",
        (1, false) => "alpha runs to zero: purchases follow each other faster than the unit of time can resolve",
        (2, true) if dropped_out > 0.01 => {
            "s and beta run to infinity: customers differ in when they drop out no more than by chance"
        }
        (2, false) => "s and beta run to zero: customers seem to drop out at once or never, with nothing between",
        (3, false) => "beta runs to zero: all customers seem to drop out at once",
        _ => {
            "beta runs to infinity: no drop-out is visible in these histories, so the probability to be alive cannot be determined"
        }
    };
    what.to_string()
}
