//! The HTML body: tables with widths, inline styles, a white ground. No client loads anything from elsewhere.

use super::{Content, MAX_COLUMNS, MAX_NAME, MAX_ROWS, MAX_SENTENCE, MailImage, clip, clipped, figure, fitting};
use crate::blocks::{Block, Figure, Headline, Inline, Table, Tone};
use crate::html::{escape, families, inlines, leads_away};
use crate::language::fill;
use crate::template::Page;
use std::fmt::Write;

const INK: &str = "#1b1e22";
const QUIET: &str = "#5f656c";
const HAIR: &str = "#d9dcdf";
const BETTER: &str = "#17627f";
const WORSE: &str = "#b4541f";

/// A table that only lays out.
const LAYOUT: &str = "role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\"";

/// The body of a page.
pub(super) fn write(
    page: &Page,
    content: &Content<'_>,
    images: &[MailImage],
    subject: &str,
    accent: &str,
    link: Option<&str>,
) -> String {
    let phrases = &page.furniture.mail;
    // Arial first: Outlook takes a serif font where it does not have the first one.
    let writer = Writer { font: format!("Arial,{}", families(page.language).replace('"', "'")), accent, phrases };
    let mut head = String::new();
    let company = escape(&clip(&page.company, MAX_NAME));
    let title = format!(
        "<span style=\"font-size:20px;font-weight:bold;color:{INK}\">{}</span> \
         <span style=\"font-size:20px;color:{QUIET}\">{}</span>",
        escape(&clip(&page.title, MAX_NAME)),
        escape(&page.period)
    );
    head.push_str(&writer.row(&format!("padding:0 0 2px 0;font-size:13px;color:{QUIET}"), &company));
    head.push_str(&writer.row("padding:0;line-height:26px", &title));
    let status = format!("padding:2px 0 12px 0;font-size:13px;color:{QUIET};border-bottom:1px solid {INK}");
    head.push_str(&writer.row(&status, &escape(&page.status)));
    if !content.verdict.is_empty() {
        let verdict = inlines(&clipped(&content.verdict, MAX_SENTENCE), leads_away);
        head.push_str(&writer.row("padding:18px 0 6px 0;font-size:18px;line-height:26px", &verdict));
    }
    if !content.headlines.is_empty() {
        head.push_str(&writer.row("padding:12px 0 6px 0", &writer.headlines(content)));
    }
    if let Some(link) = link {
        let to = format!(
            "<a href=\"{}\" style=\"color:{accent};font-weight:bold\">{}</a>",
            escape(link),
            escape(&phrases.link)
        );
        head.push_str(&writer.row("padding:10px 0 6px 0;font-size:15px", &to));
    }
    let mut tail = String::new();
    if !content.sections.is_empty() {
        let mut list = format!("<span style=\"font-weight:bold\">{}</span>", escape(&phrases.sections));
        for section in &content.sections {
            let _ = write!(list, "<br>\u{2013} {}", escape(section));
        }
        tail.push_str(&writer.row("padding:24px 0 0 0;font-size:14px;line-height:22px", &list));
    }
    if !content.provenance.is_empty() {
        let style = format!("padding:16px 0 0 0;font-size:12px;line-height:18px;color:{QUIET}");
        let rule = format!("padding:24px 0 0 0;border-bottom:1px solid {HAIR};font-size:1px;line-height:1px");
        tail.push_str(&writer.row(&rule, "&nbsp;"));
        tail.push_str(&writer.row(&style, &escape(&content.provenance)));
    }
    let cut = writer.row(&format!("padding:24px 0 0 0;font-size:14px;color:{QUIET}"), &escape(&phrases.cut));
    let frame = frame(page, subject, "");
    let around = head.len() + tail.len() + cut.len() + frame.len();
    let mut images = images.iter();
    let parts = content.parts.iter().map(|part| writer.part(part, &mut images));
    let (parts, is_cut) = fitting(parts, around);
    let cut = if is_cut || content.is_cut { cut } else { String::new() };
    self::frame(page, subject, &format!("{head}{parts}{cut}{tail}"))
}

/// A whole document around rows of the one table that all clients give a width: Outlook by the attribute, others by
/// style.
fn frame(page: &Page, subject: &str, rows: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light only\">\n\
         <meta name=\"supported-color-schemes\" content=\"light only\">\n<title>{}</title>\n</head>\n\
         <body bgcolor=\"#ffffff\" style=\"margin:0;padding:0;background-color:#ffffff;color-scheme:light only\">\n\
         <table {LAYOUT} width=\"100%\" bgcolor=\"#ffffff\" style=\"background-color:#ffffff\"><tr>\
         <td align=\"center\" style=\"padding:16px\">\n\
         <!--[if mso]><table {LAYOUT} width=\"600\"><tr><td><![endif]-->\n\
         <table {LAYOUT} width=\"100%\" style=\"max-width:600px\">\n{rows}</table>\n\
         <!--[if mso]></td></tr></table><![endif]-->\n</td></tr></table>\n</body>\n</html>\n",
        page.language.tag(),
        escape(subject),
    )
}

struct Writer<'a> {
    font: String,
    accent: &'a str,
    phrases: &'a crate::template::MailPhrases,
}

impl Writer<'_> {
    /// A row of the layout.
    fn row(&self, style: &str, content: &str) -> String {
        let (font, ink) = (&self.font, if style.contains(";color:") { "" } else { "color:#1b1e22;" });
        format!("<tr><td align=\"left\" style=\"font-family:{font};{ink}{style}\">{content}</td></tr>\n")
    }

    fn part<'i>(&self, part: &Block, images: &mut impl Iterator<Item = &'i MailImage>) -> String {
        let text = |runs: &[Inline]| inlines(&clipped(runs, MAX_SENTENCE), leads_away);
        let body = "padding:10px 0 0 0;font-size:15px;line-height:23px";
        match part {
            Block::Figure(figure) => self.figure(figure, images.next()),
            Block::Heading(2, runs) => self.heading(runs, 18),
            Block::Heading(_, runs) => self.heading(runs, 15),
            Block::Paragraph(runs) => self.row(body, &text(runs)),
            Block::Note(runs) => self.note(runs),
            Block::List(is_ordered, items) => {
                let mark = |i: usize| if *is_ordered { format!("{}.", i + 1) } else { "\u{2013}".to_string() };
                let item = |(i, item): (usize, &Vec<Inline>)| format!("{} {}", mark(i), text(item));
                let mut lines: Vec<String> = items.iter().enumerate().take(MAX_ROWS).map(item).collect();
                lines.extend(self.more(items.len()).map(|more| escape(&more)));
                self.row(body, &lines.join("<br>"))
            }
            Block::Code(code) => {
                let code = escape(&clip(code, MAX_SENTENCE));
                self.row(body, &format!("<pre style=\"margin:0;white-space:pre-wrap\">{code}</pre>"))
            }
            Block::Callout(head, runs) => {
                let style = format!(
                    "padding:10px 0 10px 12px;border-left:3px solid {};font-size:15px;line-height:23px",
                    self.accent
                );
                let inner = format!("<strong>{}</strong><br>{}", text(head), text(runs));
                let inner = format!(
                    "<table {LAYOUT} width=\"100%\"><tr><td align=\"left\" style=\"font-family:{};color:{INK};{style}\">\
                     {inner}</td></tr></table>",
                    self.font
                );
                self.row("padding:18px 0 0 0", &inner)
            }
            Block::Table(table) => {
                let mut out = String::new();
                if !table.title.is_empty() {
                    out.push_str(&self.heading(&table.title, 15));
                }
                if !table.note.is_empty() {
                    out.push_str(&self.note(&table.note));
                }
                out + &self.row("padding:8px 0 0 0", &self.table(table))
            }
            Block::Facts(facts) => {
                let line = |(name, fact): &(String, String)| {
                    format!("{}: {}", escape(&clip(name, MAX_NAME)), escape(&clip(fact, MAX_NAME)))
                };
                let lines: Vec<String> = facts.iter().take(MAX_ROWS).map(line).collect();
                self.row(body, &lines.join("<br>"))
            }
            Block::Verdict(_) | Block::Headlines(_) | Block::Footer(_) | Block::PageBreak => String::new(),
        }
    }

    fn heading(&self, runs: &[Inline], size: u32) -> String {
        let style = format!("padding:28px 0 0 0;font-size:{size}px;line-height:{}px;font-weight:bold", size + 7);
        self.row(&style, &inlines(&clipped(runs, MAX_NAME), leads_away))
    }

    fn note(&self, runs: &[Inline]) -> String {
        let style = format!("padding:4px 0 0 0;font-size:13px;line-height:19px;color:{QUIET}");
        self.row(&style, &inlines(&clipped(runs, MAX_SENTENCE), leads_away))
    }

    /// Finding, rule and picture. Who sees no pictures reads its figures in its place, which has no height then.
    fn figure(&self, figure: &Figure, image: Option<&MailImage>) -> String {
        let mut out = String::new();
        if !figure.title.is_empty() {
            out.push_str(&self.heading(&figure.title, 18));
        }
        if !figure.note.is_empty() {
            out.push_str(&self.note(&figure.note));
        }
        let alt = escape(&clip(&figure.picture.alt, MAX_SENTENCE));
        let shown = match image {
            Some(MailImage { cid, width, .. }) => format!(
                "<img src=\"cid:{cid}\" width=\"{width}\" alt=\"{alt}\" style=\"display:block;\
                 width:100%;max-width:{width}px;height:auto;border:0;font-size:14px;line-height:21px;color:{INK};\
                 background-color:#ffffff\">"
            ),
            None => alt,
        };
        out + &self.row("padding:12px 0 0 0;font-size:14px;line-height:21px", &shown)
    }

    fn headlines(&self, content: &Content<'_>) -> String {
        let heads = content.comparisons();
        let mut out = String::from("<table cellpadding=\"0\" cellspacing=\"0\" border=\"0\" width=\"100%\">");
        if !heads.is_empty() {
            out.push_str("<tr>");
            for head in ["", ""].iter().chain(&heads) {
                out.push_str(&self.cell("th", &format!("font-weight:normal;font-size:12px;color:{QUIET}"), true, head));
            }
            out.push_str("</tr>");
        }
        for headline in &content.headlines {
            let rule = format!("border-top:1px solid {HAIR};font-size:14px");
            let _ = write!(out, "<tr>{}", self.cell("td", &rule, false, &clip(&headline.label, MAX_NAME)));
            let bold = format!("{rule};font-weight:bold");
            out.push_str(&self.cell("td", &bold, true, &figure(headline)));
            heads.iter().for_each(|head| out.push_str(&self.change(headline, head, &rule)));
            out.push_str("</tr>");
        }
        out + "</table>"
    }

    fn change(&self, headline: &Headline, head: &str, rule: &str) -> String {
        let change = headline.changes.iter().find(|(own, _, _)| own == head);
        let (text, tone) = change.map_or(("", Tone::Neutral), |(_, text, tone)| (text, *tone));
        let tone = match tone {
            Tone::Better => format!(";color:{BETTER};font-weight:bold"),
            Tone::Worse => format!(";color:{WORSE};font-weight:bold"),
            Tone::Neutral => String::new(),
        };
        self.cell("td", &format!("{rule};white-space:nowrap{tone}"), true, text)
    }

    fn cell(&self, tag: &str, style: &str, is_figure: bool, text: &str) -> String {
        let (align, pad) = if is_figure { ("right", "7px 0 7px 8px") } else { ("left", "7px 0 7px 0") };
        let ink = if style.contains(";color:") { "" } else { "color:#1b1e22;" };
        let text = escape(&clip(text, MAX_NAME));
        format!(
            "<{tag} align=\"{align}\" valign=\"top\" style=\"font-family:{};{ink}padding:{pad};{style}\">{text}</{tag}>",
            self.font
        )
    }

    fn table(&self, table: &Table) -> String {
        let columns = &table.columns[..table.columns.len().min(MAX_COLUMNS)];
        let mut out = String::from("<table cellpadding=\"0\" cellspacing=\"0\" border=\"0\" width=\"100%\"><tr>");
        for (head, is_figure) in columns {
            let style = format!("font-weight:normal;font-size:12px;color:{QUIET}");
            out.push_str(&self.cell("th", &style, *is_figure, head));
        }
        out.push_str("</tr>");
        for row in table.rows.iter().take(MAX_ROWS) {
            let weight = if row.total { ";font-weight:bold" } else { "" };
            let style = format!("border-top:1px solid {HAIR};font-size:14px{weight}");
            out.push_str("<tr>");
            for (cell, (_, is_figure)) in row.cells.iter().zip(columns) {
                out.push_str(&self.cell("td", &style, *is_figure, cell));
            }
            out.push_str("</tr>");
        }
        out.push_str("</table>");
        if let Some(more) = self.more(table.rows.len()) {
            let _ = write!(out, "<span style=\"font-size:13px;color:{QUIET}\">{}</span>", escape(&more));
        }
        out
    }

    /// What is said of rows that are not shown.
    fn more(&self, rows: usize) -> Option<String> {
        let hidden = rows.checked_sub(MAX_ROWS).filter(|hidden| *hidden > 0)?;
        Some(fill(&self.phrases.more_rows, &[("count", &hidden.to_string())]))
    }
}
