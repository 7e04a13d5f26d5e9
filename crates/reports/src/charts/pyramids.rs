//! Two pyramids on one axis: the same tiers by head count (left) and by value (right), both as shares on one scale, so
//! that the eye compares how few make how much.

use super::{Anchor, Chart, Drawing, Picture, Sheet, Svg, Weight};
use crate::blocks::TableRow;
use crate::call::{Call, figure, optional_figure, text};
use crate::decimal::Decimal;
use crate::manual::{Argument, Example, Kind, PAGE, Page, Section};
use crate::number::{self, Sign};
use minijinja::Error;

/// Tiers from the top of the pyramid.
const TIERS: [&str; 3] = ["key", "ordinary", "small"];

pub(crate) const CHART: Chart = Chart {
    page: Page {
        name: "pyramids",
        section: Section::Charts,
        syntax: "pyramids(rows, title=..., note=...)",
        summary: "Tiers of customers by head count and by value, mirrored on one axis",
        columns: &[
            ("tier", "`key`, `ordinary`, `small`, or any other text"),
            ("customers", "how many customers are in it"),
            ("value", "what they are worth; NULL where it is not known"),
        ],
        arguments: &[Argument::value("rows", Kind::Rows, "the tiers; `marts.customer_tier` has them by customer")],
        description: "Both sides are shares on one scale. Shares of value are of what is above zero; a tier below zero has no bar.",
        example: Example {
            rows: &[(
                "tiers",
                "tier | customers | value\nkey | 20 | 800.00\nordinary | 30 | 150.00\nsmall | 50 | 50.00",
            )],
            template: "{{ pyramids(tiers, title='20 key customers make 80 % of revenue', note='Net revenue in EUR') }}",
            page: "## 20 key customers make 80 % of revenue\n\nNet revenue in EUR\n\nTier | Customers | Of customers | \
                   Revenue, EUR | Of revenue\nKey | 20 | 20.0\u{202f}% | 800 | 80.0\u{202f}%\nOrdinary | 30 | 30.0\u{202f}% | \
                   150 | 15.0\u{202f}%\nSmall | 50 | 50.0\u{202f}% | 50 | 5.0\u{202f}%",
        },
        related: &["migration", "bars"],
        ..PAGE
    },
    draw: chart,
};

fn chart(sheet: &Sheet<'_>, call: &Call) -> Result<Option<Drawing>, Error> {
    let book = sheet.book;
    let language = book.language();
    let mut found = Vec::new();
    for row in call.rows()? {
        found.push((text(&row, "tier")?, figure(&row, "customers")?, optional_figure(&row, "value")?));
    }
    let rank = |tier: &str| TIERS.iter().position(|t| *t == tier).unwrap_or(TIERS.len());
    found.sort_by_key(|(tier, ..)| rank(tier));
    let heads_all = found.iter().fold(Decimal::default(), |s, (_, n, _)| s.plus(*n));
    // Shares are of the non-negative base; what lies below zero is told but has no bar.
    let positive = |v: &Option<Decimal>| v.filter(|v| v.signum() > 0);
    let value_all = found.iter().filter_map(|(.., v)| positive(v)).fold(Decimal::default(), Decimal::plus);
    let percent = |share: Decimal| number::percent(share, language, Sign::Minus);
    let dash = || "\u{2013}".to_string();
    let mut tiers = Vec::new();
    let mut rows = Vec::new();
    for (tier, heads, value) in &found {
        let label = sheet.tier(tier)?;
        let head_share = heads.over(heads_all).unwrap_or_default();
        let value_share = positive(value).and_then(|v| v.over(value_all));
        let value_short = value.map_or_else(String::new, |v| number::short(v, language, Sign::Minus));
        let count = number::integer(*heads, language);
        rows.push(TableRow::of(vec![
            label.clone(),
            count.clone(),
            percent(head_share),
            value.map_or_else(dash, |v| number::integer(v, language)),
            value_share.map_or_else(dash, percent),
        ]));
        tiers.push(Tier {
            label,
            heads: head_share.to_f64(),
            heads_written: format!("{count} \u{b7} {}", percent(head_share)),
            value: value_share.map(Decimal::to_f64),
            value_written: match value_share {
                Some(share) => format!("{value_short} \u{b7} {}", percent(share)),
                None => value_short,
            },
        });
    }
    let parts = tiers.iter().map(|t| format!("{}: {}, {}", t.label, t.heads_written, t.value_written));
    let alt = sheet.alt("alt_pyramids", parts)?;
    let (heads, value) = (book.plain_phrase("customers")?, book.with_currency("value")?);
    let picture = draw(&sheet.id, &tiers, (&heads, &value), &alt);
    let columns = vec![
        (book.plain_phrase("tier")?, false),
        (heads, true),
        (book.plain_phrase("share_of_customers")?, true),
        (value, true),
        (book.plain_phrase("share_of_value")?, true),
    ];
    Ok(Some(Drawing { picture, columns, rows }))
}

/// One tier.
#[derive(Clone, Debug)]
struct Tier {
    /// Its name.
    label: String,
    /// Share of customers, 0 to 1.
    heads: f64,
    /// The count and share as they are written.
    heads_written: String,
    /// Share of value, 0 to 1; `None` where it has none (below zero).
    value: Option<f64>,
    /// The amount and share as they are written.
    value_written: String,
}

/// Draws it, heads of the two sides given as written.
fn draw(id: &str, tiers: &[Tier], sides: (&str, &str), alt: &str) -> Picture {
    let height = 30.0 + 52.0 * tiers.len() as f64;
    let wide = page(&format!("{id}w"), tiers, sides, alt);
    let narrow = phone(&format!("{id}n"), tiers, sides, alt);
    Picture { wide, narrow: Some(narrow), scrolls: false, aspect: 720.0 / height, alt: alt.to_string() }
}

/// The greatest share of either side: it fills the width there is, and both sides keep one scale.
fn greatest(tiers: &[Tier]) -> f64 {
    tiers.iter().flat_map(|t| [t.heads, t.value.unwrap_or(0.0)]).fold(0.01, f64::max)
}

fn page(id: &str, tiers: &[Tier], sides: (&str, &str), alt: &str) -> String {
    let (width, row, gap, room) = (720.0, 52.0, 104.0, 116.0);
    let mut svg = Svg::new(id, width, 30.0 + row * tiers.len() as f64);
    let (left, right) = (width / 2.0 - gap / 2.0, width / 2.0 + gap / 2.0);
    let full = (left - room) / greatest(tiers);
    let quiet = ("--quiet", Weight::Regular);
    svg.text((left, 14.0), Anchor::End, 12.0, quiet, sides.0);
    svg.text((right, 14.0), Anchor::Start, 12.0, quiet, sides.1);
    for (i, tier) in tiers.iter().enumerate() {
        let top = 26.0 + row * i as f64;
        let (heads, value) = (full * tier.heads, full * tier.value.unwrap_or(0.0));
        svg.rect((left - heads, top), (heads.max(1.0), 36.0), "--context", 1.0);
        svg.rect((right, top), (value.max(if tier.value.is_some() { 1.0 } else { 0.0 }), 36.0), "--accent", 1.0);
        let line = top + 22.5;
        svg.text((width / 2.0, line), Anchor::Middle, 13.0, ("--ink", Weight::Bold), &tier.label);
        let ink = ("--ink", Weight::Regular);
        svg.text((left - heads - 8.0, line), Anchor::End, 12.5, ink, &tier.heads_written);
        svg.text((right + value + 8.0, line), Anchor::Start, 12.5, ink, &tier.value_written);
    }
    svg.finish(alt)
}

fn phone(id: &str, tiers: &[Tier], sides: (&str, &str), alt: &str) -> String {
    let (width, row) = (340.0, 66.0);
    let mut svg = Svg::new(id, width, 22.0 + row * tiers.len() as f64);
    let (middle, full) = (width / 2.0, (width / 2.0 - 3.0) / greatest(tiers));
    svg.text((0.0, 13.0), Anchor::Start, 12.5, ("--quiet", Weight::Regular), sides.0);
    svg.text((width, 13.0), Anchor::End, 12.5, ("--quiet", Weight::Regular), sides.1);
    for (i, tier) in tiers.iter().enumerate() {
        let top = 26.0 + row * i as f64;
        let (heads, value) = (full * tier.heads, full * tier.value.unwrap_or(0.0));
        let ink = ("--ink", Weight::Regular);
        svg.text((middle, top + 12.0), Anchor::Middle, 13.0, ("--ink", Weight::Bold), &tier.label);
        svg.text((0.0, top + 12.0), Anchor::Start, 12.0, ink, &tier.heads_written);
        svg.text((width, top + 12.0), Anchor::End, 12.0, ink, &tier.value_written);
        svg.rect((middle - 2.0 - heads, top + 20.0), (heads.max(1.0), 24.0), "--context", 1.0);
        svg.rect((middle + 2.0, top + 20.0), (value.max(1.0), 24.0), "--accent", 1.0);
    }
    svg.finish(alt)
}

#[cfg(test)]
mod tests {
    use super::super::svg;
    use super::*;

    #[test]
    fn both_sides_share_one_scale() {
        let tier = |heads, value| Tier {
            label: "k".into(),
            heads,
            heads_written: "h".into(),
            value: Some(value),
            value_written: "v".into(),
        };
        let drawn = draw("p", &[tier(0.25, 0.5), tier(0.75, 0.5)], ("l", "r"), "alt").wide;
        let widths = svg::of_rects(&drawn, "width");
        assert_eq!(widths.len(), 4);
        assert!((widths[1] - 2.0 * widths[0]).abs() < 0.2, "{widths:?}");
        assert!((widths[2] - 3.0 * widths[0]).abs() < 0.3, "{widths:?}");
        assert_eq!(widths[1], widths[3]);
    }
}
