//! `pareto_nbd_fit`: repeat buying at a rate of one's own until a drop-out at any time.

use super::aggregate::{FitOf, Judgement, function};
use super::collapsed::Weighted;
use super::fit::{Fit, Model};
use super::repeat_buying;
use crate::manual::{Example, Function, Kind, Page, Section};
use crate::models::pareto_nbd::{Likelihood, starts};
use crate::models::{History, by_ratio};

pub(crate) const FUNCTION: Function = Function { kind: Kind::Aggregate(function::<ParetoNbd, 3>), page: &PAGE };

const PAGE: Page = Page {
    name: "pareto_nbd_fit",
    section: Section::Fits,
    syntax: "pareto_nbd_fit(frequency, recency, age [, unit [, weight]]) or pareto_nbd_fit(summary [, weight])",
    summary: "Fits the Pareto/NBD model of repeat buying to customers' histories",
    arguments: repeat_buying::ARGUMENTS,
    returns: "STRUCT of `model`, `unit`, the parameters `r`, `alpha`, `s`, `beta` with their standard errors `r_se` \
        and so on, `log_likelihood`, `customers`, `left_out` (rows with a NULL), `iterations`, `verdict` (`converged`, \
        `boundary`, `too little data`, `not converged`), `reason` (NULL where it converged), `covariance` of the \
        logarithms of the parameters (row by row). Alpha and beta are times in the unit. Standard errors and \
        covariance are NULL unless it converged, parameters too where there is too little data.",
    description: "A customer buys at random at a rate of his own until he drops out, unseen, at a random time with a \
        rate of his own. Rates of buying are gamma distributed over customers with shape `r` and mean `r / alpha` per \
        unit of time, rates of drop-out with shape `s` and mean `s / beta`. The parameters are those of maximum \
        likelihood: `L = Γ(r+x)/Γ(r) α^-x [a(T)^(r+x) b(T)^s + s/β ∫ a(τ)^(r+x) b(τ)^(s+1) dτ]` with `a(τ) = α/(α+τ)`, \
        `b(τ) = β/(β+τ)` and the integral over τ from recency to age T, which is the published form before the \
        integral is written as two hypergeometric functions. Unlike BG/NBD it knows a drop-out without a repeat \
        purchase, so that the chance to be alive of a one-time buyer falls with time.",
    sources: &[
        "Schmittlein, Morrison and Colombo (1987), Counting Your Customers: Who Are They and What Will They Do Next?, \
         Management Science 33(1), 1-24",
        "Fader and Hardie (2005), A Note on Deriving the Pareto/NBD Model and Related Expressions, \
         equations 18 to 20",
    ],
    examples: &[Example {
        sql: "WITH histories(frequency, recency, age, customers) AS (VALUES\n  \
              (0, 0, 39, 500), (0, 0, 30, 480), (1, 5, 39, 90), (1, 20, 30, 80), (1, 34, 39, 50),\n  \
              (2, 12, 39, 40), (2, 25, 30, 60), (3, 36, 39, 50), (5, 28, 30, 30), (8, 37, 39, 20))\n\
              SELECT fit['verdict'] AS verdict, round(fit['r'] / fit['alpha'], 3) AS purchases_per_week,\n  \
              round(fit['log_likelihood'], 2) AS log_likelihood\n\
              FROM (SELECT pareto_nbd_fit(frequency, recency, age, 'week', customers) AS fit FROM histories)",
        answer: "verdict | purchases_per_week | log_likelihood\nconverged | 0.019 | -4073.15",
    }],
    limits: &[
        "`beta` is known badly from most data: compare likelihoods and predictions, not its digits.",
        "A history that cannot be is an error: recency beyond age, a repeat purchase with recency 0.",
        "Where nobody seems to drop out, or all alike, the likelihood rises for ever: the verdict is `boundary` and \
         predictions are NULL.",
    ],
    related: &["bg_nbd_fit"],
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ParetoNbd;

impl FitOf<3> for ParetoNbd {
    const MODEL: Model = Model::ParetoNbd;
    const NAME: &'static str = "pareto_nbd_fit";
    const INPUTS: [&'static str; 3] = repeat_buying::INPUTS;
    const SUMMARY: Option<[&'static str; 3]> = Some(repeat_buying::INPUTS);

    fn judge(input: &[f64; 3]) -> Judgement {
        repeat_buying::judge(input)
    }

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
}

/// What it means that the likelihood rises towards a bound of r, alpha/r, s or beta/s; `at` are logarithms of the
/// parameters, time scaled to a mean age of 10.
fn boundary(at: [f64; 4], coordinate: usize, upwards: bool) -> String {
    let [_, _, s, beta] = at.map(f64::exp);
    let dropped_out = -(-s * (10.0 / beta).ln_1p()).exp_m1();
    let what = match (coordinate, upwards) {
        (0, true) => "r and alpha run to infinity: customers do not differ in how often they buy, more than by chance",
        (0, false) => "r and alpha run to zero: most customers never buy again, and the few who do buy all the time",
        (1, true) => "alpha runs to infinity: hardly any customer ever buys again",
        (1, false) => "alpha runs to zero: purchases follow each other faster than time can be told apart",
        (2, true) if dropped_out > 0.01 => {
            "s and beta run to infinity: customers do not differ in when they drop out, more than by chance"
        }
        (2, false) => "s and beta run to zero: customers seem to drop out at once or never, with nothing between",
        (3, false) => "beta runs to zero: all customers seem to drop out at once",
        _ => "beta runs to infinity: nobody can be seen to drop out, so nobody's chance to be alive can be told",
    };
    what.to_string()
}
