//! `hhi(value)`: how concentrated a total is.

use super::concentration::{base, total};
use super::measure::{Measure, function};
use super::tally::Counted;
use crate::exact::ExactSum;
use crate::manual::{Example, Function, Kind, Page, Section};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;

pub(crate) const FUNCTION: Function = Function { kind: Kind::Aggregate(function::<Hhi, 1>), page: &PAGE };

const PAGE: Page = Page {
    name: "hhi",
    section: Section::Judging,
    syntax: "hhi(value)",
    summary: "How concentrated a total is: the sum of squared shares, from 0 to 1",
    arguments: &[("value", "number, the value of a customer; negative ones are outside the base and left out")],
    returns: "DOUBLE on the scale 0 to 1: 1 where one customer has all, 1/n where n have the same. NULL without a \
              value and where all are 0. NULL values are left out.",
    description: "The index of Herfindahl and Hirschman, `sum((x_i / sum(x))^2)`. `1 / hhi(value)` is the number of \
                  equal customers that would be as concentrated. Competition authorities write percentages: times \
                  10,000.",
    sources: &["A. O. Hirschman, \"The Paternity of an Index\", American Economic Review 54 (1964)"],
    examples: &[Example {
        sql: "SELECT hhi(revenue) AS hhi, 1 / hhi(revenue) AS as_many_equals\n\
              FROM (VALUES (50.00), (25.00), (25.00)) AS t(revenue)",
        answer: "hhi | as_many_equals\n0.375 | 2.6666666666666665",
    }],
    limits: &["Of customers, not of orders: sum by customer first."],
    related: &["gini"],
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Hhi;

impl Measure<1> for Hhi {
    const NAME: &'static str = "hhi";
    const ARGUMENTS: [&'static str; 1] = ["value"];
    const OUTCOME: Option<usize> = None;

    fn data_type() -> DataType {
        DataType::Float64
    }

    fn row(row: [Option<f64>; 1], _: i64) -> Result<Option<[f64; 1]>, String> {
        base(row)
    }

    fn answer(rows: &[Counted<1>], _: u64, _: i64) -> Result<ScalarValue> {
        let total = total(rows);
        let mut squares = ExactSum::default();
        for row in rows.iter().filter(|row| row.numbers[0] > 0.0) {
            let share = row.numbers[0] / total;
            squares.add(row.count as f64 * share * share);
        }
        Ok(ScalarValue::Float64((total > 0.0).then(|| squares.total())))
    }
}
