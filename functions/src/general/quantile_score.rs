//! `quantile_score(value, cutoffs)`: in which bin of frozen cut-offs a number lies.

use super::thresholds::{Edge, score_by_thresholds, threshold_types};
use crate::manual::{Example, Function, Kind, Page, Section};
use arrow::array::Int64Array;
use arrow::datatypes::DataType;
use datafusion::common::utils::take_function_args;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

pub(crate) const FUNCTION: Function = Function { kind: Kind::Scalar(function), page: &PAGE };

const PAGE: Page = Page {
    name: "quantile_score",
    section: Section::General,
    syntax: "quantile_score(value, cutoffs)",
    summary: "The score of a number by cut-offs that were fixed before",
    arguments: &[
        ("value", "a number"),
        ("cutoffs", "LIST of numbers in ascending order, as quantile_cutoffs gives; equal ones are allowed"),
    ],
    returns: "BIGINT from 1 to the number of cut-offs + 1; NULL where either argument is.",
    description: "1 for values up to and including the first cut-off, one more for each cut-off that the value is above. \
        With cut-offs kept in a table nobody's score changes because others bought more. Where small is good, as with days \
        since the last order, take `6 - quantile_score(...)`.",
    sources: &[],
    examples: &[Example {
        sql: "SELECT days, 6 - quantile_score(days, [13.8, 33, 72, 180]) AS r\nFROM (VALUES (3), (33), (34), (400)) AS t (days)",
        answer: "days | r\n3 | 5\n33 | 4\n34 | 3\n400 | 1",
    }],
    limits: &[
        "Where many values are equal, cut-offs are too, and some scores do not occur.",
        "NaN, and cut-offs out of order or NULL are errors.",
    ],
    related: &["quantile_cutoffs", "width_bucket"],
};

fn function() -> ScalarUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    let signature = signature.clone().with_parameter_names(vec!["value", "cutoffs"]).unwrap_or(signature);
    ScalarUDF::from(QuantileScore { signature })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct QuantileScore {
    signature: Signature,
}

impl ScalarUDFImpl for QuantileScore {
    fn name(&self) -> &str {
        "quantile_score"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [value, cutoffs] = take_function_args("quantile_score", types)?;
        threshold_types("quantile_score", value, cutoffs)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value, cutoffs] = take_function_args("quantile_score", &arguments.args)?;
        let passed = score_by_thresholds("quantile_score", value, cutoffs, Edge::BelongsBelow, arguments.number_rows)?;
        let scores: Int64Array = passed.unary(|passed| passed + 1);
        Ok(ColumnarValue::Array(Arc::new(scores)))
    }
}
