//! `sessionize(time, gap) OVER (...)`: which session of its visitor a row belongs to.

use crate::manual::{Example, Function, Kind, Page, Section};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{
    DataType, Date32Type, Field, FieldRef, Float64Type, Int64Type, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use datafusion::common::{ScalarValue, exec_datafusion_err, exec_err, plan_err, utils::take_function_args};
use datafusion::error::Result;
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{LimitEffect, PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl};
use datafusion::physical_plan::PhysicalExpr;
use std::ops::Range;
use std::sync::Arc;

pub(crate) const FUNCTION: Function = Function { kind: Kind::Window(function), page: &PAGE };

const PAGE: Page = Page {
    name: "sessionize",
    section: Section::General,
    syntax: "sessionize(time, gap) OVER (PARTITION BY visitor ORDER BY time)",
    summary: "The number of the session that a row belongs to",
    arguments: &[
        ("time", "DATE or TIMESTAMP, the same as in ORDER BY"),
        ("gap", "INTERVAL of days and shorter, or a number of seconds: silence longer than this ends a session"),
    ],
    returns: "BIGINT from 1 in each partition; NULL where `time` is.",
    description: "A session is a run of rows with no more than `gap` between a row and the one before it; a silence of \
        exactly `gap` does not end it. Rows without a time belong to no session and end none.",
    sources: &[],
    examples: &[Example {
        sql: "SELECT visitor, at, sessionize(at, INTERVAL '30 minutes') OVER (PARTITION BY visitor ORDER BY at) AS session\n\
            FROM (VALUES\n    ('a', TIMESTAMP '2026-03-01 10:00:00'), ('a', TIMESTAMP '2026-03-01 10:30:00'),\n    \
            ('a', TIMESTAMP '2026-03-01 11:00:01'), ('b', TIMESTAMP '2026-03-01 10:10:00')\n) AS hits (visitor, at)\n\
            ORDER BY visitor, at",
        answer: "visitor | at | session\na | 2026-03-01T10:00:00 | 1\na | 2026-03-01T10:30:00 | 1\n\
            a | 2026-03-01T11:00:01 | 2\nb | 2026-03-01T10:10:00 | 1",
    }],
    limits: &[
        "ORDER BY the same time, ascending: rows that go back in time are an error.",
        "Months have no fixed length and are no gap. A day of an INTERVAL has 24 hours.",
    ],
    related: &["date_diff"],
};

fn function() -> WindowUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    let signature = signature.clone().with_parameter_names(vec!["time", "gap"]).unwrap_or(signature);
    WindowUDF::from(Sessionize { signature })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sessionize {
    signature: Signature,
}

const GAP: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

impl WindowUDFImpl for Sessionize {
    fn name(&self) -> &str {
        "sessionize"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [time, gap] = take_function_args("sessionize", types)?;
        let time = match time {
            DataType::Date32 | DataType::Timestamp(..) => time.clone(),
            DataType::Date64 | DataType::Null => DataType::Date32,
            other => return plan_err!("sessionize: the time is {other}; a DATE or TIMESTAMP is needed"),
        };
        let gap = match gap {
            DataType::Interval(_) => GAP,
            number if number.is_numeric() => DataType::Float64,
            other => return plan_err!("sessionize: the gap is {other}; an INTERVAL or a number of seconds is needed"),
        };
        Ok(vec![time, gap])
    }

    fn field(&self, arguments: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(arguments.name(), DataType::Int64, true)))
    }

    fn partition_evaluator(&self, _: PartitionEvaluatorArgs<'_>) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::<Sessions>::default())
    }

    fn limit_effect(&self, _: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        LimitEffect::None
    }
}

/// What is known after the rows so far.
#[derive(Debug, Default)]
struct Sessions {
    number: i64,
    /// Nanoseconds since 1970.
    previous: Option<i128>,
}

impl Sessions {
    fn next(&mut self, time: Option<i128>, gap: i128) -> Result<Option<i64>> {
        let Some(time) = time else { return Ok(None) };
        match self.previous {
            None => self.number = 1,
            Some(previous) if time < previous => {
                return exec_err!("sessionize: a row goes back in time; ORDER BY the time, ascending, in OVER");
            }
            Some(previous) if time - previous > gap => self.number += 1,
            Some(_) => {}
        }
        self.previous = Some(time);
        Ok(Some(self.number))
    }
}

impl PartitionEvaluator for Sessions {
    fn evaluate_all(&mut self, values: &[ArrayRef], num_rows: usize) -> Result<ArrayRef> {
        let [time, gap] = take_function_args("sessionize", values)?;
        let times = nanoseconds(time)?;
        let mut gaps = Gaps::new(gap)?;
        let mut sessions = Sessions::default();
        let numbers: Int64Array =
            (0..num_rows).map(|i| sessions.next(times.get(i), gaps.get(i)?)).collect::<Result<_>>()?;
        Ok(Arc::new(numbers))
    }

    fn evaluate(&mut self, values: &[ArrayRef], range: &Range<usize>) -> Result<ScalarValue> {
        let [time, gap] = take_function_args("sessionize", values)?;
        let time = nanoseconds(&time.slice(range.start, 1))?.get(0);
        let gap = Gaps::new(&gap.slice(range.start, 1))?.get(0)?;
        Ok(ScalarValue::Int64(self.next(time, gap)?))
    }

    fn supports_bounded_execution(&self) -> bool {
        true
    }

    fn is_causal(&self) -> bool {
        true
    }
}

/// Times and how many nanoseconds one of their ticks has.
struct Times {
    ticks: Int64Array,
    nanoseconds: i128,
}

impl Times {
    fn get(&self, i: usize) -> Option<i128> {
        self.ticks.is_valid(i).then(|| i128::from(self.ticks.value(i)) * self.nanoseconds)
    }
}

fn nanoseconds(times: &ArrayRef) -> Result<Times> {
    let nanoseconds = match times.data_type() {
        DataType::Date32 => {
            let ticks = times.as_primitive::<Date32Type>().unary(i64::from);
            return Ok(Times { ticks, nanoseconds: 86_400_000_000_000 });
        }
        DataType::Timestamp(TimeUnit::Second, _) => 1_000_000_000,
        DataType::Timestamp(TimeUnit::Millisecond, _) => 1_000_000,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 1_000,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => 1,
        other => return exec_err!("sessionize: the time is {other}; a DATE or TIMESTAMP is needed"),
    };
    let ticks = arrow::array::make_array(times.to_data().into_builder().data_type(DataType::Int64).build()?);
    let ticks = ticks
        .as_primitive_opt::<Int64Type>()
        .ok_or_else(|| exec_datafusion_err!("sessionize: a timestamp that is no number"))?
        .clone();
    Ok(Times { ticks, nanoseconds })
}

/// The gap of every row in nanoseconds.
struct Gaps<'a> {
    array: &'a ArrayRef,
}

impl<'a> Gaps<'a> {
    fn new(array: &'a ArrayRef) -> Result<Gaps<'a>> {
        Ok(Gaps { array })
    }

    fn get(&mut self, i: usize) -> Result<i128> {
        if self.array.is_null(i) {
            return exec_err!("sessionize: the gap is NULL; an INTERVAL or a number of seconds is needed");
        }
        if *self.array.data_type() == GAP {
            let gap = self.array.as_primitive::<IntervalMonthDayNanoType>().value(i);
            if gap.months != 0 {
                return exec_err!("sessionize: a gap of months has no fixed length; write days");
            }
            let length = i128::from(gap.days) * 86_400_000_000_000 + i128::from(gap.nanoseconds);
            return if length >= 0 { Ok(length) } else { exec_err!("sessionize: the gap is negative") };
        }
        let seconds = self.array.as_primitive::<Float64Type>().value(i);
        // Three hundred thousand years: more than any two timestamps are apart.
        if !(0.0..=1e13).contains(&seconds) {
            return exec_err!("sessionize: a gap of {seconds} seconds; 0 to 1e13");
        }
        Ok((seconds * 1e9).round() as i128)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, TimestampSecondArray};

    #[test]
    fn row_by_row_is_the_same_as_all_at_once() {
        let times = [Some(0), None, Some(60), Some(120), Some(181), Some(1_000), None, Some(1_060)];
        let time: ArrayRef = Arc::new(TimestampSecondArray::from(times.to_vec()));
        let gap: ArrayRef = Arc::new(Float64Array::from(vec![60.0; times.len()]));
        let all = Sessions::default().evaluate_all(&[time.clone(), gap.clone()], times.len()).unwrap();
        let expected = [Some(1), None, Some(1), Some(1), Some(2), Some(3), None, Some(3)];
        assert_eq!(all.as_primitive::<Int64Type>(), &Int64Array::from(expected.to_vec()));
        let mut bounded = Sessions::default();
        for (i, number) in expected.into_iter().enumerate() {
            let value = bounded.evaluate(&[time.clone(), gap.clone()], &(i..i + 1)).unwrap();
            assert_eq!(value, ScalarValue::Int64(number));
        }
    }
}
