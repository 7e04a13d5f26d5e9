//! The newest release is found with one short listing, and the hint where to begin may be anything.

use super::*;
use crate::tests::faults::{FailingStore, Fault};

async fn publish(lake: &Lake, number: u64) {
    let run = format!("r{number}");
    let lock = lake.lock(holder(&run), now()).await.unwrap();
    let a = table(lake, "marts.a", &run, &rows(1, number as i64)).await;
    lake.publish(&lock, new_release(&run, [("marts.a", a)])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_that_is_missing_torn_old_or_ahead_is_harmless() {
    let (_folder, lake) = new_lake().await;
    assert_eq!(lake.latest_number().await.unwrap(), None);
    for number in 1..=12 {
        publish(&lake, number).await;
        assert_eq!(lake.latest_number().await.unwrap(), Some(number));
    }
    let hint = lake.folder().unwrap().join("_perennial/latest");
    assert_eq!(std::fs::read_to_string(&hint).unwrap(), "12\n");
    let hints: [&[u8]; 12] = [
        b"",
        b"1",
        b"11\n",
        b"12",
        b"13\n",
        b"99999999\n",
        b"0",
        b"-1",
        b"x",
        b"\xff\xfe",
        b"18446744073709551615",
        b"1 2",
    ];
    for text in hints {
        std::fs::write(&hint, text).unwrap();
        assert_eq!(lake.latest_number().await.unwrap(), Some(12), "{:?}", String::from_utf8_lossy(text));
    }
    std::fs::remove_file(&hint).unwrap();
    assert_eq!(lake.latest_number().await.unwrap(), Some(12));
    // The newest record is deleted by hand.
    std::fs::write(&hint, "12\n").unwrap();
    std::fs::remove_file(lake.folder().unwrap().join("_perennial/releases/00000012.json")).unwrap();
    assert_eq!(lake.latest_number().await.unwrap(), Some(11));
    // Its number is not given again, whatever is left to say it; a hint far ahead is damage.
    for (hint_text, left) in [("12\n", true), ("99999999", true), ("12\n", false)] {
        std::fs::write(&hint, hint_text).unwrap();
        if !left {
            std::fs::remove_file(lake.folder().unwrap().join("_perennial/delta.json")).unwrap();
        }
        publish(&lake, 13).await;
        assert_eq!(lake.latest_number().await.unwrap(), Some(13), "{hint_text:?}");
        std::fs::remove_file(lake.folder().unwrap().join("_perennial/releases/00000013.json")).unwrap();
        std::fs::write(lake.folder().unwrap().join("_perennial/delta.json"), r#"{"format":2,"release":12}"#).unwrap();
    }
}

/// The operations of one night, and those of a reader that opens the lake after it.
async fn operations(folder: &std::path::Path, number: u64) -> (i64, i64) {
    let count = |store: &FailingStore| i64::MAX - store.left();
    let store = FailingStore::new(Fault::Once, i64::MAX);
    let lake = Lake::in_folder_through(folder.to_path_buf(), store.clone()).unwrap();
    let run = format!("20261122T041500Z-{number:04x}");
    let latest = lake.latest().await.unwrap();
    lake.last_run_id(latest.as_ref().map(|release| release.run_id.as_str())).await.unwrap();
    let lock = lake.lock(holder(&run), now()).await.unwrap();
    lake.repair(&lock).await.unwrap();
    lake.begin_run(&lock, now(), &serde_json::Value::Null).await.unwrap();
    let tables = ["marts.a", "marts.b"];
    let mut new = new_release(&run, []);
    for name_of_table in tables {
        new.tables.insert(name(name_of_table), table(&lake, name_of_table, &run, &rows(1, number as i64)).await);
    }
    lake.publish(&lock, new).await.unwrap();
    for table in ["runs", "steps", "releases"] {
        lake.append_system(table, &run, &rows(1, 1)).await.unwrap();
    }
    lake.end_run(&lock, &run).await.unwrap();
    lake.compact_system(&lock).await.unwrap();
    let night = count(&store);
    let store = FailingStore::new(Fault::Once, i64::MAX);
    let lake = Lake::in_folder_through(folder.to_path_buf(), store.clone()).unwrap();
    assert_eq!(lake.latest().await.unwrap().unwrap().number, number);
    lake.system_files().await.unwrap();
    (night, count(&store))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_night_and_a_reader_need_as_many_requests_after_many_nights_as_after_few() {
    let folder = tempfile::tempdir().unwrap();
    let mut nights = Vec::new();
    let mut readers = Vec::new();
    for number in 1..=140 {
        let (night, reader) = operations(folder.path(), number).await;
        nights.push(night);
        readers.push(reader);
    }
    assert!(readers.iter().all(|reader| *reader == readers[5]), "{readers:?}");
    // Delta logs have a checkpoint, and system tables are merged, once in a while.
    let (few, many): (i64, i64) = (nights[5..45].iter().sum(), nights[100..140].iter().sum());
    assert!(many * 10 <= few * 11, "{few} requests in nights 6 to 45, {many} in nights 101 to 140");
    assert!(readers[0] <= 8, "a reader needs {} requests", readers[0]);
}
