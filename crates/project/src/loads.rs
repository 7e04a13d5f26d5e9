//! How a table is kept up to date and what is expected of every load: `load`, `history`, `expect`.

use super::document::{Node, Value};
use super::fields::{Fields, ON_VIOLATION, one_of};
use super::quantities;
use perennial_core::contract::{
    DuplicateKeys, Expectations, Extraction, Format, Load, Overlap, SourceTable, ValueType,
};
use perennial_core::error::Error;
use std::ops::Range;

const MODES: [&str; 4] = ["by_file", "snapshot", "incremental", "append"];
const DUPLICATE_KEYS: [(&str, DuplicateKeys); 3] =
    [("reject", DuplicateKeys::Reject), ("newest", DuplicateKeys::Newest), ("fail", DuplicateKeys::Fail)];
/// Defaults of how far before a watermark reading starts.
const OVERLAP_SECONDS: i64 = 3600;
const OVERLAP_COUNT: i64 = 1000;
const LATE_WINDOW_SECONDS: i64 = 3 * 86_400;
/// Default number of days between two reads of the whole table.
const FULL_EVERY_DAYS: u32 = 7;

/// Reads `load` of a table whose columns and key are known.
pub(super) fn read(fields: &Fields, table: &SourceTable) -> Load {
    let files = matches!(table.extraction, Extraction::Files { .. });
    let Some(node) = fields.optional("load") else {
        return if files { Load::ByFile } else { Load::Snapshot };
    };
    let span = node.span.clone();
    let load = match &node.value {
        Value::Scalar { text, .. } => mode(fields, text, &span, None, table),
        Value::Map(entries) => match entries.as_slice() {
            [(key, options)] => mode(fields, &key.value, &key.span, Some(options), table),
            _ => None,
        },
        _ => None,
    };
    let load = load.unwrap_or_else(|| {
        if !matches!(node.value, Value::Scalar { .. } | Value::Map(_)) {
            let error = Error::project(format!("`load` is a mode or one key with options, found {}", node.kind()));
            fields.document.report(&span, error.hint(one_of(MODES.into_iter())));
        }
        if files { Load::ByFile } else { Load::Snapshot }
    });
    check(fields, table, &load, &span);
    load
}

fn mode(fields: &Fields, word: &str, span: &Range<usize>, options: Option<&Node>, table: &SourceTable) -> Option<Load> {
    let document = fields.document;
    let plain = Node { value: Value::Null, span: span.clone() };
    let options = Fields::of(document, options.unwrap_or(&plain), "this load mode", span.clone())?;
    let load = match word {
        "by_file" => Some(Load::ByFile),
        "snapshot" => Some(Load::Snapshot),
        "incremental" => {
            let cursor = cursor(&options, table, options.required("cursor").is_some());
            let overlap = overlap(&options, "overlap", cursor_type(table, &cursor), OVERLAP_SECONDS);
            let full_every_days = full_every(&options);
            (!cursor.is_empty()).then_some(Load::Incremental { cursor, overlap, full_every_days })
        }
        "append" => {
            let cursor = cursor(&options, table, true);
            let late_window = overlap(&options, "late_window", cursor_type(table, &cursor), LATE_WINDOW_SECONDS);
            Some(Load::Append { cursor: cursor.into_iter().next(), late_window })
        }
        other => {
            let error = Error::project(format!("unknown load mode `{other}`"));
            document.report(span, error.suggest(other, MODES));
            return None;
        }
    };
    options.finish();
    load
}

/// The columns of the cursor, which must be whole numbers, dates or instants.
fn cursor(options: &Fields, table: &SourceTable, wanted: bool) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    if !wanted {
        return columns;
    }
    for text in options.texts("cursor") {
        let found = table.columns.iter().find(|column| column.name == text.value);
        let known: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        match found.map(|column| &column.data_type) {
            None => {
                options.check_column("cursor", &text, &known);
            }
            Some(ValueType::Integer | ValueType::Date { .. } | ValueType::Instant { .. }) => columns.push(text.value),
            Some(_) => {
                let message = format!("`cursor` names `{}`, which is not an integer, date or instant", text.value);
                options.document.report(&text.span, Error::project(message));
            }
        }
    }
    if let Some(first) = cursor_type(table, &columns) {
        let kind = |t: &ValueType| std::mem::discriminant(t);
        let types = columns.iter().filter_map(|name| table.columns.iter().find(|c| c.name == *name));
        if types.map(|c| kind(&c.data_type)).any(|other| other != kind(first)) {
            let error = Error::project("the columns of `cursor` have different types");
            options.document.report(&options.span_of("cursor"), error);
        }
    }
    columns
}

fn cursor_type<'a>(table: &'a SourceTable, cursor: &[String]) -> Option<&'a ValueType> {
    let first = cursor.first()?;
    table.columns.iter().find(|column| column.name == *first).map(|column| &column.data_type)
}

/// An overlap: a duration for dates and instants, a count for numbers.
fn overlap(options: &Fields, key: &'static str, cursor: Option<&ValueType>, seconds: i64) -> Overlap {
    let counts = matches!(cursor, Some(ValueType::Integer));
    let otherwise = if counts { Overlap::Count(OVERLAP_COUNT) } else { Overlap::Seconds(seconds) };
    if counts {
        let count = options.number::<i64>(key, "a whole number, as its cursor is");
        return count.filter(|(count, _)| *count >= 0).map_or(otherwise, |(count, _)| Overlap::Count(count));
    }
    options
        .text(key)
        .and_then(|text| quantities::seconds(options.document, key, &text))
        .map_or(otherwise, Overlap::Seconds)
}

fn full_every(options: &Fields) -> Option<u32> {
    let Some(text) = options.text("full_every") else { return Some(FULL_EVERY_DAYS) };
    if text.value == "never" {
        return None;
    }
    let seconds = quantities::seconds(options.document, "full_every", &text)?;
    Some(u32::try_from(seconds.div_euclid(86_400)).unwrap_or(u32::MAX).max(1))
}

/// Reports what a mode lacks in its table.
fn check(fields: &Fields, table: &SourceTable, load: &Load, span: &Range<usize>) {
    let files = matches!(table.extraction, Extraction::Files { .. });
    if load.merges() && fields.is_set("newest_by") {
        let error = Error::project("`newest_by` has no effect in this load mode: the row that was read last counts");
        fields.document.report(&fields.span_of("newest_by"), error.hint("remove it, or write `load: by_file`"));
    }
    let problem = match load {
        Load::ByFile if !files => Some("`by_file` is for files"),
        Load::Incremental { .. } if files => Some("files are read when they are new or changed, without a cursor"),
        Load::Append { cursor: Some(_), .. } if files => {
            Some("files are read when they are new or changed, without a cursor")
        }
        Load::Incremental { .. } if !fields.is_set("key") => Some("`incremental` needs a `key`"),
        Load::Append { .. } if !fields.is_set("key") => Some("`append` needs a `key`"),
        Load::Snapshot if files && !fields.is_set("key") => Some("`snapshot` of files needs a `key`"),
        _ => None,
    };
    if let Some(problem) = problem {
        fields.document.report(span, Error::project(problem));
    }
}

/// Reads `duplicate_keys` of a table whose key and mode are known.
pub(super) fn duplicate_keys(fields: &Fields, table: &SourceTable) -> DuplicateKeys {
    let default = table.default_duplicate_keys();
    let policy = fields.choice("duplicate_keys", &DUPLICATE_KEYS, default);
    let problem = match (policy, &table.load, &table.extraction) {
        _ if !fields.is_set("duplicate_keys") => None,
        _ if table.key.is_empty() => Some("`duplicate_keys` has no effect without a `key`"),
        (DuplicateKeys::Newest, Load::Append { .. }, _) => {
            Some("`duplicate_keys: newest` contradicts `load: append`, which keeps the first row of each key")
        }
        (DuplicateKeys::Newest, _, Extraction::Relation(_)) => {
            Some("`duplicate_keys: newest` is for files and services: the rows of a database have no order")
        }
        _ => None,
    };
    if let Some(problem) = problem {
        fields.document.report(&fields.span_of("duplicate_keys"), Error::project(problem));
        return default;
    }
    policy
}

/// Reads `rotated`, which is for files whose rows add up; `of_format` is what the format says.
pub(super) fn rotated(fields: &Fields, table: &SourceTable, of_format: bool) -> bool {
    let adds_up = matches!(table.load, Load::ByFile | Load::Append { .. });
    let rotated = fields.flag("rotated", of_format && adds_up);
    let problem = match &table.extraction {
        _ if !rotated => None,
        Extraction::Files { format: Format::Parquet | Format::Excel(_), .. } => {
            Some("`rotated` is for files of text that are appended to")
        }
        Extraction::Files { .. } if adds_up => None,
        Extraction::Files { .. } => Some("`rotated` contradicts `load: snapshot`, where each file is the whole table"),
        Extraction::Relation(_) | Extraction::Pages(_) => Some("`rotated` is for files"),
    };
    if let Some(problem) = problem {
        fields.document.report(&fields.span_of("rotated"), Error::project(problem));
    }
    rotated && problem.is_none()
}

/// Reads `history`, which needs a key and a mode that finds changes.
pub(super) fn history(fields: &Fields, load: &Load) -> bool {
    let history = fields.flag("history", false);
    if history && !fields.is_set("key") {
        let error = Error::project("`history` needs a `key`");
        fields.document.report(&fields.span_of("history"), error);
    }
    if history && matches!(load, Load::Append { .. }) {
        let error = Error::project("`history` has no effect with `append`, whose rows never change");
        fields.document.report(&fields.span_of("history"), error);
    }
    history
}

/// Reads `expect`.
pub(super) fn expectations(fields: &Fields, table: &SourceTable) -> Expectations {
    let Some(node) = fields.optional("expect") else { return Expectations::default() };
    let owner = fields.span_of("expect");
    let Some(expect) = Fields::of(fields.document, node, "`expect`", owner) else { return Expectations::default() };
    let fresh =
        expect.text("fresh_within").and_then(|text| quantities::seconds(fields.document, "fresh_within", &text));
    if fresh.is_some() && !fields.is_set("time_column") && table.time_column.is_none() {
        let error = Error::project("`fresh_within` needs a `time_column`");
        fields.document.report(&expect.span_of("fresh_within"), error);
    }
    let ratio = |key, min: f64| {
        let (ratio, span) = expect.number::<f64>(key, "a number")?;
        if !ratio.is_finite() || ratio < min {
            let error =
                Error::project(format!("`{key}` is `{ratio}`")).hint(format!("write a number of at least {min}"));
            fields.document.report(&span, error);
            return None;
        }
        Some(ratio)
    };
    let expectations = Expectations {
        fresh_within_seconds: fresh,
        min_rows: expect.number::<u64>("min_rows", "a number of rows").map(|(rows, _)| rows),
        min_ratio: ratio("min_ratio", 0.0),
        max_ratio: ratio("max_ratio", 1.0),
        fail: expect.choice("on_violation", &ON_VIOLATION, false),
    };
    expect.finish();
    expectations
}
