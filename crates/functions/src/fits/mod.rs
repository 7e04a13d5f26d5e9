//! Aggregates that fit a model. A file of a model is its [`definition`]: what input it takes and how to search;
//! [`aggregate`] makes an aggregate function of that, [`collapsed`] holds the inputs, [`fit`] is the answer.

pub(crate) mod collapsed;
pub(crate) mod fit;

mod definition;
mod arguments;
mod aggregate;
mod repeat_buying;

pub(crate) mod bg_bb_fit;
pub(crate) mod bg_nbd_fit;
pub(crate) mod gamma_gamma_fit;
pub(crate) mod mbg_nbd_fit;
pub(crate) mod pareto_nbd_fit;
pub(crate) mod shifted_beta_geometric_fit;
