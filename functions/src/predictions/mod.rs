//! Scalar functions that predict from a fit.
