//! A small writer of SVG: shapes in theme colours, text that is escaped and measured.

use std::fmt::Write;

/// Where a text is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// At its left end.
    Start,
    /// In its middle.
    Middle,
    /// At its right end.
    End,
}

/// How heavy a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Common text.
    Regular,
    /// What is to be seen first.
    Bold,
}

/// A picture being drawn. Lengths are in CSS pixels.
#[derive(Debug)]
pub(crate) struct Svg {
    width: f64,
    height: f64,
    body: String,
    hatched: bool,
    id: String,
}

impl Svg {
    /// An empty sheet; `id` keeps its patterns apart from those of other pictures of the page.
    pub(crate) fn new(id: &str, width: f64, height: f64) -> Svg {
        Svg { width, height, body: String::new(), hatched: false, id: id.to_string() }
    }

    /// A filled rectangle. `opacity` thins the colour.
    pub(crate) fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str, opacity: f64) {
        let fade = if opacity < 1.0 { format!(";fill-opacity:{opacity:.2}") } else { String::new() };
        let _ = write!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" style=\"fill:var({fill}){fade}\"/>",
            width.max(0.0),
            height.max(0.0),
        );
    }

    /// A hatched rectangle with a thin outline: what is not over yet.
    pub(crate) fn hatch(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), stroke: &str) {
        self.hatched = true;
        let _ = write!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" \
             style=\"fill:url(#{}-hatch);stroke:var({stroke});stroke-width:0.75\"/>",
            width.max(0.0),
            height.max(0.0),
            self.id,
        );
    }

    /// A straight hairline.
    pub(crate) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), stroke: &str, dashed: bool) {
        let dash = if dashed { ";stroke-dasharray:2 2" } else { "" };
        let _ = write!(
            self.body,
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" \
             style=\"stroke:var({stroke});stroke-width:1{dash}\"/>",
        );
    }

    /// A line through points; a gap (`None`) interrupts it.
    pub(crate) fn polyline(&mut self, points: &[Option<(f64, f64)>], stroke: &str, width: f64) {
        let mut path = String::new();
        let mut pen_down = false;
        for point in points {
            match point {
                Some((x, y)) => {
                    let _ = write!(path, "{}{x:.1} {y:.1}", if pen_down { "L" } else { "M" });
                    pen_down = true;
                }
                None => pen_down = false,
            }
        }
        let _ = write!(
            self.body,
            "<path d=\"{path}\" style=\"fill:none;stroke:var({stroke});stroke-width:{width};\
             stroke-linejoin:round;stroke-linecap:round\"/>",
        );
    }

    /// A filled shape by its path.
    pub(crate) fn shape(&mut self, path: &str, fill: &str, opacity: f64) {
        let _ = write!(self.body, "<path d=\"{path}\" style=\"fill:var({fill});fill-opacity:{opacity:.2}\"/>");
    }

    /// A dot; hollow where the period is still open.
    pub(crate) fn dot(&mut self, (x, y): (f64, f64), radius: f64, colour: &str, hollow: bool) {
        let style = if hollow {
            format!("fill:var(--paper);stroke:var({colour});stroke-width:1.5")
        } else {
            format!("fill:var({colour})")
        };
        let _ = write!(self.body, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\" style=\"{style}\"/>");
    }

    /// A line of text on its base line.
    pub(crate) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, size: f64, style: (&str, Weight), text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if style.1 == Weight::Bold { ";font-weight:700" } else { "" };
        let _ = write!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\" \
             style=\"fill:var({}){weight}\">{}</text>",
            style.0,
            escape(text),
        );
    }

    /// Text in one or two lines around a middle, broken at a space where it is wider than `width`.
    pub(crate) fn label(&mut self, (x, y): (f64, f64), width: f64, size: f64, style: (&str, Weight), text: &str) {
        match broken(text, width, size) {
            (first, Some(second)) => {
                self.text((x, y), Anchor::Middle, size, style, first);
                self.text((x, y + size * 1.25), Anchor::Middle, size, style, second);
            }
            (only, None) => self.text((x, y), Anchor::Middle, size, style, only),
        }
    }

    /// The finished picture, named for those who cannot see it.
    pub(crate) fn finish(self, alt: &str) -> String {
        let hatch = if self.hatched {
            format!(
                "<defs><pattern id=\"{}-hatch\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" \
                 patternTransform=\"rotate(45)\"><line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"5\" \
                 style=\"stroke:var(--context);stroke-width:1.4;stroke-opacity:0.55\"/></pattern></defs>",
                self.id
            )
        } else {
            String::new()
        };
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w:.0} {h:.0}\" width=\"{w:.0}\" \
             height=\"{h:.0}\" role=\"img\" aria-label=\"{}\" style=\"font-family:var(--sans)\">{hatch}{}</svg>",
            escape(alt),
            self.body,
            w = self.width,
            h = self.height,
        )
    }
}

fn broken(text: &str, width: f64, size: f64) -> (&str, Option<&str>) {
    if text_width(text, size) <= width {
        return (text, None);
    }
    let middle = text.len() / 2;
    let space = text.char_indices().filter(|(_, c)| *c == ' ').min_by_key(|(i, _)| i.abs_diff(middle));
    match space {
        Some((i, _)) => (&text[..i], Some(&text[i + 1..])),
        None => (text, None),
    }
}

/// About how wide a text is: Chinese characters are square, Latin ones a little over half as wide as high.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    text.chars()
        .map(|c| match c {
            ' ' | '.' | ',' | 'i' | 'l' | ':' => 0.28,
            '\u{202f}' => 0.2,
            c if (c as u32) >= 0x2e80 => 1.0,
            'm' | 'w' | 'M' | 'W' | '%' => 0.9,
            _ => 0.57,
        })
        .sum::<f64>()
        * size
}

/// Text made safe for XML, in attributes too; characters that XML forbids are left out.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if (c as u32) < 0x20 && !matches!(c, '\t' | '\n' | '\r') => {}
            '\u{fffe}' | '\u{ffff}' => {}
            c => out.push(c),
        }
    }
    out
}

/// An attribute of every rectangle of a drawing, in their order.
#[cfg(test)]
pub(super) fn of_rects(svg: &str, attribute: &str) -> Vec<f64> {
    let before = format!("{attribute}=\"");
    let value = |r: &str| r.split(&before).nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
    svg.split("<rect ").skip(1).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_names_are_escaped() {
        let mut svg = Svg::new("a", 10.0, 10.0);
        svg.text((0.0, 0.0), Anchor::Start, 12.0, ("--ink", Weight::Regular), "<script>&\"\u{0}");
        let out = svg.finish("a \"b\" <c>");
        assert!(out.contains(">&lt;script&gt;&amp;&quot;</text>"), "{out}");
        assert!(out.contains("aria-label=\"a &quot;b&quot; &lt;c&gt;\""), "{out}");
    }

    #[test]
    fn chinese_is_measured_wider_than_latin() {
        assert!(text_width("关键客户", 10.0) > text_width("Keys", 10.0));
        assert_eq!(text_width("关键", 10.0), 20.0);
    }
}
