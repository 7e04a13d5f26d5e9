//! `format`: the format of a table's files.

use super::document::{Document, Node, Text, Value};
use super::fields::{Fields, one_of};
use perennial_core::contract::{Column, CsvOptions, ExcelOptions, Extraction, Format, TextEncoding};
use perennial_core::error::{Error, closest};

const ENCODINGS: [(&str, TextEncoding); 3] =
    [("utf-8", TextEncoding::Utf8), ("gb18030", TextEncoding::Gb18030), ("big5", TextEncoding::Big5)];
/// General formats.
const FORMATS: [&str; 6] = ["csv", "json_lines", "json", "lines", "parquet", "excel"];

/// Reports columns of fields that a format does not have, and invalid paths of JSON.
pub(super) fn check_fields(fields: &Fields, extraction: &Extraction, columns: &[Column]) {
    let Extraction::Files { format, .. } = extraction else { return };
    let place = |column: &Column| match fields.optional("columns").map(|node| &node.value) {
        Some(Value::Map(entries)) => entries.iter().find(|(key, _)| key.value == column.name).map(|(key, _)| &key.span),
        _ => None,
    };
    for column in columns {
        let Some(place) = place(column) else { continue };
        let from = std::slice::from_ref(&column.from);
        let problem = match format {
            Format::Json { rows } => perennial_sources::check_paths(rows, from).map(Error::project),
            Format::JsonLines => perennial_sources::check_paths("", from).map(Error::project),
            Format::Named(name) => perennial_sources::formats::named(name).and_then(|format| {
                let unknown = !format.fields.is_empty() && !format.fields.contains(&column.from.as_str());
                let error = || Error::project(format!("`{name}` has no field `{}`", column.from));
                unknown.then(|| error().suggest(&column.from, format.fields.iter().copied()))
            }),
            _ => None,
        };
        if let Some(error) = problem {
            fields.document.report(place, error);
        }
    }
}

/// Reads a format: a name, or one key with options.
pub(super) fn read(document: &Document, node: &Node) -> Option<Format> {
    match &node.value {
        Value::Scalar { text, .. } => format_named(document, &Text { value: text.clone(), span: node.span.clone() }),
        Value::Map(entries) => match entries.as_slice() {
            [(key, options)] if key.value == "csv" => csv(document, key, options),
            [(key, options)] if key.value == "json" => json(document, key, options),
            [(key, options)] if key.value == "lines" => lines(document, key, options),
            [(key, options)] if key.value == "excel" => excel(document, key, options),
            [(key, options)] => {
                let format = format_named(document, key)?;
                if let Some(fields) = Fields::of(document, options, "this format", key.span.clone()) {
                    fields.finish();
                }
                Some(format)
            }
            _ => {
                document
                    .report(&node.span, Error::project("a format is a name or one key with options").hint(formats()));
                None
            }
        },
        _ => {
            let message = format!("a format is a name or one key with options, found {}", node.kind());
            document.report(&node.span, Error::project(message).hint(formats()));
            None
        }
    }
}

fn formats() -> String {
    format!("{}; `perennial formats` lists those of known systems", one_of(FORMATS.into_iter()))
}

fn format_named(document: &Document, text: &Text) -> Option<Format> {
    match text.value.as_str() {
        "csv" => Some(Format::Csv(plain_csv())),
        "json_lines" => Some(Format::JsonLines),
        "json" => Some(Format::Json { rows: String::new() }),
        "parquet" => Some(Format::Parquet),
        "excel" => Some(Format::Excel(ExcelOptions::default())),
        "lines" => {
            let error = Error::project("`lines` needs a `pattern`");
            document.report(&text.span, error.hint("write `format: {lines: {pattern: '(?<time>\\S+) (?<rest>.*)'}}`"));
            None
        }
        name if perennial_sources::formats::named(name).is_some() => Some(Format::Named(name.to_string())),
        other => {
            let known: Vec<&str> = FORMATS
                .into_iter()
                .chain(perennial_sources::formats::FORMATS.iter().map(|format| format.name))
                .collect();
            let near = closest(other, &known).map(|near| format!("did you mean `{near}`?"));
            let error = Error::project(format!("unknown format `{other}`"));
            document.report(&text.span, error.hint(near.unwrap_or_else(formats)));
            None
        }
    }
}

fn plain_csv() -> CsvOptions {
    CsvOptions {
        delimiter: b',',
        collapse: false,
        quote: Some(b'"'),
        header: true,
        header_row: None,
        skip_rows: Vec::new(),
        encoding: TextEncoding::Utf8,
    }
}

fn csv(document: &Document, key: &Text, node: &Node) -> Option<Format> {
    let defaults = plain_csv();
    let fields = Fields::of(document, node, "the csv format", key.span.clone())?;
    let delimiter = fields.text("delimiter").and_then(|text| one_byte(document, "delimiter", &text, &[("tab", b'\t')]));
    let quote = match fields.text("quote") {
        Some(text) if text.value == "none" => None,
        Some(text) => one_byte(document, "quote", &text, &[]).or(defaults.quote),
        None => defaults.quote,
    };
    let options = CsvOptions {
        delimiter: delimiter.unwrap_or(defaults.delimiter),
        collapse: fields.flag("collapse", defaults.collapse),
        quote,
        header: fields.flag("header", defaults.header),
        header_row: header_row(&fields),
        skip_rows: skip_rows(&fields),
        encoding: fields.choice("encoding", &ENCODINGS, defaults.encoding),
    };
    if options.quote == Some(options.delimiter) {
        let error = Error::project("`quote` and `delimiter` are the same character");
        document.report(&fields.span_of("quote"), error);
    }
    if options.header_row.is_some() && !options.header {
        let error = Error::project("`header_row` has no effect with `header: false`");
        document.report(&fields.span_of("header_row"), error.hint("skip lines above the rows with `skip_rows`"));
    }
    fields.finish();
    Some(Format::Csv(options))
}

fn json(document: &Document, key: &Text, node: &Node) -> Option<Format> {
    let fields = Fields::of(document, node, "the json format", key.span.clone())?;
    let rows = fields.words("rows");
    if let Some(problem) = perennial_sources::check_paths(&rows, &[]) {
        let error = Error::project(format!("`rows`: {problem}"));
        document.report(&fields.span_of("rows"), error.hint("write it such as `orders[].lines[]`"));
    }
    fields.finish();
    Some(Format::Json { rows })
}

fn lines(document: &Document, key: &Text, node: &Node) -> Option<Format> {
    let fields = Fields::of(document, node, "the lines format", key.span.clone())?;
    let encoding = fields.choice("encoding", &ENCODINGS, TextEncoding::Utf8);
    let pattern = fields.required_text("pattern").filter(|text| {
        let problem = match regex::Regex::new(&text.value) {
            Err(error) => Some(format!("`pattern` is not a regular expression: {error}")),
            Ok(regex) if regex.capture_names().flatten().next().is_none() => {
                Some("`pattern` has no named group, so lines have no fields; write `(?<name>...)`".to_string())
            }
            Ok(_) => None,
        };
        if let Some(problem) = &problem {
            document.report(&text.span, Error::project(problem.clone()));
        }
        problem.is_none()
    });
    fields.finish();
    Some(Format::Lines { pattern: pattern?.value, encoding })
}

fn excel(document: &Document, key: &Text, node: &Node) -> Option<Format> {
    let fields = Fields::of(document, node, "the excel format", key.span.clone())?;
    let sheet = fields.text("sheet").map(|text| text.value);
    let (header_row, skip_rows) = (header_row(&fields), skip_rows(&fields));
    fields.finish();
    Some(Format::Excel(ExcelOptions { sheet, header_row, skip_rows }))
}

fn header_row(fields: &Fields) -> Option<u32> {
    let (row, span) = fields.number::<u32>("header_row", "the number of a row")?;
    if row == 0 {
        let error = Error::project("`header_row` is `0`").hint("rows are counted from 1");
        fields.document.report(&span, error);
        return None;
    }
    Some(row)
}

/// Regular expressions of rows to skip.
fn skip_rows(fields: &Fields) -> Vec<String> {
    let texts = fields.texts("skip_rows");
    for text in &texts {
        let problem = match regex::Regex::new(&text.value) {
            Err(error) => format!("`{}` is not a regular expression: {error}", text.value),
            Ok(regex) if regex.is_match("") => format!("`{}` matches every row, so none would be left", text.value),
            Ok(_) => continue,
        };
        fields.document.report(&text.span, Error::project(problem).hint("write it such as '^共 [0-9]+ 条'"));
    }
    texts.into_iter().map(|text| text.value).collect()
}

fn one_byte(document: &Document, what: &str, text: &Text, words: &[(&str, u8)]) -> Option<u8> {
    if let Some((_, byte)) = words.iter().find(|(word, _)| *word == text.value) {
        return Some(*byte);
    }
    match text.value.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0) => Some(*byte),
        _ => {
            let error = Error::project(format!("`{what}` is `{}`, which is not one ASCII character", text.value));
            let hint = if words.is_empty() {
                "write one character in quotes, or `none`"
            } else {
                "write one character in quotes, or `tab`"
            };
            document.report(&text.span, error.hint(hint));
            None
        }
    }
}
