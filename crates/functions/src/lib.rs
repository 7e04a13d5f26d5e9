//! Customer-base statistics and other functions that analysts miss, for Apache DataFusion.
//!
//! A fit is an aggregate, a prediction a scalar function: `SELECT region, bg_nbd_fit(frequency, recency, age) FROM ...
//! GROUP BY region` groups, runs on all cores and merges partial states like `sum`. No input or output, no clock, no
//! names of tables.
//!
//! [`FUNCTIONS`] is the whole list; a function has a file of its own with its meaning, its types and its tests, and a
//! page of the manual in `docs/functions`. [`check_constants`] says before any row is read whether the constant
//! arguments of a call are allowed. [`NoWrapping`] lets the engine's own `+`, `-`, `*`, `<<` and `sum` fail where they
//! would wrap. [`Calendars`] are those that functions of working days ask. `models` holds the mathematics, free of SQL and Arrow.

mod common;
mod constants;
mod evaluation;
mod exact;
mod fits;
mod general;
mod input;
mod large;
mod limits;
mod manual;
mod models;
mod overflow;
mod predictions;
mod retention;
mod working_time;

pub use constants::{ConstantProblem, check_constants};
pub use large::TooLarge;
pub use manual::{Example, Function, Kind, Page, Section};
pub use overflow::{NoWrapping, Overflow, is_arithmetic};
pub use working_time::{Calendars, names_function_of_calendars};

use datafusion::prelude::SessionContext;
use std::sync::Arc;

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
    predictions::P_ALIVE,
    predictions::P_ALIVE_INTERVAL,
    predictions::EXPECTED_PURCHASES,
    predictions::EXPECTED_PURCHASES_INTERVAL,
    predictions::EXPECTED_PURCHASES_NEW,
    predictions::EXPECTED_PURCHASES_NEW_INTERVAL,
    predictions::P_NO_PURCHASE,
    predictions::P_NO_PURCHASE_INTERVAL,
    predictions::DISCOUNTED_EXPECTED_PURCHASES,
    predictions::DISCOUNTED_EXPECTED_PURCHASES_INTERVAL,
    predictions::EXPECTED_SPEND,
    predictions::EXPECTED_SPEND_INTERVAL,
    predictions::CUSTOMER_LIFETIME_VALUE,
    predictions::CUSTOMER_LIFETIME_VALUE_INTERVAL,
    // retention
    retention::kaplan_meier::FUNCTION,
    retention::log_rank::FUNCTION,
    retention::survival::FUNCTION,
    retention::survival::INTERVAL,
    retention::retention_rate::FUNCTION,
    retention::retention_rate::INTERVAL,
    retention::residual_lifetime::FUNCTION,
    retention::residual_lifetime::INTERVAL,
    // evaluation
    evaluation::auc::FUNCTION,
    evaluation::auc_compared::FUNCTION,
    evaluation::lift::FUNCTION,
    evaluation::holdout_by_frequency::FUNCTION,
    evaluation::gini::FUNCTION,
    evaluation::hhi::FUNCTION,
    // working time
    working_time::is_working_day::FUNCTION,
    working_time::working_days_between::FUNCTION,
    working_time::add_working_days::FUNCTION,
    working_time::open_seconds::FUNCTION,
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

/// Registers all of them in a session, in which from then on whole numbers and decimals do not wrap ([`NoWrapping`]) and
/// no call makes more than 256 MB of one batch of rows ([`TooLarge`]).
pub fn register(context: &SessionContext) {
    context.add_analyzer_rule(Arc::new(NoWrapping));
    large::functions().for_each(|function| context.register_udf(function));
    for function in FUNCTIONS {
        match function.kind {
            Kind::Scalar(make) => context.register_udf(make()),
            Kind::Aggregate(make) => context.register_udaf(make()),
            Kind::Window(make) => context.register_udwf(make()),
        }
    }
}
