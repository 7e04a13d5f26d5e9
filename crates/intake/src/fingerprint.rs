//! Fingerprints of contracts and of what they loaded.
//!
//! A contract is encoded as a list of texts `name=value`, and the list is hashed. Every struct is destructured without
//! `..`, so that a new key of contracts does not compile until somebody decides here whether it determines rows.

use super::plan;
use perennial_core::contract::{
    BadRowPolicy, Column, ColumnPolicy, CsvOptions, DuplicateKeys, ExcelOptions, Extraction, Format, Grouping, Load,
    NumberLocale, Pages, Paging, Percent, Relation, RelationRows, SinceFormat, SourceTable, TextEncoding, TotalRows,
    ValueLocale, ValueType,
};
use perennial_core::digest::digest;
use perennial_lake::{DataFile, LoadState, LoadedFile};
use std::fmt::Display;

/// Incremented when the same contract would be encoded differently.
const ENCODING_VERSION: u32 = 1;
/// Incremented when the same contract would read the same file differently.
const READER_VERSION: u32 = 3;

/// Fingerprint of everything in a contract that determines which rows a file, relation or service gives.
pub(crate) fn contract_fingerprint(table: &SourceTable) -> String {
    digest(encoded(table))
}

/// Fingerprint of the rows of a load by file: the contract, the accepted columns, and the content of every file with
/// rows.
pub(crate) fn files_fingerprint(state: &LoadState) -> String {
    let mut encoder = Encoder::default();
    encoder.put("contract", &state.contract);
    encoder.list("accepted", &state.accepted_columns);
    let of = |(path, file): (&'_ String, &'_ LoadedFile)| match &file.held {
        Some(held) => (file.name(path).to_string(), held.bytes, held.hash.clone()),
        None => (file.name(path).to_string(), file.bytes, plan::content_id(file).to_string()),
    };
    let mut files: Vec<_> = state.files.iter().filter(|(_, file)| file.rows > 0).map(of).collect();
    // Another name of a file changes no row.
    files.sort();
    for (name, bytes, content) in files {
        encoder.put("path", name);
        encoder.put("bytes", bytes);
        encoder.put("content", content);
    }
    digest(encoder.parts)
}

/// Fingerprint of the rows of a merged table: the contract, the accepted columns, and its data files.
pub(crate) fn merge_fingerprint(state: &LoadState, files: &[DataFile]) -> String {
    let mut encoder = Encoder::default();
    encoder.put("contract", &state.contract);
    encoder.list("accepted", &state.accepted_columns);
    for file in files {
        encoder.put("path", &file.path);
        encoder.put("rows", file.rows);
    }
    digest(encoder.parts)
}

pub(crate) fn encoded(table: &SourceTable) -> Vec<String> {
    let SourceTable {
        name: _,
        description: _,
        extraction,
        load,
        optional: _,
        history: _,
        columns,
        key,
        // The view over the rows chooses the newest; the rows are the same.
        newest_by: _,
        duplicate_keys,
        // Which files are the same, not what their rows are.
        rotated: _,
        on_new_column,
        on_missing_column,
        on_changed_type: _,
        on_bad_row,
        max_rejects: _,
        time_column,
        total_rows,
        expectations: _,
        place: _,
    } = table;
    let mut encoder = Encoder::default();
    encoder.put("encoding", ENCODING_VERSION);
    encoder.put("reader", READER_VERSION);
    encoder.extraction(extraction);
    encoder.load(load);
    encoder.list("key", key);
    encoder.option("time_column", time_column.as_ref());
    encoder.put("on_new_column", column_policy(*on_new_column));
    encoder.put("on_missing_column", column_policy(*on_missing_column));
    encoder.put("on_bad_row", bad_row_policy(*on_bad_row));
    // Written only where a contract says it, so that contracts from before it was a key read nothing again.
    if *duplicate_keys != table.default_duplicate_keys() {
        encoder.put("duplicate_keys", duplicate_keys_policy(*duplicate_keys));
    }
    encoder.total_rows(total_rows.as_ref());
    encoder.put("columns#", columns.len());
    columns.iter().for_each(|column| encoder.column(column));
    encoder.parts
}

/// Encodes values as `name=value`, missing ones as `name?`, and lists as `name#=length` before their elements.
#[derive(Default)]
struct Encoder {
    parts: Vec<String>,
}

impl Encoder {
    fn put(&mut self, name: &str, value: impl Display) {
        self.parts.push(format!("{name}={value}"));
    }

    fn option(&mut self, name: &str, value: Option<impl Display>) {
        match value {
            Some(value) => self.put(name, value),
            None => self.parts.push(format!("{name}?")),
        }
    }

    fn list(&mut self, name: &str, values: &[String]) {
        self.parts.push(format!("{name}#={}", values.len()));
        values.iter().for_each(|value| self.put(name, value));
    }

    fn extraction(&mut self, extraction: &Extraction) {
        match extraction {
            Extraction::Files { pattern, format } => {
                self.put("extraction", "files");
                self.put("pattern", pattern);
                self.format(format);
            }
            Extraction::Relation(Relation { rows, filter }) => {
                self.put("extraction", "relation");
                match rows {
                    RelationRows::Table(table) => self.put("table", table),
                    RelationRows::Query(query) => self.put("query", query),
                }
                self.option("where", filter.as_ref());
            }
            Extraction::Pages(pages) => self.pages(pages),
        }
    }

    fn pages(&mut self, pages: &Pages) {
        let Pages { path, rows, paging, since_parameter, since_format, max_requests_per_second: _ } = pages;
        self.put("extraction", "pages");
        self.put("path", path);
        self.option("rows", rows.as_ref());
        match paging {
            Paging::None => self.put("paging", "none"),
            Paging::Page { parameter, first } => {
                self.put("paging", "page");
                self.put("parameter", parameter);
                self.put("first", first);
            }
            Paging::Offset { parameter, limit_parameter, limit } => {
                self.put("paging", "offset");
                self.put("parameter", parameter);
                self.put("limit_parameter", limit_parameter);
                self.put("limit", limit);
            }
            Paging::Cursor { parameter, token, end, more, resume } => {
                self.put("paging", "cursor");
                self.put("parameter", parameter);
                self.put("token", token);
                self.option("end", end.as_ref());
                self.option("more", more.as_ref());
                self.put("resume", resume);
            }
            Paging::Link { field } => {
                self.put("paging", "link");
                self.option("field", field.as_ref());
            }
        }
        self.option("since_parameter", since_parameter.as_ref());
        self.put(
            "since_format",
            match since_format {
                SinceFormat::AsIs => "as_is",
                SinceFormat::EpochSeconds => "epoch_seconds",
                SinceFormat::EpochMilliseconds => "epoch_milliseconds",
                SinceFormat::Date => "date",
                SinceFormat::Rfc3339 => "rfc3339",
            },
        );
    }

    fn format(&mut self, format: &Format) {
        match format {
            Format::Csv(options) => self.csv(options),
            Format::JsonLines => self.put("format", "json_lines"),
            Format::Json { rows } => {
                self.put("format", "json");
                self.put("rows", rows);
            }
            Format::Lines { pattern, encoding } => {
                self.put("format", "lines");
                self.put("line", pattern);
                self.put("encoding", text_encoding(*encoding));
            }
            Format::Parquet => self.put("format", "parquet"),
            Format::Excel(ExcelOptions { sheet, header_row, skip_rows }) => {
                self.put("format", "excel");
                self.option("sheet", sheet.as_ref());
                self.option("header_row", *header_row);
                self.list("skip_rows", skip_rows);
            }
            Format::Named(name) => {
                self.put("format", "named");
                self.put("name", name);
            }
        }
    }

    fn csv(&mut self, options: &CsvOptions) {
        let CsvOptions { delimiter, collapse, quote, header, header_row, skip_rows, encoding } = options;
        self.put("format", "csv");
        self.put("delimiter", delimiter);
        self.put("collapse", collapse);
        self.option("quote", *quote);
        self.put("header", header);
        self.option("header_row", *header_row);
        self.list("skip_rows", skip_rows);
        self.put("encoding", text_encoding(*encoding));
    }

    /// Overlaps and the days of full reads determine when a row is read, not what it is.
    fn load(&mut self, load: &Load) {
        match load {
            Load::ByFile => self.put("load", "by_file"),
            Load::Snapshot => self.put("load", "snapshot"),
            Load::Incremental { cursor, overlap: _, full_every_days: _ } => {
                self.put("load", "incremental");
                self.list("cursor", cursor);
            }
            Load::Append { cursor, late_window: _ } => {
                self.put("load", "append");
                self.option("cursor", cursor.as_ref());
            }
        }
    }

    fn total_rows(&mut self, total_rows: Option<&TotalRows>) {
        self.put("total_rows", total_rows.is_some());
        let Some(TotalRows { column, values, subtotals, check, fail }) = total_rows else { return };
        self.put("column", column);
        self.list("values", values);
        self.list("subtotals", subtotals);
        self.list("check", check);
        self.put("fail", fail);
    }

    fn column(&mut self, column: &Column) {
        let Column {
            name,
            from,
            data_type,
            required,
            min,
            max,
            null_values,
            locale,
            identifier,
            digits,
            personal: _,
            description: _,
        } = column;
        self.put("column", name);
        self.put("from", from);
        self.value_type(data_type);
        self.put("required", required);
        self.option("min", min.as_ref());
        self.option("max", max.as_ref());
        self.list("null_values", null_values);
        self.value_locale(locale);
        self.option("identifier", *identifier);
        self.option("digits", *digits);
    }

    fn value_type(&mut self, data_type: &ValueType) {
        match data_type {
            ValueType::Text => self.put("type", "text"),
            ValueType::Integer => self.put("type", "integer"),
            ValueType::Decimal { precision, scale } => {
                self.put("type", "decimal");
                self.put("precision", precision);
                self.put("scale", scale);
            }
            ValueType::Float => self.put("type", "float"),
            ValueType::Boolean => self.put("type", "boolean"),
            ValueType::Date { formats } => {
                self.put("type", "date");
                self.list("formats", formats);
            }
            ValueType::Instant { formats, zone } => {
                self.put("type", "instant");
                self.list("formats", formats);
                self.put("zone", zone);
            }
            ValueType::Enumeration(values) => {
                self.put("type", "enumeration");
                self.list("values", values);
            }
        }
    }

    fn value_locale(&mut self, locale: &ValueLocale) {
        match locale {
            ValueLocale::Plain => self.put("locale", "plain"),
            ValueLocale::FullWidth => self.put("locale", "full_width"),
            ValueLocale::Numbers(locale) => self.number_locale(locale),
        }
    }

    fn number_locale(&mut self, locale: &NumberLocale) {
        let NumberLocale {
            decimal_mark,
            group_mark,
            grouping,
            currency,
            units,
            counted_in,
            parentheses,
            trailing_minus,
            percent,
            full_width,
        } = locale;
        self.put("locale", "numbers");
        self.put("decimal_mark", decimal_mark);
        self.option("group_mark", *group_mark);
        self.put(
            "grouping",
            match grouping {
                Grouping::Thousands => "thousands",
                Grouping::Indian => "indian",
            },
        );
        self.list("currency", currency);
        self.put("units#", units.len());
        for (word, power) in units {
            self.put("unit", word);
            self.put("power", power);
        }
        self.put("counted_in", counted_in);
        self.put("parentheses", parentheses);
        self.put("trailing_minus", trailing_minus);
        self.option(
            "percent",
            percent.map(|percent| match percent {
                Percent::AsWritten => "as_written",
                Percent::Share => "share",
            }),
        );
        self.put("full_width", full_width);
    }
}

fn column_policy(policy: ColumnPolicy) -> &'static str {
    match policy {
        ColumnPolicy::Accept => "accept",
        ColumnPolicy::Ignore => "ignore",
        ColumnPolicy::Fail => "fail",
    }
}

fn bad_row_policy(policy: BadRowPolicy) -> &'static str {
    match policy {
        BadRowPolicy::Reject => "reject",
        BadRowPolicy::Fail => "fail",
    }
}

fn duplicate_keys_policy(policy: DuplicateKeys) -> &'static str {
    match policy {
        DuplicateKeys::Reject => "reject",
        DuplicateKeys::Newest => "newest",
        DuplicateKeys::Fail => "fail",
    }
}

fn text_encoding(encoding: TextEncoding) -> &'static str {
    match encoding {
        TextEncoding::Utf8 => "utf-8",
        TextEncoding::Gb18030 => "gb18030",
        TextEncoding::Big5 => "big5",
    }
}
