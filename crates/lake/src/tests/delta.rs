//! The content of Delta logs, and reading logs that other programs wrote.

use super::*;
use crate::delta::CommitOutcome;
use object_store::memory::InMemory;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use serde_json::{Value, json};
use url::Url;

fn log_path(lake: &Lake, table: &str, file: &str) -> std::path::PathBuf {
    lake.folder().unwrap().join(table.replace('.', "/")).join("_delta_log").join(file)
}

/// The actions of a commit.
fn commit(lake: &Lake, table: &str, version: u64) -> Vec<Value> {
    let text = std::fs::read_to_string(log_path(lake, table, &format!("{version:020}.json"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Replaces the lines of a log's first commit.
fn write_log(lake: &Lake, table: &str, lines: &[Value]) {
    let path = log_path(lake, table, "00000000000000000000.json");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_have_the_actions_that_the_protocol_requires() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let first = table(&lake, "marts.a", "r1", &rows(1, 10)).await;
    lake.publish(&lock, new_release("r1", [("marts.a", first.clone())])).await.unwrap();
    let second = table(&lake, "marts.a", "r2", &rows(1, 20)).await;
    lake.publish(&lock, new_release("r2", [("marts.a", second.clone())])).await.unwrap();

    // Milliseconds since 1970 of 2026-11-22T04:15:00Z.
    let now = 1_795_320_900_000_i64;
    let file = |version: &TableVersion| version.files[0].path.strip_prefix("marts/a/").unwrap().to_string();
    let mut created = commit(&lake, "marts.a", 0);
    let metadata = created[3]["metaData"].take();
    let engine = format!("perennial/{}", env!("CARGO_PKG_VERSION"));
    let expected = [
        json!({"commitInfo": {
            "timestamp": now, "operation": "CREATE TABLE", "operationParameters": {}, "engineInfo": engine,
            "perennial.run": "r1",
        }}),
        json!({"txn": {"appId": "perennial", "version": 1, "lastUpdated": now}}),
        json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
        json!({"metaData": null}),
        json!({"add": {
            "path": file(&first), "partitionValues": {}, "size": first.files[0].bytes, "modificationTime": now,
            "dataChange": true,
            "stats": created[4]["add"]["stats"],
        }}),
    ];
    assert_eq!(created, expected);
    let stats: Value = serde_json::from_str(created[4]["add"]["stats"].as_str().unwrap()).unwrap();
    assert_eq!((&stats["numRecords"], &stats["maxValues"]), (&json!(10), &json!({"id": 10})));
    let id = metadata["id"].as_str().unwrap();
    let lengths: Vec<usize> = id.split('-').map(str::len).collect();
    assert!(lengths == [8, 4, 4, 4, 12] && id.replace('-', "").bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    let schema: Value = serde_json::from_str(metadata["schemaString"].as_str().unwrap()).unwrap();
    let column = |name: &str, of: &str| json!({"name": name, "type": of, "nullable": true, "metadata": {}});
    assert_eq!(schema, json!({"type": "struct", "fields": [column("id", "long"), column("text", "string")]}));
    let expected = json!({
        "id": id, "name": "marts.a", "format": {"provider": "parquet", "options": {}},
        "schemaString": metadata["schemaString"], "partitionColumns": [],
        "configuration": {"delta.dataSkippingStatsColumns": "`id`"}, "createdTime": now,
    });
    assert_eq!(metadata, expected);

    let replaced = commit(&lake, "marts.a", 1);
    assert_eq!(replaced[0]["commitInfo"]["operationParameters"], json!({"mode": "Overwrite"}));
    assert_eq!(replaced[1]["txn"]["version"], 2);
    assert_eq!(replaced[2]["add"]["path"], json!(file(&second)));
    let remove = json!({"remove": {
        "path": file(&first), "deletionTimestamp": now, "dataChange": true, "extendedFileMetadata": true,
        "partitionValues": {}, "size": first.files[0].bytes,
    }});
    assert_eq!(replaced[3..], [remove]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_schema_keeps_the_identifier_and_raises_the_protocol_if_necessary() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let a = table(&lake, "marts.a", "r1", &rows(1, 1)).await;
    lake.publish(&lock, new_release("r1", [("marts.a", a)])).await.unwrap();
    let local: ArrayRef = Arc::new(arrow::array::TimestampMicrosecondArray::from(vec![1]));
    let a = table(&lake, "marts.a", "r2", &RecordBatch::try_from_iter([("local", local)]).unwrap()).await;
    lake.publish(&lock, new_release("r2", [("marts.a", a)])).await.unwrap();
    let a = table(&lake, "marts.a", "r3", &rows(1, 1)).await;
    lake.publish(&lock, new_release("r3", [("marts.a", a)])).await.unwrap();
    let (first, second, third) =
        (commit(&lake, "marts.a", 0), commit(&lake, "marts.a", 1), commit(&lake, "marts.a", 2));
    let protocol = json!({"protocol": {
        "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["timestampNtz"],
        "writerFeatures": ["appendOnly", "invariants", "timestampNtz"],
    }});
    assert_eq!(second[2], protocol);
    assert_eq!(second[3]["metaData"]["id"], first[3]["metaData"]["id"]);
    let schema = second[3]["metaData"]["schemaString"].as_str().unwrap();
    assert!(schema.contains(r#""timestamp_ntz""#), "{schema}");
    // The protocol is never lowered.
    assert!(third.iter().all(|action| action.get("protocol").is_none()));
    assert_eq!(third[2]["metaData"]["schemaString"], first[3]["metaData"]["schemaString"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_has_the_state_of_the_commits() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r0"), now()).await.unwrap();
    let mut grown = table(&lake, "marts.a", "r0", &rows(1, 1)).await;
    for number in 0..=10 {
        let run_id = format!("r{number}");
        let files = table(&lake, "marts.a", &run_id, &rows(number, 2)).await.files;
        if number % 4 == 0 {
            grown.files.clear();
        }
        grown.files.extend(files);
        lake.publish(&lock, new_release(&run_id, [("marts.a", grown.clone())])).await.unwrap();
    }
    let text = std::fs::read(log_path(&lake, "marts.a", "_last_checkpoint")).unwrap();
    let last: Value = serde_json::from_slice(&text).unwrap();
    let size = std::fs::metadata(log_path(&lake, "marts.a", "00000000000000000010.checkpoint.parquet")).unwrap().len();
    // Protocol, metadata, a transaction, 3 files of releases 8 to 10 and 8 that were removed.
    assert_eq!(last, json!({"version": 10, "size": 14, "sizeInBytes": size, "numOfAddFiles": 3}));
    let with = delta_snapshot(&lake, "marts.a").await.unwrap();
    assert_eq!((with.version, with.checkpoint), (10, Some(10)));
    std::fs::remove_file(log_path(&lake, "marts.a", "00000000000000000010.checkpoint.parquet")).unwrap();
    // `_last_checkpoint` names a file that does not exist: the commits are read instead.
    let mut without = delta_snapshot(&lake, "marts.a").await.unwrap();
    assert_eq!((without.version, without.checkpoint), (10, None));
    // Actions in a checkpoint never change data.
    without.contents.files.values_mut().for_each(|file| file.data_change = false);
    without.contents.tombstones.values_mut().for_each(|file| file.data_change = false);
    assert_eq!(with.contents, without.contents);
    assert_eq!((with.protocol, with.metadata), (without.protocol, without.metadata));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_changes_no_file_makes_no_commit() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let a = table(&lake, "marts.a", "r1", &rows(1, 1)).await;
    lake.publish(&lock, new_release("r1", [("marts.a", a.clone())])).await.unwrap();
    let same_files = TableVersion { fingerprint: "another".to_string(), ..a };
    let second = lake.publish(&lock, new_release("r2", [("marts.a", same_files)])).await.unwrap().release;
    assert_eq!(second.tables[&name("marts.a")].changed_in, 1, "the same rows");
    assert_eq!(delta_version(&lake, "marts.a").await, 0);
}

/// Several processes bring the same log to the same release: only one commit is made.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_writers_one_commits() {
    // A slow store, so that the writers get in each other's way.
    let wait = std::time::Duration::from_millis(1);
    let config = ThrottleConfig {
        wait_get_per_call: wait,
        wait_list_per_call: wait,
        wait_put_per_call: wait,
        ..ThrottleConfig::default()
    };
    let store = Arc::new(ThrottledStore::new(InMemory::new(), config));
    let lake = || {
        let url = Url::parse("s3://memory/lake/").unwrap();
        Lake::with_store(url, store.clone(), object_store::path::Path::from("lake"))
    };
    let first = lake();
    let lock = first.lock(holder("r1"), now()).await.unwrap();
    let a = table(&first, "marts.a", "r1", &rows(1, 3)).await;
    let release = first.publish(&lock, new_release("r1", [("marts.a", a)])).await.unwrap().release;
    for number in 2..=12 {
        let run_id = format!("r{number}");
        let a = table(&first, "marts.a", &run_id, &rows(1, number as i64)).await;
        let mut next = release.clone();
        next.number = number;
        next.tables.insert(name("marts.a"), TableVersion { changed_in: number, ..a });
        let lakes: Vec<Lake> = (0..6).map(|_| lake()).collect();
        let updates = lakes.iter().map(|lake| lake.update_delta_logs(&next));
        for updated in futures::future::join_all(updates).await {
            updated.unwrap();
        }
        assert_eq!(delta_version(&first, "marts.a").await, number - 1);
        assert_delta_follows(&first, &next).await;
    }
    let name = name("marts.a");
    let log = DeltaLog::new(&first, &name).unwrap();
    assert_eq!(log.commit(11, &[]).await.unwrap(), CommitOutcome::Conflict);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsupported_log_is_an_error_that_names_the_feature() {
    let metadata = json!({"metaData": {
        "id": "x", "format": {"provider": "parquet", "options": {}}, "schemaString": r#"{"type":"struct","fields":[]}"#,
        "partitionColumns": [], "configuration": {},
    }});
    let with = |key: &str, value: Value| {
        let mut metadata = metadata.clone();
        metadata["metaData"][key] = value;
        metadata
    };
    let plain = json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}});
    let features = |reader: &[&str], writer: &[&str]| {
        json!({"protocol": {
            "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": reader, "writerFeatures": writer,
        }})
    };
    let file = json!({"add": {
        "path": "x", "partitionValues": {}, "size": 1, "modificationTime": 1, "dataChange": true,
        "deletionVector": {"storageType": "u", "pathOrInlineDv": "x", "sizeInBytes": 1, "cardinality": 1},
    }});
    let cases = [
        ("feature `deletionVectors`", vec![features(&["deletionVectors"], &["deletionVectors"]), metadata.clone()]),
        ("feature `rowTracking`", vec![features(&[], &["appendOnly", "rowTracking"]), metadata.clone()]),
        (
            "reader version 4",
            vec![json!({"protocol": {"minReaderVersion": 4, "minWriterVersion": 7}}), metadata.clone()],
        ),
        (
            "writer version 4",
            vec![json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 4}}), metadata.clone()],
        ),
        ("deletion vectors", vec![plain.clone(), metadata.clone(), file]),
        (
            "column mapping by name",
            vec![plain.clone(), with("configuration", json!({"delta.columnMapping.mode": "name"}))],
        ),
        ("`delta.appendOnly`", vec![plain.clone(), with("configuration", json!({"delta.appendOnly": "true"}))]),
        ("partition columns", vec![plain.clone(), with("partitionColumns", json!(["day"]))]),
    ];
    for (what, lines) in cases {
        let (_folder, lake) = new_lake().await;
        write_log(&lake, "marts.a", &lines);
        let lock = lake.lock(holder("r1"), now()).await.unwrap();
        let a = table(&lake, "marts.a", "r1", &rows(1, 1)).await;
        let b = table(&lake, "marts.b", "r1", &rows(1, 1)).await;
        let published = lake.publish(&lock, new_release("r1", [("marts.a", a), ("marts.b", b)])).await.unwrap();
        let error = published.delta_behind.unwrap();
        let wanted = format!("the Delta log of marts.a has {what}, which perennial does not support");
        assert_eq!((error.kind(), error.message()), (Kind::Project, wanted.as_str()));
        let hint = error.hint_text().unwrap();
        assert!(hint.contains("delete the folder marts/a/_delta_log and the file _perennial/delta.json"), "{hint}");
        // Other tables are not affected, and the hint helps.
        assert_eq!(delta_version(&lake, "marts.b").await, 0);
        std::fs::remove_dir_all(log_path(&lake, "marts.a", "")).unwrap();
        std::fs::remove_file(lake.folder().unwrap().join("_perennial/delta.json")).ok();
        let repairs = lake.repair(&lock).await.unwrap();
        assert!(repairs.delta_behind.is_none(), "{:?}", repairs.delta_behind);
        assert_delta_follows(&lake, &published.release).await;
    }
}

/// The protocol requires it.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_actions_and_fields_are_ignored() {
    let (_folder, lake) = new_lake().await;
    let lines = [
        json!({"commitInfo": {"operation": "WRITE", "anything": [1]}}),
        json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2, "other": 1}}),
        json!({"metaData": {
            "id": "x", "name": null, "format": {"provider": "parquet"}, "schemaString": "{}", "partitionColumns": [],
            "configuration": {"delta.columnMapping.mode": "none"}, "other": 1,
        }}),
        json!({"cdc": {"path": "c", "partitionValues": {}, "size": 1, "dataChange": false}}),
        json!({"somethingNew": {"a": 1}}),
        json!({"add": {
            "path": "a%20b%2Bc.parquet", "partitionValues": {}, "size": 7, "modificationTime": 1, "dataChange": true,
            "tags": null, "deletionVector": null, "baseRowId": null, "clusteringProvider": null,
        }}),
        json!({"remove": {"path": "gone.parquet", "dataChange": true}}),
        json!({"txn": {"appId": "other", "version": 7}}),
    ];
    write_log(&lake, "marts.a", &lines);
    for name in ["00000000000000000000.crc", "00000000000000000000.00000000000000000003.compacted.json", "x.tmp"] {
        std::fs::write(log_path(&lake, "marts.a", name), "x").unwrap();
    }
    let found = delta_snapshot(&lake, "marts.a").await.unwrap();
    assert_eq!(
        (found.version, found.transaction_version("other"), found.transaction_version("perennial")),
        (0, Some(7), None)
    );
    assert_eq!(found.contents.tombstones.keys().collect::<Vec<_>>(), ["gone.parquet"]);
    // The log already has the release's file: paths are decoded before they are compared.
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let mut a = table(&lake, "marts.a", "r1", &rows(1, 1)).await;
    let renamed = "marts/a/a b+c.parquet";
    let folder = lake.folder().unwrap();
    std::fs::rename(folder.join(&a.files[0].path), folder.join(renamed)).unwrap();
    a.files[0].path = renamed.to_string();
    let published = lake.publish(&lock, new_release("r1", [("marts.a", a.clone())])).await.unwrap();
    assert!(published.delta_behind.is_none(), "{:?}", published.delta_behind);
    let actions = commit(&lake, "marts.a", 1);
    assert!(actions.iter().all(|action| action.get("remove").is_none()), "{actions:?}");
    assert_eq!(actions.last().unwrap()["add"]["dataChange"], false, "only its statistics are new");
    // New paths are encoded.
    std::fs::remove_dir_all(log_path(&lake, "marts.a", "")).unwrap();
    std::fs::remove_file(folder.join("_perennial/delta.json")).unwrap();
    let repairs = lake.repair(&lock).await.unwrap();
    assert!(repairs.delta_behind.is_none(), "{:?}", repairs.delta_behind);
    assert_eq!(commit(&lake, "marts.a", 0).last().unwrap()["add"]["path"], "a%20b%2Bc.parquet");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_log_is_an_error_with_its_place() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    for number in 1..=3 {
        let run_id = format!("r{number}");
        let a = table(&lake, "marts.a", &run_id, &rows(number, 1)).await;
        lake.publish(&lock, new_release(&run_id, [("marts.a", a)])).await.unwrap();
    }
    let name = name("marts.a");
    let log = DeltaLog::new(&lake, &name).unwrap();
    let path = log_path(&lake, "marts.a", "00000000000000000001.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("\"txn\":{", "\"txn\":{!", 1)).unwrap();
    let error = log.read().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Data);
    let rendered = error.to_string();
    let wanted = "marts/a/_delta_log/00000000000000000001.json:2:9: the Delta log of marts.a is damaged: a line is not \
        an action: ";
    assert!(rendered.starts_with(wanted), "{rendered}");
    std::fs::remove_file(&path).unwrap();
    let error = log.read().await.unwrap_err();
    assert_eq!(error.message(), "the Delta log of marts.a is damaged: version 1 is missing");
    std::fs::remove_file(log_path(&lake, "marts.a", "00000000000000000000.json")).unwrap();
    let error = log.read().await.unwrap_err();
    assert_eq!(error.message(), "the Delta log of marts.a is damaged: version 0 is missing");
}

/// A lake whose table has eleven files, each of its own release, and a checkpoint of version 10.
async fn lake_with_checkpoint() -> (TempDir, Lake, Release) {
    let (folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r0"), now()).await.unwrap();
    let mut grown = table(&lake, "marts.a", "r0", &rows(0, 2)).await;
    let mut release = lake.publish(&lock, new_release("r0", [("marts.a", grown.clone())])).await.unwrap().release;
    for number in 1..=10 {
        let run_id = format!("r{number}");
        grown.files.extend(table(&lake, "marts.a", &run_id, &rows(number, 2)).await.files);
        release = lake.publish(&lock, new_release(&run_id, [("marts.a", grown.clone())])).await.unwrap().release;
    }
    lock.release().await.unwrap();
    (folder, lake, release)
}

fn truncate(path: &std::path::Path) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_checkpoint_is_passed_over() {
    let (_folder, lake, release) = lake_with_checkpoint().await;
    let checkpoint = log_path(&lake, "marts.a", "00000000000000000010.checkpoint.parquet");
    let whole = std::fs::read(&checkpoint).unwrap();
    truncate(&checkpoint);
    let found = delta_snapshot(&lake, "marts.a").await.unwrap();
    assert_eq!((found.version, found.checkpoint), (10, None));
    assert_delta_follows(&lake, &release).await;
    // The next commit writes another one, and that is enough without the commits before it.
    let lock = lake.lock(holder("r11"), now()).await.unwrap();
    let a = table(&lake, "marts.a", "r11", &rows(11, 1)).await;
    let published = lake.publish(&lock, new_release("r11", [("marts.a", a)])).await.unwrap();
    assert!(published.delta_behind.is_none(), "{:?}", published.delta_behind);
    let found = delta_snapshot(&lake, "marts.a").await.unwrap();
    assert_eq!((found.version, found.checkpoint), (11, Some(11)));
    assert_delta_follows(&lake, &published.release).await;
    // An older checkpoint is enough as well.
    std::fs::write(&checkpoint, whole).unwrap();
    truncate(&log_path(&lake, "marts.a", "00000000000000000011.checkpoint.parquet"));
    for version in 0..=10 {
        std::fs::remove_file(log_path(&lake, "marts.a", &format!("{version:020}.json"))).unwrap();
    }
    let found = delta_snapshot(&lake, "marts.a").await.unwrap();
    assert_eq!((found.version, found.checkpoint), (11, Some(10)));
    assert_delta_follows(&lake, &published.release).await;
    // Without it the error names the damaged file.
    std::fs::remove_file(&checkpoint).unwrap();
    let name = name("marts.a");
    let error = DeltaLog::new(&lake, &name).unwrap().read().await.unwrap_err();
    let wanted = "the Delta log of marts.a is damaged: \
        marts/a/_delta_log/00000000000000000011.checkpoint.parquet is not a checkpoint: ";
    assert!(error.message().starts_with(wanted), "{error}");
    assert!(lake.list("marts").await.unwrap().iter().all(|(path, _)| !path.ends_with(".tmp")));
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_whose_retention_others_have_set_are_not_cleaned_up() {
    for property in [None, Some("delta.logRetentionDuration")] {
        let (_folder, lake, _) = lake_with_checkpoint().await;
        if let Some(property) = property {
            // As another program would.
            let mut metadata = commit(&lake, "marts.a", 0)[3].clone();
            metadata["metaData"]["configuration"][property] = json!("interval 365 days");
            let path = log_path(&lake, "marts.a", "00000000000000000011.json");
            std::fs::write(path, format!("{metadata}\n")).unwrap();
        }
        let later = timestamp("2126-11-22T04:15:00Z");
        let lock = lake.lock(holder("r11"), later).await.unwrap();
        // Enough commits for another checkpoint, made long after the files of the log.
        for number in 11..=21 {
            let run_id = format!("r{number}");
            let a = table(&lake, "marts.a", &run_id, &rows(number, 1)).await;
            let new = NewRelease { published_at: later, ..new_release(&run_id, [("marts.a", a)]) };
            lake.publish(&lock, new).await.unwrap();
        }
        let is_kept = log_path(&lake, "marts.a", "00000000000000000000.json").exists();
        assert_eq!(is_kept, property.is_some(), "{property:?}");
        assert_eq!(delta_snapshot(&lake, "marts.a").await.unwrap().checkpoint, Some(20));
    }
}

/// Earlier versions recorded no statistics columns. The last release has changed the table, so that its log has reached
/// the release.
#[tokio::test(flavor = "multi_thread")]
async fn logs_of_the_last_release_are_compared_again_after_an_upgrade() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let a = table(&lake, "marts.a", "r1", &rows(1, 1)).await;
    lake.publish(&lock, new_release("r1", [("marts.a", a)])).await.unwrap();
    let mut lines = commit(&lake, "marts.a", 0);
    lines[3]["metaData"]["configuration"] = json!({});
    write_log(&lake, "marts.a", &lines);
    let progress = lake.folder().unwrap().join("_perennial/delta.json");
    std::fs::write(&progress, r#"{"format":1,"release":1}"#).unwrap();
    assert!(lake.repair(&lock).await.unwrap().delta_behind.is_none());
    let added = commit(&lake, "marts.a", 1);
    let metadata = added.iter().find_map(|action| action.get("metaData")).unwrap();
    assert_eq!(metadata["configuration"], json!({"delta.dataSkippingStatsColumns": "`id`"}));
    // And not once more.
    std::fs::write(&progress, r#"{"format":1,"release":1}"#).unwrap();
    lake.repair(&lock).await.unwrap();
    assert_eq!(delta_version(&lake, "marts.a").await, 1);
}

/// Earlier versions wrote no log for tables that never had rows, and recorded the progress in format 1.
#[tokio::test(flavor = "multi_thread")]
async fn logs_of_empty_tables_are_added_to_lakes_of_earlier_versions() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let empty = table(&lake, "marts.empty", "r1", &rows(1, 0)).await;
    let a = table(&lake, "marts.a", "r1", &rows(1, 1)).await;
    let tables = [("marts.empty", empty), ("marts.a", a)];
    let release = lake.publish(&lock, new_release("r1", tables)).await.unwrap().release;
    std::fs::remove_dir_all(log_path(&lake, "marts.empty", "")).unwrap();
    let progress = lake.folder().unwrap().join("_perennial/delta.json");
    std::fs::write(&progress, r#"{"format":1,"release":1}"#).unwrap();
    assert_eq!(lake.repair(&lock).await.unwrap().delta_tables, 2);
    assert_delta_follows(&lake, &release).await;
    assert_eq!(delta_version(&lake, "marts.a").await, 0);
    assert_eq!(lake.repair(&lock).await.unwrap().delta_tables, 0);
}
