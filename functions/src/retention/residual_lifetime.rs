//! `residual_lifetime(fit, tenure, yearly_discount_rate [, horizon])`: how many renewals a customer is yet worth.

use super::contract::{Quantity, function, interval_function, periods};
use crate::manual::{Example, Function, Kind, Page, Section};
use crate::models::shifted_beta_geometric::ShiftedBetaGeometric;
use crate::models::{Scale, Unit};

pub(crate) const FUNCTION: Function = Function { kind: Kind::Scalar(function::<ResidualLifetime>), page: &PAGE };
pub(crate) const INTERVAL: Function =
    Function { kind: Kind::Scalar(interval_function::<ResidualLifetime>), page: &INTERVAL_PAGE };

const SOURCES: &[&str] = &[
    "Fader and Hardie (2010), Customer-Base Valuation in a Contractual Setting: The Perils of Ignoring Heterogeneity, \
     Marketing Science 29(1), equation 6 with n - 1 = tenure",
];

const PAGE: Page = Page {
    name: "residual_lifetime",
    section: Section::Retention,
    syntax: "residual_lifetime(fit, tenure, yearly_discount_rate [, horizon])",
    summary: "The discounted number of periods for which a customer under contract will yet renew",
    arguments: &[
        ("fit", "STRUCT of `shifted_beta_geometric_fit`, with a unit where the discount rate is not 0"),
        (
            "tenure",
            "number, whole periods for which the customer has stayed: the renewals he has made, 0 for a new one",
        ),
        ("yearly_discount_rate", "DOUBLE, 0 to 1; 0.1 is ten percent a year, whatever the unit of the fit"),
        (
            "horizon",
            "number, how many renewals ahead are counted: whole periods, or 'Infinity', which it is where it \
         is not given",
        ),
    ],
    returns: "DOUBLE, periods. Infinity where `alpha` is at most 1, the rate 0 and the horizon not bounded: that mean \
        does not exist. NULL where an argument is NULL or the fit did not converge.",
    description: "The sum over k = 1, 2, ... of `S(tenure + k) / S(tenure) * v^(k - 1)`, v being `(1 + rate)` to the \
        power of minus one period in years: the value directly before the next renewal, which is not discounted. For \
        ever it is `(beta + tenure) / (alpha + beta + tenure) * 2F1(1, beta + tenure + 1; alpha + beta + tenure + 1; \
        v)`. Times the margin of a period it is the residual value of the customer; seen directly after a renewal it \
        is `v` times that.",
    sources: SOURCES,
    examples: &[Example {
        sql: "SELECT tenure, round(residual_lifetime(fit, tenure, 0.1), 3) AS years,\n  \
              round(residual_lifetime(fit, tenure, 0.1, 5), 3) AS of_the_next_five FROM (\n  \
              SELECT shifted_beta_geometric_fit(year, churned, 'year', customers) AS fit FROM (VALUES\n    \
              (1, true, 369), (2, true, 163), (3, true, 86), (4, true, 56),\n    \
              (5, true, 37), (6, true, 27), (7, true, 21), (7, false, 241)\n  \
              ) AS t(year, churned, customers)), (VALUES (0), (2), (7)) AS c(tenure)\nORDER BY tenure",
        answer: "tenure | years | of_the_next_five\n0 | 2.964 | 1.827\n2 | 4.87 | 2.727\n7 | 6.842 | 3.411",
    }],
    limits: &[
        "A tenure or horizon that is negative, not whole, or beyond 100,000 is an error, and so is a discount rate \
         with a fit whose unit is not stated: a rate per year cannot be converted.",
        "With a small `alpha` and a low rate most of the value lies decades ahead, where nobody has looked. State a \
         horizon.",
    ],
    related: &["residual_lifetime_interval", "survival", "retention_rate", "shifted_beta_geometric_fit"],
};

const INTERVAL_PAGE: Page = Page {
    name: "residual_lifetime_interval",
    section: Section::Retention,
    syntax: "residual_lifetime_interval(fit, tenure, yearly_discount_rate [, horizon [, confidence]])",
    summary: "The discounted number of periods for which a customer will yet renew, and how far it is known",
    arguments: &[
        ("fit", "STRUCT of `shifted_beta_geometric_fit`, with a unit where the discount rate is not 0"),
        (
            "tenure",
            "number, whole periods for which the customer has stayed: the renewals he has made, 0 for a new one",
        ),
        ("yearly_discount_rate", "DOUBLE, 0 to 1; 0.1 is ten percent a year, whatever the unit of the fit"),
        (
            "horizon",
            "number, how many renewals ahead are counted: whole periods, or 'Infinity', which it is where it \
         is not given",
        ),
        ("confidence", "DOUBLE between 0 and 1, how often such intervals hold the truth; 0.95 where it is not given"),
    ],
    returns: "STRUCT(`estimate` DOUBLE, `low` DOUBLE, `high` DOUBLE), periods; `low` and `high` are NULL where the \
        estimate is infinite. NULL where an argument is NULL or the fit did not converge.",
    description: "The delta method on the scale of logarithms, from the covariance of the fit. It says how far the \
        expectation is known, not how long a single customer will stay.",
    sources: SOURCES,
    examples: &[Example {
        sql: "SELECT round(r.estimate, 3) AS estimate, round(r.low, 3) AS low, round(r.high, 3) AS high FROM (\n  \
              SELECT residual_lifetime_interval(shifted_beta_geometric_fit(year, churned, 'year', customers), 1, 0.1) \
              AS r\n  FROM (VALUES\n    (1, true, 369), (2, true, 163), (3, true, 86), (4, true, 56),\n    \
              (5, true, 37), (6, true, 27), (7, true, 21), (7, false, 241)\n  ) AS t(year, churned, customers))",
        answer: "estimate | low | high\n4.103 | 3.744 | 4.496",
    }],
    limits: &["The interval takes the model for true, decades ahead as well; a horizon makes that a smaller claim."],
    related: &["residual_lifetime", "survival_interval", "retention_rate_interval"],
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ResidualLifetime;

impl Quantity for ResidualLifetime {
    const NAME: &'static str = "residual_lifetime";
    const INTERVAL_NAME: &'static str = "residual_lifetime_interval";
    const INPUTS: &'static [&'static str] = &["tenure", "yearly_discount_rate", "horizon"];
    const NEEDED: usize = 2;
    const SCALE: Scale = Scale::Log;

    fn prepare(inputs: &[f64], unit: Option<Unit>) -> Result<[f64; 3], String> {
        let tenure = periods("tenure", inputs[0], 0.0)?;
        let horizon = match inputs.get(2) {
            Some(horizon) if *horizon != f64::INFINITY => periods("horizon", *horizon, 0.0)?,
            _ => f64::INFINITY,
        };
        Ok([tenure, discount(inputs[1], unit)?, horizon])
    }

    fn value(model: ShiftedBetaGeometric, inputs: [f64; 3]) -> f64 {
        let [tenure, discount, horizon] = inputs;
        model.residual_lifetime(tenure, discount, horizon)
    }
}

/// What a period of waiting multiplies by.
fn discount(yearly: f64, unit: Option<Unit>) -> Result<f64, String> {
    match unit {
        _ if !(0.0..=1.0).contains(&yearly) => {
            Err(format!("the yearly discount rate is {yearly}; it lies between 0 and 1, 0.1 is 10 % a year"))
        }
        _ if yearly == 0.0 => Ok(1.0),
        Some(unit) => Ok((-unit.continuous_rate(yearly)).exp()),
        None => Err(format!(
            "a discount rate of {yearly} a year needs a fit with a unit; give shifted_beta_geometric_fit one"
        )),
    }
}
