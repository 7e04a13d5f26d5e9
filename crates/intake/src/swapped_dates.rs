//! Dates whose day and month may be swapped: `03/04/2026` is a date in both orders.
//!
//! Columns whose format has day and month before the year are watched. A value that is not a date, but would be one
//! with day and month swapped, is rejected with that reason. A date in the future that would be in the past with day
//! and month swapped is accepted; both kinds are counted and reported. In a column with other dates in the future,
//! such as due dates, dates in the future say nothing.

use super::numbers::Parsed;
use super::warnings::{Occurrences, ValueWarning};
use arrow::array::Int64Array;
use std::borrow::Cow;

const WHAT: &str = "as if day and month were swapped";
/// Ratio of possibly swapped dates in the future to other dates in the future above which they are reported.
const MIN_RATIO_TO_OTHERS: u64 = 4;

/// Reads a text with day and month swapped.
type Reader = Box<dyn FnMut(&str) -> Option<i64> + Send>;

/// Watches one column.
pub(super) struct SwappedDates {
    read: Option<Reader>,
    /// Greater values are in the future.
    horizon: i64,
    rejected: Occurrences,
    future: Occurrences,
    /// Dates that are in the future with day and month swapped, too.
    future_either_way: u64,
}

impl SwappedDates {
    /// `read` reads a text with day and month swapped; without it nothing is watched. Values above `horizon` are in the
    /// future.
    pub(super) fn new(read: Option<Reader>, horizon: i64) -> SwappedDates {
        let horizon = if read.is_some() { horizon } else { i64::MAX };
        let (rejected, future) = (Occurrences::default(), Occurrences::default());
        SwappedDates { read, horizon, rejected, future, future_either_way: 0 }
    }

    /// Watches the result of reading a text.
    #[inline]
    pub(super) fn watch<T: Copy + Into<i64>>(&mut self, row: usize, text: &str, parsed: Parsed<T>) -> Parsed<T> {
        match parsed {
            Ok(value) => {
                if value.into() > self.horizon {
                    self.watch_future(row, text);
                }
                Ok(value)
            }
            Err(reason) => Err(self.watch_rejected(row, text, reason)),
        }
    }

    #[cold]
    fn watch_future(&mut self, row: usize, text: &str) {
        let horizon = self.horizon;
        if self.read.as_mut().and_then(|read| read(text)).is_some_and(|other| other <= horizon) {
            self.future.add(row, text);
        } else {
            self.future_either_way += 1;
        }
    }

    #[cold]
    fn watch_rejected(&mut self, row: usize, text: &str, reason: Cow<'static, str>) -> Cow<'static, str> {
        if self.read.as_mut().and_then(|read| read(text)).is_none() {
            return reason;
        }
        self.rejected.add(row, text);
        format!("{reason}; it would be valid with day and month swapped").into()
    }

    /// After every batch: looks up the line of the example.
    pub(super) fn locate(&mut self, lines: &Int64Array) {
        self.rejected.locate(lines);
        self.future.locate(lines);
    }

    /// The warning about a file.
    pub(super) fn warning(&self, column: &str, file: &str) -> Option<ValueWarning> {
        let future =
            if self.future.count > MIN_RATIO_TO_OTHERS * self.future_either_way { self.future.count } else { 0 };
        let example = if self.rejected.count > 0 { &self.rejected } else { &self.future };
        example.warning(column, file, WHAT, self.rejected.count + future)
    }
}

/// The format with day and month swapped, if both are numbers before the year.
pub(super) fn swapped_format(format: &str) -> Option<String> {
    let (day, month) = (format.find("%d")?, format.find("%m")?);
    let year = format.find("%Y").or_else(|| format.find("%y"))?;
    (year > day && year > month).then(|| format.replace("%d", "%\0").replace("%m", "%d").replace("%\0", "%m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_formats_that_end_in_the_year_can_be_swapped() {
        assert_eq!(swapped_format("%d/%m/%Y").as_deref(), Some("%m/%d/%Y"));
        assert_eq!(swapped_format("%m-%d-%y %H:%M").as_deref(), Some("%d-%m-%y %H:%M"));
        for format in ["%Y-%m-%d", "%d %b %Y", "%F", "%Y年%m月%d日"] {
            assert_eq!(swapped_format(format), None, "{format}");
        }
    }

    #[test]
    fn dates_in_the_future_are_reported_unless_others_are_too() {
        // Texts are two numbers: the value, and the value with day and month swapped.
        let parse = |text: &str, at: usize| text.split('/').nth(at).and_then(|part| part.parse::<i64>().ok());
        let reported = |texts: &[&str]| {
            let mut swapped = SwappedDates::new(Some(Box::new(move |text| parse(text, 1))), 100);
            for (row, text) in texts.iter().enumerate() {
                let read = parse(text, 0).ok_or_else(|| Cow::from("not a date"));
                assert_eq!(swapped.watch(row, text, read).ok(), parse(text, 0));
            }
            swapped.locate(&Int64Array::from_iter_values(2..2 + texts.len() as i64));
            swapped.warning("day", "a.csv").map(|warning| (warning.count, warning.line))
        };
        assert_eq!(reported(&["50/60", "100/100"]), None);
        assert_eq!(reported(&["50/60", "200/60"]), Some((1, 3)));
        assert_eq!(reported(&["200/60", "200/300"]), None);
        assert_eq!(reported(&["x/60", "200/60", "200/300", "x/y"]), Some((1, 2)));
    }
}
