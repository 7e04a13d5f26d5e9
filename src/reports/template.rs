//! A template rendered into a page: Markdown with components, each of which leaves a mark that becomes its block.

use super::blocks::{self, Block, placeholder};
use super::components;
use super::foot::{EditionFacts, Foot, NamedFigure};
use super::phrases::{Phrasebook, Setting, UNTRUSTED, environment};
use crate::error::{Error, Place, Result};
use crate::project::{ReportFile, TextFile};
use minijinja::value::{Kwargs, Value};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A rendered page, ready for both writers.
#[derive(Clone, Debug)]
pub struct Page {
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
    /// Words the writers themselves need.
    pub words: PageWords,
    /// BCP 47 tag.
    pub language: crate::project::Language,
}

/// Words of the page's furniture.
#[derive(Clone, Debug)]
pub struct PageWords {
    /// Over the fold with a picture's data.
    pub figures: String,
    /// The link over everything else.
    pub skip: String,
    /// `Page {page} of {pages}`, with those two marks.
    pub page_of: String,
}

/// What a page in the making has so far.
#[derive(Debug, Default)]
pub struct Draft {
    /// Blocks that components made, in order of the calls.
    pub blocks: Vec<Block>,
    /// Named figures of the headline strip.
    pub figures: Vec<(NamedFigure, String)>,
    /// The verdict in words.
    pub verdict: String,
}

impl Draft {
    /// Keeps a block and gives the mark that stands for it in the text.
    pub fn put(&mut self, block: Block) -> Value {
        self.blocks.push(block);
        Value::from_safe_string(placeholder(self.blocks.len() - 1))
    }
}

/// Everything a page is made from.
pub struct Source<'a> {
    /// The report.
    pub report: &'a ReportFile,
    /// Pieces that it includes.
    pub shared: &'a [TextFile],
    /// The company's name.
    pub company: &'a str,
    /// Variables of the project.
    pub vars: &'a BTreeMap<String, serde_json::Value>,
    /// Language, period and so on.
    pub setting: Setting,
    /// Rows by query.
    pub rows: &'a [(String, Value)],
    /// The account of the page.
    pub foot: &'a Foot,
    /// The edition it becomes.
    pub edition: &'a EditionFacts,
}

/// Renders a page.
pub fn render(source: &Source<'_>) -> Result<Page> {
    let draft = Arc::new(Mutex::new(Draft::default()));
    let setting = &source.setting;
    let book = Arc::new(Phrasebook::new(setting.clone()));
    let mut env = environment(setting);
    register_phrases(&mut env, &book);
    components::register(&mut env, &draft, &book);
    register_foot(&mut env, source, &draft, &book);
    for piece in source.shared {
        env.add_template_owned(include_name(piece), piece.text.to_string())
            .map_err(|e| located(&e, source.report, source.shared))?;
    }
    let name = source.report.file.path.clone();
    let body = source.report.file.text[source.report.body..].to_string();
    env.add_template_owned(name.clone(), body).map_err(|e| located(&e, source.report, source.shared))?;
    let markdown = env
        .get_template(&name)
        .and_then(|template| template.render(context(source)))
        .map_err(|e| located(&e, source.report, source.shared))?;
    drop(env);
    let draft = std::mem::take(&mut *draft.lock().map_err(|_| Error::bug("a component panicked"))?);
    let words = |key: &str| book.word(key).map_err(|e| located(&e, source.report, source.shared));
    let status = if setting.period.is_closed(setting.as_of) { "period_closed" } else { "period_open" };
    let day = super::number::date(setting.as_of, setting.language);
    let with = [("period", setting.period.title(setting.language)), ("as_of", day)];
    let status = book.word_with(status, &with).map_err(|e| located(&e, source.report, source.shared))?;
    Ok(Page {
        title: title(source.report, setting.language),
        company: source.company.to_string(),
        period: setting.period.title(setting.language),
        status,
        blocks: blocks::parse(&markdown, &draft.blocks),
        verdict: draft.verdict,
        figures: draft.figures,
        words: PageWords { figures: words("figures")?, skip: words("skip_to_content")?, page_of: words("page_of")? },
        language: setting.language,
    })
}

/// The report's title in a language; its English one, or its name, where that is missing.
pub fn title(report: &ReportFile, language: crate::project::Language) -> String {
    let titles = &report.title;
    let any = titles.get(&language).or_else(|| titles.get(&crate::project::Language::English));
    any.or_else(|| titles.values().next()).cloned().unwrap_or_else(|| report.name.clone())
}

/// The name by which a template includes a shared piece: `shared/foot.md`.
pub fn include_name(piece: &TextFile) -> String {
    let path = piece.below_root();
    path.strip_prefix("report-templates/").unwrap_or(path).to_string()
}

fn context(source: &Source<'_>) -> Value {
    let setting = &source.setting;
    let mut pairs: Vec<(String, Value)> = source.rows.to_vec();
    pairs.push(("period".into(), period_value(setting)));
    pairs.push(("as_of".into(), Value::from(setting.as_of.to_string())));
    pairs.push(("company".into(), Value::from(source.company)));
    pairs.push(("vars".into(), Value::from_pairs(source.vars.iter().map(|(k, v)| (k.clone(), json(v))))));
    Value::from_pairs(pairs)
}

/// The period as templates and queries see it.
pub fn period_value(setting: &Setting) -> Value {
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

/// A variable as a value of templates.
pub fn json(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(b) => Value::from(*b),
        serde_json::Value::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(i), _) => Value::from(i),
            (None, Some(f)) => Value::from(f),
            (None, None) => Value::from(n.to_string()),
        },
        serde_json::Value::String(s) => Value::from(s.as_str()),
        serde_json::Value::Array(all) => Value::from(all.iter().map(json).collect::<Vec<_>>()),
        serde_json::Value::Object(map) => Value::from_pairs(map.iter().map(|(k, v)| (k.clone(), json(v)))),
    }
}

fn register_phrases(env: &mut minijinja::Environment<'static>, book: &Arc<Phrasebook>) {
    let phrases = book.clone();
    env.add_function("t", move |key: &str, with: Kwargs| {
        let pairs: Vec<(String, Value)> = with
            .args()
            .map(|name| Ok((name.to_string(), with.get::<Value>(name)?)))
            .collect::<Result<_, minijinja::Error>>()?;
        phrases.render(key, Value::from_pairs(pairs)).map(Value::from_safe_string)
    });
}

fn register_foot(
    env: &mut minijinja::Environment<'static>,
    source: &Source<'_>,
    draft: &Arc<Mutex<Draft>>,
    book: &Arc<Phrasebook>,
) {
    let (foot, edition) = (source.foot.clone(), source.edition.clone());
    let (draft, book) = (draft.clone(), book.clone());
    env.add_function("foot", move || -> Result<Value, minijinja::Error> {
        let mut draft = components::hold(&draft)?;
        let made = super::foot::blocks(&book, &foot, &edition, &draft.figures)?;
        let marks: String = made.into_iter().map(|block| draft.put(block).to_string()).collect();
        Ok(Value::from_safe_string(marks))
    });
}

/// A template's error at its place in the file.
pub fn located(error: &minijinja::Error, report: &ReportFile, shared: &[TextFile]) -> Error {
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
    let kind = if innermost.kind() == UNTRUSTED { crate::error::Kind::Data } else { crate::error::Kind::Project };
    let out = Error::new(kind, message);
    let name = innermost.name().unwrap_or_default();
    let piece = shared.iter().find(|f| include_name(f) == name);
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
