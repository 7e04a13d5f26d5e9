//! Delimited text, and what all readers of text share.

use super::CsvReader;
use crate::testing::{PLAIN, csv, csv_with, data_error, drain_all, gzip, json, names, opened, rows};
use crate::text::TextReader;
use perennial_core::contract::{CsvOptions, TextEncoding};
use perennial_core::error::Kind;
use proptest::prelude::*;

#[test]
fn a_plain_csv_counts_its_header() {
    let read = csv(b"a,b\n1,2\r\n\n3,\n,4");
    assert_eq!(read.fields, ["a", "b"]);
    assert_eq!(read.rows, rows(&[(2, &["1", "2"]), (4, &["3", ""]), (5, &["", "4"])]));
    assert!(read.rejects.is_empty());
}

#[test]
fn quotes_hold_delimiters_newlines_and_quotes() {
    let read = csv(b"a,b\n\"1,\n1\",\"say \"\"hi\"\"\"\n5,x\"y\n\"\",\"\"\"\"\r\n7,8\n");
    assert_eq!(
        read.rows,
        rows(&[(2, &["1,\n1", "say \"hi\""]), (4, &["5", "x\"y"]), (5, &["", "\""]), (6, &["7", "8"])])
    );
    let plain = CsvOptions { quote: None, ..PLAIN };
    let read = csv_with(b"a,b\n\"1,2\"\n", &plain, &["a", "b"]).unwrap();
    assert_eq!(read.rows, rows(&[(2, &["\"1", "2\""])]));
}

#[test]
fn asterisks_quoting_is_understood() {
    let options = CsvOptions { header: false, ..PLAIN };
    let read = csv_with(b"\"\"\"\"\" <138>\",x\n", &options, &["a", "b"]).unwrap();
    assert_eq!(read.rows, rows(&[(1, &["\"\" <138>", "x"])]));
}

#[test]
fn ragged_rows_are_refused_and_the_others_stay() {
    let read = csv(b"a,b\n1\n2,3\n4,5,6\n\"x\"y,7\n8,9\n");
    assert_eq!(read.rows, rows(&[(3, &["2", "3"]), (6, &["8", "9"])]));
    let rejects: Vec<(u64, &str, &str)> =
        read.rejects.iter().map(|f| (f.line, f.raw.as_str(), f.reason.as_str())).collect();
    assert_eq!(
        rejects,
        [
            (2, "1", "the row has 1 fields where 2 are expected"),
            (4, "4,5,6", "the row has 3 fields where 2 are expected"),
            (5, "\"x\"y,7", "text follows the closing quote of a field"),
        ]
    );
}

#[test]
fn a_refused_row_is_cut_after_a_thousand_letters() {
    let long = format!("a,b\n{}\n", "é".repeat(3000));
    let read = csv(long.as_bytes());
    assert_eq!(read.rejects[0].raw, "é".repeat(1000));
}

#[test]
fn an_unclosed_quote_fails_the_file() {
    let error = data_error(csv_with(b"a,b\n1,2\n\"3,4\n5,6\n", &PLAIN, &["a", "b"]));
    assert!(error.message().contains("line 3 is never closed"), "{error}");
    let error = data_error(csv_with(b"a,\"b\n1,2\n", &PLAIN, &["a", "b"]));
    assert!(error.message().contains("line 1 is never closed"), "{error}");
}

#[test]
fn blank_aligned_files_collapse() {
    let options = CsvOptions { delimiter: b' ', collapse: true, header: false, ..PLAIN };
    let read = csv_with(
        b" 00004 0001 19970101  2   29.33\n 00004  0001 \"1 2\" 2  3 \n  \n",
        &options,
        &["a", "b", "c", "d", "e"],
    );
    let expected: &[(u64, &[&str])] =
        &[(1, &["00004", "0001", "19970101", "2", "29.33"]), (2, &["00004", "0001", "1 2", "2", "3"])];
    assert_eq!(read.unwrap().rows, rows(expected));
}

#[test]
fn a_byte_order_mark_is_no_letter() {
    assert_eq!(csv(b"\xef\xbb\xbfa,b\n1,2\n").fields, ["a", "b"]);
    let error = data_error(csv_with(b"\xff\xfea\0,\0b\0", &PLAIN, &["a"]));
    assert!(error.message().contains("UTF-16"), "{error}");
    assert_eq!(json(b"\xef\xbb\xbf{\"a\":1}\n", &["a"], false).rows, rows(&[(1, &["1"])]));
}

#[test]
fn chinese_encodings_are_read() {
    // 客户,金额 / 王 , 1 in GB18030; 客戶,金額 / 王 , 1 in Big5: bytes by Python's codecs.
    let gb = b"\xbf\xcd\xbb\xa7,\xbd\xf0\xb6\xee\n\xcd\xf5,1\n";
    let big5 = b"\xab\xc8\xa4\xe1,\xaa\xf7\xc3B\n\xa4\xfd,1\n";
    let options = |encoding| CsvOptions { encoding, ..PLAIN };
    let read = csv_with(gb, &options(TextEncoding::Gb18030), &["客户", "金额"]).unwrap();
    assert_eq!((read.fields, read.rows), (names(&["客户", "金额"]), rows(&[(2, &["王", "1"])])));
    let read = csv_with(big5, &options(TextEncoding::Big5), &["客戶", "金額"]).unwrap();
    assert_eq!((read.fields, read.rows), (names(&["客戶", "金額"]), rows(&[(2, &["王", "1"])])));
    // A long file, so that letters fall on the borders of pieces.
    let (long, _, _) = encoding_rs::GB18030.encode("客户,金额\n");
    let mut long = long.into_owned();
    let (row, _, _) = encoding_rs::GB18030.encode("上海客户有限公司𠀀,12\n");
    (0..20_001).for_each(|_| long.extend_from_slice(&row));
    let read = csv_with(&long, &options(TextEncoding::Gb18030), &["客户"]).unwrap();
    assert_eq!(read.rows.len(), 20_001);
    assert!(read.rows.iter().all(|(_, cells)| cells[0] == "上海客户有限公司𠀀"));
}

#[test]
fn the_wrong_encoding_is_named_with_the_right_one() {
    let gb = b"\xbf\xcd\xbb\xa7,\xbd\xf0\xb6\xee\n\xcd\xf5,1\n";
    let error = data_error(csv_with(gb, &PLAIN, &["客户", "金额"]));
    assert!(error.message().contains("not valid utf-8") && error.message().contains("`客户`"), "{error}");
    assert!(error.hint_text().unwrap().contains("`encoding: gb18030`"), "{error}");
    // Big5 decodes as GB18030 without an error; only the names tell.
    let big5 = b"\xab\xc8\xa4\xe1,\xaa\xf7\xc3B\n\xa4\xfd,1\n";
    let options = CsvOptions { encoding: TextEncoding::Gb18030, ..PLAIN };
    let error = data_error(csv_with(big5, &options, &["客戶", "金額"]));
    assert!(error.message().contains("expected `客戶` and `金額`, found"), "{error}");
    assert!(error.hint_text().unwrap().contains("`encoding: big5`"), "{error}");
}

#[test]
fn the_wrong_header_is_named() {
    let error = data_error(csv_with(b"x;y\n1;2\n", &PLAIN, &["x", "y"]));
    assert!(error.hint_text().unwrap().contains("delimiter: \";\""), "{error}");
    let error = data_error(csv_with(b"1,2\n", &PLAIN, &["a", "b"]));
    assert!(error.message().contains("expected `a` and `b`, found `1` and `2`"), "{error}");
    let error = data_error(csv_with(b"a,b,a\n", &PLAIN, &["a", "b"]));
    assert!(error.message().contains("duplicate column in the header: `a`"), "{error}");
}

#[test]
fn rows_that_are_not_letters_are_refused_alone() {
    let read = csv(b"a,b\n1,2\n3,\xff\n\"\"\"\xc3\",4\n5,6\n");
    assert_eq!(read.rows, rows(&[(2, &["1", "2"]), (5, &["5", "6"])]));
    let lines: Vec<u64> = read.rejects.iter().map(|reject| reject.line).collect();
    assert_eq!((lines, read.rejects[0].raw.as_str()), (vec![3, 4], "3,\u{fffd}"));
    assert!(read.rejects[0].reason.contains("not valid utf-8"));
    // A GB18030 file with a byte that is none.
    let options = CsvOptions { encoding: TextEncoding::Gb18030, ..PLAIN };
    let read = csv_with(b"a,b\n\xcd\xf5,1\n\xff,2\nx,3\n", &options, &["a", "b"]).unwrap();
    assert_eq!(read.rows, rows(&[(2, &["王", "1"]), (4, &["x", "3"])]));
    assert!(read.rejects[0].reason.contains("not valid gb18030"));
}

#[test]
fn empty_files_have_their_outcomes() {
    assert!(csv(b"a,b\n").rows.is_empty());
    assert!(csv(b"a,b").rows.is_empty());
    for empty in [&b""[..], b"\xef\xbb\xbf", &gzip(b"")] {
        let error = data_error(csv_with(empty, &PLAIN, &["a", "b"]));
        assert!(error.message().contains("`f` is empty (0 bytes)"), "{error}");
    }
    let error = data_error(csv_with(b"\n\n", &PLAIN, &["a"]));
    assert!(error.message().contains("only empty lines where a header"), "{error}");
    let options = CsvOptions { header: false, ..PLAIN };
    assert!(csv_with(b"", &options, &["a"]).unwrap().rows.is_empty());
    assert!(json(b"", &["a"], false).rows.is_empty());
    assert!(json(b"\n\n", &["a"], false).rows.is_empty());
}

#[test]
fn gzip_of_many_members_and_zstd_are_told_from_their_bytes() {
    let members = [gzip(b"a,b\n1,"), gzip(b"2\n3,4\n")].concat();
    let expected = rows(&[(2, &["1", "2"]), (3, &["3", "4"])]);
    assert_eq!(csv(&members).rows, expected);
    let packed = zstd::encode_all(&b"a,b\n1,2\n3,4\n"[..], 3).unwrap();
    assert_eq!(csv(&packed).rows, expected);
    assert_eq!(json(&gzip(b"{\"a\":1}"), &["a"], false).rows, rows(&[(1, &["1"])]));
}

#[test]
fn a_file_cut_short_fails_naming_byte_and_line() {
    let mut text = b"a,b\n".to_vec();
    let mut random = 1_u64;
    for _ in 0..400_000 {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        text.extend_from_slice(format!("{},{}\n", random >> 40, random >> 50).as_bytes());
    }
    for packed in [gzip(&text), zstd::encode_all(&text[..], 3).unwrap()] {
        let cut = &packed[..packed.len() / 2];
        let (_folder, file) = opened(cut);
        let mut reader = CsvReader::open(file, &PLAIN, &names(&["a", "b"])).unwrap();
        let mut good = 0;
        let error = loop {
            match reader.next_rows() {
                Ok(Some(rows)) => {
                    assert!(rows.rejects.is_empty());
                    good += rows.len() as u64;
                }
                Ok(None) => panic!("the end was not noticed"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), Kind::Data);
        let message = error.message();
        assert!(message.contains(&format!("is truncated at byte {}", cut.len())), "{message}");
        let line: u64 = message.split("after line ").nth(1).unwrap().split(':').next().unwrap().parse().unwrap();
        assert!(good > 100_000 && line > good && line < 300_000, "{good} rows: {message}");
    }
    let mut damaged = gzip(&text);
    let middle = damaged.len() / 2;
    damaged[middle..middle + 100].fill(0xaa);
    assert!(data_error(csv_with(&damaged, &PLAIN, &["a"])).message().contains("gzip stream"));
}

#[test]
fn records_longer_than_a_window_are_read() {
    let long = "x".repeat(3 * 1024 * 1024);
    let read = csv(format!("a,b\n1,\"{long}\n\"\n2,{long}\n3,4\n").as_bytes());
    let lines: Vec<u64> = read.rows.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 4, 5]);
    assert_eq!(read.rows[0].1[1].len(), long.len() + 1);
    let read = json(format!("{{\"a\":\"{long}\"}}\n{{\"a\":1}}\n").as_bytes(), &["a"], false);
    assert_eq!((read.rows.len(), read.rows[0].1[0].len()), (2, long.len()));
}

/// Fields with everything that makes CSV hard.
fn field() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-z0-9 ,\"\n\r;客é]{0,12}", 1 => Just(String::new())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn csv_comes_back_as_the_csv_crate_wrote_it(
        table in prop::collection::vec(prop::collection::vec(field(), 3), 0..60),
        crlf in any::<bool>(),
        delimiter in prop::sample::select(vec![b',', b';', b'\t']),
    ) {
        let terminator = if crlf { ::csv::Terminator::CRLF } else { ::csv::Terminator::Any(b'\n') };
        let mut writer = ::csv::WriterBuilder::new().delimiter(delimiter).terminator(terminator).from_writer(Vec::new());
        writer.write_record(["a", "b", "c"]).unwrap();
        let mut expected = Vec::new();
        let mut line = 2;
        for row in &table {
            writer.write_record(row).unwrap();
            expected.push((line, row.clone()));
            line += 1 + row.iter().map(|cell| cell.matches('\n').count() as u64).sum::<u64>();
        }
        let options = CsvOptions { delimiter, ..PLAIN };
        let read = csv_with(&writer.into_inner().unwrap(), &options, &["a"]).unwrap();
        prop_assert_eq!(read.rows, expected);
        prop_assert!(read.rejects.is_empty());
    }

    #[test]
    fn any_bytes_end_without_panic(bytes in prop::collection::vec(prop::sample::select(b"a,\"\n\r {}[]:1\\u\xc3\xff".to_vec()), 0..300)) {
        let _ = csv_with(&bytes, &PLAIN, &[]);
        let _ = csv_with(&bytes, &CsvOptions { delimiter: b' ', collapse: true, header: false, ..PLAIN }, &["a", "b"]);
        let _ = csv_with(&bytes, &CsvOptions { encoding: TextEncoding::Big5, header: false, ..PLAIN }, &["a", "b"]);
        json(&bytes, &["a"], true);
    }
}

#[test]
fn text_in_another_encoding_than_the_declared_one_is_said() {
    let gb18030 = CsvOptions { encoding: TextEncoding::Gb18030, ..PLAIN };
    for text in ["a,b\n1,黄娜\n", "a,b\nMüller,Käthe\nSöhne,Größe\n"] {
        let error = data_error(csv_with(text.as_bytes(), &gb18030, &["a", "b"]));
        let message = "`f` is in utf-8, not in gb18030: all of its characters beyond ASCII are valid utf-8";
        assert_eq!((error.message(), error.hint_text()), (message, Some("write `encoding: utf-8` in `format`")));
    }
    // Far down, where the header and the first rows say nothing.
    let long = "a,b\n".to_string() + &"1,2\n".repeat(600_000) + "1,黄娜\n";
    assert!(csv_with(long.as_bytes(), &gb18030, &["a", "b"]).unwrap_err().message().contains("is in utf-8"));
    let remarks = |text: &str, encoding: &'static encoding_rs::Encoding| {
        let (_folder, file) = opened(&encoding.encode(text).0);
        let mut reader = CsvReader::open(file, &gb18030, &names(&["a", "b"])).unwrap();
        drain_all(&mut reader).unwrap();
        reader.remarks()
    };
    let western = remarks("a,b\n1,Müller\n2,Köhler\n", encoding_rs::WINDOWS_1252);
    let note = "`f` is read as gb18030, but 2 of 2 characters beyond ASCII stand in words of ASCII letters, such as `M黮`; \
                is it in windows-1252, which has to be exported as utf-8?";
    assert_eq!(western, [note]);
    assert_eq!(remarks("a,b\n1,王芳\n", encoding_rs::GB18030), Vec::<String>::new());
}

#[test]
fn a_million_columns_are_read_or_refused_in_no_time() {
    let names: Vec<String> = (0..1_000_000).map(|i| format!("c{i}")).collect();
    let header = names.join(",");
    let began = std::time::Instant::now();
    let error = data_error(csv_with(format!("{header}\n").as_bytes(), &PLAIN, &["a", "b"]));
    assert!(error.message().ends_with("`c49` and 999950 more"), "{error}");
    let error = data_error(csv_with(format!("{header},c7\n").as_bytes(), &PLAIN, &["c1"]));
    assert_eq!(error.message(), "`f`: duplicate column in the header: `c7`");
    let read = csv_with(format!("{header}\n{header}\n").as_bytes(), &PLAIN, &["c1"]).unwrap();
    assert_eq!((read.fields.len(), read.rows.len()), (1_000_000, 1));
    // Comparing each name with each other takes an hour.
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
}
