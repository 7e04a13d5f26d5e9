//! Which columns identify the rows of a sample.

use super::draft::ColumnDraft;
use super::names;
use perennial_core::contract::ValueType;
use perennial_intake::Sample;
use std::collections::HashSet;

/// Columns that are tried in pairs.
const MAX_PAIRED: usize = 8;

/// Columns of a key, and what a person should know of it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct FoundKey {
    pub(super) columns: Vec<String>,
    /// A key stands in several files with other values.
    pub(super) comes_again: bool,
}

/// A column and its place in the sample.
type Candidate<'a> = (&'a ColumnDraft, usize);

/// The first columns that no two rows of a file agree in: those that are named as identifiers, then pairs of them, then
/// any. Rows that are wholly alike count as one, sent twice.
pub(super) fn find(columns: &[ColumnDraft], sample: &Sample) -> Option<FoundKey> {
    let all: Vec<usize> = (0..sample.columns.len()).collect();
    let rows = distinct(sample, &all, true);
    if rows < 2 {
        return None;
    }
    let place = |column: &ColumnDraft| sample.columns.iter().position(|sampled| sampled.name == column.from);
    let fit: Vec<Candidate> = columns
        .iter()
        .filter(|column| column.required && column.null_values.is_empty())
        .filter_map(|column| Some((column, place(column)?)))
        .collect();
    let whole = |c: &Candidate| matches!(c.0.data_type, ValueType::Text | ValueType::Integer);
    let named = |c: &Candidate| whole(c) && names::is_identifier(&c.0.name);
    // Whoever has the address of a person today may have another tomorrow.
    let lasting = |c: &Candidate| !c.0.personal || names::is_identifier(&c.0.name);
    let in_pairs = |c: &Candidate| lasting(c) && (whole(c) || matches!(c.0.data_type, ValueType::Date { .. }));
    let one_of =
        |good: &dyn Fn(&Candidate) -> bool| fit.iter().filter(|c| good(c)).map(|c| vec![*c]).collect::<Vec<_>>();
    let tried = [
        one_of(&named),
        pairs(fit.iter().copied().filter(named).collect()),
        one_of(&|c| whole(c) && lasting(c)),
        pairs(fit.iter().copied().filter(in_pairs).collect()),
    ];
    let found = tried.into_iter().flatten().find(|key| {
        let places: Vec<usize> = key.iter().map(|(_, place)| *place).collect();
        distinct(sample, &places, true) == rows
    })?;
    let places: Vec<usize> = found.iter().map(|(_, place)| *place).collect();
    let comes_again = distinct(sample, &places, false) < distinct(sample, &all, false);
    Some(FoundKey { columns: found.iter().map(|(column, _)| column.name.clone()).collect(), comes_again })
}

/// Two of the first of some columns.
fn pairs(columns: Vec<Candidate<'_>>) -> Vec<Vec<Candidate<'_>>> {
    let mut pairs = Vec::new();
    for (i, first) in columns.iter().take(MAX_PAIRED).enumerate() {
        pairs.extend(columns.iter().take(MAX_PAIRED).skip(i + 1).map(|second| vec![*first, *second]));
    }
    pairs
}

/// How many rows differ in some columns; within each file, or over all.
fn distinct(sample: &Sample, columns: &[usize], by_file: bool) -> usize {
    let row = |row: usize| {
        let cells: Vec<Option<&str>> = columns.iter().map(|c| sample.columns[*c].values[row].as_deref()).collect();
        (if by_file { sample.files[row] } else { 0 }, cells)
    };
    (0..sample.rows()).map(row).collect::<HashSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use perennial_intake::SampleColumn;

    fn found(rows: &[(u32, &[&str])], names: &[&str]) -> Option<FoundKey> {
        let column = |i: usize| SampleColumn {
            name: names[i].to_string(),
            values: rows.iter().map(|(_, cells)| Some(cells[i].to_string())).collect(),
            declared: None,
            files: 1,
        };
        let mut sample = Sample::default();
        sample.columns = (0..names.len()).map(column).collect();
        sample.files = rows.iter().map(|(file, _)| *file).collect();
        let draft = |name: &&str| ColumnDraft {
            name: name.to_string(),
            from: name.to_string(),
            data_type: ValueType::Text,
            locale: None,
            required: true,
            null_values: vec![],
            personal: false,
            description: String::new(),
            comments: vec![],
        };
        find(&names.iter().map(draft).collect::<Vec<_>>(), &sample)
    }

    fn key(columns: &[&str]) -> Option<FoundKey> {
        Some(FoundKey { columns: columns.iter().map(|c| c.to_string()).collect(), comes_again: false })
    }

    #[test]
    fn identifiers_come_before_what_is_unique_by_chance() {
        let rows: [(u32, &[&str]); 3] = [(0, &["x", "1", "p"]), (0, &["y", "2", "p"]), (0, &["z", "3", "p"])];
        assert_eq!(found(&rows, &["name", "order_id", "product"]), key(&["order_id"]));
        assert_eq!(found(&rows, &["region", "amount", "product"]), key(&["region"]));
        assert_eq!(found(&rows[..1], &["name", "order_id", "product"]), None);
    }

    #[test]
    fn two_columns_may_be_needed() {
        let rows: [(u32, &[&str]); 3] = [(0, &["1", "1", "p"]), (0, &["1", "2", "q"]), (0, &["2", "1", "r"])];
        assert_eq!(found(&rows, &["order_id", "line_no", "product"]), key(&["order_id", "line_no"]));
        let rows: [(u32, &[&str]); 2] = [(0, &["1", "1", "p"]), (0, &["1", "1", "q"])];
        assert_eq!(found(&rows, &["order_id", "line_no", "sku"]), key(&["sku"]));
    }

    #[test]
    fn a_row_sent_twice_is_one_and_a_key_may_come_again_in_another_file() {
        let rows: [(u32, &[&str]); 3] = [(0, &["1", "a"]), (0, &["1", "a"]), (0, &["2", "a"])];
        assert_eq!(found(&rows, &["id", "status"]), key(&["id"]));
        let rows: [(u32, &[&str]); 3] = [(0, &["1", "a"]), (0, &["2", "a"]), (1, &["1", "b"])];
        assert!(found(&rows, &["id", "status"]).unwrap().comes_again);
        let rows: [(u32, &[&str]); 3] = [(0, &["1", "a"]), (0, &["1", "b"]), (0, &["1", "a"])];
        assert_eq!(found(&rows, &["id", "kind"]), key(&["kind"]));
    }
}
