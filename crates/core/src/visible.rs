//! Text from outside, as it is printed: what would steer a terminal instead of being read is written as an escape.

use std::borrow::Cow;

/// The text with its control characters, except line breaks and tabs, and the marks that turn the direction of writing
/// as `\u{1b}` and the like.
///
/// ```
/// use perennial_core::visible::visible;
/// assert_eq!(visible("orders-\u{1b}[31m.csv"), r"orders-\u{1b}[31m.csv");
/// assert_eq!(visible("客户 1\n\tx"), "客户 1\n\tx");
/// ```
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, steers)
}

/// The text on one line: line breaks and tabs are escapes as well, as in `two\nlines.csv`.
///
/// ```
/// use perennial_core::visible::on_one_line;
/// assert_eq!(on_one_line("two\nlines.csv"), r"two\nlines.csv");
/// ```
pub fn on_one_line(text: &str) -> Cow<'_, str> {
    escaped(text, |character| steers(character) || matches!(character, '\n' | '\t'))
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match is_escaped(character) {
            true if matches!(character, '\n' | '\t') => shown.extend(character.escape_default()),
            true => shown.extend(character.escape_unicode()),
            false => shown.push(character),
        }
    }
    Cow::Owned(shown)
}

/// Whether a terminal or a reader's eye would obey the character: C0 and C1 controls, and the marks, embeddings,
/// overrides and isolates of bidirectional text (Unicode Standard Annex 9).
fn steers(character: char) -> bool {
    let keeps_lines = matches!(character, '\n' | '\t');
    let turns =
        matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (character.is_control() && !keeps_lines) || turns
}
