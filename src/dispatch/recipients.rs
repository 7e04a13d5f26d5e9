//! Everything that is due in a project now: each report, each of its deliveries, each recipient.

use super::Dispatch;
use super::due::{DueMessage, Recipient, of_no_page, of_page, recipients};
use super::outbox::{Entry, Outbox, Queued};
use super::pages::{Issued, Page, issued, page};
use super::rows::of_rows;
use crate::flow::RowPages;
use perennial_core::digest::digest;
use perennial_core::error::{Error, Problems, Result};
use perennial_lake::StateFolder;
use perennial_project::{DeliverWhen, Delivery, ForEach, Language, ReportFile};
use perennial_reports::{NotIssued, Parameters, edition_folder, is_without_data};
use std::collections::{BTreeMap, BTreeSet};

/// What is due.
#[derive(Default)]
pub(super) struct Due {
    /// Messages, some of which are in the outbox already.
    pub messages: Vec<DueMessage>,
    /// Messages for rows that are in the outbox since an earlier pass over the same release: month and id.
    pub settled: Vec<(String, String)>,
    /// Rows that could not be used, pages that could not be issued.
    pub problems: Problems,
    /// What else is worth a line.
    pub notes: Vec<String>,
    ids: BTreeSet<String>,
    /// Deliveries, and whether it is known what they have to send.
    deliveries: BTreeMap<(String, String), bool>,
    /// What is to be remembered once the messages for rows are queued.
    markers: Vec<(String, Marker)>,
}

/// Which rows of a delivery are in the outbox.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Marker {
    format: u32,
    /// The release, the run and the words of the project that they follow from.
    of: String,
    /// Month and id of each.
    messages: Vec<(String, String)>,
    /// What is wrong with rows, said as long as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    problems: Vec<RowProblem>,
}

/// What is wrong with a row, or with the query that gives none.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct RowProblem {
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl RowProblem {
    fn of(error: &Error) -> RowProblem {
        RowProblem { message: error.message().to_string(), hint: error.hint_text().map(str::to_string) }
    }

    /// As the problem of a delivery.
    fn error(&self, delivery: &Delivery) -> Error {
        let error = Error::data(&self.message).at(delivery.place.clone());
        match &self.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl Due {
    /// Whether a message that was not sent yet still is to be.
    pub fn wants(&self, entry: &Entry, queued: &Queued) -> bool {
        let delivery = (queued.report.clone(), queued.delivery.clone());
        match self.deliveries.get(&delivery) {
            None => false,
            Some(is_known) => !is_known || self.ids.contains(&entry.id),
        }
    }

    /// Whether a message is due now.
    pub fn is_due(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    fn add(&mut self, message: Option<DueMessage>) {
        if let Some((month, queued)) = message {
            self.ids.insert(queued.id());
            self.messages.push((month, queued));
        }
    }
}

/// Works out what is due, issuing pages for rows that the newest release has.
///
/// # Errors
/// `Unreachable` when the lake fails.
pub(super) async fn due(dispatch: &Dispatch<'_>) -> Result<Due, Problems> {
    collect(dispatch, true).await
}

/// The same without writing anything: pages for rows are those that there are.
///
/// # Errors
/// `Unreachable` when the lake fails.
pub(super) async fn due_as_it_stands(dispatch: &Dispatch<'_>) -> Result<Due, Problems> {
    collect(dispatch, false).await
}

async fn collect(dispatch: &Dispatch<'_>, writes: bool) -> Result<Due, Problems> {
    let reports: Vec<&ReportFile> = dispatch.project.reports.iter().filter(|r| !r.deliveries.is_empty()).collect();
    let has = |test: fn(&Delivery) -> bool| reports.iter().any(|report| report.deliveries.iter().any(test));
    let good_runs = match has(|delivery| delivery.when == DeliverWhen::EachRun) {
        true => dispatch.last_good_runs().await?,
        false => BTreeMap::new(),
    };
    let release = match has(|delivery| delivery.for_each.is_some()) {
        true => dispatch.lake.latest().await?.map(|release| release.number),
        false => None,
    };
    let mut collected = Collect { dispatch, writes, release, rows: None, due: Due::default() };
    for report in reports {
        let run = dispatch.project.pipelines.iter().filter(|pipeline| pipeline.reports.contains(&report.name));
        let run = run.filter_map(|pipeline| good_runs.get(&pipeline.name)).max();
        collected.report(report, run.map(String::as_str)).await?;
    }
    Ok(collected.due)
}

/// What is wrong with rows of the deliveries that the project has, as the last pass found it.
///
/// # Errors
/// `Unreachable` when the lake fails.
pub(super) async fn row_problems(dispatch: &Dispatch<'_>) -> Result<Vec<RowProblem>> {
    let mut problems = Vec::new();
    for report in &dispatch.project.reports {
        for delivery in report.deliveries.iter().filter(|delivery| delivery.for_each.is_some()) {
            let marker = marker(dispatch, &marker_name(report, delivery)).await?;
            problems.extend(marker.into_iter().flat_map(|marker| marker.problems));
        }
    }
    Ok(problems)
}

fn marker_name(report: &ReportFile, delivery: &Delivery) -> String {
    format!("rows/{}/{}.json", report.name, &digest([&delivery.name])[..16])
}

async fn marker(dispatch: &Dispatch<'_>, name: &str) -> Result<Option<Marker>> {
    let known = dispatch.lake.read_state(StateFolder::Outbox, name).await?;
    Ok(known.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Remembers which messages for rows are in the outbox, once they are.
///
/// # Errors
/// `Unreachable` when the lake fails.
pub(super) async fn settle(dispatch: &Dispatch<'_>, due: &Due) -> Result<()> {
    for (name, marker) in &due.markers {
        let json = serde_json::to_vec(marker).map_err(|e| Error::bug(format!("a marker cannot be written: {e}")))?;
        dispatch.lake.put_state(StateFolder::Outbox, name, json).await?;
    }
    Ok(())
}

struct Collect<'a> {
    dispatch: &'a Dispatch<'a>,
    writes: bool,
    /// The newest release.
    release: Option<u64>,
    /// That release, opened where it is asked for rows.
    rows: Option<RowPages<'a>>,
    due: Due,
}

impl Collect<'_> {
    async fn report(&mut self, report: &ReportFile, run: Option<&str>) -> Result<(), Problems> {
        let of_report = |delivery: &Delivery| (report.name.clone(), delivery.name.clone());
        self.due.deliveries.extend(report.deliveries.iter().map(|delivery| (of_report(delivery), false)));
        let issued = match issued(&self.dispatch.project.reports_folder, report) {
            Ok(issued) => issued,
            Err(error) => {
                self.due.problems.push(error.context(format!("report `{}`", report.name)));
                return Ok(());
            }
        };
        let since = self.late_since(report, issued.not_issued.as_ref()).await?;
        for delivery in &report.deliveries {
            let is_known = match &delivery.for_each {
                Some(for_each) => self.for_rows(report, delivery, for_each, &issued, since.as_deref(), run).await?,
                None => {
                    let whole = Parameters::default();
                    let now = self.dispatch.now;
                    for recipient in recipients(report, delivery) {
                        let page = issued.page.as_ref();
                        self.due.add(page.and_then(|page| of_page(delivery, page, &whole, &recipient, run, now)));
                        let late = since.as_deref();
                        self.due
                            .add(late.and_then(|since| of_no_page(delivery, &issued, since, &whole, &recipient, now)));
                    }
                    // A folder that is away for a moment has no page either.
                    issued.page.is_some()
                }
            };
            self.due.deliveries.insert(of_report(delivery), is_known);
        }
        Ok(())
    }

    /// The run since which a report is late, for readers are told once for all of such runs.
    async fn late_since(&self, report: &ReportFile, not_issued: Option<&NotIssued>) -> Result<Option<String>> {
        let lake = self.dispatch.lake;
        let name = format!("late/{}.json", report.name);
        let known = lake.read_state(StateFolder::Notices, &name).await?;
        let since = known.as_ref().and_then(|bytes| serde_json::from_slice::<Late>(bytes).ok());
        let Some(not_issued) = not_issued else {
            if known.is_some() && self.writes {
                lake.delete_state(StateFolder::Notices, &name).await?;
            }
            return Ok(None);
        };
        if let Some(late) = since {
            return Ok(Some(late.since_run));
        }
        let late = Late { format: 1, since_run: not_issued.run_id.clone() };
        if self.writes {
            let json = serde_json::to_vec(&late).map_err(|e| Error::bug(format!("a state cannot be written: {e}")))?;
            lake.put_state(StateFolder::Notices, &name, json).await?;
        }
        Ok(Some(late.since_run))
    }

    /// Messages for the rows of a query; whether all of them are known.
    async fn for_rows(
        &mut self,
        report: &ReportFile,
        delivery: &Delivery,
        for_each: &ForEach,
        issued: &Issued,
        since: Option<&str>,
        run: Option<&str>,
    ) -> Result<bool, Problems> {
        let Some(release) = self.release else { return Ok(false) };
        let name = marker_name(report, delivery);
        let run_id = run.filter(|_| delivery.when == DeliverWhen::EachRun).unwrap_or_default();
        let of = digest([&release.to_string(), run_id, &for_each.file.text, &report.file.text]);
        let marker = marker(self.dispatch, &name).await?;
        if let (Some(since), Some(marker)) = (since, &marker) {
            self.late_rows(delivery, issued, since, marker).await?;
        }
        let earlier = match marker {
            Some(marker) if marker.of == of => {
                marker.problems.iter().for_each(|problem| self.due.problems.push(problem.error(delivery)));
                self.due.ids.extend(marker.messages.iter().map(|(_, id)| id.clone()));
                self.due.settled.extend(marker.messages);
                return Ok(true);
            }
            Some(marker) => marker.messages,
            None => Vec::new(),
        };
        let of_query =
            |error: Error| error.context(format!("delivery `{}` of the report `{}`", delivery.name, report.name));
        let (found, is_complete) = match self.new_rows(report, delivery, for_each, run).await {
            Ok(NewRows { messages, problems, is_complete }) => ((messages, problems), is_complete),
            // The other deliveries go their way.
            Err(problems) => {
                let mut of_it = Problems::new();
                problems.into_iter().for_each(|error| of_it.push(of_query(error)));
                ((Vec::new(), of_it), false)
            }
        };
        let (messages, problems) = found;
        let named = |(month, queued): &DueMessage| (month.clone(), queued.id());
        let mut marker = Marker {
            format: 1,
            // What is not complete is asked again.
            of: if is_complete { of } else { String::new() },
            messages: messages.iter().map(named).collect(),
            problems: problems.iter().map(RowProblem::of).collect(),
        };
        if !is_complete && marker.messages.is_empty() {
            marker.messages = earlier;
        }
        messages.into_iter().for_each(|message| self.due.add(Some(message)));
        self.due.problems.extend(problems);
        self.due.markers.push((name, marker));
        Ok(is_complete)
    }

    /// Asks the newest release for the rows, issues their pages, and gives the messages.
    async fn new_rows(
        &mut self,
        report: &ReportFile,
        delivery: &Delivery,
        for_each: &ForEach,
        run: Option<&str>,
    ) -> Result<NewRows, Problems> {
        let (project, now) = (self.dispatch.project, self.dispatch.now);
        if self.rows.is_none() {
            self.rows = Some(RowPages::open(project, now).await?);
        }
        let Some(release) = &self.rows else { return Err(Error::bug("no release is open").into()) };
        let found = of_rows(report, delivery, for_each, &release.rows(report, for_each).await?)?;
        let mut problems = found.problems;
        self.due.notes.extend(found.notes);
        let period = release.period(report)?.label();
        let mut is_complete = true;
        if self.writes {
            let languages = |parameters: &Parameters| -> Vec<Language> {
                let own = found.to.iter().filter(|(of, _)| of == parameters).map(|(_, recipient)| recipient);
                let wanted: BTreeSet<&str> = own.map(|recipient| recipient.language.as_str()).collect();
                let is_wanted = |l: &&Language| wanted.contains("") || wanted.contains(l.tag());
                report.languages.iter().filter(is_wanted).copied().collect()
            };
            let by_page = found.to.iter().map(|(parameters, _)| parameters).collect::<BTreeSet<_>>();
            let pages: Vec<(Parameters, Vec<Language>)> =
                by_page.into_iter().map(|parameters| (parameters.clone(), languages(parameters))).collect();
            for (parameters, result) in release.issue_all(report, &pages).await? {
                let name = || format!("report `{}`, page {}", report.name, parameters.slug());
                match result {
                    Ok(edition) => {
                        self.due.notes.extend(edition.notes);
                        edition.refused.into_iter().for_each(|e| problems.push(e.context(name())));
                    }
                    Err(error) if is_without_data(&error) => {
                        self.due.notes.push(format!("{}: {}", name(), error.message()));
                    }
                    Err(error) => {
                        is_complete = false;
                        problems.push(error.context(name()));
                    }
                }
            }
        }
        let mut pages: BTreeMap<&Parameters, Option<Page>> = BTreeMap::new();
        let mut messages = Vec::new();
        for (parameters, recipient) in &found.to {
            if !pages.contains_key(parameters) {
                let folder = edition_folder(&project.reports_folder, &report.name, &period, parameters);
                pages.insert(parameters, page(&folder)?);
            }
            let page = pages.get(parameters).and_then(Option::as_ref);
            messages.extend(page.and_then(|page| of_page(delivery, page, parameters, recipient, run, now)));
        }
        Ok(NewRows { messages, problems, is_complete })
    }

    /// That pages of rows are late goes to those who got them last.
    async fn late_rows(&mut self, delivery: &Delivery, issued: &Issued, since: &str, marker: &Marker) -> Result<()> {
        let outbox = Outbox::new(self.dispatch.lake);
        for (month, id) in &marker.messages {
            let Ok(queued) = outbox.queued(&Entry::new(month, id)).await else { continue };
            let recipient = Recipient {
                channel: queued.channel,
                to: queued.recipient,
                name: queued.name,
                language: queued.language,
            };
            let now = self.dispatch.now;
            self.due.add(of_no_page(delivery, issued, since, &queued.parameters, &recipient, now));
        }
        Ok(())
    }
}

/// What the rows of a query have come to.
struct NewRows {
    messages: Vec<DueMessage>,
    problems: Problems,
    /// Whether every page could be issued.
    is_complete: bool,
}

/// Since when a report is late.
#[derive(serde::Serialize, serde::Deserialize)]
struct Late {
    format: u32,
    since_run: String,
}
