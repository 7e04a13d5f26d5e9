use crate::testing::{Read, drain_boxed, gzip, names, opened, rows};
use crate::text::lines::open;
use perennial_core::contract::TextEncoding;

fn read(bytes: &[u8], pattern: &str, encoding: TextEncoding) -> Read {
    let (_folder, file) = opened(bytes);
    drain_boxed(open(file, pattern, encoding).unwrap()).unwrap()
}

#[test]
fn named_groups_are_fields_and_other_lines_are_refused() {
    let text = b"10:00 anna: hello\r\n\r\nnot a line\n11:00 : \n  \n12:00 bo: last";
    let found = read(text, r"^(?<time>\d+:\d+) (?<who>\w+)?: (?<what>.*)$", TextEncoding::Utf8);
    assert_eq!(found.fields, ["time", "who", "what"]);
    assert_eq!(
        found.rows,
        rows(&[(1, &["10:00", "anna", "hello"]), (4, &["11:00", "∅", ""]), (6, &["12:00", "bo", "last"])])
    );
    assert_eq!((found.rejects[0].line, found.rejects[0].raw.as_str()), (3, "not a line"));
    assert_eq!(found.rejects[0].reason, "the line does not match the pattern");
}

#[test]
fn lines_that_are_no_text_are_refused_one_by_one() {
    let text = b"a 1\nb \xff\nc 3\n\xfe\nd 5";
    let found = read(text, r"^(?<k>\w) (?<v>\d)$", TextEncoding::Utf8);
    assert_eq!(found.rows, rows(&[(1, &["a", "1"]), (3, &["c", "3"]), (5, &["d", "5"])]));
    let rejects: Vec<(u64, &str)> = found.rejects.iter().map(|f| (f.line, f.reason.as_str())).collect();
    assert_eq!(
        rejects,
        [
            (2, "the line contains bytes that are not valid utf-8"),
            (4, "the line contains bytes that are not valid utf-8")
        ]
    );
}

#[test]
fn lines_are_read_in_their_encoding_and_unpacked() {
    // 中 and 文 in GB18030 and Big5, by the tables of both.
    let found = read(b"\xd6\xd0 1\n\xce\xc4 2\n", r"^(?<k>\w) (?<v>\d)$", TextEncoding::Gb18030);
    assert_eq!(found.rows, rows(&[(1, &["中", "1"]), (2, &["文", "2"])]));
    let found = read(&gzip(b"\xa4\xa4 1\n"), r"^(?<k>\w) (?<v>\d)$", TextEncoding::Big5);
    assert_eq!(found.rows, rows(&[(1, &["中", "1"])]));
}

#[test]
fn long_files_cross_the_window() {
    let text: String = (0..60_000).map(|i| format!("{i} {}\n", "é".repeat(i % 40))).collect();
    let found = read(text.as_bytes(), r"^(?<i>\d+) (?<e>é*)$", TextEncoding::Utf8);
    assert_eq!((found.rows.len(), found.rejects.len()), (60_000, 0));
    let good =
        |(i, row): (usize, &(u64, Vec<String>))| *row == (i as u64 + 1, names(&[&i.to_string(), &"é".repeat(i % 40)]));
    assert!(found.rows.iter().enumerate().all(good));
}
