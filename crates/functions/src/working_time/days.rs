//! What functions of days have in common: days, perhaps a number, and a calendar as the last argument that may be missing.

use super::calendars::{Calendars, Chosen, WorkCalendar, name_type};
use crate::common::type_name;
use arrow::array::{Array, AsArray, Date32Array, Int64Array};
use arrow::datatypes::{DataType, Date32Type, Int64Type};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, Signature, Volatility};

/// What an argument before the calendar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Argument {
    /// A DATE of that name.
    Day(&'static str),
    /// A whole number of that name.
    Number(&'static str),
}

/// Arguments with these names, and the calendar.
pub(super) fn signature(arguments: &[Argument]) -> Signature {
    // The answer depends on options of the session, which do not change while a query runs.
    let mut signature = Signature::user_defined(Volatility::Stable);
    let names = arguments.iter().map(|(Argument::Day(name) | Argument::Number(name))| name.to_string());
    signature.parameter_names = Some(names.chain(["calendar".to_string()]).collect());
    signature
}

/// The types of the arguments of a call.
pub(super) fn coerced(function: &str, arguments: &[Argument], given: &[DataType]) -> Result<Vec<DataType>> {
    let least = arguments.len();
    if !(least..=least + 1).contains(&given.len()) {
        return plan_err!(
            "{function}: {} arguments are given; it takes {least}, or {} with a calendar",
            given.len(),
            least + 1
        );
    }
    let mut types = Vec::with_capacity(given.len());
    for (argument, given) in arguments.iter().zip(given) {
        types.push(argument_type(function, *argument, given)?);
    }
    if let Some(name) = given.get(least) {
        types.push(name_type(function, name)?);
    }
    Ok(types)
}

fn argument_type(function: &str, argument: Argument, given: &DataType) -> Result<DataType> {
    match (argument, given) {
        (_, DataType::Dictionary(_, value)) => argument_type(function, argument, value),
        (Argument::Day(_), DataType::Date32 | DataType::Date64 | DataType::Null) => Ok(DataType::Date32),
        (Argument::Day(name), other) => {
            let other = type_name(other);
            plan_err!("{function}: {name} is {other}; it is a DATE, as CAST({name} AS DATE) gives")
        }
        (Argument::Number(_), given) if given.is_integer() || given.is_null() => Ok(DataType::Int64),
        (Argument::Number(name), other) => {
            plan_err!("{function}: {name} is {}; it is a whole number", type_name(other))
        }
    }
}

/// The arguments of a batch.
pub(super) struct Rows {
    first: Date32Array,
    second: Option<Second>,
    length: usize,
}

enum Second {
    Day(Date32Array),
    Number(Int64Array),
}

impl Rows {
    fn read(arguments: &ScalarFunctionArgs) -> Result<Rows> {
        let length = arguments.number_rows;
        let array = |value: &ColumnarValue| value.to_array(length);
        let mut columns = arguments.args.iter().map(array);
        let Some(first) = columns.next().transpose()? else { return exec_err!("a day is missing") };
        let second = match columns.next().transpose()? {
            Some(column) if *column.data_type() == DataType::Date32 => {
                Some(Second::Day(column.as_primitive::<Date32Type>().clone()))
            }
            Some(column) if *column.data_type() == DataType::Int64 => {
                Some(Second::Number(column.as_primitive::<Int64Type>().clone()))
            }
            _ => None,
        };
        Ok(Rows { first: first.as_primitive::<Date32Type>().clone(), second, length })
    }

    /// The numbers of the day and of what follows it, if that does not name a calendar; nothing where one of them is NULL.
    fn get(&self, row: usize) -> Option<(i64, i64)> {
        let first = self.first.is_valid(row).then(|| i64::from(self.first.value(row)))?;
        let second = match &self.second {
            None => 0,
            Some(Second::Day(days)) => days.is_valid(row).then(|| i64::from(days.value(row)))?,
            Some(Second::Number(numbers)) => numbers.is_valid(row).then(|| numbers.value(row))?,
        };
        Some((first, second))
    }
}

/// The answer of each row, from its calendar, its day, and the second day or the number.
pub(super) fn each_row<T>(
    function: &'static str,
    arguments: &ScalarFunctionArgs,
    own: usize,
    answer: impl Fn(&WorkCalendar, i64, i64) -> Result<T>,
) -> Result<Vec<Option<T>>> {
    let calendars = Calendars::of(&arguments.config_options);
    let chosen = Chosen::read(function, &calendars, arguments.args.get(own), arguments.number_rows)?;
    let rows = Rows::read(arguments)?;
    let one = |row: usize| match (rows.get(row), chosen.of_row(row)?) {
        (Some((first, second)), Some(calendar)) => answer(calendar, first, second).map(Some),
        _ => Ok(None),
    };
    (0..rows.length).map(one).collect()
}
