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
mod pages;
mod readers;
mod ready_made;
mod real;
mod store;
mod support;
mod verbs;

/// Servers, as the library's own tests start them.
#[path = "../../src/testing"]
#[allow(dead_code, reason = "the library's tests ask more of the servers")]
mod servers {
    pub use crate::support::python;
    mod postgresql;
    pub use postgresql::{PostgresServer, postgres_server};
}
