//! Rows of one file or read that have the same key: how many there are, with an example.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use perennial_core::contract::{DuplicateKeys, Extraction, SourceTable};
use perennial_core::error::{Error, Result};

/// Duplicates whose first row is looked for in their batch, until one is found.
const MAX_SEARCHES: u32 = 100;

/// Two rows with the same key.
#[derive(Clone, Debug)]
struct Example {
    /// Names and values of the key.
    key: String,
    file: String,
    /// The line of the earlier row; `None` when it was in an earlier batch.
    first: Option<i64>,
    line: i64,
}

/// Duplicates of one kind.
#[derive(Clone, Debug, Default)]
struct Found {
    rows: u64,
    example: Option<Example>,
    searches: u32,
}

/// The rows of one read whose key an earlier row of it has.
#[derive(Clone, Debug, Default)]
pub(super) struct Duplicates {
    /// With other values.
    different: Found,
    /// With the same values.
    same: Found,
    /// Rows that were compared with the first rows of their file only.
    pub(super) not_compared: u64,
}

/// A row whose key an earlier row of the read has.
pub(super) struct DuplicateRow<'a> {
    pub(super) batch: &'a RecordBatch,
    pub(super) row: usize,
    /// Names of the key columns.
    pub(super) key: &'a [String],
}

impl Duplicates {
    /// Counts a duplicate; `same` when its values are those of the earlier row. `earlier` finds that row in the batch.
    pub(super) fn add(
        &mut self,
        duplicate: &DuplicateRow<'_>,
        same: bool,
        earlier: impl Fn() -> Option<usize>,
    ) -> Result<()> {
        let found = if same { &mut self.same } else { &mut self.different };
        found.rows += 1;
        let complete = found.example.as_ref().is_some_and(|example| example.first.is_some());
        if complete || found.searches >= MAX_SEARCHES {
            return Ok(());
        }
        found.searches += 1;
        let earlier = earlier();
        if found.example.is_none() || earlier.is_some() {
            found.example = Some(duplicate.example(earlier)?);
        }
        Ok(())
    }

    /// Adds those of another read.
    pub(super) fn merge(&mut self, other: Duplicates) {
        self.not_compared += other.not_compared;
        for (found, other) in [(&mut self.different, other.different), (&mut self.same, other.same)] {
            found.rows += other.rows;
            found.example = found.example.take().or(other.example);
        }
    }

    /// What a run says of them.
    pub(super) fn notes(&self, table: &SourceTable) -> Vec<String> {
        let files = matches!(table.extraction, Extraction::Files { .. });
        let read = if files { "file" } else { "read" };
        let mut notes = Vec::new();
        if let Some((rows, example)) = self.different.counted(files) {
            let end = match table.duplicate_keys {
                DuplicateKeys::Newest => "only the last row of each key is shown",
                DuplicateKeys::Reject | DuplicateKeys::Fail => "only the first row of each key is loaded",
            };
            let have = if self.different.rows == 1 { "has" } else { "have" };
            notes.push(format!(
                "{rows} {have} the key of an earlier row of the same {read} with different values, such as {example}; {end}"
            ));
        }
        // Services return a row again when pages shift while they are read.
        if let Some((rows, example)) =
            self.same.counted(files).filter(|_| !matches!(table.extraction, Extraction::Pages(_)))
        {
            let are =
                if self.same.rows == 1 { "is the same as an earlier one" } else { "are the same as earlier ones" };
            notes.push(format!("{rows} {are} of the same {read}, such as {example}; rows of one key count once"));
        }
        if self.not_compared > 0 {
            let rows = self.not_compared;
            notes.push(format!(
                "{rows} rows of large files were compared only with the first rows of their file for duplicate keys; \
                 `duplicate_keys: reject` compares all"
            ));
        }
        notes
    }
}

impl Found {
    fn counted(&self, files: bool) -> Option<(String, String)> {
        let example = self.example.as_ref()?;
        let word = if self.rows == 1 { "row" } else { "rows" };
        Some((format!("{} {word}", self.rows), example.describe(files)))
    }
}

impl Example {
    /// `id` = `7` in `a.csv` lines 2 and 3
    fn describe(&self, files: bool) -> String {
        let Example { key, file, first, line } = self;
        let word = if files { "line" } else { "row" };
        match first {
            Some(first) => format!("{key} in `{file}` {word}s {first} and {line}"),
            None => format!("{key} in `{file}` {word} {line}"),
        }
    }
}

impl DuplicateRow<'_> {
    /// The values of the key, separated by commas.
    pub(super) fn values(&self) -> Result<String> {
        Ok(self.key.iter().map(|name| self.text(name)).collect::<Result<Vec<_>>>()?.join(", "))
    }

    /// The file, relation or path.
    pub(super) fn file(&self) -> String {
        let file = self.batch.column_by_name("_file").and_then(|column| column.as_string_opt::<i32>());
        file.map_or(String::new(), |file| file.value(self.row).to_string())
    }

    /// The line.
    pub(super) fn line(&self) -> i64 {
        self.line_of(self.row)
    }

    fn line_of(&self, row: usize) -> i64 {
        let line = self.batch.column_by_name("_line").and_then(|column| column.as_primitive_opt::<Int64Type>());
        line.map_or(0, |line| line.value(row))
    }

    fn text(&self, name: &str) -> Result<String> {
        let valid = |column: &&ArrayRef| column.is_valid(self.row);
        let column = self.batch.column_by_name(name).filter(valid);
        column.map_or(Ok("NULL".to_string()), |column| {
            Ok(ArrayFormatter::try_new(column, &FormatOptions::default())?.value(self.row).to_string())
        })
    }

    fn example(&self, earlier: Option<usize>) -> Result<Example> {
        let parts = self.key.iter().map(|name| Ok(format!("`{name}` = `{}`", self.text(name)?)));
        Ok(Example {
            key: parts.collect::<Result<Vec<_>>>()?.join(", "),
            file: self.file(),
            first: earlier.map(|row| self.line_of(row)),
            line: self.line(),
        })
    }

    /// The error of a contract that allows none; `earlier` is the earlier row in the batch.
    pub(super) fn error(&self, table: &SourceTable, earlier: Option<usize>) -> Result<Error> {
        let files = matches!(table.extraction, Extraction::Files { .. });
        let example = self.example(earlier)?.describe(files);
        let message = format!("two rows have the same key and different values: {example}");
        Ok(Error::data(message).hint(
            "add to `key` a column that tells them apart; `duplicate_keys: reject` sets the later one aside and continues",
        ))
    }
}
