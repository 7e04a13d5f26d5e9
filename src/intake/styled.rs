//! Numbers as people write them, made into plain ones digit by digit; what is not of the style is refused.
//!
//! Nothing is computed in binary: a unit (`3.25万`) or a percent sign moves the decimal point of the text, and the plain
//! text is then read as any other number, with its precision and bounds.

use super::full_width;
use super::numbers::{Parsed, not_a_number};
use crate::contract::{Grouping, NumberStyle, Percent};
use std::borrow::Cow;

/// Makes numbers of one style plain.
pub(super) struct StyledNumbers {
    style: NumberStyle,
    /// Longest first, so that `百万` is not taken for `万`.
    currency: Vec<String>,
    units: Vec<(String, u8)>,
    wanted: &'static str,
    digits: String,
    plain: String,
}

/// What stood around the digits.
#[derive(Default)]
struct Around {
    sign: bool,
    negative: bool,
    currency: bool,
    percent: bool,
    unit: Option<u8>,
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{a0}' | '\u{2009}' | '\u{202f}' | '\u{3000}')
}

fn is_minus(c: char) -> bool {
    matches!(c, '-' | '\u{2212}')
}

impl StyledNumbers {
    /// Numbers of this style; `wanted` names the type in refusals, as in "a decimal number".
    pub(super) fn new(style: &NumberStyle, wanted: &'static str) -> StyledNumbers {
        let mut currency = style.currency.clone();
        // One sign with two code points.
        for (sign, twin) in [("￥", "¥"), ("¥", "￥")] {
            if style.currency.iter().any(|mark| mark == sign) {
                currency.push(twin.to_string());
            }
        }
        currency.sort_by_key(|mark| std::cmp::Reverse(mark.len()));
        let mut units = style.units.clone();
        units.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        StyledNumbers { style: style.clone(), currency, units, wanted, digits: String::new(), plain: String::new() }
    }

    /// The number with a minus at most, digits, and a point where it has a fraction.
    pub(super) fn plain(&mut self, text: &str) -> Parsed<&str> {
        let folded = if self.style.full_width { full_width::folded(text) } else { Cow::Borrowed(text) };
        let mut around = Around::default();
        let mut rest = self.peel(&folded, &mut around);
        if let Some(inner) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'))
            && self.style.parentheses
        {
            if around.sign {
                return Err("the number has a sign and parentheses".into());
            }
            (around.sign, around.negative) = (true, true);
            rest = self.peel(inner, &mut around);
        }
        if self.style.percent == Some(Percent::Share) && !around.percent {
            return Err("the number has no %, and its `written` reads shares of a hundred".into());
        }
        let point = self.take_digits(rest, text)?;
        let places = i32::from(around.unit.unwrap_or(self.style.counted_in));
        let shift = places - if self.style.percent == Some(Percent::Share) { 2 } else { 0 };
        self.plain.clear();
        if around.negative {
            self.plain.push('-');
        }
        write_shifted(&mut self.plain, &self.digits, point, shift);
        Ok(&self.plain)
    }

    /// Takes sign, currency, percent sign and unit off, each at most once.
    fn peel<'t>(&self, text: &'t str, around: &mut Around) -> &'t str {
        let mut rest = text.trim_matches(is_blank);
        loop {
            let before = rest.len();
            if !around.sign
                && let Some(sign) = rest.chars().next().filter(|c| is_minus(*c) || *c == '+')
            {
                (around.sign, around.negative) = (true, is_minus(sign));
                rest = &rest[sign.len_utf8()..];
            } else if !around.currency
                && let Some(behind) = self.currency.iter().find_map(|mark| rest.strip_prefix(mark.as_str()))
            {
                around.currency = true;
                rest = behind;
            }
            rest = rest.trim_start_matches(is_blank);
            if rest.len() == before {
                break;
            }
        }
        loop {
            let before = rest.len();
            let counted = around.percent || around.unit.is_some();
            if self.style.trailing_minus
                && !around.sign
                && let Some(front) = rest.strip_suffix(is_minus)
            {
                (around.sign, around.negative) = (true, true);
                rest = front;
            } else if !around.currency
                && !counted
                && let Some(front) = self.currency.iter().find_map(|mark| rest.strip_suffix(mark.as_str()))
            {
                around.currency = true;
                rest = front;
            } else if self.style.percent.is_some()
                && !counted
                && let Some(front) = rest.strip_suffix('%')
            {
                around.percent = true;
                rest = front;
            } else if !counted && let Some((front, power)) = self.unit_behind(rest) {
                around.unit = Some(power);
                rest = front;
            }
            rest = rest.trim_end_matches(is_blank);
            if rest.len() == before {
                return rest;
            }
        }
    }

    fn unit_behind<'t>(&self, text: &'t str) -> Option<(&'t str, u8)> {
        self.units.iter().find_map(|(word, power)| text.strip_suffix(word.as_str()).map(|front| (front, *power)))
    }

    /// Keeps the digits of a number without its surroundings; gives the place of the decimal point among them.
    fn take_digits(&mut self, number: &str, text: &str) -> Parsed<usize> {
        self.digits.clear();
        let (whole, fraction) = match number.split_once(self.style.decimal_mark) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (number, None),
        };
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if !fraction.is_none_or(|part| !part.is_empty() && all_digits(part)) || whole.is_empty() && fraction.is_none() {
            return Err(self.refusal(number, text));
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
        let Some(mark) = mark else { return Err(self.refusal(whole, text)) };
        if !whole.chars().all(|c| c.is_ascii_digit() || c == mark) {
            return Err(self.refusal(whole, text));
        }
        let count = whole.split(mark).count();
        for (i, group) in whole.split(mark).enumerate() {
            let full = if self.style.grouping == Grouping::Thousands || i + 1 == count { 3 } else { 2 };
            let good = match i {
                // `0,123` is a fraction in another style.
                0 => !group.is_empty() && group.len() <= full && !group.starts_with('0'),
                _ => group.len() == full,
            };
            if !good {
                return Err("the group marks of the number do not stand where they should".into());
            }
            self.digits.push_str(group);
        }
        Ok(())
    }

    fn is_group_mark(&self, c: char) -> bool {
        match self.style.group_mark {
            Some(' ') => matches!(c, ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}'),
            Some('\'') => matches!(c, '\'' | '\u{2019}'),
            mark => mark == Some(c),
        }
    }

    /// Why what is left is no number of the style.
    #[cold]
    fn refusal(&self, number: &str, text: &str) -> Cow<'static, str> {
        let foreign = |c: &char| !c.is_ascii_digit() && *c != self.style.decimal_mark && !self.is_group_mark(*c);
        match number.chars().find(foreign) {
            Some(other @ ('.' | ',')) => {
                format!("the number has `{other}`, which is no mark of the style it is `written` in").into()
            }
            _ if self.style.full_width => not_a_number(&full_width::folded(text), self.wanted),
            _ => not_a_number(text, self.wanted),
        }
    }
}

/// Writes digits with the decimal point `shift` places behind `point`; where it moved, without zeros in front and at the
/// end of the fraction.
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
