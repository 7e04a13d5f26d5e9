//! `perennial report`.

use super::output::Format;
use super::{Context, Outcome, Verb};
use crate::flow::{self, ReportRequest};
use perennial_core::error::{Error, Problems};
use perennial_project::Language;
use perennial_reports::Output;
use std::path::PathBuf;

/// Issue one report now
#[derive(clap::Args)]
pub(super) struct Report {
    /// The report, as in `management-review`
    #[arg(value_name = "NAME")]
    report: String,
    /// The period, as in 2026-09 or 2026-09-30; by default the newest closed one
    #[arg(long, value_name = "PERIOD")]
    period: Option<String>,
    /// Languages, as in en,zh-CN; by default all of the report's
    #[arg(long, value_name = "LANGUAGES", value_delimiter = ',')]
    language: Vec<String>,
    /// Formats of the pages
    #[arg(long, value_name = "FORMATS", value_delimiter = ',', default_value = "html,pdf")]
    format: Vec<String>,
    /// The release to report on instead of the newest
    #[arg(long, value_name = "N")]
    release: Option<u64>,
    /// With the templates, phrases and settings that the release was published with, instead of the present ones
    #[arg(long, requires = "release", requires = "folder")]
    as_published: bool,
    /// Write the pages below this folder instead of the project's
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

#[async_trait::async_trait(?Send)]
impl Verb for Report {
    fn format(&self) -> Format {
        Format::Text
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let mut project = context.project()?;
        if let Some(folder) = &self.folder {
            project.reports_folder = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
        }
        if let (true, Some(release)) = (self.as_published, self.release) {
            let folder = project.reports_folder.clone();
            project = flow::as_published(&project, release, folder, &context.load_options()).await?;
        }
        let languages = self.language.iter().map(|tag| {
            let unknown = || Error::project(format!("unknown language `{tag}`")).suggest(tag, Language::tags());
            Language::from_tag(tag).ok_or_else(unknown)
        });
        let outputs = self.format.iter().map(|name| {
            let unknown =
                || Error::project(format!("unknown format `{name}`")).suggest(name, Output::ALL.map(Output::extension));
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
        edition.notes.iter().for_each(|note| context.printer.say(format!("note: {note}")));
        problems.or_ok(Outcome::Done)
    }
}
