//! What every layer speaks of: one error with place and hint, and the words in which sources make promises.

pub mod contract;
pub mod digest;
pub mod environment;
pub mod error;
pub mod file;
pub mod file_mode;
pub mod location;
pub mod reasons;
pub mod regular_file;
pub mod sql;
pub mod store;
pub mod visible;
