//! `p_no_purchase`: probability that a customer buys nothing within a horizon; and its interval.

use super::arguments;
use super::example::fits;
use super::quantity::Quantity;
use super::score::function;
use crate::manual::{Example, Function, Kind, Page, Section};

pub(crate) const FUNCTION: Function =
    Function { kind: Kind::Scalar(|| function("p_no_purchase", Quantity::NoPurchase, false)), page: &PAGE };

pub(crate) const INTERVAL: Function = Function {
    kind: Kind::Scalar(|| function("p_no_purchase_interval", Quantity::NoPurchase, true)),
    page: &INTERVAL_PAGE,
};

const PAGE: Page = Page {
    name: "p_no_purchase",
    section: Section::Predictions,
    syntax: "p_no_purchase(fit, frequency, recency, age, horizon [, unit])",
    summary: "Probability that a customer buys nothing within a horizon",
    arguments: &[
        arguments::FIT,
        arguments::FREQUENCY,
        arguments::RECENCY,
        arguments::AGE,
        arguments::HORIZON,
        arguments::UNIT,
    ],
    returns: "DOUBLE between 0 and 1.",
    description: "Dropped out, or alive and silent. For BG/NBD: `1 - P(alive) (1 - ((alpha+T)/(alpha+T+h))^(r+x))`. \
        Unlike `p_alive` it also says something of one-time buyers, and it can be checked against a hold-out period.",
    sources: &[
        "Fader, Hardie and Lee (2005), \"Counting Your Customers\" the Easy Way: An Alternative to the Pareto/NBD \
            Model, Marketing Science 24(2), whose rate of purchases is gamma distributed given the history with \
            shape r + x and rate alpha + T",
    ],
    examples: &[Example {
        sql: concat!(
            fits!(),
            "SELECT frequency, recency, round(p_no_purchase((SELECT fit FROM fits), \
                frequency, recency, age, 13), 3) AS silent_for_13_weeks FROM histories WHERE age = 30 AND frequency \
                IN (0, 1, 4) GROUP BY ALL ORDER BY frequency, recency"
        ),
        answer: "frequency | recency | silent_for_13_weeks\n0 | 0 | 0.926\n1 | 4 | 0.847\n1 | 20 | 0.774\n4 | \
                27 | 0.395",
    }],
    limits: &[
        "NULL where the fit did not converge (its `reason` says why) or a needed argument is NULL; a history that \
            cannot be (recency beyond age, a negative or fractional frequency, a repeat purchase at recency 0) is \
            an error that shows it.",
    ],
    related: &["p_no_purchase_interval", "expected_purchases", "p_alive", "bg_nbd_fit"],
};

const INTERVAL_PAGE: Page = Page {
    name: "p_no_purchase_interval",
    section: Section::Predictions,
    syntax: "p_no_purchase_interval(fit, frequency, recency, age, horizon [, unit [, confidence]])",
    summary: "How certain the fit makes p_no_purchase: an interval",
    arguments: &[
        arguments::FIT,
        arguments::FREQUENCY,
        arguments::RECENCY,
        arguments::AGE,
        arguments::HORIZON,
        arguments::UNIT,
        arguments::CONFIDENCE_AFTER_UNIT,
    ],
    returns: "STRUCT of DOUBLE: `estimate` (as `p_no_purchase` gives it), `low`, `high`. NULL where `p_no_purchase` \
        is NULL.",
    description: "The covariance of the fit's log-parameters is carried on to the answer by the delta method, with \
        the gradient from central differences, on the scale of the log-odds, so that the limits stay between 0 and \
        1.",
    sources: &["Cramér (1946), Mathematical Methods of Statistics, section 28.4 (delta method)"],
    examples: &[Example {
        sql: concat!(
            fits!(),
            "SELECT round(i.estimate, 3) AS estimate, round(i.low, 3) AS low, round(i.high, \
                3) AS high FROM (SELECT p_no_purchase_interval(fit, 4, 27, 30, 13) AS i FROM fits)"
        ),
        answer: "estimate | low | high\n0.395 | 0.267 | 0.539",
    }],
    limits: &[
        "The interval is the uncertainty of the fitted parameters, not what a single customer will do: that varies \
            much more.",
        "It supposes that the likelihood is nearly quadratic around its maximum; with few customers or a nearly \
            flat direction it is too narrow or too wide.",
    ],
    related: &["p_no_purchase"],
};
