//! A page as a list of blocks: what templates become and both writers read. No markup of either output is in here.

use super::picture::Picture;
use pulldown_cmark::{Alignment, CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// Runs of text in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Inline {
    /// Plain text.
    Text(String),
    /// Bold.
    Strong(Vec<Inline>),
    /// Italic.
    Emphasis(Vec<Inline>),
    /// A name of a table or a piece of SQL.
    Code(String),
    /// A link.
    Link(String, Vec<Inline>),
    /// A new line.
    Break,
}

/// One part of a page, in reading order.
#[derive(Clone, Debug)]
pub(crate) enum Block {
    /// What happened, in one or two sentences.
    Verdict(Vec<Inline>),
    /// The five or six figures.
    Headlines(Vec<Headline>),
    /// A heading; level 2 begins a section.
    Heading(u8, Vec<Inline>),
    /// A paragraph.
    Paragraph(Vec<Inline>),
    /// A quiet line: unit, period, rule, rows counted.
    Note(Vec<Inline>),
    /// A list; numbered or not.
    List(bool, Vec<Vec<Inline>>),
    /// Lines of code as they are.
    Code(String),
    /// A picture with its figures.
    Figure(Box<Figure>),
    /// A table.
    Table(Table),
    /// A paragraph set apart, with a word in front (`Note`).
    Callout(Vec<Inline>, Vec<Inline>),
    /// Printed pages go on overleaf.
    PageBreak,
    /// Pairs of a name and what is said of it.
    Facts(Vec<(String, String)>),
    /// What the page is based on: sources, release, tests.
    Footer(Vec<Block>),
}

/// Whether a change is good news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// For the better.
    Better,
    /// For the worse.
    Worse,
    /// Neither, or nobody said.
    Neutral,
}

/// A figure of the headline strip.
#[derive(Clone, Debug)]
pub(crate) struct Headline {
    /// What it is.
    pub label: String,
    /// The figure, or the reason why there is none.
    pub value: String,
    /// Its unit, where it needs one.
    pub unit: String,
    /// Changes: what is compared with, by how much, and whether that is good.
    pub changes: Vec<(String, String, Tone)>,
    /// The last thirteen periods.
    pub sparkline: Option<Picture>,
}

/// A picture whose title is its finding.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// The finding.
    pub title: Vec<Inline>,
    /// Unit, period, rule.
    pub note: Vec<Inline>,
    /// The picture.
    pub picture: Picture,
    /// Its figures.
    pub table: Table,
}

/// A table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// A heading above it, where it has one.
    pub title: Vec<Inline>,
    /// A quiet line.
    pub note: Vec<Inline>,
    /// Column heads, and whether the column has figures (set flush right).
    pub columns: Vec<(String, bool)>,
    /// Cells, as many as there are columns.
    pub rows: Vec<TableRow>,
}

/// A row of a table.
#[derive(Clone, Debug)]
pub(crate) struct TableRow {
    /// Its cells.
    pub cells: Vec<String>,
    /// A sum or a mean: set bold over a rule.
    pub total: bool,
}

impl TableRow {
    /// A common row.
    pub(crate) fn of(cells: Vec<String>) -> TableRow {
        TableRow { cells, total: false }
    }

    /// A sum or mean.
    pub(crate) fn total(cells: Vec<String>) -> TableRow {
        TableRow { cells, total: true }
    }
}

/// Levels of headings that follow one another: a page that skips one is not accessible.
#[derive(Debug, Default)]
pub(crate) struct Headings {
    has_section: bool,
}

impl Headings {
    /// The level of the next heading: the one wanted, or that of a section where no section has begun.
    pub(crate) fn level(&mut self, wanted: u8) -> u8 {
        self.has_section |= wanted <= 2;
        if self.has_section { wanted } else { 2 }
    }
}

const OPEN: char = '\u{e000}';
const CLOSE: char = '\u{e001}';
const SHIELD: u32 = 0xe100;

/// The mark that a component leaves in the text in place of its block.
pub(crate) fn placeholder(index: usize) -> String {
    format!("\n\n{OPEN}{index}{CLOSE}\n\n")
}

/// Text of the data made safe for Markdown: its punctuation is put where Markdown does not look.
pub(crate) fn shield(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if c.is_ascii_punctuation() => char::from_u32(SHIELD + c as u32).unwrap_or(c),
            c if is_private(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Used by [`shield`] and [`placeholder`].
fn is_private(c: char) -> bool {
    ('\u{e000}'..='\u{e1ff}').contains(&c)
}

/// The text that was shielded.
pub(crate) fn unshield(text: &str) -> String {
    text.chars()
        .map(|c| match c as u32 {
            code @ 0xe100..=0xe17f => char::from_u32(code - SHIELD).unwrap_or(c),
            _ => c,
        })
        .collect()
}

/// A line of Markdown as runs.
pub(crate) fn inline(markdown: &str) -> Vec<Inline> {
    let mut runs = Vec::new();
    for block in parse(markdown.trim(), &[]) {
        match block {
            Block::Paragraph(more) | Block::Heading(_, more) => {
                if !runs.is_empty() {
                    runs.push(Inline::Break);
                }
                runs.extend(more);
            }
            Block::List(_, items) => items.into_iter().for_each(|item| runs.extend(item)),
            _ => {}
        }
    }
    runs
}

/// Runs as plain text.
pub(crate) fn plain(runs: &[Inline]) -> String {
    runs.iter()
        .map(|run| match run {
            Inline::Text(text) | Inline::Code(text) => text.clone(),
            Inline::Strong(inner) | Inline::Emphasis(inner) | Inline::Link(_, inner) => plain(inner),
            Inline::Break => " ".into(),
        })
        .collect()
}

/// Rendered Markdown as blocks; marks of components are replaced by theirs.
pub(crate) fn parse(markdown: &str, components: &[Block]) -> Vec<Block> {
    let mut builder = Builder {
        components,
        blocks: Vec::new(),
        runs: vec![Vec::new()],
        items: Vec::new(),
        links: Vec::new(),
        depth: 0,
        table: Table::default(),
    };
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        builder.event(event);
    }
    builder.blocks
}

struct Builder<'a> {
    components: &'a [Block],
    blocks: Vec<Block>,
    /// A stack of open runs; the lowest is the block's.
    runs: Vec<Vec<Inline>>,
    /// Items of the open list, outermost only.
    items: Vec<Vec<Inline>>,
    links: Vec<String>,
    depth: usize,
    /// The open table.
    table: Table,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => {
                self.push(Inline::Text(unshield(&text)));
            }
            Event::Code(text) => self.push(Inline::Code(unshield(&text))),
            Event::SoftBreak => self.push(Inline::Text(" ".into())),
            Event::HardBreak => self.push(Inline::Break),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Strong | Tag::Emphasis => self.runs.push(Vec::new()),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.links.push(unshield(&dest_url));
                self.runs.push(Vec::new());
            }
            Tag::List(_) => self.depth += 1,
            Tag::Table(alignments) => {
                let column = |alignment: &Alignment| (String::new(), *alignment == Alignment::Right);
                self.table = Table { columns: alignments.iter().map(column).collect(), ..Table::default() };
            }
            Tag::TableRow | Tag::TableHead => self.table.rows.push(TableRow::of(Vec::new())),
            Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) => self.runs = vec![Vec::new()],
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Strong => self.close(Inline::Strong),
            TagEnd::Emphasis => self.close(Inline::Emphasis),
            TagEnd::Link | TagEnd::Image => {
                let url = self.links.pop().unwrap_or_default();
                self.close(|inner| Inline::Link(url, inner));
            }
            TagEnd::Paragraph if self.depth == 0 => self.paragraph(),
            TagEnd::Heading(level) => {
                let runs = self.take();
                self.blocks.push(Block::Heading(depth(level), runs));
            }
            TagEnd::Item if self.depth == 1 => {
                let item = self.take();
                self.items.push(item);
            }
            TagEnd::List(ordered) => {
                self.depth -= 1;
                if self.depth == 0 {
                    let items = std::mem::take(&mut self.items);
                    self.blocks.push(Block::List(ordered, items));
                }
            }
            TagEnd::TableCell => {
                let text = plain(&self.take());
                self.table.rows.last_mut().into_iter().for_each(|row| row.cells.push(text.clone()));
            }
            TagEnd::TableHead => {
                let heads = self.table.rows.pop().map(|row| row.cells).unwrap_or_default();
                self.table.columns.iter_mut().zip(heads).for_each(|(column, head)| column.0 = head);
            }
            TagEnd::Table => self.blocks.push(Block::Table(std::mem::take(&mut self.table))),
            TagEnd::CodeBlock => {
                let runs = self.take();
                self.blocks.push(Block::Code(plain(&runs)));
            }
            _ => {}
        }
    }

    fn push(&mut self, run: Inline) {
        if let Some(open) = self.runs.last_mut() {
            match (open.last_mut(), &run) {
                (Some(Inline::Text(before)), Inline::Text(text)) => before.push_str(text),
                _ => open.push(run),
            }
        }
    }

    fn close(&mut self, make: impl FnOnce(Vec<Inline>) -> Inline) {
        if self.runs.len() > 1 {
            let inner = self.runs.pop().unwrap_or_default();
            self.push(make(inner));
        }
    }

    fn take(&mut self) -> Vec<Inline> {
        let runs = self.runs.drain(..).flatten().collect();
        self.runs = vec![Vec::new()];
        runs
    }

    /// A paragraph, cut where there are components in it.
    fn paragraph(&mut self) {
        let mut open = Vec::new();
        for run in self.take() {
            let Inline::Text(text) = run else {
                open.push(run);
                continue;
            };
            let mut rest = text.as_str();
            while let Some((before, index, after)) = mark(rest) {
                if !before.trim().is_empty() {
                    open.push(Inline::Text(before.to_string()));
                }
                self.flush(&mut open);
                self.blocks.extend(self.components.get(index).cloned());
                rest = after;
            }
            if !rest.is_empty() {
                open.push(Inline::Text(rest.to_string()));
            }
        }
        self.flush(&mut open);
    }

    fn flush(&mut self, open: &mut Vec<Inline>) {
        if !plain(open).trim().is_empty() {
            self.blocks.push(Block::Paragraph(std::mem::take(open)));
        }
        open.clear();
    }
}

fn mark(text: &str) -> Option<(&str, usize, &str)> {
    let (before, rest) = text.split_once(OPEN)?;
    let (index, after) = rest.split_once(CLOSE)?;
    Some((before, index.parse().ok()?, after))
}

fn depth(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 | HeadingLevel::H2 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_become_markup() {
        let hostile = "**x** <b> [a](javascript:b) `c` # d\n- e \\ _f_ 1. g";
        let runs = inline(&format!("before *{}* after", shield(hostile)));
        assert_eq!(runs.len(), 3, "{runs:?}");
        let Inline::Emphasis(inner) = &runs[1] else { panic!("{runs:?}") };
        assert_eq!(inner, &vec![Inline::Text(hostile.replace('\n', " "))]);
    }

    #[test]
    fn components_are_where_they_were_called() {
        let components = [Block::PageBreak];
        let text = format!("## One\n\nbefore{}after **bold**\n\n- a\n- b\n", placeholder(0));
        let blocks = parse(&text, &components);
        let kinds: Vec<&str> = blocks
            .iter()
            .map(|b| match b {
                Block::Heading(2, _) => "heading",
                Block::Paragraph(_) => "paragraph",
                Block::PageBreak => "break",
                Block::List(false, items) if items.len() == 2 => "list",
                _ => "other",
            })
            .collect();
        assert_eq!(kinds, ["heading", "paragraph", "break", "paragraph", "list"]);
    }

    #[test]
    fn no_level_of_headings_is_skipped() {
        let mut headings = Headings::default();
        assert_eq!([3, 3, 2, 3].map(|wanted| headings.level(wanted)), [2, 2, 2, 3]);
    }

    #[test]
    fn a_table_of_markdown_is_a_table() {
        let blocks = parse("| region | orders |\n|---|---:|\n| north | 10 |\n", &[]);
        let [Block::Table(table)] = blocks.as_slice() else { panic!("{blocks:?}") };
        assert_eq!(table.columns, [("region".to_string(), false), ("orders".to_string(), true)]);
        assert_eq!(table.rows[0].cells, ["north", "10"]);
    }

    #[test]
    fn private_characters_of_the_data_cannot_forge_a_mark() {
        assert_eq!(shield("\u{e000}0\u{e001}"), "\u{fffd}0\u{fffd}");
    }
}
