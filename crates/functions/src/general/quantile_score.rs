//! `quantile_score(value, cutoffs)`: the bin of fixed cut-offs in which a number lies.

use super::thresholds::{Edge, check_constants, score_by_thresholds, threshold_types};
use crate::manual::{Function, Section, page};
use arrow::array::Int64Array;
use arrow::datatypes::DataType;
use datafusion::common::utils::take_function_args;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

pub(crate) const FUNCTION: Function =
    Function::scalar("quantile_score", Section::General, page!("quantile_score"), function).with_rule(check_constants);

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
