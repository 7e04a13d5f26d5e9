//! Rows as bytes: fields that need no formatting machinery, money from whole cents, and counts of what was written.

use super::calendar::Calendar;
use perennial_core::error::{Error, Result};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// The rows of one table in one night.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableCounts {
    /// All rows, bad and repeated ones included.
    pub rows: u64,
    /// Rows that violate the contract.
    pub bad_rows: u64,
    /// Rows that repeat the previous one.
    pub repeated_rows: u64,
    /// Rows that change or follow rows of days that were exported before.
    pub late_rows: u64,
}

/// A file of rows being written.
pub(crate) struct Rows {
    path: PathBuf,
    out: BufWriter<File>,
    row: Vec<u8>,
    fields: usize,
    pub counts: TableCounts,
}

impl Rows {
    /// Creates a CSV file and writes its header.
    pub(crate) fn csv(path: &Path, header: &str) -> Result<Rows> {
        let mut rows = Rows::lines(path)?;
        rows.row.extend_from_slice(header.as_bytes());
        rows.flush_row()?;
        Ok(rows)
    }

    /// Creates a file without header.
    pub(crate) fn lines(path: &Path) -> Result<Rows> {
        let make = || {
            path.parent().map(std::fs::create_dir_all).transpose()?;
            File::create(path)
        };
        let file = make().map_err(|error| failed(path, error))?;
        Ok(Rows {
            path: path.to_path_buf(),
            out: BufWriter::with_capacity(1 << 18, file),
            row: Vec::with_capacity(512),
            fields: 0,
            counts: TableCounts::default(),
        })
    }

    fn separate(&mut self) {
        if self.fields > 0 {
            self.row.push(b',');
        }
        self.fields += 1;
    }

    /// A field that needs no quotes.
    pub(crate) fn raw(&mut self, text: &[u8]) -> &mut Rows {
        self.separate();
        self.row.extend_from_slice(text);
        self
    }

    /// A text, in quotes where it has a comma or quote.
    pub(crate) fn text(&mut self, text: &str) -> &mut Rows {
        self.separate();
        if text.contains([',', '"', '\n']) {
            self.row.push(b'"');
            self.row.extend_from_slice(text.replace('"', "\"\"").as_bytes());
            self.row.push(b'"');
        } else {
            self.row.extend_from_slice(text.as_bytes());
        }
        self
    }

    /// A whole number.
    pub(crate) fn number(&mut self, number: u64) -> &mut Rows {
        self.separate();
        push_number(&mut self.row, number, 1);
        self
    }

    /// A letter and a number of at least some digits: `A0000012`.
    pub(crate) fn code(&mut self, letter: u8, number: u64, digits: usize) -> &mut Rows {
        self.separate();
        self.row.push(letter);
        push_number(&mut self.row, number, digits);
        self
    }

    /// Money, from cents: `12.05`.
    pub(crate) fn cents(&mut self, cents: u64) -> &mut Rows {
        self.separate();
        push_number(&mut self.row, cents / 100, 1);
        self.row.push(b'.');
        push_number(&mut self.row, cents % 100, 2);
        self
    }

    /// Local date and time: `2026-09-30 14:05:09`.
    pub(crate) fn timestamp(&mut self, calendar: &Calendar, timestamp: (i32, u32)) -> &mut Rows {
        self.separate();
        push_timestamp(&mut self.row, calendar, timestamp, b' ');
        self
    }

    /// The same as Americans write it: `09/30/2026 02:05 PM`.
    pub(crate) fn american_timestamp(&mut self, calendar: &Calendar, (day, second): (i32, u32)) -> &mut Rows {
        let [y0, y1, y2, y3, _, m0, m1, _, d0, d1] = *calendar.iso(day);
        self.raw(&[m0, m1, b'/', d0, d1, b'/', y0, y1, y2, y3, b' ']);
        let hour = second / 3600;
        push_number(&mut self.row, u64::from((hour + 11) % 12 + 1), 2);
        self.row.push(b':');
        push_number(&mut self.row, u64::from(second / 60 % 60), 2);
        self.row.extend_from_slice(if hour < 12 { b" AM" } else { b" PM" });
        self
    }

    /// Bytes that were put together elsewhere, as the whole row.
    pub(crate) fn whole(&mut self, row: &[u8]) -> &mut Rows {
        self.row.extend_from_slice(row);
        self
    }

    /// Ends a good row, written once or, `repeated`, twice.
    pub(crate) fn end(&mut self, repeated: bool) -> Result<()> {
        if repeated {
            self.row.push(b'\n');
            self.out.write_all(&self.row).map_err(|error| failed(&self.path, error))?;
            self.row.pop();
            self.counts.rows += 1;
            self.counts.repeated_rows += 1;
        }
        self.counts.rows += 1;
        self.flush_row()
    }

    /// Ends a row that breaks the contract.
    pub(crate) fn end_bad(&mut self) -> Result<()> {
        self.counts.rows += 1;
        self.counts.bad_rows += 1;
        self.flush_row()
    }

    fn flush_row(&mut self) -> Result<()> {
        self.row.push(b'\n');
        self.out.write_all(&self.row).map_err(|error| failed(&self.path, error))?;
        self.row.clear();
        self.fields = 0;
        Ok(())
    }

    /// Writes what is left. Says what the file holds.
    pub fn finish(mut self) -> Result<TableCounts> {
        self.out.flush().map_err(|error| failed(&self.path, error))?;
        Ok(self.counts)
    }
}

impl std::ops::AddAssign for TableCounts {
    fn add_assign(&mut self, other: TableCounts) {
        self.rows += other.rows;
        self.bad_rows += other.bad_rows;
        self.repeated_rows += other.repeated_rows;
        self.late_rows += other.late_rows;
    }
}

/// Digits of a number, zeros in front up to `digits`.
pub(crate) fn push_number(row: &mut Vec<u8>, number: u64, digits: usize) {
    let mut buffer = [b'0'; 20];
    let mut at = buffer.len();
    let mut left = number;
    while left > 0 || buffer.len() - at < digits.max(1) {
        at -= 1;
        buffer[at] = b'0' + (left % 10) as u8;
        left /= 10;
    }
    row.extend_from_slice(&buffer[at..]);
}

/// A day and its second, with a letter between.
pub(crate) fn push_timestamp(row: &mut Vec<u8>, calendar: &Calendar, (day, second): (i32, u32), between: u8) {
    row.extend_from_slice(calendar.iso(day));
    row.push(between);
    push_number(row, u64::from(second / 3600), 2);
    row.push(b':');
    push_number(row, u64::from(second / 60 % 60), 2);
    row.push(b':');
    push_number(row, u64::from(second % 60), 2);
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::project(format!("cannot write `{}`: {error}", path.display())).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_exactly() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.csv");
        let calendar = Calendar::new(729).unwrap();
        let mut rows = Rows::csv(&path, "a,b,c,d,e").unwrap();
        rows.raw(b"").text("Adler, \"Hotel\"").code(b'A', 12, 7).cents(1205).timestamp(&calendar, (729, 50709));
        rows.end(true).unwrap();
        rows.number(0).cents(7);
        rows.end_bad().unwrap();
        for second in [0, 43_200, 50_709] {
            rows.american_timestamp(&calendar, (729, second));
        }
        rows.end(false).unwrap();
        let counts = rows.finish().unwrap();
        let american = "09/30/2026 12:00 AM,09/30/2026 12:00 PM,09/30/2026 02:05 PM";
        let row = ",\"Adler, \"\"Hotel\"\"\",A0000012,12.05,2026-09-30 14:05:09\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("a,b,c,d,e\n{row}{row}0,0.07\n{american}\n"));
        assert_eq!(counts, TableCounts { rows: 4, bad_rows: 1, repeated_rows: 1, late_rows: 0 });
    }
}
