//! Columns over time, from zero; the last one marked, an open one hatched, a missing one left out.

use super::{Anchor, Picture, Scale, Svg, Weight};

/// One period.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name below the axis.
    pub label: String,
    /// Its value; `None` where there is none.
    pub value: Option<f64>,
    /// The value as written.
    pub written: String,
    /// The period is not over.
    pub open: bool,
}

/// Draws it for a page and for a phone.
pub fn draw(id: &str, columns: &[Column], alt: &str) -> Picture {
    let wide = sheet(&format!("{id}w"), 720.0, columns, alt);
    let narrow = sheet(&format!("{id}n"), 340.0, columns, alt);
    Picture { wide, narrow: Some(narrow), scrolls: false, aspect: 720.0 / 200.0, alt: alt.to_string() }
}

fn sheet(id: &str, width: f64, columns: &[Column], alt: &str) -> String {
    let height = 200.0;
    let mut svg = Svg::new(id, width, height);
    let values = columns.iter().filter_map(|c| c.value);
    let reach = values.fold((0.0f64, 0.0f64), |(l, h), v| (l.min(v), h.max(v)));
    let up = Scale::new(reach, (height - 30.0, 22.0));
    let pitch = width / columns.len().max(1) as f64;
    let thick = (pitch * 0.66).min(64.0);
    // A label needs about 62 px; where columns stand closer only every second, third ... is named, counted from the
    // last.
    let every = (62.0 / pitch).ceil().max(1.0) as usize;
    let greatest = columns.iter().filter_map(|c| c.value).fold(f64::MIN, f64::max);
    for (i, column) in columns.iter().enumerate() {
        let middle = pitch * (i as f64 + 0.5);
        let last = i + 1 == columns.len();
        if let Some(value) = column.value {
            let (top, bottom) = (up.at(value.max(0.0)), up.at(value.min(0.0)));
            let at = (middle - thick / 2.0, top);
            let size = (thick, (bottom - top).max(1.0));
            match (column.open, last) {
                (true, _) => svg.hatch(at, size, "--context"),
                (false, true) => svg.rect(at, size, "--accent", 1.0),
                (false, false) => svg.rect(at, size, "--context", 0.7),
            }
            if last || value == greatest {
                let at = (middle.clamp(28.0, width - 28.0), top - 6.0);
                svg.text(at, Anchor::Middle, 12.5, ("--ink", Weight::Bold), &column.written);
            }
        }
        if (columns.len() - 1 - i).is_multiple_of(every) {
            let (at, anchor) = match () {
                () if last && thick < 50.0 => (middle + thick / 2.0, Anchor::End),
                () => (middle, Anchor::Middle),
            };
            svg.text((at, height - 10.0), anchor, 12.0, ("--quiet", Weight::Regular), &column.label);
        }
    }
    svg.line((0.0, up.at(0.0)), (width, up.at(0.0)), "--hair", false);
    svg.finish(alt)
}

#[cfg(test)]
mod tests {
    use super::super::svg;
    use super::*;

    #[test]
    fn columns_begin_at_zero_and_unknown_ones_are_left_out() {
        let column = |value| Column { label: "x".into(), value, written: "y".into(), open: false };
        let drawn = draw("s", &[column(Some(100.0)), column(None), column(Some(50.0))], "alt").wide;
        let heights = svg::of_rects(&drawn, "height");
        assert_eq!(heights.len(), 2);
        assert!((heights[0] - 2.0 * heights[1]).abs() < 0.2, "{heights:?}");
    }
}
