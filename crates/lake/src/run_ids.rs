//! Identifiers of runs, which ascend even where the clock does not.

use super::open::Lake;
use perennial_core::error::Result;

/// Characters of an identifier: `20261122T041500Z-3f9a`.
const ID_LENGTH: usize = 21;
/// Characters of the moment in it.
const MOMENT_LENGTH: usize = 16;
const MOMENT_FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// An identifier for a run that begins now, greater than the last one: where that was made in the same second, or the
/// clock has been set back, it is the next that is free.
pub fn new_run_id(now: jiff::Timestamp, last: Option<&str>) -> String {
    let id = run_id(now, rand::random());
    match last.and_then(parse).filter(|_| last.is_some_and(|last| last >= id.as_str())) {
        None => id,
        Some((moment, u16::MAX)) => run_id(moment.checked_add(jiff::SignedDuration::from_secs(1)).unwrap_or(moment), 0),
        Some((moment, number)) => run_id(moment, number + 1),
    }
}

fn run_id(now: jiff::Timestamp, number: u16) -> String {
    format!("{}-{number:04x}", now.strftime(MOMENT_FORMAT))
}

/// Whether a text is the identifier of a run.
pub fn is_run_id(text: &str) -> bool {
    parse(text).is_some()
}

/// When a run began, by its identifier; `None` for what is none.
pub(crate) fn started_at(run_id: &str) -> Option<jiff::Timestamp> {
    parse(run_id).map(|(moment, _)| moment)
}

fn parse(run_id: &str) -> Option<(jiff::Timestamp, u16)> {
    let (moment, number) = run_id.split_once('-').filter(|_| run_id.len() == ID_LENGTH)?;
    let moment =
        jiff::civil::DateTime::strptime(MOMENT_FORMAT, moment).ok().filter(|_| moment.len() == MOMENT_LENGTH)?;
    Some((moment.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp(), u16::from_str_radix(number, 16).ok()?))
}

/// The greatest identifier in a text, such as the name of a file.
fn greatest_in(text: &str) -> Option<&str> {
    let windows = (0..text.len()).filter_map(|start| text.get(start..start + ID_LENGTH));
    windows.filter(|id| parse(id).is_some()).max()
}

impl Lake {
    /// The greatest identifier of the runs that are recorded, released or begun. Counts two listings.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn last_run_id(&self, released: Option<&str>) -> Result<Option<String>> {
        let mut last = released.map(str::to_string);
        for folder in ["system/runs".to_string(), format!("{}/runs", super::open::RECORDS)] {
            let found = self.list(&folder).await?;
            let name = |path: &str| path.rsplit('/').next().and_then(greatest_in).map(str::to_string);
            last = last.max(found.iter().filter_map(|(path, _)| name(path)).max());
        }
        Ok(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> jiff::Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn identifiers_ascend_whatever_the_clock_says() {
        let now = at("2026-11-22T04:15:00Z");
        assert!(new_run_id(now, None).starts_with("20261122T041500Z-"));
        // The same second, an earlier one, and the last number of a second.
        assert_eq!(new_run_id(now, Some("20261122T041500Z-fffe")), "20261122T041500Z-ffff");
        assert_eq!(new_run_id(now, Some("20270101T000000Z-0009")), "20270101T000000Z-000a");
        assert_eq!(new_run_id(now, Some("20261122T041500Z-ffff")), "20261122T041501Z-0000");
        assert!(new_run_id(now, Some("20261122T041459Z-ffff")).starts_with("20261122T041500Z-"));
    }

    #[test]
    fn an_identifier_says_when_the_run_began() {
        assert_eq!(started_at("20261122T041500Z-3f9a"), Some(at("2026-11-22T04:15:00Z")));
        for other in ["", "r1", "20261322T041500Z-3f9a", "20261122T041500Z-3f9g", "20261122T041500Z-3f9a1"] {
            assert_eq!(started_at(other), None, "{other}");
        }
    }

    #[test]
    fn identifiers_are_found_in_names() {
        assert_eq!(greatest_in("20261122T041500Z-3f9a-1-5rows.parquet"), Some("20261122T041500Z-3f9a"));
        let merged = "20261122T041500Z-3f9a_to_20261123T041500Z-0001-9rows.parquet";
        assert_eq!(greatest_in(merged), Some("20261123T041500Z-0001"));
        assert_eq!(greatest_in("foreign.parquet"), None);
        assert_eq!(greatest_in("é20261122T041500Z-3f9a"), Some("20261122T041500Z-3f9a"));
    }
}
