//! A page as mail: a subject, an HTML body that every mail client can lay out, the same as plain text, and pictures.
//!
//! A mail is a summary: verdict, headline figures, charts, and what else is on the page. A page without a chart is
//! shown itself, long tables cut. Mail clients cut bodies above 102 KB, so that neither body is longer than [`MAX_BYTES`]
//! and what does not fit is said to be on the page.

mod html;
mod text;

use super::blocks::{Block, Figure, Headline, Inline, plain};
use super::pixels::{Painter, for_mail};
use super::template::Page;
use super::theme::Style;
use perennial_core::digest::digest;
use perennial_core::error::{Error, Result};
use std::borrow::Cow;

/// Bytes of a body at most: encoded in Base64, as Chinese is, it is still shorter than 102 KB.
const MAX_BYTES: usize = 75_000;
/// Letters of a subject at most.
const MAX_SUBJECT: usize = 120;
/// Letters of a name, a cell or a title at most, and of a sentence or paragraph.
const MAX_NAME: usize = 200;
const MAX_SENTENCE: usize = 2_000;
/// Rows and columns of a table, and lines of a list, at most.
const MAX_ROWS: usize = 20;
const MAX_COLUMNS: usize = 12;
/// Headline figures at most.
const MAX_HEADLINES: usize = 12;
/// Sections that are named at most.
const MAX_SECTIONS: usize = 12;

/// A page as mail.
pub(crate) struct Mail {
    /// Its subject, one line.
    pub subject: String,
    /// The HTML body, which names its pictures by `cid:`.
    pub html: String,
    /// The plain body.
    pub text: String,
    /// Headline figures as they are written: label and figure.
    pub figures: Vec<(String, String)>,
    /// The pictures of the HTML body.
    pub pictures: Vec<MailImage>,
    /// Why there are no pictures.
    pub refused: Option<Error>,
}

/// A picture of a mail.
pub(crate) struct MailImage {
    /// A name that no other picture has.
    pub cid: String,
    /// PNG.
    pub bytes: Vec<u8>,
    /// As it is shown.
    pub width: u32,
    /// As it is shown.
    pub height: u32,
}

/// A page as mail; `link` is where it stands on the web.
pub(crate) fn write(page: &Page, style: &Style, link: Option<&str>) -> Result<Mail> {
    let content = Content::of(page);
    let (images, refused) = match content.images(page, style) {
        Ok(images) => (images, None),
        Err(error) if error.kind() == perennial_core::error::Kind::Bug => return Err(error),
        Err(error) => (Vec::new(), Some(error)),
    };
    let subject = subject(&page.title, &page.period, &page.verdict);
    let html = html::write(page, &content, &images, &subject, &style.accent, link);
    let text = text::write(page, &content, link);
    let figures = content.headlines.iter().map(|headline| (one_line(&headline.label), figure(headline))).collect();
    Ok(Mail { subject, html, text, figures, pictures: images, refused })
}

/// What a mail shows of a page.
struct Content<'a> {
    verdict: Cow<'a, [Inline]>,
    headlines: Vec<&'a Headline>,
    parts: Vec<&'a Block>,
    /// What else is on the page, by its titles.
    sections: Vec<String>,
    /// What the page is based on, in a line.
    provenance: String,
    /// Whether something had to be left out already.
    is_cut: bool,
}

impl<'a> Content<'a> {
    fn of(page: &'a Page) -> Content<'a> {
        let mut content = Content {
            verdict: Cow::Borrowed(&[]),
            headlines: Vec::new(),
            parts: Vec::new(),
            sections: Vec::new(),
            provenance: String::new(),
            is_cut: false,
        };
        let has_charts = page.blocks.iter().any(|block| matches!(block, Block::Figure(_)));
        for block in &page.blocks {
            match block {
                Block::Verdict(runs) => content.verdict.to_mut().extend(runs.iter().cloned()),
                Block::Headlines(all) => content.headlines.extend(all),
                Block::Footer(blocks) => content.provenance = provenance(blocks),
                Block::PageBreak => {}
                Block::Figure(_) | Block::Callout(..) => content.parts.push(block),
                _ if !has_charts => content.parts.push(block),
                Block::Heading(_, runs) => content.section(runs),
                Block::Table(table) => content.section(&table.title),
                _ => {}
            }
        }
        content.is_cut |= content.headlines.len() > MAX_HEADLINES;
        content.headlines.truncate(MAX_HEADLINES);
        content
    }

    fn section(&mut self, title: &[Inline]) {
        let title = clip(&one_line(&plain(title)), MAX_NAME);
        if !title.is_empty() && self.sections.len() < MAX_SECTIONS {
            self.sections.push(title);
        }
    }

    fn figures(&self) -> impl Iterator<Item = &'a Figure> {
        self.parts.iter().filter_map(|part| match part {
            Block::Figure(figure) => Some(figure.as_ref()),
            _ => None,
        })
    }

    /// The pictures of the figures, in their order.
    fn images(&self, page: &Page, style: &Style) -> Result<Vec<MailImage>> {
        let pictures: Vec<(&str, u32)> = self.figures().map(|figure| for_mail(&figure.picture)).collect();
        if pictures.is_empty() {
            return Ok(Vec::new());
        }
        let drawings: Vec<&str> = pictures.iter().map(|(svg, _)| *svg).collect();
        let painter = Painter::new(&drawings, page.language, style)?;
        let image = |(svg, width): (&str, u32)| {
            let pixels = painter.paint(svg, width)?;
            let hash = digest([&pixels.bytes]);
            let cid = format!("{}@perennial", &hash[..20]);
            Ok(MailImage { cid, bytes: pixels.bytes, width: pixels.width, height: pixels.height })
        };
        pictures.into_iter().map(image).collect()
    }

    /// The heads of all comparisons of the headline figures, in the order of their first use. One in which nothing could
    /// be compared is left out.
    fn comparisons(&self) -> Vec<&'a str> {
        let mut heads = Vec::new();
        for (head, change, _) in self.headlines.iter().flat_map(|headline| &headline.changes) {
            let is_compared = change.chars().any(|c| c.is_ascii_digit());
            if is_compared && !heads.contains(&head.as_str()) {
                heads.push(head);
            }
        }
        heads.truncate(3);
        heads
    }
}

/// A headline figure with its unit.
fn figure(headline: &Headline) -> String {
    let unit = if headline.unit.is_empty() { String::new() } else { format!(" {}", headline.unit) };
    clip(&one_line(&format!("{}{unit}", headline.value)), MAX_NAME)
}

/// The facts of a footer in a line.
fn provenance(blocks: &[Block]) -> String {
    let facts = blocks.iter().filter_map(|block| match block {
        Block::Facts(facts) => Some(facts),
        _ => None,
    });
    let facts = facts.flatten().map(|(name, fact)| format!("{name} {}", clip(fact, MAX_NAME)));
    one_line(&facts.collect::<Vec<_>>().join(" · "))
}

/// A subject: title, period and verdict, cut at a word. A verdict that begins with the period says it itself.
pub(crate) fn subject(title: &str, period: &str, verdict: &str) -> String {
    let (title, period, verdict) = (one_line(title), one_line(period), one_line(verdict));
    let said = match verdict.is_empty() {
        true => format!("{title} · {period}"),
        false if verdict.starts_with(&period) => format!("{title} · {verdict}"),
        false => format!("{title} · {period} · {verdict}"),
    };
    clip(&said, MAX_SUBJECT)
}

/// A text in one line, without anything that a header or a terminal would obey.
pub(crate) fn one_line(text: &str) -> String {
    let obeyed =
        |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let spaced: String = text.chars().map(|c| if obeyed(c) { ' ' } else { c }).collect();
    spaced.split([' ', '\u{3000}']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A text of so many letters at most, cut behind a word where that leaves most of it.
fn clip(text: &str, letters: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(letters) else { return text.to_string() };
    let room = text.char_indices().nth(letters.saturating_sub(1)).map_or(end, |(at, _)| at);
    let kept = &text[..room];
    let at_word = kept.char_indices().rev().find(|(_, c)| *c == ' ').map(|(at, _)| at).filter(|at| at * 3 > room * 2);
    let kept = &kept[..at_word.unwrap_or(kept.len())];
    format!("{}…", kept.trim_end_matches([' ', ',', ';', '·', '，', '；', '、']))
}

/// Runs of so many letters at most.
fn clipped(runs: &[Inline], letters: usize) -> Cow<'_, [Inline]> {
    match plain(runs) {
        text if text.chars().nth(letters).is_some() => Cow::Owned(vec![Inline::Text(clip(&text, letters))]),
        _ => Cow::Borrowed(runs),
    }
}

/// Parts joined as long as they fit beside what stands around them, and whether one did not: then none after it is
/// shown, so that nothing is missing in the middle.
fn fitting(parts: impl Iterator<Item = String>, around: usize) -> (String, bool) {
    let mut out = String::new();
    for part in parts {
        if out.len() + part.len() + around > MAX_BYTES {
            return (out, true);
        }
        out.push_str(&part);
    }
    (out, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_one_line_cut_at_a_word() {
        assert_eq!(subject("Review", "May 2026", "May 2026: revenue fell."), "Review · May 2026: revenue fell.");
        assert_eq!(subject("Review", "May 2026", "Revenue fell."), "Review · May 2026 · Revenue fell.");
        assert_eq!(subject("Review", "May 2026", ""), "Review · May 2026");
        let hostile = subject("Review\r\nBcc: all@example.com", "May\u{2028}2026", "a\u{0}b\u{202e}c\n\n d");
        assert_eq!(hostile, "Review Bcc: all@example.com · May 2026 · a b c d");
        let long = subject("Review", "May 2026", &"revenue fell again, ".repeat(20));
        assert!(
            long.chars().count() <= MAX_SUBJECT
                && ["again…", "fell…", "revenue…"].iter().any(|end| long.ends_with(end)),
            "{long}"
        );
        let chinese = subject("经营月报", "2026年5月", &"收入下降".repeat(60));
        assert_eq!(chinese.chars().count(), MAX_SUBJECT, "{chinese}");
    }

    #[test]
    fn what_does_not_fit_is_left_out_from_the_end() {
        let parts = [30_000, 30_000, 30_000, 10].map(|length| "x".repeat(length));
        let (out, is_cut) = fitting(parts.into_iter(), 5_000);
        assert_eq!((out.len(), is_cut), (60_000, true));
    }
}
