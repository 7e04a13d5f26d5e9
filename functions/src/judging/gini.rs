//! `gini(value)`: how unequal values are.

use super::concentration::{base, total};
use super::measure::{Measure, function};
use super::tally::Counted;
use crate::exact::ExactSum;
use crate::manual::{Example, Function, Kind, Page, Section};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;

pub(crate) const FUNCTION: Function = Function { kind: Kind::Aggregate(function::<Gini, 1>), page: &PAGE };

const PAGE: Page = Page {
    name: "gini",
    section: Section::Judging,
    syntax: "gini(value)",
    summary: "How unequally a total is spread over customers, from 0 to 1",
    arguments: &[("value", "number, the value of a customer; negative ones are outside the base and left out")],
    returns: "DOUBLE: 0 where all have the same, near 1 where one has all: `1 - 1/n` with n customers. NULL without a \
              value and where all are 0. NULL values are left out.",
    description: "`sum((2 i - n - 1) x_i) / (n sum(x_i))` with values in ascending order, i from 1 to n: half the mean \
                  difference between two customers, as a share of the mean. Customers of value 0 count.",
    sources: &["C. Gini, \"Measurement of Inequality of Incomes\", Economic Journal 31 (1921)"],
    examples: &[Example {
        sql: "SELECT gini(revenue) AS gini FROM (VALUES (10.00), (20.00), (30.00), (40.00)) AS t(revenue)",
        answer: "gini\n0.25",
    }],
    limits: &[
        "Of customers, not of orders: sum by customer first.",
        "The value in all is that of those seen, without the factor n / (n - 1) for samples.",
    ],
    related: &["hhi"],
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Gini;

impl Measure<1> for Gini {
    const NAME: &'static str = "gini";
    const ARGUMENTS: [&'static str; 1] = ["value"];
    const OUTCOME: Option<usize> = None;

    fn data_type() -> DataType {
        DataType::Float64
    }

    fn row(row: [Option<f64>; 1], _: i64) -> Result<Option<[f64; 1]>, String> {
        base(row)
    }

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
}
