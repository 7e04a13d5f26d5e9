//! How long customers stay.
