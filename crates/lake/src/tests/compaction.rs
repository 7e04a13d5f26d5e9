//! Files of system tables are merged, and whoever lists them at whatever moment sees every row once.

use super::*;
use crate::tests::faults::{FailingStore, Fault};
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

fn run(number: i64) -> String {
    format!("20261122T041500Z-{number:04x}")
}

/// The `id`s in `system.<name>`, file by file, as far as the files are still there.
async fn ids_of(lake: &Lake, name: &str) -> Result<Vec<i64>> {
    let mut ids = Vec::new();
    for file in lake.system_files().await?.of(name) {
        let batches: Vec<RecordBatch> = lake.rows(&file, &["id".to_string()]).await?.try_collect().await?;
        let found: usize = batches.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(found as u64, file.rows, "{}", file.path);
        ids.extend(batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()));
    }
    Ok(ids)
}

async fn ids(lake: &Lake, name: &str) -> Vec<i64> {
    ids_of(lake, name).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_files_grows_with_the_logarithm_of_the_number_of_runs() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r"), now()).await.unwrap();
    let (mut most, mut listed) = (0, 0);
    for number in 0..700 {
        lake.append_system("runs", &run(number), &rows(number, 1)).await.unwrap();
        if number % 3 == 0 {
            lake.append_system("tests", &run(number), &rows(2 * number, 1)).await.unwrap();
            lake.append_system("tests", &run(number), &rows(2 * number + 1, 1)).await.unwrap();
        }
        assert!(lake.compact_system(&lock).await.unwrap().is_empty());
        let files = lake.system_files().await.unwrap();
        most = most.max(files.of("runs").len());
        listed = listed.max(files.all("runs").len());
    }
    // 32 of single runs, 8 of the first level and few above; those that were merged stay until the next run.
    assert!(most <= 32 + 8 + 8 + 2, "{most} files are read");
    assert!(listed <= 2 * most, "{listed} files are listed");
    assert_eq!(ids(&lake, "runs").await, (0..700).collect::<Vec<i64>>());
    let tests = (0..700).filter(|number| number % 3 == 0).flat_map(|number| [2 * number, 2 * number + 1]);
    assert_eq!(ids(&lake, "tests").await, tests.collect::<Vec<i64>>());
}

/// Readers that list and read while runs append and merge.
#[tokio::test(flavor = "multi_thread")]
async fn readers_see_every_row_once_while_files_are_merged() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r"), now()).await.unwrap();
    let (written, done) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
    let reader = tokio::spawn({
        let (lake, written, done) = (Lake::open(&lake.location()).await.unwrap(), written.clone(), done.clone());
        async move {
            let mut reads = 0;
            while !done.load(Ordering::Acquire) {
                let before = written.load(Ordering::Acquire);
                // A reader that needs longer than a whole run finds its files deleted, and says so.
                let Ok(found) = ids_of(&lake, "runs").await else { continue };
                assert!(found.len() as i64 >= before, "{} of {before} rows", found.len());
                assert_eq!(found, (0..found.len() as i64).collect::<Vec<_>>());
                reads += 1;
            }
            reads
        }
    });
    for number in 0..200 {
        lake.append_system("runs", &run(number), &rows(number, 1)).await.unwrap();
        written.store(number + 1, Ordering::Release);
        lake.compact_system(&lock).await.unwrap();
    }
    done.store(true, Ordering::Release);
    assert!(reader.await.unwrap() > 10);
}

/// The store fails at each operation of a merge in turn; the next run merges after all.
#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_is_interrupted_anywhere_loses_and_repeats_nothing() {
    let (_folder, first) = new_lake().await;
    for number in 0..40 {
        first.append_system("runs", &run(number), &rows(number, 1)).await.unwrap();
    }
    for fault in [Fault::Gone, Fault::Once, Fault::ResponseLost] {
        for k in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let lake = Lake::open(folder.path().to_str().unwrap()).await.unwrap();
            std::fs::create_dir_all(folder.path().join("system/runs")).unwrap();
            for file in first.system_files().await.unwrap().of("runs") {
                std::fs::copy(first.folder().unwrap().join(&file.path), folder.path().join(&file.path)).unwrap();
            }
            let lock = lake.lock(holder("r"), now()).await.unwrap();
            let store = FailingStore::new(fault, k);
            let failing = Lake::in_folder_through(folder.path().to_path_buf(), store.clone()).unwrap();
            // The first run merges, the second deletes what was merged.
            for _ in 0..2 {
                failing.compact_system(&lock).await.ok();
                assert_eq!(ids(&lake, "runs").await, (0..40).collect::<Vec<i64>>(), "{fault:?} at operation {k}");
            }
            for number in 40..42 {
                lake.append_system("runs", &run(number), &rows(number, 1)).await.unwrap();
                lake.compact_system(&lock).await.unwrap();
            }
            lake.compact_system(&lock).await.unwrap();
            assert_eq!(ids(&lake, "runs").await, (0..42).collect::<Vec<i64>>(), "{fault:?} at operation {k}");
            let left = lake.system_files().await.unwrap().all("runs").len();
            assert!(left <= 3, "{fault:?} at operation {k}: {left} files are left");
            if store.left() >= 0 {
                assert!(k > 40, "only {k} operations were made to fail");
                break;
            }
        }
    }
}

/// The row of a run of which it is not known whether it published may be written again by the next.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_merged_while_a_publication_is_unknown() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r"), now()).await.unwrap();
    for number in 0..40 {
        lake.append_system("runs", &run(number), &rows(number, 1)).await.unwrap();
    }
    lake.publication_unknown().store(true, std::sync::atomic::Ordering::Release);
    lake.compact_system(&lock).await.unwrap();
    assert_eq!(lake.system_files().await.unwrap().all("runs").len(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_merged_file_is_made_again_while_its_rows_are_elsewhere() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r"), now()).await.unwrap();
    for number in 0..33 {
        lake.append_system("runs", &run(number), &rows(number, 1)).await.unwrap();
    }
    lake.compact_system(&lock).await.unwrap();
    let merged = lake.system_files().await.unwrap().of("runs");
    assert_eq!(merged.iter().map(|file| file.rows).collect::<Vec<_>>(), [33]);
    let path = lake.folder().unwrap().join(&merged[0].path);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20] ^= 4;
    std::fs::write(&path, bytes).unwrap();
    let lake = Lake::open(&lake.location()).await.unwrap();
    let error = ids_of(&lake, "runs").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Data);
    assert!(error.message().contains("is damaged"), "{error}");
    for _ in 0..3 {
        lake.compact_system(&lock).await.unwrap();
    }
    assert_eq!(ids(&lake, "runs").await, (0..33).collect::<Vec<i64>>());
    assert_eq!(lake.system_files().await.unwrap().all("runs").len(), 1);
}

/// A later version may have other columns; rows of both stand in one file.
#[tokio::test(flavor = "multi_thread")]
async fn a_merged_file_has_the_columns_of_all() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r"), now()).await.unwrap();
    let one = |number: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![number])) };
    for number in 0..40 {
        let newer = ["id", if number < 20 { "old" } else { "new" }];
        let batch = RecordBatch::try_from_iter_with_nullable(newer.map(|name| (name, one(number), true))).unwrap();
        lake.append_system("runs", &run(number), &batch).await.unwrap();
    }
    lake.compact_system(&lock).await.unwrap();
    let files = lake.system_files().await.unwrap().of("runs");
    assert_eq!(files.len(), 1);
    let wanted = ["id", "old", "new"].map(str::to_string);
    let found: Vec<RecordBatch> = lake.rows(&files[0], &wanted).await.unwrap().try_collect().await.unwrap();
    let values = |name: &str| -> Vec<Option<i64>> {
        let columns = found.iter().map(|batch| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>());
        columns.flat_map(|column| column.iter().collect::<Vec<_>>()).collect()
    };
    assert_eq!(values("id"), (0..40).map(Some).collect::<Vec<_>>());
    assert_eq!(values("old"), (0..40).map(|n| (n < 20).then_some(n)).collect::<Vec<_>>());
    assert_eq!(values("new"), (0..40).map(|n| (n >= 20).then_some(n)).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_other_programs_are_left_out_and_named() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r"), now()).await.unwrap();
    lake.append_system("runs", &run(1), &rows(1, 2)).await.unwrap();
    let folder = lake.folder().unwrap().join("system/runs");
    for name in ["export.parquet", "notes.txt", ".DS_Store"] {
        std::fs::write(folder.join(name), "x").unwrap();
    }
    assert_eq!(ids(&lake, "runs").await, [1, 2]);
    assert_eq!(lake.compact_system(&lock).await.unwrap(), ["system/runs/export.parquet"]);
}
