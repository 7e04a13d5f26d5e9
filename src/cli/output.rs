//! Results to stdout, messages to stderr.

use super::table::Table;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use indicatif::HumanCount;
use perennial_core::error::{Error, Place, Problems, Result, render_all};
use perennial_core::visible::visible;
use perennial_engine::Rows;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How results are written to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Aligned columns for people
    Text,
    /// One JSON document for programs
    Json,
    /// Comma-separated values with a header
    Csv,
}

/// How messages and the progress of runs are written to stderr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LogFormat {
    /// Lines for people, bars on a terminal
    #[default]
    Text,
    /// One JSON object a line for programs
    Json,
}

/// How grave a line of a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// What happens.
    Info,
    /// What somebody should look at.
    Warn,
    /// What failed.
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }
}

/// Writes to the two streams.
pub(super) struct Printer {
    pub(super) format: Format,
    /// How messages are written.
    pub(super) log_format: LogFormat,
    /// Whether stderr is a terminal that shows colours.
    pub(super) colour: bool,
    /// Whether stderr is a terminal, so that progress bars may move on it.
    pub(super) terminal: bool,
    /// The width of the terminal that stdout is; `None` for a file or pipe, where nothing is folded.
    pub(super) width: Option<usize>,
    /// Rows were written, and more may be missing.
    in_rows: AtomicBool,
}

/// Rows of a query that are shown as a table for people, who read no more; CSV and JSON have all.
const MAX_TABLE_ROWS: usize = 10_000;

impl Printer {
    pub(super) fn new(format: Format, log_format: LogFormat) -> Printer {
        let terminal = std::io::stderr().is_terminal() && log_format == LogFormat::Text;
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let width = std::io::stdout().is_terminal().then(terminal_width);
        Printer { format, log_format, colour: terminal && !no_colour, terminal, width, in_rows: AtomicBool::new(false) }
    }

    /// A line to stderr. What it quotes cannot steer the terminal.
    pub(super) fn say(&self, line: impl AsRef<str>) {
        if self.log_format == LogFormat::Json {
            return self.log(Level::Info, "message", serde_json::json!({ "message": line.as_ref() }));
        }
        // A closed stderr must not stop a run.
        let _ = writeln!(std::io::stderr(), "{}", visible(line.as_ref()));
    }

    /// A line of a log in JSON: time, level and event first, then what the event says.
    #[allow(clippy::disallowed_methods, reason = "the command line is where the clock is read")]
    pub(super) fn log(&self, level: Level, event: &str, fields: serde_json::Value) {
        let time = jiff::Timestamp::now();
        let mut line = format!(r#"{{"time":"{time}","level":"{}","event":"{event}""#, level.name());
        for (name, value) in fields.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            line.push_str(&format!(",{}:{value}", serde_json::Value::from(name.as_str())));
        }
        let _ = writeln!(std::io::stderr(), "{line}}}");
    }

    /// A line of results.
    pub(super) fn line(&self, line: impl AsRef<str>) -> Result<()> {
        self.write(format!("{}\n", visible(line.as_ref())).as_bytes())
    }

    /// Text as it is, line breaks included.
    pub(super) fn text(&self, text: &str) -> Result<()> {
        self.write(text.as_bytes())
    }

    /// Problems, as text to stderr or as JSON to stdout. Among rows JSON has no place for them.
    pub(super) fn problems(&self, problems: &Problems) {
        if self.format == Format::Json && !self.in_rows.load(Ordering::Relaxed) {
            let items: Vec<serde_json::Value> = problems.iter().map(problem_json).collect();
            // If stdout is closed, the exit code still tells.
            let _ = self.json(&serde_json::json!({ "problems": items }));
        } else if self.log_format == LogFormat::Json {
            problems.iter().for_each(|problem| self.log(Level::Error, "problem", problem_json(problem)));
        } else {
            let _ = writeln!(std::io::stderr(), "{}", render_all(problems, self.colour));
        }
    }

    /// One JSON value.
    pub(super) fn json(&self, value: &serde_json::Value) -> Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(|e| Error::bug("cannot write JSON").because(e))?;
        self.write(format!("{text}\n").as_bytes())
    }

    /// Rows of a table, in the chosen format.
    pub(super) fn rows(&self, batches: &[RecordBatch]) -> Result<()> {
        match self.format {
            Format::Text => self.text(&table(batches)?.text(self.width)),
            Format::Csv => {
                for (index, batch) in batches.iter().enumerate() {
                    self.write(&csv_rows(batch, index == 0)?)?;
                }
                Ok(())
            }
            Format::Json => {
                let mut bytes = json_array(batches)?;
                bytes.push(b'\n');
                self.write(&bytes)
            }
        }
    }

    /// The rows of a query as they come.
    pub(super) async fn stream(&self, mut rows: Rows) -> Result<()> {
        if self.format == Format::Text {
            return self.first_rows(rows).await;
        }
        let mut count = 0;
        let mut next = rows.next().await?;
        loop {
            let bytes = match (&next, self.format) {
                (Some(batch), Format::Csv) => csv_rows(batch, count == 0)?,
                (None, Format::Csv) if count == 0 => csv_rows(&RecordBatch::new_empty(rows.schema()), true)?,
                (None, Format::Csv) => return Ok(()),
                (Some(batch), _) => {
                    let text = json_array(std::slice::from_ref(batch))?;
                    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
                    let before: &[u8] = if count == 0 { b"[" } else { b"," };
                    if inner.is_empty() { Vec::new() } else { [before, inner].concat() }
                }
                (None, _) => {
                    if count == 0 {
                        b"[]\n".to_vec()
                    } else {
                        b"]\n".to_vec()
                    }
                }
            };
            // Who closed the pipe wants no more.
            if !self.try_write(&bytes)? {
                return Ok(());
            }
            count += next.as_ref().map_or(0, RecordBatch::num_rows);
            self.in_rows.store(next.is_some() && !bytes.is_empty(), Ordering::Relaxed);
            if next.is_none() {
                return Ok(());
            }
            next = rows.next().await?;
        }
    }

    /// As many rows as a person reads, in columns.
    async fn first_rows(&self, mut rows: Rows) -> Result<()> {
        let mut shown = vec![RecordBatch::new_empty(rows.schema())];
        let mut left = MAX_TABLE_ROWS;
        while let Some(batch) = rows.next().await? {
            if batch.num_rows() > left {
                shown.push(batch.slice(0, left));
                self.say(format!(
                    "note: the first {} rows are shown; `--format csv` and `json` write all",
                    HumanCount(MAX_TABLE_ROWS as u64)
                ));
                break;
            }
            left -= batch.num_rows();
            shown.push(batch);
        }
        self.rows(&shown)
    }

    /// Rows of text as comma-separated values.
    pub(super) fn csv(&self, header: &[&str], rows: &[Vec<String>]) -> Result<()> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let failed = |e| Error::bug("cannot write CSV").because(e);
        writer.write_record(header).map_err(failed)?;
        for row in rows {
            writer.write_record(row).map_err(failed)?;
        }
        let bytes = writer.into_inner().map_err(|e| Error::bug("cannot write CSV").because(e.to_string()))?;
        self.write(&bytes)
    }

    fn write(&self, bytes: &[u8]) -> Result<()> {
        self.try_write(bytes).map(drop)
    }

    /// Whether somebody still reads: `perennial query ... | head` closes the pipe when it has enough.
    fn try_write(&self, bytes: &[u8]) -> Result<bool> {
        let mut out = std::io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Error::unreachable("cannot write to stdout").because(error)),
            Ok(()) => Ok(true),
        }
    }
}

/// The width that tables are folded to on a terminal.
fn terminal_width() -> usize {
    let declared = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let columns = declared.or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)));
    columns.filter(|columns| *columns >= 40).unwrap_or(super::text::WIDTH)
}

/// Rows as one JSON value, an array of objects.
pub(super) fn rows_json(batches: &[RecordBatch]) -> Result<serde_json::Value> {
    serde_json::from_slice(&json_array(batches)?).map_err(|e| Error::bug("cannot read JSON").because(e))
}

fn csv_rows(batch: &RecordBatch, with_header: bool) -> Result<Vec<u8>> {
    let mut writer = arrow::csv::WriterBuilder::new().with_header(with_header).build(Vec::new());
    writer.write(&without_nesting(batch)?)?;
    Ok(writer.into_inner())
}

fn json_array(batches: &[RecordBatch]) -> Result<Vec<u8>> {
    let builder = arrow::json::WriterBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, arrow::json::writer::JsonArray>(Vec::new());
    for batch in batches {
        writer.write(batch)?;
    }
    writer.finish()?;
    let bytes = writer.into_inner();
    Ok(if bytes.is_empty() { b"[]".to_vec() } else { bytes })
}

/// Structs and lists as JSON text, which CSV can hold.
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

/// Rows as text in columns, numbers to the right.
pub(super) fn table(batches: &[RecordBatch]) -> Result<Table> {
    let Some(first) = batches.first() else { return Ok(Table::new(&[], Vec::new())) };
    let schema = first.schema();
    let options = FormatOptions::default().with_null("NULL").with_display_error(true);
    let mut rows: Vec<Vec<String>> = Vec::new();
    for batch in batches {
        let formatters = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options));
        let formatters = formatters.collect::<std::result::Result<Vec<_>, _>>()?;
        rows.extend(
            (0..batch.num_rows()).map(|row| formatters.iter().map(|f| one_line(&f.value(row).to_string())).collect()),
        );
    }
    let header: Vec<String> = schema.fields().iter().map(|f| one_line(f.name())).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let right: Vec<bool> = schema.fields().iter().map(|f| f.data_type().is_numeric()).collect();
    Ok(Table::new(&header, rows).aligned(right))
}

/// Characters shown of one value; `--format json` and `csv` show all.
const MAX_CELL_CHARACTERS: usize = 100;

/// A value on one line, which cannot steer the terminal.
fn one_line(value: &str) -> String {
    let value = &visible(value);
    let characters = value.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut text: String = characters.take(MAX_CELL_CHARACTERS).collect();
    if value.chars().nth(MAX_CELL_CHARACTERS).is_some() {
        text.pop();
        text.push('…');
    }
    text
}

/// `1 row`, `2,000 rows`.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", HumanCount(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_and_stays_on_its_line() {
        assert_eq!(one_line("a\nb"), "a b");
        assert_eq!(one_line("a\u{1b}]0;b\u{202e}"), "a\\u{1b}]0;b\\u{202e}");
        assert_eq!(one_line(&"x".repeat(100)).len(), 100);
        let long = one_line(&"客".repeat(101));
        assert_eq!(long.chars().count(), 100);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn counts_have_separators_and_a_plural() {
        assert_eq!(count(0, "row", "rows"), "0 rows");
        assert_eq!(count(1, "row", "rows"), "1 row");
        assert_eq!(count(1_234_567, "row", "rows"), "1,234,567 rows");
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
