//! Blocks as input of Typst. Every text of a page is a string literal, so that no character of the data can
//! become markup; pictures are files beside it.

use super::blocks::{Block, Figure, Headings, Headline, Inline, Table, Tone, plain};
use super::charts::text_width;
use super::html::leads_away;
use super::language::{data, fill};
use super::picture::{Palette, Picture};
use super::template::Page;
use super::theme::Style;
use std::fmt::Write;

/// What the styles of the printed page are called.
pub(crate) const STYLES: (&str, &str) = ("page.typ", include_str!("page.typ"));

/// The input: the main text and the files that it names.
#[derive(Debug)]
pub(crate) struct Input {
    /// Typst's main file.
    pub main: String,
    /// Name and bytes of each picture.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Input {
    /// Adds a quiet line at the end.
    pub(crate) fn note(&mut self, text: &str) {
        let _ = writeln!(self.main, "#note[#{}]", string(text));
    }
}

/// A page as Typst's input; `fonts` are families, best first, and `made_at` goes into the document's date.
pub(crate) fn write(page: &Page, style: &Style, fonts: &[String], made_at: jiff::Timestamp) -> Input {
    let families: Vec<String> = fonts.iter().map(|f| string(f)).collect();
    let palette = Palette::paper(&style.accent, &fonts.iter().map(|f| format!("'{f}'")).collect::<Vec<_>>().join(", "));
    let mut writer = Writer {
        out: String::new(),
        files: Vec::new(),
        palette,
        headings: Headings::default(),
        part_of: &page.furniture.part_of,
    };
    let print = &data(page.language).print;
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
         fonts: ({},), lang: {}, region: {}, logo: {logo}, page-of: (page, pages) => {})",
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
        string(&print.language),
        string(&print.region),
        page_of(&page.furniture.page_of),
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

struct Writer<'a> {
    out: String,
    files: Vec<(String, Vec<u8>)>,
    palette: Palette,
    headings: Headings,
    part_of: &'a str,
}

impl Writer<'_> {
    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Verdict(runs) => self.line(&format!("#verdict[{}]", inlines(runs))),
            Block::Headlines(all) => self.headlines(all),
            Block::Heading(level, runs) => self.heading(*level, runs),
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
                    self.heading(3, &table.title);
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
            Block::Footer(blocks) => {
                self.line("#provenance[");
                blocks.iter().for_each(|block| self.block(block));
                self.line("]");
            }
        }
    }

    fn heading(&mut self, wanted: u8, runs: &[Inline]) {
        let level = self.headings.level(wanted);
        self.line(&format!("#finding({level})[{}]", inlines(runs)));
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
                "headline({}, {}, {}, {spark}, ({}))",
                string(&headline.label),
                string(&headline.value),
                string(&headline.unit),
                changes.iter().map(|change| format!("{change},")).collect::<String>()
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
        if !figure.title.is_empty() {
            self.heading(2, &figure.title);
        }
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

    /// A table as wide as the page: in type that fits, or in parts that repeat the first column.
    fn table(&mut self, table: &Table) {
        let natural: Vec<f64> = (0..table.columns.len()).map(|i| natural_width(table, i)).collect();
        let layout = Layout::of(&natural);
        let parts = layout.parts.len();
        for (i, part) in layout.parts.iter().enumerate() {
            if parts > 1 {
                let numbers = [("part", (i + 1).to_string()), ("parts", parts.to_string())];
                let numbers: Vec<(&str, &str)> = numbers.iter().map(|(name, n)| (*name, n.as_str())).collect();
                self.line(&format!("#note[#{}]", string(&fill(self.part_of, &numbers))));
            }
            self.part(table, part, layout.size, parts == 1);
        }
    }

    fn part(&mut self, table: &Table, columns: &[usize], size: f64, is_whole: bool) {
        let widths = widths(table);
        let of = |i: &usize| &table.columns[*i];
        let align: Vec<&str> = columns.iter().map(|i| if of(i).1 { "right" } else { "left" }).collect();
        let heads: Vec<String> = columns.iter().map(|i| string(&breakable(&of(i).0))).collect();
        // A part without a column of text takes what it needs, not the width of the page.
        let widths: Vec<&str> = columns.iter().map(|i| widths[*i].as_str()).collect();
        let mut cells = String::new();
        for row in &table.rows {
            for cell in columns.iter().filter_map(|i| row.cells.get(*i)) {
                let text = string(&breakable(cell));
                let _ = if row.total { write!(cells, ", strong({text})") } else { write!(cells, ", {text}") };
            }
        }
        self.line(&format!(
            "#figures-table(columns: ({},), align: ({},), header: ({},), size: {size}pt, whole: {}{cells})",
            widths.join(", "),
            align.join(", "),
            heads.join(", "),
            is_whole && table.rows.len() <= MAX_WHOLE,
        ));
    }
}

/// Rows of a table that is not cut by the end of a page.
const MAX_WHOLE: usize = 14;
/// The width of the text of a page in points: A4 without margins.
const PAGE_WIDTH: f64 = 481.8;
/// Sizes of type that tables are set in, best first.
const SIZES: [f64; 4] = [8.0, 7.0, 6.5, 6.0];
/// The space between two columns, in points.
const INSET: f64 = 8.0;

/// How a table is set.
#[derive(Debug, PartialEq)]
struct Layout {
    /// Size of type in points.
    size: f64,
    /// Columns of each part.
    parts: Vec<Vec<usize>>,
}

impl Layout {
    /// The layout of columns of these widths at a size of one point.
    fn of(natural: &[f64]) -> Layout {
        let needed = |columns: &[usize], size: f64| {
            columns.iter().map(|i| natural.get(*i).copied().unwrap_or_default() * size + INSET).sum::<f64>()
        };
        let all: Vec<usize> = (0..natural.len()).collect();
        if let Some(size) = SIZES.into_iter().find(|size| needed(&all, *size) <= PAGE_WIDTH) {
            return Layout { size, parts: vec![all] };
        }
        // The fewest parts of about as many columns each; one column beside the first is always a part.
        let size = SIZES[1];
        let others: Vec<usize> = all.iter().copied().skip(1).collect();
        let in_parts = |count: usize| -> Vec<Vec<usize>> {
            let each = others.len().div_ceil(count).max(1);
            others.chunks(each).map(|chunk| std::iter::once(0).chain(chunk.iter().copied()).collect()).collect()
        };
        let fit = |parts: &Vec<Vec<usize>>| parts.iter().all(|part| needed(part, size) <= PAGE_WIDTH);
        let parts = (2..others.len()).map(in_parts).find(fit).unwrap_or_else(|| in_parts(others.len().max(1)));
        Layout { size, parts: if parts.is_empty() { vec![all] } else { parts } }
    }
}

/// The width that a column needs at a size of one point: figures and short texts as they are, long texts by a
/// least width, heads by their longest word.
fn natural_width(table: &Table, i: usize) -> f64 {
    let (head, is_figure) = &table.columns[i];
    let width = |text: &str| text_width(text, 1.0) * 1.04;
    let words = head.split_whitespace().map(|word| width(&word.chars().take(UNBROKEN).collect::<String>()));
    let cells = table.rows.iter().filter_map(|row| row.cells.get(i)).map(|cell| width(cell));
    let cells = cells.fold(0.0, f64::max);
    let cells = if *is_figure { cells } else { cells.min(MIN_TEXT) };
    words.fold(cells, f64::max)
}

/// The least width of a column of long texts, in ems.
const MIN_TEXT: f64 = 12.0;

fn inlines(runs: &[Inline]) -> String {
    let mut out = String::new();
    for run in runs {
        let _ = match run {
            Inline::Text(text) => write!(out, "#{};", string(&breakable(text))),
            Inline::Strong(inner) => write!(out, "#strong[{}];", inlines(inner)),
            Inline::Emphasis(inner) => write!(out, "#emph[{}];", inlines(inner)),
            Inline::Code(text) => write!(out, "#{};", string(&breakable(text))),
            Inline::Link(url, inner) if leads_away(url) => {
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
    for c in text.chars() {
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
    fn wide_tables_are_set_smaller_or_in_parts() {
        let twelve_ems = 12.0;
        let figures = |count: usize, ems: f64| [&[twelve_ems][..], &vec![ems; count]].concat();
        assert_eq!(Layout::of(&figures(5, 5.0)), Layout { size: 8.0, parts: vec![(0..6).collect()] });
        // 12 ems and 12 columns of 5 are 72 ems and 104 points between them: 536 points in type of 6, more than there are.
        let layout = Layout::of(&figures(12, 5.0));
        // In type of 7 the first column takes 92 points and each other one 43: nine fit beside it, so two parts do.
        assert_eq!(layout, Layout { size: 7.0, parts: vec![(0..7).collect(), vec![0, 7, 8, 9, 10, 11, 12]] });
        // 12 ems and 8 columns of 5.5 are 56 ems and 72 points between them: 520 points in type of 8, 464 in type of 7.
        assert_eq!(Layout::of(&figures(8, 5.5)).size, 7.0);
    }

    #[test]
    fn no_text_leaves_its_literal() {
        assert_eq!(string("a\"#b\\[c]\n$x$ @y\u{7}"), "\"a\\\"#b\\\\[c]\\n$x$ @y\"");
        assert_eq!(page_of("第 {page} 页，共 {pages} 页"), "\"第 \" + page + \" 页，共 \" + pages + \" 页\"");
    }
}
