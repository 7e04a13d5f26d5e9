//! Columns over time, from zero; the last one marked, an open one hatched, a missing one left out.

use super::{Anchor, Chart, Drawing, Picture, Scale, Sheet, Svg, Weight, text_width};
use crate::blocks::TableRow;
use crate::call::{Call, attribute};
use crate::data::{attribute_if_any, day, number};
use crate::decimal::Decimal;
use crate::formats::Format;
use crate::manual::{Argument, Example, Kind, PAGE, Page, Section};
use crate::number::{date, day_short, month_short};
use minijinja::Error;
use minijinja::value::Value;

pub(crate) const CHART: Chart = Chart {
    page: Page {
        name: "columns",
        section: Section::Charts,
        syntax: "columns(rows, x='period', y='revenue', format=..., title=..., note=...)",
        summary: "A column for each period, in the order of time",
        arguments: &[
            Argument::value("rows", Kind::Rows, "one row for each period, in any order"),
            Argument::required("x", Kind::DateColumn, "the column with the first day of the period"),
            Argument::required("y", Kind::NumberColumn, "the column that is drawn; NULL leaves a gap"),
            Argument::optional("format", Kind::Format, "what suits the values", "how the figures are written"),
            Argument::optional("unit", Kind::Text, "none", "the unit, behind figures and beside the head of the table"),
            Argument::optional("label", Kind::Text, "the name of y", "what is drawn, for the head of the table"),
        ],
        description: "Periods are months where all dates are firsts of months; else each column has the day that it begins, \
                      as for weeks and days. Columns begin at zero. The last one and the highest have their figures; labels below are left out where they \
                      would touch. A row whose `period_status` is `open` is hatched. For categories that have no order in time \
                      take `bars`. A second axis is refused: two scales make any two lines look related; draw two charts.",
        example: Example {
            rows: &[(
                "months",
                "period | revenue\n2026-06-01 | 820.40\n2026-07-01 | NULL\n2026-08-01 | 1000.00\n2026-09-01 | 1200.50",
            )],
            template: "{{ columns(months, x='period', y='revenue', format='money', unit='EUR', label='Revenue',\n  \
                       title='Revenue rose to 1,200', note='By month') }}",
            page: "## Revenue rose to 1,200\n\nBy month\n\nPeriod | Revenue, EUR\nJun 2026 | 820\nJul 2026 | \u{2013}\nAug 2026 | \
                   1,000\nSep 2026 | 1,201",
        },
        related: &["bars", "formats", "bridge"],
        ..PAGE
    },
    draw: chart,
};

fn chart(sheet: &Sheet<'_>, call: &Call) -> Result<Option<Drawing>, Error> {
    let book = sheet.book;
    let (x, y) = (call.required("x")?, call.required("y")?);
    let label = call.keyword("label")?.map_or_else(|| y.clone(), |label| book.plain(&label));
    let unit = call.keyword("unit")?.map_or_else(String::new, |unit| book.plain(&unit));
    let mut source = Vec::new();
    for row in call.rows()? {
        let at = attribute(&row, &x)?;
        source.push((day(&at, book.zone())?, at, row));
    }
    if source.is_empty() {
        return Ok(None);
    }
    source.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let are_months = source.iter().all(|(day, ..)| day.day() == 1);
    let values: Vec<Value> = source.iter().map(|(.., row)| attribute(row, &y)).collect::<Result<_, _>>()?;
    let format = match call.name("format")? {
        Some(name) => Format::named(&name)?,
        None => Format::Number(None),
    };
    let format = format.aligned(values.iter());
    let mut rows = Vec::new();
    let mut columns = Vec::new();
    for ((at, _, row), value) in source.iter().zip(&values) {
        let figure = number(value);
        let written =
            figure.map_or_else(String::new, |v| super::with_unit(&format.write_short(v, book.language()), &unit));
        let open = attribute_if_any(row, "period_status").is_some_and(|status| status.as_str() == Some("open"));
        let (short, full) = match are_months {
            true => (month_short(*at, book.language()), month_short(*at, book.language())),
            false => (day_short(*at, book.language()), date(*at, book.language())),
        };
        rows.push(TableRow::of(vec![full, book.cell(format, value)?]));
        columns.push(Column { label: short, value: figure.map(Decimal::to_f64), written, open });
    }
    let alt = sheet.alt("alt_columns", columns.iter().map(|c| format!("{} {}", c.label, c.written)))?;
    let picture = draw(&sheet.id, &columns, &alt);
    let heads = vec![(book.plain_phrase("period")?, false), (book.with_unit(&label, &unit), true)];
    Ok(Some(Drawing { picture, columns: heads, rows }))
}

/// One period.
#[derive(Clone, Debug)]
struct Column {
    /// Its name below the axis.
    label: String,
    /// Its value; `None` where there is none.
    value: Option<f64>,
    /// The value as written.
    written: String,
    /// The period is not over.
    open: bool,
}

/// Type below the axis and above the columns.
const LABEL: f64 = 12.0;
const FIGURE: f64 = 12.5;
/// The least gap between two labels.
const GAP: f64 = 8.0;

/// Draws it for a page and for a phone.
fn draw(id: &str, columns: &[Column], alt: &str) -> Picture {
    let wide = upright(&format!("{id}w"), 720.0, columns, alt);
    let narrow = upright(&format!("{id}n"), 340.0, columns, alt);
    Picture { wide, narrow: Some(narrow), scrolls: false, aspect: 720.0 / 200.0, alt: alt.to_string() }
}

fn upright(id: &str, width: f64, columns: &[Column], alt: &str) -> String {
    let height = 200.0;
    let mut svg = Svg::new(id, width, height);
    let values = columns.iter().filter_map(|c| c.value);
    let reach = values.fold((0.0f64, 0.0f64), |(l, h), v| (l.min(v), h.max(v)));
    let up = Scale::new(reach, (height - 30.0, 22.0));
    let pitch = width / columns.len().max(1) as f64;
    let thick = (pitch * 0.66).min(64.0);
    let middle = |i: usize| pitch * (i as f64 + 0.5);
    for (i, column) in columns.iter().enumerate() {
        let Some(value) = column.value else { continue };
        let (top, bottom) = (up.at(value.max(0.0)), up.at(value.min(0.0)));
        let at = (middle(i) - thick / 2.0, top);
        let size = (thick, (bottom - top).max(1.0));
        match (column.open, i + 1 == columns.len()) {
            (true, _) => svg.hatch(at, size, "--context"),
            (false, true) => svg.rect(at, size, "--accent", 1.0),
            (false, false) => svg.rect(at, size, "--context", 0.7),
        }
    }
    for (i, left, y) in figures(columns, &middle, width, thick, &up) {
        svg.text((left, y), Anchor::Start, FIGURE, ("--ink", Weight::Bold), &columns[i].written);
    }
    for (i, left) in labels(columns, &middle, width) {
        svg.text((left, height - 10.0), Anchor::Start, LABEL, ("--quiet", Weight::Regular), &columns[i].label);
    }
    svg.line((0.0, up.at(0.0)), (width, up.at(0.0)), "--hair", false);
    svg.finish(alt)
}

/// How wide a text is at most: fonts differ from the estimate.
fn room(text: &str, size: f64) -> f64 {
    text_width(text, size) * 1.08
}

/// Where a text begins that is centred on a middle and stays within the picture.
fn begin(middle: f64, text_room: f64, width: f64) -> f64 {
    (middle - text_room / 2.0).min(width - text_room).max(0.0)
}

/// The labels that have room, with their left ends: the last one, and every second, third ... before it.
fn labels(columns: &[Column], middle: &dyn Fn(usize) -> f64, width: f64) -> Vec<(usize, f64)> {
    let Some(last) = columns.len().checked_sub(1) else { return Vec::new() };
    let widest = columns.iter().map(|c| room(&c.label, LABEL)).fold(1.0, f64::max);
    let pitch = if last > 0 { middle(1) - middle(0) } else { width };
    let least = ((widest + GAP) / pitch).ceil().max(1.0) as usize;
    // The last label is moved into the picture, so the one before it may need more room than the others.
    (least..=columns.len().max(least)).find_map(|every| placed(columns, middle, width, every)).unwrap_or_default()
}

/// Every second, third ... label from the last one on, with its left end; nothing where two would touch.
fn placed(columns: &[Column], middle: &dyn Fn(usize) -> f64, width: f64, every: usize) -> Option<Vec<(usize, f64)>> {
    let mut placed: Vec<(usize, f64)> = Vec::new();
    for i in (0..columns.len()).rev().step_by(every) {
        let own = room(&columns[i].label, LABEL);
        let left = begin(middle(i), own, width);
        if placed.last().is_some_and(|(_, next)| left + own + GAP > *next) {
            return None;
        }
        placed.push((i, left));
    }
    Some(placed)
}

/// Where a figure is written: its column, its left end and its base line.
type Placed = (usize, f64, f64);

/// The figures that are written: that of the last column, and that of the highest where the two do not touch. A figure that
/// is wider than its column is written above the columns beside it.
fn figures(columns: &[Column], middle: &dyn Fn(usize) -> f64, width: f64, thick: f64, up: &Scale) -> Vec<Placed> {
    let top = |i: usize| up.at(columns[i].value.unwrap_or(0.0).max(0.0));
    let place = |i: usize| -> Placed {
        let own = room(&columns[i].written, FIGURE);
        let left = begin(middle(i), own, width);
        let below = |j: &usize| middle(*j) + thick / 2.0 > left && middle(*j) - thick / 2.0 < left + own;
        let highest = (0..columns.len()).filter(below).map(top).fold(top(i), f64::min);
        (i, left, highest - 6.0)
    };
    let last = columns.len().checked_sub(1).filter(|i| columns[*i].value.is_some()).map(place);
    let highest = highest(columns).filter(|i| last.is_none_or(|(l, ..)| l != *i)).map(place);
    let is_clear = |(i, left, y): &Placed| {
        last.is_none_or(|(_, other, other_y)| {
            left + room(&columns[*i].written, FIGURE) + GAP <= other || (y - other_y).abs() >= FIGURE * 1.3
        })
    };
    highest.filter(is_clear).into_iter().chain(last).collect()
}

/// The highest column; of several the last.
fn highest(columns: &[Column]) -> Option<usize> {
    let known = columns.iter().enumerate().filter_map(|(i, c)| c.value.map(|v| (i, v)));
    known.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::super::svg;
    use super::*;

    fn column(label: &str, value: Option<f64>, written: &str) -> Column {
        Column { label: label.into(), value, written: written.into(), open: false }
    }

    #[test]
    fn columns_begin_at_zero_and_unknown_ones_are_left_out() {
        let columns = [column("x", Some(100.0), "y"), column("x", None, "y"), column("x", Some(50.0), "y")];
        let drawn = draw("s", &columns, "alt").wide;
        let heights = svg::of_rects(&drawn, "height");
        assert_eq!(heights.len(), 2);
        assert!((heights[0] - 2.0 * heights[1]).abs() < 0.2, "{heights:?}");
    }

    #[test]
    fn labels_lie_within_the_picture_and_touch_nowhere() {
        for label in ["Nov 2025", "2025年11月"] {
            for (count, width) in [(2, 340.0), (13, 340.0), (13, 720.0), (80, 720.0), (80, 340.0), (200, 340.0)] {
                let columns: Vec<Column> = (0..count).map(|i| column(label, Some(i as f64), "1,234")).collect();
                let pitch = width / count as f64;
                let placed = labels(&columns, &|i| pitch * (i as f64 + 0.5), width);
                assert_eq!(placed[0].0, count - 1, "the last one is named");
                let own = text_width(label, LABEL);
                assert!(placed.iter().all(|(_, left)| *left >= 0.0 && left + own <= width), "{label} {count} {width}");
                assert!(placed.windows(2).all(|two| two[1].1 + own < two[0].1), "{label} {count} {width}: {placed:?}");
            }
        }
    }

    #[test]
    fn the_last_figure_stands_above_the_columns_that_it_covers() {
        let mut columns: Vec<Column> = (0..13).map(|_| column("x", Some(90.0), "y")).collect();
        columns[11].value = Some(100.0);
        columns[12] = column("x", Some(40.0), "1,234,567 EUR");
        let up = Scale::new((0.0, 100.0), (170.0, 22.0));
        let placed = figures(&columns, &|i| 26.0 * (i as f64 + 0.5), 340.0, 17.0, &up);
        assert_eq!(placed.iter().map(|(i, ..)| *i).collect::<Vec<_>>(), [12], "there is no room for both");
        assert_eq!(placed[0].2, 22.0 - 6.0);
    }
}
