//! Tests of whole runs within this process, where the time is an argument.

mod company;
mod counting_store;
mod law;
mod nights;
mod record;
mod retry;
