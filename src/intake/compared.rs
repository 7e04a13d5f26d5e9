//! Tables that are compared with what the lake holds: snapshots, incremental reads and events, from any system.
//!
//! Rows that are new or changed are added to `raw.*`, and for keys that are gone a row that says so; nothing is taken
//! away, so that the history of every row stays. A table without key is replaced as a whole when its rows are others.

use super::comparison::Comparison;
use super::feed::{Fed, Feed, Input};
use super::known::{Hasher, Known, Window};
use super::notes::Notes;
use super::rejects::{Tally, reject_runs};
use super::scope::{self, Scope};
use super::{FileChange, FileOutcome, LoadRequest, Loaded, plan, raw_schema};
use crate::contract::{DELETED_COLUMN, Delivery, Load, SourceTable};
use crate::error::{Error, Result, list};
use crate::lake::{DataFile, LoadState, LoadedFile, TableVersion, Watermark};
use crate::sources::{RowReader, System};
use arrow::datatypes::SchemaRef;
use sha2::{Digest, Sha256};

/// Reads a table and keeps what is new, changed or gone.
pub(super) async fn load(request: &LoadRequest<'_>, feed: &Feed<'_>, tally: &mut Tally<'_>) -> Result<Loaded> {
    let contract = plan::contract_fingerprint(request.table);
    let mut comparing = Comparing::new(request, contract)?;
    match (request.system, &request.table.delivery) {
        (System::Database(database), Delivery::Relation(relation)) => {
            if request.table.optional && !scope::exists(database.as_ref(), relation).await? {
                comparing.absent(relation.label());
                return comparing.finish(request, tally);
            }
            let scope = Scope::of(request, comparing.began_anew);
            let watermark = scope::watermark(database.as_ref(), relation, request.table).await?;
            tally.partial = !scope.is_whole();
            let since = scope.since(request);
            let readers = database.read(&scope::relation_request(request, relation, since)).await?;
            let readers = readers.into_iter().map(|reader| {
                Box::new(move || Ok(RowReader::Typed(reader))) as Box<dyn FnOnce() -> Result<RowReader> + Send>
            });
            let label = relation.label().to_string();
            let input = Input { label, readers: readers.collect(), has_header: true, bytes: 0 };
            comparing.take(request, feed, tally, input, &scope).await?;
            comparing.reached(watermark, &scope, request);
        }
        (System::Http(http), Delivery::Pages(pages)) => {
            let scope = Scope::of(request, comparing.began_anew);
            let since = scope.since_in_url(request)?;
            let wanted = super::convert::Converter::promised_fields(request.table);
            let takes_new = request.table.on_new_column != crate::contract::ColumnPolicy::Ignore;
            let reader = http.read(pages, since.as_deref(), &wanted, takes_new).await?;
            let open: super::feed::Open = Box::new(move || Ok(RowReader::Text(Box::new(reader))));
            let label = pages.path.clone();
            let input = Input { label, readers: vec![open], has_header: false, bytes: 0 };
            let token = comparing.take(request, feed, tally, input, &scope).await?;
            let watermark = token.or_else(|| scope::cursor_text(request.table, comparing.cursor));
            comparing.reached(watermark, &scope, request);
        }
        (System::Files(files), Delivery::Files { pattern, .. }) => {
            let plan = plan::plan(request.table, files, pattern, request.previous, &comparing.state.contract).await?;
            let newest = plan.files.len().saturating_sub(1);
            let read_before = comparing.state.files.keys().max().cloned();
            for (i, (file, change)) in plan.files.iter().enumerate() {
                // Under another contract the newest file says what the table is now; the others are history.
                let is_read = match change {
                    FileChange::Reread => i == newest || comparing.began_anew,
                    change => change.is_read(),
                };
                // A snapshot that is older than what was read last says what was, not what is.
                let is_old =
                    request.table.load == Load::Snapshot && read_before.as_ref().is_some_and(|r| file.path < *r);
                if is_read && is_old && !comparing.began_anew {
                    comparing
                        .remarks
                        .push(format!("`{}` is older than the files read before and was not read", file.path));
                }
                if !is_read || is_old && !comparing.began_anew {
                    comparing.keep(&file.path, &file.tag, FileChange::Unchanged, request);
                    continue;
                }
                let input = super::file::input(files, file, feed.table).await?;
                comparing.take_file(request, feed, tally, input, file, *change).await?;
            }
            for path in &plan.vanished {
                comparing.keep(path, "", FileChange::Vanished, request);
            }
        }
        _ => return Err(Error::bug("a table is delivered otherwise than its source")),
    }
    tally.finish()?;
    comparing.finish(request, tally)
}

/// The new state, input by input.
struct Comparing<'a> {
    previous: Option<(&'a TableVersion, &'a LoadState)>,
    /// The columns are of other types than before, so that the rows of before cannot be compared.
    began_anew: bool,
    state: LoadState,
    comparison: Option<Comparison>,
    data_files: Vec<DataFile>,
    outcomes: Vec<FileOutcome>,
    notes: Notes,
    remarks: Vec<String>,
    /// The greatest cursor read.
    cursor: Option<i64>,
    rows: u64,
    changed: bool,
}

impl<'a> Comparing<'a> {
    fn new(request: &LoadRequest<'a>, contract: String) -> Result<Comparing<'a>> {
        let table = request.table;
        let mut remarks = Vec::new();
        let previous = request.previous.filter(|(version, _)| {
            let fault = unlike(table, version);
            if let Some(fault) = &fault {
                remarks.push(format!("{fault}, so the table begins anew; its history stays in earlier releases"));
            }
            fault.is_none()
        });
        let state = LoadState {
            contract,
            accepted_columns: previous.map_or_else(Vec::new, |(_, state)| plan::still_accepted(table, state)),
            ..previous.map(|(_, state)| state.clone()).unwrap_or_default()
        };
        Ok(Comparing {
            previous,
            began_anew: previous.is_none(),
            comparison: None,
            data_files: previous.map_or_else(Vec::new, |(version, _)| version.files.clone()),
            outcomes: Vec::new(),
            notes: Notes::default(),
            remarks,
            cursor: None,
            rows: 0,
            changed: previous.is_none_or(|(_, before)| before.contract != state.contract),
            state,
        })
    }

    fn schema(&self, table: &SourceTable) -> SchemaRef {
        raw_schema(table, &self.state.accepted_columns)
    }

    /// What the lake holds, read when the first input is.
    async fn compare(&mut self, request: &LoadRequest<'_>, window: Option<Window>) -> Result<()> {
        if self.comparison.is_some() {
            return Ok(());
        }
        let schema = self.schema(request.table);
        let promised: Vec<String> = request.table.columns.iter().map(|column| column.name.clone()).collect();
        let key = if request.table.key.is_empty() { &promised } else { &request.table.key };
        let mut hasher = Hasher::new(&schema, key, &promised)?;
        let known = match self.previous {
            Some((version, _)) if !request.table.key.is_empty() => {
                Known::read(request.lake, version, &mut hasher, window.as_ref()).await?
            }
            _ => Known::default(),
        };
        self.comparison = Some(Comparison::new(request.table, hasher, known));
        Ok(())
    }

    /// Reads one input of a system that has only one, and gives its reader's sign.
    async fn take(
        &mut self,
        request: &LoadRequest<'_>,
        feed: &Feed<'_>,
        tally: &mut Tally<'_>,
        input: Input,
        scope: &Scope,
    ) -> Result<Option<String>> {
        let label = input.label.clone();
        let is_exact = matches!(
            crate::sources::scheme(&request.source.location).as_str(),
            "postgresql" | "postgres" | "mysql" | "mariadb"
        );
        self.compare(request, scope.window(request.table, is_exact)).await?;
        let fed = self.read(request, feed, tally, input, scope.is_whole()).await?;
        self.drift(request.table, &fed)?;
        let before = self.state.files.get(&label);
        let open: &[String] = match before {
            Some(before) if !scope.is_whole() => &before.reject_runs,
            _ => &[],
        };
        let whole_rows = before.map_or(0, |file| if request.table.key.is_empty() { 0 } else { file.rows });
        let loaded = LoadedFile {
            bytes: 0,
            tag: self.comparison.as_ref().map(Comparison::sum).unwrap_or_default(),
            rows: whole_rows + fed.written,
            rejects: fed.rejects + if scope.is_whole() { 0 } else { before.map_or(0, |file| file.rejects) },
            newest: before.and_then(|file| file.newest.clone()).max(fed.newest.clone()),
            data_files: Vec::new(),
            run_id: request.run_id.to_string(),
            reject_runs: reject_runs(open, request.run_id, fed.rejects),
        };
        self.outcome(&label, FileChange::Changed, &loaded);
        self.state.files.insert(label, loaded);
        if scope.is_whole() && matches!(request.table.load, Load::Incremental { .. }) {
            self.state.compared_at = Some(request.now);
        }
        Ok(fed.sign)
    }

    /// Reads one file that is the whole table, or holds events.
    async fn take_file(
        &mut self,
        request: &LoadRequest<'_>,
        feed: &Feed<'_>,
        tally: &mut Tally<'_>,
        input: Input,
        file: &crate::sources::SourceFile,
        change: FileChange,
    ) -> Result<()> {
        self.compare(request, None).await?;
        let fed = self.read(request, feed, tally, input, request.table.load.finds_deletes()).await?;
        let loaded = LoadedFile {
            bytes: file.bytes,
            tag: plan::with_hash(&file.tag, fed.sign.as_deref()),
            rows: fed.written,
            rejects: fed.rejects,
            newest: fed.newest,
            data_files: fed.data_files.iter().map(|file| file.path.clone()).collect(),
            run_id: request.run_id.to_string(),
            reject_runs: reject_runs(&[], request.run_id, fed.rejects),
        };
        self.changed = true;
        self.outcome(&file.path, change, &loaded);
        self.state.files.insert(file.path.clone(), loaded);
        Ok(())
    }

    /// Reads an input, and after the whole table looks for what is gone.
    async fn read(
        &mut self,
        request: &LoadRequest<'_>,
        feed: &Feed<'_>,
        tally: &mut Tally<'_>,
        input: Input,
        whole: bool,
    ) -> Result<Fed> {
        let label = input.label.clone();
        let Some(mut comparison) = self.comparison.take() else { return Err(Error::bug("nothing to compare with")) };
        comparison.begin();
        let accepted = self.state.accepted_columns.clone();
        let fed = feed.read(input, &accepted, tally, Some(&mut comparison)).await?;
        self.notes.file(&label, &accepted, &fed);
        self.state.accepted_columns = fed.accepted.clone();
        self.cursor = self.cursor.max(fed.cursor);
        self.rows += fed.written;
        if request.table.key.is_empty() {
            let had: u64 = self.data_files.iter().map(|file| file.rows).sum();
            refuse_empty(request.table, &label, &fed, had)?;
            let same = self.state.files.get(&label).is_some_and(|file| file.tag == comparison.sum());
            if !same {
                self.data_files = fed.data_files.clone();
                self.changed = true;
            }
        } else {
            self.data_files.extend(fed.data_files.iter().cloned());
            self.changed |= fed.written > 0;
            if whole && request.table.load.finds_deletes() {
                self.bury(request, feed, &label, &fed, &mut comparison).await?;
            }
        }
        self.comparison = Some(comparison);
        Ok(fed)
    }

    /// Marks what a read of the whole table did not bring as deleted.
    async fn bury(
        &mut self,
        request: &LoadRequest<'_>,
        feed: &Feed<'_>,
        label: &str,
        fed: &Fed,
        comparison: &mut Comparison,
    ) -> Result<()> {
        let table = request.table;
        let standing = comparison.known().unseen();
        refuse_empty(table, label, fed, standing)?;
        if comparison.nameless > 0 && standing > 0 {
            let rows = comparison.nameless;
            self.remarks.push(format!("no row was taken as deleted: the key of {rows} refused rows could not be read"));
            return Ok(());
        }
        let schema = self.schema(table);
        let files = comparison.bury(feed, label, &self.data_files, &schema).await?;
        self.changed |= !files.is_empty();
        self.data_files.extend(files);
        Ok(())
    }

    /// Columns whose type in the system is another than before.
    fn drift(&mut self, table: &SourceTable, fed: &Fed) -> Result<()> {
        use crate::contract::ColumnPolicy;
        let changed = fed.types.iter().filter_map(|(name, now)| {
            let before = self.state.types.get(name)?;
            (before != now).then(|| format!("`{name}` was {before} and is {now}"))
        });
        let changed: Vec<String> = changed.collect();
        if !changed.is_empty() && table.on_changed_type != ColumnPolicy::Ignore {
            let message = format!("the type of a column changed: {}", changed.join(", "));
            if table.on_changed_type == ColumnPolicy::Fail {
                return Err(
                    Error::data(message).hint("look at the contract's types; `on_changed_type: accept` goes on")
                );
            }
            self.remarks.push(message);
        }
        if !fed.types.is_empty() {
            self.state.types = fed.types.iter().cloned().collect();
        }
        Ok(())
    }

    /// How far the system was read.
    fn reached(&mut self, system: Option<String>, scope: &Scope, request: &LoadRequest<'_>) {
        if request.table.load.cursor().is_empty() && system.is_none() {
            return;
        }
        let before = self.state.watermark.take().filter(|_| !scope.is_first());
        // That of this read: when the newest rows were taken away, the next read begins earlier, too.
        let lake = self.cursor;
        let system = system.or_else(|| before.map(|mark| mark.system));
        self.state.watermark = system.map(|system| Watermark { system, lake });
    }

    /// The system does not have the table, which it need not.
    fn absent(&mut self, label: &str) {
        let rows: u64 = self.state.files.values().map(|file| file.rows).sum();
        self.remarks.push(match rows {
            0 => format!("the database has no `{label}` that the account may read; the table is empty"),
            _ => format!("the database no longer has `{label}`; its rows stay"),
        });
    }

    /// A file whose rows stay as they are.
    fn keep(&mut self, path: &str, tag: &str, change: FileChange, request: &LoadRequest<'_>) {
        let Some(loaded) = request.previous.and_then(|(_, state)| state.files.get(path)) else { return };
        let mut loaded = loaded.clone();
        if !tag.is_empty() {
            loaded.tag = tag.to_string();
        }
        self.outcome(path, change, &loaded);
        self.state.files.insert(path.to_string(), loaded);
    }

    fn outcome(&mut self, path: &str, change: FileChange, loaded: &LoadedFile) {
        let (bytes, rows, rejects) = (loaded.bytes, loaded.rows, loaded.rejects);
        self.outcomes.push(FileOutcome { path: path.to_string(), change, bytes, rows, rejects });
    }

    fn finish(mut self, request: &LoadRequest<'_>, tally: &Tally<'_>) -> Result<Loaded> {
        self.outcomes.sort_by(|a, b| a.path.cmp(&b.path));
        let mut notes = std::mem::take(&mut self.remarks);
        // A relation is read again every time; that it "changed" says nothing.
        let files: Vec<FileOutcome> = match request.table.delivery {
            Delivery::Files { .. } => self.outcomes.clone(),
            _ => Vec::new(),
        };
        notes
            .extend(self.notes.words(request.table, &files).into_iter().filter(|note| !note.contains("were replaced")));
        if let (Some(comparison), Some(_)) = (&self.comparison, self.previous) {
            notes.extend(comparison.words());
        }
        let version = match self.previous {
            Some((version, _)) if !self.changed => version.clone(),
            _ => TableVersion {
                schema: self.schema(request.table),
                fingerprint: fingerprint(&self.state, &self.data_files),
                files: self.data_files,
                changed_in: 0,
            },
        };
        Ok(Loaded {
            version,
            state: self.state,
            files: self.outcomes,
            notes,
            rows: self.rows,
            rejects: tally.refused(),
            changed: self.changed,
        })
    }
}

/// A table that gives nothing where it had rows is more likely broken than empty.
fn refuse_empty(table: &SourceTable, label: &str, fed: &Fed, had: u64) -> Result<()> {
    if fed.rows + fed.rejects > 0 || had == 0 || table.expectations.least_rows == Some(0) {
        return Ok(());
    }
    let message = format!("`{label}` is empty where it had {had} rows; none of them was taken as deleted");
    Err(Error::data(message).hint("when the table may be empty, say `expect: {least_rows: 0}`"))
}

/// Why rows kept before cannot be compared with rows of now, if so.
fn unlike(table: &SourceTable, version: &TableVersion) -> Option<String> {
    let before = |name: &str| version.schema.field_with_name(name).ok().map(|field| field.data_type().clone());
    let other: Vec<&str> = table
        .columns
        .iter()
        .filter(|column| before(&column.name).is_some_and(|data_type| data_type != column.data_type.arrow()))
        .map(|column| column.name.as_str())
        .collect();
    if !other.is_empty() {
        return Some(format!("the type of {} in the contract is another", list(&other)));
    }
    if before(DELETED_COLUMN).is_some() != table.load.finds_deletes() {
        return Some("rows were loaded in another way before".to_string());
    }
    let new: Vec<&str> = table.key.iter().map(String::as_str).filter(|name| before(name).is_none()).collect();
    (!new.is_empty()).then(|| format!("the key has come to hold {}, which the rows of before lack", list(&new)))
}

/// Hash of what the rows are.
fn fingerprint(state: &LoadState, files: &[DataFile]) -> String {
    let mut hash = Sha256::new();
    hash.update(&state.contract);
    hash.update(format!("{:?}", state.accepted_columns));
    for file in files {
        hash.update(format!("{:?} {}\n", file.path, file.rows));
    }
    format!("{:x}", hash.finalize())
}
