//! Text laid out for the screen.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The width of texts for the screen, such as pages of a manual.
pub(super) const WIDTH: usize = 100;

/// Text after a label, folded to the screen, with further lines below its beginning.
pub(super) fn wrapped(label: &str, text: &str) -> String {
    let indent = label.width();
    let lines = fold(text, WIDTH.saturating_sub(indent).max(1));
    format!("{label}{}\n", lines.join(&format!("\n{}", " ".repeat(indent))))
}

/// Text as lines of at most this width, broken at spaces; a longer word is cut.
pub(super) fn fold(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut column = 0;
    for word in text.split_whitespace() {
        if column > 0 && column + 1 + word.width() <= width {
            push(&mut lines, " ");
            column += 1;
        } else if column > 0 {
            lines.push(String::new());
            column = 0;
        }
        for character in word.chars() {
            let taken = character.width().unwrap_or(0);
            if column > 0 && column + taken > width {
                lines.push(String::new());
                column = 0;
            }
            push(&mut lines, character.encode_utf8(&mut [0; 4]));
            column += taken;
        }
    }
    lines
}

fn push(lines: &mut [String], text: &str) {
    if let Some(last) = lines.last_mut() {
        last.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_folded_at_spaces_and_long_words_are_cut() {
        assert_eq!(fold("one two three", 7), ["one two", "three"]);
        assert_eq!(fold("one  two", 3), ["one", "two"]);
        assert_eq!(fold("abcdefgh", 3), ["abc", "def", "gh"]);
        // Two columns each.
        assert_eq!(fold("销售订单", 5), ["销售", "订单"]);
        assert_eq!(fold("", 5), [""]);
    }

    #[test]
    fn further_lines_are_indented_below_the_first() {
        let text = wrapped("  max_by  ", &"word ".repeat(30));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("  max_by  word") && lines[1].starts_with("          word"), "{text}");
        assert!(lines.iter().all(|line| line.width() <= WIDTH), "{text}");
    }
}
