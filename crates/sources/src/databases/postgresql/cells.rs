//! The hot loops: binary rows to columns. Rows are first cut into cells, then each column is read alone, so that every loop
//! does one thing.

use super::copy::MESSAGE_HEADER;
use arrow::array::{ArrayRef, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use perennial_core::reasons;
use std::sync::Arc;

/// Where one value is among the bytes of a chunk.
#[derive(Clone, Copy)]
pub(super) struct Cell {
    start: u32,
    /// In bytes; -1 for NULL.
    length: i32,
}

/// The data sent does not match the query.
#[derive(Debug)]
pub(super) struct Malformed;

/// A value that has no exact counterpart: as the server would print it, and why it is rejected.
#[derive(Debug, PartialEq)]
pub(super) struct InexactValue {
    pub(super) raw: String,
    pub(super) reason: String,
}

impl InexactValue {
    #[cold]
    pub(super) fn new(raw: impl Into<String>, reason: impl Into<String>) -> Box<InexactValue> {
        Box::new(InexactValue { raw: raw.into(), reason: reason.into() })
    }
}

/// Rejected rows of one column.
pub(super) type Rejected = Vec<(usize, Box<InexactValue>)>;

/// Values of fixed width, and which of them are NULL.
pub(super) type Values<T> = (Vec<T>, Option<NullBuffer>);

#[inline(always)]
fn four(bytes: &[u8], at: usize) -> Option<i32> {
    match bytes.get(at..at + 4) {
        Some(&[a, b, c, d]) => Some(i32::from_be_bytes([a, b, c, d])),
        _ => None,
    }
}

/// Cuts rows into cells, which are ordered by column: the cells of field `f` are `cells[f * rows..(f + 1) * rows]`.
pub(super) fn cut(bytes: &[u8], rows: usize, fields: usize, cells: &mut Vec<Cell>) -> Result<(), Malformed> {
    cells.clear();
    cells.resize(rows * fields, Cell { start: 0, length: -1 });
    let mut at = 0;
    for row in 0..rows {
        let end = at + 1 + four(bytes, at + 1).ok_or(Malformed)? as usize;
        at += MESSAGE_HEADER;
        match bytes.get(at..at + 2) {
            Some(&[high, low]) if usize::from(high) << 8 | usize::from(low) == fields => at += 2,
            _ => return Err(Malformed),
        }
        let mut place = row;
        while place < cells.len() {
            let Some(length) = four(bytes, at) else { return Err(Malformed) };
            at += 4;
            cells[place] = Cell { start: at as u32, length };
            at += length.max(0) as usize;
            place += rows;
        }
        if at != end {
            return Err(Malformed);
        }
    }
    if at == bytes.len() { Ok(()) } else { Err(Malformed) }
}

/// One column of a chunk.
#[derive(Clone, Copy)]
pub(super) struct Column<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) cells: &'a [Cell],
}

impl<'a> Column<'a> {
    /// The bytes of a value; `None` for NULL.
    #[inline(always)]
    fn get(&self, cell: Cell) -> Option<&'a [u8]> {
        if cell.length < 0 {
            return None;
        }
        let start = cell.start as usize;
        self.bytes.get(start..start + cell.length as usize)
    }

    /// Which values are not NULL; `None` when all are.
    fn validity(&self) -> Option<NullBuffer> {
        let missing = self.cells.iter().filter(|cell| cell.length < 0).count();
        (missing > 0).then(|| NullBuffer::from_iter(self.cells.iter().map(|cell| cell.length >= 0)))
    }

    /// Reads values that all have `N` bytes.
    #[inline(always)]
    pub(super) fn fixed<const N: usize, T: Copy + Default>(
        &self,
        rejected: &mut Rejected,
        mut read: impl FnMut([u8; N]) -> Result<T, Box<InexactValue>>,
    ) -> Result<Values<T>, Malformed> {
        let mut values = vec![T::default(); self.cells.len()];
        for (row, (cell, value)) in self.cells.iter().zip(values.iter_mut()).enumerate() {
            if cell.length < 0 {
                continue;
            }
            let start = cell.start as usize;
            let bytes = self.bytes.get(start..start + N).and_then(|bytes| <[u8; N]>::try_from(bytes).ok());
            let Some(bytes) = bytes.filter(|_| cell.length as usize == N) else { return Err(Malformed) };
            match read(bytes) {
                Ok(read) => *value = read,
                Err(value) => rejected.push((row, value)),
            }
        }
        Ok((values, self.valid(rejected)))
    }

    /// Reads values of any width.
    #[inline(always)]
    pub(super) fn variable<T: Copy + Default>(
        &self,
        rejected: &mut Rejected,
        mut read: impl FnMut(&[u8]) -> Result<Result<T, Box<InexactValue>>, Malformed>,
    ) -> Result<Values<T>, Malformed> {
        let mut values = vec![T::default(); self.cells.len()];
        for (row, (cell, value)) in self.cells.iter().zip(values.iter_mut()).enumerate() {
            let Some(bytes) = self.get(*cell) else { continue };
            match read(bytes)? {
                Ok(read) => *value = read,
                Err(value) => rejected.push((row, value)),
            }
        }
        Ok((values, self.valid(rejected)))
    }

    /// Which values are there and not rejected.
    fn valid(&self, rejected: &Rejected) -> Option<NullBuffer> {
        let there = self.validity();
        if rejected.is_empty() {
            return there;
        }
        let mut valid: Vec<bool> = self.cells.iter().map(|cell| cell.length >= 0).collect();
        rejected.iter().for_each(|(row, _)| valid[*row] = false);
        Some(NullBuffer::from(valid))
    }

    /// Text as it is sent, or as `write` makes it of what is sent.
    #[inline(always)]
    pub(super) fn texts(
        &self,
        rejected: &mut Rejected,
        mut write: impl FnMut(&[u8], &mut Vec<u8>) -> Result<(), Malformed>,
    ) -> Result<ArrayRef, Malformed> {
        let sent: usize = self.cells.iter().map(|cell| cell.length.max(0) as usize).sum();
        let mut text = Vec::with_capacity(sent + sent / 8);
        let mut offsets = Vec::with_capacity(self.cells.len() + 1);
        offsets.push(0_i32);
        for cell in self.cells {
            if let Some(bytes) = self.get(*cell) {
                write(bytes, &mut text)?;
            }
            offsets.push(text.len() as i32);
        }
        if i32::try_from(text.len()).is_err() {
            return Err(Malformed);
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        match StringArray::try_new(offsets, Buffer::from_vec(text), self.validity()) {
            Ok(array) => Ok(Arc::new(array)),
            Err(_) => Ok(Arc::new(self.doubtful_texts(rejected))),
        }
    }

    /// Text of which some is not UTF-8, as databases with the encoding `SQL_ASCII` may hold.
    #[cold]
    fn doubtful_texts(&self, rejected: &mut Rejected) -> StringArray {
        let read = |(row, cell): (usize, &Cell)| match std::str::from_utf8(self.get(*cell)?) {
            Ok(text) => Some(text),
            Err(_) => {
                let raw = String::from_utf8_lossy(self.get(*cell)?).chars().take(1000).collect::<String>();
                rejected.push((row, InexactValue::new(raw, reasons::NOT_UTF8)));
                None
            }
        };
        self.cells.iter().enumerate().map(read).collect()
    }
}
