//! `open_seconds(from, to, hours)`: how many seconds between two times fall into opening hours.

use super::calendars::{Calendars, Chosen, WorkCalendar, name_type};
use crate::common::{is_text, type_name, whole_seconds};
use crate::constants::{ConstantProblem, Constants, ValueProblem};
use crate::manual::{Function, Section, page};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Date32Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{exec_datafusion_err, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use hashbrown::HashMap;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::TimeZone;
use perennial_calendar::{Moment, OpenTime, OpeningHours};
use std::ops::Range;
use std::sync::Arc;

pub(crate) const FUNCTION: Function =
    Function::scalar("open_seconds", Section::WorkingTime, page!("open_seconds"), function).with_rule(check_constants);

fn function() -> ScalarUDF {
    // The answer depends on options of the session, which do not change while a query runs.
    let mut signature = Signature::user_defined(Volatility::Stable);
    signature.parameter_names = Some(["from", "to", "hours", "calendar"].map(String::from).to_vec());
    OpenSeconds { signature }.into()
}

fn check_constants(arguments: &Constants<'_>) -> Result<(), ConstantProblem> {
    arguments.test_text(2, opening_hours)
}

fn opening_hours(text: &str) -> Result<OpeningHours, ValueProblem> {
    OpeningHours::parse(text).map_err(|invalid| ValueProblem::new(invalid.message, invalid.hint.unwrap_or_default()))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OpenSeconds {
    signature: Signature,
}

impl ScalarUDFImpl for OpenSeconds {
    fn name(&self) -> &str {
        FUNCTION.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let name = FUNCTION.name;
        let (from, to, hours, calendar) = match types {
            [from, to, hours] => (from, to, hours, None),
            [from, to, hours, calendar] => (from, to, hours, Some(calendar)),
            _ => return plan_err!("{name}: {} arguments are given; it takes 3, or 4 with a calendar", types.len()),
        };
        if !is_text(hours) {
            return plan_err!("{name}: hours is {}; it is a TEXT such as 'Mon-Fri 09:00-17:30'", type_name(hours));
        }
        let mut coerced = vec![time_type("from", from)?, time_type("to", to)?, DataType::Utf8];
        if let Some(calendar) = calendar {
            coerced.push(name_type(name, calendar)?);
        }
        Ok(coerced)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let (calendars, zone) = (Calendars::of(&arguments.config_options), zone(&arguments.config_options)?);
        let chosen = Chosen::read(FUNCTION.name, &calendars, arguments.args.get(3), rows)?;
        let [from, to, hours, ..] = arguments.args.as_slice() else {
            return exec_err!("{}: it takes 3 or 4 arguments", FUNCTION.name);
        };
        let hours = Hours::read(hours, rows)?;
        let (from, to) = (Times::read(&from.to_array(rows)?)?, Times::read(&to.to_array(rows)?)?);
        let Some(range) = Times::range(&from, &to) else {
            return Ok(ColumnarValue::Array(Arc::new(Int64Array::new_null(rows))));
        };
        let mut known: HashMap<(&str, *const WorkCalendar), OpenTime> = HashMap::new();
        let mut seconds = Vec::with_capacity(rows);
        for row in 0..rows {
            let (Some(from), Some(to)) = (from.get(row), to.get(row)) else {
                seconds.push(None);
                continue;
            };
            let (Some(text), Some(calendar)) = (hours.text(row), chosen.of_row(row)?) else {
                seconds.push(None);
                continue;
            };
            let key = (text, std::ptr::from_ref(calendar));
            if !known.contains_key(&key) {
                let hours = hours.parse(text)?;
                known.insert(key, OpenTime::new(&hours, &calendar.calendar, &zone, range.clone()));
            }
            seconds.push(known.get(&key).map(|open| open.between(from, to)));
        }
        Ok(ColumnarValue::Array(Arc::new(Int64Array::from(seconds))))
    }
}

fn time_type(name: &str, given: &DataType) -> Result<DataType> {
    match given {
        DataType::Date32 | DataType::Timestamp(..) => Ok(given.clone()),
        DataType::Date64 | DataType::Null => Ok(DataType::Date32),
        DataType::Dictionary(_, value) => time_type(name, value),
        other => {
            let (function, other) = (FUNCTION.name, type_name(other));
            plan_err!(
                "{function}: {name} is {other}; it is a time: DATE '2026-01-31' or TIMESTAMP '2026-01-31 10:00:00'"
            )
        }
    }
}

/// The time zone of the session.
fn zone(options: &ConfigOptions) -> Result<TimeZone> {
    let Some(name) = &options.execution.time_zone else { return Ok(TimeZone::UTC) };
    DateTimeParser::new()
        .parse_time_zone(name)
        .map_err(|_| exec_datafusion_err!("{}: unknown time zone '{name}'", FUNCTION.name))
}

/// The hours of each row.
enum Hours {
    Same(Option<(String, OpeningHours)>),
    ByRow(StringArray),
}

impl Hours {
    /// Hours that are the same for all rows are read even if there are no rows.
    fn read(argument: &ColumnarValue, rows: usize) -> Result<Hours> {
        match argument {
            ColumnarValue::Scalar(value) => match value.try_as_str().flatten() {
                Some(text) => Ok(Hours::Same(Some((text.to_string(), parsed(text)?)))),
                None => Ok(Hours::Same(None)),
            },
            ColumnarValue::Array(_) => Ok(Hours::ByRow(argument.to_array(rows)?.as_string::<i32>().clone())),
        }
    }

    fn text(&self, row: usize) -> Option<&str> {
        match self {
            Hours::Same(hours) => hours.as_ref().map(|(text, _)| text.as_str()),
            Hours::ByRow(texts) => texts.is_valid(row).then(|| texts.value(row)),
        }
    }

    fn parse(&self, text: &str) -> Result<OpeningHours> {
        match self {
            Hours::Same(Some((_, hours))) => Ok(hours.clone()),
            _ => parsed(text),
        }
    }
}

fn parsed(text: &str) -> Result<OpeningHours> {
    opening_hours(text).map_err(|problem| exec_datafusion_err!("{}: {problem}", FUNCTION.name))
}

/// Times as seconds since 1970, rounded down.
struct Times {
    seconds: Int64Array,
    /// Whether they have a zone; the others are those of the session's.
    is_instant: bool,
}

impl Times {
    fn read(array: &ArrayRef) -> Result<Times> {
        match array.data_type() {
            DataType::Date32 => {
                let seconds = array.as_primitive::<Date32Type>().unary(|day| i64::from(day) * 86_400);
                Ok(Times { seconds, is_instant: false })
            }
            DataType::Timestamp(unit, zone) => {
                Ok(Times { seconds: whole_seconds(FUNCTION.name, array, *unit)?, is_instant: zone.is_some() })
            }
            other => exec_err!("{}: {other} is not a time", FUNCTION.name),
        }
    }

    fn get(&self, row: usize) -> Option<Moment> {
        let second = self.seconds.is_valid(row).then(|| self.seconds.value(row))?;
        Some(if self.is_instant { Moment::Instant(second) } else { Moment::Local(second) })
    }

    /// From the first to the last of both, as if it were UTC.
    fn range(one: &Times, other: &Times) -> Option<Range<i64>> {
        let first = min(&one.seconds).into_iter().chain(min(&other.seconds)).min()?;
        let last = max(&one.seconds).into_iter().chain(max(&other.seconds)).max()?;
        Some(first..last)
    }
}
