//! The files of a Delta log: the newest checkpoint and the commits after it determine the state of the table.

use super::actions::{Action, AddFile, LOCAL_TIMES, Metadata, Protocol, RemoveFile, Transaction};
use super::checkpoint::{self, LastCheckpoint};
use crate::durable;
use crate::open::{Lake, table_folder};
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectMeta, PutMode};
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Kind, Place, Result};
use std::collections::{BTreeMap, BTreeSet};

/// The folder of a table's log, below the table's.
pub(crate) const LOG_FOLDER: &str = "_delta_log";
/// The file that names the newest checkpoint.
const LAST_CHECKPOINT: &str = "_last_checkpoint";
/// Files of a log read at a time.
const READS_AT_ONCE: usize = 8;
/// Table features that a log may require of its writers.
const WRITER_FEATURES: [&str; 3] = ["appendOnly", "invariants", LOCAL_TIMES];

/// The log of one table.
pub(crate) struct DeltaLog<'a> {
    pub lake: &'a Lake,
    pub table: &'a TableName,
    /// The table's folder below the lake's root.
    folder: String,
}

/// The state of a table at one version of its log.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub version: u64,
    /// The version of the checkpoint that it was read from.
    pub checkpoint: Option<u64>,
    pub protocol: Protocol,
    pub metadata: Metadata,
    pub contents: Contents,
}

/// The outcome of a commit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CommitOutcome {
    /// It has been written.
    Committed,
    /// Another writer has written a commit of that version.
    Conflict,
}

impl<'a> DeltaLog<'a> {
    /// The log of a table; it need not exist.
    pub fn new(lake: &'a Lake, table: &'a TableName) -> Result<DeltaLog<'a>> {
        Ok(DeltaLog { lake, table, folder: table_folder(table)? })
    }

    /// The path of a file of the log, below the lake's root.
    pub fn path(&self, name: &str) -> String {
        format!("{}/{LOG_FOLDER}/{name}", self.folder)
    }

    /// A path below the lake's root as one below the table's folder.
    pub fn relative<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.strip_prefix(&self.folder)?.strip_prefix('/')
    }

    /// Writes a commit unless there is one of that version.
    pub async fn commit(&self, version: u64, actions: &[Action]) -> Result<CommitOutcome> {
        let mut text = String::new();
        for action in actions {
            let line = serde_json::to_string(action)
                .map_err(|e| Error::bug(format!("an action of a Delta log cannot be written as JSON: {e}")))?;
            text.push_str(&line);
            text.push('\n');
        }
        let path = self.path(&commit_name(version));
        Ok(match durable::write(self.lake, &path, text.into_bytes(), PutMode::Create).await? {
            true => CommitOutcome::Committed,
            false => CommitOutcome::Conflict,
        })
    }

    /// Writes `_last_checkpoint`.
    pub async fn set_last_checkpoint(&self, last: &LastCheckpoint) -> Result<()> {
        let text = serde_json::to_vec(last)
            .map_err(|e| Error::bug(format!("`{LAST_CHECKPOINT}` cannot be written as JSON: {e}")))?;
        self.put(LAST_CHECKPOINT, text).await
    }

    /// Writes a file of the log; one of the same name is replaced.
    pub async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<()> {
        durable::write(self.lake, &self.path(name), bytes, PutMode::Overwrite).await.map(drop)
    }

    /// The paths of all files of the log, those of the newest versions first: whatever is left of them when some have
    /// been deleted is a log that ends earlier. Files of other programs come first.
    pub fn in_order_of_deletion(&self, files: &[ObjectMeta]) -> Vec<String> {
        let of = |meta: &ObjectMeta| LogFile::parse(meta.location.filename().unwrap_or_default());
        let mut files: Vec<(Option<LogFile>, &ObjectMeta)> = files.iter().map(|meta| (of(meta), meta)).collect();
        let is_checkpoint = |file: &LogFile| matches!(file, LogFile::Checkpoint { .. });
        files.sort_by_key(|(file, _)| file.map(|file| (std::cmp::Reverse(file.version()), is_checkpoint(&file))));
        let root = self.lake.prefix();
        let below = |meta: &ObjectMeta| {
            let parts = meta.location.prefix_match(root)?;
            Some(parts.map(|part| part.as_ref().to_string()).collect::<Vec<_>>().join("/"))
        };
        files.into_iter().filter_map(|(_, meta)| below(meta)).collect()
    }

    /// The table's newest state; `None` when there is no log.
    ///
    /// # Errors
    /// `Data` when the log is damaged, `Project` when it requires what this program does not support, `Unreachable` when
    /// the store fails.
    pub async fn read(&self) -> Result<Option<Snapshot>> {
        let Some(Start { commits, checkpoint, mut replay, unreadable }) = self.start().await? else {
            return Ok(None);
        };
        let next = checkpoint.map_or(0, |version| version + 1);
        let after: Vec<u64> = commits.range(next..).copied().collect();
        let missing = after.iter().zip(next..).find(|(version, expected)| *version != expected);
        if let Some((_, expected)) = missing {
            return Err(unreadable.unwrap_or_else(|| self.damaged(format!("version {expected} is missing"))));
        }
        let reads = after.iter().map(|version| self.read_commit(*version));
        let mut read = futures::stream::iter(reads).buffered(READS_AT_ONCE);
        while let Some(actions) = read.try_next().await? {
            replay.extend(actions);
        }
        let Some(version) = after.last().copied().or(checkpoint) else {
            return Err(unreadable.unwrap_or_else(|| self.damaged("version 0 is missing")));
        };
        let (Some(protocol), Some(metadata)) = (replay.protocol, replay.metadata) else {
            return Err(self.damaged("it has no protocol or no metadata"));
        };
        let snapshot = Snapshot { version, checkpoint, protocol, metadata, contents: replay.contents };
        self.check_supported(&snapshot)?;
        Ok(Some(snapshot))
    }

    /// The newest checkpoint that can be read, and the commits; `None` when there is no log. A checkpoint that is
    /// missing, damaged or incomplete is passed over: an earlier one or the commits may be enough.
    async fn start(&self) -> Result<Option<Start>> {
        let hint = self.last_checkpoint().await?;
        let mut listing = self.list(hint).await?;
        let mut is_whole = hint.is_none();
        let (mut skipped, mut unreadable) = (BTreeSet::new(), None);
        loop {
            let newest = listing.newest_checkpoint(&skipped);
            if !is_whole && newest.is_none_or(|(version, ..)| Some(version) < hint) {
                listing = self.list(None).await?;
                is_whole = true;
                continue;
            }
            let (checkpoint, replay) = match newest {
                None if listing.is_empty() => return Ok(None),
                None => (None, Replay::default()),
                Some((version, count, parts)) => match self.read_parts(parts).await {
                    Ok(replay) => (Some(version), replay),
                    Err(error) if error.kind() == Kind::Data => {
                        skipped.insert((version, count));
                        unreadable.get_or_insert(error);
                        continue;
                    }
                    Err(error) => return Err(error),
                },
            };
            return Ok(Some(Start { commits: listing.commits, checkpoint, replay, unreadable }));
        }
    }

    /// The state in the parts of a checkpoint.
    async fn read_parts(&self, parts: &[String]) -> Result<Replay> {
        let mut replay = Replay::default();
        let reads = parts.iter().map(|name| self.read_checkpoint(name));
        let mut read = futures::stream::iter(reads).buffered(READS_AT_ONCE);
        while let Some(actions) = read.try_next().await? {
            replay.extend(actions);
        }
        if replay.protocol.is_none() || replay.metadata.is_none() {
            let name = parts.first().map_or("", String::as_str);
            return Err(self.damaged(format!("{} has no protocol or no metadata", self.path(name))));
        }
        Ok(replay)
    }

    /// Checks that this program can read the log and may write to it.
    fn check_supported(&self, snapshot: &Snapshot) -> Result<()> {
        let Snapshot { protocol, metadata, .. } = snapshot;
        let unsupported = match protocol {
            Protocol { min_reader_version: reader @ 4.., .. } => Some(format!("reader version {reader}")),
            Protocol { min_writer_version: writer @ (3..=6 | 8..), .. } => Some(format!("writer version {writer}")),
            _ => {
                let unknown = |features: &Option<Vec<String>>, known: &[&str]| {
                    features.iter().flatten().find(|f| !known.contains(&f.as_str())).map(|f| format!("feature `{f}`"))
                };
                unknown(&protocol.reader_features, &[LOCAL_TIMES])
                    .or_else(|| unknown(&protocol.writer_features, &WRITER_FEATURES))
            }
        };
        let property = |name: &str| metadata.configuration.get(name).map(String::as_str);
        let unsupported = unsupported.or_else(|| match property("delta.columnMapping.mode") {
            None | Some("none") => None,
            Some(mode) => Some(format!("column mapping by {mode}")),
        });
        let unsupported = unsupported
            .or_else(|| (property("delta.appendOnly") == Some("true")).then(|| "`delta.appendOnly`".to_string()))
            .or_else(|| (!metadata.partition_columns.is_empty()).then(|| "partition columns".to_string()))
            .or_else(|| {
                snapshot
                    .contents
                    .files
                    .values()
                    .any(|f| f.deletion_vector.is_some())
                    .then(|| "deletion vectors".to_string())
            });
        match unsupported {
            None => Ok(()),
            Some(what) => Err(Error::project(format!(
                "the Delta log of {} has {what}, which perennial does not support",
                self.table
            ))
            .hint(self.rebuild_hint())),
        }
    }

    /// The error for a damaged log.
    pub fn damaged(&self, what: impl std::fmt::Display) -> Error {
        Error::data(format!("the Delta log of {} is damaged: {what}", self.table)).hint(self.rebuild_hint())
    }

    fn rebuild_hint(&self) -> String {
        format!(
            "delete the folder {}/{LOG_FOLDER} and the file {} in the lake {}; the next run writes the log anew",
            self.folder,
            super::progress_path(),
            self.lake.location()
        )
    }

    /// The version of the checkpoint that `_last_checkpoint` names. Without it the whole log is listed, so that it does
    /// not matter when it cannot be read.
    async fn last_checkpoint(&self) -> Result<Option<u64>> {
        let text = self.lake.read(&self.path(LAST_CHECKPOINT)).await?;
        Ok(text.and_then(|text| serde_json::from_slice::<LastCheckpoint>(&text).ok()).map(|last| last.version))
    }

    async fn list(&self, from: Option<u64>) -> Result<Listing> {
        let mut listing = Listing::default();
        for (file, meta) in self.list_files(from).await? {
            match file {
                LogFile::Commit(version) => {
                    listing.commits.insert(version);
                }
                LogFile::Checkpoint { version, parts } => {
                    let name = meta.location.filename().unwrap_or_default().to_string();
                    listing.checkpoints.entry((version, parts)).or_default().push(name);
                }
                LogFile::Checksum(_) => {}
            }
        }
        Ok(listing)
    }

    /// The files of the log, from a version on.
    pub async fn list_files(&self, from: Option<u64>) -> Result<Vec<(LogFile, ObjectMeta)>> {
        let folder = self.lake.path(&format!("{}/{LOG_FOLDER}", self.folder));
        let store = self.lake.store();
        let found = match from {
            // Versions have leading zeros, so that file names sort like versions.
            Some(version) => {
                let before = self.lake.path(&self.path(&format!("{version:020}")));
                store.list_with_offset(Some(&folder), &before)
            }
            None => store.list(Some(&folder)),
        };
        let found: Vec<ObjectMeta> = match found.try_collect().await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(self.lake.failed(&format!("list {}/{LOG_FOLDER} in", self.folder), error)),
        };
        let in_folder = |meta: &ObjectMeta| meta.location.prefix_match(&folder).is_some_and(|rest| rest.count() == 1);
        let files = found.into_iter().filter(in_folder);
        Ok(files.filter_map(|meta| Some((LogFile::parse(meta.location.filename()?)?, meta))).collect())
    }

    async fn read_file(&self, path: &str) -> Result<bytes::Bytes> {
        let found = self.lake.read(path).await?;
        found.ok_or_else(|| self.damaged(format!("{path} was deleted while the log was read")))
    }

    async fn read_commit(&self, version: u64) -> Result<Vec<Action>> {
        let path = self.path(&commit_name(version));
        let text = self.read_file(&path).await?;
        let lines = text.split(|byte| *byte == b'\n').enumerate();
        let lines = lines.filter(|(_, line)| !line.iter().all(u8::is_ascii_whitespace));
        let parsed = lines.map(|(number, line)| {
            serde_json::from_slice(line).map_err(|e| {
                let (line, column) = (number + 1, e.column().max(1));
                let place = Place::File { file: path.clone(), line, column, width: 1, text: None };
                self.damaged(format!("a line is not an action: {e}")).at(place)
            })
        });
        parsed.collect()
    }

    async fn read_checkpoint(&self, name: &str) -> Result<Vec<Action>> {
        let path = self.path(name);
        let bytes = self.read_file(&path).await?;
        checkpoint::read(bytes).map_err(|e| self.damaged(format!("{path} is not a checkpoint: {}", e.message())))
    }
}

impl Snapshot {
    /// The version of an application's newest transaction.
    #[cfg(test)]
    pub fn transaction_version(&self, application: &str) -> Option<i64> {
        self.contents.transactions.get(application).map(|txn| txn.version)
    }

    /// The state after the next commit.
    pub fn after(mut self, version: u64, actions: Vec<Action>) -> Snapshot {
        self.version = version;
        for mut action in actions {
            self.protocol = action.protocol.take().unwrap_or(self.protocol);
            self.metadata = action.meta_data.take().unwrap_or(self.metadata);
            self.contents.apply(action);
        }
        self
    }
}

/// The files and transactions of a table at one version.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Contents {
    /// The table's files, by their paths as the log writes them.
    pub files: BTreeMap<String, AddFile>,
    /// Files that were removed, likewise.
    pub tombstones: BTreeMap<String, RemoveFile>,
    /// The newest transaction of each application.
    pub transactions: BTreeMap<String, Transaction>,
}

impl Contents {
    fn apply(&mut self, action: Action) {
        if let Some(add) = action.add {
            self.tombstones.remove(&add.path);
            self.files.insert(add.path.clone(), add);
        }
        if let Some(remove) = action.remove {
            self.files.remove(&remove.path);
            self.tombstones.insert(remove.path.clone(), remove);
        }
        if let Some(transaction) = action.txn {
            self.transactions.insert(transaction.app_id.clone(), transaction);
        }
    }
}

/// The state of a table while its log is read.
#[derive(Default)]
struct Replay {
    protocol: Option<Protocol>,
    metadata: Option<Metadata>,
    contents: Contents,
}

impl Replay {
    fn extend(&mut self, actions: Vec<Action>) {
        for mut action in actions {
            self.protocol = action.protocol.take().or(self.protocol.take());
            self.metadata = action.meta_data.take().or(self.metadata.take());
            self.contents.apply(action);
        }
    }
}

/// What a log is read from.
struct Start {
    /// The versions of the commits.
    commits: BTreeSet<u64>,
    /// The version of the checkpoint, if there is one.
    checkpoint: Option<u64>,
    /// The state in the checkpoint.
    replay: Replay,
    /// The error of the newest checkpoint that was passed over.
    unreadable: Option<Error>,
}

/// The commits and checkpoints of a log, from a version on.
#[derive(Default)]
struct Listing {
    commits: BTreeSet<u64>,
    /// The file names of the parts, by version and number of parts.
    checkpoints: BTreeMap<(u64, u64), Vec<String>>,
}

impl Listing {
    fn is_empty(&self) -> bool {
        self.commits.is_empty() && self.checkpoints.is_empty()
    }

    /// The newest complete checkpoint that is not to be skipped: its version, the number of its parts, and their names.
    fn newest_checkpoint(&self, skipped: &BTreeSet<(u64, u64)>) -> Option<(u64, u64, &[String])> {
        let whole = self.checkpoints.iter().filter(|((_, parts), found)| found.len() as u64 == *parts);
        let left = whole.filter(|(key, _)| !skipped.contains(key));
        left.map(|((version, parts), found)| (*version, *parts, found.as_slice())).next_back()
    }
}

/// A file of a log, identified by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFile {
    /// The actions of one version.
    Commit(u64),
    /// The state at a version, in one or several files.
    Checkpoint { version: u64, parts: u64 },
    /// The checksum of a version, which this program neither writes nor reads.
    Checksum(u64),
}

impl LogFile {
    /// `None` for other files: log compactions, checkpoints of the second specification, incomplete uploads.
    fn parse(name: &str) -> Option<LogFile> {
        let (version, rest) = name.split_once('.')?;
        let version = number(version, 20)?;
        match rest {
            "json" => return Some(LogFile::Commit(version)),
            "crc" => return Some(LogFile::Checksum(version)),
            "checkpoint.parquet" => return Some(LogFile::Checkpoint { version, parts: 1 }),
            _ => {}
        }
        let (part, parts) = rest.strip_prefix("checkpoint.")?.strip_suffix(".parquet")?.split_once('.')?;
        let (part, parts) = (number(part, 10)?, number(parts, 10)?);
        (1..=parts).contains(&part).then_some(LogFile::Checkpoint { version, parts })
    }

    /// Its version.
    pub fn version(self) -> u64 {
        match self {
            LogFile::Commit(version) | LogFile::Checksum(version) | LogFile::Checkpoint { version, .. } => version,
        }
    }
}

fn number(text: &str, digits: usize) -> Option<u64> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn commit_name(version: u64) -> String {
    format!("{version:020}.json")
}
