//! The probable format of a file, told from its first bytes.

use crate::files::{FileBytes, Files, SourceFile};
use crate::text::{Evidence, encoding};
use perennial_core::contract::{CsvOptions, ExcelOptions, Format, TextEncoding};
use perennial_core::error::{Error, Result};
use std::collections::HashSet;

/// Bytes looked at.
const HEAD_BYTES: usize = 256 * 1024;
/// Records of delimited text looked at.
const MAX_RECORDS: usize = 200;
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// What a file probably is.
#[derive(Clone, Debug, PartialEq)]
pub enum SniffResult {
    /// Written in this format.
    Known(SniffedFormat),
    /// Nothing that is read; why, for people.
    Unknown(String),
}

/// A format told from a file's first bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct SniffedFormat {
    /// The format.
    pub format: Format,
    /// Number of fields of a row, for delimited text without header.
    pub width: usize,
    /// What a person should decide.
    pub remarks: Vec<String>,
}

impl SniffedFormat {
    fn plain(format: Format) -> SniffResult {
        SniffResult::Known(SniffedFormat { format, width: 0, remarks: Vec::new() })
    }
}

/// Looks at the first bytes of a file, decompressed.
///
/// # Errors
/// Of kind `Unreachable` when it cannot be read, `Data` when it is compressed and damaged.
pub async fn sniff(files: &Files, file: &SourceFile) -> Result<SniffResult> {
    let bytes = files.read(file).await?;
    let (head, whole) = tokio::task::spawn_blocking(move || head(bytes))
        .await
        .map_err(|e| Error::bug(format!("reading the first bytes stopped: {e}")))??;
    Ok(of_bytes(&head, whole, &file.path))
}

/// The first bytes of a file, decompressed, and whether they are all of it. Blocks.
fn head(bytes: FileBytes) -> Result<(Vec<u8>, bool)> {
    let mut input = bytes.into_text()?;
    let mut head = vec![0; HEAD_BYTES + 1];
    let length = input.fill(&mut head, 0)?;
    head.truncate(length.min(HEAD_BYTES));
    Ok((head, length <= HEAD_BYTES))
}

fn of_bytes(head: &[u8], whole: bool, path: &str) -> SniffResult {
    let name = path.to_ascii_lowercase();
    match head {
        [] => return SniffResult::Unknown("it is empty".to_string()),
        [b'P', b'A', b'R', b'1', ..] => return SniffedFormat::plain(Format::Parquet),
        [b'P', b'K', 3, 4, ..] if [".xlsx", ".xlsb", ".xlsm", ".ods"].iter().any(|end| name.ends_with(end)) => {
            return SniffedFormat::plain(Format::Excel(ExcelOptions::default()));
        }
        [0xd0, 0xcf, 0x11, 0xe0, ..] => return SniffedFormat::plain(Format::Excel(ExcelOptions::default())),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            return SniffResult::Unknown("it is in UTF-16, which is not supported; export it as UTF-8".to_string());
        }
        _ => {}
    }
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    if head.contains(&0) {
        return SniffResult::Unknown("it is neither text nor another supported kind of file".to_string());
    }
    let Some((encoding, text)) = decoded(head, whole) else {
        return SniffResult::Unknown("its encoding is neither UTF-8, GB18030 nor Big5; export it as UTF-8".to_string());
    };
    if let (TextEncoding::Utf8, Some(format)) = (encoding, json(&text, whole)) {
        return SniffedFormat::plain(format);
    }
    delimited(&text, whole, encoding, &name)
}

/// The encoding of some bytes, and their text without a character that the end may have cut.
fn decoded(head: &[u8], whole: bool) -> Option<(TextEncoding, String)> {
    let cut = |encoding| {
        let least = if whole { head.len() } else { head.len().saturating_sub(4) };
        (least..=head.len()).rev().find_map(|end| encoding::decode(&head[..end], encoding))
    };
    if let Some(text) = cut(TextEncoding::Utf8) {
        return Some((TextEncoding::Utf8, text));
    }
    let mut evidence = Evidence::default();
    evidence.take(head);
    if whole {
        evidence.end();
    }
    if evidence.looks_western() {
        return None;
    }
    // Big5 writes every second character with a low second byte; GB2312, which most of GB18030 is, never.
    let likely = if evidence.low * 10 > evidence.pairs { TextEncoding::Big5 } else { TextEncoding::Gb18030 };
    let other = if likely == TextEncoding::Big5 { TextEncoding::Gb18030 } else { TextEncoding::Big5 };
    [likely, other].into_iter().find_map(|encoding| Some((encoding, cut(encoding)?)))
}

/// Which JSON a text is: an object a line, or documents whose lists are rows.
fn json(text: &str, whole: bool) -> Option<Format> {
    let start = text.trim_start();
    let documents = |rows: String| Some(Format::Json { rows });
    if let Some(inside) = start.strip_prefix('[') {
        let of_objects = inside.trim_start().starts_with('{');
        return of_objects.then_some(()).and_then(|()| documents("[]".to_string()));
    }
    if !start.starts_with('{') {
        return None;
    }
    let mut lines = start.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    let is_object = serde_json::from_str::<serde::de::IgnoredAny>(first).is_ok();
    let more = lines.next().is_some();
    let list = list_of_objects(start);
    match (is_object, list) {
        (true, Some(list)) if !more && whole => documents(format!("{list}[]")),
        (true, _) => Some(Format::JsonLines),
        // One document over many lines, or one line longer than what was looked at.
        (false, Some(list)) => documents(format!("{list}[]")),
        (false, None) => documents(String::new()),
    }
}

/// The first field of a document whose value is a list of objects.
fn list_of_objects(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    let mut name = "";
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let end = string_end(bytes, at + 1)?;
                if depth == 1 && text[end + 1..].trim_start().starts_with(':') {
                    name = &text[at + 1..end];
                }
                at = end;
            }
            b'[' if depth == 1 && text[at + 1..].trim_start().starts_with('{') => return Some(name.to_string()),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The quote that ends a string of JSON.
fn string_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at),
            _ => at += 1,
        }
    }
}

fn delimited(text: &str, whole: bool, encoding: TextEncoding, name: &str) -> SniffResult {
    let tables = DELIMITERS.iter().flat_map(|delimiter| [Some(b'"'), None].map(|quote| (*delimiter, quote)));
    /// Share of records as wide as the first, that width, delimiter, quote, records.
    type Reading = (f64, usize, u8, Option<u8>, Vec<Vec<String>>);
    let mut best: Option<Reading> = None;
    for (delimiter, quote) in tables {
        let records = records(text, whole, delimiter, quote);
        let Some(first) = records.first() else { continue };
        let width = first.len();
        let share = records.iter().filter(|r| r.len() == width).count() as f64 / records.len() as f64;
        let better = best.as_ref().is_none_or(|(known, most, ..)| (share, width) > (*known, *most));
        if width > 1 && share >= 0.8 && better {
            best = Some((share, width, delimiter, quote, records));
        }
    }
    let known_name = [".csv", ".tsv", ".txt"].iter().any(|end| name.trim_end_matches(".gz").ends_with(end));
    let (delimiter, quote, records, width) = match best {
        Some((_, width, delimiter, quote, records)) => (delimiter, quote, records, width),
        None if known_name && !text.trim().is_empty() => (b',', Some(b'"'), records(text, whole, b',', Some(b'"')), 1),
        None => return SniffResult::Unknown("its lines are not delimited in a known way".to_string()),
    };
    let has_quotes = text.contains('"');
    let quote = if has_quotes { quote } else { Some(b'"') };
    let header = has_header(&records);
    let mut remarks = Vec::new();
    if !header {
        remarks.push("the first line looks like a row, so columns are named by their position".to_string());
    }
    let options =
        CsvOptions { delimiter, collapse: false, quote, header, header_row: None, skip_rows: Vec::new(), encoding };
    SniffResult::Known(SniffedFormat { format: Format::Csv(options), width, remarks })
}

/// The first records of a text that are whole.
fn records(text: &str, whole: bool, delimiter: u8, quote: Option<u8>) -> Vec<Vec<String>> {
    let (delimiter, quote) = (char::from(delimiter), quote.map(char::from));
    let mut records: Vec<Vec<String>> = Vec::new();
    let (mut record, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if quoted {
            match character {
                _ if Some(character) == quote && characters.peek() == Some(&character) => {
                    characters.next();
                    field.push(character);
                }
                _ if Some(character) == quote => quoted = false,
                _ => field.push(character),
            }
        } else if Some(character) == quote && field.is_empty() {
            quoted = true;
        } else if character == delimiter {
            record.push(std::mem::take(&mut field));
        } else if character == '\n' {
            record.push(std::mem::take(&mut field).trim_end_matches('\r').to_string());
            let line = std::mem::take(&mut record);
            if line != [""] {
                records.push(line);
            }
            if records.len() == MAX_RECORDS {
                return records;
            }
        } else {
            field.push(character);
        }
    }
    // A quote that never closes has eaten the rest: that is a row of its own, which fits nothing.
    if quoted {
        records.push(Vec::new());
    } else if whole && (!field.is_empty() || !record.is_empty()) {
        record.push(field.trim_end_matches('\r').to_string());
        records.push(record);
    }
    records
}

/// Whether the first record names columns: no cell is empty, a number, a day or an address, and no two agree.
fn has_header(records: &[Vec<String>]) -> bool {
    let Some(first) = records.first() else { return true };
    let value = |cell: &str| {
        let cell = cell.trim();
        let digits = cell.chars().filter(char::is_ascii_digit).count();
        cell.contains('@') || digits * 2 > cell.chars().count()
    };
    let named = first.iter().filter(|cell| !cell.trim().is_empty()).count();
    let mut seen = HashSet::new();
    let repeats = first.iter().map(|cell| cell.trim()).any(|cell| !cell.is_empty() && !seen.insert(cell));
    let empty = first.len() - named;
    let values = first.iter().filter(|cell| value(cell)).count();
    // A month or a year may be the name of a column among others, and one column may be without a name.
    !repeats && empty * 4 <= first.len() && values * 4 <= first.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> SniffResult {
        of_bytes(text.as_bytes(), true, "a.csv")
    }

    fn csv_of(bytes: &[u8]) -> CsvOptions {
        match of_bytes(bytes, true, "a.csv") {
            SniffResult::Known(SniffedFormat { format: Format::Csv(options), .. }) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn delimiters_are_those_that_part_lines_alike() {
        for (text, delimiter) in [
            ("a,b,c\n1,2,3\n", b','),
            ("a;b\n1,5;2,5\n2,5;3\n", b';'),
            ("a\tb\n1\t2", b'\t'),
            ("a|b|c\r\n1|2|3\r\n", b'|'),
            ("a,b\n\"1\n,2\",3\n", b','),
        ] {
            let options = csv_of(text.as_bytes());
            assert_eq!((options.delimiter, options.header, options.quote), (delimiter, true, Some(b'"')), "{text}");
        }
    }

    #[test]
    fn a_quote_that_is_a_letter_is_none() {
        assert_eq!(csv_of(b"id;size\n1;\"5 inch\n2;6\n3;7\n4;8\n").quote, None);
        assert_eq!(csv_of(b"id;size\n1;\"5 inch\"\n").quote, Some(b'"'));
    }

    #[test]
    fn a_first_line_of_values_is_no_header() {
        assert!(!csv_of(b"1,2026-01-01,x\n2,2026-01-02,y\n").header);
        assert!(csv_of(b"id,day,name\n2,2026-01-02,y\n").header);
        assert!(!csv_of(b"a,a,b\n1,2,3\n").header);
        match of("1;5;x\n2;6;y\n") {
            SniffResult::Known(known) => assert_eq!((known.width, known.remarks.len()), (3, 1)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn encodings_are_told_from_the_second_bytes() {
        let simplified = "订单号,客户,金额\n1,王芳在上海,5\n2,李雷在北京,6\n";
        let traditional = "訂單號,客戶,金額\n1,陳先生在台北,5\n2,林小姐在高雄,6\n";
        let encode = |text, encoding: &'static encoding_rs::Encoding| encoding.encode(text).0.into_owned();
        assert_eq!(csv_of(simplified.as_bytes()).encoding, TextEncoding::Utf8);
        assert_eq!(csv_of(&encode(simplified, encoding_rs::GB18030)).encoding, TextEncoding::Gb18030);
        assert_eq!(csv_of(&encode(traditional, encoding_rs::BIG5)).encoding, TextEncoding::Big5);
        for western in
            ["name,ort\nMüller,Köln\nJäger,Düren\n", "id,name\n1,Smith\n2,Änne\n3,Smith\n", "a,b\n1,Ångström\n"]
        {
            let western = encode(western, encoding_rs::WINDOWS_1252);
            assert!(matches!(of_bytes(&western, true, "a.csv"), SniffResult::Unknown(_)));
        }
    }

    #[test]
    fn a_letter_cut_at_the_end_of_what_was_looked_at_does_not_count() {
        let text = "名,值\n一,二\n".repeat(3);
        let bytes = &text.as_bytes()[..text.len() - 3];
        assert!(matches!(of_bytes(bytes, false, "a.csv"), SniffResult::Known(_)));
        assert!(decoded(&text.as_bytes()[..text.len() - 2], true).is_none_or(|(e, _)| e != TextEncoding::Utf8));
    }

    #[test]
    fn json_is_lines_or_documents() {
        let format = |text: &str| match of(text) {
            SniffResult::Known(known) => known.format,
            other => panic!("{other:?}"),
        };
        let rows = |rows: &str| Format::Json { rows: rows.to_string() };
        assert_eq!(format("{\"a\": 1}\n{\"a\": 2}\n"), Format::JsonLines);
        assert_eq!(format("{\"a\": 1}"), Format::JsonLines);
        assert_eq!(format("{\"items\": [{\"b\": 1}]}\n{\"items\": []}\n"), Format::JsonLines);
        assert_eq!(format("{\"meta\": {\"x\": [{}]}, \"items\": [{\"b\": 1}]}"), rows("items[]"));
        assert_eq!(format("{\n \"a \\\" [\": [1],\n \"orders\": [\n {\"b\": 1}]}"), rows("orders[]"));
        assert_eq!(format("[\n {\"a\": 1},\n {\"a\": 2}]"), rows("[]"));
        assert_eq!(format("{\n \"a\": 1\n}\n"), rows(""));
    }

    #[test]
    fn files_that_are_no_tables_are_said_to_be_none() {
        for (bytes, word) in [(&b""[..], "empty"), (b"\xff\xfea\0", "UTF-16"), (b"\x7fELF\0\0", "neither text")] {
            match of_bytes(bytes, true, "x.bin") {
                SniffResult::Unknown(why) => assert!(why.contains(word), "{why}"),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(of_bytes(b"Dear all,\nhello\n", true, "letter.md"), SniffResult::Unknown(_)));
        assert!(matches!(
            of_bytes(b"PAR1....", true, "x"),
            SniffResult::Known(SniffedFormat { format: Format::Parquet, .. })
        ));
        assert!(matches!(of_bytes(b"PK\x03\x04..", true, "x.zip"), SniffResult::Unknown(_)));
    }
}
