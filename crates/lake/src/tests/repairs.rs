//! What a killed run left behind is found and cleaned up.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_is_reported_and_its_unreferenced_files_are_deleted() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    lake.begin_run(&lock, now(), &serde_json::Value::Null).await.unwrap();
    let a = table(&lake, "marts.a", "r1", &rows(1, 10)).await;
    let kept = a.files[0].path.clone();
    lake.publish(&lock, new_release("r1", [("marts.a", a)])).await.unwrap();
    // Also of r1, but in no release; and of a run whose identifier only begins the same.
    let unreferenced = table(&lake, "marts.b", "r1", &rows(1, 3)).await.files[0].path.clone();
    let alike = table(&lake, "marts.b", "r1-2", &rows(1, 3)).await.files[0].path.clone();
    let incomplete = lake.folder().unwrap().join("marts/b/r1-9.parquet#1");
    std::fs::write(&incomplete, b"incomplete").unwrap();
    drop(lock);

    let again = Lake::open(&lake.location()).await.unwrap();
    let lock = again.lock(holder("r2"), now()).await.unwrap();
    let repairs = again.repair(&lock).await.unwrap();
    let killed = KilledRun {
        holder: holder("r1"),
        started_at: now(),
        release: Some(1),
        facts: serde_json::Value::Null,
        recorded: false,
    };
    assert_eq!((repairs.killed, repairs.files_deleted), (vec![killed.clone()], 1));
    let found: Vec<String> = again.list("marts").await.unwrap().into_iter().map(|(path, _)| path).collect();
    assert!(found.contains(&kept) && found.contains(&alike) && !found.contains(&unreferenced), "{found:?}");
    assert!(!incomplete.exists());

    // Until it is recorded and ended it is found again.
    again.append_system("runs", "r1", &rows(1, 1)).await.unwrap();
    let repairs = again.repair(&lock).await.unwrap();
    assert_eq!(repairs.killed, vec![KilledRun { recorded: true, ..killed }]);
    again.end_run(&lock, "r1").await.unwrap();
    assert!(again.repair(&lock).await.unwrap().killed.is_empty());
}

/// A damaged release that nobody needs any more keeps nothing from being repaired.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_old_release_does_not_stop_a_repair() {
    let (_folder, lake) = new_lake().await;
    for number in 1..=3 {
        let run = format!("r{number}");
        let lock = lake.lock(holder(&run), now()).await.unwrap();
        lake.begin_run(&lock, now(), &serde_json::Value::Null).await.unwrap();
        let a = table(&lake, "marts.a", &run, &rows(1, number)).await;
        lake.publish(&lock, new_release(&run, [("marts.a", a)])).await.unwrap();
        if number != 1 {
            lake.end_run(&lock, &run).await.unwrap();
        }
    }
    std::fs::write(lake.folder().unwrap().join("_perennial/releases/00000001.json"), "{").unwrap();
    std::fs::remove_file(lake.folder().unwrap().join("_perennial/delta.json")).unwrap();
    let lake = Lake::open(&lake.location()).await.unwrap();
    let lock = lake.lock(holder("r4"), now()).await.unwrap();
    let repairs = lake.repair(&lock).await.unwrap();
    assert!(repairs.delta_behind.is_none(), "{:?}", repairs.delta_behind);
    assert_eq!(repairs.killed.iter().map(|killed| killed.release).collect::<Vec<_>>(), [None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ends_deletes_what_it_did_not_publish() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    lake.begin_run(&lock, now(), &serde_json::Value::Null).await.unwrap();
    let a = table(&lake, "marts.a", "r1", &rows(1, 10)).await;
    let b = table(&lake, "marts.b", "r1", &rows(1, 10)).await;
    let release = lake.publish(&lock, new_release("r1", [("marts.a", a)])).await.unwrap().release;
    lake.end_run(&lock, "r1").await.unwrap();
    assert_complete(&lake, &release).await;
    assert!(!lake.folder().unwrap().join(&b.files[0].path).exists());
    assert!(lake.list("_perennial/runs").await.unwrap().is_empty());
}

/// Processes were killed between the record and the logs several times: the logs catch up in one commit each.
#[tokio::test(flavor = "multi_thread")]
async fn delta_logs_catch_up_from_wherever_they_are() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let a = table(&lake, "marts.a", "r1", &rows(1, 1)).await;
    let b = table(&lake, "marts.b", "r1", &rows(1, 1)).await;
    lake.publish(&lock, new_release("r1", [("marts.a", a), ("marts.b", b.clone())])).await.unwrap();
    let mut last = None;
    for number in 2..=4 {
        let a = table(&lake, "marts.a", &format!("r{number}"), &rows(1, number)).await;
        let mut release = lake.latest().await.unwrap().unwrap();
        release.number = number as u64;
        release.tables.insert(name("marts.a"), TableVersion { changed_in: number as u64, ..a });
        let path = lake.folder().unwrap().join(format!("_perennial/releases/{number:08}.json"));
        std::fs::write(path, write_record(&lake, &release).await).unwrap();
        last = Some(release);
    }
    let repairs = lake.repair(&lock).await.unwrap();
    assert!(repairs.delta_behind.is_none(), "{:?}", repairs.delta_behind);
    assert_eq!(repairs.delta_tables, 1);
    assert_delta_follows(&lake, &last.unwrap()).await;
    assert_eq!(delta_version(&lake, "marts.a").await, 1);
    assert_eq!(delta_version(&lake, "marts.b").await, 0);
    // It is done only once, even when the record of it is lost.
    assert_eq!(lake.repair(&lock).await.unwrap().delta_tables, 0);
    std::fs::remove_file(lake.folder().unwrap().join("_perennial/delta.json")).unwrap();
    assert_eq!(lake.repair(&lock).await.unwrap().delta_tables, 2);
    assert_eq!(delta_version(&lake, "marts.a").await, 1);
}

/// What a run that failed or was killed had finished is there for another, until its journal is deleted.
#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_journal_are_spared_until_it_is_deleted() {
    let (_folder, lake) = new_lake().await;
    let (first, second) = ("20261122T041500Z-0001", "20261123T041500Z-0001");
    let lock = lake.lock(holder(first), now()).await.unwrap();
    lake.begin_run(&lock, now(), &serde_json::Value::Null).await.unwrap();
    let (finished, half) =
        (table(&lake, "marts.a", first, &rows(1, 10)).await, table(&lake, "marts.a", first, &rows(1, 3)).await);
    let raw = table(&lake, "raw.erp__orders", first, &rows(1, 2)).await;
    let there = |version: &TableVersion| lake.folder().unwrap().join(&version.files[0].path).exists();
    let head = serde_json::json!({"key": "k"});
    lake.begin_journal(first, &head).await.unwrap();
    lake.add_to_journal(first, &name("marts.a"), &finished, None).await.unwrap();
    let loaded = LoadState { contract: "c".to_string(), ..LoadState::default() };
    lake.add_to_journal(first, &name("raw.erp__orders"), &raw, Some(&loaded)).await.unwrap();
    // A file that was being written when the disk lost power.
    let torn = lake.folder().unwrap().join(format!("_perennial/journals/{first}/marts.b.json"));
    std::fs::write(&torn, "{\"manif").unwrap();

    // It fails: what is in its journal stays.
    lake.end_run(&lock, first).await.unwrap();
    assert!(there(&finished) && there(&raw) && !there(&half));
    drop(lock);

    // Another one goes on from there and is killed.
    let lake = Lake::open(&lake.location()).await.unwrap();
    let lock = lake.lock(holder(second), now()).await.unwrap();
    lake.begin_run(&lock, now(), &serde_json::Value::Null).await.unwrap();
    assert_eq!(lake.journal_runs().await.unwrap(), [first]);
    let journal = lake.journal(first).await.unwrap().unwrap();
    assert_eq!(journal.head, head);
    let names: Vec<String> = journal.tables.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["marts.a", "raw.erp__orders"]);
    let (version, state) = &journal.tables[&name("raw.erp__orders")];
    assert_eq!((version.rows_id(), state), (raw.rows_id(), &Some(loaded)));
    assert_eq!(journal.tables[&name("marts.a")].0.files, finished.files);
    lake.begin_journal(second, &head).await.unwrap();
    lake.add_to_journal(second, &name("marts.a"), &finished, None).await.unwrap();
    let more = table(&lake, "marts.c", second, &rows(1, 4)).await;
    lake.add_to_journal(second, &name("marts.c"), &more, None).await.unwrap();
    drop(lock);
    let lock = lake.lock(holder("20261124T041500Z-0001"), now()).await.unwrap();
    assert_eq!(lake.repair(&lock).await.unwrap().killed.len(), 1);
    lake.end_run(&lock, second).await.unwrap();
    assert!(there(&finished) && there(&raw) && there(&more));

    // The journal of the first expires: what only it names goes.
    lake.expire_journals(&lock, timestamp("2026-11-23T00:00:00Z")).await.unwrap();
    assert_eq!(lake.journal_runs().await.unwrap(), [second]);
    assert!(there(&finished) && !there(&raw) && there(&more));
    // What a release names stays when the second one goes too, also when a later release does not name it.
    lake.publish(&lock, new_release("20261124T041500Z-0001", [("marts.a", finished.clone())])).await.unwrap();
    let other = table(&lake, "marts.a", "20261124T041500Z-0001", &rows(1, 1)).await;
    lake.publish(&lock, new_release("20261124T041500Z-0001", [("marts.a", other)])).await.unwrap();
    lake.delete_journal(&lock, second).await.unwrap();
    assert!(there(&finished) && !there(&more));
    assert!(lake.journal_runs().await.unwrap().is_empty() && lake.journal(second).await.unwrap().is_none());
}
