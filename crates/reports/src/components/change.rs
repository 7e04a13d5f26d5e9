//! `change`: how far a figure is above or below another one, in words.

use crate::call::Call;
use crate::canvas::{Canvas, Component};
use crate::data::number;
use crate::decimal::Decimal;
use crate::manual::{Argument, Example, Kind, PAGE, Page, Section};
use crate::number::{self, Sign};
use minijinja::Error;
use minijinja::value::Value;

pub(crate) const CHANGE: Component = Component {
    page: Page {
        name: "change",
        section: Section::Components,
        syntax: "change(new, old, against='month', base='August')",
        summary: "How far a figure is above or below another one, in words",
        arguments: &[
            Argument::value("new", Kind::Number, "the figure"),
            Argument::value("old", Kind::Number, "what it is compared with"),
            Argument::required(
                "against",
                Kind::Choice(&["month", "year"]),
                "the month before, or the same month a year ago",
            ),
            Argument::optional("base", Kind::Text, "none", "what the other period is called"),
        ],
        description: "None where one of the two is not known or the old one is not above zero.",
        example: Example {
            rows: &[],
            template: "Revenue: {{ change(969, 1000, against='month', base=period.before | month_name) }}",
            page: "Revenue: 3.1\u{202f}% below August",
        },
        related: &["percent_signed", "verdict"],
        ..PAGE
    },
    call: change,
};

fn change(canvas: &Canvas, call: &Call) -> Result<Value, Error> {
    let against = call.required("against")?;
    let base = call.keyword("base")?.unwrap_or_default();
    let Some(share) = relative(&call.value(0), &call.value(1)) else { return Ok(Value::from(())) };
    let direction = match number::hundredfold(share).round(1).signum() {
        1 => "over",
        -1 => "under",
        _ => "level",
    };
    let percent = number::percent(share.abs(), canvas.book.language(), Sign::Minus);
    let context = Value::from_pairs([("percent", Value::from(percent)), ("base", base)]);
    canvas.book.render(&format!("change_{against}_{direction}"), context).map(Value::from_safe_string)
}

/// The relative change, where both are known and the base is above zero.
fn relative(new: &Value, old: &Value) -> Option<Decimal> {
    let (new, old) = (number(new)?, number(old)?);
    if old.signum() <= 0 { None } else { new.minus(old).over(old) }
}
