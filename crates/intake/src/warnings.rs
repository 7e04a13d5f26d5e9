//! Suspicious values, counted over a file: one alone means little, many say something about the file.

use arrow::array::Int64Array;
use std::fmt;

/// Characters shown of an example.
const MAX_EXAMPLE_CHARACTERS: usize = 40;

/// The number of suspicious values of one kind in a column, and an example.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ValueWarning {
    /// Name in the lake.
    pub(super) column: String,
    /// What they look like, as in "3 values look rounded by a spreadsheet".
    pub(super) what: &'static str,
    pub(super) count: u64,
    pub(super) example: String,
    pub(super) file: String,
    pub(super) line: u64,
}

impl ValueWarning {
    /// Adds warnings of other files; those of one kind are merged into one.
    pub(super) fn merge(warnings: &mut Vec<ValueWarning>, more: &[ValueWarning]) {
        for warning in more {
            match warnings.iter_mut().find(|other| other.column == warning.column && other.what == warning.what) {
                Some(other) => other.count += warning.count,
                None => warnings.push(warning.clone()),
            }
        }
    }
}

impl fmt::Display for ValueWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ValueWarning { column, what, count, example, file, line } = self;
        let values = if *count == 1 { "value looks" } else { "values look" };
        write!(f, "`{column}`: {count} {values} {what}, such as `{example}` in `{file}` line {line}")
    }
}

/// Suspicious values of one kind, while a file is read.
#[derive(Default)]
pub(super) struct Occurrences {
    pub(super) count: u64,
    /// The first one, with its row in the batch until its line is known.
    first: Option<(String, Result<u64, usize>)>,
}

impl Occurrences {
    /// Counts one.
    pub(super) fn add(&mut self, row: usize, text: &str) {
        self.count += 1;
        if self.first.is_none() {
            self.first = Some((text.chars().take(MAX_EXAMPLE_CHARACTERS).collect(), Err(row)));
        }
    }

    /// After every batch: looks up the line of the first one.
    pub(super) fn locate(&mut self, lines: &Int64Array) {
        if let Some((_, place)) = &mut self.first
            && let Err(row) = *place
        {
            *place = Ok(lines.value(row) as u64);
        }
    }

    /// The warning about `count` of them; `None` for 0.
    pub(super) fn warning(&self, column: &str, file: &str, what: &'static str, count: u64) -> Option<ValueWarning> {
        let (example, place) = self.first.as_ref()?;
        let line = place.ok()?;
        let (column, file) = (column.to_string(), file.to_string());
        (count > 0).then(|| ValueWarning { column, what, count, example: example.clone(), file, line })
    }
}
