//! Reports from a release: their rows, their provenance, and why figures changed since the last edition.

use super::next_release::is_changed_definition;
use super::plan::{Inputs, ReportInputs};
use super::reader::Reader;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use perennial_core::contract::{Source, SourceTable, TableName, ValueType};
use perennial_core::error::{Error, Kind, Result};
use perennial_engine::{quoted, quoted_name};
use perennial_lake::history::{SourceRecord, SourceStatus};
use perennial_lake::{LoadState, Release};
use perennial_project::{Language, Project, ReportFile};
use perennial_reports::{
    self, Cause, CauseKind, Edition, EditionRecord, Footer, IssueRequest, Output, PageRequest, Parameters, Period,
    Queries, SourceFact, edition_folder, newest_in,
};
use std::collections::BTreeMap;

/// A report to be issued from a release.
pub(super) struct Issue<'a> {
    pub project: &'a Project,
    pub reader: &'a Reader,
    pub release: &'a Release,
    /// The sources of this run, for those that are stale; empty outside of a run.
    pub sources: &'a [SourceRecord],
    /// Of every report what its figures are computed from.
    pub inputs: &'a ReportInputs,
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
        let as_of = self.as_of(report)?;
        let last = self.last(report, period, Parameters::whole())?;
        let footer = self.footer(report, period, last.as_ref()).await?;
        let request = self.request(report, period, as_of, &footer);
        perennial_reports::issue(IssueRequest { languages, outputs, ..request }).await
    }

    /// Issues a page of a report for each row of its parameters; the languages are those that its readers want. One that
    /// cannot be issued does not stop the others.
    pub async fn pages(
        &self,
        report: &ReportFile,
        period: Period,
        rows: &[(Parameters, Vec<Language>)],
    ) -> Result<Vec<(Parameters, Result<Edition>)>> {
        let as_of = self.as_of(report)?;
        // Pages whose last editions stand on the same release, as most do, have the same footer.
        let mut footers = BTreeMap::new();
        let mut of_page = Vec::new();
        for (parameters, _) in rows {
            let last = self.last(report, period, parameters)?;
            let release = last.as_ref().map(|last| (last.release, last.run_id.clone()));
            if !footers.contains_key(&release) {
                footers.insert(release.clone(), self.footer(report, period, last.as_ref()).await?);
            }
            of_page.push(release);
        }
        let pages = rows.iter().zip(&of_page).filter_map(|((parameters, languages), release)| {
            Some(PageRequest { parameters: parameters.clone(), languages, footer: footers.get(release)? })
        });
        let pages: Vec<PageRequest<'_>> = pages.collect();
        let Some(first) = pages.first() else { return Ok(Vec::new()) };
        perennial_reports::issue_pages(self.request(report, period, as_of, first.footer), &pages).await
    }

    /// What all pages of a report share.
    fn request<'a>(
        &'a self,
        report: &'a ReportFile,
        period: Period,
        as_of: jiff::civil::Date,
        footer: &'a Footer,
    ) -> IssueRequest<'a> {
        IssueRequest {
            project: self.project,
            report,
            period,
            parameters: Parameters::whole(),
            as_of,
            languages: &report.languages,
            outputs: &Output::ALL,
            queries: self.reader,
            footer,
            issued_at: self.now,
            folder: &self.project.reports_folder,
        }
    }

    /// The last edition of a page for a period.
    fn last(&self, report: &ReportFile, period: Period, parameters: &Parameters) -> Result<Option<EditionRecord>> {
        let folder = &self.project.reports_folder;
        newest_in(&edition_folder(folder, &report.name, &period.label(), parameters))
    }

    /// The business date that a report describes, which is that of the tables it reads.
    ///
    /// # Errors
    /// `Data` when they describe different ones.
    pub fn as_of(&self, report: &ReportFile) -> Result<jiff::civil::Date> {
        let read = self.inputs.get(&report.name).map(|inputs| &inputs.read);
        let dated = read.into_iter().flatten().filter_map(|table| Some((self.release.as_of(table)?, table)));
        let dates: BTreeMap<jiff::civil::Date, &TableName> = dated.collect();
        let mut dates = dates.into_iter();
        match (dates.next(), dates.next()) {
            (None, _) => Ok(self.release.as_of),
            (Some((date, _)), None) => Ok(date),
            (Some((earlier, table)), Some((later, other))) => {
                let error = format!(
                    "the tables of the report `{}` describe two dates: {table} {earlier}, {other} {later}",
                    report.name
                );
                Err(Error::data(error).hint("run the pipelines that make them as of the same date"))
            }
        }
    }

    async fn footer(&self, report: &ReportFile, period: Period, last: Option<&EditionRecord>) -> Result<Footer> {
        let nothing = Inputs::default();
        let inputs = self.inputs.get(&report.name).unwrap_or(&nothing);
        let mut causes = Vec::new();
        if let Some(last) = last {
            // The page is issued also when the old release can no longer be read.
            causes = match self.causes(inputs, period, last).await {
                Err(error) if error.kind() == Kind::Data => {
                    vec![Cause { kind: CauseKind::Unknown, what: last.release.to_string() }]
                }
                other => other?,
            };
        }
        Ok(Footer {
            release: self.release.number,
            published_at: Some(self.release.published_at),
            run_id: self.release.run_id.clone(),
            tests: self.release.test_counts(Some(&inputs.all)),
            warnings: self.warnings(inputs),
            sources: self.source_facts(inputs),
            causes,
        })
    }

    /// The tests of what the report is computed from that warned, those with most failing rows first.
    fn warnings(&self, inputs: &Inputs) -> Vec<String> {
        let warned = self.release.tests.iter().filter(|(_, test)| test.failures > 0 && test.concerns(&inputs.all));
        let mut warned: Vec<(&String, u64)> = warned.map(|(name, test)| (name, test.failures)).collect();
        warned.sort_by_key(|(name, failures)| (std::cmp::Reverse(*failures), *name));
        warned.into_iter().map(|(name, _)| name.clone()).collect()
    }

    fn source_facts(&self, inputs: &Inputs) -> Vec<SourceFact> {
        let mut facts = Vec::new();
        for (source, table) in tables(self.project) {
            if !inputs.all.contains(&TableName::source(&source.name, &table.name)) {
                continue;
            }
            let raw = TableName::raw(&source.name, &table.name);
            let Some(state) = self.release.loaded.get(&raw) else { continue };
            let record = self.sources.iter().find(|r| r.source == source.name && r.table == table.name);
            let stale = record.filter(|r| matches!(r.status, SourceStatus::Failed | SourceStatus::Stale));
            facts.push(SourceFact {
                name: format!("{}.{}", source.name, table.name),
                newest: newest(state),
                rows: state.files.values().map(|f| f.rows).sum(),
                rejects: state.files.values().map(|f| f.rejects).sum(),
                notes: self.release.tables.get(&raw).map_or(0, |version| version.notes.len() as u64),
                stale: stale.map(|r| r.message.clone().unwrap_or_default()),
            });
        }
        facts
    }

    /// Why figures differ from those of the last edition: new rows, changed rows, and steps whose SQL changed, among what
    /// this report's figures are computed from.
    async fn causes(&self, inputs: &Inputs, period: Period, last: &EditionRecord) -> Result<Vec<Cause>> {
        let Some(before) = self.reader.other(last).await? else { return Ok(Vec::new()) };
        let is_changed = |name: &&TableName| {
            self.release.definition(name).is_some_and(|now| is_changed_definition(before.definition(name), now))
        };
        let changed = inputs.all.iter().filter(is_changed);
        let mut causes: Vec<Cause> =
            changed.map(|name| Cause { kind: CauseKind::ChangedSql, what: name.to_string() }).collect();
        for (source, table) in tables(self.project) {
            let name = TableName::source(&source.name, &table.name);
            if !inputs.all.contains(&name) {
                continue;
            }
            let (new, corrected) = self.changed_rows(source, table, period, &before).await?;
            // A row is late when it belongs to the period; without a time column nobody can tell.
            let late = if table.time_column.is_some() { CauseKind::LateData } else { CauseKind::NewData };
            for (kind, count) in [(late, new), (CauseKind::CorrectedData, corrected)] {
                if count > 0 {
                    causes.push(Cause { kind, what: format!("{}.{} ({count})", source.name, table.name) });
                }
            }
        }
        Ok(causes)
    }

    /// Counts the rows of a source table and period that are new, and those that changed, since an earlier release. Rows
    /// of a table without a time column count for every period.
    async fn changed_rows(
        &self,
        source: &Source,
        table: &SourceTable,
        period: Period,
        before: &Release,
    ) -> Result<(i64, i64)> {
        let raw = TableName::raw(&source.name, &table.name);
        let (Some(old), Some(state)) = (before.tables.get(&raw), before.loaded.get(&raw)) else { return Ok((0, 0)) };
        let same = self.release.tables.get(&raw).is_some_and(|new| new.files == old.files);
        if same || table.key.is_empty() {
            return Ok((0, 0));
        }
        // What the contract has gained since can be compared with nothing.
        let mut table = table.clone();
        table.columns.retain(|column| old.schema.field_with_name(&column.name).is_ok());
        let table = &table;
        if !table.key.iter().all(|key| table.columns.iter().any(|column| column.name == *key)) {
            return Ok((0, 0));
        }
        let known = self.reader.register_before(&raw, old, table, &state.accepted_columns).await?;
        let name = TableName::source(&source.name, &table.name);
        let sql = compare(&self.project.time_zone, &name, &known, table, period);
        let rows = self.reader.query(&sql, None).await?;
        Ok((first_count(&rows, 0), first_count(&rows, 1)))
    }
}

fn tables(project: &Project) -> impl Iterator<Item = (&Source, &SourceTable)> {
    project.sources.iter().flat_map(|s| s.tables.iter().map(move |t| (s, t)))
}

/// The newest value of a table's time column, over all its files.
pub(super) fn newest(state: &LoadState) -> Option<String> {
    state.files.values().filter_map(|f| f.newest.clone()).max()
}

/// SQL that counts the rows of a period that are new since an earlier state of the table, and those that changed.
fn compare(time_zone: &str, now: &TableName, before: &TableName, table: &SourceTable, period: Period) -> String {
    let both = |columns: &[String], operator: &str, connective: &str| {
        let pairs = columns.iter().map(|c| format!("(n.{c} {operator} b.{c})", c = quoted(c)));
        pairs.collect::<Vec<_>>().join(connective)
    };
    let columns: Vec<String> = table.columns.iter().map(|c| c.name.clone()).collect();
    let in_period = |side: &str| {
        let column = table.time_column.as_ref().and_then(|t| table.columns.iter().find(|c| c.name == *t))?;
        let time = format!("{side}.{}", quoted(&column.name));
        let day = match column.data_type {
            ValueType::Instant { .. } => {
                // Not AT TIME ZONE, which knows no day after 2262.
                format!("CAST(arrow_cast({time}, 'Timestamp(Microsecond, Some(\"{time_zone}\"))') AS DATE)")
            }
            _ => time,
        };
        Some(format!("({day} >= DATE '{}' AND {day} < DATE '{}')", period.start, period.end))
    };
    let concerned = match (in_period("n"), in_period("b")) {
        (Some(now), Some(before)) => format!("{now} OR {before}"),
        _ => "TRUE".to_string(),
    };
    let first_key = table.key.first().map(|k| quoted(k)).unwrap_or_default();
    format!(
        "SELECT count(*) FILTER (WHERE b.{first_key} IS NULL), \
                count(*) FILTER (WHERE b.{first_key} IS NOT NULL AND ({other})) \
         FROM {now} n LEFT JOIN {before} b ON {same_key} WHERE {concerned}",
        other = both(&columns, "IS DISTINCT FROM", " OR "),
        now = quoted_name(now),
        before = quoted_name(before),
        same_key = both(&table.key, "=", " AND "),
    )
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
