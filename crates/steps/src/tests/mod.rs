//! Small projects in strings.

mod check;
mod check_sql;
mod check_templates;
mod render;
mod run;
mod step_tests;

use super::*;
use perennial_core::contract::{Column, Source, SourceTable, TableName, ValueType};
use perennial_core::error::{Problems, render_all};
use perennial_core::file_mode::FileMode;
use perennial_project::{
    AsOf, ColumnHeader, ColumnRule, ColumnTest, Keep, Language, Materialize, Project, Severity, SqlFile, StepHeader,
    StepTest, TextFile, Theme, read_step_test,
};
use perennial_testing::{column, source, source_table};
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

/// The same with columns in its header; each is in the text as `column:`, its rules by their names.
pub fn with_columns(mut file: SqlFile, columns: &[(&str, &[ColumnRule])]) -> SqlFile {
    let mut header = String::from("/* ---\ngrain: []\ncolumns:\n");
    for (column, rules) in columns {
        let start = header.len() + 2;
        header.push_str(&format!("  {column}: {{tests: ["));
        let mut tests = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            header.push_str(if index == 0 { "" } else { ", " });
            let begin = header.len();
            header.push_str(rule_name(rule));
            tests.push(ColumnTest { rule: rule.clone(), severity: Severity::Error, span: begin..header.len() });
        }
        header.push_str("]}\n");
        file.header.columns.push(ColumnHeader {
            name: column.to_string(),
            span: start..start + column.len(),
            description: String::new(),
            tests,
        });
    }
    header.push_str("--- */\n");
    let sql = file.file.text[file.body..].to_string();
    file.body = header.len();
    file.file.text = format!("{header}{sql}").into();
    file
}

fn rule_name(rule: &ColumnRule) -> &'static str {
    match rule {
        ColumnRule::NotNull => "not_null",
        ColumnRule::Unique => "unique",
        ColumnRule::AcceptedValues(_) => "accepted_values",
        ColumnRule::Relationships { .. } => "relationships",
        ColumnRule::Range { .. } => "range",
    }
}

pub fn view(mut file: SqlFile) -> SqlFile {
    file.header.materialize = Materialize::View;
    file
}

/// `erp.orders(order_id, customer_id, ordered_on, amount)`, key `order_id`.
fn erp() -> Source {
    let columns = vec![
        Column { personal: true, ..column("order_id", ValueType::Text) },
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
        languages: vec![Language::ENGLISH],
        file_mode: None,
        page_mode: FileMode::ALL_READ,
        memory_limit_bytes: 1 << 30,
        merge_raw_files: 64,
        as_of: AsOf::Today,
        calendars: BTreeMap::new(),
        mail: None,
        notify: vec![],
        ping: None,
        keep: Keep::default(),
        reports_url: None,
        metrics_file: None,
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
        phrases: BTreeMap::new(),
        files: Vec::new(),
        unread: Default::default(),
        notes: Default::default(),
    }
}

pub fn text_file(path: &str, text: &str) -> TextFile {
    TextFile { path: path.into(), text: text.into() }
}

pub fn step_test(path: &str, yaml: &str) -> StepTest {
    match read_step_test(&text_file(path, yaml)) {
        Ok(test) => test,
        Err(problems) => panic!("{}", render_all(&problems, false)),
    }
}

pub fn context() -> RunContext {
    let vars = [("rule".to_string(), serde_json::json!("R1")), ("window".to_string(), serde_json::json!(12))];
    RunContext { as_of: jiff::civil::date(2026, 3, 1), vars: vars.into() }
}

pub async fn checked(project: &Project) -> (CheckedSql, Problems) {
    let (checked, _, problems) = check(project, &context(), &CheckInput::default()).await.unwrap();
    (checked, problems)
}

pub async fn no_problems(project: &Project) -> CheckedSql {
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
