//! Loads of files that merge rows by key; relations have their tests in `tests/it`.

use super::testing::*;
use super::*;
use perennial_core::contract::{DuplicateKeys, Expectations, TotalRows, ValueType};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn snapshot() -> World {
    let mut world = World::new(two());
    world.table.extraction = files("*.csv", csv(true));
    world.table.key = vec!["id".into()];
    world.table.load = Load::Snapshot;
    world.table.duplicate_keys = DuplicateKeys::Reject;
    world
}

const ROW: [&str; 4] = ["id", "amount", "_deleted", "_file"];

#[test]
fn a_snapshot_adds_what_is_new_changed_and_deleted() {
    let mut world = snapshot();
    world.write("1.csv", "id,amount\na,1\nb,2\nc,3\n");
    assert_eq!(world.load().unwrap().rows, 3);
    world.write("2.csv", "id,amount\nd,4\na,1\nb,5\n");
    let second = world.load().unwrap();
    assert_eq!((second.rows, second.changed), (2, true));
    assert_eq!(second.notes, ["rows merged by key: 1 new, 1 changed, 1 deleted"]);
    assert_eq!(
        world.rows(&ROW),
        [
            "a|1.00|false|1.csv",
            "b|2.00|false|1.csv",
            "b|5.00|false|2.csv",
            "c|3.00|false|1.csv",
            "c|∅|true|2.csv",
            "d|4.00|false|2.csv",
        ]
    );
    // Once more the same: nothing is added, whatever the order of rows.
    world.write("3.csv", "id,amount\nb,5\na,1.00\nd,4.0\n");
    let third = world.load().unwrap();
    assert_eq!((third.rows, third.notes.len()), (0, 0));
    // A deleted row that comes back is new.
    world.write("4.csv", "id,amount\nb,5\na,1\nd,4\nc,3\n");
    assert_eq!(world.load().unwrap().notes, ["rows merged by key: 1 new"]);
    assert!(!world.load().unwrap().changed);
}

#[test]
fn several_snapshots_in_one_run_are_taken_in_the_order_of_their_names() {
    let mut world = snapshot();
    world.write("2.csv", "id,amount\na,2\n");
    world.write("1.csv", "id,amount\na,1\nb,1\n");
    world.load().unwrap();
    assert_eq!(world.rows(&ROW), ["a|1.00|false|1.csv", "a|2.00|false|2.csv", "b|1.00|false|1.csv", "b|∅|true|2.csv"]);
}

#[test]
fn a_duplicate_key_is_rejected_unless_the_rows_are_the_same() {
    let mut world = snapshot();
    world.write("1.csv", "id,amount\na,1\na,1\nb,2\nb,3\n");
    let loaded = world.load().unwrap();
    assert_eq!((loaded.rows, loaded.rejects), (2, 1));
    assert_eq!(world.rejects(), [("1.csv".to_string(), 5, "id".to_string(), "b".to_string())]);
    assert_eq!(world.reasons(), ["duplicate key: an earlier row of the same read has it with different values"]);
    assert_eq!(
        loaded.notes,
        [
            "1 row has the key of an earlier row of the same file with different values, such as `id` = `b` in `1.csv` \
             lines 4 and 5; only the first row of each key is loaded",
            "1 row is the same as an earlier one of the same file, such as `id` = `a` in `1.csv` lines 2 and 3; rows of \
             one key count once",
        ]
    );
    // The newest of them is the last.
    let mut world = snapshot();
    world.table.duplicate_keys = DuplicateKeys::Newest;
    world.write("1.csv", "id,amount\nb,2\nb,3\n");
    let loaded = world.load().unwrap();
    assert_eq!((loaded.rows, loaded.rejects), (2, 0));
    assert!(loaded.notes[0].ends_with("lines 2 and 3; only the last row of each key is shown"), "{:?}", loaded.notes);
    // What the lake compares with is what it shows.
    world.write("2.csv", "id,amount\nb,3\n");
    assert_eq!(world.load().unwrap().rows, 0);
    world.table.duplicate_keys = DuplicateKeys::Fail;
    world.write("3.csv", "id,amount\nb,3\nc,1\nb,4\n");
    let error = data_error(world.load());
    assert_eq!(error.message(), "two rows have the same key and different values: `id` = `b` in `3.csv` lines 2 and 4");
}

#[test]
fn an_empty_snapshot_deletes_nothing_unless_it_may_be_empty() {
    let mut world = snapshot();
    world.write("1.csv", "id,amount\na,1\n");
    world.load().unwrap();
    world.write("2.csv", "id,amount\n");
    let error = data_error(world.load());
    assert_eq!(error.message(), "`2.csv` is empty, but had 1 rows; none of them was marked as deleted");
    world.table.expectations = Expectations { min_rows: Some(0), ..Expectations::default() };
    assert_eq!(world.load().unwrap().notes, ["rows merged by key: 1 deleted"]);
}

#[test]
fn a_column_that_comes_in_changes_the_rows_that_have_it() {
    let mut world = snapshot();
    world.write("1.csv", "id,amount\na,1\nb,2\n");
    world.load().unwrap();
    world.write("2.csv", "id,amount,colour\na,1,red\nb,2,\n");
    assert_eq!(world.load().unwrap().notes[1..], ["rows merged by key: 1 changed"]);
    assert_eq!(world.rows(&["id", "colour"]), ["a|red", "a|∅", "b|∅"]);
}

#[test]
fn a_changed_contract_merges_the_newest_file_and_a_changed_type_starts_over() {
    let mut world = snapshot();
    world.write("1.csv", "id,amount\na,1\nb,2\n");
    world.load().unwrap();
    world.table.columns[1].null_values = vec!["2".into()];
    let loaded = world.load().unwrap();
    assert_eq!(loaded.notes, ["rows merged by key: 1 changed"]);
    world.table.columns[1].data_type = ValueType::Text;
    let loaded = world.load().unwrap();
    assert!(loaded.notes[0].starts_with("the type of `amount` in the contract has changed"), "{:?}", loaded.notes);
    assert_eq!(world.rows(&["id", "amount"]), ["a|1", "b|∅"]);
}

#[test]
fn of_events_the_first_is_kept() {
    let mut world = snapshot();
    world.table.load = Load::Append { cursor: None, late_window: perennial_core::contract::Overlap::Count(0) };
    world.write("1.csv", "id,amount\na,1\na,2\n");
    world.load().unwrap();
    assert_eq!(world.rejects(), [("1.csv".to_string(), 3, "id".to_string(), "a".to_string())]);
    // An event that is sent again is the same event, whatever it says.
    world.write("2.csv", "id,amount\na,3\nb,4\n");
    let loaded = world.load().unwrap();
    let kept = "1 row of the source has a key that was loaded before with other values; `append` keeps those";
    assert_eq!((loaded.rejects, loaded.notes), (0, vec!["rows merged by key: 1 new".to_string(), kept.to_string()]));
    assert_eq!(world.rows(&["id", "amount"]), ["a|1.00", "b|4.00"]);
}

#[test]
fn violated_expectations_are_reported_or_fail_the_source() {
    let mut world = snapshot();
    world.table.expectations = Expectations { min_ratio: Some(0.5), max_ratio: Some(2.0), ..Expectations::default() };
    let rows = |count: usize| (0..count).map(|i| format!("{i},1\n")).collect::<String>();
    for (file, count) in [("1.csv", 10), ("2.csv", 10), ("3.csv", 10), ("4.csv", 4)] {
        world.write(file, format!("id,amount\n{}", rows(count)));
        let notes = world.load().unwrap().notes;
        assert_eq!(notes.iter().any(|note| note.contains("the usual 10")), count == 4, "{notes:?}");
    }
    world.table.expectations.fail = true;
    world.write("5.csv", format!("id,amount\n{}", rows(21)));
    let error = data_error(world.load());
    assert_eq!(error.message(), "21 rows were read, more than 2 times the usual 10");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the tables of several runs are, the newest versions of the keys that are not deleted are the last
    /// table.
    #[test]
    fn the_newest_versions_are_the_last_snapshot(
        runs in prop::collection::vec(prop::collection::btree_map(0_u8..12, 0_u8..3, 1..12), 1..6),
    ) {
        let mut world = snapshot();
        for (run, table) in runs.iter().enumerate() {
            let rows: String = table.iter().map(|(id, amount)| format!("{id},{amount}\n")).collect();
            world.write(&format!("{run}.csv"), format!("id,amount\n{rows}"));
            world.load().unwrap();
        }
        let mut newest: BTreeMap<String, (String, String)> = BTreeMap::new();
        for row in world.rows(&["_file", "id", "amount", "_deleted"]) {
            let cells: Vec<&str> = row.split('|').collect();
            newest.insert(cells[1].to_string(), (cells[2].to_string(), cells[3].to_string()));
        }
        let current: BTreeMap<String, String> =
            newest.into_iter().filter(|(_, (_, deleted))| deleted == "false").map(|(id, (amount, _))| (id, amount)).collect();
        let last = runs.last().unwrap().iter().map(|(id, amount)| (id.to_string(), format!("{amount}.00"))).collect();
        prop_assert_eq!(current, last);
    }
}

#[test]
fn a_rejected_row_exists_in_the_system_and_is_not_marked_as_deleted() {
    let mut world = snapshot();
    world.table.max_rejects.rows = Some(9);
    world.write("1.csv", "id,amount\na,1\nb,2\nc,3\n");
    world.load().unwrap();
    world.write("2.csv", "id,amount\na,1\nb,much\n");
    let loaded = world.load().unwrap();
    assert_eq!((loaded.rejects, &loaded.notes[..]), (1, &["rows merged by key: 1 deleted".to_string()][..]));
    assert_eq!(world.rows(&["id", "amount", "_deleted"]), ["a|1.00|false", "b|2.00|false", "c|3.00|false", "c|∅|true"]);
    // When the key itself cannot be read, any key may be meant.
    world.write("3.csv", "id,amount\na,1\n,2\n");
    let loaded = world.load().unwrap();
    assert_eq!(loaded.notes, ["no row was marked as deleted: the key of 1 rejected rows could not be read"]);
}

#[test]
fn a_snapshot_older_than_the_newest_is_not_read() {
    let mut world = snapshot();
    world.write("2.csv", "id,amount\na,1\nb,2\n");
    world.load().unwrap();
    world.write("1.csv", "id,amount\na,9\n");
    let loaded = world.load().unwrap();
    assert_eq!(loaded.notes, ["`1.csv` is older than the files read before and was not read"]);
    assert_eq!(world.rows(&["id", "amount"]), ["a|1.00", "b|2.00"]);
}

#[test]
fn another_load_mode_starts_over() {
    let mut world = snapshot();
    world.table.load = Load::ByFile;
    world.write("1.csv", "id,amount\na,1\n");
    world.load().unwrap();
    world.table.load = Load::Snapshot;
    let loaded = world.load().unwrap();
    assert!(loaded.notes[0].starts_with("rows were loaded in a different mode before"), "{:?}", loaded.notes);
    assert_eq!(world.rows(&ROW), ["a|1.00|false|1.csv"]);
}

#[test]
fn rows_of_one_line_have_places_of_their_own() {
    let mut world = World::new(vec![column("id", ValueType::Text)]);
    world.table.columns[0].from = "rows[].id".into();
    world.table.extraction = files("*", perennial_core::contract::Format::Json { rows: "rows[]".into() });
    world.write("1.json", r#"{"rows": [{"id": "a"}, {"id": "b"}]}"#);
    world.load().unwrap();
    assert_eq!(world.rows(&["id", "_line"]), ["a|1", "b|2"]);
}

#[test]
fn a_total_row_is_no_row_so_deletions_arrive() {
    // Neither total has a key: of the first the date cannot be read, of the second the region is empty.
    let month = |label: &str, kind: ValueType| {
        let mut world = World::new(vec![
            column("month", kind),
            column("region", ValueType::Text),
            column("amount", ValueType::Integer),
        ]);
        world.table.columns.iter_mut().for_each(|column| column.required = true);
        world.table.extraction = files("*.csv", csv(true));
        world.table.key = vec!["month".into(), "region".into()];
        world.table.load = Load::Snapshot;
        world.table.total_rows = Some(TotalRows {
            column: "month".into(),
            values: vec![label.into()],
            subtotals: vec![],
            check: vec!["amount".into()],
            fail: true,
        });
        world
    };
    for kind in [day("%Y-%m-%d"), ValueType::Text] {
        let mut world = month("Sum", kind);
        world.write("t-1.csv", "month,region,amount\n2026-01-01,north,1\n2026-01-01,south,2\nSum,,3\n");
        world.load().unwrap();
        world.write("t-2.csv", "month,region,amount\n2026-01-01,north,1\nSum,,1\n");
        let loaded = world.load().unwrap();
        assert_eq!((loaded.notes, loaded.rejects), (vec!["rows merged by key: 1 deleted".to_string()], 0));
        assert_eq!(world.rows(&["region", "amount", "_deleted"]), ["north|1|false", "south|2|false", "south|∅|true"]);
    }
}

#[test]
fn a_row_that_cannot_be_parsed_may_be_any_row() {
    let mut world = snapshot();
    world.table.max_rejects.rows = Some(9);
    world.write("1.csv", "id,amount\na,1\nb,2\n");
    world.load().unwrap();
    world.write("2.csv", "id,amount\na,1\nb,2,0\n");
    let loaded = world.load().unwrap();
    assert_eq!(loaded.notes, ["no row was marked as deleted: the key of 1 rejected rows could not be read"]);
    assert_eq!(world.rows(&["id", "_deleted"]), ["a|false", "b|false"]);
}
