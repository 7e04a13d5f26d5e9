//! Scalar functions of a shifted-beta-geometric fit: reading it, its arguments, and the interval by the delta method.

use crate::common::{interval_fields, type_name};
use crate::constants::{ConstantProblem, Constants, ValueProblem};
use crate::fits::fit::{Fit, Model};
use crate::limits;
use crate::models::shifted_beta_geometric::{MAX_PERIODS, ShiftedBetaGeometric};
use crate::models::{Delta, Interval, Scale, Unit};
use crate::predictions::columns::{self, Fits};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{exec_datafusion_err, exec_err, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use hashbrown::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// No function takes more numbers than this besides the fit and the confidence.
const MAX_INPUTS: usize = 3;

/// Converts the numbers given, and the unit of the fit, to the inputs of the model.
type Prepare = fn(&[f64], Option<Unit>) -> Result<[f64; MAX_INPUTS], ValueProblem>;

/// What a function asks of the model.
#[derive(Debug)]
pub(super) struct Quantity {
    /// The name in SQL.
    pub name: &'static str,
    /// The name of the variant with an interval.
    pub interval_name: &'static str,
    /// Names of the numbers after the fit.
    pub inputs: &'static [&'static str],
    /// How many of them must be given.
    pub needed: usize,
    /// The scale of its interval.
    pub scale: Scale,
    /// Tests one of the numbers, by its position among them.
    pub test: fn(usize, f64) -> Result<f64, ValueProblem>,
    /// Converts the numbers, which have passed the test, to what `value` takes.
    pub prepare: Prepare,
    /// The value.
    pub value: fn(ShiftedBetaGeometric, [f64; MAX_INPUTS]) -> f64,
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Quantity {}

impl Hash for Quantity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Quantity {
    /// Tests the constant arguments of a call.
    pub fn check_constants(&self, arguments: &Constants<'_>) -> Result<(), ConstantProblem> {
        for i in 0..self.inputs.len() {
            arguments.test_number(1 + i, |number| (self.test)(i, number))?;
        }
        arguments.test_number(1 + self.inputs.len(), limits::confidence)
    }
}

/// The function that gives the value.
pub(super) fn function(quantity: &'static Quantity) -> ScalarUDF {
    make(quantity, false)
}

/// The function that gives it with an interval.
pub(super) fn interval_function(quantity: &'static Quantity) -> ScalarUDF {
    make(quantity, true)
}

fn make(quantity: &'static Quantity, interval: bool) -> ScalarUDF {
    let last: &[&str] = if interval { &["confidence"] } else { &[] };
    let names = ["fit"].iter().chain(quantity.inputs).chain(last).map(ToString::to_string).collect();
    let mut signature = Signature::user_defined(Volatility::Immutable);
    signature.parameter_names = Some(names);
    ScalarUDF::from(ContractFunction { signature, interval, quantity })
}

/// A number of periods: whole, from 0 or 1 to the longest a contract can last.
pub(super) fn periods(name: &str, value: f64, min: f64) -> Result<f64, ValueProblem> {
    if value.fract() == 0.0 && (min..=MAX_PERIODS).contains(&value) {
        return Ok(value);
    }
    let hint = format!("it is a whole number of periods from {min} to {MAX_PERIODS}");
    Err(ValueProblem::new(format!("the {name} is {value}"), hint))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ContractFunction {
    signature: Signature,
    interval: bool,
    quantity: &'static Quantity,
}

impl ScalarUDFImpl for ContractFunction {
    fn name(&self) -> &str {
        if self.interval { self.quantity.interval_name } else { self.quantity.name }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let Quantity { inputs, needed, .. } = self.quantity;
        let names: Vec<&str> = inputs.iter().copied().chain(self.interval.then_some("confidence")).collect();
        let Some((fit, numbers)) =
            types.split_first().filter(|(_, rest)| (*needed..=names.len()).contains(&rest.len()))
        else {
            let (needed, optional) = names.split_at(*needed);
            let optional: String = optional.iter().map(|name| format!(" [, {name}]")).collect();
            let given: Vec<_> = types.iter().map(type_name).collect();
            return plan_err!(
                "{}: arguments of (fit, {}{optional}) are needed and not ({})",
                self.name(),
                needed.join(", "),
                given.join(", ")
            );
        };
        if !matches!(fit, DataType::Struct(_) | DataType::Null) {
            return plan_err!(
                "{}: fit is {}; one of shifted_beta_geometric_fit is needed",
                self.name(),
                type_name(fit)
            );
        }
        let mut coerced = vec![fit.clone()];
        for (name, given) in names.iter().zip(numbers) {
            if !(given.is_numeric() || given.is_null()) {
                return plan_err!("{}: {name} is {}; it is a number", self.name(), type_name(given));
            }
            coerced.push(DataType::Float64);
        }
        Ok(coerced)
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
        let mut answered: HashMap<[u64; MAX_INPUTS + 1], Answer> = HashMap::new();
        let mut answers = Vec::with_capacity(rows);
        for row in 0..rows {
            // Consecutive rows mostly have the same fit: it is read once.
            if row == 0 || !fits.same(row - 1, row) {
                ready = self.ready(&fits, row)?;
                answered.clear();
            }
            let values = ready.as_ref().and_then(|_| values(&numbers, row));
            let (Some(ready), Some(values)) = (&ready, values) else {
                answers.push(None);
                continue;
            };
            // There are few distinct tenures: most rows repeat a question.
            let key = values.map(f64::to_bits);
            if !answered.contains_key(&key) {
                answered.insert(key, self.answer(ready, &values[..numbers.len()])?);
            }
            answers.push(answered.get(&key).copied());
        }
        Ok(ColumnarValue::Array(if self.interval { interval_column(&answers)? } else { value_column(&answers) }))
    }
}

/// The numbers of a row with zeros behind them; nothing where one is NULL.
fn values(numbers: &[&Float64Array], row: usize) -> Option<[f64; MAX_INPUTS + 1]> {
    let mut values = [0.0; MAX_INPUTS + 1];
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

impl ContractFunction {
    /// The fit of a row; nothing where it is not usable.
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
        let (inputs, confidence) = values.split_at(values.len().min(self.quantity.inputs.len()));
        let prepared = self.prepared(inputs, ready.unit).map_err(|problem| self.error(&problem))?;
        let confidence = confidence.first().copied().unwrap_or(limits::CONFIDENCE);
        let confidence = limits::confidence(confidence).map_err(|problem| self.error(&problem))?;
        let value = self.quantity.value;
        let limits = || {
            let delta = Delta::new(&ready.logarithms, ready.covariance.as_deref()?, confidence)?;
            let Interval { low, high, .. } =
                delta.interval_of(|point| value(at(point), prepared), self.quantity.scale)?;
            Some((low, high))
        };
        let limits = if self.interval { limits() } else { None };
        Ok(Answer { value: value(ready.model, prepared), limits })
    }

    fn prepared(&self, inputs: &[f64], unit: Option<Unit>) -> Result<[f64; MAX_INPUTS], ValueProblem> {
        for (i, input) in inputs.iter().enumerate() {
            (self.quantity.test)(i, *input)?;
        }
        (self.quantity.prepare)(inputs, unit)
    }

    fn error(&self, problem: &ValueProblem) -> DataFusionError {
        exec_datafusion_err!("{}: {problem}", self.name())
    }
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
