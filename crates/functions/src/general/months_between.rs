//! `months_between(from, to)`: the number of calendar months between two days.

use crate::common::type_name;
use crate::manual::{Function, Section, page};
use arrow::array::{Array, AsArray, Int64Array};
use arrow::datatypes::{DataType, Date32Type};
use datafusion::common::{plan_err, utils::take_function_args};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

pub(crate) const FUNCTION: Function =
    Function::scalar("months_between", Section::General, page!("months_between"), function);

const ARGUMENTS: [&str; 2] = ["from", "to"];

fn function() -> ScalarUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    let signature = signature.clone().with_parameter_names(ARGUMENTS.to_vec()).unwrap_or(signature);
    ScalarUDF::from(MonthsBetween { signature })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MonthsBetween {
    signature: Signature,
}

impl ScalarUDFImpl for MonthsBetween {
    fn name(&self) -> &str {
        "months_between"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let types: [&DataType; 2] = take_function_args("months_between", types)?;
        let coerced = ARGUMENTS.into_iter().zip(types).map(|(name, given)| match given {
            DataType::Date32 | DataType::Date64 | DataType::Null => Ok(DataType::Date32),
            other => {
                let other = type_name(other);
                plan_err!("months_between: {name} is {other}; it is a DATE, as CAST({name} AS DATE) gives")
            }
        });
        coerced.collect()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let [from, to] = take_function_args("months_between", arguments.args)?;
        let (from, to) = (from.into_array(rows)?, to.into_array(rows)?);
        let (from, to) = (from.as_primitive::<Date32Type>(), to.as_primitive::<Date32Type>());
        let months: Int64Array = (0..rows)
            .map(|i| {
                let both = from.is_valid(i) && to.is_valid(i);
                both.then(|| month_number(to.value(i).into()) - month_number(from.value(i).into()))
            })
            .collect();
        Ok(ColumnarValue::Array(Arc::new(months)))
    }
}

/// Months since the beginning of year 0 of the proleptic Gregorian calendar, from days since 1970-01-01.
/// H. Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
pub(super) fn month_number(days: i64) -> i64 {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Counted from March, so that 10 and 11 are January and February of the next year.
    let month_from_march = (5 * day_of_year + 2) / 153;
    (era * 400 + year_of_era) * 12 + month_from_march + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(text: &str) -> i32 {
        let day: jiff::civil::Date = text.parse().unwrap();
        (day - jiff::civil::date(1970, 1, 1)).get_days()
    }

    #[test]
    fn months_are_counted_by_the_calendar() {
        let between = |a: &str, b: &str| month_number(days(b).into()) - month_number(days(a).into());
        assert_eq!(between("2010-12-31", "2011-12-01"), 12);
        assert_eq!(between("2020-01-31", "2020-02-01"), 1);
        assert_eq!(between("2020-03-01", "2020-02-29"), -1);
        assert_eq!(between("1969-12-31", "1970-01-01"), 1);
        assert_eq!(between("2024-02-01", "2024-02-29"), 0);
    }

    #[test]
    fn every_day_of_a_century_has_the_month_of_the_calendar() {
        let mut day = jiff::civil::date(1950, 1, 1);
        while day < jiff::civil::date(2050, 1, 1) {
            let number = (day - jiff::civil::date(1970, 1, 1)).get_days();
            assert_eq!(month_number(number.into()), i64::from(day.year()) * 12 + i64::from(day.month()) - 1, "{day}");
            day = day.tomorrow().unwrap();
        }
    }
}
