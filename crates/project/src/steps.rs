//! `sql/**/*.sql`: the header in a leading comment, and the name in the path. A step is what dbt calls a model.

use super::document::{Document, Node, Style, Text, Value};
use super::fields::{Fields, one_of};
use super::{ColumnHeader, ColumnRule, ColumnTest, Materialize, Severity, SqlFile, StepHeader, TextFile, names};
use perennial_core::contract::TableName;
use perennial_core::error::Error;
use perennial_core::sql::STANDARD;
use std::ops::Range;

const MATERIALIZE: [(&str, Materialize); 2] = [("table", Materialize::Table), ("view", Materialize::View)];
const SEVERITIES: [(&str, Severity); 2] = [("error", Severity::Error), ("warn", Severity::Warn)];

impl Materialize {
    /// As headers write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Materialize::Table => "table",
            Materialize::View => "view",
        }
    }
}

const RULES: [&str; 6] = ["not_null", "unique", "accepted_values", "relationships", "range", "warn"];

/// Reads a step (`sql/marts/rfm.sql`, whose folder is the layer).
pub(super) fn read_step(document: &Document, file: &TextFile) -> Option<SqlFile> {
    let name = step_name(document, file.below_root())?;
    read(document, file, name, |fields| StepHeader {
        description: fields.words("description"),
        grain: fields.texts("grain").into_iter().map(|text| text.value).collect(),
        materialize: fields.choice("materialize", &MATERIALIZE, Materialize::Table),
        tags: tags(fields),
        columns: columns(fields),
        mixed_as_of: fields.flag("mixed_as_of", false),
        severity: Severity::Error,
    })
}

/// Reads a query whose rows are failures (`sql/tests/*.sql`).
pub(super) fn read_test(document: &Document, file: &TextFile) -> Option<SqlFile> {
    let stem = stem(file.below_root());
    if let Err(error) = names::check("a test", stem) {
        document.report(&(0..0), error);
    }
    read(document, file, TableName::new("tests", stem), |fields| StepHeader {
        description: fields.words("description"),
        severity: fields.choice("severity", &SEVERITIES, Severity::Error),
        tags: tags(fields),
        ..StepHeader::default()
    })
}

fn read(
    document: &Document,
    file: &TextFile,
    name: TableName,
    header: impl Fn(&Fields) -> StepHeader,
) -> Option<SqlFile> {
    let parts = split(document)?;
    if file.text[parts.body..].trim().is_empty() {
        document.report(&(0..0), Error::project("the file has no SQL"));
    }
    let header = match parts.yaml {
        None => StepHeader::default(),
        Some(yaml) => {
            let owner = yaml.start.saturating_sub(1)..yaml.start;
            let node = document.parse(yaml)?;
            let fields = Fields::of(document, &node, "a header", owner)?;
            let read = header(&fields);
            fields.finish();
            read
        }
    };
    Some(SqlFile { name, file: file.clone(), body: parts.body, header })
}

/// The table a path names: `sql/marts/finance/rfm.sql` is `marts.rfm`.
fn step_name(document: &Document, path: &str) -> Option<TableName> {
    let below = path.strip_prefix("sql/").unwrap_or(path);
    let Some((layer, _)) = below.split_once('/') else {
        let error = Error::project("a step must be in a layer's folder");
        document.report(
            &(0..0),
            error.hint(format!("move it to `sql/staging`, `sql/core` or `sql/marts`: sql/marts/{below}")),
        );
        return None;
    };
    let stem = stem(path);
    for checked in [names::check_layer(layer), names::check("a step", stem)] {
        if let Err(error) = checked {
            document.report(&(0..0), error);
            return None;
        }
    }
    Some(TableName::new(layer, stem))
}

fn stem(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}

/// Where header and SQL stand in the file.
struct Parts {
    yaml: Option<Range<usize>>,
    body: usize,
}

/// Finds `/* --- ... --- */` in front of the SQL.
fn split(document: &Document) -> Option<Parts> {
    let text: &str = &document.text;
    let start = text.len() - text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).len();
    let Some(comment) = text[start..].strip_prefix("/*") else { return Some(Parts { yaml: None, body: start }) };
    let opening = start + 2;
    let Some(dashes) = comment.trim_start().strip_prefix("---") else {
        return Some(Parts { yaml: None, body: start });
    };
    let yaml = text.len() - dashes.len();
    let Some(length) = comment.find("*/") else {
        let error = Error::project("the header is not closed").hint("close it with a line `--- */`");
        document.report(&(start..yaml), error);
        return None;
    };
    let closing = opening + length;
    let inner = text[yaml..closing.max(yaml)].trim_end();
    if !inner.ends_with("---") {
        let error = Error::project("the header ends without `---`").hint("close it with a line `--- */`");
        document.report(&(closing..closing + 2), error);
        return None;
    }
    Some(Parts { yaml: Some(yaml..yaml + inner.len() - 3), body: closing + 2 })
}

fn tags(fields: &Fields) -> Vec<String> {
    fields.texts("tags").into_iter().map(|text| text.value).collect()
}

fn columns(fields: &Fields) -> Vec<ColumnHeader> {
    let Some(node) = fields.optional("columns") else { return Vec::new() };
    let entries = fields.document.entries(node, "`columns`").unwrap_or_default();
    entries.iter().filter_map(|(key, node)| column(fields.document, key, node)).collect()
}

fn column(document: &Document, key: &Text, node: &Node) -> Option<ColumnHeader> {
    let fields = Fields::of(document, node, "a column", key.span.clone())?;
    let tests = match fields.optional("tests").map(|node| (&node.value, node)) {
        None => Vec::new(),
        Some((Value::List(items), _)) => {
            items.iter().filter_map(|item| test(document, item, Severity::Error)).collect()
        }
        Some((_, node)) => test(document, node, Severity::Error).into_iter().collect(),
    };
    let description = fields.words("description");
    fields.finish();
    Some(ColumnHeader { name: key.value.clone(), span: key.span.clone(), description, tests })
}

/// `not_null`, or one key with what it needs.
fn test(document: &Document, node: &Node, severity: Severity) -> Option<ColumnTest> {
    match &node.value {
        Value::Scalar { text, .. } => {
            let rule = word_rule(document, &Text { value: text.clone(), span: node.span.clone() })?;
            Some(ColumnTest { rule, severity, span: node.span.clone() })
        }
        Value::Map(entries) => {
            if entries.len() != 1 {
                let error =
                    Error::project("a test is a name or one key with options, such as `not_null` or `range: {min: 0}`");
                document.report(&node.span, error.hint("write each test after its own `- `"));
            }
            // What is wrong inside is reported as well.
            let tests: Vec<ColumnTest> =
                entries.iter().filter_map(|(key, inner)| test_of_key(document, key, inner, severity)).collect();
            tests.into_iter().next()
        }
        _ => {
            let message = format!("a test is a name or one key with options, found {}", node.kind());
            document.report(&node.span, Error::project(message).hint(rules()));
            None
        }
    }
}

fn test_of_key(document: &Document, key: &Text, inner: &Node, severity: Severity) -> Option<ColumnTest> {
    if key.value == "warn" {
        return test(document, inner, Severity::Warn);
    }
    let rule = rule_with_details(document, key, inner)?;
    Some(ColumnTest { rule, severity, span: key.span.clone() })
}

fn rules() -> String {
    one_of(RULES.into_iter())
}

fn word_rule(document: &Document, text: &Text) -> Option<ColumnRule> {
    let error = match text.value.as_str() {
        "not_null" => return Some(ColumnRule::NotNull),
        "unique" => return Some(ColumnRule::Unique),
        "accepted_values" => {
            Error::project("`accepted_values` needs values").hint("write it as `accepted_values: [a, b]`")
        }
        "relationships" => Error::project("`relationships` needs `to` and `field`")
            .hint("write it as `relationships: {to: core.customers, field: customer_id}`"),
        "range" => Error::project("`range` needs `min` or `max`").hint("write it as `range: {min: 0, max: 100}`"),
        other => unknown_rule(other),
    };
    document.report(&text.span, error);
    None
}

fn unknown_rule(name: &str) -> Error {
    let error = Error::project(format!("unknown test `{name}`"));
    match perennial_core::error::closest(name, &RULES) {
        Some(close) => error.hint(format!("did you mean `{close}`?")),
        None => error.hint(rules()),
    }
}

fn rule_with_details(document: &Document, key: &Text, node: &Node) -> Option<ColumnRule> {
    match key.value.as_str() {
        "accepted_values" => accepted_values(document, key, node),
        "relationships" => relationships(document, key, node),
        "range" => range(document, key, node),
        "not_null" | "unique" if matches!(node.value, Value::Null) => word_rule(document, key),
        "not_null" | "unique" => {
            document.report(&node.span, Error::project(format!("`{}` takes no options", key.value)));
            None
        }
        other => {
            document.report(&key.span, unknown_rule(other));
            None
        }
    }
}

fn accepted_values(document: &Document, key: &Text, node: &Node) -> Option<ColumnRule> {
    let values: Vec<String> = match node.value {
        Value::Null => Vec::new(),
        _ => document.texts("accepted_values", node).into_iter().map(|text| text.value).collect(),
    };
    if values.is_empty() {
        document.report(&key.span, Error::project("`accepted_values` is empty, so every row would fail"));
        return None;
    }
    Some(ColumnRule::AcceptedValues(values))
}

fn relationships(document: &Document, key: &Text, node: &Node) -> Option<ColumnRule> {
    let fields = Fields::of(document, node, "`relationships`", key.span.clone())?;
    let to = fields.required_text("to").and_then(|text| match TableName::try_from(text.value) {
        Ok(name) => Some(name),
        Err(message) => {
            document.report(&text.span, Error::project(message));
            None
        }
    });
    // dbt calls it `field`; `column` is the older name here.
    let column = match fields.has("column") {
        true => fields.required_text("column"),
        false => fields.required_text("field"),
    };
    if fields.has("column") && fields.has("field") {
        let error = Error::project("`relationships` has both `field` and `column`, which mean the same");
        document.report(&fields.span_of("column"), error.hint("remove `column`"));
    }
    fields.optional("column");
    fields.optional("field");
    fields.finish();
    Some(ColumnRule::Relationships { to: to?, column: column?.value })
}

fn range(document: &Document, key: &Text, node: &Node) -> Option<ColumnRule> {
    let fields = Fields::of(document, node, "`range`", key.span.clone())?;
    let [min, max] = ["min", "max"].map(|bound| fields.optional(bound).and_then(|node| literal(document, bound, node)));
    if !fields.is_set("min") && !fields.is_set("max") {
        document.report(&key.span, Error::project("`range` needs `min` or `max`"));
    }
    fields.finish();
    (min.is_some() || max.is_some()).then_some(ColumnRule::Range { min, max })
}

/// A bound as an SQL literal: a number as it is, a date as `DATE '...'`, anything else as text.
fn literal(document: &Document, key: &str, node: &Node) -> Option<String> {
    let text = document.text(key, node)?.value;
    let plain = matches!(node.value, Value::Scalar { style: Style::Plain, .. });
    let numeric = plain
        && text.parse::<f64>().is_ok_and(f64::is_finite)
        && text.starts_with(['-', '.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    let dated = text.len() == "2026-01-31".len() && text.parse::<jiff::civil::Date>().is_ok();
    Some(match (numeric, dated) {
        (true, _) => text,
        (_, true) => format!("DATE '{text}'"),
        _ => STANDARD.literal(&text),
    })
}
