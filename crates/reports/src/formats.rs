//! How columns of tables and figures of charts are written.

use super::data::{number, unknown};
use super::decimal::Decimal;
use super::number::{self, Sign};
use minijinja::Error;
use minijinja::value::Value;
use perennial_project::Language;

/// How a column or a figure is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// A number with its own decimal places, or with a fixed number of them.
    Number(Option<u32>),
    /// A number with one decimal place.
    Decimal1,
    /// A whole number.
    Integer,
    /// Money in whole units of the currency.
    Money,
    /// The same with a sign before gains too.
    MoneySigned,
    /// Money with cents.
    Cents,
    /// A share as per cent with one digit.
    Percent,
    /// The same with a sign above zero too.
    PercentSigned,
    /// A date.
    Date,
    /// A month.
    Month,
    /// Text.
    Text,
}

/// Every format with its name in templates and what it makes of an example.
pub(crate) const FORMATS: &[(&str, Format, &str)] = &[
    ("text", Format::Text, "text as it is"),
    ("number", Format::Number(None), "a number with the decimal places it has, at most four: 1,234.5"),
    ("decimal1", Format::Decimal1, "a number with one decimal place, for averages: 36.6"),
    ("integer", Format::Integer, "a whole number: 1,235"),
    ("money", Format::Money, "an amount in whole units of the currency: 1,235"),
    ("money_signed", Format::MoneySigned, "the same with a plus before gains: +1,235"),
    ("cents", Format::Cents, "an amount with cents: 1,234.50"),
    ("percent", Format::Percent, "a share between 0 and 1 as per cent: 0.031 becomes 3.1 %"),
    ("percent_signed", Format::PercentSigned, "the same with a plus above zero: +3.1 %"),
    ("date", Format::Date, "a date or an instant as a day: 30 September 2026"),
    ("month", Format::Month, "the same as a month: September 2026"),
];

/// More decimal places than this are never shown unless somebody asks for them.
const MAX_PLACES: u32 = 4;

impl Format {
    /// Names in templates.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        FORMATS.iter().map(|(name, ..)| *name)
    }

    /// The format of a name.
    pub(crate) fn from_name(name: &str) -> Option<Format> {
        FORMATS.iter().find(|(known, ..)| *known == name).map(|(_, format, _)| *format)
    }

    /// The format of a name, or an error that says which there are.
    pub(crate) fn named(name: &str) -> Result<Format, Error> {
        Format::from_name(name).ok_or_else(|| unknown(format!("unknown format `{name}`"), name, Format::names()))
    }

    /// The format that suits values which nobody gave one: dates, numbers, or text.
    pub(crate) fn of_values<'a>(values: impl Iterator<Item = &'a Value>) -> Format {
        let mut known = values.filter(|value| !value.is_none() && !value.is_undefined()).peekable();
        if known.peek().is_none() {
            return Format::Text;
        }
        let (mut numbers, mut dates) = (true, true);
        for value in known {
            numbers &= number(value).is_some();
            dates &= value.as_str().is_some_and(is_day);
        }
        match (numbers, dates) {
            (true, _) => Format::Number(None),
            (_, true) => Format::Date,
            _ => Format::Text,
        }
    }

    /// The same with the decimal places of these values, so that decimal points are aligned.
    pub(crate) fn aligned<'a>(self, values: impl Iterator<Item = &'a Value>) -> Format {
        match self {
            Format::Number(None) => Format::Number(Some(values.filter_map(number).map(places).max().unwrap_or(0))),
            other => other,
        }
    }

    /// Whether it writes days.
    pub(crate) fn is_date(self) -> bool {
        matches!(self, Format::Date | Format::Month)
    }

    /// Whether its columns are set flush right.
    pub(crate) fn is_figure(self) -> bool {
        !matches!(self, Format::Date | Format::Month | Format::Text)
    }

    /// The number written this way, in full.
    pub(crate) fn write(self, value: Decimal, language: Language) -> String {
        match self {
            Format::Number(fixed) => number::full(value, fixed.unwrap_or_else(|| places(value)), Sign::Minus, language),
            Format::Decimal1 => number::full(value, 1, Sign::Minus, language),
            Format::Cents => number::full(value, 2, Sign::Minus, language),
            Format::MoneySigned => number::full(value, 0, Sign::Both, language),
            Format::Percent => number::percent(value, language, Sign::Minus),
            Format::PercentSigned => number::percent(value, language, Sign::Both),
            _ => number::integer(value, language),
        }
    }

    /// The number as it is written in a picture: in three significant digits, shares as per cent.
    pub(crate) fn write_short(self, value: Decimal, language: Language) -> String {
        match self {
            Format::Percent => number::percent(value, language, Sign::Minus),
            Format::PercentSigned => number::percent(value, language, Sign::Both),
            Format::MoneySigned => number::short(value, language, Sign::Both),
            _ => number::short(value, language, Sign::Minus),
        }
    }
}

/// Whether a text is a date, or a timestamp without a zone at midnight.
fn is_day(text: &str) -> bool {
    let day = text.strip_suffix("T00:00:00").unwrap_or(text);
    day.len() == 10 && day.parse::<jiff::civil::Date>().is_ok()
}

/// The decimal places a number is shown with: those of its column, without the zeros that a binary float ends in.
fn places(value: Decimal) -> u32 {
    let value = if value.scale > MAX_PLACES { value.round(MAX_PLACES).trimmed() } else { value };
    value.scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_the_places_of_its_column() {
        let values = [Value::from(0.12), Value::from(0.5), Value::from(())];
        let format = Format::of_values(values.iter()).aligned(values.iter());
        assert_eq!(format, Format::Number(Some(2)));
        let written: Vec<String> =
            values.iter().filter_map(number).map(|n| format.write(n, Language::ENGLISH)).collect();
        assert_eq!(written, ["0.12", "0.50"]);
        assert_eq!(Format::Number(None).write(Decimal::parse("12.50").unwrap(), Language::ENGLISH), "12.50");
        assert_eq!(Format::Number(None).write(Decimal::parse("1234").unwrap(), Language::ENGLISH), "1,234");
        assert_eq!(places(Decimal::parse("0.333333333").unwrap()), 4);
        assert_eq!(Format::Decimal1.write(Decimal::parse("36.5833").unwrap(), Language::ENGLISH), "36.6");
    }

    #[test]
    fn values_without_a_format_get_the_one_that_suits_them() {
        let of = |values: &[Value]| Format::of_values(values.iter());
        assert_eq!(of(&[Value::from("2026-09-01"), Value::from(())]), Format::Date);
        assert_eq!(of(&[Value::from("2026-09-01"), Value::from("north")]), Format::Text);
        assert_eq!(of(&[]), Format::Text);
        assert_eq!(of(&[Value::from("2026-09-01T00:00:00")]), Format::Date);
        assert_eq!(of(&[Value::from("2026-09-01T13:05:00")]), Format::Text);
    }
}
