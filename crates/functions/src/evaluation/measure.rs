//! An aggregate function of a measure: rows are collapsed, partial states merge, the answer is made at the end of
//! distinct rows in order. So it is the same to the bit for any order of rows and any number of partitions.

use super::tally::{Counted, Tally};
use crate::common::{constant, list_field, list_value, refuse_distinct, type_name};
use crate::constants::{ConstantProblem, Constants, ValueProblem};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StructArray, UInt64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type, UInt64Type};
use datafusion::common::{ScalarValue, exec_datafusion_err, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, TypeSignature, Volatility};
use std::hash::{Hash, Hasher};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// What is counted of a row's arguments, given the setting.
type Count<const K: usize> = fn([Option<f64>; K], i64) -> Result<Option<[f64; K]>, String>;

/// A measure as an aggregate function. `K` arguments describe a customer, an outcome as 1 or 0.
#[derive(Debug)]
pub(super) struct Measure<const K: usize> {
    /// The name in SQL.
    pub name: &'static str,
    /// Names of the arguments.
    pub arguments: [&'static str; K],
    /// Which argument is an outcome: BOOLEAN. The others are numbers.
    pub outcome: Option<usize>,
    /// A whole number that may follow.
    pub setting: Option<Setting>,
    /// The type of the answer.
    pub data_type: fn() -> DataType,
    /// The row as it is counted; nothing where it is left out; an error says what is wrong and what is allowed.
    pub row: Count<K>,
    /// The answer, of distinct rows in ascending order, the count of those left out and the setting.
    pub answer: fn(&[Counted<K>], u64, i64) -> Result<ScalarValue>,
}

/// A constant whole number, the same for all rows.
#[derive(Debug)]
pub(super) struct Setting {
    /// The name of the argument.
    pub name: &'static str,
    /// What it is where it is not given.
    pub default: i64,
    /// What it may be.
    pub allowed: RangeInclusive<i64>,
}

impl Setting {
    fn test(&self, number: i64) -> Result<i64, ValueProblem> {
        if self.allowed.contains(&number) {
            return Ok(number);
        }
        let (min, max) = (self.allowed.start(), self.allowed.end());
        Err(ValueProblem::new(
            format!("{} is {number}", self.name),
            format!("it is a whole number from {min} to {max}"),
        ))
    }
}

impl<const K: usize> Measure<K> {
    /// Tests the setting of a call.
    pub(super) fn check_constants(&self, arguments: &Constants<'_>) -> Result<(), ConstantProblem> {
        self.setting.iter().try_for_each(|setting| arguments.test_integer(K, |number| setting.test(number)))
    }
}

impl<const K: usize> PartialEq for Measure<K> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl<const K: usize> Eq for Measure<K> {}

impl<const K: usize> Hash for Measure<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// Makes the aggregate function of a measure.
pub(super) fn function<const K: usize>(measure: &'static Measure<K>) -> AggregateUDF {
    let mut signature = Signature::new(TypeSignature::UserDefined, Volatility::Immutable);
    let setting = measure.setting.iter().map(|setting| setting.name);
    signature.parameter_names = Some(measure.arguments.into_iter().chain(setting).map(String::from).collect());
    AggregateUDF::from(MeasureFunction { signature, measure })
}

/// A list of structs of such fields.
pub(super) fn list_of(fields: &[(&str, DataType)]) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(struct_of(fields), true)))
}

/// A struct of such fields.
pub(super) fn struct_of(fields: &[(&str, DataType)]) -> DataType {
    DataType::Struct(fields.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect())
}

/// Rows of structs, from a column per field.
pub(super) fn structs(fields: &[(&str, DataType)], columns: Vec<ArrayRef>) -> Result<StructArray> {
    let fields: Fields = fields.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect();
    Ok(StructArray::try_new(fields, columns, None)?)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MeasureFunction<const K: usize> {
    signature: Signature,
    measure: &'static Measure<K>,
}

impl<const K: usize> AggregateUDFImpl for MeasureFunction<K> {
    fn name(&self) -> &str {
        self.measure.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let Measure { name, arguments, setting, .. } = self.measure;
        let max = K + usize::from(setting.is_some());
        if !(K..=max).contains(&types.len()) {
            let setting = setting.as_ref().map(|setting| format!(" [, {}]", setting.name)).unwrap_or_default();
            return plan_err!(
                "{name}: arguments of ({}{setting}) are needed, and {} were given",
                arguments.join(", "),
                types.len()
            );
        }
        types.iter().enumerate().map(|(i, given)| coerced(self.measure, i, given)).collect()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok((self.measure.data_type)())
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        refuse_distinct(self.measure.name, &arguments)?;
        let setting = setting(self.measure, &arguments)?;
        Ok(Box::new(Rows { measure: self.measure, tally: Tally::default(), left_out: 0, setting, answer: None }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let name = arguments.name;
        let numbers = self.measure.arguments.into_iter();
        let mut fields: Vec<FieldRef> = numbers.map(|part| list_field(name, part, DataType::Float64)).collect();
        fields.push(list_field(name, "count", DataType::UInt64));
        fields.push(Arc::new(Field::new(format_state_name(name, "left_out"), DataType::UInt64, true)));
        Ok(fields)
    }

    /// `ORDER BY` inside the call makes no difference; by default the engine would hand its columns over as arguments.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

fn coerced<const K: usize>(measure: &Measure<K>, index: usize, given: &DataType) -> Result<DataType> {
    let function = measure.name;
    let Some(name) = measure.arguments.get(index) else {
        let name = measure.setting.as_ref().map_or("", |setting| setting.name);
        return if given.is_integer() || given.is_null() {
            Ok(DataType::Int64)
        } else {
            plan_err!("{function}: {name} is {}; it is a whole number", type_name(given))
        };
    };
    match (measure.outcome == Some(index), given) {
        (true, DataType::Boolean | DataType::Null) => Ok(DataType::Boolean),
        (true, other) => {
            plan_err!("{function}: {name} is {}; it is BOOLEAN, as in `{name} > 0`", type_name(other))
        }
        (false, other) if other.is_numeric() || other.is_null() => Ok(DataType::Float64),
        (false, other) => plan_err!("{function}: {name} is {}; it is a number", type_name(other)),
    }
}

fn setting<const K: usize>(measure: &Measure<K>, arguments: &AccumulatorArgs) -> Result<i64> {
    let Some(setting) = &measure.setting else { return Ok(0) };
    let Some(expression) = arguments.exprs.get(K) else { return Ok(setting.default) };
    match constant(expression) {
        Some(ScalarValue::Int64(None)) => Ok(setting.default),
        Some(ScalarValue::Int64(Some(number))) => {
            setting.test(number).map_err(|problem| exec_datafusion_err!("{}: {problem}", measure.name))
        }
        _ => {
            let (name, min, max) = (setting.name, setting.allowed.start(), setting.allowed.end());
            exec_err!("{}: {name} is not a constant; it is one number from {min} to {max} for all rows", measure.name)
        }
    }
}

/// The rows of a group, with the answer for as long as it holds: a window asks per row.
#[derive(Debug)]
struct Rows<const K: usize> {
    measure: &'static Measure<K>,
    tally: Tally<K>,
    left_out: u64,
    setting: i64,
    answer: Option<ScalarValue>,
}

impl<const K: usize> Accumulator for Rows<K> {
    fn update_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        self.answer = None;
        let columns: [Column; K] = std::array::from_fn(|i| Column::new(&arguments[i]));
        for row in 0..arguments[0].len() {
            match (self.measure.row)(std::array::from_fn(|i| columns[i].get(row)), self.setting) {
                Ok(Some(numbers)) => self.tally.add(numbers, 1),
                Ok(None) => self.left_out += 1,
                Err(wrong) => return exec_err!("{}: {wrong}", self.measure.name),
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.answer = None;
        for row in 0..states[0].len() {
            let lists: Vec<ArrayRef> = states[..=K].iter().map(|list| list.as_list::<i32>().value(row)).collect();
            let columns: [_; K] = std::array::from_fn(|i| lists[i].as_primitive::<Float64Type>());
            for (i, count) in lists[K].as_primitive::<UInt64Type>().values().iter().enumerate() {
                self.tally.add(std::array::from_fn(|k| columns[k].value(i)), *count);
            }
            self.left_out += states[K + 1].as_primitive::<UInt64Type>().value(row);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if let Some(answer) = &self.answer {
            return Ok(answer.clone());
        }
        let answer = (self.measure.answer)(&self.tally.sorted(), self.left_out, self.setting)?;
        self.answer = Some(answer.clone());
        Ok(answer)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let rows = self.tally.sorted();
        let mut state = Vec::with_capacity(K + 2);
        for k in 0..K {
            let numbers: Float64Array = rows.iter().map(|row| Some(row.numbers[k])).collect();
            state.push(list_value(Arc::new(numbers))?);
        }
        let counts: UInt64Array = rows.iter().map(|row| Some(row.count)).collect();
        state.push(list_value(Arc::new(counts))?);
        state.push(ScalarValue::UInt64(Some(self.left_out)));
        Ok(state)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.tally.size()
    }
}

/// An argument as numbers.
enum Column<'a> {
    Numbers(&'a Float64Array),
    Outcomes(&'a arrow::array::BooleanArray),
}

impl<'a> Column<'a> {
    fn new(column: &'a ArrayRef) -> Column<'a> {
        match column.as_boolean_opt() {
            Some(outcomes) => Column::Outcomes(outcomes),
            None => Column::Numbers(column.as_primitive()),
        }
    }

    fn get(&self, row: usize) -> Option<f64> {
        match self {
            Column::Numbers(numbers) => numbers.is_valid(row).then(|| numbers.value(row)),
            Column::Outcomes(outcomes) => outcomes.is_valid(row).then(|| f64::from(u8::from(outcomes.value(row)))),
        }
    }
}
