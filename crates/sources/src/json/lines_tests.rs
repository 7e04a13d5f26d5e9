//! JSON lines.

use super::JsonLinesReader;
use crate::testing::{data_error, drain, json, names, opened, rows};
use proptest::prelude::*;

#[test]
fn json_fields_are_found_by_path() {
    let read = json(
        br#"{"id": 7, "props": {"device": "phone", "n": {"x": 1.50}}, "t": null}
{"props": {"n": {"x": 1e400}, "device": "a\"b\u5ba2"}, "id": "x", "t": true}

{"id": [1, {"a": 2}], "props": null}
"#,
        &["id", "props.device", "props.n.x", "t", "props"],
        false,
    );
    assert_eq!(read.rejects, []);
    assert_eq!(
        read.rows,
        rows(&[
            (1, &["7", "phone", "1.50", "∅", r#"{"device": "phone", "n": {"x": 1.50}}"#]),
            (2, &["x", "a\"b客", "1e400", "true", r#"{"n": {"x": 1e400}, "device": "a\"b\u5ba2"}"#]),
            (4, &[r#"[1, {"a": 2}]"#, "∅", "∅", "∅", "∅"]),
        ])
    );
}

#[test]
fn json_numbers_keep_their_digits() {
    let read = json(br#"{"a":123456789012345678901234567890.10,"b":-0.000,"c":1E5}"#, &["a", "b", "c"], false);
    assert_eq!(read.rows, rows(&[(1, &["123456789012345678901234567890.10", "-0.000", "1E5"])]));
}

#[test]
fn of_a_name_that_stands_twice_the_last_counts_and_dots_may_be_letters() {
    let read = json(b"{\"a\":1,\"a\":2}\n{\"b.c\":3}\n{\"b\":{\"c\":4}}\n", &["a", "b.c"], false);
    assert_eq!(read.rows, rows(&[(1, &["2", "∅"]), (2, &["∅", "3"]), (3, &["∅", "4"])]));
}

#[test]
fn new_json_fields_are_collected_when_wanted() {
    let text = b"{\"a\":1}\n{\"a\":2,\"n\":\"x\",\"p\":{\"d\":1,\"e\":2}}\n{\"n\":\"y\"}\n";
    let read = json(text, &["a", "p.d"], true);
    assert_eq!(read.fields, ["a", "p.d", "n", "p.e"]);
    assert_eq!(read.rows, rows(&[(1, &["1", "∅", "∅", "∅"]), (2, &["2", "1", "x", "2"]), (3, &["∅", "∅", "y", "∅"])]));
    assert_eq!(json(text, &["a", "p.d"], false).fields, ["a", "p.d"]);
    let many: String = (0..300).map(|i| format!("{{\"k{i}\":1}}\n")).collect();
    let (_folder, file) = opened(many.as_bytes());
    let error = data_error(drain(JsonLinesReader::open(file, &names(&["a"]), true).unwrap()));
    assert!(error.message().contains("more than 200 fields"), "{error}");
}

#[test]
fn lines_that_are_no_json_object_are_refused_with_their_text() {
    let text = b"{\"a\":1}\n{\"a\":\n[1]\n5\n{\"a\":2} {\"a\":3}\n{\"a\":2}}\nnull\n{\"a\":\"\xff\"}\n{\"a\":\"\\ud800\"}\n{}\n{} x\n{\"p\":3,\"a\":1}\n{\"a\":01}\n{\"a\":9}";
    let read = json(text, &["a", "p.q"], false);
    assert_eq!(read.rows, rows(&[(1, &["1", "∅"]), (10, &["∅", "∅"]), (14, &["9", "∅"])]));
    let rejects: Vec<(u64, &str)> = read.rejects.iter().map(|f| (f.line, f.raw.as_str())).collect();
    assert_eq!(
        rejects,
        [
            (2, "{\"a\":"),
            (3, "[1]"),
            (4, "5"),
            (5, "{\"a\":2} {\"a\":3}"),
            (6, "{\"a\":2}}"),
            (7, "null"),
            (8, "{\"a\":\"\u{fffd}\"}"),
            (9, "{\"a\":\"\\ud800\"}"),
            (11, "{} x"),
            (12, "{\"p\":3,\"a\":1}"),
            (13, "{\"a\":01}"),
        ]
    );
    let reason = |line: u64| read.rejects.iter().find(|f| f.line == line).unwrap().reason.clone();
    assert!(reason(2).starts_with("not valid JSON"), "{}", reason(2));
    assert!(reason(3).contains("array") && reason(4).contains("value") && reason(8).contains("utf-8"));
    assert_eq!(reason(12), "`p` is not an object");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn json_comes_back_as_serde_wrote_it(
        table in prop::collection::vec((any::<Option<String>>(), any::<i64>(), any::<bool>()), 0..60),
    ) {
        let mut text = String::new();
        let mut expected = Vec::new();
        for (i, (word, number, flag)) in table.iter().enumerate() {
            text += &serde_json::json!({"n": {"number": number}, "word": word, "flag": flag}).to_string();
            text.push('\n');
            let word = word.clone().unwrap_or("∅".to_string());
            expected.push((i as u64 + 1, vec![word, number.to_string(), flag.to_string()]));
        }
        let read = json(text.as_bytes(), &["word", "n.number", "flag"], false);
        prop_assert_eq!(read.rejects, vec![]);
        prop_assert_eq!(read.rows, expected);
    }
}

#[test]
fn names_made_of_data_cost_no_time() {
    let began = std::time::Instant::now();
    let each: String = (0..20_000).map(|i| format!("{{\"a\":1,\"k{i}\":1}}\n")).collect();
    let one = (0..50_000).map(|i| format!("\"k{i}\":1")).collect::<Vec<_>>().join(",");
    let one = format!("{{\"a\":1,{one}}}\n").repeat(20);
    for text in [each, one] {
        let (_folder, file) = opened(text.as_bytes());
        let error = data_error(drain(JsonLinesReader::open(file, &names(&["a"]), true).unwrap()));
        assert!(error.message().starts_with("`f` has more than 200 fields that are not in the contract"), "{error}");
        let read = json(text.as_bytes(), &["a", "k19999"], false);
        assert_eq!((read.rejects.len(), read.fields.len()), (0, 2));
        assert_eq!(read.rows.last().unwrap().1, ["1", "1"]);
    }
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}
