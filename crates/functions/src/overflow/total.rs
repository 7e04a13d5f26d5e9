//! A sum that cannot wrap: what a word holds of it, and how often the word went round.

use arrow::array::ArrowPrimitiveType;
use arrow::datatypes::{ArrowNativeTypeOp, DataType, i256};
use std::fmt::Debug;
use std::hash::Hash;

/// What values of a type are in memory.
pub(super) trait Word: ArrowNativeTypeOp + Copy + Debug + Default + Eq + Hash + Send + Sync {
    /// Bits of the word.
    const BITS: u8;

    /// The sum as far as the word holds it, and whether the word went round.
    fn plus(self, other: Self) -> (Self, bool);

    /// The difference likewise.
    fn less(self, other: Self) -> (Self, bool);

    /// Below zero.
    fn negative(self) -> bool;

    /// As wide as sums are judged.
    fn wide(self) -> i256;

    /// The total of a slice.
    fn total(values: &[Self]) -> Total<Self>;
}

macro_rules! word {
    ($word:ty, $total:expr) => {
        impl Word for $word {
            const BITS: u8 = <$word>::BITS as u8;

            fn plus(self, other: $word) -> ($word, bool) {
                self.overflowing_add(other)
            }

            fn less(self, other: $word) -> ($word, bool) {
                self.overflowing_sub(other)
            }

            #[allow(unused_comparisons, reason = "there are words without a sign")]
            fn negative(self) -> bool {
                self < 0
            }

            fn wide(self) -> i256 {
                i256::from_i128(self as i128)
            }

            fn total(values: &[$word]) -> Total<$word> {
                $total(values)
            }
        }
    };
}

// A word of twice the width is cheaper than looking after every value.
word!(i64, |values: &[i64]| {
    let sum: i128 = values.iter().map(|value| i128::from(*value)).sum();
    Total { sum: sum as i64, carry: ((sum - i128::from(sum as i64)) >> 64) as i64 }
});
word!(u64, |values: &[u64]| {
    let sum: u128 = values.iter().map(|value| u128::from(*value)).sum();
    Total { sum: sum as u64, carry: (sum >> 64) as i64 }
});
word!(i128, |values: &[i128]| {
    let mut total = Total::default();
    values.iter().for_each(|value| total.add(*value));
    total
});

/// The value is `sum + carry * 2^BITS`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Total<W> {
    pub(super) sum: W,
    pub(super) carry: i64,
}

impl<W: Word> Total<W> {
    pub(super) fn add(&mut self, value: W) {
        let (sum, round) = self.sum.plus(value);
        self.sum = sum;
        if round {
            self.carry += if value.negative() { -1 } else { 1 };
        }
    }

    pub(super) fn remove(&mut self, value: W) {
        let (sum, round) = self.sum.less(value);
        self.sum = sum;
        if round {
            self.carry += if value.negative() { 1 } else { -1 };
        }
    }

    pub(super) fn merge(&mut self, other: Total<W>) {
        self.add(other.sum);
        self.carry += other.carry;
    }

    /// The sum where a type holds it.
    pub(super) fn within(&self, data_type: &DataType) -> Option<W> {
        let digits = match data_type {
            DataType::Decimal128(digits, _) => Some(u32::from(*digits)),
            _ => None,
        };
        let short = |digits| self.sum.wide().wrapping_abs() < i256::from_i128(10_i128.pow(digits));
        (self.carry == 0 && digits.is_none_or(short)).then_some(self.sum)
    }

    /// The sum in decimal digits.
    pub(super) fn text(&self, scale: i8) -> String {
        let value = self.sum.wide().wrapping_add(i256::from(self.carry) << W::BITS);
        if scale <= 0 {
            return value.to_string();
        }
        let digits = format!("{:0>width$}", value.wrapping_abs().to_string(), width = scale as usize + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale as usize);
        format!("{}{whole}.{fraction}", if value < i256::ZERO { "-" } else { "" })
    }
}

/// Types whose values are words.
pub(super) trait Addend: ArrowPrimitiveType<Native: Word> + Debug {}

impl<T: ArrowPrimitiveType<Native: Word> + Debug> Addend for T {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Python's integers: 2**63, 3 * (2**127 - 1), both beyond their words.
    #[test]
    fn totals_go_beyond_their_words() {
        let total = i64::total(&[i64::MAX, 1]);
        assert_eq!(total.text(0), "9223372036854775808");
        assert_eq!(total.within(&DataType::Int64), None);
        assert_eq!(i64::total(&[i64::MAX, 1, -1]).within(&DataType::Int64), Some(i64::MAX));
        assert_eq!(i64::total(&[i64::MIN, -1]).text(0), "-9223372036854775809");
        assert_eq!(u64::total(&[u64::MAX, u64::MAX]).text(0), "36893488147419103230");
        let total = i128::total(&[i128::MAX; 3]);
        assert_eq!(total.text(0), "510423550381407695195061911147652317181");
        assert_eq!(total.text(2), "5104235503814076951950619111476523171.81");
        assert_eq!(Total { sum: -5_i128, carry: 0 }.text(2), "-0.05");
        let longest = 10_i128.pow(38) - 1;
        assert_eq!(i128::total(&[longest]).within(&DataType::Decimal128(38, 0)), Some(longest));
        assert_eq!(i128::total(&[longest, 1]).within(&DataType::Decimal128(38, 0)), None);
    }

    proptest! {
        /// One by one and all at once, added and removed in any order: as 128 bits add.
        #[test]
        fn totals_are_those_of_a_wider_word(values in prop::collection::vec(any::<i64>(), 0..30), gone in 0..30_usize) {
            let mut total = i64::total(&values);
            let gone = &values[..gone.min(values.len())];
            gone.iter().for_each(|value| total.remove(*value));
            let expected: i128 =
                values.iter().map(|v| i128::from(*v)).sum::<i128>() - gone.iter().map(|v| i128::from(*v)).sum::<i128>();
            prop_assert_eq!(total.text(0), expected.to_string());
            let mut one_by_one = Total::default();
            values.iter().rev().for_each(|value| one_by_one.add(*value));
            prop_assert_eq!(one_by_one.text(0), i64::total(&values).text(0));
        }
    }
}
