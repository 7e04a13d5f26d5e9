//! Arguments of a fit: the numbers of a customer as columns with their unit, or as one summary that carries it.

use super::aggregate::FitOf;
use crate::models::Unit;
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StringArray, StringViewArray};
use arrow::buffer::NullBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;

/// The rows of a batch.
pub(super) struct Rows<const K: usize> {
    inputs: [Float64Array; K],
    unit: Option<ArrayRef>,
    weight: Option<Int64Array>,
    /// Rows without a NULL among the numbers and the weight.
    whole: Option<NullBuffer>,
}

/// A row of a batch.
pub(super) enum Row<const K: usize> {
    /// Numbers of a customer and how many customers have them.
    Whole([f64; K], u64),
    /// A NULL among the numbers, and how many customers the row stands for.
    LeftOut(u64),
}

/// The types that arguments are brought to: numbers to DOUBLE, the weight to BIGINT.
pub(super) fn coerced<M: FitOf<K>, const K: usize>(types: &[DataType]) -> Result<Vec<DataType>> {
    let wrong = || {
        let columns = M::INPUTS.join(", ");
        let (unit, summary) = (if M::HAS_UNIT { " [, unit [, weight]]" } else { " [, weight]" }, M::SUMMARY.is_some());
        let summary = if summary { " or of (summary [, weight])" } else { "" };
        let got: Vec<_> = types.iter().map(ToString::to_string).collect();
        plan_err!("{}: arguments of ({columns}{unit}){summary} are needed and not ({})", M::NAME, got.join(", "))
    };
    let mut coerced = Vec::with_capacity(types.len());
    let rest = match types.first() {
        Some(summary @ DataType::Struct(fields)) if M::SUMMARY.is_some() => {
            let needed = M::SUMMARY.unwrap_or(M::INPUTS);
            if let Some(absent) = needed.iter().find(|name| fields.find(name).is_none()) {
                return plan_err!("{}: the summary has no field '{absent}'; purchase_summary makes one", M::NAME);
            }
            coerced.push(summary.clone());
            &types[1..]
        }
        _ if types.len() >= K && types[..K].iter().enumerate().all(|(i, t)| is_number::<M, K>(i, t)) => {
            coerced.extend([const { DataType::Float64 }; K]);
            let mut rest = &types[K..];
            if M::HAS_UNIT
                && let Some((first, others)) = rest.split_first()
                && let Some(text) = text_type(first)
            {
                coerced.push(text);
                rest = others;
            }
            rest
        }
        _ => return wrong(),
    };
    match rest {
        [] => Ok(coerced),
        [weight] if weight.is_integer() || weight.is_null() => {
            coerced.push(DataType::Int64);
            Ok(coerced)
        }
        _ => wrong(),
    }
}

fn is_number<M: FitOf<K>, const K: usize>(index: usize, data_type: &DataType) -> bool {
    data_type.is_numeric() || data_type.is_null() || (M::BOOLEAN == Some(index) && data_type == &DataType::Boolean)
}

fn text_type(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Utf8View => Some(DataType::Utf8View),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Null => Some(DataType::Utf8),
        DataType::Dictionary(_, value) => text_type(value),
        _ => None,
    }
}

impl<const K: usize> Rows<K> {
    /// Reads the arguments, which have the types of [`coerced`].
    pub fn read<M: FitOf<K>>(arguments: &[ArrayRef]) -> Result<Self> {
        let mut whole = None;
        let (inputs, unit, rest) = match arguments[0].as_struct_opt() {
            Some(summary) => {
                let names = M::SUMMARY.unwrap_or(M::INPUTS);
                let fields = names.iter().filter_map(|name| summary.column_by_name(name));
                whole = summary.nulls().cloned();
                let unit = if M::HAS_UNIT { summary.column_by_name("unit").cloned() } else { None };
                (fields.map(doubles).collect::<Result<Vec<_>>>()?, unit, &arguments[1..])
            }
            None => {
                let inputs = arguments[..K].iter().map(doubles).collect::<Result<Vec<_>>>()?;
                match arguments.get(K) {
                    Some(text) if M::HAS_UNIT && !text.data_type().is_integer() => {
                        (inputs, Some(text.clone()), &arguments[K + 1..])
                    }
                    _ => (inputs, None, &arguments[K..]),
                }
            }
        };
        for input in &inputs {
            whole = NullBuffer::union(whole.as_ref(), input.nulls());
        }
        let weight = rest.first().and_then(|weight| weight.as_primitive_opt::<Int64Type>()).cloned();
        if let Some(weight) = &weight {
            whole = NullBuffer::union(whole.as_ref(), weight.nulls());
        }
        let Ok(inputs) = <[Float64Array; K]>::try_from(inputs) else {
            return exec_err!("{}: fields of the summary are missing", M::NAME);
        };
        Ok(Rows { inputs, unit, weight, whole })
    }

    /// The count of rows.
    pub fn len(&self) -> usize {
        self.inputs[0].len()
    }

    /// A row.
    #[inline]
    pub fn get<M: FitOf<K>>(&self, row: usize) -> Result<Row<K>> {
        let weight = match &self.weight {
            Some(weights) if weights.is_null(row) => 1,
            Some(weights) => match u64::try_from(weights.value(row)) {
                Ok(weight) => weight,
                Err(_) => {
                    return exec_err!(
                        "{}: the weight is {}; it is how many customers a row stands for, 0 or more",
                        M::NAME,
                        weights.value(row)
                    );
                }
            },
            None => 1,
        };
        if self.whole.as_ref().is_some_and(|whole| whole.is_null(row)) {
            return Ok(Row::LeftOut(weight));
        }
        Ok(Row::Whole(std::array::from_fn(|i| self.inputs[i].value(row)), weight))
    }

    /// The units of the rows: read once per run of rows with the same text.
    pub fn units(&self) -> Units<'_> {
        let texts = match &self.unit {
            None => Texts::Absent,
            Some(column) => match (column.as_string_opt::<i32>(), column.as_string_view_opt()) {
                (Some(texts), _) => Texts::Plain(texts),
                (_, Some(texts)) => Texts::View(texts),
                _ => Texts::Absent,
            },
        };
        Units { texts, last: None }
    }
}

enum Texts<'a> {
    Absent,
    Plain(&'a StringArray),
    View(&'a StringViewArray),
}

/// Reads units row by row.
pub(super) struct Units<'a> {
    texts: Texts<'a>,
    last: Option<(&'a str, Unit)>,
}

impl<'a> Units<'a> {
    /// The unit of a row; nothing where it is not stated.
    #[inline]
    pub fn get(&mut self, function: &str, row: usize) -> Result<Option<Unit>> {
        let text: &'a str = match self.texts {
            Texts::Plain(texts) if texts.is_valid(row) => texts.value(row),
            Texts::View(texts) if texts.is_valid(row) => texts.value(row),
            _ => return Ok(None),
        };
        if let Some((last, unit)) = self.last
            && last == text
        {
            return Ok(Some(unit));
        }
        let Some(unit) = Unit::named(text) else {
            return exec_err!("{function}: '{text}' is not a unit; units are day, week, month and year");
        };
        self.last = Some((text, unit));
        Ok(Some(unit))
    }
}

/// A field of a summary may be of any type of number.
fn doubles(column: &ArrayRef) -> Result<Float64Array> {
    if let Some(doubles) = column.as_primitive_opt::<Float64Type>() {
        return Ok(doubles.clone());
    }
    let options = CastOptions { safe: false, ..Default::default() };
    let cast = cast_with_options(column, &DataType::Float64, &options)?;
    Ok(cast.as_primitive::<Float64Type>().clone())
}
