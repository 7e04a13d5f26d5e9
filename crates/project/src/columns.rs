//! The columns of a table: their types and the keys of each type.

use super::document::{Document, Node, Text, Value};
use super::fields::{Fields, one_of};
use super::{locale, names, settings};
use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime;
use perennial_core::contract::{Column, EPOCH_FORMATS, ValueType};
use perennial_core::error::Error;
use std::cmp::Ordering;

const TYPES: [&str; 8] = ["text", "integer", "decimal", "float", "boolean", "date", "instant", "enumeration"];
/// Keys that apply to some types only.
const KEYS_OF_TYPES: [(&str, &[&str]); 10] = [
    ("precision", &["decimal"]),
    ("scale", &["decimal"]),
    ("formats", &["date", "instant"]),
    ("zone", &["instant"]),
    ("values", &["enumeration"]),
    ("locale", &["integer", "decimal", "float", "date", "instant"]),
    ("identifier", &["text"]),
    ("digits", &["text"]),
    ("min", &["integer", "decimal", "float", "date", "instant"]),
    ("max", &["integer", "decimal", "float", "date", "instant"]),
];

/// Formats with a name instead of a pattern, and whether they have a time of day.
const NAMED_FORMATS: [(&str, bool); 3] = [("excel_days", true), ("excel_days_1904", true), ("minguo", false)];
/// Instead of the keys of a column: the format's column is not read.
const OMIT: &str = "omit";

/// Reads `columns`. With the columns of a format as defaults, those named here replace them or are appended.
pub(super) fn read_all(fields: &Fields, defaults: Option<&[Column]>, time_zone: &str) -> Vec<Column> {
    let node = match defaults {
        Some(_) => fields.optional("columns"),
        None => fields.required("columns"),
    };
    let mut columns = defaults.map(<[Column]>::to_vec).unwrap_or_default();
    let entries = node.and_then(|node| fields.document.entries(node, "`columns`")).unwrap_or_default();
    for (key, node) in entries {
        let place = columns.iter().position(|column| defaults.is_some() && column.name == key.value);
        if defaults.is_some() && is_omitted(node) {
            match place {
                Some(place) => drop(columns.remove(place)),
                None => {
                    let error = Error::project(format!("`{}` is not a column of the format", key.value));
                    let known = columns.iter().map(|column| column.name.as_str());
                    fields.document.report(&key.span, error.suggest(&key.value, known));
                }
            }
            continue;
        }
        match (place, read(fields.document, key, node, time_zone)) {
            (Some(place), Some(column)) => columns[place] = column,
            (None, Some(column)) => columns.push(column),
            (_, None) => {}
        }
    }
    columns
}

/// Whether a column of the format is omitted.
pub(super) fn is_omitted(node: &Node) -> bool {
    matches!(&node.value, Value::Scalar { text, .. } if text == OMIT)
}

/// Reads a column. `time_zone` is the project's, for instants whose column names none.
pub(super) fn read(document: &Document, key: &Text, node: &Node, time_zone: &str) -> Option<Column> {
    check_name(document, key);
    let fields = Fields::of(document, node, "a column", key.span.clone())?;
    let name = fields.required_text("type");
    let data_type = name.as_ref().and_then(|name| value_type(&fields, name, time_zone));
    let column = data_type.map(|data_type| Column {
        name: key.value.clone(),
        from: fields.text("from").map_or_else(|| key.value.clone(), |text| text.value),
        required: fields.flag("required", false),
        min: bound(&fields, "min", &data_type),
        max: bound(&fields, "max", &data_type),
        null_values: fields.texts("null_values").into_iter().map(|text| text.value).collect(),
        locale: locale::read(&fields, &data_type),
        identifier: fields.is_set("identifier").then(|| fields.flag("identifier", false)),
        digits: digits(&fields),
        personal: fields.flag("personal", false),
        description: fields.words("description"),
        data_type,
    });
    if let Some(column) = &column {
        check_bounds(&fields, column);
        check_identifier(&fields, column);
    }
    // Keys of all types are known even when the type is not.
    for key in ["from", "required", "null_values", "personal", "description"] {
        fields.optional(key);
    }
    check_keys_of_type(&fields, name.as_ref());
    fields.finish();
    column
}

/// The number of digits of an identifier.
fn digits(fields: &Fields) -> Option<u32> {
    let (digits, span) = fields.number::<u32>("digits", "a number of digits")?;
    if digits == 0 || digits > 100 {
        let error = Error::project(format!("`digits` is `{digits}`")).hint("identifiers have 1 to 100 digits");
        fields.document.report(&span, error);
        return None;
    }
    Some(digits)
}

fn check_name(document: &Document, key: &Text) {
    if let Err(error) = names::check("a column", &key.value) {
        let hint = error.hint_text().map(|hint| format!("{hint} and add `from: \"{}\"`", key.value));
        let error = match hint {
            Some(hint) => error.hint(hint),
            None => error.hint(format!("give it an English name and add `from: \"{}\"`", key.value)),
        };
        document.report(&key.span, error);
    } else if key.value.starts_with('_') {
        let error = Error::project(format!(
            "`{}` cannot be the name of a column: names that begin with `_` are reserved for the lake",
            key.value
        ));
        document.report(&key.span, error);
    }
}

/// Reports keys that belong to other types.
fn check_keys_of_type(fields: &Fields, name: Option<&Text>) {
    for (key, types) in KEYS_OF_TYPES {
        let there = fields.optional(key).is_some();
        let Some(name) = name.filter(|name| there && TYPES.contains(&name.value.as_str())) else { continue };
        if !types.contains(&name.value.as_str()) {
            let error = Error::project(format!("`{key}` does not apply to columns of type {}", name.value));
            fields
                .document
                .report(&fields.span_of(key), error.hint(format!("it is for columns of type {}", types.join(", "))));
        }
    }
}

fn value_type(fields: &Fields, name: &Text, time_zone: &str) -> Option<ValueType> {
    match name.value.as_str() {
        "text" => Some(ValueType::Text),
        "integer" => Some(ValueType::Integer),
        "float" => Some(ValueType::Float),
        "boolean" => Some(ValueType::Boolean),
        "decimal" => decimal(fields),
        "date" => Some(ValueType::Date { formats: formats(fields, false) }),
        "instant" => Some(instant(fields, time_zone)),
        "enumeration" => enumeration(fields),
        other => {
            let error = Error::project(format!("unknown type `{other}`"));
            fields.document.report(&name.span, error.hint(one_of(TYPES.into_iter())));
            None
        }
    }
}

fn decimal(fields: &Fields) -> Option<ValueType> {
    let document = fields.document;
    let precision = fields.number::<u8>("precision", "a number of digits from 1 to 38");
    let scale = fields.number::<u8>("scale", "a number of digits from 0 to the precision");
    let unreadable = (fields.is_set("precision") && precision.is_none()) || (fields.is_set("scale") && scale.is_none());
    let digits = precision.as_ref().map_or(18, |(digits, _)| *digits);
    let places = scale.as_ref().map_or(2, |(digits, _)| *digits);
    if !(1..=38).contains(&digits) {
        let error = Error::project(format!("`precision` is `{digits}`")).hint("a decimal has 1 to 38 digits");
        document.report(&fields.span_of("precision"), error);
        return None;
    }
    if places > digits {
        let message = format!("`scale` is `{places}`, more than the {digits} digits of `precision`");
        document.report(&fields.span_of("scale"), Error::project(message));
        return None;
    }
    (!unreadable).then_some(ValueType::Decimal { precision: digits, scale: places as i8 })
}

fn instant(fields: &Fields, time_zone: &str) -> ValueType {
    let zone = fields.text("zone").and_then(|text| settings::time_zone(fields.document, text));
    ValueType::Instant { formats: formats(fields, true), zone: zone.unwrap_or_else(|| time_zone.to_string()) }
}

fn enumeration(fields: &Fields) -> Option<ValueType> {
    let document = fields.document;
    let mut values: Vec<String> = Vec::new();
    fields.required("values")?;
    for text in fields.texts("values") {
        if values.contains(&text.value) {
            document.report(&text.span, Error::project(format!("`values` names `{}` twice", text.value)));
        } else {
            values.push(text.value);
        }
    }
    if values.is_empty() {
        let error = Error::project("`values` is empty, so every row would be rejected").hint("list the allowed values");
        document.report(&fields.span_of("values"), error);
        return None;
    }
    Some(ValueType::Enumeration(values))
}

/// The formats, each tested on a timestamp: it must parse what it formats. Empty when there are none.
fn formats(fields: &Fields, with_time: bool) -> Vec<String> {
    let texts = fields.texts("formats");
    for text in &texts {
        if let Err(reason) = try_format(&text.value, with_time) {
            let error = Error::project(format!("`{}` is not a format of {}: {reason}", text.value, kind(with_time)));
            let hint = match with_time {
                true => "write it such as \"%Y-%m-%d %H:%M:%S\" or \"%d.%m.%Y %H:%M\"",
                false => "write it such as \"%Y-%m-%d\" or \"%d.%m.%Y\"",
            };
            fields.document.report(&text.span, error.hint(hint));
        }
    }
    texts.into_iter().map(|text| text.value).collect()
}

fn kind(with_time: bool) -> &'static str {
    if with_time { "instants" } else { "dates" }
}

fn try_format(format: &str, with_time: bool) -> Result<(), String> {
    if let Some((_, has_time)) = NAMED_FORMATS.iter().find(|(name, _)| *name == format) {
        return if with_time && !has_time { Err("it has no time of day".to_string()) } else { Ok(()) };
    }
    if with_time && EPOCH_FORMATS.iter().any(|(name, _)| *name == format) {
        return Ok(());
    }
    let sample = jiff::civil::datetime(2026, 11, 22, 16, 5, 9, 0).to_zoned(jiff::tz::TimeZone::UTC);
    let sample = sample.map_err(|error| error.to_string())?;
    let formatted = strtime::format(format, &sample).map_err(|error| error.to_string())?;
    let parsed = strtime::parse(format, &formatted).map_err(|error| error.to_string())?;
    let readable = match with_time {
        true => parsed.to_datetime().map(|_| ()).or_else(|_| parsed.to_timestamp().map(|_| ())),
        false => parsed.to_date().map(|_| ()),
    };
    readable.map_err(|_| format!("it leaves out part of {}", if with_time { "the timestamp" } else { "the date" }))
}

/// A bound, as text of the column's type; reported and `None` when it is not.
fn bound(fields: &Fields, key: &'static str, data_type: &ValueType) -> Option<String> {
    let text = fields.text(key)?;
    let (expected, good) = match data_type {
        ValueType::Integer => ("a whole number", text.value.parse::<i64>().is_ok()),
        ValueType::Float => ("a number", text.value.parse::<f64>().is_ok_and(f64::is_finite)),
        ValueType::Decimal { scale, .. } => ("a decimal of that scale", is_decimal(&text.value, *scale)),
        ValueType::Date { .. } => ("a date such as 2026-01-31", text.value.parse::<Date>().is_ok()),
        ValueType::Instant { .. } => ("a timestamp such as 2026-01-31T00:00:00Z", timestamp(&text.value).is_some()),
        // Reported by `check_keys_of_type`.
        ValueType::Text | ValueType::Boolean | ValueType::Enumeration(_) => return None,
    };
    if !good {
        let message = format!("`{key}` is `{}`, which is not {expected}", text.value);
        fields.document.report(&text.span, Error::project(message));
        return None;
    }
    Some(text.value)
}

/// `digits` is a property of identifiers.
fn check_identifier(fields: &Fields, column: &Column) {
    if column.identifier == Some(false) && column.digits.is_some() {
        let error = Error::project("`digits` is for identifiers, and `identifier` is `false`");
        fields.document.report(&fields.span_of("identifier"), error.hint("remove one of the two"));
    }
}

fn check_bounds(fields: &Fields, column: &Column) {
    let (Some(min), Some(max)) = (&column.min, &column.max) else { return };
    let order = match column.data_type {
        ValueType::Date { .. } => min.parse::<Date>().ok().cmp(&max.parse::<Date>().ok()),
        ValueType::Instant { .. } => timestamp(min).cmp(&timestamp(max)),
        _ => min.parse::<f64>().ok().partial_cmp(&max.parse::<f64>().ok()).unwrap_or(Ordering::Equal),
    };
    if order == Ordering::Greater {
        let error = Error::project(format!("`min` {min} is above `max` {max}"));
        fields.document.report(&fields.span_of("min"), error);
    }
}

fn is_decimal(text: &str, scale: i8) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    !whole.is_empty() && all_digits(whole) && all_digits(fraction) && fraction.len() <= scale.max(0) as usize
}

fn timestamp(text: &str) -> Option<jiff::Timestamp> {
    let civil = || text.parse::<DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    text.parse().ok().or_else(civil)
}
