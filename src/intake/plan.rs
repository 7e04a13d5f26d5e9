//! Which files a load has to read: the new ones, those that changed, or all of them under another contract.

use crate::contract::{ColumnPolicy, DELETED_COLUMN, SourceTable, origin_fields};
use crate::error::{Error, Result, list};
use crate::lake::{LoadState, LoadedFile, TableVersion};
use crate::sources::{Files, SourceFile};
use arrow::datatypes::{Field, Schema, SchemaRef};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Part of every contract's fingerprint: counted up when the same contract would read the same file differently.
const READER_VERSION: u32 = 2;

/// What is to be done with one file of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileChange {
    /// Never read.
    New,
    /// Read before, and other now: its rows are replaced.
    Changed,
    /// Read before under another contract.
    Reread,
    /// Read before, as it is.
    Unchanged,
    /// Read before and gone; its rows stay.
    Vanished,
}

impl FileChange {
    /// Whether the file is read.
    pub fn is_read(self) -> bool {
        matches!(self, FileChange::New | FileChange::Changed | FileChange::Reread)
    }
}

/// What a load will do.
#[derive(Debug)]
pub(super) struct LoadPlan {
    /// Files that exist, with what is to be done. The tags of unchanged ones are those to remember.
    pub(super) files: Vec<(SourceFile, FileChange)>,
    /// Files that are gone.
    pub(super) vanished: Vec<String>,
    /// Columns accepted before that stay.
    pub(super) accepted: Vec<String>,
}

/// Hash of everything in a contract that decides which rows a file gives.
pub(super) fn contract_fingerprint(table: &SourceTable) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: String| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    add(format!("{READER_VERSION} {:?} {:?} {:?}", table.format(), table.key, table.time_column));
    add(format!("{:?} {:?}", table.delivery, (std::mem::discriminant(&table.load), table.load.cursor())));
    add(format!("{:?} {:?} {:?}", table.on_new_column, table.on_missing_column, table.on_bad_row));
    add(format!("{:?}", table.total_rows));
    for c in &table.columns {
        add(format!("{:?} {:?} {:?} {:?}", c.name, c.from, c.data_type, c.required));
        add(format!("{:?} {:?} {:?}", c.min, c.max, c.null_values));
        add(format!("{:?} {:?} {:?}", c.written, c.identifier, c.digits));
    }
    format!("{:x}", hash.finalize())
}

/// The schema of a table's rows in `raw.*`: promised columns, accepted ones as text, then where each row came from.
/// Every column may be NULL, as in every table of the lake.
pub fn raw_schema(table: &SourceTable, accepted: &[String]) -> SchemaRef {
    let mut fields: Vec<Arc<Field>> = table.columns.iter().map(|column| Arc::new(column.field())).collect();
    let text = arrow::datatypes::DataType::Utf8;
    fields.extend(accepted.iter().map(|name| Arc::new(Field::new(name, text.clone(), true))));
    fields.extend(origin_fields().iter().map(|field| Arc::new(field.as_ref().clone().with_nullable(true))));
    if table.load.finds_deletes() {
        fields.push(Arc::new(Field::new(DELETED_COLUMN, arrow::datatypes::DataType::Boolean, true)));
    }
    Arc::new(Schema::new(fields))
}

/// Compares what lies at the source with what was read before.
pub(super) async fn plan(
    table: &SourceTable,
    files: &Files,
    pattern: &str,
    previous: Option<(&TableVersion, &LoadState)>,
    contract: &str,
) -> Result<LoadPlan> {
    let listed = files.list(pattern).await?;
    let Some((version, state)) = previous else {
        let files = listed.into_iter().map(|file| (file, FileChange::New)).collect();
        return Ok(LoadPlan { files, vanished: Vec::new(), accepted: Vec::new() });
    };
    let present: BTreeSet<&str> = listed.iter().map(|file| file.path.as_str()).collect();
    let vanished: Vec<String> = state.files.keys().filter(|path| !present.contains(path.as_str())).cloned().collect();
    let other_contract = state.contract != contract;
    let compares = table.load.compares();
    let accepted = if other_contract && vanished.is_empty() { Vec::new() } else { still_accepted(table, state) };
    if other_contract && !vanished.is_empty() && !compares {
        keep_vanished(table, version, &accepted, &vanished)?;
    }
    let mut planned = Vec::with_capacity(listed.len());
    for mut file in listed {
        let change = match state.files.get(&file.path) {
            None => FileChange::New,
            Some(_) if other_contract => FileChange::Reread,
            Some(loaded) => compare(files, &mut file, loaded).await?,
        };
        planned.push((file, change));
    }
    Ok(LoadPlan { files: planned, vanished, accepted })
}

/// Accepted columns that the contract has not come to promise, or no longer accepts.
pub(super) fn still_accepted(table: &SourceTable, state: &LoadState) -> Vec<String> {
    if table.on_new_column != ColumnPolicy::Accept {
        return state.accepted_columns.clone();
    }
    let promised = |name: &String| table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    state.accepted_columns.iter().filter(|name| !promised(name)).cloned().collect()
}

/// Rows of files that are gone can stay under another contract only when they have its columns.
fn keep_vanished(table: &SourceTable, version: &TableVersion, accepted: &[String], vanished: &[String]) -> Result<()> {
    let wanted = raw_schema(table, accepted);
    let same = |a: &Schema, b: &Schema| {
        let shape = |schema: &Schema| -> Vec<_> {
            schema.fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect()
        };
        shape(a) == shape(b)
    };
    if same(&wanted, &version.schema) {
        return Ok(());
    }
    let shown: Vec<&str> = vanished.iter().take(3).map(String::as_str).collect();
    let more = vanished.len() - shown.len();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let error = Error::data(format!(
        "the columns of `{}` changed, so every file must be read again, but {}{more} is no longer there",
        table.name,
        list(&shown)
    ));
    let error = error.hint("bring the file back, or take the change of the contract back");
    Err(match &table.place {
        Some(place) => error.at(place.clone()),
        None => error,
    })
}

/// Whether a file read before is another now. Cheap signs first; the content is hashed only when just the time of
/// change differs.
async fn compare(files: &Files, file: &mut SourceFile, loaded: &LoadedFile) -> Result<FileChange> {
    let (known_sign, known_hash) = tag_parts(&loaded.tag);
    if loaded.bytes == file.bytes && known_sign == file.tag {
        file.tag = loaded.tag.clone();
        return Ok(FileChange::Unchanged);
    }
    if loaded.bytes != file.bytes || known_hash.is_none() {
        return Ok(FileChange::Changed);
    }
    match files.content_hash(file).await? {
        Some(hash) if known_hash == Some(hash.as_str()) => {
            file.tag = with_hash(&file.tag, Some(&hash));
            Ok(FileChange::Unchanged)
        }
        _ => Ok(FileChange::Changed),
    }
}

/// A tag as kept: the cheap sign, and the content's hash where one was made.
pub(super) fn with_hash(sign: &str, hash: Option<&str>) -> String {
    match hash {
        Some(hash) => format!("{sign};blake3={hash}"),
        None => sign.to_string(),
    }
}

fn tag_parts(tag: &str) -> (&str, Option<&str>) {
    tag.split_once(";blake3=").map_or((tag, None), |(sign, hash)| (sign, Some(hash)))
}

/// What a file holds, as far as it is known: the same on any machine.
pub(super) fn content_sign(file: &LoadedFile) -> &str {
    let (sign, hash) = tag_parts(&file.tag);
    hash.unwrap_or(sign)
}
