//! Vacuum: releases that `keep` does not cover are removed, and what no release needs.

use super::{Event, Invoker, Observer, note_of, record};
use jiff::{SignedDuration, Timestamp};
use perennial_core::error::{Error, Result};
use perennial_lake::{KeepRule, Lake, Vacuum, new_run_id};
use perennial_project::{Keep, Project};
use perennial_reports::releases_of_editions;

/// How long files stay that a reader may still need, or a process of which the lake knows nothing. Queries take minutes
/// and nights hours.
const GRACE: SignedDuration = SignedDuration::from_hours(24);

/// What a vacuum would remove now.
///
/// # Errors
/// `Unreachable` when the lake or the folder of the reports cannot be read, `Data` when a release that is kept is damaged.
pub(crate) async fn plan_vacuum(project: &Project, grace: SignedDuration, now: Timestamp) -> Result<Vacuum> {
    let rule = rule(project, grace)?;
    Lake::open(&project.lake).await?.plan_vacuum(&rule, now).await
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
    let rule = rule(project, grace)?;
    let lake = Lake::open(&project.lake).await?;
    let Some(latest) = lake.latest().await? else { return Ok(Vacuum::default()) };
    let last_run_id = lake.last_run_id(Some(&latest.run_id)).await?;
    let lock = lake.lock(invoker.holder(&new_run_id(now, last_run_id.as_deref())), now).await?;
    record::repair(project, &lake, &lock, now, observer).await?;
    let vacuum = lake.vacuum(&lock, &rule, now).await;
    lock.release().await?;
    let vacuum = vacuum?;
    lake.delete_waste(&vacuum).await?;
    Ok(vacuum)
}

/// The vacuum of a pipeline that asks for one, to be called after a run that succeeded and has released the lock. What
/// goes wrong fails no run: the next one tries again.
pub(crate) async fn vacuum_after_run(project: &Project, invoker: &Invoker, now: Timestamp, observer: &dyn Observer) {
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
fn rule(project: &Project, grace: SignedDuration) -> Result<KeepRule> {
    let zone = jiff::tz::TimeZone::get(&project.time_zone)
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
    Ok(KeepRule { days, months, min_releases, needed: releases_of_editions(folder)?, grace, zone })
}
