//! What a page is about and for whom.

use super::period::Period;
use jiff::civil::Date;
use perennial_core::error::{Error, Result};
use perennial_project::{Language, PeriodKind, Phrases, Project};
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

impl Setting {
    /// That of a text which is about no period of its own.
    pub(crate) fn of_project(project: &Project, language: Language, phrases: &Phrases) -> Result<Setting> {
        let epoch = jiff::civil::date(1970, 1, 1);
        Ok(Setting {
            language,
            currency: project.currency.clone(),
            zone: zone(project)?,
            period: Period::containing(PeriodKind::Month, epoch),
            as_of: epoch,
            phrases: Arc::new(phrases.clone()),
        })
    }
}

/// The time zone of a project.
pub(crate) fn zone(project: &Project) -> Result<jiff::tz::TimeZone> {
    jiff::tz::TimeZone::get(&project.time_zone)
        .map_err(|e| Error::project(format!("unknown time zone `{}`", project.time_zone)).because(e))
}
