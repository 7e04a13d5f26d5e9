//! `date_diff(unit, from, to)`: how many days, weeks, months and so on begin between two times.

use super::months_between::month_number;
use crate::common::whole_seconds;
use crate::constants::{ConstantProblem, Constants, ValueProblem};
use crate::limits;
use crate::manual::{Function, Section, page};
use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Date32Type, TimestampSecondType};
use arrow::temporal_conversions::as_datetime_with_timezone;
use datafusion::common::{exec_datafusion_err, exec_err, plan_err, utils::take_function_args};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

pub(crate) const FUNCTION: Function =
    Function::scalar("date_diff", Section::General, page!("date_diff"), function).with_rule(check_constants);

fn function() -> ScalarUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    let signature = signature.clone().with_parameter_names(vec!["unit", "from", "to"]).unwrap_or(signature);
    ScalarUDF::from(DateDiff { signature, aliases: vec!["datediff".into()] })
}

fn check_constants(arguments: &Constants<'_>) -> Result<(), ConstantProblem> {
    arguments.test_text(0, Unit::parse)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DateDiff {
    signature: Signature,
    aliases: Vec<String>,
}

impl ScalarUDFImpl for DateDiff {
    fn name(&self) -> &str {
        "date_diff"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [unit, from, to] = take_function_args("date_diff", types)?;
        if !(unit.is_string() || unit.is_null()) {
            return plan_err!("date_diff: the unit is {unit}; it comes first, as in date_diff('day', from, to)");
        }
        let (from, to) = (time_type(from)?, time_type(to)?);
        if zone(&from) != zone(&to) && !types[1].is_null() && !types[2].is_null() {
            return plan_err!(
                "date_diff: from is {from}, to is {to}; both have the same zone or none, cast one of them"
            );
        }
        Ok(vec![DataType::Utf8, from, to])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let [unit, from, to] = take_function_args("date_diff", arguments.args)?;
        // A constant unit is parsed once.
        let same_for_all = matches!(unit, ColumnarValue::Scalar(_));
        let names = unit.into_array(if same_for_all { 1 } else { rows })?;
        let units: Vec<Option<Unit>> =
            names.as_string::<i32>().iter().map(|name| name.map(unit_named).transpose()).collect::<Result<_>>()?;
        let (from, to) = (Times::read(&from.into_array(rows)?)?, Times::read(&to.into_array(rows)?)?);
        let between = |i: usize| {
            let unit = units[if same_for_all { 0 } else { i }]?;
            Some(unit.between(from.get(i)?, to.get(i)?))
        };
        let counts: Int64Array = (0..rows).map(between).collect();
        Ok(ColumnarValue::Array(Arc::new(counts)))
    }
}

fn unit_named(name: &str) -> Result<Unit> {
    Unit::parse(name).map_err(|problem| exec_datafusion_err!("date_diff: {problem}"))
}

fn time_type(data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Date32 | DataType::Timestamp(..) => Ok(data_type.clone()),
        DataType::Date64 | DataType::Null => Ok(DataType::Date32),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            plan_err!("date_diff: a text is not a time; write DATE '2026-01-31' or TIMESTAMP '2026-01-31 10:00:00'")
        }
        other => plan_err!("date_diff: {other} is not a time; DATE or TIMESTAMP is needed"),
    }
}

fn zone(data_type: &DataType) -> Option<&str> {
    match data_type {
        DataType::Timestamp(_, zone) => zone.as_deref(),
        _ => None,
    }
}

/// Times in whole seconds since 1970, rounded down.
struct Times {
    /// As a local clock shows them.
    local: Int64Array,
    /// As time elapses.
    elapsed: Int64Array,
}

#[derive(Clone, Copy)]
struct Time {
    local: i64,
    elapsed: i64,
}

impl Times {
    fn read(array: &ArrayRef) -> Result<Times> {
        match array.data_type() {
            DataType::Date32 => {
                let seconds: Int64Array = array.as_primitive::<Date32Type>().unary(|day| i64::from(day) * 86_400);
                Ok(Times { local: seconds.clone(), elapsed: seconds })
            }
            DataType::Timestamp(unit, None) => {
                let seconds = whole_seconds("date_diff", array, *unit)?;
                Ok(Times { local: seconds.clone(), elapsed: seconds })
            }
            DataType::Timestamp(unit, Some(zone)) => {
                let elapsed = whole_seconds("date_diff", array, *unit)?;
                Ok(Times { local: local_seconds(&elapsed, zone)?, elapsed })
            }
            other => exec_err!("date_diff: {other} is not a time; DATE or TIMESTAMP is needed"),
        }
    }

    fn get(&self, i: usize) -> Option<Time> {
        (self.local.is_valid(i) && self.elapsed.is_valid(i))
            .then(|| Time { local: self.local.value(i), elapsed: self.elapsed.value(i) })
    }
}

/// What the clocks of a zone showed, as seconds.
fn local_seconds(elapsed: &Int64Array, zone: &str) -> Result<Int64Array> {
    let zone: Tz = zone.parse()?;
    // Casting to a timestamp without a zone would give the time of UTC.
    elapsed.try_unary(|seconds| {
        // A quarter of a million years either way, slightly less than the range of the time zone calendar.
        let within = (-8_000_000_000_000..8_000_000_000_000).contains(&seconds).then_some(seconds);
        match within.and_then(|seconds| as_datetime_with_timezone::<TimestampSecondType>(seconds, zone)) {
            Some(time) => Ok(time.naive_local().and_utc().timestamp()),
            None => exec_err!("date_diff: {seconds} seconds from 1970 lie beyond the calendar"),
        }
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// A unit of a number of seconds.
    Clock(i64),
    Day,
    Week,
    /// A unit of a number of months.
    Months(i64),
}

impl Unit {
    const ALL: [(&str, Unit); 8] = [
        ("second", Unit::Clock(1)),
        ("minute", Unit::Clock(60)),
        ("hour", Unit::Clock(3_600)),
        ("day", Unit::Day),
        ("week", Unit::Week),
        ("month", Unit::Months(1)),
        ("quarter", Unit::Months(3)),
        ("year", Unit::Months(12)),
    ];

    fn parse(text: &str) -> Result<Unit, ValueProblem> {
        let lower = text.trim().to_lowercase();
        let singular = lower.strip_suffix('s').unwrap_or(&lower);
        let unit = Unit::ALL.into_iter().find(|(name, _)| *name == singular).map(|(_, unit)| unit);
        unit.ok_or_else(|| limits::unknown_unit(text, &Unit::ALL.map(|(name, _)| name)))
    }

    fn between(self, from: Time, to: Time) -> i64 {
        match self {
            Unit::Clock(length) => {
                // When the unit began by the local clock, in elapsed time.
                let began = |time: Time| time.elapsed - time.local.rem_euclid(length);
                (began(to) - began(from)).div_euclid(length)
            }
            Unit::Day => day(to) - day(from),
            // 1970-01-01 was a Thursday.
            Unit::Week => (day(to) + 3).div_euclid(7) - (day(from) + 3).div_euclid(7),
            Unit::Months(length) => month(to).div_euclid(length) - month(from).div_euclid(length),
        }
    }
}

fn day(time: Time) -> i64 {
    time.local.div_euclid(86_400)
}

fn month(time: Time) -> i64 {
    month_number(day(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        let time: jiff::civil::DateTime = text.parse().unwrap();
        let seconds = time.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second();
        Time { local: seconds, elapsed: seconds }
    }

    #[test]
    fn boundaries_are_counted() {
        let between = |unit: &str, a: &str, b: &str| Unit::parse(unit).unwrap().between(at(a), at(b));
        for unit in ["second", "minutes", "HOUR", "day", "month", "quarter", "years"] {
            assert_eq!(between(unit, "1969-12-31T23:59:59", "1970-01-01T00:00:00"), 1, "{unit}");
            assert_eq!(between(unit, "1970-01-01T00:00:00", "1969-12-31T23:59:59"), -1, "{unit}");
        }
        assert_eq!(between("week", "2026-01-04T23:59:59", "2026-01-05T00:00:00"), 1);
        assert_eq!(between("week", "2026-01-05T00:00:00", "2026-01-11T23:59:59"), 0);
        assert_eq!(between("week", "1960-01-03T00:00:00", "1960-01-04T00:00:00"), 1);
        assert_eq!(between("quarter", "2026-01-31T00:00:00", "2026-03-31T00:00:00"), 0);
        assert_eq!(between("quarter", "2025-12-31T00:00:00", "2027-04-01T00:00:00"), 6);
    }

    #[test]
    fn every_week_begins_on_monday() {
        let mut previous = jiff::civil::date(1960, 1, 1);
        while previous < jiff::civil::date(1990, 1, 1) {
            let next = previous.tomorrow().unwrap();
            let turned = Unit::Week.between(at(&format!("{previous}T00:00")), at(&format!("{next}T00:00")));
            assert_eq!(turned == 1, next.weekday() == jiff::civil::Weekday::Monday, "{next}");
            previous = next;
        }
    }

    #[test]
    fn an_unknown_unit_is_named() {
        assert!(Unit::parse("decade").unwrap_err().to_string().contains("'decade'"));
    }
}
