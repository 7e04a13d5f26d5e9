//! The mathematics: likelihoods, their maxima, predictions. No SQL, no Arrow, no input or output.
//!
//! Parameters are optimised as logarithms, time is scaled so that its mean is about 10, and all customers with the
//! same history count as one with a weight: a fit costs what its distinct histories cost.

// Matrices are written with indices as in the papers, and values of other programs with the digits these printed.
#![allow(clippy::needless_range_loop, clippy::excessive_precision)]

// tools
pub mod by_ratio;
#[cfg(test)]
mod closed_form;
pub mod delta;
mod discounting;
pub mod history;
pub mod hypergeometric;
mod jet;
pub mod maximise;
pub mod numeric;
mod quadrature;
pub mod unit;

// models
pub mod bg_bb;
pub mod gamma_gamma;
pub mod geometric;
pub mod geometric_model;
pub mod kaplan_meier;
pub mod log_rank;
pub mod pareto_nbd;
pub mod shifted_beta_geometric;

pub use delta::{Delta, Interval, Scale};
pub use geometric::DropOut;
pub use geometric_model::GeometricModel;
pub use history::{History, Time};
pub use maximise::{Evaluation, Maximum, Objective, Outcome, maximise};
pub use unit::Unit;

/// What a fitted model of repeat buying says of a customer. Time is in the unit of the fit.
///
/// Prepared once per fit (constants such as log-gammas of the parameters are computed then), asked once per row.
pub trait PurchaseModel {
    /// Probability that the customer has not dropped out.
    fn p_alive(&self, history: History) -> f64;
    /// Expected number of purchases in the next `horizon`, given the history.
    fn expected_purchases(&self, history: History, horizon: f64) -> f64;
    /// Expected number of repeat purchases of a new customer within `horizon` of the first purchase.
    fn expected_purchases_new(&self, horizon: f64) -> f64;
    /// Probability of no purchase in the next `horizon`, given the history.
    fn p_no_purchase(&self, history: History, horizon: f64) -> f64;
    /// Expected number of purchases in the next `horizon` of a customer who is alive. Depends on neither recency
    /// nor anything else of the history, so that callers can keep it per distinct arguments.
    fn expected_if_alive(&self, frequency: f64, age: f64, horizon: f64) -> f64 {
        let history = surely_alive(frequency, age);
        self.expected_purchases(history, horizon) / self.p_alive(history)
    }
    /// Expected purchases of the next `horizon` (for ever where infinite), discounted continuously at `rate` per unit
    /// of time, given the history. Infinite where the sum does not converge.
    fn discounted_expected_purchases(&self, history: History, horizon: f64, rate: f64) -> f64;
}

/// The history that gives no sign of a drop-out: the last purchase at the end of observation.
fn surely_alive(frequency: f64, age: f64) -> History {
    History { frequency, recency: if frequency > 0.0 { age } else { 0.0 }, age }
}
