//! What a page says, as one hash: by it an edition is told from the one before.
//!
//! Everything that readers are told is in it, and neither the footer, which changes with every run, nor the drawing of a
//! chart, whose figures are in its table. The encoding is part of `edition.json`: every part with its name in front. What is
//! added to a block does not compile here until somebody has said which of the two it is.

use super::blocks::{Block, Figure, Headline, Inline, Table, TableRow, Tone};
use super::footer::NamedFigure;
use super::picture::Picture;
use super::template::Page;
use super::theme::{Logo, Style};
use perennial_core::digest::digest;

/// The version of the encoding, in front of the hash.
const VERSION: &str = "2";

/// The hash of a page in the style of its company.
pub(crate) fn content(page: &Page, style: &Style) -> String {
    let Page { title, company, period: _, status, blocks, verdict: _, figures, furniture: _, language: _ } = page;
    let Style { accent, font: _, logo } = style;
    let mut parts = Parts::default();
    parts.text("title", title);
    parts.text("company", company);
    parts.text("status", status);
    parts.text("accent", accent);
    if let Some(Logo { is_svg: _, bytes }) = logo {
        parts.text("logo", &digest([bytes]));
    }
    blocks.iter().for_each(|block| parts.block(block));
    for (NamedFigure { name, format, value }, _) in figures {
        parts.text("figure", name);
        parts.text("format", format);
        parts.text("value", value.as_deref().unwrap_or("none"));
    }
    format!("{VERSION}:{}", digest(&parts.0))
}

#[derive(Default)]
struct Parts(Vec<String>);

impl Parts {
    fn name(&mut self, name: &str) {
        self.0.push(name.to_string());
    }

    fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        self.name(text);
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Verdict(runs) => self.runs("verdict", runs),
            Block::Headlines(all) => {
                self.name("headlines");
                all.iter().for_each(|headline| self.headline(headline));
            }
            Block::Heading(level, runs) => self.runs(&format!("heading {level}"), runs),
            Block::Paragraph(runs) => self.runs("paragraph", runs),
            Block::Note(runs) => self.runs("note", runs),
            Block::List(is_ordered, items) => {
                self.name(if *is_ordered { "numbered list" } else { "list" });
                items.iter().for_each(|item| self.runs("item", item));
            }
            Block::Code(text) => self.text("code", text),
            Block::Figure(figure) => {
                let Figure { title, note, picture, table } = figure.as_ref();
                self.runs("figure", title);
                self.runs("note", note);
                self.picture(picture);
                self.table(table);
            }
            Block::Table(table) => self.table(table),
            Block::Callout(head, runs) => {
                self.runs("callout", head);
                self.runs("text", runs);
            }
            Block::PageBreak => self.name("page break"),
            Block::Facts(facts) => facts.iter().for_each(|(name, fact)| self.text(name, fact)),
            Block::Footer(_) => {}
        }
    }

    fn headline(&mut self, headline: &Headline) {
        let Headline { label, value, unit, changes, sparkline } = headline;
        self.text("label", label);
        self.text("value", value);
        self.text("unit", unit);
        for (head, change, tone) in changes {
            self.text(head, change);
            self.name(match tone {
                Tone::Better => "better",
                Tone::Worse => "worse",
                Tone::Neutral => "neutral",
            });
        }
        // Of a sparkline nobody reads figures: the line itself is what it says.
        self.text("sparkline", sparkline.as_ref().map_or("none", |picture| &picture.wide));
    }

    fn picture(&mut self, picture: &Picture) {
        let Picture { wide: _, narrow: _, scrolls: _, aspect: _, alt } = picture;
        self.text("picture", alt);
    }

    fn table(&mut self, table: &Table) {
        let Table { title, note, columns, rows } = table;
        self.runs("table", title);
        self.runs("note", note);
        columns.iter().for_each(|(head, _)| self.text("column", head));
        for TableRow { cells, total } in rows {
            self.name(if *total { "total" } else { "row" });
            cells.iter().for_each(|cell| self.name(cell));
        }
    }

    fn runs(&mut self, name: &str, runs: &[Inline]) {
        self.text(name, &runs.len().to_string());
        for run in runs {
            match run {
                Inline::Text(text) => self.text("text", text),
                Inline::Strong(inner) => self.runs("strong", inner),
                Inline::Emphasis(inner) => self.runs("emphasis", inner),
                Inline::Code(text) => self.text("code", text),
                Inline::Link(url, inner) => {
                    self.text("link", url);
                    self.runs("text", inner);
                }
                Inline::Break => self.name("break"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Furniture;
    use perennial_project::Language;

    fn page() -> Page {
        let text = |text: &str| Inline::Text(text.into());
        let table = Table {
            title: vec![text("Regions")],
            note: Vec::new(),
            columns: vec![("Region".into(), false), ("Orders".into(), true)],
            rows: vec![
                TableRow::of(vec!["north".into(), "10".into()]),
                TableRow::total(vec!["all".into(), "10".into()]),
            ],
        };
        let orders = NamedFigure { name: "orders".into(), format: "integer".into(), value: Some("10".into()) };
        Page {
            title: "Title".into(),
            company: "Company".into(),
            period: "September 2026".into(),
            status: "closed".into(),
            blocks: vec![
                Block::Verdict(vec![text("Up "), Inline::Strong(vec![text("5 %")])]),
                Block::Table(table),
                Block::Footer(vec![Block::Paragraph(vec![text("run 1")])]),
            ],
            verdict: "Up 5 %".into(),
            figures: vec![(orders, "Orders".into())],
            furniture: Furniture {
                figures: String::new(),
                skip: String::new(),
                page_of: String::new(),
                part_of: String::new(),
                missing_glyphs: String::new(),
                mail: Default::default(),
            },
            language: Language::ENGLISH,
        }
    }

    /// The expected hash was computed by another implementation of BLAKE3 over the parts as the format lists them.
    #[test]
    fn the_encoding_does_not_change() {
        assert_eq!(
            content(&page(), &Style::default()),
            "2:a673c022ca91b299aa7bf20184e08f71fe31fdd5fdfe9561c896ae7f823be4bf"
        );
    }

    #[test]
    fn the_footer_is_not_part_of_it_and_a_figure_is() {
        let before = content(&page(), &Style::default());
        let mut other = page();
        other.blocks[2] = Block::Footer(Vec::new());
        assert_eq!(content(&other, &Style::default()), before);
        let Block::Table(table) = &mut other.blocks[1] else { panic!("a table") };
        table.rows[0].cells[1] = "11".into();
        assert_ne!(content(&other, &Style::default()), before);
    }
}
