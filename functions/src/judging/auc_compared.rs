//! `auc_compared(score, baseline, outcome)`: whether a score ranks better than a plain one.

use super::measure::{Measure, function, struct_of, structs};
use super::ranking::{Comparison, compare};
use super::tally::Counted;
use crate::aggregates::bigint;
use crate::manual::{Example, Function, Kind, Page, Section};
use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use std::sync::Arc;

pub(crate) const FUNCTION: Function = Function { kind: Kind::Aggregate(function::<AucCompared, 3>), page: &PAGE };

/// With fewer customers of an outcome the normal distribution of the difference is no help.
const FEWEST: u64 = 10;

const PAGE: Page = Page {
    name: "auc_compared",
    section: Section::Judging,
    syntax: "auc_compared(score, baseline, outcome)",
    summary: "Whether a score ranks customers better than a plain one, such as the recency of the last purchase",
    arguments: &[
        ("score", "number, higher where the outcome is more likely"),
        (
            "baseline",
            "number of the same customer, higher where the outcome is more likely: minus the days since the last \
                      purchase, say",
        ),
        ("outcome", "BOOLEAN, whether it came"),
    ],
    returns: "STRUCT: `customers` BIGINT; `outcomes` BIGINT, those with the outcome; `left_out` BIGINT, rows with a \
              NULL; `auc` and `baseline_auc` DOUBLE as of the function `auc`; `difference` DOUBLE, the first less the \
              second; `standard_error` of the difference, `low` and `high`, its 95 % interval; `verdict` TEXT: \
              'better than the baseline', 'worse than the baseline' (the interval does not hold 0), 'no better than \
              the baseline', or 'too little data' with fewer than 10 customers of an outcome. NULL fields where only \
              one outcome came; `standard_error` and interval need two customers of each.",
    description: "A model is worth its trouble only where it beats the rule that everybody knows: who bought last is \
                  the best customer. Both scores are judged on the same customers, so their errors go together; the \
                  standard error takes that into account. `difference = auc - baseline_auc`, its variance the sum over \
                  both outcomes of the variance of the customers' placements, divided by their number.",
    sources: &[
        "E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, \"Comparing the Areas under Two or More Correlated ROC \
         Curves\", Biometrics 44 (1988), equations 2 to 5",
        "X. Sun, W. Xu, \"Fast Implementation of DeLong's Algorithm\", IEEE Signal Processing Letters 21 (2014), \
         algorithm 2",
    ],
    examples: &[Example {
        sql: "SELECT c['auc'] AS auc, c['baseline_auc'] AS baseline_auc, round(c['standard_error'], 4) AS error,\n\
              \x20      c['verdict'] AS verdict\n\
              FROM (SELECT auc_compared(expected, -days_silent, bought) AS c\n\
              \x20     FROM (VALUES (0.9, 10, true), (0.8, 40, true), (0.7, 20, false),\n\
              \x20                  (0.6, 5, false), (0.3, 30, true), (0.1, 90, false))\n\
              \x20         AS t(expected, days_silent, bought))",
        answer: "auc | baseline_auc | error | verdict\n\
                 0.7777777777777778 | 0.4444444444444444 | 0.2722 | too little data",
    }],
    limits: &[
        "The interval rests on a normal distribution: take it with care below some 30 customers of an outcome.",
        "Customers whose score is NULL are left out of both areas: look at `left_out`.",
        "Judge on a hold-out: customers a model was fitted to with the same period flatter it.",
    ],
    related: &["auc", "lift"],
};

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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct AucCompared;

impl Measure<3> for AucCompared {
    const NAME: &'static str = "auc_compared";
    const ARGUMENTS: [&'static str; 3] = ["score", "baseline", "outcome"];
    const OUTCOME: Option<usize> = Some(2);

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
}

fn verdict(comparison: Option<Comparison>) -> &'static str {
    let enough = comparison.filter(|comparison| comparison.with.min(comparison.without) >= FEWEST);
    match enough.and_then(|comparison| comparison.interval()) {
        None => "too little data",
        Some((low, _)) if low > 0.0 => "better than the baseline",
        Some((_, high)) if high < 0.0 => "worse than the baseline",
        Some(_) => "no better than the baseline",
    }
}
