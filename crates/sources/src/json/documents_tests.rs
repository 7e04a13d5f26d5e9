use super::{RowsPath, check_paths, open_documents as open};
use crate::testing::{Read, drain_boxed, names, opened, rows};
use perennial_core::error::{Kind, Result};
use proptest::prelude::*;
use serde_json::{Value, json};

fn read_new(bytes: &[u8], rows: &str, wanted: &[&str], collect_new: bool) -> Result<Read> {
    let (_folder, file) = opened(bytes);
    drain_boxed(open(file, RowsPath { wrapper: None, rows }, &names(wanted), collect_new)?)
}

fn read(text: &str, rows: &str, wanted: &[&str]) -> Read {
    read_new(text.as_bytes(), rows, wanted, false).unwrap()
}

fn reasons(read: &Read) -> Vec<(u64, &str)> {
    read.rejects.iter().map(|reject| (reject.line, reject.reason.as_str())).collect()
}

#[test]
fn every_element_along_the_path_is_a_row_with_the_fields_around_it() {
    let text = r#"{
  "sent": "monday",
  "orders": [
    {"id": 1, "lines": [{"sku": "a", "price": 1.50}, {"sku": "b\n\u4e2d", "price": 1e2}], "by": {"name": "王"}},
    {"id": 2, "lines": []},
    {"id": 3},
    {"id": 4, "lines": null},
    {"id": 5, "lines": [{"price": null, "more": {"x": [1, 2]}}]}
  ],
  "total": 12345678901234567890.10
}
"#;
    let wanted = [
        "sent",
        "total",
        "orders[].id",
        "orders[].by.name",
        "orders[].lines[].sku",
        "orders[].lines[].price",
        "orders[].lines[].more",
        "orders[].lines[#]",
        "orders[#]",
    ];
    // Every level has what is written on it, before or behind the list.
    assert_eq!(
        read(text, "orders[].lines[]", &wanted).rows,
        rows(&[
            (4, &["monday", "12345678901234567890.10", "1", "王", "a", "1.50", "∅", "1", "1"]),
            (4, &["monday", "12345678901234567890.10", "1", "王", "b\n中", "1e2", "∅", "2", "1"]),
            (8, &["monday", "12345678901234567890.10", "5", "∅", "∅", "∅", r#"{"x": [1, 2]}"#, "1", "5"]),
        ])
    );
    let orders = read(text, "orders[]", &["orders[].id", "orders[].lines"]);
    assert_eq!(orders.rows[1], (5, names(&["2", "[]"])));
    assert_eq!(orders.rows.len(), 5);
    assert_eq!(read(text, "", &["sent", "orders[]x"]).rows, rows(&[(1, &["monday", "∅"])]));
}

#[test]
fn documents_stand_behind_each_other_or_one_a_line_or_are_lists() {
    let expected = rows(&[(1, &["1"]), (1, &["2"]), (2, &["3"])]);
    assert_eq!(read("{\"a\":1}{\"a\":2}\n{\"a\":3}", "", &["a"]).rows, expected);
    assert_eq!(read("\u{feff}[{\"a\":1},{\"a\":2},\n{\"a\":3}]", "[]", &["[].a"]).rows, expected);
    // As nobody would write it otherwise.
    assert_eq!(read("[{\"a\":1},{\"a\":2},\n{\"a\":3}]", "[]", &["a"]).rows, expected);
    assert_eq!(read("[[1,2],\n[\"3\"]]", "[][]", &["[][]"]).rows, expected);
    assert_eq!(read("{\"t\":[1,2]}\r\n\r\n{\"t\":[null,\"x\"]}\r\n", "t[]", &["t[]"]).rows.len(), 4);
    assert_eq!(read("", "", &["a"]).rows, rows(&[]));
    assert_eq!(read(" \n \n", "", &["a"]).rows, rows(&[]));
}

#[test]
fn elements_are_found_by_a_value() {
    let text = r#"{"p": [{"key": "a", "value": {"s": "x"}}, 7, {"value": 1}, {"key": "b", "value": {"i": 7}}]}
{"p": [{"value": {"s": "y"}, "key": "\u0061"}], "n": [{"id": 12, "v": 3}]}
{"p": []}
{"p": [{"key": "a"}, {"key": "a"}]}
{"p": 3}
"#;
    let wanted = ["p[key=a].value.s", "p[key=b].value.i", "n[id=12].v", "n[id=12]"];
    let found = read(text, "", &wanted);
    assert_eq!(
        found.rows,
        rows(&[(1, &["x", "7", "∅", "∅"]), (2, &["y", "∅", "3", r#"{"id": 12, "v": 3}"#]), (3, &["∅", "∅", "∅", "∅"])])
    );
    assert_eq!(reasons(&found), [(4, "`p[key=a]` is duplicated"), (5, "`p` is not a list")]);
}

#[test]
fn what_is_damaged_is_refused_by_itself() {
    let text = "{\"b\": [{\"x\": 1}]}\n{\"b\": [{\"x\": 2]}\nnonsense\n  {\"b\": [{\"x\": \"open}]}\n{\"b\": [{\"x\": 3}, 4, {\"x\": \"\\q\"}]}\n";
    let found = read(text, "b[]", &["b[].x"]);
    assert_eq!(found.rows, rows(&[(1, &["1"]), (5, &["3"])]));
    assert_eq!(
        reasons(&found),
        [
            (2, "not valid JSON: expected `,` or `}`"),
            (3, "expected a JSON document, which begins with `{` or `[`"),
            (4, "not valid JSON: expected `,` or `}`"),
            (5, "`b[]` is not an object"),
            (5, "not valid JSON: a string has an invalid escape sequence"),
        ]
    );
    assert!(found.rejects[0].raw.starts_with("{\"b\": [{\"x\": 2]}"));
    // Of a document over several lines, all lines.
    let text = "{\n  \"b\": [\n    {\"x\": 1}}\n  ]\n}\n{\"b\": [{\"x\": 2}]}\n";
    let found = read(text, "b[]", &["b[].x"]);
    assert_eq!((found.rows, found.rejects.len()), (rows(&[(6, &["2"])]), 1));
    // Lists and objects of another kind than the path says.
    let found = read("[1]\n{\"b\": {}}\n{\"b\": [{\"x\": 2}]}\n7\n", "b[]", &["b[].x"]);
    assert_eq!(reasons(&found)[..2], [(1, "`the document` is not an object"), (2, "`the list of rows` is not a list")]);
    assert_eq!((found.rows.len(), found.rejects.len()), (1, 3));
}

/// What a reject shows of a long document is the damage, with its line.
#[test]
fn the_damage_of_a_long_document_is_shown() {
    let rows: String = (0..200).map(|i| format!("    {{\"x\": {i}}},\n")).collect();
    let text = format!("{{\n  \"b\": [\n{rows}    {{\"x\": 7]\n  ]\n}}\n");
    let found = read(&text, "b[]", &["b[].x"]);
    assert_eq!(reasons(&found), [(203, "not valid JSON: expected `,` or `}`")]);
    assert!(found.rejects[0].raw.starts_with("    {\"x\": 7]\n"), "{}", found.rejects[0].raw);
    // On one long line.
    let text = format!("{{\"b\": [\"{}\", 7}}\n", "客".repeat(2000));
    let found = read(&text, "b[]", &["b[].x"]);
    assert_eq!(reasons(&found), [(1, "not valid JSON: expected `,` or `]`")]);
    let raw = &found.rejects[0].raw;
    assert!(raw.starts_with('客') && raw.ends_with("客\", 7}") && raw.chars().count() < 50, "{raw}");
}

#[test]
fn lines_that_are_no_text_are_refused_one_by_one() {
    let text = b"{\"a\": 1}\n{\"a\": \"\xb5\xc4\"}\n{\"a\": 3}\n\xff\xfe\n{\"a\": 5}\n{\"a\": \"\xb5\"}\n";
    let found = read_new(text, "", &["a"], false).unwrap();
    assert_eq!(found.rows, rows(&[(1, &["1"]), (3, &["3"]), (5, &["5"])]));
    assert_eq!(found.rejects.iter().map(|reject| reject.line).collect::<Vec<_>>(), [2, 4, 6]);
    assert_eq!(found.rejects[0].reason, "the document contains bytes that are not valid utf-8");
}

#[test]
fn a_file_that_is_cut_short_fails() {
    for text in ["{\"b\": [{\"x\": 1}, {\"x\"", "{\"b\": [1, 2", "{\"b\": \"abc", "[", "{\"a\": tru"] {
        let error = read_new(text.as_bytes(), "b[]", &["b[].x"], false).unwrap_err();
        assert_eq!(error.kind(), Kind::Data, "{text}");
        assert!(error.message().contains("that begins at line 1 is truncated"), "{text}: {error}");
    }
    // The line before the last is damaged; the file is not.
    let found = read("{\"b\": [\n{\"b\": [{\"x\": 2}]}\n", "b[]", &["b[].x"]);
    assert_eq!((found.rows, found.rejects.len()), (rows(&[(2, &["2"])]), 1));
}

#[test]
fn a_document_that_does_not_end_is_an_error_before_memory_is_full() {
    let mut text = b"{\"b\": [".to_vec();
    text.resize(65 * 1024 * 1024, b' ');
    let error = read_new(&text, "b[]", &["b[].x"], false).unwrap_err();
    assert!(error.message().contains("longer than 64 MiB"), "{error}");
    assert!(error.hint_text().unwrap().contains("one document per line"));
}

#[test]
fn many_rows_of_one_document_come_in_batches() {
    let list: Vec<String> = (0..100_000).map(|i| format!("{{\"i\": {i}, \"s\": \"\\u0041{i}\"}}")).collect();
    let text = format!("{{\"e\": \"\\u4e2d\", \"b\": [{}], \"f\": \"behind\"}}\n", list.join(",\n"));
    let found = read(&text, "b[]", &["b[].i", "b[].s", "e", "f", "b[#]"]);
    assert_eq!(found.rows.len(), 100_000);
    for (i, (line, cells)) in found.rows.iter().enumerate() {
        assert_eq!(*line, i as u64 + 1);
        assert_eq!(cells[..], [i.to_string(), format!("A{i}"), "中".into(), "behind".into(), (i + 1).to_string()]);
    }
}

#[test]
fn many_documents_cross_the_window() {
    let line = |i: usize| format!("{{\"id\": {i}, \"list\": [{{\"v\": \"{}\"}}]}}\n", "x".repeat(i % 700));
    let text: String = (0..20_000).map(line).collect();
    let found = read(&text, "list[]", &["id", "list[].v"]);
    assert_eq!((found.rows.len(), found.rejects.len()), (20_000, 0));
    let good = |(i, row): (usize, &(u64, Vec<String>))| {
        row.0 == i as u64 + 1 && row.1[0] == i.to_string() && row.1[1].len() == i % 700
    };
    assert!(found.rows.iter().enumerate().all(good));
}

#[test]
fn new_fields_are_those_of_the_rows() {
    let text = "{\"around\": 1, \"b\": [{\"x\": 1}, {\"x\": 2, \"y\": {\"z\": 3}}]}\n{\"b\": [{\"w\": 4}]}\n";
    let found = read_new(text.as_bytes(), "b[]", &["b[].x"], true).unwrap();
    assert_eq!(found.fields, ["b[].x", "b[].y", "b[].w"]);
    // Rows of one batch have one width.
    assert_eq!(found.rows, rows(&[(1, &["1", "∅", "∅"]), (1, &["2", "{\"z\": 3}", "∅"]), (2, &["∅", "∅", "4"])]));
    let wide: Vec<String> = (0..250).map(|i| format!("\"k{i}\": 1")).collect();
    let error = read_new(format!("{{{}}}", wide.join(",")).as_bytes(), "", &["x"], true).unwrap_err();
    assert!(error.message().contains("more than 200 fields"), "{error}");
}

#[test]
fn a_wrapper_may_be_absent_and_lends_its_fields() {
    let text = r#"{"batch": [{"id": 1, "at": "own"}, {"id": 2}], "at": "around"}
{"id": 3, "at": "alone"}
[{"id": 4}, {"id": 5}]
{"batch": []}
"#;
    let (_folder, file) = opened(text.as_bytes());
    let path = RowsPath { wrapper: Some("batch"), rows: "" };
    let found = drain_boxed(open(file, path, &names(&["id", "at"]), false).unwrap()).unwrap();
    assert_eq!(
        found.rows,
        rows(&[(1, &["1", "own"]), (1, &["2", "around"]), (2, &["3", "alone"]), (3, &["4", "∅"]), (3, &["5", "∅"])])
    );
}

#[test]
fn paths_that_make_no_sense_are_named() {
    assert_eq!(check_paths("a[].b[]", &names(&["a[].b[].c", "a[].d", "e.f", "a[].b[#]"])), None);
    assert!(check_paths("a", &[]).unwrap().contains("does not end with the elements of a list"));
    assert!(check_paths("a[]", &names(&["b[].c"])).unwrap().contains("whose elements are not rows"));
    assert!(check_paths("a[]", &names(&["a.c"])).unwrap().contains("both as an object and as a list"));
}

/// JSON as it may come: numbers that serde_json prints as it reads them.
fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~äπ中\n\"\\\\]{0,6}".prop_map(Value::from)
    ];
    let line = prop::collection::vec(leaf.clone(), 2).prop_map(|v| json!({"p": v[0], "q": v[1]}));
    let order =
        (leaf.clone(), prop::collection::vec(line, 0..4)).prop_map(|(k, lines)| json!({"k": k, "lines": lines}));
    (leaf, prop::collection::vec(order, 0..4)).prop_map(|(s, orders)| json!({"orders": orders, "s": s}))
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "∅".to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

proptest! {
    #[test]
    fn rows_are_those_of_a_full_parse(documents in prop::collection::vec(documents(), 0..6), pretty: bool, behind in "[ \n]{0,2}") {
        let written = documents.iter().map(|document| match pretty {
            true => serde_json::to_string_pretty(document).unwrap(),
            false => document.to_string(),
        });
        let text = written.collect::<Vec<_>>().join(&behind);
        let mut expected = Vec::new();
        for document in &documents {
            for order in document["orders"].as_array().unwrap() {
                for line in order["lines"].as_array().unwrap() {
                    expected.push([&line["q"], &order["k"], &document["s"], &line["p"]].map(text_of).to_vec());
                }
            }
        }
        let wanted = ["orders[].lines[].q", "orders[].k", "s", "orders[].lines[].p"];
        let found = read(&text, "orders[].lines[]", &wanted);
        prop_assert_eq!(found.rejects, vec![]);
        prop_assert_eq!(found.rows.into_iter().map(|(_, cells)| cells).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn nothing_that_is_read_breaks_the_reader(bytes in prop::collection::vec(prop_oneof![
        any::<u8>(), Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b','), Just(b':'), Just(b'\n'),
        Just(b'a'), Just(b'1'), Just(b' ')], 0..200)) {
        // Whatever it says, it says it in time and without a panic.
        let _ = read_new(&bytes, "a[]", &["a[].a", "a[]"], true);
        let _ = read_new(&bytes, "", &["a[a=1].a"], true);
    }
}
