//! What is expected of every load: how fresh, how many rows.

use super::rejects::{Tally, median};
use super::{LoadRequest, Loaded};
use crate::contract::{Load, SourceTable};
use crate::error::{Error, Result};
use crate::lake::LoadCount;

/// Loads remembered, to know what is usual.
const LOADS_REMEMBERED: usize = 14;
/// Fewer loads do not make a habit.
const LEAST_LOADS: usize = 3;

/// Compares a load with what is expected; what is not met becomes a note, or an error where the contract says so. Then
/// the load is remembered.
pub(super) fn check(request: &LoadRequest<'_>, tally: &Tally<'_>, loaded: &mut Loaded) -> Result<()> {
    let read = tally.accepted() + tally.refused();
    let faults = faults(request, loaded, read);
    if request.table.expectations.fail && !faults.is_empty() {
        let hint = "`expect: {otherwise: warn}` says so and goes on";
        return Err(Error::data(faults.join("; ")).hint(hint));
    }
    loaded.notes.extend(faults);
    // Files that brought nothing because there were none to read are no load.
    if read > 0 || request.table.load != Load::Deliveries {
        let recent = &mut loaded.state.recent;
        recent.push(LoadCount { read, rejects: tally.refused() });
        let surplus = recent.len().saturating_sub(LOADS_REMEMBERED);
        recent.drain(..surplus);
    }
    Ok(())
}

fn faults(request: &LoadRequest<'_>, loaded: &Loaded, read: u64) -> Vec<String> {
    let table = request.table;
    let expected = &table.expectations;
    let mut faults = Vec::new();
    if let Some(least) = expected.least_rows.filter(|least| read < *least) {
        faults.push(format!("{read} rows were read where at least {least} are expected"));
    }
    let recent = request.previous.map_or(&[][..], |(_, state)| &state.recent);
    if let Some(usual) = usual(recent) {
        if let Some(least) = expected.least_of_usual.filter(|share| (read as f64) < share * usual) {
            faults.push(format!("{read} rows were read where {usual:.0} are usual, less than {least} times that"));
        }
        if let Some(most) = expected.most_of_usual.filter(|share| read as f64 > share * usual) {
            faults.push(format!("{read} rows were read where {usual:.0} are usual, more than {most} times that"));
        }
    }
    faults.extend(late(table, request.now, loaded));
    faults
}

/// The median of rows read by the last loads.
fn usual(recent: &[LoadCount]) -> Option<f64> {
    (recent.len() >= LEAST_LOADS).then(|| median(recent.iter().map(|load| load.read as f64).collect())).flatten()
}

/// The newest row is older than it may be.
fn late(table: &SourceTable, now: jiff::Timestamp, loaded: &Loaded) -> Option<String> {
    let within = table.expectations.fresh_within_seconds?;
    let newest = loaded.state.files.values().filter_map(|file| file.newest.as_ref()).max();
    let column = table.time_column.as_deref().unwrap_or_default();
    let hours = within / 3600;
    let Some(newest) = newest else { return Some(format!("there is no row with a `{column}`")) };
    // A date stands for its last moment.
    let moment = newest.parse::<jiff::Timestamp>().ok().or_else(|| {
        let day = newest.parse::<jiff::civil::Date>().ok()?.tomorrow().ok()?;
        Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })?;
    let age = now.duration_since(moment).as_secs();
    (age > within).then(|| format!("the newest `{column}` is {newest}, more than {hours} hours ago"))
}
