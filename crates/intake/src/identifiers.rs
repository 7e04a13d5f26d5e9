//! Identifiers that a spreadsheet took for numbers or dates.
//!
//! Scientific notation, dates and lost leading zeros cannot be undone and are rejected. Digits that were rounded away
//! leave zeros, which may also be correct: they are counted, and reported when there are more than by chance.

use super::numbers::Parsed;
use super::warnings::{Occurrences, ValueWarning};
use arrow::array::Int64Array;

/// Significant digits of a number in a spreadsheet.
const SIGNIFICANT_DIGITS: usize = 15;
/// Ratio of rounded values to those expected by chance above which they are reported.
const MIN_RATIO_TO_CHANCE: f64 = 3.0;

const SHORTENED: &str = "like identifiers that a spreadsheet turned into scientific notation";
const MADE_A_DATE: &str = "like identifiers that a spreadsheet turned into dates";
const LOST_ZEROS: &str = "like identifiers without their leading zeros";
const ROUNDED: &str = "rounded by a spreadsheet (zeros after 15 digits)";

const MONTHS: [&str; 18] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Mrz", "Mär", "Mai", "Okt",
    "Dez", "Sept",
];

/// Checks the identifiers of one column.
#[derive(Default)]
pub(super) struct Identifiers {
    digits: Option<usize>,
    shortened: Occurrences,
    dates: Occurrences,
    short: Occurrences,
    rounded: Occurrences,
    /// The number of values that would end in such zeros by chance.
    expected: f64,
}

impl Identifiers {
    /// With `digits`, identifiers with exactly this number of digits.
    pub(super) fn new(digits: Option<u32>) -> Identifiers {
        Identifiers { digits: digits.map(|digits| digits as usize), ..Identifiers::default() }
    }

    /// Rejects what is no longer an identifier.
    #[inline]
    pub(super) fn check(&mut self, row: usize, text: &str) -> Parsed<()> {
        let bytes = text.as_bytes();
        let length = bytes.len();
        let exponent_near = |back: usize| length > back && matches!(bytes[length - back], b'+' | b'-');
        let suspect = exponent_near(3)
            || exponent_near(4)
            || bytes.last().is_some_and(|b| *b >= 0x80)
            || (4..=8).contains(&length)
            || length > SIGNIFICANT_DIGITS;
        if suspect || self.digits.is_some() {
            return self.check_suspect(row, text);
        }
        Ok(())
    }

    fn check_suspect(&mut self, row: usize, text: &str) -> Parsed<()> {
        if is_shortened(text) {
            self.shortened.add(row, text);
            return Err("a spreadsheet turned the identifier into scientific notation; its digits are lost".into());
        }
        if is_date(text) {
            self.dates.add(row, text);
            return Err("a spreadsheet turned the identifier into a date".into());
        }
        let all_digits = text.bytes().all(|b| b.is_ascii_digit());
        if let Some(digits) = self.digits
            && (!all_digits || text.len() != digits)
        {
            if all_digits && text.len() < digits {
                self.short.add(row, text);
                return Err(
                    format!("the identifier has fewer than {digits} digits; it may have lost leading zeros").into()
                );
            }
            return Err(format!("the identifier does not have {digits} digits").into());
        }
        if all_digits && text.len() > SIGNIFICANT_DIGITS {
            self.expected += 0.1_f64.powi((text.len() - SIGNIFICANT_DIGITS) as i32);
            if text.as_bytes()[SIGNIFICANT_DIGITS..].iter().all(|b| *b == b'0') {
                self.rounded.add(row, text);
            }
        }
        Ok(())
    }

    /// After every batch: looks up the lines of examples.
    pub(super) fn locate(&mut self, lines: &Int64Array) {
        for sightings in [&mut self.shortened, &mut self.dates, &mut self.short, &mut self.rounded] {
            sightings.locate(lines);
        }
    }

    /// The warnings about a file.
    pub(super) fn warnings(&self, column: &str, file: &str) -> Vec<ValueWarning> {
        let rounded =
            if self.rounded.count as f64 > MIN_RATIO_TO_CHANCE * self.expected { self.rounded.count } else { 0 };
        let kinds = [
            (&self.shortened, SHORTENED, self.shortened.count),
            (&self.dates, MADE_A_DATE, self.dates.count),
            (&self.short, LOST_ZEROS, self.short.count),
            (&self.rounded, ROUNDED, rounded),
        ];
        kinds.iter().filter_map(|(seen, what, count)| seen.warning(column, file, what, *count)).collect()
    }
}

/// `6.02701E+11`: one digit, an optional fraction, and an exponent with a sign and two or three digits.
fn is_shortened(text: &str) -> bool {
    let Some((number, exponent)) = text.split_once('E') else { return false };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = number.split_once(['.', ',']).unwrap_or((number, "0"));
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    let Some(power) = exponent.strip_prefix(['+', '-']) else { return false };
    whole.len() == 1
        && digits(whole)
        && !fraction.is_empty()
        && digits(fraction)
        && digits(power)
        && (2..=3).contains(&power.len())
}

/// `3月5日`, `5-Mar`, `Mar-05`, `05. Mrz`: what `3-5` or `MAR5` becomes in spreadsheets of several languages.
fn is_date(text: &str) -> bool {
    let number = |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if let Some((month, day)) = text.strip_suffix('日').and_then(|text| text.split_once('月')) {
        return number(month) && number(day);
    }
    let month = |part: &str| MONTHS.contains(&part);
    match text.split_once('-').or_else(|| text.split_once(". ")) {
        Some((first, second)) => number(first) && month(second) || month(first) && number(second),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_spreadsheets_leave_is_distinguished_from_identifiers() {
        for text in ["6.02701E+11", "1.23457E+17", "6,02701E+11", "5E+03", "1E-05", "-2.5E+15", "1.2E+100"] {
            assert!(is_shortened(text), "{text}");
        }
        for text in
            ["3E5", "1E10", "12E+05", "E+11", "1.E+11", "6.02701E11", "6.02701E+1", "AE+11", "1.5E+1000", "602701"]
        {
            assert!(!is_shortened(text), "{text}");
        }
        for text in ["3月5日", "12月31日", "5-Mar", "05-Mar", "Mar-05", "5. Mrz", "05. Mai", "1-Sept"] {
            assert!(is_date(text), "{text}");
        }
        for text in ["5-MAR", "MAR-05", "5-March", "105-Mar", "3月", "A月5日", "5-", "Mar", "2026-01-31", "-Mar", "日"]
        {
            assert!(!is_date(text), "{text}");
        }
    }

    #[test]
    fn the_quick_check_misses_nothing() {
        let mut identifiers = Identifiers::new(None);
        for text in
            ["6.02701E+11", "5E+03", "1E-05", "1.2E+100", "3月5日", "5-Mar", "05. Sept", "Mar-5", "12345678E+11"]
        {
            let expected = is_shortened(text) || is_date(text);
            assert_eq!(identifiers.check(0, text).is_err(), expected, "{text}");
        }
        assert!(identifiers.check(0, "").is_ok() && identifiers.check(0, "+").is_ok());
    }

    #[test]
    fn zeros_after_fifteen_digits_are_reported_when_chance_does_not_explain_them() {
        let rounded = |ids: &[&str]| {
            let mut identifiers = Identifiers::new(None);
            ids.iter().enumerate().for_each(|(row, id)| assert!(identifiers.check(row, id).is_ok()));
            identifiers.locate(&Int64Array::from_iter_values(2..2 + ids.len() as i64));
            identifiers.warnings("id", "a.csv").iter().map(ValueWarning::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            rounded(&["123456789012345678", "123456789012345000"]),
            ["`id`: 1 value looks rounded by a spreadsheet (zeros after 15 digits), such as `123456789012345000` in \
              `a.csv` line 3"]
        );
        // One in ten ids of 16 digits ends in a zero.
        let ids: Vec<String> = (0..100).map(|i| format!("{}", 1_000_000_000_000_000_u64 + i)).collect();
        assert!(rounded(&ids.iter().map(String::as_str).collect::<Vec<_>>()).is_empty());
        assert!(rounded(&["123456789012000"]).is_empty());
    }

    #[test]
    fn a_fixed_number_of_digits_is_required() {
        let mut identifiers = Identifiers::new(Some(13));
        assert!(identifiers.check(0, "0123456789012").is_ok());
        assert!(identifiers.check(0, "123456789012").unwrap_err().contains("lost leading zeros"));
        for other in ["01234567890123", "012345678901X", "A"] {
            assert!(identifiers.check(0, other).unwrap_err().contains("does not have 13 digits"), "{other}");
        }
    }
}
