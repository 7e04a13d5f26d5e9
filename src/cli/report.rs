//! `perennial report`.

use super::{Context, Outcome};
use crate::error::{Error, Problems};
use crate::flow::{self, ReportRequest};
use crate::project::Language;
use crate::reports::Output;

/// Issue one report now.
#[derive(clap::Args)]
pub(super) struct Report {
    /// The report, as in `management-review`
    #[arg(value_name = "NAME")]
    report: String,
    /// The period, as in 2026-09 or 2026-09-30; without it the newest that is closed
    #[arg(long, value_name = "PERIOD")]
    period: Option<String>,
    /// Languages, as in en,zh-CN; without them all of the report's
    #[arg(long, value_name = "LANGUAGES", value_delimiter = ',')]
    language: Vec<String>,
    /// Formats of the pages
    #[arg(long, value_name = "FORMATS", value_delimiter = ',', default_value = "html,pdf")]
    format: Vec<String>,
    /// From this release instead of the newest
    #[arg(long, value_name = "N")]
    release: Option<u64>,
}

impl Report {
    pub(super) async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let project = context.project()?;
        let languages = self.language.iter().map(|tag| {
            let known = Language::ALL.map(Language::tag);
            let unknown = || Error::project(format!("no language `{tag}`")).suggest(tag, known);
            Language::from_tag(tag).ok_or_else(unknown)
        });
        let outputs = self.format.iter().map(|name| {
            let unknown =
                || Error::project(format!("no format `{name}`")).suggest(name, Output::ALL.map(Output::extension));
            Output::from_name(name).ok_or_else(unknown)
        });
        let request = ReportRequest {
            report: self.report.clone(),
            period: self.period.clone(),
            languages: languages.collect::<Result<Vec<_>, _>>()?,
            outputs: outputs.collect::<Result<Vec<_>, _>>()?,
            release: self.release,
            now: context.now(),
        };
        let (edition, problems) = flow::report(&project, &request).await?;
        for file in &edition.written {
            context.printer.line(project.reports_folder.join(file).display().to_string())?;
        }
        problems.or_ok(Outcome::Done)
    }
}
