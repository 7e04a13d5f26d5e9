//! `is_working_day(day)`: whether work is done on a day.

use super::days::{Argument, coerced, each_row, signature};
use crate::manual::{Function, Section, page};
use arrow::array::BooleanArray;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature};
use std::sync::Arc;

pub(crate) const FUNCTION: Function =
    Function::scalar("is_working_day", Section::WorkingTime, page!("is_working_day"), function);

const ARGUMENTS: [Argument; 1] = [Argument::Day("day")];

fn function() -> ScalarUDF {
    IsWorkingDay { signature: signature(&ARGUMENTS) }.into()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct IsWorkingDay {
    signature: Signature,
}

impl ScalarUDFImpl for IsWorkingDay {
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
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_working_day =
            each_row(FUNCTION.name, &arguments, ARGUMENTS.len(), |calendar, day, _| Ok(calendar.days.contains(day)))?;
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(is_working_day))))
    }
}
