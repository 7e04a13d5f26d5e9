use super::localized::LocalizedNumbers;
use super::numbers::{self, Parsed};
use perennial_core::contract::{NUMBER_LOCALES, NumberLocale, Percent, UNITS};
use proptest::prelude::*;

fn locale(name: &str) -> NumberLocale {
    NumberLocale::named(name).unwrap()
}

fn plain(locale: &NumberLocale, text: &str) -> Result<String, String> {
    let mut reader = LocalizedNumbers::new(locale, "a decimal number");
    reader.plain(text).map(str::to_string).map_err(|reason| reason.into_owned())
}

/// Each text with its plain number, or a part of the reason for rejection.
fn check(locale: &NumberLocale, known: &[(&str, Result<&str, &str>)]) {
    for (text, expected) in known {
        match (plain(locale, text), expected) {
            (Ok(number), Ok(expected)) => assert_eq!(number, *expected, "{text}"),
            (Err(reason), Err(word)) => assert!(reason.contains(word), "{text}: {reason}"),
            (found, expected) => panic!("{text}: {found:?}, expected {expected:?}"),
        }
    }
}

#[test]
fn separators_are_where_they_should_be() {
    let wrong = Err("misplaced");
    check(
        &locale("english"),
        &[
            ("1,234,567.89", Ok("1234567.89")),
            ("1,234", Ok("1234")),
            ("1234567.89", Ok("1234567.89")),
            ("-12.50", Ok("-12.50")),
            ("\u{2212}12", Ok("-12")),
            ("+.5", Ok(".5")),
            ("- 5", Ok("-5")),
            ("1,23", wrong),
            ("1,2345", wrong),
            ("12,34,567", wrong),
            ("1234,567", wrong),
            (",123", wrong),
            ("1,,234", wrong),
            ("1,234,", wrong),
            ("0,123", wrong),
            ("01,234", wrong),
            ("1.234.567", Err("does not fit its `locale`")),
            ("1.234,50", Err("does not fit its `locale`")),
            ("5.", Err("")),
            ("", Err("not a decimal number")),
            ("-", Err("not a decimal number")),
            (".", Err("not a decimal number")),
            ("--5", Err("")),
            ("-5-", Err("")),
            ("1 234", Err("contains spaces")),
            ("(5)", Err("negative: parentheses")),
            ("5-", Err("trailing_minus")),
            ("5%", Err("percent")),
            ("￥5", Err("currency")),
            ("5 EUR", Err("currency")),
            ("3万", Err("units")),
            ("１２", Err("full_width")),
            ("1.5E+3", Err("scientific")),
            ("NaN", Err("NaN")),
            ("abc", Err("not a decimal number")),
        ],
    );
    check(
        &locale("european"),
        &[
            ("1.234.567,89", Ok("1234567.89")),
            ("1.234", Ok("1234")),
            ("12,5", Ok("12.5")),
            ("12.5", wrong),
            ("0.123", wrong),
            ("1,234.50", Err("does not fit its `locale`")),
            ("1,2,3", Err("")),
        ],
    );
    check(
        &locale("french"),
        &[
            ("1 234 567,89", Ok("1234567.89")),
            ("1\u{a0}234,5", Ok("1234.5")),
            ("1\u{202f}234,5", Ok("1234.5")),
            ("1\u{2009}234", Ok("1234")),
            (" 12 ", Ok("12")),
            ("1\u{a0}234 567", Err("")),
            ("12 34", wrong),
        ],
    );
    check(
        &locale("swiss"),
        &[("1'234'567.89", Ok("1234567.89")), ("1’234", Ok("1234")), ("1,234", Err("not a separator"))],
    );
    check(
        &locale("indian"),
        &[
            ("12,34,567.89", Ok("1234567.89")),
            ("1,234", Ok("1234")),
            ("99,999", Ok("99999")),
            ("1,00,000", Ok("100000")),
            ("100,000", wrong),
            ("1,234,567", wrong),
            ("123,45,678", wrong),
        ],
    );
}

#[test]
fn money_can_have_a_currency_symbol() {
    let euro = NumberLocale { currency: vec!["€".into(), "EUR".into()], ..locale("european") };
    check(
        &euro,
        &[
            ("EUR 5", Ok("5")),
            ("5,00 €", Ok("5.00")),
            ("5,00\u{a0}€", Ok("5.00")),
            ("€1.234,50", Ok("1234.50")),
            ("-€5", Ok("-5")),
            ("€ -5", Ok("-5")),
            ("€5 EUR", Err("")),
            ("5 USD", Err("currency")),
            ("5 eur", Err("not a decimal number")),
            ("EUR", Err("not a decimal number")),
        ],
    );
    check(
        &locale("accounting"),
        &[
            ("(1,234.50)", Ok("-1234.50")),
            ("( 5 )", Ok("-5")),
            ("5", Ok("5")),
            ("-5", Ok("-5")),
            ("(-5)", Err("")),
            ("-(5)", Err("sign and parentheses")),
            ("(5", Err("")),
            ("5)", Err("")),
            ("()", Err("")),
            ("((5))", Err("")),
        ],
    );
    let sap = NumberLocale { trailing_minus: true, currency: vec!["EUR".into()], ..locale("european") };
    check(
        &sap,
        &[
            ("1.234,00-", Ok("-1234.00")),
            ("5 -", Ok("-5")),
            ("5,00- EUR", Ok("-5.00")),
            ("5,00 EUR-", Ok("-5.00")),
            ("-5-", Err("")),
            ("5--", Err("")),
        ],
    );
}

#[test]
fn chinese_amounts_are_exact() {
    check(
        &locale("chinese"),
        &[
            ("￥1,234.50", Ok("1234.50")),
            ("¥1,234.50", Ok("1234.50")),
            ("12.00元", Ok("12.00")),
            ("人民币12.00", Ok("12.00")),
            ("RMB 12", Ok("12")),
            ("１２３．４５", Ok("123.45")),
            ("－１，２３４．５０", Ok("-1234.50")),
            ("￥　５", Ok("5")),
            ("1.5万", Ok("15000")),
            ("3.25万元", Ok("32500")),
            ("1.50000万", Ok("15000")),
            ("1.23456万", Ok("12345.6")),
            ("0.00005万", Ok("0.5")),
            ("-2.5亿元", Ok("-250000000")),
            ("1万亿", Ok("1000000000000")),
            ("3百万", Ok("3000000")),
            ("3千万", Ok("30000000")),
            ("12萬", Ok("120000")),
            ("1,234万", Ok("12340000")),
            ("0万", Ok("0")),
            ("0.00万", Ok("0")),
            ("万", Err("")),
            ("1元万", Err("")),
            ("1万万", Err("")),
            ("￥5元", Err("")),
            ("5美元", Err("")),
            ("1.2.3万", Err("")),
            ("（5）", Err("negative: parentheses")),
        ],
    );
    let in_ten_thousands = NumberLocale { counted_in: 4, ..locale("english") };
    check(
        &in_ten_thousands,
        &[("3.25", Ok("32500")), ("1,000", Ok("10000000")), ("0.00001", Ok("0.1")), ("3万", Err("units"))],
    );
    let full_accounting = NumberLocale { full_width: true, ..locale("accounting") };
    check(&full_accounting, &[("（１，２３４．５０）", Ok("-1234.50"))]);
}

#[test]
fn a_percent_sign_means_what_the_contract_says() {
    let written = NumberLocale { percent: Some(Percent::AsWritten), full_width: true, ..NumberLocale::plain() };
    check(
        &written,
        &[("12.5%", Ok("12.5")), ("12.5 %", Ok("12.5")), ("-3％", Ok("-3")), ("12.5", Ok("12.5")), ("5%%", Err(""))],
    );
    let share = NumberLocale { percent: Some(Percent::Share), ..NumberLocale::plain() };
    check(
        &share,
        &[
            ("12.5%", Ok("0.125")),
            ("100%", Ok("1")),
            ("250%", Ok("2.5")),
            ("-5%", Ok("-0.05")),
            ("0%", Ok("0")),
            ("0.5%", Ok("0.005")),
            ("12.5", Err("has no %")),
        ],
    );
}

#[test]
fn localized_numbers_obey_the_rules_of_their_type() {
    let read = |text: &str, scale| -> Parsed<i128> {
        let locale = locale("chinese");
        let mut reader = LocalizedNumbers::new(&locale, "a decimal number");
        reader.plain(text).and_then(|plain| numbers::decimal(plain, 18, scale))
    };
    assert_eq!(read("3.25万元", 2), Ok(3_250_000));
    assert_eq!(read("1.5万", 0), Ok(15_000));
    assert!(read("1.234567万", 1).unwrap_err().contains("more than 1 decimal places"));
    assert!(read("99999999999万亿", 2).unwrap_err().contains("does not fit"));
}

#[test]
fn the_examples_of_named_locales_are_of_their_locale() {
    for (name, examples) in NUMBER_LOCALES {
        for example in examples.split(", ") {
            assert!(plain(&locale(name), example).is_ok(), "{name}: {example}");
        }
    }
}

/// Formats a number in a locale, independently of how it is read.
fn formatted(locale: &NumberLocale, negative: bool, whole: u64, fraction: &str, choice: u8) -> String {
    let mut digits: Vec<char> = whole.to_string().chars().collect();
    if let (Some(mark), true) = (locale.group_mark, choice & 1 == 0) {
        let indian = locale.grouping == perennial_core::contract::Grouping::Indian;
        let mut at = digits.len().saturating_sub(3);
        while at > 0 {
            digits.insert(at, mark);
            at = at.saturating_sub(if indian { 2 } else { 3 });
        }
    }
    let mut text: String = digits.into_iter().collect();
    if !fraction.is_empty() {
        text.push(locale.decimal_mark);
        text.push_str(fraction);
    }
    if let Some(mark) = locale.currency.first().filter(|_| choice & 2 == 0) {
        text = if choice & 4 == 0 { format!("{mark}{text}") } else { format!("{text} {mark}") };
    }
    match negative {
        true if locale.parentheses && choice & 8 == 0 => text = format!("({text})"),
        true if locale.trailing_minus && choice & 8 == 0 => text.push('-'),
        true => text.insert(0, '-'),
        false => {}
    }
    if locale.full_width && choice & 16 == 0 {
        let wide = |c: char| match c {
            '0'..='9' | ',' | '.' | '-' | '(' | ')' => char::from_u32(c as u32 + 0xfee0).unwrap(),
            other => other,
        };
        text = text.chars().map(wide).collect();
    }
    text
}

fn locales() -> impl Strategy<Value = NumberLocale> {
    let names: Vec<&'static str> = NUMBER_LOCALES.iter().map(|(name, _)| *name).collect();
    (prop::sample::select(names), any::<bool>(), any::<bool>()).prop_map(|(name, minus, euro)| {
        let base = locale(name);
        let currency = if euro { vec!["EUR".to_string()] } else { base.currency.clone() };
        NumberLocale { trailing_minus: minus, currency, ..base }
    })
}

proptest! {
    #[test]
    fn what_is_formatted_in_a_locale_is_read_exactly(
        locale in locales(), negative: bool, whole in 0_u64..1_000_000_000_000, fraction in "[0-9]{0,6}", choice: u8,
    ) {
        let text = formatted(&locale, negative, whole, &fraction, choice);
        let point = if fraction.is_empty() { "" } else { "." };
        let expected = format!("{}{whole}{point}{fraction}", if negative { "-" } else { "" });
        prop_assert_eq!(plain(&locale, &text), Ok(expected), "{}", text);
    }

    /// Whatever a locale accepts has the digits of the text in their order: no text is ever read as a different number.
    #[test]
    fn no_other_number_is_ever_read(locale in locales(), text in "[0-9]{0,4}[-(￥万元. ,'’）１]{0,2}[0-9]{1,4}[-.,' )万元%E+]{0,2}[0-9]{0,4}[)元万-]{0,2}") {
        if let Ok(number) = plain(&locale, &text) {
            let digits = |text: &str| -> String {
                text.chars().map(|c| if c == '１' { '1' } else { c }).filter(char::is_ascii_digit).collect()
            };
            let (found, expected) = (digits(&number), digits(&text));
            let unit = UNITS.iter().any(|(word, _)| text.contains(word));
            prop_assert!(found == expected || unit && found.trim_matches('0') == expected.trim_matches('0'), "{} {}", text, number);
            // At most one decimal separator, in the same place as in the text.
            let places = |text: &str, mark: char| text.split_once(mark).map_or(0, |(_, behind)| digits(behind).len());
            if !unit {
                prop_assert_eq!(places(&number, '.'), places(&text.replace('．', "."), locale.decimal_mark), "{} {}", text, number);
            }
            let negative = text.contains(['-', '－']) || text.contains('(');
            prop_assert_eq!(number.starts_with('-'), negative, "{} {}", text, number);
        }
    }

    #[test]
    fn no_text_makes_it_panic(locale in locales(), text: String) {
        let _ = plain(&locale, &text);
    }
}
