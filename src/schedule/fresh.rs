//! Whether the sources that a run waits for are fresh: a file has come, a newest row is recent enough.

use super::plan::SourceCheck;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use perennial_core::contract::{Extraction, Source, SourceTable, TableName, ValueType};
use perennial_core::error::Result;
use perennial_intake::tag_parts;
use perennial_lake::{Lake, LoadState, Release};
use perennial_project::Project;
use perennial_sources::{Database, Files, SourceFile, System};
use std::time::Duration;

/// Time for one source to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Those of the sources that are not fresh, each with the reason. A source is fresh when every table whose contract says
/// `fresh_within` is; where none does, when a file has come for one of its tables, or when it can be reached.
pub(super) async fn late(project: &Project, check: &SourceCheck, now: Timestamp) -> Vec<String> {
    let release = match newest_release(project).await {
        Ok(release) => release,
        Err(error) => return vec![error.to_string()],
    };
    let zone = TimeZone::get(&project.time_zone).unwrap_or(TimeZone::UTC);
    // A file of this day has come for this run, also when an earlier run has read it.
    let day = zone.to_datetime(check.scheduled_for).date().to_zoned(zone).map(|start| start.timestamp());
    let since = day.unwrap_or(check.scheduled_for);
    let mut late = Vec::new();
    for name in &check.sources {
        let Some(source) = project.sources.iter().find(|source| source.name == *name) else { continue };
        let asked = Question { source, release: release.as_ref(), since, now };
        let reason = match tokio::time::timeout(ANSWER_WITHIN, asked.reason()).await {
            Ok(Ok(reason)) => reason,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer within {} s", ANSWER_WITHIN.as_secs())),
        };
        late.extend(reason.map(|reason| format!("{name}: {reason}")));
    }
    late
}

async fn newest_release(project: &Project) -> Result<Option<Release>> {
    Lake::open(&project.lake).await?.latest().await
}

/// Whether one source is fresh.
struct Question<'a> {
    source: &'a Source,
    release: Option<&'a Release>,
    since: Timestamp,
    now: Timestamp,
}

impl Question<'_> {
    /// Why it is not fresh; `None` when it is.
    async fn reason(&self) -> Result<Option<String>> {
        let limited = |table: &&SourceTable| table.expectations.fresh_within_seconds.is_some();
        let tables: Vec<&SourceTable> = self.source.tables.iter().filter(limited).collect();
        match System::open(self.source).await? {
            System::Files(files) if tables.is_empty() => {
                for table in &self.source.tables {
                    if self.has_come(&files, table).await? {
                        return Ok(None);
                    }
                }
                Ok(Some("no new file has come".to_string()))
            }
            System::Files(files) => {
                for table in tables {
                    if !self.has_come(&files, table).await? {
                        return Ok(Some(format!("no new file has come for `{}`", table.name)));
                    }
                }
                Ok(None)
            }
            System::Database(database) => {
                for table in tables {
                    if let Some(reason) = self.stale(database.as_ref(), table).await? {
                        return Ok(Some(reason));
                    }
                }
                Ok(None)
            }
            System::Http(_) | System::Nothing => Ok(None),
        }
    }

    /// Whether a table has a file that no release has read, or that is of the day of the run.
    async fn has_come(&self, files: &Files, table: &SourceTable) -> Result<bool> {
        let Extraction::Files { pattern, .. } = &table.extraction else { return Ok(true) };
        let loaded = self.release.and_then(|r| r.loaded.get(&TableName::raw(&self.source.name, &table.name)));
        let is_new =
            |file: &SourceFile| file.modified >= self.since || loaded.is_none_or(|state| is_unread(state, file));
        Ok(files.list(pattern).await?.files.iter().any(is_new))
    }

    /// Why the rows of a relation are not fresh.
    async fn stale(&self, database: &dyn Database, table: &SourceTable) -> Result<Option<String>> {
        let (Extraction::Relation(relation), Some(within)) =
            (&table.extraction, table.expectations.fresh_within_seconds)
        else {
            return Ok(None);
        };
        let column = table.columns.iter().find(|column| Some(&column.name) == table.time_column.as_ref());
        let Some(column) = column else { return Ok(None) };
        let newest = database.watermark(relation, std::slice::from_ref(&column.from)).await?;
        let Some(newest) = newest else { return Ok(Some(format!("`{}` has no row", table.name))) };
        let is_stale = instant(&newest, &column.data_type)
            .is_some_and(|at| self.now.duration_since(at) > SignedDuration::from_secs(within));
        Ok(is_stale.then(|| format!("the newest `{}` of `{}` is {newest}", column.name, table.name)))
    }
}

fn is_unread(state: &LoadState, file: &SourceFile) -> bool {
    state.files.get(&file.path).is_none_or(|read| read.bytes != file.bytes || tag_parts(&read.tag).0 != file.tag)
}

/// The moment that a database's text stands for; a date stands for its end.
fn instant(text: &str, data_type: &ValueType) -> Option<Timestamp> {
    let zone = match data_type {
        ValueType::Instant { zone, .. } => TimeZone::get(zone).ok()?,
        _ => TimeZone::UTC,
    };
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant);
    }
    let day = || text.parse::<Date>().ok()?.tomorrow().ok();
    let local = match text.len() {
        0..=10 => day()?.to_datetime(jiff::civil::Time::midnight()),
        _ => text.parse::<DateTime>().ok()?,
    };
    zone.to_zoned(local).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_databases_are_moments() {
        let berlin = ValueType::Instant { formats: Vec::new(), zone: "Europe/Berlin".to_string() };
        let date = ValueType::Date { formats: Vec::new() };
        let at = |text: &str, data_type: &ValueType| instant(text, data_type).map(|at| at.to_string());
        assert_eq!(at("2026-10-01 23:30:00", &berlin).as_deref(), Some("2026-10-01T21:30:00Z"));
        assert_eq!(at("2026-10-01 23:30:00+00", &berlin).as_deref(), Some("2026-10-01T23:30:00Z"));
        assert_eq!(at("2026-10-01", &date).as_deref(), Some("2026-10-02T00:00:00Z"));
        assert_eq!(at("1759357800", &berlin), None);
    }
}
