//! `residual_lifetime(fit, tenure, yearly_discount_rate [, horizon])`: how many renewals a customer is still worth.

use super::contract::{Quantity, function, interval_function, periods};
use crate::constants::ValueProblem;
use crate::limits;
use crate::manual::{Function, Section, page};
use crate::models::{Scale, Unit};

pub(crate) const FUNCTION: Function =
    Function::scalar("residual_lifetime", Section::Retention, page!("residual_lifetime"), || {
        function(&RESIDUAL_LIFETIME)
    })
    .with_rule(|arguments| RESIDUAL_LIFETIME.check_constants(arguments));

pub(crate) const INTERVAL: Function =
    Function::scalar("residual_lifetime_interval", Section::Retention, page!("residual_lifetime_interval"), || {
        interval_function(&RESIDUAL_LIFETIME)
    })
    .with_rule(|arguments| RESIDUAL_LIFETIME.check_constants(arguments));

static RESIDUAL_LIFETIME: Quantity = Quantity {
    name: "residual_lifetime",
    interval_name: "residual_lifetime_interval",
    inputs: &["tenure", "yearly_discount_rate", "horizon"],
    needed: 2,
    scale: Scale::Log,
    test: |input, number| match input {
        0 => periods("tenure", number, 0.0),
        1 => limits::yearly_discount_rate(number),
        _ if number == f64::INFINITY => Ok(number),
        _ => periods("horizon", number, 0.0),
    },
    prepare: |inputs, unit| {
        let horizon = inputs.get(2).copied().unwrap_or(f64::INFINITY);
        Ok([inputs[0], discount(inputs[1], unit)?, horizon])
    },
    value: |model, [tenure, discount, horizon]| model.residual_lifetime(tenure, discount, horizon),
};

/// What a period of waiting multiplies by.
fn discount(yearly: f64, unit: Option<Unit>) -> Result<f64, ValueProblem> {
    match unit {
        _ if yearly == 0.0 => Ok(1.0),
        Some(unit) => Ok((-unit.continuous_rate(yearly)).exp()),
        None => Err(ValueProblem::new(
            format!("a discount rate of {yearly} a year needs a fit with a unit"),
            "give shifted_beta_geometric_fit one",
        )),
    }
}
