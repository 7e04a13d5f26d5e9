//! Blocks as input of Typst. Every text of a page stands in a string literal, so that no character of the data can
//! become markup; pictures are files beside it.

use super::blocks::{Block, Figure, Headline, Inline, Table, Tone, plain};
use super::charts::{Palette, Picture, without_backticks};
use super::html::is_harmless;
use super::template::Page;
use super::theme::Style;
use crate::project::Language;
use std::fmt::Write;

/// What the styles of the printed page are called.
pub const STYLES: (&str, &str) = ("page.typ", include_str!("page.typ"));

/// The input: the main text and the files that it names.
#[derive(Debug)]
pub struct Input {
    /// Typst's main file.
    pub main: String,
    /// Name and bytes of each picture.
    pub files: Vec<(String, Vec<u8>)>,
}

/// A page as Typst's input; `fonts` are families, best first, and `made_at` goes into the document's date.
pub fn write(page: &Page, style: &Style, fonts: &[String], made_at: jiff::Timestamp) -> Input {
    let families: Vec<String> = fonts.iter().map(|f| string(f)).collect();
    let palette = Palette::paper(&style.accent, &fonts.iter().map(|f| format!("'{f}'")).collect::<Vec<_>>().join(", "));
    let mut writer = Writer { out: String::new(), files: Vec::new(), palette };
    let (lang, region) = match page.language {
        Language::English => ("en", "GB"),
        Language::SimplifiedChinese => ("zh", "CN"),
        Language::TraditionalChinese => ("zh", "TW"),
    };
    let logo = match &style.logo {
        Some(logo) => {
            let name = if logo.is_svg { "logo.svg" } else { "logo.png" };
            writer.files.push((name.into(), logo.bytes.clone()));
            format!("image({}, height: 9mm, alt: {})", string(name), string(&page.company))
        }
        None => "none".into(),
    };
    let at = made_at.to_zoned(jiff::tz::TimeZone::UTC);
    let title = format!("{} {}, {}", page.title, page.period, page.company);
    let _ = writeln!(
        writer.out,
        "#import \"page.typ\": *\n#set document(title: {}, author: {}, date: datetime(year: {}, month: {}, day: {}, \
         hour: {}, minute: {}, second: {}))\n#show: sheet.with(title: {}, company: {}, when: {}, status: {}, \
         fonts: ({},), lang: \"{lang}\", region: \"{region}\", logo: {logo}, page-of: (page, pages) => {})",
        string(&title),
        string(&page.company),
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        string(&page.title),
        string(&page.company),
        string(&page.period),
        string(&page.status),
        families.join(", "),
        page_of(&page.words.page_of),
    );
    for block in &page.blocks {
        writer.block(block);
    }
    Input { main: writer.out, files: writer.files }
}

/// `Page {page} of {pages}` as an expression of the two.
fn page_of(pattern: &str) -> String {
    let mut parts = Vec::new();
    let mut rest = pattern;
    while let Some(open) = rest.find('{') {
        let Some(close) = rest[open..].find('}') else { break };
        parts.push(string(&rest[..open]));
        let name = &rest[open + 1..open + close];
        parts.push(if name == "pages" { "pages".into() } else { "page".into() });
        rest = &rest[open + close + 1..];
    }
    parts.push(string(rest));
    parts.join(" + ")
}

struct Writer {
    out: String,
    files: Vec<(String, Vec<u8>)>,
    palette: Palette,
}

impl Writer {
    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Verdict(runs) => self.line(&format!("#verdict[{}]", inlines(runs))),
            Block::Headlines(all) => self.headlines(all),
            Block::Heading(level, runs) => self.line(&format!("#finding({level})[{}]", inlines(runs))),
            Block::Paragraph(runs) => self.line(&format!("\n{}\n", inlines(runs))),
            Block::Note(runs) => self.line(&format!("#note[{}]", inlines(runs))),
            Block::List(ordered, items) => {
                let tag = if *ordered { "enum" } else { "list" };
                let items: Vec<String> = items.iter().map(|item| format!("[{}]", inlines(item))).collect();
                self.line(&format!("#{tag}({})", items.join(", ")));
            }
            Block::Code(text) => self.line(&format!("#block[#text(size: 8pt)[#{}]]", string(text))),
            Block::Figure(figure) => self.figure(figure),
            Block::Table(table) => {
                if !table.title.is_empty() {
                    self.line(&format!("#finding(3)[{}]", inlines(&table.title)));
                }
                if !table.note.is_empty() {
                    self.line(&format!("#note[{}]", inlines(&table.note)));
                }
                self.table(table);
            }
            Block::Callout(head, runs) => self.line(&format!("#callout([{}])[{}]", inlines(head), inlines(runs))),
            Block::PageBreak => self.line("#pagebreak(weak: true)"),
            Block::Facts(facts) => {
                let pairs: Vec<String> =
                    facts.iter().map(|(n, f)| format!("([#{}], [#{}])", string(n), string(&breakable(f)))).collect();
                self.line(&format!("#facts({})", pairs.join(", ")));
            }
            Block::Foot(blocks) => {
                self.line("#foot[");
                blocks.iter().for_each(|block| self.block(block));
                self.line("]");
            }
        }
    }

    fn headlines(&mut self, all: &[Headline]) {
        let mut items = Vec::new();
        for headline in all {
            let spark = match &headline.sparkline {
                Some(picture) => {
                    let name = self.file(picture);
                    format!("image({}, width: 26mm, alt: {})", string(&name), string(&picture.alt))
                }
                None => "none".into(),
            };
            let changes: Vec<String> = headline
                .changes
                .iter()
                .map(|(head, value, tone)| {
                    let tone = match tone {
                        Tone::Better => "better",
                        Tone::Worse => "worse",
                        Tone::Neutral => "neutral",
                    };
                    format!("change({}, {}, \"{tone}\")", string(head), string(value))
                })
                .collect();
            items.push(format!(
                "headline({}, {}, {}, {spark}, ({},))",
                string(&headline.label),
                string(&headline.value),
                string(&headline.unit),
                changes.join(", ")
            ));
        }
        self.line(&format!("#headlines({})", items.join(",\n")));
    }

    fn file(&mut self, picture: &Picture) -> String {
        let name = format!("picture-{}.svg", self.files.len() + 1);
        self.files.push((name.clone(), picture.print(&self.palette).into_bytes()));
        name
    }

    fn figure(&mut self, figure: &Figure) {
        self.line(&format!("#finding(2)[{}]", inlines(&figure.title)));
        if !figure.note.is_empty() {
            self.line(&format!("#note[{}]", inlines(&figure.note)));
        }
        let name = self.file(&figure.picture);
        self.line(&format!("#picture({}, {})", string(&name), string(&figure.picture.alt)));
        // A long table of a picture's figures stays in the HTML page; a heat map has them in its cells.
        if !figure.picture.scrolls && figure.table.rows.len() <= 8 {
            self.table(&figure.table);
        }
    }

    fn table(&mut self, table: &Table) {
        let widths = widths(table);
        let align: Vec<&str> = table.columns.iter().map(|(_, figure)| if *figure { "right" } else { "left" }).collect();
        let heads: Vec<String> = table.columns.iter().map(|(head, _)| string(&breakable(head))).collect();
        let mut cells = String::new();
        for row in &table.rows {
            for cell in &row.cells {
                let text = string(&breakable(cell));
                let _ = if row.total { write!(cells, ", strong({text})") } else { write!(cells, ", {text}") };
            }
        }
        self.line(&format!(
            "#figures-table(columns: ({},), align: ({},), header: ({},), \
             whole: {}{cells})",
            widths.join(", "),
            align.join(", "),
            heads.join(", "),
            table.rows.len() <= 14,
        ));
    }
}

fn inlines(runs: &[Inline]) -> String {
    let mut out = String::new();
    for run in runs {
        let _ = match run {
            Inline::Text(text) => write!(out, "#{};", string(&breakable(text))),
            Inline::Strong(inner) => write!(out, "#strong[{}];", inlines(inner)),
            Inline::Emphasis(inner) => write!(out, "#emph[{}];", inlines(inner)),
            Inline::Code(text) => write!(out, "#{};", string(&breakable(text))),
            Inline::Link(url, inner) if is_harmless(url) && url.contains(':') => {
                write!(out, "#link({})[#{}];", string(url), string(&plain(inner)))
            }
            Inline::Link(_, inner) => write!(out, "{}", inlines(inner)),
            Inline::Break => write!(out, "#linebreak();"),
        };
    }
    out
}

/// Letters of an unbroken word after which a line may break.
const UNBROKEN: usize = 20;

/// Text whose long unbroken words may break over lines: a name of 120 letters must not run over the figures beside it.
fn breakable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = 0;
    for c in text.chars() {
        // Chinese breaks by itself, and not before its punctuation.
        run = if c.is_whitespace() || c == '-' || c >= '\u{2e80}' { 0 } else { run + 1 };
        if run > UNBROKEN {
            out.push('\u{200b}');
            run = 1;
        }
        out.push(c);
    }
    out
}

/// Widths of a table's columns: figures and short words take what they need, the first column and long texts share the
/// rest by their length.
fn widths(table: &Table) -> Vec<String> {
    let longest = |i: usize| table.rows.iter().filter_map(|r| r.cells.get(i)).map(|c| c.chars().count()).max();
    let width = |(i, (_, figure)): (usize, &(String, bool))| match longest(i).unwrap_or(0) {
        _ if *figure => "auto".into(),
        long if i == 0 || long > UNBROKEN => format!("{}fr", long.clamp(16, 48)),
        _ => "auto".into(),
    };
    table.columns.iter().enumerate().map(width).collect()
}

/// A string literal. Control characters have no glyph and are left out.
fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in without_backticks(text).chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push(' '),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_may_break() {
        let name = "x".repeat(45);
        assert_eq!(breakable(&name).split('\u{200b}').map(str::len).collect::<Vec<_>>(), [20, 20, 5]);
        for as_it_is in
            ["twenty letters and no longer", "流失：八月有購買而九月未購買；回流：八月未購買、先前曾購買，按零计。"]
        {
            assert_eq!(breakable(as_it_is), as_it_is);
        }
    }

    #[test]
    fn no_text_leaves_its_literal() {
        assert_eq!(string("a\"#b\\[c]\n$x$ @y\u{7}"), "\"a\\\"#b\\\\[c]\\n$x$ @y\"");
        assert_eq!(page_of("第 {page} 页，共 {pages} 页"), "\"第 \" + page + \" 页，共 \" + pages + \" 页\"");
    }
}
