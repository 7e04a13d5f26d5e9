//! What measures of concentration have in common: the base, and its total.

use super::tally::Counted;
use crate::exact::ExactSum;

/// The largest value: sums of ranks times values stay far from overflow.
const MAX_VALUE: f64 = 1e250;

/// A value of the base; negative ones are outside.
pub(super) fn base(row: [Option<f64>; 1]) -> Result<Option<[f64; 1]>, String> {
    match row {
        [Some(value)] if value.is_nan() || value > MAX_VALUE => Err(format!(
            "the value {value} is not the value of a customer; it is a finite number of at most {MAX_VALUE:e}"
        )),
        [Some(value)] if value >= 0.0 => Ok(Some([value])),
        _ => Ok(None),
    }
}

/// The sum of all values.
pub(super) fn total(rows: &[Counted<1>]) -> f64 {
    let mut total = ExactSum::default();
    rows.iter().for_each(|row| total.add(row.count as f64 * row.numbers[0]));
    total.total()
}
