//! A scalar function of a quantity: reads the arguments, makes the fits ready, and asks them for all rows of a batch.

use super::columns::{Fits, Numbers, Units, coerced, fits, meanings, numbers, units};
use super::prepared::{Customers, Future, Prepared};
use super::quantity::{Argument, Quantity};
use crate::common::interval_fields;
use crate::constants::{ConstantProblem, Constants, ValueProblem};
use crate::fits::fit::{Fit, Model};
use crate::limits;
use crate::models::{History, Interval, Unit};
use arrow::array::{ArrayRef, Float64Array, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use datafusion::common::{ScalarValue, exec_datafusion_err, exec_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use hashbrown::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

/// A horizon of BG/BB beyond this would lose digits.
const MAX_OPPORTUNITIES_AHEAD: f64 = 100_000.0;

/// Fits that are kept ready from batch to batch.
const MAX_KEPT: usize = 256;

/// Makes the function of that name.
pub(super) fn function(name: &'static str, quantity: Quantity, interval: bool) -> ScalarUDF {
    let arguments = quantity.needed().iter().chain(quantity.optional(interval));
    let mut signature = Signature::user_defined(Volatility::Immutable);
    signature.parameter_names = Some(arguments.map(|argument| argument.name().to_string()).collect());
    ScalarUDF::from(Score { name, quantity, interval, signature, kept: Mutex::default() })
}

/// Tests the constant arguments of a call.
pub(super) fn check_constants(
    quantity: Quantity,
    interval: bool,
    arguments: &Constants<'_>,
) -> Result<(), ConstantProblem> {
    let needed = quantity.needed();
    for (i, argument) in needed.iter().enumerate() {
        arguments.test_number(i, |number| argument.test(quantity, number))?;
    }
    let discount_rate = needed.iter().position(|argument| *argument == Argument::DiscountRate);
    let horizon = needed.iter().position(|argument| *argument == Argument::Horizon);
    if let (Some(rate), Some(horizon)) = (discount_rate, horizon)
        && let (Some(rate), Some(length)) = (arguments.number(rate), arguments.number(horizon))
    {
        test_sum(length, rate).map_err(|problem| problem.at(horizon))?;
    }
    // A unit may be left out before a confidence: which of the two an argument is shows in its type.
    for i in needed.len()..arguments.len() {
        if quantity.optional(interval).contains(&Argument::Unit) {
            arguments.test_text(i, limits::unit)?;
        }
        if interval {
            arguments.test_number(i, limits::confidence)?;
        }
    }
    Ok(())
}

/// Without discount purchases for ever add up to no finite number.
fn test_sum(horizon: f64, discount_rate: f64) -> Result<(), ValueProblem> {
    if horizon.is_infinite() && discount_rate == 0.0 {
        return Err(ValueProblem::new("without a discount rate the horizon must be finite", "the sum has no end"));
    }
    Ok(())
}

#[derive(Debug)]
struct Score {
    name: &'static str,
    quantity: Quantity,
    interval: bool,
    signature: Signature,
    /// Prepared fits by their fields and the future; nothing where no prediction can be made.
    kept: Mutex<HashMap<String, Option<Arc<Prepared>>>>,
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Score {}

impl Hash for Score {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Score {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerced(self.name, self.quantity, self.interval, types)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(if self.interval { DataType::Struct(interval_fields()) } else { DataType::Float64 })
    }

    /// Counts arguments as lazy: else `(SELECT fit FROM fits)` in two predictions of a query would be taken out as a
    /// common part, and one value for all rows would become a column, which costs a hundred times as much as the
    /// predictions. (Only some lazy ones would not do: DataFusion 55 takes lazy arguments to follow the others.)
    fn short_circuits(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let once = arguments.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if once { 1 } else { arguments.number_rows };
        let columns = Columns::read(self, &arguments)?;
        let mut answers = Answers::new(rows, self.interval);
        for alike in columns.rows_alike(rows) {
            if let Some(prepared) = self.prepared(&columns, alike[0])? {
                self.score(&columns, &prepared, &alike, &mut answers)?;
            }
        }
        let answer = answers.into_array();
        if once {
            Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&answer, 0)?))
        } else {
            Ok(ColumnarValue::Array(answer))
        }
    }
}

/// The arguments of a batch by their meaning. What is not an argument of the function is 0 in all rows.
struct Columns {
    fit: Option<Fits>,
    spend_fit: Option<Fits>,
    frequency: Numbers,
    recency: Numbers,
    age: Numbers,
    mean_spend: Numbers,
    margin_share: Numbers,
    discount_rate: Numbers,
    horizon: Numbers,
    unit: Units,
    confidence: Numbers,
    /// Whether fits and future are the same in all rows.
    constant: bool,
}

impl Columns {
    fn read(score: &Score, arguments: &ScalarFunctionArgs) -> Result<Columns> {
        let zero = || Numbers::One(Some(0.0));
        let mut columns = Columns {
            fit: None,
            spend_fit: None,
            frequency: zero(),
            recency: zero(),
            age: zero(),
            mean_spend: zero(),
            margin_share: Numbers::One(Some(1.0)),
            discount_rate: zero(),
            horizon: zero(),
            unit: Units::One(None),
            confidence: Numbers::One(Some(limits::CONFIDENCE)),
            constant: false,
        };
        let types: Vec<DataType> = arguments.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let meanings = meanings(score.quantity, score.interval, &types);
        for (meaning, value) in meanings.into_iter().zip(&arguments.args) {
            let place = match meaning {
                Argument::Fit => {
                    columns.fit = Some(fits(score.name, value)?);
                    continue;
                }
                Argument::SpendFit => {
                    columns.spend_fit = Some(fits(score.name, value)?);
                    continue;
                }
                Argument::Unit => {
                    columns.unit = units(score.name, value)?;
                    continue;
                }
                Argument::Frequency => &mut columns.frequency,
                Argument::Recency => &mut columns.recency,
                Argument::Age => &mut columns.age,
                Argument::MeanSpend => &mut columns.mean_spend,
                Argument::MarginShare => &mut columns.margin_share,
                Argument::DiscountRate => &mut columns.discount_rate,
                Argument::Horizon => &mut columns.horizon,
                Argument::Confidence => &mut columns.confidence,
            };
            *place = numbers(score.name, value)?;
        }
        let one_fit = |fits: &Option<Fits>| !matches!(fits, Some(Fits::Many(_)));
        columns.constant = one_fit(&columns.fit)
            && one_fit(&columns.spend_fit)
            && matches!(columns.unit, Units::One(_))
            && [&columns.horizon, &columns.discount_rate, &columns.confidence]
                .iter()
                .all(|numbers| matches!(numbers, Numbers::One(_)));
        Ok(columns)
    }

    /// The rows in groups with the same fits and future, so that these are made ready once for all of them.
    fn rows_alike(&self, rows: usize) -> Vec<Vec<usize>> {
        if self.constant {
            return if rows == 0 { Vec::new() } else { vec![(0..rows).collect()] };
        }
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut by_hash: HashMap<u64, Vec<usize>> = HashMap::new();
        for row in 0..rows {
            let candidates = by_hash.entry(self.hash(row)).or_default();
            match candidates.iter().find(|group| self.same(groups[**group][0], row)) {
                Some(group) => groups[*group].push(row),
                None => {
                    candidates.push(groups.len());
                    groups.push(vec![row]);
                }
            }
        }
        groups
    }

    fn hash(&self, row: usize) -> u64 {
        let mut hasher = DefaultHasher::new();
        for numbers in [&self.horizon, &self.discount_rate] {
            numbers.get(row).map(f64::to_bits).hash(&mut hasher);
        }
        for fits in [&self.fit, &self.spend_fit].into_iter().flatten() {
            fits.hash(row, &mut hasher);
        }
        hasher.finish()
    }

    /// Whether fits and future are the same in two rows.
    fn same(&self, one: usize, other: usize) -> bool {
        let fits = |fits: &Option<Fits>| fits.as_ref().is_none_or(|fits| fits.same(one, other));
        self.horizon.same(one, other)
            && self.discount_rate.same(one, other)
            && self.confidence.same(one, other)
            && self.unit.same(one, other)
            && fits(&self.fit)
            && fits(&self.spend_fit)
    }
}

impl Score {
    /// The prepared fits of a row; nothing where a required argument is NULL or a fit is not usable.
    fn prepared(&self, columns: &Columns, row: usize) -> Result<Option<Arc<Prepared>>> {
        let (Some(horizon), Some(discount_rate), Some(confidence)) =
            (columns.horizon.get(row), columns.discount_rate.get(row), columns.confidence.get(row))
        else {
            return Ok(None);
        };
        let mut read = Vec::new();
        for fits in [&columns.fit, &columns.spend_fit].into_iter().flatten() {
            match fits.place(row).map(|(fits, row)| Fit::read(self.name, fits, row)).transpose()?.flatten() {
                Some(fit) => read.push(fit),
                None => return Ok(None),
            }
        }
        self.test(Argument::Confidence, confidence)?;
        let future = self.future(&read, horizon, columns.unit.get(self.name, row)?, discount_rate)?;
        // Shortest digits that give the same number again, so that different numbers have different texts.
        let key = format!("{read:?} {future:?} {confidence:?}");
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prepared) = kept.get(&key) {
            return Ok(prepared.clone());
        }
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        let fits: Vec<&Fit> = read.iter().collect();
        let confidence = self.interval.then_some(confidence);
        let prepared = Prepared::new(self.quantity, future, &fits, confidence).map(Arc::new);
        kept.insert(key, prepared.clone());
        Ok(prepared)
    }

    fn error(&self, problem: &ValueProblem) -> DataFusionError {
        exec_datafusion_err!("{}: {problem}", self.name)
    }

    fn test(&self, argument: Argument, number: f64) -> Result<f64> {
        argument.test(self.quantity, number).map_err(|problem| self.error(&problem))
    }

    /// The future in the unit of the fit of purchases.
    fn future(&self, fits: &[Fit], horizon: f64, unit: Option<Unit>, discount_rate: f64) -> Result<Future> {
        let name = self.name;
        let own = fits.first().and_then(|fit| fit.unit);
        self.test(Argument::Horizon, horizon)?;
        self.test(Argument::DiscountRate, discount_rate)?;
        test_sum(horizon, discount_rate).map_err(|problem| self.error(&problem))?;
        let horizon = match (unit, own) {
            (None, _) => horizon,
            (Some(given), Some(own)) => given.convert(horizon, own),
            (Some(given), None) => {
                return exec_err!(
                    "{name}: the horizon is in {}s and the fit has no unit; give the fit its unit, or leave that of \
                     the horizon out",
                    given.name()
                );
            }
        };
        let is_counted = fits.first().is_some_and(|fit| fit.model == Model::BgBb) && horizon.is_finite();
        if is_counted && (horizon.fract() != 0.0 || horizon > MAX_OPPORTUNITIES_AHEAD) {
            return exec_err!(
                "{name}: the horizon comes to {horizon} opportunities; for BG/BB it is a whole number of opportunities, at most \
                 {MAX_OPPORTUNITIES_AHEAD}"
            );
        }
        let rate = match own {
            _ if discount_rate == 0.0 => 0.0,
            Some(own) => own.continuous_rate(discount_rate),
            None => {
                return exec_err!(
                    "{name}: the fit has no unit, so a yearly discount rate cannot be converted to its time"
                );
            }
        };
        Ok(Future { horizon, rate })
    }

    /// Writes the answers of rows with the same fits and future.
    fn score(&self, columns: &Columns, prepared: &Prepared, rows: &[usize], answers: &mut Answers) -> Result<()> {
        let mut customers = Customers::with_capacity(rows.len());
        for &row in rows {
            let (Some(frequency), Some(recency), Some(age), Some(factor)) = (
                columns.frequency.get(row),
                columns.recency.get(row),
                columns.age.get(row),
                columns.margin_share.get(row),
            ) else {
                continue;
            };
            let history = History { frequency, recency, age };
            prepared.check(history).map_err(|problem| self.error(&problem))?;
            let Some(mean_spend) = self.mean_spend(columns, row, frequency)? else { continue };
            self.test(Argument::MarginShare, factor)?;
            customers.push(row, history, mean_spend, factor);
        }
        let values: Vec<Vec<f64>> = (0..prepared.points()).map(|point| prepared.values(point, &customers)).collect();
        for (i, row) in customers.rows.iter().enumerate() {
            let factor = customers.factor[i];
            if let Some(delta) = &prepared.delta {
                let at_points: Vec<f64> = values.iter().map(|values| values[i]).collect();
                if let Some(interval) = delta.interval(&at_points, self.quantity.scale()) {
                    answers.set(*row, times(interval, factor));
                }
            } else if values[0][i].is_finite() {
                // Adding zero makes one of the two zeros.
                let estimate = values[0][i] * factor + 0.0;
                answers.set(*row, Interval { estimate, low: estimate, high: estimate });
            }
        }
        Ok(())
    }

    /// The mean spend of a row: ignored without a repeat purchase; nothing where no answer can be given.
    fn mean_spend(&self, columns: &Columns, row: usize, frequency: f64) -> Result<Option<f64>> {
        if frequency == 0.0 || columns.spend_fit.is_none() {
            return Ok(Some(0.0));
        }
        match columns.mean_spend.get(row) {
            Some(mean) => Ok(Some(self.test(Argument::MeanSpend, mean)?).filter(|mean| *mean > 0.0)),
            None => Ok(None),
        }
    }
}

/// The interval of a multiple; a negative factor swaps the limits.
fn times(interval: Interval, factor: f64) -> Interval {
    let Interval { estimate, low, high } = interval;
    let (low, high) = if factor < 0.0 { (high, low) } else { (low, high) };
    Interval { estimate: estimate * factor, low: low * factor, high: high * factor }
}

/// Answers of a batch: NULL until they are set.
struct Answers {
    known: Vec<bool>,
    estimate: Vec<f64>,
    /// Only for intervals.
    limits: Option<(Vec<f64>, Vec<f64>)>,
}

impl Answers {
    fn new(rows: usize, interval: bool) -> Answers {
        let limits = interval.then(|| (vec![0.0; rows], vec![0.0; rows]));
        Answers { known: vec![false; rows], estimate: vec![0.0; rows], limits }
    }

    fn set(&mut self, row: usize, interval: Interval) {
        self.known[row] = true;
        self.estimate[row] = interval.estimate;
        if let Some((low, high)) = &mut self.limits {
            low[row] = interval.low;
            high[row] = interval.high;
        }
    }

    fn into_array(self) -> ArrayRef {
        let known = Some(NullBuffer::from(self.known));
        match self.limits {
            None => Arc::new(Float64Array::new(self.estimate.into(), known)),
            Some((low, high)) => {
                let columns =
                    [self.estimate, low, high].map(|column| -> ArrayRef { Arc::new(Float64Array::from(column)) });
                Arc::new(StructArray::new(interval_fields(), columns.to_vec(), known))
            }
        }
    }
}
