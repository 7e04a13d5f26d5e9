//! Components that draw: rows of the marts into a picture, its finding and its figures.

use super::blocks::{Block, Figure, Table, TableRow, inline};
use super::charts::{Picture, bridge, calibration, migration, pyramids, series, triangle};
use super::components::{hold, runs};
use super::data::number;
use super::number::{self, Decimal, Sign};
use super::phrases::{Phrasebook, Say, UNTRUSTED, day, given};
use super::template::Draft;
use jiff::civil::Date;
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Adds them to an environment.
pub fn register(env: &mut Environment<'static>, draft: &Arc<Mutex<Draft>>, book: &Arc<Phrasebook>) {
    type Component = fn(&Mutex<Draft>, &Phrasebook, &Value, &Kwargs) -> Result<Value, Error>;
    let all: [(&'static str, Component); 6] = [
        ("bridge", bridge_of),
        ("pyramids", pyramids_of),
        ("retention_triangle", triangle_of),
        ("migration", migration_of),
        ("columns", columns_of),
        ("calibration", calibration_of),
    ];
    for (name, component) in all {
        let (d, b) = (draft.clone(), book.clone());
        env.add_function(name, move |rows: &Value, with: Kwargs| component(&d, &b, rows, &with));
    }
    let b = book.clone();
    env.add_function("retention_means", move |rows: &Value, with: Kwargs| {
        let until: Option<Value> = with.get("until")?;
        with.assert_all_used()?;
        let grid = Grid::of(rows, until_of(&b, until)?, &b)?;
        let means = grid.means().into_iter().enumerate().filter_map(|(k, mean)| {
            mean.map(|m| Value::from_pairs([("months", Value::from(k + 1)), ("retention", Value::from_object(m))]))
        });
        Ok::<_, Error>(Value::from(means.collect::<Vec<_>>()))
    });
}

fn until_of(book: &Phrasebook, until: Option<Value>) -> Result<Date, Error> {
    until.map_or(Ok(book.period().start), |v| day(&v, book.zone()))
}

/// Title and note, common to all pictures.
fn words(with: &Kwargs) -> Result<(Value, Value), Error> {
    let (title, note): (Option<Value>, Option<Value>) = (with.get("title")?, with.get("note")?);
    Ok((title.unwrap_or_default(), note.unwrap_or_default()))
}

fn put(draft: &Mutex<Draft>, words: (Value, Value), picture: Picture, table: Table) -> Result<Value, Error> {
    let figure = Figure { title: runs(&words.0), note: runs(&words.1), picture, table };
    Ok(hold(draft)?.put(Block::Figure(Box::new(figure))))
}

/// An identifier that no other picture of the page has.
fn next_id(draft: &Mutex<Draft>) -> Result<String, Error> {
    Ok(format!("c{}", hold(draft)?.blocks.len()))
}

fn text(row: &Value, key: &str) -> Result<String, Error> {
    let value = attribute(row, key)?;
    Ok(value.to_string())
}

fn attribute(row: &Value, key: &str) -> Result<Value, Error> {
    let value = row.get_attr(key)?;
    if value.is_undefined() {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("these rows have no column `{key}`")));
    }
    Ok(value)
}

fn head_count(value: Decimal) -> String {
    number::full(value, 0, Sign::Minus)
}

const EFFECTS: [&str; 7] = ["start", "new", "reactivated", "expansion", "contraction", "lost", "end"];

/// `bridge(rows, title=, note=)`: rows of effect and amount. They must add up to the cent, or there is no picture.
fn bridge_of(draft: &Mutex<Draft>, book: &Phrasebook, rows: &Value, with: &Kwargs) -> Result<Value, Error> {
    let words = words(with)?;
    with.assert_all_used()?;
    let mut amounts: BTreeMap<String, Decimal> = BTreeMap::new();
    for row in rows.try_iter()? {
        amounts.insert(text(&row, "effect")?, given(&attribute(&row, "amount")?)?);
    }
    if amounts.is_empty() {
        return Ok(Value::from_safe_string(String::new()));
    }
    let amount = |effect: &str| amounts.get(effect).copied().unwrap_or_default();
    let sum = EFFECTS[..6].iter().fold(Decimal::default(), |sum, effect| sum.plus(amount(effect)));
    if sum != amount("end") {
        let message = format!("the bridge does not add up: its steps lead to {sum}, its end is {}", amount("end"));
        return Err(Error::new(UNTRUSTED, message));
    }
    let mut steps = Vec::new();
    let mut lines = Vec::new();
    for effect in EFFECTS {
        let (value, is_level) = (amount(effect), effect == "start" || effect == "end");
        let sign = if is_level { Sign::Minus } else { Sign::Both };
        let label = book.word_with(&format!("effect_{effect}"), &period_names(book))?;
        let written = number::short(value, book.language(), sign);
        lines.push(TableRow { cells: vec![label.clone(), number::full(value, 2, sign)], total: effect == "end" });
        steps.push(bridge::Step { label, written, amount: value.to_f64(), is_level });
    }
    let alt = alt(book, "alt_bridge", steps.iter().map(|s| format!("{} {}", s.label, s.written)))?;
    let open = !book.period().is_closed(book.as_of());
    let picture = bridge::draw(&next_id(draft)?, &steps, open, &alt);
    let columns = vec![(book.word("effect")?, false), (book.with_currency("amount")?, true)];
    put(draft, words, picture, Table { title: Vec::new(), note: Vec::new(), columns, rows: lines })
}

/// This period and the one before by name, for phrases.
fn period_names(book: &Phrasebook) -> [(&'static str, String); 2] {
    let period = book.period();
    let before = period.before();
    let name = |p: super::period::Period| match p.kind {
        crate::project::PeriodKind::Month => number::month_name(p.start, book.language()),
        crate::project::PeriodKind::Day => number::date(p.start, book.language()),
    };
    [("period", name(period)), ("before", name(before))]
}

fn alt(book: &Phrasebook, key: &str, parts: impl Iterator<Item = String>) -> Result<String, Error> {
    let separator = if book.language() == crate::project::Language::English { "; " } else { "\u{ff1b}" };
    book.word_with(key, &[("list", parts.collect::<Vec<_>>().join(separator))])
}

const TIERS: [&str; 3] = ["key", "ordinary", "small"];

/// `pyramids(rows, title=, note=)`: rows of tier, customers and value.
fn pyramids_of(draft: &Mutex<Draft>, book: &Phrasebook, rows: &Value, with: &Kwargs) -> Result<Value, Error> {
    let words = words(with)?;
    with.assert_all_used()?;
    let mut found = Vec::new();
    for row in rows.try_iter()? {
        found.push((text(&row, "tier")?, given(&attribute(&row, "customers")?)?, number(&attribute(&row, "value")?)));
    }
    let rank = |tier: &str| TIERS.iter().position(|t| *t == tier).unwrap_or(TIERS.len());
    found.sort_by_key(|(tier, ..)| rank(tier));
    let heads_all = found.iter().fold(Decimal::default(), |s, (_, n, _)| s.plus(*n));
    // Shares are of the non-negative base; what lies below zero is told but has no bar.
    let positive = |v: &Option<Decimal>| v.filter(|v| v.signum() > 0);
    let value_all = found.iter().filter_map(|(.., v)| positive(v)).fold(Decimal::default(), Decimal::plus);
    let mut tiers = Vec::new();
    let mut lines = Vec::new();
    for (tier, heads, value) in &found {
        let label = tier_name(book, tier)?;
        let head_share = heads.over(heads_all).unwrap_or_default();
        let value_share = positive(value).and_then(|v| v.over(value_all));
        let percent = |share: Decimal| number::percent(share, book.language(), Sign::Minus);
        let value_short = value.map_or_else(String::new, |v| number::short(v, book.language(), Sign::Minus));
        let share_text = value_share.map_or_else(String::new, percent);
        lines.push(TableRow::of(vec![
            label.clone(),
            head_count(*heads),
            percent(head_share),
            value.map_or_else(|| "\u{2013}".into(), |v| number::full(v, 0, Sign::Minus)),
            if share_text.is_empty() { "\u{2013}".into() } else { share_text.clone() },
        ]));
        tiers.push(pyramids::Tier {
            label,
            heads: head_share.to_f64(),
            heads_written: format!("{} \u{b7} {}", head_count(*heads), percent(head_share)),
            value: value_share.map(Decimal::to_f64),
            value_written: if share_text.is_empty() {
                value_short
            } else {
                format!("{value_short} \u{b7} {share_text}")
            },
        });
    }
    let alt = alt(
        book,
        "alt_pyramids",
        tiers.iter().map(|t| format!("{}: {}, {}", t.label, t.heads_written, t.value_written)),
    )?;
    let value_head = book.with_currency("value")?;
    let picture = pyramids::draw(&next_id(draft)?, &tiers, (&book.word("customers")?, &value_head), &alt);
    let columns = vec![
        (book.word("tier")?, false),
        (book.word("customers")?, true),
        (book.word("share_of_customers")?, true),
        (value_head, true),
        (book.word("share_of_value")?, true),
    ];
    put(draft, words, picture, Table { title: Vec::new(), note: Vec::new(), columns, rows: lines })
}

/// The name of a tier; one that is not known stands as it is.
fn tier_name(book: &Phrasebook, tier: &str) -> Result<String, Error> {
    match tier {
        "key" | "ordinary" | "small" | "negative" | "inactive" | "not_yet" => book.word(&format!("tier_{tier}")),
        other => Ok(other.to_string()),
    }
}

/// Cohorts by months since: counts kept exact.
struct Grid {
    cohorts: BTreeMap<Date, Cohort>,
    months: usize,
}

/// Customers of one month of first orders.
struct Cohort {
    size: Decimal,
    /// By months since: who came back, and whether that month is open.
    cells: BTreeMap<usize, (Decimal, bool)>,
}

impl Grid {
    /// The last thirteen cohorts up to the period, cells of later periods left out.
    fn of(rows: &Value, until: Date, book: &Phrasebook) -> Result<Grid, Error> {
        let mut cohorts: BTreeMap<Date, Cohort> = BTreeMap::new();
        for row in rows.try_iter()? {
            let cohort = day(&attribute(&row, "cohort")?, book.zone())?;
            let months = usize::try_from(attribute(&row, "months_since")?)?;
            let until_month = i64::from(until.year()) * 12 + i64::from(until.month());
            let cohort_month = i64::from(cohort.year()) * 12 + i64::from(cohort.month());
            let age = until_month - cohort_month;
            if !(0..=12).contains(&age) || months as i64 > age {
                continue;
            }
            let open = text(&row, "period_status")? == "open";
            let size = given(&attribute(&row, "cohort_customers")?)?;
            let entry = cohorts.entry(cohort).or_insert_with(|| Cohort { size, cells: BTreeMap::new() });
            if months > 0 {
                entry.cells.insert(months, (given(&attribute(&row, "retained_customers")?)?, open));
            }
        }
        let months = cohorts.values().filter_map(|c| c.cells.keys().last().copied()).max().unwrap_or(0);
        Ok(Grid { cohorts, months })
    }

    /// Retained over all, of closed cells, by month.
    fn means(&self) -> Vec<Option<Decimal>> {
        (1..=self.months)
            .map(|k| {
                let closed = self.cohorts.values().filter_map(|Cohort { size, cells }| {
                    cells.get(&k).filter(|(_, open)| !open).map(|(kept, _)| (*size, *kept))
                });
                let (all, kept) = closed.fold((Decimal::default(), Decimal::default()), |(a, r), (size, kept)| {
                    (a.plus(size), r.plus(kept))
                });
                kept.over(all)
            })
            .collect()
    }
}

/// `retention_triangle(rows, until=, title=, note=)`: rows as in `marts.retention_cohort`.
fn triangle_of(draft: &Mutex<Draft>, book: &Phrasebook, rows: &Value, with: &Kwargs) -> Result<Value, Error> {
    let words = words(with)?;
    let until: Option<Value> = with.get("until")?;
    with.assert_all_used()?;
    let grid = Grid::of(rows, until_of(book, until)?, book)?;
    if grid.months == 0 {
        return Ok(Value::from_safe_string(String::new()));
    }
    let short = |share: Decimal| {
        let hundredth = Decimal::new(share.unscaled * 100, share.scale);
        number::full(hundredth, 1, Sign::Minus)
    };
    let cell = |share: Decimal, open: bool| triangle::Cell { share: share.to_f64(), written: short(share), open };
    let mut cohorts = Vec::new();
    let mut lines = Vec::new();
    for (cohort, Cohort { size, cells }) in &grid.cohorts {
        let shares = |k: usize| cells.get(&k).and_then(|(kept, open)| kept.over(*size).map(|s| (s, *open)));
        let label = number::month_short(*cohort, book.language());
        let mut line = vec![label.clone(), head_count(*size)];
        for k in 1..=grid.months {
            line.push(match shares(k) {
                Some((share, true)) => book.word_with("open_cell", &[("share", short(share))])?,
                Some((share, false)) => short(share),
                None => String::new(),
            });
        }
        lines.push(TableRow::of(line));
        let drawn = (1..=grid.months).map(|k| shares(k).map(|(s, open)| cell(s, open))).collect();
        cohorts.push(triangle::Cohort { label, size: head_count(*size), cells: drawn });
    }
    let means = grid.means();
    let mut line = vec![book.word("weighted_mean")?, String::new()];
    line.extend(means.iter().map(|m| m.map_or_else(String::new, short)));
    lines.push(TableRow::total(line));
    let (cohort, size, mean) = (book.word("cohort")?, book.word("customers")?, book.word("weighted_mean")?);
    let spoken = means.iter().enumerate().filter_map(|(k, m)| m.map(|m| (k + 1, m)));
    let list = spoken
        .map(|(k, m)| book.word_with("months_after", &[("months", k.to_string()), ("share", short(m))]))
        .collect::<Result<Vec<_>, _>>()?;
    let alt = alt(book, "alt_triangle", list.into_iter())?;
    let drawn: Vec<_> = means.iter().map(|m| m.map(|m| cell(m, false))).collect();
    let heads = triangle::Heads { cohort: &cohort, size: &size, mean: &mean };
    let picture = triangle::draw(&next_id(draft)?, &cohorts, &drawn, heads, &alt);
    let mut columns = vec![(cohort.clone(), false), (size.clone(), true)];
    for k in 1..=grid.months {
        columns.push((book.word_with("month_number", &[("months", k.to_string())])?, true));
    }
    put(draft, words, picture, Table { title: Vec::new(), note: Vec::new(), columns, rows: lines })
}

const STATES: [&str; 5] = ["key", "ordinary", "small", "inactive", "not_yet"];

/// `migration(rows, title=, note=)`: rows of from_tier, to_tier, customers and value_change. Who was absent before and
/// after is not drawn: nobody moved.
fn migration_of(draft: &Mutex<Draft>, book: &Phrasebook, rows: &Value, with: &Kwargs) -> Result<Value, Error> {
    let words = words(with)?;
    with.assert_all_used()?;
    let mut moves: BTreeMap<(usize, usize), (Decimal, Decimal)> = BTreeMap::new();
    for row in rows.try_iter()? {
        let state = |key: &str| -> Result<usize, Error> {
            let name = text(&row, key)?;
            STATES.iter().position(|s| *s == name).ok_or_else(|| {
                let message =
                    format!("`{name}` in column `{key}` is no tier; there are {}", crate::error::list(&STATES));
                Error::new(ErrorKind::InvalidOperation, message)
            })
        };
        let (from, to) = (state("from_tier")?, state("to_tier")?);
        let customers = given(&attribute(&row, "customers")?)?;
        let value = number(&attribute(&row, "value_change")?).unwrap_or_default();
        let cell = moves.entry((from, to)).or_default();
        *cell = (cell.0.plus(customers), cell.1.plus(value));
    }
    moves.retain(|(from, to), (n, _)| n.signum() > 0 && !(from == to && *from >= 3));
    if moves.is_empty() {
        return Ok(Value::from_safe_string(String::new()));
    }
    let flows: Vec<migration::Flow> = moves
        .iter()
        .map(|((from, to), (n, _))| migration::Flow { from: *from, to: *to, customers: n.to_f64() })
        .collect();
    let names: Vec<String> = STATES.iter().map(|s| tier_name(book, s)).collect::<Result<_, _>>()?;
    let sum = |keep: &dyn Fn(usize, usize) -> bool| {
        let cells = moves.iter().filter(|((f, t), _)| keep(*f, *t));
        cells.fold(Decimal::default(), |s, (_, (n, _))| s.plus(*n))
    };
    let nodes = |side: &dyn Fn(usize) -> Decimal| -> Vec<migration::Node> {
        let node =
            |(i, label): (usize, &String)| migration::Node { label: label.clone(), written: head_count(side(i)) };
        names.iter().enumerate().map(node).collect()
    };
    let before = nodes(&|i| sum(&|f, _| f == i));
    let after = nodes(&|i| sum(&|_, t| t == i));
    let sides = (book.word("before")?, book.word("after")?);
    let spoken = moves.iter().filter(|((f, t), _)| f != t);
    let list = spoken.map(|((f, t), (n, _))| format!("{} \u{2192} {}: {}", names[*f], names[*t], head_count(*n)));
    let alt = alt(book, "alt_migration", list)?;
    let picture = migration::draw(&next_id(draft)?, &flows, (&before, &after), (&sides.0, &sides.1), &alt);
    let table = matrix(book, &names, &moves)?;
    put(draft, words, picture, table)
}

/// The moves as a matrix with sums and the value change of each row.
fn matrix(
    book: &Phrasebook,
    names: &[String],
    moves: &BTreeMap<(usize, usize), (Decimal, Decimal)>,
) -> Result<Table, Error> {
    let used_from: Vec<usize> = (0..names.len()).filter(|i| moves.keys().any(|(f, _)| f == i)).collect();
    let used_to: Vec<usize> = (0..names.len()).filter(|i| moves.keys().any(|(_, t)| t == i)).collect();
    let mut columns = vec![(book.word("from_tier")?, false)];
    columns.extend(used_to.iter().map(|i| (names[*i].clone(), true)));
    columns.push((book.word("total")?, true));
    columns.push((book.with_currency("value_change")?, true));
    let sum = |keep: &dyn Fn(usize, usize) -> bool| {
        let cells = moves.iter().filter(|((f, t), _)| keep(*f, *t));
        cells.fold((Decimal::default(), Decimal::default()), |(n, v), (_, (m, w))| (n.plus(*m), v.plus(*w)))
    };
    let line = |label: &str, row: Option<usize>| {
        let keep = |f: usize| row.is_none_or(|r| r == f);
        let mut cells = vec![label.to_string()];
        for to in &used_to {
            let (n, _) = sum(&|f, t| keep(f) && t == *to);
            cells.push(if n.signum() == 0 { String::new() } else { head_count(n) });
        }
        let (n, v) = sum(&|f, _| keep(f));
        cells.push(head_count(n));
        cells.push(number::full(v, 0, Sign::Both));
        cells
    };
    let mut rows: Vec<TableRow> = used_from.iter().map(|i| TableRow::of(line(&names[*i], Some(*i)))).collect();
    rows.push(TableRow::total(line(&book.word("total")?, None)));
    Ok(Table { title: Vec::new(), note: Vec::new(), columns, rows })
}

/// `columns(rows, x=, y=, format=, title=, note=)`: a column per period; `x` names a date column.
fn columns_of(draft: &Mutex<Draft>, book: &Phrasebook, rows: &Value, with: &Kwargs) -> Result<Value, Error> {
    let words = words(with)?;
    let (x, y): (String, String) = (with.get("x")?, with.get("y")?);
    let label: Option<Value> = with.get("label")?;
    with.assert_all_used()?;
    let label = label.map_or_else(|| y.clone(), |l| book.plain(&l));
    let mut drawn = Vec::new();
    let mut lines = Vec::new();
    for row in rows.try_iter()? {
        let at = day(&attribute(&row, &x)?, book.zone())?;
        let value = number(&attribute(&row, &y)?);
        let written = value.map_or_else(String::new, |v| number::short(v, book.language(), Sign::Minus));
        let open = row.get_attr("period_status")?.as_str() == Some("open");
        let short = number::month_short(at, book.language());
        lines.push(TableRow::of(vec![short.clone(), value.map_or_else(|| "\u{2013}".into(), head_count)]));
        drawn.push(series::Column { label: short, value: value.map(Decimal::to_f64), written, open });
    }
    if drawn.is_empty() {
        return Ok(Value::from_safe_string(String::new()));
    }
    let alt = alt(book, "alt_series", drawn.iter().map(|c| format!("{} {}", c.label, c.written)))?;
    let picture = series::draw(&next_id(draft)?, &drawn, &alt);
    let columns = vec![(plain_word(book, "period")?, false), (label, true)];
    put(draft, words, picture, Table { title: Vec::new(), note: Vec::new(), columns, rows: lines })
}

/// `calibration(rows, title=, note=)`: rows of group, customers, expected and actual, in the order of the groups.
fn calibration_of(draft: &Mutex<Draft>, book: &Phrasebook, rows: &Value, with: &Kwargs) -> Result<Value, Error> {
    let words = words(with)?;
    with.assert_all_used()?;
    let mut groups = Vec::new();
    let mut lines = Vec::new();
    for row in rows.try_iter()? {
        let label = text(&row, "group")?;
        let (expected, actual) = (number(&attribute(&row, "expected")?), given(&attribute(&row, "actual")?)?);
        let customers = given(&attribute(&row, "customers")?)?;
        let expected_written = expected.map_or_else(|| "\u{2013}".into(), head_count);
        let miss = expected.and_then(|e| e.minus(actual).over(actual));
        lines.push(TableRow::of(vec![
            label.clone(),
            head_count(customers),
            expected_written.clone(),
            head_count(actual),
            miss.map_or_else(|| "\u{2013}".into(), |m| number::percent(m, book.language(), Sign::Both)),
        ]));
        groups.push(calibration::Group {
            label,
            expected: expected.map(Decimal::to_f64),
            expected_written,
            actual: actual.to_f64(),
            actual_written: head_count(actual),
        });
    }
    if groups.is_empty() {
        return Ok(Value::from_safe_string(String::new()));
    }
    let names = calibration::Names {
        expected: book.word("expected_purchases")?,
        actual: book.word("actual_purchases")?,
        groups: book.word("repeats_before")?,
    };
    let parts = groups.iter().map(|g| format!("{}: {} / {}", g.label, g.expected_written, g.actual_written));
    let alt = alt(book, "alt_calibration", parts)?;
    let picture = calibration::draw(&next_id(draft)?, &groups, &names, &alt);
    let columns = vec![
        (names.groups, false),
        (book.word("customers")?, true),
        (names.expected, true),
        (names.actual, true),
        (book.word("miss")?, true),
    ];
    put(draft, words, picture, Table { title: Vec::new(), note: Vec::new(), columns, rows: lines })
}

fn plain_word(book: &Phrasebook, key: &str) -> Result<String, Error> {
    Ok(super::blocks::plain(&inline(&book.say(key, &[])?)))
}
