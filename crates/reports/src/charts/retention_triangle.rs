//! The retention triangle: cohorts downwards, months since the first purchase across, one hue by share. A cell that was
//! not observed is empty, one whose month is not over is hatched, and the weighted mean of the closed ones is
//! below.

use super::{Anchor, Chart, Drawing, Picture, Sheet, Svg, Weight};
use crate::blocks::TableRow;
use crate::call::{Call, attribute, figure, text};
use crate::canvas::Component;
use crate::data::day;
use crate::decimal::Decimal;
use crate::manual::{Argument, Example, Kind, PAGE, Page, Section};
use crate::number::{self, Sign};
use crate::phrases::Phrasebook;
use jiff::civil::Date;
use minijinja::Error;
use minijinja::value::Value;
use std::collections::BTreeMap;

/// Cohorts that are shown, beside that of the last month.
const MONTHS: i64 = 12;

const UNTIL: Argument =
    Argument::optional("until", Kind::Date, "period.start", "the last cohort and month that are looked at");
const ROWS: (&str, &str) = (
    "cohorts",
    "cohort | months_since | cohort_customers | retained_customers | period_status\n2026-07-01 | 0 | 50 | 50 | \
     closed\n2026-07-01 | 1 | 50 | 20 | closed\n2026-07-01 | 2 | 50 | 15 | closed\n2026-08-01 | 0 | 30 | 30 | \
     closed\n2026-08-01 | 1 | 30 | 12 | closed\n2026-09-01 | 0 | 40 | 40 | closed",
);

pub(crate) const CHART: Chart = Chart {
    page: Page {
        name: "retention_triangle",
        section: Section::Charts,
        syntax: "retention_triangle(rows, until=..., title=..., note=...)",
        summary: "How many of each month's new customers bought again, month by month since",
        columns: &[
            ("cohort", "the first day of the month of the first purchase"),
            ("months_since", "months since then; 0 is that month itself"),
            ("cohort_customers", "how many customers began in it"),
            ("retained_customers", "how many of them bought in that month"),
            ("period_status", "`open` or `closed`: whether that month was over"),
        ],
        arguments: &[Argument::value("rows", Kind::Rows, "the cells; `marts.retention_cohort` has them"), UNTIL],
        description: "The last thirteen cohorts. A cell that was not observed is empty; one whose month is not over is hatched \
                      and not in the weighted mean below.",
        example: Example {
            rows: &[ROWS],
            template: "{{ retention_triangle(cohorts, title='Two in five bought again in the month after', note='Per cent') }}",
            page: "## Two in five bought again in the month after\n\nPer cent\n\nFirst bought | Customers | Month 1 | Month \
                   2\nJul 2026 | 50 | 40.0 | 30.0\nAug 2026 | 30 | 40.0 | \nSep 2026 | 40 |  | \nWeighted mean |  | 40.0 | \
                   30.0",
        },
        related: &["retention_means", "migration"],
        ..PAGE
    },
    draw: chart,
};

pub(crate) const MEANS: Component = Component {
    page: Page {
        name: "retention_means",
        section: Section::Components,
        syntax: "retention_means(rows, until=...)",
        summary: "The weighted means of a retention triangle, for sentences about it",
        arguments: &[Argument::value("rows", Kind::Rows, "the rows of the triangle"), UNTIL],
        description: "A list of `months` and `retention`, a share, of the months that are over.",
        example: Example {
            rows: &[ROWS],
            template: "{{ retention_means(cohorts)[0].retention | percent }} bought again in the month after",
            page: "40.0\u{202f}% bought again in the month after",
        },
        related: &["retention_triangle"],
        ..PAGE
    },
    call: |canvas, call| {
        let grid = Grid::of(call, &canvas.book)?;
        let means = grid.means().into_iter().enumerate().filter_map(|(k, mean)| {
            mean.map(|m| Value::from_pairs([("months", Value::from(k + 1)), ("retention", Value::from_object(m))]))
        });
        Ok(Value::from(means.collect::<Vec<_>>()))
    },
};

/// Cohorts by months since: counts kept exact.
struct Grid {
    cohorts: BTreeMap<Date, Members>,
    months: usize,
}

/// Customers of one month of first orders.
struct Members {
    size: Decimal,
    /// By months since: who came back, and whether that month is open.
    cells: BTreeMap<usize, (Decimal, bool)>,
}

impl Grid {
    /// The last thirteen cohorts up to the period, cells of later periods left out.
    fn of(call: &Call, book: &Phrasebook) -> Result<Grid, Error> {
        let until = call.keyword("until")?.map_or(Ok(book.period().start), |until| day(&until, book.zone()))?;
        let mut cohorts: BTreeMap<Date, Members> = BTreeMap::new();
        for row in call.rows()? {
            let cohort = day(&attribute(&row, "cohort")?, book.zone())?;
            let months = usize::try_from(figure(&row, "months_since")?.round(0).unscaled).unwrap_or_default();
            let until_month = i64::from(until.year()) * 12 + i64::from(until.month());
            let cohort_month = i64::from(cohort.year()) * 12 + i64::from(cohort.month());
            let age = until_month - cohort_month;
            if !(0..=MONTHS).contains(&age) || months as i64 > age {
                continue;
            }
            let open = text(&row, "period_status")? == "open";
            let size = figure(&row, "cohort_customers")?;
            let entry = cohorts.entry(cohort).or_insert_with(|| Members { size, cells: BTreeMap::new() });
            if months > 0 {
                entry.cells.insert(months, (figure(&row, "retained_customers")?, open));
            }
        }
        let months = cohorts.values().filter_map(|c| c.cells.keys().last().copied()).max().unwrap_or(0);
        Ok(Grid { cohorts, months })
    }

    /// Retained over all, of closed cells, by month.
    fn means(&self) -> Vec<Option<Decimal>> {
        (1..=self.months)
            .map(|k| {
                let closed = self.cohorts.values().filter_map(|Members { size, cells }| {
                    cells.get(&k).filter(|(_, open)| !open).map(|(kept, _)| (*size, *kept))
                });
                let (all, kept) = closed.fold((Decimal::default(), Decimal::default()), |(a, r), (size, kept)| {
                    (a.plus(size), r.plus(kept))
                });
                kept.over(all)
            })
            .collect()
    }
}

fn chart(sheet: &Sheet<'_>, call: &Call) -> Result<Option<Drawing>, Error> {
    let book = sheet.book;
    let language = book.language();
    let grid = Grid::of(call, book)?;
    if grid.months == 0 {
        return Ok(None);
    }
    let short = |share: Decimal| number::full(number::hundredfold(share), 1, Sign::Minus, language);
    let cell = |share: Decimal, open: bool| Cell { share: share.to_f64(), written: short(share), open };
    let mut cohorts = Vec::new();
    let mut rows = Vec::new();
    for (cohort, Members { size, cells }) in &grid.cohorts {
        let shares = |k: usize| cells.get(&k).and_then(|(kept, open)| kept.over(*size).map(|s| (s, *open)));
        let label = number::month_short(*cohort, language);
        let count = number::integer(*size, language);
        let mut line = vec![label.clone(), count.clone()];
        for k in 1..=grid.months {
            line.push(match shares(k) {
                Some((share, true)) => book.plain_phrase_with("open_cell", &[("share", short(share))])?,
                Some((share, false)) => short(share),
                None => String::new(),
            });
        }
        rows.push(TableRow::of(line));
        let drawn = (1..=grid.months).map(|k| shares(k).map(|(s, open)| cell(s, open))).collect();
        cohorts.push(Cohort { label, size: count, cells: drawn });
    }
    let means = grid.means();
    let (head, size, mean) =
        (book.plain_phrase("cohort")?, book.plain_phrase("customers")?, book.plain_phrase("weighted_mean")?);
    let mut line = vec![mean.clone(), String::new()];
    line.extend(means.iter().map(|m| m.map_or_else(String::new, short)));
    rows.push(TableRow::total(line));
    let known = means.iter().enumerate().filter_map(|(k, m)| m.map(|m| (k + 1, m)));
    let list = known
        .map(|(k, m)| book.plain_phrase_with("months_after", &[("months", k.to_string()), ("share", short(m))]))
        .collect::<Result<Vec<_>, _>>()?;
    let alt = sheet.alt("alt_retention_triangle", list)?;
    let drawn: Vec<_> = means.iter().map(|m| m.map(|m| cell(m, false))).collect();
    let picture = draw(&sheet.id, &cohorts, &drawn, Heads { cohort: &head, size: &size, mean: &mean }, &alt);
    let mut columns = vec![(head, false), (size, true)];
    for k in 1..=grid.months {
        columns.push((book.plain_phrase_with("month_number", &[("months", k.to_string())])?, true));
    }
    Ok(Some(Drawing { picture, columns, rows }))
}

/// One cohort.
#[derive(Clone, Debug)]
struct Cohort {
    /// Its month as written.
    label: String,
    /// How many customers, as written.
    size: String,
    /// A cell per month since the first purchase, beginning with month 1; `None` where nothing was observed yet.
    cells: Vec<Option<Cell>>,
}

/// One cell.
#[derive(Clone, Debug)]
struct Cell {
    /// Share of the cohort, 0 to 1.
    share: f64,
    /// The share as written.
    written: String,
    /// Its month is not over.
    open: bool,
}

/// Words around it.
#[derive(Clone, Copy, Debug)]
struct Heads<'a> {
    /// Over the cohorts.
    cohort: &'a str,
    /// Over their sizes.
    size: &'a str,
    /// Before the means.
    mean: &'a str,
}

/// Draws it with the means of its columns below.
fn draw(id: &str, cohorts: &[Cohort], means: &[Option<Cell>], heads: Heads<'_>, alt: &str) -> Picture {
    let columns = means.len().max(1);
    let (label, size, row) = (96.0, 78.0, 25.0);
    let left = label + size + 10.0;
    let pitch = ((720.0 - left) / columns as f64).min(64.0);
    let height = 26.0 + row * cohorts.len() as f64 + 34.0;
    let mut svg = Svg::new(id, 720.0, height);
    let quiet = ("--quiet", Weight::Regular);
    svg.text((0.0, 15.0), Anchor::Start, 12.0, quiet, heads.cohort);
    svg.text((label + size, 15.0), Anchor::End, 12.0, quiet, heads.size);
    for k in 0..columns {
        svg.text((left + pitch * (k as f64 + 0.5), 15.0), Anchor::Middle, 12.0, quiet, &(k + 1).to_string());
    }
    let strongest = cohorts.iter().flat_map(|c| c.cells.iter().flatten()).map(|c| c.share).fold(0.0, f64::max);
    for (i, cohort) in cohorts.iter().enumerate() {
        let top = 24.0 + row * i as f64;
        svg.text((0.0, top + 16.5), Anchor::Start, 12.0, ("--ink", Weight::Regular), &cohort.label);
        svg.text((label + size, top + 16.5), Anchor::End, 12.0, ("--ink", Weight::Regular), &cohort.size);
        for (k, cell) in cohort.cells.iter().enumerate() {
            let Some(cell) = cell else { continue };
            let at = (left + pitch * k as f64 + 0.75, top + 0.75);
            let room = (pitch - 1.5, row - 1.5);
            if cell.open {
                svg.hatch(at, room, "--hair");
            } else {
                svg.rect(at, room, "--accent", shade(cell.share, strongest));
            }
            let ink = if cell.open { "--quiet" } else { "--ink" };
            svg.text((at.0 + room.0 / 2.0, top + 16.5), Anchor::Middle, 12.0, (ink, Weight::Regular), &cell.written);
        }
    }
    let below = 24.0 + row * cohorts.len() as f64 + 6.0;
    svg.line((0.0, below), (left + pitch * columns as f64, below), "--context", false);
    svg.text((0.0, below + 18.0), Anchor::Start, 12.0, ("--ink", Weight::Bold), heads.mean);
    for (k, mean) in means.iter().enumerate() {
        if let Some(mean) = mean {
            let at = (left + pitch * (k as f64 + 0.5), below + 18.0);
            svg.text(at, Anchor::Middle, 12.0, ("--ink", Weight::Bold), &mean.written);
        }
    }
    Picture { wide: svg.finish(alt), narrow: None, scrolls: true, aspect: 720.0 / height, alt: alt.to_string() }
}

/// How strong the hue of a share is: from a breath of it to half, so that ink stays readable on every cell.
fn shade(share: f64, strongest: f64) -> f64 {
    if strongest <= 0.0 { 0.04 } else { 0.04 + 0.51 * (share / strongest).clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unobserved_cells_are_empty_and_open_ones_hatched() {
        let cell = |share, open| Some(Cell { share, written: format!("{share}"), open });
        let cohorts = [
            Cohort { label: "a".into(), size: "9".into(), cells: vec![cell(0.5, false), cell(0.25, true)] },
            Cohort { label: "b".into(), size: "8".into(), cells: vec![cell(0.4, true), None] },
        ];
        let means = vec![cell(0.5, false), None];
        let svg = draw("t", &cohorts, &means, Heads { cohort: "c", size: "s", mean: "m" }, "alt").wide;
        assert_eq!(svg.matches("<rect ").count(), 3);
        assert_eq!(svg.matches("url(#t-hatch)").count(), 2);
    }

    #[test]
    fn the_hue_grows_with_the_share_and_never_hides_the_ink() {
        assert!(shade(0.1, 0.5) < shade(0.4, 0.5));
        assert!(shade(0.5, 0.5) <= 0.55);
        assert!(shade(0.0, 0.0) > 0.0);
    }
}
