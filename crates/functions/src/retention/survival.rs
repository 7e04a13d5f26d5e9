//! `survival(fit, period)`: the share of new customers under contract who remain after a number of periods.

use super::contract::{Quantity, function, interval_function, periods};
use crate::manual::{Function, Section, page};
use crate::models::Scale;

pub(crate) const FUNCTION: Function =
    Function::scalar("survival", Section::Retention, page!("survival"), || function(&SURVIVAL))
        .with_rule(|arguments| SURVIVAL.check_constants(arguments));

pub(crate) const INTERVAL: Function =
    Function::scalar("survival_interval", Section::Retention, page!("survival_interval"), || {
        interval_function(&SURVIVAL)
    })
    .with_rule(|arguments| SURVIVAL.check_constants(arguments));

static SURVIVAL: Quantity = Quantity {
    name: "survival",
    interval_name: "survival_interval",
    inputs: &["period"],
    needed: 1,
    scale: Scale::Logit,
    test: |_, period| periods("period", period, 0.0),
    prepare: |inputs, _| Ok([inputs[0], 0.0, 0.0]),
    value: |model, [period, ..]| model.survival(period),
};
