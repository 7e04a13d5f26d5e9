//! Sums of doubles that do not depend on the order of the summands.

/// The exact sum of doubles as a few parts that do not overlap; rounded once, when asked.
///
/// J. R. Shewchuk, "Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric Predicates", 1997,
/// GROW-EXPANSION. Summands are finite and of at most 1e300, so that no sum in between overflows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ExactSum {
    parts: Vec<f64>,
}

impl ExactSum {
    /// Adds a number.
    pub(crate) fn add(&mut self, number: f64) {
        let mut sum = number;
        let mut kept = 0;
        for i in 0..self.parts.len() {
            let (high, low) = two_sum(sum, self.parts[i]);
            if low != 0.0 {
                self.parts[kept] = low;
                kept += 1;
            }
            sum = high;
        }
        self.parts.truncate(kept);
        self.parts.push(sum);
    }

    /// The exact sum, rounded to the nearest double.
    pub(crate) fn value(&self) -> f64 {
        let mut rest = self.parts.iter().rev().copied();
        let mut high = rest.next().unwrap_or(0.0);
        let mut low = 0.0;
        for part in rest.by_ref() {
            (high, low) = two_sum(high, part);
            if low != 0.0 {
                break;
            }
        }
        // Half way between two doubles: the parts below decide.
        if let Some(below) = rest.next()
            && (low > 0.0) == (below > 0.0)
            && low != 0.0
        {
            let twice = low * 2.0;
            let up = high + twice;
            if up - high == twice {
                high = up;
            }
        }
        // -0 is 0.
        high + 0.0
    }
}

/// The rounded sum of two doubles and what rounding left. D. E. Knuth, "The Art of Computer Programming" 2, 4.2.2.
pub(crate) fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    let a_part = sum - b_part;
    (sum, (a - a_part) + (b - b_part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(numbers: &[f64]) -> f64 {
        let mut sum = ExactSum::default();
        numbers.iter().for_each(|number| sum.add(*number));
        sum.value()
    }

    /// Values of Python's `math.fsum`.
    #[test]
    fn a_sum_is_rounded_once() {
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[1e16, 1.0, 1e-16]), 10_000_000_000_000_002.0);
        assert_eq!(sum(&[1e16, 1.0]), 1e16);
        assert_eq!(sum(&[1e300, 1.0, -1e300]), 1.0);
        assert_eq!(sum(&[-0.0]).to_bits(), 0);
    }

    proptest! {
        #[test]
        fn order_does_not_matter(mut numbers in prop::collection::vec(-1e12f64..1e12, 0..40), turn in 0usize..40) {
            let before = sum(&numbers);
            numbers.reverse();
            let length = numbers.len().max(1);
            numbers.rotate_left((turn % length).min(numbers.len()));
            prop_assert_eq!(before.to_bits(), sum(&numbers).to_bits());
        }
    }
}
