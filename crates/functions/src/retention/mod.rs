//! How long customers stay: what was observed ([`kaplan_meier`], [`log_rank`]) and what a fitted model predicts
//! ([`contract`] and the functions on it).

pub(crate) mod kaplan_meier;
pub(crate) mod log_rank;

mod durations;

mod contract;
pub(crate) mod residual_lifetime;
pub(crate) mod retention_rate;
pub(crate) mod survival;
