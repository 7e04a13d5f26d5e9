//! Rows that sum up others: left out, and held against the rows they sum up.
//!
//! A total proves that a file came whole. Its figure is therefore compared with what stands in the file above it:
//! accepted rows and refused ones, as far as their figure can be read.

use super::columns::Cells;
use crate::contract::{SourceTable, TotalRows};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};

/// Differences told of one file.
const MOST_DIFFERENCES: usize = 5;

/// What a row that is no row sums up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Total {
    /// All rows above it.
    Whole,
    /// The rows since the last total.
    Section,
}

/// The total rows of one file.
pub(super) struct Totals {
    rule: TotalRows,
    /// The column their word stands in, as its place in the contract.
    pub(super) column: usize,
    sums: Vec<Sum>,
    /// Rows that could not be read at all, since the last total and before it.
    unread: [u64; 2],
    rows: u64,
    found: [u64; 2],
    differences: Vec<String>,
    different: u64,
}

/// Sums of one column.
struct Sum {
    /// Its place in the contract.
    column: usize,
    name: String,
    scale: i8,
    section: i128,
    /// Without the section.
    before: i128,
    /// Rows whose figure cannot be read, in the section and before it.
    unread: [u64; 2],
}

/// One batch, before the refused rows are taken out of it.
pub(super) struct Batch<'a> {
    /// Which rows are totals.
    pub(super) marked: &'a [Option<Total>],
    /// Which rows are refused or totals.
    pub(super) bad: &'a [bool],
    /// The columns of the contract.
    pub(super) arrays: &'a [ArrayRef],
    /// The line of each row.
    pub(super) lines: &'a Int64Array,
    /// Lines of rows that could not be read at all, in order.
    pub(super) unread_lines: Vec<u64>,
    /// Whether nothing stands in a cell, by column and row.
    pub(super) empty: &'a dyn Fn(usize, usize) -> bool,
    /// The file, for words.
    pub(super) file: &'a str,
}

impl Totals {
    /// Of a table that has such rows.
    pub(super) fn new(table: &SourceTable) -> Option<Totals> {
        let rule = table.total_rows.clone()?;
        let place = |name: &String| table.columns.iter().position(|column| column.name == *name);
        let column = place(&rule.column)?;
        let sums = rule.check.iter().filter_map(|name| {
            let column = place(name)?;
            let scale = match table.columns[column].data_type.arrow() {
                DataType::Decimal128(_, scale) => scale,
                _ => 0,
            };
            Some(Sum { column, name: name.clone(), scale, section: 0, before: 0, unread: [0; 2] })
        });
        Some(Totals {
            sums: sums.collect(),
            rule,
            column,
            unread: [0; 2],
            rows: 0,
            found: [0; 2],
            differences: Vec::new(),
            different: 0,
        })
    }

    /// Which rows are totals, by the cells of their column.
    pub(super) fn mark(&self, cells: &impl Cells) -> Vec<Option<Total>> {
        (0..cells.len()).map(|row| self.kind(cells.get(row)?)).collect()
    }

    fn kind(&self, text: &str) -> Option<Total> {
        let has = |words: &[String]| words.iter().any(|word| same_word(text, word));
        if has(&self.rule.values) { Some(Total::Whole) } else { has(&self.rule.subtotals).then_some(Total::Section) }
    }

    /// Adds up a batch and compares the totals in it.
    ///
    /// # Errors
    /// Of kind `Data` for a difference, where the contract says that it fails.
    pub(super) fn count(&mut self, batch: &Batch<'_>) -> Result<()> {
        let mut unread_lines = batch.unread_lines.iter().peekable();
        for (row, marked) in batch.marked.iter().enumerate() {
            let line = batch.lines.value(row) as u64;
            while unread_lines.next_if(|unread| **unread < line).is_some() {
                self.unread[0] += 1;
            }
            match marked {
                None => self.add(row, batch),
                Some(total) => self.compare(*total, row, line, batch)?,
            }
        }
        self.unread[0] += unread_lines.count() as u64;
        Ok(())
    }

    fn add(&mut self, row: usize, batch: &Batch<'_>) {
        self.rows += 1;
        for sum in &mut self.sums {
            match figure(&batch.arrays[sum.column], row) {
                Some(value) => sum.section = sum.section.saturating_add(value),
                // An accepted row without a figure has none; of a refused one it may be the figure that was refused.
                None => sum.unread[0] += u64::from(batch.bad[row] && !(batch.empty)(sum.column, row)),
            }
        }
    }

    fn compare(&mut self, total: Total, row: usize, line: u64, batch: &Batch<'_>) -> Result<()> {
        self.found[total as usize] += 1;
        let mut differences = Vec::new();
        for sum in &mut self.sums {
            let whole = total == Total::Whole;
            let expected = if whole { sum.before.saturating_add(sum.section) } else { sum.section };
            let of = |unread: &[u64; 2]| unread[0] + if whole { unread[1] } else { 0 };
            let unread = of(&sum.unread) + of(&self.unread);
            let said = figure(&batch.arrays[sum.column], row);
            let silent = said.is_none() && (batch.empty)(sum.column, row);
            if said != Some(expected) && !silent {
                differences.push(difference(sum, said, expected, unread));
            }
            sum.before = sum.before.saturating_add(std::mem::take(&mut sum.section));
            sum.unread[1] += std::mem::take(&mut sum.unread[0]);
        }
        self.unread[1] += std::mem::take(&mut self.unread[0]);
        for difference in differences {
            let kind = if total == Total::Whole { "total" } else { "subtotal" };
            self.tell(format!("`{}` line {line}: the {kind} row {difference}", batch.file))?;
        }
        Ok(())
    }

    fn tell(&mut self, what: String) -> Result<()> {
        self.different += 1;
        if self.rule.fail {
            let error = Error::data(what).hint(
                "rows may be missing: ask for the file again; `total_rows: {otherwise: warn}` loads it and says so",
            );
            return Err(error);
        }
        if self.differences.len() < MOST_DIFFERENCES {
            self.differences.push(what);
        }
        Ok(())
    }

    /// After the last row: what a person should know of the file.
    ///
    /// # Errors
    /// Of kind `Data` when a file with rows has no total and the contract says that this fails.
    pub(super) fn finish(&mut self, file: &str) -> Result<Vec<String>> {
        let (wanted, found) =
            (!self.rule.values.is_empty() && !self.sums.is_empty(), self.found[Total::Whole as usize]);
        if wanted && found == 0 && self.rows > 0 {
            self.tell(format!("`{file}` has no total row ({})", self.rule.values.join(", ")))?;
        }
        let mut notes = std::mem::take(&mut self.differences);
        let more = self.different - notes.len() as u64;
        if more > 0 {
            notes.push(format!("`{file}`: {more} more totals differ from the rows they sum up"));
        }
        Ok(notes)
    }
}

/// Whether a cell is a word of totals; blanks and a colon at the end do not count.
fn same_word(text: &str, word: &str) -> bool {
    let letters = |text: &str| -> String { text.chars().filter(|c| !c.is_whitespace()).collect() };
    // Most cells differ from the first letter on.
    let first = |text: &str| text.trim_start().chars().next();
    first(text) == first(word)
        && letters(text).trim_end_matches([':', '：']) == letters(word).trim_end_matches([':', '：'])
}

/// A sum, or a part of one, as the column's digits.
fn figure(array: &ArrayRef, row: usize) -> Option<i128> {
    match array.data_type() {
        _ if array.is_null(row) => None,
        DataType::Decimal128(_, _) => Some(array.as_primitive::<Decimal128Type>().value(row)),
        DataType::Int64 => Some(array.as_primitive::<Int64Type>().value(row).into()),
        _ => None,
    }
}

fn difference(sum: &Sum, said: Option<i128>, expected: i128, unread: u64) -> String {
    let name = &sum.name;
    let said = match said {
        Some(value) => format!("says that `{name}` is {}", written(value, sum.scale)),
        None => format!("has no figure of `{name}` that can be read"),
    };
    let rows = if unread == 1 { "row" } else { "rows" };
    let but = match unread {
        0 => String::new(),
        _ => format!(", without {unread} refused {rows} whose figure cannot be read"),
    };
    format!("{said}; the rows above add up to {}{but}", written(expected, sum.scale))
}

fn written(value: i128, scale: i8) -> String {
    let places = scale.max(0) as usize;
    let digits = format!("{:0width$}", value.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let sign = if value < 0 { "-" } else { "" };
    if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_without_blanks_and_colons() {
        for text in ["合计", "合 计", "　合　计：", " 合计: "] {
            assert!(same_word(text, "合计"), "{text}");
        }
        assert!(same_word("Grand Total:", "GrandTotal"));
        for text in ["", "合", "合计额", "小计", "客户合计"] {
            assert!(!same_word(text, "合计"), "{text}");
        }
    }

    #[test]
    fn figures_are_written_with_their_scale() {
        assert_eq!(written(123_450, 2), "1234.50");
        assert_eq!((written(-5, 2), written(0, 2), written(-7, 0)), ("-0.05".into(), "0.00".into(), "-7".into()));
    }
}
