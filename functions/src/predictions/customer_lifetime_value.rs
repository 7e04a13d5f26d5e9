//! `customer_lifetime_value`: expected discounted margin of a customer within a horizon; and its interval.

use super::arguments;
use super::example::fits;
use super::quantity::Quantity;
use super::score::function;
use crate::manual::{Example, Function, Kind, Page, Section};

pub(crate) const FUNCTION: Function = Function {
    kind: Kind::Scalar(|| function("customer_lifetime_value", Quantity::LifetimeValue, false)),
    page: &PAGE,
};

pub(crate) const INTERVAL: Function = Function {
    kind: Kind::Scalar(|| function("customer_lifetime_value_interval", Quantity::LifetimeValue, true)),
    page: &INTERVAL_PAGE,
};

const PAGE: Page = Page {
    name: "customer_lifetime_value",
    section: Section::Predictions,
    syntax: "customer_lifetime_value(fit, spend_fit, frequency, recency, age, mean_spend, margin_share, \
        yearly_discount_rate, horizon [, unit])",
    summary: "Expected discounted margin of a customer within a horizon",
    arguments: &[
        arguments::FIT,
        arguments::SPEND_FIT,
        arguments::FREQUENCY,
        arguments::RECENCY,
        arguments::AGE,
        arguments::MEAN_SPEND,
        arguments::MARGIN_SHARE,
        arguments::YEARLY_DISCOUNT_RATE,
        arguments::HORIZON_OR_EVER,
        arguments::UNIT,
    ],
    returns: "DOUBLE, money of today in the currency of the spend fit.",
    description: "`margin_share * expected_spend * discounted_expected_purchases`: predicted value, from today on. \
        What the customer has brought so far, the first purchase included, is not in it. A negative margin share \
        (goods sold below cost) gives a negative value; beyond 1 either way it is an error, since margin is at most \
        all of spend and 30 is most likely meant as 30 %.",
    sources: &[
        "Fader, Hardie and Lee (2005), RFM and CLV: Using Iso-Value Curves for Customer Base Analysis, Journal of \
            Marketing Research 42(4), equations 1 and 2",
    ],
    examples: &[Example {
        sql: concat!(
            fits!(),
            "SELECT round(customer_lifetime_value(fit, spend_fit, 0, 0, 30, NULL, 0.3, 0.1, \
                2, 'years'), 2) AS one_time_buyer, round(customer_lifetime_value(fit, spend_fit, 4, 27, 30, 46, \
                0.3, 0.1, 2, 'years'), 2) AS regular FROM fits"
        ),
        answer: "one_time_buyer | regular\n4.42 | 66.82",
    }],
    limits: &[
        "NULL where the fit did not converge (its `reason` says why) or a needed argument is NULL; a history that \
            cannot be (recency beyond age, a negative or fractional frequency, a repeat purchase at recency 0) is \
            an error that shows it.",
        "NULL too for a repeat buyer whose mean spend is NULL, 0 or negative: see `expected_spend`.",
        "Spend is taken to be independent of how often a customer buys, in the fits and here.",
        "Margin is one share for all purchases; costs of serving and of winning customers are not in it.",
    ],
    related: &[
        "customer_lifetime_value_interval",
        "discounted_expected_purchases",
        "expected_spend",
        "gamma_gamma_fit",
        "bg_nbd_fit",
    ],
};

const INTERVAL_PAGE: Page = Page {
    name: "customer_lifetime_value_interval",
    section: Section::Predictions,
    syntax: "customer_lifetime_value_interval(fit, spend_fit, frequency, recency, age, mean_spend, margin_share, \
        yearly_discount_rate, horizon [, unit [, confidence]])",
    summary: "How certain the fit makes customer_lifetime_value: an interval",
    arguments: &[
        arguments::FIT,
        arguments::SPEND_FIT,
        arguments::FREQUENCY,
        arguments::RECENCY,
        arguments::AGE,
        arguments::MEAN_SPEND,
        arguments::MARGIN_SHARE,
        arguments::YEARLY_DISCOUNT_RATE,
        arguments::HORIZON_OR_EVER,
        arguments::UNIT,
        arguments::CONFIDENCE_AFTER_UNIT,
    ],
    returns: "STRUCT of DOUBLE: `estimate` (as `customer_lifetime_value` gives it), `low`, `high`. NULL where \
        `customer_lifetime_value` is NULL.",
    description: "The covariance of the fit's log-parameters is carried on to the answer by the delta method, with \
        the gradient from central differences, on the scale of the logarithm, so that the limits stay above 0. \
        Buying and spending are fitted independently, so there is no covariance between the two fits. With a \
        negative margin the limits are below 0.",
    sources: &["Cramér (1946), Mathematical Methods of Statistics, section 28.4 (delta method)"],
    examples: &[Example {
        sql: concat!(
            fits!(),
            "SELECT round(i.estimate, 2) AS estimate, round(i.low, 2) AS low, round(i.high, \
                2) AS high FROM (SELECT customer_lifetime_value_interval(fit, spend_fit, 4, 27, 30, 46, 0.3, 0.1, \
                2, 'years') AS i FROM fits)"
        ),
        answer: "estimate | low | high\n66.82 | 22.74 | 196.34",
    }],
    limits: &[
        "The interval is the uncertainty of the fitted parameters, not what a single customer will do: that varies \
            much more.",
        "It supposes that the likelihood is nearly quadratic around its maximum; with few customers or a nearly \
            flat direction it is too narrow or too wide.",
    ],
    related: &["customer_lifetime_value"],
};
