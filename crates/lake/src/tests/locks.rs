//! One writer at a time in a folder.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_second_process_is_told_who_holds_the_lock() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let error = lake.lock(holder("r2"), now()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    let wanted = format!(
        "the lake {} has been in use since 2026-11-22T04:15:00Z by run r1 (`run nightly`), process {} of ann on here",
        lake.location(),
        std::process::id()
    );
    assert_eq!(error.message(), wanted);
    lock.verify().await.unwrap();
    lock.release().await.unwrap();
    let second = lake.lock(holder("r2"), now()).await.unwrap();
    drop(second);
    lake.lock(holder("r3"), now()).await.unwrap();
}

/// Runs take the lake's lock beside it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lake_has_one_scheduler() {
    let (_folder, lake) = new_lake().await;
    let scheduler = Holder { run_id: String::new(), command: "schedule run".to_string(), ..holder("") };
    let lock = lake.lock_scheduler(scheduler.clone(), now()).await.unwrap();
    let error = lake.lock_scheduler(scheduler.clone(), now()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    let wanted = format!(
        "the lake {} has had a scheduler since 2026-11-22T04:15:00Z: `schedule run`, process {} of ann on here",
        lake.location(),
        std::process::id()
    );
    assert_eq!(error.message(), wanted);
    lake.lock(holder("r1"), now()).await.unwrap().release().await.unwrap();
    lock.verify().await.unwrap();
    lock.release().await.unwrap();
    lake.lock_scheduler(scheduler, now()).await.unwrap();
}

/// It can be acquired at once.
#[tokio::test(flavor = "multi_thread")]
#[cfg(unix)]
async fn the_lock_of_a_killed_process_is_released() {
    let (_folder, lake) = new_lake().await;
    drop(lake.lock(holder("r1"), now()).await.unwrap());
    let path = lake.folder().unwrap().join("_perennial/lock");
    // flock(1) takes the same lock as this program does.
    let mut other =
        std::process::Command::new("flock").arg(&path).args(["-c", "sleep 60"]).process_group(0).spawn().unwrap();
    use std::os::unix::process::CommandExt;
    let mut tries = 0;
    while lake.lock(holder("r2"), now()).await.is_ok() {
        tries += 1;
        assert!(tries < 500, "the other process never acquired the lock");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let kill = format!("kill -9 -{}", other.id());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    other.wait().unwrap();
    tries = 0;
    while let Err(error) = lake.lock(holder("r3"), now()).await {
        tries += 1;
        assert!(tries < 500, "{error}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_published_when_the_lock_file_was_deleted() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let a = table(&lake, "marts.a", "r1", &rows(1, 1)).await;
    std::fs::remove_file(lake.folder().unwrap().join("_perennial/lock")).unwrap();
    let other = lake.lock(holder("r2"), now()).await.unwrap();
    let error = lake.publish(&lock, new_release("r1", [("marts.a", a.clone())])).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(lake.latest().await.unwrap().is_none());
    lake.publish(&other, new_release("r2", [("marts.a", a)])).await.unwrap();
}
