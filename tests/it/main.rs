//! The integration tests: one binary, because each links the whole engine.

mod layers;
