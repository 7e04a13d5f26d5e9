//! The data files of a raw table, copied row by row: many small ones are merged, and of a merged one only the rows of
//! files that stand are kept. Rows stay as they are and in their order, so that neither what is shown nor the sums of
//! their content change.

use super::context::LoadContext;
use arrow::datatypes::SchemaRef;
use futures::TryStreamExt;
use perennial_core::error::{Error, Result};
use perennial_lake::{DataFile, LoadState, LoadedFile, RowRange, TableVersion};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Files of this size or more, in bytes, are not merged any more.
const LARGE_FILE_BYTES: u64 = 32 << 20;

/// Merges small data files when there are more than a number; 0 means never.
///
/// # Errors
/// As reading from and writing to the lake have them.
pub(super) async fn merge_small(
    context: &LoadContext<'_>,
    version: &mut TableVersion,
    state: &mut LoadState,
    max_files: usize,
) -> Result<()> {
    if max_files == 0 || version.files.len() <= max_files {
        return Ok(());
    }
    let mut merged = Vec::with_capacity(version.files.len());
    // Consecutive small files with the same columns: the order of versions is that of the files.
    let mut group: Vec<DataFile> = Vec::new();
    let mut columns: Option<SchemaRef> = None;
    for file in std::mem::take(&mut version.files) {
        let schema = match file.bytes < LARGE_FILE_BYTES {
            true => Some(context.lake.schema(&file).await?),
            false => None,
        };
        if schema.is_none() || schema != columns {
            merged.extend(merge_group(context, std::mem::take(&mut group), state).await?);
        }
        match &schema {
            Some(_) => group.push(file),
            None => merged.push(file),
        }
        columns = schema;
    }
    merged.extend(merge_group(context, group, state).await?);
    version.files = merged;
    Ok(())
}

async fn merge_group(context: &LoadContext<'_>, group: Vec<DataFile>, state: &mut LoadState) -> Result<Vec<DataFile>> {
    if group.len() < 2 {
        return Ok(group);
    }
    let inputs: Vec<Input<'_>> = group.iter().map(|file| Input { file, ranges: all_rows(file.rows) }).collect();
    let copied = copy(context, &inputs).await?;
    move_rows(state, &copied, |file| group.iter().find(|input| input.path == file).map(|input| input.rows));
    Ok(copied.files)
}

/// The data files of a version without the rows of files that the state does not remember any more. Of a data file that
/// holds rows of several files, the rows of those that it does are copied.
///
/// # Errors
/// As reading from and writing to the lake have them.
pub(super) async fn keep_remembered(
    context: &LoadContext<'_>,
    version: &TableVersion,
    state: &mut LoadState,
) -> Result<Vec<DataFile>> {
    let mut whole: BTreeSet<String> = BTreeSet::new();
    let mut parts: BTreeMap<String, Vec<Range<u64>>> = BTreeMap::new();
    for loaded in state.files.values() {
        for range in &loaded.ranges {
            parts.entry(range.data_file.clone()).or_default().push(range.first..range.first + range.rows);
        }
        let in_parts = |file: &&String| loaded.ranges.iter().any(|range| range.data_file == **file);
        whole.extend(loaded.data_files.iter().filter(|file| !in_parts(file)).cloned());
    }
    let mut kept = Vec::new();
    for file in &version.files {
        let mut ranges = parts.remove(&file.path).unwrap_or_default();
        let rows: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        if whole.contains(&file.path) || rows == file.rows && rows > 0 {
            kept.push(file.clone());
        } else if rows > 0 {
            ranges.sort_by_key(|range| range.start);
            let copied = copy(context, &[Input { file, ranges }]).await?;
            move_rows(state, &copied, |_| None);
            kept.extend(copied.files);
        }
    }
    Ok(kept)
}

/// Rows that are copied from a data file, in ascending ranges.
struct Input<'a> {
    file: &'a DataFile,
    ranges: Vec<Range<u64>>,
}

/// The one range of all rows of a file.
fn all_rows(rows: u64) -> Vec<Range<u64>> {
    std::iter::once(0..rows).collect()
}

/// Copied rows.
struct Copied {
    files: Vec<DataFile>,
    /// By data file, each range with the number of rows copied before it.
    places: BTreeMap<String, Vec<(Range<u64>, u64)>>,
}

impl Copied {
    /// Where rows of a data file are now.
    fn place(&self, data_file: &str, rows: Range<u64>) -> Option<Vec<RowRange>> {
        let holds = |(range, _): &&(Range<u64>, u64)| range.start <= rows.start && rows.end <= range.end;
        let (range, before) = self.places.get(data_file)?.iter().find(holds)?;
        let mut first = before + (rows.start - range.start);
        let mut left = rows.end - rows.start;
        let mut placed = Vec::new();
        let mut begins = 0;
        for file in &self.files {
            let ends = begins + file.rows;
            if first < ends && left > 0 {
                let here = left.min(ends - first);
                placed.push(RowRange { data_file: file.path.clone(), first: first - begins, rows: here });
                first += here;
                left -= here;
            }
            begins = ends;
        }
        Some(placed)
    }
}

/// Copies rows of data files with the same columns, one after the other, a batch at a time.
async fn copy(context: &LoadContext<'_>, inputs: &[Input<'_>]) -> Result<Copied> {
    let mut copied = Copied { files: Vec::new(), places: BTreeMap::new() };
    let Some(first) = inputs.first() else { return Ok(copied) };
    let schema = context.lake.schema(first.file).await?;
    let columns: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let mut writer = context.lake.writer(context.target, context.run_id, schema)?;
    let mut written = 0;
    for Input { file, ranges } in inputs {
        let mut rows = context.lake.rows(file, &columns).await?;
        let mut begins = 0;
        while let Some(batch) = rows.try_next().await? {
            let ends = begins + batch.num_rows() as u64;
            for range in ranges {
                let (from, to) = (range.start.max(begins), range.end.min(ends));
                if from < to {
                    writer.write(&batch.slice((from - begins) as usize, (to - from) as usize)).await?;
                }
            }
            begins = ends;
        }
        let places = copied.places.entry(file.path.clone()).or_default();
        for range in ranges {
            places.push((range.clone(), written));
            written += range.end - range.start;
        }
    }
    copied.files = writer.finish().await?;
    let rows: u64 = copied.files.iter().map(|file| file.rows).sum();
    match rows == written {
        true => Ok(copied),
        false => {
            let files: Vec<&str> = inputs.iter().map(|input| input.file.path.as_str()).collect();
            Err(Error::data(format!("{} have {rows} rows where {written} are recorded", files.join(", ")))
                .hint("`perennial lake verify` says which files are damaged and what repairs them"))
        }
    }
}

/// Notes where copied rows are now. `rows` are those of a data file that was copied whole.
fn move_rows(state: &mut LoadState, copied: &Copied, rows: impl Fn(&str) -> Option<u64>) {
    for loaded in state.files.values_mut() {
        if loaded.data_files.iter().any(|file| copied.places.contains_key(file)) {
            move_file(loaded, copied, &rows);
        }
    }
}

fn move_file(loaded: &mut LoadedFile, copied: &Copied, rows: &impl Fn(&str) -> Option<u64>) {
    let before = std::mem::take(&mut loaded.ranges);
    let mut ranges = Vec::new();
    let mut data_files: Vec<String> = Vec::new();
    let mut add = |range: RowRange, shared: bool| {
        if !data_files.contains(&range.data_file) {
            data_files.push(range.data_file.clone());
        }
        if shared {
            ranges.push(range);
        }
    };
    for file in &loaded.data_files {
        let parts: Vec<&RowRange> = before.iter().filter(|range| range.data_file == *file).collect();
        let whole = parts.is_empty();
        let old: Vec<Range<u64>> = match whole {
            true => all_rows(rows(file).unwrap_or_default()),
            false => parts.iter().map(|range| range.first..range.first + range.rows).collect(),
        };
        for old in old {
            match copied.place(file, old.clone()) {
                Some(placed) => placed.into_iter().for_each(|range| add(range, true)),
                None => {
                    let range = RowRange { data_file: file.clone(), first: old.start, rows: old.end - old.start };
                    add(range, !whole);
                }
            }
        }
    }
    loaded.data_files = data_files;
    loaded.ranges = ranges;
}
