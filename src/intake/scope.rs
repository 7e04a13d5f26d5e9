//! How much of a system a load reads: everything, or what changed since the last one.

use super::LoadRequest;
use super::known::Window;
use crate::contract::day_of;
use crate::contract::{ColumnPolicy, Delivery, Load, Overlap, Paging, Relation, RelationRows, SourceTable, ValueType};
use crate::error::Result;
use crate::lake::Watermark;
use crate::sources::{Database, RelationRequest, Since};

/// Hours by which a night may come earlier than the one before and still count as a day later.
const SLACK_HOURS: i64 = 12;

/// Where stamps are clock times, databases begin an hour earlier, and that hour can be two in autumn. Rows that are read
/// again have to be known, or they would count as new.
const CLOCK_CHANGE_SECONDS: i64 = 2 * 3600;

/// How much a load reads.
#[derive(Clone, Debug)]
pub(super) enum Scope {
    /// Everything; the first time when so said.
    Whole {
        /// Nothing is known from before.
        first: bool,
    },
    /// What changed since.
    Since(Watermark),
}

impl Scope {
    /// What is to be read of a table.
    pub(super) fn of(request: &LoadRequest<'_>, first: bool) -> Scope {
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
                Load::Snapshot | Load::Deliveries => true,
            };
            let other_contract = state.is_some_and(|s| s.contract != super::plan::contract_fingerprint(table));
            // A kept token says what comes next; what came before cannot be asked for again.
            let token = keeps_token(table);
            !other_contract && (!due || token)
        });
        since.map_or(Scope::Whole { first }, Scope::Since)
    }

    /// Whether everything is read.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Scope::Whole { .. })
    }

    /// Whether nothing is known from before.
    pub(super) fn is_first(&self) -> bool {
        matches!(self, Scope::Whole { first: true })
    }

    /// Which rows of the lake a read of this scope can meet again.
    pub(super) fn window(&self, table: &SourceTable, is_exact: bool) -> Option<Window> {
        let Scope::Since(Watermark { lake: Some(greatest), .. }) = self else { return None };
        // Services and SQLite may give more than was asked for; what they give is compared with everything.
        if !is_exact {
            return None;
        }
        let overlap = match (table.load.overlap(), cursor_type(table)?) {
            (Overlap::Count(count), _) => count,
            (Overlap::Seconds(seconds), ValueType::Date { .. }) => seconds / 86_400 + 1,
            (Overlap::Seconds(seconds), _) => seconds.saturating_add(CLOCK_CHANGE_SECONDS).saturating_mul(1_000_000),
        };
        Some(Window { cursor: table.load.cursor(), from: greatest.saturating_sub(overlap) })
    }

    /// The range of a relation.
    pub(super) fn since<'a>(&'a self, request: &LoadRequest<'a>) -> Option<Since<'a>> {
        let Scope::Since(Watermark { system, .. }) = self else { return None };
        let table = request.table;
        Some(Since {
            cursor: cursor_fields(table),
            data_type: cursor_type(table)?,
            watermark: system,
            overlap: table.load.overlap(),
        })
    }

    /// From where on pages are asked for: a token, a number, a day or a moment (RFC 3339), which `since_format` writes.
    pub(super) fn since_in_url(&self, request: &LoadRequest<'_>) -> Result<Option<String>> {
        let Scope::Since(watermark) = self else { return Ok(None) };
        if keeps_token(request.table) {
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
        let moment = jiff::Timestamp::from_microsecond(lake.saturating_sub(seconds.saturating_mul(1_000_000))).ok();
        Ok(moment.map(|moment| moment.to_string()))
    }
}

/// Whether the service itself says where the next load goes on.
fn keeps_token(table: &SourceTable) -> bool {
    matches!(&table.delivery, Delivery::Pages(pages) if matches!(pages.paging, Paging::Cursor { keeps: true, .. }))
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

/// How far a relation goes now, in the database's words.
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

/// Whether a database has a relation; a query is taken at its word.
pub(super) async fn exists(database: &dyn Database, relation: &Relation) -> Result<bool> {
    let RelationRows::Table(name) = &relation.rows else { return Ok(true) };
    let same = |found: &str| {
        // Names are compared without the schema when one of the two has none.
        let (found, wanted) = match found.contains('.') == name.contains('.') {
            true => (found, name.as_str()),
            false => (found.rsplit('.').next().unwrap_or(found), name.rsplit('.').next().unwrap_or(name)),
        };
        found.eq_ignore_ascii_case(wanted)
    };
    Ok(database.tables().await?.iter().any(|table| same(&table.name)))
}

/// What is asked of a database.
pub(super) fn relation_request<'a>(
    request: &LoadRequest<'a>,
    relation: &'a Relation,
    since: Option<Since<'a>>,
) -> RelationRequest<'a> {
    let all_columns = request.table.on_new_column != ColumnPolicy::Ignore;
    RelationRequest { relation, table: request.table, all_columns, since }
}

/// The greatest cursor of a load as text, for a watermark that the system does not tell.
pub(super) fn cursor_text(table: &SourceTable, cursor: Option<i64>) -> Option<String> {
    let cursor = cursor?;
    match cursor_type(table)? {
        ValueType::Date { .. } => day_of(cursor).map(|day| day.to_string()),
        ValueType::Instant { .. } => jiff::Timestamp::from_microsecond(cursor).ok().map(|moment| moment.to_string()),
        _ => Some(cursor.to_string()),
    }
}
