//! Full-width forms of digits and symbols, as Chinese and Japanese keyboards produce them.

use std::borrow::Cow;

/// Distance between the full-width forms (U+FF01 to U+FF5E) and ASCII.
const DISTANCE: u32 = 0xfee0;

/// The text with full-width digits, symbols and spaces as ASCII. Letters stay as they are.
pub(super) fn to_half_width(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(ascii_of).collect())
}

fn ascii_of(c: char) -> char {
    match c {
        '０'..='９' | '＋' | '－' | '．' | '，' | '（' | '）' | '％' | '／' | '：' => {
            char::from_u32(c as u32 - DISTANCE).unwrap_or(c)
        }
        '\u{3000}' => ' ',
        _ => c,
    }
}

/// Whether a text contains any full-width digits or symbols.
pub(super) fn is_in(text: &str) -> bool {
    text.chars().any(|c| ascii_of(c) != c && c != '\u{3000}')
}
