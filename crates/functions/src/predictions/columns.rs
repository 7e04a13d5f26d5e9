//! Arguments of a prediction: their types when a query is planned, their values when it runs.

use super::models::{is_fit_of_purchases, is_fit_of_spend};
use super::quantity::{Argument, Quantity};
use crate::common::{is_text, type_name};
use crate::limits;
use crate::models::Unit;
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray, StringArray, StructArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::{ScalarValue, exec_datafusion_err, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use std::hash::{Hash, Hasher};

/// The types that arguments are brought to, or an error that says what is needed.
pub(super) fn coerced(function: &str, quantity: Quantity, interval: bool, types: &[DataType]) -> Result<Vec<DataType>> {
    let meanings = meanings(quantity, interval, types);
    if meanings.len() != types.len() {
        let names = |arguments: &[Argument]| arguments.iter().map(|a| a.name()).collect::<Vec<_>>().join(", ");
        let optional = quantity.optional(interval);
        let optional = if optional.is_empty() { String::new() } else { format!(" [, {}]", names(optional)) };
        let needed = names(quantity.needed());
        return plan_err!("{function}: arguments of ({needed}{optional}) are needed, and {} were given", types.len());
    }
    meanings.into_iter().zip(types).map(|(argument, given)| coerced_one(function, argument, given)).collect()
}

fn coerced_one(function: &str, argument: Argument, given: &DataType) -> Result<DataType> {
    let name = argument.name();
    match (argument, given) {
        (Argument::Fit | Argument::SpendFit, DataType::Null) => Ok(DataType::Null),
        (Argument::Fit, DataType::Struct(fields)) if is_fit_of_purchases(fields) => Ok(given.clone()),
        (Argument::SpendFit, DataType::Struct(fields)) if is_fit_of_spend(fields) => Ok(given.clone()),
        (Argument::Fit, DataType::Struct(fields)) if is_fit_of_spend(fields) => {
            plan_err!("{function}: {name} is a fit of spend; a fit of purchases such as bg_nbd_fit gives is needed")
        }
        (Argument::SpendFit, DataType::Struct(fields)) if is_fit_of_purchases(fields) => {
            plan_err!("{function}: {name} is a fit of purchases; a fit of spend as gamma_gamma_fit gives is needed")
        }
        (Argument::Fit, _) => {
            plan_err!(
                "{function}: {name} is {}; a fit of purchases such as bg_nbd_fit gives is needed",
                type_name(given)
            )
        }
        (Argument::SpendFit, _) => {
            plan_err!("{function}: {name} is {}; a fit as gamma_gamma_fit gives is needed", type_name(given))
        }
        (Argument::Unit, _) if is_text(given) => Ok(DataType::Utf8),
        (Argument::Unit, _) => {
            plan_err!(
                "{function}: {name} is {}; it is one of the texts 'day', 'week', 'month' and 'year'",
                type_name(given)
            )
        }
        (_, DataType::Null) => Ok(DataType::Float64),
        (_, number) if number.is_numeric() => Ok(DataType::Float64),
        _ => plan_err!("{function}: {name} is {}; it is a number", type_name(given)),
    }
}

/// What the arguments mean, by place, and by type where a unit may be left out before a confidence. Shorter than
/// `types` where there are too many or too few.
pub(super) fn meanings(quantity: Quantity, interval: bool, types: &[DataType]) -> Vec<Argument> {
    let needed = quantity.needed();
    if types.len() < needed.len() {
        return Vec::new();
    }
    let mut meanings = needed.to_vec();
    let mut optional = quantity.optional(interval).iter().copied().peekable();
    for given in &types[needed.len()..] {
        if optional.len() == 2 && given.is_numeric() {
            optional.next();
        }
        let Some(argument) = optional.next() else { break };
        meanings.push(argument);
    }
    meanings
}

/// A column of numbers, or one for all rows.
#[derive(Clone, Debug)]
pub(super) enum Numbers {
    /// For all rows.
    One(Option<f64>),
    /// Row by row.
    Many(Float64Array),
}

impl Numbers {
    /// The number of a row.
    #[inline]
    pub fn get(&self, row: usize) -> Option<f64> {
        match self {
            Numbers::One(number) => *number,
            Numbers::Many(column) => column.is_valid(row).then(|| column.value(row)),
        }
    }

    /// Whether two rows have the same, bit by bit.
    pub fn same(&self, one: usize, other: usize) -> bool {
        match self {
            Numbers::One(_) => true,
            Numbers::Many(_) => self.get(one).map(f64::to_bits) == self.get(other).map(f64::to_bits),
        }
    }
}

/// A column of units, or one for all rows.
#[derive(Clone, Debug)]
pub(super) enum Units {
    /// For all rows.
    One(Option<Unit>),
    /// Row by row.
    Many(StringArray),
}

impl Units {
    /// The unit of a row; nothing where it is not stated.
    pub fn get(&self, function: &str, row: usize) -> Result<Option<Unit>> {
        match self {
            Units::One(unit) => Ok(*unit),
            Units::Many(texts) if texts.is_null(row) => Ok(None),
            Units::Many(texts) => unit_named(function, texts.value(row)).map(Some),
        }
    }

    /// Whether two rows have the same.
    pub fn same(&self, one: usize, other: usize) -> bool {
        match self {
            Units::One(_) => true,
            Units::Many(texts) => {
                texts.is_valid(one) == texts.is_valid(other) && texts.value(one) == texts.value(other)
            }
        }
    }
}

fn unit_named(function: &str, text: &str) -> Result<Unit> {
    limits::unit(text).map_err(|problem| exec_datafusion_err!("{function}: {problem}"))
}

/// A column of fits, or one for all rows.
#[derive(Clone, Debug)]
pub(crate) enum Fits {
    /// NULL for all rows.
    None,
    /// In the first row, for all rows.
    One(StructArray),
    /// Row by row.
    Many(StructArray),
}

impl Fits {
    /// The column and the row in it that holds the fit of a row.
    pub fn place(&self, row: usize) -> Option<(&StructArray, usize)> {
        match self {
            Fits::None => None,
            Fits::One(fits) => Some((fits, 0)),
            Fits::Many(fits) => Some((fits, row)),
        }
    }

    /// Whether two rows have the same fit: all its fields are equal.
    pub fn same(&self, one: usize, other: usize) -> bool {
        match self {
            Fits::Many(fits) => {
                fits.is_valid(one) == fits.is_valid(other)
                    && fits.columns().iter().all(|column| same(column, one, other))
            }
            _ => true,
        }
    }

    /// Adds the numbers of the fit of a row to a hash.
    pub fn hash(&self, row: usize, hasher: &mut impl Hasher) {
        if let Fits::Many(fits) = self {
            for numbers in fits.columns().iter().filter_map(|column| column.as_primitive_opt::<Float64Type>()) {
                numbers.is_valid(row).hash(hasher);
                numbers.value(row).to_bits().hash(hasher);
            }
        }
    }
}

fn same(column: &ArrayRef, one: usize, other: usize) -> bool {
    if column.is_valid(one) != column.is_valid(other) {
        return false;
    }
    if column.is_null(one) {
        return true;
    }
    match column.data_type() {
        DataType::Float64 => {
            let numbers = column.as_primitive::<Float64Type>().values();
            numbers[one].to_bits() == numbers[other].to_bits()
        }
        DataType::Utf8 => column.as_string::<i32>().value(one) == column.as_string::<i32>().value(other),
        DataType::Utf8View => column.as_string_view().value(one) == column.as_string_view().value(other),
        DataType::Int64 => {
            let numbers = column.as_primitive::<Int64Type>().values();
            numbers[one] == numbers[other]
        }
        DataType::List(_) => same_list(column.as_list(), one, other),
        _ => column.slice(one, 1).to_data() == column.slice(other, 1).to_data(),
    }
}

/// Lists are long and rows many: where they hold numbers, these are compared where they lie.
fn same_list(lists: &ListArray, one: usize, other: usize) -> bool {
    let Some(numbers) = lists.values().as_primitive_opt::<Float64Type>().filter(|numbers| numbers.null_count() == 0)
    else {
        return lists.value(one).to_data() == lists.value(other).to_data();
    };
    let ends = lists.value_offsets();
    let of = |row: usize| &numbers.values()[ends[row] as usize..ends[row + 1] as usize];
    of(one).len() == of(other).len() && of(one).iter().zip(of(other)).all(|(a, b)| a.to_bits() == b.to_bits())
}

/// Reads a column of numbers.
pub(super) fn numbers(function: &str, value: &ColumnarValue) -> Result<Numbers> {
    match value {
        ColumnarValue::Scalar(ScalarValue::Float64(number)) => Ok(Numbers::One(*number)),
        ColumnarValue::Array(column) if column.data_type() == &DataType::Float64 => {
            Ok(Numbers::Many(column.as_primitive::<Float64Type>().clone()))
        }
        other => exec_err!("{function}: a number is a DOUBLE and not {}", other.data_type()),
    }
}

/// Reads a column of units.
pub(super) fn units(function: &str, value: &ColumnarValue) -> Result<Units> {
    match value {
        ColumnarValue::Scalar(ScalarValue::Utf8(text)) => {
            let unit = text.as_deref().map(|text| unit_named(function, text)).transpose()?;
            Ok(Units::One(unit))
        }
        ColumnarValue::Array(column) if column.data_type() == &DataType::Utf8 => {
            Ok(Units::Many(column.as_string::<i32>().clone()))
        }
        other => exec_err!("{function}: a unit is a text and not {}", other.data_type()),
    }
}

/// Reads a column of fits.
pub(crate) fn fits(function: &str, value: &ColumnarValue) -> Result<Fits> {
    match value {
        ColumnarValue::Scalar(ScalarValue::Null) => Ok(Fits::None),
        ColumnarValue::Scalar(ScalarValue::Struct(fits)) => Ok(Fits::One(fits.as_ref().clone())),
        ColumnarValue::Array(column) => match column.as_struct_opt() {
            Some(fits) => Ok(Fits::Many(fits.clone())),
            None if column.data_type() == &DataType::Null => Ok(Fits::None),
            None => exec_err!("{function}: a fit is a struct and not {}", column.data_type()),
        },
        other => exec_err!("{function}: a fit is a struct and not {}", other.data_type()),
    }
}
