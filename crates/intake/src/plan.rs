//! Which files a load has to read: new ones, changed ones, or all of them after a change of the contract.

use arrow::datatypes::{Field, Schema, SchemaRef};
use perennial_core::contract::{ColumnPolicy, DELETED_COLUMN, SourceTable, origin_fields};
use perennial_core::error::{Error, Result, list};
use perennial_lake::{LoadState, LoadedFile, TableVersion};
use perennial_sources::{Files, SourceFile};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is to be done with one file of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileChange {
    /// Never read.
    New,
    /// Read before and changed since: its rows are replaced.
    Changed,
    /// Read before under another contract.
    Reread,
    /// Read before and unchanged.
    Unchanged,
    /// Read before and no longer there; its rows stay.
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
    /// Existing files and what to do with them. The tags of unchanged ones are those to remember.
    pub(super) files: Vec<(SourceFile, FileChange)>,
    /// Files that are no longer there.
    pub(super) vanished: Vec<String>,
    /// Columns accepted earlier that stay.
    pub(super) accepted: Vec<String>,
}

/// The schema of a table's rows in `raw.*`: the columns of the contract, accepted ones as text, then the origin of each
/// row. Every column may be NULL, as in every table of the lake.
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

/// Compares the files at the source with those read before.
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
    let merges = table.load.merges();
    let accepted = if other_contract && vanished.is_empty() { Vec::new() } else { still_accepted(table, state) };
    if other_contract && !vanished.is_empty() && !merges {
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

/// Accepted columns, without those that the contract names by now.
pub(super) fn still_accepted(table: &SourceTable, state: &LoadState) -> Vec<String> {
    if table.on_new_column != ColumnPolicy::Accept {
        return state.accepted_columns.clone();
    }
    let named = |name: &String| table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    state.accepted_columns.iter().filter(|name| !named(name)).cloned().collect()
}

/// Rows of vanished files can stay after a change of the contract only if they have its columns.
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
        "the columns of `{}` changed, so every file must be read again, but {}{more} {} no longer there",
        table.name,
        list(&shown),
        if vanished.len() == 1 { "is" } else { "are" }
    ));
    let error = error.hint("restore the files, or undo the change of the contract");
    Err(match &table.place {
        Some(place) => error.at(place.clone()),
        None => error,
    })
}

/// Whether a file that was read before has changed. Its tag is compared first; the content is hashed only when just the
/// time of change differs.
async fn compare(files: &Files, file: &mut SourceFile, loaded: &LoadedFile) -> Result<FileChange> {
    let (tag, hash) = tag_parts(&loaded.tag);
    if loaded.bytes == file.bytes && tag == file.tag {
        file.tag = loaded.tag.clone();
        return Ok(FileChange::Unchanged);
    }
    if loaded.bytes != file.bytes || hash.is_none() {
        return Ok(FileChange::Changed);
    }
    match files.content_hash(file).await? {
        Some(now) if hash == Some(now.as_str()) => {
            file.tag = with_hash(&file.tag, Some(&now));
            Ok(FileChange::Unchanged)
        }
        _ => Ok(FileChange::Changed),
    }
}

/// A tag as it is remembered: with the hash of the content where there is one.
pub(crate) fn with_hash(tag: &str, hash: Option<&str>) -> String {
    match hash {
        Some(hash) => format!("{tag};blake3={hash}"),
        None => tag.to_string(),
    }
}

fn tag_parts(tag: &str) -> (&str, Option<&str>) {
    tag.split_once(";blake3=").map_or((tag, None), |(tag, hash)| (tag, Some(hash)))
}

/// Identifies the content of a file: its hash, the same on any machine, or else its tag.
pub(crate) fn content_id(file: &LoadedFile) -> &str {
    let (tag, hash) = tag_parts(&file.tag);
    hash.unwrap_or(tag)
}
