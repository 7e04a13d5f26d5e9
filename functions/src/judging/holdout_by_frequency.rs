//! `holdout_by_frequency(frequency, expected, actual)`: predicted against real purchases of a hold-out.

use super::measure::{Measure, function, list_of, listed, structs};
use super::tally::Counted;
use crate::aggregates::bigint;
use crate::exact::ExactSum;
use crate::manual::{Example, Function, Kind, Page, Section};
use arrow::array::{Float64Array, Int64Array, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use std::ops::RangeInclusive;
use std::sync::Arc;

pub(crate) const FUNCTION: Function = Function { kind: Kind::Aggregate(function::<Holdout, 3>), page: &PAGE };

const PAGE: Page = Page {
    name: "holdout_by_frequency",
    section: Section::Judging,
    syntax: "holdout_by_frequency(frequency, expected, actual [, last_bin])",
    summary: "Predicted against real purchases of a hold-out, by how often customers had bought before",
    arguments: &[
        ("frequency", "number, whole: repeat purchases of the calibration; 0 or more"),
        ("expected", "number, purchases predicted for the hold-out; 0 or more"),
        ("actual", "number, purchases of the hold-out; 0 or more"),
        (
            "last_bin",
            "BIGINT, a literal from 0 to 1000; 7 by default: customers with that frequency or more are one bin",
        ),
    ],
    returns: "LIST of STRUCT, a bin each, those without customers left out, and all of them at last: `frequency` TEXT \
              ('0', '1', ... '7+', 'all'); `customers` BIGINT; `left_out` BIGINT, those without a prediction or an \
              actual figure; `expected` and `actual` DOUBLE, means per customer; `expected_total` and `actual_total` \
              DOUBLE; `miss` DOUBLE, `expected_total / actual_total - 1`: 0.1 where the model promised a tenth too \
              much, NULL where nothing was bought. NULL without rows. Rows without a frequency are left out.",
    description: "The table of conditional expectations of the papers about repeat buying (Fader, Hardie and Lee 2005, \
                  figure 4): a model that ranks well can still promise too much, and to whom shows here.\n\n\
                  The second example is the other half of the test, tracking: cumulative repeat purchases by week, \
                  expected and actual. Every customer contributes `expected_purchases_new` of the age reached by \
                  then; here the expectation is a column.",
    sources: &[
        "P. S. Fader, B. G. S. Hardie, K. L. Lee, \"Counting Your Customers the Easy Way\", Marketing Science 24 \
         (2005), figures 3 and 4",
    ],
    examples: &[
        Example {
            sql: "SELECT b['frequency'] AS frequency, b['customers'] AS customers, b['expected'] AS expected,\n\
                  \x20      b['actual'] AS actual, round(b['miss'], 3) AS miss\n\
                  FROM (SELECT unnest(holdout_by_frequency(x, predicted, bought, 2)) AS b\n\
                  \x20     FROM (VALUES (0, 0.25, 0), (0, 0.25, 1), (1, 0.75, 1), (2, 1.5, 1), (9, 6.5, 9))\n\
                  \x20         AS t(x, predicted, bought))",
            answer: "frequency | customers | expected | actual | miss\n\
                     0 | 2 | 0.25 | 0.5 | -0.5\n\
                     1 | 1 | 0.75 | 1.0 | -0.25\n\
                     2+ | 2 | 4.0 | 5.0 | -0.2\n\
                     all | 5 | 1.85 | 2.4 | -0.229",
        },
        Example {
            sql: "WITH purchases AS (\n\
                  \x20 SELECT * FROM (VALUES (1, DATE '2025-01-01'), (1, DATE '2025-01-10'), (2, DATE '2025-01-05'),\n\
                  \x20                       (2, DATE '2025-01-06'), (2, DATE '2025-01-20')) AS t(customer, day)),\n\
                  repeats AS (\n\
                  \x20 SELECT DISTINCT customer, day, min(day) OVER (PARTITION BY customer) AS first FROM purchases),\n\
                  weeks AS (SELECT DATE '2025-01-01' + 7 * value AS until FROM generate_series(1, 3))\n\
                  SELECT until,\n\
                  \x20      count(*) FILTER (WHERE day > first) AS actual,\n\
                  \x20      -- expected_purchases_new(fit, (until - first) / 7.0) in place of 0.5 a week\n\
                  \x20      round(sum(0.5 * (until - first) / 7.0) FILTER (WHERE day = first), 2) AS expected\n\
                  FROM weeks JOIN repeats ON day < until\n\
                  GROUP BY until ORDER BY until",
            answer: "until | actual | expected\n\
                     2025-01-08 | 1 | 0.71\n2025-01-15 | 2 | 1.71\n2025-01-22 | 3 | 2.71",
        },
    ],
    limits: &["Expected purchases are those of a horizon as long as the hold-out, in the unit of the fit."],
    related: &["auc_compared"],
};

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

/// Customers bought more than this often do not exist, and sums stay exact below.
const MOST: f64 = 1e15;
/// Stands for a customer without prediction or actual figure, both of which are 0 or more.
const ABSENT: f64 = -1.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Holdout;

impl Measure<3> for Holdout {
    const NAME: &'static str = "holdout_by_frequency";
    const ARGUMENTS: [&'static str; 3] = ["frequency", "expected", "actual"];
    const OUTCOME: Option<usize> = None;
    const OPTION: Option<(&'static str, i64, RangeInclusive<i64>)> = Some(("last_bin", 7, 0..=1000));

    fn data_type() -> DataType {
        list_of(&FIELDS)
    }

    fn row(row: [Option<f64>; 3], last_bin: i64) -> Result<Option<[f64; 3]>, String> {
        let wrong = |number: &f64| !(0.0..=MOST).contains(number);
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
            return ScalarValue::try_from(&Self::data_type());
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
        let counts =
            |of: fn(&Bin) -> u64| Arc::new(bins.iter().map(|bin| Some(bigint(of(bin)))).collect::<Int64Array>());
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
        Ok(listed(structs(&FIELDS, columns)?))
    }
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
