//! Aggregates that fit a model. A file of a model says its page, what input it takes, and how to search; [`aggregate`]
//! makes an aggregate function of that, [`collapsed`] holds the inputs, [`fit`] is the answer.

pub(crate) mod aggregate;
pub(crate) mod arguments;
pub(crate) mod collapsed;
pub(crate) mod fit;

mod repeat_buying;

pub(crate) mod bg_bb_fit;
pub(crate) mod bg_nbd_fit;
pub(crate) mod mbg_nbd_fit;
pub(crate) mod gamma_gamma_fit;
pub(crate) mod pareto_nbd_fit;
pub(crate) mod shifted_beta_geometric_fit;
