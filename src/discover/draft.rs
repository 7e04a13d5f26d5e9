//! A contract as a draft: what was found, in the order in which a person reads it, written as YAML with comments.

use super::{names, yaml};
use perennial_core::contract::ValueType;
use perennial_sources::FoundTable;

/// Distinct values that are named as a possible enumeration, at most.
const MAX_VALUES: usize = 12;
/// Values that each of them stands for, at least.
const MIN_REPEATS: usize = 10;
/// Share of values of one shape from which on a column is taken to be about persons.
const MAX_OF_THEM: f64 = 0.8;

/// A contract.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) description: String,
    /// Lines in front of everything.
    pub(super) comments: Vec<String>,
    /// As a contract writes it.
    pub(super) location: String,
    /// The keys of the credentials, with their values as YAML.
    pub(super) access: Vec<(&'static str, String)>,
    pub(super) tables: Vec<TableDraft>,
    /// What was found and not drafted, and why.
    pub(super) left_out: Vec<String>,
}

/// One table of it.
#[derive(Clone, Debug, Default)]
pub(super) struct TableDraft {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) comments: Vec<String>,
    /// Where its rows are: `files` and `format`, `table`, or `path` and `rows`, with their values as YAML.
    pub(super) extraction: Vec<(&'static str, String)>,
    /// `load`, as YAML.
    pub(super) load: Option<String>,
    pub(super) key: Vec<String>,
    pub(super) newest_by: Option<String>,
    pub(super) time_column: Option<String>,
    /// A column that some files lack is empty in their rows.
    pub(super) some_files_lack_columns: bool,
    pub(super) columns: Vec<ColumnDraft>,
    /// The relation it was found as in its database.
    pub(super) relation: Option<FoundTable>,
    /// The files it was found in.
    pub(super) paths: Vec<String>,
}

/// One column of it.
#[derive(Clone, Debug)]
pub(super) struct ColumnDraft {
    pub(super) name: String,
    pub(super) from: String,
    pub(super) data_type: ValueType,
    /// The named locale of its numbers.
    pub(super) locale: Option<&'static str>,
    pub(super) required: bool,
    pub(super) null_values: Vec<String>,
    pub(super) personal: bool,
    pub(super) description: String,
    pub(super) comments: Vec<String>,
}

impl Draft {
    /// The contract as YAML; instants in the project's zone do not name it.
    pub(super) fn yaml(&self, project_zone: &str) -> String {
        let mut text = String::new();
        comment(&mut text, "", &self.comments);
        line(&mut text, "", "description", &yaml::words(&self.description));
        line(&mut text, "", "location", &yaml::scalar(&self.location));
        for (key, value) in &self.access {
            line(&mut text, "", key, value);
        }
        if self.tables.is_empty() {
            line(&mut text, "", "tables", "{}");
        } else {
            text.push_str("tables:\n");
        }
        for (i, table) in self.tables.iter().enumerate() {
            if i > 0 {
                text.push('\n');
            }
            table.write(&mut text, project_zone);
        }
        if !self.left_out.is_empty() {
            text.push_str("\n# Left out:\n");
            comment(&mut text, "", &self.left_out);
        }
        text
    }
}

impl TableDraft {
    /// The table as an entry of `tables`.
    pub(super) fn written(&self, project_zone: &str) -> String {
        let mut text = String::new();
        self.write(&mut text, project_zone);
        text
    }

    fn write(&self, text: &mut String, project_zone: &str) {
        text.push_str(&format!("  {}:\n", yaml::scalar(&self.name)));
        comment(text, "    ", &self.comments);
        if !self.description.is_empty() {
            line(text, "    ", "description", &yaml::words(&self.description));
        }
        for (key, value) in &self.extraction {
            line(text, "    ", key, value);
        }
        if let Some(load) = &self.load {
            line(text, "    ", "load", load);
        }
        if !self.key.is_empty() {
            line(text, "    ", "key", &yaml::list(&self.key));
        }
        let named = [("newest_by", &self.newest_by), ("time_column", &self.time_column)];
        for (key, value) in named.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?))) {
            line(text, "    ", key, &yaml::scalar(value));
        }
        if self.some_files_lack_columns {
            line(text, "    ", "on_missing_column", "accept");
        }
        if !self.columns.is_empty() {
            text.push_str("    columns:\n");
        }
        for column in &self.columns {
            column.write(text, project_zone);
        }
    }
}

impl ColumnDraft {
    pub(super) fn write(&self, text: &mut String, project_zone: &str) {
        let mut keys = type_keys(&self.data_type, project_zone);
        keys.extend(self.locale.map(|locale| format!("locale: {locale}")));
        if self.from != self.name {
            keys.push(format!("from: {}", yaml::scalar(&self.from)));
        }
        if self.required {
            keys.push("required: true".to_string());
        }
        if !self.null_values.is_empty() {
            keys.push(format!("null_values: {}", yaml::list(&self.null_values)));
        }
        if self.personal {
            keys.push("personal: true".to_string());
        }
        if !self.description.is_empty() {
            keys.push(format!("description: {}", yaml::words(&self.description)));
        }
        let comments = yaml::one_line(&self.comments.join("; "));
        let comments = if comments.is_empty() { String::new() } else { format!("  # {comments}") };
        text.push_str(&format!("      {}: {{{}}}{comments}\n", yaml::scalar(&self.name), keys.join(", ")));
    }
}

fn line(text: &mut String, indent: &str, key: &str, value: &str) {
    text.push_str(&format!("{indent}{key}: {value}\n"));
}

fn comment(text: &mut String, indent: &str, lines: &[String]) {
    for words in lines {
        text.push_str(&format!("{indent}# {}\n", yaml::one_line(words)));
    }
}

fn type_keys(data_type: &ValueType, project_zone: &str) -> Vec<String> {
    let word = |word: &str| format!("type: {word}");
    let with_formats = |word: String, formats: &[String]| {
        let mut keys = vec![word];
        if !formats.is_empty() {
            keys.push(format!("formats: {}", yaml::list(formats)));
        }
        keys
    };
    match data_type {
        ValueType::Text => vec![word("text")],
        ValueType::Integer => vec![word("integer")],
        ValueType::Decimal { precision, scale } => {
            vec![word("decimal"), format!("precision: {precision}"), format!("scale: {scale}")]
        }
        ValueType::Float => vec![word("float")],
        ValueType::Boolean => vec![word("boolean")],
        ValueType::Date { formats } => with_formats(word("date"), formats),
        ValueType::Instant { formats, zone } => {
            let mut keys = with_formats(word("instant"), formats);
            if zone != project_zone {
                keys.push(format!("zone: {}", yaml::scalar(zone)));
            }
            keys
        }
        ValueType::Enumeration(values) => vec![word("enumeration"), format!("values: {}", yaml::list(values))],
    }
}

/// Says what a column's values tell beyond its type: that they are about persons, or few and repeated.
pub(super) fn look_at_values(column: &mut ColumnDraft, values: &[Option<String>]) {
    let present: Vec<&str> = values.iter().flatten().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
    let share = |good: fn(&str) -> bool| {
        !present.is_empty()
            && present.iter().filter(|text| good(text)).count() as f64 >= MAX_OF_THEM * present.len() as f64
    };
    let is_text = column.data_type == ValueType::Text;
    if !column.personal && is_text {
        type Shape = (fn(&str) -> bool, &'static str);
        let shapes: [Shape; 3] =
            [(is_email, "e-mail addresses"), (is_telephone, "telephone numbers"), (is_ip, "network addresses")];
        if let Some((_, what)) = shapes.iter().find(|(good, _)| share(*good)) {
            column.personal = true;
            column.comments.push(format!("personal: the values look like {what}"));
        }
    }
    if !column.personal && column.data_type == ValueType::Integer && share(is_chinese_mobile) {
        column.personal = true;
        (column.data_type, column.locale) = (ValueType::Text, None);
        column.comments.push("personal: the values look like Chinese mobile numbers".to_string());
    }
    if is_text && !column.personal && !names::is_identifier(&column.name) {
        column.comments.extend(few_values(&present));
    }
}

/// The values of a column that has few, each often.
fn few_values(present: &[&str]) -> Option<String> {
    let mut values: Vec<&str> = Vec::new();
    for value in present {
        if !values.contains(value) {
            if values.len() == MAX_VALUES || value.chars().count() > 30 {
                return None;
            }
            values.push(value);
        }
    }
    if values.is_empty() || present.len() < MIN_REPEATS * values.len() {
        return None;
    }
    values.sort_unstable();
    let values: Vec<String> = values.into_iter().map(str::to_string).collect();
    Some(format!("an enumeration? values: {}", yaml::list(&values)))
}

fn is_email(text: &str) -> bool {
    let Some((before, domain)) = text.split_once('@') else { return false };
    let dotted = domain.rsplit_once('.').is_some_and(|(host, end)| !host.is_empty() && end.len() >= 2);
    !before.is_empty() && dotted && !domain.contains('@') && !text.contains(char::is_whitespace)
}

/// Begins with a plus, a zero or a bracket, as numbers other than telephone numbers rarely do.
fn is_telephone(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    text.starts_with(['+', '0', '('])
        && (7..=15).contains(&digits)
        && text.chars().all(|c| c.is_ascii_digit() || "+ ()/-.".contains(c))
}

fn is_chinese_mobile(text: &str) -> bool {
    text.len() == 11 && text.starts_with('1') && matches!(text.as_bytes().get(1), Some(b'3'..=b'9'))
}

fn is_ip(text: &str) -> bool {
    text.contains(['.', ':']) && text.parse::<std::net::IpAddr>().is_ok()
}

/// Marks the columns that their names say are about persons. A bare `name` is one where the table is about people.
pub(super) fn mark_personal(table: &mut TableDraft) {
    let people = names::is_of_people(&table.name);
    for column in &mut table.columns {
        let kind = matches!(
            column.data_type,
            ValueType::Boolean | ValueType::Float | ValueType::Decimal { .. } | ValueType::Instant { .. }
        );
        let by_name =
            names::is_personal(&column.name).unwrap_or(people) || names::is_personal(&column.from) == Some(true);
        column.personal |= by_name && !kind;
    }
}

/// The column that says when a row happened: one that is always there and no stamp of a change, if there is one.
pub(super) fn time_column(columns: &[ColumnDraft]) -> Option<String> {
    let timed = |c: &&ColumnDraft| matches!(c.data_type, ValueType::Date { .. } | ValueType::Instant { .. });
    let stamp = |c: &ColumnDraft| names::says_changed(&c.name);
    let rank = |c: &ColumnDraft| (!c.required, stamp(c), matches!(c.data_type, ValueType::Date { .. }));
    columns.iter().filter(timed).filter(|c| !c.personal).min_by_key(|c| rank(c)).map(|c| c.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn column(name: &str, data_type: ValueType) -> ColumnDraft {
        ColumnDraft {
            name: name.into(),
            from: name.into(),
            data_type,
            locale: None,
            required: false,
            null_values: vec![],
            personal: false,
            description: String::new(),
            comments: vec![],
        }
    }

    fn looked(name: &str, data_type: ValueType, values: &[&str]) -> ColumnDraft {
        let values: Vec<Option<String>> = values.iter().map(|v| Some(v.to_string())).collect();
        let mut column = column(name, data_type);
        look_at_values(&mut column, &values);
        column
    }

    #[test]
    fn a_column_is_one_line() {
        let mut text = String::new();
        let zone = |zone: &str| ValueType::Instant { formats: vec!["%d.%m.%Y %H:%M".into()], zone: zone.into() };
        let full = ColumnDraft {
            from: "订单号".into(),
            required: true,
            null_values: vec!["-".into()],
            description: "Number: of the order".into(),
            comments: vec!["one\ntwo".into(), "three".into()],
            ..column("order_no", ValueType::Text)
        };
        full.write(&mut text, "UTC");
        let amount = ValueType::Decimal { precision: 18, scale: 2 };
        ColumnDraft { locale: Some("european"), ..column("amount", amount) }.write(&mut text, "UTC");
        column("at", zone("UTC")).write(&mut text, "UTC");
        column("then", zone("Asia/Shanghai")).write(&mut text, "UTC");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "      order_no: {type: text, from: \"订单号\", required: true, null_values: [\"-\"], \
                 description: \"Number: of the order\"}  # one two; three",
                "      amount: {type: decimal, precision: 18, scale: 2, locale: european}",
                "      at: {type: instant, formats: [\"%d.%m.%Y %H:%M\"]}",
                "      then: {type: instant, formats: [\"%d.%m.%Y %H:%M\"], zone: Asia/Shanghai}",
            ]
        );
    }

    #[test]
    fn values_tell_persons_by_their_shape() {
        assert!(looked("a", ValueType::Text, &["x@y.de", "li.lei@corp.cn"]).personal);
        assert!(looked("a", ValueType::Text, &["+49 30 123456", "0049-30-1234567"]).personal);
        assert!(looked("a", ValueType::Text, &["192.168.1.4", "2001:db8::1"]).personal);
        let mobile = looked("a", ValueType::Integer, &["13800138000", "15912345678"]);
        assert!(mobile.personal && mobile.data_type == ValueType::Text);
        assert!(!looked("a", ValueType::Text, &["2026-000123", "A-1"]).personal);
        assert!(!looked("a", ValueType::Integer, &["123", "456"]).personal);
    }

    #[test]
    fn few_values_are_named_unless_they_are_personal() {
        let values: Vec<&str> = ["open", "done"].into_iter().cycle().take(20).collect();
        assert_eq!(looked("a", ValueType::Text, &values).comments, ["an enumeration? values: [done, open]"]);
        assert!(looked("a", ValueType::Text, &values[..19]).comments.is_empty());
        let mut personal = column("a", ValueType::Text);
        personal.personal = true;
        look_at_values(&mut personal, &values.iter().map(|v| Some(v.to_string())).collect::<Vec<_>>());
        assert!(personal.comments.is_empty());
    }

    #[test]
    fn rows_happened_when_no_stamp_of_a_change_says() {
        let at = |name: &str, required: bool| ColumnDraft {
            required,
            ..column(name, ValueType::Instant { formats: vec![], zone: "UTC".into() })
        };
        let columns = [at("updated_at", true), at("paid_at", false), at("ordered_at", true)];
        assert_eq!(time_column(&columns).as_deref(), Some("ordered_at"));
        assert_eq!(time_column(&columns[..2]).as_deref(), Some("updated_at"));
        assert_eq!(time_column(&[column("a", ValueType::Text)]), None);
    }
}
