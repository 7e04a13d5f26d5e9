//! A workbook of any kind, and the cells of one of its sheets.

use super::archive;
use super::errors::damaged;
use super::sheet::{End, Sheet};
use calamine::{Data, DataRef, Ods, OdsError, Reader, SheetType, Xls, XlsError, Xlsb, Xlsx};
use calamine::{XlsbError, XlsxError, XlsxFormulaMetadata};
use memchr::memmem;
use perennial_core::error::{Error, Result, list};
use std::io::Cursor;

/// First bytes of a ZIP archive, as `.xlsx`, `.xlsb` and `.ods` are.
const ZIP: &[u8] = b"PK\x03\x04";
/// First bytes of a compound file, as `.xls` and protected `.xlsx` are.
const COMPOUND: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

type Bytes = Cursor<Vec<u8>>;

/// A workbook.
pub(super) enum Workbook {
    Xlsx(Box<Xlsx<Bytes>>),
    Xlsb(Box<Xlsb<Bytes>>),
    Xls(Box<Xls<Bytes>>),
    Ods(Box<Ods<Bytes>>),
}

impl Workbook {
    /// Opens a workbook, whose kind its bytes tell.
    ///
    /// # Errors
    /// Of kind `Data` when it is not a workbook, protected, damaged, or too large when it is unpacked.
    pub(super) fn open(bytes: Vec<u8>, file: &str) -> Result<Workbook> {
        let holds = |what: &[u8]| memmem::find(&bytes, what).is_some();
        if bytes.starts_with(ZIP) {
            archive::check(&bytes, file)?;
            if holds(b"application/vnd.oasis.opendocument") {
                let opened = Ods::new(Cursor::new(bytes));
                return opened.map(|ods| Workbook::Ods(Box::new(ods))).map_err(|e| match e {
                    OdsError::Password => protected(file),
                    other => damaged(file, other),
                });
            }
            if holds(b"xl/workbook.bin") {
                let opened = Xlsb::new(Cursor::new(bytes));
                return opened.map(|xlsb| Workbook::Xlsb(Box::new(xlsb))).map_err(|e| match e {
                    XlsbError::Password => protected(file),
                    other => damaged(file, other),
                });
            }
            let opened = Xlsx::new(Cursor::new(bytes));
            return opened.map(|xlsx| Workbook::Xlsx(Box::new(xlsx))).map_err(|e| match e {
                XlsxError::Password => protected(file),
                XlsxError::FileNotFound(part) => {
                    Error::data(format!("`{file}` is an archive without `{part}`, so it is not a workbook"))
                }
                other => damaged(file, other),
            });
        }
        if bytes.starts_with(COMPOUND) {
            let package: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
            if holds(&package) {
                return Err(protected(file));
            }
            let opened = Xls::new(Cursor::new(bytes));
            return opened.map(|xls| Workbook::Xls(Box::new(xls))).map_err(|e| match e {
                XlsError::Password => protected(file),
                other => damaged(file, other),
            });
        }
        Err(not_a_workbook(&bytes, file))
    }

    /// The sheet of a name, or the first.
    ///
    /// # Errors
    /// Of kind `Data` when there is no such sheet.
    pub(super) fn sheet(&mut self, name: Option<&str>, file: &str) -> Result<String> {
        let sheets = match self {
            Workbook::Xlsx(book) => book.sheets_metadata(),
            Workbook::Xlsb(book) => book.sheets_metadata(),
            Workbook::Xls(book) => book.sheets_metadata(),
            Workbook::Ods(book) => book.sheets_metadata(),
        };
        let sheets = sheets.iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
        let names: Vec<&str> = sheets.map(|sheet| sheet.name.as_str()).collect();
        let found = match name {
            Some(name) => names.iter().find(|known| **known == name),
            None => names.first(),
        };
        found.map(|name| (*name).to_string()).ok_or_else(|| match name {
            Some(name) => {
                Error::data(format!("`{file}` has no sheet `{name}`")).hint(format!("it has {}", list(&names)))
            }
            None => Error::data(format!("`{file}` has no sheet")),
        })
    }

    /// Passes the cells of a sheet on, row by row.
    pub(super) fn read(&mut self, name: &str, sheet: &mut Sheet) -> Result<(), End> {
        let file = sheet.file().to_string();
        match self {
            Workbook::Xlsx(book) => {
                let mut cells = book.worksheet_cells_reader(name).map_err(|e| damaged(&file, e))?;
                while let Some(cell) = cells.next_cell_with_formula_metadata().map_err(|e| damaged(&file, e))? {
                    let (row, column) = cell.pos;
                    match (&cell.value, &cell.formula) {
                        (DataRef::Empty, None) => {}
                        (DataRef::Empty, Some(formula)) => sheet.formula(row, column, formula_text(formula))?,
                        (value, _) => sheet.cell(row, column, value)?,
                    }
                }
                Ok(())
            }
            Workbook::Xlsb(book) => {
                let mut cells = book.worksheet_cells_reader(name).map_err(|e| damaged(&file, e))?;
                while let Some(cell) = cells.next_cell().map_err(|e| damaged(&file, e))? {
                    let (row, column) = cell.get_position();
                    sheet.cell(row, column, cell.get_value())?;
                }
                Ok(())
            }
            Workbook::Xls(book) => pass_cells(&book.worksheet_range(name).map_err(|e| damaged(&file, e))?, sheet),
            Workbook::Ods(book) => pass_cells(&book.worksheet_range(name).map_err(|e| damaged(&file, e))?, sheet),
        }
    }
}

fn formula_text(formula: &XlsxFormulaMetadata) -> &str {
    match formula {
        XlsxFormulaMetadata::Normal { formula } | XlsxFormulaMetadata::Shared { formula, .. } => formula,
        _ => "",
    }
}

fn pass_cells(range: &calamine::Range<Data>, sheet: &mut Sheet) -> Result<(), End> {
    let (first_row, first_column) = range.start().unwrap_or_default();
    for (row, column, value) in range.used_cells() {
        let value = match value {
            Data::Int(value) => DataRef::Int(*value),
            Data::Float(value) => DataRef::Float(*value),
            Data::String(value) => DataRef::SharedString(value),
            Data::Bool(value) => DataRef::Bool(*value),
            Data::DateTime(value) => DataRef::DateTime(*value),
            Data::DateTimeIso(value) => DataRef::DateTimeIso(value.clone()),
            Data::DurationIso(value) => DataRef::DurationIso(value.clone()),
            Data::Error(value) => DataRef::Error(value.clone()),
            Data::Empty => continue,
        };
        sheet.cell(first_row + row as u32, first_column + column as u32, &value)?;
    }
    Ok(())
}

fn protected(file: &str) -> Error {
    Error::data(format!("`{file}` is protected by a password")).hint("save it without one, or export it as CSV")
}

/// What a file is that is not a workbook.
fn not_a_workbook(bytes: &[u8], file: &str) -> Error {
    if bytes.is_empty() {
        return Error::data(format!("`{file}` is empty (0 bytes) where a workbook is expected"));
    }
    let error = Error::data(format!("`{file}` is not a workbook (.xlsx, .xlsb, .xls, .ods)"));
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    if text.starts_with(b"<") {
        error.hint("it is HTML or XML with the extension of a workbook; export it as a workbook or as CSV")
    } else {
        error.hint("if it is delimited text with the extension of a workbook, write `format: csv`")
    }
}
