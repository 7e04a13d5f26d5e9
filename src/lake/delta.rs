//! Delta logs: how DuckDB, Spark and Polars see the newest release. They follow the release records and never lead.
//!
//! Every commit carries the release's number as the transaction of the application `perennial`, so a commit that was
//! made is never made again, whenever the process died.

use super::open::{Lake, RECORDS, scrub, table_folder};
use super::{DataFile, Release, TableVersion, stats};
use crate::contract::TableName;
use crate::error::{Error, Result};
use arrow::datatypes::{DataType, Schema};
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TableReference};
use deltalake::kernel::{Action, Add, Metadata, MetadataExt, Protocol, StructType, Transaction, new_metadata};
use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableError};
use futures::{StreamExt, TryStreamExt};
use object_store::prefix::PrefixStore;
use object_store::{ObjectStoreExt, PutPayload};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Whose transactions the commits are.
const APPLICATION: &str = "perennial";
/// Tables brought along at a time.
const TABLES_AT_ONCE: usize = 8;

/// The release that every Delta log has reached.
#[derive(serde::Serialize, serde::Deserialize)]
struct Reached {
    format: u32,
    release: u64,
}

impl Lake {
    /// Brings every Delta log that is behind to the release; how many tables were looked at.
    pub(super) async fn bring_delta_to(&self, release: &Release) -> Result<usize> {
        let reached = self.delta_reached().await?;
        if reached >= release.number {
            return Ok(0);
        }
        let behind = self.tables_behind(release, reached).await?;
        let work = behind.iter().map(|name| self.bring_table(release, name));
        let results: Vec<Result<()>> = futures::stream::iter(work).buffer_unordered(TABLES_AT_ONCE).collect().await;
        results.into_iter().collect::<Result<Vec<()>>>()?;
        self.set_delta_reached(release.number).await?;
        Ok(behind.len())
    }

    /// Tables that changed after release `reached`, and those that are no longer in this one.
    async fn tables_behind(&self, release: &Release, reached: u64) -> Result<BTreeSet<TableName>> {
        let changed = release.tables.iter().filter(|(_, t)| t.changed_in > reached).map(|(name, _)| name.clone());
        let mut behind: BTreeSet<TableName> = changed.collect();
        for number in reached.max(1)..release.number {
            let Some(old) = self.find_release(number).await? else { continue };
            behind.extend(old.tables.into_keys().filter(|name| !release.tables.contains_key(name)));
        }
        Ok(behind)
    }

    async fn bring_table(&self, release: &Release, name: &TableName) -> Result<()> {
        let log = self.log_store(name)?;
        let version = release.tables.get(name);
        let failed = |e: DeltaTableError| {
            let number = release.number;
            let text = scrub(&e.to_string());
            Error::unreachable(format!("the Delta log of {name} could not follow release {number}: {text}"))
        };
        let mut table = DeltaTable::new(log.clone());
        if table.verify_deltatable_existence().await.map_err(failed)? {
            table.load().await.map_err(failed)?;
            let state = table.snapshot().map_err(failed)?;
            let done = state.transaction_version(log.as_ref(), APPLICATION).await.map_err(failed)?;
            if done.is_some_and(|done| done >= release.number as i64) {
                return Ok(());
            }
            let there: BTreeMap<String, Action> = state
                .log_data()
                .into_iter()
                .map(|file| (file.path().to_string(), Action::Remove(file.remove_action(true))))
                .collect();
            let schema = version.map(|v| delta_schema(name, &v.schema)).transpose()?;
            let mut actions = schema_actions(state, schema).map_err(failed)?;
            actions.extend(self.file_actions(release, name, version, there).await?);
            let partition_by = None;
            let operation = DeltaOperation::Write { mode: SaveMode::Overwrite, partition_by, predicate: None };
            let reference: &dyn TableReference = state;
            commit(release, actions, Some(reference), log, operation).await.map_err(failed)
        } else if let Some(version) = version.filter(|v| !v.files.is_empty()) {
            let schema = delta_schema(name, &version.schema)?;
            let protocol = protocol(&version.schema).map_err(|e| failed(e.into()))?;
            let metadata = metadata(name, &schema).map_err(failed)?;
            let mut actions = vec![Action::Protocol(protocol.clone()), Action::Metadata(metadata.clone())];
            actions.extend(self.file_actions(release, name, Some(version), BTreeMap::new()).await?);
            let location = log.config().location().clone();
            let operation = DeltaOperation::Create { mode: SaveMode::ErrorIfExists, location, protocol, metadata };
            commit(release, actions, None, log, operation).await.map_err(failed)
        } else {
            // A view, or a table that never had a row: there is nothing to show.
            Ok(())
        }
    }

    /// Adds what the release has and the log lacks, removes what the log has and the release lacks.
    async fn file_actions(
        &self,
        release: &Release,
        name: &TableName,
        version: Option<&TableVersion>,
        mut there: BTreeMap<String, Action>,
    ) -> Result<Vec<Action>> {
        let folder = format!("{}/", table_folder(name)?);
        let mut new = Vec::new();
        for file in version.map_or(&[][..], |v| v.files.as_slice()) {
            let path = file.path.strip_prefix(&folder).ok_or_else(|| {
                Error::bug(format!("{} is named as a file of {name} but is not in its folder", file.path))
            })?;
            if there.remove(path).is_none() {
                new.push((path.to_string(), file));
            }
        }
        let moment = release.published_at.as_millisecond();
        let adds = new.into_iter().map(|(path, file)| self.add(path, file, moment));
        let mut actions: Vec<Action> = futures::stream::iter(adds).buffered(TABLES_AT_ONCE).try_collect().await?;
        actions.extend(there.into_values());
        Ok(actions)
    }

    async fn add(&self, path: String, file: &DataFile, modification_time: i64) -> Result<Action> {
        Ok(Action::Add(Add {
            path,
            size: file.bytes as i64,
            modification_time,
            data_change: true,
            stats: Some(stats::of_file(self, file).await?),
            partition_values: HashMap::new(),
            tags: None,
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
            clustering_provider: None,
        }))
    }

    /// A log store of our own store: the scheme need not be known to the Delta library.
    pub(super) fn log_store(&self, name: &TableName) -> Result<LogStoreRef> {
        let folder = table_folder(name)?;
        let mut location = self.root_url().clone();
        if let Ok(mut segments) = location.path_segments_mut() {
            segments.pop_if_empty().extend(folder.split('/')).push("");
        }
        let table = Arc::new(PrefixStore::new(self.store(), self.path(&folder)));
        Ok(default_logstore(table, self.store(), &location, &StorageConfig::default()))
    }

    async fn delta_reached(&self) -> Result<u64> {
        let Some(text) = self.read(&reached_path()).await? else { return Ok(0) };
        // A marker that cannot be read only means that every log is looked at.
        Ok(serde_json::from_slice::<Reached>(&text).map_or(0, |reached| reached.release))
    }

    async fn set_delta_reached(&self, release: u64) -> Result<()> {
        let text = serde_json::to_vec(&Reached { format: 1, release })
            .map_err(|e| Error::bug(format!("a marker cannot be written: {e}")))?;
        let put = self.store().put(&self.path(&reached_path()), PutPayload::from(text)).await;
        put.map(|_| ()).map_err(|e| self.failed("note what its Delta logs have reached", e))
    }
}

fn reached_path() -> String {
    format!("{RECORDS}/delta.json")
}

async fn commit(
    release: &Release,
    actions: Vec<Action>,
    table: Option<&dyn TableReference>,
    log: LogStoreRef,
    operation: DeltaOperation,
) -> Result<(), DeltaTableError> {
    let transaction = Transaction::new(APPLICATION, release.number as i64);
    let properties = CommitProperties::default()
        .with_application_transaction(transaction)
        .with_metadata([("perennial.run".to_string(), serde_json::Value::from(release.run_id.clone()))]);
    CommitBuilder::from(properties).with_actions(actions).build(table, log, operation).await?;
    Ok(())
}

fn delta_schema(name: &TableName, schema: &Schema) -> Result<StructType> {
    TryIntoKernel::<StructType>::try_into_kernel(schema)
        .map_err(|e| Error::bug(format!("the columns of {name} are not those of a Delta table: {e}")))
}

fn metadata(name: &TableName, schema: &StructType) -> Result<Metadata, DeltaTableError> {
    let none: [(String, String); 0] = [];
    Ok(new_metadata(schema, Vec::<String>::new(), none)?.with_name(name.to_string())?)
}

/// What a changed schema asks for.
fn schema_actions(state: &dyn TableReference, schema: Option<StructType>) -> Result<Vec<Action>, DeltaTableError> {
    let Some(schema) = schema else { return Ok(Vec::new()) };
    if state.metadata().parse_schema()? == schema {
        return Ok(Vec::new());
    }
    let mut actions = Vec::new();
    let local = deltalake::kernel::contains_timestampntz(schema.fields());
    if local && state.protocol().min_reader_version() < 3 {
        actions.push(Action::Protocol(protocol_for(true)?));
    }
    actions.push(Action::Metadata(state.metadata().clone().with_schema(&schema)?));
    Ok(actions)
}

/// The oldest protocol that knows the columns' types.
fn protocol(schema: &Schema) -> Result<Protocol, serde_json::Error> {
    fn local(data_type: &DataType) -> bool {
        match data_type {
            DataType::Timestamp(_, None) => true,
            DataType::List(element) => local(element.data_type()),
            DataType::Struct(members) => members.iter().any(|f| local(f.data_type())),
            _ => false,
        }
    }
    protocol_for(schema.fields().iter().any(|f| local(f.data_type())))
}

fn protocol_for(local_time: bool) -> Result<Protocol, serde_json::Error> {
    serde_json::from_value(if local_time {
        serde_json::json!({
            "minReaderVersion": 3,
            "minWriterVersion": 7,
            "readerFeatures": ["timestampNtz"],
            "writerFeatures": ["appendOnly", "invariants", "timestampNtz"],
        })
    } else {
        serde_json::json!({"minReaderVersion": 1, "minWriterVersion": 2})
    })
}
