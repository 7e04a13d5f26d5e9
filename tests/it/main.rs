//! The integration tests: one binary, because each links the whole engine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "helpers of tests fail and talk as tests do"
)]

mod company;
mod discover;
mod faults;
mod layers;
mod pages;
mod readers;
mod real;
mod store;
mod support;
mod verbs;
