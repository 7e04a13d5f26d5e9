//! Control totals: total rows of a file are not loaded, but compared with the rows they sum up.
//!
//! A total proves that a file is complete. It is therefore compared with all rows above it, accepted and rejected
//! ones, as far as their amounts can be read.

use super::cells::Cells;
use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use perennial_core::contract::{SourceTable, TotalRows};
use perennial_core::error::{Error, Result};

/// Differences reported of one file.
const MAX_DIFFERENCES: usize = 5;

/// What a total row sums up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TotalKind {
    /// All rows above it.
    Whole,
    /// The rows since the previous total.
    Section,
}

/// The total rows of one file.
pub(super) struct ControlTotals {
    rule: TotalRows,
    /// Index of the column that labels them in the contract.
    pub(super) column: usize,
    sums: Vec<Sum>,
    /// Rows that could not be parsed, since the previous total and before it.
    unread: [u64; 2],
    rows: u64,
    found: [u64; 2],
    differences: Vec<String>,
    different: u64,
}

/// Sums of one column.
struct Sum {
    /// Its index in the contract.
    column: usize,
    name: String,
    scale: i8,
    section: i128,
    /// Before the section.
    before: i128,
    /// Rows whose amount cannot be read, in the section and before it.
    unread: [u64; 2],
}

/// A batch before the rejected rows are removed from it.
pub(super) struct TotalsBatch<'a> {
    /// Which rows are totals.
    pub(super) marked: &'a [Option<TotalKind>],
    /// Which rows are rejected or totals.
    pub(super) bad: &'a [bool],
    /// The columns of the contract.
    pub(super) arrays: &'a [ArrayRef],
    /// The line of each row.
    pub(super) lines: &'a Int64Array,
    /// Lines of rows that could not be parsed, in order.
    pub(super) unread_lines: Vec<u64>,
    /// Whether a cell is empty, by column and row.
    pub(super) empty: &'a dyn Fn(usize, usize) -> bool,
    /// The file, for messages.
    pub(super) file: &'a str,
}

impl ControlTotals {
    /// The control totals of a table; `None` if it has no total rows.
    pub(super) fn new(table: &SourceTable) -> Option<ControlTotals> {
        let rule = table.total_rows.clone()?;
        let index = |name: &String| table.columns.iter().position(|column| column.name == *name);
        let column = index(&rule.column)?;
        let sums = rule.check.iter().filter_map(|name| {
            let column = index(name)?;
            let scale = match table.columns[column].data_type.arrow() {
                DataType::Decimal128(_, scale) => scale,
                _ => 0,
            };
            Some(Sum { column, name: name.clone(), scale, section: 0, before: 0, unread: [0; 2] })
        });
        Some(ControlTotals {
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

    /// Which rows are totals, by the cells of the labelling column.
    pub(super) fn mark(&self, cells: &impl Cells) -> Vec<Option<TotalKind>> {
        (0..cells.len()).map(|row| self.kind(cells.get(row)?)).collect()
    }

    fn kind(&self, text: &str) -> Option<TotalKind> {
        let has = |labels: &[String]| labels.iter().any(|label| same_label(text, label));
        match has(&self.rule.values) {
            true => Some(TotalKind::Whole),
            false => has(&self.rule.subtotals).then_some(TotalKind::Section),
        }
    }

    /// Adds up a batch and compares the totals in it.
    ///
    /// # Errors
    /// Of kind `Data` for a difference, if the contract says that it fails the source.
    pub(super) fn count(&mut self, batch: &TotalsBatch<'_>) -> Result<()> {
        let mut unread_lines = batch.unread_lines.iter().peekable();
        for (row, marked) in batch.marked.iter().enumerate() {
            let line = batch.lines.value(row) as u64;
            while unread_lines.next_if(|unread| **unread < line).is_some() {
                self.unread[0] += 1;
            }
            match marked {
                None => self.add(row, batch),
                Some(kind) => self.compare(*kind, row, line, batch)?,
            }
        }
        self.unread[0] += unread_lines.count() as u64;
        Ok(())
    }

    fn add(&mut self, row: usize, batch: &TotalsBatch<'_>) {
        self.rows += 1;
        for sum in &mut self.sums {
            match amount(&batch.arrays[sum.column], row) {
                Some(value) => sum.section = sum.section.saturating_add(value),
                // An accepted row without an amount has none; of a rejected one the amount may be the reason.
                None => sum.unread[0] += u64::from(batch.bad[row] && !(batch.empty)(sum.column, row)),
            }
        }
    }

    fn compare(&mut self, kind: TotalKind, row: usize, line: u64, batch: &TotalsBatch<'_>) -> Result<()> {
        self.found[kind as usize] += 1;
        let mut differences = Vec::new();
        for sum in &mut self.sums {
            let whole = kind == TotalKind::Whole;
            let expected = if whole { sum.before.saturating_add(sum.section) } else { sum.section };
            let of = |unread: &[u64; 2]| unread[0] + if whole { unread[1] } else { 0 };
            let unread = of(&sum.unread) + of(&self.unread);
            let total = amount(&batch.arrays[sum.column], row);
            let is_empty = total.is_none() && (batch.empty)(sum.column, row);
            if total != Some(expected) && !is_empty {
                differences.push(difference(sum, total, expected, unread));
            }
            sum.before = sum.before.saturating_add(std::mem::take(&mut sum.section));
            sum.unread[1] += std::mem::take(&mut sum.unread[0]);
        }
        self.unread[1] += std::mem::take(&mut self.unread[0]);
        for difference in differences {
            let label = if kind == TotalKind::Whole { "total" } else { "subtotal" };
            self.report(format!("`{}` line {line}: the {label} row {difference}", batch.file))?;
        }
        Ok(())
    }

    fn report(&mut self, message: String) -> Result<()> {
        self.different += 1;
        if self.rule.fail {
            let hint =
                "rows may be missing: request the file again; `total_rows: {on_violation: warn}` loads it anyway";
            return Err(Error::data(message).hint(hint));
        }
        if self.differences.len() < MAX_DIFFERENCES {
            self.differences.push(message);
        }
        Ok(())
    }

    /// After the last row: the differences found in the file.
    ///
    /// # Errors
    /// Of kind `Data` when a file with rows has no total, if the contract says that this fails the source.
    pub(super) fn finish(&mut self, file: &str) -> Result<Vec<String>> {
        let (wanted, found) =
            (!self.rule.values.is_empty() && !self.sums.is_empty(), self.found[TotalKind::Whole as usize]);
        if wanted && found == 0 && self.rows > 0 {
            self.report(format!("`{file}` has no total row ({})", self.rule.values.join(", ")))?;
        }
        let mut notes = std::mem::take(&mut self.differences);
        let more = self.different - notes.len() as u64;
        if more > 0 {
            notes.push(format!("`{file}`: {more} more totals do not match the rows they sum up"));
        }
        Ok(notes)
    }
}

/// Whether a cell is a label of totals; spaces and a final colon are ignored.
fn same_label(text: &str, label: &str) -> bool {
    let letters = |text: &str| -> String { text.chars().filter(|c| !c.is_whitespace()).collect() };
    // Most cells differ in the first letter.
    let first = |text: &str| text.trim_start().chars().next();
    first(text) == first(label)
        && letters(text).trim_end_matches([':', '：']) == letters(label).trim_end_matches([':', '：'])
}

/// The value of a cell in units of the column's last decimal place.
fn amount(array: &ArrayRef, row: usize) -> Option<i128> {
    match array.data_type() {
        _ if array.is_null(row) => None,
        DataType::Decimal128(_, _) => Some(array.as_primitive::<Decimal128Type>().value(row)),
        DataType::Int64 => Some(array.as_primitive::<Int64Type>().value(row).into()),
        _ => None,
    }
}

fn difference(sum: &Sum, total: Option<i128>, expected: i128, unread: u64) -> String {
    let name = &sum.name;
    let total = match total {
        Some(value) => format!("has {} in `{name}`", formatted(value, sum.scale)),
        None => format!("has no readable amount in `{name}`"),
    };
    let rows = if unread == 1 { "row" } else { "rows" };
    let but = match unread {
        0 => String::new(),
        _ => format!(", without {unread} rejected {rows} whose amount cannot be read"),
    };
    format!("{total}, but the rows above add up to {}{but}", formatted(expected, sum.scale))
}

fn formatted(value: i128, scale: i8) -> String {
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
    fn labels_are_compared_without_spaces_and_colons() {
        for text in ["合计", "合 计", "　合　计：", " 合计: "] {
            assert!(same_label(text, "合计"), "{text}");
        }
        assert!(same_label("Grand Total:", "GrandTotal"));
        for text in ["", "合", "合计额", "小计", "客户合计"] {
            assert!(!same_label(text, "合计"), "{text}");
        }
    }

    #[test]
    fn amounts_have_the_places_of_their_scale() {
        assert_eq!(formatted(123_450, 2), "1234.50");
        assert_eq!((formatted(-5, 2), formatted(0, 2), formatted(-7, 0)), ("-0.05".into(), "0.00".into(), "-7".into()));
    }
}
