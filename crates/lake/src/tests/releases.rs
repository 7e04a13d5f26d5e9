//! A release exists completely or not at all, keeps what it names, and Delta logs follow it.

use super::*;
use crate::release::LoadStates;

#[tokio::test(flavor = "multi_thread")]
async fn a_new_lake_has_no_release() {
    let (_folder, lake) = new_lake().await;
    assert!(lake.latest().await.unwrap().is_none());
    let error = lake.release(3).await.unwrap_err();
    assert_eq!((error.kind(), error.hint_text()), (Kind::Project, Some("nothing has been published yet")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_read_as_it_was_published() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let mut new = new_release("r1", [("marts.a", table(&lake, "marts.a", "r1", &rows(1, 10)).await)]);
    let read = LoadedFile {
        bytes: 7,
        tag: "t".into(),
        rows: 10,
        rejects: 1,
        newest: None,
        data_files: vec!["x".into()],
        run_id: "r1".into(),
        reject_runs: vec!["r1".into()],
        ..LoadedFile::default()
    };
    let state = LoadState {
        contract: "c".into(),
        files: [("orders.csv".to_string(), read)].into(),
        accepted_columns: vec!["new".into()],
        watermark: Some(crate::Watermark { system: "7".into(), lake: Some(7) }),
        compared_at: Some(now()),
        types: [("id".to_string(), "int4".to_string())].into(),
        recent: vec![crate::LoadCount { read: 11, rejects: 1 }],
        replayed: ["r0/3/orders.csv".to_string()].into(),
    };
    new.loaded.insert(name("raw.erp__orders"), state.clone());
    let published = lake.publish(&lock, new).await.unwrap();
    assert!(published.delta_behind.is_none(), "{:?}", published.delta_behind);

    let release = lake.latest().await.unwrap().unwrap();
    assert_eq!((release.number, release.run_id.as_str()), (1, "r1"));
    assert_eq!((release.published_at, release.as_of), (now(), jiff::civil::date(2026, 11, 1)));
    assert_eq!(release.test_counts(None), TestCounts { passed: 3, warned: 1, failed: 0 });
    assert_eq!(release.test_counts(Some(&[name("marts.b")].into())), TestCounts::default());
    assert_eq!(release.loaded[&name("raw.erp__orders")], state);
    let a = &release.tables[&name("marts.a")];
    assert_eq!((a.rows(), a.changed_in, a.files.len()), (10, 1, 1));
    assert_eq!(a.files, published.release.tables[&name("marts.a")].files);
    assert_eq!(a.schema, rows(0, 0).schema());
    assert_complete(&lake, &release).await;
    assert_delta_follows(&lake, &release).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_changed_gets_a_commit_and_a_new_number() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let a = table(&lake, "marts.a", "r1", &rows(1, 10)).await;
    let b = table(&lake, "marts.b", "r1", &rows(1, 5)).await;
    lake.publish(&lock, new_release("r1", [("marts.a", a.clone()), ("marts.b", b)])).await.unwrap();
    let b2 = table(&lake, "marts.b", "r2", &rows(1, 6)).await;
    // Whatever number the caller has left in it, the state decides.
    let unchanged = TableVersion { changed_in: 0, ..a };
    let second = lake.publish(&lock, new_release("r2", [("marts.a", unchanged), ("marts.b", b2)])).await.unwrap();
    assert_eq!(second.release.tables[&name("marts.a")].changed_in, 1);
    assert_eq!(second.release.tables[&name("marts.b")].changed_in, 2);
    assert_eq!(delta_version(&lake, "marts.a").await, 0);
    assert_eq!(delta_version(&lake, "marts.b").await, 1);
    assert_delta_follows(&lake, &second.release).await;
    // The files of the old release are still there.
    assert_complete(&lake, &lake.release(1).await.unwrap()).await;
    let numbers: Vec<u64> = lake.releases().await.unwrap().iter().map(|r| r.number).collect();
    assert_eq!(numbers, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_added_and_tables_removed() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let a = table(&lake, "marts.a", "r1", &rows(1, 10)).await;
    let b = table(&lake, "marts.b", "r1", &rows(1, 5)).await;
    lake.publish(&lock, new_release("r1", [("marts.a", a), ("marts.b", b)])).await.unwrap();
    let local: ArrayRef = Arc::new(arrow::array::TimestampMicrosecondArray::from(vec![1]));
    let id: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let wider = RecordBatch::try_from_iter([("id", id), ("local time", local)]).unwrap();
    let a = table(&lake, "marts.a", "r2", &wider).await;
    let second = lake.publish(&lock, new_release("r2", [("marts.a", a)])).await.unwrap();
    assert!(second.delta_behind.is_none(), "{:?}", second.delta_behind);
    assert_delta_follows(&lake, &second.release).await;
    let (files, _) = delta_files(&lake, "marts.b").await.unwrap();
    assert!(files.is_empty(), "a table that is no longer released shows no rows");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_rows_is_released_and_has_a_log() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let empty = table(&lake, "marts.a", "r1", &rows(1, 0)).await;
    assert!(empty.files.is_empty());
    let first = lake.publish(&lock, new_release("r1", [("marts.a", empty.clone())])).await.unwrap();
    assert_eq!(first.release.tables[&name("marts.a")].rows(), 0);
    assert_delta_follows(&lake, &first.release).await;
    let a = table(&lake, "marts.a", "r2", &rows(1, 2)).await;
    let second = lake.publish(&lock, new_release("r2", [("marts.a", a)])).await.unwrap();
    assert_delta_follows(&lake, &second.release).await;
    let third = lake.publish(&lock, new_release("r3", [("marts.a", empty)])).await.unwrap();
    assert_delta_follows(&lake, &third.release).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rollback_is_a_new_release_with_the_old_tables() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let same = table(&lake, "marts.same", "r1", &rows(1, 1)).await;
    let a1 = table(&lake, "marts.a", "r1", &rows(1, 10)).await;
    lake.publish(&lock, new_release("r1", [("marts.a", a1.clone()), ("marts.same", same.clone())])).await.unwrap();
    let a2 = table(&lake, "marts.a", "r2", &rows(1, 20)).await;
    lake.publish(&lock, new_release("r2", [("marts.a", a2), ("marts.same", same)])).await.unwrap();
    let back = lake.rollback(&lock, 1, "r3", timestamp("2026-11-23T00:00:00Z")).await.unwrap();
    assert_eq!((back.release.number, back.release.rollback_of, back.release.run_id.as_str()), (3, Some(1), "r3"));
    assert_eq!(back.release.tables[&name("marts.a")].files, a1.files);
    assert_eq!(back.release.tables[&name("marts.a")].changed_in, 3);
    assert_eq!(back.release.tables[&name("marts.same")].changed_in, 1);
    assert_delta_follows(&lake, &back.release).await;
    let error = lake.rollback(&lock, 9, "r4", now()).await.unwrap_err();
    assert_eq!((error.kind(), error.hint_text()), (Kind::Project, Some("there are releases 1 to 3")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_a_newer_version_is_an_error_that_says_so() {
    let (_folder, lake) = new_lake().await;
    let error = record::read(&lake, 1, br#"{"format": 99, "whatever": 1}"#, LoadStates::Read).await.unwrap_err();
    let newer = "_perennial/releases/00000001.json has format 99, which a newer version of perennial wrote";
    assert_eq!(error.message(), newer);
    let error = record::read(&lake, 1, b"{", LoadStates::Read).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Data);
}

/// A record as the first version wrote it; every later version must be able to read it.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_format_1_is_read() {
    let (_folder, lake) = new_lake().await;
    let release = record::read(&lake, 12, include_bytes!("release-format-1.json"), LoadStates::Read).await.unwrap();
    assert_eq!((release.number, release.rollback_of), (12, Some(3)));
    let table = &release.tables[&name("marts.rfm")];
    let types: Vec<String> = table.schema.fields().iter().map(|f| f.data_type().to_string()).collect();
    assert_eq!(types[..3], ["Int64", "Utf8", "Decimal128(18, 2)"]);
    assert_eq!((table.rows(), table.changed_in), (42, 12));
    assert_eq!((table.as_of, release.test_counts(None)), (Some(release.as_of), release.earlier_counts));
    let text = write_record(&lake, &release).await;
    let again = record::read(&lake, 12, text.as_bytes(), LoadStates::Read).await.unwrap();
    assert_eq!((again.earlier_counts, &again.views), (release.earlier_counts, &release.views));
    assert_eq!(again.tables[&name("marts.rfm")].schema, table.schema);
    assert_eq!(again.loaded, release.loaded);
}

/// A record or an object in which a bit has flipped is not read as something else.
#[tokio::test(flavor = "multi_thread")]
async fn no_bit_of_a_record_or_an_object_can_change_unnoticed() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let a = table(&lake, "marts.a", "r1", &rows(1, 10)).await;
    lake.publish(&lock, new_release("r1", [("marts.a", a)])).await.unwrap();
    let root = lake.folder().unwrap().to_path_buf();
    let objects = lake.list("_perennial/objects").await.unwrap().into_iter().map(|(path, _)| path);
    let paths: Vec<String> = objects.chain(["_perennial/releases/00000001.json".to_string()]).collect();
    assert!(paths.len() > 2, "{paths:?}");
    for path in paths {
        let path = root.join(path);
        let text = std::fs::read(&path).unwrap();
        for bit in (0..text.len() * 8).step_by(7) {
            let mut flipped = text.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &flipped).unwrap();
            let opened = Lake::open(root.to_str().unwrap()).await.unwrap();
            let error = opened.latest().await.unwrap_err();
            assert_eq!(error.kind(), Kind::Data, "{} bit {bit}: {error}", path.display());
        }
        std::fs::write(&path, text).unwrap();
    }
    assert!(Lake::open(root.to_str().unwrap()).await.unwrap().latest().await.unwrap().is_some());
}

/// What a table has read is written down as what changed, however many files there are.
#[tokio::test(flavor = "multi_thread")]
async fn a_load_state_of_many_files_is_kept_in_parts() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let file = |run: &str, rejects: u64| LoadedFile {
        bytes: 7,
        tag: "t".into(),
        rows: 10,
        rejects,
        newest: None,
        data_files: vec![format!("raw/a__b/{run}-1.parquet")],
        run_id: run.into(),
        ..LoadedFile::default()
    };
    let mut state = LoadState::default();
    let mut sizes = Vec::new();
    for day in 0..300 {
        let run = format!("r{day:04}");
        state.files.insert(format!("orders-{day:04}.csv"), file(&run, 0));
        match day % 50 {
            // Some are read again, some vanish.
            20 => drop(state.files.insert(format!("orders-{:04}.csv", day / 2), file(&run, 1))),
            30 => drop(state.files.remove(&format!("orders-{:04}.csv", day - 1))),
            _ => {}
        }
        let mut new = new_release(&run, []);
        new.loaded.insert(name("raw.a__b"), state.clone());
        let before: BTreeSet<String> =
            lake.list("_perennial").await.unwrap().into_iter().map(|(path, _)| path).collect();
        lake.publish(&lock, new).await.unwrap();
        let written = lake.list("_perennial").await.unwrap().into_iter().filter(|(path, _)| !before.contains(path));
        sizes.push(written.map(|(_, bytes)| bytes).sum::<u64>());
        if day % 25 == 24 {
            let opened = Lake::open(&lake.location()).await.unwrap();
            assert_eq!(opened.latest().await.unwrap().unwrap().loaded[&name("raw.a__b")], state, "day {day}");
        }
    }
    sizes.sort_unstable();
    assert!(sizes[150] < 16_000, "half of the releases write little: {}", sizes[150]);
}
