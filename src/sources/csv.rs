//! Delimited text: RFC 4180 and what is met beside it.
//!
//! A record ends at `\n` or `\r\n` outside quotes; within quotes a doubled quote is one; a quote inside an unquoted
//! field is a letter; empty lines are skipped, and so are lines that the contract leaves out. What no reading can be trusted in is refused, never repaired: a row with
//! too few or too many fields, with letters behind a closing quote, or with bytes that are no letters of the encoding.
//!
//! Lines without a quote are cut at the delimiters in place, which is the whole work for most files.

use super::bytes::FileBytes;
use super::csv_cut::{Cut, Step};
use super::encoding::{self, Transcoder};
use super::text::{MOST_ROWS, RowBuffers, RowFault, Span, TextReader, TextRows};
use super::window::Window;
use crate::contract::{CsvOptions, TextEncoding};
use crate::error::{Error, Result, list};
use memchr::memchr;
use regex::bytes::RegexSet;
use std::io::{Cursor, Read};

/// Bytes looked at before the first record, for byte-order marks and to tell encodings apart.
const HEAD_BYTES: usize = 64 * 1024;
/// Lines among which a header is looked for that is not where it should be.
const HEADER_LINES: usize = 30;

/// Reads delimited text.
pub struct CsvReader {
    window: Window,
    cut: Cut,
    names: Vec<String>,
    buffers: RowBuffers,
    row_ranges: Vec<(u32, u32)>,
    encoding: TextEncoding,
    /// The lines the file begins with, to say what is wrong with its header.
    head: Vec<u8>,
    header_row: Option<u32>,
    skip_rows: Option<RegexSet>,
}

impl CsvReader {
    /// Opens a file and reads its header. `expected` are the promised names, which the columns have in their order when
    /// there is no header. Blocks.
    ///
    /// # Errors
    /// Of kind `Data` when the file has no header where one is expected, when it names none of the expected columns
    /// (the hint then names the encoding that would fit) or one of them twice; `Unreachable` when it cannot be read.
    pub fn open(bytes: FileBytes, options: &CsvOptions, expected: &[String]) -> Result<CsvReader> {
        let mut input = bytes.into_text()?;
        let mut head = vec![0; HEAD_BYTES];
        let length = input.fill(&mut head, 0)?;
        head.truncate(length);
        check_mark(&input.name, &head)?;
        let skip = if head.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let first_lines = head[skip..].to_vec();
        let encoding = options.encoding;
        let input = input.layer(|rest| {
            let mut head = Cursor::new(head);
            head.set_position(skip as u64);
            let whole = head.chain(rest);
            match encoding {
                TextEncoding::Utf8 => Box::new(whole) as Box<dyn Read + Send>,
                other => Box::new(Transcoder::new(whole, other)),
            }
        });
        let mut reader = CsvReader {
            window: Window::new(input),
            cut: Cut::new(options),
            names: expected.to_vec(),
            buffers: RowBuffers::default(),
            row_ranges: Vec::new(),
            encoding,
            head: first_lines,
            header_row: options.header_row,
            skip_rows: skipping(&options.skip_rows)?,
        };
        if options.header {
            reader.read_header(expected)?;
        }
        Ok(reader)
    }

    fn read_header(&mut self, expected: &[String]) -> Result<()> {
        let name = self.window.input.name.clone();
        if self.head.is_empty() {
            let known: Vec<&str> = expected.iter().map(String::as_str).collect();
            return Err(Error::data(format!("`{name}` is empty (0 bytes) where a header is expected"))
                .hint(format!("its first line should name {}", list(&known))));
        }
        self.skip_to_header()?;
        let mut cells = Vec::new();
        let mut unescaped = Vec::new();
        loop {
            self.cut.forget();
            match self.cut.record(self.window.bytes(), 0, self.window.ended(), &mut cells, &mut unescaped) {
                Step::Record { next, lines, .. } if is_skipped(&self.skip_rows, &self.window.bytes()[..next]) => {
                    self.window.take(next);
                    self.window.line += lines;
                    cells.clear();
                }
                Step::Record { next, lines, .. } => {
                    let found: Option<Vec<String>> = cells
                        .iter()
                        .map(|span: &Span| {
                            let bytes = match span.unescaped_range() {
                                Some(range) => &unescaped[range],
                                None => span.of(self.window.bytes()),
                            };
                            std::str::from_utf8(bytes).ok().map(|text| text.trim().to_string())
                        })
                        .collect();
                    self.window.take(next);
                    self.window.line += lines;
                    self.cut.forget();
                    return self.accept_header(found, expected);
                }
                Step::Blank { next } => {
                    self.window.take(next);
                    self.window.line += 1;
                }
                Step::Incomplete if self.window.ended() && self.window.bytes().is_empty() => {
                    return Err(Error::data(format!("`{name}` has no line where a header is expected")));
                }
                Step::Incomplete => self.window.read_on()?,
                Step::Unclosed => return Err(self.unclosed(self.window.line)),
            }
        }
    }

    /// Passes over the lines above the header, whatever they hold.
    fn skip_to_header(&mut self) -> Result<()> {
        let Some(row) = self.header_row else { return Ok(()) };
        while self.window.line < u64::from(row) {
            match memchr(b'\n', self.window.bytes()) {
                Some(end) => {
                    self.window.take(end + 1);
                    self.window.line += 1;
                }
                None if self.window.ended() => {
                    let (name, last) = (&self.window.input.name, self.window.line);
                    let error =
                        Error::data(format!("`{name}` ends in line {last}; its header is expected in line {row}"));
                    return Err(error.hint("`header_row` counts lines from 1"));
                }
                None => self.window.read_on()?,
            }
        }
        Ok(())
    }

    fn accept_header(&mut self, found: Option<Vec<String>>, expected: &[String]) -> Result<()> {
        let file = &self.window.input.name;
        let Some(found) = found else {
            let own = encoding::name(self.encoding);
            let error =
                Error::data(format!("`{file}`: the header holds bytes that are not {own}; {}", promised(expected)));
            return Err(error.hint(self.other_encoding(expected).unwrap_or_else(|| {
                "encodings known are `utf-8`, `gb18030` and `big5`; name the file's in `format`".to_string()
            })));
        };
        for (i, name) in found.iter().enumerate() {
            if !name.is_empty() && found[..i].contains(name) {
                return Err(Error::data(format!("`{file}`: the header names `{name}` twice")));
            }
        }
        if !expected.is_empty() && !found.iter().any(|name| expected.contains(name)) {
            let shown: Vec<&str> = found.iter().map(String::as_str).collect();
            let error = Error::data(format!(
                "`{file}`: the header names none of the promised columns; {}, found {}",
                promised(expected),
                list(&shown)
            ));
            let hint = self.other_encoding(expected).or_else(|| self.other_delimiter(&found, expected));
            return Err(match hint.or_else(|| self.other_row(expected)) {
                Some(hint) => error.hint(hint),
                None => error.hint("when the file has no header, say `header: false`"),
            });
        }
        self.names = found;
        Ok(())
    }

    /// The encoding in which the header does name expected columns that it does not name in its declared one.
    fn other_encoding(&self, missing: &[String]) -> Option<String> {
        let header = match self.header_row {
            Some(row) => self.head.split(|b| *b == b'\n').nth(row as usize - 1)?,
            // Above the header may stand lines that are left out.
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

    /// Whether a line names any of these columns when its bytes are letters of an encoding.
    fn names_any(&self, line: &[u8], encoding: TextEncoding, names: &[String]) -> bool {
        let line = encoding::decode(line, encoding).unwrap_or_default();
        let mut fields = line.split(self.cut.delimiter as char);
        fields.any(|field| names.iter().any(|name| field.trim().trim_matches('"') == name))
    }

    /// The line further down that is the header.
    fn other_row(&self, expected: &[String]) -> Option<String> {
        let mut lines = self.head.split(|b| *b == b'\n').take(HEADER_LINES);
        let row = lines.position(|line| self.names_any(line, self.encoding, expected))? + 1;
        Some(format!("line {row} names them; write `header_row: {row}` in `format`"))
    }

    fn other_delimiter(&self, found: &[String], expected: &[String]) -> Option<String> {
        let [only] = found else { return None };
        [',', ';', '\t', '|']
            .into_iter()
            .find(|d| only.split(*d).any(|part| expected.iter().any(|e| e == part.trim())))
            .map(|d| {
                format!("the file looks delimited by `{}`; write `delimiter: \"{0}\"` in `format`", d.escape_default())
            })
    }

    fn unclosed(&self, line: u64) -> Error {
        Error::data(format!(
            "`{}`: a quote opened in the record at line {line} is never closed",
            self.window.input.name
        ))
        .hint("when quotes are ordinary letters in this file, say `quote: none` in `format`")
    }

    /// Cuts the window's whole records into cells; gives the bytes they take up.
    fn cut_records(&mut self) -> Result<usize> {
        let width = self.names.len();
        let CsvReader { window, cut, buffers, row_ranges, skip_rows, .. } = self;
        let (bytes, ended) = (window.bytes(), window.ended());
        let mut line = window.line;
        let mut from = 0;
        cut.forget();
        while buffers.lines.len() < MOST_ROWS {
            let before = buffers.cells.len();
            match cut.record(bytes, from, ended, &mut buffers.cells, &mut buffers.unescaped) {
                Step::Record { next, lines, .. } if is_skipped(skip_rows, &bytes[from..next]) => {
                    buffers.cells.truncate(before);
                    from = next;
                    line += lines;
                }
                Step::Record { next, lines, letters_behind_quote } => {
                    let count = buffers.cells.len() - before;
                    if count == width && !letters_behind_quote {
                        buffers.lines.push(line);
                        row_ranges.push((from as u32, next as u32));
                    } else {
                        let reason = if letters_behind_quote {
                            "letters follow the closing quote of a field".to_string()
                        } else {
                            format!("the row has {count} fields where {width} are expected")
                        };
                        buffers.cells.truncate(before);
                        buffers.faults.push(RowFault::new(line, &bytes[from..next], reason));
                    }
                    from = next;
                    line += lines;
                }
                Step::Blank { next } => {
                    from = next;
                    line += 1;
                }
                Step::Incomplete => {
                    buffers.cells.truncate(before);
                    break;
                }
                Step::Unclosed => return Err(self.unclosed(line)),
            }
        }
        window.line = line;
        window.take(from);
        Ok(from)
    }

    /// Refuses the rows whose bytes are no letters, and blanks them out so that the rest is text.
    fn refuse_undecodable(&mut self, taken: usize) {
        let width = self.names.len();
        let encoding = encoding::name(self.encoding);
        let CsvReader { window, buffers, row_ranges, .. } = self;
        let bytes = window.taken_mut(taken);
        let mut kept = 0;
        for row in 0..buffers.lines.len() {
            let cells = row * width..(row + 1) * width;
            let raw = &bytes[row_ranges[row].0 as usize..row_ranges[row].1 as usize];
            if std::str::from_utf8(raw).is_ok() {
                buffers.lines[kept] = buffers.lines[row];
                buffers.cells.copy_within(cells, kept * width);
                kept += 1;
            } else {
                let reason = format!("the row holds bytes that are not {encoding}");
                buffers.faults.push(RowFault::new(buffers.lines[row], raw, reason));
                for unescaped in buffers.cells[cells].iter().filter_map(|span| span.unescaped_range()) {
                    buffers.unescaped[unescaped].fill(b' ');
                }
            }
        }
        buffers.lines.truncate(kept);
        buffers.cells.truncate(kept * width);
        buffers.faults.sort_by_key(|fault| fault.line);
        blank_what_is_no_text(bytes);
        blank_what_is_no_text(&mut buffers.unescaped);
    }
}

/// The expressions of rows that are left out, where there are any.
pub(super) fn skipping(patterns: &[String]) -> Result<Option<RegexSet>> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let set = RegexSet::new(patterns);
    set.map(Some).map_err(|e| Error::project(format!("`skip_rows` is no regular expression: {e}")).because(e))
}

/// Whether a row is left out.
#[inline]
pub(super) fn is_skipped(skip_rows: &Option<RegexSet>, row: &[u8]) -> bool {
    skip_rows.as_ref().is_some_and(|skip| {
        let row = row.strip_suffix(b"\n").unwrap_or(row);
        skip.is_match(row.strip_suffix(b"\r").unwrap_or(row))
    })
}

pub(super) fn blank_what_is_no_text(bytes: &mut [u8]) {
    let mut from = 0;
    while let Err(error) = std::str::from_utf8(&bytes[from..]) {
        let start = from + error.valid_up_to();
        let length = error.error_len().unwrap_or(bytes.len() - start);
        bytes[start..start + length].fill(b' ');
        from = start + length;
    }
}

fn promised(expected: &[String]) -> String {
    let names: Vec<&str> = expected.iter().map(String::as_str).collect();
    format!("expected {}", list(&names))
}

pub(super) fn check_mark(file: &str, head: &[u8]) -> Result<()> {
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Err(Error::data(format!("`{file}` begins with the mark of UTF-16, which is not read"))
            .hint("export it as UTF-8, GB18030 or Big5"));
    }
    Ok(())
}

impl TextReader for CsvReader {
    fn fields(&self) -> &[String] {
        &self.names
    }

    fn next_rows(&mut self) -> Result<Option<TextRows<'_>>> {
        self.buffers.clear();
        let taken = loop {
            self.row_ranges.clear();
            self.window.refill()?;
            let taken = self.cut_records()?;
            if !self.buffers.lines.is_empty() || !self.buffers.faults.is_empty() {
                break taken;
            }
            if self.window.ended() && self.window.bytes().is_empty() {
                return Ok(None);
            }
            if taken == 0 {
                self.window.read_on()?;
            }
        };
        if std::str::from_utf8(self.window.taken(taken)).is_err() {
            self.refuse_undecodable(taken);
        }
        Ok(Some(TextRows {
            text: as_text(self.window.taken(taken))?,
            unescaped: as_text(&self.buffers.unescaped)?,
            cells: &self.buffers.cells,
            width: self.names.len(),
            fields: &self.names,
            lines: &self.buffers.lines,
            faults: &self.buffers.faults,
        }))
    }

    fn finish(&mut self) -> Result<Option<String>> {
        self.window.input.finish()
    }

    fn bytes(&self) -> u64 {
        self.window.input.bytes()
    }

    fn hint_for_missing(&self, name: &str) -> Option<String> {
        self.other_encoding(&[name.to_string()])
    }
}

pub(super) fn as_text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|e| Error::bug(format!("rows of a file are not text: {e}")))
}
