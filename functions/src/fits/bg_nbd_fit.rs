//! `bg_nbd_fit`: repeat buying at a rate of one's own until a drop-out after a purchase.

use super::aggregate::{FitOf, Judgement, function};
use super::collapsed::Weighted;
use super::fit::{Fit, Model};
use super::repeat_buying;
use crate::manual::{Example, Function, Kind, Page, Section};
use crate::models::geometric::DropOut;

pub(crate) const FUNCTION: Function = Function { kind: Kind::Aggregate(function::<BgNbd, 3>), page: &PAGE };

const PAGE: Page = Page {
    name: "bg_nbd_fit",
    section: Section::Fits,
    syntax: "bg_nbd_fit(frequency, recency, age [, unit [, weight]]) or bg_nbd_fit(summary [, weight])",
    summary: "Fits the BG/NBD model of repeat buying to customers' histories",
    arguments: repeat_buying::ARGUMENTS,
    returns: repeat_buying::RETURNS,
    description: "Customers buy at random at a rate of their own, gamma(r, alpha) distributed over customers, and drop out after a \
        repeat purchase with a probability of their own, beta(a, b) distributed. Log-likelihood of (x, t_x, T): \
        `ln Γ(r+x)/Γ(r) + r ln alpha + ln B(a,b+x)/B(a,b) + ln[(alpha+T)^-(r+x) + a/(b+x-1) (alpha+t_x)^-(r+x)]`, the \
        last summand for x > 0 only. Maximised by Newton's method over the logarithms of the parameters with exact \
        derivatives. Identical histories count as one with a weight, so a fit costs what its distinct histories cost, \
        and neither the order of rows nor the number of partitions changes a bit.",
    sources: &[
        "Fader, Hardie and Lee (2005), \"Counting Your Customers\" the Easy Way: An Alternative to the Pareto/NBD Model, \
         Marketing Science 24(2), equation 6",
    ],
    examples: &[Example {
        sql: "SELECT round(fit['r'], 3) AS r, round(fit['alpha'], 2) AS alpha, round(fit['a'], 3) AS a, \
              round(fit['b'], 3) AS b, round(fit['log_likelihood'], 3) AS log_likelihood, fit['unit'] AS unit, \
              fit['customers'] AS customers, fit['verdict'] AS verdict \
              FROM (SELECT bg_nbd_fit(frequency, recency, age, 'week', weight) AS fit FROM (VALUES \
              (0, 0, 38, 60), (0, 0, 30, 45), (1, 5, 38, 10), (1, 20, 36, 8), (2, 15, 38, 6), (2, 30, 37, 5), \
              (3, 28, 38, 4), (4, 20, 36, 2), (5, 35, 38, 3), (8, 36, 38, 2), (12, 37.5, 38, 1)) \
              AS histories(frequency, recency, age, weight))",
        answer: "r | alpha | a | b | log_likelihood | unit | customers | verdict\n0.23 | 10.52 | 0.091 | 0.545 | -449.658 | week | 146 | converged",
    }],
    limits: repeat_buying::LIMITS,
    related: &["mbg_nbd_fit", "pareto_nbd_fit", "p_alive", "expected_purchases"],
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BgNbd;

impl FitOf<3> for BgNbd {
    const MODEL: Model = Model::BgNbd;
    const NAME: &'static str = "bg_nbd_fit";
    const INPUTS: [&'static str; 3] = repeat_buying::INPUTS;
    const SUMMARY: Option<[&'static str; 3]> = Some(repeat_buying::INPUTS);

    fn judge(input: &[f64; 3]) -> Judgement {
        repeat_buying::judge(input)
    }

    fn fit(inputs: &[Weighted<3>]) -> Fit {
        repeat_buying::fit(Model::BgNbd, DropOut::AfterRepeat, inputs)
    }
}
