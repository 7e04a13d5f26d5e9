//! Two pyramids on one axis: the same tiers by head count (left) and by value (right), both as shares on one scale, so
//! that the eye compares how few make how much.

use super::{Anchor, Picture, Svg, Weight};

/// One tier.
#[derive(Clone, Debug)]
pub struct Tier {
    /// Its name.
    pub label: String,
    /// Share of customers, 0 to 1.
    pub heads: f64,
    /// The count and share as they are written.
    pub heads_written: String,
    /// Share of value, 0 to 1; `None` where it has none (below zero).
    pub value: Option<f64>,
    /// The amount and share as they are written.
    pub value_written: String,
}

/// Draws it, heads of the two sides given as written.
pub fn draw(id: &str, tiers: &[Tier], sides: (&str, &str), alt: &str) -> Picture {
    let height = 30.0 + 52.0 * tiers.len() as f64;
    let wide = page(&format!("{id}w"), tiers, sides, alt);
    let narrow = phone(&format!("{id}n"), tiers, sides, alt);
    Picture { wide, narrow: Some(narrow), scrolls: false, aspect: 720.0 / height, alt: alt.to_string() }
}

/// The greatest share of either side: it fills the room there is, and both sides keep one scale.
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
