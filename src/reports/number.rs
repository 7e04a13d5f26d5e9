//! Exact decimals and the way each language writes figures, dates and months.
//!
//! A figure keeps every digit that came from the lake until it is written. Rounding is half away from zero and happens
//! once, in whole-number arithmetic; binary floats enter only where a column was one (a retention share).

use crate::project::Language;
use jiff::civil::Date;
use std::cmp::Ordering;
use std::fmt;

/// The minus of figures, U+2212.
pub const MINUS: char = '\u{2212}';
/// The space between a figure and its unit: narrow, and no line breaks there.
pub const THIN: char = '\u{202f}';

/// An exact decimal: `unscaled / 10^scale`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decimal {
    /// The digits as a whole number.
    pub unscaled: i128,
    /// How many of them stand behind the point.
    pub scale: u32,
}

impl Decimal {
    /// A decimal from its digits and how many stand behind the point.
    pub fn new(unscaled: i128, scale: u32) -> Decimal {
        Decimal { unscaled, scale }
    }

    /// A binary float as the decimal of nine places next to it; `None` for what is no number.
    pub fn from_f64(value: f64) -> Option<Decimal> {
        if !value.is_finite() || value.abs() > 1e24 {
            return None;
        }
        Decimal::parse(&format!("{value:.9}"))
    }

    /// `-12.30` as a decimal.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (negative, digits) = match text.strip_prefix(['-', MINUS]) {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all: String = [whole, fraction].concat();
        if all.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let unscaled: i128 = all.parse().ok()?;
        Some(Decimal::new(if negative { -unscaled } else { unscaled }, fraction.len() as u32))
    }

    /// Rounded to so many places behind the point, half away from zero.
    pub fn round(self, places: u32) -> Decimal {
        if self.scale <= places {
            let factor = 10i128.checked_pow(places - self.scale);
            return match factor.and_then(|f| self.unscaled.checked_mul(f)) {
                Some(unscaled) => Decimal::new(unscaled, places),
                None => self,
            };
        }
        let divisor = 10i128.pow((self.scale - places).min(38));
        let half = if self.unscaled < 0 { -divisor / 2 } else { divisor / 2 };
        Decimal::new((self.unscaled + half) / divisor, places)
    }

    /// Without its sign.
    pub fn abs(self) -> Decimal {
        Decimal::new(self.unscaled.abs(), self.scale)
    }

    /// The sum.
    pub fn plus(self, other: Decimal) -> Decimal {
        let scale = self.scale.max(other.scale);
        Decimal::new(self.round(scale).unscaled + other.round(scale).unscaled, scale)
    }

    /// The difference.
    pub fn minus(self, other: Decimal) -> Decimal {
        self.plus(-other)
    }

    /// The quotient to nine places; `None` where the divisor is zero.
    pub fn over(self, other: Decimal) -> Option<Decimal> {
        let scale = self.scale.max(other.scale);
        let (a, b) = (self.round(scale).unscaled, other.round(scale).unscaled);
        if b == 0 {
            return None;
        }
        let wide = a.checked_mul(10_000_000_000)?;
        Some(Decimal::new(wide / b, 10).round(9))
    }

    /// Its sign: -1, 0 or 1.
    pub fn signum(self) -> i128 {
        self.unscaled.signum()
    }

    /// The nearest binary float: for positions in a picture, never for figures.
    pub fn to_f64(self) -> f64 {
        self.unscaled as f64 / 10f64.powi(self.scale as i32)
    }
}

impl std::ops::Neg for Decimal {
    type Output = Decimal;

    fn neg(self) -> Decimal {
        Decimal::new(-self.unscaled, self.scale)
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Decimal) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        let scale = self.scale.max(other.scale);
        self.round(scale).unscaled.cmp(&other.round(scale).unscaled)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:0>width$}", self.unscaled.unsigned_abs(), width = self.scale as usize + 1);
        let (whole, fraction) = digits.split_at(digits.len() - self.scale as usize);
        let sign = if self.unscaled < 0 { "-" } else { "" };
        if fraction.is_empty() { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{fraction}") }
    }
}

/// Whether a plus stands before figures above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Only a minus is written.
    Minus,
    /// Both signs are.
    Both,
}

/// How a column or headline figure is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Whole number with thousands.
    Integer,
    /// Money in full, whole units of the currency.
    Money,
    /// The same with a sign before gains too.
    MoneySigned,
    /// Money in full, with cents.
    Cents,
    /// A share as per cent with one digit.
    Percent,
    /// The same with a sign above zero too.
    PercentSigned,
    /// A date.
    Date,
    /// A month.
    Month,
    /// Words.
    Text,
}

impl Format {
    /// Names in templates.
    pub const NAMES: [&'static str; 9] =
        ["integer", "money", "money_signed", "cents", "percent", "percent_signed", "date", "month", "text"];

    /// The format of a name.
    pub fn from_name(name: &str) -> Option<Format> {
        let all = [
            Format::Integer,
            Format::Money,
            Format::MoneySigned,
            Format::Cents,
            Format::Percent,
            Format::PercentSigned,
            Format::Date,
            Format::Month,
            Format::Text,
        ];
        all.into_iter().zip(Self::NAMES).find(|(_, n)| *n == name).map(|(f, _)| f)
    }

    /// Whether its columns are set flush right.
    pub fn is_figure(self) -> bool {
        !matches!(self, Format::Date | Format::Month | Format::Text)
    }

    /// The number written this way, in full.
    pub fn write(self, value: Decimal, language: Language) -> String {
        match self {
            Format::Cents => full(value, 2, Sign::Minus),
            Format::MoneySigned => full(value, 0, Sign::Both),
            Format::Percent => percent(value, language, Sign::Minus),
            Format::PercentSigned => percent(value, language, Sign::Both),
            _ => full(value, 0, Sign::Minus),
        }
    }
}

/// A number in full: thousands by comma, so many places, `−1,234.50`.
pub fn full(value: Decimal, places: u32, sign: Sign) -> String {
    let rounded = value.round(places);
    let text = rounded.abs().to_string();
    let (whole, fraction) = match text.split_once('.') {
        Some((w, f)) => (w, Some(f)),
        None => (text.as_str(), None),
    };
    let mut out = sign_of(rounded, sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

fn sign_of(value: Decimal, sign: Sign) -> String {
    match value.signum() {
        -1 => MINUS.to_string(),
        1 if sign == Sign::Both => "+".into(),
        _ => String::new(),
    }
}

/// A number in three significant digits and the language's large units: `1.06 M`, `106 万`, `106 萬`.
pub fn short(value: Decimal, language: Language, sign: Sign) -> String {
    let thousand = Decimal::new(1_000, 0);
    if value.abs() < thousand && value.round(0) == value {
        return full(value, 0, sign);
    }
    let three = significant(value.abs());
    let steps: &[(u32, &str)] = match language {
        Language::English => &[(9, "bn"), (6, "M"), (3, "k")],
        Language::SimplifiedChinese => &[(12, "万亿"), (8, "亿"), (4, "万")],
        Language::TraditionalChinese => &[(12, "兆"), (8, "億"), (4, "萬")],
    };
    let mark = sign_of(if three.signum() == 0 { three } else { value }, sign);
    for (power, unit) in steps {
        if three >= Decimal::new(10i128.pow(*power), 0) {
            let scaled = Decimal::new(three.unscaled, three.scale + power);
            return format!("{mark}{}{THIN}{unit}", three_places(scaled));
        }
    }
    format!("{mark}{}", three_places(three))
}

/// Rounded to three significant digits, but never past the cent.
fn significant(value: Decimal) -> Decimal {
    let digits = (value.unscaled.unsigned_abs().checked_ilog10().map_or(0, |d| d + 1)) as i64;
    let whole = digits - value.scale as i64;
    let places = 3 - whole;
    if places >= 0 {
        return value.round((places as u32).min(2));
    }
    let factor = 10i128.pow((-places) as u32);
    let cut = Decimal::new(value.unscaled, value.scale + (-places) as u32).round(0);
    Decimal::new(cut.unscaled * factor, 0)
}

/// With as many places as three significant digits leave.
fn three_places(value: Decimal) -> String {
    let places = if value >= Decimal::new(100, 0) || value.signum() == 0 {
        0
    } else if value >= Decimal::new(10, 0) {
        1
    } else {
        2
    };
    full(value, places, Sign::Minus)
}

/// A share as per cent with one digit: `3.1 %`, in Chinese `3.1%`.
pub fn percent(share: Decimal, language: Language, sign: Sign) -> String {
    let hundredfold = Decimal::new(share.unscaled * 100, share.scale).round(1);
    let text = full(hundredfold, 1, sign);
    match language {
        Language::English => format!("{text}{THIN}%"),
        _ => format!("{text}%"),
    }
}

/// A difference of two shares in percentage points with one digit: `+0.3 pp`, `+0.3 个百分点`.
pub fn points(difference: Decimal, language: Language) -> String {
    let hundredfold = Decimal::new(difference.unscaled * 100, difference.scale);
    let text = full(hundredfold, 1, Sign::Both);
    let unit = match language {
        Language::English => "pp",
        Language::SimplifiedChinese => "个百分点",
        Language::TraditionalChinese => "個百分點",
    };
    format!("{text}{THIN}{unit}")
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A day: `9 December 2011`, `2011年12月9日`.
pub fn date(day: Date, language: Language) -> String {
    match language {
        Language::English => format!("{} {} {}", day.day(), month_name(day, language), day.year()),
        _ => format!("{}年{}月{}日", day.year(), day.month(), day.day()),
    }
}

/// A month with its year: `December 2011`, `2011年12月`.
pub fn month(day: Date, language: Language) -> String {
    match language {
        Language::English => format!("{} {}", month_name(day, language), day.year()),
        _ => format!("{}年{}月", day.year(), day.month()),
    }
}

/// A month with its year, for narrow places: `Dec 2011`, `2011年12月`.
pub fn month_short(day: Date, language: Language) -> String {
    match language {
        Language::English => format!("{} {}", &month_name(day, language)[..3], day.year()),
        _ => month(day, language),
    }
}

/// The month alone: `December`, `12月`.
pub fn month_name(day: Date, language: Language) -> String {
    match language {
        Language::English => MONTHS[(day.month() as usize - 1).min(11)].to_string(),
        _ => format!("{}月", day.month()),
    }
}

/// An instant in a time zone, to the minute: `9 December 2011, 14:05`.
pub fn instant(at: jiff::Timestamp, zone: &jiff::tz::TimeZone, language: Language) -> String {
    let local = at.to_zoned(zone.clone());
    let separator = if language == Language::English { ", " } else { " " };
    format!("{}{separator}{:02}:{:02}", date(local.date(), language), local.hour(), local.minute())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{English as En, SimplifiedChinese as Cn, TraditionalChinese as Tw};

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn three_significant_digits_carry_into_the_next_unit() {
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
        for (input, en, cn, tw) in cases {
            assert_eq!(short(d(input), En, Sign::Minus), en, "{input}");
            assert_eq!(short(d(input), Cn, Sign::Minus), cn, "{input}");
            assert_eq!(short(d(input), Tw, Sign::Minus), tw, "{input}");
        }
        assert_eq!(short(d("1200"), En, Sign::Both), "+1.20\u{202f}k");
    }

    #[test]
    fn full_figures_have_thousands_and_a_real_minus() {
        assert_eq!(full(d("-1234567.895"), 2, Sign::Minus), "\u{2212}1,234,567.90");
        assert_eq!(full(d("999.5"), 0, Sign::Minus), "1,000");
        assert_eq!(full(d("-0.4"), 0, Sign::Both), "0");
        assert_eq!(full(d("12"), 2, Sign::Both), "+12.00");
    }

    #[test]
    fn shares_are_exact_and_rounded_once() {
        let share = d("96.9").minus(d("100")).over(d("100")).unwrap();
        assert_eq!(percent(share, En, Sign::Both), "\u{2212}3.1\u{202f}%");
        assert_eq!(percent(share.abs(), Cn, Sign::Both), "+3.1%");
        assert!(d("1").over(d("0.00")).is_none());
        assert_eq!(percent(d("0.0305"), En, Sign::Minus), "3.1\u{202f}%");
    }

    #[test]
    fn dates_are_written_as_the_language_writes_them() {
        let day = jiff::civil::date(2011, 12, 9);
        assert_eq!(date(day, En), "9 December 2011");
        assert_eq!(date(day, Tw), "2011年12月9日");
        assert_eq!(month_short(day, En), "Dec 2011");
        assert_eq!(month_name(day, Cn), "12月");
    }

    #[test]
    fn decimals_of_other_scales_compare_and_print_exactly() {
        assert_eq!(d("1.50"), d("1.5"));
        assert!(d("-0.01") < d("0"));
        assert_eq!(d("-0.05").to_string(), "-0.05");
        assert_eq!(Decimal::new(7, 3).to_string(), "0.007");
    }
}
