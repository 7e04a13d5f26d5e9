//! The integration tests: one binary, because each links the whole engine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "helpers of tests fail and talk as tests do"
)]

mod company;
mod damage;
mod databases;
mod deliver;
mod discover;
mod earlier_lakes;
mod faults;
mod figures;
mod formats;
mod install;
mod layers;
mod messages;
mod migrate;
mod odd_lines;
mod pages;
mod pipelines;
mod readers;
mod privacy;
mod ready_made;
mod real;
mod records;
mod rust_source;
mod schedule;
mod sources;
mod status;
mod store;
mod support;
mod vacuum;
mod verbs;
mod words;
