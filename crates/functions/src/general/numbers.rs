//! In which type numbers are computed: decimals and whole numbers exactly, DOUBLE as soon as one of them is binary.

use arrow::datatypes::DataType;
use datafusion::common::plan_err;
use datafusion::error::Result;

/// Digits of the widest DECIMAL that is computed with.
pub(super) const DIGITS: u8 = 38;

/// The common type of these numbers: `Float64` or `Decimal128`.
pub(super) fn common_type<'a>(name: &str, types: impl IntoIterator<Item = &'a DataType>) -> Result<DataType> {
    let (mut whole, mut scale, mut binary, mut known) = (0, 0, false, false);
    for data_type in types {
        known |= !data_type.is_null();
        let (digits, places) = match data_type {
            DataType::Null => continue,
            DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                binary = true;
                continue;
            }
            DataType::Int8 | DataType::UInt8 => (3, 0),
            DataType::Int16 | DataType::UInt16 => (5, 0),
            DataType::Int32 | DataType::UInt32 => (10, 0),
            DataType::Int64 => (19, 0),
            DataType::UInt64 => (20, 0),
            DataType::Decimal32(digits, places)
            | DataType::Decimal64(digits, places)
            | DataType::Decimal128(digits, places) => (i16::from(*digits), i16::from(*places)),
            other => return plan_err!("{name}: {other} is not a number; DECIMAL, a whole number or DOUBLE is needed"),
        };
        whole = whole.max(digits - places);
        scale = scale.max(places);
    }
    if binary || !known {
        return Ok(DataType::Float64);
    }
    let digits = (whole + scale).clamp(1, i16::from(DIGITS));
    Ok(DataType::Decimal128(digits as u8, scale as i8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_stay_exact_and_one_double_makes_all_double() {
        let common = |types: &[DataType]| common_type("f", types).unwrap();
        let money = DataType::Decimal128(18, 2);
        assert_eq!(common(&[money.clone(), DataType::Int64]), DataType::Decimal128(21, 2));
        assert_eq!(common(&[money.clone(), DataType::Decimal128(10, 6)]), DataType::Decimal128(22, 6));
        assert_eq!(common(&[money.clone(), DataType::Float32]), DataType::Float64);
        assert_eq!(common(&[DataType::Null, money.clone()]), money);
        assert_eq!(common(&[DataType::Null]), DataType::Float64);
        assert!(common_type("f", &[DataType::Utf8]).is_err());
    }
}
