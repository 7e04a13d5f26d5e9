//! `working_days_between(from, to)`: how many working days begin between two days.

use super::days::{Argument, coerced, each_row, signature};
use crate::manual::{Function, Section, page};
use arrow::array::Int64Array;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature};
use std::sync::Arc;

pub(crate) const FUNCTION: Function =
    Function::scalar("working_days_between", Section::WorkingTime, page!("working_days_between"), function);

const ARGUMENTS: [Argument; 2] = [Argument::Day("from"), Argument::Day("to")];

fn function() -> ScalarUDF {
    WorkingDaysBetween { signature: signature(&ARGUMENTS) }.into()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct WorkingDaysBetween {
    signature: Signature,
}

impl ScalarUDFImpl for WorkingDaysBetween {
    fn name(&self) -> &str {
        FUNCTION.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerced(FUNCTION.name, &ARGUMENTS, types)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let counts = each_row(FUNCTION.name, &arguments, ARGUMENTS.len(), |calendar, from, to| {
            Ok(calendar.days.between(from, to))
        })?;
        Ok(ColumnarValue::Array(Arc::new(Int64Array::from(counts))))
    }
}
