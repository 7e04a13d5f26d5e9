//! Reasons for rejects that readers of several systems share: the same violation has the same reason wherever it is.

/// A number that is not one.
pub const NOT_A_NUMBER: &str = "the value is NaN (not a number)";
/// A number without bounds.
pub const INFINITE_NUMBER: &str = "the number is infinite";
/// An integer that is too large.
pub const NOT_64_BITS: &str = "the number does not fit in 64 bits";
/// A text in an unknown encoding.
pub const NOT_UTF8: &str = "the text is not UTF-8";

/// A number with more decimal places than a column has.
pub fn decimal_places(max: usize) -> String {
    format!("the number has more than {max} decimal places, and numbers are never rounded")
}

/// A number with more digits than a column has.
pub fn decimal_digits(precision: u8, scale: i8) -> String {
    format!("the number does not fit in decimal({precision}, {scale})")
}
