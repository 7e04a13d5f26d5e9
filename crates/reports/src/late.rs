//! What readers are told when a page was not issued: that it is late, and which edition they can rely on. Why is a
//! matter of those who run it.

use super::Period;
use super::mail::one_line;
use super::number;
use super::parameters::Parameters;
use super::phrases::Phrasebook;
use super::records::Record;
use super::setting::Setting;
use super::template::title;
use perennial_core::error::{Error, Result};
use perennial_project::{Language, Project, ReportFile};

/// A message in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateNotice {
    /// One line.
    pub subject: String,
    /// A sentence or two.
    pub text: String,
}

/// What readers of a report are told in a language when it was not issued for a period; `last` is the edition that they
/// have.
///
/// # Errors
/// `Project` when a phrase of the project replaces ours and fails.
pub fn late_notice(
    project: &Project,
    report: &ReportFile,
    period: Period,
    last: Option<&Record>,
    language: Language,
) -> Result<LateNotice> {
    let book = Phrasebook::new(Setting::of_project(project, language, &report.phrases)?);
    let mut with = vec![
        ("title", title(report, language, Parameters::whole())),
        ("period", period.title(language)),
        ("last", String::new()),
        ("at", String::new()),
    ];
    if let Some(last) = last {
        let period = Period::parse(report.period, &last.period);
        with[2].1 = period.map_or_else(|_| last.period.clone(), |period| period.title(language));
        with[3].1 = number::instant(last.issued_at, book.zone(), language);
    }
    let phrase = |key: &str| {
        let text = book.plain_phrase_with(key, &with);
        text.map_err(|e| Error::project(e.detail().unwrap_or("a phrase failed").to_string()).because(e))
    };
    Ok(LateNotice { subject: one_line(&phrase("late_subject")?), text: one_line(&phrase("late_text")?) })
}
