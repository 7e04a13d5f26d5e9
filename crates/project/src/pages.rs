//! `path`, `rows` and `paging`: where the rows of a table are in a service over HTTP.

use super::document::{Node, Value};
use super::fields::{Fields, one_of};
use perennial_core::contract::{Pages, Paging, SinceFormat};
use perennial_core::error::Error;
use perennial_core::location::forbid_tokens;

const SINCE_FORMATS: [(&str, SinceFormat); 5] = [
    ("as_is", SinceFormat::AsIs),
    ("date", SinceFormat::Date),
    ("epoch_milliseconds", SinceFormat::EpochMilliseconds),
    ("epoch_seconds", SinceFormat::EpochSeconds),
    ("rfc3339", SinceFormat::Rfc3339),
];
const PAGINGS: [&str; 5] = ["none", "page", "offset", "cursor", "link"];
/// Default number of rows per page when paging is by offset.
const DEFAULT_LIMIT: u64 = 100;

/// Reads where the rows of a table are in a service.
pub(super) fn read(fields: &Fields) -> Pages {
    let path = fields.required_text("path").map(|text| {
        if let Err(error) = forbid_tokens(&text.value, "take it from the environment: `name=${NAME}`") {
            fields.document.report_secret(&text.span, error);
        }
        text.value
    });
    let path = path.unwrap_or_default();
    Pages {
        path,
        rows: fields.text("rows").map(|text| text.value),
        paging: fields.optional("paging").and_then(|node| paging(fields, node)).unwrap_or(Paging::None),
        since_parameter: fields.text("since_parameter").map(|text| text.value),
        since_format: fields.choice("since_format", &SINCE_FORMATS, SinceFormat::AsIs),
        max_requests_per_second: fields
            .number::<u32>("max_requests_per_second", "a whole number")
            .map(|(max, _)| max.max(1)),
    }
}

/// Reads `paging`: a name, or one key with options.
fn paging(fields: &Fields, node: &Node) -> Option<Paging> {
    let document = fields.document;
    let plain = Node { value: Value::Null, span: node.span.clone() };
    let (word, span, options) = match &node.value {
        Value::Scalar { text, .. } => (text.as_str(), node.span.clone(), &plain),
        Value::Map(entries) if entries.len() == 1 => {
            (entries[0].0.value.as_str(), entries[0].0.span.clone(), &entries[0].1)
        }
        _ => {
            let error = Error::project(format!("`paging` is a name or one key with options, found {}", node.kind()));
            document.report(&node.span, error.hint(one_of(PAGINGS.into_iter())));
            return None;
        }
    };
    let options = Fields::of(document, options, "this paging", span.clone())?;
    let text = |key, default: &str| options.text(key).map_or(default.to_string(), |text| text.value);
    let paging = match word {
        "none" => Paging::None,
        "page" => Paging::Page {
            parameter: text("parameter", "page"),
            first: options.number::<u64>("first", "a whole number").map_or(1, |(first, _)| first),
        },
        "offset" => Paging::Offset {
            parameter: text("parameter", "offset"),
            limit_parameter: text("limit_parameter", "limit"),
            limit: options.number::<u64>("limit", "a number of rows").map_or(DEFAULT_LIMIT, |(limit, _)| limit.max(1)),
        },
        "cursor" => Paging::Cursor {
            parameter: text("parameter", "cursor"),
            token: options.required_text("token").map(|text| text.value).unwrap_or_default(),
            end: options.text("end").map(|text| text.value),
            more: options.text("more").map(|text| text.value),
            resume: options.flag("resume", false),
        },
        "link" => Paging::Link { field: options.text("field").map(|text| text.value) },
        other => {
            let error = Error::project(format!("unknown paging `{other}`"));
            document.report(&span, error.suggest(other, PAGINGS));
            return None;
        }
    };
    options.finish();
    Some(paging)
}
