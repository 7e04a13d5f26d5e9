//! Which of the files that were read before a listed file is, where its name does not say it.
//!
//! A log that is rotated is renamed and later compressed, and a new one begins under its name; or it is copied, emptied and
//! appended to. It is known by what it held: a file whose uncompressed content begins with that is the same log, whatever
//! its name. Everything that was held is looked for once, the longest first, so that of two logs that begin alike neither
//! is taken for both. Tables whose files are not rotated know a file by its name; there another name is that of a known
//! file only when content and time of change are equal and the known name has gone or holds something else: two
//! deliveries may well be equal.

use super::plan::{FileChange, PlannedFile, tag_parts, with_hash};
use perennial_core::contract::SourceTable;
use perennial_core::error::Result;
use perennial_lake::{HeldText, LoadState, LoadedFile};
use perennial_sources::Files;
use std::collections::{BTreeMap, BTreeSet};

/// Corrects the plan of files that were compared by name.
pub(super) async fn find(
    table: &SourceTable,
    files: &Files,
    planned: &mut [PlannedFile],
    state: &LoadState,
) -> Result<()> {
    match table.rotated {
        true => {
            // Of compressed logs earlier versions did not keep what they held.
            find_renamed(files, planned, state, |loaded| loaded.held.is_none()).await?;
            find_logs(files, planned, state).await
        }
        false => find_renamed(files, planned, state, |_| true).await,
    }
}

/// The names of known files that are not known to be one of the listed files.
fn free<'a>(planned: &[PlannedFile], state: &'a LoadState) -> BTreeMap<&'a String, &'a LoadedFile> {
    let taken: BTreeSet<&String> = planned.iter().filter_map(|file| file.known.as_ref()).collect();
    state.files.iter().filter(|(path, _)| !taken.contains(path)).collect()
}

/// A new name for a file of the same size and time of change whose content is equal.
async fn find_renamed(
    files: &Files,
    planned: &mut [PlannedFile],
    state: &LoadState,
    may_be: impl Fn(&LoadedFile) -> bool,
) -> Result<()> {
    // A changed file may be another one under a name that was free.
    let known_by_name: Vec<Option<String>> = planned.iter().map(|file| file.known.clone()).collect();
    for (file, known) in planned.iter_mut().zip(&known_by_name) {
        if file.change == FileChange::Changed && known.is_some() {
            file.known = None;
        }
    }
    // The free names with the hashes of their content, by size and time of change.
    let mut alike: BTreeMap<(u64, String), Vec<(&String, &str)>> = BTreeMap::new();
    for (path, loaded) in free(planned, state).into_iter().filter(|(_, loaded)| may_be(loaded)) {
        if let (tag, Some(hash)) = tag_parts(&loaded.tag)
            && tag.starts_with("modified=")
        {
            alike.entry((loaded.bytes, tag.to_string())).or_default().push((path, hash));
        }
    }
    for planned in planned.iter_mut().filter(|file| matches!(file.change, FileChange::New | FileChange::Changed)) {
        let file = &planned.file;
        let Some(alike) = alike.get_mut(&(file.bytes, file.tag.clone())).filter(|alike| !alike.is_empty()) else {
            continue;
        };
        let Some(now) = files.content_hash(file).await? else { continue };
        let Some(at) = alike.iter().position(|(_, hash)| *hash == now) else { continue };
        let known = alike.remove(at).0.clone();
        planned.file.tag = with_hash(&planned.file.tag, Some(&now));
        planned.change = FileChange::Renamed;
        planned.known = Some(known);
    }
    let taken: BTreeSet<String> = planned.iter().filter_map(|file| file.known.clone()).collect();
    for (file, known) in planned.iter_mut().zip(known_by_name) {
        if file.change == FileChange::Changed {
            file.known = known.filter(|known| !taken.contains(known));
            if file.known.is_none() {
                file.change = FileChange::New;
            }
        }
    }
    Ok(())
}

/// What a known file held.
struct Held<'a> {
    path: &'a String,
    bytes: u64,
    /// `None` in load states of earlier versions.
    start: Option<&'a str>,
    hash: &'a str,
}

impl Held<'_> {
    fn start_bytes(&self) -> u64 {
        self.bytes.min(HeldText::START_BYTES)
    }
}

fn held<'a>(path: &'a String, loaded: &'a LoadedFile) -> Option<Held<'a>> {
    if let Some(HeldText { bytes, start, hash }) = &loaded.held {
        return (*bytes > 0).then_some(Held { path, bytes: *bytes, start: Some(start), hash });
    }
    // Earlier versions kept the hash of the file as it was; of an uncompressed file that is the same.
    let hash = tag_parts(&loaded.tag).1?.get(..32)?;
    (loaded.bytes > 0).then_some(Held { path, bytes: loaded.bytes, start: None, hash })
}

/// A known log and a listed file that begins with what it held.
struct Continuation {
    known: String,
    bytes: u64,
    listed: usize,
    /// The file holds more than the log did.
    grown: bool,
}

async fn find_logs(files: &Files, planned: &mut [PlannedFile], state: &LoadState) -> Result<()> {
    let is_open = |file: &PlannedFile| matches!(file.change, FileChange::New | FileChange::Changed);
    for file in planned.iter_mut().filter(|file| is_open(file)) {
        file.known = None;
    }
    let free = free(planned, state);
    let known: Vec<Held<'_>> = free.iter().filter_map(|(path, loaded)| held(path, loaded)).collect();
    let mut found = Vec::new();
    for (listed, file) in planned.iter().enumerate().filter(|(_, file)| is_open(file)) {
        found.extend(continuations(files, file, listed, &known).await?);
    }
    let own_name = |c: &Continuation| planned[c.listed].file.path == c.known;
    found.sort_by_key(|c| (std::cmp::Reverse(c.bytes), !own_name(c), c.listed));
    let mut taken = BTreeSet::new();
    for Continuation { known, listed, grown, .. } in found {
        let file = &mut planned[listed];
        if file.known.is_some() || !taken.insert(known.clone()) {
            continue;
        }
        file.change = match grown {
            true => FileChange::Grown,
            false if file.file.path == known => FileChange::Unchanged,
            false => FileChange::Renamed,
        };
        if !grown {
            // The tag of a compressed copy has no hash of what was read; `held` has it.
            let hash = state.files.get(&known).and_then(|loaded| tag_parts(&loaded.tag).1);
            file.file.tag = with_hash(&file.file.tag, hash);
        }
        file.known = Some(known);
    }
    for file in planned.iter_mut().filter(|file| is_open(file)) {
        file.change = FileChange::New;
        // An empty log has grown, whatever it holds now.
        let was_empty =
            |loaded: &&LoadedFile| loaded.rows + loaded.rejects == 0 && held(&file.file.path, loaded).is_none();
        if state.files.get(&file.file.path).filter(was_empty).is_some() {
            file.known = Some(file.file.path.clone());
            file.change = FileChange::Grown;
        }
    }
    Ok(())
}

/// The known logs that a file may be.
async fn continuations(
    files: &Files,
    planned: &PlannedFile,
    listed: usize,
    known: &[Held<'_>],
) -> Result<Vec<Continuation>> {
    let starts: BTreeSet<u64> = known.iter().map(Held::start_bytes).collect();
    if starts.is_empty() {
        return Ok(Vec::new());
    }
    let starts = hashes(files, planned, starts).await?;
    let may_be = |held: &&Held<'_>| match (starts.get(&held.start_bytes()), held.start) {
        (Some(hash), Some(start)) => hash == start,
        (found, _) => found.is_some(),
    };
    let alike: Vec<&Held<'_>> = known.iter().filter(may_be).collect();
    if alike.is_empty() {
        return Ok(Vec::new());
    }
    // With one byte more the file is longer.
    let lengths = alike.iter().flat_map(|held| [held.bytes, held.bytes + 1]).collect();
    let hashes = hashes(files, planned, lengths).await?;
    let same = alike.into_iter().filter(|held| hashes.get(&held.bytes).is_some_and(|hash| hash == held.hash));
    Ok(same
        .map(|held| Continuation {
            known: held.path.clone(),
            bytes: held.bytes,
            listed,
            grown: hashes.contains_key(&(held.bytes + 1)),
        })
        .collect())
}

/// The hashes of the first bytes of a file, by their number.
async fn hashes(files: &Files, planned: &PlannedFile, lengths: BTreeSet<u64>) -> Result<BTreeMap<u64, String>> {
    let lengths: Vec<u64> = lengths.into_iter().collect();
    let hashes = files.beginnings(&planned.file, lengths.clone()).await?;
    Ok(lengths.into_iter().zip(hashes).collect())
}
