//! `tests/steps/*.yml`: given rows and expected rows of one step, every value with its place.

use super::TextFile;
use super::document::{Document, Node, Text, Value};
use super::fields::Fields;
use super::settings::read_vars;
use perennial_core::error::{Error, Place, Problems};
use std::collections::BTreeMap;
use std::ops::Range;

/// Given rows and the rows that a step makes of them.
#[derive(Clone, Debug)]
pub struct StepTest {
    /// Path and whole text.
    pub file: TextFile,
    /// The step it is about.
    pub step: Spanned,
    /// Its own business date.
    pub as_of: Option<jiff::civil::Date>,
    /// Its own variables, over those of the project.
    pub vars: BTreeMap<String, serde_json::Value>,
    /// Rows of the tables that the step reads.
    pub given: Vec<GivenTable>,
    /// What the step makes of them.
    pub expect: ExpectedRows,
}

impl StepTest {
    /// The place of some bytes of the file.
    pub fn place(&self, span: &Range<usize>) -> Place {
        Place::span(&self.file.path, self.file.text.clone(), span.clone())
    }
}

/// A text and the bytes of the file it is written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned {
    /// The text.
    pub value: String,
    /// Bytes in the file.
    pub span: Range<usize>,
}

impl From<&Text> for Spanned {
    fn from(text: &Text) -> Spanned {
        Spanned { value: text.value.clone(), span: text.span.clone() }
    }
}

/// The rows that stand for a table.
#[derive(Clone, Debug)]
pub struct GivenTable {
    /// The table.
    pub table: Spanned,
    /// Its rows.
    pub rows: Vec<TestRow>,
}

/// The rows that a step should make.
#[derive(Clone, Debug)]
pub struct ExpectedRows {
    /// Whether their order counts.
    pub in_order: bool,
    /// The bytes of the key `rows`.
    pub span: Range<usize>,
    /// The rows; columns that none of them names are not compared.
    pub rows: Vec<TestRow>,
}

/// A row: its columns, none of them twice.
#[derive(Clone, Debug)]
pub struct TestRow {
    /// The bytes of the row.
    pub span: Range<usize>,
    /// Column and value.
    pub cells: Vec<TestCell>,
}

impl TestRow {
    /// The cell of a column.
    pub fn cell(&self, column: &str) -> Option<&TestCell> {
        self.cells.iter().find(|cell| cell.column.value == column)
    }
}

/// A value of a row as it is written.
#[derive(Clone, Debug)]
pub struct TestCell {
    /// The column.
    pub column: Spanned,
    /// The value as text, a list or mapping as JSON; nothing for NULL.
    pub value: Option<String>,
    /// The bytes of the value.
    pub span: Range<usize>,
}

const ORDERS: [(&str, bool); 2] = [("any", false), ("exact", true)];

/// Reads the test of a step in a file by itself.
///
/// # Errors
/// Every problem of the file.
pub fn read_step_test(file: &TextFile) -> Result<StepTest, Problems> {
    let document = Document::new(file.path.clone(), file.text.clone());
    let test = read(&document, file);
    let problems = document.into_problems();
    match test {
        Some(test) if problems.is_empty() => Ok(test),
        _ => Err(problems),
    }
}

pub(super) fn read(document: &Document, file: &TextFile) -> Option<StepTest> {
    let node = document.parse_all()?;
    let fields = Fields::of(document, &node, "a test of a step", 0..0)?;
    let step = fields.required_text("step");
    let as_of = fields.text("as_of").and_then(|text| date(document, &text));
    let vars = fields.optional("vars").map(|node| read_vars(document, node)).unwrap_or_default();
    let given = fields.optional("given").map(|node| given(document, node)).unwrap_or_default();
    let expect = fields.required("expect").and_then(|node| expected(document, node, fields.span_of("expect")));
    fields.finish();
    Some(StepTest { file: file.clone(), step: Spanned::from(&step?), as_of, vars, given, expect: expect? })
}

fn date(document: &Document, text: &Text) -> Option<jiff::civil::Date> {
    let date = text.value.parse().ok().filter(|_| text.value.len() == "2026-02-15".len());
    if date.is_none() {
        let error = Error::project(format!("`as_of` is `{}`, which is not a date", text.value));
        document.report(&text.span, error.hint("write a date such as `2026-02-15`"));
    }
    date
}

fn given(document: &Document, node: &Node) -> Vec<GivenTable> {
    let entries = document.entries(node, "`given`").unwrap_or_default();
    let table = |(table, node): &(Text, Node)| GivenTable { table: Spanned::from(table), rows: rows(document, node) };
    entries.iter().map(table).collect()
}

fn expected(document: &Document, node: &Node, owner: Range<usize>) -> Option<ExpectedRows> {
    let fields = Fields::of(document, node, "`expect`", owner)?;
    let in_order = fields.choice("order", &ORDERS, false);
    let expected = if fields.has("rows") {
        let rows = fields.optional("rows").map(|node| rows(document, node)).unwrap_or_default();
        Some(ExpectedRows { in_order, span: fields.span_of("rows"), rows })
    } else {
        fields.required("rows");
        None
    };
    fields.finish();
    expected
}

fn rows(document: &Document, node: &Node) -> Vec<TestRow> {
    match &node.value {
        Value::Null => Vec::new(),
        Value::List(items) => items.iter().filter_map(|item| row(document, item)).collect(),
        _ => {
            let error = Error::project(format!("rows are a list, found {}", node.kind()));
            document.report(&node.span, error.hint("write each row as `- {column: value}`"));
            Vec::new()
        }
    }
}

fn row(document: &Document, node: &Node) -> Option<TestRow> {
    let entries = document.entries(node, "a row")?;
    let cells = entries.iter().map(|(column, node)| TestCell {
        column: Spanned::from(column),
        value: match &node.value {
            Value::Null => None,
            Value::Scalar { text, .. } => Some(text.clone()),
            Value::List(_) | Value::Map(_) => Some(document.json(node).to_string()),
        },
        span: node.span.clone(),
    });
    Some(TestRow { span: node.span.clone(), cells: cells.collect() })
}
