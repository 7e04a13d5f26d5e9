//! Load states as they are kept: a source table that has read thousands of files does not write them all down again
//! every night, but what changed since a list of them that many releases share.

use super::objects::NewObjects;
use super::open::Lake;
use super::{LoadState, LoadedFile};
use perennial_core::error::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Files that may differ from the shared list before a new list is written. A night reads few files, so that a list
/// serves many of them.
const MAX_CHANGES: usize = 64;

/// A load state whose files are given as a list and what differs from it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredState {
    /// The state; of its files only those that the list does not have like this.
    state: LoadState,
    /// The list, by hash; `None` for a short one, which is in the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    list: Option<String>,
    /// Files of the list that the state no longer has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gone: Vec<String>,
}

type Files = BTreeMap<String, LoadedFile>;

/// Adds a load state to the objects; returns its hash. `before` is the hash of the table's state in the release before.
pub(crate) async fn store_load_state(
    lake: &Lake,
    state: &LoadState,
    before: Option<&String>,
    objects: &mut NewObjects,
) -> Result<String> {
    let before = match before {
        Some(hash) => Some(lake.object_json::<StoredState>(hash).await?),
        None => None,
    };
    let shared = match before.and_then(|before| before.list) {
        Some(hash) => Some((lake.object_json::<Files>(&hash).await?, hash)),
        None => None,
    };
    let stored = match shared {
        Some((list, hash)) => {
            let changed: Files =
                state.files.iter().filter(|(path, file)| list.get(*path) != Some(file)).map(own).collect();
            let gone: Vec<String> = list.into_keys().filter(|path| !state.files.contains_key(path)).collect();
            match changed.len() + gone.len() <= MAX_CHANGES {
                true => StoredState { state: with_files(state, changed), list: Some(hash), gone },
                false => with_own_list(state, objects)?,
            }
        }
        None if state.files.len() <= MAX_CHANGES => StoredState { state: state.clone(), list: None, gone: Vec::new() },
        None => with_own_list(state, objects)?,
    };
    objects.add_json("a load state", &stored)
}

fn own((path, file): (&String, &LoadedFile)) -> (String, LoadedFile) {
    (path.clone(), file.clone())
}

fn with_own_list(state: &LoadState, objects: &mut NewObjects) -> Result<StoredState> {
    let list = objects.add_json("the files of a load state", &state.files)?;
    Ok(StoredState { state: with_files(state, Files::new()), list: Some(list), gone: Vec::new() })
}

fn with_files(state: &LoadState, files: Files) -> LoadState {
    // A new field of load states does not compile until somebody says here that it is kept.
    let LoadState { contract, files: _, accepted_columns, watermark, compared_at, types, recent, replayed } =
        state.clone();
    LoadState { contract, files, accepted_columns, watermark, compared_at, types, recent, replayed }
}

/// A load state by its hash.
pub(crate) async fn read_load_state(lake: &Lake, hash: &str) -> Result<LoadState> {
    let StoredState { mut state, list, gone } = lake.object_json(hash).await?;
    if let Some(list) = list {
        let mut files: Files = lake.object_json(&list).await?;
        gone.iter().for_each(|path| drop(files.remove(path)));
        files.append(&mut state.files);
        state.files = files;
    }
    Ok(state)
}
