//! The components of templates: functions that turn rows into blocks.
//!
//! Small ones live here; those that draw a picture from rows are in [`pictures`](super::pictures).

use super::blocks::{Block, Headline, Inline, Table, TableRow, Tone, inline, plain};
use super::charts::sparkline;
use super::data::number;
use super::foot::NamedFigure;
use super::number::{self, Decimal, Format, Sign};
use super::phrases::{Phrasebook, Say, day, given};
use super::pictures;
use super::template::Draft;
use crate::project::Language;
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard};

/// Names of all components and of what else templates may call, for checks.
pub const FUNCTIONS: &[&str] = &[
    "t",
    "foot",
    "verdict",
    "headlines",
    "bridge",
    "pyramids",
    "retention_triangle",
    "retention_means",
    "migration",
    "columns",
    "calibration",
    "table",
    "callout",
    "note",
    "page_break",
    "change",
];

/// Adds them to an environment.
pub fn register(env: &mut Environment<'static>, draft: &Arc<Mutex<Draft>>, book: &Arc<Phrasebook>) {
    let (d, b) = (draft.clone(), book.clone());
    env.add_function("verdict", move |sentences: &Value| verdict(&d, &b, sentences));
    let (d, b) = (draft.clone(), book.clone());
    env.add_function("headlines", move |figures: &Value| headlines(&d, &b, figures));
    let (d, b) = (draft.clone(), book.clone());
    env.add_function("table", move |rows: &Value, with: Kwargs| table(&d, &b, rows, &with));
    let d = draft.clone();
    env.add_function("callout", move |head: &Value, text: &Value| {
        hold(&d).map(|mut d| d.put(Block::Callout(runs(head), runs(text))))
    });
    let d = draft.clone();
    env.add_function("note", move |text: &Value| hold(&d).map(|mut d| d.put(Block::Note(runs(text)))));
    let d = draft.clone();
    env.add_function("page_break", move || hold(&d).map(|mut d| d.put(Block::PageBreak)));
    let b = book.clone();
    env.add_function("change", move |new: &Value, old: &Value, with: Kwargs| {
        let against: String = with.get("against")?;
        let base: Option<Value> = with.get("base")?;
        with.assert_all_used()?;
        change(&b, new, old, &against, base)
    });
    pictures::register(env, draft, book);
}

/// The page in the making.
pub fn hold(draft: &Mutex<Draft>) -> Result<MutexGuard<'_, Draft>, Error> {
    draft.lock().map_err(|_| Error::new(ErrorKind::InvalidOperation, "a component failed before"))
}

/// A value as runs: Markdown if it came from a phrase, else plain text.
pub fn runs(value: &Value) -> Vec<Inline> {
    if value.is_none() || value.is_undefined() {
        Vec::new()
    } else if value.is_safe() {
        inline(value.as_str().unwrap_or_default())
    } else {
        vec![Inline::Text(value.to_string())]
    }
}

/// `verdict([sentence, ...])`: sentences in order of weight; none and empty ones are left out.
fn verdict(draft: &Mutex<Draft>, book: &Phrasebook, sentences: &Value) -> Result<Value, Error> {
    let mut all: Vec<Inline> = Vec::new();
    let list: Vec<Value> =
        if sentences.as_str().is_some() { vec![sentences.clone()] } else { sentences.try_iter()?.collect() };
    for sentence in list {
        let more = runs(&sentence);
        if plain(&more).trim().is_empty() {
            continue;
        }
        if !all.is_empty() && book.language() == Language::English {
            all.push(Inline::Text(" ".into()));
        }
        all.extend(more);
    }
    let mut draft = hold(draft)?;
    draft.verdict = plain(&all);
    Ok(draft.put(Block::Verdict(all)))
}

/// `change(new, old, against='month'|'year', base='August')`: how far above or below, in words; none without a base.
fn change(book: &Phrasebook, new: &Value, old: &Value, against: &str, base: Option<Value>) -> Result<Value, Error> {
    if !["month", "year"].contains(&against) {
        let message = format!("`{against}` is nothing to compare with; it is `month` or `year`");
        return Err(Error::new(ErrorKind::InvalidOperation, message));
    }
    let Some(share) = relative(new, old) else { return Ok(Value::from(())) };
    let tenths = Decimal::new(share.unscaled * 100, share.scale).round(1);
    let direction = match tenths.signum() {
        1 => "over",
        -1 => "under",
        _ => "level",
    };
    let percent = number::percent(share.abs(), book.language(), Sign::Minus);
    let with = [("percent", Value::from(percent)), ("base", base.unwrap_or_default())];
    book.say(&format!("change_{against}_{direction}"), &with).map(Value::from_safe_string)
}

/// The relative change, where both are known and the base is above zero.
fn relative(new: &Value, old: &Value) -> Option<Decimal> {
    let (new, old) = (number(new)?, number(old)?);
    if old.signum() <= 0 { None } else { new.minus(old).over(old) }
}

/// `headlines([{name, label, format, value, previous, year_ago, series, good, open}, ...])`.
fn headlines(draft: &Mutex<Draft>, book: &Phrasebook, figures: &Value) -> Result<Value, Error> {
    let mut all = Vec::new();
    for (i, figure) in figures.try_iter()?.enumerate() {
        let (headline, named) = headline(book, &format!("h{i}"), &figure)?;
        hold(draft)?.figures.push((named, headline.label.clone()));
        all.push(headline);
    }
    Ok(hold(draft)?.put(Block::Headlines(all)))
}

fn headline(book: &Phrasebook, id: &str, figure: &Value) -> Result<(Headline, NamedFigure), Error> {
    let name = figure.get_attr("name")?.to_string();
    let label = book.plain(&figure.get_attr("label")?);
    let written_as = figure.get_attr("format")?.to_string();
    let format = format_of(&written_as)?;
    let value = number(&figure.get_attr("value")?);
    let language = book.language();
    let (written, unit) = match (value, format) {
        (None, _) => (book.word("not_known")?, String::new()),
        (Some(v), Format::Percent) => (number::percent(v, language, Sign::Minus), String::new()),
        (Some(v), Format::Money | Format::Cents) => (number::short(v, language, Sign::Minus), book.currency()),
        (Some(v), _) => (number::full(v, 0, Sign::Minus), String::new()),
    };
    let good = figure.get_attr("good")?.to_string();
    let mut changes = Vec::new();
    for (key, attribute) in [("versus_month", "previous"), ("versus_year", "year_ago")] {
        let old = figure.get_attr(attribute)?;
        changes.push(compared(book, book.word(key)?, value, number(&old), format, &good)?);
    }
    let series = values(&figure.get_attr("series")?)?;
    let open = figure.get_attr("open")?.is_true();
    let alt = book.word_with("alt_sparkline", &[("label", label.clone()), ("count", series.len().to_string())])?;
    let last = series.len().saturating_sub(13);
    let floats: Vec<Option<f64>> = series[last..].iter().map(|v| v.map(Decimal::to_f64)).collect();
    let sparkline = sparkline::draw(id, &floats, open, &alt);
    let named = NamedFigure { name, format: written_as, value: value.map(|v| v.to_string()) };
    Ok((Headline { label, value: written, unit, changes, sparkline }, named))
}

fn compared(
    book: &Phrasebook,
    head: String,
    new: Option<Decimal>,
    old: Option<Decimal>,
    format: Format,
    good: &str,
) -> Result<(String, String, Tone), Error> {
    let Some((new, old)) = new.zip(old) else {
        return Ok((head, book.word("no_comparison")?, Tone::Neutral));
    };
    let difference = new.minus(old);
    let written = match format {
        // Shares differ in points, not in per cent of a per cent.
        Format::Percent => Some((difference, number::points(difference, book.language()))),
        _ => difference
            .over(old)
            .filter(|_| old.signum() > 0)
            .map(|share| (share, number::percent(share, book.language(), Sign::Both))),
    };
    let Some((share, written)) = written else { return Ok((head, book.word("no_comparison")?, Tone::Neutral)) };
    // What is written as 0.0 is neither better nor worse.
    let tone = match (share.round(3).signum(), good) {
        (0, _) => Tone::Neutral,
        (1, "up") | (-1, "down") => Tone::Better,
        (1, "down") | (-1, "up") => Tone::Worse,
        _ => Tone::Neutral,
    };
    Ok((head, written, tone))
}

/// A list of figures; none stays a gap.
pub fn values(list: &Value) -> Result<Vec<Option<Decimal>>, Error> {
    Ok(list.try_iter()?.map(|v| number(&v)).collect())
}

/// The format of a name, or an error with the names there are.
pub fn format_of(name: &str) -> Result<Format, Error> {
    Format::from_name(name).ok_or_else(|| {
        let message = format!("`{name}` is no format; there are {}", crate::error::list(&Format::NAMES));
        Error::new(ErrorKind::InvalidOperation, message)
    })
}

/// `table(rows, columns=[{key, label, format}, ...], title=..., note=..., total=...)`.
fn table(draft: &Mutex<Draft>, book: &Phrasebook, rows: &Value, with: &Kwargs) -> Result<Value, Error> {
    let columns: Value = with.get("columns")?;
    let title: Option<Value> = with.get("title")?;
    let note: Option<Value> = with.get("note")?;
    with.assert_all_used()?;
    let mut heads = Vec::new();
    let mut keys = Vec::new();
    for column in columns.try_iter()? {
        let format = format_of(&column.get_attr("format")?.to_string())?;
        heads.push((book.plain(&column.get_attr("label")?), format.is_figure()));
        keys.push((column.get_attr("key")?.to_string(), format));
    }
    let mut out = Vec::new();
    for row in rows.try_iter()? {
        let mut cells = Vec::new();
        for (key, format) in &keys {
            let value = row.get_attr(key)?;
            if value.is_undefined() {
                let message = format!("the rows of this table have no column `{key}`");
                return Err(Error::new(ErrorKind::InvalidOperation, message));
            }
            cells.push(cell(book, &value, *format)?);
        }
        out.push(TableRow::of(cells));
    }
    let title = title.map(|t| runs(&t)).unwrap_or_default();
    let note = note.map(|n| runs(&n)).unwrap_or_default();
    Ok(hold(draft)?.put(Block::Table(Table { title, note, columns: heads, rows: out })))
}

fn cell(book: &Phrasebook, value: &Value, format: Format) -> Result<String, Error> {
    if value.is_none() {
        return Ok("\u{2013}".into());
    }
    Ok(match format {
        Format::Text => book.plain(value),
        Format::Date => number::date(day(value, book.zone())?, book.language()),
        Format::Month => number::month(day(value, book.zone())?, book.language()),
        figure => figure.write(given(value)?, book.language()),
    })
}
