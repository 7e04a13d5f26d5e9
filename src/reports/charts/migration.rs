//! Who moved between tiers: an alluvial picture. Left the tiers before, right after; a ribbon is as thick as it has
//! customers. Those who stayed are grey, ups and downs have their colours and their signs in the words beside.

use super::{Anchor, Picture, Svg, Weight, text_width};
use std::fmt::Write;

/// A ribbon between two states, named by their place in the list of states (best first).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flow {
    /// State before.
    pub from: usize,
    /// State after.
    pub to: usize,
    /// Customers.
    pub customers: f64,
}

/// A state's column of customers on one side.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub label: String,
    /// How many, as written.
    pub written: String,
}

const GAP: f64 = 14.0;

/// Draws it. `before` and `after` name every state in the order of the flows' indices; empty states are left out.
pub fn draw(id: &str, flows: &[Flow], nodes: (&[Node], &[Node]), sides: (&str, &str), alt: &str) -> Picture {
    let wide = sheet(&format!("{id}w"), (720.0, 290.0, 148.0, 12.5), flows, nodes, sides, alt);
    let narrow = sheet(&format!("{id}n"), (340.0, 340.0, 92.0, 12.0), flows, nodes, sides, alt);
    Picture { wide, narrow: Some(narrow), scrolls: false, aspect: 720.0 / 290.0, alt: alt.to_string() }
}

/// Where the states of one side stand: top and height, in the order of the states.
pub fn stack(totals: &[f64], height: f64) -> Vec<(f64, f64)> {
    let used = totals.iter().filter(|t| **t > 0.0).count();
    let sum: f64 = totals.iter().sum();
    let unit = if sum > 0.0 { (height - GAP * used.saturating_sub(1) as f64) / sum } else { 0.0 };
    let mut top = 0.0;
    totals
        .iter()
        .map(|total| {
            let place = (top, total * unit);
            if *total > 0.0 {
                top += place.1 + GAP;
            }
            place
        })
        .collect()
}

fn sheet(
    id: &str,
    (width, height, margin, size): (f64, f64, f64, f64),
    flows: &[Flow],
    (before, after): (&[Node], &[Node]),
    sides: (&str, &str),
    alt: &str,
) -> String {
    let total =
        |side: fn(&Flow) -> usize, i: usize| flows.iter().filter(|f| side(f) == i).map(|f| f.customers).sum::<f64>();
    let from: Vec<f64> = (0..before.len()).map(|i| total(|f| f.from, i)).collect();
    let to: Vec<f64> = (0..after.len()).map(|i| total(|f| f.to, i)).collect();
    // One unit for both sides: the side with more gaps decides, so that equal heads are equally thick left and right.
    let gaps = from.iter().filter(|t| **t > 0.0).count().max(to.iter().filter(|t| **t > 0.0).count());
    let side_height = |totals: &[f64]| {
        let own = totals.iter().filter(|t| **t > 0.0).count();
        height - 30.0 - 8.0 - GAP * (gaps - own) as f64
    };
    let (left, right) = (stack(&from, side_height(&from)), stack(&to, side_height(&to)));
    let unit = if from.iter().sum::<f64>() > 0.0 {
        left.iter().map(|p| p.1).sum::<f64>() / from.iter().sum::<f64>()
    } else {
        0.0
    };
    let (x1, x2) = (margin, width - margin);
    let lines = (label_lines(&left, size), label_lines(&right, size));
    let lowest = lines.0.iter().chain(&lines.1).flatten().map(|(y, two)| y + if *two { size * 1.2 } else { 0.0 });
    let mut svg = Svg::new(id, width, lowest.fold(height, |h, y| h.max(y + 6.0)));
    ribbons(&mut svg, flows, (&left, &right), unit, (x1 + 6.0, x2 - 6.0));
    let quiet = ("--quiet", Weight::Regular);
    svg.text((x1 + 6.0, 14.0), Anchor::End, size, quiet, sides.0);
    svg.text((x2 - 6.0, 14.0), Anchor::Start, size, quiet, sides.1);
    column(&mut svg, before, (&left, &lines.0), (x1, x1 - 8.0), Anchor::End, size);
    column(&mut svg, after, (&right, &lines.1), (x2 - 6.0, x2 + 8.0), Anchor::Start, size);
    svg.finish(alt)
}

/// Base lines of the names, kept apart, and whether name and count have a line each; `None` for empty states.
fn label_lines(places: &[(f64, f64)], size: f64) -> Vec<Option<(f64, bool)>> {
    let mut free = 26.0;
    places
        .iter()
        .map(|(top, high)| {
            if *high <= 0.0 {
                return None;
            }
            let two = *high >= size * 2.6;
            let middle = 30.0 + top + high / 2.0;
            let line = (middle + if two { -1.0 } else { size * 0.36 }).max(free + size);
            free = line + if two { size * 1.2 } else { 0.0 } + size * 0.3;
            Some((line, two))
        })
        .collect()
}

fn column(
    svg: &mut Svg,
    nodes: &[Node],
    (places, lines): (&[(f64, f64)], &[Option<(f64, bool)>]),
    (bar, text): (f64, f64),
    anchor: Anchor,
    size: f64,
) {
    for ((node, (top, high)), line) in nodes.iter().zip(places).zip(lines) {
        let Some((line, two)) = line else { continue };
        svg.rect((bar, 30.0 + top), (6.0, high.max(1.0)), "--ink", 1.0);
        let (bold, quiet) = (("--ink", Weight::Bold), ("--quiet", Weight::Regular));
        if *two {
            svg.text((text, *line), anchor, size, bold, &node.label);
            svg.text((text, line + size * 1.2), anchor, size, quiet, &node.written);
        } else {
            // Thin states have name and count on one line.
            let step = text_width(&node.label, size) * 1.08 + 6.0;
            let count = text_width(&node.written, size) * 1.08 + 6.0;
            match anchor {
                Anchor::End => {
                    svg.text((text - count, *line), anchor, size, bold, &node.label);
                    svg.text((text, *line), anchor, size, quiet, &node.written);
                }
                _ => {
                    svg.text((text, *line), anchor, size, bold, &node.label);
                    svg.text((text + step, *line), anchor, size, quiet, &node.written);
                }
            }
        }
    }
}

fn ribbons(svg: &mut Svg, flows: &[Flow], sides: (&[(f64, f64)], &[(f64, f64)]), unit: f64, (x1, x2): (f64, f64)) {
    let mut used_left = vec![0.0; sides.0.len()];
    let mut used_right = vec![0.0; sides.1.len()];
    let mut ordered: Vec<Flow> = flows.iter().copied().filter(|f| f.customers > 0.0).collect();
    ordered.sort_by_key(|f| (f.from, f.to));
    let mut placed = Vec::new();
    for flow in ordered {
        let thick = flow.customers * unit;
        let a = 30.0 + sides.0[flow.from].0 + used_left[flow.from];
        used_left[flow.from] += thick;
        placed.push((flow, a, thick));
    }
    placed.sort_by_key(|(f, ..)| (f.to, f.from));
    for (flow, a, thick) in placed {
        let b = 30.0 + sides.1[flow.to].0 + used_right[flow.to];
        used_right[flow.to] += thick;
        let bend = (x1 + x2) / 2.0;
        let mut path = String::new();
        let _ = write!(
            path,
            "M{x1:.1} {a:.1}C{bend:.1} {a:.1} {bend:.1} {b:.1} {x2:.1} {b:.1}L{x2:.1} {:.1}\
             C{bend:.1} {:.1} {bend:.1} {:.1} {x1:.1} {:.1}Z",
            b + thick,
            b + thick,
            a + thick,
            a + thick,
        );
        let (fill, opacity) = match flow.to.cmp(&flow.from) {
            std::cmp::Ordering::Less => ("--better", 0.62),
            std::cmp::Ordering::Equal => ("--context", 0.28),
            std::cmp::Ordering::Greater => ("--worse", 0.62),
        };
        svg.shape(&path, fill, opacity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_are_proportional_to_heads_and_empty_states_take_no_room() {
        let places = stack(&[10.0, 0.0, 30.0], 114.0);
        assert_eq!(places, vec![(0.0, 25.0), (39.0, 0.0), (39.0, 75.0)]);
    }

    #[test]
    fn one_ribbon_per_flow() {
        let node = |label: &str| Node { label: label.into(), written: "1".into() };
        let nodes = [node("a"), node("b")];
        let flows = [
            Flow { from: 0, to: 0, customers: 5.0 },
            Flow { from: 0, to: 1, customers: 2.0 },
            Flow { from: 1, to: 0, customers: 1.0 },
            Flow { from: 1, to: 1, customers: 0.0 },
        ];
        let svg = draw("m", &flows, (&nodes, &nodes), ("before", "after"), "alt").wide;
        assert_eq!(svg.matches("<path ").count(), 3);
        assert_eq!(svg.matches("var(--better)").count(), 1);
        assert_eq!(svg.matches("var(--worse)").count(), 1);
    }
}
