//! Calibration: what a model expected beside what came, group by group, bars from zero on one scale.

use super::{Anchor, Chart, Drawing, Picture, Scale, Sheet, Svg, Weight, text_width};
use crate::blocks::TableRow;
use crate::call::{Call, figure, optional_figure, text};
use crate::decimal::Decimal;
use crate::manual::{Argument, Example, Kind, PAGE, Page, Section};
use crate::number::{self, Sign};
use minijinja::Error;

pub(crate) const CHART: Chart = Chart {
    page: Page {
        name: "calibration",
        section: Section::Charts,
        syntax: "calibration(rows, title=..., note=...)",
        summary: "What a model expected beside what came, group by group",
        columns: &[
            ("group", "what the group is called: repeat purchases before"),
            ("customers", "how many customers are in it"),
            ("expected", "purchases that the model expected; NULL where it gave no figure"),
            ("actual", "purchases that came"),
        ],
        arguments: &[Argument::value(
            "rows",
            Kind::Rows,
            "the groups, in the order of the picture; `marts.customer_holdout_bin` \
                                                          has them",
        )],
        description: "Bars begin at zero, on one scale. The column `Miss` of the figures is the difference relative to what came.",
        example: Example {
            rows: &[(
                "groups",
                "group | customers | expected | actual\n0 | 700 | 180 | 120\n1 | 200 | 210 | 200\n2+ | 90 | NULL | 300",
            )],
            template: "{{ calibration(groups, title='Of those who bought once too many were expected', note='26 weeks') }}",
            page: "## Of those who bought once too many were expected\n\n26 weeks\n\nRepeat purchases before | Customers | \
                   Expected | Actual | Miss\n0 | 700 | 180 | 120 | +50.0\u{202f}%\n1 | 200 | 210 | 200 | +5.0\u{202f}%\n2+ | \
                   90 | \u{2013} | 300 | \u{2013}",
        },
        related: &["columns"],
        ..PAGE
    },
    draw: chart,
};

fn chart(sheet: &Sheet<'_>, call: &Call) -> Result<Option<Drawing>, Error> {
    let book = sheet.book;
    let language = book.language();
    let integer = |value: Decimal| number::integer(value, language);
    let mut groups = Vec::new();
    let mut rows = Vec::new();
    for row in call.rows()? {
        let label = text(&row, "group")?;
        let (expected, actual) = (optional_figure(&row, "expected")?, figure(&row, "actual")?);
        let expected_written = expected.map_or_else(|| "\u{2013}".into(), integer);
        let miss = expected.and_then(|e| e.minus(actual).over(actual));
        rows.push(TableRow::of(vec![
            label.clone(),
            integer(figure(&row, "customers")?),
            expected_written.clone(),
            integer(actual),
            miss.map_or_else(|| "\u{2013}".into(), |m| number::percent(m, language, Sign::Both)),
        ]));
        groups.push(Group {
            label,
            expected: expected.map(Decimal::to_f64),
            expected_written,
            actual: actual.to_f64(),
            actual_written: integer(actual),
        });
    }
    if groups.is_empty() {
        return Ok(None);
    }
    let names = Names {
        expected: book.plain_phrase("expected_purchases")?,
        actual: book.plain_phrase("actual_purchases")?,
        groups: book.plain_phrase("repeats_before")?,
    };
    let parts = groups.iter().map(|g| format!("{}: {} / {}", g.label, g.expected_written, g.actual_written));
    let alt = sheet.alt("alt_calibration", parts)?;
    let picture = draw(&sheet.id, &groups, &names, &alt);
    let columns = vec![
        (names.groups, false),
        (book.plain_phrase("customers")?, true),
        (names.expected, true),
        (names.actual, true),
        (book.plain_phrase("miss")?, true),
    ];
    Ok(Some(Drawing { picture, columns, rows }))
}

/// One group of customers.
#[derive(Clone, Debug)]
struct Group {
    /// Its name.
    label: String,
    /// What was expected; `None` where nothing could be.
    expected: Option<f64>,
    /// The same as written.
    expected_written: String,
    /// What came.
    actual: f64,
    /// The same as written.
    actual_written: String,
}

/// What the picture says besides figures.
#[derive(Clone, Debug)]
struct Names {
    /// Of the expected bars.
    expected: String,
    /// Of the actual bars.
    actual: String,
    /// What the groups are told apart by.
    groups: String,
}

/// Draws it upright for a page and lying for a phone.
fn draw(id: &str, groups: &[Group], names: &Names, alt: &str) -> Picture {
    let greatest = groups.iter().flat_map(|g| [g.actual, g.expected.unwrap_or(0.0)]).fold(0.0, f64::max);
    let wide = upright(&format!("{id}w"), groups, names, greatest, alt);
    let narrow = lying(&format!("{id}n"), groups, names, greatest, alt);
    Picture { wide, narrow: Some(narrow), scrolls: false, aspect: 720.0 / 252.0, alt: alt.to_string() }
}

/// The two kinds of bars by name, in the order of the bars.
fn key(svg: &mut Svg, names: &Names, y: f64, size: f64) {
    let mut x = 0.0;
    for (name, is_actual) in [(&names.expected, false), (&names.actual, true)] {
        bar(svg, (x, y - 9.0), (10.0, 10.0), is_actual);
        svg.text((x + 15.0, y), Anchor::Start, size, ("--ink", Weight::Regular), name);
        x += 15.0 + text_width(name, size) * 1.1 + 18.0;
    }
}

/// What came is full; what was only expected is grey.
fn bar(svg: &mut Svg, at: (f64, f64), size: (f64, f64), is_actual: bool) {
    svg.rect(at, size, if is_actual { "--accent" } else { "--context" }, if is_actual { 1.0 } else { 0.55 });
}

fn upright(id: &str, groups: &[Group], names: &Names, greatest: f64, alt: &str) -> String {
    let (width, height, base) = (720.0, 252.0, 206.0);
    let mut svg = Svg::new(id, width, height);
    key(&mut svg, names, 12.0, 12.0);
    let up = Scale::new((0.0, greatest), (base, 44.0));
    let pitch = width / groups.len().max(1) as f64;
    let thick = (pitch * 0.36).min(34.0);
    for (i, group) in groups.iter().enumerate() {
        let middle = pitch * (i as f64 + 0.5);
        let sides = [
            (middle - thick - 1.0, group.expected, &group.expected_written, false),
            (middle + 1.0, Some(group.actual), &group.actual_written, true),
        ];
        for (left, value, written, is_actual) in sides {
            let Some(value) = value else { continue };
            let top = up.at(value);
            bar(&mut svg, (left, top), (thick, (base - top).max(1.0)), is_actual);
            let style = if is_actual { ("--ink", Weight::Bold) } else { ("--quiet", Weight::Regular) };
            svg.text((left + thick / 2.0, top - 5.0), Anchor::Middle, 11.0, style, written);
        }
        svg.text((middle, base + 17.0), Anchor::Middle, 12.0, ("--ink", Weight::Regular), &group.label);
    }
    svg.line((0.0, base), (width, base), "--hair", false);
    svg.text((width / 2.0, height - 8.0), Anchor::Middle, 12.0, ("--quiet", Weight::Regular), &names.groups);
    svg.finish(alt)
}

fn lying(id: &str, groups: &[Group], names: &Names, greatest: f64, alt: &str) -> String {
    let (width, row, head) = (340.0, 40.0, 48.0);
    let mut svg = Svg::new(id, width, head + row * groups.len() as f64);
    key(&mut svg, names, 12.0, 13.0);
    svg.text((0.0, 35.0), Anchor::Start, 12.5, ("--quiet", Weight::Regular), &names.groups);
    let across = Scale::new((0.0, greatest), (0.0, width - 34.0 - 52.0));
    for (i, group) in groups.iter().enumerate() {
        let top = head + row * i as f64;
        svg.text((26.0, top + 20.0), Anchor::End, 13.0, ("--ink", Weight::Bold), &group.label);
        let lines = [
            (top, group.expected, &group.expected_written, false),
            (top + 15.0, Some(group.actual), &group.actual_written, true),
        ];
        for (y, value, written, is_actual) in lines {
            let Some(value) = value else { continue };
            let length = across.at(value);
            bar(&mut svg, (34.0, y), (length.max(1.0), 14.0), is_actual);
            let style = if is_actual { ("--ink", Weight::Bold) } else { ("--quiet", Weight::Regular) };
            svg.text((34.0 + length + 5.0, y + 11.5), Anchor::Start, 12.0, style, written);
        }
    }
    svg.finish(alt)
}

#[cfg(test)]
mod tests {
    use super::super::svg;
    use super::*;

    fn group(expected: Option<f64>, actual: f64) -> Group {
        Group { label: "x".into(), expected, expected_written: "e".into(), actual, actual_written: "a".into() }
    }

    fn names() -> Names {
        Names { expected: "expected".into(), actual: "actual".into(), groups: "repeats".into() }
    }

    /// Two rectangles of every sheet are the key.
    #[test]
    fn bars_are_proportional_on_one_scale() {
        let drawn = draw("c", &[group(Some(50.0), 100.0), group(Some(25.0), 75.0)], &names(), "alt");
        let heights = svg::of_rects(&drawn.wide, "height");
        assert_eq!(heights.len(), 6);
        for (height, value) in heights[2..].iter().zip([50.0, 100.0, 25.0, 75.0]) {
            assert!((height - heights[3] * value / 100.0).abs() < 0.2, "{heights:?}");
        }
        let widths = svg::of_rects(&drawn.narrow.unwrap(), "width");
        assert!((widths[3] - 2.0 * widths[2]).abs() < 0.2, "{widths:?}");
    }

    #[test]
    fn what_could_not_be_expected_has_no_bar() {
        let drawn = draw("c", &[group(None, 10.0)], &names(), "alt");
        assert_eq!(svg::of_rects(&drawn.wide, "height").len(), 3);
    }
}
