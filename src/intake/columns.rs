//! The contract, ready to be applied: one reader a column, straight from text into an Arrow array.

use super::exchanged::{Exchanged, exchanged_format};
use super::full_width;
use super::identifiers::Identifiers;
use super::numbers::{self, Parsed};
use super::remarks::Remark;
use super::styled::StyledNumbers;
use super::times::{DateReader, InstantReader};
use crate::contract::{Column, SourceTable, ValueType, Written};
use crate::error::{Error, Result};
use crate::sources::TextRows;
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    NullBufferBuilder, PrimitiveArray, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::borrow::Cow;
use std::sync::Arc;

/// The cells of one column of a batch.
pub(super) trait Cells {
    /// Count of rows.
    fn len(&self) -> usize;
    /// The text of one; nothing where there is no value.
    fn get(&self, row: usize) -> Option<&str>;
    /// Whether it came as a number, day or moment and is text only here.
    fn is_native(&self, _row: usize) -> bool {
        false
    }
    /// Whether it may have come as a day or moment.
    fn may_be_day(&self, row: usize) -> bool {
        self.is_native(row)
    }
    /// Whether it holds an error of a spreadsheet instead of a value.
    fn is_error(&self, _row: usize) -> bool {
        false
    }
}

/// A column of rows of text.
pub(super) struct TextColumn<'a> {
    pub(super) rows: &'a TextRows<'a>,
    pub(super) field: usize,
}

impl Cells for TextColumn<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    #[inline]
    fn get(&self, row: usize) -> Option<&str> {
        self.rows.cell(row, self.field)
    }

    fn is_native(&self, row: usize) -> bool {
        self.rows.is_native(row, self.field)
    }

    fn is_error(&self, row: usize) -> bool {
        self.rows.is_error(row, self.field)
    }
}

impl Cells for StringArray {
    fn len(&self) -> usize {
        Array::len(self)
    }

    fn get(&self, row: usize) -> Option<&str> {
        self.is_valid(row).then(|| self.value(row))
    }
}

/// A column of rows that were kept as texts and numbers.
pub(super) struct KeptColumn<'a> {
    pub(super) texts: StringArray,
    pub(super) native: &'a [bool],
}

impl Cells for KeptColumn<'_> {
    fn len(&self) -> usize {
        Array::len(&self.texts)
    }

    fn get(&self, row: usize) -> Option<&str> {
        Cells::get(&self.texts, row)
    }

    fn is_native(&self, row: usize) -> bool {
        self.native[row]
    }

    /// What was a day of a workbook is kept as its text.
    fn may_be_day(&self, _row: usize) -> bool {
        true
    }
}

/// A cell that breaks the promise.
#[derive(Debug, PartialEq)]
pub(super) struct CellFault {
    pub(super) row: usize,
    pub(super) column: usize,
    pub(super) value: String,
    pub(super) reason: String,
}

/// The rows of a batch that break the promise, each with its first fault.
pub(super) struct Faults {
    pub(super) bad: Vec<bool>,
    pub(super) found: Vec<CellFault>,
    pub(super) column: usize,
    left_out: bool,
}

impl Faults {
    pub(super) fn new(rows: usize) -> Faults {
        Faults { bad: vec![false; rows], found: Vec::new(), column: 0, left_out: false }
    }

    /// Takes a row out that is no row of the table; what is wrong with it is nobody's fault.
    pub(super) fn leave_out(&mut self, row: usize) {
        self.bad[row] = true;
        self.left_out = true;
    }

    /// Whether all rows stay.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty() && !self.left_out
    }

    #[cold]
    pub(super) fn push(&mut self, row: usize, value: &str, reason: Cow<'static, str>) {
        if !std::mem::replace(&mut self.bad[row], true) {
            let value = value.chars().take(super::rejects::RAW_CHARACTERS).collect();
            self.found.push(CellFault { row, column: self.column, value, reason: reason.into_owned() });
        }
    }
}

/// Which texts are no value, and whether that is a fault.
struct Absence {
    words: Vec<String>,
    fault: Option<&'static str>,
}

impl Absence {
    #[inline]
    fn is_none(&self, text: &str) -> bool {
        text.is_empty() || !self.words.is_empty() && self.words.iter().any(|word| word == text)
    }
}

/// Least and greatest allowed value.
struct Bounds<T> {
    min: Option<T>,
    max: Option<T>,
    words: [String; 2],
}

impl<T: PartialOrd> Bounds<T> {
    fn new(column: &Column, mut parse: impl FnMut(&str) -> Parsed<T>) -> Result<Bounds<T>> {
        let mut one = |text: &Option<String>, which: &str| match text {
            None => Ok(None),
            Some(text) => parse(text).map(Some).map_err(|reason| {
                Error::project(format!("`{which}: {text}` of column `{}` is not of its type: {reason}", column.name))
            }),
        };
        let words = [column.min.clone().unwrap_or_default(), column.max.clone().unwrap_or_default()];
        Ok(Bounds { min: one(&column.min, "min")?, max: one(&column.max, "max")?, words })
    }

    #[inline]
    fn check(&self, value: T) -> Parsed<T> {
        if self.min.as_ref().is_some_and(|min| value < *min) || self.max.as_ref().is_some_and(|max| value > *max) {
            return Err(self.outside(&value));
        }
        Ok(value)
    }

    #[cold]
    fn outside(&self, value: &T) -> Cow<'static, str> {
        if self.min.as_ref().is_some_and(|min| value < min) {
            format!("the value is less than the least allowed, {}", self.words[0]).into()
        } else {
            format!("the value is greater than the greatest allowed, {}", self.words[1]).into()
        }
    }
}

enum Parser {
    Text(Bounds<String>),
    Identifier(Identifiers),
    Integer(Bounds<i64>, Style),
    Decimal { precision: u8, scale: i8, bounds: Bounds<i128>, style: Style },
    Float(Bounds<f64>, Style),
    Boolean,
    Date(DateReader, Bounds<i32>, TimeStyle),
    Instant(Box<InstantReader>, Bounds<i64>, TimeStyle),
    Enumeration(Vec<String>),
}

/// How numbers are written, where not plainly.
type Style = Option<Box<StyledNumbers>>;

/// How dates and moments are written, and which look exchanged.
struct TimeStyle {
    full_width: bool,
    exchanged: Exchanged,
    /// Days and moments of sheets are read by this, whatever the formats are.
    native: Option<InstantReader>,
}

/// Where and when a column is read.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    /// The file brings types, so that dates are ISO text whatever the contract's formats are, and numbers are plain.
    pub(super) typed: bool,
    /// The file is a workbook, whose cells may be days and numbers or text.
    pub(super) sheet: bool,
    /// The file may have been in a spreadsheet, which spoils identifiers.
    pub(super) from_spreadsheet: bool,
    /// When the load began.
    pub(super) now: jiff::Timestamp,
}

/// Reads one column.
pub(super) struct ColumnReader {
    /// Name in the lake.
    pub(super) name: String,
    /// Name or path in the file.
    pub(super) from: String,
    /// Type in the lake.
    pub(super) data_type: DataType,
    absence: Absence,
    parser: Parser,
}

impl ColumnReader {
    /// A promised column.
    ///
    /// # Errors
    /// Of kind `Project` when its formats, zone or bounds make no sense.
    pub(super) fn promised(table: &SourceTable, column: &Column, reading: Reading) -> Result<ColumnReader> {
        let in_key = table.key.contains(&column.name);
        let fault = if in_key {
            Some("the value is missing in a column of the key")
        } else {
            column.required.then_some("the value is missing in a required column")
        };
        let parser = parser(column, in_key, reading).map_err(|e| match &table.place {
            Some(place) if e.place().is_none() => e.at(place.clone()),
            _ => e,
        })?;
        Ok(ColumnReader {
            name: column.name.clone(),
            from: column.from.clone(),
            data_type: column.data_type.arrow(),
            absence: Absence { words: column.null_values.clone(), fault },
            parser,
        })
    }

    /// A column nobody promised: text.
    pub(super) fn accepted(name: &str, from: &str) -> ColumnReader {
        ColumnReader {
            name: name.to_string(),
            from: from.to_string(),
            data_type: DataType::Utf8,
            absence: Absence { words: Vec::new(), fault: None },
            parser: Parser::Text(Bounds { min: None, max: None, words: Default::default() }),
        }
    }

    /// A column the file lacks: no value in any row.
    pub(super) fn read_none(&mut self, rows: usize, faults: &mut Faults) -> Result<ArrayRef> {
        struct Nothing(usize);
        impl Cells for Nothing {
            fn len(&self) -> usize {
                self.0
            }
            fn get(&self, _row: usize) -> Option<&str> {
                None
            }
        }
        self.read(&Nothing(rows), faults)
    }

    /// Refuses the rows whose cell holds an error of a spreadsheet, unless the contract reads it as no value.
    pub(super) fn refuse_errors<C: Cells>(&self, cells: &C, faults: &mut Faults) {
        for row in (0..cells.len()).filter(|row| cells.is_error(*row)) {
            let text = cells.get(row).unwrap_or("");
            if !self.absence.is_none(text) {
                let reason = match text.starts_with('=') {
                    true => "the cell holds a formula whose value is not in the file; save it in a spreadsheet program",
                    false => "the cell holds an error of the spreadsheet; `null_values` can read it as no value",
                };
                faults.push(row, text, reason.into());
            }
        }
    }

    /// Takes a column that is exact already: of its type in the lake, and a type whose values are never "no value".
    /// Nothing when it must be read as text.
    pub(super) fn read_exact(&mut self, array: &ArrayRef, faults: &mut Faults) -> Option<ArrayRef> {
        if *array.data_type() != self.data_type || !self.absence.words.is_empty() {
            return None;
        }
        match &self.parser {
            Parser::Integer(bounds, _) => check_all(array.as_primitive::<Int64Type>(), bounds, faults),
            Parser::Decimal { bounds, .. } => check_all(array.as_primitive::<Decimal128Type>(), bounds, faults),
            Parser::Float(bounds, _) => check_all(array.as_primitive::<Float64Type>(), bounds, faults),
            Parser::Date(_, bounds, _) => check_all(array.as_primitive::<Date32Type>(), bounds, faults),
            Parser::Instant(_, bounds, _) => {
                check_all(array.as_primitive::<TimestampMicrosecondType>(), bounds, faults)
            }
            Parser::Boolean => {}
            _ => return None,
        }
        if let Some(reason) = self.absence.fault.filter(|_| array.null_count() > 0) {
            (0..array.len()).filter(|row| array.is_null(*row)).for_each(|row| faults.push(row, "", reason.into()));
        }
        Some(array.clone())
    }

    /// Reads a column; cells that break the promise are noted and left without value.
    pub(super) fn read<C: Cells>(&mut self, cells: &C, faults: &mut Faults) -> Result<ArrayRef> {
        let absence = &self.absence;
        Ok(match &mut self.parser {
            Parser::Text(bounds) => Arc::new(texts(cells, absence, faults, |_, text| {
                if bounds.min.is_none() && bounds.max.is_none() {
                    return Ok(());
                }
                bounds.check(text.to_string()).map(|_| ())
            })),
            Parser::Identifier(identifiers) => {
                Arc::new(texts(cells, absence, faults, |row, text| identifiers.check(row, text)))
            }
            Parser::Enumeration(values) => Arc::new(texts(cells, absence, faults, |_, text| {
                if values.iter().any(|value| value == text) { Ok(()) } else { Err(not_one_of(values)) }
            })),
            Parser::Integer(bounds, style) => {
                let parse = |text: &str| numbers::integer(text).and_then(|value| bounds.check(value));
                let (values, nulls) = styled(cells, absence, faults, 0, style, parse);
                Arc::new(Int64Array::new(values.into(), nulls))
            }
            Parser::Decimal { precision, scale, bounds, style } => {
                let (precision, scale) = (*precision, *scale);
                let parse = |text: &str| numbers::decimal(text, precision, scale).and_then(|value| bounds.check(value));
                let (values, nulls) = styled(cells, absence, faults, 0, style, parse);
                Arc::new(Decimal128Array::new(values.into(), nulls).with_precision_and_scale(precision, scale)?)
            }
            Parser::Float(bounds, style) => {
                let parse = |text: &str| numbers::float(text).and_then(|value| bounds.check(value));
                let (values, nulls) = styled(cells, absence, faults, 0.0, style, parse);
                Arc::new(Float64Array::new(values.into(), nulls))
            }
            Parser::Boolean => {
                let (values, nulls) = values(cells, absence, faults, false, |_, text| numbers::boolean(text));
                Arc::new(BooleanArray::new(values.into(), nulls))
            }
            Parser::Date(reader, bounds, style) => {
                let parse = |row, text: &str| {
                    let parsed = match style.native_day(cells, row, text) {
                        Some(day) => Ok(day),
                        None => {
                            let text = style.unfolded(text);
                            style.exchanged.watch(row, &text, reader.parse(&text))
                        }
                    };
                    parsed.and_then(|value| bounds.check(value))
                };
                let (values, nulls) = values(cells, absence, faults, 0, parse);
                Arc::new(Date32Array::new(values.into(), nulls))
            }
            Parser::Instant(reader, bounds, style) => {
                let parse = |row, text: &str| {
                    let parsed = match style.native_moment(cells, row, text) {
                        Some(moment) => Ok(moment),
                        None => {
                            let text = style.unfolded(text);
                            style.exchanged.watch(row, &text, reader.parse(&text))
                        }
                    };
                    parsed.and_then(|value| bounds.check(value))
                };
                let (values, nulls) = values(cells, absence, faults, 0, parse);
                Arc::new(TimestampMicrosecondArray::new(values.into(), nulls).with_timezone("UTC"))
            }
        })
    }

    /// After every batch: finds the lines of values that are to be told of.
    pub(super) fn locate(&mut self, lines: &Int64Array) {
        match &mut self.parser {
            Parser::Identifier(identifiers) => identifiers.locate(lines),
            Parser::Date(_, _, style) | Parser::Instant(_, _, style) => style.exchanged.locate(lines),
            _ => {}
        }
    }

    /// After the last batch: what a person should know of the column.
    pub(super) fn remarks(&self, file: &str) -> Vec<Remark> {
        match &self.parser {
            Parser::Identifier(identifiers) => identifiers.remarks(&self.name, file),
            Parser::Date(_, _, style) | Parser::Instant(_, _, style) => {
                style.exchanged.remark(&self.name, file).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

impl TimeStyle {
    /// The text with full-width digits and signs as ASCII, where the contract has such.
    #[inline]
    fn unfolded<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.full_width { full_width::folded(text) } else { Cow::Borrowed(text) }
    }

    /// The day of a cell that is a day, in days since 1970. A moment at midnight is one, too.
    #[inline]
    fn native_day<C: Cells>(&mut self, cells: &C, row: usize, text: &str) -> Option<i32> {
        let native = self.native.as_mut().filter(|_| cells.may_be_day(row))?;
        let day = text.strip_suffix("T00:00:00").unwrap_or(text);
        let moment = native.parse(&format!("{day}T00:00:00Z")).ok()?;
        i32::try_from(moment.div_euclid(MICROSECONDS_OF_A_DAY)).ok()
    }

    /// The moment of a cell that is a moment, or a day, which begins at midnight.
    #[inline]
    fn native_moment<C: Cells>(&mut self, cells: &C, row: usize, text: &str) -> Option<i64> {
        let native = self.native.as_mut().filter(|_| cells.may_be_day(row))?;
        native.parse(text).ok().or_else(|| native.parse(&format!("{text}T00:00:00")).ok())
    }
}

/// Compares every value with the bounds.
fn check_all<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, bounds: &Bounds<T::Native>, faults: &mut Faults)
where
    T::Native: PartialOrd,
{
    if bounds.min.is_none() && bounds.max.is_none() {
        return;
    }
    for (row, value) in array.iter().enumerate() {
        if let Some(Err(reason)) = value.map(|value| bounds.check(value)) {
            let shown = ArrayFormatter::try_new(array, &FormatOptions::default());
            let shown = shown.map(|shown| shown.value(row).to_string()).unwrap_or_default();
            faults.push(row, &shown, reason);
        }
    }
}

const MICROSECONDS_OF_A_DAY: i64 = 86_400_000_000;

fn parser(column: &Column, in_key: bool, reading: Reading) -> Result<Parser> {
    let style = |wanted| match &column.written {
        Written::Numbers(style) if !reading.typed => Some(Box::new(StyledNumbers::new(style, wanted))),
        _ => None,
    };
    Ok(match &column.data_type {
        ValueType::Text if in_key && reading.from_spreadsheet || column.identifier || column.digits.is_some() => {
            Parser::Identifier(Identifiers::new(column.digits))
        }
        ValueType::Text => Parser::Text(Bounds::new(column, |text| Ok(text.to_string()))?),
        ValueType::Enumeration(values) => Parser::Enumeration(values.clone()),
        ValueType::Integer => Parser::Integer(Bounds::new(column, numbers::integer)?, style("a whole number")),
        ValueType::Decimal { precision, scale } => {
            let (precision, scale) = (*precision, *scale);
            let bounds = Bounds::new(column, |text| numbers::decimal(text, precision, scale))?;
            Parser::Decimal { precision, scale, bounds, style: style("a decimal number") }
        }
        ValueType::Float => Parser::Float(Bounds::new(column, numbers::float)?, style("a number")),
        ValueType::Boolean => Parser::Boolean,
        ValueType::Date { formats } => {
            let formats = &with_iso(formats, reading, &["%Y-%m-%d"]);
            let (own, iso) = (DateReader::new(formats)?, DateReader::new(&[])?);
            let bounds = Bounds::new(column, |text| own.parse(text).or_else(|_| iso.parse(text)))?;
            Parser::Date(own, bounds, time_style(column, formats, None, reading)?)
        }
        ValueType::Instant { formats, zone } => {
            let formats = &with_iso(formats, reading, &ISO_MOMENTS);
            let (mut own, mut iso) = (InstantReader::new(formats, zone)?, InstantReader::new(&[], zone)?);
            let bounds = Bounds::new(column, |text| own.parse(text).or_else(|_| iso.parse(text)))?;
            Parser::Instant(Box::new(own), bounds, time_style(column, formats, Some(zone), reading)?)
        }
    })
}

/// How moments of typed systems are written as text.
const ISO_MOMENTS: [&str; 3] = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f%:z"];

/// The contract's formats; typed systems write some values in their own way, whatever the formats of their texts are.
fn with_iso(formats: &[String], reading: Reading, iso: &[&str]) -> Vec<String> {
    let more = iso.iter().filter(|_| reading.typed && !formats.is_empty()).map(|format| format.to_string());
    formats.iter().cloned().chain(more).collect()
}

/// Of a column of moments with its zone, of a column of days without.
fn time_style(column: &Column, formats: &[String], zone: Option<&String>, reading: Reading) -> Result<TimeStyle> {
    let other: Vec<String> = formats.iter().filter_map(|format| exchanged_format(format)).collect();
    // A day is ahead of the load when it has begun nowhere yet.
    let horizon = reading.now.as_microsecond() + MICROSECONDS_OF_A_DAY;
    let exchanged = match zone {
        _ if other.is_empty() => Exchanged::new(None, 0),
        None => {
            let other = DateReader::new(&other)?;
            let read = move |text: &str| other.parse(text).ok().map(i64::from);
            Exchanged::new(Some(Box::new(read)), horizon.div_euclid(MICROSECONDS_OF_A_DAY))
        }
        Some(zone) => {
            let mut other = InstantReader::new(&other, zone)?;
            Exchanged::new(Some(Box::new(move |text| other.parse(text).ok())), horizon)
        }
    };
    let utc = || InstantReader::new(&[], zone.map_or("UTC", String::as_str));
    Ok(TimeStyle {
        full_width: column.written == Written::FullWidth && !reading.typed,
        exchanged,
        native: reading.sheet.then(utc).transpose()?,
    })
}

#[cold]
fn not_one_of(values: &[String]) -> Cow<'static, str> {
    let known: Vec<&str> = values.iter().take(12).map(String::as_str).collect();
    format!("the text is not one of {}", crate::error::list(&known)).into()
}

/// Reads numbers, which may be written in a style; those of sheets that are numbers already are plain.
fn styled<C: Cells, T: Copy>(
    cells: &C,
    absence: &Absence,
    faults: &mut Faults,
    filler: T,
    style: &mut Style,
    parse: impl Fn(&str) -> Parsed<T>,
) -> (Vec<T>, Option<NullBuffer>) {
    match style {
        None => values(cells, absence, faults, filler, |_, text| parse(text)),
        Some(style) => values(cells, absence, faults, filler, |row, text| {
            if cells.is_native(row) { parse(text) } else { style.plain(text).and_then(&parse) }
        }),
    }
}

/// Reads values of fixed width; blanks around them do not count.
fn values<C: Cells, T: Copy>(
    cells: &C,
    absence: &Absence,
    faults: &mut Faults,
    filler: T,
    mut parse: impl FnMut(usize, &str) -> Parsed<T>,
) -> (Vec<T>, Option<NullBuffer>) {
    let rows = cells.len();
    let mut values = Vec::with_capacity(rows);
    let mut valid = NullBufferBuilder::new(rows);
    for row in 0..rows {
        let raw = cells.get(row).unwrap_or("");
        let text = raw.trim_ascii();
        let value = if absence.is_none(text) {
            if let Some(reason) = absence.fault {
                faults.push(row, raw, reason.into());
            }
            None
        } else {
            match parse(row, text) {
                Ok(value) => Some(value),
                Err(reason) => {
                    faults.push(row, raw, reason);
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
    absence: &Absence,
    faults: &mut Faults,
    mut check: impl FnMut(usize, &str) -> Parsed<()>,
) -> StringArray {
    let rows = cells.len();
    let mut values = StringBuilder::with_capacity(rows, rows * 16);
    for row in 0..rows {
        let text = cells.get(row).unwrap_or("");
        if absence.is_none(text) {
            if let Some(reason) = absence.fault {
                faults.push(row, text, reason.into());
            }
            values.append_null();
            continue;
        }
        match check(row, text) {
            Ok(()) => values.append_value(text),
            Err(reason) => {
                faults.push(row, text, reason);
                values.append_null();
            }
        }
    }
    values.finish()
}
