//! Small projects in strings.

mod check;
mod check_sql;
mod check_templates;
mod render;
mod run;
mod step_tests;

use super::*;
use crate::contract::{Source, SourceTable, TableName, ValueType};
use crate::error::{Problems, render_all};
use crate::project::{
    AsOf, ColumnHeader, ColumnTest, Language, Project, Severity, SqlFile, StepHeader, TextFile, Theme,
};
use crate::project::{ColumnRule, Materialize};
use crate::testing::{column, source, source_table};
use std::collections::BTreeMap;

pub fn name(text: &str) -> TableName {
    TableName::try_from(text.to_string()).unwrap()
}

/// A step whose header is a comment of one line, so that places are counted past it.
pub fn step(table: &str, sql: &str) -> SqlFile {
    let header = "/* ---\ndescription: x\n--- */\n";
    let path = format!("sql/{}.sql", table.replace('.', "/"));
    SqlFile {
        name: name(table),
        file: TextFile { path, text: format!("{header}{sql}").into() },
        body: header.len(),
        header: StepHeader::default(),
    }
}

/// The same with columns in its header; each stands in the text as `column:`.
pub fn with_columns(mut file: SqlFile, columns: &[(&str, &[ColumnRule])]) -> SqlFile {
    let mut header = String::from("/* ---\ngrain: []\ncolumns:\n");
    for (column, rules) in columns {
        let start = header.len() + 2;
        header.push_str(&format!("  {column}: {{tests: {rules:?}}}\n").to_lowercase());
        file.header.columns.push(ColumnHeader {
            name: column.to_string(),
            span: start..start + column.len(),
            description: String::new(),
            tests: rules.iter().map(|r| ColumnTest { rule: r.clone(), severity: Severity::Error }).collect(),
        });
    }
    header.push_str("--- */\n");
    let sql = file.file.text[file.body..].to_string();
    file.body = header.len();
    file.file.text = format!("{header}{sql}").into();
    file
}

pub fn view(mut file: SqlFile) -> SqlFile {
    file.header.materialize = Materialize::View;
    file
}

/// `erp.orders(order_id, customer_id, ordered_on, amount)`, key `order_id`.
fn erp() -> Source {
    let columns = vec![
        column("order_id", ValueType::Text),
        column("customer_id", ValueType::Integer),
        column("ordered_on", ValueType::Date { formats: vec![] }),
        column("amount", ValueType::Decimal { precision: 18, scale: 2 }),
    ];
    let orders = SourceTable { key: vec!["order_id".into()], ..source_table(columns) };
    source("erp", "", vec![orders])
}

pub fn project(steps: Vec<SqlFile>) -> Project {
    Project {
        root: ".".into(),
        name: "test".into(),
        lake: "lake".into(),
        reports_folder: "reports".into(),
        time_zone: "Europe/Berlin".into(),
        currency: "EUR".into(),
        languages: vec![Language::English],
        memory_limit_bytes: 1 << 30,
        as_of: AsOf::Today,
        vars: BTreeMap::new(),
        theme: Theme::default(),
        pipelines: vec![],
        sources: vec![erp()],
        steps,
        tests: vec![],
        macros: vec![],
        step_tests: vec![],
        reports: vec![],
        shared_templates: vec![],
        words: BTreeMap::new(),
        unread: Default::default(),
    }
}

pub fn text_file(path: &str, text: &str) -> TextFile {
    TextFile { path: path.into(), text: text.into() }
}

pub fn context() -> RunContext {
    let vars = [("rule".to_string(), serde_json::json!("R1")), ("window".to_string(), serde_json::json!(12))];
    RunContext { as_of: jiff::civil::date(2026, 3, 1), vars: vars.into() }
}

pub async fn checked(project: &Project) -> (Checked, Problems) {
    let (checked, _, problems) = check(project, &context(), &Surroundings::default()).await.unwrap();
    (checked, problems)
}

pub async fn no_problems(project: &Project) -> Checked {
    let (checked, problems) = checked(project).await;
    assert!(problems.is_empty(), "{}", render_all(&problems, false));
    checked
}

/// All problems as a reader sees them.
pub async fn problems_of(project: &Project) -> String {
    render_all(&checked(project).await.1, false)
}

/// The step that the others read.
const ORDERS: &str = "SELECT order_id, customer_id, ordered_on, amount FROM {{ source('erp', 'orders') }}";

/// The problems of each query as that of a step which may read [`ORDERS`], under the words that go with it.
async fn problems_with(cases: &[(&str, &str)]) -> String {
    let mut all = String::new();
    for (what, sql) in cases {
        let found = problems_of(&project(vec![step("core.orders", ORDERS), step("marts.x", sql)])).await;
        all.push_str(&format!("== {what}\n{found}\n\n"));
    }
    all
}
