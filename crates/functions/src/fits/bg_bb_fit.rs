//! `bg_bb_fit`: buying or not at every opportunity, until a drop-out.

use super::aggregate::function;
use super::collapsed::Weighted;
use super::definition::{Definition, Input};
use super::fit::{Fit, Model, Scale};
use crate::manual::{Function, Section, page};
use crate::models::bg_bb::{Likelihood, starts};
use crate::models::{History, Time, by_ratio};

pub(crate) const FUNCTION: Function =
    Function::aggregate("bg_bb_fit", Section::Fits, page!("bg_bb_fit"), || function(&BG_BB))
        .with_rule(|arguments| BG_BB.check_constants(arguments));

/// Beyond, the model in continuous time is the right one.
const MAX_OPPORTUNITIES: f64 = 2_000.0;

/// Purchases below which no fit is made, as for the models in continuous time.
const MIN_PURCHASES: f64 = 10.0;

static BG_BB: Definition<3> = Definition {
    name: "bg_bb_fit",
    model: Model::BgBb,
    inputs: ["frequency", "recency", "opportunities"],
    takes_summary: false,
    has_unit: true,
    boolean: None,
    classify,
    fit,
};

fn classify(input: &[f64; 3]) -> Input {
    let [frequency, recency, opportunities] = *input;
    let history = History { frequency, recency, age: opportunities };
    let wrong = match history.problem(Time::Discrete) {
        Some(wrong) => wrong,
        None if opportunities > MAX_OPPORTUNITIES => "there are at most 2,000 opportunities",
        None => return Input::Used,
    };
    let values = format!("frequency {frequency}, recency {recency}, opportunities {opportunities}");
    Input::Impossible(format!("{values} are impossible: {wrong}"))
}

fn fit(inputs: &[Weighted<3>]) -> Fit {
    let sum = |number: usize| inputs.iter().map(|row| row.weight * row.input[number]).sum::<f64>();
    let customers: f64 = inputs.iter().map(|row| row.weight).sum();
    if let Some(reason) = too_little(inputs, customers, sum(0)) {
        return Fit::too_little_data(Model::BgBb, reason);
    }
    let likelihood = Likelihood::new(inputs.iter().map(|row| {
        let [frequency, recency, age] = row.input;
        (History { frequency, recency, age }, row.weight)
    }));
    let maximum = by_ratio::maximum(&likelihood, &starts(sum(0) / sum(2)));
    let at = maximum.map_or([0.0; 4], |maximum| maximum.at);
    let reason = |parameter, upwards| boundary(at, sum(2) / customers, parameter, upwards);
    Fit::from_maximum(Model::BgBb, maximum, Scale::NONE, reason)
}

fn too_little(inputs: &[Weighted<3>], customers: f64, purchases: f64) -> Option<String> {
    let max = inputs.iter().fold(0.0, |max, row| f64::max(max, row.input[2]));
    if customers == 0.0 {
        Some("there is no customer".into())
    } else if purchases < MIN_PURCHASES {
        Some(format!(
            "there are {purchases} purchases of {customers} customers, and a fit needs at least {MIN_PURCHASES}"
        ))
    } else if max < 3.0 {
        Some(format!("customers had at most {max} opportunities, and four parameters need 3"))
    } else {
        None
    }
}

/// What it means that the likelihood rises towards a bound of alpha, beta/alpha, gamma or delta/gamma; `at` are
/// logarithms of the parameters.
fn boundary(at: [f64; 4], opportunities: f64, coordinate: usize, upwards: bool) -> String {
    let [_, _, gamma, delta] = at.map(f64::exp);
    let dropped_out = -(-gamma * (opportunities / (gamma + delta)).ln_1p()).exp_m1();
    let what = match (coordinate, upwards) {
        (0, true) => "alpha and beta run to infinity: customers differ in how often they buy no more than by chance",
        (0, false) => "alpha and beta run to zero: customers buy at every opportunity or never, with nothing between",
        (1, true) => "beta runs to infinity: hardly any customer ever buys again",
        (1, false) => "beta runs to zero: customers buy at every opportunity until they drop out",
        (2, true) if dropped_out > 0.01 => {
            "gamma and delta run to infinity: customers differ in when they drop out no more than by chance"
        }
        (2, false) => "gamma and delta run to zero: customers seem to drop out at once or never, with nothing between",
        (3, false) => "delta runs to zero: all customers seem to drop out at once",
        _ => {
            "delta runs to infinity: no drop-out is visible in these histories, so the probability to be alive cannot be determined"
        }
    };
    what.to_string()
}
