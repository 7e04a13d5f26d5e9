//! How people write values: `written` of a column, `total_rows` of a table.

use super::document::{Text, Value};
use super::fields::{Fields, one_of};
use crate::contract::{
    Delivery, Format, Grouping, NUMBER_STYLES, NumberStyle, Percent, SourceTable, TotalRows, UNITS, ValueType, Written,
};
use crate::error::Error;

const OTHERWISE: [(&str, bool); 2] = [("warn", false), ("fail", true)];
const DECIMAL_MARKS: [(&str, char); 2] = [(".", '.'), (",", ',')];
const GROUP_MARKS: [(&str, Option<char>); 5] =
    [(",", Some(',')), (".", Some('.')), ("'", Some('\'')), (" ", Some(' ')), ("none", None)];
const GROUPINGS: [(&str, Grouping); 2] = [("thousands", Grouping::Thousands), ("indian", Grouping::Indian)];
const PERCENTS: [(&str, Percent); 2] = [("as_written", Percent::AsWritten), ("share", Percent::Share)];
const NEGATIVES: [&str; 2] = ["parentheses", "trailing_minus"];
/// Marks that belong to one currency only, beside the three capitals of ISO 4217.
const CURRENCY_MARKS: [(&str, &str); 8] = [
    ("€", "EUR"),
    ("£", "GBP"),
    ("RMB", "CNY"),
    ("人民币", "CNY"),
    ("US$", "USD"),
    ("HK$", "HKD"),
    ("NT$", "TWD"),
    ("円", "JPY"),
];

/// Reads `written` of a column.
pub(super) fn read(fields: &Fields, data_type: &ValueType) -> Written {
    let Some(node) = fields.optional("written") else { return Written::Plainly };
    match data_type {
        ValueType::Integer | ValueType::Decimal { .. } | ValueType::Float => match &node.value {
            Value::Scalar { text, .. } => {
                let name = Text { value: text.clone(), span: node.span.clone() };
                named(fields, &name).map_or(Written::Plainly, |style| Written::Numbers(Box::new(style)))
            }
            _ => {
                let style = Fields::of(fields.document, node, "`written` of a number", fields.span_of("written"));
                style.map_or(Written::Plainly, |fields| Written::Numbers(Box::new(style_of(fields))))
            }
        },
        ValueType::Date { .. } | ValueType::Instant { .. } => {
            let style = Fields::of(fields.document, node, "`written` of a date", fields.span_of("written"));
            let Some(style) = style else { return Written::Plainly };
            let full_width = style.flag("full_width", false);
            style.finish();
            if full_width { Written::FullWidth } else { Written::Plainly }
        }
        // Said of the key by the types it belongs to.
        _ => Written::Plainly,
    }
}

fn named(fields: &Fields, name: &Text) -> Option<NumberStyle> {
    let style = NumberStyle::named(&name.value);
    if style.is_none() {
        let error = Error::project(format!("no way to write numbers is called `{}`", name.value));
        let known = NUMBER_STYLES.iter().map(|(name, example)| format!("`{name}` ({example})")).collect::<Vec<_>>();
        fields.document.report(&name.span, error.hint(format!("known are {}", known.join("; "))));
    }
    style
}

fn style_of(fields: Fields) -> NumberStyle {
    let base = fields.text("like").and_then(|name| named(&fields, &name)).unwrap_or_else(NumberStyle::plain);
    let negative = negative(&fields, &base);
    let style = NumberStyle {
        decimal_mark: fields.choice("decimal_mark", &DECIMAL_MARKS, base.decimal_mark),
        group_mark: fields.choice("group_mark", &GROUP_MARKS, base.group_mark),
        grouping: fields.choice("grouping", &GROUPINGS, base.grouping),
        currency: currency(&fields, base.currency),
        units: units(&fields, base.units),
        counted_in: counted_in(&fields),
        parentheses: negative.0,
        trailing_minus: negative.1,
        percent: fields
            .text("percent")
            .map_or(base.percent, |text| fields.document.choice("percent", &text, &PERCENTS).or(base.percent)),
        full_width: fields.flag("full_width", base.full_width),
    };
    check(&fields, &style);
    fields.finish();
    style
}

fn check(fields: &Fields, style: &NumberStyle) {
    let report = |key: &str, error: Error| fields.document.report(&fields.span_of(key), error);
    if style.group_mark == Some(style.decimal_mark) {
        let mark = style.decimal_mark;
        let error = Error::project(format!("`{mark}` cannot be both `decimal_mark` and `group_mark`"));
        let other = if mark == ',' { "." } else { "," };
        report(
            if fields.has("decimal_mark") { "decimal_mark" } else { "group_mark" },
            error.hint(format!("name both: `decimal_mark: \"{mark}\", group_mark: \"{other}\"`")),
        );
    }
    if style.counted_in > 0 && !style.units.is_empty() {
        let error = Error::project("`counted_in` says that no number names its unit, and `units` that some do");
        report("counted_in", error.hint("keep one of them; `units: []` drops those of `like`"));
    }
    let mut codes: Vec<&str> = style.currency.iter().filter_map(|mark| currency_code(mark)).collect();
    codes.sort_unstable();
    codes.dedup();
    if let [first, second, ..] = codes.as_slice() {
        let message = format!("`currency` has marks of {first} and {second}; which one an amount is in would be lost");
        let error = Error::project(message);
        report("currency", error.hint("name the marks of one currency; read amounts of several from a text column"));
    }
}

fn currency_code(mark: &str) -> Option<&str> {
    let known = CURRENCY_MARKS.iter().find(|(known, _)| *known == mark).map(|(_, code)| *code);
    known.or_else(|| (mark.len() == 3 && mark.bytes().all(|b| b.is_ascii_uppercase())).then_some(mark))
}

fn currency(fields: &Fields, otherwise: Vec<String>) -> Vec<String> {
    if !fields.has("currency") {
        return otherwise;
    }
    let mut marks: Vec<String> = Vec::new();
    for text in fields.texts("currency") {
        let mark = text.value.trim();
        let numeric = |c: char| c.is_ascii_digit() || "+-.,'()%".contains(c) || c.is_whitespace();
        if mark.is_empty() || mark.contains(numeric) {
            let error = Error::project(format!("`{}` is no mark of a currency", text.value));
            fields.document.report(&text.span, error.hint("write it such as `￥`, `元` or `EUR`"));
        } else if !marks.iter().any(|known| known == mark) {
            marks.push(mark.to_string());
        }
    }
    marks
}

fn units(fields: &Fields, otherwise: Vec<(String, u8)>) -> Vec<(String, u8)> {
    if !fields.has("units") {
        return otherwise;
    }
    let mut units: Vec<(String, u8)> = Vec::new();
    for text in fields.texts("units") {
        units.extend(unit(fields, &text).map(|power| (text.value, power)));
    }
    units
}

fn counted_in(fields: &Fields) -> u8 {
    fields.text("counted_in").and_then(|text| unit(fields, &text)).unwrap_or(0)
}

fn unit(fields: &Fields, text: &Text) -> Option<u8> {
    let found = UNITS.iter().find(|(word, _)| *word == text.value).map(|(_, power)| *power);
    if found.is_none() {
        let error = Error::project(format!("`{}` is no unit that numbers are counted in", text.value));
        fields.document.report(&text.span, error.hint(one_of(UNITS.iter().map(|(word, _)| *word))));
    }
    found
}

/// Whether parentheses and a minus behind the number are read.
fn negative(fields: &Fields, base: &NumberStyle) -> (bool, bool) {
    if !fields.has("negative") {
        return (base.parentheses, base.trailing_minus);
    }
    let mut found = (false, false);
    for text in fields.texts("negative") {
        match text.value.as_str() {
            "parentheses" => found.0 = true,
            "trailing_minus" => found.1 = true,
            other => {
                let error = Error::project(format!("`negative` has `{other}`"));
                fields.document.report(&text.span, error.hint(one_of(NEGATIVES.into_iter())));
            }
        }
    }
    found
}

/// Numbers that come as numbers are not written in any way.
pub(super) fn check_delivery(fields: &Fields, table: &SourceTable) {
    let what = match &table.delivery {
        Delivery::Relation(_) => "columns of a database",
        Delivery::Pages(_) => "fields of JSON",
        Delivery::Files { format: Format::Parquet, .. } => "columns of Parquet",
        Delivery::Files { format: Format::JsonLines | Format::Json { .. }, .. } => "fields of JSON",
        Delivery::Files { format: Format::Named(_), .. } => "fields of a known system's format",
        Delivery::Files { .. } => return,
    };
    let Some(Value::Map(columns)) = fields.optional("columns").map(|node| &node.value) else { return };
    for column in table.columns.iter().filter(|column| matches!(column.written, Written::Numbers(_))) {
        let Some((_, node)) = columns.iter().find(|(name, _)| name.value == column.name) else { continue };
        let Value::Map(keys) = &node.value else { continue };
        let Some((key, _)) = keys.iter().find(|(key, _)| key.value == "written") else { continue };
        let error = Error::project(format!("numbers are `written` in csv, lines and excel files; {what} are plain"));
        fields.document.report(&key.span, error.hint("read the column as text, and take it apart in SQL"));
    }
}

/// Reads `total_rows` of a table whose columns are known.
pub(super) fn total_rows(fields: &Fields, table: &SourceTable) -> Option<TotalRows> {
    let node = fields.optional("total_rows")?;
    let rule = Fields::of(fields.document, node, "`total_rows`", fields.span_of("total_rows"))?;
    let words = |key| rule.texts(key).into_iter().map(|text| text.value).collect::<Vec<_>>();
    let column = rule.required_text("column").filter(|text| known(&rule, table, "column", text));
    let mut check = Vec::new();
    for text in rule.texts("check") {
        let found = table.columns.iter().find(|column| column.name == text.value);
        match found.map(|column| &column.data_type) {
            None => {
                known(&rule, table, "check", &text);
            }
            Some(ValueType::Integer | ValueType::Decimal { .. }) => check.push(text.value),
            Some(_) => {
                let message = format!("`check` names `{}`, which is neither an integer nor a decimal", text.value);
                rule.document.report(&text.span, Error::project(message).hint("sums of others are not exact"));
            }
        }
    }
    let (values, subtotals) = (words("values"), words("subtotals"));
    if values.is_empty() && subtotals.is_empty() {
        let error = Error::project("`total_rows` needs `values` or `subtotals`");
        rule.document.report(&rule.owner, error.hint("name the words that totals begin with: `values: [合计, Total]`"));
    }
    let fail = rule.choice("otherwise", &OTHERWISE, false);
    if !matches!(table.delivery, Delivery::Files { ref format, .. } if *format != Format::Parquet) {
        let error = Error::project("`total_rows` are rows of files that people read (csv, excel, lines)");
        rule.document.report(&rule.owner, error);
    }
    rule.finish();
    Some(TotalRows { column: column?.value, values, subtotals, check, fail })
}

fn known(rule: &Fields, table: &SourceTable, key: &str, text: &Text) -> bool {
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let found = names.contains(&text.value.as_str());
    if !found && !names.is_empty() {
        let error = Error::project(format!("`{key}` names the unknown column `{}`", text.value));
        rule.document.report(&text.span, error.suggest(&text.value, names));
    }
    found
}
