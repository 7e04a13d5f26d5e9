//! How good a score or a model is.

pub mod auc;
pub mod auc_compared;
pub mod gini;
pub mod hhi;
pub mod holdout_by_frequency;
pub mod lift;

mod concentration;
mod measure;
mod ranking;
mod tally;
