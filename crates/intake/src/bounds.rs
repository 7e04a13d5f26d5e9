//! Minimum and maximum of a column.

use super::cell_rejects::CellRejects;
use super::numbers::Parsed;
use arrow::array::{ArrowPrimitiveType, PrimitiveArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use perennial_core::contract::Column;
use perennial_core::error::{Error, Result};
use std::borrow::Cow;

/// Minimum and maximum of a column, both inclusive.
pub(crate) struct Bounds<T> {
    min: Option<T>,
    max: Option<T>,
    texts: [String; 2],
}

impl<T: PartialOrd> Bounds<T> {
    /// The bounds of a contract's column, parsed as its values are.
    ///
    /// # Errors
    /// Of kind `Project` when a bound is not of the column's type.
    pub(crate) fn new(column: &Column, mut parse: impl FnMut(&str) -> Parsed<T>) -> Result<Bounds<T>> {
        let mut one = |text: &Option<String>, key: &str| match text {
            None => Ok(None),
            Some(text) => parse(text).map(Some).map_err(|reason| {
                Error::project(format!("`{key}: {text}` of column `{}` is not of its type: {reason}", column.name))
            }),
        };
        let texts = [column.min.clone().unwrap_or_default(), column.max.clone().unwrap_or_default()];
        Ok(Bounds { min: one(&column.min, "min")?, max: one(&column.max, "max")?, texts })
    }

    /// No bounds.
    pub(crate) fn none() -> Bounds<T> {
        Bounds { min: None, max: None, texts: Default::default() }
    }

    pub(crate) fn is_none(&self) -> bool {
        self.min.is_none() && self.max.is_none()
    }

    #[inline]
    pub(crate) fn check(&self, value: T) -> Parsed<T> {
        if self.min.as_ref().is_some_and(|min| value < *min) || self.max.as_ref().is_some_and(|max| value > *max) {
            return Err(self.outside(&value));
        }
        Ok(value)
    }

    #[cold]
    fn outside(&self, value: &T) -> Cow<'static, str> {
        if self.min.as_ref().is_some_and(|min| value < min) {
            format!("the value is below the minimum, {}", self.texts[0]).into()
        } else {
            format!("the value is above the maximum, {}", self.texts[1]).into()
        }
    }
}

impl<T: PartialOrd + Copy> Bounds<T> {
    /// Checks all values of a column that is already of its type.
    pub(crate) fn check_all<A>(&self, array: &PrimitiveArray<A>, rejects: &mut CellRejects)
    where
        A: ArrowPrimitiveType<Native = T>,
    {
        if self.is_none() {
            return;
        }
        for (row, value) in array.iter().enumerate() {
            if let Some(Err(reason)) = value.map(|value| self.check(value)) {
                let shown = ArrayFormatter::try_new(array, &FormatOptions::default());
                let shown = shown.map(|shown| shown.value(row).to_string()).unwrap_or_default();
                rejects.push(row, &shown, reason);
            }
        }
    }
}
