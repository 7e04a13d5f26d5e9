//! The time of a run, which never lies before what was published: rows are ordered by when they were loaded.

use super::{Event, Observer};
use perennial_core::error::{Error, Result};
use perennial_lake::Release;

/// The time at which a run begins: that of the clock, or just after the newest release where the clock has been set
/// back.
///
/// # Errors
/// `Unreachable` when another run has published since this one chose its identifier.
pub(super) fn not_before(
    latest: Option<&Release>,
    run_id: &str,
    now: jiff::Timestamp,
    observer: &dyn Observer,
) -> Result<jiff::Timestamp> {
    let Some(latest) = latest else { return Ok(now) };
    if latest.run_id.as_str() >= run_id && perennial_lake::is_run_id(&latest.run_id) {
        let error = format!("run {} has published release {} in the meantime", latest.run_id, latest.number);
        return Err(Error::unreachable(error).hint("run it again"));
    }
    if now > latest.published_at {
        return Ok(now);
    }
    let (published, number) = (latest.published_at, latest.number);
    observer.event(Event::Note(format!(
        "the clock says {now}, but release {number} was published at {published}: the clock has been set back; this run \
         counts from the release on"
    )));
    let after = published.checked_add(jiff::SignedDuration::from_micros(1));
    after.map_err(|error| Error::data(format!("release {number} was published at {published}: {error}")))
}
