//! Expectations of every load: freshness and number of rows.

use super::rejects::{Tally, median};
use super::{LoadOutcome, LoadRequest};
use perennial_core::contract::{Load, SourceTable};
use perennial_core::error::{Error, Result};
use perennial_lake::LoadCount;

/// Number of loads that define what is usual.
const MAX_RECENT_LOADS: usize = 14;
/// Minimum number of loads that define what is usual.
const MIN_RECENT_LOADS: usize = 3;

/// Checks the expectations of a load; a violation becomes a note, or an error if the contract says so. Then the load is
/// added to the recent ones.
pub(super) fn check(request: &LoadRequest<'_>, tally: &Tally<'_>, loaded: &mut LoadOutcome) -> Result<()> {
    let read = tally.accepted() + tally.rejected();
    let violations = violations(request, loaded, read);
    if request.table.expectations.fail && !violations.is_empty() {
        let hint = "`expect: {on_violation: warn}` reports it and continues";
        return Err(Error::data(violations.join("; ")).hint(hint));
    }
    loaded.notes.extend(violations);
    // A run without new files is not a load.
    if read > 0 || request.table.load != Load::ByFile {
        let recent = &mut loaded.state.recent;
        recent.push(LoadCount { read, rejects: tally.rejected() });
        let surplus = recent.len().saturating_sub(MAX_RECENT_LOADS);
        recent.drain(..surplus);
    }
    Ok(())
}

fn violations(request: &LoadRequest<'_>, loaded: &LoadOutcome, read: u64) -> Vec<String> {
    let table = request.table;
    let expected = &table.expectations;
    let mut violations = Vec::new();
    if let Some(min) = expected.min_rows.filter(|min| read < *min) {
        violations.push(format!("{read} rows were read, fewer than the expected minimum of {min}"));
    }
    let recent = request.previous.map_or(&[][..], |(_, state)| &state.recent);
    if let Some(usual) = usual(recent) {
        if let Some(min) = expected.min_ratio.filter(|ratio| (read as f64) < ratio * usual) {
            violations.push(format!("{read} rows were read, fewer than {min} times the usual {usual:.0}"));
        }
        if let Some(max) = expected.max_ratio.filter(|ratio| read as f64 > ratio * usual) {
            violations.push(format!("{read} rows were read, more than {max} times the usual {usual:.0}"));
        }
    }
    violations.extend(stale(table, request.now, loaded));
    violations
}

/// The median number of rows read by recent loads.
fn usual(recent: &[LoadCount]) -> Option<f64> {
    (recent.len() >= MIN_RECENT_LOADS).then(|| median(recent.iter().map(|load| load.read as f64).collect())).flatten()
}

/// The violation of `fresh_within`, if any.
fn stale(table: &SourceTable, now: jiff::Timestamp, loaded: &LoadOutcome) -> Option<String> {
    let within = table.expectations.fresh_within_seconds?;
    let newest = loaded.state.files.values().filter_map(|file| file.newest.as_ref()).max();
    let column = table.time_column.as_deref().unwrap_or_default();
    let hours = within / 3600;
    let Some(newest) = newest else { return Some(format!("no row has a value in `{column}`")) };
    // A date stands for its end.
    let newest_at = newest.parse::<jiff::Timestamp>().ok().or_else(|| {
        let day = newest.parse::<jiff::civil::Date>().ok()?.tomorrow().ok()?;
        Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })?;
    let age = now.duration_since(newest_at).as_secs();
    (age > within).then(|| format!("the newest `{column}` is {newest}, more than {hours} hours ago"))
}
