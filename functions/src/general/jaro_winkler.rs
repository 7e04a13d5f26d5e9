//! `jaro_winkler(a, b)`: how alike two short texts are.

use crate::manual::{Example, Function, Kind, Page, Section};
use arrow::array::{AsArray, Float64Array};
use arrow::datatypes::DataType;
use datafusion::common::utils::take_function_args;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

pub(crate) const FUNCTION: Function = Function { kind: Kind::Scalar(function), page: &PAGE };

const PAGE: Page = Page {
    name: "jaro_winkler",
    section: Section::General,
    syntax: "jaro_winkler(a, b)",
    summary: "How alike two short texts are, from 0 to 1",
    arguments: &[("a", "TEXT"), ("b", "TEXT; exchanging the two changes nothing")],
    returns: "DOUBLE: 1 for equal texts, 0 where no character agrees; NULL where either text is.",
    description: "Made for names with typing errors: the share of characters that both have at about the same place, less \
        what stands in another order (Jaro), and where that is above 0.7, a tenth of what is missing to 1 is given back for \
        each of the first four characters that agree (Winkler). Characters are compared as they are: lower the case and \
        trim first.",
    sources: &[
        "W. E. Winkler, \"String comparator metrics and enhanced decision rules in the Fellegi-Sunter model of \
        record linkage\", 1990",
    ],
    examples: &[Example {
        sql: "SELECT a, b, round(jaro_winkler(a, b), 4) AS alike\nFROM (VALUES ('martha', 'marhta'), ('dixon', \
            'dicksonx'), ('王小明', '王小民')) AS names (a, b)",
        answer: "a | b | alike\nmartha | marhta | 0.9611\ndixon | dicksonx | 0.8133\n王小明 | 王小民 | 0.8222",
    }],
    limits: &[
        "For names and short codes. Long texts are all alike.",
        "Never joins two tables by itself: compare only pairs that share something, or the work grows with the square.",
    ],
    related: &[],
};

fn function() -> ScalarUDF {
    let signature = Signature::string(2, Volatility::Immutable);
    let signature = signature.clone().with_parameter_names(vec!["a", "b"]).unwrap_or(signature);
    ScalarUDF::from(JaroWinkler { signature })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct JaroWinkler {
    signature: Signature,
}

impl ScalarUDFImpl for JaroWinkler {
    fn name(&self) -> &str {
        "jaro_winkler"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let [a, b] = take_function_args("jaro_winkler", arguments.args)?;
        let view = |text: ColumnarValue| text.cast_to(&DataType::Utf8View, None)?.into_array(rows);
        let (a, b) = (view(a)?, view(b)?);
        let pairs = a.as_string_view().iter().zip(b.as_string_view());
        let alike: Float64Array = pairs.map(|(a, b)| Some(strsim::jaro_winkler(a?, b?))).collect();
        Ok(ColumnarValue::Array(Arc::new(alike)))
    }
}
