//! `verify` finds every damaged file and says what to do.

use super::*;
use perennial_core::digest::digest;

async fn verify(lake: &Lake) -> Verification {
    Lake::open(&lake.location()).await.unwrap().verify(&|_| {}).await.unwrap()
}

/// Three releases: `marts.a` changes in each, `marts.b` in the last, `raw.orders` never.
async fn three_releases() -> (TempDir, Lake) {
    let (folder, lake) = new_lake().await;
    let raw = table(&lake, "raw.shop__orders", "r1", &rows(1, 50)).await;
    let sql = "SELECT 1 AS id";
    let definition = Some(format!("3:{}", digest([sql])));
    let b = TableVersion { definition, ..table(&lake, "marts.b", "r1", &rows(1, 5)).await };
    for number in 1..=3 {
        let run = format!("r{number}");
        let lock = lake.lock(holder(&run), now()).await.unwrap();
        let a = table(&lake, "marts.a", &run, &rows(1, 10 * number)).await;
        let b = if number < 3 { b.clone() } else { table(&lake, "marts.b", &run, &rows(1, 6)).await };
        let mut new = new_release(&run, [("raw.shop__orders", raw.clone()), ("marts.a", a), ("marts.b", b)]);
        new.loaded.insert(name("raw.shop__orders"), LoadState::default());
        new.sql.insert(sql.to_string());
        new.project.insert("perennial.yml".to_string(), format!("name: {number}").into_bytes());
        lake.publish(&lock, new).await.unwrap();
        lake.append_system("runs", &run, &rows(number, 1)).await.unwrap();
        lake.end_run(&lock, &run).await.unwrap();
    }
    (folder, lake)
}

/// Changes one bit of a file, verifies, and puts it back.
async fn flipped(lake: &Lake, path: &str) -> Vec<Finding> {
    let place = lake.folder().unwrap().join(path);
    let whole = std::fs::read(&place).unwrap();
    let mut bytes = whole.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&place, bytes).unwrap();
    let found = verify(lake).await;
    std::fs::write(&place, whole).unwrap();
    found.findings
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_changed_or_missing_is_found() {
    let (_folder, lake) = three_releases().await;
    let clean = verify(&lake).await;
    assert!(clean.findings.is_empty(), "{:?}", clean.findings);
    assert_eq!(clean.without_checksum, 0);
    // What holds nothing that anybody needs: locks, hints, and progress.
    let harmless = ["_perennial/lock", "_perennial/latest", "_perennial/delta.json"];
    let mut paths: Vec<String> = lake.list("").await.unwrap().into_iter().map(|(path, _)| path).collect();
    paths.retain(|path| !harmless.contains(&path.as_str()));
    assert!(paths.len() > 25, "{paths:?}");
    for path in &paths {
        // One bit of a log may be part of a number or name: only what keeps it from being read is found.
        if path.contains("_delta_log") {
            continue;
        }
        let found = flipped(&lake, path).await;
        assert_eq!(found.len(), 1, "{path}: {found:?}");
        assert_eq!(&found[0].damaged.path, path);
        assert!(!found[0].repair.is_empty());
        let place = lake.folder().unwrap().join(path);
        let kept = std::fs::read(&place).unwrap();
        std::fs::remove_file(&place).unwrap();
        let found = verify(&lake).await.findings;
        std::fs::write(&place, kept).unwrap();
        // What nothing names cannot be missed. Without the newest record the Delta logs are ahead as well.
        let is_at_the_end = path.ends_with("00000001.json") || path.ends_with("00000003.json");
        if !is_at_the_end && !path.starts_with("system/") {
            assert_eq!(found.iter().map(|f| f.damaged.clone()).collect::<Vec<_>>(), [Damaged::missing(path)], "{path}");
        }
    }
    assert!(verify(&lake).await.findings.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finding_says_which_releases_need_the_file_and_what_repairs_it() {
    let (_folder, lake) = three_releases().await;
    let first = lake.release(1).await.unwrap();
    let latest = lake.latest().await.unwrap().unwrap();
    let file = |release: &Release, table: &str| release.tables[&name(table)].files[0].path.clone();

    let found = &flipped(&lake, &file(&latest, "raw.shop__orders")).await[0];
    assert_eq!((found.part, found.releases.as_slice(), found.in_newest), (Part::Data, &[1, 2, 3][..], true));
    assert_eq!(found.table, Some(name("raw.shop__orders")));
    assert!(
        found.repair.contains("--full-refresh` reads the source again") && found.repair.contains("backup"),
        "{}",
        found.repair
    );

    let found = &flipped(&lake, &file(&latest, "marts.b")).await[0];
    assert_eq!(found.releases, [3]);
    let again = "`perennial run [PIPELINE] --full-refresh --select marts.b` makes the table again";
    assert!(found.repair.starts_with(again) && found.repair.contains("rollback 2"), "{}", found.repair);

    let found = &flipped(&lake, &file(&first, "marts.b")).await[0];
    assert_eq!((found.releases.as_slice(), found.in_newest), (&[1, 2][..], false));
    assert!(found.repair.starts_with("nothing"), "{}", found.repair);

    let sql = crate::objects::object_path(&digest(["SELECT 1 AS id"]));
    let found = &flipped(&lake, &sql).await[0];
    assert_eq!((found.part, found.releases.as_slice()), (Part::Definition, &[1, 2][..]));
    assert!(found.repair.starts_with("nothing: no figure"), "{}", found.repair);

    let found = &flipped(&lake, "_perennial/releases/00000003.json").await[0];
    assert_eq!((found.part, found.in_newest), (Part::Record, true));
    assert!(found.repair.contains("delete the record _perennial/releases/00000003.json"), "{}", found.repair);
    assert!(found.repair.contains("release 2 is the newest"), "{}", found.repair);

    let log = lake.folder().unwrap().join("marts/a/_delta_log");
    let commit = log.join("00000000000000000000.json");
    let kept = std::fs::read(&commit).unwrap();
    std::fs::write(&commit, "{").unwrap();
    let found = &verify(&lake).await.findings[0];
    assert_eq!((found.part, &*found.damaged.path), (Part::Delta, "marts/a/_delta_log"));
    // What it says helps.
    assert!(found.repair.starts_with("delete the folder marts/a/_delta_log and _perennial/delta.json"));
    std::fs::remove_dir_all(&log).unwrap();
    std::fs::remove_file(lake.folder().unwrap().join("_perennial/delta.json")).unwrap();
    let lock = lake.lock(holder("r4"), now()).await.unwrap();
    assert!(lake.repair(&lock).await.unwrap().delta_behind.is_none());
    assert_delta_follows(&lake, &latest).await;
    assert_ne!(std::fs::read(&commit).unwrap(), kept, "a new log");
}

/// Other rows, other files or no log at all: what is advised helps, also when nothing is published.
#[tokio::test(flavor = "multi_thread")]
async fn a_delta_log_that_differs_from_the_newest_release_is_found_and_made_again() {
    let (_folder, lake) = three_releases().await;
    let latest = lake.latest().await.unwrap().unwrap();
    let root = lake.folder().unwrap().to_path_buf();
    let log = root.join("marts/a/_delta_log");
    let newest = |folder: &std::path::Path| {
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        names.filter(|path| path.extension().is_some_and(|end| end == "json")).max().unwrap()
    };
    let edits: [&dyn Fn(String) -> String; 2] = [
        // `numRecords` of 30 rows.
        &|text| text.replacen(r#"numRecords\":30"#, r#"numRecords\":31"#, 1),
        &|text| text.lines().filter(|line| !line.starts_with(r#"{"remove""#)).map(|line| format!("{line}\n")).collect(),
    ];
    let lock = lake.lock(holder("r4"), now()).await.unwrap();
    for edit in edits {
        let commit = newest(&log);
        let text = std::fs::read_to_string(&commit).unwrap();
        let edited = edit(text.clone());
        assert_ne!(edited, text);
        std::fs::write(&commit, edited).unwrap();
        let found = verify(&lake).await.findings;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].part, found[0].damaged.damage), (Part::Delta, Damage::Differs));
        assert!(found[0].repair.starts_with("delete the folder marts/a/_delta_log and _perennial/delta.json"));
        std::fs::write(&commit, text).unwrap();
        assert!(verify(&lake).await.findings.is_empty());
    }
    std::fs::remove_dir_all(&log).unwrap();
    let found = verify(&lake).await.findings;
    assert_eq!((found.len(), found[0].damaged.clone()), (1, Damaged::missing("marts/a/_delta_log")));
    assert!(found[0].repair.starts_with("delete _perennial/delta.json"), "{}", found[0].repair);
    std::fs::remove_file(root.join("_perennial/delta.json")).unwrap();
    assert!(verify(&lake).await.findings.is_empty(), "the next run writes it");
    assert!(lake.repair(&lock).await.unwrap().delta_behind.is_none());
    assert_delta_follows(&lake, &latest).await;
    assert!(verify(&lake).await.findings.is_empty());
}

/// The newest record is damaged: after it is deleted the release before is the newest, and a run goes on. The number is
/// not given again, and Delta logs do not keep what only the lost release had.
#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_damaged_newest_record_returns_to_the_release_before() {
    let (_folder, lake) = three_releases().await;
    let path = lake.folder().unwrap().join("_perennial/releases/00000003.json");
    std::fs::write(&path, b"").unwrap();
    let lake = Lake::open(&lake.location()).await.unwrap();
    let error = lake.latest().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Data);
    std::fs::remove_file(&path).unwrap();
    let before = lake.latest().await.unwrap().unwrap();
    assert_eq!(before.number, 2);
    let found = verify(&lake).await.findings;
    let lost = found.iter().find(|finding| finding.part == Part::Record).unwrap();
    assert_eq!((&lost.damaged, lost.in_newest), (&Damaged::missing("_perennial/releases/00000003.json"), true));
    assert!(lost.repair.starts_with("release 3 was published, but readers see release 2 now"), "{}", lost.repair);
    assert!(found.iter().any(|finding| finding.damaged.path == "marts/b/_delta_log"), "{found:?}");
    let lock = lake.lock(holder("r4"), now()).await.unwrap();
    lake.repair(&lock).await.unwrap();
    let a = table(&lake, "marts.a", "r4", &rows(1, 7)).await;
    let b = before.tables[&name("marts.b")].clone();
    let raw = before.tables[&name("raw.shop__orders")].clone();
    let new = new_release("r4", [("marts.a", a), ("marts.b", b), ("raw.shop__orders", raw)]);
    let published = lake.publish(&lock, new).await.unwrap();
    assert_eq!(published.release.number, 4);
    assert!(published.delta_behind.is_none(), "{:?}", published.delta_behind);
    assert_delta_follows(&lake, &published.release).await;
    let found = verify(&lake).await.findings;
    assert_eq!((found.len(), found[0].releases.as_slice(), found[0].in_newest), (1, &[3][..], false), "{found:?}");
    assert!(found[0].repair.starts_with("nothing"), "{}", found[0].repair);
}
