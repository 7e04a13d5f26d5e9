//! The range of a read: everything, or what changed since the last load.

use super::LoadRequest;
use super::key_index::CursorRange;
use perennial_core::contract::{
    ColumnPolicy, Extraction, Load, Overlap, Paging, Relation, RelationRows, SourceTable, ValueType, day_of,
};
use perennial_core::error::Result;
use perennial_core::sql::STANDARD;
use perennial_lake::Watermark;
use perennial_sources::{Database, RelationRequest, Since};

/// Hours by which a run may start earlier in the day than the one before and still count as a day later.
const SLACK_HOURS: i64 = 12;

/// Where timestamps have no offset, databases read from an hour earlier, which can be two hours in autumn. Rows that
/// are read again must be in the index, or they would count as new.
const CLOCK_CHANGE_SECONDS: i64 = 2 * 3600;

/// The range of a read.
#[derive(Clone, Debug)]
pub(super) enum ReadRange {
    /// Everything.
    Whole {
        /// There is no earlier load.
        first: bool,
    },
    /// What changed since the watermark.
    Since(Watermark),
}

impl ReadRange {
    /// The range of the next read of a table whose contract has this fingerprint.
    pub(super) fn of(request: &LoadRequest<'_>, first: bool, contract: &str) -> ReadRange {
        let state = request.previous.map(|(_, state)| state).filter(|_| !first);
        let table = request.table;
        let since = state.and_then(|state| state.watermark.clone()).filter(|_| {
            let due = match &table.load {
                Load::Incremental { full_every_days: Some(days), .. } => {
                    let earliest = state.and_then(|state| state.compared_at).and_then(|compared| {
                        compared.checked_add(jiff::SignedDuration::from_hours(i64::from(*days) * 24 - SLACK_HOURS)).ok()
                    });
                    earliest.is_none_or(|earliest| request.now >= earliest)
                }
                Load::Incremental { .. } | Load::Append { .. } => false,
                Load::Snapshot | Load::ByFile => true,
            };
            let other_contract = state.is_some_and(|s| s.contract != contract);
            // A service that resumes cannot be asked for what came before its token.
            !other_contract && (!due || resumes(table))
        });
        since.map_or(ReadRange::Whole { first }, ReadRange::Since)
    }

    /// Whether everything is read.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self, ReadRange::Whole { .. })
    }

    /// Whether there is no earlier load.
    pub(super) fn is_first(&self) -> bool {
        matches!(self, ReadRange::Whole { first: true })
    }

    /// The rows of the lake that a read of this range can bring again; `None` when all.
    pub(super) fn cursor_range(&self, table: &SourceTable, is_exact: bool) -> Option<CursorRange> {
        let ReadRange::Since(Watermark { lake: Some(greatest), .. }) = self else { return None };
        // Services and SQLite may return more than was asked for; it is merged with everything.
        if !is_exact {
            return None;
        }
        let overlap = match (table.load.overlap(), cursor_type(table)?) {
            (Overlap::Count(count), _) => count,
            (Overlap::Seconds(seconds), ValueType::Date { .. }) => seconds / 86_400 + 1,
            (Overlap::Seconds(seconds), _) => seconds.saturating_add(CLOCK_CHANGE_SECONDS).saturating_mul(1_000_000),
        };
        Some(CursorRange { cursor: table.load.cursor(), from: greatest.saturating_sub(overlap) })
    }

    /// The condition on a relation.
    pub(super) fn since<'a>(&'a self, request: &LoadRequest<'a>) -> Option<Since<'a>> {
        let ReadRange::Since(Watermark { system, .. }) = self else { return None };
        let table = request.table;
        Some(Since {
            cursor: cursor_fields(table),
            data_type: cursor_type(table)?,
            watermark: system,
            overlap: table.load.overlap(),
        })
    }

    /// The watermark for the URL: a token, a number, a date or a timestamp (RFC 3339), which `since_format` formats.
    pub(super) fn since_in_url(&self, request: &LoadRequest<'_>) -> Result<Option<String>> {
        let ReadRange::Since(watermark) = self else { return Ok(None) };
        if resumes(request.table) {
            return Ok(Some(watermark.system.clone()));
        }
        let Some(lake) = watermark.lake else { return Ok(None) };
        let seconds = match request.table.load.overlap() {
            Overlap::Count(count) => return Ok(Some(lake.saturating_sub(count).to_string())),
            Overlap::Seconds(seconds) => seconds,
        };
        if matches!(cursor_type(request.table), Some(ValueType::Date { .. })) {
            return Ok(day_of(lake - seconds / 86_400).map(|day| day.to_string()));
        }
        let since = jiff::Timestamp::from_microsecond(lake.saturating_sub(seconds.saturating_mul(1_000_000))).ok();
        Ok(since.map(|since| since.to_string()))
    }
}

/// Whether the service itself tells where the next load resumes.
fn resumes(table: &SourceTable) -> bool {
    matches!(&table.extraction, Extraction::Pages(pages) if matches!(pages.paging, Paging::Cursor { resume: true, .. }))
}

/// The names of the cursor's columns in the system.
fn cursor_fields(table: &SourceTable) -> Vec<String> {
    let of = |name: &String| table.columns.iter().find(|c| c.name == *name).map(|c| c.from.clone());
    table.load.cursor().iter().filter_map(of).collect()
}

fn cursor_type(table: &SourceTable) -> Option<&ValueType> {
    let first = table.load.cursor().into_iter().next()?;
    table.columns.iter().find(|column| column.name == first).map(|column| &column.data_type)
}

/// The current watermark of a relation, as the database formats it.
pub(super) async fn watermark(
    database: &dyn Database,
    relation: &Relation,
    table: &SourceTable,
) -> Result<Option<String>> {
    let cursor = cursor_fields(table);
    if cursor.is_empty() {
        return Ok(None);
    }
    database.watermark(relation, &cursor).await
}

/// Whether the database at a location has a relation; a query is assumed to be possible.
pub(super) async fn exists(database: &dyn Database, location: &str, relation: &Relation) -> Result<bool> {
    let RelationRows::Table(written) = &relation.rows else { return Ok(true) };
    let dialect = perennial_sources::kind_of(location)?.dialect.unwrap_or(STANDARD);
    let (schema, name) = dialect.parse_table(written)?;
    Ok(database.tables().await?.iter().any(|table| table.has_name(schema.as_deref(), &name)))
}

/// The request to a database.
pub(super) fn relation_request<'a>(
    request: &LoadRequest<'a>,
    relation: &'a Relation,
    since: Option<Since<'a>>,
) -> RelationRequest<'a> {
    let all_columns = request.table.on_new_column != ColumnPolicy::Ignore;
    RelationRequest { relation, table: request.table, all_columns, since }
}

/// The greatest cursor of a load as text: the watermark of systems that do not provide one.
pub(super) fn cursor_text(table: &SourceTable, cursor: Option<i64>) -> Option<String> {
    let cursor = cursor?;
    match cursor_type(table)? {
        ValueType::Date { .. } => day_of(cursor).map(|day| day.to_string()),
        ValueType::Instant { .. } => {
            jiff::Timestamp::from_microsecond(cursor).ok().map(|timestamp| timestamp.to_string())
        }
        _ => Some(cursor.to_string()),
    }
}
