//! Numbers and words, exactly or not at all.
//!
//! A refusal says what a person must know to mend the source: the thousands separator, the full-width digit, the
//! exponent a spreadsheet left.

use super::full_width;
use crate::contract::UNITS;
use std::borrow::Cow;

/// A value, or why there is none.
pub(super) type Parsed<T> = Result<T, Cow<'static, str>>;

/// A 64-bit whole number: a sign at most, then digits.
pub(super) fn integer(text: &str) -> Parsed<i64> {
    let (negative, digits) = sign(text.as_bytes());
    if digits.is_empty() || digits.len() > 18 {
        return long_integer(text);
    }
    let mut value: i64 = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(not_a_number(text, "a whole number"));
        }
        value = value * 10 + i64::from(digit);
    }
    Ok(if negative { -value } else { value })
}

fn long_integer(text: &str) -> Parsed<i64> {
    match text.strip_prefix('+').unwrap_or(text).parse::<i64>() {
        Ok(value) if !text.starts_with("+-") => Ok(value),
        Err(e) if matches!(e.kind(), std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow) => {
            Err("the number does not fit 64 bits".into())
        }
        _ => Err(not_a_number(text, "a whole number")),
    }
}

fn sign(bytes: &[u8]) -> (bool, &[u8]) {
    match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    }
}

/// An exact decimal as its unscaled value. Zeros beyond the scale are dropped; any other digit there is a refusal.
pub(super) fn decimal(text: &str, precision: u8, scale: i8) -> Parsed<i128> {
    let (negative, digits) = sign(text.as_bytes());
    let places = scale.max(0) as usize;
    let mut value: i128 = 0;
    // The first 18 digits fit 64 bits, where sums are cheap.
    let mut short: u64 = 0;
    let mut count = 0;
    let mut behind = 0;
    let mut point = false;
    let mut any = false;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            if *byte != b'.' || point {
                return Err(not_a_number(text, "a decimal number"));
            }
            point = true;
            continue;
        }
        any = true;
        if point {
            if behind == places {
                if digit != 0 {
                    return Err(too_precise(text, places));
                }
                continue;
            }
            behind += 1;
        }
        if count < 18 {
            short = short * 10 + u64::from(digit);
            count += usize::from(short != 0);
            value = i128::from(short);
        } else {
            value = match value.checked_mul(10).and_then(|v| v.checked_add(i128::from(digit))) {
                Some(value) => value,
                None => return Err(too_large(precision, scale)),
            };
        }
    }
    if !any {
        return Err(not_a_number(text, "a decimal number"));
    }
    let value = rescaled(value, places - behind, scale).ok_or_else(|| too_large(precision, scale))?;
    let value = value.ok_or_else(|| Cow::from("the number has more digits than the contract's scale"))?;
    if value >= power_of_ten(u32::from(precision)) {
        return Err(too_large(precision, scale));
    }
    Ok(if negative { -value } else { value })
}

/// The value with the missing places, and without those a negative scale leaves out. The outer nothing is an overflow,
/// the inner one a lost digit.
fn rescaled(value: i128, missing: usize, scale: i8) -> Option<Option<i128>> {
    if scale >= 0 {
        return value.checked_mul(power_of_ten(missing as u32)).map(Some);
    }
    let unit = power_of_ten(u32::from(scale.unsigned_abs()));
    Some((value % unit == 0).then_some(value / unit))
}

fn power_of_ten(exponent: u32) -> i128 {
    10_i128.checked_pow(exponent).unwrap_or(i128::MAX)
}

#[cold]
fn too_precise(text: &str, places: usize) -> Cow<'static, str> {
    let rest = &text.as_bytes()[1..];
    if rest.iter().any(|b| !b.is_ascii_digit() && *b != b'.') {
        return not_a_number(text, "a decimal number");
    }
    format!("the number has more than {places} digits behind the point; it is refused, not rounded").into()
}

#[cold]
fn too_large(precision: u8, scale: i8) -> Cow<'static, str> {
    format!("the number does not fit decimal({precision}, {scale})").into()
}

/// A finite double.
pub(super) fn float(text: &str) -> Parsed<f64> {
    let digits = text.as_bytes().iter().any(u8::is_ascii_digit);
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && digits => Ok(value),
        Ok(value) if value.is_nan() => Err("not-a-number (NaN) is no value".into()),
        Ok(_) => Err("an infinite number is no value".into()),
        Err(_) => Err(not_a_number(text, "a number")),
    }
}

/// Why a text is no number, and what a contract says where numbers are written like that.
#[cold]
pub(super) fn not_a_number(text: &str, wanted: &str) -> Cow<'static, str> {
    let lower = text.to_ascii_lowercase();
    let unsigned = lower.trim_start_matches(['+', '-']);
    if matches!(unsigned, "inf" | "infinity") {
        return "an infinite number is no value".into();
    }
    if unsigned == "nan" {
        return "not-a-number (NaN) is no value".into();
    }
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_digit() || "+-.".contains(c));
    if full_width::any_in(text) {
        let style = "`written: {full_width: true}` reads them";
        format!("the number is written with full-width digits or signs, not as {wanted}; {style}").into()
    } else if !lower.contains(|c: char| c.is_ascii_digit()) {
        format!("the text is not {wanted}").into()
    } else if text.contains(',') && plain(&text.replace(',', "")) {
        let style = "`written: english` or `written: european` says which";
        format!("the number has a comma (a thousands separator or decimal comma), so it is not {wanted}; {style}")
            .into()
    } else if lower.contains('e') && lower.parse::<f64>().is_ok() {
        format!("the number has an exponent, as spreadsheets leave when they shorten a number; it is not {wanted}")
            .into()
    } else if plain(text) && wanted == "a whole number" && lower.parse::<f64>().is_ok() {
        "the number has digits behind the point, so it is not a whole number".into()
    } else if text.len() > 1 && text.ends_with('-') {
        let style = "`written: {negative: trailing_minus}` reads it";
        format!("the number has its minus behind it, so it is not {wanted}; {style}").into()
    } else {
        not_a_bare_number(text, wanted)
    }
}

/// Of a text with digits: what stands beside or between them.
fn not_a_bare_number(text: &str, wanted: &str) -> Cow<'static, str> {
    let numeric = |c: char| c.is_ascii_digit() || "+-.,'()".contains(c);
    let around: String = text.chars().filter(|c| !numeric(*c) && !c.is_whitespace()).collect();
    let letters = around.chars().count() <= 4 && !around.is_empty();
    if around.is_empty() && text.starts_with('(') && text.ends_with(')') {
        format!("the number stands in parentheses, so it is not {wanted}; `written: accounting` reads it as negative")
            .into()
    } else if around.is_empty() && text.contains(char::is_whitespace) {
        let style = "`written: french` reads groups of digits with blanks between them";
        format!("the number has blanks within, so it is not {wanted}; {style}").into()
    } else if around == "%" {
        let style = "`written: {percent: as_written}` or `{percent: share}` says what it means";
        format!("the number has a percent sign, so it is not {wanted}; {style}").into()
    } else if letters && UNITS.iter().any(|(word, _)| around.starts_with(word)) {
        let style = "`written: chinese` or `written: {units: [...]}` reads it";
        format!("the number is counted in `{around}`, so it is not {wanted}; {style}").into()
    } else if letters && stands_beside_digits(text, &around) {
        let style = "where that is a currency, `written: {currency: [...]}` names it";
        format!("the number has `{around}` beside it, so it is not {wanted}; {style}").into()
    } else {
        format!("the text is not {wanted}").into()
    }
}

fn stands_beside_digits(text: &str, mark: &str) -> bool {
    let rest = text.trim_start_matches(['-', '+']).trim();
    let known = mark.chars().all(|c| "$€£¥￥元円圆".contains(c)) || mark.chars().all(|c| c.is_ascii_uppercase());
    known && (rest.starts_with(mark) || rest.ends_with(mark))
}

/// `true`/`false`, `1`/`0`, `yes`/`no`, `t`/`f`, `y`/`n`, without regard to case.
pub(super) fn boolean(text: &str) -> Parsed<bool> {
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    match text.as_bytes() {
        b"true" | b"1" => Ok(true),
        b"false" | b"0" => Ok(false),
        _ if is(&["true", "yes", "t", "y"]) => Ok(true),
        _ if is(&["false", "no", "f", "n"]) => Ok(false),
        _ => Err("the text is not true or false (true/false, 1/0, yes/no, t/f, y/n)".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reason<T: std::fmt::Debug>(parsed: Parsed<T>) -> String {
        parsed.unwrap_err().into_owned()
    }

    #[test]
    fn integers_are_exact_to_the_last_bit() {
        assert_eq!(integer("0"), Ok(0));
        assert_eq!(integer("-42"), Ok(-42));
        assert_eq!(integer("+7"), Ok(7));
        assert_eq!(integer("007"), Ok(7));
        assert_eq!(integer("9223372036854775807"), Ok(i64::MAX));
        assert_eq!(integer("-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(integer("00000000000000000000000012"), Ok(12));
        assert!(reason(integer("9223372036854775808")).contains("64 bits"));
        assert!(reason(integer("12.0")).contains("behind the point"));
        assert!(reason(integer("6.02701E+11")).contains("exponent"));
        assert!(reason(integer("1,234")).contains("comma"));
        assert!(reason(integer("１２３")).contains("full-width"));
        for text in ["", "-", "+", "--1", "+-1", "1-", "abc", "0x10", "1 2", "+-9223372036854775807"] {
            assert!(integer(text).is_err(), "{text}");
        }
    }

    #[test]
    fn decimals_are_never_rounded() {
        assert_eq!(decimal("12.34", 18, 2), Ok(1234));
        assert_eq!(decimal("12", 18, 2), Ok(1200));
        assert_eq!(decimal("-0.5", 18, 2), Ok(-50));
        assert_eq!(decimal(".5", 18, 2), Ok(50));
        assert_eq!(decimal("5.", 18, 2), Ok(500));
        assert_eq!(decimal("12.3400", 18, 2), Ok(1234));
        assert_eq!(decimal("0000000000000000000000000000000000000000001.5", 18, 2), Ok(150));
        assert_eq!(
            decimal("1234567890123456789012345678.9012345678", 38, 10),
            Ok(12345678901234567890123456789012345678)
        );
        assert_eq!(decimal("999.99", 5, 2), Ok(99999));
        assert_eq!(decimal("1200", 6, -2), Ok(12));
        assert!(reason(decimal("1000.00", 5, 2)).contains("decimal(5, 2)"));
        assert!(reason(decimal("99999999999999999999999999999999999999999", 38, 0)).contains("does not fit"));
        assert!(reason(decimal("12.345", 18, 2)).contains("more than 2 digits"));
        assert!(reason(decimal("1,234.00", 18, 2)).contains("comma"));
        assert!(reason(decimal("１２.５", 18, 2)).contains("full-width"));
        assert!(reason(decimal("1.5E+3", 18, 2)).contains("exponent"));
        assert!(reason(decimal("1.234E+3", 18, 2)).contains("exponent"));
        assert!(reason(decimal("12.50-", 18, 2)).contains("minus behind"));
        assert!(reason(decimal("1250", 6, -2)).contains("more digits"));
        for text in ["", "-", ".", "1.2.3", "1.2.", "(12.00)", "￥12", "12 EUR", "NaN", "Infinity"] {
            assert!(decimal(text, 18, 2).is_err(), "{text}");
        }
    }

    #[test]
    fn floats_are_finite() {
        assert_eq!(float("1.5e3"), Ok(1500.0));
        assert_eq!(float("-0.25"), Ok(-0.25));
        assert!(reason(float("NaN")).contains("NaN"));
        assert!(reason(float("inf")).contains("infinite"));
        assert!(reason(float("1e999")).contains("infinite"));
        assert!(reason(float("1,5")).contains("comma"));
        assert!(float("").is_err() && float("x").is_err());
    }

    #[test]
    fn truth_has_many_words() {
        for text in ["true", "TRUE", "1", "Yes", "t", "Y"] {
            assert_eq!(boolean(text), Ok(true), "{text}");
        }
        for text in ["false", "False", "0", "no", "F", "n"] {
            assert_eq!(boolean(text), Ok(false), "{text}");
        }
        assert!(boolean("2").is_err() && boolean("ja").is_err() && boolean("").is_err());
    }

    proptest! {
        #[test]
        fn any_integer_comes_back(value in any::<i64>()) {
            prop_assert_eq!(integer(&value.to_string()), Ok(value));
        }

        #[test]
        fn any_decimal_comes_back(value in -10_i128.pow(30)..10_i128.pow(30), scale in 0_u32..12) {
            let unit = 10_i128.pow(scale);
            let sign = if value < 0 { "-" } else { "" };
            let (whole, part) = (value.abs() / unit, value.abs() % unit);
            let text = match scale {
                0 => format!("{sign}{whole}"),
                _ => format!("{sign}{whole}.{part:0width$}", width = scale as usize),
            };
            prop_assert_eq!(decimal(&text, 38, scale as i8), Ok(value));
        }
    }
}
