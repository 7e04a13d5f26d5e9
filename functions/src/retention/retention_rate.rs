//! `retention_rate(fit, period)`: the share of those there at the beginning of a period who stay beyond it.

use super::contract::{Quantity, function, interval_function, periods};
use crate::manual::{Example, Function, Kind, Page, Section};
use crate::models::shifted_beta_geometric::ShiftedBetaGeometric;
use crate::models::{Scale, Unit};

pub(crate) const FUNCTION: Function = Function { kind: Kind::Scalar(function::<RetentionRate>), page: &PAGE };
pub(crate) const INTERVAL: Function =
    Function { kind: Kind::Scalar(interval_function::<RetentionRate>), page: &INTERVAL_PAGE };

const SOURCES: &[&str] =
    &["Fader and Hardie (2007), How to Project Customer Retention, Journal of Interactive Marketing 21(1), equation 7"];

const PAGE: Page = Page {
    name: "retention_rate",
    section: Section::Retention,
    syntax: "retention_rate(fit, period)",
    summary: "The share of customers there at the beginning of a period of their contract who stay beyond it",
    arguments: &[
        ("fit", "STRUCT of `shifted_beta_geometric_fit`"),
        ("period", "number, which period since the beginning of the contract: 1 is the first, in the fit's unit"),
    ],
    returns: "DOUBLE, between 0 and 1. NULL where an argument is NULL or the fit did not converge.",
    description: "`r(t) = (beta + t - 1) / (alpha + beta + t - 1)`, which is `S(t) / S(t - 1)`. It rises with tenure, \
        since those likely to leave go first; no customer has become more loyal.",
    sources: SOURCES,
    examples: &[Example {
        sql: "SELECT period, round(retention_rate(fit, period), 3) AS renewed FROM (\n  \
              SELECT shifted_beta_geometric_fit(year, churned, 'year', customers) AS fit FROM (VALUES\n    \
              (1, true, 369), (2, true, 163), (3, true, 86), (4, true, 56),\n    \
              (5, true, 37), (6, true, 27), (7, true, 21), (7, false, 241)\n  \
              ) AS t(year, churned, customers)), (VALUES (1), (3), (12)) AS p(period)\nORDER BY period",
        answer: "period | renewed\n1 | 0.627\n3 | 0.819\n12 | 0.945",
    }],
    limits: &[
        "A period below 1, not whole, or beyond 100,000 is an error.",
        "The rate of one cohort by its tenure. The rate of a whole base in a calendar month mixes tenures and moves \
         with the number of new customers.",
    ],
    related: &["retention_rate_interval", "survival", "residual_lifetime", "shifted_beta_geometric_fit"],
};

const INTERVAL_PAGE: Page = Page {
    name: "retention_rate_interval",
    section: Section::Retention,
    syntax: "retention_rate_interval(fit, period [, confidence])",
    summary: "The share of customers who stay beyond a period of their contract, and how far it is known",
    arguments: &[
        ("fit", "STRUCT of `shifted_beta_geometric_fit`"),
        ("period", "number, which period since the beginning of the contract: 1 is the first, in the fit's unit"),
        ("confidence", "DOUBLE between 0 and 1, how often such intervals hold the truth; 0.95 where it is not given"),
    ],
    returns: "STRUCT(`estimate` DOUBLE, `low` DOUBLE, `high` DOUBLE), all between 0 and 1. NULL where an argument is \
        NULL or the fit did not converge.",
    description: "The delta method on the scale of log odds, from the covariance of the fit. It says how far the \
        expected rate is known, not how far the rate of a small group will lie from it.",
    sources: SOURCES,
    examples: &[Example {
        sql: "SELECT round(r.estimate, 4) AS estimate, round(r.low, 4) AS low, round(r.high, 4) AS high FROM (\n  \
              SELECT retention_rate_interval(shifted_beta_geometric_fit(year, churned, 'year', customers), 3) AS r \
              FROM (VALUES\n    (1, true, 369), (2, true, 163), (3, true, 86), (4, true, 56),\n    \
              (5, true, 37), (6, true, 27), (7, true, 21), (7, false, 241)\n  ) AS t(year, churned, customers))",
        answer: "estimate | low | high\n0.8188 | 0.8022 | 0.8343",
    }],
    limits: &["The interval takes the model for true; where customers change with tenure it is too narrow."],
    related: &["retention_rate", "survival_interval", "residual_lifetime_interval"],
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct RetentionRate;

impl Quantity for RetentionRate {
    const NAME: &'static str = "retention_rate";
    const INTERVAL_NAME: &'static str = "retention_rate_interval";
    const INPUTS: &'static [&'static str] = &["period"];
    const NEEDED: usize = 1;
    const SCALE: Scale = Scale::Logit;

    fn prepare(inputs: &[f64], _: Option<Unit>) -> Result<[f64; 3], String> {
        Ok([periods("period", inputs[0], 1.0)?, 0.0, 0.0])
    }

    fn value(model: ShiftedBetaGeometric, inputs: [f64; 3]) -> f64 {
        model.retention_rate(inputs[0])
    }
}
