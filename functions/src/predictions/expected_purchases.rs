//! `expected_purchases`: expected number of purchases of a customer within a horizon; and its interval.

use super::arguments;
use super::example::fits;
use super::quantity::Quantity;
use super::score::function;
use crate::manual::{Example, Function, Kind, Page, Section};

pub(crate) const FUNCTION: Function =
    Function { kind: Kind::Scalar(|| function("expected_purchases", Quantity::Purchases, false)), page: &PAGE };

pub(crate) const INTERVAL: Function = Function {
    kind: Kind::Scalar(|| function("expected_purchases_interval", Quantity::Purchases, true)),
    page: &INTERVAL_PAGE,
};

const PAGE: Page = Page {
    name: "expected_purchases",
    section: Section::Predictions,
    syntax: "expected_purchases(fit, frequency, recency, age, horizon [, unit])",
    summary: "Expected number of purchases of a customer within a horizon",
    arguments: &[
        arguments::FIT,
        arguments::FREQUENCY,
        arguments::RECENCY,
        arguments::AGE,
        arguments::HORIZON,
        arguments::UNIT,
    ],
    returns: "DOUBLE, days with a purchase, 0 or more.",
    description: "The expectation given the history: the probability that the customer is alive times what a living \
        customer with `frequency` repeats by `age` is expected to do. This is the score to rank customers by.",
    sources: &[
        "Fader, Hardie and Lee (2005), \"Counting Your Customers\" the Easy Way: An Alternative to the Pareto/NBD \
            Model, Marketing Science 24(2), equation 10",
    ],
    examples: &[
        Example {
            sql: concat!(
                fits!(),
                "SELECT frequency, recency, round(expected_purchases((SELECT fit FROM fits), \
                frequency, recency, age, 52), 3) AS next_year FROM histories WHERE age = 30 AND frequency IN (0, 1, \
                4) GROUP BY ALL ORDER BY frequency, recency"
            ),
            answer: "frequency | recency | next_year\n0 | 0 | 0.311\n1 | 4 | 0.706\n1 | 20 | 1.044\n4 | 27 | 3.806",
        },
        Example {
            sql: concat!(
                fits!(),
                "SELECT round(expected_purchases(fit, 4, 27, 30, 12, 'months'), 3) AS in_months, \
                round(expected_purchases(fit, 4, 27, 30, 365.25 / 7), 3) AS in_weeks FROM fits"
            ),
            answer: "in_months | in_weeks\n3.817 | 3.817",
        },
    ],
    limits: &[
        "NULL where the fit did not converge (its `reason` says why) or a needed argument is NULL; a history that \
            cannot be (recency beyond age, a negative or fractional frequency, a repeat purchase at recency 0) is \
            an error that shows it.",
        "A horizon far beyond the time that was observed is extrapolation.",
    ],
    related: &[
        "expected_purchases_interval",
        "expected_purchases_new",
        "discounted_expected_purchases",
        "p_no_purchase",
        "bg_nbd_fit",
    ],
};

const INTERVAL_PAGE: Page = Page {
    name: "expected_purchases_interval",
    section: Section::Predictions,
    syntax: "expected_purchases_interval(fit, frequency, recency, age, horizon [, unit [, confidence]])",
    summary: "How certain the fit makes expected_purchases: an interval",
    arguments: &[
        arguments::FIT,
        arguments::FREQUENCY,
        arguments::RECENCY,
        arguments::AGE,
        arguments::HORIZON,
        arguments::UNIT,
        arguments::CONFIDENCE_AFTER_UNIT,
    ],
    returns: "STRUCT of DOUBLE: `estimate` (as `expected_purchases` gives it), `low`, `high`. NULL where \
        `expected_purchases` is NULL.",
    description: "The covariance of the fit's log-parameters is carried on to the answer by the delta method, with \
        the gradient from central differences, on the scale of the logarithm, so that the limits stay above 0.",
    sources: &["Cramér (1946), Mathematical Methods of Statistics, section 28.4 (delta method)"],
    examples: &[Example {
        sql: concat!(
            fits!(),
            "SELECT round(i.estimate, 3) AS estimate, round(i.low, 3) AS low, round(i.high, \
                3) AS high FROM (SELECT expected_purchases_interval(fit, 4, 27, 30, 52) AS i FROM fits)"
        ),
        answer: "estimate | low | high\n3.806 | 1.912 | 7.578",
    }],
    limits: &[
        "The interval is the uncertainty of the fitted parameters, not what a single customer will do: that varies \
            much more.",
        "It supposes that the likelihood is nearly quadratic around its maximum; with few customers or a nearly \
            flat direction it is too narrow or too wide.",
    ],
    related: &["expected_purchases"],
};
