//! Releases are removed by the rule, with everything that only they need and nothing else.

use super::*;
use crate::named::Named;
use crate::tests::faults::{FailingStore, Fault};
use jiff::SignedDuration;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// The time of a night: far ahead, so that every file is older than it.
pub(super) fn at(night: i64) -> jiff::Timestamp {
    timestamp("2100-01-01T02:00:00Z") + SignedDuration::from_hours(24 * night)
}

fn run_id(night: i64) -> String {
    format!("{}-0000", at(night).strftime("%Y%m%dT%H%M%SZ"))
}

pub(super) fn rule(days: u32, months: u32) -> Retention {
    Retention {
        days,
        months,
        min_releases: 1,
        needed: BTreeSet::new(),
        outbox_from: jiff::civil::date(2026, 3, 1),
        grace: SignedDuration::ZERO,
        zone: jiff::tz::TimeZone::UTC,
    }
}

/// A night: a table that grows by a file, one that is replaced, one that stays, with their SQL and what was read.
pub(super) async fn night(lake: &Lake, night: i64) -> Result<Release> {
    let run_id = run_id(night);
    let lock = lake.lock(holder(&run_id), at(night)).await?;
    for killed in lake.repair(&lock).await?.killed {
        lake.end_run(&lock, &killed.holder.run_id).await?;
    }
    lake.begin_run(&lock, at(night), &serde_json::Value::Null).await?;
    let before = lake.latest().await?;
    let old = |table: &str| before.as_ref().and_then(|release| release.tables.get(&name(table)).cloned());
    let mut raw = try_table(lake, "raw.a", &run_id, &rows(night, 1)).await?;
    let sql = format!("SELECT {}", night % 3);
    let definition = perennial_core::digest::digest([&sql]);
    let mart = try_table(lake, "marts.b", &run_id, &rows(night, 5)).await?;
    let mart = TableVersion { definition: Some(format!("3:{definition}")), ..mart };
    let same = match old("core.c") {
        Some(same) => same,
        None => try_table(lake, "core.c", &run_id, &rows(1, 3)).await?,
    };
    raw.files.splice(0..0, old("raw.a").map(|old| old.files).unwrap_or_default());
    let mut new = new_release(&run_id, [("raw.a", raw), ("marts.b", mart), ("core.c", same)]);
    // For some nights there is another table.
    if (3..7).contains(&(night % 20)) {
        let brief = try_table(lake, "marts.brief", &run_id, &rows(night, 2)).await?;
        new.tables.insert(name("marts.brief"), brief);
    }
    new.published_at = at(night);
    new.sql.insert(sql);
    new.project.insert("perennial.yml".to_string(), format!("name: {}", night / 7).into_bytes());
    let loaded = LoadedFile { rows: 1, run_id: run_id.clone(), ..LoadedFile::default() };
    let files = (0..70 + night).map(|number| (format!("{number}.csv"), loaded.clone())).collect();
    new.loaded.insert(name("raw.a"), LoadState { files, ..LoadState::default() });
    let view = ViewVersion { sql: format!("SELECT {night}"), as_of: None, definition: None, reads: BTreeSet::new() };
    new.views.push((name("staging.v"), view));
    let published = lake.publish(&lock, new).await?;
    lake.end_run(&lock, &run_id).await?;
    match published.delta_behind {
        Some(error) => Err(error),
        None => Ok(published.release),
    }
}

pub(super) async fn try_vacuum(lake: &Lake, rule: &Retention, now: jiff::Timestamp) -> Result<Vacuum> {
    let lock = lake.lock(holder("vacuum"), now).await?;
    for killed in lake.repair(&lock).await?.killed {
        lake.end_run(&lock, &killed.holder.run_id).await?;
    }
    let vacuum = lake.vacuum(&lock, rule, now).await?;
    lock.release().await?;
    lake.delete_waste(&vacuum).await?;
    Ok(vacuum)
}

async fn numbers(lake: &Lake) -> Vec<u64> {
    lake.release_numbers().await.unwrap()
}

/// Every release that there is can be read as it was published, and verify finds nothing.
async fn assert_whole(lake: &Lake) {
    let lake = Lake::open(&lake.location()).await.unwrap();
    // Deletions that a vacuum had begun when it failed go on for a moment, as they would in a process that is not killed.
    let mut releases = lake.releases().await;
    for _ in 0..20 {
        if releases.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        releases = lake.releases().await;
    }
    for release in releases.unwrap() {
        assert_complete(&lake, &release).await;
        lake.project_files(&release).await.unwrap();
    }
    let found = lake.verify(&|_| {}).await.unwrap();
    assert!(found.findings.is_empty(), "{:?}", found.findings);
}

/// What is in the lake is what its releases need, counted by reading them.
pub(super) async fn assert_nothing_else(lake: &Lake) {
    let mut data = BTreeSet::new();
    let mut named = Named::default();
    for number in numbers(lake).await {
        let path = format!("_perennial/releases/{number:08}.json");
        let text = lake.read(&path).await.unwrap().unwrap();
        named.add_record(&path, number, &text).unwrap();
        let release = lake.find_release(number).await.unwrap().unwrap();
        data.extend(release.tables.values().flat_map(|table| &table.files).map(|file| file.path.clone()));
    }
    named.follow_all(lake).await.unwrap();
    let there = lake.list("").await.unwrap();
    let found = |keep: &dyn Fn(&str) -> bool| -> BTreeSet<String> {
        there.iter().map(|(path, _)| path.clone()).filter(|path| keep(path)).collect()
    };
    let is_data = |path: &str| path.ends_with(".parquet") && !path.contains("_delta_log");
    assert_eq!(found(&is_data), data);
    let objects: BTreeSet<String> = named.objects.keys().map(|hash| objects::object_path(hash)).collect();
    assert_eq!(found(&|path| path.starts_with("_perennial/objects/")), objects);
    assert!(found(&|path| path.starts_with("_perennial/removed/")).is_empty());
    let logs = found(&|path| path.contains("/_delta_log/"));
    let with_log = logs.iter().map(|path| path.split("/_delta_log").next().unwrap().replace('/', "."));
    assert_eq!(with_log.map(|table| name(&table)).collect::<BTreeSet<_>>(), named.tables);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rule_keeps_stays_and_everything_else_goes() {
    let (_folder, lake) = new_lake().await;
    let mut last = None;
    for number in 1..=50 {
        last = Some(night(&lake, number).await.unwrap());
    }
    let before = lake.list("").await.unwrap().len();
    // Night n is on day n + 1 of the year: release 30 of 31 January, 50 of 20 February.
    let rule = Retention { needed: [7].into(), ..rule(3, 2) };
    let planned = lake.plan_vacuum(&rule, at(50)).await.unwrap();
    assert_eq!(lake.list("").await.unwrap().len(), before, "a plan changes nothing");
    let done = try_vacuum(&lake, &rule, at(50)).await.unwrap();
    assert_eq!((&planned.releases, planned.total()), (&done.releases, done.total()));
    assert_eq!(numbers(&lake).await, [7, 30, 48, 49, 50]);
    assert_eq!((done.releases.len(), done.kept.len()), (45, 5));
    assert_eq!((done.releases[0].number, done.releases[0].published_at), (1, at(1)));
    // Of the mart that is replaced every night 45 files; the grown table needs all of its. The brief one was there three
    // times for four nights: its 12 files go and its log, of which 15 commits (12 nights, three removals) but the ten
    // before the checkpoint have expired, the checkpoint and the file that names it.
    assert_eq!(done.tables[&name("marts.b")].now.files, 45);
    assert!(!done.tables.contains_key(&name("raw.a")) && !done.tables.contains_key(&name("core.c")));
    assert_eq!(done.tables[&name("marts.brief")].now.files, 12 + 5 + 2);
    assert!(lake.list("marts/brief").await.unwrap().is_empty());
    assert_eq!((done.total().later, done.later_from), (Waste::default(), None));
    assert_whole(&lake).await;
    assert_nothing_else(&lake).await;
    assert_delta_follows(&lake, &last.unwrap()).await;

    // What was removed says so, and numbers go on.
    let error = lake.release(8).await.unwrap_err();
    assert_eq!(error.to_string(), "release 8 was removed on 2100-02-20 by `keep`");
    assert_eq!(error.hint_text(), Some("there are releases 7, 30, 48 to 50"));
    assert_eq!(error.kind(), Kind::Project);
    assert!(lake.find_release(8).await.unwrap().is_none());
    assert_eq!(lake.release(51).await.unwrap_err().kind(), Kind::Project);
    let lock = lake.lock(holder("rollback"), at(51)).await.unwrap();
    assert!(lake.rollback(&lock, 8, &run_id(51), at(51)).await.is_err());
    lake.rollback(&lock, 7, &run_id(51), at(51)).await.unwrap();
    drop(lock);
    assert_eq!(night(&lake, 52).await.unwrap().number, 52);
    assert_whole(&lake).await;

    // Nothing is left to do the same night, and without a lake nothing at all.
    try_vacuum(&lake, &rule, at(52)).await.unwrap();
    let again = try_vacuum(&lake, &rule, at(52)).await.unwrap();
    assert_eq!((again.releases.len(), again.total()), (0, TableWaste::default()));
    let (_folder, empty) = new_lake().await;
    assert!(try_vacuum(&empty, &rule, at(1)).await.unwrap().releases.is_empty());
}

/// A reader who has opened a release goes on reading when it is removed.
#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_removed_release_stay_until_the_grace_period_is_over() {
    let (_folder, lake) = new_lake().await;
    for number in 1..=6 {
        night(&lake, number).await.unwrap();
    }
    let reader = Lake::open(&lake.location()).await.unwrap().release(2).await.unwrap();
    let rule = Retention { grace: SignedDuration::from_hours(24), ..rule(1, 0) };
    let hours = |hours: i64| at(6) + SignedDuration::from_hours(hours);
    // Release 5 was the newest until release 6 came two hours ago.
    let first = try_vacuum(&lake, &rule, hours(2)).await.unwrap();
    assert_eq!(numbers(&lake).await, [5, 6]);
    assert_eq!(first.tables[&name("marts.b")], TableWaste { now: Waste::default(), ..first.tables[&name("marts.b")] });
    assert_eq!((first.tables[&name("marts.b")].later.files, first.later_from), (4, Some(hours(26))));
    assert!(lake.release(2).await.unwrap_err().to_string().contains("was removed on 2100-01-07 by `keep`"));
    assert_complete(&lake, &reader).await;
    assert_whole(&lake).await;
    // Shortly before it is over, and when it is.
    let second = try_vacuum(&lake, &rule, hours(25)).await.unwrap();
    assert_eq!((numbers(&lake).await, second.later_from), (vec![6], Some(hours(49))));
    assert_complete(&lake, &reader).await;
    let third = try_vacuum(&lake, &rule, hours(26)).await.unwrap();
    assert_eq!(third.tables[&name("marts.b")].now.files, 4);
    assert!(lake.release(2).await.unwrap_err().to_string().contains("was removed on 2100-01-07 by `keep`"));
    // The fifth was removed later.
    assert_eq!(third.tables[&name("marts.b")].later.files, 1);
    try_vacuum(&lake, &rule, hours(49)).await.unwrap();
    assert_whole(&lake).await;
    assert_nothing_else(&lake).await;
}

/// The process dies, or the store fails, at each operation in turn: no release that is kept loses anything, and the next
/// vacuum completes what was begun.
#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_that_is_interrupted_anywhere_is_completed_by_the_next() {
    for (fault, step) in [(Fault::Gone, 1), (Fault::Once, 4), (Fault::ResponseLost, 4)] {
        let mut operations = 0;
        loop {
            let (_folder, lake) = new_lake().await;
            for number in 1..=9 {
                night(&lake, number).await.unwrap();
            }
            let place = std::path::PathBuf::from(lake.location());
            let store = FailingStore::new(fault, operations);
            let failing = Lake::in_folder_through(place, store.clone()).unwrap();
            let interrupted = try_vacuum(&failing, &rule(2, 0), at(9)).await;
            drop(failing);
            // Nothing that stays is damaged, and what is gone is known to be.
            let lake = Lake::open(&lake.location()).await.unwrap();
            assert_whole(&lake).await;
            let there = numbers(&lake).await;
            assert!(there.ends_with(&[8, 9]), "{there:?}");
            // A night comes first, or the next vacuum.
            let (next, last) = [(9, 9), (10, 10), (23, 10)][operations as usize % 3];
            if next > 9 {
                // In night 23 there is a table again that was gone.
                let release = night(&lake, next).await.unwrap();
                assert_delta_follows(&lake, &release).await;
            }
            try_vacuum(&lake, &Retention { min_releases: 2, ..rule(2, 0) }, at(next)).await.unwrap();
            assert_eq!(numbers(&lake).await, [last - 1, last]);
            assert_whole(&lake).await;
            assert_nothing_else(&lake).await;
            assert_delta_follows(&lake, &lake.latest().await.unwrap().unwrap()).await;
            if interrupted.is_ok() && store.left() > 0 {
                break;
            }
            operations += step;
        }
        assert!(operations > 20, "{operations}");
    }
}

/// Nights, vacuums under other rules, kills of both.
#[tokio::test(flavor = "multi_thread")]
async fn no_history_of_nights_and_vacuums_loses_what_is_kept() {
    let (_folder, lake) = new_lake().await;
    let place = std::path::PathBuf::from(lake.location());
    let mut random = StdRng::seed_from_u64(7);
    let mut ids: BTreeMap<u64, String> = BTreeMap::new();
    for number in 1..=60 {
        let killed_after = if random.random_bool(0.3) { random.random_range(1..150) } else { i64::MAX };
        let opened = Lake::in_folder_through(place.clone(), FailingStore::new(Fault::Gone, killed_after)).unwrap();
        night(&opened, number).await.ok();
        let killed_after = if random.random_bool(0.3) { random.random_range(1..200) } else { i64::MAX };
        let opened = Lake::in_folder_through(place.clone(), FailingStore::new(Fault::Gone, killed_after)).unwrap();
        let rule = Retention {
            grace: SignedDuration::from_hours(random.random_range(0..3) * 20),
            min_releases: random.random_range(0..3),
            needed: [random.random_range(1..40)].into(),
            ..rule(random.random_range(0..6), random.random_range(0..3))
        };
        try_vacuum(&opened, &rule, at(number)).await.ok();
        assert_whole(&lake).await;
        // A number means the same release for ever.
        for release in lake.releases().await.unwrap() {
            let known = ids.entry(release.number).or_insert_with(|| release.run_id.clone());
            assert_eq!(*known, release.run_id);
        }
    }
    night(&lake, 61).await.unwrap();
    for hours in [0, 2, 48] {
        let now = at(61) + SignedDuration::from_hours(hours);
        try_vacuum(&lake, &Retention { grace: SignedDuration::from_hours(1), ..rule(0, 0) }, now).await.unwrap();
    }
    assert_eq!(numbers(&lake).await.len(), 1);
    assert_nothing_else(&lake).await;
    assert_delta_follows(&lake, &lake.latest().await.unwrap().unwrap()).await;
}

/// Files of other programs, of runs in progress and of journals are not waste; what killed processes left is.
#[tokio::test(flavor = "multi_thread")]
async fn only_what_nobody_needs_is_waste() {
    let (_folder, lake) = new_lake().await;
    for number in 1..=3 {
        night(&lake, number).await.unwrap();
    }
    let folder = lake.folder().unwrap().to_path_buf();
    let foreign = ["marts/b/part-00000-1a2b.c000.snappy.parquet", "marts/b/notes.txt", "notes/read me.parquet"];
    for path in foreign {
        std::fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
        std::fs::write(folder.join(path), "x").unwrap();
    }
    // Of runs that are gone: rows that nobody released, an object, a commit that was being written.
    let orphan = table(&lake, "marts.b", &run_id(4), &rows(1, 1)).await.files[0].path.clone();
    let mut new = objects::NewObjects::default();
    new.add("nobody's");
    let object = lake.put_objects(new).await.unwrap()[0].clone();
    let temporary = "marts/b/_delta_log/00000000000000000009.json.tmp";
    std::fs::write(folder.join(temporary), "x").unwrap();
    let messages = ["2026-02/a/1-queued.json", "2026-02/a/2-sent.json", "2026-03/b/1-queued.json", "pages/both.json"];
    for message in messages {
        lake.put_state(StateFolder::Outbox, message, "{}").await.unwrap();
    }
    // What a failed run had finished, and what a run writes that is in progress.
    let finished = table(&lake, "marts.b", &run_id(5), &rows(1, 1)).await;
    lake.begin_journal(&run_id(5), &serde_json::json!({})).await.unwrap();
    lake.add_to_journal(&run_id(5), &name("marts.b"), &finished, None).await.unwrap();
    let lake = Lake::open(&lake.location()).await.unwrap();
    let lock = lake.lock(holder(&run_id(6)), at(6)).await.unwrap();
    lake.begin_run(&lock, at(6), &serde_json::Value::Null).await.unwrap();
    let written = table(&lake, "marts.b", &run_id(6), &rows(1, 1)).await.files[0].path.clone();

    let there = |path: &str| folder.join(path).exists();
    let vacuum = lake.vacuum(&lock, &rule(9, 0), at(6)).await.unwrap();
    lake.delete_waste(&vacuum).await.unwrap();
    assert!(there(&finished.files[0].path) && there(&written) && there(&object) && there(temporary));
    assert!(!there(&orphan));
    lake.end_run(&lock, &run_id(6)).await.unwrap();
    let vacuum = lake.vacuum(&lock, &rule(9, 0), at(6)).await.unwrap();
    assert_eq!(vacuum.total().now.files, 2);
    assert_eq!(lake.state_names(StateFolder::Outbox).await.unwrap(), messages[2..]);
    assert!(!there(&object) && !there(temporary) && there(&finished.files[0].path));
    // What is younger than the grace period may be of a process that nobody knows of.
    let mut new = objects::NewObjects::default();
    new.add("nobody's");
    lake.put_objects(new).await.unwrap();
    let grace = SignedDuration::from_hours(24 * 365 * 200);
    lake.vacuum(&lock, &Retention { grace, ..rule(9, 0) }, at(6)).await.unwrap();
    assert!(there(&object));
    assert!(foreign.iter().all(|path| there(path)));
    assert_whole(&lake).await;
}

/// What a damaged release needs is not known, so that nothing is removed as long as it is to be kept.
#[tokio::test(flavor = "multi_thread")]
async fn damage_in_a_kept_release_stops_a_vacuum() {
    let (_folder, lake) = new_lake().await;
    for number in 1..=4 {
        night(&lake, number).await.unwrap();
    }
    let record: serde_json::Value =
        serde_json::from_slice(&lake.read("_perennial/releases/00000003.json").await.unwrap().unwrap()).unwrap();
    let hash = record["release"]["tables"]["marts.b"]["manifest"].as_str().unwrap();
    std::fs::write(lake.folder().unwrap().join(objects::object_path(hash)), "{}").unwrap();
    let lake = Lake::open(&lake.location()).await.unwrap();
    let files = lake.list("").await.unwrap();
    let error = try_vacuum(&lake, &rule(2, 0), at(4)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Data);
    assert!(error.to_string().contains(hash), "{error}");
    assert_eq!(lake.list("").await.unwrap(), files);
    // One that goes anyway stops nothing.
    try_vacuum(&lake, &rule(1, 0), at(4)).await.unwrap();
    assert_eq!(numbers(&lake).await, [4]);
    assert_whole(&lake).await;

    night(&lake, 5).await.unwrap();
    std::fs::write(lake.folder().unwrap().join("_perennial/releases/00000004.json"), "{").unwrap();
    let error = Lake::open(&lake.location()).await.unwrap().plan_vacuum(&rule(1, 0), at(5)).await.unwrap_err();
    assert!(error.hint_text().is_some_and(|hint| hint.contains("put its record back")), "{error:?}");
}

/// The list of removed releases is damaged: verify says so, and what it said counts as lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_list_of_removed_releases_is_found() {
    let (_folder, lake) = new_lake().await;
    for number in 1..=5 {
        night(&lake, number).await.unwrap();
    }
    try_vacuum(&lake, &Retention { needed: [1].into(), ..rule(2, 0) }, at(5)).await.unwrap();
    assert_eq!(numbers(&lake).await, [1, 4, 5]);
    assert_whole(&lake).await;
    std::fs::write(lake.folder().unwrap().join("_perennial/removed.json"), "{").unwrap();
    let found = lake.verify(&|_| {}).await.unwrap();
    let parts: Vec<Part> = found.findings.iter().map(|finding| finding.part).collect();
    assert_eq!(parts, [Part::Record, Part::Record, Part::Removed]);
    assert_eq!(lake.release(2).await.unwrap_err().kind(), Kind::Data);
}

/// What a process has read before another one removed it is not taken to be there.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_began_to_read_before_a_vacuum_publishes_what_is_there() {
    let (_folder, lake) = new_lake().await;
    // The SQL of night n is that of n + 3.
    night(&lake, 1).await.unwrap();
    let slow = Lake::open(&lake.location()).await.unwrap();
    slow.latest().await.unwrap();
    night(&lake, 2).await.unwrap();
    night(&lake, 3).await.unwrap();
    try_vacuum(&lake, &rule(1, 0), at(3)).await.unwrap();
    night(&slow, 4).await.unwrap();
    assert_whole(&lake).await;
}
