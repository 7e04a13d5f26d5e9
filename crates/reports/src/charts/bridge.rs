//! The bridge (waterfall): from what sales were to what they are, one step for each cause. Start and end begin at zero,
//! steps hang between, hairlines connect them; signs are written, so that it reads without colour.

use super::{Anchor, Chart, Drawing, Picture, Scale, Sheet, Svg, Weight, text_width};
use crate::blocks::TableRow;
use crate::call::{Call, figure, text};
use crate::data::invalid;
use crate::decimal::Decimal;
use crate::manual::{Argument, Example, Kind, PAGE, Page, Section};
use crate::number::{self, Sign};
use crate::phrases::{Phrasebook, UNTRUSTED};
use minijinja::Error;
use perennial_project::PeriodKind;
use std::collections::BTreeMap;

const EFFECTS: [&str; 7] = ["start", "new", "reactivated", "expansion", "contraction", "lost", "end"];

pub(crate) const CHART: Chart = Chart {
    page: Page {
        name: "bridge",
        section: Section::Charts,
        syntax: "bridge(rows, title=..., note=...)",
        summary: "Why sales moved: from the period before to this one, one step for each cause",
        columns: &[
            ("effect", "`start`, `new`, `reactivated`, `expansion`, `contraction`, `lost` or `end`; one row each"),
            ("amount", "the amount; losses are negative. A missing effect counts as zero"),
        ],
        arguments: &[Argument::value("rows", Kind::Rows, "the parts; `marts.revenue_bridge` has them")],
        description: "Start and end begin at zero, steps hang between. The steps must lead from start to end to the cent, or \
                      the report is not issued. The end of an open period is hatched.",
        example: Example {
            rows: &[(
                "parts",
                "effect | amount\nstart | 1000.00\nnew | 300.00\nreactivated | 50.00\nexpansion | 150.00\ncontraction | \
                 -100.00\nlost | -200.00\nend | 1200.00",
            )],
            template: "{{ bridge(parts, title='New customers brought more than lost ones took', note='Revenue in EUR') }}",
            page: "## New customers brought more than lost ones took\n\nRevenue in EUR\n\nPart | Amount, EUR\nAugust | \
                   1,000.00\nNew customers | +300.00\nReturned | +50.00\nBought more | +150.00\nBought less | \
                   \u{2212}100.00\nDid not return | \u{2212}200.00\nSeptember | 1,200.00",
        },
        related: &["columns", "migration"],
        ..PAGE
    },
    draw: chart,
};

fn chart(sheet: &Sheet<'_>, call: &Call) -> Result<Option<Drawing>, Error> {
    let book = sheet.book;
    let mut amounts: BTreeMap<String, Decimal> = BTreeMap::new();
    for row in call.rows()? {
        let effect = text(&row, "effect")?;
        if !EFFECTS.contains(&effect.as_str()) {
            let known = perennial_core::error::expected(&EFFECTS);
            let message = format!("unknown part `{effect}` in column `effect`; {known}");
            return Err(invalid(message));
        }
        amounts.insert(effect, figure(&row, "amount")?);
    }
    if amounts.is_empty() {
        return Ok(None);
    }
    let amount = |effect: &str| amounts.get(effect).copied().unwrap_or_default();
    let sum = EFFECTS[..6].iter().fold(Decimal::default(), |sum, effect| sum.plus(amount(effect)));
    if sum != amount("end") {
        let message = format!("the bridge does not add up: its steps sum to {sum}, but its end is {}", amount("end"));
        return Err(Error::new(UNTRUSTED, message));
    }
    let mut steps = Vec::new();
    let mut rows = Vec::new();
    for effect in EFFECTS {
        let (value, is_level) = (amount(effect), effect == "start" || effect == "end");
        let sign = if is_level { Sign::Minus } else { Sign::Both };
        let label = book.plain_phrase_with(&format!("effect_{effect}"), &period_names(book))?;
        let written = number::short(value, book.language(), sign);
        let in_full = number::full(value, 2, sign, book.language());
        rows.push(TableRow { cells: vec![label.clone(), in_full], total: effect == "end" });
        steps.push(Step { label, written, amount: value.to_f64(), is_level });
    }
    let alt = sheet.alt("alt_bridge", steps.iter().map(|s| format!("{} {}", s.label, s.written)))?;
    let open = !book.period().is_closed(book.as_of());
    let picture = draw(&sheet.id, &steps, open, &alt);
    let columns = vec![(book.plain_phrase("effect")?, false), (book.with_currency("amount")?, true)];
    Ok(Some(Drawing { picture, columns, rows }))
}

/// This period and the one before by name, for phrases.
fn period_names(book: &Phrasebook) -> [(&'static str, String); 2] {
    let period = book.period();
    let name = |p: crate::Period| match p.kind {
        PeriodKind::Month => number::month_name(p.start, book.language()),
        PeriodKind::Day => number::date(p.start, book.language()),
    };
    [("period", name(period)), ("before", name(period.before()))]
}

/// One column.
#[derive(Clone, Debug)]
struct Step {
    /// Its name.
    label: String,
    /// Its amount as it is written, signs included.
    written: String,
    /// Its amount.
    amount: f64,
    /// Start and end begin at zero.
    is_level: bool,
}

/// A column as drawn: from where to where.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Span {
    /// Lower and upper value.
    from: f64,
    /// The running sum after it.
    to: f64,
}

/// Where each column lies: levels from zero, steps from the running sum.
fn spans(steps: &[Step]) -> Vec<Span> {
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
fn draw(id: &str, steps: &[Step], open: bool, alt: &str) -> Picture {
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
    let base = 236.0;
    let mut svg = Svg::new(id, width, height);
    let bar_width = pitch * 0.62;
    let up = Scale::new(reach, (base, 22.0));
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
        svg.label((middle, base + 19.0), pitch - 4.0, 12.0, ("--quiet", Weight::Regular), &step.label);
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
    fn steps_follow_each_other_and_levels_begin_at_zero() {
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
