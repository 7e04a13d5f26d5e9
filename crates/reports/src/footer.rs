//! The footer: what a page is based on. The caller knows the facts; here they become phrases.

use super::blocks::{Block, Table, TableRow};
use super::decimal::Decimal;
use super::formats::Format;
use super::number::{self, Sign};
use super::phrases::Phrasebook;
use minijinja::value::Value;

/// What the caller knows of the data of a page.
#[derive(Clone, Debug, Default)]
pub struct Footer {
    /// The release the rows came from.
    pub release: u64,
    /// When it was published.
    pub published_at: Option<jiff::Timestamp>,
    /// The run that published it.
    pub run_id: String,
    /// Tests of that run.
    pub tests: perennial_lake::TestCounts,
    /// The tests that warned, by name, worst first.
    pub warnings: Vec<String>,
    /// The sources read.
    pub sources: Vec<SourceFact>,
    /// What changed in the data since the release of the last edition, as far as the caller knows.
    pub causes: Vec<Cause>,
}

/// A source table and how new it is.
#[derive(Clone, Debug, Default)]
pub struct SourceFact {
    /// `erp.orders`.
    pub name: String,
    /// The newest value of its time column: RFC 3339 or a date.
    pub newest: Option<String>,
    /// Rows accepted.
    pub rows: u64,
    /// Rows rejected.
    pub rejects: u64,
    /// What the load of its rows had to say, counted: new columns, files that are gone.
    pub notes: u64,
    /// Why it was not read this time, if so; the rows are those of the last release.
    pub stale: Option<String>,
}

/// Why figures changed.
#[derive(Clone, Debug)]
pub struct Cause {
    /// Late rows, corrected rows or other SQL.
    pub kind: CauseKind,
    /// What it concerns: tables, rows, months.
    pub what: String,
}

/// Kinds of causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CauseKind {
    /// Rows of a closed period that came after it was reported.
    LateData,
    /// Rows that came since, of a table that does not say to which period they belong.
    NewData,
    /// Rows that replaced others.
    CorrectedData,
    /// A step's SQL or its variables changed.
    ChangedSql,
    /// The release of the last edition, by its number, can no longer be read.
    Unknown,
}

/// A figure by name, as it was and is printed.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct NamedFigure {
    /// Name in the template.
    pub name: String,
    /// `integer`, `money`, `cents` or `percent`.
    pub format: String,
    /// Its exact value; `None` where it was not known.
    pub value: Option<String>,
}

/// The edition that a page belongs to and the one before it.
#[derive(Clone, Debug, Default)]
pub(crate) struct EditionFacts {
    /// Its number within the period, from 1.
    pub number: u32,
    /// When it was made.
    pub made_at: Option<jiff::Timestamp>,
    /// The figures of the edition before.
    pub last_figures: Vec<NamedFigure>,
}

/// The footer as blocks. `figures` are this page's, with their labels.
pub(crate) fn blocks(
    book: &Phrasebook,
    footer: &Footer,
    edition: &EditionFacts,
    figures: &[(NamedFigure, String)],
) -> Result<Vec<Block>, minijinja::Error> {
    let mut out = vec![Block::Heading(2, book.say("footer_title", &[])?)];
    out.push(Block::Facts(facts(book, footer, edition)?));
    if !footer.sources.is_empty() {
        out.push(Block::Table(sources(book, footer)?));
    }
    out.extend(changes(book, footer, edition, figures)?);
    Ok(out)
}

fn facts(
    book: &Phrasebook,
    footer: &Footer,
    edition: &EditionFacts,
) -> Result<Vec<(String, String)>, minijinja::Error> {
    let language = book.language();
    let period = book.period();
    let status = if period.is_closed(book.as_of()) { "period_closed" } else { "period_open" };
    let warnings = if footer.warnings.is_empty() { String::new() } else { footer.warnings.join(", ") };
    let count = |n: u64| number::integer(Decimal::new(n.into(), 0), language);
    let tests = [
        ("passed", count(footer.tests.passed)),
        ("warned", count(footer.tests.warned)),
        ("warned_count", footer.tests.warned.to_string()),
        ("warnings", warnings),
    ];
    let at = |t: Option<jiff::Timestamp>| t.map_or(String::new(), |t| number::instant(t, book.zone(), language));
    let release = [("number", footer.release.to_string()), ("published", at(footer.published_at))];
    let mut all = vec![
        (book.plain_phrase("footer_as_of")?, number::date(book.as_of(), language)),
        (book.plain_phrase("footer_period")?, book.plain_phrase_with(status, &[("period", period.title(language))])?),
        (book.plain_phrase("footer_release")?, book.plain_phrase_with("footer_release_text", &release)?),
        (book.plain_phrase("footer_run")?, footer.run_id.clone()),
        (book.plain_phrase("footer_tests")?, book.plain_phrase_with("footer_tests_text", &tests)?),
    ];
    let number = [("number", edition.number.to_string()), ("made", at(edition.made_at))];
    all.insert(2, (book.plain_phrase("footer_edition")?, book.plain_phrase_with("footer_edition_text", &number)?));
    Ok(all)
}

fn sources(book: &Phrasebook, footer: &Footer) -> Result<Table, minijinja::Error> {
    let figure = |n: u64| number::integer(Decimal::new(n.into(), 0), book.language());
    let columns = vec![
        (book.plain_phrase("footer_source")?, false),
        (book.plain_phrase("footer_newest")?, false),
        (book.plain_phrase("footer_rows")?, true),
        (book.plain_phrase("footer_rejects")?, true),
        (book.plain_phrase("footer_state")?, false),
    ];
    let mut rows = Vec::new();
    for source in &footer.sources {
        let state = match &source.stale {
            // Why is a message of the program, in English and long; `perennial runs` has it.
            Some(_) => book.plain_phrase("footer_stale")?,
            None if source.notes > 0 => {
                book.plain_phrase_with("footer_noted", &[("count", source.notes.to_string())])?
            }
            None => book.plain_phrase("footer_current")?,
        };
        let newest = match &source.newest {
            Some(text) => book.timestamp(text),
            None => book.plain_phrase("footer_newest_unknown")?,
        };
        rows.push(TableRow::of(vec![source.name.clone(), newest, figure(source.rows), figure(source.rejects), state]));
    }
    Ok(Table { title: book.say("footer_sources", &[])?, note: Vec::new(), columns, rows })
}

fn changes(
    book: &Phrasebook,
    footer: &Footer,
    edition: &EditionFacts,
    figures: &[(NamedFigure, String)],
) -> Result<Vec<Block>, minijinja::Error> {
    let mut out = vec![Block::Heading(3, book.say("footer_changes", &[])?)];
    if edition.number <= 1 {
        out.push(Block::Paragraph(book.say("footer_first_edition", &[])?));
        return Ok(out);
    }
    let rows = differences(book, edition, figures)?;
    if rows.is_empty() {
        out.push(Block::Paragraph(book.say("footer_no_changes", &[])?));
    } else {
        let columns = vec![
            (book.plain_phrase("footer_figure")?, false),
            (book.plain_phrase("footer_was")?, true),
            (book.plain_phrase("footer_is")?, true),
            (book.plain_phrase("footer_difference")?, true),
        ];
        out.push(Block::Table(Table { title: Vec::new(), note: Vec::new(), columns, rows }));
    }
    let mut items = Vec::new();
    for cause in &footer.causes {
        let key = match cause.kind {
            CauseKind::LateData => "cause_late_data",
            CauseKind::NewData => "cause_new_data",
            CauseKind::CorrectedData => "cause_corrected_data",
            CauseKind::ChangedSql => "cause_changed_sql",
            CauseKind::Unknown => "cause_unknown",
        };
        items.push(book.say(key, &[("what", Value::from(cause.what.clone()))])?);
    }
    if !items.is_empty() {
        out.push(Block::List(false, items));
    }
    Ok(out)
}

/// The figures that differ from those of the last edition.
fn differences(
    book: &Phrasebook,
    edition: &EditionFacts,
    figures: &[(NamedFigure, String)],
) -> Result<Vec<TableRow>, minijinja::Error> {
    let mut rows = Vec::new();
    for (figure, label) in figures {
        let Some(last) = edition.last_figures.iter().find(|f| f.name == figure.name) else { continue };
        if last.value == figure.value {
            continue;
        }
        let format = Format::from_name(&figure.format).unwrap_or(Format::Integer);
        let places = if format == Format::Integer { 0 } else { 2 };
        let parse = |v: &Option<String>| v.as_deref().and_then(Decimal::parse);
        let is_share = format == Format::Percent;
        let write = |v: Option<Decimal>| match v {
            Some(v) if is_share => Ok(number::percent(v, book.language(), Sign::Minus)),
            Some(v) => Ok(number::full(v, places, Sign::Minus, book.language())),
            None => book.plain_phrase("not_known"),
        };
        let (was, is) = (parse(&last.value), parse(&figure.value));
        // A row adds up: the difference is that of the figures as they are written.
        let shown = |v: Decimal| v.round(if is_share { 3 } else { places });
        let difference = match was.zip(is).map(|(was, is)| shown(is).minus(shown(was))) {
            Some(none) if none.signum() == 0 => continue,
            Some(points) if is_share => number::points(points, book.language()),
            Some(other) => number::full(other, places, Sign::Both, book.language()),
            None => book.plain_phrase("not_known")?,
        };
        rows.push(TableRow::of(vec![label.clone(), write(was)?, write(is)?, difference]));
    }
    Ok(rows)
}
