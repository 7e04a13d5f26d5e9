//! `headlines`: the five or six figures at the top of a page.

use super::list;
use crate::blocks::{Block, Headline, Tone};
use crate::call::{Call, attribute, text};
use crate::canvas::{Canvas, Component};
use crate::charts::sparkline;
use crate::data::{invalid, number};
use crate::decimal::Decimal;
use crate::footer::NamedFigure;
use crate::formats::Format;
use crate::manual::{Argument, Example, Kind, PAGE, Page, Section};
use crate::number::{self, Sign};
use crate::phrases::Phrasebook;
use minijinja::Error;
use minijinja::value::Value;

/// Periods that a sparkline shows.
const SPARKLINE: usize = 13;

const KEYS: &[Argument] = &[
    Argument::required("name", Kind::Text, "a name that stays the same from edition to edition, to find what changed"),
    Argument::required("label", Kind::Text, "what it is called on the page"),
    Argument::required("format", Kind::Format, "how it is written; `money` in three digits with the currency"),
    Argument::required("value", Kind::Number, "the figure; `not known` where it is none"),
    Argument::optional("previous", Kind::Number, "none", "the same figure of the period before"),
    Argument::optional("year_ago", Kind::Number, "none", "the same figure a year ago"),
    Argument::optional(
        "series",
        Kind::Any,
        "none",
        "a list of figures, oldest first, as `series` gives it; the last thirteen are drawn",
    ),
    Argument::optional("good", Kind::Choice(&["up", "down"]), "none", "which direction is good news"),
    Argument::optional("open", Kind::Any, "false", "whether the period is not over, which makes the last point hollow"),
];

pub(crate) const HEADLINES: Component = Component {
    page: Page {
        name: "headlines",
        section: Section::Components,
        syntax: "headlines([{'name': ..., 'label': ..., 'format': ..., 'value': ...}, ...])",
        summary: "The five or six figures of the page, each with its changes and a small line of its past",
        arguments: &[Argument::value("figures", Kind::Records(KEYS), "the figures, most important first")],
        description: "A figure without `previous` or `year_ago` has no such line. The figures are kept with the edition: the footer of the next one says which of them changed and why. A \
                      change counts as better or worse only where `good` says which is which. Shares differ in percentage \
                      points.",
        example: Example {
            rows: &[("months", "period | orders\n2026-08-01 | 1600\n2026-09-01 | 1720")],
            template: "{{ headlines([{'name': 'orders', 'label': 'Orders', 'format': 'integer', 'value': months[1].orders,\n  \
                       'previous': months[0].orders, 'good': 'up',\n  'series': series(months, x='period', y='orders')}]) }}",
            page: "Orders: 1,720 (last month +7.5\u{202f}%)",
        },
        related: &["series", "verdict", "footer", "formats"],
        ..PAGE
    },
    call: headlines,
};

fn headlines(canvas: &Canvas, call: &Call) -> Result<Value, Error> {
    let mut all = Vec::new();
    for (i, figure) in list(&call.value(0), "`headlines`")?.iter().enumerate() {
        for key in figure.try_iter()? {
            let problem = HEADLINES.page.arguments[0].key(&key.to_string());
            problem.map_err(|problem| invalid(problem.in_one_line()))?;
        }
        let (headline, named) = headline(&canvas.book, &format!("h{i}"), figure)?;
        canvas.draft()?.figures.push((named, headline.label.clone()));
        all.push(headline);
    }
    canvas.put(Block::Headlines(all))
}

fn headline(book: &Phrasebook, id: &str, figure: &Value) -> Result<(Headline, NamedFigure), Error> {
    let name = text(figure, "name")?;
    let label = book.plain(&attribute(figure, "label")?);
    let written_as = text(figure, "format")?;
    let format = Format::named(&written_as)?;
    let value = number(&attribute(figure, "value")?);
    let language = book.language();
    let (written, unit) = match (value, format) {
        (None, _) => (book.plain_phrase("not_known")?, String::new()),
        (Some(v), Format::Money | Format::Cents) => {
            (number::short(v, language, Sign::Minus), book.currency().to_string())
        }
        (Some(v), format) => (format.write(v, language), String::new()),
    };
    let good = figure.get_attr("good")?;
    let good = if good.is_none() || good.is_undefined() { None } else { Some(good.to_string()) };
    if let Some(good) = &good {
        let key = HEADLINES.page.arguments[0].key("good");
        key.and_then(|key| key.allows(good)).map_err(|problem| invalid(problem.in_one_line()))?;
    }
    let mut changes = Vec::new();
    for (key, attribute) in [("versus_month", "previous"), ("versus_year", "year_ago")] {
        let old = figure.get_attr(attribute)?;
        // What a template never compares has no line; what has no figure this time has a dash.
        if old.is_undefined() {
            continue;
        }
        changes.push(compare(book, book.plain_phrase(key)?, value.zip(number(&old)), format, good.as_deref())?);
    }
    let series = figure.get_attr("series")?;
    let series: Vec<Option<Decimal>> = match series.is_none() || series.is_undefined() {
        true => Vec::new(),
        false => list(&series, "`series`")?.iter().map(number).collect(),
    };
    let last = &series[series.len().saturating_sub(SPARKLINE)..];
    let with = [("label", label.clone()), ("count", last.len().to_string())];
    let alt = book.plain_phrase_with("alt_sparkline", &with)?;
    let floats: Vec<Option<f64>> = last.iter().map(|v| v.map(Decimal::to_f64)).collect();
    let open = figure.get_attr("open")?;
    let sparkline = sparkline::draw(id, &floats, !open.is_undefined() && open.is_true(), &alt);
    let named = NamedFigure { name, format: written_as, value: value.map(|v| v.to_string()) };
    Ok((Headline { label, value: written, unit, changes, sparkline }, named))
}

/// What a figure is compared with, by how much it differs, and whether that is good.
fn compare(
    book: &Phrasebook,
    head: String,
    figures: Option<(Decimal, Decimal)>,
    format: Format,
    good: Option<&str>,
) -> Result<(String, String, Tone), Error> {
    let none = |head| Ok((head, book.plain_phrase("no_comparison")?, Tone::Neutral));
    let Some((new, old)) = figures else { return none(head) };
    let difference = new.minus(old);
    let written = match format {
        // Shares differ in points, not in per cent of a per cent.
        Format::Percent | Format::PercentSigned => Some((difference, number::points(difference, book.language()))),
        _ => difference
            .over(old)
            .filter(|_| old.signum() > 0)
            .map(|share| (share, number::percent(share, book.language(), Sign::Both))),
    };
    let Some((share, written)) = written else { return none(head) };
    // What is written as 0.0 is neither better nor worse.
    let tone = match (share.round(3).signum(), good) {
        (1, Some("up")) | (-1, Some("down")) => Tone::Better,
        (1, Some("down")) | (-1, Some("up")) => Tone::Worse,
        _ => Tone::Neutral,
    };
    Ok((head, written, tone))
}
