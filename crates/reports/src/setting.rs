//! What a page is about and for whom.

use super::period::Period;
use jiff::civil::Date;
use perennial_project::{Language, Phrases};
use std::sync::Arc;

/// What a page is about and for whom; filters and components read it.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// The language of the page.
    pub language: Language,
    /// ISO 4217.
    pub currency: String,
    /// Cuts instants into dates.
    pub zone: jiff::tz::TimeZone,
    /// What the edition is about.
    pub period: Period,
    /// The business date of the rows.
    pub as_of: Date,
    /// The phrases of the project, before those that pages have by themselves.
    pub phrases: Arc<Phrases>,
}
