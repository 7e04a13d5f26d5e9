//! Delimited text: RFC 4180 and what occurs besides.
//!
//! A record ends at `\n` or `\r\n` outside quotes; within quotes a doubled quote is one; a quote inside an unquoted
//! field is an ordinary character; empty lines are skipped, and so are lines that the contract leaves out. What cannot be
//! read reliably is rejected, never repaired: a row with too few or too many fields, with text after a closing quote, or
//! with bytes that are invalid in the encoding.
//!
//! Lines without a quote are cut at the delimiters in place, which is all that most files need.

use super::cutter::{Cut, Cutter};
use crate::files::FileBytes;
use crate::text::{
    MAX_ROWS, ReadBuffer, RecordParser, RecordReader, RowBuffers, RowFilter, RowReject, Span, blank_invalid_utf8,
    duplicate, encoding, first_names,
};
use memchr::memchr;
use perennial_core::contract::{CsvOptions, TextEncoding};
use perennial_core::error::{Error, Result};

/// Bytes kept of the beginning of a file, to say what is wrong with its header.
const HEAD_BYTES: usize = 64 * 1024;
/// Lines among which a misplaced header is looked for.
const HEADER_LINES: usize = 30;
const LONG_HINT: &str =
    "this happens when a quote is never closed; with `quote: none`, quotes are read as ordinary characters";

/// Makes rows of delimited text.
pub(crate) struct CsvRecords {
    cutter: Cutter,
    names: Vec<String>,
    row_ranges: Vec<(u32, u32)>,
    encoding: TextEncoding,
    /// The beginning of the file.
    head: Vec<u8>,
    header_row: Option<u32>,
    filter: RowFilter,
}

/// Reads delimited text.
pub(crate) type CsvReader = RecordReader<CsvRecords>;

impl CsvReader {
    /// Opens a file and reads its header. `expected` are the names in the contract, which the columns have in their order
    /// when there is no header. Blocks.
    ///
    /// # Errors
    /// Of kind `Data` when the file has no header where one is expected, when it names none of the expected columns
    /// (the hint then names the encoding that would fit) or one of them twice; `Unreachable` when it cannot be read.
    pub(crate) fn open(bytes: FileBytes, options: &CsvOptions, expected: &[String]) -> Result<CsvReader> {
        let (mut buffer, head) = ReadBuffer::open_with_head(bytes, options.encoding, HEAD_BYTES, LONG_HINT)?;
        let mut records = CsvRecords {
            cutter: Cutter::new(options),
            names: expected.to_vec(),
            row_ranges: Vec::new(),
            encoding: options.encoding,
            head,
            header_row: options.header_row,
            filter: RowFilter::new(&options.skip_rows)?,
        };
        if options.header {
            records.read_header(&mut buffer, expected)?;
        }
        Ok(RecordReader::new(buffer, records))
    }
}

impl CsvRecords {
    fn read_header(&mut self, buffer: &mut ReadBuffer, expected: &[String]) -> Result<()> {
        let name = buffer.input.name.clone();
        if self.head.is_empty() {
            return Err(Error::data(format!("`{name}` is empty (0 bytes) where a header is expected"))
                .hint(format!("its first line should name {}", first_names(expected))));
        }
        self.skip_to_header(buffer)?;
        let (mut cells, mut unescaped) = (Vec::new(), Vec::new());
        loop {
            self.cutter.forget();
            match self.cutter.record(buffer.bytes(), 0, buffer.ended(), &mut cells, &mut unescaped) {
                Cut::Record { next, lines, .. } if self.filter.skips(&buffer.bytes()[..next]) => {
                    buffer.take(next);
                    buffer.line += lines;
                    cells.clear();
                }
                Cut::Record { next, lines, .. } => {
                    let text = |span: &Span| {
                        let bytes = match span.unescaped_range() {
                            Some(range) => &unescaped[range],
                            None => span.of(buffer.bytes()),
                        };
                        std::str::from_utf8(bytes).ok().map(|text| text.trim().to_string())
                    };
                    let found: Option<Vec<String>> = cells.iter().map(text).collect();
                    buffer.take(next);
                    buffer.line += lines;
                    self.cutter.forget();
                    return self.accept_header(&name, found, expected);
                }
                Cut::Blank { next } => {
                    buffer.take(next);
                    buffer.line += 1;
                }
                Cut::Incomplete if buffer.ended() && buffer.bytes().is_empty() => {
                    return Err(Error::data(format!("`{name}` has only empty lines where a header is expected")));
                }
                Cut::Incomplete => buffer.read_on()?,
                Cut::Unclosed => return Err(unclosed(&name, buffer.line)),
            }
        }
    }

    /// Skips the lines above the header, whatever they contain.
    fn skip_to_header(&mut self, buffer: &mut ReadBuffer) -> Result<()> {
        let Some(row) = self.header_row else { return Ok(()) };
        while buffer.line < u64::from(row) {
            match memchr(b'\n', buffer.bytes()) {
                Some(end) => {
                    buffer.take(end + 1);
                    buffer.line += 1;
                }
                None if buffer.ended() => {
                    let (name, last) = (&buffer.input.name, buffer.line);
                    let error =
                        Error::data(format!("`{name}` ends at line {last}; its header is expected in line {row}"));
                    return Err(error.hint("`header_row` counts lines from 1"));
                }
                None => buffer.read_on()?,
            }
        }
        Ok(())
    }

    fn accept_header(&mut self, file: &str, found: Option<Vec<String>>, expected: &[String]) -> Result<()> {
        let wanted = first_names(expected);
        let Some(found) = found else {
            let own = encoding::name(self.encoding);
            let error =
                Error::data(format!("`{file}`: the header contains bytes that are not valid {own}; expected {wanted}"));
            return Err(error.hint(self.other_encoding(expected).unwrap_or_else(|| {
                "write the file's `encoding` in `format`: `utf-8`, `gb18030` or `big5`".to_string()
            })));
        };
        if let Some(name) = duplicate(&found) {
            return Err(Error::data(format!("`{file}`: duplicate column in the header: `{name}`")));
        }
        if !expected.is_empty() && !found.iter().any(|name| expected.contains(name)) {
            let error = Error::data(format!(
                "`{file}`: the header has none of the contract's columns; expected {wanted}, found {}",
                first_names(&found)
            ));
            let hint = self.other_encoding(expected).or_else(|| other_delimiter(&found, expected));
            return Err(match hint.or_else(|| self.other_row(expected)) {
                Some(hint) => error.hint(hint),
                None => error.hint("if the file has no header, write `header: false`"),
            });
        }
        self.names = found;
        Ok(())
    }

    /// The encoding in which the header names expected columns that it does not name in its declared one.
    fn other_encoding(&self, missing: &[String]) -> Option<String> {
        let header = match self.header_row {
            Some(row) => self.head.split(|b| *b == b'\n').nth(row as usize - 1)?,
            // Lines that are left out may precede the header.
            None => &self.head,
        };
        let fits =
            |line: &[u8], other| self.names_any(line, other, missing) && !self.names_any(line, self.encoding, missing);
        [TextEncoding::Utf8, TextEncoding::Gb18030, TextEncoding::Big5]
            .into_iter()
            .filter(|other| *other != self.encoding)
            .find(|other| header.split(|b| *b == b'\n').take(HEADER_LINES).any(|line| fits(line, *other)))
            .map(|other| format!("the file looks like {0}; write `encoding: {0}` in `format`", encoding::name(other)))
    }

    /// Whether a line, read in an encoding, names any of these columns.
    fn names_any(&self, line: &[u8], encoding: TextEncoding, names: &[String]) -> bool {
        let line = encoding::decode(line, encoding).unwrap_or_default();
        let mut fields = line.split(self.cutter.delimiter as char);
        fields.any(|field| names.iter().any(|name| field.trim().trim_matches('"') == name))
    }

    /// The line further down that is the header.
    fn other_row(&self, expected: &[String]) -> Option<String> {
        let mut lines = self.head.split(|b| *b == b'\n').take(HEADER_LINES);
        let row = lines.position(|line| self.names_any(line, self.encoding, expected))? + 1;
        Some(format!("line {row} has them; write `header_row: {row}` in `format`"))
    }
}

impl RecordParser for CsvRecords {
    fn fields(&self) -> &[String] {
        &self.names
    }

    fn parse(&mut self, buffer: &mut ReadBuffer, rows: &mut RowBuffers) -> Result<usize> {
        let CsvRecords { cutter, names, row_ranges, filter, .. } = self;
        let width = names.len();
        let (bytes, ended) = (buffer.bytes(), buffer.ended());
        let mut line = buffer.line;
        let mut from = 0;
        row_ranges.clear();
        cutter.forget();
        while rows.lines.len() < MAX_ROWS {
            let before = rows.cells.len();
            match cutter.record(bytes, from, ended, &mut rows.cells, &mut rows.unescaped) {
                Cut::Record { next, lines, .. } if filter.skips(&bytes[from..next]) => {
                    rows.cells.truncate(before);
                    from = next;
                    line += lines;
                }
                Cut::Record { next, lines, text_after_quote } => {
                    let count = rows.cells.len() - before;
                    if count == width && !text_after_quote {
                        rows.lines.push(line);
                        row_ranges.push((from as u32, next as u32));
                    } else {
                        let reason = if text_after_quote {
                            TEXT_AFTER_QUOTE.to_string()
                        } else {
                            format!("the row has {count} fields where {width} are expected")
                        };
                        rows.cells.truncate(before);
                        rows.rejects.push(RowReject::new(line, &bytes[from..next], reason));
                    }
                    from = next;
                    line += lines;
                }
                Cut::Blank { next } => {
                    from = next;
                    line += 1;
                }
                Cut::Incomplete => {
                    rows.cells.truncate(before);
                    break;
                }
                Cut::Unclosed => return Err(unclosed(&buffer.input.name, line)),
            }
        }
        buffer.line = line;
        buffer.take(from);
        Ok(from)
    }

    /// Rejects the rows whose bytes are invalid in the encoding, and blanks them out so that the rest is text.
    fn reject_invalid(&mut self, taken: &mut [u8], rows: &mut RowBuffers) {
        if std::str::from_utf8(taken).is_ok() {
            return;
        }
        let width = self.names.len();
        let mut kept = 0;
        for row in 0..rows.lines.len() {
            let cells = row * width..(row + 1) * width;
            let raw = &taken[self.row_ranges[row].0 as usize..self.row_ranges[row].1 as usize];
            if std::str::from_utf8(raw).is_ok() {
                rows.lines[kept] = rows.lines[row];
                rows.cells.copy_within(cells, kept * width);
                kept += 1;
            } else {
                let reason = format!("the row contains bytes that are not valid {}", encoding::name(self.encoding));
                rows.rejects.push(RowReject::new(rows.lines[row], raw, reason));
                for unescaped in rows.cells[cells].iter().filter_map(|span| span.unescaped_range()) {
                    rows.unescaped[unescaped].fill(b' ');
                }
            }
        }
        rows.lines.truncate(kept);
        rows.cells.truncate(kept * width);
        rows.rejects.sort_by_key(|reject| reject.line);
        blank_invalid_utf8(taken);
        blank_invalid_utf8(&mut rows.unescaped);
    }

    fn hint_for_missing(&self, name: &str) -> Option<String> {
        self.other_encoding(&[name.to_string()])
    }
}

/// Why a row with text after a quoted field is rejected.
pub(crate) const TEXT_AFTER_QUOTE: &str = "text follows the closing quote of a field";

fn other_delimiter(found: &[String], expected: &[String]) -> Option<String> {
    let [only] = found else { return None };
    [',', ';', '\t', '|']
        .into_iter()
        .find(|d| only.split(*d).any(|part| expected.iter().any(|e| e == part.trim())))
        .map(|d| {
            format!("the file looks delimited by `{}`; write `delimiter: \"{0}\"` in `format`", d.escape_default())
        })
}

fn unclosed(file: &str, line: u64) -> Error {
    Error::data(format!("`{file}`: a quote in the record at line {line} is never closed"))
        .hint("if quotes are ordinary characters in this file, write `quote: none` in `format`")
}
