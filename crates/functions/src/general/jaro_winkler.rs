//! `jaro_winkler(a, b)`: the similarity of two short texts.

use crate::common::{is_text, type_name};
use crate::manual::{Function, Section, page};
use arrow::array::{AsArray, Float64Array};
use arrow::datatypes::DataType;
use datafusion::common::{plan_err, utils::take_function_args};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

pub(crate) const FUNCTION: Function =
    Function::scalar("jaro_winkler", Section::General, page!("jaro_winkler"), function);

const ARGUMENTS: [&str; 2] = ["a", "b"];

fn function() -> ScalarUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    let signature = signature.clone().with_parameter_names(ARGUMENTS.to_vec()).unwrap_or(signature);
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

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let types: [&DataType; 2] = take_function_args("jaro_winkler", types)?;
        let coerced = ARGUMENTS.into_iter().zip(types).map(|(name, given)| match given {
            text if is_text(text) => Ok(DataType::Utf8View),
            other => {
                let other = type_name(other);
                plan_err!("jaro_winkler: {name} is {other}; it is a TEXT, as CAST({name} AS TEXT) gives")
            }
        });
        coerced.collect()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let [a, b] = take_function_args("jaro_winkler", arguments.args)?;
        let (a, b) = (a.into_array(rows)?, b.into_array(rows)?);
        let pairs = a.as_string_view().iter().zip(b.as_string_view());
        let alike: Float64Array = pairs.map(|(a, b)| Some(strsim::jaro_winkler(a?, b?))).collect();
        Ok(ColumnarValue::Array(Arc::new(alike)))
    }
}
