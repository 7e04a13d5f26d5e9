//! `hhi(value)`: how concentrated a total is.

use super::concentration::{base, total};
use super::measure::{Measure, function};
use super::tally::Counted;
use crate::exact::ExactSum;
use crate::manual::{Function, Section, page};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;

pub(crate) const FUNCTION: Function = Function::aggregate("hhi", Section::Evaluation, page!("hhi"), || function(&HHI));

static HHI: Measure<1> = Measure {
    name: "hhi",
    arguments: ["value"],
    outcome: None,
    setting: None,
    data_type: || DataType::Float64,
    row: |row, _| base(row),
    answer,
};

fn answer(rows: &[Counted<1>], _: u64, _: i64) -> Result<ScalarValue> {
    let total = total(rows);
    let mut squares = ExactSum::default();
    for row in rows.iter().filter(|row| row.numbers[0] > 0.0) {
        let share = row.numbers[0] / total;
        squares.add(row.count as f64 * share * share);
    }
    Ok(ScalarValue::Float64((total > 0.0).then(|| squares.total())))
}
