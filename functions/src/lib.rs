//! Customer-base statistics and other functions that analysts miss, for Apache DataFusion.
//!
//! A fit is an aggregate, a prediction a scalar function: `SELECT region, bg_nbd_fit(frequency, recency, age) FROM ...
//! GROUP BY region` groups, runs on all cores and merges partial states like `sum`. No input or output, no clock, no
//! names of tables.
//!
//! [`FUNCTIONS`] is the whole list; every function has a file of its own with its page of the manual, its meaning and
//! tests. [`models`] holds the mathematics, free of SQL and Arrow.

pub mod manual;
pub mod models;

mod aggregates;
mod exact;
mod fits;
mod general;
mod input;
mod judging;
mod predictions;
mod retention;

pub use manual::{Example, Function, Kind, Page, Section};

use datafusion::prelude::SessionContext;

/// Every function, in the order of the manual.
pub const FUNCTIONS: &[Function] = &[
    // from purchases to the input of models
    input::purchase_summary::FUNCTION,
    // fits
    fits::bg_nbd_fit::FUNCTION,
    fits::mbg_nbd_fit::FUNCTION,
    fits::pareto_nbd_fit::FUNCTION,
    fits::bg_bb_fit::FUNCTION,
    fits::gamma_gamma_fit::FUNCTION,
    fits::shifted_beta_geometric_fit::FUNCTION,
    // predictions
    predictions::p_alive::FUNCTION,
    predictions::p_alive::INTERVAL,
    predictions::expected_purchases::FUNCTION,
    predictions::expected_purchases::INTERVAL,
    predictions::expected_purchases_new::FUNCTION,
    predictions::expected_purchases_new::INTERVAL,
    predictions::p_no_purchase::FUNCTION,
    predictions::p_no_purchase::INTERVAL,
    predictions::discounted_expected_purchases::FUNCTION,
    predictions::discounted_expected_purchases::INTERVAL,
    predictions::expected_spend::FUNCTION,
    predictions::expected_spend::INTERVAL,
    predictions::customer_lifetime_value::FUNCTION,
    predictions::customer_lifetime_value::INTERVAL,
    // retention
    retention::kaplan_meier::FUNCTION,
    retention::log_rank::FUNCTION,
    retention::survival::FUNCTION,
    retention::survival::INTERVAL,
    retention::retention_rate::FUNCTION,
    retention::retention_rate::INTERVAL,
    retention::residual_lifetime::FUNCTION,
    retention::residual_lifetime::INTERVAL,
    // judging
    judging::auc::FUNCTION,
    judging::auc_compared::FUNCTION,
    judging::lift::FUNCTION,
    judging::holdout_by_frequency::FUNCTION,
    judging::gini::FUNCTION,
    judging::hhi::FUNCTION,
    // general
    general::date_diff::FUNCTION,
    general::months_between::FUNCTION,
    general::sessionize::FUNCTION,
    general::max_by::MAX_BY,
    general::max_by::MIN_BY,
    general::mode::FUNCTION,
    general::exact_sum::FUNCTION,
    general::quantile_cutoffs::FUNCTION,
    general::quantile_score::FUNCTION,
    general::width_bucket::FUNCTION,
    general::jaro_winkler::FUNCTION,
];

/// Makes all of them known to a session.
pub fn register(context: &SessionContext) {
    for function in FUNCTIONS {
        match function.kind {
            Kind::Scalar(make) => context.register_udf(make()),
            Kind::Aggregate(make) => context.register_udaf(make()),
            Kind::Window(make) => context.register_udwf(make()),
        }
    }
}
