//! `p_alive`: probability that a customer has not dropped out; and its interval.

use super::arguments;
use super::example::fits;
use super::quantity::Quantity;
use super::score::function;
use crate::manual::{Example, Function, Kind, Page, Section};

pub(crate) const FUNCTION: Function =
    Function { kind: Kind::Scalar(|| function("p_alive", Quantity::Alive, false)), page: &PAGE };

pub(crate) const INTERVAL: Function =
    Function { kind: Kind::Scalar(|| function("p_alive_interval", Quantity::Alive, true)), page: &INTERVAL_PAGE };

const PAGE: Page = Page {
    name: "p_alive",
    section: Section::Predictions,
    syntax: "p_alive(fit, frequency, recency, age)",
    summary: "Probability that a customer has not dropped out",
    arguments: &[arguments::FIT, arguments::FREQUENCY, arguments::RECENCY, arguments::AGE],
    returns: "DOUBLE between 0 and 1.",
    description: "The probability that the customer has not dropped out, given the history. For BG/NBD: `1 / (1 + \
        a/(b+x-1) ((alpha+T)/(alpha+t_x))^(r+x))` for x > 0.\n\n**For BG/NBD it is 1 for every one-time buyer**: \
        that model lets customers drop out only after a repeat purchase. So it is no score of churn. Rank customers \
        by `expected_purchases`, and compare any ranking with the plain recency baseline (`auc_compared`), which is \
        hard to beat. MBG/NBD and Pareto/NBD let one-time buyers drop out too.",
    sources: &[
        "Fader, Hardie and Lee (2005), \"Counting Your Customers\" the Easy Way: An Alternative to the Pareto/NBD \
            Model, Marketing Science 24(2), with the expression derived in Fader and Hardie (2008), Computing \
            P(alive) Using the BG/NBD Model, http://brucehardie.com/notes/021/",
    ],
    examples: &[Example {
        sql: concat!(
            fits!(),
            "SELECT frequency, recency, round(p_alive((SELECT fit FROM fits), frequency, \
                recency, age), 3) AS p_alive FROM histories WHERE age = 30 AND frequency IN (0, 1, 4) GROUP BY ALL \
                ORDER BY frequency, recency"
        ),
        answer: "frequency | recency | p_alive\n0 | 0 | 1.0\n1 | 4 | 0.499\n1 | 20 | 0.737\n4 | 27 | 0.853",
    }],
    limits: &[
        "NULL where the fit did not converge (its `reason` says why) or a needed argument is NULL; a history that \
            cannot be (recency beyond age, a negative or fractional frequency, a repeat purchase at recency 0) is \
            an error that shows it.",
        "No score of churn for BG/NBD: see above.",
    ],
    related: &["p_alive_interval", "expected_purchases", "p_no_purchase", "bg_nbd_fit"],
};

const INTERVAL_PAGE: Page = Page {
    name: "p_alive_interval",
    section: Section::Predictions,
    syntax: "p_alive_interval(fit, frequency, recency, age [, confidence])",
    summary: "How certain the fit makes p_alive: an interval",
    arguments: &[arguments::FIT, arguments::FREQUENCY, arguments::RECENCY, arguments::AGE, arguments::CONFIDENCE],
    returns: "STRUCT of DOUBLE: `estimate` (as `p_alive` gives it), `low`, `high`. NULL where `p_alive` is NULL.",
    description: "The covariance of the fit's log-parameters is carried on to the answer by the delta method, with \
        the gradient from central differences, on the scale of the log-odds, so that the limits stay between 0 and \
        1. A probability that is 1 for any parameters (one-time buyers under BG/NBD) has the interval from 1 to 1.",
    sources: &["Cramér (1946), Mathematical Methods of Statistics, section 28.4 (delta method)"],
    examples: &[Example {
        sql: concat!(
            fits!(),
            "SELECT round(i.estimate, 3) AS estimate, round(i.low, 3) AS low, round(i.high, \
                3) AS high FROM (SELECT p_alive_interval(fit, 4, 27, 30) AS i FROM fits)"
        ),
        answer: "estimate | low | high\n0.853 | 0.53 | 0.967",
    }],
    limits: &[
        "The interval is the uncertainty of the fitted parameters, not what a single customer will do: that varies \
            much more.",
        "It supposes that the likelihood is nearly quadratic around its maximum; with few customers or a nearly \
            flat direction it is too narrow or too wide.",
    ],
    related: &["p_alive"],
};
