//! Columns of typed files as exact text, so that one set of rules reads every format.
//!
//! Text columns are taken as they are. A binary double becomes its shortest exact notation, without exponent, and so
//! `2.55` is read as the decimal 2.55.

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use perennial_core::error::{Error, Result};

/// The text of every value of a column that is to become `target`.
pub(super) fn text_of(array: &ArrayRef, target: &DataType) -> Result<StringArray> {
    Ok(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().clone(),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().collect(),
        DataType::Utf8View => array.as_string_view().iter().collect(),
        DataType::Float64 => array.as_primitive::<Float64Type>().iter().map(|v| v.map(|v| v.to_string())).collect(),
        DataType::Float32 => array.as_primitive::<Float32Type>().iter().map(|v| v.map(|v| v.to_string())).collect(),
        other => {
            let options = FormatOptions::default();
            let shown = ArrayFormatter::try_new(array.as_ref(), &options)
                .map_err(|e| Error::data(format!("values of type {other} cannot be read")).because(e))?;
            (0..array.len())
                .map(|row| array.is_valid(row).then(|| fitted(shown.value(row).to_string(), other, target)))
                .collect()
        }
    })
}

/// A date as the timestamp of its midnight, and vice versa.
fn fitted(text: String, from: &DataType, target: &DataType) -> String {
    match (from, target) {
        (DataType::Date32, DataType::Timestamp(_, _)) => format!("{text}T00:00:00"),
        (DataType::Timestamp(_, None) | DataType::Date64, DataType::Date32) => match text.strip_suffix("T00:00:00") {
            Some(day) => day.to_string(),
            None => text,
        },
        _ => text,
    }
}
