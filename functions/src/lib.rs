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

mod fits;
mod general;
mod input;
mod judging;
mod predictions;
mod retention;

pub use manual::{Function, Kind, Page, Section};

use datafusion::prelude::SessionContext;

/// Every function, in the order of the manual.
pub const FUNCTIONS: &[Function] = &[
    // from purchases to the input of models
    // fits
    fits::bg_nbd_fit::FUNCTION,
    fits::mbg_nbd_fit::FUNCTION,
    // predictions
    // retention
    // judging
    // general
    general::months_between::FUNCTION,
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
