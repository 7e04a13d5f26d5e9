//! `retention_rate(fit, period)`: the share of those there at the beginning of a period who stay beyond it.

use super::contract::{Quantity, function, interval_function, periods};
use crate::manual::{Function, Section, page};
use crate::models::Scale;

pub(crate) const FUNCTION: Function =
    Function::scalar("retention_rate", Section::Retention, page!("retention_rate"), || function(&RETENTION_RATE))
        .with_rule(|arguments| RETENTION_RATE.check_constants(arguments));

pub(crate) const INTERVAL: Function =
    Function::scalar("retention_rate_interval", Section::Retention, page!("retention_rate_interval"), || {
        interval_function(&RETENTION_RATE)
    })
    .with_rule(|arguments| RETENTION_RATE.check_constants(arguments));

static RETENTION_RATE: Quantity = Quantity {
    name: "retention_rate",
    interval_name: "retention_rate_interval",
    inputs: &["period"],
    needed: 1,
    scale: Scale::Logit,
    test: |_, period| periods("period", period, 1.0),
    prepare: |inputs, _| Ok([inputs[0], 0.0, 0.0]),
    value: |model, [period, ..]| model.retention_rate(period),
};
