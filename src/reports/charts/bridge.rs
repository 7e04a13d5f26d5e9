//! The bridge (waterfall): from what sales were to what they are, one step for each cause. Start and end stand on zero,
//! steps hang between, hairlines connect them; signs are written, so that it reads without colour.

use super::{Anchor, Picture, Scale, Svg, Weight, text_width};

/// One column.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name.
    pub label: String,
    /// Its amount as it is written, signs included.
    pub written: String,
    /// Its amount.
    pub amount: f64,
    /// Start and end stand on zero.
    pub is_level: bool,
}

/// A column as drawn: from where to where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Lower and upper value.
    pub from: f64,
    /// Where the running sum stands behind it.
    pub to: f64,
}

/// Where each column lies: levels from zero, steps from the running sum.
pub fn spans(steps: &[Step]) -> Vec<Span> {
    let mut running = 0.0;
    steps
        .iter()
        .map(|step| {
            let from = if step.is_level { 0.0 } else { running };
            running = from + step.amount;
            Span { from, to: running }
        })
        .collect()
}

/// Draws it upright for a page and lying for a phone. `open` hatches the end.
pub fn draw(id: &str, steps: &[Step], open: bool, alt: &str) -> Picture {
    let spans = spans(steps);
    let reach = spans.iter().flat_map(|s| [s.from, s.to]).fold((0.0f64, 0.0f64), |(l, h), v| (l.min(v), h.max(v)));
    let (wide, aspect) = upright(&format!("{id}w"), steps, &spans, reach, open, alt);
    let narrow = lying(&format!("{id}n"), steps, &spans, reach, open, alt);
    Picture { wide, narrow: Some(narrow), scrolls: false, aspect, alt: alt.to_string() }
}

fn colour(step: &Step) -> &'static str {
    match step.is_level {
        true => "--context",
        false if step.amount < 0.0 => "--worse",
        false => "--better",
    }
}

fn bar(svg: &mut Svg, at: (f64, f64), size: (f64, f64), step: &Step, hatched: bool) {
    if hatched { svg.hatch(at, size, "--context") } else { svg.rect(at, size, colour(step), 1.0) }
}

fn upright(id: &str, steps: &[Step], spans: &[Span], reach: (f64, f64), open: bool, alt: &str) -> (String, f64) {
    let width = 720.0;
    let pitch = width / steps.len().max(1) as f64;
    let two_lines = steps.iter().any(|s| text_width(&s.label, 12.0) > pitch - 4.0);
    let height = if two_lines { 276.0 } else { 261.0 };
    let floor = 236.0;
    let mut svg = Svg::new(id, width, height);
    let bar_width = pitch * 0.62;
    let up = Scale::new(reach, (floor, 22.0));
    svg.line((0.0, up.at(0.0)), (width, up.at(0.0)), "--hair", false);
    for (i, (step, span)) in steps.iter().zip(spans).enumerate() {
        let middle = pitch * (i as f64 + 0.5);
        let (top, bottom) = (up.at(span.from.max(span.to)), up.at(span.from.min(span.to)));
        let last = i + 1 == steps.len();
        if !last {
            let level = up.at(span.to);
            svg.line((middle + bar_width / 2.0, level), (middle + pitch - bar_width / 2.0, level), "--context", false);
        }
        bar(&mut svg, (middle - bar_width / 2.0, top), (bar_width, (bottom - top).max(1.0)), step, open && last);
        let weight = if step.is_level { Weight::Bold } else { Weight::Regular };
        let below = step.amount < 0.0 && !step.is_level;
        let y = if below { bottom + 15.0 } else { top - 7.0 };
        svg.text((middle, y), Anchor::Middle, 12.5, ("--ink", weight), &step.written);
        svg.label((middle, floor + 19.0), pitch - 4.0, 12.0, ("--quiet", Weight::Regular), &step.label);
    }
    (svg.finish(alt), width / height)
}

fn lying(id: &str, steps: &[Step], spans: &[Span], reach: (f64, f64), open: bool, alt: &str) -> String {
    let (width, row) = (340.0, 40.0);
    let mut svg = Svg::new(id, width, row * steps.len() as f64 + 4.0);
    let across = Scale::new(reach, (2.0, width - 2.0));
    let mut texts = Vec::new();
    for (i, (step, span)) in steps.iter().zip(spans).enumerate() {
        let top = row * i as f64;
        let (left, right) = (across.at(span.from.min(span.to)), across.at(span.from.max(span.to)));
        let last = i + 1 == steps.len();
        bar(&mut svg, (left, top + 20.0), ((right - left).max(1.0), 13.0), step, open && last);
        if !last {
            let x = across.at(span.to);
            svg.line((x, top + 33.0), (x, top + row + 20.0), "--context", false);
        }
        let weight = if step.is_level { Weight::Bold } else { Weight::Regular };
        texts.push((top, weight, step));
    }
    // Words go last, on a ground of paper, so that no connector runs through them.
    for (top, weight, step) in texts {
        let ground = |text: &str| (text_width(text, 13.0) * 1.1 + 4.0, 17.0);
        svg.rect((0.0, top + 1.0), ground(&step.label), "--paper", 1.0);
        let size = ground(&step.written);
        svg.rect((width - size.0, top + 1.0), size, "--paper", 1.0);
        svg.text((2.0, top + 14.0), Anchor::Start, 13.0, ("--quiet", Weight::Regular), &step.label);
        svg.text((width - 2.0, top + 14.0), Anchor::End, 13.0, ("--ink", weight), &step.written);
    }
    svg.finish(alt)
}

#[cfg(test)]
mod tests {
    use super::super::svg;
    use super::*;

    fn step(amount: f64, is_level: bool) -> Step {
        Step { label: "x".into(), written: "y".into(), amount, is_level }
    }

    #[test]
    fn steps_follow_each_other_and_levels_stand_on_zero() {
        let steps = [step(100.0, true), step(30.0, false), step(-50.0, false), step(80.0, true)];
        let spans = spans(&steps);
        assert_eq!(spans[0], Span { from: 0.0, to: 100.0 });
        assert_eq!(spans[1], Span { from: 100.0, to: 130.0 });
        assert_eq!(spans[2], Span { from: 130.0, to: 80.0 });
        assert_eq!(spans[3], Span { from: 0.0, to: 80.0 });
    }

    #[test]
    fn heights_are_proportional_to_amounts() {
        let steps = [step(100.0, true), step(-50.0, false), step(50.0, true)];
        let drawn = draw("b", &steps, false, "alt").wide;
        let heights = svg::of_rects(&drawn, "height");
        assert_eq!(heights.len(), 3);
        assert!((heights[0] - 2.0 * heights[1]).abs() < 0.2, "{heights:?}");
        assert!((heights[1] - heights[2]).abs() < 0.2, "{heights:?}");
    }

    #[test]
    fn an_open_period_is_hatched_only_at_its_end() {
        let drawn = draw("b", &[step(1.0, true), step(2.0, true)], true, "alt").wide;
        assert_eq!(drawn.matches("url(#bw-hatch)").count(), 1);
    }
}
