//! Values that are accepted or refused one by one, and that say something about the file when they are many.

use arrow::array::Int64Array;

/// Characters of an example that are shown.
const EXAMPLE_CHARACTERS: usize = 40;

/// So many values of one kind in a column, and one of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Remark {
    /// Name in the lake.
    pub(super) column: String,
    /// What they are, as in "3 values look rounded by a spreadsheet".
    pub(super) what: &'static str,
    pub(super) count: u64,
    pub(super) example: String,
    pub(super) file: String,
    pub(super) line: u64,
}

impl Remark {
    /// As a person reads it.
    pub(super) fn words(&self) -> String {
        let Remark { column, what, count, example, file, line } = self;
        let values = if *count == 1 { "value looks" } else { "values look" };
        format!("`{column}`: {count} {values} {what}, such as `{example}` in `{file}` line {line}")
    }

    /// Puts remarks of the same kind about several files into one.
    pub(super) fn gather(remarks: &mut Vec<Remark>, more: &[Remark]) {
        for remark in more {
            match remarks.iter_mut().find(|known| known.column == remark.column && known.what == remark.what) {
                Some(known) => known.count += remark.count,
                None => remarks.push(remark.clone()),
            }
        }
    }
}

/// Values of one kind, while a file is read.
#[derive(Default)]
pub(super) struct Sightings {
    pub(super) count: u64,
    /// The first, and its row of the batch until its line is known.
    first: Option<(String, Result<u64, usize>)>,
}

impl Sightings {
    /// Counts one.
    pub(super) fn see(&mut self, row: usize, text: &str) {
        self.count += 1;
        if self.first.is_none() {
            self.first = Some((text.chars().take(EXAMPLE_CHARACTERS).collect(), Err(row)));
        }
    }

    /// After every batch: finds the line of the first one.
    pub(super) fn locate(&mut self, lines: &Int64Array) {
        if let Some((_, place)) = &mut self.first
            && let Err(row) = *place
        {
            *place = Ok(lines.value(row) as u64);
        }
    }

    /// What is to be said of so many of them.
    pub(super) fn remark(&self, column: &str, file: &str, what: &'static str, count: u64) -> Option<Remark> {
        let (example, place) = self.first.as_ref()?;
        let line = place.ok()?;
        let (column, file) = (column.to_string(), file.to_string());
        (count > 0).then(|| Remark { column, what, count, example: example.clone(), file, line })
    }
}
