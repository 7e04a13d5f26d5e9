//! Blocks as one HTML file that asks nothing of anybody: styles, font and pictures are in it.

use super::blocks::{Block, Figure, Headings, Headline, Inline, Table, Tone, plain};
use super::language::data;
use super::latin::latin;
use super::picture::Picture;
use super::template::Page;
use super::theme::Style;
use base64::Engine;
use perennial_project::Language;
use std::fmt::Write;

const CSS: &str = include_str!("page.css");

/// A page as HTML.
pub(crate) fn write(page: &Page, style: &Style) -> String {
    let mut body = String::new();
    let (footers, content): (Vec<&Block>, Vec<&Block>) =
        page.blocks.iter().partition(|b| matches!(b, Block::Footer(_)));
    let mut writer = Writer { out: &mut body, figures: &page.furniture.figures, headings: Headings::default() };
    for block in content {
        writer.block(block);
    }
    let mut footer = String::new();
    let mut writer = Writer { out: &mut footer, figures: &page.furniture.figures, headings: Headings::default() };
    for block in footers {
        writer.block(block);
    }
    let logo = style.logo.as_ref().map_or(String::new(), |logo| {
        format!("<img src=\"{}\" alt=\"{}\">", escape(&logo.data_url()), escape(&page.company))
    });
    let head = format!(
        "<header>{logo}<p class=\"company\">{}</p><h1>{} <span class=\"when\">{}</span></h1>\
         <p class=\"status\">{}</p></header>",
        escape(&page.company),
        escape(&page.title),
        escape(&page.period),
        escape(&page.status),
    );
    let title = format!("{} · {} · {}", page.title, page.period, page.company);
    let footer = if footer.is_empty() { footer } else { format!("<footer>{footer}</footer>") };
    let skip = format!("<a class=\"skip\" href=\"#content\">{}</a>", escape(&page.furniture.skip));
    document(page.language, &title, &format!("{skip}{head}<main id=\"content\">{body}</main>{footer}"), style)
}

/// A whole document around a body; used for the index as well.
pub(crate) fn document(language: Language, title: &str, body: &str, style: &Style) -> String {
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let latin = latin();
    let mut faces = String::new();
    for (weight, bytes) in [(400, &latin.regular), (700, &latin.bold)] {
        let _ = write!(
            faces,
            "@font-face{{font-family:\"Perennial Sans\";font-weight:{weight};font-display:block;\
             src:url(data:font/ttf;base64,{}) format(\"truetype\")}}",
            encode(bytes)
        );
    }
    let css = CSS.replace("ACCENT", &style.accent).replace("FONTS", &families(language));
    let css = match &style.font {
        Some(family) => css.replace("\"Perennial Sans\",", &format!("\"{}\", \"Perennial Sans\",", css_name(family))),
        None => css,
    };
    format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         font-src data:; img-src data:\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{}</title>\n<style>{faces}{css}</style>\n</head>\n\
         <body>\n{body}\n</body>\n</html>\n",
        language.tag(),
        escape(title),
    )
}

/// The families of a language, for a style sheet.
pub(crate) fn families(language: Language) -> String {
    let named = |family: &String| match family.as_str() {
        "system-ui" | "serif" | "sans-serif" => family.clone(),
        other => format!("\"{}\"", css_name(other)),
    };
    let mut families: Vec<String> = data(language).fonts.screen.iter().map(named).collect();
    families.push("sans-serif".into());
    families.join(", ")
}

fn css_name(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '"' | '\\' | '<' | '>' | '{' | '}' | ';') && !c.is_control()).collect()
}

/// Text made safe for HTML, in attributes too.
pub(crate) fn escape(text: &str) -> String {
    super::charts::escape(text)
}

struct Writer<'a> {
    out: &'a mut String,
    figures: &'a str,
    headings: Headings,
}

impl Writer<'_> {
    fn block(&mut self, block: &Block) {
        match block {
            Block::Verdict(runs) => self.element("p", " class=\"verdict\"", runs),
            Block::Headlines(all) => self.headlines(all),
            Block::Heading(level, runs) => self.heading(*level, runs),
            Block::Paragraph(runs) => self.element("p", "", runs),
            Block::Note(runs) => self.element("p", " class=\"note\"", runs),
            Block::List(ordered, items) => {
                let tag = if *ordered { "ol" } else { "ul" };
                self.raw(&format!("<{tag}>"));
                items.iter().for_each(|item| self.element("li", "", item));
                self.raw(&format!("</{tag}>"));
            }
            Block::Code(text) => self.raw(&format!("<pre><code>{}</code></pre>", escape(text))),
            Block::Figure(figure) => self.figure(figure),
            Block::Table(table) => {
                if !table.title.is_empty() {
                    self.heading(3, &table.title);
                }
                if !table.note.is_empty() {
                    self.element("p", " class=\"note\"", &table.note);
                }
                self.table(table, &plain(&table.title));
            }
            Block::Callout(head, runs) => {
                self.raw("<aside class=\"callout\">");
                self.element("strong", "", head);
                self.element("p", "", runs);
                self.raw("</aside>");
            }
            Block::PageBreak => {}
            Block::Facts(facts) => {
                self.raw("<dl class=\"facts\">");
                for (name, fact) in facts {
                    self.raw(&format!("<dt>{}</dt><dd>{}</dd>", escape(name), escape(fact)));
                }
                self.raw("</dl>");
            }
            Block::Footer(blocks) => blocks.iter().for_each(|block| self.block(block)),
        }
    }

    fn raw(&mut self, html: &str) {
        self.out.push_str(html);
    }

    fn element(&mut self, tag: &str, attributes: &str, runs: &[Inline]) {
        let text = inlines(runs, is_harmless);
        self.raw(&format!("<{tag}{attributes}>{text}</{tag}>\n"));
    }

    fn heading(&mut self, wanted: u8, runs: &[Inline]) {
        let level = self.headings.level(wanted);
        self.element(&format!("h{level}"), "", runs);
    }

    fn headlines(&mut self, all: &[Headline]) {
        self.raw("<ul class=\"headlines\">");
        for headline in all {
            let unit = match headline.unit.as_str() {
                "" => String::new(),
                unit => format!("<small>{}</small>", escape(unit)),
            };
            self.raw(&format!(
                "<li><p class=\"label\">{}</p><p class=\"value\">{}{unit}</p>{}",
                escape(&headline.label),
                escape(&headline.value),
                headline.sparkline.as_ref().map_or("", |p| &p.wide),
            ));
            if !headline.changes.is_empty() {
                self.raw("<dl class=\"versus\">");
            }
            for (head, change, tone) in &headline.changes {
                let class = match tone {
                    Tone::Better => " class=\"better\"",
                    Tone::Worse => " class=\"worse\"",
                    Tone::Neutral => "",
                };
                self.raw(&format!("<div><dt>{}</dt><dd{class}>{}</dd></div>", escape(head), escape(change)));
            }
            self.raw(if headline.changes.is_empty() { "</li>" } else { "</dl></li>" });
        }
        self.raw("</ul>\n");
    }

    fn figure(&mut self, figure: &Figure) {
        self.raw("<section class=\"finding\">");
        if !figure.title.is_empty() {
            self.heading(2, &figure.title);
        }
        if !figure.note.is_empty() {
            self.element("p", " class=\"note\"", &figure.note);
        }
        self.raw("<figure>");
        self.picture(&figure.picture);
        let title = plain(&figure.title);
        self.raw(&format!("<details><summary>{}</summary>", escape(self.figures)));
        self.table(&figure.table, &title);
        self.raw("</details></figure></section>\n");
    }

    fn picture(&mut self, picture: &Picture) {
        let class = |svg: &str, class: &str| svg.replacen("<svg ", &format!("<svg class=\"{class}\" "), 1);
        match &picture.narrow {
            Some(narrow) => self.raw(&format!(
                "<div class=\"has-narrow\">{}{}</div>",
                class(&picture.wide, "wide"),
                class(narrow, "narrow")
            )),
            None if picture.scrolls => self.raw(&format!(
                "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">{}</div>",
                escape(&picture.alt),
                picture.wide
            )),
            None => self.raw(&picture.wide),
        }
    }

    fn table(&mut self, table: &Table, label: &str) {
        let label = if label.is_empty() { table.columns.first().map_or("", |c| c.0.as_str()) } else { label };
        self.raw(&format!(
            "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{}\"><table><thead><tr>",
            escape(label)
        ));
        for (head, figure) in &table.columns {
            let class = if *figure { " class=\"n\"" } else { "" };
            self.raw(&format!("<th scope=\"col\"{class}>{}</th>", escape(head)));
        }
        self.raw("</tr></thead><tbody>");
        // Dates and names of tiers stay on one line; only long texts may break.
        let is_short = |i: usize| table.rows.iter().all(|r| r.cells.get(i).is_none_or(|c| c.chars().count() <= 20));
        let short: Vec<bool> = (0..table.columns.len()).map(|i| i > 0 && is_short(i)).collect();
        for row in &table.rows {
            self.raw(if row.total { "<tr class=\"total\">" } else { "<tr>" });
            for (i, (cell, column)) in row.cells.iter().zip(&table.columns).enumerate() {
                let class = match (column.1, short[i]) {
                    (true, _) => " class=\"n\"",
                    (false, true) => " class=\"s\"",
                    (false, false) => "",
                };
                let (open, close) = if i == 0 { ("th scope=\"row\"", "th") } else { ("td", "td") };
                self.raw(&format!("<{open}{class}>{}</{close}>", escape(cell)));
            }
            self.raw("</tr>");
        }
        self.raw("</tbody></table></div>\n");
    }
}

/// Runs as HTML; of the links only those that `is_allowed` says.
pub(crate) fn inlines(runs: &[Inline], is_allowed: fn(&str) -> bool) -> String {
    let mut out = String::new();
    for run in runs {
        match run {
            Inline::Text(text) => out.push_str(&escape(text)),
            Inline::Strong(inner) => out.push_str(&format!("<strong>{}</strong>", inlines(inner, is_allowed))),
            Inline::Emphasis(inner) => out.push_str(&format!("<em>{}</em>", inlines(inner, is_allowed))),
            Inline::Code(text) => out.push_str(&format!("<code>{}</code>", escape(text))),
            Inline::Link(url, inner) if is_allowed(url) => {
                out.push_str(&format!("<a href=\"{}\">{}</a>", escape(url), inlines(inner, is_allowed)));
            }
            Inline::Link(_, inner) => out.push_str(&inlines(inner, is_allowed)),
            Inline::Break => out.push_str("<br>"),
        }
    }
    out
}

/// Links lead to pages, mail or places in this folder, never into a script.
pub(crate) fn is_harmless(url: &str) -> bool {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme {
        Some(scheme) => matches!(scheme.as_str(), "http" | "https" | "mailto"),
        None => !url.is_empty(),
    }
}

/// Links that lead somewhere from any place: to pages and mail, not to places in a folder.
pub(crate) fn leads_away(url: &str) -> bool {
    is_harmless(url) && url.contains(':')
}
