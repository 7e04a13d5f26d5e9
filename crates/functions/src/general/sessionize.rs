//! `sessionize(time, gap) OVER (...)`: which session of its visitor a row belongs to.

use crate::constants::{ConstantProblem, Constants, ValueProblem};
use crate::manual::{Function, Section, page};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{
    DataType, Date32Type, Field, FieldRef, Float64Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
    IntervalUnit, TimeUnit,
};
use datafusion::common::{ScalarValue, exec_datafusion_err, exec_err, plan_err, utils::take_function_args};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{LimitEffect, PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl};
use datafusion::physical_plan::PhysicalExpr;
use std::ops::Range;
use std::sync::Arc;

pub(crate) const FUNCTION: Function =
    Function::window("sessionize", Section::General, page!("sessionize"), function).with_rule(check_constants);

fn function() -> WindowUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    let signature = signature.clone().with_parameter_names(vec!["time", "gap"]).unwrap_or(signature);
    WindowUDF::from(Sessionize { signature })
}

fn check_constants(arguments: &Constants<'_>) -> Result<(), ConstantProblem> {
    if let Some(ScalarValue::IntervalMonthDayNano(Some(interval))) = arguments.value(1) {
        return length(*interval).map(drop).map_err(|problem| problem.at(1));
    }
    arguments.test_number(1, seconds)
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

/// The state after the rows so far.
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
        .ok_or_else(|| exec_datafusion_err!("sessionize: a timestamp that is not a number"))?
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
            return length(self.array.as_primitive::<IntervalMonthDayNanoType>().value(i)).map_err(error);
        }
        seconds(self.array.as_primitive::<Float64Type>().value(i)).map_err(error)
    }
}

fn error(problem: ValueProblem) -> DataFusionError {
    exec_datafusion_err!("sessionize: {problem}")
}

/// Nanoseconds of an INTERVAL.
fn length(gap: IntervalMonthDayNano) -> Result<i128, ValueProblem> {
    if gap.months != 0 {
        return Err(ValueProblem::new("a gap of months has no fixed length", "write days"));
    }
    let length = i128::from(gap.days) * 86_400_000_000_000 + i128::from(gap.nanoseconds);
    if length < 0 {
        return Err(ValueProblem::new("the gap is negative", "it is a length of time, 0 or more"));
    }
    Ok(length)
}

/// Nanoseconds of seconds.
fn seconds(seconds: f64) -> Result<i128, ValueProblem> {
    // Three hundred thousand years: more than any two timestamps are apart.
    if !(0.0..=1e13).contains(&seconds) {
        return Err(ValueProblem::new(format!("the gap is {seconds} seconds"), "it is a number from 0 to 1e13"));
    }
    Ok((seconds * 1e9).round() as i128)
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
