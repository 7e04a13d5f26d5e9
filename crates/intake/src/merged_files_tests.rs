//! Tables whose data files are merged have the rows of those whose data files are not.

use super::testing::*;
use super::*;
use proptest::prelude::*;

const ALL: [&str; 7] = ["id", "amount", "extra", "_file", "_line", "_loaded_at", "_run_id"];

/// Two worlds of one folder's files: in the first nothing is merged.
fn worlds(load: Load) -> [World; 2] {
    let world = |max_data_files: usize| {
        let mut world = World::new(two());
        world.table.load = load.clone();
        world.table.key = vec!["id".into()];
        world.table.max_rejects.rows = Some(1000);
        world.max_data_files = max_data_files;
        world.lake.file_rows = 7;
        world
    };
    [world(0), world(3)]
}

fn load_both(worlds: &mut [World; 2], night: u32) -> std::result::Result<[LoadOutcome; 2], TestCaseError> {
    let [mut plain, mut merged] = worlds.each_mut().map(|world| {
        world.now = jiff::Timestamp::from_second(1_800_000_000 + i64::from(night) * 86_400).unwrap();
        world.load().unwrap()
    });
    let [rows, merged_rows] = worlds.each_ref().map(|world| world.rows(&ALL));
    prop_assert_eq!(merged_rows, rows);
    prop_assert_eq!(&merged.notes, &plain.notes);
    prop_assert_eq!(merged.version.rows(), plain.version.rows());
    // Apart from where they are, the states are the same.
    for loaded in [&mut plain, &mut merged] {
        for file in loaded.state.files.values_mut() {
            file.data_files.clear();
            file.ranges.clear();
        }
    }
    prop_assert_eq!(&merged.state, &plain.state);
    Ok([plain, merged])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Deliveries, deliveries once more with other rows, deleted files, rejects, new columns, other contracts.
    #[test]
    fn merging_changes_no_row_of_loads_by_file(
        nights in prop::collection::vec(
            (prop::collection::vec((0_usize..6, prop::collection::vec((0_u8..5, 0_u8..4), 0..6)), 0..4), 0_u8..8),
            1..14,
        ),
    ) {
        let mut worlds = worlds(Load::ByFile);
        let mut largest = 0;
        for (night, (deliveries, event)) in nights.into_iter().enumerate() {
            for world in &mut worlds {
                for (file, rows) in &deliveries {
                    let name = format!("{file}.csv");
                    let extra = if *file == 5 { ",extra" } else { "" };
                    let mut text = format!("id,amount{extra}\n");
                    for (id, amount) in rows {
                        let amount = if *amount == 3 { "x".to_string() } else { amount.to_string() };
                        text += &format!("{id},{amount}{}\n", if *file == 5 { ",e" } else { "" });
                    }
                    world.write_at(&name, text, night as u64);
                }
                match event {
                    0 => drop(std::fs::remove_file(world.path("0.csv"))),
                    1 => world.table.columns[1].max = Some((10 + night).to_string()),
                    _ => {}
                }
            }
            let [plain, merged] = load_both(&mut worlds, night as u32)?;
            largest = largest.max(merged.version.files.len());
            prop_assert!(merged.version.files.len() <= plain.version.files.len().max(4));
        }
    }

    /// The newest version of a row is the last one, however files are merged.
    #[test]
    fn merging_changes_no_row_of_snapshots(
        runs in prop::collection::vec(prop::collection::btree_map(0_u8..12, 0_u8..3, 1..12), 1..12),
    ) {
        let mut worlds = worlds(Load::Snapshot);
        for (run, table) in runs.iter().enumerate() {
            let rows: String = table.iter().map(|(id, amount)| format!("{id},{amount}\n")).collect();
            for world in &worlds {
                world.write_at(&format!("{run:02}.csv"), format!("id,amount\n{rows}"), run as u64);
            }
            load_both(&mut worlds, run as u32)?;
        }
    }
}

#[test]
fn a_file_that_comes_again_replaces_its_own_rows_of_a_merged_file() {
    let mut world = World::new(two());
    world.max_data_files = 2;
    for i in 1..=3 {
        world.write(&format!("{i}.csv"), format!("id,amount\n{i},{i}\n{i},0\n"));
    }
    let loaded = world.load().unwrap();
    assert_eq!((loaded.version.files.len(), loaded.version.files[0].rows), (1, 6));
    let ranges = |loaded: &LoadOutcome| {
        let of = |file: &perennial_lake::LoadedFile| (file.ranges[0].first, file.ranges[0].rows);
        loaded.state.files.values().filter(|file| !file.ranges.is_empty()).map(of).collect::<Vec<_>>()
    };
    assert_eq!(ranges(&loaded), [(0, 2), (2, 2), (4, 2)]);
    world.write("2.csv", "id,amount\n2,9\n");
    let loaded = world.load().unwrap();
    assert_eq!(world.rows(&["id", "amount"]), ["1|0.00", "1|1.00", "2|9.00", "3|0.00", "3|3.00"]);
    // The merged file without them, and the new file.
    assert_eq!((loaded.version.files.len(), ranges(&loaded)), (2, vec![(0, 2), (2, 2)]));
    // What is kept of a file with other columns is not merged with others.
    world.write("4.csv", "id,amount,extra\n4,4,e\n");
    world.write("5.csv", "id,amount,extra\n5,5,e\n");
    let loaded = world.load().unwrap();
    assert_eq!(loaded.version.files.iter().map(|file| file.rows).collect::<Vec<_>>(), [5, 2]);
}

#[test]
fn replayed_rows_belong_to_their_file() {
    let mut world = World::new(two());
    world.max_data_files = 1;
    world.write("1.csv", "id,amount\n1,1\n2,x\n");
    world.write("2.csv", "id,amount\n3,3\n");
    world.load().unwrap();
    world.table.columns[1].null_values = vec!["x".into()];
    let (version, state) = world.last.clone().unwrap();
    let rejected = RejectedRow {
        run_id: "run1".into(),
        loaded_at: world.now,
        file: "1.csv".into(),
        line: 3,
        row: r#"{"id": "2", "amount": "x"}"#.into(),
    };
    let replayed = world.replay(&version, &state, &[rejected]).unwrap();
    world.last = Some((replayed.loaded.version.clone(), replayed.loaded.state));
    // The contract is another one, but only the next delivery is of interest here.
    world.last.as_mut().unwrap().1.contract = crate::fingerprint::contract_fingerprint(&world.table);
    assert_eq!(world.rows(&["id"]), ["1", "2", "3"]);
    world.write("3.csv", "id,amount\n4,4\n");
    world.load().unwrap();
    assert_eq!(world.last.as_ref().unwrap().0.files.len(), 1);
    world.write("1.csv", "id,amount\n7,7\n");
    world.load().unwrap();
    assert_eq!(world.rows(&["id"]), ["3", "4", "7"]);
}
