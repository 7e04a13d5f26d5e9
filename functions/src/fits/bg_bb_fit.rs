//! `bg_bb_fit`: buying or not at every opportunity, until a drop-out.

use super::aggregate::{FitOf, Judgement, function};
use super::collapsed::Weighted;
use super::fit::{Fit, Model, Scale};
use crate::manual::{Example, Function, Kind, Page, Section};
use crate::models::bg_bb::{Likelihood, starts};
use crate::models::{History, by_ratio};

pub(crate) const FUNCTION: Function = Function { kind: Kind::Aggregate(function::<BgBb, 3>), page: &PAGE };

const PAGE: Page = Page {
    name: "bg_bb_fit",
    section: Section::Fits,
    syntax: "bg_bb_fit(frequency, recency, opportunities [, unit [, weight]])",
    summary: "Fits the BG/BB model of buying at opportunities (years, campaigns, events) to customers' histories",
    arguments: &[
        ("frequency", "whole number, opportunities with a purchase, the first purchase not counted"),
        ("recency", "whole number, the last opportunity with a purchase: 1 is the first, 0 is none"),
        ("opportunities", "whole number, how many there were after the first purchase, at most 2,000"),
        ("unit", "TEXT, the time between two opportunities: day, week, month or year; the same in all rows of a group"),
        ("weight", "BIGINT, how many customers the row stands for, 1 where it is not given"),
    ],
    returns: "STRUCT of `model`, `unit`, the parameters `alpha`, `beta`, `gamma`, `delta` with their standard errors \
        `alpha_se` and so on, `log_likelihood`, `customers`, `left_out` (rows with a NULL), `iterations`, `verdict` \
        (`converged`, `boundary`, `too little data`, `not converged`), `reason` (NULL where it converged), \
        `covariance` of the logarithms of the parameters (row by row). Standard errors and covariance are NULL unless \
        it converged, parameters too where there is too little data.",
    description: "For customers who can buy only at certain times, or who are counted only by period: donors by year, \
        guests of a yearly fair, answers to campaigns. A customer buys at an opportunity with a probability of his \
        own, beta distributed over customers with `alpha` and `beta`, and drops out before an opportunity with a \
        probability of his own, beta distributed with `gamma` and `delta`. The parameters are those of maximum \
        likelihood. An opportunity counts once, however often was bought at it.",
    sources: &[
        "Fader, Hardie and Shang (2010), Customer-Base Analysis in a Discrete-Time Noncontractual Setting, Marketing \
         Science 29(6), 1086-1108, the likelihood of a randomly chosen customer; predictions equation 13 and appendix",
    ],
    examples: &[Example {
        sql: "WITH donors(gifts, last_gift, years, donors) AS (VALUES\n  \
              (0, 0, 3, 500), (1, 1, 3, 150), (1, 2, 3, 60), (1, 3, 3, 60),\n  \
              (2, 2, 3, 80), (2, 3, 3, 90), (3, 3, 3, 150))\n\
              SELECT fit['verdict'] AS verdict, round(fit['log_likelihood'], 2) AS log_likelihood,\n  \
              fit['customers'] AS donors\n\
              FROM (SELECT bg_bb_fit(gifts, last_gift, years, 'year', donors) AS fit FROM donors)",
        answer: "verdict | log_likelihood | donors\nconverged | -1830.46 | 1090",
    }],
    limits: &[
        "A history that cannot be is an error: more purchases than opportunities up to the last one, a recency beyond \
         the opportunities.",
        "Where nobody seems to drop out, or all alike, the likelihood rises for ever: the verdict is `boundary` and \
         predictions are NULL.",
        "Horizons of predictions count opportunities and are whole numbers.",
    ],
    related: &["pareto_nbd_fit"],
};

/// Beyond, the model in continuous time is the right one.
const MOST_OPPORTUNITIES: f64 = 2_000.0;

/// Purchases below which no fit is made, as for the models in continuous time.
const FEWEST_PURCHASES: f64 = 10.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BgBb;

impl FitOf<3> for BgBb {
    const MODEL: Model = Model::BgBb;
    const NAME: &'static str = "bg_bb_fit";
    const INPUTS: [&'static str; 3] = ["frequency", "recency", "opportunities"];
    const SUMMARY: Option<[&'static str; 3]> = None;

    fn judge(input: &[f64; 3]) -> Judgement {
        let [frequency, recency, opportunities] = *input;
        let wrong = if !input.iter().all(|number| *number >= 0.0 && number.fract() == 0.0) {
            "all three are whole numbers, 0 or more"
        } else if opportunities > MOST_OPPORTUNITIES {
            "there are 2,000 opportunities at most"
        } else if recency > opportunities {
            "the recency is an opportunity and not beyond the last"
        } else if frequency > recency {
            "the frequency is at most the recency, since an opportunity counts once"
        } else if frequency == 0.0 && recency > 0.0 {
            "without a purchase the recency is 0"
        } else {
            return Judgement::Use;
        };
        let values = format!("frequency {frequency}, recency {recency}, opportunities {opportunities}");
        Judgement::Fault(format!("{values} cannot be: {wrong}"))
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
}

fn too_little(inputs: &[Weighted<3>], customers: f64, purchases: f64) -> Option<String> {
    let most = inputs.iter().fold(0.0, |most, row| f64::max(most, row.input[2]));
    if customers == 0.0 {
        Some("there is no customer".into())
    } else if purchases < FEWEST_PURCHASES {
        Some(format!("there are {purchases} purchases of {customers} customers, and a fit needs {FEWEST_PURCHASES}"))
    } else if most < 3.0 {
        Some(format!("customers had {most} opportunities at most, and four parameters need 3"))
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
        (0, true) => {
            "alpha and beta run to infinity: customers do not differ in how often they buy, more than by chance"
        }
        (0, false) => "alpha and beta run to zero: customers buy at every opportunity or never, with nothing between",
        (1, true) => "beta runs to infinity: hardly any customer ever buys again",
        (1, false) => "beta runs to zero: customers buy at every opportunity until they drop out",
        (2, true) if dropped_out > 0.01 => {
            "gamma and delta run to infinity: customers do not differ in when they drop out, more than by chance"
        }
        (2, false) => "gamma and delta run to zero: customers seem to drop out at once or never, with nothing between",
        (3, false) => "delta runs to zero: all customers seem to drop out at once",
        _ => "delta runs to infinity: nobody can be seen to drop out, so nobody's chance to be alive can be told",
    };
    what.to_string()
}
