//! Dates whose day and month may stand the other way round: `03/04/2026` is a day in both orders.
//!
//! A column whose format has day and month side by side before the year is watched. A value that is no day, but would be
//! one the other way round, is refused with that reason. A day that lies ahead of the load, and would not the other way
//! round, is accepted; both kinds are counted and told. In a column in which other days lie ahead, too, such as due
//! dates, days ahead say nothing.

use super::numbers::Parsed;
use super::remarks::{Remark, Sightings};
use arrow::array::Int64Array;
use std::borrow::Cow;

const WHAT: &str = "as if day and month were exchanged";
/// Days ahead that could be exchanged must be so many times the others.
const TIMES_OTHERS: u64 = 4;

/// Reads a text with day and month exchanged.
type Reader = Box<dyn FnMut(&str) -> Option<i64> + Send>;

/// Watches one column.
pub(super) struct Exchanged {
    read: Option<Reader>,
    /// Greater values lie ahead of the load.
    horizon: i64,
    refused: Sightings,
    ahead: Sightings,
    ahead_otherwise: u64,
}

impl Exchanged {
    /// Watches values up to `horizon` for those that `read` reads the other way round; without a reader, none.
    pub(super) fn new(read: Option<Reader>, horizon: i64) -> Exchanged {
        let horizon = if read.is_some() { horizon } else { i64::MAX };
        let (refused, ahead) = (Sightings::default(), Sightings::default());
        Exchanged { read, horizon, refused, ahead, ahead_otherwise: 0 }
    }

    /// Looks at what a text was read as.
    #[inline]
    pub(super) fn watch<T: Copy + Into<i64>>(&mut self, row: usize, text: &str, parsed: Parsed<T>) -> Parsed<T> {
        match parsed {
            Ok(value) => {
                if value.into() > self.horizon {
                    self.look_ahead(row, text);
                }
                Ok(value)
            }
            Err(reason) => Err(self.look_at_refused(row, text, reason)),
        }
    }

    #[cold]
    fn look_ahead(&mut self, row: usize, text: &str) {
        let horizon = self.horizon;
        if self.read.as_mut().and_then(|read| read(text)).is_some_and(|other| other <= horizon) {
            self.ahead.see(row, text);
        } else {
            self.ahead_otherwise += 1;
        }
    }

    #[cold]
    fn look_at_refused(&mut self, row: usize, text: &str, reason: Cow<'static, str>) -> Cow<'static, str> {
        if self.read.as_mut().and_then(|read| read(text)).is_none() {
            return reason;
        }
        self.refused.see(row, text);
        format!("{reason}; with day and month exchanged it would be one").into()
    }

    /// After every batch: finds the line of the example.
    pub(super) fn locate(&mut self, lines: &Int64Array) {
        self.refused.locate(lines);
        self.ahead.locate(lines);
    }

    /// What a person should know of the file.
    pub(super) fn remark(&self, column: &str, file: &str) -> Option<Remark> {
        let ahead = if self.ahead.count > TIMES_OTHERS * self.ahead_otherwise { self.ahead.count } else { 0 };
        let example = if self.refused.count > 0 { &self.refused } else { &self.ahead };
        example.remark(column, file, WHAT, self.refused.count + ahead)
    }
}

/// The format with day and month exchanged, where both stand as numbers before the year.
pub(super) fn exchanged_format(format: &str) -> Option<String> {
    let (day, month) = (format.find("%d")?, format.find("%m")?);
    let year = format.find("%Y").or_else(|| format.find("%y"))?;
    (year > day && year > month).then(|| format.replace("%d", "%\0").replace("%m", "%d").replace("%\0", "%m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_formats_that_end_in_the_year_can_be_exchanged() {
        assert_eq!(exchanged_format("%d/%m/%Y").as_deref(), Some("%m/%d/%Y"));
        assert_eq!(exchanged_format("%m-%d-%y %H:%M").as_deref(), Some("%d-%m-%y %H:%M"));
        for format in ["%Y-%m-%d", "%d %b %Y", "%F", "%Y年%m月%d日"] {
            assert_eq!(exchanged_format(format), None, "{format}");
        }
    }

    #[test]
    fn days_ahead_are_told_unless_others_lie_ahead_too() {
        // Texts are two figures; the value is the first one, the other way round it is the second.
        let parse = |text: &str, at: usize| text.split('/').nth(at).and_then(|part| part.parse::<i64>().ok());
        let told = |texts: &[&str]| {
            let mut exchanged = Exchanged::new(Some(Box::new(move |text| parse(text, 1))), 100);
            for (row, text) in texts.iter().enumerate() {
                let read = parse(text, 0).ok_or_else(|| Cow::from("no day"));
                assert_eq!(exchanged.watch(row, text, read).ok(), parse(text, 0));
            }
            exchanged.locate(&Int64Array::from_iter_values(2..2 + texts.len() as i64));
            exchanged.remark("day", "a.csv").map(|remark| (remark.count, remark.line))
        };
        assert_eq!(told(&["50/60", "100/100"]), None);
        assert_eq!(told(&["50/60", "200/60"]), Some((1, 3)));
        assert_eq!(told(&["200/60", "200/300"]), None);
        assert_eq!(told(&["x/60", "200/60", "200/300", "x/y"]), Some((1, 2)));
    }
}
