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
    description: "",
    sources: &[
        "Fader, Hardie and Lee (2005), \"Counting Your Customers\" the Easy Way: An Alternative to the Pareto/NBD Model, \
         Marketing Science 24(2), equation 6",
    ],
    examples: &[Example { sql: "SELECT 1 AS x", answer: "x\n1" }],
    limits: &[],
    related: &[],
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
