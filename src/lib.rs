//! perennial: the nightly customer-value pipeline.
//!
//! The program is a workspace of packages, one for each layer. A package uses only packages of lower layers, which its
//! Cargo.toml names, so that the compiler enforces it; `tests/it/layers.rs` compares them with this table.
//!
//! | layer | package | purpose |
//! |---|---|---|
//! | 0 | [`perennial_core`] | errors with place and hint; contracts, in which sources make promises |
//! | 0 | [`perennial_calendar`] | when something is due: cron lines in a time zone, business days, opening hours |
//! | 1 | [`perennial_functions`] | customer statistics and more as DataFusion functions, for any program |
//! | 1 | [`perennial_sources`] | reads files, databases and services as rows that know where they come from |
//! | 1 | [`perennial_lake`] | tables, releases, the lock and the history on an object store; the only writer of data |
//! | 2 | [`perennial_project`] | YAML and SQL headers, validated with every problem at once |
//! | 2 | [`perennial_intake`] | applies a contract to rows: types, keys, rejects, drift |
//! | 2 | [`perennial_engine`] | the only builder of a DataFusion session |
//! | 3 | [`perennial_steps`] | graph, check, materialisation, tests |
//! | 3 | [`perennial_reports`] | queries and templates to document blocks, HTML and PDF |
//! | 3 | [`perennial_demo`] | the example company |
//! | 3 | [`perennial_delivery`] | carries pages and notices to people: mail, folders, object stores, webhooks |
//! | 4 | `perennial` | this package: drafts of contracts (`discover`), the runs (`flow`), who gets what (`dispatch`), the calendar (`schedule`), one file per verb (`cli`) |
//!
//! `perennial_testing` holds what the tests of several packages share; it is not part of the program.

pub mod cli;
mod discover;
mod dispatch;
mod flow;
mod schedule;
