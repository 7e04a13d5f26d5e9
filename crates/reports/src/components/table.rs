//! `table`: rows with a format for each column.

use super::list;
use crate::blocks::{Block, Table, TableRow};
use crate::call::{Call, attribute, text};
use crate::canvas::{Canvas, Component, runs};
use crate::data::invalid;
use crate::formats::Format;
use crate::manual::{Argument, Example, Kind, PAGE, Page, Section};
use crate::phrases::Phrasebook;
use minijinja::Error;
use minijinja::value::Value;

const KEYS: &[Argument] = &[
    Argument::required("key", Kind::Column, "the column of the rows"),
    Argument::optional("label", Kind::Text, "the key", "its head"),
    Argument::optional("format", Kind::Format, "what suits the values", "how its values are written"),
    Argument::optional("unit", Kind::Text, "none", "the unit, beside the head"),
];

pub(crate) const TABLE: Component = Component {
    page: Page {
        name: "table",
        section: Section::Components,
        syntax: "table(rows, columns=[{'key': ..., 'label': ..., 'format': ...}, ...], title=..., note=...)",
        summary: "Rows as a table",
        arguments: &[
            Argument::value("rows", Kind::Rows, "rows of a query, or a list of mappings"),
            Argument::optional("columns", Kind::Records(KEYS), "every column", "the columns, in order"),
            Argument::optional("title", Kind::Text, "none", "a heading above it"),
            Argument::optional("note", Kind::Text, "none", "a quiet line above it: unit, period, rule, rows counted"),
        ],
        description: "Rows keep the order of the query: sort there, and limit there. Columns of figures are set flush right. \
                      In the PDF a table that is wider than the page is set smaller, or in parts that repeat the first column.",
        example: Example {
            rows: &[("regions", "region | revenue | gap\nnorth | 1200.50 | 14.25\nsouth | 800.00 | NULL")],
            template: "{{ table(regions, note='September 2026', columns=[\n  {'key': 'region', 'label': 'Region'},\n  {'key': \
                       'revenue', 'label': 'Revenue', 'format': 'money', 'unit': 'EUR'},\n  {'key': 'gap', 'label': 'Usual gap', \
                       'unit': 'days'},\n]) }}",
            page: "September 2026\n\nRegion | Revenue, EUR | Usual gap, days\nnorth | 1,201 | 14.25\nsouth | 800 | \u{2013}",
        },
        related: &["formats", "queries", "bars"],
        ..PAGE
    },
    call: table,
};

/// A column to be written.
struct Column {
    key: String,
    head: String,
    format: Option<Format>,
}

fn table(canvas: &Canvas, call: &Call) -> Result<Value, Error> {
    let rows = call.rows()?;
    let columns = match call.keyword("columns")? {
        Some(columns) => {
            let columns = list(&columns, "`columns` of `table`")?;
            columns.iter().map(|column| read(&canvas.book, column)).collect::<Result<Vec<_>, _>>()?
        }
        None => all_columns(rows.first())?,
    };
    let mut heads = Vec::new();
    let mut cells: Vec<Vec<String>> = vec![Vec::new(); rows.len()];
    for column in &columns {
        let values: Vec<Value> = rows.iter().map(|row| attribute(row, &column.key)).collect::<Result<_, _>>()?;
        let format = column.format.unwrap_or_else(|| Format::of_values(values.iter())).aligned(values.iter());
        heads.push((column.head.clone(), format.is_figure()));
        for (row, value) in cells.iter_mut().zip(&values) {
            row.push(canvas.book.cell(format, value)?);
        }
    }
    let title = call.keyword("title")?.map(|title| runs(&title)).unwrap_or_default();
    let note = call.keyword("note")?.map(|note| runs(&note)).unwrap_or_default();
    let rows = cells.into_iter().map(TableRow::of).collect();
    canvas.put(Block::Table(Table { title, note, columns: heads, rows }))
}

fn read(book: &Phrasebook, column: &Value) -> Result<Column, Error> {
    for key in column.try_iter()? {
        let problem = TABLE.page.arguments[1].key(&key.to_string());
        problem.map_err(|problem| invalid(problem.in_one_line()))?;
    }
    let key = column.get_attr("key")?;
    if key.is_undefined() {
        return Err(invalid("a column of a table needs `key`, the column of its rows"));
    }
    let optional = |name: &str| -> Result<Option<Value>, Error> {
        let value = column.get_attr(name)?;
        Ok((!value.is_undefined() && !value.is_none()).then_some(value))
    };
    let label = optional("label")?.map_or_else(|| key.to_string(), |label| book.plain(&label));
    let unit = optional("unit")?.map_or_else(String::new, |unit| book.plain(&unit));
    let format = match optional("format")? {
        Some(_) => Some(Format::named(&text(column, "format")?)?),
        None => None,
    };
    Ok(Column { key: key.to_string(), head: book.with_unit(&label, &unit), format })
}

/// Every column of the rows, as it is called there.
fn all_columns(first: Option<&Value>) -> Result<Vec<Column>, Error> {
    let Some(first) = first else { return Ok(Vec::new()) };
    let column = |key: Value| Column { key: key.to_string(), head: key.to_string(), format: None };
    Ok(first.try_iter()?.map(column).collect())
}
