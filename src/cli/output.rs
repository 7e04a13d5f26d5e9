//! Results to stdout, talk to stderr.

use crate::error::{Error, Problems, Result, render_all};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::io::{IsTerminal, Write};
use std::sync::Arc;

/// How results are written to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Aligned columns for people
    Text,
    /// JSON for programs: an array of objects, or one object
    Json,
    /// Comma-separated values with a header
    Csv,
}

/// Writes to the two streams.
pub(super) struct Printer {
    pub(super) format: Format,
    /// stderr is a terminal that shows colours.
    pub(super) colour: bool,
    /// stderr is a terminal, so bars may move on it.
    pub(super) terminal: bool,
}

impl Printer {
    pub(super) fn new(format: Format) -> Printer {
        let terminal = std::io::stderr().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        Printer { format, colour: terminal && !no_colour, terminal }
    }

    /// A line of talk.
    pub(super) fn say(&self, line: impl AsRef<str>) {
        // A closed stderr must not stop a run.
        let _ = writeln!(std::io::stderr(), "{}", line.as_ref());
    }

    /// A line of results.
    pub(super) fn line(&self, line: impl AsRef<str>) -> Result<()> {
        self.write(format!("{}\n", line.as_ref()).as_bytes())
    }

    /// A text as it is, line ends included.
    pub(super) fn text(&self, text: &str) -> Result<()> {
        self.write(text.as_bytes())
    }

    /// Problems, as text or as JSON objects.
    pub(super) fn problems(&self, problems: &Problems) {
        if self.format == Format::Json {
            let items: Vec<serde_json::Value> = problems.iter().map(problem_json).collect();
            // The reader of stdout is gone: the exit code still tells.
            let _ = self.json(&serde_json::json!({ "problems": items }));
        } else {
            self.say(render_all(problems, self.colour));
        }
    }

    /// One JSON value.
    pub(super) fn json(&self, value: &serde_json::Value) -> Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(|e| Error::bug("JSON").because(e))?;
        self.line(text)
    }

    /// Rows of a table, in the chosen format.
    pub(super) fn rows(&self, batches: &[RecordBatch]) -> Result<()> {
        match self.format {
            Format::Text => self.write(aligned(batches)?.as_bytes()),
            Format::Csv => {
                let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(Vec::new());
                for batch in batches {
                    writer.write(&without_nesting(batch)?)?;
                }
                self.write(&writer.into_inner())
            }
            Format::Json => {
                let builder = arrow::json::WriterBuilder::new().with_explicit_nulls(true);
                let mut writer = builder.build::<_, arrow::json::writer::JsonArray>(Vec::new());
                for batch in batches {
                    writer.write(batch)?;
                }
                writer.finish()?;
                let mut bytes = writer.into_inner();
                if bytes.is_empty() {
                    bytes.extend_from_slice(b"[]");
                }
                bytes.push(b'\n');
                self.write(&bytes)
            }
        }
    }

    /// Rows of text as comma-separated values.
    pub(super) fn csv(&self, header: &[&str], rows: &[Vec<String>]) -> Result<()> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let failed = |e| Error::bug("CSV").because(e);
        writer.write_record(header).map_err(failed)?;
        for row in rows {
            writer.write_record(row).map_err(failed)?;
        }
        let bytes = writer.into_inner().map_err(|e| Error::bug("CSV").because(e.to_string()))?;
        self.write(&bytes)
    }

    fn write(&self, bytes: &[u8]) -> Result<()> {
        let mut out = std::io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            // `perennial query ... | head` closes the pipe when it has enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Error::unreachable("cannot write to stdout").because(error)),
            Ok(()) => Ok(()),
        }
    }
}

/// Structs and lists as JSON in a text, which CSV can hold.
fn without_nesting(batch: &RecordBatch) -> Result<RecordBatch> {
    if !batch.columns().iter().any(|column| column.data_type().is_nested()) {
        return Ok(batch.clone());
    }
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
        let flat: ArrayRef = match column.data_type().is_nested() {
            true => Arc::new(as_json(column)?),
            false => column.clone(),
        };
        Ok((field.name(), flat))
    });
    let columns = columns.collect::<Result<Vec<(_, ArrayRef)>>>()?;
    Ok(RecordBatch::try_from_iter(columns)?)
}

fn as_json(column: &ArrayRef) -> Result<StringArray> {
    let builder = arrow::json::WriterBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, arrow::json::writer::LineDelimited>(Vec::new());
    writer.write(&RecordBatch::try_from_iter([("v", column.clone())])?)?;
    writer.finish()?;
    let lines = String::from_utf8_lossy(&writer.into_inner()).into_owned();
    // Each line is {"v":...}.
    let value =
        |line: &str| line.get(5..line.len().saturating_sub(1)).filter(|value| *value != "null").map(str::to_string);
    Ok(lines.lines().map(value).collect())
}

fn problem_json(error: &Error) -> serde_json::Value {
    use crate::error::Place;
    let (file, line, column) = match error.place() {
        Some(Place::File { file, line, column, .. }) => (Some(file.clone()), Some(*line as u64), Some(*column as u64)),
        Some(Place::Row { table, row }) => (Some(table.clone()), Some(*row), None),
        Some(Place::Whole(file)) => (Some(file.clone()), None, None),
        None => (None, None, None),
    };
    serde_json::json!({
        "message": error.message(), "file": file, "line": line, "column": column,
        "hint": error.hint_text(), "exit_code": error.kind().exit_code(),
    })
}

/// Rows as columns of text: figures to the right, the rest to the left, a line under the header.
fn aligned(batches: &[RecordBatch]) -> Result<String> {
    let Some(first) = batches.first() else { return Ok(String::new()) };
    let schema = first.schema();
    let options = FormatOptions::default().with_null("NULL").with_display_error(true);
    let mut rows: Vec<Vec<String>> = Vec::new();
    for batch in batches {
        let formatters = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options));
        let formatters = formatters.collect::<std::result::Result<Vec<_>, _>>()?;
        rows.extend(
            (0..batch.num_rows()).map(|row| formatters.iter().map(|f| shown(&f.value(row).to_string())).collect()),
        );
    }
    let header: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    let right: Vec<bool> = schema.fields().iter().map(|f| f.data_type().is_numeric()).collect();
    Ok(columns(&header, &right, &rows))
}

/// Characters shown of one value; `--format json` and `csv` show all.
const CELL_CHARACTERS: usize = 100;

/// A value on one line.
fn shown(value: &str) -> String {
    let mut text: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).take(CELL_CHARACTERS).collect();
    if value.chars().nth(CELL_CHARACTERS).is_some() {
        text.pop();
        text.push('…');
    }
    text
}

/// Text in columns, each as wide as its widest cell.
pub(super) fn columns(header: &[String], right: &[bool], rows: &[Vec<String>]) -> String {
    let width_of = |i: usize| {
        rows.iter().filter_map(|r| r.get(i)).chain(header.get(i)).map(|c| display_width(c)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width_of).collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().enumerate().map(|(i, cell)| {
            let pad = " ".repeat(widths[i].saturating_sub(display_width(cell)));
            if right[i] { format!("{pad}{cell}") } else { format!("{cell}{pad}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_string()
    };
    let rule: Vec<String> = widths.iter().map(|w| "─".repeat(*w)).collect();
    let mut text = format!("{}\n{}\n", line(header), rule.join("  "));
    for row in rows {
        text.push_str(&line(row));
        text.push('\n');
    }
    text
}

/// Columns a text takes on a terminal; Chinese characters take two.
fn display_width(text: &str) -> usize {
    text.chars().map(|c| if ('\u{1100}'..='\u{ffdc}').contains(&c) && c > '\u{2e7f}' { 2 } else { 1 }).sum()
}

/// `1,234,567`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 row`, `2 rows`.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_under_one_another() {
        let rows = vec![vec!["north".into(), "5".into()], vec!["南区".into(), "1,234".into()]];
        let text = columns(&["region".into(), "revenue".into()], &[false, true], &rows);
        assert_eq!(text, "region  revenue\n──────  ───────\nnorth         5\n南区      1,234\n");
    }

    #[test]
    fn a_long_value_is_cut_and_stays_on_its_line() {
        assert_eq!(shown("a\nb"), "a b");
        assert_eq!(shown(&"x".repeat(100)).len(), 100);
        let long = shown(&"客".repeat(101));
        assert_eq!(long.chars().count(), 100);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn thousands_are_parted() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(count(1, "row", "rows"), "1 row");
    }

    #[test]
    fn structs_and_lists_are_json_in_csv() {
        use arrow::array::{Float64Array, Int64Array, StructArray};
        use arrow::datatypes::{DataType, Field};
        let fields = vec![Arc::new(Field::new("r", DataType::Float64, true))];
        let fits: ArrayRef = Arc::new(StructArray::new(
            fields.into(),
            vec![Arc::new(Float64Array::from(vec![Some(0.25), None]))],
            Some(vec![true, false].into()),
        ));
        let count: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let batch = RecordBatch::try_from_iter([("n", count), ("fit", fits)]).unwrap();
        let flat = without_nesting(&batch).unwrap();
        let texts: Vec<Option<&str>> = arrow::array::AsArray::as_string::<i32>(flat.column(1)).iter().collect();
        assert_eq!(texts, [Some("{\"r\":0.25}"), None]);
    }
}
