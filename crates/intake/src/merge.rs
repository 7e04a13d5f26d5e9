//! Loads that merge rows by key: snapshots, incremental reads and events, from any system.
//!
//! New and changed rows are added to `raw.*`, and a tombstone for every deleted key; nothing is removed, so that the
//! history of every row is kept. A table without a key is replaced as a whole when its rows differ.

use super::context::LoadContext;
use super::convert::Converter;
use super::diff::Diff;
use super::fingerprint::{contract_fingerprint, merge_fingerprint};
use super::ingest::{Input, LoadStats, Open, ingest};
use super::key_index::{CursorRange, Hasher, KeyIndex};
use super::notes::Notes;
use super::plan::{PlannedFile, VanishedFile};
use super::read_range::{self, ReadRange};
use super::rejects::{Tally, reject_runs};
use super::{FileChange, FileOutcome, LoadOutcome, LoadRequest, file_input, plan, raw_schema};
use arrow::datatypes::SchemaRef;
use perennial_core::contract::{ColumnPolicy, DELETED_COLUMN, Extraction, Load, SourceTable};
use perennial_core::error::{Error, Result, list};
use perennial_lake::{DataFile, LoadState, LoadedFile, TableVersion, Watermark};
use perennial_sources::{HeldHashes, RowReader, SourceFile, System};

/// Reads a table and merges what is new, changed or deleted.
pub(super) async fn load(
    request: &LoadRequest<'_>,
    context: &LoadContext<'_>,
    tally: &mut Tally<'_>,
) -> Result<LoadOutcome> {
    let mut load = MergeLoad::new(request, contract_fingerprint(request.table));
    match (request.system, &request.table.extraction) {
        (System::Database(database), Extraction::Relation(relation)) => {
            let location = &request.source.location;
            if request.table.optional && !read_range::exists(database.as_ref(), location, relation).await? {
                load.note_absent(relation.label());
                return Ok(load.finish(request, tally));
            }
            let range = ReadRange::of(request, load.restarted, &load.state.contract);
            let watermark = read_range::watermark(database.as_ref(), relation, request.table).await?;
            let since = range.since(request);
            let readers = database.read(&read_range::relation_request(request, relation, since)).await?;
            let readers = readers.into_iter().map(|reader| Box::new(move || Ok(RowReader::Typed(reader))) as Open);
            let label = relation.label().to_string();
            let input = Input { label, readers: readers.collect(), has_header: true, bytes: 0 };
            load.take(request, context, tally, input, &range).await?;
            load.set_watermark(watermark, &range, request);
        }
        (System::Http(http), Extraction::Pages(pages)) => {
            let range = ReadRange::of(request, load.restarted, &load.state.contract);
            let since = range.since_in_url(request)?;
            let wanted = Converter::contract_fields(request.table);
            let takes_new = request.table.on_new_column != ColumnPolicy::Ignore;
            let reader = http.read(pages, since.as_deref(), &wanted, takes_new).await?;
            let open: Open = Box::new(move || Ok(RowReader::Text(Box::new(reader))));
            let label = pages.path.clone();
            let input = Input { label, readers: vec![open], has_header: false, bytes: 0 };
            let token = load.take(request, context, tally, input, &range).await?;
            let watermark = token.or_else(|| read_range::cursor_text(request.table, load.cursor));
            load.set_watermark(watermark, &range, request);
        }
        (System::Files(files), Extraction::Files { pattern, .. }) => {
            let plan = plan::plan(request.table, files, pattern, request.previous, &load.state.contract).await?;
            load.notes.remark(&plan.left_out);
            let newest = plan.files.len().saturating_sub(1);
            let read_before = load.state.files.iter().map(|(path, file)| file.name(path).to_string()).max();
            // Each of them is planned or has vanished.
            load.state.files.clear();
            for VanishedFile { known, path } in &plan.vanished {
                load.keep(known, path, None, FileChange::Vanished, request);
            }
            for (i, PlannedFile { file, change, known }) in plan.files.iter().enumerate() {
                // After a change of the contract only the newest file is read again; the others are history.
                let is_read = match change {
                    FileChange::Reread => i == newest || load.restarted,
                    change => change.is_read(),
                };
                // A snapshot older than those read before is outdated.
                let is_old =
                    request.table.load == Load::Snapshot && read_before.as_ref().is_some_and(|r| file.path < *r);
                if is_read && is_old && !load.restarted {
                    load.remarks.push(format!("`{}` is older than the files read before and was not read", file.path));
                }
                if !is_read || is_old && !load.restarted {
                    let change = if *change == FileChange::Renamed { *change } else { FileChange::Unchanged };
                    load.keep(known.as_ref().unwrap_or(&file.path), &file.path, Some(file), change, request);
                    continue;
                }
                let (input, hashes) = file_input::input_and_hashes(files, file, context.table).await?;
                load.take_file(request, context, tally, input, (file, *change, hashes.as_ref())).await?;
            }
        }
        _ => return Err(Error::bug("the extraction of a table does not match its source")),
    }
    tally.finish()?;
    Ok(load.finish(request, tally))
}

/// The new state, input by input.
struct MergeLoad<'a> {
    previous: Option<(&'a TableVersion, &'a LoadState)>,
    /// The table starts over, as its rows cannot be merged with those of earlier loads.
    restarted: bool,
    state: LoadState,
    diff: Option<Diff>,
    data_files: Vec<DataFile>,
    outcomes: Vec<FileOutcome>,
    notes: Notes,
    remarks: Vec<String>,
    /// The greatest cursor read.
    cursor: Option<i64>,
    rows: u64,
    changed: bool,
}

impl<'a> MergeLoad<'a> {
    fn new(request: &LoadRequest<'a>, contract: String) -> MergeLoad<'a> {
        let table = request.table;
        let mut remarks = Vec::new();
        let previous = request.previous.filter(|(version, _)| {
            let difference = incompatibility(table, version);
            if let Some(difference) = &difference {
                remarks.push(format!("{difference}, so the table starts over; its history stays in earlier releases"));
            }
            difference.is_none()
        });
        let state = LoadState {
            contract,
            accepted_columns: previous.map_or_else(Vec::new, |(_, state)| plan::still_accepted(table, state)),
            ..previous.map(|(_, state)| state.clone()).unwrap_or_default()
        };
        MergeLoad {
            previous,
            restarted: previous.is_none(),
            diff: None,
            data_files: previous.map_or_else(Vec::new, |(version, _)| version.files.clone()),
            outcomes: Vec::new(),
            notes: Notes::default(),
            remarks,
            cursor: None,
            rows: 0,
            changed: previous.is_none_or(|(_, before)| before.contract != state.contract),
            state,
        }
    }

    fn schema(&self, table: &SourceTable) -> SchemaRef {
        raw_schema(table, &self.state.accepted_columns)
    }

    /// Reads the keys of the lake before the first input.
    async fn open_diff(&mut self, request: &LoadRequest<'_>, range: Option<CursorRange>) -> Result<()> {
        if self.diff.is_some() {
            return Ok(());
        }
        let schema = self.schema(request.table);
        let columns: Vec<String> = request.table.columns.iter().map(|column| column.name.clone()).collect();
        let mut hasher = match request.table.key.is_empty() {
            // The load state keeps their sum.
            true => Hasher::lasting(&schema, &columns, &columns)?,
            false => Hasher::new(&schema, &request.table.key, &columns)?,
        };
        let index = match self.previous {
            Some((version, _)) if !request.table.key.is_empty() => {
                KeyIndex::read(request.lake, version, &mut hasher, range.as_ref()).await?
            }
            _ => KeyIndex::default(),
        };
        self.diff = Some(Diff::new(request.table, hasher, index));
        Ok(())
    }

    /// Reads the only input of a system, and returns its resume token.
    async fn take(
        &mut self,
        request: &LoadRequest<'_>,
        context: &LoadContext<'_>,
        tally: &mut Tally<'_>,
        input: Input,
        range: &ReadRange,
    ) -> Result<Option<String>> {
        let label = input.label.clone();
        let is_exact = perennial_sources::kind_of(&request.source.location)?.exact_ranges;
        self.open_diff(request, range.cursor_range(request.table, is_exact)).await?;
        let stats = self.read(request, context, tally, input, range.is_whole()).await?;
        self.check_types(request.table, &stats)?;
        let before = self.state.files.get(&label);
        let open: &[String] = match before {
            Some(before) if !range.is_whole() => &before.reject_runs,
            _ => &[],
        };
        let whole_rows = before.map_or(0, |file| if request.table.key.is_empty() { 0 } else { file.rows });
        let checksum = self.diff.as_ref().map(Diff::checksum).unwrap_or_default();
        let loaded = LoadedFile {
            rows: whole_rows + stats.written,
            rejects: stats.rejects + if range.is_whole() { 0 } else { before.map_or(0, |file| file.rejects) },
            newest: before.and_then(|file| file.newest.clone()).max(stats.newest.clone()),
            data_files: Vec::new(),
            reject_runs: reject_runs(open, request.run_id, stats.rejects),
            ..stats.loaded_file(0, checksum, request.run_id)
        };
        self.outcome(&label, FileChange::Changed, &loaded);
        self.state.files.insert(label, loaded);
        if range.is_whole() && matches!(request.table.load, Load::Incremental { .. }) {
            self.state.compared_at = Some(request.now);
        }
        Ok(stats.content_id)
    }

    /// Reads one file, which is the whole table or contains events.
    async fn take_file(
        &mut self,
        request: &LoadRequest<'_>,
        context: &LoadContext<'_>,
        tally: &mut Tally<'_>,
        input: Input,
        (file, change, hashes): (&SourceFile, FileChange, Option<&HeldHashes>),
    ) -> Result<()> {
        self.open_diff(request, None).await?;
        let stats = self.read(request, context, tally, input, request.table.load.finds_deletes()).await?;
        if hashes.is_some_and(HeldHashes::has_unfinished_line) {
            let path = &file.path;
            self.notes
                .remark(&[format!("the last line of `{path}` has no line end, so it is not read until it has one")]);
        }
        let tag = plan::with_hash(&file.tag, stats.content_id.as_deref());
        let loaded =
            LoadedFile { held: hashes.map(file_input::held), ..stats.loaded_file(file.bytes, tag, request.run_id) };
        self.changed = true;
        self.outcome(&file.path, change, &loaded);
        self.state.files.insert(file.path.clone(), loaded);
        Ok(())
    }

    /// Reads an input, and after a read of the whole table marks missing rows as deleted.
    async fn read(
        &mut self,
        request: &LoadRequest<'_>,
        context: &LoadContext<'_>,
        tally: &mut Tally<'_>,
        input: Input,
        whole: bool,
    ) -> Result<LoadStats> {
        let label = input.label.clone();
        let Some(mut diff) = self.diff.take() else { return Err(Error::bug("the keys of the lake were not read")) };
        diff.reset();
        let accepted = self.state.accepted_columns.clone();
        let stats = ingest(context, input, &accepted, tally, Some(&mut diff)).await?;
        self.notes.add(&label, &accepted, &stats);
        self.state.accepted_columns = stats.accepted.clone();
        self.cursor = self.cursor.max(stats.cursor);
        self.rows += stats.written;
        if request.table.key.is_empty() {
            let had: u64 = self.data_files.iter().map(|file| file.rows).sum();
            check_empty(request.table, &label, &stats, had)?;
            let same = self.state.files.get(&label).is_some_and(|file| file.tag == diff.checksum());
            if !same {
                self.data_files = stats.data_files.clone();
                self.changed = true;
            }
        } else {
            self.data_files.extend(stats.data_files.iter().cloned());
            self.changed |= stats.written > 0;
            if whole && request.table.load.finds_deletes() {
                self.delete_missing(request, context, &label, &stats, &mut diff).await?;
            }
        }
        self.diff = Some(diff);
        Ok(stats)
    }

    /// Marks the keys that a read of the whole table did not bring as deleted.
    async fn delete_missing(
        &mut self,
        request: &LoadRequest<'_>,
        context: &LoadContext<'_>,
        label: &str,
        stats: &LoadStats,
        diff: &mut Diff,
    ) -> Result<()> {
        let table = request.table;
        let missing = diff.missing();
        check_empty(table, label, stats, missing)?;
        if diff.unreadable_keys > 0 && missing > 0 {
            let rows = diff.unreadable_keys;
            self.remarks
                .push(format!("no row was marked as deleted: the key of {rows} rejected rows could not be read"));
            return Ok(());
        }
        let schema = self.schema(table);
        let files = diff.tombstones(context, label, &self.data_files, &schema).await?;
        self.changed |= !files.is_empty();
        self.data_files.extend(files);
        Ok(())
    }

    /// Compares the types of columns in the system with those of the last load.
    fn check_types(&mut self, table: &SourceTable, stats: &LoadStats) -> Result<()> {
        let changed = stats.types.iter().filter_map(|(name, now)| {
            let before = self.state.types.get(name)?;
            (before != now).then(|| format!("`{name}` was {before} and is {now}"))
        });
        let changed: Vec<String> = changed.collect();
        if !changed.is_empty() && table.on_changed_type != ColumnPolicy::Ignore {
            let message = format!("the type of a column changed: {}", changed.join(", "));
            if table.on_changed_type == ColumnPolicy::Fail {
                let hint = "check the types of the contract; `on_changed_type: accept` loads the table anyway";
                return Err(Error::data(message).hint(hint));
            }
            self.remarks.push(message);
        }
        if !stats.types.is_empty() {
            self.state.types = stats.types.iter().cloned().collect();
        }
        Ok(())
    }

    /// Sets the watermark: how far the system was read.
    fn set_watermark(&mut self, system: Option<String>, range: &ReadRange, request: &LoadRequest<'_>) {
        if request.table.load.cursor().is_empty() && system.is_none() {
            return;
        }
        let before = self.state.watermark.take().filter(|_| !range.is_first());
        // That of this read: when the newest rows were deleted, the next read starts earlier as well.
        let lake = self.cursor;
        let system = system.or_else(|| before.map(|mark| mark.system));
        self.state.watermark = system.map(|system| Watermark { system, lake });
    }

    /// Notes that the database lacks an optional table.
    fn note_absent(&mut self, label: &str) {
        let rows: u64 = self.state.files.values().map(|file| file.rows).sum();
        self.remarks.push(match rows {
            0 => format!("the database has no `{label}` that the account can read; the table is empty"),
            _ => format!("the database no longer has `{label}`; its rows are kept"),
        });
    }

    /// Keeps the rows of a file as they are; `file` is what it is now, unless it has gone.
    fn keep(
        &mut self,
        known: &str,
        path: &str,
        file: Option<&SourceFile>,
        change: FileChange,
        request: &LoadRequest<'_>,
    ) {
        let Some(loaded) = request.previous.and_then(|(_, state)| state.files.get(known)) else { return };
        let kept = plan::keep(loaded, known, path, file);
        if change == FileChange::Vanished && !loaded.gone && !request.table.rotated {
            self.notes.gone(path, loaded.rows);
        }
        self.outcome(path, change, &kept);
        self.state.files.insert(path.to_string(), kept);
    }

    fn outcome(&mut self, path: &str, change: FileChange, loaded: &LoadedFile) {
        let (bytes, rows, rejects) = (loaded.bytes, loaded.rows, loaded.rejects);
        self.outcomes.push(FileOutcome { path: path.to_string(), change, bytes, rows, rejects });
    }

    fn finish(mut self, request: &LoadRequest<'_>, tally: &Tally<'_>) -> LoadOutcome {
        self.outcomes.sort_by(|a, b| a.path.cmp(&b.path));
        let mut notes = std::mem::take(&mut self.remarks);
        notes.extend(self.notes.lines(request.table, &self.outcomes));
        if let (Some(diff), Some(_)) = (&self.diff, self.previous) {
            notes.extend(diff.summary());
            notes.extend(diff.not_replaced());
        }
        let version = match self.previous {
            Some((version, _)) if !self.changed => version.clone(),
            _ => {
                let fingerprint = merge_fingerprint(&self.state, &self.data_files);
                TableVersion::new(self.schema(request.table), self.data_files, fingerprint)
            }
        };
        LoadOutcome {
            version,
            state: self.state,
            files: self.outcomes,
            notes,
            rows: self.rows,
            rejects: tally.rejected(),
            changed: self.changed,
        }
    }
}

/// Fails when a table that had rows is empty: it is more likely broken.
fn check_empty(table: &SourceTable, label: &str, stats: &LoadStats, had: u64) -> Result<()> {
    if stats.rows + stats.rejects > 0 || had == 0 || table.expectations.min_rows == Some(0) {
        return Ok(());
    }
    let message = format!("`{label}` is empty, but had {had} rows; none of them was marked as deleted");
    Err(Error::data(message).hint("if the table may be empty, write `expect: {min_rows: 0}`"))
}

/// Why rows cannot be merged with those of earlier loads, if so.
fn incompatibility(table: &SourceTable, version: &TableVersion) -> Option<String> {
    let before = |name: &str| version.schema.field_with_name(name).ok().map(|field| field.data_type().clone());
    let other: Vec<&str> = table
        .columns
        .iter()
        .filter(|column| before(&column.name).is_some_and(|data_type| data_type != column.data_type.arrow()))
        .map(|column| column.name.as_str())
        .collect();
    if !other.is_empty() {
        return Some(format!("the type of {} in the contract has changed", list(&other)));
    }
    if before(DELETED_COLUMN).is_some() != table.load.finds_deletes() {
        return Some("rows were loaded in a different mode before".to_string());
    }
    let new: Vec<&str> = table.key.iter().map(String::as_str).filter(|name| before(name).is_none()).collect();
    (!new.is_empty()).then(|| format!("the key now includes {}, which earlier rows lack", list(&new)))
}
