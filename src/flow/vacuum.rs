//! Vacuum: releases that `keep` does not cover are removed, and what no release needs.

use super::{Event, Invoker, Observer, note_of, record};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, Zoned};
use perennial_core::error::{Error, Result};
use perennial_lake::{Lake, Retention, Vacuum, new_run_id};
use perennial_project::{Keep, Project};
use perennial_reports::{edition_in, newest_in, releases_of_editions};
use std::path::{Path, PathBuf};

/// How long files stay that a reader may still need, or a process of which the lake knows nothing. Queries take minutes
/// and nights hours.
const GRACE: SignedDuration = SignedDuration::from_hours(24);

/// What a vacuum would remove now.
///
/// # Errors
/// `Unreachable` when the lake or the folder of the reports cannot be read, `Data` when a release that is kept is damaged.
pub(crate) async fn plan_vacuum(project: &Project, grace: SignedDuration, now: Timestamp) -> Result<Vacuum> {
    let retention = retention(project, grace, now)?;
    Lake::open(&project.lake).await?.plan_vacuum(&retention, now).await
}

/// Removes it. The lake's lock is held until releases and objects are gone; data files are deleted afterwards, so that a
/// night need not wait.
///
/// # Errors
/// Those of [`plan_vacuum`], and `Unreachable` when another process holds the lock or the store fails; the next vacuum
/// goes on from there.
pub(crate) async fn vacuum(
    project: &Project,
    grace: SignedDuration,
    invoker: &Invoker,
    now: Timestamp,
    observer: &dyn Observer,
) -> Result<Vacuum> {
    let retention = retention(project, grace, now)?;
    let lake = Lake::open(&project.lake).await?;
    let Some(latest) = lake.latest().await? else { return Ok(Vacuum::default()) };
    let last_run_id = lake.last_run_id(Some(&latest.run_id)).await?;
    let lock = lake.lock(invoker.holder(&new_run_id(now, last_run_id.as_deref())), now).await?;
    record::repair(project, &lake, &lock, now, observer).await?;
    let vacuum = lake.vacuum(&lock, &retention, now).await;
    lock.release().await?;
    let vacuum = vacuum?;
    lake.delete_waste(&vacuum).await?;
    Ok(vacuum)
}

/// The vacuum of a pipeline that asks for one, to be called after a run that succeeded and has released the lock. What
/// goes wrong fails no run: the next one tries again.
pub(super) async fn vacuum_after_run(project: &Project, invoker: &Invoker, now: Timestamp, observer: &dyn Observer) {
    match vacuum(project, GRACE, invoker, now, observer).await {
        Ok(vacuum) => {
            let waste = vacuum.total().now;
            let (releases, files, bytes) = (vacuum.releases.len() as u64, waste.files, waste.bytes);
            observer.event(Event::Vacuumed { releases, files, bytes });
        }
        Err(error) => observer.event(Event::Note(note_of("the vacuum did not end", &error))),
    }
}

/// What decides which releases of a project are kept.
fn retention(project: &Project, grace: SignedDuration, now: Timestamp) -> Result<Retention> {
    let zone = TimeZone::get(&project.time_zone)
        .map_err(|e| Error::project(format!("unknown time zone `{}`", project.time_zone)).because(e))?;
    let folder = &project.reports_folder;
    let is_empty = || std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    if !project.reports.is_empty() && is_empty() {
        // A disk that is not mounted looks like this, and releases that editions stand on would go.
        let error =
            format!("there is nothing in the folder {} that says which releases editions stand on", folder.display());
        let hint = "mount it, or issue a report first: `perennial report NAME`";
        return Err(Error::unreachable(error).hint(hint));
    }
    let Keep { days, months, failed_days: _, min_releases } = project.keep;
    let (needed, outbox_from) =
        (releases_of_editions(folder)?, outbox_from(project, months, now.to_zoned(zone.clone()))?);
    Ok(Retention { days, months, min_releases, needed, outbox_from, grace, zone })
}

/// From when on messages are kept: as long as releases of months. The editions that are delivered are compared with the
/// outbox, so that their messages stay however old they are: without them they would be sent again.
fn outbox_from(project: &Project, months: u32, now: Zoned) -> Result<Date> {
    let kept = now.date().checked_sub(Span::new().months(i64::from(months.max(1)))).unwrap_or(Date::MIN);
    let mut from = kept;
    for report in &project.reports {
        from = from.min(first_delivered(&project.reports_folder.join(&report.name))?.unwrap_or(from));
    }
    Ok(from)
}

/// When the first of the editions of a report was issued that may be delivered: those of the newest period that was over,
/// and of later ones. A period that is still open may have a page, which nobody gets.
fn first_delivered(folder: &Path) -> Result<Option<Date>> {
    let mut first = None;
    let mut periods = folders(folder);
    periods.sort_by(|a, b| b.cmp(a));
    for period in periods {
        for place in folders(&period).into_iter().chain([period.clone()]) {
            let issued = edition_in(&place, 1)?.or(newest_in(&place)?);
            let day = issued.map(|record| record.issued_at.to_zoned(TimeZone::UTC).date());
            first = first.into_iter().chain(day).min();
        }
        if newest_in(&period)?.is_some_and(|newest| newest.period_status == "closed") {
            break;
        }
    }
    Ok(first)
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use serde_json::json;

    fn edition(place: &Path, name: &str, status: &str, number: u32, day: &str) {
        std::fs::create_dir_all(place).unwrap();
        let record = json!({
            "format": 1, "report": "board", "title": {}, "period": "", "period_status": status, "edition": number,
            "release": 1, "run_id": "20261001T020000Z-0001", "as_of": day, "issued_at": format!("{day}T02:00:00Z"),
            "tests": {"passed": 0, "warned": 0, "failed": 0}, "verdict": {}, "figures": [], "content": "x", "files": [],
        });
        std::fs::write(place.join(name), record.to_string()).unwrap();
    }

    #[test]
    fn messages_stay_for_the_period_that_is_delivered_while_an_open_one_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        let board = folder.path();
        assert_eq!(first_delivered(board).unwrap(), None);
        edition(&board.join("2026-07"), "edition.json", "closed", 1, "2026-08-03");
        edition(&board.join("2026-08"), "edition-1.json", "open", 1, "2026-08-20");
        edition(&board.join("2026-08"), "edition.json", "closed", 2, "2026-09-04");
        edition(&board.join("2026-08/region-north"), "edition.json", "closed", 1, "2026-09-01");
        assert_eq!(first_delivered(board).unwrap(), Some(date(2026, 8, 20)));
        edition(&board.join("2026-09"), "edition.json", "open", 1, "2026-09-10");
        assert_eq!(first_delivered(board).unwrap(), Some(date(2026, 8, 20)));
        edition(&board.join("2026-09"), "edition.json", "closed", 1, "2026-10-02");
        assert_eq!(first_delivered(board).unwrap(), Some(date(2026, 10, 2)));
    }
}
