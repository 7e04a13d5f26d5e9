//! `holdout_by_frequency(frequency, expected, actual)`: predicted and actual purchases of a hold-out period.

use super::measure::{Measure, Setting, function, list_of, structs};
use super::tally::Counted;
use crate::common::{bigint, list_value};
use crate::exact::ExactSum;
use crate::manual::{Function, Section, page};
use arrow::array::{Float64Array, Int64Array, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use std::sync::Arc;

pub(crate) const FUNCTION: Function =
    Function::aggregate("holdout_by_frequency", Section::Evaluation, page!("holdout_by_frequency"), || {
        function(&HOLDOUT_BY_FREQUENCY)
    })
    .with_rule(|arguments| HOLDOUT_BY_FREQUENCY.check_constants(arguments));

const FIELDS: [(&str, DataType); 8] = [
    ("frequency", DataType::Utf8),
    ("customers", DataType::Int64),
    ("left_out", DataType::Int64),
    ("expected", DataType::Float64),
    ("actual", DataType::Float64),
    ("expected_total", DataType::Float64),
    ("actual_total", DataType::Float64),
    ("miss", DataType::Float64),
];

/// No customer buys more often than this, and sums stay exact below.
const MAX_PURCHASES: f64 = 1e15;
/// Stands for a customer without prediction or actual figure, both of which are 0 or more.
const ABSENT: f64 = -1.0;

static HOLDOUT_BY_FREQUENCY: Measure<3> = Measure {
    name: "holdout_by_frequency",
    arguments: ["frequency", "expected", "actual"],
    outcome: None,
    setting: Some(Setting { name: "last_bin", default: 7, allowed: 0..=1000 }),
    data_type,
    row,
    answer,
};

fn data_type() -> DataType {
    list_of(&FIELDS)
}

fn row(row: [Option<f64>; 3], last_bin: i64) -> Result<Option<[f64; 3]>, String> {
    let wrong = |number: &f64| !(0.0..=MAX_PURCHASES).contains(number);
    if row.iter().flatten().any(wrong) || row[0].is_some_and(|frequency| frequency.fract() != 0.0) {
        let [frequency, expected, actual] = row.map(|number| number.map_or("NULL".to_owned(), |n| n.to_string()));
        return Err(format!(
            "frequency {frequency}, expected {expected}, actual {actual}: all are 0 or more and the frequency is \
             whole"
        ));
    }
    let bin = |frequency: f64| frequency.min(last_bin as f64);
    Ok(match row {
        [None, ..] => None,
        [Some(frequency), Some(expected), Some(actual)] => Some([bin(frequency), expected, actual]),
        [Some(frequency), ..] => Some([bin(frequency), ABSENT, ABSENT]),
    })
}

fn answer(rows: &[Counted<3>], _: u64, last_bin: i64) -> Result<ScalarValue> {
    if rows.is_empty() {
        return ScalarValue::try_from(&data_type());
    }
    let mut bins: Vec<Bin> = rows.chunk_by(|a, b| a.numbers[0] == b.numbers[0]).map(Bin::new).collect();
    let last = last_bin as f64;
    let mut names: Vec<String> = rows
        .chunk_by(|a, b| a.numbers[0] == b.numbers[0])
        .map(|bin| format!("{}{}", bin[0].numbers[0], if bin[0].numbers[0] == last { "+" } else { "" }))
        .collect();
    bins.push(Bin::new(rows));
    names.push("all".to_owned());
    let numbers = |of: fn(&Bin) -> Option<f64>| Arc::new(bins.iter().map(of).collect::<Float64Array>());
    let counts = |of: fn(&Bin) -> u64| Arc::new(bins.iter().map(|bin| Some(bigint(of(bin)))).collect::<Int64Array>());
    let columns = vec![
        Arc::new(StringArray::from(names)) as _,
        counts(|bin| bin.customers) as _,
        counts(|bin| bin.left_out) as _,
        numbers(|bin| bin.mean(bin.expected)) as _,
        numbers(|bin| bin.mean(bin.actual)) as _,
        numbers(|bin| Some(bin.expected)) as _,
        numbers(|bin| Some(bin.actual)) as _,
        numbers(|bin| (bin.actual > 0.0).then(|| bin.expected / bin.actual - 1.0)) as _,
    ];
    list_value(Arc::new(structs(&FIELDS, columns)?))
}

/// Customers of a bin, and their purchases in all.
struct Bin {
    customers: u64,
    left_out: u64,
    expected: f64,
    actual: f64,
}

impl Bin {
    fn new(rows: &[Counted<3>]) -> Bin {
        let mut bin = Bin { customers: 0, left_out: 0, expected: 0.0, actual: 0.0 };
        let (mut expected, mut actual) = (ExactSum::default(), ExactSum::default());
        for row in rows {
            if row.numbers[1] == ABSENT {
                bin.left_out += row.count;
            } else {
                bin.customers += row.count;
                expected.add(row.numbers[1] * row.count as f64);
                actual.add(row.numbers[2] * row.count as f64);
            }
        }
        Bin { expected: expected.total(), actual: actual.total(), ..bin }
    }

    fn mean(&self, total: f64) -> Option<f64> {
        (self.customers > 0).then(|| total / self.customers as f64)
    }
}
