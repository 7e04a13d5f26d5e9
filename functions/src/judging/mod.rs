//! How good a score or a model is.
