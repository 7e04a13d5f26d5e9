//! Scalar functions of a shifted-beta-geometric fit: reading it, its arguments, and the interval by the delta method.

use crate::fits::fit::{Fit, Model};
use crate::models::shifted_beta_geometric::{MOST_PERIODS, ShiftedBetaGeometric};
use crate::models::{Delta, Interval, Scale, Unit};
use crate::predictions::columns::{self, Fits};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields, Float64Type};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use hashbrown::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

/// No function takes more numbers than this beside the fit and the confidence.
const MOST_INPUTS: usize = 3;

/// What a function asks of the model.
pub(super) trait Quantity: Copy + Debug + PartialEq + Eq + Hash + Send + Sync + 'static {
    /// The name in SQL.
    const NAME: &'static str;
    /// The name of the variant with an interval.
    const INTERVAL_NAME: &'static str;
    /// Names of the numbers after the fit.
    const INPUTS: &'static [&'static str];
    /// How many of them must be given.
    const NEEDED: usize;
    /// The scale of its interval.
    const SCALE: Scale;
    /// Judges the numbers given and brings them to what [`Quantity::value`] takes; else says what is wrong.
    fn prepare(inputs: &[f64], unit: Option<Unit>) -> Result<[f64; MOST_INPUTS], String>;
    /// The value.
    fn value(model: ShiftedBetaGeometric, inputs: [f64; MOST_INPUTS]) -> f64;
}

/// The function that gives the value.
pub(super) fn function<Q: Quantity>() -> ScalarUDF {
    make::<Q>(false)
}

/// The function that gives it with an interval.
pub(super) fn interval_function<Q: Quantity>() -> ScalarUDF {
    make::<Q>(true)
}

fn make<Q: Quantity>(interval: bool) -> ScalarUDF {
    let last: &[&str] = if interval { &["confidence"] } else { &[] };
    let names = ["fit"].iter().chain(Q::INPUTS).chain(last).map(ToString::to_string).collect();
    let mut signature = Signature::user_defined(Volatility::Immutable);
    signature.parameter_names = Some(names);
    ScalarUDF::from(OfContract::<Q> { signature, interval, quantity: PhantomData })
}

/// A number of periods: whole, from 0 or 1 to what a contract can come to.
pub(super) fn periods(name: &str, value: f64, least: f64) -> Result<f64, String> {
    if value.fract() == 0.0 && (least..=MOST_PERIODS).contains(&value) {
        return Ok(value);
    }
    Err(format!("the {name} is {value}; it is a whole number of periods from {least} to {MOST_PERIODS}"))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfContract<Q> {
    signature: Signature,
    interval: bool,
    quantity: PhantomData<Q>,
}

impl<Q: Quantity> ScalarUDFImpl for OfContract<Q> {
    fn name(&self) -> &str {
        if self.interval { Q::INTERVAL_NAME } else { Q::NAME }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let most = Q::INPUTS.len() + usize::from(self.interval);
        let numbers = |types: &[DataType]| types.iter().all(|given| given.is_numeric() || given.is_null());
        match types {
            [fit @ (DataType::Struct(_) | DataType::Null), rest @ ..]
                if (Q::NEEDED..=most).contains(&rest.len()) && numbers(rest) =>
            {
                Ok([fit.clone()].into_iter().chain(rest.iter().map(|_| DataType::Float64)).collect())
            }
            _ => {
                let (needed, optional) = Q::INPUTS.split_at(Q::NEEDED);
                let optional = optional.iter().chain(self.interval.then_some(&"confidence"));
                let optional: String = optional.map(|name| format!(" [, {name}]")).collect();
                let got: Vec<_> = types.iter().map(short).collect();
                plan_err!(
                    "{}: arguments of (fit, {}{optional}) are needed and not ({})",
                    self.name(),
                    needed.join(", "),
                    got.join(", ")
                )
            }
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(if self.interval { DataType::Struct(interval_fields()) } else { DataType::Float64 })
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let Some((fits, numbers)) = arguments.args.split_first() else {
            return exec_err!("{}: a fit is needed", self.name());
        };
        let fits = columns::fits(self.name(), fits)?;
        let numbers = numbers.iter().map(|n| n.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let numbers: Vec<&Float64Array> = numbers.iter().map(|column| column.as_primitive::<Float64Type>()).collect();
        let mut ready = None;
        let mut known: HashMap<[u64; MOST_INPUTS + 1], Answer> = HashMap::new();
        let mut answers = Vec::with_capacity(rows);
        for row in 0..rows {
            // A fit stands in many rows, one after the other: it is read once.
            if row == 0 || !fits.same(row - 1, row) {
                ready = self.ready(&fits, row)?;
                known.clear();
            }
            let values = ready.as_ref().and_then(|_| values(&numbers, row));
            let (Some(ready), Some(values)) = (&ready, values) else {
                answers.push(None);
                continue;
            };
            // Tenures are few: most rows ask what was asked before.
            let key = values.map(f64::to_bits);
            if !known.contains_key(&key) {
                known.insert(key, self.answer(ready, &values[..numbers.len()])?);
            }
            answers.push(known.get(&key).copied());
        }
        Ok(ColumnarValue::Array(if self.interval { interval_column(&answers)? } else { value_column(&answers) }))
    }
}

/// The name of a type; a struct is only called that.
fn short(data_type: &DataType) -> String {
    if matches!(data_type, DataType::Struct(_)) { "Struct".into() } else { data_type.to_string() }
}

/// The numbers of a row with zeros behind them; nothing where one is NULL.
fn values(numbers: &[&Float64Array], row: usize) -> Option<[f64; MOST_INPUTS + 1]> {
    let mut values = [0.0; MOST_INPUTS + 1];
    for (value, column) in values.iter_mut().zip(numbers) {
        *value = column.is_valid(row).then(|| column.value(row))?;
    }
    Some(values)
}

/// A value, and its limits where there are some.
#[derive(Clone, Copy)]
struct Answer {
    value: f64,
    limits: Option<(f64, f64)>,
}

/// A fit made ready for many rows.
struct Ready {
    unit: Option<Unit>,
    model: ShiftedBetaGeometric,
    /// The logarithms of the parameters with their covariance, where it has one.
    logarithms: [f64; 2],
    covariance: Option<Vec<f64>>,
}

fn at(log_parameters: &[f64]) -> ShiftedBetaGeometric {
    ShiftedBetaGeometric { alpha: log_parameters[0].exp(), beta: log_parameters[1].exp() }
}

impl<Q: Quantity> OfContract<Q> {
    /// The fit of a row; nothing where predictions from it mean nothing.
    fn ready(&self, fits: &Fits, row: usize) -> Result<Option<Ready>> {
        let Some((fits, place)) = fits.place(row) else { return Ok(None) };
        let Some(fit) = Fit::read(self.name(), fits, place)? else { return Ok(None) };
        if fit.model != Model::ShiftedBetaGeometric {
            return exec_err!(
                "{}: the fit is of {}; one of shifted_beta_geometric_fit is needed",
                self.name(),
                fit.model.name()
            );
        }
        let parameters = fit.parameters.as_deref().and_then(|all| <[f64; 2]>::try_from(all).ok());
        Ok(parameters.filter(|_| fit.is_usable()).map(|[alpha, beta]| Ready {
            unit: fit.unit,
            model: ShiftedBetaGeometric { alpha, beta },
            logarithms: [alpha.ln(), beta.ln()],
            covariance: fit.covariance,
        }))
    }

    fn answer(&self, ready: &Ready, values: &[f64]) -> Result<Answer> {
        let (inputs, confidence) = values.split_at(values.len().min(Q::INPUTS.len()));
        let prepared = match Q::prepare(inputs, ready.unit) {
            Ok(prepared) => prepared,
            Err(wrong) => return exec_err!("{}: {wrong}", self.name()),
        };
        let confidence = confidence.first().copied().unwrap_or(0.95);
        if !(confidence > 0.0 && confidence < 1.0) {
            return exec_err!("{}: the confidence is {confidence}; it lies between 0 and 1", self.name());
        }
        let limits = || {
            let delta = Delta::new(&ready.logarithms, ready.covariance.as_deref()?, confidence)?;
            let Interval { low, high, .. } = delta.interval_of(|point| Q::value(at(point), prepared), Q::SCALE)?;
            Some((low, high))
        };
        let limits = if self.interval { limits() } else { None };
        Ok(Answer { value: Q::value(ready.model, prepared), limits })
    }
}

fn interval_fields() -> Fields {
    ["estimate", "low", "high"].map(|name| Field::new(name, DataType::Float64, true)).to_vec().into()
}

fn value_column(answers: &[Option<Answer>]) -> ArrayRef {
    Arc::new(answers.iter().map(|answer| answer.as_ref().map(|answer| answer.value)).collect::<Float64Array>())
}

fn interval_column(answers: &[Option<Answer>]) -> Result<ArrayRef> {
    let column = |part: fn(&Answer) -> Option<f64>| -> ArrayRef {
        Arc::new(answers.iter().map(|answer| answer.as_ref().and_then(part)).collect::<Float64Array>())
    };
    let columns = vec![
        column(|answer| Some(answer.value)),
        column(|answer| answer.limits.map(|limits| limits.0)),
        column(|answer| answer.limits.map(|limits| limits.1)),
    ];
    let present = NullBuffer::from_iter(answers.iter().map(Option::is_some));
    Ok(Arc::new(StructArray::try_new(interval_fields(), columns, Some(present))?))
}
