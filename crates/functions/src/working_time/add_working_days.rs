//! `add_working_days(day, n)`: the n-th working day after a day.

use super::days::{Argument, coerced, each_row, signature};
use crate::manual::{Function, Section, page};
use arrow::array::Date32Array;
use arrow::datatypes::DataType;
use datafusion::common::exec_datafusion_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature};
use std::sync::Arc;

pub(crate) const FUNCTION: Function =
    Function::scalar("add_working_days", Section::WorkingTime, page!("add_working_days"), function);

const ARGUMENTS: [Argument; 2] = [Argument::Day("day"), Argument::Number("n")];

fn function() -> ScalarUDF {
    AddWorkingDays { signature: signature(&ARGUMENTS) }.into()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AddWorkingDays {
    signature: Signature,
}

impl ScalarUDFImpl for AddWorkingDays {
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
        Ok(DataType::Date32)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let days = each_row(FUNCTION.name, &arguments, ARGUMENTS.len(), |calendar, day, n| {
            let reached = calendar.days.add(day, n).and_then(|day| i32::try_from(day).ok());
            let (name, side) = (FUNCTION.name, if n < 0 { "before" } else { "after" });
            let count = n.unsigned_abs();
            reached.ok_or_else(|| {
                exec_datafusion_err!("{name}: there are no {count} working days {side} a day in the years 1 to 9999")
            })
        })?;
        Ok(ColumnarValue::Array(Arc::new(Date32Array::from(days))))
    }
}
