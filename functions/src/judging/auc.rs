//! `auc(score, outcome)`: how well a score ranks those with the outcome above those without.

use super::measure::{Measure, function};
use super::ranking::{area, by_score};
use super::tally::Counted;
use crate::manual::{Example, Function, Kind, Page, Section};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;

pub(crate) const FUNCTION: Function = Function { kind: Kind::Aggregate(function::<Auc, 2>), page: &PAGE };

const PAGE: Page = Page {
    name: "auc",
    section: Section::Judging,
    syntax: "auc(score, outcome)",
    summary: "How well a score ranks those with the outcome above those without: the area under the ROC curve",
    arguments: &[
        ("score", "number, higher where the outcome is more likely; infinite is allowed, NaN is an error"),
        ("outcome", "BOOLEAN, whether it came"),
    ],
    returns: "DOUBLE from 0 to 1: the share of pairs, one customer with the outcome and one without, in which the one \
              with it has the higher score; a tie counts as half a pair. 1 is perfect, 0.5 is chance. NULL where all \
              rows have the same outcome. Rows with a NULL are left out.",
    description: "`(pairs in order + ties / 2) / pairs`, the statistic of Mann and Whitney. Counted in whole numbers \
                  and divided once: the order of rows does not matter.",
    sources: &[
        "H. B. Mann, D. R. Whitney, \"On a Test of Whether One of Two Random Variables Is Stochastically Larger than \
         the Other\", Annals of Mathematical Statistics 18 (1947): U",
        "J. A. Hanley, B. J. McNeil, \"The Meaning and Use of the Area under a ROC Curve\", Radiology 143 (1982)",
    ],
    examples: &[Example {
        sql: "SELECT auc(score, bought) AS auc\n\
              FROM (VALUES (0.1, false), (0.4, false), (0.35, true), (0.8, true)) AS t(score, bought)",
        answer: "auc\n0.75",
    }],
    limits: &[
        "An outcome that is an equation stands in parentheses, `auc(score, (orders = 1))`: without them `orders = 1` \
         names an argument.",
        "It says how well customers are ranked, not whether probabilities are right: see `holdout_by_frequency`.",
        "A number alone says little: compare with the plain recency of the last purchase, `auc_compared`.",
        "P(alive) of BG/NBD is 1 for every one-time buyer: rank by expected purchases instead.",
    ],
    related: &["auc_compared", "lift"],
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Auc;

impl Measure<2> for Auc {
    const NAME: &'static str = "auc";
    const ARGUMENTS: [&'static str; 2] = ["score", "outcome"];
    const OUTCOME: Option<usize> = Some(1);

    fn data_type() -> DataType {
        DataType::Float64
    }

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
}
