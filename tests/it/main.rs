//! The integration tests: one binary, because each links the whole engine.

mod company;
mod faults;
mod layers;
mod pages;
mod readers;
mod real;
mod store;
mod support;
mod verbs;
