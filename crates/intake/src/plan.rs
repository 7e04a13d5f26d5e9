//! Which files a load has to read: new ones, changed ones, or all of them after a change of the contract.

use super::identity;
use arrow::datatypes::{Field, Schema, SchemaRef};
use perennial_core::contract::{ColumnPolicy, DELETED_COLUMN, SourceTable, origin_fields};
use perennial_core::error::{Error, Result, list};
use perennial_lake::{LoadState, LoadedFile, TableVersion};
use perennial_sources::{Files, Listing, SourceFile};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is to be done with one file of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileChange {
    /// Never read.
    New,
    /// Read before and changed since: its rows are replaced.
    Changed,
    /// A log that was read before, perhaps under another name, and has been appended to since.
    Grown,
    /// Read before under another contract.
    Reread,
    /// Read before and unchanged.
    Unchanged,
    /// Read before under another name and unchanged.
    Renamed,
    /// Read before and no longer there; its rows stay.
    Vanished,
}

impl FileChange {
    /// Whether the file is read.
    pub fn is_read(self) -> bool {
        match self {
            FileChange::New | FileChange::Changed | FileChange::Grown | FileChange::Reread => true,
            FileChange::Unchanged | FileChange::Renamed | FileChange::Vanished => false,
        }
    }
}

/// What a load will do.
#[derive(Debug)]
pub(super) struct LoadPlan {
    /// Existing files and what to do with them.
    pub(super) files: Vec<PlannedFile>,
    /// Files that are no longer there.
    pub(super) vanished: Vec<VanishedFile>,
    /// Columns accepted earlier that stay.
    pub(super) accepted: Vec<String>,
    /// Notes on what matches and is not a file.
    pub(super) left_out: Vec<String>,
}

/// An existing file.
#[derive(Debug)]
pub(super) struct PlannedFile {
    /// The file; of an unchanged one the tag is that to remember.
    pub(super) file: SourceFile,
    /// What is to be done with it.
    pub(super) change: FileChange,
    /// The file that it was when it was read before, by its path in the load state.
    pub(super) known: Option<String>,
}

/// A file that is no longer there.
#[derive(Debug)]
pub(super) struct VanishedFile {
    /// Its path in the load state.
    pub(super) known: String,
    /// Its path in the next load state; another one when a file that was never read has its name by now.
    pub(super) path: String,
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
    let Listing { files: mut listed, left_out } = files.list(pattern).await?;
    listed.iter_mut().for_each(|file| file.grows = table.rotated);
    let Some((version, state)) = previous else {
        let new = |file| PlannedFile { file, change: FileChange::New, known: None };
        let files = listed.into_iter().map(new).collect();
        return Ok(LoadPlan { files, vanished: Vec::new(), accepted: Vec::new(), left_out });
    };
    let mut planned = Vec::with_capacity(listed.len());
    for mut file in listed {
        let (change, known) = match state.files.get(&file.path) {
            None => (FileChange::New, None),
            Some(loaded) => (compare(files, &mut file, loaded).await?, Some(file.path.clone())),
        };
        planned.push(PlannedFile { file, change, known });
    }
    identity::find(table, files, &mut planned, state).await?;
    let vanished = vanished(&planned, state);
    let other_contract = state.contract != contract;
    let accepted = if other_contract && vanished.is_empty() { Vec::new() } else { still_accepted(table, state) };
    if other_contract {
        if !vanished.is_empty() && !table.load.merges() {
            keep_vanished(table, version, &accepted, &vanished)?;
        }
        planned.iter_mut().filter(|file| file.known.is_some()).for_each(|file| file.change = FileChange::Reread);
    }
    Ok(LoadPlan { files: planned, vanished, accepted, left_out })
}

/// The files that are none of the existing ones.
fn vanished(planned: &[PlannedFile], state: &LoadState) -> Vec<VanishedFile> {
    let known: BTreeSet<&String> = planned.iter().filter_map(|file| file.known.as_ref()).collect();
    let present: BTreeSet<&String> = planned.iter().map(|file| &file.file.path).collect();
    let vanished = state.files.iter().filter(|(path, _)| !known.contains(path));
    vanished
        .map(|(path, loaded)| VanishedFile {
            known: path.clone(),
            path: match present.contains(path) {
                // One run reads one file of a name.
                true => format!("{}@{}", loaded.name(path), loaded.run_id),
                false => path.clone(),
            },
        })
        .collect()
}

/// A known file as it is remembered under a path; `file` is what it is now, unless it has gone.
pub(super) fn keep(loaded: &LoadedFile, known: &str, path: &str, file: Option<&SourceFile>) -> LoadedFile {
    LoadedFile {
        tag: file.map_or(&loaded.tag, |file| &file.tag).clone(),
        bytes: file.map_or(loaded.bytes, |file| file.bytes),
        read_as: Some(loaded.name(known)).filter(|name| *name != path).map(str::to_string),
        gone: file.is_none(),
        ..loaded.clone()
    }
}

/// Accepted columns, without those that the contract names by now.
pub(super) fn still_accepted(table: &SourceTable, state: &LoadState) -> Vec<String> {
    if table.on_new_column != ColumnPolicy::Accept {
        return state.accepted_columns.clone();
    }
    let named = |name: &String| table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    state.accepted_columns.iter().filter(|name| !named(name)).cloned().collect()
}

/// Rows of vanished files can stay after a change of the contract only if they have its columns. Logs are always deleted
/// in the end; in the rows that are left new columns are NULL, and only types must be the same.
fn keep_vanished(
    table: &SourceTable,
    version: &TableVersion,
    accepted: &[String],
    vanished: &[VanishedFile],
) -> Result<()> {
    let wanted = raw_schema(table, accepted);
    let shape = |schema: &Schema| -> Vec<_> {
        schema.fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect()
    };
    let has_type = |field: &Arc<Field>| {
        version.schema.field_with_name(field.name()).map_or(true, |before| before.data_type() == field.data_type())
    };
    let fits = match table.rotated {
        true => wanted.fields().iter().all(has_type),
        false => shape(&wanted) == shape(&version.schema),
    };
    if fits {
        return Ok(());
    }
    let shown: Vec<&str> = vanished.iter().take(3).map(|file| file.known.as_str()).collect();
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

/// A remembered tag without the hash, and the hash.
pub fn tag_parts(tag: &str) -> (&str, Option<&str>) {
    tag.split_once(";blake3=").map_or((tag, None), |(tag, hash)| (tag, Some(hash)))
}

/// Identifies the content of a file: its hash, the same on any machine, or else its tag.
pub(crate) fn content_id(file: &LoadedFile) -> &str {
    let (tag, hash) = tag_parts(&file.tag);
    hash.unwrap_or(tag)
}
