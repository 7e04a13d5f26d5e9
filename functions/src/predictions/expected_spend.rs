//! `expected_spend`: expected spend per purchase of a customer; and its interval.

use super::arguments;
use super::example::fits;
use super::quantity::Quantity;
use super::score::function;
use crate::manual::{Example, Function, Kind, Page, Section};

pub(crate) const FUNCTION: Function =
    Function { kind: Kind::Scalar(|| function("expected_spend", Quantity::Spend, false)), page: &PAGE };

pub(crate) const INTERVAL: Function = Function {
    kind: Kind::Scalar(|| function("expected_spend_interval", Quantity::Spend, true)),
    page: &INTERVAL_PAGE,
};

const PAGE: Page = Page {
    name: "expected_spend",
    section: Section::Predictions,
    syntax: "expected_spend(spend_fit, frequency, mean_spend)",
    summary: "Expected spend per purchase of a customer",
    arguments: &[arguments::SPEND_FIT, arguments::FREQUENCY, arguments::MEAN_SPEND],
    returns: "DOUBLE, money in the currency of the fit.",
    description: "`(p gamma + p x m) / (p x + q - 1)`: the mean over all customers and the customer's own mean `m` \
        of `x` repeat purchases, weighted by how much each says. Without a repeat purchase it is the mean over all, \
        `p gamma / (q - 1)`.",
    sources: &["Fader and Hardie (2013), The Gamma-Gamma Model of Monetary Value, http://brucehardie.com/notes/025/, \
            equation 5"],
    examples: &[Example {
        sql: concat!(
            fits!(),
            "SELECT round(expected_spend(spend_fit, 0, NULL), 2) AS one_time_buyer, \
                round(expected_spend(spend_fit, 1, 9), 2) AS bought_once_more_for_9, \
                round(expected_spend(spend_fit, 4, 46), 2) AS four_times_for_46 FROM fits"
        ),
        answer: "one_time_buyer | bought_once_more_for_9 | four_times_for_46\n28.38 | 24.36 | 37.39",
    }],
    limits: &[
        "NULL where the fit did not converge or the fit or the frequency is NULL.",
        "NULL too for a repeat buyer whose mean spend is NULL, 0 or negative (refunds): the model knows no such \
            customers and the fit left them out, counted in `left_out`.",
        "A negative or fractional frequency, or a mean spend that is NaN or infinite, is an error.",
    ],
    related: &["expected_spend_interval", "gamma_gamma_fit", "customer_lifetime_value"],
};

const INTERVAL_PAGE: Page = Page {
    name: "expected_spend_interval",
    section: Section::Predictions,
    syntax: "expected_spend_interval(spend_fit, frequency, mean_spend [, confidence])",
    summary: "How certain the fit makes expected_spend: an interval",
    arguments: &[arguments::SPEND_FIT, arguments::FREQUENCY, arguments::MEAN_SPEND, arguments::CONFIDENCE],
    returns: "STRUCT of DOUBLE: `estimate` (as `expected_spend` gives it), `low`, `high`. NULL where \
        `expected_spend` is NULL.",
    description: "The covariance of the fit's log-parameters is carried on to the answer by the delta method, with \
        the gradient from central differences, on the scale of the logarithm, so that the limits stay above 0.",
    sources: &["Cramér (1946), Mathematical Methods of Statistics, section 28.4 (delta method)"],
    examples: &[Example {
        sql: concat!(
            fits!(),
            "SELECT round(i.estimate, 2) AS estimate, round(i.low, 2) AS low, round(i.high, \
                2) AS high FROM (SELECT expected_spend_interval(spend_fit, 4, 46) AS i FROM fits)"
        ),
        answer: "estimate | low | high\n37.39 | 25.36 | 55.14",
    }],
    limits: &[
        "The interval is the uncertainty of the fitted parameters, not what a single customer will do: that varies \
            much more.",
        "It supposes that the likelihood is nearly quadratic around its maximum; with few customers or a nearly \
            flat direction it is too narrow or too wide.",
    ],
    related: &["expected_spend"],
};
