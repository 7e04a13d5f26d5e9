//! `jaro_winkler(a, b)`: how alike two short texts are.

use crate::manual::{Function, Section, page};
use arrow::array::{AsArray, Float64Array};
use arrow::datatypes::DataType;
use datafusion::common::utils::take_function_args;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

pub(crate) const FUNCTION: Function =
    Function::scalar("jaro_winkler", Section::General, page!("jaro_winkler"), function);

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
