//! How people write values: `locale` of a column, `total_rows` of a table.

use super::document::{Text, Value};
use super::fields::{Fields, ON_VIOLATION, one_of};
use perennial_core::contract::{
    Extraction, Format, Grouping, NUMBER_LOCALES, NumberLocale, Percent, SourceTable, TotalRows, UNITS, ValueLocale,
    ValueType,
};
use perennial_core::error::Error;

const DECIMAL_MARKS: [(&str, char); 2] = [(".", '.'), (",", ',')];
const GROUP_MARKS: [(&str, Option<char>); 5] =
    [(",", Some(',')), (".", Some('.')), ("'", Some('\'')), (" ", Some(' ')), ("none", None)];
const GROUPINGS: [(&str, Grouping); 2] = [("thousands", Grouping::Thousands), ("indian", Grouping::Indian)];
const PERCENTS: [(&str, Percent); 2] = [("as_written", Percent::AsWritten), ("share", Percent::Share)];
const NEGATIVES: [&str; 2] = ["parentheses", "trailing_minus"];
/// Symbols of a single currency, in addition to the codes of ISO 4217.
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

/// Reads `locale` of a column.
pub(super) fn read(fields: &Fields, data_type: &ValueType) -> ValueLocale {
    let Some(node) = fields.optional("locale") else { return ValueLocale::Plain };
    match data_type {
        ValueType::Integer | ValueType::Decimal { .. } | ValueType::Float => match &node.value {
            Value::Scalar { text, .. } => {
                let name = Text { value: text.clone(), span: node.span.clone() };
                named(fields, &name).map_or(ValueLocale::Plain, |locale| ValueLocale::Numbers(Box::new(locale)))
            }
            _ => {
                let locale = Fields::of(fields.document, node, "`locale` of a number", fields.span_of("locale"));
                locale.map_or(ValueLocale::Plain, |fields| ValueLocale::Numbers(Box::new(locale_of(fields))))
            }
        },
        ValueType::Date { .. } | ValueType::Instant { .. } => {
            let locale = Fields::of(fields.document, node, "`locale` of a date", fields.span_of("locale"));
            let Some(locale) = locale else { return ValueLocale::Plain };
            let full_width = locale.flag("full_width", false);
            locale.finish();
            if full_width { ValueLocale::FullWidth } else { ValueLocale::Plain }
        }
        // Reported with the keys of each type.
        _ => ValueLocale::Plain,
    }
}

fn named(fields: &Fields, name: &Text) -> Option<NumberLocale> {
    let locale = NumberLocale::named(&name.value);
    if locale.is_none() {
        let error = Error::project(format!("unknown locale `{}`", name.value));
        let known: Vec<String> = NUMBER_LOCALES.iter().map(|(name, number)| format!("`{name}` ({number})")).collect();
        fields.document.report(&name.span, error.hint(format!("expected one of {}", known.join("; "))));
    }
    locale
}

fn locale_of(fields: Fields) -> NumberLocale {
    let base = fields.text("like").and_then(|name| named(&fields, &name)).unwrap_or_else(NumberLocale::plain);
    let negative = negative(&fields, &base);
    let locale = NumberLocale {
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
    check(&fields, &locale);
    fields.finish();
    locale
}

fn check(fields: &Fields, locale: &NumberLocale) {
    let report = |key: &str, error: Error| fields.document.report(&fields.span_of(key), error);
    if locale.group_mark == Some(locale.decimal_mark) {
        let mark = locale.decimal_mark;
        let error = Error::project(format!("`{mark}` cannot be both `decimal_mark` and `group_mark`"));
        let other = if mark == ',' { "." } else { "," };
        report(
            if fields.has("decimal_mark") { "decimal_mark" } else { "group_mark" },
            error.hint(format!("set both: `decimal_mark: \"{mark}\", group_mark: \"{other}\"`")),
        );
    }
    if locale.counted_in > 0 && !locale.units.is_empty() {
        let error = Error::project("`counted_in` is for numbers without units, and `units` for numbers with units");
        report("counted_in", error.hint("remove one of the two; `units: []` removes those of `like`"));
    }
    let mut codes: Vec<&str> = locale.currency.iter().filter_map(|mark| currency_code(mark)).collect();
    codes.sort_unstable();
    codes.dedup();
    if let [first, second, ..] = codes.as_slice() {
        let message =
            format!("`currency` has symbols of both {first} and {second}, and amounts would lose their currency");
        let error = Error::project(message);
        report("currency", error.hint("list the symbols of one currency; read amounts in several currencies as text"));
    }
}

fn currency_code(mark: &str) -> Option<&str> {
    let known = CURRENCY_MARKS.iter().find(|(known, _)| *known == mark).map(|(_, code)| *code);
    known.or_else(|| (mark.len() == 3 && mark.bytes().all(|b| b.is_ascii_uppercase())).then_some(mark))
}

fn currency(fields: &Fields, otherwise: Vec<String>) -> Vec<String> {
    if !fields.is_set("currency") {
        return otherwise;
    }
    let mut marks: Vec<String> = Vec::new();
    for text in fields.texts("currency") {
        let mark = text.value.trim();
        let numeric = |c: char| c.is_ascii_digit() || "+-.,'()%".contains(c) || c.is_whitespace();
        if mark.is_empty() || mark.contains(numeric) {
            let error = Error::project(format!("`{}` is not a currency symbol", text.value));
            fields.document.report(&text.span, error.hint("write it such as `￥`, `元` or `EUR`"));
        } else if !marks.iter().any(|known| known == mark) {
            marks.push(mark.to_string());
        }
    }
    marks
}

fn units(fields: &Fields, otherwise: Vec<(String, u8)>) -> Vec<(String, u8)> {
    if !fields.is_set("units") {
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
        let error = Error::project(format!("unknown unit `{}`", text.value));
        fields.document.report(&text.span, error.hint(one_of(UNITS.iter().map(|(word, _)| *word))));
    }
    found
}

/// Whether parentheses and a trailing minus are read.
fn negative(fields: &Fields, base: &NumberLocale) -> (bool, bool) {
    if !fields.is_set("negative") {
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

/// Reports locales of numbers that are not text.
pub(super) fn check_extraction(fields: &Fields, table: &SourceTable) {
    let what = match &table.extraction {
        Extraction::Relation(_) => "columns of a database",
        Extraction::Pages(_) => "fields of JSON",
        Extraction::Files { format: Format::Parquet, .. } => "columns of Parquet",
        Extraction::Files { format: Format::JsonLines | Format::Json { .. }, .. } => "fields of JSON",
        Extraction::Files { format: Format::Named(_), .. } => "fields of a known system's format",
        Extraction::Files { .. } => return,
    };
    let Some(Value::Map(columns)) = fields.optional("columns").map(|node| &node.value) else { return };
    for column in table.columns.iter().filter(|column| matches!(column.locale, ValueLocale::Numbers(_))) {
        let Some((_, node)) = columns.iter().find(|(name, _)| name.value == column.name) else { continue };
        let Value::Map(keys) = &node.value else { continue };
        let Some((key, _)) = keys.iter().find(|(key, _)| key.value == "locale") else { continue };
        let error = Error::project(format!(
            "the `locale` of numbers is for csv, lines and excel files; {what} are plain numbers"
        ));
        fields
            .document
            .report(&key.span, error.hint("if the column contains text, read it as text and convert it in SQL"));
    }
}

/// Reads `total_rows` of a table whose columns are known.
pub(super) fn total_rows(fields: &Fields, table: &SourceTable) -> Option<TotalRows> {
    let node = fields.optional("total_rows")?;
    let rule = Fields::of(fields.document, node, "`total_rows`", fields.span_of("total_rows"))?;
    let labels = |key| rule.texts(key).into_iter().map(|text| text.value).collect::<Vec<_>>();
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let column = rule.required_text("column").filter(|text| rule.check_column("column", text, &names));
    let mut check = Vec::new();
    for text in rule.texts("check") {
        let found = table.columns.iter().find(|column| column.name == text.value);
        match found.map(|column| &column.data_type) {
            None => {
                rule.check_column("check", &text, &names);
            }
            Some(ValueType::Integer | ValueType::Decimal { .. }) => check.push(text.value),
            Some(_) => {
                let message = format!("`check` names `{}`, which is neither an integer nor a decimal", text.value);
                rule.document.report(&text.span, Error::project(message).hint("sums of other types are not exact"));
            }
        }
    }
    let (values, subtotals) = (labels("values"), labels("subtotals"));
    if values.is_empty() && subtotals.is_empty() {
        let error = Error::project("`total_rows` needs `values` or `subtotals`");
        rule.document.report(&rule.owner, error.hint("list the labels of totals: `values: [合计, Total]`"));
    }
    let fail = rule.choice("on_violation", &ON_VIOLATION, false);
    if !matches!(table.extraction, Extraction::Files { ref format, .. } if *format != Format::Parquet) {
        let error = Error::project("`total_rows` is only for files (csv, excel, lines)");
        rule.document.report(&rule.owner, error);
    }
    rule.finish();
    Some(TotalRows { column: column?.value, values, subtotals, check, fail })
}
