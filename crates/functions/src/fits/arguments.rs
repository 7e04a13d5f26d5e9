//! Arguments of a fit: the numbers of a customer as columns with their unit, or as one summary that carries it.

use super::definition::Definition;
use crate::common::type_name;
use crate::limits;
use crate::models::Unit;
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StringArray, StringViewArray};
use arrow::buffer::NullBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::{exec_datafusion_err, exec_err, plan_err};
use datafusion::error::Result;

/// The rows of a batch.
pub(super) struct Rows<const K: usize> {
    function: &'static str,
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
pub(super) fn coerced<const K: usize>(definition: &Definition<K>, types: &[DataType]) -> Result<Vec<DataType>> {
    let mut coerced = Vec::with_capacity(types.len());
    let mut rest = match types.first() {
        Some(DataType::Struct(fields)) if definition.takes_summary => {
            if let Some(absent) = definition.inputs.iter().find(|name| fields.find(name).is_none()) {
                return plan_err!(
                    "{}: the summary has no field '{absent}'; purchase_summary makes one",
                    definition.name
                );
            }
            coerced.push(types[0].clone());
            &types[1..]
        }
        _ => {
            let Some((inputs, rest)) = types.split_at_checked(K) else { return wrong_count(definition, types) };
            for (i, (name, given)) in definition.inputs.iter().zip(inputs).enumerate() {
                let is_boolean = definition.boolean == Some(i);
                if !(given.is_numeric() || given.is_null() || (is_boolean && given == &DataType::Boolean)) {
                    let needed = if is_boolean { "BOOLEAN" } else { "a number" };
                    return plan_err!("{}: {name} is {}; it is {needed}", definition.name, type_name(given));
                }
                coerced.push(DataType::Float64);
            }
            rest
        }
    };
    let takes_unit = definition.has_unit && coerced.len() == K;
    if takes_unit
        && let Some((first, others)) = rest.split_first()
        && let Some(text) = text_type(first)
    {
        coerced.push(text);
        rest = others;
    }
    match rest {
        [] => {}
        [weight] if weight.is_integer() || weight.is_null() => coerced.push(DataType::Int64),
        [other] if takes_unit && coerced.len() == K => {
            let given = type_name(other);
            return plan_err!(
                "{}: unit is {given}; it is one of the texts 'day', 'week', 'month' and 'year'",
                definition.name
            );
        }
        [other] => {
            return plan_err!("{}: weight is {}; it is a whole number", definition.name, type_name(other));
        }
        _ => return wrong_count(definition, types),
    }
    Ok(coerced)
}

fn wrong_count<const K: usize>(definition: &Definition<K>, types: &[DataType]) -> Result<Vec<DataType>> {
    let inputs = definition.inputs.join(", ");
    let optional = if definition.has_unit { " [, unit [, weight]]" } else { " [, weight]" };
    let summary = if definition.takes_summary { " or of (summary [, weight])" } else { "" };
    let given: Vec<_> = types.iter().map(type_name).collect();
    plan_err!(
        "{}: arguments of ({inputs}{optional}){summary} are needed and not ({})",
        definition.name,
        given.join(", ")
    )
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
    pub fn read(definition: &'static Definition<K>, arguments: &[ArrayRef]) -> Result<Self> {
        let mut whole = None;
        let (inputs, unit, rest) = match arguments[0].as_struct_opt() {
            Some(summary) => {
                let fields = definition.inputs.iter().filter_map(|name| summary.column_by_name(name));
                whole = summary.nulls().cloned();
                let unit = if definition.has_unit { summary.column_by_name("unit").cloned() } else { None };
                (fields.map(doubles).collect::<Result<Vec<_>>>()?, unit, &arguments[1..])
            }
            None => {
                let inputs = arguments[..K].iter().map(doubles).collect::<Result<Vec<_>>>()?;
                match arguments.get(K) {
                    Some(text) if definition.has_unit && !text.data_type().is_integer() => {
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
            return exec_err!("{}: fields of the summary are missing", definition.name);
        };
        Ok(Rows { function: definition.name, inputs, unit, weight, whole })
    }

    /// The count of rows.
    pub fn len(&self) -> usize {
        self.inputs[0].len()
    }

    /// A row.
    #[inline]
    pub fn get(&self, row: usize) -> Result<Row<K>> {
        let weight = match &self.weight {
            Some(weights) if weights.is_valid(row) => limits::weight(weights.value(row))
                .map_err(|problem| exec_datafusion_err!("{}: {problem}", self.function))?,
            _ => 1,
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
        Units { function: self.function, texts, last: None }
    }
}

enum Texts<'a> {
    Absent,
    Plain(&'a StringArray),
    View(&'a StringViewArray),
}

/// Reads units row by row.
pub(super) struct Units<'a> {
    function: &'static str,
    texts: Texts<'a>,
    last: Option<(&'a str, Unit)>,
}

impl<'a> Units<'a> {
    /// The unit of a row; nothing where it is not stated.
    #[inline]
    pub fn get(&mut self, row: usize) -> Result<Option<Unit>> {
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
        let unit = limits::unit(text).map_err(|problem| exec_datafusion_err!("{}: {problem}", self.function))?;
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
