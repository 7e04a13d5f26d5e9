//! The integration tests: one binary, because each links the whole engine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "helpers of tests fail and talk as tests do"
)]

mod company;
mod databases;
mod discover;
mod faults;
mod formats;
mod layers;
mod messages;
mod migrate;
mod pages;
mod readers;
mod ready_made;
mod real;
mod rust_source;
mod store;
mod support;
mod verbs;
mod words;
