//! The account a page gives of itself. The caller knows the facts; here they become words.

use super::blocks::{Block, Table, TableRow, inline};
use super::number::{self, Decimal, Sign};
use super::phrases::{Phrasebook, Say};
use minijinja::value::Value;

/// What the caller knows of the data a page stands on.
#[derive(Clone, Debug, Default)]
pub struct Foot {
    /// The release the rows came from.
    pub release: u64,
    /// When it was published.
    pub published_at: Option<jiff::Timestamp>,
    /// The run that published it.
    pub run_id: String,
    /// Tests of that run.
    pub tests: crate::lake::TestCounts,
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
    /// Rows refused.
    pub rejects: u64,
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
    /// Rows that replaced others.
    CorrectedData,
    /// A step's SQL or its variables changed.
    ChangedSql,
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
pub struct EditionFacts {
    /// Its number within the period, from 1.
    pub number: u32,
    /// When it was made.
    pub made_at: Option<jiff::Timestamp>,
    /// The figures of the edition before.
    pub last_figures: Vec<NamedFigure>,
}

/// The foot as blocks. `figures` are this page's, with their labels.
pub fn blocks(
    book: &Phrasebook,
    foot: &Foot,
    edition: &EditionFacts,
    figures: &[(NamedFigure, String)],
) -> Result<Vec<Block>, minijinja::Error> {
    let mut out = vec![Block::Heading(2, inline(&book.say("foot_title", &[])?))];
    out.push(Block::Facts(facts(book, foot, edition)?));
    if !foot.sources.is_empty() {
        out.push(Block::Table(sources(book, foot)?));
    }
    out.extend(changes(book, foot, edition, figures)?);
    Ok(vec![Block::Foot(out)])
}

fn facts(book: &Phrasebook, foot: &Foot, edition: &EditionFacts) -> Result<Vec<(String, String)>, minijinja::Error> {
    let language = book.language();
    let period = book.period();
    let status = if period.is_closed(book.as_of()) { "period_closed" } else { "period_open" };
    let warnings = if foot.warnings.is_empty() { String::new() } else { foot.warnings.join(", ") };
    let count = |n: u64| number::full(Decimal::new(n.into(), 0), 0, Sign::Minus);
    let tests = [
        ("passed", count(foot.tests.passed)),
        ("warned", count(foot.tests.warned)),
        ("warned_count", foot.tests.warned.to_string()),
        ("warnings", warnings),
    ];
    let at = |t: Option<jiff::Timestamp>| t.map_or(String::new(), |t| number::instant(t, book.zone(), language));
    let release = [("number", foot.release.to_string()), ("published", at(foot.published_at))];
    let mut all = vec![
        (book.word("foot_as_of")?, number::date(book.as_of(), language)),
        (book.word("foot_period")?, book.word_with(status, &[("period", period.title(language))])?),
        (book.word("foot_release")?, book.word_with("foot_release_text", &release)?),
        (book.word("foot_run")?, foot.run_id.clone()),
        (book.word("foot_tests")?, book.word_with("foot_tests_text", &tests)?),
    ];
    let number = [("number", edition.number.to_string()), ("made", at(edition.made_at))];
    all.insert(2, (book.word("foot_edition")?, book.word_with("foot_edition_text", &number)?));
    Ok(all)
}

fn sources(book: &Phrasebook, foot: &Foot) -> Result<Table, minijinja::Error> {
    let figure = |n: u64| number::full(Decimal::new(n.into(), 0), 0, Sign::Minus);
    let columns = vec![
        (book.word("foot_source")?, false),
        (book.word("foot_newest")?, false),
        (book.word("foot_rows")?, true),
        (book.word("foot_rejects")?, true),
        (book.word("foot_state")?, false),
    ];
    let mut rows = Vec::new();
    for source in &foot.sources {
        let state = match &source.stale {
            // Why is a message of the program, in English and long; it stands in `perennial runs`.
            Some(_) => book.word("foot_stale")?,
            None => book.word("foot_current")?,
        };
        let newest = match &source.newest {
            Some(text) => book.moment(text),
            None => book.word("foot_newest_unknown")?,
        };
        rows.push(TableRow::of(vec![source.name.clone(), newest, figure(source.rows), figure(source.rejects), state]));
    }
    Ok(Table { title: inline(&book.say("foot_sources", &[])?), note: Vec::new(), columns, rows })
}

fn changes(
    book: &Phrasebook,
    foot: &Foot,
    edition: &EditionFacts,
    figures: &[(NamedFigure, String)],
) -> Result<Vec<Block>, minijinja::Error> {
    let mut out = vec![Block::Heading(3, inline(&book.say("foot_changes", &[])?))];
    if edition.number <= 1 {
        out.push(Block::Paragraph(inline(&book.say("foot_first_edition", &[])?)));
        return Ok(out);
    }
    let rows = differences(book, edition, figures)?;
    if rows.is_empty() {
        out.push(Block::Paragraph(inline(&book.say("foot_no_changes", &[])?)));
    } else {
        let columns = vec![
            (book.word("foot_figure")?, false),
            (book.word("foot_was")?, true),
            (book.word("foot_is")?, true),
            (book.word("foot_difference")?, true),
        ];
        out.push(Block::Table(Table { title: Vec::new(), note: Vec::new(), columns, rows }));
    }
    let mut items = Vec::new();
    for cause in &foot.causes {
        let key = match cause.kind {
            CauseKind::LateData => "cause_late_data",
            CauseKind::CorrectedData => "cause_corrected_data",
            CauseKind::ChangedSql => "cause_changed_sql",
        };
        items.push(inline(&book.say(key, &[("what", Value::from(cause.what.clone()))])?));
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
        let format = number::Format::from_name(&figure.format).unwrap_or(number::Format::Integer);
        let places = if format == number::Format::Integer { 0 } else { 2 };
        let parse = |v: &Option<String>| v.as_deref().and_then(Decimal::parse);
        let is_share = format == number::Format::Percent;
        let write = |v: Option<Decimal>| match v {
            Some(v) if is_share => Ok(number::percent(v, book.language(), Sign::Minus)),
            Some(v) => Ok(number::full(v, places, Sign::Minus)),
            None => book.word("not_known"),
        };
        let (was, is) = (parse(&last.value), parse(&figure.value));
        // What stands in a row adds up: the difference is that of the figures as they are written.
        let shown = |v: Decimal| v.round(if is_share { 3 } else { places });
        let difference = match was.zip(is).map(|(was, is)| shown(is).minus(shown(was))) {
            Some(none) if none.signum() == 0 => continue,
            Some(points) if is_share => number::points(points, book.language()),
            Some(other) => number::full(other, places, Sign::Both),
            None => book.word("not_known")?,
        };
        rows.push(TableRow::of(vec![label.clone(), write(was)?, write(is)?, difference]));
    }
    Ok(rows)
}
