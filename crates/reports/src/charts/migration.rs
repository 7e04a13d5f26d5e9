//! Who moved between tiers: an alluvial picture. Left the tiers before, right after; a ribbon is as thick as it has
//! customers. Those who stayed are grey, ups and downs have their colours and their signs in the words beside.

use super::{Anchor, Chart, Drawing, Heads, Picture, Sheet, Svg, Weight, text_width};
use crate::blocks::TableRow;
use crate::call::{Call, figure, optional_figure, text};
use crate::data::invalid;
use crate::decimal::Decimal;
use crate::manual::{Argument, Example, Kind, PAGE, Page, Section};
use crate::number::{self, Sign};
use crate::phrases::Phrasebook;
use minijinja::Error;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What a customer can be before and after, best first.
const STATES: [&str; 5] = ["key", "ordinary", "small", "inactive", "not_yet"];
/// From this state on a customer who stays in it has not moved and is not drawn.
const ABSENT: usize = 3;

pub(crate) const CHART: Chart = Chart {
    page: Page {
        name: "migration",
        section: Section::Charts,
        syntax: "migration(rows, title=..., note=...)",
        summary: "Who moved between tiers: ribbons from before to after, as thick as they have customers",
        columns: &[
            ("from_tier", "the tier before: `key`, `ordinary`, `small`, `inactive` or `not_yet`"),
            ("to_tier", "the tier after, one of the same"),
            ("customers", "how many moved"),
            ("value_change", "by how much their value changed; NULL counts as zero"),
        ],
        arguments: &[Argument::value("rows", Kind::Rows, "the moves; `marts.segment_migration` has them")],
        description: "Moves up are blue, moves down orange, those who stayed grey. Who was absent before and after is not drawn: \
                      nobody moved.",
        example: Example {
            rows: &[(
                "moves",
                "from_tier | to_tier | customers | value_change\nkey | key | 8 | 10.00\nkey | ordinary | 2 | \
                 -300.00\nordinary | key | 3 | 450.00\nnot_yet | small | 5 | 100.00",
            )],
            template: "{{ migration(moves, title='3 customers moved up, 2 moved down', note='Revenue in EUR') }}",
            page: "## 3 customers moved up, 2 moved down\n\nRevenue in EUR\n\nFrom | Key | Ordinary | Small | Total | Revenue \
                   change, EUR\nKey | 8 | 2 |  | 10 | \u{2212}290\nOrdinary | 3 |  |  | 3 | +450\nNew |  |  | 5 | 5 | \
                   +100\nTotal | 11 | 2 | 5 | 18 | +260",
        },
        related: &["pyramids", "bridge"],
        ..PAGE
    },
    draw: chart,
};

/// Customers and change of value by states before and after.
type Moves = BTreeMap<(usize, usize), (Decimal, Decimal)>;

fn chart(sheet: &Sheet<'_>, call: &Call) -> Result<Option<Drawing>, Error> {
    let book = sheet.book;
    let mut moves = Moves::new();
    for row in call.rows()? {
        let state = |key: &str| -> Result<usize, Error> {
            let name = text(&row, key)?;
            STATES.iter().position(|s| *s == name).ok_or_else(|| {
                let known = perennial_core::error::expected(&STATES);
                invalid(format!("unknown tier `{name}` in column `{key}`; {known}"))
            })
        };
        let customers = figure(&row, "customers")?;
        let value = optional_figure(&row, "value_change")?.unwrap_or_default();
        let cell = moves.entry((state("from_tier")?, state("to_tier")?)).or_default();
        *cell = (cell.0.plus(customers), cell.1.plus(value));
    }
    moves.retain(|(from, to), (n, _)| n.signum() > 0 && !(from == to && *from >= ABSENT));
    if moves.is_empty() {
        return Ok(None);
    }
    let count = |n: Decimal| number::integer(n, book.language());
    let flow = |((from, to), (n, _)): (&(usize, usize), &(Decimal, Decimal))| Flow {
        from: *from,
        to: *to,
        customers: n.to_f64(),
    };
    let flows: Vec<Flow> = moves.iter().map(flow).collect();
    let names: Vec<String> = STATES.iter().map(|s| sheet.tier(s)).collect::<Result<_, _>>()?;
    let sum = |keep: &dyn Fn(usize, usize) -> bool| {
        let cells = moves.iter().filter(|((f, t), _)| keep(*f, *t));
        cells.fold(Decimal::default(), |s, (_, (n, _))| s.plus(*n))
    };
    let nodes = |side: &dyn Fn(usize) -> Decimal| -> Vec<Node> {
        let node = |(i, label): (usize, &String)| Node { label: label.clone(), written: count(side(i)) };
        names.iter().enumerate().map(node).collect()
    };
    let before = nodes(&|i| sum(&|f, _| f == i));
    let after = nodes(&|i| sum(&|_, t| t == i));
    let sides = (book.plain_phrase("before")?, book.plain_phrase("after")?);
    let moved = moves.iter().filter(|((f, t), _)| f != t);
    let list = moved.map(|((f, t), (n, _))| format!("{} \u{2192} {}: {}", names[*f], names[*t], count(*n)));
    let alt = sheet.alt("alt_migration", list)?;
    let picture = draw(&sheet.id, &flows, (&before, &after), (&sides.0, &sides.1), &alt);
    let (columns, rows) = matrix(book, &names, &moves)?;
    Ok(Some(Drawing { picture, columns, rows }))
}

/// The moves as a matrix with sums and the value change of each row.
fn matrix(book: &Phrasebook, names: &[String], moves: &Moves) -> Result<(Heads, Vec<TableRow>), Error> {
    let used_from: Vec<usize> = (0..names.len()).filter(|i| moves.keys().any(|(f, _)| f == i)).collect();
    let used_to: Vec<usize> = (0..names.len()).filter(|i| moves.keys().any(|(_, t)| t == i)).collect();
    let mut columns = vec![(book.plain_phrase("from_tier")?, false)];
    columns.extend(used_to.iter().map(|i| (names[*i].clone(), true)));
    columns.push((book.plain_phrase("total")?, true));
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
            cells.push(if n.signum() == 0 { String::new() } else { number::integer(n, book.language()) });
        }
        let (n, v) = sum(&|f, _| keep(f));
        cells.push(number::integer(n, book.language()));
        cells.push(number::full(v, 0, Sign::Both, book.language()));
        cells
    };
    let mut rows: Vec<TableRow> = used_from.iter().map(|i| TableRow::of(line(&names[*i], Some(*i)))).collect();
    rows.push(TableRow::total(line(&book.plain_phrase("total")?, None)));
    Ok((columns, rows))
}

/// A ribbon between two states, named by their place in the list of states (best first).
#[derive(Clone, Copy, Debug, PartialEq)]
struct Flow {
    /// State before.
    from: usize,
    /// State after.
    to: usize,
    /// Customers.
    customers: f64,
}

/// A state's column of customers on one side.
#[derive(Clone, Debug)]
struct Node {
    /// Its name.
    label: String,
    /// How many, as written.
    written: String,
}

const GAP: f64 = 14.0;

/// Where the bar of a state is on its side: top and height.
type Position = (f64, f64);
/// Where a state's name is written: its base line, and whether name and count have a line each.
type Label = (f64, bool);

/// Draws it. `before` and `after` name every state in the order of the flows' indices; empty states are left out.
fn draw(id: &str, flows: &[Flow], nodes: (&[Node], &[Node]), sides: (&str, &str), alt: &str) -> Picture {
    let wide = sheet(&format!("{id}w"), (720.0, 290.0, 148.0, 12.5), flows, nodes, sides, alt);
    let narrow = sheet(&format!("{id}n"), (340.0, 340.0, 92.0, 12.0), flows, nodes, sides, alt);
    Picture { wide, narrow: Some(narrow), scrolls: false, aspect: 720.0 / 290.0, alt: alt.to_string() }
}

/// Where the states of one side are: top and height, in the order of the states.
fn stack(totals: &[f64], height: f64) -> Vec<Position> {
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

/// Lines of the names, kept apart; `None` for empty states.
fn label_lines(places: &[Position], size: f64) -> Vec<Option<Label>> {
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
    (places, lines): (&[Position], &[Option<Label>]),
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

fn ribbons(svg: &mut Svg, flows: &[Flow], sides: (&[Position], &[Position]), unit: f64, (x1, x2): (f64, f64)) {
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
