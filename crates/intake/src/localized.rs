//! Numbers of a locale, converted to plain ones digit by digit; numbers that are not of the locale are rejected.
//!
//! Nothing is computed in binary: a unit (`3.25万`) or a percent sign moves the decimal point of the text, and the plain
//! text is then read like any other number, with its precision and bounds.

use super::full_width;
use super::numbers::{Parsed, not_of_locale};
use perennial_core::contract::{Grouping, NumberLocale, Percent};
use std::borrow::Cow;

/// Converts numbers of one locale to plain ones.
pub(super) struct LocalizedNumbers {
    locale: NumberLocale,
    /// Longest first, so that `百万` is not taken for `万`.
    currency: Vec<String>,
    units: Vec<(String, u8)>,
    expected: &'static str,
    digits: String,
    plain: String,
}

/// What surrounds the digits.
#[derive(Default)]
struct Affixes {
    sign: bool,
    negative: bool,
    currency: bool,
    percent: bool,
    unit: Option<u8>,
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{a0}' | '\u{2009}' | '\u{202f}' | '\u{3000}')
}

fn is_minus(c: char) -> bool {
    matches!(c, '-' | '\u{2212}')
}

impl LocalizedNumbers {
    /// `expected` names the type in reasons, as in "a decimal number".
    pub(super) fn new(locale: &NumberLocale, expected: &'static str) -> LocalizedNumbers {
        let mut currency = locale.currency.clone();
        // One symbol with two code points.
        for (symbol, twin) in [("￥", "¥"), ("¥", "￥")] {
            if locale.currency.iter().any(|mark| mark == symbol) {
                currency.push(twin.to_string());
            }
        }
        currency.sort_by_key(|mark| std::cmp::Reverse(mark.len()));
        let mut units = locale.units.clone();
        units.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        LocalizedNumbers {
            locale: locale.clone(),
            currency,
            units,
            expected,
            digits: String::new(),
            plain: String::new(),
        }
    }

    /// The number as an optional minus, digits, and a decimal point if it has decimal places.
    pub(super) fn plain(&mut self, text: &str) -> Parsed<&str> {
        let folded = if self.locale.full_width { full_width::to_half_width(text) } else { Cow::Borrowed(text) };
        let mut affixes = Affixes::default();
        let mut rest = self.peel(&folded, &mut affixes);
        if let Some(inner) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'))
            && self.locale.parentheses
        {
            if affixes.sign {
                return Err("the number has a sign and parentheses".into());
            }
            (affixes.sign, affixes.negative) = (true, true);
            rest = self.peel(inner, &mut affixes);
        }
        if self.locale.percent == Some(Percent::Share) && !affixes.percent {
            return Err("the number has no %, which its `locale` requires".into());
        }
        let point = self.take_digits(rest, text)?;
        let places = i32::from(affixes.unit.unwrap_or(self.locale.counted_in));
        let shift = places - if self.locale.percent == Some(Percent::Share) { 2 } else { 0 };
        self.plain.clear();
        if affixes.negative {
            self.plain.push('-');
        }
        write_shifted(&mut self.plain, &self.digits, point, shift);
        Ok(&self.plain)
    }

    /// Removes sign, currency, percent sign and unit, each at most once.
    fn peel<'t>(&self, text: &'t str, affixes: &mut Affixes) -> &'t str {
        let mut rest = text.trim_matches(is_space);
        loop {
            let before = rest.len();
            if !affixes.sign
                && let Some(sign) = rest.chars().next().filter(|c| is_minus(*c) || *c == '+')
            {
                (affixes.sign, affixes.negative) = (true, is_minus(sign));
                rest = &rest[sign.len_utf8()..];
            } else if !affixes.currency
                && let Some(after) = self.currency.iter().find_map(|mark| rest.strip_prefix(mark.as_str()))
            {
                affixes.currency = true;
                rest = after;
            }
            rest = rest.trim_start_matches(is_space);
            if rest.len() == before {
                break;
            }
        }
        loop {
            let before = rest.len();
            let counted = affixes.percent || affixes.unit.is_some();
            if self.locale.trailing_minus
                && !affixes.sign
                && let Some(front) = rest.strip_suffix(is_minus)
            {
                (affixes.sign, affixes.negative) = (true, true);
                rest = front;
            } else if !affixes.currency
                && !counted
                && let Some(front) = self.currency.iter().find_map(|mark| rest.strip_suffix(mark.as_str()))
            {
                affixes.currency = true;
                rest = front;
            } else if self.locale.percent.is_some()
                && !counted
                && let Some(front) = rest.strip_suffix('%')
            {
                affixes.percent = true;
                rest = front;
            } else if !counted && let Some((front, power)) = self.unit_after(rest) {
                affixes.unit = Some(power);
                rest = front;
            }
            rest = rest.trim_end_matches(is_space);
            if rest.len() == before {
                return rest;
            }
        }
    }

    fn unit_after<'t>(&self, text: &'t str) -> Option<(&'t str, u8)> {
        self.units.iter().find_map(|(word, power)| text.strip_suffix(word.as_str()).map(|front| (front, *power)))
    }

    /// Stores the digits of a number without affixes; returns the position of the decimal point among them.
    fn take_digits(&mut self, number: &str, text: &str) -> Parsed<usize> {
        self.digits.clear();
        let (whole, fraction) = match number.split_once(self.locale.decimal_mark) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (number, None),
        };
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if !fraction.is_none_or(|part| !part.is_empty() && all_digits(part)) || whole.is_empty() && fraction.is_none() {
            return Err(self.reason(number, text));
        }
        if all_digits(whole) {
            self.digits.push_str(whole);
        } else {
            self.take_groups(whole, text)?;
        }
        let point = self.digits.len();
        self.digits.push_str(fraction.unwrap_or_default());
        Ok(point)
    }

    fn take_groups(&mut self, whole: &str, text: &str) -> Parsed<()> {
        let mark = whole.chars().find(|c| !c.is_ascii_digit()).filter(|c| self.is_group_mark(*c));
        let Some(mark) = mark else { return Err(self.reason(whole, text)) };
        if !whole.chars().all(|c| c.is_ascii_digit() || c == mark) {
            return Err(self.reason(whole, text));
        }
        let count = whole.split(mark).count();
        for (i, group) in whole.split(mark).enumerate() {
            let full = if self.locale.grouping == Grouping::Thousands || i + 1 == count { 3 } else { 2 };
            let good = match i {
                // `0,123` is a fraction in another locale.
                0 => !group.is_empty() && group.len() <= full && !group.starts_with('0'),
                _ => group.len() == full,
            };
            if !good {
                return Err("the group separators of the number are misplaced".into());
            }
            self.digits.push_str(group);
        }
        Ok(())
    }

    fn is_group_mark(&self, c: char) -> bool {
        match self.locale.group_mark {
            Some(' ') => matches!(c, ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}'),
            Some('\'') => matches!(c, '\'' | '\u{2019}'),
            mark => mark == Some(c),
        }
    }

    /// Why the rest is not a number of the locale.
    #[cold]
    fn reason(&self, number: &str, text: &str) -> Cow<'static, str> {
        let foreign = |c: &char| !c.is_ascii_digit() && *c != self.locale.decimal_mark && !self.is_group_mark(*c);
        match number.chars().find(foreign) {
            Some(other @ ('.' | ',')) => {
                format!("the number has `{other}`, which is not a separator of its `locale`").into()
            }
            _ if self.locale.full_width => not_of_locale(&full_width::to_half_width(text), self.expected),
            _ => not_of_locale(text, self.expected),
        }
    }
}

/// Writes digits with the decimal point `shift` places after `point`; if it moved, without leading zeros and without
/// trailing zeros of the fraction.
fn write_shifted(out: &mut String, digits: &str, point: usize, shift: i32) {
    let at = point as i64 + i64::from(shift);
    let before = usize::try_from(at).unwrap_or(0).min(digits.len());
    let (whole, fraction) = digits.split_at(before);
    if shift == 0 {
        out.push_str(whole);
        if !fraction.is_empty() {
            out.push('.');
            out.push_str(fraction);
        }
        return;
    }
    let zeros = |count: i64| std::iter::repeat_n('0', usize::try_from(count).unwrap_or(0));
    let from = out.len();
    out.push_str(whole.trim_start_matches('0'));
    if out.len() > from {
        out.extend(zeros(at - digits.len() as i64));
    } else {
        out.push('0');
    }
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        out.push('.');
        out.extend(zeros(-at));
        out.push_str(fraction);
    }
}
