//! The parts of a workbook that is a ZIP archive, looked at before they are unpacked: a file of a megabyte may hold
//! gigabytes, and the library keeps texts, and all of an `.ods`, in memory.
//!
//! The sizes that the archive states can be relied on: the library reads no more of a part.

use super::errors::damaged;
use flate2::read::DeflateDecoder;
use memchr::{memchr, memmem};
use perennial_core::error::{Error, Result};
use std::io::Read;

/// Parts that are read as a whole may not be larger when unpacked.
const MAX_PART_BYTES: u64 = 128 * MIB;
/// Sheets, which are read row by row.
const MAX_SHEET_BYTES: u64 = 1024 * MIB;
/// One cell with its formats; spreadsheet programs keep 32,767 letters.
const MAX_CELL_BYTES: usize = 8 * 1024 * 1024;
/// Parts that are smaller hold no cell that is too large to matter.
const LOOK_BYTES: u64 = 4 * MIB;
/// Cells of the rectangle that the sheets of an `.ods` span.
const MAX_CELLS: u64 = 8_000_000;
const MIB: u64 = 1024 * 1024;
/// Unpacked bytes looked at at a time.
const PIECE_BYTES: usize = 256 * 1024;

const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const END_64_BYTES: usize = 56;
const LOCATOR_64_BYTES: usize = 20;
const ENTRY: &[u8] = b"PK\x01\x02";
const ENTRY_BYTES: usize = 46;
const LOCAL_BYTES: usize = 30;
/// In place of a size that is in the extra field of large archives.
const ELSEWHERE: u64 = 0xffff_ffff;

/// Refuses a workbook whose parts are too large to be read.
///
/// # Errors
/// Of kind `Data`.
pub(super) fn check(bytes: &[u8], file: &str) -> Result<()> {
    let parts = parts(bytes).ok_or_else(|| damaged(file, "its list of parts cannot be read"))?;
    for part in parts {
        let name = part.name.to_ascii_lowercase();
        let is_read = [".xml", ".rels", ".bin"].iter().any(|end| name.ends_with(end));
        let is_sheet = name.contains("worksheets/");
        let max = if is_sheet { MAX_SHEET_BYTES } else { MAX_PART_BYTES };
        if is_read && part.bytes > max {
            let (size, max) = (part.bytes.div_ceil(MIB), max / MIB);
            let message = format!("`{file}`: the part `{}` is {size} MiB when unpacked, more than {max}", part.name);
            return Err(Error::data(message).hint(HINT));
        }
        if name.ends_with("content.xml") {
            spanned(part.unpacked(), file)?;
        } else if name.ends_with("sharedstrings.xml") || is_sheet && name.ends_with(".xml") {
            check_texts(&part, file)?;
        }
    }
    Ok(())
}

const HINT: &str = "export the sheet as CSV, which may have any size";

/// One part of an archive.
struct Part<'a> {
    name: String,
    /// Its size when it is unpacked.
    bytes: u64,
    is_deflated: bool,
    packed: &'a [u8],
}

impl<'a> Part<'a> {
    fn unpacked(&self) -> Box<dyn Read + 'a> {
        match self.is_deflated {
            true => Box::new(DeflateDecoder::new(self.packed).take(self.bytes)),
            false => Box::new(self.packed),
        }
    }
}

/// The parts that an archive lists at its end; `None` when it is damaged.
fn parts(bytes: &[u8]) -> Option<Vec<Part<'_>>> {
    let end = memmem::rfind(bytes, END)?;
    let (mut size, mut listed_at) = (u64::from(u32_at(bytes, end + 12)?), u64::from(u32_at(bytes, end + 16)?));
    let mut list_end = end;
    // A large archive, or one of a program that always writes as if it were, has a second end before the first.
    let end_64 = end.checked_sub(LOCATOR_64_BYTES + END_64_BYTES);
    if let Some(end_64) = end_64.filter(|at| bytes[*at..].starts_with(END_64)) {
        (size, listed_at) = (u64_at(bytes, end_64 + 40)?, u64_at(bytes, end_64 + 48)?);
        list_end = end_64;
    }
    let start = list_end.checked_sub(usize::try_from(size).ok()?)?;
    // Where something was put before the archive, its places count from there.
    let before = start.checked_sub(usize::try_from(listed_at).ok()?)?;
    let mut parts = Vec::new();
    let mut at = start;
    while at < list_end {
        let entry = bytes.get(at..at + ENTRY_BYTES).filter(|entry| entry.starts_with(ENTRY))?;
        let lengths = [28, 30, 32].map(|place| u16_at(entry, place).map_or(0, usize::from));
        let name_end = at + ENTRY_BYTES + lengths[0];
        let extra = bytes.get(name_end..name_end + lengths[1])?;
        let stated = [24, 20, 42].map(|place| u32_at(entry, place).map_or(0, u64::from));
        let [size, packed, local] = with_extra(stated, extra);
        let local = before.checked_add(usize::try_from(local).ok()?)?;
        let skipped = usize::from(u16_at(bytes, local + 26)?) + usize::from(u16_at(bytes, local + 28)?);
        let data = local + LOCAL_BYTES + skipped;
        parts.push(Part {
            name: String::from_utf8_lossy(bytes.get(at + ENTRY_BYTES..name_end)?).into_owned(),
            bytes: size,
            is_deflated: u16_at(entry, 10)? != 0,
            packed: bytes.get(data..data.checked_add(usize::try_from(packed).ok()?)?)?,
        });
        at = name_end + lengths[1] + lengths[2];
    }
    Some(parts)
}

/// Sizes and place of an entry, with those that only the extra field of large archives has.
fn with_extra(stated: [u64; 3], extra: &[u8]) -> [u64; 3] {
    let mut at = 0;
    while let (Some(id), Some(length)) = (u16_at(extra, at), u16_at(extra, at + 2)) {
        if id == 1 {
            let mut value = at + 4;
            return stated.map(|field| match field {
                ELSEWHERE => {
                    value += 8;
                    u64_at(extra, value - 8).unwrap_or(u64::MAX)
                }
                field => field,
            });
        }
        at += 4 + usize::from(length);
    }
    stated
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// Refuses texts and cells that are too large, and a stated number of texts that the part cannot hold, for which the
/// library would make room.
fn check_texts(part: &Part<'_>, file: &str) -> Result<()> {
    let mut is_in_cell = false;
    each_tag(part.unpacked(), file, |tag| {
        let name = local_name(tag);
        if name == b"sst" {
            let count = number(tag, b"uniqueCount").unwrap_or(0);
            // `<t/>` is the shortest text.
            if count > part.bytes / 4 {
                return Err(damaged(file, format!("`{}` states {count} texts, more than it can hold", part.name)));
            }
        }
        match name {
            b"c" | b"si" => is_in_cell = !tag.ends_with(b"/"),
            b"/c" | b"/si" => is_in_cell = false,
            _ => {}
        }
        Ok(match (part.bytes > LOOK_BYTES, is_in_cell) {
            (false, _) => Tag::Last,
            (true, true) => Tag::Inside,
            (true, false) => Tag::Outside,
        })
    })
}

/// Refuses an `.ods` whose sheets are larger than what is kept in memory: a cell or row that is repeated is written once.
fn spanned(content: impl Read, file: &str) -> Result<()> {
    let (mut rows, mut widest, mut repeats, mut width, mut sum) = (0_u64, 0_u64, 1_u64, 0_u64, 0_u64);
    let mut used_rows = 0_u64;
    each_tag(content, file, |tag| {
        let repeated = |name: &[u8]| number(tag, name).unwrap_or(1).max(1);
        match tag.split(|b| b.is_ascii_whitespace() || *b == b'/').find(|name| !name.is_empty()).unwrap_or(b"") {
            b"table:table" if !tag.starts_with(b"/") => (rows, used_rows, widest, sum) = (0, 0, 0, 0),
            b"table:table-row" if !tag.starts_with(b"/") => {
                repeats = repeated(b"table:number-rows-repeated");
                rows = rows.saturating_add(repeats);
                width = 0;
            }
            b"table:table-cell" | b"table:covered-table-cell" if !tag.starts_with(b"/") => {
                width = width.saturating_add(repeated(b"table:number-columns-repeated"));
                let has_value = [&b"office:value-type"[..], b"table:formula", b"calcext:value-type"];
                if has_value.iter().any(|name| memmem::find(tag, name).is_some()) {
                    sum = sum.saturating_add(width);
                    widest = widest.max(width);
                    used_rows = rows;
                }
            }
            _ => {}
        }
        let cells = used_rows.saturating_mul(widest).max(sum);
        if cells > MAX_CELLS {
            return Err(Error::data(format!("`{file}`: a sheet spans more than {MAX_CELLS} cells")).hint(HINT));
        }
        Ok(Tag::Outside)
    })
}

/// What to do after a tag.
#[derive(PartialEq)]
enum Tag {
    /// No more tags are needed.
    Last,
    /// The element of a cell goes on.
    Inside,
    /// It does not.
    Outside,
}

/// Passes what is between the angle brackets of every tag on.
///
/// # Errors
/// Of kind `Data` when a cell or a tag is too long, and those of `take`. What cannot be unpacked is left to the library.
fn each_tag(mut content: impl Read, file: &str, mut take: impl FnMut(&[u8]) -> Result<Tag>) -> Result<()> {
    let mut buffer = Vec::new();
    let mut piece = vec![0; PIECE_BYTES];
    // Bytes since a cell began.
    let mut cell = 0_usize;
    loop {
        let count = content.read(&mut piece).unwrap_or(0);
        if count == 0 {
            return Ok(());
        }
        buffer.extend_from_slice(&piece[..count]);
        let mut at = 0;
        while let Some(open) = memchr(b'<', &buffer[at..]).map(|open| at + open)
            && let Some(close) = memchr(b'>', &buffer[open..]).map(|close| open + close)
        {
            cell += close + 1 - at;
            match take(&buffer[open + 1..close])? {
                Tag::Last => return Ok(()),
                Tag::Outside => cell = 0,
                Tag::Inside => {}
            }
            at = close + 1;
        }
        buffer.drain(..at);
        if cell + buffer.len() > MAX_CELL_BYTES {
            let max = MAX_CELL_BYTES / 1024 / 1024;
            return Err(Error::data(format!("`{file}`: a cell of the workbook is longer than {max} MiB")).hint(HINT));
        }
    }
}

/// The name of a tag without its namespace; with a slash before it where it closes an element.
fn local_name(tag: &[u8]) -> &[u8] {
    let end = tag.iter().skip(1).position(|b| b.is_ascii_whitespace() || *b == b'/').map_or(tag.len(), |end| end + 1);
    let name = &tag[..end];
    match memchr(b':', name) {
        Some(colon) if name.starts_with(b"/") => match &name[colon + 1..] {
            b"c" => b"/c",
            b"si" => b"/si",
            other => other,
        },
        Some(colon) => &name[colon + 1..],
        None => name,
    }
}

/// The value of an attribute that is a whole number.
fn number(tag: &[u8], name: &[u8]) -> Option<u64> {
    let after = &tag[memmem::find(tag, name)? + name.len()..];
    let digits = after.iter().skip_while(|b| matches!(b, b'=' | b'"' | b'\'' | b' '));
    let digits = digits.take_while(|b| b.is_ascii_digit());
    Some(digits.fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// An archive as programs write it, by hand: local header, deflated bytes, list, end.
    fn archive(parts: &[(&str, &[u8])], is_64: bool) -> Vec<u8> {
        let (mut bytes, mut list) = (b"before the archive".to_vec(), Vec::new());
        let before = bytes.len();
        for (name, content) in parts {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(content).unwrap();
            let packed = encoder.finish().unwrap();
            let local = (bytes.len() - before) as u32;
            bytes.extend_from_slice(b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0");
            bytes.extend_from_slice(&[0; 8]);
            bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
            bytes.extend_from_slice(&[0; 2]);
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(&packed);
            let sizes = [packed.len() as u64, content.len() as u64];
            list.extend_from_slice(b"PK\x01\x02\x14\0\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0");
            for size in sizes {
                list.extend_from_slice(&if is_64 { u32::MAX } else { size as u32 }.to_le_bytes());
            }
            list.extend_from_slice(&(name.len() as u16).to_le_bytes());
            list.extend_from_slice(&if is_64 { 20_u16 } else { 0 }.to_le_bytes());
            list.extend_from_slice(&[0; 10]);
            list.extend_from_slice(&local.to_le_bytes());
            list.extend_from_slice(name.as_bytes());
            if is_64 {
                list.extend_from_slice(b"\x01\0\x10\0");
                sizes.iter().rev().for_each(|size| list.extend_from_slice(&size.to_le_bytes()));
            }
        }
        let listed_at = (bytes.len() - before) as u32;
        bytes.extend_from_slice(&list);
        bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        bytes.extend_from_slice(&[parts.len() as u8, 0, parts.len() as u8, 0]);
        bytes.extend_from_slice(&(list.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&listed_at.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes
    }

    fn refused(name: &str, content: &[u8]) -> String {
        let error = check(&archive(&[("a.xml", b"<a/>"), (name, content)], false), "f").unwrap_err();
        error.message().to_string()
    }

    #[test]
    fn parts_are_found_in_archives_of_either_kind() {
        for is_64 in [false, true] {
            let bytes = archive(&[("a.xml", b"<a/>"), ("xl/b.xml", b"<b>text</b>")], is_64);
            let parts = parts(&bytes).unwrap();
            let read = |part: &Part<'_>| {
                let mut text = String::new();
                part.unpacked().read_to_string(&mut text).unwrap();
                (part.name.clone(), part.bytes, text)
            };
            let found: Vec<_> = parts.iter().map(read).collect();
            assert_eq!(found[0], ("a.xml".to_string(), 4, "<a/>".to_string()), "{is_64}");
            assert_eq!(found[1], ("xl/b.xml".to_string(), 11, "<b>text</b>".to_string()), "{is_64}");
            for cut in [0, 30, bytes.len() - 30, bytes.len() - 1] {
                assert!(super::parts(&bytes[..cut]).is_none_or(|parts| parts.len() < 3), "{cut}");
            }
        }
        assert!(check(b"PK\x03\x04 cut", "f").unwrap_err().message().contains("its list of parts cannot be read"));
    }

    #[test]
    fn what_unpacks_to_too_much_is_refused() {
        let large = vec![b' '; MAX_PART_BYTES as usize + 1];
        assert_eq!(
            refused("xl/styles.xml", &large),
            "`f`: the part `xl/styles.xml` is 129 MiB when unpacked, more than 128"
        );
        // Pictures are not read.
        check(&archive(&[("xl/media/a.png", &large)], false), "f").unwrap();
    }

    #[test]
    fn a_cell_may_be_long_but_not_without_end() {
        let sheet = |cell: usize, prefix: &str| {
            let (open, close) = (format!("<{prefix}c t=\"inlineStr\"><is>"), format!("</is></{prefix}c>"));
            let run = "<r><t>".to_string() + &"x".repeat(1000) + "</t></r>";
            format!("<sheetData>{open}{}{close}</sheetData>{}", run.repeat(cell / 1000), "<mergeCell/>".repeat(900_000))
        };
        check(&archive(&[("xl/worksheets/sheet1.xml", sheet(1_000_000, "").as_bytes())], false), "f").unwrap();
        for prefix in ["", "x:"] {
            let message = refused("xl/worksheets/sheet1.xml", sheet(9_000_000, prefix).as_bytes());
            assert_eq!(message, "`f`: a cell of the workbook is longer than 8 MiB");
        }
        let text = format!("<sst><si><t>{}</t></si></sst>", "x".repeat(9_000_000));
        assert_eq!(
            refused("xl/sharedStrings.xml", text.as_bytes()),
            "`f`: a cell of the workbook is longer than 8 MiB"
        );
        let message = refused("xl/sharedStrings.xml", b"<sst count=\"1\" uniqueCount=\"4000000000\"><si/></sst>");
        assert!(message.contains("states 4000000000 texts, more than it can hold"), "{message}");
        check(&archive(&[("xl/sharedStrings.xml", b"<sst uniqueCount=\"1\"><si><t>a</t></si></sst>")], false), "f")
            .unwrap();
    }

    #[test]
    fn repeated_cells_are_counted() {
        let row = |rows: u64, cells: &str| {
            format!("<table:table-row table:number-rows-repeated=\"{rows}\">{cells}</table:table-row>")
        };
        let value = |columns: u64| {
            format!("<table:table-cell table:number-columns-repeated=\"{columns}\" office:value-type=\"float\"/>")
        };
        let empty = "<table:table-cell table:number-columns-repeated=\"16384\"/>";
        let sheet = |rows: &str| format!("<table:table table:name=\"a\">{rows}</table:table>");
        // As programs end a sheet: empty cells to the last column, empty rows to the last row.
        let usual = sheet(&(row(1000, &(value(20) + empty)) + &row(1_048_576, empty)));
        let two = usual.clone() + &usual;
        check(&archive(&[("content.xml", two.as_bytes())], false), "f").unwrap();
        for bomb in [
            row(1_048_576, &value(16_384)),
            row(1, &value(16_384)) + &row(1_000_000, empty) + &row(1, &value(1)),
            row(1_048_576, &(empty.to_string() + &value(1))),
        ] {
            assert_eq!(refused("content.xml", sheet(&bomb).as_bytes()), "`f`: a sheet spans more than 8000000 cells");
        }
    }
}
