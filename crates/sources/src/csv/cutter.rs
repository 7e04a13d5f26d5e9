//! Where the records and fields of delimited text begin and end.

use crate::text::Span;
use memchr::{memchr, memchr_iter, memchr2};
use perennial_core::contract::CsvOptions;

/// What was found at the start of a record.
pub(crate) enum Cut {
    /// A record, which ends before `next` and spans `lines` lines.
    Record { next: usize, lines: u64, text_after_quote: bool },
    /// An empty line.
    Blank { next: usize },
    /// The record ends beyond the bytes.
    Incomplete,
    /// The file ends within a quoted field.
    Unclosed,
}

/// Cuts records into cells.
pub(crate) struct Cutter {
    pub(crate) delimiter: u8,
    quote: Option<u8>,
    collapse: bool,
    /// The first quote at or after the last position searched.
    next_quote: Option<usize>,
}

impl Cutter {
    pub(crate) fn new(options: &CsvOptions) -> Cutter {
        Cutter { delimiter: options.delimiter, quote: options.quote, collapse: options.collapse, next_quote: None }
    }

    /// Must be called when the bytes have changed.
    pub(crate) fn forget(&mut self) {
        self.next_quote = None;
    }

    /// Cuts the record that begins at `from`; `ended` says that no bytes follow these.
    pub(crate) fn record(
        &mut self,
        bytes: &[u8],
        from: usize,
        ended: bool,
        cells: &mut Vec<Span>,
        unescaped: &mut Vec<u8>,
    ) -> Cut {
        let (end, next) = match memchr(b'\n', &bytes[from..]) {
            Some(at) => (from + at, from + at + 1),
            None if ended && from < bytes.len() => (bytes.len(), bytes.len()),
            None => return Cut::Incomplete,
        };
        if let Some(quote) = self.quote
            && self.quote_from(quote, bytes, from) < end
        {
            return self.quoted_record(quote, bytes, from, ended, cells, unescaped);
        }
        let end = if end > from && bytes[end - 1] == b'\r' { end - 1 } else { end };
        if end == from {
            return Cut::Blank { next };
        }
        if self.collapse {
            let before = cells.len();
            for field in bytes[from..end].split(|b| *b == self.delimiter).filter(|field| !field.is_empty()) {
                let start = field.as_ptr() as usize - bytes.as_ptr() as usize;
                cells.push(Span::text(start, start + field.len()));
            }
            if cells.len() == before {
                return Cut::Blank { next };
            }
        } else {
            let mut start = from;
            for at in memchr_iter(self.delimiter, &bytes[from..end]) {
                cells.push(Span::text(start, from + at));
                start = from + at + 1;
            }
            cells.push(Span::text(start, end));
        }
        Cut::Record { next, lines: 1, text_after_quote: false }
    }

    /// The first quote at or after `from`; the end when there is none.
    fn quote_from(&mut self, quote: u8, bytes: &[u8], from: usize) -> usize {
        match self.next_quote {
            Some(at) if at >= from => at,
            _ => {
                let at = memchr(quote, &bytes[from..]).map_or(bytes.len(), |at| from + at);
                self.next_quote = Some(at);
                at
            }
        }
    }

    /// Cuts a record that has a quote somewhere, field by field.
    fn quoted_record(
        &self,
        quote: u8,
        bytes: &[u8],
        from: usize,
        ended: bool,
        cells: &mut Vec<Span>,
        unescaped: &mut Vec<u8>,
    ) -> Cut {
        let mut at = from;
        let mut text_after_quote = false;
        loop {
            if self.collapse {
                at += bytes[at..].iter().take_while(|b| **b == self.delimiter).count();
                match bytes.get(at) {
                    None if !ended => return Cut::Incomplete,
                    None => break,
                    Some(b'\n') => {
                        at += 1;
                        break;
                    }
                    Some(b'\r') if bytes.get(at + 1) == Some(&b'\n') => {
                        at += 2;
                        break;
                    }
                    Some(_) => {}
                }
            }
            let field = if bytes.get(at) == Some(&quote) {
                match quoted_field(quote, bytes, at, ended, unescaped) {
                    Ok((span, next)) => {
                        cells.push(span);
                        next
                    }
                    Err(step) => return step,
                }
            } else {
                at
            };
            let Some(end) = self.field_end(bytes, field, ended) else { return Cut::Incomplete };
            let text_end = if bytes.get(end) != Some(&self.delimiter) && end > field && bytes[end - 1] == b'\r' {
                end - 1
            } else {
                end
            };
            if field == at {
                cells.push(Span::text(at, text_end));
            } else {
                text_after_quote |= text_end > field;
            }
            at = end + 1;
            if bytes.get(end) != Some(&self.delimiter) {
                break;
            }
        }
        let next = at.min(bytes.len());
        let newlines = memchr_iter(b'\n', &bytes[from..next]).count() as u64;
        let closed = next > from && bytes[next - 1] == b'\n';
        Cut::Record { next, lines: newlines + u64::from(!closed), text_after_quote }
    }

    /// The delimiter or line end at or after `from`.
    fn field_end(&self, bytes: &[u8], from: usize, ended: bool) -> Option<usize> {
        match memchr2(self.delimiter, b'\n', &bytes[from..]) {
            Some(at) => Some(from + at),
            None if ended => Some(bytes.len()),
            None => None,
        }
    }
}

/// A field in quotes that opens at `open`: its text, and where the closing quote ends.
fn quoted_field(
    quote: u8,
    bytes: &[u8],
    open: usize,
    ended: bool,
    unescaped: &mut Vec<u8>,
) -> std::result::Result<(Span, usize), Cut> {
    let begin = open + 1;
    let unescaped_begin = unescaped.len();
    let mut piece = begin;
    let mut search = begin;
    loop {
        let Some(at) = memchr(quote, &bytes[search..]).map(|at| search + at) else {
            return Err(if ended { Cut::Unclosed } else { Cut::Incomplete });
        };
        match bytes.get(at + 1) {
            None if !ended => return Err(Cut::Incomplete),
            Some(byte) if *byte == quote => {
                unescaped.extend_from_slice(&bytes[piece..=at]);
                piece = at + 2;
                search = at + 2;
            }
            _ if piece == begin => return Ok((Span::text(begin, at), at + 1)),
            _ => {
                unescaped.extend_from_slice(&bytes[piece..at]);
                return Ok((Span::unescaped(unescaped_begin, unescaped.len()), at + 1));
            }
        }
    }
}
