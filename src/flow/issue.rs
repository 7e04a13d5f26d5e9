//! Reports from a release: their rows, the account at their feet, and why figures changed since the last edition.

use super::reader::Reader;
use crate::contract::{Source, SourceTable, TableName, ValueType};
use crate::engine::{quoted, quoted_name};
use crate::error::Result;
use crate::history::{SourceRecord, SourceStatus};
use crate::lake::{LoadState, Release};
use crate::project::{Language, Project, ReportFile};
use crate::reports::{self, Cause, CauseKind, Edition, Foot, IssueRequest, Output, Period, Queries, SourceFact};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;

/// A report to be issued from a release.
pub(super) struct Issue<'a> {
    pub project: &'a Project,
    pub reader: &'a Reader,
    pub release: &'a Release,
    /// Of this run, for what is stale; empty when a report is made apart from a run.
    pub sources: &'a [SourceRecord],
    /// Tests that warned, by name.
    pub warnings: &'a [String],
    pub now: jiff::Timestamp,
}

impl Issue<'_> {
    /// Issues one report for one period.
    pub async fn report(
        &self,
        report: &ReportFile,
        period: Period,
        languages: &[Language],
        outputs: &[Output],
    ) -> Result<Edition> {
        let foot = self.foot(report, period).await?;
        reports::issue(IssueRequest {
            project: self.project,
            report,
            period,
            as_of: self.release.as_of,
            languages,
            outputs,
            queries: self.reader,
            foot: &foot,
            issued_at: self.now,
            folder: &self.project.reports_folder,
        })
        .await
    }

    async fn foot(&self, report: &ReportFile, period: Period) -> Result<Foot> {
        let folder = &self.project.reports_folder;
        let last = reports::newest_edition(folder, &report.name, period)?;
        let mut causes = Vec::new();
        if let Some(last) = last.filter(|last| last.release < self.release.number) {
            causes = self.causes(period, &last).await?;
        }
        Ok(Foot {
            release: self.release.number,
            published_at: Some(self.release.published_at),
            run_id: self.release.run_id.clone(),
            tests: self.release.tests,
            warnings: self.warnings.to_vec(),
            sources: self.source_facts(),
            causes,
        })
    }

    fn source_facts(&self) -> Vec<SourceFact> {
        let mut facts = Vec::new();
        for (source, table) in tables(self.project) {
            let Some(state) = self.release.loaded.get(&TableName::raw(&source.name, &table.name)) else { continue };
            let record = self.sources.iter().find(|r| r.source == source.name && r.table == table.name);
            let failed = record.filter(|r| r.status == SourceStatus::Failed);
            facts.push(SourceFact {
                name: format!("{}.{}", source.name, table.name),
                newest: newest(state),
                rows: state.files.values().map(|f| f.rows).sum(),
                rejects: state.files.values().map(|f| f.rejects).sum(),
                stale: failed.map(|r| r.message.clone().unwrap_or_default()),
            });
        }
        facts
    }

    /// What came after the last edition and belongs to its period: rows not known before, rows that replaced others,
    /// and steps whose definition is another.
    async fn causes(&self, period: Period, last: &reports::EditionRecord) -> Result<Vec<Cause>> {
        let mut causes = Vec::new();
        let before = self.reader.earlier(last.release).await?;
        let changed = self.release.definitions.iter().filter(|(name, hash)| before.definitions.get(name) != Some(hash));
        causes.extend(changed.map(|(name, _)| Cause { kind: CauseKind::ChangedSql, what: name.to_string() }));
        for (source, table) in tables(self.project) {
            let raw = TableName::raw(&source.name, &table.name);
            let loaded = self.release.loaded.get(&raw);
            let is_new = loaded.is_some_and(|s| s.files.values().any(|f| f.run_id > last.run_id));
            let Some(sql) = late_rows(&self.project.time_zone, &raw, table, period, &last.run_id).filter(|_| is_new)
            else {
                continue;
            };
            let rows = self.reader.rows(&sql).await?;
            let name = format!("{}.{}", source.name, table.name);
            for (kind, column) in [(CauseKind::LateData, 0), (CauseKind::CorrectedData, 1)] {
                let count = first_count(&rows, column);
                if count > 0 {
                    causes.push(Cause { kind, what: format!("{name} ({count})") });
                }
            }
        }
        Ok(causes)
    }
}

fn tables(project: &Project) -> impl Iterator<Item = (&Source, &SourceTable)> {
    project.sources.iter().flat_map(|s| s.tables.iter().map(move |t| (s, t)))
}

/// The newest moment of a table's rows, over all its files.
pub(super) fn newest(state: &LoadState) -> Option<String> {
    state.files.values().filter_map(|f| f.newest.clone()).max()
}

/// Counts the rows of a period that runs after the given one brought: first those of unknown keys, then those that
/// follow a row of the same key. `None` for a table without key or time column, where that cannot be told.
fn late_rows(time_zone: &str, raw: &TableName, table: &SourceTable, period: Period, after_run: &str) -> Option<String> {
    let time = table.time_column.as_ref()?;
    let column = table.columns.iter().find(|c| c.name == *time)?;
    let day = match column.data_type {
        ValueType::Instant { .. } => format!("CAST({} AT TIME ZONE '{time_zone}' AS DATE)", quoted(time)),
        _ => quoted(time),
    };
    if table.key.is_empty() {
        return None;
    }
    let keys: Vec<String> = table.key.iter().map(|k| quoted(k)).collect();
    let keys = keys.join(", ");
    let raw = quoted_name(raw);
    Some(format!(
        "SELECT count(*) FILTER (WHERE before = 0) AS late, count(*) FILTER (WHERE before > 0) AS corrected FROM (\
           SELECT count(*) FILTER (WHERE _run_id <= '{after_run}') AS before, \
                  count(*) FILTER (WHERE _run_id > '{after_run}' AND {day} >= DATE '{start}' AND {day} < DATE '{end}') AS since \
           FROM {raw} GROUP BY {keys}) AS of_key WHERE since > 0",
        start = period.start,
        end = period.end,
    ))
}

fn first_count(rows: &[RecordBatch], column: usize) -> i64 {
    let counts = rows.iter().find(|b| b.num_rows() > 0).and_then(|b| b.column(column).as_primitive_opt::<Int64Type>());
    counts.filter(|c| !c.is_empty()).map_or(0, |c| c.value(0))
}

#[async_trait::async_trait]
impl Queries for Reader {
    async fn rows(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        self.query(sql, None).await
    }
}
