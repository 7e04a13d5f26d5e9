//! Logs that are appended to, renamed, compressed and deleted, and other files that get another name.

use super::testing::*;
use super::*;
use perennial_core::contract::{Overlap, ValueType};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A folder of logs of one number a line.
fn logs(pattern: &str) -> World {
    let mut world = World::new(vec![column("n", ValueType::Integer)]);
    world.table.extraction = files(pattern, csv(false));
    world.table.rotated = true;
    world
}

impl World {
    fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    fn text(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_default()
    }

    /// Number and sum of the rows.
    fn sums(&self) -> (usize, i64) {
        let rows = self.rows(&["n"]);
        (rows.len(), rows.iter().map(|row| row.parse::<i64>().unwrap()).sum())
    }
}

/// What logrotate does with `rotate 2`, `compress` and `delaycompress`.
fn rotate(world: &World, night: u64) {
    if world.path("access.log.1").exists() {
        world.write_at("access.log.2.gz", gzip(&world.text("access.log.1")), night);
    }
    world.rename("access.log", "access.log.1");
}

#[test]
fn a_rotated_log_is_read_once_and_stays_when_it_is_deleted() {
    let nights = ["10\n20\n30\n", "40\n50\n", "60\n", "70\n70\n", "80\n"];
    let expected = [(3, 60), (5, 150), (6, 210), (8, 350), (9, 430)];
    for pattern in ["access.log*", "access.log"] {
        let mut world = logs(pattern);
        for (night, (log, expected)) in nights.iter().zip(expected).enumerate() {
            if night > 0 {
                rotate(&world, 100 + night as u64);
            }
            world.write_at("access.log", log, night as u64);
            let loaded = world.load().unwrap();
            assert_eq!(world.sums(), expected, "{pattern}, night {night}: {:?}", loaded.files);
            assert_eq!((loaded.rows, loaded.notes.len()), (log.lines().count() as u64, 0), "{:?}", loaded.notes);
            // The same night again: nothing is new.
            assert!(!world.load().unwrap().changed);
        }
    }
}

#[test]
fn a_log_that_is_copied_and_emptied_is_the_copy() {
    let mut world = logs("access.log*");
    world.write_at("access.log", "1\n2\n", 1);
    world.load().unwrap();
    // Lines that came between the night and the rotation are in the copy.
    world.write_at("access.log.1", "1\n2\n3\n", 2);
    world.write_at("access.log", "4\n", 3);
    let loaded = world.load().unwrap();
    assert_eq!(world.rows(&["n"]), ["1", "2", "3", "4"]);
    let change = |loaded: &LoadOutcome| loaded.files.iter().map(|file| file.change).collect::<Vec<_>>();
    assert_eq!(change(&loaded), [FileChange::New, FileChange::Grown]);
    // Emptied, and not written to by the night.
    world.write_at("access.log.2", "1\n2\n3\n", 2);
    world.write_at("access.log.1", "4\n", 3);
    world.write_at("access.log", "", 4);
    assert_eq!(world.load().unwrap().rows, 0);
    assert_eq!(world.sums(), (4, 10));
    world.write_at("access.log", "5\n", 5);
    assert_eq!(change(&world.load().unwrap()), [FileChange::Grown, FileChange::Unchanged, FileChange::Unchanged]);
    assert_eq!(world.sums(), (5, 15));
}

#[test]
fn of_logs_that_begin_alike_each_is_itself() {
    let mut world = logs("*");
    world.write_at("a.log", "1\n2\n", 1);
    world.write_at("b.log", "1\n2\n", 2);
    world.load().unwrap();
    assert_eq!(world.sums(), (4, 6));
    // Both are renamed; one has grown, and a third begins like them.
    world.rename("a.log", "a.log.1");
    world.write_at("b.log.1", "1\n2\n3\n", 3);
    world.write_at("b.log", "1\n", 4);
    world.load().unwrap();
    assert_eq!(world.rows(&["n"]), ["1", "1", "1", "2", "2", "3"]);
    assert!(!world.load().unwrap().changed);
}

#[test]
fn logs_read_by_earlier_versions_are_known_by_their_hash() {
    let mut world = logs("access.log*");
    world.write_at("access.log", "1\n2\n", 1);
    world.load().unwrap();
    let (_, state) = world.last.as_mut().unwrap();
    state.files.values_mut().for_each(|file| file.held = None);
    rotate(&world, 2);
    world.write_at("access.log", "3\n", 3);
    assert_eq!(world.load().unwrap().rows, 1);
    assert_eq!(world.sums(), (3, 6));
}

#[test]
fn compressed_logs_read_by_earlier_versions_are_known_by_content_and_time() {
    let mut world = logs("access.log*");
    world.write_at("access.log.2.gz", gzip(b"1\n2\n"), 1);
    world.write_at("access.log.3.gz", gzip(b"3\n"), 2);
    world.load().unwrap();
    let (_, state) = world.last.as_mut().unwrap();
    state.files.values_mut().for_each(|file| file.held = None);
    world.rename("access.log.3.gz", "access.log.4.gz");
    world.rename("access.log.2.gz", "access.log.3.gz");
    assert_eq!(world.load().unwrap().rows, 0);
    assert_eq!(world.sums(), (3, 6));
}

#[test]
fn an_append_reads_a_line_when_it_has_its_end() {
    let mut world = World::new(vec![column("id", ValueType::Integer), column("n", ValueType::Integer)]);
    world.table.extraction = files("access.log*", csv(false));
    world.table.rotated = true;
    world.table.key = vec!["id".into()];
    world.table.load = Load::Append { cursor: None, late_window: Overlap::Count(0) };
    world.write_at("access.log", "1,10\n2,2", 1);
    let loaded = world.load().unwrap();
    assert_eq!(loaded.notes, ["the last line of `access.log` has no line end, so it is not read until it has one"]);
    world.write_at("access.log", "1,10\n2,20\n3,30\n", 2);
    assert_eq!(world.load().unwrap().rows, 2);
    assert_eq!(world.rows(&["id", "n"]), ["1|10", "2|20", "3|30"]);
    // Another value of a key that was added is not taken.
    world.write_at("access.log", "1,11\n4,40\n", 3);
    let loaded = world.load().unwrap();
    assert_eq!(world.rows(&["id", "n"]), ["1|10", "2|20", "3|30", "4|40"]);
    let note = "1 row of the source has a key that was loaded before with other values; `append` keeps those";
    assert!(loaded.notes.contains(&note.to_string()), "{:?}", loaded.notes);
}

#[test]
fn a_log_may_get_a_column_when_others_were_deleted() {
    let mut world = logs("access.log*");
    world.table.extraction = files("access.log*", csv(true));
    world.write_at("access.log", "n,m\n1,1\n", 1);
    world.load().unwrap();
    world.remove("access.log");
    world.write_at("access.log", "n,m\n2,2\n", 2);
    world.table.columns.push(column("k", ValueType::Integer));
    world.table.columns[1].from = "m".into();
    world.load().unwrap();
    assert_eq!(world.rows(&["n", "k"]), ["1|∅", "2|2"]);
    world.table.columns[0].data_type = ValueType::Text;
    data_error(world.load());
}

#[test]
fn rejects_of_a_renamed_log_are_replayed_into_its_rows() {
    let mut world = logs("access.log*");
    world.write_at("access.log", "1\nx\n", 1);
    assert_eq!(world.load().unwrap().rejects, 1);
    rotate(&world, 2);
    world.write_at("access.log", "3\n", 3);
    world.load().unwrap();
    world.table.columns[0].null_values = vec!["x".into()];
    let (version, state) = world.last.clone().unwrap();
    assert_eq!(state.files["access.log.1"].read_as.as_deref(), Some("access.log"));
    let rejected = RejectedRow {
        run_id: "run1".into(),
        loaded_at: world.now,
        file: "access.log".into(),
        line: 2,
        row: r#"{"n": "x"}"#.into(),
    };
    let replayed = world.replay(&version, &state, &[rejected]).unwrap();
    assert_eq!(replayed.accepted, 1);
    let file = &replayed.loaded.state.files["access.log.1"];
    assert_eq!((file.rows, file.rejects, file.data_files.len()), (2, 0, 2));
}

#[test]
fn a_renamed_delivery_is_the_same_but_an_equal_one_is_not() {
    let mut world = World::new(two());
    world.write_at("stock-1.csv", "id,amount\na,1\n", 1);
    world.load().unwrap();
    world.rename("stock-1.csv", "stock-1-done.csv");
    let loaded = world.load().unwrap();
    assert_eq!((loaded.rows, loaded.changed), (0, false));
    assert_eq!(loaded.notes, ["`stock-1-done.csv` was read before under another name, so it was not read again"]);
    assert_eq!(world.rows(&["id", "_file"]), ["a|stock-1.csv"]);
    // The next day's stock is the same, and the first file has been put away.
    world.remove("stock-1-done.csv");
    world.write_at("stock-2.csv", "id,amount\na,1\n", 2);
    assert_eq!(world.load().unwrap().rows, 1);
    // An export that is put aside under another name is not the export that takes its name.
    world.rename("stock-2.csv", "old-stock.csv");
    world.write_at("stock-2.csv", "id,amount\nb,2\n", 3);
    assert_eq!(world.load().unwrap().rows, 1);
    assert_eq!(world.rows(&["id"]), ["a", "a", "b"]);
}

#[test]
fn a_snapshot_that_is_put_aside_is_not_the_newest() {
    let mut world = World::new(two());
    world.table.key = vec!["id".into()];
    world.table.load = Load::Snapshot;
    world.table.extraction = files("*", csv(true));
    for (night, amount) in [1, 2, 3].into_iter().enumerate() {
        if night > 1 {
            world.rename("export.csv.1", "export.csv.2");
        }
        if night > 0 {
            world.rename("export.csv", "export.csv.1");
        }
        world.write_at("export.csv", format!("id,amount\na,{amount}\n"), night as u64);
        assert_eq!(world.load().unwrap().rows, 1, "night {night}");
    }
    assert_eq!(world.rows(&["amount", "_file"]), ["1.00|export.csv", "2.00|export.csv", "3.00|export.csv"]);
}

/// Cases of a property; `PERENNIAL_CASES` sets another number.
fn cases() -> u32 {
    std::env::var("PERENNIAL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    /// However logs are written, renamed, copied, compressed and deleted: every line that a load found in a file is a row,
    /// once. All logs begin with the same line.
    #[test]
    fn every_line_is_read_once(steps in prop::collection::vec(0_u8..10, 1..40)) {
        let mut world = logs("access.log*");
        let header = b"0\n".to_vec();
        world.write_at("access.log", &header, 0);
        let mut seen = BTreeSet::new();
        let names = ["access.log", "access.log.1", "access.log.2", "access.log.3"];
        let (mut next, mut clock) = (1_u32, 0_u64);
        for step in steps.into_iter().chain([9]) {
            clock += 1;
            let shift = |world: &World| {
                for i in [2, 1] {
                    for end in ["", ".gz"] {
                        let from = format!("{}{end}", names[i]);
                        if world.path(&from).exists() {
                            for end in ["", ".gz"] {
                                std::fs::remove_file(world.path(&format!("{}{end}", names[i + 1]))).ok();
                            }
                            world.rename(&from, &format!("{}{end}", names[i + 1]));
                        }
                    }
                }
            };
            match step {
                0..=3 => {
                    let mut log = world.text("access.log");
                    log.extend(format!("{next}\n").bytes());
                    next += 1;
                    world.write_at("access.log", log, clock);
                }
                4 => {
                    shift(&world);
                    world.rename("access.log", "access.log.1");
                    world.write_at("access.log", &header, clock);
                }
                5 => {
                    shift(&world);
                    world.write_at("access.log.1", world.text("access.log"), clock);
                    world.write_at("access.log", &header, clock + 1_000);
                }
                6 => {
                    for name in &names[1..] {
                        if world.path(name).exists() {
                            // Size and time of change tell two logs of one name apart.
                            clock += 1;
                            world.write_at(&format!("{name}.gz"), gzip(&world.text(name)), clock);
                            world.remove(name);
                        }
                    }
                }
                7 => {
                    std::fs::remove_file(world.path("access.log.3")).ok();
                    std::fs::remove_file(world.path("access.log.3.gz")).ok();
                }
                _ => {
                    for name in names {
                        let mut bytes = world.text(name);
                        if bytes.is_empty() {
                            // The content of a stored block, between header and sums.
                            bytes = world.text(&format!("{name}.gz"));
                            bytes = bytes.get(15..bytes.len().saturating_sub(8)).unwrap_or_default().to_vec();
                        }
                        let text = String::from_utf8(bytes).unwrap();
                        seen.extend(text.lines().filter(|line| *line != "0").map(String::from));
                    }
                    world.load().unwrap();
                    let rows: Vec<String> = world.rows(&["n"]).into_iter().filter(|row| row != "0").collect();
                    let expected: Vec<String> = seen.iter().cloned().collect();
                    prop_assert_eq!(rows, expected);
                }
            }
        }
    }
}
