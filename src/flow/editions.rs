//! The reports of a pipeline, after its release was published or was not.

use super::issue::Issue;
use super::plan::Plan;
use super::reader::Reader;
use super::{EditionOutcome, Event, Observer, RunOutcome};
use perennial_core::error::Result;
use perennial_lake::Release;
use perennial_lake::history::SourceRecord;
use perennial_project::Project;
use perennial_reports::{Edition, Output, Period, is_without_data, record_not_issued, write_index};

/// The reports of one run.
pub(super) struct ReportRun<'a> {
    pub project: &'a Project,
    pub plan: &'a Plan<'a>,
    pub observer: &'a dyn Observer,
    pub run_id: &'a str,
    pub now: jiff::Timestamp,
}

impl ReportRun<'_> {
    /// Issues every report for its newest closed period. One that cannot be issued does not stop the others.
    pub async fn issue_all(&self, release: &Release, sources: &[SourceRecord], outcome: &mut RunOutcome) -> Result<()> {
        if self.plan.reports.is_empty() {
            return Ok(());
        }
        let reader = Reader::of(self.project, release.clone()).await?;
        let issue = Issue {
            project: self.project,
            reader: &reader,
            release,
            sources,
            inputs: &self.plan.report_inputs,
            now: self.now,
        };
        for report in &self.plan.reports {
            self.observer.event(Event::ReportStarted { report: &report.name });
            let as_of = issue.as_of(report);
            let period = Period::newest_due(report, *as_of.as_ref().unwrap_or(&release.as_of));
            let issued = match as_of {
                Ok(_) => issue.report(report, period, &report.languages, &Output::ALL).await,
                Err(error) => Err(error),
            };
            match issued {
                Ok(Edition { number, is_new, files, refused, notes, .. }) => {
                    notes.into_iter().for_each(|note| self.observer.event(Event::Note(note)));
                    let (report, period) = (report.name.clone(), period.label());
                    outcome.editions.push(EditionOutcome { report, period, number, is_new, files });
                    refused.into_iter().for_each(|error| outcome.problems.push(error));
                }
                Err(error) => {
                    outcome.not_issued.push(self.not_issued(&report.name, period, error.message())?);
                    if !is_without_data(&error) {
                        outcome.problems.push(error);
                    }
                }
            }
            self.observer.event(Event::ReportDone { report: &report.name });
        }
        write_index(self.project, &self.project.reports_folder)
    }

    /// Records for every report that this run did not issue it, and why; the last edition stays.
    pub fn skip_all(&self, reason: &str, outcome: &mut RunOutcome) {
        for report in &self.plan.reports {
            let period = Period::newest_due(report, self.plan.as_of);
            match self.not_issued(&report.name, period, reason) {
                Ok(line) => outcome.not_issued.push(line),
                Err(error) => outcome.problems.push(error),
            }
        }
        if !self.plan.reports.is_empty()
            && let Err(error) = write_index(self.project, &self.project.reports_folder)
        {
            outcome.problems.push(error);
        }
    }

    fn not_issued(&self, report: &str, period: Period, reason: &str) -> Result<String> {
        record_not_issued(self.project, report, period, reason, self.run_id, self.now)?;
        Ok(format!("{report} {} not issued: {reason}", period.label()))
    }
}
