//! `discounted_expected_purchases`: purchases of a customer within a horizon, discounted to today; and its interval.

use super::arguments;
use super::example::fits;
use super::quantity::Quantity;
use super::score::function;
use crate::manual::{Example, Function, Kind, Page, Section};

pub(crate) const FUNCTION: Function = Function {
    kind: Kind::Scalar(|| function("discounted_expected_purchases", Quantity::DiscountedPurchases, false)),
    page: &PAGE,
};

pub(crate) const INTERVAL: Function = Function {
    kind: Kind::Scalar(|| function("discounted_expected_purchases_interval", Quantity::DiscountedPurchases, true)),
    page: &INTERVAL_PAGE,
};

const PAGE: Page = Page {
    name: "discounted_expected_purchases",
    section: Section::Predictions,
    syntax: "discounted_expected_purchases(fit, frequency, recency, age, yearly_discount_rate, horizon [, unit])",
    summary: "Expected number of purchases of a customer within a horizon, each discounted to today",
    arguments: &[
        arguments::FIT,
        arguments::FREQUENCY,
        arguments::RECENCY,
        arguments::AGE,
        arguments::YEARLY_DISCOUNT_RATE,
        arguments::HORIZON_OR_EVER,
        arguments::UNIT,
    ],
    returns: "DOUBLE, 0 or more; multiplied with the margin of a purchase it is money of today.",
    description: "`integral from 0 to h of e^(-d t) m(t) dt` with the expected rate of purchases m(t) given the \
        history and the continuous rate `d = ln(1 + yearly_discount_rate)` per year, brought to the unit of the \
        fit. With a rate of 0 it is `expected_purchases`. Purchases are discounted from the moment they are \
        expected; programs that discount period by period (lifetimes: at the end of each month) give a little less.",
    sources: &[
        "Fader, Hardie and Lee (2005), RFM and CLV: Using Iso-Value Curves for Customer Base Analysis, Journal of \
            Marketing Research 42(4), equation 2 (discounted expected transactions)",
    ],
    examples: &[Example {
        sql: concat!(
            fits!(),
            "SELECT round(discounted_expected_purchases(fit, 4, 27, 30, 0.1, 52), 3) AS \
                discounted, round(discounted_expected_purchases(fit, 4, 27, 30, 0, 52), 3) AS undiscounted, \
                round(discounted_expected_purchases(fit, 4, 27, 30, 0.1, 'Infinity'::DOUBLE), 2) AS for_ever FROM \
                fits"
        ),
        answer: "discounted | undiscounted | for_ever\n3.644 | 3.806 | 15.22",
    }],
    limits: &[
        "NULL where the fit did not converge (its `reason` says why) or a needed argument is NULL; a history that \
            cannot be (recency beyond age, a negative or fractional frequency, a repeat purchase at recency 0) is \
            an error that shows it.",
        "A yearly rate needs a fit with a unit; a rate outside 0 to 1 is an error, so that 10 is not taken for 10 \
            %. For ever needs a rate above 0.",
        "For ever is an extrapolation far beyond the data: most of it may come from years nobody has seen.",
    ],
    related: &["discounted_expected_purchases_interval", "customer_lifetime_value", "expected_purchases"],
};

const INTERVAL_PAGE: Page = Page {
    name: "discounted_expected_purchases_interval",
    section: Section::Predictions,
    syntax: "discounted_expected_purchases_interval(fit, frequency, recency, age, yearly_discount_rate, horizon [, \
        unit [, confidence]])",
    summary: "How certain the fit makes discounted_expected_purchases: an interval",
    arguments: &[
        arguments::FIT,
        arguments::FREQUENCY,
        arguments::RECENCY,
        arguments::AGE,
        arguments::YEARLY_DISCOUNT_RATE,
        arguments::HORIZON_OR_EVER,
        arguments::UNIT,
        arguments::CONFIDENCE_AFTER_UNIT,
    ],
    returns: "STRUCT of DOUBLE: `estimate` (as `discounted_expected_purchases` gives it), `low`, `high`. NULL where \
        `discounted_expected_purchases` is NULL.",
    description: "The covariance of the fit's log-parameters is carried on to the answer by the delta method, with \
        the gradient from central differences, on the scale of the logarithm, so that the limits stay above 0.",
    sources: &["Cramér (1946), Mathematical Methods of Statistics, section 28.4 (delta method)"],
    examples: &[Example {
        sql: concat!(
            fits!(),
            "SELECT round(i.estimate, 3) AS estimate, round(i.low, 3) AS low, round(i.high, \
                3) AS high FROM (SELECT discounted_expected_purchases_interval(fit, 4, 27, 30, 0.1, 52) AS i FROM \
                fits)"
        ),
        answer: "estimate | low | high\n3.644 | 1.844 | 7.201",
    }],
    limits: &[
        "The interval is the uncertainty of the fitted parameters, not what a single customer will do: that varies \
            much more.",
        "It supposes that the likelihood is nearly quadratic around its maximum; with few customers or a nearly \
            flat direction it is too narrow or too wide.",
    ],
    related: &["discounted_expected_purchases"],
};
