//! The way a language writes figures, amounts, dates and months: its rules are in its file, the arithmetic is here.

use super::decimal::Decimal;
use super::language::{data, fill};
use jiff::civil::Date;
use perennial_project::Language;

/// Whether a plus is written before figures above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Only a minus is written.
    Minus,
    /// Both signs are.
    Both,
}

/// A number in full with a fixed number of decimal places: `−1,234.50`.
pub(crate) fn full(value: Decimal, places: u32, sign: Sign, language: Language) -> String {
    let rules = &data(language).numbers;
    let rounded = value.round(places);
    let text = rounded.abs().to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut out = sign_of(rounded, sign, language);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push_str(&rules.thousands);
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push_str(&rules.decimal);
        out.push_str(fraction);
    }
    out
}

/// A whole number in full.
pub(crate) fn integer(value: Decimal, language: Language) -> String {
    full(value, 0, Sign::Minus, language)
}

fn sign_of(value: Decimal, sign: Sign, language: Language) -> String {
    match value.signum() {
        -1 => data(language).numbers.minus.clone(),
        1 if sign == Sign::Both => "+".into(),
        _ => String::new(),
    }
}

/// A number in three significant digits and the language's large units: `1.06 M`, `106 万`, `106 萬`.
pub(crate) fn short(value: Decimal, language: Language, sign: Sign) -> String {
    let thousand = Decimal::new(1_000, 0);
    if value.abs() < thousand && value.round(0) == value {
        return full(value, 0, sign, language);
    }
    let three = significant(value.abs());
    let mark = sign_of(if three.signum() == 0 { three } else { value }, sign, language);
    for large in &data(language).numbers.units {
        if three >= Decimal::new(10i128.pow(large.power.min(38)), 0) {
            let scaled = Decimal::new(three.unscaled, three.scale + large.power);
            return format!("{mark}{}\u{202f}{}", three_digits(scaled, language), large.unit);
        }
    }
    format!("{mark}{}", three_digits(three, language))
}

/// Rounded to three significant digits, but never past the cent.
fn significant(value: Decimal) -> Decimal {
    let digits = i64::from(value.unscaled.unsigned_abs().checked_ilog10().map_or(0, |d| d + 1));
    let places = 3 - (digits - i64::from(value.scale));
    if places >= 0 {
        return value.round((places as u32).min(2));
    }
    let factor = 10i128.pow((-places) as u32);
    let cut = Decimal::new(value.unscaled, value.scale + (-places) as u32).round(0);
    Decimal::new(cut.unscaled * factor, 0)
}

/// With as many places as three significant digits leave.
fn three_digits(value: Decimal, language: Language) -> String {
    let places = if value >= Decimal::new(100, 0) || value.signum() == 0 {
        0
    } else if value >= Decimal::new(10, 0) {
        1
    } else {
        2
    };
    full(value, places, Sign::Minus, language)
}

/// A share as per cent with one digit: `3.1 %`, in Chinese `3.1%`.
pub(crate) fn percent(share: Decimal, language: Language, sign: Sign) -> String {
    let figure = full(hundredfold(share), 1, sign, language);
    fill(&data(language).numbers.percent, &[("figure", &figure)])
}

/// A difference of two shares in percentage points with one digit: `+0.3 pp`, `+0.3 个百分点`.
pub(crate) fn points(difference: Decimal, language: Language) -> String {
    let figure = full(hundredfold(difference), 1, Sign::Both, language);
    fill(&data(language).numbers.points, &[("figure", &figure)])
}

/// A share in hundredths.
pub(crate) fn hundredfold(share: Decimal) -> Decimal {
    Decimal::new(share.unscaled * 100, share.scale)
}

/// An amount in three significant digits with its currency: `EUR 1.06 M`, `106 万欧元`.
pub(crate) fn amount(value: Decimal, currency: &str, language: Language) -> String {
    let figure = short(value, language, Sign::Minus);
    let rules = &data(language).currencies;
    match rules.names.get(currency) {
        None => fill(&rules.code, &[("figure", &figure), ("code", currency)]),
        Some(known) => {
            let ends_in_digit = figure.ends_with(|c: char| c.is_ascii_digit());
            let pattern = if ends_in_digit { &rules.named_after_digit } else { &rules.named };
            fill(pattern, &[("figure", &figure), ("name", &known.name)])
        }
    }
}

/// A currency as it is named beside a table: `EUR`, `欧元`, `人民币`.
pub(crate) fn currency_name(code: &str, language: Language) -> &str {
    let known = data(language).currencies.names.get(code);
    known.map_or(code, |known| known.head.as_deref().unwrap_or(&known.name))
}

/// A pattern of a date with its parts put in.
fn dated(pattern: &str, day: Date, language: Language) -> String {
    let dates = &data(language).dates;
    let month = usize::try_from(day.month() - 1).unwrap_or_default();
    let name = |names: &[String]| names.get(month).cloned().unwrap_or_default();
    fill(
        pattern,
        &[
            ("day", &day.day().to_string()),
            ("month", &name(&dates.months)),
            ("short_month", &name(&dates.short_months)),
            ("year", &day.year().to_string()),
        ],
    )
}

/// A day: `9 December 2011`, `2011年12月9日`.
pub(crate) fn date(day: Date, language: Language) -> String {
    dated(&data(language).dates.day, day, language)
}

/// A day without its year, for narrow places: `9 Dec`, `12月9日`.
pub(crate) fn day_short(day: Date, language: Language) -> String {
    dated(&data(language).dates.short_day, day, language)
}

/// A month with its year: `December 2011`, `2011年12月`.
pub(crate) fn month(day: Date, language: Language) -> String {
    dated(&data(language).dates.month, day, language)
}

/// A month with its year, for narrow places: `Dec 2011`, `2011年12月`.
pub(crate) fn month_short(day: Date, language: Language) -> String {
    dated(&data(language).dates.short_month, day, language)
}

/// The month alone: `December`, `12月`.
pub(crate) fn month_name(day: Date, language: Language) -> String {
    dated(&data(language).dates.month_name, day, language)
}

/// An instant in a time zone, to the minute: `9 December 2011, 14:05`.
pub(crate) fn instant(at: jiff::Timestamp, zone: &jiff::tz::TimeZone, language: Language) -> String {
    let local = at.to_zoned(zone.clone());
    let time = format!("{:02}:{:02}", local.hour(), local.minute());
    fill(&data(language).dates.instant, &[("day", &date(local.date(), language)), ("time", &time)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    fn languages() -> [Language; 3] {
        ["en", "zh-CN", "zh-TW"].map(|tag| Language::from_tag(tag).unwrap())
    }

    #[test]
    fn three_significant_digits_carry_into_the_next_unit() {
        let [en, cn, tw] = languages();
        let cases = [
            ("1060123.45", "1.06\u{202f}M", "106\u{202f}万", "106\u{202f}萬"),
            ("999600", "1.00\u{202f}M", "100\u{202f}万", "100\u{202f}萬"),
            ("999499", "999\u{202f}k", "99.9\u{202f}万", "99.9\u{202f}萬"),
            ("42049", "42.0\u{202f}k", "4.20\u{202f}万", "4.20\u{202f}萬"),
            ("-42049", "\u{2212}42.0\u{202f}k", "\u{2212}4.20\u{202f}万", "\u{2212}4.20\u{202f}萬"),
            ("8512.40", "8.51\u{202f}k", "8,510", "8,510"),
            ("312", "312", "312", "312"),
            ("31.24", "31.2", "31.2", "31.2"),
            ("7", "7", "7", "7"),
            ("0.00", "0", "0", "0"),
            ("2345678901", "2.35\u{202f}bn", "23.5\u{202f}亿", "23.5\u{202f}億"),
        ];
        for (input, in_english, simplified, traditional) in cases {
            assert_eq!(short(d(input), en, Sign::Minus), in_english, "{input}");
            assert_eq!(short(d(input), cn, Sign::Minus), simplified, "{input}");
            assert_eq!(short(d(input), tw, Sign::Minus), traditional, "{input}");
        }
        assert_eq!(short(d("1200"), en, Sign::Both), "+1.20\u{202f}k");
    }

    #[test]
    fn full_figures_have_thousands_and_a_real_minus() {
        let [en, ..] = languages();
        assert_eq!(full(d("-1234567.895"), 2, Sign::Minus, en), "\u{2212}1,234,567.90");
        assert_eq!(full(d("999.5"), 0, Sign::Minus, en), "1,000");
        assert_eq!(full(d("-0.4"), 0, Sign::Both, en), "0");
        assert_eq!(full(d("12"), 2, Sign::Both, en), "+12.00");
    }

    #[test]
    fn shares_are_exact_and_rounded_once() {
        let [en, cn, tw] = languages();
        let share = d("96.9").minus(d("100")).over(d("100")).unwrap();
        assert_eq!(percent(share, en, Sign::Both), "\u{2212}3.1\u{202f}%");
        assert_eq!(percent(share.abs(), cn, Sign::Both), "+3.1%");
        assert_eq!(percent(d("0.0305"), en, Sign::Minus), "3.1\u{202f}%");
        assert_eq!(points(d("0.003"), en), "+0.3\u{202f}pp");
        assert_eq!(points(d("-0.003"), tw), "\u{2212}0.3\u{202f}個百分點");
    }

    #[test]
    fn amounts_are_written_as_the_language_writes_them() {
        let [en, cn, tw] = languages();
        assert_eq!(amount(d("1060123.45"), "EUR", en), "EUR\u{202f}1.06\u{202f}M");
        assert_eq!(amount(d("1060123.45"), "EUR", cn), "106\u{202f}万欧元");
        assert_eq!(amount(d("312"), "TWD", tw), "312\u{202f}元新臺幣");
        assert_eq!(amount(d("312"), "SEK", cn), "SEK\u{202f}312");
        assert_eq!(currency_name("CNY", cn), "人民币");
        assert_eq!(currency_name("EUR", tw), "歐元");
        assert_eq!(currency_name("EUR", en), "EUR");
    }

    #[test]
    fn dates_are_written_as_the_language_writes_them() {
        let [en, cn, tw] = languages();
        let day = jiff::civil::date(2011, 12, 9);
        assert_eq!(date(day, en), "9 December 2011");
        assert_eq!(date(day, tw), "2011年12月9日");
        assert_eq!((day_short(day, en).as_str(), day_short(day, cn).as_str()), ("9 Dec", "12月9日"));
        assert_eq!(month(day, cn), "2011年12月");
        assert_eq!(month_short(day, en), "Dec 2011");
        assert_eq!(month_name(day, cn), "12月");
        let at: jiff::Timestamp = "2011-12-09T13:05:00Z".parse().unwrap();
        let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(instant(at, &zone, en), "9 December 2011, 14:05");
        assert_eq!(instant(at, &zone, cn), "2011年12月9日 14:05");
    }
}
