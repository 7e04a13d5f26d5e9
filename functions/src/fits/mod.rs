//! Aggregates that fit a model. `fit` holds what they have in common.
