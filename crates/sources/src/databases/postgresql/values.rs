//! Single values, from PostgreSQL's binary form: numbers of any length, dates, timestamps.

use super::cells::{InexactValue, Malformed};
use perennial_core::reasons;

/// Days and microseconds between 1970-01-01 and 2000-01-01, from which PostgreSQL counts.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROSECONDS: i64 = EPOCH_DAYS as i64 * DAY_MICROSECONDS;
pub(super) const DAY_MICROSECONDS: i64 = 86_400_000_000;
/// The years 1 to 9999, which every reader of the lake supports.
const FIRST_DAY: i32 = -719_162;
const LAST_DAY: i32 = 2_932_896;
const FIRST_MICROSECOND: i64 = FIRST_DAY as i64 * DAY_MICROSECONDS;
const LAST_MICROSECOND: i64 = (LAST_DAY as i64 + 1) * DAY_MICROSECONDS - 1;

const POWERS: [i128; 39] = {
    let mut powers = [1; 39];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};
const SHORT_POWERS: [u64; 17] = {
    let mut powers = [1; 17];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// Ten to a power; the maximum where that is more than 38.
pub(super) fn power_of_ten(exponent: u32) -> i128 {
    POWERS.get(exponent as usize).copied().unwrap_or(i128::MAX)
}

/// What a `numeric` is to become.
#[derive(Clone, Copy, Debug)]
pub(super) struct DecimalShape {
    pub(super) precision: u8,
    pub(super) scale: i8,
    limit: i128,
}

impl DecimalShape {
    pub(super) fn new(precision: u8, scale: i8) -> DecimalShape {
        DecimalShape { precision, scale, limit: power_of_ten(precision.into()) }
    }

    #[cold]
    fn too_precise(&self, raw: String) -> Box<InexactValue> {
        InexactValue::new(raw, reasons::decimal_places(self.scale.max(0) as usize))
    }

    #[cold]
    fn too_large(&self, raw: String) -> Box<InexactValue> {
        InexactValue::new(raw, reasons::decimal_digits(self.precision, self.scale))
    }

    /// An integer.
    #[inline(always)]
    pub(super) fn of_integer(&self, value: i64) -> Result<i128, Box<InexactValue>> {
        let wide = if self.scale >= 0 {
            i128::from(value).checked_mul(power_of_ten(self.scale.unsigned_abs().into()))
        } else {
            let unit = power_of_ten(self.scale.unsigned_abs().into());
            if i128::from(value) % unit != 0 {
                return Err(self.too_precise(value.to_string()));
            }
            Some(i128::from(value) / unit)
        };
        match wide {
            Some(wide) if wide.unsigned_abs() < self.limit.unsigned_abs() => Ok(wide),
            _ => Err(self.too_large(value.to_string())),
        }
    }

    /// A `numeric`: count of groups, weight of the first, sign, places printed; then groups of four digits.
    #[inline(always)]
    pub(super) fn of_numeric(&self, bytes: &[u8]) -> Result<Result<i128, Box<InexactValue>>, Malformed> {
        let Some((&[c0, c1, w0, w1, s0, s1, _, _], groups)) = bytes.split_first_chunk::<8>() else {
            return Err(Malformed);
        };
        let count = usize::from(c0) << 8 | usize::from(c1);
        if groups.len() != count * 2 {
            return Err(Malformed);
        }
        let weight = i32::from(i16::from_be_bytes([w0, w1]));
        // Power of ten, in units of the scale, of the last group.
        let shift = 4 * (weight + 1 - count as i32) + i32::from(self.scale);
        let negative = match (s0, s1) {
            (0, 0) => false,
            (0x40, 0) => true,
            _ => return not_finite(s0),
        };
        if count <= 4 && (-16..=20).contains(&shift) {
            // Sixteen digits fit a machine word, and 36 fit two.
            let mut value: u64 = 0;
            let mut at = 0;
            while at + 1 < groups.len() {
                value = value * 10_000 + (u64::from(groups[at]) << 8 | u64::from(groups[at + 1]));
                at += 2;
            }
            let whole = if shift < 0 {
                let unit = SHORT_POWERS[(-shift) as usize];
                let whole = value / unit;
                if whole * unit != value {
                    return Ok(Err(self.too_precise(printed(bytes))));
                }
                i128::from(whole)
            } else {
                i128::from(value) * POWERS[shift as usize]
            };
            if whole >= self.limit {
                return Ok(Err(self.too_large(printed(bytes))));
            }
            return Ok(Ok(if negative { -whole } else { whole }));
        }
        Ok(self.of_long_numeric(bytes, groups, shift, negative))
    }

    #[cold]
    fn of_long_numeric(
        &self,
        bytes: &[u8],
        groups: &[u8],
        shift: i32,
        negative: bool,
    ) -> Result<i128, Box<InexactValue>> {
        if groups.is_empty() {
            return Ok(0);
        }
        let mut value: i128 = 0;
        for group in groups.chunks_exact(2) {
            let digits = i128::from(group[0]) << 8 | i128::from(group[1]);
            value = match value.checked_mul(10_000).and_then(|value| value.checked_add(digits)) {
                Some(value) => value,
                None => return Err(self.too_long(bytes, groups.len() / 2, shift)),
            };
        }
        let value = if shift >= 0 {
            let power = u32::try_from(shift).ok().filter(|shift| *shift <= 38).map(power_of_ten);
            match power.and_then(|power| value.checked_mul(power)) {
                Some(value) => value,
                None => return Err(self.too_large(printed(bytes))),
            }
        } else {
            // The last group is not 0, so what is entirely beyond the scale cannot be dropped.
            let unit = if shift < -38 { i128::MAX } else { power_of_ten(shift.unsigned_abs()) };
            if value % unit != 0 {
                return Err(self.too_precise(printed(bytes)));
            }
            value / unit
        };
        if value >= self.limit {
            return Err(self.too_large(printed(bytes)));
        }
        Ok(if negative { -value } else { value })
    }

    /// More digits than 128 bits hold: too many before the decimal point, or after it?
    #[cold]
    fn too_long(&self, bytes: &[u8], groups: usize, shift: i32) -> Box<InexactValue> {
        let before = 4 * groups as i32 + shift;
        match before > i32::from(self.precision) + 4 {
            true => self.too_large(printed(bytes)),
            false => self.too_precise(printed(bytes)),
        }
    }
}

#[cold]
fn not_finite<T>(sign: u8) -> Result<Result<T, Box<InexactValue>>, Malformed> {
    let (raw, reason) = match sign {
        0xc0 => ("NaN", reasons::NOT_A_NUMBER),
        0xd0 => ("Infinity", reasons::INFINITE_NUMBER),
        0xf0 => ("-Infinity", reasons::INFINITE_NUMBER),
        _ => return Err(Malformed),
    };
    Ok(Err(InexactValue::new(raw, reason)))
}

/// A `numeric` as the server prints it.
#[cold]
fn printed(bytes: &[u8]) -> String {
    let two = |at: usize| bytes.get(at..at + 2).map_or(0, |b| i32::from(i16::from_be_bytes([b[0], b[1]])));
    let (count, weight, places) = (two(0), two(2), two(6).max(0) as usize);
    let group = |i: i32| if (0..count).contains(&i) { two(8 + 2 * i as usize) } else { 0 };
    let mut text = if bytes.get(4) == Some(&0x40) { "-".to_string() } else { String::new() };
    if weight < 0 {
        text.push('0');
    }
    for i in 0..=weight {
        text += &if i == 0 { group(i).to_string() } else { format!("{:04}", group(i)) };
    }
    if places > 0 {
        let groups = places.div_ceil(4) as i32;
        let decimals: String = (0..groups).map(|i| format!("{:04}", group(weight + 1 + i))).collect();
        text.push('.');
        text += &decimals[..places];
    }
    text
}

/// A finite double.
#[inline(always)]
pub(super) fn finite(value: f64) -> Result<f64, Box<InexactValue>> {
    if value.is_finite() { Ok(value) } else { Err(infinite(value)) }
}

#[cold]
fn infinite(value: f64) -> Box<InexactValue> {
    if value.is_nan() {
        return InexactValue::new("NaN", reasons::NOT_A_NUMBER);
    }
    InexactValue::new(if value > 0.0 { "Infinity" } else { "-Infinity" }, reasons::INFINITE_NUMBER)
}

/// A date, counted from 1970-01-01.
#[inline(always)]
pub(super) fn day(value: i32) -> Result<i32, Box<InexactValue>> {
    match value.checked_add(EPOCH_DAYS) {
        Some(day) if (FIRST_DAY..=LAST_DAY).contains(&day) => Ok(day),
        _ => Err(impossible_day(value)),
    }
}

#[cold]
fn impossible_day(value: i32) -> Box<InexactValue> {
    match value {
        i32::MAX => InexactValue::new("infinity", "the date is infinite"),
        i32::MIN => InexactValue::new("-infinity", "the date is infinite"),
        _ => {
            let (year, era) = printed_day(i64::from(value) + i64::from(EPOCH_DAYS));
            InexactValue::new(format!("{year}{era}"), "the date is outside the years 1 to 9999")
        }
    }
}

/// A timestamp or local time in microseconds, counted from 1970-01-01 00:00.
#[inline(always)]
pub(super) fn timestamp(value: i64) -> Result<i64, Box<InexactValue>> {
    match value.checked_add(EPOCH_MICROSECONDS) {
        Some(timestamp) if (FIRST_MICROSECOND..=LAST_MICROSECOND).contains(&timestamp) => Ok(timestamp),
        _ => Err(impossible_timestamp(value)),
    }
}

#[cold]
fn impossible_timestamp(value: i64) -> Box<InexactValue> {
    match value {
        i64::MAX => InexactValue::new("infinity", "the timestamp is infinite"),
        i64::MIN => InexactValue::new("-infinity", "the timestamp is infinite"),
        _ => {
            let text = printed_timestamp(i128::from(value) + i128::from(EPOCH_MICROSECONDS));
            InexactValue::new(text, "the timestamp is outside the years 1 to 9999")
        }
    }
}

/// A timestamp, counted from 1970, as the server prints it.
#[cold]
pub(super) fn printed_timestamp(value: i128) -> String {
    let day_length = i128::from(DAY_MICROSECONDS);
    let (day, era) = printed_day(value.div_euclid(day_length) as i64);
    let of_day = value.rem_euclid(day_length);
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction =
        if fraction == 0 { String::new() } else { format!(".{fraction:06}").trim_end_matches('0').to_string() };
    format!("{day} {clock}{fraction}{era}")
}

/// Year, month and day of a date counted from 1970, and ` BC` for years before 1.
#[cold]
fn printed_day(days: i64) -> (String, &'static str) {
    // Years that begin in March, in eras of 400 (Howard Hinnant, "chrono-compatible date algorithms").
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (year, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    (format!("{year:04}-{month:02}-{day:02}"), era)
}

/// Writes an integer.
#[inline(always)]
pub(super) fn write_integer(value: i64, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes bytes as hexadecimal digits.
#[inline(always)]
pub(super) fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

/// Writes the sixteen bytes of a UUID.
#[inline(always)]
pub(super) fn write_uuid(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    if bytes.len() != 16 {
        return Err(Malformed);
    }
    for (i, part) in [(0, 4), (4, 6), (6, 8), (8, 10), (10, 16)].iter().enumerate() {
        if i > 0 {
            out.push(b'-');
        }
        write_hex(&bytes[part.0..part.1], out);
    }
    Ok(())
}
