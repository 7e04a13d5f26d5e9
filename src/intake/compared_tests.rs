//! Loads that compare what they read with what the lake holds, over files; relations have theirs in `tests/it`.

use super::testing::*;
use super::*;
use crate::contract::{Expectations, ValueType};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn snapshot() -> World {
    let mut world = World::new(two());
    world.table.delivery = files("*.csv", csv(true));
    world.table.key = vec!["id".into()];
    world.table.load = Load::Snapshot;
    world
}

const ROW: [&str; 4] = ["id", "amount", "_deleted", "_file"];

#[test]
fn a_snapshot_keeps_what_is_new_changed_and_gone() {
    let mut world = snapshot();
    world.write("1.csv", "id,amount\na,1\nb,2\nc,3\n");
    assert_eq!(world.load().unwrap().rows, 3);
    world.write("2.csv", "id,amount\nd,4\na,1\nb,5\n");
    let second = world.load().unwrap();
    assert_eq!((second.rows, second.changed), (2, true));
    assert_eq!(second.notes, ["rows compared by key: 1 new, 1 changed, 1 gone"]);
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
    // What was gone comes back and is new.
    world.write("4.csv", "id,amount\nb,5\na,1\nd,4\nc,3\n");
    assert_eq!(world.load().unwrap().notes, ["rows compared by key: 1 new"]);
    assert!(!world.load().unwrap().changed);
}

#[test]
fn several_snapshots_in_one_night_are_taken_in_the_order_of_their_names() {
    let mut world = snapshot();
    world.write("2.csv", "id,amount\na,2\n");
    world.write("1.csv", "id,amount\na,1\nb,1\n");
    world.load().unwrap();
    assert_eq!(world.rows(&ROW), ["a|1.00|false|1.csv", "a|2.00|false|2.csv", "b|1.00|false|1.csv", "b|∅|true|2.csv"]);
}

#[test]
fn a_key_that_stands_twice_is_refused_unless_the_rows_are_the_same() {
    let mut world = snapshot();
    world.write("1.csv", "id,amount\na,1\na,1\nb,2\nb,3\n");
    let loaded = world.load().unwrap();
    assert_eq!((loaded.rows, loaded.rejects), (2, 1));
    assert_eq!(world.rejects(), [("1.csv".to_string(), 5, "id".to_string(), "b".to_string())]);
    assert_eq!(world.reasons(), ["the key stands twice in one read, with other values"]);
}

#[test]
fn an_empty_snapshot_deletes_nothing_unless_it_may_be_empty() {
    let mut world = snapshot();
    world.write("1.csv", "id,amount\na,1\n");
    world.load().unwrap();
    world.write("2.csv", "id,amount\n");
    let error = data_error(world.load());
    assert_eq!(error.message(), "`2.csv` is empty where it had 1 rows; none of them was taken as deleted");
    world.table.expectations = Expectations { least_rows: Some(0), ..Expectations::default() };
    assert_eq!(world.load().unwrap().notes, ["rows compared by key: 1 gone"]);
}

#[test]
fn a_column_that_comes_in_changes_the_rows_that_have_it() {
    let mut world = snapshot();
    world.write("1.csv", "id,amount\na,1\nb,2\n");
    world.load().unwrap();
    world.write("2.csv", "id,amount,colour\na,1,red\nb,2,\n");
    assert_eq!(world.load().unwrap().notes[1..], ["rows compared by key: 1 changed"]);
    assert_eq!(world.rows(&["id", "colour"]), ["a|red", "a|∅", "b|∅"]);
}

#[test]
fn another_contract_compares_the_newest_file_and_another_type_begins_anew() {
    let mut world = snapshot();
    world.write("1.csv", "id,amount\na,1\nb,2\n");
    world.load().unwrap();
    world.table.columns[1].null_values = vec!["2".into()];
    let loaded = world.load().unwrap();
    assert_eq!(loaded.notes, ["rows compared by key: 1 changed"]);
    world.table.columns[1].data_type = ValueType::Text;
    let loaded = world.load().unwrap();
    assert!(loaded.notes[0].starts_with("the type of `amount` in the contract is another"), "{:?}", loaded.notes);
    assert_eq!(world.rows(&["id", "amount"]), ["a|1", "b|∅"]);
}

#[test]
fn of_events_the_first_is_kept() {
    let mut world = snapshot();
    world.table.load = Load::Append { cursor: None, late_window: crate::contract::Overlap::Count(0) };
    world.write("1.csv", "id,amount\na,1\na,2\n");
    world.load().unwrap();
    world.write("2.csv", "id,amount\na,3\nb,4\n");
    world.load().unwrap();
    assert_eq!(world.rows(&["id", "amount"]), ["a|1.00", "b|4.00"]);
}

#[test]
fn expectations_are_told_or_fail_the_source() {
    let mut world = snapshot();
    world.table.expectations =
        Expectations { least_of_usual: Some(0.5), most_of_usual: Some(2.0), ..Expectations::default() };
    let rows = |count: usize| (0..count).map(|i| format!("{i},1\n")).collect::<String>();
    for (file, count) in [("1.csv", 10), ("2.csv", 10), ("3.csv", 10), ("4.csv", 4)] {
        world.write(file, format!("id,amount\n{}", rows(count)));
        let notes = world.load().unwrap().notes;
        assert_eq!(notes.iter().any(|note| note.contains("where 10 are usual")), count == 4, "{notes:?}");
    }
    world.table.expectations.fail = true;
    world.write("5.csv", format!("id,amount\n{}", rows(21)));
    let error = data_error(world.load());
    assert_eq!(error.message(), "21 rows were read where 10 are usual, more than 2 times that");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the tables of several nights are, the newest version of every key that is not gone is the last table.
    #[test]
    fn the_newest_versions_are_the_last_snapshot(
        nights in prop::collection::vec(prop::collection::btree_map(0_u8..12, 0_u8..3, 1..12), 1..6),
    ) {
        let mut world = snapshot();
        for (night, table) in nights.iter().enumerate() {
            let rows: String = table.iter().map(|(id, amount)| format!("{id},{amount}\n")).collect();
            world.write(&format!("{night}.csv"), format!("id,amount\n{rows}"));
            world.load().unwrap();
        }
        let mut newest: BTreeMap<String, (String, String)> = BTreeMap::new();
        for row in world.rows(&["_file", "id", "amount", "_deleted"]) {
            let cells: Vec<&str> = row.split('|').collect();
            newest.insert(cells[1].to_string(), (cells[2].to_string(), cells[3].to_string()));
        }
        let standing: BTreeMap<String, String> =
            newest.into_iter().filter(|(_, (_, gone))| gone == "false").map(|(id, (amount, _))| (id, amount)).collect();
        let last = nights.last().unwrap().iter().map(|(id, amount)| (id.to_string(), format!("{amount}.00"))).collect();
        prop_assert_eq!(standing, last);
    }
}

#[test]
fn a_refused_row_stands_in_the_system_and_is_not_taken_as_deleted() {
    let mut world = snapshot();
    world.table.max_rejects.rows = Some(9);
    world.write("1.csv", "id,amount\na,1\nb,2\nc,3\n");
    world.load().unwrap();
    world.write("2.csv", "id,amount\na,1\nb,much\n");
    let loaded = world.load().unwrap();
    assert_eq!((loaded.rejects, &loaded.notes[..]), (1, &["rows compared by key: 1 gone".to_string()][..]));
    assert_eq!(world.rows(&["id", "amount", "_deleted"]), ["a|1.00|false", "b|2.00|false", "c|3.00|false", "c|∅|true"]);
    // Where the key itself cannot be read, any key may be meant.
    world.write("3.csv", "id,amount\na,1\n,2\n");
    let loaded = world.load().unwrap();
    assert_eq!(loaded.notes, ["no row was taken as deleted: the key of 1 refused rows could not be read"]);
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
fn another_way_of_loading_begins_anew() {
    let mut world = snapshot();
    world.table.load = Load::Deliveries;
    world.write("1.csv", "id,amount\na,1\n");
    world.load().unwrap();
    world.table.load = Load::Snapshot;
    let loaded = world.load().unwrap();
    assert!(loaded.notes[0].starts_with("rows were loaded in another way before"), "{:?}", loaded.notes);
    assert_eq!(world.rows(&ROW), ["a|1.00|false|1.csv"]);
}

#[test]
fn rows_of_one_line_have_places_of_their_own() {
    let mut world = World::new(vec![column("id", ValueType::Text)]);
    world.table.columns[0].from = "rows[].id".into();
    world.table.delivery = files("*", crate::contract::Format::Json { rows: "rows[]".into() });
    world.write("1.json", r#"{"rows": [{"id": "a"}, {"id": "b"}]}"#);
    world.load().unwrap();
    assert_eq!(world.rows(&["id", "_line"]), ["a|1", "b|2"]);
}
