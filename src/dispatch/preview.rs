//! What would be sent, without sending it; and one mail to one address, for a trial.

use super::carrier::Carrier;
use super::due::recipients;
use super::outbox::{Channel, Queued, What};
use super::pages::issued;
use super::recipients::due_as_it_stands;
use super::transports::Transports;
use super::{Dispatch, State};
use perennial_core::error::{Error, Problems, Result};
use perennial_delivery::Outcome;
use perennial_project::{Address, Language, ReportFile};
use perennial_reports::Parameters;
use std::collections::BTreeMap;
use std::path::Path;

/// A message that is or was due.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Previewed {
    /// What it is.
    #[serde(flatten)]
    pub queued: Queued,
    /// How far it is, if it is in the outbox.
    pub state: Option<State>,
    /// What was written in its stead.
    pub written: Option<String>,
}

/// A trial.
pub(crate) struct TestMail<'a> {
    /// The address, and no other.
    pub to: &'a Address,
    /// The report; the only one that has recipients where nothing is said.
    pub report: Option<&'a str>,
    /// The language; the report's first where nothing is said.
    pub language: Option<Language>,
}

impl Dispatch<'_> {
    /// Every message of the newest editions, sent or not; with a folder, written there as it would be sent. The outbox stays
    /// as it is.
    ///
    /// # Errors
    /// `Unreachable` when the lake fails; what cannot be made ready is a problem.
    pub(crate) async fn preview(&self, folder: Option<&Path>) -> Result<(Vec<Previewed>, Problems), Problems> {
        let due = due_as_it_stands(self).await?;
        let (known, damaged) = self.outbox(true).await?;
        let states: BTreeMap<String, State> = known.into_iter().map(|message| (message.id, message.state)).collect();
        let mut problems = due.problems;
        problems.extend(damaged);
        let transports = folder.map(|folder| Transports::new(self.project, Some(folder), self.now)).transpose()?;
        let mut previewed = Vec::new();
        for (_, queued) in due.messages {
            let mut written = None;
            if let Some(transports) = &transports {
                match transports.prepare(&queued).await {
                    Ok(prepared) => match prepared.send().await {
                        Outcome::Sent { answer } => written = Some(answer),
                        Outcome::Refused(why) | Outcome::Failed(why) | Outcome::Unknown(why) => {
                            problems.push(why.into())
                        }
                    },
                    Err(error) => problems.push(error.context(super::described(&queued))),
                }
            }
            previewed.push(Previewed { state: states.get(&queued.id()).copied(), queued, written });
        }
        Ok((previewed, problems))
    }

    /// Sends the newest edition of a report to one address, which need not be one of its recipients. The outbox does not
    /// know of it. Returns the server's answer.
    ///
    /// # Errors
    /// `Project` when there is no such report or edition, `Unreachable` when the server does not take it.
    pub(crate) async fn test_mail(&self, test: &TestMail<'_>) -> Result<String> {
        let report = self.report_for_test(test.report)?;
        let none = || {
            let error = Error::project(format!("the report `{}` has no edition of a period that is over", report.name));
            error.hint("`perennial run` or `perennial report` issues one")
        };
        let page = issued(&self.project.reports_folder, report)?.page.ok_or_else(none)?;
        let (record, first) = (&page.record, report.languages.first().copied().unwrap_or_default());
        let mailed = report.deliveries.iter().find_map(|delivery| {
            let to = recipients(report, delivery);
            to.into_iter().find(|recipient| recipient.channel == Channel::Mail)
        });
        let language = test.language.map(|language| language.tag().to_string());
        let language = language.or(mailed.map(|recipient| recipient.language));
        let queued = Queued {
            format: Queued::FORMAT,
            at: self.now,
            what: What::Edition,
            occasion: format!("test at {}", self.now),
            report: report.name.clone(),
            period: record.period.clone(),
            parameters: Parameters::default(),
            edition: record.edition,
            release: record.release,
            run_id: record.run_id.clone(),
            delivery: String::new(),
            channel: Channel::Mail,
            recipient: test.to.address.clone(),
            name: test.to.name.clone(),
            language: language.unwrap_or_else(|| first.tag().to_string()),
            again: 0,
        };
        let transports = Transports::new(self.project, self.into, self.now)?;
        let outcome = transports.send_mail(report, &queued).await;
        transports.close().await;
        match outcome? {
            Outcome::Sent { answer } => Ok(answer),
            Outcome::Refused(why) | Outcome::Failed(why) | Outcome::Unknown(why) => {
                Err(Error::from(why).context(format!("the mail to {}", test.to.address)))
            }
        }
    }

    fn report_for_test(&self, name: Option<&str>) -> Result<&ReportFile> {
        let reports = &self.project.reports;
        if let Some(name) = name {
            let known = reports.iter().map(|report| report.name.as_str());
            let unknown = || Error::project(format!("unknown report `{name}`")).suggest(name, known);
            return reports.iter().find(|report| report.name == name).ok_or_else(unknown);
        }
        let sent: Vec<&ReportFile> = reports.iter().filter(|report| !report.deliveries.is_empty()).collect();
        match (sent.as_slice(), reports.as_slice()) {
            ([only], _) => Ok(only),
            ([], [only]) => Ok(only),
            _ => {
                let names: Vec<&str> = reports.iter().map(|report| report.name.as_str()).collect();
                let error = Error::project("the project has several reports, and none is named");
                Err(error.hint(format!("add `--report`: {}", perennial_core::error::expected(&names))))
            }
        }
    }
}
