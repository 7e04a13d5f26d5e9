use super::testing::*;
use super::*;
use arrow::datatypes::SchemaRef;
use perennial_core::contract::ColumnPolicy;
use perennial_core::contract::{BadRowPolicy, DuplicateKeys, Format, RejectLimit, ValueType};
use perennial_core::error::Kind;
use proptest::prelude::*;
use std::sync::Mutex;

#[test]
fn every_type_is_read_exactly() {
    let instant = ValueType::Instant { formats: vec![], zone: "Europe/Berlin".into() };
    let kinds = ValueType::Enumeration(vec!["new".into(), "old".into()]);
    let mut world = World::new(vec![
        column("t", ValueType::Text),
        column("i", ValueType::Integer),
        column("d", money()),
        column("f", ValueType::Float),
        column("b", ValueType::Boolean),
        column("day", day("%d.%m.%Y")),
        column("at", instant),
        column("e", kinds),
    ]);
    world.write(
        "a.csv",
        "t,i,d,f,b,day,at,e\n x ,-7, 12.5 ,1e3,Yes,29.02.2024,2024-07-01 10:00:00,old\n6.02701E+11,,,,,,,\n",
    );
    let loaded = world.load().unwrap();
    assert_eq!((loaded.rows, loaded.rejects, loaded.changed), (2, 0, true));
    assert_eq!(
        world.rows(&["t", "i", "d", "f", "b", "day", "at", "e", "_file", "_line", "_loaded_at", "_run_id"]),
        [
            " x |-7|12.50|1000.0|true|2024-02-29|2024-07-01T08:00:00Z|old|a.csv|2|2026-01-02T03:04:05Z|run1",
            "6.02701E+11|∅|∅|∅|∅|∅|∅|∅|a.csv|3|2026-01-02T03:04:05Z|run1",
        ]
    );
    assert_eq!(loaded.version.schema, raw_schema(&world.table, &[]));
    let schemas: Vec<SchemaRef> = world.lake.files.lock().unwrap().values().map(|b| b[0].schema()).collect();
    assert_eq!(schemas, std::slice::from_ref(&loaded.version.schema));
}

#[test]
fn a_violation_is_a_reject_with_its_place() {
    let mut columns = vec![
        column("id", ValueType::Text),
        column("n", ValueType::Integer),
        column("amount", money()),
        column("day", day("%d.%m.%Y")),
        column("state", ValueType::Enumeration(vec!["a".into(), "b".into()])),
    ];
    columns[0].required = true;
    columns[2].min = Some("0".into());
    columns[2].max = Some("100.00".into());
    columns[3].min = Some("2020-01-01".into());
    columns[1].null_values = vec!["n/a".into()];
    let mut world = World::new(columns);
    world.write(
        "a.csv",
        "id,n,amount,day,state\n1,n/a,1.00,01.02.2024,a\n,1,1,,\n3,9223372036854775808,1,,\n4,1,1.005,,\n5,1,-0.01,,\n\
         6,1,100.01,,\n7,1,\"1,234.00\",,\n8,1,1,31.02.2024,\n9,1,1,31.12.2019,\n10,1,1,,c\n11,1\n12,x,y,z,w\n13,１,1,,\n14,,100,,b\n",
    );
    let loaded = world.load().unwrap();
    assert_eq!((loaded.rows, loaded.rejects), (2, 12));
    assert_eq!(world.rows(&["id", "n", "amount"]), ["14|∅|100.00", "1|∅|1.00"]);
    let place = |line: u64, column: &str, raw: &str| ("a.csv".to_string(), line, column.to_string(), raw.to_string());
    assert_eq!(
        world.rejects(),
        [
            place(3, "id", ""),
            place(4, "n", "9223372036854775808"),
            place(5, "amount", "1.005"),
            place(6, "amount", "-0.01"),
            place(7, "amount", "100.01"),
            place(8, "amount", "1,234.00"),
            place(9, "day", "31.02.2024"),
            place(10, "day", "31.12.2019"),
            place(11, "state", "c"),
            place(12, "", "11,1"),
            place(13, "n", "x"),
            place(14, "n", "１"),
        ]
    );
    let words = ["missing", "64 bits", "more than 2", "below", "above", "`locale: english`", "does not exist", "below"];
    for (reason, word) in world.reasons().iter().zip(words) {
        assert!(reason.contains(word), "{reason}: {word}");
    }
    assert_eq!(world.reasons()[8], "the text is not one of `a` and `b`");
}

#[test]
fn a_key_without_value_is_a_reject_and_versions_of_a_key_all_stay() {
    let mut world = World::new(two());
    world.table.key = vec!["id".into()];
    world.table.newest_by = Some("amount".into());
    world.write("a.csv", "id,amount\n1,1\n1,2\n,3\n");
    world.load().unwrap();
    assert_eq!(world.rows(&["id", "amount"]), ["1|1.00", "1|2.00"]);
    assert_eq!(world.rejects(), [("a.csv".to_string(), 4, "id".to_string(), String::new())]);
    assert!(world.reasons()[0].contains("key"));
}

#[test]
fn rows_of_one_file_with_one_key_are_counted() {
    // Trial 14: three invoices of 180.00, two of one number.
    let mut world = World::new(vec![
        column("invoice_no", ValueType::Text),
        column("branch", ValueType::Text),
        column("amount", money()),
    ]);
    world.table.key = vec!["invoice_no".into()];
    world.write("1.csv", "invoice_no,branch,amount\n2026-1,North,100.00\n2026-1,South,50.00\n2026-2,North,30.00\n");
    let loaded = world.load().unwrap();
    assert_eq!((loaded.rows, loaded.rejects), (3, 0));
    let found = "1 row has the key of an earlier row of the same file with different values, such as `invoice_no` = \
                 `2026-1` in `1.csv` lines 2 and 3";
    assert_eq!(loaded.notes, [format!("{found}; only the last row of each key is shown")]);
    world.table.duplicate_keys = DuplicateKeys::Reject;
    let loaded = world.load().unwrap();
    assert_eq!((loaded.rows, loaded.rejects), (2, 1));
    assert_eq!(loaded.notes, [format!("{found}; only the first row of each key is loaded")]);
    assert_eq!(world.rejects(), [("1.csv".to_string(), 3, "invoice_no".to_string(), "2026-1".to_string())]);
    world.table.duplicate_keys = DuplicateKeys::Fail;
    data_error(world.load());
    // Another file may have newer versions of its rows, and so may a file whose rows say which is newer.
    world.table.duplicate_keys = DuplicateKeys::Newest;
    world.table.newest_by = Some("amount".into());
    let loaded = world.load().unwrap();
    assert_eq!((loaded.rows, loaded.notes.len()), (3, 0));
    world.write("2.csv", "invoice_no,branch,amount\n2026-1,North,60.00\n2026-1,South,60.00\n2026-2,North,30.00\n");
    let loaded = world.load().unwrap();
    assert!(loaded.notes[0].contains("`invoice_no` = `2026-1`, `amount` = `60.00` in `2.csv` lines 2 and 3"));
    assert_eq!(loaded.notes.len(), 1);
}

#[test]
fn keys_of_a_large_file_are_remembered_as_far_as_memory_allows() {
    let table = SourceTable { key: vec!["id".into()], ..World::new(two()).table };
    let mut diff = crate::diff::Diff::of_file(&table, &[]).unwrap().unwrap().with_max_keys(2);
    let rows = |ids: [&str; 4]| {
        let ids = Arc::new(arrow::array::StringArray::from(ids.to_vec()));
        let amounts = arrow::array::Decimal128Array::from(vec![1, 2, 3, 4]).with_precision_and_scale(18, 2).unwrap();
        arrow::array::RecordBatch::try_from_iter([
            ("id", ids as arrow::array::ArrayRef),
            ("amount", Arc::new(amounts) as arrow::array::ArrayRef),
        ])
        .unwrap()
    };
    // `c` is one too many, so that its second row is not seen; that of `a` is.
    let (passed, rejects) = diff.filter("erp", &table, &rows(["a", "b", "c", "c"])).unwrap();
    assert_eq!((passed.num_rows(), rejects.len()), (4, 0));
    diff.filter("erp", &table, &rows(["d", "a", "e", "f"])).unwrap();
    let notes = diff.take_duplicates().notes(&table);
    assert!(notes[0].starts_with("1 row has the key of an earlier row"), "{notes:?}");
    assert!(notes[1].starts_with("5 rows of large files were compared only with the first rows"), "{notes:?}");
}

#[test]
fn nothing_is_read_twice() {
    let mut world = World::new(two());
    world.write("a.csv", "id,amount\n1,1\n");
    let first = world.load().unwrap();
    let again = world.load().unwrap();
    assert!(!again.changed);
    assert_eq!((again.rows, &again.version.files, &again.state), (0, &first.version.files, &first.state));
    assert_eq!(again.files[0].change, FileChange::Unchanged);
    assert_eq!(
        (first.files_read(), first.files_unchanged(), again.files_read(), again.files_unchanged()),
        (1, 0, 0, 1)
    );
    // Touched, but the same.
    touch(world.path("a.csv"));
    let touched = world.load().unwrap();
    assert!(!touched.changed);
    assert_ne!(touched.state.files["a.csv"].tag, first.state.files["a.csv"].tag);
    assert_eq!(touched.version.fingerprint, first.version.fingerprint);
    // A second file.
    world.write("b.csv", "id,amount\n2,2\n");
    let more = world.load().unwrap();
    assert_eq!((more.rows, more.changed, more.version.files.len()), (1, true, 2));
    assert_ne!(more.version.fingerprint, first.version.fingerprint);
    assert_eq!(world.rows(&["id", "_run_id"]), ["1|run1", "2|run4"]);
}

#[test]
fn a_changed_file_replaces_its_rows_and_only_those() {
    let mut world = World::new(two());
    world.write("a.csv", "id,amount\n1,1\n2,2\n");
    world.write("b.csv", "id,amount\n3,3\n");
    world.load().unwrap();
    world.write("a.csv", "id,amount\n1,9\n2,2\n");
    touch(world.path("a.csv"));
    let loaded = world.load().unwrap();
    assert_eq!(world.rows(&["id", "amount", "_run_id"]), ["1|9.00|run2", "2|2.00|run2", "3|3.00|run1"]);
    assert_eq!(loaded.notes, ["`a.csv` changed; its rows were replaced"]);
    assert_eq!(loaded.files[0].change, FileChange::Changed);
    assert_eq!(loaded.version.rows(), 3);
    world.write("a.csv", "id,amount\n");
    world.load().unwrap();
    assert_eq!(world.rows(&["id"]), ["3"]);
}

#[test]
fn rows_of_a_vanished_file_stay() {
    let mut world = World::new(two());
    world.write("a.csv", "id,amount\n1,1\n");
    world.write("b.csv", "id,amount\n2,2\n");
    world.load().unwrap();
    std::fs::remove_file(world.path("a.csv")).unwrap();
    let loaded = world.load().unwrap();
    assert!(!loaded.changed);
    assert_eq!(loaded.notes, ["`a.csv` is no longer there; its 1 rows are kept"]);
    assert_eq!(world.rows(&["id"]), ["1", "2"]);
    // Without columns changing, another contract keeps them too.
    world.table.columns[1].max = Some("50".into());
    let loaded = world.load().unwrap();
    assert_eq!((loaded.changed, loaded.rows), (true, 1));
    assert_eq!(world.rows(&["id", "_run_id"]), ["1|run1", "2|run3"]);
    // With other columns it cannot.
    world.table.columns.pop();
    let error = data_error(world.load());
    assert!(error.message().contains("`a.csv` is no longer there"), "{error}");
}

#[test]
fn another_contract_reads_everything_again() {
    let mut world = World::new(two());
    world.write("a.csv", "id,amount,extra\n1,1.00,x\n2,2.00,y\n");
    let first = world.load().unwrap();
    assert_eq!(first.notes, ["new column `extra` in `a.csv`, kept as text"]);
    world.table.columns.push(column("extra", ValueType::Text));
    world.table.columns[1].min = Some("1.50".into());
    let loaded = world.load().unwrap();
    assert_eq!((loaded.rows, loaded.rejects, loaded.changed), (1, 1, true));
    assert_eq!(world.rows(&["id", "extra"]), ["2|y"]);
    assert!(loaded.state.accepted_columns.is_empty());
    assert_eq!(loaded.files[0].change, FileChange::Reread);
    // Descriptions are not part of the fingerprint.
    world.table.description = "other words".into();
    world.table.columns[0].description = "other words".into();
    assert!(!world.load().unwrap().changed);
}

#[test]
fn more_new_columns_than_a_table_can_take_are_refused() {
    let more = |count: usize| (0..count).map(|i| format!(",c{i}")).collect::<String>();
    let mut world = World::new(two());
    world.write("a.csv", format!("id,amount{}\n1,1{}\n", more(2_000), ",x".repeat(2_000)));
    world.load().unwrap();
    // Those that are accepted already do not count.
    world.write("a.csv", format!("id,amount{}\n1,1{}\n", more(2_100), ",x".repeat(2_100)));
    world.load().unwrap();
    world.write("b.csv", format!("id,amount{}\n", more(100_000)));
    let error = data_error(world.load());
    assert_eq!(error.message(), "`b.csv` has more than 2000 new columns that are not in the contract");
    assert!(error.hint_text().unwrap().contains("on_new_column: ignore"));
    world.table.on_new_column = ColumnPolicy::Ignore;
    world.load().unwrap();
}

#[cfg(unix)]
#[test]
fn what_matches_and_is_no_file_is_noted() {
    let mut world = World::new(two());
    world.write("a.csv", "id,amount\n1,1\n");
    assert!(std::process::Command::new("mkfifo").arg(world.path("b.csv")).status().unwrap().success());
    let loaded = world.load().unwrap();
    assert_eq!(
        (loaded.rows, loaded.notes),
        (1, vec!["`b.csv` is a named pipe, not a file, so it is left out".to_string()])
    );
}

#[test]
fn new_columns_are_accepted_ignored_or_fail() {
    let mut world = World::new(two());
    world.write("a.csv", "id,amount\n1,1\n");
    world.write("b.csv", "extra col,amount,id\nx,2,2\n");
    world.write("c.csv", "id,amount\n3,3\n");
    let loaded = world.load().unwrap();
    assert_eq!(loaded.notes, ["new column `extra_col` in `b.csv`, kept as text"]);
    assert_eq!(loaded.state.accepted_columns, ["extra_col"]);
    let names: Vec<String> = loaded.version.schema.fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["id", "amount", "extra_col", "_file", "_line", "_loaded_at", "_run_id"]);
    assert_eq!(world.rows(&["id", "amount", "extra_col"]), ["1|1.00|∅", "2|2.00|x", "3|3.00|∅"]);
    world.write("d.csv", "id,extra col,amount\n4,y,4\n");
    let loaded = world.load().unwrap();
    assert_eq!((loaded.notes.len(), loaded.state.accepted_columns.len()), (0, 1));
    assert_eq!(world.rows(&["extra_col"]), ["x", "y", "∅", "∅"]);

    world.table.on_new_column = ColumnPolicy::Ignore;
    let loaded = world.load().unwrap();
    assert_eq!((loaded.version.schema.fields().len(), loaded.notes.len()), (6, 0));

    world.table.on_new_column = ColumnPolicy::Fail;
    let error = data_error(world.load());
    assert!(error.message().contains("`b.csv` has a column `extra col`"), "{error}");

    world.table.on_new_column = ColumnPolicy::Accept;
    world.write("e.csv", "id,amount,ID\n5,5,5\n");
    let error = data_error(world.load());
    assert!(error.message().contains("`ID`"), "{error}");
}

#[test]
fn missing_columns_fail_or_are_empty() {
    let mut world = World::new(two());
    world.write("a.csv", "id,betrag\n1,1\n");
    let error = data_error(world.load());
    assert!(error.message().contains("`a.csv` lacks `amount`, a column of the contract"), "{error}");
    assert!(error.hint_text().unwrap().contains("`betrag`"));
    world.table.on_missing_column = ColumnPolicy::Accept;
    let loaded = world.load().unwrap();
    assert!(loaded.notes.contains(&"column `amount` is missing in `a.csv`, read as NULL".to_string()));
    assert_eq!(world.rows(&["id", "amount", "betrag"]), ["1|∅|1"]);
    world.table.on_missing_column = ColumnPolicy::Ignore;
    assert!(!world.load().unwrap().notes.iter().any(|note| note.contains("missing")));
}

#[test]
fn the_first_bad_row_or_too_many_fail_the_source() {
    let mut world = World::new(two());
    let lines: String = (0..200).map(|i| format!("{i},{}\n", if i < 12 { "x" } else { "1" })).collect();
    world.write("a.csv", format!("id,amount\n{lines}"));
    world.table.max_rejects = RejectLimit { share: Some(0.06), ..RejectLimit::default() };
    assert_eq!(world.load().unwrap().rejects, 12);
    world.last = None;
    world.table.max_rejects = RejectLimit { share: Some(0.05), ..RejectLimit::default() };
    let error = data_error(world.load());
    assert!(error.message().contains("12 of 200 rows of erp.orders were rejected (6.0 %)"), "{error}");
    let hint = error.hint_text().unwrap();
    assert!(
        hint.contains("a.csv line 2: column `amount` is `x`") && hint.contains("line 4") && !hint.contains("line 5"),
        "{hint}"
    );
    world.table.max_rejects = RejectLimit { rows: Some(11), ..RejectLimit::default() };
    assert!(data_error(world.load()).message().contains("max_rejects allows 11 rows"));
    world.table.max_rejects = RejectLimit { rows: Some(12), ..RejectLimit::default() };
    assert_eq!(world.load().unwrap().rejects, 12);
    world.last = None;
    world.table.on_bad_row = BadRowPolicy::Fail;
    let error = data_error(world.load());
    assert_eq!(error.place().unwrap().to_string(), "a.csv, row 2");
}

#[test]
fn a_few_bad_rows_of_a_small_file_are_no_measure_of_a_share() {
    let mut world = World::new(two());
    world.table.max_rejects = RejectLimit { share: Some(0.05), ..RejectLimit::default() };
    world.write("a.csv", "id,amount\n1,1\n2,2\n3,3\n4,4\n5,5\n6,6\n7,7\n8,8\n9,9\n10,x\n");
    let loaded = world.load().unwrap();
    assert_eq!((loaded.rows, loaded.rejects), (9, 1));
    world.last = None;
    world.table.max_rejects = RejectLimit { share: Some(0.0), ..RejectLimit::default() };
    assert!(data_error(world.load()).message().contains("max_rejects allows a share of 0"));
}

#[test]
fn the_same_violation_has_the_same_reason_wherever_it_is() {
    let mut world = World::new(two());
    world.write("a.csv", "id,amount\n1,\"1.234,50\"\n2,\"12,5\"\n3,1\n4,\"-3,00\"\n5\n6\n7,8,9\n8,8,9\n");
    world.load().unwrap();
    let reasons = world.reasons();
    let european = "the number is not in plain notation; `locale: european` reads it";
    assert_eq!(reasons[..3], [european; 3]);
    assert_eq!((&reasons[3], &reasons[5]), (&reasons[4], &reasons[6]), "{reasons:?}");
}

#[test]
fn identifiers_of_the_key_are_checked_unless_the_contract_says_otherwise() {
    let mut world = World::new(two());
    world.table.key = vec!["id".into()];
    world.write("a.csv", "id,amount\n6.02701E+11,1\n");
    assert_eq!(world.load().unwrap().rejects, 1);
    world.table.columns[0].identifier = Some(false);
    let loaded = world.load().unwrap();
    assert_eq!((loaded.rows, loaded.rejects), (1, 0));
}

#[test]
fn a_failed_load_changes_nothing_and_the_next_one_goes_on() {
    let mut world = World::new(two());
    world.write("a.csv", "id,amount\n1,1\n");
    world.load().unwrap();
    world.write("b.csv", "id,amount\n2,2\n");
    world.write("c.csv", "id,amount\n\"3,3\n");
    let error = data_error(world.load());
    assert!(error.message().contains("never closed"), "{error}");
    assert_eq!(world.rows(&["id"]), ["1"]);
    world.write("c.csv", "id,amount\n3,3\n");
    assert_eq!(world.load().unwrap().rows, 2);
    assert_eq!(world.rows(&["id"]), ["1", "2", "3"]);
}

#[test]
fn no_file_is_an_empty_table() {
    let mut world = World::new(two());
    world.table.extraction = files("*.csv", csv(true));
    let loaded = world.load().unwrap();
    assert_eq!((loaded.files.len(), loaded.version.rows(), loaded.changed), (0, 0, true));
    assert_eq!(loaded.version.schema.fields().len(), 6);
    assert!(!world.load().unwrap().changed);
}

#[test]
fn columns_without_header_come_in_the_contracts_order() {
    let mut world = World::new(two());
    world.table.extraction = files("*", csv(false));
    world.write("a.csv", "1,2\n3\n");
    world.load().unwrap();
    assert_eq!(world.rows(&["id", "amount", "_line"]), ["1|2.00|1"]);
    assert_eq!(world.rejects()[0].1, 2);
}

#[test]
fn json_lines_are_typed_and_drift() {
    let mut device = column("device", ValueType::Text);
    device.from = "props.device".into();
    let mut world = World::new(vec![column("id", ValueType::Integer), column("amount", money()), device]);
    world.table.extraction = files("*", Format::JsonLines);
    let mut text = String::from(
        "{\"id\":1,\"amount\":0.10,\"props\":{\"device\":\"tv\"}}\n[]\n{\"id\":\"2\",\"amount\":\"3.5\"}\n",
    );
    // More rows than one window holds, with a column that comes in late.
    (3..20_003).for_each(|i| text += &format!("{{\"id\":{i},\"amount\":null,\"pad\":\"{}\"}}\n", "p".repeat(80)));
    text += "{\"id\":1.5}\n{\"id\":99999,\"props\":{\"late\":true}}\n";
    world.write("a.jsonl", text);
    let loaded = world.load().unwrap();
    assert_eq!((loaded.rows, loaded.rejects), (20_003, 2));
    assert_eq!(loaded.state.accepted_columns, ["pad", "props_late"]);
    assert!(loaded.version.files.len() >= 2);
    let rows = world.rows(&["id", "amount", "device", "props_late", "_line"]);
    assert!(rows.contains(&"1|0.10|tv|∅|1".to_string()) && rows.contains(&"2|3.50|∅|∅|3".to_string()));
    assert!(rows.contains(&"99999|∅|∅|true|20005".to_string()));
    let place = |line, column: &str, raw: &str| ("a.jsonl".to_string(), line, column.to_string(), raw.to_string());
    assert_eq!(world.rejects(), [place(2, "", "[]"), place(20_004, "id", "1.5")]);
}

#[test]
fn the_newest_fact_of_a_file_is_known() {
    let mut world = World::new(vec![column("day", day("%Y-%m-%d")), column("n", ValueType::Integer)]);
    world.table.time_column = Some("day".into());
    world.write("a.csv", "day,n\n2024-03-01,1\n2024-05-01,x\n2024-04-01,1\n");
    let loaded = world.load().unwrap();
    assert_eq!(loaded.state.files["a.csv"].newest.as_deref(), Some("2024-04-01"));
    world.table.columns[0].data_type =
        ValueType::Instant { formats: vec!["%Y-%m-%d".into()], zone: "Asia/Shanghai".into() };
    let loaded = world.load().unwrap();
    assert_eq!(loaded.state.files["a.csv"].newest.as_deref(), Some("2024-03-31T16:00:00Z"));
}

#[test]
fn parquet_is_cast_exactly_or_refused() {
    use arrow::array::*;
    let instant = ValueType::Instant { formats: vec![], zone: "Europe/Berlin".into() };
    let mut world = World::new(vec![
        column("id", ValueType::Text),
        column("customer", ValueType::Integer),
        column("price", money()),
        column("at", instant),
        column("day", day("%d.%m.%Y")),
    ]);
    world.table.extraction = files("*", Format::Parquet);
    let batch = RecordBatch::try_from_iter([
        ("id", Arc::new(StringArray::from(vec![Some("a"), Some("b"), None, Some("d")])) as ArrayRef),
        ("customer", Arc::new(Float64Array::from(vec![Some(17850.0), None, Some(1.5), Some(2.0)]))),
        ("price", Arc::new(Float64Array::from(vec![2.55, 0.1, 1.0, 0.001]))),
        ("at", Arc::new(TimestampMillisecondArray::from(vec![1_291_191_960_000, 0, 0, 0]))),
        ("day", Arc::new(Date32Array::from(vec![19782, 0, 0, 0]))),
        ("extra", Arc::new(Int64Array::from(vec![7, 8, 9, 10]))),
    ])
    .unwrap();
    let file = std::fs::File::create(world.path("a.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    world.load().unwrap();
    // 1291191960 is 2010-12-01 08:26 UTC (date -u -d), which is 07:26 UTC when read as Berlin's clock.
    assert_eq!(
        world.rows(&["id", "customer", "price", "at", "day", "extra", "_line"]),
        ["a|17850|2.55|2010-12-01T07:26:00Z|2024-02-29|7|1", "b|∅|0.10|1969-12-31T23:00:00Z|1970-01-01|8|2"]
    );
    let place = |line, column: &str, raw: &str| ("a.parquet".to_string(), line, column.to_string(), raw.to_string());
    assert_eq!(world.rejects(), [place(3, "customer", "1.5"), place(4, "price", "0.001")]);
    assert!(!world.load().unwrap().changed);
    for broken in [&b""[..], b"PAR1 but not really PAR1"] {
        world.write("b.parquet", broken);
        assert!(data_error(world.load()).message().contains("b.parquet"));
    }
}

#[test]
fn a_contract_that_makes_no_sense_is_a_mistake_in_the_project() {
    let mut world = World::new(two());
    world.write("a.csv", "id,amount\n1,1\n");
    world.table.columns[1].min = Some("much".into());
    let error = world.load().unwrap_err();
    assert_eq!(error.kind(), Kind::Project);
    assert!(error.message().contains("`min: much` of column `amount`"), "{error}");
}

#[test]
fn progress_adds_up() {
    let world = World::new(two());
    world.write("a.csv", format!("id,amount\n{}", "1,1\n".repeat(300_000)));
    let (bytes, rows) = (Mutex::new(0), Mutex::new(0));
    let source = perennial_testing::source("erp", world.folder.path().to_str().unwrap(), vec![]);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let system = runtime.block_on(System::open(&source)).unwrap();
    let request = LoadRequest {
        system: &system,
        source: &source,
        table: &world.table,
        previous: None,
        lake: &world.lake,
        run_id: "r",
        max_data_files: 0,
        now: jiff::Timestamp::UNIX_EPOCH,
        rejects: &world.rejects,
        progress: &|b, r| {
            *bytes.lock().unwrap() += b;
            *rows.lock().unwrap() += r;
        },
    };
    runtime.block_on(load_table(request)).unwrap();
    assert_eq!((*bytes.lock().unwrap(), *rows.lock().unwrap()), (1_200_010, 300_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_written_is_read(
        table in prop::collection::vec((any::<i64>(), -10_i64.pow(15)..10_i64.pow(15), any::<Option<String>>(), 0_i64..4_000_000_000, any::<bool>()), 1..80),
        json in any::<bool>(),
    ) {
        let mut world = World::new(vec![
            column("i", ValueType::Integer),
            column("d", money()),
            column("t", ValueType::Text),
            column("at", ValueType::Instant { formats: vec![], zone: "UTC".into() }),
            column("b", ValueType::Boolean),
        ]);
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        writer.write_record(["i", "d", "t", "at", "b"]).unwrap();
        let mut lines = String::new();
        let mut expected = Vec::new();
        for (i, cents, text, second, flag) in &table {
            let sign = if *cents < 0 { "-" } else { "" };
            let amount = format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100);
            let at = jiff::Timestamp::from_second(*second).unwrap().to_string();
            let shown = text.as_deref().unwrap_or("");
            writer.write_record([&i.to_string(), &amount, shown, &at, &flag.to_string()]).unwrap();
            let word = serde_json::json!(text);
            lines += &format!("{{\"b\":{flag},\"i\":{i},\"d\":{amount},\"t\":{word},\"at\":\"{at}\"}}\n");
            let shown = if shown.is_empty() { "∅" } else { shown };
            expected.push(format!("{i}|{amount}|{shown}|{at}|{flag}"));
        }
        expected.sort();
        if json {
            world.table.extraction = files("*", Format::JsonLines);
            world.write("a", lines);
        } else {
            world.write("a", writer.into_inner().unwrap());
        }
        let loaded = world.load().unwrap();
        prop_assert_eq!(world.rejects(), vec![]);
        prop_assert_eq!(loaded.rows, table.len() as u64);
        prop_assert_eq!(world.rows(&["i", "d", "t", "at", "b"]), expected);
    }
}
