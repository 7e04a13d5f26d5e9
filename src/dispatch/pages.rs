//! The editions that can be delivered: of each report the newest of the newest period that is over.

use perennial_core::error::{Error, Result};
use perennial_project::ReportFile;
use perennial_reports::{EditionRecord, NotIssued, Period};
use std::path::Path;

/// The newest edition of a page.
#[derive(Clone, Debug)]
pub(super) struct Page {
    /// What it is.
    pub record: EditionRecord,
    /// The first of the editions up to this one that have the same headline figures.
    pub figures_since: EditionRecord,
}

/// How a report stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Issued {
    /// The newest edition of the page as a whole.
    pub page: Option<Page>,
    /// Why there is not a newer one.
    pub not_issued: Option<NotIssued>,
}

/// How a report stands in the folder of all reports.
///
/// # Errors
/// `Unreachable` when the folder cannot be read.
pub(super) fn issued(reports: &Path, report: &ReportFile) -> Result<Issued> {
    let mut issued = Issued::default();
    for period in periods(&reports.join(&report.name), report)? {
        let place = reports.join(&report.name).join(period.label());
        issued.not_issued = issued.not_issued.or(perennial_reports::not_issued(&place)?);
        issued.page = page(&place)?;
        if issued.page.is_some() {
            break;
        }
    }
    Ok(issued)
}

/// The newest edition in a folder, if it is of a period that was over.
///
/// # Errors
/// `Unreachable` when the folder cannot be read.
pub(super) fn page(folder: &Path) -> Result<Option<Page>> {
    let Some(record) = perennial_reports::newest_in(folder)? else { return Ok(None) };
    // Of one whose record was lost nobody knows what it says; the next run writes it again.
    if record.period_status != "closed" || record.run_id.is_empty() {
        return Ok(None);
    }
    let mut figures_since = record.clone();
    for number in (1..record.edition).rev() {
        match perennial_reports::edition_in(folder, number)? {
            Some(earlier) if earlier.has_same_figures(&record) => figures_since = earlier,
            _ => break,
        }
    }
    Ok(Some(Page { record, figures_since }))
}

/// The periods that have a folder, newest first.
pub(super) fn periods(folder: &Path, report: &ReportFile) -> Result<Vec<Period>> {
    let failed = |e: std::io::Error| Error::unreachable(format!("cannot read {}: {e}", folder.display())).because(e);
    let listing = match std::fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut periods = Vec::new();
    for entry in listing {
        let name = entry.map_err(failed)?.file_name();
        periods.extend(name.to_str().and_then(|name| Period::parse(report.period, name).ok()));
    }
    periods.sort_by_key(|period| std::cmp::Reverse(period.start));
    Ok(periods)
}
