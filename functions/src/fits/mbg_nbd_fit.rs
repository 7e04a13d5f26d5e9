//! `mbg_nbd_fit`: repeat buying at a rate of one's own until a drop-out, which the first purchase may bring already.

use super::aggregate::{FitOf, Judgement, function};
use super::collapsed::Weighted;
use super::fit::{Fit, Model};
use super::repeat_buying;
use crate::manual::{Example, Function, Kind, Page, Section};
use crate::models::geometric::DropOut;

pub(crate) const FUNCTION: Function = Function { kind: Kind::Aggregate(function::<MbgNbd, 3>), page: &PAGE };

const PAGE: Page = Page {
    name: "mbg_nbd_fit",
    section: Section::Fits,
    syntax: "mbg_nbd_fit(frequency, recency, age [, unit [, weight]]) or mbg_nbd_fit(summary [, weight])",
    summary: "Fits the MBG/NBD model of repeat buying to customers' histories",
    arguments: repeat_buying::ARGUMENTS,
    returns: repeat_buying::RETURNS,
    description: "As bg_nbd_fit, but a customer may drop out after the first purchase already, so that one who bought once can be \
        gone. Log-likelihood of (x, t_x, T): `ln Γ(r+x)/Γ(r) + r ln alpha + ln B(a,b+x+1)/B(a,b) + ln[(alpha+T)^-(r+x) \
        + a/(b+x) (alpha+t_x)^-(r+x)]`.",
    sources: &[
        "Batislam, Denizel and Filiztekin (2007), Empirical validation and comparison of models for customer base \
         analysis, International Journal of Research in Marketing 24(3), equation 4",
        "Hoppe and Wagner (2007), Customer Base Analysis: The Case for a Central Variant of the Betageometric/NBD Model",
    ],
    examples: &[Example {
        sql: "SELECT round(fit['r'], 3) AS r, round(fit['alpha'], 2) AS alpha, round(fit['a'], 3) AS a, \
              round(fit['b'], 3) AS b, round(fit['log_likelihood'], 3) AS log_likelihood, fit['unit'] AS unit, \
              fit['customers'] AS customers, fit['verdict'] AS verdict \
              FROM (SELECT mbg_nbd_fit(frequency, recency, age, 'week', weight) AS fit FROM (VALUES \
              (0, 0, 38, 60), (0, 0, 30, 45), (1, 5, 38, 10), (1, 20, 36, 8), (2, 15, 38, 6), (2, 30, 37, 5), \
              (3, 28, 38, 4), (4, 20, 36, 2), (5, 35, 38, 3), (8, 36, 38, 2), (12, 37.5, 38, 1)) \
              AS histories(frequency, recency, age, weight))",
        answer: "r | alpha | a | b | log_likelihood | unit | customers | verdict\n1.624 | 23.61 | 0.387 | 0.223 | -448.891 | week | 146 | converged",
    }],
    limits: repeat_buying::LIMITS,
    related: &["bg_nbd_fit", "pareto_nbd_fit", "p_alive", "expected_purchases"],
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MbgNbd;

impl FitOf<3> for MbgNbd {
    const MODEL: Model = Model::MbgNbd;
    const NAME: &'static str = "mbg_nbd_fit";
    const INPUTS: [&'static str; 3] = repeat_buying::INPUTS;
    const SUMMARY: Option<[&'static str; 3]> = Some(repeat_buying::INPUTS);

    fn judge(input: &[f64; 3]) -> Judgement {
        repeat_buying::judge(input)
    }

    fn fit(inputs: &[Weighted<3>]) -> Fit {
        repeat_buying::fit(Model::MbgNbd, DropOut::AfterAny, inputs)
    }
}
