//! Calendar, text, order, sums: what DataFusion lacks.

pub mod date_diff;
pub mod exact_sum;
pub mod jaro_winkler;
pub mod max_by;
pub mod mode;
pub mod months_between;
pub mod quantile_cutoffs;
pub mod quantile_score;
pub mod sessionize;
pub mod width_bucket;

pub(crate) mod groups;

mod counts;
mod numbers;
mod thresholds;
