//! Errors as text for a terminal or a log: the message, the line with a mark under the place, the hint.

use super::{Error, Place, Problems};
use crate::visible::visible;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// One error as text. `colour` only where the reader's terminal shows it. What the error quotes cannot steer that
/// terminal.
pub fn render(error: &Error, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let hint = error.hint_text().map(visible);
    let hint = hint.as_deref();
    if let Some(Place::File { file, line, column, width, text: Some(text) }) = error.place() {
        let (file, message) = (visible(file), visible(error.message()));
        let start = byte_offset(text, *line, *column);
        let end = byte_offset(text, *line, *column + *width).max(start);
        let mark = AnnotationKind::Primary.span(start..end);
        let snippet = Snippet::source(text.as_ref()).path(file.as_ref()).annotation(mark);
        let group = Level::ERROR.primary_title(message.as_ref()).element(snippet);
        let group = hint.into_iter().fold(group, |group, hint| group.element(Level::HELP.message(hint)));
        return renderer.render(&[group]).to_string();
    }
    let message = error.to_string();
    let message = visible(&message);
    // Rendered together, two titles would be tied by a line that leads nowhere.
    let mut text = renderer.render(&[Group::with_title(Level::ERROR.primary_title(message.as_ref()))]).to_string();
    if let Some(hint) = hint {
        text.push('\n');
        text.push_str(&renderer.render(&[Group::with_title(Level::HELP.secondary_title(hint))]).to_string());
    }
    text
}

/// All problems, an empty line between them.
pub fn render_all(problems: &Problems, colour: bool) -> String {
    problems.iter().map(|e| render(e, colour)).collect::<Vec<_>>().join("\n\n")
}

/// The byte at which a character of a line stands; the line's end when the column lies beyond it.
fn byte_offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text[start..].lines().next().unwrap_or("");
    start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_stands_under_the_message_with_a_mark() {
        let text = "SELECT custmer_id\nFROM core.customers\n";
        let error = Error::project("unknown column `custmer_id`")
            .at(Place::at("sql/marts/x.sql", text, 1, 8).with_width(10))
            .hint("did you mean `customer_id`?");
        let shown = render(&error, false);
        assert!(shown.contains("--> sql/marts/x.sql:1:8"), "{shown}");
        assert!(shown.contains("^^^^^^^^^^"), "{shown}");
        assert!(shown.contains("did you mean `customer_id`?"), "{shown}");
    }

    #[test]
    fn without_a_line_to_show_message_and_hint_stand_alone() {
        let error =
            Error::unreachable("the lake cannot be reached").at(Place::Whole("s3://a/b".into())).hint("try again");
        assert_eq!(render(&error, false), "error: s3://a/b: the lake cannot be reached\nhelp: try again");
    }

    #[test]
    fn nothing_that_is_quoted_steers_the_terminal() {
        let text = "a: \u{1b}]0;owned\u{7}\n";
        let error = Error::project("`\u{1b}[31m` is unknown")
            .at(Place::at("x\u{202e}.yml", text, 1, 4))
            .hint("the first: \u{1b}[2J");
        let whole = Error::data("\u{9b}2J").at(Place::Whole("\u{1b}c".into())).hint("\u{1b}[0m");
        for shown in [render(&error, false), render(&whole, false)] {
            assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{shown:?}");
        }
    }

    #[test]
    fn a_place_beyond_the_text_is_its_end_not_a_panic() {
        let error = Error::project("unexpected end").at(Place::at("a.yml", "a: 1", 9, 40));
        assert!(render(&error, false).contains("unexpected end"));
    }
}
