//! Exact decimals: a figure keeps every digit that came from the lake until it is written.
//!
//! Rounding is half away from zero and happens once, in whole-number arithmetic; binary floats enter only where a column
//! was one (a retention share).

use std::cmp::Ordering;
use std::fmt;

/// The minus of figures, U+2212, which texts may have as well.
const MINUS: char = '\u{2212}';

/// An exact decimal: `unscaled / 10^scale`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decimal {
    /// The digits as a whole number.
    pub unscaled: i128,
    /// How many of them are decimal places.
    pub scale: u32,
}

impl Decimal {
    /// A decimal from its digits and how many of them are decimal places.
    pub fn new(unscaled: i128, scale: u32) -> Decimal {
        Decimal { unscaled, scale }
    }

    /// A binary float as the decimal of nine places next to it; `None` for what is not a number.
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

    /// Rounded to a number of decimal places, half away from zero.
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

    /// Without the zeros at the end of its decimal places.
    pub fn trimmed(self) -> Decimal {
        let mut trimmed = self;
        while trimmed.scale > 0 && trimmed.unscaled % 10 == 0 {
            trimmed = Decimal::new(trimmed.unscaled / 10, trimmed.scale - 1);
        }
        trimmed
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

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn decimals_of_different_scales_compare_and_print_exactly() {
        assert_eq!(d("1.50"), d("1.5"));
        assert!(d("-0.01") < d("0"));
        assert_eq!(d("-0.05").to_string(), "-0.05");
        assert_eq!(Decimal::new(7, 3).to_string(), "0.007");
        assert!(d("1").over(d("0.00")).is_none());
    }

    #[test]
    fn zeros_at_the_end_go_and_no_others() {
        assert_eq!(d("10.250").trimmed().to_string(), "10.25");
        assert_eq!(d("100").trimmed().to_string(), "100");
        assert_eq!(d("0.000").trimmed().to_string(), "0");
    }
}
