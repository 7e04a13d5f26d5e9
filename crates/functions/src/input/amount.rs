//! Values of purchases: sums without loss, whatever the order, and means.

use crate::exact::ExactSum;
use arrow::datatypes::{ArrowNativeType, ArrowPrimitiveType, Decimal128Type, Float64Type, Int64Type};
use datafusion::common::exec_err;
use datafusion::error::Result;

/// The greatest amount of a DOUBLE: below it no sum of purchases overflows.
const MAX_AMOUNT: f64 = 1e300;

/// The value of a purchase. Two are joined without loss: what does not fit into one number is kept in a second one.
pub(crate) trait Amount: ArrowNativeType {
    /// What is read from a table.
    type Input: ArrowPrimitiveType;
    /// What partial states carry.
    type State: ArrowPrimitiveType<Native = Self>;

    /// The amount as it is stored.
    fn read(input: <Self::Input as ArrowPrimitiveType>::Native) -> Result<Self>;

    /// Both as one number, and what is left.
    fn join(self, other: Self) -> (Self, Option<Self>);

    /// The sum of the parts in units of `10^-scale`, divided by `count`.
    fn mean(parts: impl Iterator<Item = Self>, scale: i8, count: i64) -> Result<f64>;
}

/// Decimals of up to 18 digits, in units of their last digit.
impl Amount for i64 {
    type Input = Decimal128Type;
    type State = Int64Type;

    fn read(input: i128) -> Result<i64> {
        match i64::try_from(input) {
            Ok(amount) => Ok(amount),
            Err(_) => exec_err!("purchase_summary: the amount {input} has more digits than its type"),
        }
    }

    fn join(self, other: i64) -> (i64, Option<i64>) {
        match self.checked_add(other) {
            Some(sum) => (sum, None),
            None => (self, Some(other)),
        }
    }

    fn mean(parts: impl Iterator<Item = i64>, scale: i8, count: i64) -> Result<f64> {
        i128::mean(parts.map(i128::from), scale, count)
    }
}

/// Decimals of up to 38 digits, in units of their last digit.
impl Amount for i128 {
    type Input = Decimal128Type;
    type State = Decimal128Type;

    fn read(input: i128) -> Result<i128> {
        Ok(input)
    }

    fn join(self, other: i128) -> (i128, Option<i128>) {
        match self.checked_add(other) {
            Some(sum) => (sum, None),
            None => (self, Some(other)),
        }
    }

    fn mean(mut parts: impl Iterator<Item = i128>, scale: i8, count: i64) -> Result<f64> {
        let Some(sum) = parts.try_fold(0i128, i128::checked_add) else {
            return exec_err!("purchase_summary: the purchases of a customer add up to more than 38 digits");
        };
        // One rounding, where the sum has no more than 15 digits.
        Ok(sum as f64 / (count as f64 * 10f64.powi(scale.into())))
    }
}

impl Amount for f64 {
    type Input = Float64Type;
    type State = Float64Type;

    fn read(input: f64) -> Result<f64> {
        if input.abs() <= MAX_AMOUNT {
            Ok(input)
        } else {
            exec_err!(
                "purchase_summary: the amount {input} is not money; it is a finite number of at most {MAX_AMOUNT:e}"
            )
        }
    }

    fn join(self, other: f64) -> (f64, Option<f64>) {
        let (sum, rest) = two_sum(self, other);
        (sum, (rest != 0.0).then_some(rest))
    }

    fn mean(parts: impl Iterator<Item = f64>, _: i8, count: i64) -> Result<f64> {
        let mut sum = ExactSum::default();
        parts.for_each(|part| sum.add(part));
        Ok(sum.total() / count as f64)
    }
}

/// The rounded sum of two doubles and what rounding left. D. E. Knuth, "The Art of Computer Programming" 2, 4.2.2.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    let a_part = sum - b_part;
    (sum, (a - a_part) + (b - b_part))
}
