//! Full-width forms, as Chinese and Japanese keyboards write digits and signs, as the ASCII they stand for.

use std::borrow::Cow;

/// Distance between the full-width forms (U+FF01 to U+FF5E) and ASCII.
const DISTANCE: u32 = 0xfee0;

/// The text with full-width digits, signs and blanks as ASCII. Letters stay as they are.
pub(super) fn folded(text: &str) -> Cow<'_, str> {
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

/// Whether any of them stands in a text.
pub(super) fn any_in(text: &str) -> bool {
    text.chars().any(|c| ascii_of(c) != c && c != '\u{3000}')
}
