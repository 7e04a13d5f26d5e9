//! Sums of doubles without any rounding until the end.
//!
//! A finite double is a whole number of 2^-1074, so a sum of doubles is one too. [`ExactSum`] holds it in digits of 32
//! bits, each in an `i64` with room for a thousand million carries, and only as many digits as the values reach
//! (R. M. Neal, "Fast exact summation using small and large superaccumulators", 2015, the small one). Adding and
//! taking away are exact, so the order does not matter and what was taken away leaves nothing behind.

/// Binary places in a digit.
const DIGIT: u32 = 32;
const MASK: i64 = (1 << DIGIT) - 1;
/// Additions between two carries: a digit grows by less than 2^33 in each.
const ADDITIONS: u32 = 1 << 28;

/// A sum of doubles, exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExactSum {
    count: i64,
    nan: i64,
    plus_infinity: i64,
    minus_infinity: i64,
    /// The place of `digits[0]`: it counts 2^(32 low - 1074).
    low: i64,
    digits: Vec<i64>,
    since_carry: u32,
}

/// Why a sum has no value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BeyondDouble;

impl ExactSum {
    /// Adds a value.
    pub(crate) fn add(&mut self, value: f64) {
        self.change(value, 1);
    }

    /// Takes away a value that was added.
    pub(crate) fn remove(&mut self, value: f64) {
        self.change(value, -1);
    }

    /// Adds all that another sum holds.
    pub(crate) fn merge(&mut self, other: &ExactSum) {
        self.count += other.count;
        self.nan += other.nan;
        self.plus_infinity += other.plus_infinity;
        self.minus_infinity += other.minus_infinity;
        let mut other = other.clone();
        other.carry();
        if other.digits.is_empty() {
            return;
        }
        self.reach(other.low, other.low + other.digits.len() as i64 - 1);
        let from = (other.low - self.low) as usize;
        for (digit, more) in self.digits[from..].iter_mut().zip(&other.digits) {
            *digit += more;
        }
        self.count_addition();
    }

    /// The sum rounded once, of values that are known to be finite and far from overflow; 0 where nothing was added.
    pub(crate) fn total(&self) -> f64 {
        self.value().ok().flatten().unwrap_or(0.0)
    }

    /// The sum rounded once, to the nearest double, ties to even; nothing where nothing was added.
    pub(crate) fn value(&self) -> Result<Option<f64>, BeyondDouble> {
        if self.count == 0 {
            return Ok(None);
        }
        if self.nan > 0 || (self.plus_infinity > 0 && self.minus_infinity > 0) {
            return Ok(Some(f64::NAN));
        }
        if self.plus_infinity > 0 {
            return Ok(Some(f64::INFINITY));
        }
        if self.minus_infinity > 0 {
            return Ok(Some(f64::NEG_INFINITY));
        }
        let mut magnitude = self.clone();
        magnitude.carry();
        let negative = magnitude.digits.last().is_some_and(|top| *top < 0);
        if negative {
            magnitude.digits.iter_mut().for_each(|digit| *digit = -*digit);
            magnitude.carry();
        }
        let rounded = magnitude.rounded()?;
        Ok(Some(if negative { -rounded } else { rounded }))
    }

    /// As whole numbers, for a partial state.
    pub(crate) fn encode(&self) -> Vec<i64> {
        let mut carried = self.clone();
        carried.carry();
        let mut words = vec![self.count, self.nan, self.plus_infinity, self.minus_infinity, carried.low];
        words.append(&mut carried.digits);
        words
    }

    /// From what [`ExactSum::encode`] gave; nothing where it is something else.
    pub(crate) fn decode(words: &[i64]) -> Option<ExactSum> {
        let [count, nan, plus_infinity, minus_infinity, low, digits @ ..] = words else { return None };
        let (count, nan, plus_infinity, minus_infinity, low) = (*count, *nan, *plus_infinity, *minus_infinity, *low);
        Some(ExactSum { count, nan, plus_infinity, minus_infinity, low, digits: digits.to_vec(), since_carry: 0 })
    }

    /// Bytes it takes beside itself.
    pub(crate) fn heap(&self) -> usize {
        self.digits.capacity() * size_of::<i64>()
    }

    fn change(&mut self, value: f64, times: i64) {
        self.count += times;
        let bits = value.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as u32;
        let fraction = bits & ((1 << 52) - 1);
        let sign = if value.is_sign_negative() { -times } else { times };
        let (mantissa, place) = match exponent {
            0x7ff if fraction != 0 => return self.nan += times,
            0x7ff if value > 0.0 => return self.plus_infinity += times,
            0x7ff => return self.minus_infinity += times,
            0 if fraction == 0 => return,
            0 => (fraction, 0),
            _ => (fraction | 1 << 52, exponent - 1),
        };
        // At most 53 + 31 binary places: three digits.
        let wide = u128::from(mantissa) << (place % DIGIT);
        let first = i64::from(place / DIGIT);
        let last = first + i64::from((127 - wide.leading_zeros()) / DIGIT);
        self.reach(first, last);
        let from = (first - self.low) as usize;
        let to = (last - self.low) as usize;
        for (i, digit) in self.digits[from..=to].iter_mut().enumerate() {
            *digit += sign * ((wide >> (DIGIT * i as u32)) as i64 & MASK);
        }
        self.count_addition();
    }

    /// Makes digits at these places.
    fn reach(&mut self, first: i64, last: i64) {
        if self.digits.is_empty() {
            self.low = first;
        }
        if first < self.low {
            let more = (self.low - first) as usize;
            self.digits.splice(0..0, std::iter::repeat_n(0, more));
            self.low = first;
        }
        let length = (last - self.low + 1) as usize;
        if length > self.digits.len() {
            self.digits.resize(length, 0);
        }
    }

    fn count_addition(&mut self) {
        self.since_carry += 1;
        if self.since_carry >= ADDITIONS {
            self.carry();
        }
    }

    /// Makes every digit but the last one of 0 to 2^32 - 1, the last one of at most 2^32 either way, and not 0.
    fn carry(&mut self) {
        self.since_carry = 0;
        let mut over = 0;
        for digit in &mut self.digits {
            let sum = *digit + over;
            *digit = sum & MASK;
            over = sum >> DIGIT;
        }
        match over {
            0 => {}
            // One below zero: kept in the last digit, or each carry would make the number longer.
            -1 => {
                if let Some(top) = self.digits.last_mut() {
                    *top -= 1 << DIGIT;
                }
            }
            _ => self.digits.push(over),
        }
        while self.digits.last() == Some(&0) {
            self.digits.pop();
        }
    }

    /// The double nearest to digits that are carried and not negative.
    fn rounded(&self) -> Result<f64, BeyondDouble> {
        let Some((top, below)) = self.digits.split_last() else { return Ok(0.0) };
        // The highest four digits, the first binary place in bit 127.
        let mut window = u128::from(*top as u64);
        let taken = below.len().min(3);
        for digit in below.iter().rev().take(taken) {
            window = window << DIGIT | u128::from(*digit as u64);
        }
        let highest_in_window = 127 - window.leading_zeros();
        let rest = below[..below.len() - taken].iter().any(|digit| *digit != 0);
        let highest = (self.low + (below.len() - taken) as i64) * i64::from(DIGIT) + i64::from(highest_in_window);
        if highest <= 52 {
            // Every binary place that a double has below the smallest normal number is in the window.
            return Ok(f64::from_bits((window << (self.low * i64::from(DIGIT)) as u32) as u64));
        }
        window <<= 127 - highest_in_window;
        let mut mantissa = (window >> 75) as u64;
        let remainder = window << 53;
        let half = 1 << 127;
        if remainder > half || (remainder == half && (rest || mantissa & 1 == 1)) {
            mantissa += 1;
        }
        // A mantissa of 2^53 carries into the exponent by itself: its lower places are zero.
        let exponent = highest - 52;
        let bits = ((exponent as u64) << 52) + mantissa;
        let value = f64::from_bits(bits);
        if exponent < 0x7ff && value.is_finite() { Ok(value) } else { Err(BeyondDouble) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: &[f64]) -> f64 {
        let mut sum = ExactSum::default();
        values.iter().for_each(|value| sum.add(*value));
        sum.value().unwrap().unwrap()
    }

    /// Numbers that look random, the same every time.
    fn numbers(count: usize, exponents: i32) -> Vec<f64> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut one = || {
            let mantissa = (next() >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
            mantissa * 2_f64.powi((next() % (2 * exponents as u64 + 1)) as i32 - exponents)
        };
        (0..count).map(|_| one()).collect()
    }

    #[test]
    fn one_value_is_itself_wherever_it_lies() {
        let edges = [0.1, -1e308, f64::MAX, f64::MIN_POSITIVE, 5e-324, -5e-324, 1.0, 0.0, 2f64.powi(-1022) - 5e-324];
        for value in numbers(2_000, 1000).into_iter().chain(edges) {
            assert_eq!(sum(&[value]), value);
        }
    }

    #[test]
    fn sums_that_doubles_lose_are_kept() {
        assert_eq!(sum(&[1e100, 1.0, -1e100]), 1.0);
        assert_eq!(sum(&[1e308, 1e308, -1e308, -1e308, 5e-324]), 5e-324);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        // Half way between 1 and the next double: to even, and up as soon as anything lies above.
        assert_eq!(sum(&[1.0, 2f64.powi(-53)]), 1.0);
        assert_eq!(sum(&[1.0, 2f64.powi(-53), 1e-300]), 1.0 + f64::EPSILON);
        assert_eq!(sum(&[1.0 + f64::EPSILON, 2f64.powi(-53)]), 1.0 + 2.0 * f64::EPSILON);
        assert_eq!(sum(&[2.0 - f64::EPSILON, 2f64.powi(-53)]), 2.0);
    }

    #[test]
    fn whole_numbers_agree_with_integers() {
        let values: Vec<i64> = numbers(5_000, 1).iter().map(|x| (x * 1e15) as i64).collect();
        let scaled: Vec<f64> = values.iter().map(|x| *x as f64 * 2f64.powi(-40)).collect();
        let expected: i128 = values.iter().map(|x| i128::from(*x)).sum();
        assert_eq!(sum(&scaled), expected as f64 * 2f64.powi(-40));
    }

    #[test]
    fn neither_order_nor_parts_nor_what_came_and_went_matter() {
        let values = numbers(3_000, 300);
        let all = sum(&values);
        let mut backwards = values.clone();
        backwards.reverse();
        assert_eq!(sum(&backwards).to_bits(), all.to_bits());
        let mut parts = ExactSum::default();
        for part in values.chunks(97) {
            let mut one = ExactSum::default();
            part.iter().for_each(|value| one.add(*value));
            parts.merge(&ExactSum::decode(&one.encode()).unwrap());
        }
        assert_eq!(parts.value().unwrap().unwrap().to_bits(), all.to_bits());
        let mut window = ExactSum::default();
        values.iter().for_each(|value| window.add(*value));
        values[..2_990].iter().for_each(|value| window.remove(*value));
        assert_eq!(window.value().unwrap().unwrap(), sum(&values[2_990..]));
        values[2_990..].iter().for_each(|value| window.remove(*value));
        assert_eq!(window.value(), Ok(None));
    }

    #[test]
    fn infinities_and_what_is_no_number_come_and_go() {
        let mut sum = ExactSum::default();
        [1.0, f64::INFINITY].into_iter().for_each(|value| sum.add(value));
        assert_eq!(sum.value(), Ok(Some(f64::INFINITY)));
        sum.add(f64::NEG_INFINITY);
        assert!(sum.value().unwrap().unwrap().is_nan());
        sum.remove(f64::INFINITY);
        assert_eq!(sum.value(), Ok(Some(f64::NEG_INFINITY)));
        sum.remove(f64::NEG_INFINITY);
        assert_eq!(sum.value(), Ok(Some(1.0)));
        sum.add(f64::NAN);
        assert!(sum.value().unwrap().unwrap().is_nan());
    }

    #[test]
    fn a_sum_beyond_the_greatest_double_is_told_and_one_that_comes_back_is_not() {
        let mut sum = ExactSum::default();
        sum.add(f64::MAX);
        sum.add(f64::MAX);
        assert_eq!(sum.value(), Err(BeyondDouble));
        sum.add(-f64::MAX);
        assert_eq!(sum.value(), Ok(Some(f64::MAX)));
        // Half a unit above the greatest double rounds beyond it.
        sum.add(2f64.powi(970));
        assert_eq!(sum.value(), Err(BeyondDouble));
    }

    #[test]
    fn many_carries_lose_nothing() {
        let mut sum = ExactSum::default();
        for _ in 0..1_000 {
            sum.add(-0.1);
            sum.carry();
            sum.carry();
        }
        let mut exact = ExactSum::default();
        (0..1_000).for_each(|_| exact.add(-0.1));
        assert_eq!(sum.value(), exact.value());
        assert!(sum.digits.len() <= 4, "{:?}", sum.digits);
    }
}
