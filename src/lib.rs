//! perennial: the nightly customer-value pipeline.
//!
//! SQL functions of ours are a package of their own, `perennial_functions` in `functions/`.
//!
//! Read the rooms in this order; each imports only from the floors above it in this list (a test checks that):
//!
//! | floor | room | purpose |
//! |---|---|---|
//! | 0 | [`error`], [`contract`] | one error; the words in which sources make promises |
//! | 1 | [`sources`] | reads files as text rows that know their place |
//! | 1 | [`lake`] | where bytes rest: tables, releases, the lock; the only writer of data |
//! | 1 | [`history`] | what runs, steps, tests and rejects leave behind, as rows |
//! | 2 | [`project`] | YAML and SQL headers, validated with every problem at once |
//! | 2 | [`intake`] | the contract applied to rows: types, keys, rejects, drift |
//! | 2 | [`engine`] | the only builder of a DataFusion session |
//! | 3 | [`steps`] | graph, check, materialise, tests |
//! | 3 | [`reports`] | queries and templates to document blocks, HTML and PDF |
//! | 4 | [`flow`] | one night on one screen |
//! | 5 | [`demo`], [`cli`] | the example company; one file per verb |

pub mod error;
pub mod contract;
pub mod sources;
pub mod lake;
pub mod history;
pub mod project;
pub mod intake;
pub mod engine;
pub mod steps;
pub mod reports;
pub mod flow;
pub mod demo;
pub mod cli;
#[cfg(test)]
mod testing;
