//! A template rendered into a page: Markdown with components, each of which leaves a mark that becomes its block.

use super::blocks::{self, Block};
use super::canvas::Canvas;
use super::data::Row;
use super::footer::{EditionFacts, Footer, NamedFigure};
use super::parameters::Parameters;
use super::phrases::{Phrasebook, UNTRUSTED, environment};
use super::setting::Setting;
use super::{charts, components, number};
use minijinja::value::Value;
use perennial_core::error::{Error, Kind, Place, Result};
use perennial_project::{Language, ReportFile, TextFile, template_value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A rendered page, ready for both writers.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// The report's title.
    pub title: String,
    /// The company's name.
    pub company: String,
    /// The period as the language writes it.
    pub period: String,
    /// Said beside the period: closed or open, as of when.
    pub status: String,
    /// The page's parts.
    pub blocks: Vec<Block>,
    /// The verdict as plain text, for the index.
    pub verdict: String,
    /// Headline figures by name, with their labels.
    pub figures: Vec<(NamedFigure, String)>,
    /// Phrases that the writers themselves need.
    pub furniture: Furniture,
    /// BCP 47 tag.
    pub language: Language,
}

/// Phrases of the page around its content.
#[derive(Clone, Debug)]
pub(crate) struct Furniture {
    /// Over the fold with a picture's data.
    pub figures: String,
    /// The link over everything else.
    pub skip: String,
    /// `Page {page} of {pages}`, with those two names to be filled in.
    pub page_of: String,
    /// `Part {part} of {parts}`.
    pub part_of: String,
    /// What is said of characters without a font, with `{mark}` and `{list}`.
    pub missing_glyphs: String,
    /// What mail says.
    pub mail: MailPhrases,
}

/// Phrases of a page as mail.
#[derive(Clone, Debug, Default)]
pub(crate) struct MailPhrases {
    /// The link to the page.
    pub link: String,
    /// Over the titles of what else is on the page.
    pub sections: String,
    /// That something does not fit into a mail.
    pub cut: String,
    /// Rows of a table that are not shown, with `{count}`.
    pub more_rows: String,
}

/// Everything a page is made from.
pub(crate) struct Source<'a> {
    /// The report.
    pub report: &'a ReportFile,
    /// Pieces that any report may include.
    pub shared: &'a [TextFile],
    /// The company's name.
    pub company: &'a str,
    /// Variables of the project.
    pub vars: &'a BTreeMap<String, serde_json::Value>,
    /// Language, period and so on.
    pub setting: Setting,
    /// Rows by query.
    pub rows: &'a [(String, Value)],
    /// What it is about beside its period.
    pub parameters: &'a Parameters,
    /// What the page is based on.
    pub footer: &'a Footer,
    /// The edition it becomes.
    pub edition: &'a EditionFacts,
}

impl Source<'_> {
    /// The pieces that the template may include, its own first.
    fn pieces(&self) -> impl Iterator<Item = &TextFile> {
        self.report.pieces.iter().chain(self.shared)
    }
}

/// Renders a page.
pub(crate) fn render(source: &Source<'_>) -> Result<Page> {
    let setting = &source.setting;
    let failed = |error: minijinja::Error| located(&error, source.report, source.shared);
    let book = Phrasebook::new(setting.clone());
    let canvas = Arc::new(Canvas::new(book, source.footer.clone(), source.edition.clone()));
    let mut env = environment(setting);
    components::register(&mut env, &canvas);
    charts::register(&mut env, &canvas);
    for piece in source.pieces() {
        env.add_template_owned(include_name(piece), piece.text.to_string()).map_err(failed)?;
    }
    let name = source.report.file.path.clone();
    let body = source.report.file.text[source.report.body..].to_string();
    env.add_template_owned(name.clone(), body).map_err(failed)?;
    let markdown = env.get_template(&name).and_then(|template| template.render(context(source))).map_err(failed)?;
    let draft = std::mem::take(&mut *canvas.draft().map_err(failed)?);
    let furniture = furniture(&canvas.book).map_err(failed)?;
    let status = if setting.period.is_closed(setting.as_of) { "period_closed" } else { "period_open" };
    let day = number::date(setting.as_of, setting.language);
    let with = [("period", setting.period.title(setting.language)), ("as_of", day)];
    Ok(Page {
        title: title(source.report, setting.language, source.parameters),
        company: source.company.to_string(),
        period: setting.period.title(setting.language),
        status: canvas.book.plain_phrase_with(status, &with).map_err(failed)?,
        blocks: blocks::parse(&markdown, &draft.blocks),
        verdict: draft.verdict,
        figures: draft.figures,
        furniture,
        language: setting.language,
    })
}

/// Phrases with names to be filled in by the writers.
fn furniture(book: &Phrasebook) -> Result<Furniture, minijinja::Error> {
    let open = |names: [&'static str; 2]| names.map(|name| (name, format!("{{{name}}}")));
    let mail = MailPhrases {
        link: book.plain_phrase("mail_link")?,
        sections: book.plain_phrase("mail_sections")?,
        cut: book.plain_phrase("mail_cut")?,
        more_rows: book.plain_phrase_with("mail_more_rows", &[("count", "{count}".into())])?,
    };
    Ok(Furniture {
        figures: book.plain_phrase("figures")?,
        skip: book.plain_phrase("skip_to_content")?,
        page_of: book.plain_phrase_with("page_of", &open(["page", "pages"]))?,
        part_of: book.plain_phrase_with("part_of", &open(["part", "parts"]))?,
        missing_glyphs: book.plain_phrase_with("missing_glyphs", &open(["mark", "list"]))?,
        mail,
    })
}

/// The report's title in a language; its English one, or its name, where that is missing. It may name parameters, which
/// are none on the page as a whole.
pub(crate) fn title(report: &ReportFile, language: Language, parameters: &Parameters) -> String {
    let titles = &report.title;
    let any = titles.get(&language).or_else(|| titles.get(&Language::ENGLISH));
    let title = any.or_else(|| titles.values().next()).cloned().unwrap_or_else(|| report.name.clone());
    if report.parameters.is_empty() {
        return title;
    }
    let mut env = minijinja::Environment::new();
    env.set_formatter(
        |out, state, value| {
            if value.is_none() { Ok(()) } else { minijinja::escape_formatter(out, state, value) }
        },
    );
    let context = Value::from_pairs([("params", parameters.value(&report.parameters))]);
    env.render_str(&title, context).unwrap_or(title)
}

/// The name by which a template includes a piece: `pieces/verdict.md` of its own, `shared/verdict.md` of all.
pub(crate) fn include_name(piece: &TextFile) -> String {
    let path = piece.below_root();
    let below = path.strip_prefix("report-templates/").unwrap_or(path);
    match below.split_once('/') {
        Some((report, own)) if report != "shared" && own.starts_with("pieces/") => own.to_string(),
        _ => below.to_string(),
    }
}

fn context(source: &Source<'_>) -> Value {
    let setting = &source.setting;
    let rows = source.rows.iter().map(|(query, rows)| (query.clone(), Row::all(query, rows)));
    let mut pairs: Vec<(String, Value)> = rows.collect();
    pairs.push(("period".into(), period_value(setting)));
    pairs.push(("as_of".into(), Value::from(setting.as_of.to_string())));
    pairs.push(("company".into(), Value::from(source.company)));
    pairs.push(("params".into(), source.parameters.value(&source.report.parameters)));
    let vars = source.vars.iter().map(|(k, v)| (k.clone(), template_value(v)));
    pairs.push(("vars".into(), Value::from_pairs(vars)));
    Value::from_pairs(pairs)
}

/// The period as templates and queries see it.
pub(crate) fn period_value(setting: &Setting) -> Value {
    let period = setting.period;
    Value::from_pairs([
        ("start", period.start.to_string()),
        ("end", period.end.to_string()),
        ("before", period.before().start.to_string()),
        ("year_ago", period.year_ago().start.to_string()),
        ("label", period.label()),
        ("status", period.status(setting.as_of).to_string()),
        ("title", period.title(setting.language)),
    ])
}

/// A template's error at its place in the file.
pub(crate) fn located(error: &minijinja::Error, report: &ReportFile, shared: &[TextFile]) -> Error {
    let mut message = error.detail().map_or_else(|| error.kind().to_string(), |d| d.to_string());
    // Includes wrap the error of the piece; the innermost names the place.
    let mut innermost = error;
    while let Some(inner) = std::error::Error::source(innermost)
        .and_then(|e| e.downcast_ref::<minijinja::Error>())
        .filter(|e| e.name().is_some())
    {
        let is_phrase = !inner.name().is_some_and(|n| n.ends_with(".md"));
        if is_phrase {
            break;
        }
        innermost = inner;
        message = inner.detail().map_or_else(|| inner.kind().to_string(), |d| d.to_string());
    }
    let kind = if innermost.kind() == UNTRUSTED { Kind::Data } else { Kind::Project };
    let out = Error::new(kind, message);
    // A row that `pick` does not find is none, and none has no attributes.
    let is_undefined = innermost.kind() == minijinja::ErrorKind::UndefinedError;
    let out = match is_undefined {
        true => out.hint("check the spelling; ask first for what may be missing: `{% if now %}`, `x | default(...)`"),
        false => out,
    };
    let name = innermost.name().unwrap_or_default();
    let piece = report.pieces.iter().chain(shared).find(|f| include_name(f) == name);
    let (file, offset) = match piece {
        Some(file) => (file, 0),
        None if name == report.file.path => (&report.file, report.body),
        None => return out.at(Place::Whole(report.file.path.clone())),
    };
    match innermost.range() {
        Some(range) => {
            out.at(Place::span(file.path.clone(), file.text.clone(), range.start + offset..range.end + offset))
        }
        None => {
            let before = file.text[..offset].matches('\n').count();
            out.at(Place::at(file.path.clone(), file.text.clone(), before + innermost.line().unwrap_or(1), 1))
        }
    }
}
