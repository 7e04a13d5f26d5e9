//! `gamma_gamma_fit`: how much customers spend per purchase.

use super::aggregate::function;
use super::collapsed::Weighted;
use super::definition::{Definition, Input};
use super::fit::{Fit, Model, Scale, Verdict};
use crate::limits;
use crate::manual::{Function, Section, page};
use crate::models::gamma_gamma::{SpendLikelihood, Spending, boundary, without_mean};

pub(crate) const FUNCTION: Function =
    Function::aggregate("gamma_gamma_fit", Section::Fits, page!("gamma_gamma_fit"), || function(&GAMMA_GAMMA))
        .with_rule(|arguments| GAMMA_GAMMA.check_constants(arguments));

/// Repeat buyers below which no fit is made: three parameters would be less certain than a guess.
const MIN_CUSTOMERS: f64 = 10.0;

static GAMMA_GAMMA: Definition<2> = Definition {
    name: "gamma_gamma_fit",
    model: Model::GammaGamma,
    inputs: ["frequency", "mean_spend"],
    takes_summary: true,
    has_unit: false,
    boolean: None,
    classify,
    fit,
};

fn classify(input: &[f64; 2]) -> Input {
    let [frequency, mean_spend] = *input;
    match limits::amount(mean_spend).and(limits::frequency(frequency)) {
        Err(problem) => Input::Impossible(problem.to_string()),
        Ok(_) if frequency > 0.0 && mean_spend > 0.0 => Input::Used,
        Ok(_) => Input::LeftOut,
    }
}

fn fit(inputs: &[Weighted<2>]) -> Fit {
    let customers: Vec<Spending> = inputs
        .iter()
        .map(|row| Spending { frequency: row.input[0], mean_spend: row.input[1], weight: row.weight })
        .collect();
    let likelihood = SpendLikelihood::new(&customers);
    let Some(likelihood) = likelihood.filter(|likelihood| likelihood.customers() >= MIN_CUSTOMERS) else {
        let count = customers.iter().fold(0.0, |sum, customer| sum + customer.weight);
        let reason = format!(
            "there are {count} repeat buyers with a positive mean spend, and a fit needs at least {MIN_CUSTOMERS}"
        );
        return Fit::too_little_data(Model::GammaGamma, reason);
    };
    let scale = Scale { factor: likelihood.factor(), power: likelihood.customers() };
    let maximum = likelihood.maximise();
    let at = maximum.map_or([0.0; 3], |maximum| maximum.at);
    let mut fit =
        Fit::from_maximum(Model::GammaGamma, maximum, scale, |parameter, upwards| boundary(at, parameter, upwards));
    let q = fit.parameters.as_ref().map(|parameters| parameters[1]);
    if fit.is_usable()
        && let Some(reason) = q.and_then(without_mean)
    {
        (fit.standard_errors, fit.covariance) = (None, None);
        fit.verdict = Verdict::Boundary;
        fit.reason = Some(reason);
    }
    fit
}
