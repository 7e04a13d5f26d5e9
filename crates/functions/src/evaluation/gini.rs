//! `gini(value)`: how unequal values are.

use super::concentration::{base, total};
use super::measure::{Measure, function};
use super::tally::Counted;
use crate::exact::ExactSum;
use crate::manual::{Function, Section, page};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;

pub(crate) const FUNCTION: Function =
    Function::aggregate("gini", Section::Evaluation, page!("gini"), || function(&GINI));

static GINI: Measure<1> = Measure {
    name: "gini",
    arguments: ["value"],
    outcome: None,
    setting: None,
    data_type: || DataType::Float64,
    row: |row, _| base(row),
    answer,
};

fn answer(rows: &[Counted<1>], _: u64, _: i64) -> Result<ScalarValue> {
    let customers: i128 = rows.iter().map(|row| i128::from(row.count)).sum();
    let mut below = 0;
    let mut differences = ExactSum::default();
    for row in rows {
        let count = i128::from(row.count);
        // The sum of 2 i - n - 1 over the ranks of those who have the same value.
        let ranks = count * (2 * below + count - customers);
        differences.add(ranks as f64 * row.numbers[0]);
        below += count;
    }
    let total = total(rows);
    Ok(ScalarValue::Float64((total > 0.0).then(|| differences.total() / customers as f64 / total)))
}
