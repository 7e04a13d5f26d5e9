//! Bars by category, from zero, sorted by value unless the rows say otherwise.

use super::{Anchor, Chart, Drawing, Picture, Scale, Sheet, Svg, Weight, text_width};
use crate::blocks::TableRow;
use crate::call::{Call, attribute};
use crate::data::number;
use crate::decimal::Decimal;
use crate::formats::Format;
use crate::manual::{Argument, Example, Kind, PAGE, Page, Section};
use minijinja::Error;
use minijinja::value::Value;

pub(crate) const CHART: Chart = Chart {
    page: Page {
        name: "bars",
        section: Section::Charts,
        syntax: "bars(rows, x='region', y='revenue', sort='value', format=..., title=..., note=...)",
        summary: "A bar for each category",
        arguments: &[
            Argument::value("rows", Kind::Rows, "one row for each category"),
            Argument::required("x", Kind::Column, "the column that names the category"),
            Argument::required("y", Kind::NumberColumn, "the column that is drawn; NULL has no bar"),
            Argument::optional(
                "sort",
                Kind::Choice(&["value", "label", "none"]),
                "value",
                "greatest first, by name, or in the order of the rows",
            ),
            Argument::optional("format", Kind::Format, "what suits the values", "how the figures are written"),
            Argument::optional("unit", Kind::Text, "none", "the unit, behind figures and beside the head of the table"),
            Argument::optional("label", Kind::Text, "the name of y", "what is drawn, for the head of the table"),
            Argument::optional(
                "x_label",
                Kind::Text,
                "the name of x",
                "what the categories are, for the head of the table",
            ),
        ],
        description: "Bars begin at zero; what is below zero goes to the left and has another colour. More than twenty bars are \
                      hard to read: limit the query, or take a `table`. For periods take `columns`.",
        example: Example {
            rows: &[("regions", "region | revenue\nnorth | 800.00\nsouth | 1200.50\nwest | -50.00")],
            template: "{{ bars(regions, x='region', y='revenue', format='money', unit='EUR', label='Revenue',\n  x_label='Region', title='The south \
                       brings most', note='September 2026') }}",
            page: "## The south brings most\n\nSeptember 2026\n\nRegion | Revenue, EUR\nsouth | 1,201\nnorth | 800\nwest | \
                   \u{2212}50",
        },
        related: &["columns", "table", "formats"],
        ..PAGE
    },
    draw: chart,
};

fn chart(sheet: &Sheet<'_>, call: &Call) -> Result<Option<Drawing>, Error> {
    let book = sheet.book;
    let (x, y) = (call.required("x")?, call.required("y")?);
    let label = call.keyword("label")?.map_or_else(|| y.clone(), |label| book.plain(&label));
    let unit = call.keyword("unit")?.map_or_else(String::new, |unit| book.plain(&unit));
    let x_label = call.keyword("x_label")?.map_or_else(|| x.clone(), |label| book.plain(&label));
    let mut pairs: Vec<(String, Value)> = Vec::new();
    for row in call.rows()? {
        pairs.push((book.plain(&attribute(&row, &x)?), attribute(&row, &y)?));
    }
    if pairs.is_empty() {
        return Ok(None);
    }
    match call.name("sort")?.as_deref() {
        Some("none") => {}
        Some("label") => pairs.sort_by(|a, b| a.0.cmp(&b.0)),
        // Of equal values the first row stays first; those without a value come last.
        _ => pairs.sort_by_key(|(_, value)| std::cmp::Reverse(number(value))),
    }
    let format = match call.name("format")? {
        Some(name) => Format::named(&name)?,
        None => Format::Number(None),
    };
    let format = format.aligned(pairs.iter().map(|(_, value)| value));
    let mut rows = Vec::new();
    let mut bars = Vec::new();
    for (name, value) in &pairs {
        let figure = number(value);
        let written = figure.map(|v| super::with_unit(&format.write_short(v, book.language()), &unit));
        rows.push(TableRow::of(vec![name.clone(), book.cell(format, value)?]));
        bars.push(Bar {
            label: name.clone(),
            value: figure.map(Decimal::to_f64),
            written: written.unwrap_or_else(|| "\u{2013}".into()),
        });
    }
    let label = book.with_unit(&label, &unit);
    let parts = bars.iter().map(|bar| format!("{} {}", bar.label, bar.written));
    let alt = sheet.alt_with("alt_bars", &[("label", label.clone())], parts)?;
    let picture = draw(&sheet.id, &bars, &alt);
    Ok(Some(Drawing { picture, columns: vec![(x_label, false), (label, true)], rows }))
}

/// One category.
#[derive(Clone, Debug)]
struct Bar {
    /// Its name.
    label: String,
    /// Its value; `None` where there is none.
    value: Option<f64>,
    /// The value as written.
    written: String,
}

const SIZE: f64 = 12.5;
const ROW: f64 = 26.0;

/// Draws it for a page and for a phone.
fn draw(id: &str, bars: &[Bar], alt: &str) -> Picture {
    let wide = lying(&format!("{id}w"), 720.0, 220.0, bars, alt);
    let narrow = lying(&format!("{id}n"), 340.0, 120.0, bars, alt);
    let aspect = 720.0 / (ROW * bars.len() as f64 + 4.0);
    Picture { wide, narrow: Some(narrow), scrolls: false, aspect, alt: alt.to_string() }
}

/// Names at the left, on at most `max_names` of the width; bars from zero; figures at their ends.
fn lying(id: &str, width: f64, max_names: f64, bars: &[Bar], alt: &str) -> String {
    let room = |text: &str| text_width(text, SIZE) * 1.08;
    let names = bars.iter().map(|bar| room(&bar.label)).fold(0.0, f64::max).min(max_names) + 8.0;
    let figures = bars.iter().map(|bar| room(&bar.written)).fold(0.0, f64::max) + 8.0;
    let values = bars.iter().filter_map(|bar| bar.value);
    let reach = values.fold((0.0f64, 0.0f64), |(l, h), v| (l.min(v), h.max(v)));
    let left = if reach.0 < 0.0 { names + figures } else { names };
    let across = Scale::new(reach, (left, width - figures));
    let mut svg = Svg::new(id, width, ROW * bars.len() as f64 + 4.0);
    let zero = across.at(0.0);
    for (i, bar) in bars.iter().enumerate() {
        let top = ROW * i as f64 + 4.0;
        let line = top + 13.5;
        let ink = ("--ink", Weight::Regular);
        svg.text((0.0, line), Anchor::Start, SIZE, ink, &shortened(&bar.label, names - 8.0));
        let bold = ("--ink", Weight::Bold);
        match bar.value {
            Some(value) if value < 0.0 => {
                let end = across.at(value);
                svg.rect((end, top), ((zero - end).max(1.0), 18.0), "--worse", 1.0);
                svg.text((end - 5.0, line), Anchor::End, SIZE, bold, &bar.written);
            }
            Some(value) => {
                let end = across.at(value);
                svg.rect((zero, top), ((end - zero).max(1.0), 18.0), "--accent", 1.0);
                svg.text((end + 5.0, line), Anchor::Start, SIZE, bold, &bar.written);
            }
            None => svg.text((zero + 5.0, line), Anchor::Start, SIZE, ("--quiet", Weight::Regular), &bar.written),
        }
    }
    svg.line((zero, 0.0), (zero, ROW * bars.len() as f64 + 4.0), "--hair", false);
    svg.finish(alt)
}

/// A name that fits, cut with an ellipsis where it must be; the figures below have it whole.
fn shortened(name: &str, width: f64) -> String {
    if text_width(name, SIZE) * 1.08 <= width + 0.5 {
        return name.to_string();
    }
    let mut out = String::new();
    for c in name.chars() {
        if text_width(&format!("{out}{c}\u{2026}"), SIZE) * 1.08 > width {
            break;
        }
        out.push(c);
    }
    format!("{}\u{2026}", out.trim_end())
}

#[cfg(test)]
mod tests {
    use super::super::svg;
    use super::*;

    fn bar(label: &str, value: Option<f64>) -> Bar {
        Bar { label: label.into(), value, written: "1,234".into() }
    }

    #[test]
    fn bars_are_proportional_on_one_scale() {
        let drawn = draw("b", &[bar("a", Some(100.0)), bar("b", None), bar("c", Some(-50.0))], "alt").wide;
        let widths = svg::of_rects(&drawn, "width");
        assert_eq!(widths.len(), 2);
        assert!((widths[0] - 2.0 * widths[1]).abs() < 0.2, "{widths:?}");
    }

    #[test]
    fn long_names_are_cut_and_say_so() {
        let name = "Northwind Outfitters and Sons of the Lower Rhine";
        assert_eq!(shortened("north", 120.0), "north");
        let cut = shortened(name, 120.0);
        assert!(cut.ends_with('\u{2026}') && text_width(&cut, SIZE) <= 120.0, "{cut}");
    }
}
