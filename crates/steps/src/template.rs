//! Template text with marks, so that every character of what it renders to can be followed back to the file.
//!
//! Text outside of `{{ }}`, `{% %}` and `{# #}` is rendered as it stands. So a mark carrying the text's own offset is
//! put in front of each run of it, and one carrying the tag's offset behind it; after rendering, marks are taken out
//! and become the [`SourceMap`]. Loops may repeat a run: it carries its mark along. What a tag renders to (a variable,
//! a macro of another file) maps to the tag's start. Marks stand inside the white space that `{%- -%}` trims, so
//! trimming works as without them. Runs inside `macro`, `set`, `call` and `filter` blocks carry no mark, because their
//! text becomes a value.

use perennial_core::error::Place;
use perennial_project::TextFile;
use std::ops::Range;

/// Opens and closes a mark: private-use characters that no SQL holds.
const OPEN: char = '\u{F0000}';
const CLOSE: char = '\u{F0001}';

/// A piece of a file that is a template.
#[derive(Clone, Debug)]
pub struct Template {
    /// The text to render.
    pub text: String,
    /// The file it stands in.
    pub file: TextFile,
    /// For each line of `text`: the byte it begins at in `text` and in the file.
    lines: Vec<(usize, usize)>,
}

impl Template {
    /// Everything behind a byte of a file.
    pub(crate) fn rest_of(file: &TextFile, start: usize) -> Template {
        Template { text: file.text[start..].to_string(), file: file.clone(), lines: vec![(0, start)] }
    }

    /// Text that stands in a file as an indented block whose first line begins at byte `start`.
    pub fn block(file: &TextFile, start: usize, text: &str) -> Template {
        let line_start = file.text[..start.min(file.text.len())].rfind('\n').map_or(0, |i| i + 1);
        let indent = start - line_start;
        let (mut lines, mut in_text, mut in_file) = (Vec::new(), 0, line_start);
        for line in text.split_inclusive('\n') {
            lines.push((in_text, in_file + indent));
            in_text += line.len();
            in_file = file.text[in_file.min(file.text.len())..].find('\n').map_or(file.text.len(), |i| in_file + i + 1);
        }
        if lines.is_empty() {
            lines.push((0, start));
        }
        Template { text: text.to_string(), file: file.clone(), lines }
    }

    /// The `{{ }}` of the text.
    pub(super) fn expressions(&self) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(tag) = next_tag(&self.text, at) {
            at = tag.end;
            if self.text[tag.clone()].starts_with("{{") {
                found.push(tag);
            }
        }
        found
    }

    /// The same with spaces in the place of a tag, so that all else stands where it stood.
    pub(super) fn without(&self, tag: Range<usize>) -> Template {
        let blank: String = self.text[tag.clone()]
            .chars()
            .flat_map(|c| std::iter::repeat_n(if c == '\n' { '\n' } else { ' ' }, c.len_utf8()))
            .collect();
        let mut template = self.clone();
        template.text.replace_range(tag, &blank);
        template
    }

    /// The byte of the file that a byte of the text stands at.
    pub fn in_file(&self, offset: usize) -> usize {
        let line = self.lines.partition_point(|(in_text, _)| *in_text <= offset).saturating_sub(1);
        let (in_text, in_file) = self.lines[line];
        (in_file + offset.saturating_sub(in_text)).min(self.file.text.len())
    }

    /// The place of a range of the text.
    pub fn place(&self, range: Range<usize>) -> Place {
        let start = self.in_file(range.start);
        let width = range.end.saturating_sub(range.start);
        Place::span(&self.file.path, self.file.text.clone(), start..start + width)
    }

    /// The text with marks, and where in it each piece of the original begins.
    pub(super) fn marked(&self) -> Marked {
        Marker::new(&self.text).run()
    }
}

/// A template with marks in it.
pub(super) struct Marked {
    pub text: String,
    /// Byte in the marked text, byte in the original, ascending.
    pieces: Vec<(usize, usize)>,
}

impl Marked {
    /// The byte of the original that a byte of the marked text stands for.
    pub fn original(&self, offset: usize) -> usize {
        let index = self.pieces.partition_point(|(marked, _)| *marked <= offset);
        match index.checked_sub(1).map(|i| self.pieces[i]) {
            Some((marked, original)) => original + (offset - marked),
            None => 0,
        }
    }
}

/// From rendered text back to the template's.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    /// Byte in the rendered text, byte in the template, and whether the text from there on is a copy.
    pieces: Vec<(usize, usize, bool)>,
}

impl SourceMap {
    /// The byte of the template that a byte of the rendered text comes from, and whether it is a copy.
    pub fn original(&self, offset: usize) -> (usize, bool) {
        let index = self.pieces.partition_point(|(rendered, ..)| *rendered <= offset);
        match index.checked_sub(1).map(|i| self.pieces[i]) {
            Some((rendered, original, true)) => (original + (offset - rendered), true),
            Some((_, original, false)) => (original, false),
            None => (0, false),
        }
    }
}

/// Takes the marks out of rendered text.
pub(super) fn unmark(rendered: &str) -> (String, SourceMap) {
    let mut sql = String::with_capacity(rendered.len());
    let mut map = SourceMap::default();
    let mut rest = rendered;
    while let Some(open) = rest.find(OPEN) {
        sql.push_str(&rest[..open]);
        let mark = &rest[open + OPEN.len_utf8()..];
        let Some(close) = mark.find(CLOSE) else { break };
        let copied = mark.starts_with('=');
        if let Ok(offset) = mark[1..close].parse() {
            map.pieces.push((sql.len(), offset, copied));
        }
        rest = &mark[close + CLOSE.len_utf8()..];
    }
    sql.push_str(rest);
    (sql, map)
}

struct Marker<'a> {
    text: &'a str,
    marked: Marked,
    /// Depth of blocks whose text becomes a value.
    captured: usize,
}

impl<'a> Marker<'a> {
    fn new(text: &'a str) -> Marker<'a> {
        Marker { text, marked: Marked { text: String::new(), pieces: Vec::new() }, captured: 0 }
    }

    fn run(mut self) -> Marked {
        let mut at = 0;
        while at < self.text.len() {
            let tag = next_tag(self.text, at);
            self.literal(at, tag.as_ref().map_or(self.text.len(), |t| t.start), tag.as_ref());
            let Some(tag) = tag else { break };
            self.copy(tag.start, tag.end);
            self.enter_or_leave(&self.text[tag.start..tag.end]);
            at = tag.end;
        }
        self.marked
    }

    fn copy(&mut self, start: usize, end: usize) {
        self.marked.pieces.push((self.marked.text.len(), start));
        self.marked.text.push_str(&self.text[start..end]);
    }

    fn mark(&mut self, sign: char, offset: usize) {
        if self.captured == 0 {
            self.marked.text.push_str(&format!("{OPEN}{sign}{offset}{CLOSE}"));
        }
    }

    /// A run of plain text and the mark of the tag behind it.
    fn literal(&mut self, start: usize, end: usize, tag: Option<&Range<usize>>) {
        let text = &self.text[start..end];
        let lead = start + (text.len() - text.trim_start().len());
        let trail = start + text.trim_end().len();
        if lead >= trail {
            let trimmed = tag.is_some_and(|t| self.text.as_bytes().get(t.start + 2) == Some(&b'-'));
            match (trimmed, tag) {
                (true, Some(tag)) => {
                    self.mark('!', tag.start);
                    self.copy(start, end);
                }
                (_, tag) => {
                    self.copy(start, end);
                    self.mark('!', tag.map_or(end, |t| t.start));
                }
            }
            return;
        }
        self.copy(start, lead);
        self.mark('=', lead);
        self.copy(lead, trail);
        if let Some(tag) = tag {
            self.mark('!', tag.start);
        }
        self.copy(trail, end);
    }

    fn enter_or_leave(&mut self, tag: &str) {
        let inner = tag.trim_start_matches(['{', '%', '-', '+']).trim_start();
        let word: String = inner.chars().take_while(|c| c.is_alphanumeric()).collect();
        let captures = match word.as_str() {
            "macro" | "call" | "filter" => true,
            "set" => !inner.contains('='),
            _ => false,
        };
        if tag.starts_with("{%") && captures {
            self.captured += 1;
        }
        if tag.starts_with("{%") && matches!(word.as_str(), "endmacro" | "endcall" | "endfilter" | "endset") {
            self.captured = self.captured.saturating_sub(1);
        }
    }
}

/// The next `{{ }}`, `{% %}` or `{# #}` at or behind a byte; `raw` blocks count as one tag.
fn next_tag(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let start = (from..bytes.len().saturating_sub(1))
        .find(|&i| bytes[i] == b'{' && matches!(bytes[i + 1], b'{' | b'%' | b'#'))?;
    let close: &[u8] = match bytes[start + 1] {
        b'{' => b"}}",
        b'%' => b"%}",
        _ => b"#}",
    };
    let end = end_of_tag(bytes, start + 2, close, bytes[start + 1] != b'#');
    let inner = text[start + 2..end].trim_start_matches(['-', '+']).trim_start();
    if bytes[start + 1] == b'%' && inner.starts_with("raw") {
        let behind = text[end..].find("endraw").map_or(text.len(), |i| end + i);
        let end = text[behind..].find("%}").map_or(text.len(), |i| behind + i + 2);
        return Some(start..end);
    }
    Some(start..end)
}

fn end_of_tag(bytes: &[u8], mut at: usize, close: &[u8], quotes: bool) -> usize {
    let mut quote = None;
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(q), b) if b == q => quote = None,
            (None, b @ (b'\'' | b'"')) if quotes => quote = Some(b),
            (None, _) if bytes[at..].starts_with(close) => return at + 2,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> TextFile {
        TextFile { path: "a.sql".into(), text: text.into() }
    }

    #[test]
    fn marks_change_nothing_but_themselves() {
        let text = "SELECT a -- {# no #}\n  {%- if x -%}  , b {% endif %}\nFROM {{ ref('t') }} {{- x }}\n";
        let marked = Template::rest_of(&file(text), 0).marked();
        let (plain, _) = unmark(&marked.text);
        assert_eq!(plain, text);
    }

    #[test]
    fn a_block_is_followed_to_its_indented_lines() {
        let text = "queries:\n  headline: |\n    SELECT 1\n    FROM t\n";
        let start = text.find("SELECT").unwrap();
        let template = Template::block(&file(text), start, "SELECT 1\nFROM t\n");
        assert_eq!(template.place(9..13).to_string(), "a.sql:4:5");
        assert_eq!(template.place(14..15).to_string(), "a.sql:4:10");
    }

    #[test]
    fn a_raw_block_is_one_tag() {
        let text = "a {% raw %}{{ not }}{% endraw %} b";
        assert_eq!(next_tag(text, 0), Some(2..text.len() - 2));
    }
}
