//! The contract, ready to be applied: one reader per column, from text straight into an Arrow array.

use super::bounds::Bounds;
use super::cell_rejects::CellRejects;
use super::cells::{Cells, MissingColumn};
use super::full_width;
use super::identifiers::Identifiers;
use super::localized::LocalizedNumbers;
use super::numbers::{self, Parsed};
use super::swapped_dates::{SwappedDates, swapped_format};
use super::times::{DateReader, InstantReader};
use super::warnings::ValueWarning;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, NullBufferBuilder,
    StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use perennial_core::contract::{Column, SourceTable, ValueLocale, ValueType};
use perennial_core::error::{Result, list};
use std::borrow::Cow;
use std::sync::Arc;

const MICROSECONDS_OF_A_DAY: i64 = 86_400_000_000;
/// How typed systems write timestamps as text.
const ISO_TIMESTAMPS: [&str; 3] = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f%:z"];
/// Values of an enumeration that a reason lists.
const MAX_LISTED_VALUES: usize = 12;

/// Which texts are NULL, and whether that is a reason for rejection.
struct NullRule {
    texts: Vec<String>,
    reason: Option<&'static str>,
}

impl NullRule {
    #[inline]
    fn is_null(&self, text: &str) -> bool {
        text.is_empty() || !self.texts.is_empty() && self.texts.iter().any(|null| null == text)
    }
}

enum Parser {
    Text(Bounds<String>),
    Identifier(Identifiers),
    Integer(Bounds<i64>, Locale),
    Decimal { precision: u8, scale: i8, bounds: Bounds<i128>, locale: Locale },
    Float(Bounds<f64>, Locale),
    Boolean,
    Date(DateReader, Bounds<i32>, TimeLocale),
    Instant(Box<InstantReader>, Bounds<i64>, TimeLocale),
    Enumeration(Vec<String>),
}

/// The locale of numbers, if they are not plain.
type Locale = Option<Box<LocalizedNumbers>>;

/// How dates and timestamps are written, and which look as if day and month were swapped.
struct TimeLocale {
    full_width: bool,
    swapped: SwappedDates,
    /// Reads the dates and timestamps of sheets, whatever the formats are.
    native: Option<InstantReader>,
}

/// Properties of the file and the load that a column is read from.
#[derive(Clone, Copy)]
pub(crate) struct ReadOptions {
    /// The file has types: dates are ISO text whatever the formats of the contract are, and numbers are plain.
    pub(crate) typed: bool,
    /// The file is a workbook, whose cells can be dates and numbers or text.
    pub(crate) sheet: bool,
    /// The file may have been edited in a spreadsheet, which damages identifiers.
    pub(crate) from_spreadsheet: bool,
    /// When the load started.
    pub(crate) now: jiff::Timestamp,
}

/// Reads one column.
pub(crate) struct ColumnReader {
    /// Name in the lake.
    pub(crate) name: String,
    /// Name or path in the file.
    pub(crate) from: String,
    /// Type in the lake.
    pub(crate) data_type: DataType,
    nulls: NullRule,
    parser: Parser,
}

impl ColumnReader {
    /// A column of the contract.
    ///
    /// # Errors
    /// Of kind `Project` when its formats, zone or bounds are invalid.
    pub(crate) fn of_contract(table: &SourceTable, column: &Column, options: ReadOptions) -> Result<ColumnReader> {
        let in_key = table.key.contains(&column.name);
        let reason = if in_key {
            Some("the value is missing in a column of the key")
        } else {
            column.required.then_some("the value is missing in a required column")
        };
        let parser = parser(column, in_key, options).map_err(|e| match &table.place {
            Some(place) if e.place().is_none() => e.at(place.clone()),
            _ => e,
        })?;
        Ok(ColumnReader {
            name: column.name.clone(),
            from: column.from.clone(),
            data_type: column.data_type.arrow(),
            nulls: NullRule { texts: column.null_values.clone(), reason },
            parser,
        })
    }

    /// A column that the contract does not name: text.
    pub(crate) fn accepted(name: &str, from: &str) -> ColumnReader {
        ColumnReader {
            name: name.to_string(),
            from: from.to_string(),
            data_type: DataType::Utf8,
            nulls: NullRule { texts: Vec::new(), reason: None },
            parser: Parser::Text(Bounds::none()),
        }
    }

    /// A column that the file lacks.
    pub(crate) fn read_missing(&mut self, rows: usize, rejects: &mut CellRejects) -> Result<ArrayRef> {
        self.read(&MissingColumn(rows), rejects)
    }

    /// Rejects the rows whose cell contains an error of a spreadsheet, unless the contract reads it as NULL.
    pub(crate) fn reject_errors<C: Cells>(&self, cells: &C, rejects: &mut CellRejects) {
        for row in (0..cells.len()).filter(|row| cells.is_error(*row)) {
            let text = cells.get(row).unwrap_or("");
            if !self.nulls.is_null(text) {
                let reason = match text.starts_with('=') {
                    true => "the cell has a formula without a stored value; save the file in a spreadsheet program",
                    false => "the cell has an error of the spreadsheet; `null_values` can read it as NULL",
                };
                rejects.push(row, text, reason.into());
            }
        }
    }

    /// Takes a column that is exact already: it has its type of the lake, in which no value can mean NULL. `None` when
    /// it must be read as text.
    pub(crate) fn read_exact(&mut self, array: &ArrayRef, rejects: &mut CellRejects) -> Option<ArrayRef> {
        if *array.data_type() != self.data_type || !self.nulls.texts.is_empty() {
            return None;
        }
        match &self.parser {
            Parser::Integer(bounds, _) => bounds.check_all(array.as_primitive::<Int64Type>(), rejects),
            Parser::Decimal { bounds, .. } => bounds.check_all(array.as_primitive::<Decimal128Type>(), rejects),
            Parser::Float(bounds, _) => bounds.check_all(array.as_primitive::<Float64Type>(), rejects),
            Parser::Date(_, bounds, _) => bounds.check_all(array.as_primitive::<Date32Type>(), rejects),
            Parser::Instant(_, bounds, _) => {
                bounds.check_all(array.as_primitive::<TimestampMicrosecondType>(), rejects)
            }
            Parser::Boolean => {}
            _ => return None,
        }
        if let Some(reason) = self.nulls.reason.filter(|_| array.null_count() > 0) {
            (0..array.len()).filter(|row| array.is_null(*row)).for_each(|row| rejects.push(row, "", reason.into()));
        }
        Some(array.clone())
    }

    /// Reads a column; cells that violate the contract are noted and NULL.
    pub(crate) fn read<C: Cells>(&mut self, cells: &C, rejects: &mut CellRejects) -> Result<ArrayRef> {
        let nulls = &self.nulls;
        Ok(match &mut self.parser {
            Parser::Text(bounds) => Arc::new(texts(cells, nulls, rejects, |_, text| {
                if bounds.is_none() {
                    return Ok(());
                }
                bounds.check(text.to_string()).map(|_| ())
            })),
            Parser::Identifier(identifiers) => {
                Arc::new(texts(cells, nulls, rejects, |row, text| identifiers.check(row, text)))
            }
            Parser::Enumeration(values) => Arc::new(texts(cells, nulls, rejects, |_, text| {
                if values.iter().any(|value| value == text) { Ok(()) } else { Err(not_one_of(values)) }
            })),
            Parser::Integer(bounds, locale) => {
                let parse = |text: &str| numbers::integer(text).and_then(|value| bounds.check(value));
                let (values, nulls) = localized(cells, nulls, rejects, 0, locale, parse);
                Arc::new(Int64Array::new(values.into(), nulls))
            }
            Parser::Decimal { precision, scale, bounds, locale } => {
                let (precision, scale) = (*precision, *scale);
                let parse = |text: &str| numbers::decimal(text, precision, scale).and_then(|value| bounds.check(value));
                let (values, nulls) = localized(cells, nulls, rejects, 0, locale, parse);
                Arc::new(Decimal128Array::new(values.into(), nulls).with_precision_and_scale(precision, scale)?)
            }
            Parser::Float(bounds, locale) => {
                let parse = |text: &str| numbers::float(text).and_then(|value| bounds.check(value));
                let (values, nulls) = localized(cells, nulls, rejects, 0.0, locale, parse);
                Arc::new(Float64Array::new(values.into(), nulls))
            }
            Parser::Boolean => {
                let (values, nulls) = values(cells, nulls, rejects, false, |_, text| numbers::boolean(text));
                Arc::new(BooleanArray::new(values.into(), nulls))
            }
            Parser::Date(reader, bounds, locale) => {
                let parse = |row, text: &str| {
                    let parsed = match locale.native_date(cells, row, text) {
                        Some(day) => Ok(day),
                        None => {
                            let text = locale.half_width(text);
                            locale.swapped.watch(row, &text, reader.parse(&text))
                        }
                    };
                    parsed.and_then(|value| bounds.check(value))
                };
                let (values, nulls) = values(cells, nulls, rejects, 0, parse);
                Arc::new(Date32Array::new(values.into(), nulls))
            }
            Parser::Instant(reader, bounds, locale) => {
                let parse = |row, text: &str| {
                    let parsed = match locale.native_timestamp(cells, row, text) {
                        Some(timestamp) => Ok(timestamp),
                        None => {
                            let text = locale.half_width(text);
                            locale.swapped.watch(row, &text, reader.parse(&text))
                        }
                    };
                    parsed.and_then(|value| bounds.check(value))
                };
                let (values, nulls) = values(cells, nulls, rejects, 0, parse);
                Arc::new(TimestampMicrosecondArray::new(values.into(), nulls).with_timezone("UTC"))
            }
        })
    }

    /// After every batch: looks up the lines of suspicious values.
    pub(crate) fn locate(&mut self, lines: &Int64Array) {
        match &mut self.parser {
            Parser::Identifier(identifiers) => identifiers.locate(lines),
            Parser::Date(_, _, locale) | Parser::Instant(_, _, locale) => locale.swapped.locate(lines),
            _ => {}
        }
    }

    /// After the last batch: warnings about suspicious values.
    pub(crate) fn warnings(&self, file: &str) -> Vec<ValueWarning> {
        match &self.parser {
            Parser::Identifier(identifiers) => identifiers.warnings(&self.name, file),
            Parser::Date(_, _, locale) | Parser::Instant(_, _, locale) => {
                locale.swapped.warning(&self.name, file).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

impl TimeLocale {
    /// The text with full-width digits and symbols as ASCII, if the contract says so.
    #[inline]
    fn half_width<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.full_width { full_width::to_half_width(text) } else { Cow::Borrowed(text) }
    }

    /// The date of a cell that is a date, in days since 1970. So is a timestamp at midnight.
    #[inline]
    fn native_date<C: Cells>(&mut self, cells: &C, row: usize, text: &str) -> Option<i32> {
        let native = self.native.as_mut().filter(|_| cells.may_be_date(row))?;
        let day = text.strip_suffix("T00:00:00").unwrap_or(text);
        let midnight = native.parse(&format!("{day}T00:00:00Z")).ok()?;
        i32::try_from(midnight.div_euclid(MICROSECONDS_OF_A_DAY)).ok()
    }

    /// The timestamp of a cell that is a timestamp or a date, which stands for its midnight.
    #[inline]
    fn native_timestamp<C: Cells>(&mut self, cells: &C, row: usize, text: &str) -> Option<i64> {
        let native = self.native.as_mut().filter(|_| cells.may_be_date(row))?;
        native.parse(text).ok().or_else(|| native.parse(&format!("{text}T00:00:00")).ok())
    }
}

fn parser(column: &Column, in_key: bool, options: ReadOptions) -> Result<Parser> {
    let locale = |expected| match &column.locale {
        ValueLocale::Numbers(locale) if !options.typed => Some(Box::new(LocalizedNumbers::new(locale, expected))),
        _ => None,
    };
    let is_identifier = column.digits.is_some() || column.identifier.unwrap_or(in_key && options.from_spreadsheet);
    Ok(match &column.data_type {
        ValueType::Text if is_identifier => Parser::Identifier(Identifiers::new(column.digits)),
        ValueType::Text => Parser::Text(Bounds::new(column, |text| Ok(text.to_string()))?),
        ValueType::Enumeration(values) => Parser::Enumeration(values.clone()),
        ValueType::Integer => Parser::Integer(Bounds::new(column, numbers::integer)?, locale("a whole number")),
        ValueType::Decimal { precision, scale } => {
            let (precision, scale) = (*precision, *scale);
            let bounds = Bounds::new(column, |text| numbers::decimal(text, precision, scale))?;
            Parser::Decimal { precision, scale, bounds, locale: locale("a decimal number") }
        }
        ValueType::Float => Parser::Float(Bounds::new(column, numbers::float)?, locale("a number")),
        ValueType::Boolean => Parser::Boolean,
        ValueType::Date { formats } => {
            let formats = &with_iso(formats, options, &["%Y-%m-%d"]);
            let (own, iso) = (DateReader::new(formats)?, DateReader::new(&[])?);
            let bounds = Bounds::new(column, |text| own.parse(text).or_else(|_| iso.parse(text)))?;
            Parser::Date(own, bounds, time_locale(column, formats, None, options)?)
        }
        ValueType::Instant { formats, zone } => {
            let formats = &with_iso(formats, options, &ISO_TIMESTAMPS);
            let (mut own, mut iso) = (InstantReader::new(formats, zone)?, InstantReader::new(&[], zone)?);
            let bounds = Bounds::new(column, |text| own.parse(text).or_else(|_| iso.parse(text)))?;
            Parser::Instant(Box::new(own), bounds, time_locale(column, formats, Some(zone), options)?)
        }
    })
}

/// The formats of the contract, and those of typed systems, which write some values in their own way.
fn with_iso(formats: &[String], options: ReadOptions, iso: &[&str]) -> Vec<String> {
    let more = iso.iter().filter(|_| options.typed && !formats.is_empty()).map(|format| format.to_string());
    formats.iter().cloned().chain(more).collect()
}

/// How the values of a column of dates are written, or with a zone those of a column of timestamps.
fn time_locale(column: &Column, formats: &[String], zone: Option<&String>, options: ReadOptions) -> Result<TimeLocale> {
    let other: Vec<String> = formats.iter().filter_map(|format| swapped_format(format)).collect();
    // A date is in the future when it has begun nowhere yet.
    let horizon = options.now.as_microsecond() + MICROSECONDS_OF_A_DAY;
    let swapped = match zone {
        _ if other.is_empty() => SwappedDates::new(None, 0),
        None => {
            let other = DateReader::new(&other)?;
            let read = move |text: &str| other.parse(text).ok().map(i64::from);
            SwappedDates::new(Some(Box::new(read)), horizon.div_euclid(MICROSECONDS_OF_A_DAY))
        }
        Some(zone) => {
            let mut other = InstantReader::new(&other, zone)?;
            SwappedDates::new(Some(Box::new(move |text| other.parse(text).ok())), horizon)
        }
    };
    let native = || InstantReader::new(&[], zone.map_or("UTC", String::as_str));
    Ok(TimeLocale {
        full_width: column.locale == ValueLocale::FullWidth && !options.typed,
        swapped,
        native: options.sheet.then(native).transpose()?,
    })
}

#[cold]
fn not_one_of(values: &[String]) -> Cow<'static, str> {
    let listed: Vec<&str> = values.iter().take(MAX_LISTED_VALUES).map(String::as_str).collect();
    format!("the text is not one of {}", list(&listed)).into()
}

/// Reads numbers, which can be of a locale; those of sheets that are numbers already are plain.
fn localized<C: Cells, T: Copy>(
    cells: &C,
    nulls: &NullRule,
    rejects: &mut CellRejects,
    filler: T,
    locale: &mut Locale,
    parse: impl Fn(&str) -> Parsed<T>,
) -> (Vec<T>, Option<NullBuffer>) {
    match locale {
        None => values(cells, nulls, rejects, filler, |_, text| parse(text)),
        Some(locale) => values(cells, nulls, rejects, filler, |row, text| {
            if cells.is_native(row) { parse(text) } else { locale.plain(text).and_then(&parse) }
        }),
    }
}

/// Reads values of fixed width; whitespace around them is ignored.
fn values<C: Cells, T: Copy>(
    cells: &C,
    nulls: &NullRule,
    rejects: &mut CellRejects,
    filler: T,
    mut parse: impl FnMut(usize, &str) -> Parsed<T>,
) -> (Vec<T>, Option<NullBuffer>) {
    let rows = cells.len();
    let mut values = Vec::with_capacity(rows);
    let mut valid = NullBufferBuilder::new(rows);
    for row in 0..rows {
        let raw = cells.get(row).unwrap_or("");
        let text = raw.trim_ascii();
        let value = if nulls.is_null(text) {
            if let Some(reason) = nulls.reason {
                rejects.push(row, raw, reason.into());
            }
            None
        } else {
            match parse(row, text) {
                Ok(value) => Some(value),
                Err(reason) => {
                    rejects.push(row, raw, reason);
                    None
                }
            }
        };
        match value {
            Some(value) => {
                values.push(value);
                valid.append_non_null();
            }
            None => {
                values.push(filler);
                valid.append_null();
            }
        }
    }
    (values, valid.finish())
}

/// Reads texts as they are.
fn texts<C: Cells>(
    cells: &C,
    nulls: &NullRule,
    rejects: &mut CellRejects,
    mut check: impl FnMut(usize, &str) -> Parsed<()>,
) -> StringArray {
    let rows = cells.len();
    let mut values = StringBuilder::with_capacity(rows, rows * 16);
    for row in 0..rows {
        let text = cells.get(row).unwrap_or("");
        if nulls.is_null(text) {
            if let Some(reason) = nulls.reason {
                rejects.push(row, text, reason.into());
            }
            values.append_null();
            continue;
        }
        match check(row, text) {
            Ok(()) => values.append_value(text),
            Err(reason) => {
                rejects.push(row, text, reason);
                values.append_null();
            }
        }
    }
    values.finish()
}
