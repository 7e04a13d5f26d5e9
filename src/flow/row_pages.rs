//! Pages for the rows of a query: who gets them is asked of the release that they are made from.

use super::issue::Issue;
use super::plan::{ReportInputs, accepted, check_against};
use super::reader::Reader;
use perennial_core::error::{Place, Problems, Result};
use perennial_project::{ForEach, Language, Project, ReportFile, ReportQuery};
use perennial_reports::{Edition, Parameters, Period, TextRow, query_sql, text_rows};

/// The newest release, asked for rows and their pages.
pub(crate) struct RowPages<'a> {
    project: &'a Project,
    reader: Reader,
    inputs: ReportInputs,
    now: jiff::Timestamp,
}

impl<'a> RowPages<'a> {
    /// Opens the newest release.
    ///
    /// # Errors
    /// Those of [`Reader::open`], mistakes in the project, and `Project` before the first release.
    pub async fn open(project: &'a Project, now: jiff::Timestamp) -> Result<RowPages<'a>, Problems> {
        let reader = Reader::open(project, None).await?;
        let release = reader.published()?;
        let inputs = check_against(project, release.as_of, accepted(&release.loaded)).await?.report_inputs;
        Ok(RowPages { project, reader, inputs, now })
    }

    /// The period that a report is issued for now.
    ///
    /// # Errors
    /// `Data` when the tables of the report describe two dates.
    pub fn period(&self, report: &ReportFile) -> Result<Period> {
        Ok(Period::newest_due(report, self.issue()?.as_of(report)?))
    }

    /// The rows of a delivery's query.
    ///
    /// # Errors
    /// Those of the query, at its place.
    pub async fn rows(&self, report: &ReportFile, for_each: &ForEach) -> Result<Vec<TextRow>> {
        let (name, file, offset) = ("for_each".to_string(), for_each.file.clone(), for_each.offset);
        let query = ReportQuery { name, file: file.clone(), sql: for_each.query.clone(), offset };
        let sql = query_sql(self.project, &query, self.period(report)?, self.issue()?.as_of(report)?)?;
        let batches = self.reader.query(&sql, None).await.map_err(|error| {
            let place = Place::span(file.path.clone(), file.text.clone(), offset..offset + 1);
            if error.place().is_some() { error } else { error.at(place) }.context("query `for_each`")
        })?;
        text_rows(&batches)
    }

    /// Issues a page for each row, in the languages that its readers want.
    ///
    /// # Errors
    /// What keeps all pages from being issued.
    pub async fn issue_all(
        &self,
        report: &ReportFile,
        rows: &[(Parameters, Vec<Language>)],
    ) -> Result<Vec<(Parameters, Result<Edition>)>> {
        self.issue()?.pages(report, self.period(report)?, rows).await
    }

    fn issue(&self) -> Result<Issue<'_>> {
        let release = self.reader.published()?;
        Ok(Issue {
            project: self.project,
            reader: &self.reader,
            release,
            sources: &[],
            inputs: &self.inputs,
            now: self.now,
        })
    }
}
