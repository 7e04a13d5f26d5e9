//! Numbers and booleans, exactly or not at all.
//!
//! A reason for rejection says what is needed to fix the source or the contract: the thousands separator, the
//! full-width digit, the exponent that a spreadsheet left.

use super::full_width;
use perennial_core::contract::UNITS;
use perennial_core::reasons;
use std::borrow::Cow;

/// A value, or the reason for rejection.
pub(super) type Parsed<T> = Result<T, Cow<'static, str>>;

/// A 64-bit whole number: an optional sign and digits.
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
            Err(reasons::NOT_64_BITS.into())
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

/// An exact decimal as its unscaled value. Zeros beyond the scale are dropped; any other digit there is rejected.
pub(super) fn decimal(text: &str, precision: u8, scale: i8) -> Parsed<i128> {
    let (negative, digits) = sign(text.as_bytes());
    let places = scale.max(0) as usize;
    let mut value: i128 = 0;
    // The first 18 digits fit in 64 bits, where arithmetic is cheap.
    let mut short: u64 = 0;
    let mut count = 0;
    let mut decimals = 0;
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
            if decimals == places {
                if digit != 0 {
                    return Err(too_precise(text, places));
                }
                continue;
            }
            decimals += 1;
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
    let value = rescaled(value, places - decimals, scale).ok_or_else(|| too_large(precision, scale))?;
    let value = value.ok_or_else(|| Cow::from("the number has more digits than the scale of the contract"))?;
    if value >= power_of_ten(u32::from(precision)) {
        return Err(too_large(precision, scale));
    }
    Ok(if negative { -value } else { value })
}

/// The value with the missing decimal places, and without those that a negative scale omits. The outer `None` is an
/// overflow, the inner one a lost digit.
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
    reasons::decimal_places(places).into()
}

#[cold]
fn too_large(precision: u8, scale: i8) -> Cow<'static, str> {
    reasons::decimal_digits(precision, scale).into()
}

/// A finite double.
pub(super) fn float(text: &str) -> Parsed<f64> {
    let digits = text.as_bytes().iter().any(u8::is_ascii_digit);
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && digits => Ok(value),
        Ok(value) if value.is_nan() => Err(reasons::NOT_A_NUMBER.into()),
        Ok(_) => Err(reasons::INFINITE_NUMBER.into()),
        Err(_) => Err(not_a_number(text, "a number")),
    }
}

/// Why a text is not a number in plain notation, and which key of the contract reads numbers like it.
#[cold]
pub(super) fn not_a_number(text: &str, expected: &str) -> Cow<'static, str> {
    unreadable(text, expected, false)
}

/// Why a text is not a number of the locale that its column has, and which key of the locale reads numbers like it.
#[cold]
pub(super) fn not_of_locale(text: &str, expected: &str) -> Cow<'static, str> {
    unreadable(text, expected, true)
}

fn unreadable(text: &str, expected: &str, has_locale: bool) -> Cow<'static, str> {
    let lower = text.to_ascii_lowercase();
    let unsigned = lower.trim_start_matches(['+', '-']);
    if matches!(unsigned, "inf" | "infinity") {
        return reasons::INFINITE_NUMBER.into();
    }
    if unsigned == "nan" {
        return reasons::NOT_A_NUMBER.into();
    }
    let has_digits = lower.contains(|c: char| c.is_ascii_digit());
    let is_plain = text.chars().all(|c| c.is_ascii_digit() || "+-.".contains(c));
    if full_width::is_in(text) {
        let locale = "`locale: {full_width: true}` reads it";
        format!("the number has full-width digits or symbols, so it is not {expected}; {locale}").into()
    } else if !has_digits {
        format!("the text is not {expected}").into()
    } else if let Some(separators) = Separators::of(unsigned) {
        if has_locale { "the number does not fit its `locale`".into() } else { separators.reason() }
    } else if lower.contains('e') && lower.parse::<f64>().is_ok() {
        format!("the number is in scientific notation, as spreadsheets shorten long numbers; it is not {expected}")
            .into()
    } else if is_plain && expected == "a whole number" && lower.parse::<f64>().is_ok() {
        "the number has decimal places, so it is not a whole number".into()
    } else if text.len() > 1 && text.ends_with('-') {
        format!(
            "the number has a trailing minus, so it is not {expected}; `locale: {{negative: trailing_minus}}` reads it"
        )
        .into()
    } else {
        not_a_bare_number(text, expected, has_locale)
    }
}

/// What the separators of a number suggest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Separators {
    /// A number of the named locale.
    Of(&'static str),
    /// `1,234`: a thousand or a fraction.
    Ambiguous,
}

impl Separators {
    /// The separators of a number without a sign; `None` if it is not a number of any locale, or a plain one.
    fn of(number: &str) -> Option<Separators> {
        let fits = |decimal_mark: char, group_mark: char, inner: usize| {
            let (whole, fraction) = number.split_once(decimal_mark).unwrap_or((number, "0"));
            is_digits(fraction) && (whole.is_empty() || is_digits(whole) || is_grouped(whole, group_mark, inner))
        };
        if !number.contains([',', '\'', '\u{2019}']) && number.matches('.').count() < 2 {
            return None;
        }
        match (fits(',', '.', 3), fits('.', ',', 3)) {
            (true, true) => Some(Separators::Ambiguous),
            (true, false) => Some(Separators::Of("european")),
            (false, true) => Some(Separators::Of("english")),
            _ if fits('.', ',', 2) => Some(Separators::Of("indian")),
            _ if fits('.', '\'', 3) || fits('.', '\u{2019}', 3) => Some(Separators::Of("swiss")),
            _ => None,
        }
    }

    fn reason(self) -> Cow<'static, str> {
        match self {
            Separators::Of(locale) => {
                format!("the number is not in plain notation; `locale: {locale}` reads it").into()
            }
            Separators::Ambiguous => {
                "the number has a comma; `locale: european` reads it as decimal comma, `locale: english` as separator of \
                 thousands"
                    .into()
            }
        }
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether whole digits are grouped: a last group of three, and others of `inner`.
fn is_grouped(whole: &str, mark: char, inner: usize) -> bool {
    let groups: Vec<&str> = whole.split(mark).collect();
    let [first, middle @ .., last] = groups.as_slice() else { return false };
    let first_fits = (1..=inner).contains(&first.len()) && !first.starts_with('0');
    first_fits
        && last.len() == 3
        && middle.iter().all(|group| group.len() == inner)
        && groups.iter().all(|g| is_digits(g))
}

/// The reason for a text with digits and other characters.
fn not_a_bare_number(text: &str, expected: &str, has_locale: bool) -> Cow<'static, str> {
    let numeric = |c: char| c.is_ascii_digit() || "+-.,'()".contains(c);
    let affix: String = text.chars().filter(|c| !numeric(*c) && !c.is_whitespace()).collect();
    let is_short = affix.chars().count() <= 4 && !affix.is_empty();
    if affix.is_empty() && text.starts_with('(') && text.ends_with(')') {
        let key = if has_locale { "`negative: parentheses`" } else { "`locale: accounting`" };
        format!("the number is in parentheses, so it is not {expected}; {key} reads it as negative").into()
    } else if affix.is_empty() && text.contains(char::is_whitespace) && has_locale {
        format!("the number contains spaces, so it is not {expected} of its `locale`").into()
    } else if affix.is_empty() && text.contains(char::is_whitespace) {
        format!("the number contains spaces, so it is not {expected}; `locale: french` reads spaces between groups")
            .into()
    } else if affix == "%" {
        let locale = "`locale: {percent: as_written}` reads 5% as 5, `locale: {percent: share}` as 0.05";
        format!("the number has a percent sign, so it is not {expected}; {locale}").into()
    } else if is_short && UNITS.iter().any(|(word, _)| affix.starts_with(word)) {
        let locale = "`locale: chinese` or `locale: {units: [...]}` reads it";
        format!("the number has the unit `{affix}`, so it is not {expected}; {locale}").into()
    } else if is_short && is_currency(text, &affix) {
        let locale = "if that is a currency, `locale: {currency: [...]}` reads it";
        format!("the number has `{affix}` beside it, so it is not {expected}; {locale}").into()
    } else {
        format!("the text is not {expected}").into()
    }
}

/// Whether an affix of a number looks like a currency.
fn is_currency(text: &str, affix: &str) -> bool {
    let rest = text.trim_start_matches(['-', '+']).trim();
    let known = affix.chars().all(|c| "$€£¥￥元円圆".contains(c)) || affix.chars().all(|c| c.is_ascii_uppercase());
    known && (rest.starts_with(affix) || rest.ends_with(affix))
}

/// `true`/`false`, `1`/`0`, `yes`/`no`, `t`/`f`, `y`/`n`, case-insensitive.
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
        assert!(reason(integer("12.0")).contains("decimal places"));
        assert!(reason(integer("6.02701E+11")).contains("scientific"));
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
        assert!(reason(decimal("12.345", 18, 2)).contains("more than 2 decimal places"));
        assert!(reason(decimal("1,234.00", 18, 2)).contains("`locale: english`"));
        assert!(reason(decimal("１２.５", 18, 2)).contains("full-width"));
        assert!(reason(decimal("1.5E+3", 18, 2)).contains("scientific"));
        assert!(reason(decimal("1.234E+3", 18, 2)).contains("scientific"));
        assert!(reason(decimal("12.50-", 18, 2)).contains("trailing minus"));
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
        assert!(reason(float("1,5")).contains("`locale: european`"));
        assert!(float("").is_err() && float("x").is_err());
    }

    #[test]
    fn separators_tell_the_locale() {
        for number in ["1.234,56", "12,5", "0,123", "1234,567", "1.234.567", ",5", "1.234.567,8"] {
            assert_eq!(Separators::of(number), Some(Separators::Of("european")), "{number}");
        }
        for number in ["1,234.56", "1,234,567", "12,345,678.9"] {
            assert_eq!(Separators::of(number), Some(Separators::Of("english")), "{number}");
        }
        assert_eq!(Separators::of("12,34,567.89"), Some(Separators::Of("indian")));
        assert_eq!(Separators::of("1'234.50"), Some(Separators::Of("swiss")));
        assert_eq!(Separators::of("1,234"), Some(Separators::Ambiguous));
        for number in
            ["12", "12.5", "1 234,5", "1,5x", "1e5", "1.2.3", "1,2,3", "01.02.2026", "5,", "1,,2", "1.234,567,8"]
        {
            assert_eq!(Separators::of(number), None, "{number}");
        }
        assert!(reason(decimal("1.234,56", 18, 2)).ends_with("; `locale: european` reads it"));
        assert_eq!(decimal("1.234,56", 18, 2), decimal("-12,5", 18, 2), "one reason for one locale");
    }

    #[test]
    fn booleans_have_many_spellings() {
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
