//! `survival(fit, period)`: the share of new customers still there after so many periods.

use super::contract::{Quantity, function, interval_function, periods};
use crate::manual::{Example, Function, Kind, Page, Section};
use crate::models::shifted_beta_geometric::ShiftedBetaGeometric;
use crate::models::{Scale, Unit};

pub(crate) const FUNCTION: Function = Function { kind: Kind::Scalar(function::<Survival>), page: &PAGE };
pub(crate) const INTERVAL: Function =
    Function { kind: Kind::Scalar(interval_function::<Survival>), page: &INTERVAL_PAGE };

const SOURCES: &[&str] =
    &["Fader and Hardie (2007), How to Project Customer Retention, Journal of Interactive Marketing 21(1), equation 6"];

const PAGE: Page = Page {
    name: "survival",
    section: Section::Retention,
    syntax: "survival(fit, period)",
    summary: "The share of new customers under contract who are still there after so many periods",
    arguments: &[
        ("fit", "STRUCT of `shifted_beta_geometric_fit`"),
        ("period", "number, whole periods since the beginning of the contract, in the fit's unit"),
    ],
    returns: "DOUBLE, between 0 and 1; 1 at period 0. NULL where an argument is NULL or the fit did not converge.",
    description: "`S(t) = B(alpha, beta + t) / B(alpha, beta)`. For a customer who has stayed for n periods, the \
        probability that he stays for k more is `survival(fit, n + k) / survival(fit, n)`.",
    sources: SOURCES,
    examples: &[Example {
        sql: "SELECT period, round(survival(fit, period), 3) AS still_there FROM (\n  \
              SELECT shifted_beta_geometric_fit(year, churned, 'year', customers) AS fit FROM (VALUES\n    \
              (1, true, 369), (2, true, 163), (3, true, 86), (4, true, 56),\n    \
              (5, true, 37), (6, true, 27), (7, true, 21), (7, false, 241)\n  \
              ) AS t(year, churned, customers)), (VALUES (0), (7), (12)) AS p(period)\nORDER BY period",
        answer: "period | still_there\n0 | 1.0\n7 | 0.239\n12 | 0.17",
    }],
    limits: &[
        "A period that is negative, not whole, or beyond 100,000 is an error: contracts end with periods.",
        "Beyond the periods seen it is a projection of the model; hold some periods back to see how far it misses.",
    ],
    related: &["survival_interval", "retention_rate", "shifted_beta_geometric_fit", "kaplan_meier"],
};

const INTERVAL_PAGE: Page = Page {
    name: "survival_interval",
    section: Section::Retention,
    syntax: "survival_interval(fit, period [, confidence])",
    summary: "The share of new customers still there after so many periods, and how far it is known",
    arguments: &[
        ("fit", "STRUCT of `shifted_beta_geometric_fit`"),
        ("period", "number, whole periods since the beginning of the contract, in the fit's unit"),
        ("confidence", "DOUBLE between 0 and 1, how often such intervals hold the truth; 0.95 where it is not given"),
    ],
    returns: "STRUCT(`estimate` DOUBLE, `low` DOUBLE, `high` DOUBLE), all between 0 and 1. NULL where an argument is \
        NULL or the fit did not converge.",
    description: "The delta method on the scale of log odds, from the covariance of the fit. It says how far the \
        expected share is known, not how far the share of a small group will lie from it.",
    sources: SOURCES,
    examples: &[Example {
        sql: "SELECT round(s.estimate, 4) AS estimate, round(s.low, 4) AS low, round(s.high, 4) AS high FROM (\n  \
              SELECT survival_interval(shifted_beta_geometric_fit(year, churned, 'year', customers), 12) AS s FROM \
              (VALUES\n    (1, true, 369), (2, true, 163), (3, true, 86), (4, true, 56),\n    \
              (5, true, 37), (6, true, 27), (7, true, 21), (7, false, 241)\n  ) AS t(year, churned, customers))",
        answer: "estimate | low | high\n0.17 | 0.1456 | 0.1976",
    }],
    limits: &["The interval takes the model for true; where customers change with tenure it is too narrow."],
    related: &["survival", "retention_rate_interval", "residual_lifetime_interval"],
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Survival;

impl Quantity for Survival {
    const NAME: &'static str = "survival";
    const INTERVAL_NAME: &'static str = "survival_interval";
    const INPUTS: &'static [&'static str] = &["period"];
    const NEEDED: usize = 1;
    const SCALE: Scale = Scale::Logit;

    fn prepare(inputs: &[f64], _: Option<Unit>) -> Result<[f64; 3], String> {
        Ok([periods("period", inputs[0], 0.0)?, 0.0, 0.0])
    }

    fn value(model: ShiftedBetaGeometric, inputs: [f64; 3]) -> f64 {
        model.survival(inputs[0])
    }
}
