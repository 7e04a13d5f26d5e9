//! `auc_compared(score, baseline, outcome)`: whether a score ranks better than a baseline.

use super::measure::{Measure, function, struct_of, structs};
use super::ranking::{Comparison, compare};
use super::tally::Counted;
use crate::common::bigint;
use crate::manual::{Function, Section, page};
use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use std::sync::Arc;

pub(crate) const FUNCTION: Function =
    Function::aggregate("auc_compared", Section::Evaluation, page!("auc_compared"), || function(&AUC_COMPARED));

/// With fewer customers of an outcome the difference is not normally distributed.
const MIN_CUSTOMERS: u64 = 10;

const FIELDS: [(&str, DataType); 10] = [
    ("customers", DataType::Int64),
    ("outcomes", DataType::Int64),
    ("left_out", DataType::Int64),
    ("auc", DataType::Float64),
    ("baseline_auc", DataType::Float64),
    ("difference", DataType::Float64),
    ("standard_error", DataType::Float64),
    ("low", DataType::Float64),
    ("high", DataType::Float64),
    ("verdict", DataType::Utf8),
];

static AUC_COMPARED: Measure<3> = Measure {
    name: "auc_compared",
    arguments: ["score", "baseline", "outcome"],
    outcome: Some(2),
    setting: None,
    data_type,
    row,
    answer,
};

fn data_type() -> DataType {
    struct_of(&FIELDS)
}

fn row(row: [Option<f64>; 3], _: i64) -> Result<Option<[f64; 3]>, String> {
    let [Some(score), Some(baseline), Some(outcome)] = row else { return Ok(None) };
    if score.is_nan() || baseline.is_nan() {
        return Err(format!("score {score} and baseline {baseline}: NaN has no rank; NULL is left out"));
    }
    Ok(Some([score, baseline, outcome]))
}

fn answer(rows: &[Counted<3>], left_out: u64, _: i64) -> Result<ScalarValue> {
    let customers = rows.iter().map(|row| row.count).sum();
    let outcomes = rows.iter().filter(|row| row.numbers[2] > 0.5).map(|row| row.count).sum();
    let comparison = compare(rows);
    let counts = [customers, outcomes, left_out].map(|count| Arc::new(Int64Array::from(vec![bigint(count)])));
    let interval = comparison.and_then(|comparison| comparison.interval());
    let numbers = [
        comparison.map(|comparison| comparison.area),
        comparison.map(|comparison| comparison.baseline_area),
        comparison.map(|comparison| comparison.difference),
        comparison.and_then(|comparison| comparison.standard_error),
        interval.map(|(low, _)| low),
        interval.map(|(_, high)| high),
    ]
    .map(|number| Arc::new(Float64Array::from(vec![number])));
    let mut columns: Vec<ArrayRef> = counts.into_iter().map(|column| column as ArrayRef).collect();
    columns.extend(numbers.into_iter().map(|column| column as ArrayRef));
    columns.push(Arc::new(StringArray::from(vec![verdict(comparison)])));
    ScalarValue::try_from_array(&structs(&FIELDS, columns)?, 0)
}

fn verdict(comparison: Option<Comparison>) -> &'static str {
    let enough = comparison.filter(|comparison| comparison.with.min(comparison.without) >= MIN_CUSTOMERS);
    match enough.and_then(|comparison| comparison.interval()) {
        None => "too little data",
        Some((low, _)) if low > 0.0 => "better than the baseline",
        Some((_, high)) if high < 0.0 => "worse than the baseline",
        Some(_) => "no better than the baseline",
    }
}
