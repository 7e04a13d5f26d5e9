//! Carries pages and notices to people.
