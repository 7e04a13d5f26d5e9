//! Charts: rows become a picture, drawn as SVG once and shown by both writers, and the figures below it.
//!
//! One file and one line in [`CHARTS`] for each. Colours are names of the theme (`var(--ink)`): a page resolves them by its
//! style sheet, so that a picture follows light and dark; for print [`Picture::print`] puts the theme's light colours in.
//! Every picture carries the words for those who cannot see it. Bars begin at zero; areas are proportional to what they show.

mod bars;
mod bridge;
mod calibration;
mod columns;
mod migration;
mod pyramids;
pub(crate) mod retention_triangle;
pub(crate) mod sparkline;
mod svg;

use svg::{Anchor, Svg, Weight};
pub(crate) use svg::{escape, text_width};

use super::blocks::{Block, Figure, Table, TableRow};
use super::call::Call;
use super::canvas::{Canvas, runs};
use super::manual::Page;
use super::phrases::Phrasebook;
use super::picture::Picture;
use minijinja::value::{Kwargs, Rest, Value};
use minijinja::{Environment, Error};
use std::sync::Arc;

/// Every chart.
pub(crate) static CHARTS: &[&Chart] = &[
    &bars::CHART,
    &bridge::CHART,
    &calibration::CHART,
    &columns::CHART,
    &migration::CHART,
    &pyramids::CHART,
    &retention_triangle::CHART,
];

/// A chart: its page of the manual, by which its arguments are checked, and how it is drawn. What it says besides figures
/// lies in the files of the languages, under its name.
pub(crate) struct Chart {
    pub page: Page,
    /// Draws the rows; nothing where there is nothing to draw.
    draw: fn(&Sheet<'_>, &Call) -> Result<Option<Drawing>, Error>,
}

/// What a chart draws with.
struct Sheet<'a> {
    /// Phrases and figures in the language of the page.
    book: &'a Phrasebook,
    /// An identifier that no other picture of the page has.
    id: String,
}

/// Heads of columns, and whether each has figures.
type Heads = Vec<(String, bool)>;

/// A picture and its figures.
struct Drawing {
    picture: Picture,
    columns: Heads,
    rows: Vec<TableRow>,
}

/// Adds all of them to an environment.
pub(crate) fn register(env: &mut Environment<'static>, canvas: &Arc<Canvas>) {
    for chart in CHARTS {
        let canvas = canvas.clone();
        env.add_function(chart.page.name, move |values: Rest<Value>, with: Kwargs| -> Result<Value, Error> {
            let call = Call::new(&chart.page, values.0, with)?;
            let text = |name: &str| Ok::<_, Error>(call.keyword(name)?.map(|text| runs(&text)).unwrap_or_default());
            let (title, note) = (text("title")?, text("note")?);
            let id = format!("c{}", canvas.draft()?.blocks.len());
            let Some(Drawing { picture, columns, rows }) = (chart.draw)(&Sheet { book: &canvas.book, id }, &call)?
            else {
                return Ok(Value::from_safe_string(String::new()));
            };
            let table = Table { title: Vec::new(), note: Vec::new(), columns, rows };
            canvas.put(Block::Figure(Box::new(Figure { title, note, picture, table })))
        });
    }
}

/// A figure with its unit, where it has one.
fn with_unit(written: &str, unit: &str) -> String {
    if unit.is_empty() || written.is_empty() { written.to_string() } else { format!("{written}\u{202f}{unit}") }
}

impl Sheet<'_> {
    /// What a picture shows, in words: a phrase of the chart with a list of its figures.
    fn alt(&self, key: &str, parts: impl IntoIterator<Item = String>) -> Result<String, Error> {
        self.alt_with(key, &[], parts)
    }

    /// The same with more for the phrase to name.
    fn alt_with(
        &self,
        key: &str,
        with: &[(&str, String)],
        parts: impl IntoIterator<Item = String>,
    ) -> Result<String, Error> {
        let mut all = with.to_vec();
        all.push(("list", self.book.list(parts)));
        self.book.plain_phrase_with(key, &all)
    }

    /// The name of a tier of customers; one that is not ours is shown as it is.
    fn tier(&self, tier: &str) -> Result<String, Error> {
        match tier {
            "key" | "ordinary" | "small" | "negative" | "inactive" | "not_yet" => {
                self.book.plain_phrase(&format!("tier_{tier}"))
            }
            other => Ok(other.to_string()),
        }
    }
}

/// Positions on a linear axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    from: (f64, f64),
    to: (f64, f64),
}

impl Scale {
    /// Values `from.0..from.1` onto positions `to.0..to.1`.
    pub(crate) fn new(from: (f64, f64), to: (f64, f64)) -> Scale {
        let from = if from.0 == from.1 { (from.0, from.0 + 1.0) } else { from };
        Scale { from, to }
    }

    /// Where a value lies.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let share = (value - self.from.0) / (self.from.1 - self.from.0);
        self.to.0 + share * (self.to.1 - self.to.0)
    }
}
