//! Queries on what was published: an engine with the tables of one release and the system tables.

use super::record::release_record;
use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use perennial_core::contract::{SourceTable, TableName};
use perennial_core::error::{Error, Result};
use perennial_engine::{
    Engine, EngineSettings, EngineStore, Query, Rows, UnknownTable, literal, quoted, quoted_name, source_view_sql,
};
use perennial_lake::history::{self, DeliveryRecord, RENAMED_COLUMNS, ReleaseRecord, RenamedColumn, Row};
use perennial_lake::{DataFile, Lake, LoadState, NewRelease, Release, TableVersion, ViewVersion};
use perennial_project::Project;
use perennial_reports::EditionRecord;
use perennial_steps::suggest_table;
use std::sync::Arc;

/// Answers queries from one release.
pub(crate) struct Reader {
    /// The release; `None` before the first one.
    pub release: Option<Release>,
    engine: Engine,
    lake: Lake,
}

impl Reader {
    /// Opens the newest release of the project's lake, or the one with a number, for queries alone: its release does not
    /// say what has been read of its sources.
    ///
    /// # Errors
    /// Those of [`Reader::open`].
    pub async fn for_queries(project: &Project, number: Option<u64>) -> Result<Reader> {
        let lake = Lake::open(&project.lake).await?;
        let release = lake.release_for_queries(number).await?;
        Reader::over(project, lake, release).await
    }

    /// Opens the newest release of the project's lake, or the one with a number.
    ///
    /// # Errors
    /// `Project` when there is no such release, `Unreachable` when the lake cannot be read.
    pub async fn open(project: &Project, number: Option<u64>) -> Result<Reader> {
        let lake = Lake::open(&project.lake).await?;
        let release = match number {
            Some(number) => Some(lake.release(number).await?),
            None => lake.latest().await?,
        };
        Reader::over(project, lake, release).await
    }

    /// A reader of a release that is loaded already.
    pub(super) async fn of(project: &Project, release: Release) -> Result<Reader> {
        Reader::over(project, Lake::open(&project.lake).await?, Some(release)).await
    }

    async fn over(project: &Project, lake: Lake, release: Option<Release>) -> Result<Reader> {
        let engine = open_engine(project, Some(&lake))?;
        // Another opened lake may have read the release.
        release.iter().for_each(|release| lake.verify_files_of(release));
        register_system(&engine, &lake, release.as_ref()).await?;
        if let Some(release) = &release {
            for (name, version) in &release.tables {
                engine.register_files(name, version)?;
            }
            register_views(&engine, &release.views).await?;
        }
        Ok(Reader { release, engine, lake })
    }

    /// The rows of a query, up to a limit.
    pub async fn query(&self, sql: &str, limit: Option<usize>) -> Result<Vec<RecordBatch>> {
        self.planned(sql, limit).await?.collect().await
    }

    /// The same rows one batch after the other.
    pub async fn rows(&self, sql: &str, limit: Option<usize>) -> Result<Rows> {
        self.planned(sql, limit).await?.rows().await
    }

    async fn planned(&self, sql: &str, limit: Option<usize>) -> Result<Query> {
        let query = self.engine.query(sql).await.map_err(|error| self.explain(error))?;
        match limit {
            Some(limit) => query.limit(limit),
            None => Ok(query),
        }
    }

    /// The release an edition was made from, if it is not this one and the lake still has it.
    pub(super) async fn other(&self, edition: &EditionRecord) -> Result<Option<Release>> {
        let here = self.release.as_ref().map_or(0, |r| r.number);
        if edition.release == here {
            return Ok(None);
        }
        let other = self.lake.find_release(edition.release).await?;
        Ok(other.filter(|release| release.run_id == edition.run_id))
    }

    /// Registers an earlier state of a source table, and returns its name.
    pub(super) async fn register_before(
        &self,
        raw: &TableName,
        version: &TableVersion,
        table: &SourceTable,
        accepted: &[String],
    ) -> Result<TableName> {
        let files = TableName::new("raw_before", raw.name.clone());
        let name = TableName::new("source_before", raw.name.clone());
        self.engine.register_files(&files, version)?;
        self.engine.register_view(&name, &source_view_sql(&files, table, accepted)).await?;
        Ok(name)
    }

    /// The releases that were removed, as rows of SQL: their numbers and the days on which they went.
    pub async fn removed_releases(&self) -> Result<Vec<String>> {
        let removed = self.lake.removed_releases().await?;
        Ok(removed.iter().map(|(number, removed)| format!("({number}, DATE '{}')", removed.on)).collect())
    }

    /// A condition on `system.rejects`: the open rejects, which are those of the files in the release as they were last read.
    pub fn open_rejects(&self) -> String {
        let mut files = Vec::new();
        let mut closed = Vec::new();
        for (raw, state) in self.release.iter().flat_map(|r| &r.loaded) {
            let Some((source, table)) = raw.name.split_once("__") else { continue };
            closed.extend(state.replayed.iter().map(|id| literal(&format!("{source}/{table}/{id}"))));
            for (path, file) in state.files.iter().filter(|(_, file)| file.rejects > 0) {
                for run in LoadState::open_runs(file) {
                    let values = [source, table, file.name(path), run].map(literal).join(", ");
                    files.push(format!("({values})"));
                }
            }
        }
        if files.is_empty() {
            return "FALSE".to_string();
        }
        let known = files.join(", ");
        let replayed = match closed.is_empty() {
            true => String::new(),
            false => format!(
                " AND concat(source, '/', table_name, '/', run_id, '/', CAST(line AS VARCHAR), '/', file) NOT IN ({})",
                closed.join(", ")
            ),
        };
        format!(
            "EXISTS (SELECT 1 FROM (VALUES {known}) AS f(s, t, p, r) \
             WHERE f.s = source AND f.t = table_name AND f.p = file AND f.r = run_id){replayed}"
        )
    }

    /// The release, or an error before the first one.
    pub(super) fn published(&self) -> Result<&Release> {
        self.release.as_ref().ok_or_else(nothing_published)
    }

    /// Explains an unknown table: a similar name, or what to do before the first release.
    fn explain(&self, error: Error) -> Error {
        let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<UnknownTable>());
        let Some(UnknownTable { name }) = source.cloned() else { return error };
        let explained = error;
        let Some(release) = &self.release else {
            return explained.hint("nothing has been published yet: `perennial run` publishes the first release");
        };
        let tables = release.tables.keys().chain(release.views.iter().map(|(name, _)| name));
        let known: Vec<String> = tables.map(ToString::to_string).collect();
        let explained = suggest_table(explained, &name, &known);
        match explained.hint_text() {
            None if !name.contains('.') => explained.hint("write tables as `schema.name`"),
            _ => explained,
        }
    }
}

/// The error of a verb that needs a release before there is one.
pub(super) fn nothing_published() -> Error {
    Error::project("nothing has been published yet").hint("`perennial run` publishes the first release")
}

/// A session with the project's memory limit and time zone.
pub(super) fn open_engine(project: &Project, lake: Option<&Lake>) -> Result<Engine> {
    let settings = EngineSettings {
        memory_limit_bytes: project.memory_limit_bytes,
        threads: std::thread::available_parallelism().map_or(2, usize::from),
        time_zone: project.time_zone.clone(),
        calendars: project.calendars.clone(),
    };
    let store = lake.map(|lake| EngineStore {
        store: lake.store(),
        url: lake.store_url().clone(),
        prefix: lake.prefix().clone(),
    });
    Engine::open(settings, store)
}

/// Whether every view of a release that is to be published can be read over its tables: one that cannot would keep all
/// queries from being answered.
///
/// # Errors
/// The first view that cannot be read, and why.
pub(super) async fn check_readable(project: &Project, lake: &Lake, new: &NewRelease) -> Result<()> {
    let engine = open_engine(project, Some(lake))?;
    for (name, version) in &new.tables {
        engine.register_files(name, version)?;
    }
    register_views(&engine, &new.views).await
}

/// Registers views, each after those it reads: the SQL of those that a run has left alone may read others than now.
async fn register_views(engine: &Engine, views: &[(TableName, ViewVersion)]) -> Result<()> {
    let mut waiting: Vec<&(TableName, ViewVersion)> = views.iter().collect();
    while !waiting.is_empty() {
        let mut failed = Vec::new();
        let mut first_error = None;
        for view in &waiting {
            if let Err(error) = engine.register_view(&view.0, &view.1.sql).await {
                failed.push(*view);
                first_error.get_or_insert(error);
            }
        }
        match first_error {
            Some(error) if failed.len() == waiting.len() => return Err(error),
            _ => waiting = failed,
        }
    }
    Ok(())
}

/// `system.*` from what runs have recorded.
async fn register_system(engine: &Engine, lake: &Lake, release: Option<&Release>) -> Result<()> {
    let files = lake.system_files().await?;
    for (name, schema) in history::tables() {
        let table = TableName::new("system", name);
        register_stored(engine, &table, schema, files.of(name)).await?;
    }
    // A process that dies just after it has written rows leaves them to be written again.
    let deliveries = TableName::new("system", DeliveryRecord::TABLE);
    let distinct = format!("SELECT DISTINCT * FROM {}", quoted_name(&deliveries));
    engine.register_view(&deliveries, &distinct).await?;
    let releases = TableName::new("system", ReleaseRecord::TABLE);
    let newest = TableName::new("newest", ReleaseRecord::TABLE);
    let records: Vec<ReleaseRecord> = match release {
        // Earlier versions listed nothing; the next run does.
        Some(_) if files.of(ReleaseRecord::TABLE).is_empty() => {
            lake.readable_releases().await?.iter().map(release_record).collect()
        }
        // The run that published this release may not have recorded it yet.
        Some(release) => vec![release_record(release)],
        None => Vec::new(),
    };
    engine.register_rows(&newest, ReleaseRecord::schema(), vec![ReleaseRecord::batch(&records)?])?;
    let (stored, newest) = (quoted_name(&releases), quoted_name(&newest));
    let all = format!(
        "SELECT * FROM {stored} UNION ALL SELECT * FROM {newest} WHERE number NOT IN (SELECT number FROM {stored})"
    );
    engine.register_view(&releases, &all).await
}

/// A system table over its files. Columns that have a new name are read under the old one as well.
async fn register_stored(engine: &Engine, table: &TableName, schema: SchemaRef, files: Vec<DataFile>) -> Result<()> {
    let renamed: Vec<&RenamedColumn> = RENAMED_COLUMNS.iter().filter(|column| column.table == table.name).collect();
    let old = |column: &&RenamedColumn| {
        let new = schema.field_with_name(column.new)?;
        Ok(new.clone().with_name(column.old))
    };
    let old: Vec<Field> = renamed.iter().map(old).collect::<Result<_>>()?;
    let fields = schema.fields().iter().map(|field| field.as_ref().clone()).chain(old);
    let stored = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    engine.register_files(table, &TableVersion::new(stored, files, String::new()))?;
    if renamed.is_empty() {
        return Ok(());
    }
    let columns = schema.fields().iter().map(|field| {
        let name = quoted(field.name());
        match renamed.iter().find(|column| column.new == field.name()) {
            Some(column) => format!("coalesce({name}, {}) AS {name}", quoted(column.old)),
            None => name,
        }
    });
    let columns: Vec<String> = columns.collect();
    engine.register_view(table, &format!("SELECT {} FROM {}", columns.join(", "), quoted_name(table))).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;
    use perennial_lake::history::{TestRecord, TestStatus};

    fn record(failures: u64) -> TestRecord {
        TestRecord {
            run_id: "r2".to_string(),
            test: "tests.new".to_string(),
            table: None,
            column: None,
            severity: "error".to_string(),
            status: TestStatus::Failed,
            failures,
            example: None,
        }
    }

    /// Earlier versions called the failures of a test faults.
    #[tokio::test(flavor = "multi_thread")]
    async fn files_with_old_column_names_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().to_str().unwrap()).await.unwrap();
        let test: ArrayRef = Arc::new(StringArray::from(vec!["tests.old"]));
        let faults: ArrayRef = Arc::new(Int64Array::from(vec![3]));
        let old = RecordBatch::try_from_iter_with_nullable([("test", test, true), ("faults", faults, true)]).unwrap();
        lake.append_system(TestRecord::TABLE, "r1", &old).await.unwrap();
        lake.append_system(TestRecord::TABLE, "r2", &TestRecord::batch(&[record(5)]).unwrap()).await.unwrap();
        let store = EngineStore { store: lake.store(), url: lake.store_url().clone(), prefix: lake.prefix().clone() };
        let engine = Engine::open(EngineSettings::default(), Some(store)).unwrap();
        register_system(&engine, &lake, None).await.unwrap();
        let rows = engine.collect("SELECT failures FROM system.tests ORDER BY test DESC").await.unwrap();
        let found: Vec<i64> =
            rows.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
        assert_eq!(found, [3, 5]);
        assert!(engine.collect("SELECT faults FROM system.tests").await.is_err());
    }
}
