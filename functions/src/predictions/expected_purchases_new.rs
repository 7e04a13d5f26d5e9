//! `expected_purchases_new`: repeat purchases of a new customer within a horizon; and its interval.

use super::arguments;
use super::example::fits;
use super::quantity::Quantity;
use super::score::function;
use crate::manual::{Example, Function, Kind, Page, Section};

pub(crate) const FUNCTION: Function = Function {
    kind: Kind::Scalar(|| function("expected_purchases_new", Quantity::PurchasesOfNew, false)),
    page: &PAGE,
};

pub(crate) const INTERVAL: Function = Function {
    kind: Kind::Scalar(|| function("expected_purchases_new_interval", Quantity::PurchasesOfNew, true)),
    page: &INTERVAL_PAGE,
};

const PAGE: Page = Page {
    name: "expected_purchases_new",
    section: Section::Predictions,
    syntax: "expected_purchases_new(fit, horizon [, unit])",
    summary: "Expected number of repeat purchases of a new customer within a horizon of the first purchase",
    arguments: &[arguments::FIT, arguments::HORIZON, arguments::UNIT],
    returns: "DOUBLE, days with a repeat purchase, 0 or more; the first purchase is not counted.",
    description: "The expectation over all customers, for one of whom nothing but the first purchase is known. \
        Summed over the first purchases of past weeks it tracks the sales of a whole cohort.",
    sources: &[
        "Fader, Hardie and Lee (2005), \"Counting Your Customers\" the Easy Way: An Alternative to the Pareto/NBD \
            Model, Marketing Science 24(2), equation 9",
    ],
    examples: &[Example {
        sql: concat!(
            fits!(),
            "SELECT round(expected_purchases_new(fit, 52), 3) AS in_52_weeks, \
                round(expected_purchases_new(fit, 1, 'week'), 3) AS in_a_week FROM fits"
        ),
        answer: "in_52_weeks | in_a_week\n1.071 | 0.03",
    }],
    limits: &["NULL where the fit did not converge or an argument is NULL."],
    related: &["expected_purchases_new_interval", "expected_purchases", "bg_nbd_fit"],
};

const INTERVAL_PAGE: Page = Page {
    name: "expected_purchases_new_interval",
    section: Section::Predictions,
    syntax: "expected_purchases_new_interval(fit, horizon [, unit [, confidence]])",
    summary: "How certain the fit makes expected_purchases_new: an interval",
    arguments: &[arguments::FIT, arguments::HORIZON, arguments::UNIT, arguments::CONFIDENCE_AFTER_UNIT],
    returns: "STRUCT of DOUBLE: `estimate` (as `expected_purchases_new` gives it), `low`, `high`. NULL where \
        `expected_purchases_new` is NULL.",
    description: "The covariance of the fit's log-parameters is carried on to the answer by the delta method, with \
        the gradient from central differences, on the scale of the logarithm, so that the limits stay above 0.",
    sources: &["Cramér (1946), Mathematical Methods of Statistics, section 28.4 (delta method)"],
    examples: &[Example {
        sql: concat!(
            fits!(),
            "SELECT round(i.estimate, 3) AS estimate, round(i.low, 3) AS low, round(i.high, \
                3) AS high FROM (SELECT expected_purchases_new_interval(fit, 52) AS i FROM fits)"
        ),
        answer: "estimate | low | high\n1.071 | 0.733 | 1.564",
    }],
    limits: &[
        "The interval is the uncertainty of the fitted parameters, not what a single customer will do: that varies \
            much more.",
        "It supposes that the likelihood is nearly quadratic around its maximum; with few customers or a nearly \
            flat direction it is too narrow or too wide.",
    ],
    related: &["expected_purchases_new"],
};
