//! `auc(score, outcome)`: how well a score ranks those with the outcome above those without.

use super::measure::{Measure, function};
use super::ranking::{area, by_score};
use super::tally::Counted;
use crate::manual::{Function, Section, page};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;

pub(crate) const FUNCTION: Function = Function::aggregate("auc", Section::Evaluation, page!("auc"), || function(&AUC));

static AUC: Measure<2> = Measure {
    name: "auc",
    arguments: ["score", "outcome"],
    outcome: Some(1),
    setting: None,
    data_type: || DataType::Float64,
    row,
    answer,
};

fn row(row: [Option<f64>; 2], _: i64) -> Result<Option<[f64; 2]>, String> {
    let [Some(score), Some(outcome)] = row else { return Ok(None) };
    if score.is_nan() {
        return Err("a score is NaN, which has no rank; NULL is left out".to_owned());
    }
    Ok(Some([score, outcome]))
}

fn answer(rows: &[Counted<2>], _: u64, _: i64) -> Result<ScalarValue> {
    let scores = by_score(rows.iter().map(|row| (row.numbers[0], row.numbers[1], row.count)));
    Ok(ScalarValue::Float64(area(&scores)))
}
