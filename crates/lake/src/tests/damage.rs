//! Files that are not what was written are errors that name them, and never other rows.

use super::*;
use crate::blocks::BLOCK_BYTES;
use arrow::array::FixedSizeBinaryBuilder;
use futures::TryStreamExt;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use std::ops::Range;

/// Rows that hardly compress: an `id` and 24 bytes of a linear congruential generator (Knuth's MMIX constants).
fn noise(first: i64, count: i64) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(first..first + count));
    let mut state = first as u64;
    let mut bytes = FixedSizeBinaryBuilder::new(24);
    for _ in 0..count {
        let mut value = Vec::new();
        for _ in 0..3 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            value.extend(state.rotate_left(17).to_le_bytes());
        }
        bytes.append_value(value).unwrap();
    }
    let noise: ArrayRef = Arc::new(bytes.finish());
    RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("noise", noise, true)]).unwrap()
}

async fn read_rows(lake: &Lake, file: &DataFile, columns: &[&str]) -> Result<Vec<RecordBatch>> {
    let wanted: Vec<String> = columns.iter().map(ToString::to_string).collect();
    lake.rows(file, &wanted).await?.try_collect().await
}

/// A published table of one file of several blocks, as a new process reads it.
async fn published() -> (TempDir, Lake, DataFile) {
    let (folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let a = table(&lake, "marts.a", "r1", &noise(1, 25_000)).await;
    lake.publish(&lock, new_release("r1", [("marts.a", a)])).await.unwrap();
    drop(lock);
    let lake = Lake::open(&lake.location()).await.unwrap();
    let file = lake.latest().await.unwrap().unwrap().tables[&name("marts.a")].files[0].clone();
    assert!(file.bytes > 2 * BLOCK_BYTES as u64, "{} bytes are too few for this test", file.bytes);
    (folder, lake, file)
}

fn place(lake: &Lake, file: &DataFile) -> std::path::PathBuf {
    lake.folder().unwrap().join(&file.path)
}

/// One flipped bit after the other, spread over the file, its footer and the borders of blocks among them.
#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_an_error_that_names_the_file_or_changes_nothing() {
    let (_folder, lake, file) = published().await;
    let whole = std::fs::read(place(&lake, &file)).unwrap();
    let expected = read_rows(&lake, &file, &["id", "noise"]).await.unwrap();
    let ids = read_rows(&lake, &file, &["id"]).await.unwrap();
    let len = whole.len();
    let spread = (0..80).map(|n| n * len / 80 + n % 7);
    let borders = [0, 3, 4, BLOCK_BYTES - 1, BLOCK_BYTES, 2 * BLOCK_BYTES, len - 9, len - 8, len - 5, len - 4, len - 1];
    let mut said = 0;
    for at in spread.chain(borders) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        std::fs::write(place(&lake, &file), &flipped).unwrap();
        match read_rows(&lake, &file, &["id", "noise"]).await {
            Ok(found) => assert_eq!(found, expected, "bit {} of byte {at}", at % 8),
            Err(error) => {
                said += 1;
                assert_eq!(error.kind(), Kind::Data, "{error}");
                let block = format!("{} is damaged: block {} is not", file.path, at / BLOCK_BYTES);
                assert!(error.message().starts_with(&block), "byte {at}: {error}");
            }
        }
        // Readers of one column need not notice what happens to another, but never see other values.
        if let Ok(found) = read_rows(&lake, &file, &["id"]).await {
            assert_eq!(found, ids, "byte {at}");
        }
    }
    assert!(said >= 90, "only {said} of 91 flips were noticed although everything was read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_cut_longer_or_gone_is_named() {
    let (_folder, lake, file) = published().await;
    let path = place(&lake, &file);
    let whole = std::fs::read(&path).unwrap();
    for len in [0, 7, BLOCK_BYTES, whole.len() - 1] {
        std::fs::write(&path, &whole[..len]).unwrap();
        let error = read_rows(&lake, &file, &["id"]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Data, "{len}: {error}");
        assert!(error.message().starts_with(&format!("{} is damaged", file.path)), "{len}: {error}");
        assert!(error.hint_text().unwrap().contains("perennial lake verify"));
    }
    std::fs::write(&path, [&whole[..], b"more"].concat()).unwrap();
    let error = lake.store().get(&lake.path(&file.path)).await.unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = read_rows(&lake, &file, &["id"]).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::Data, &*format!("{} is missing from the lake", file.path)));
}

/// Every way of asking for bytes gives those of the file, whatever the borders of blocks.
#[tokio::test(flavor = "multi_thread")]
async fn verified_reads_give_the_bytes_that_were_asked_for() {
    let (_folder, lake, file) = published().await;
    let whole = std::fs::read(place(&lake, &file)).unwrap();
    let (store, path) = (lake.store(), lake.path(&file.path));
    let (block, len) = (BLOCK_BYTES as u64, file.bytes);
    let bytes = |range: &Range<u64>| &whole[range.start as usize..range.end as usize];
    let ranges = [0..1, 5..9, block - 1..block + 1, block..2 * block, 1..len - 1, len - 8..len, 0..len];
    for range in &ranges {
        assert_eq!(store.get_range(&path, range.clone()).await.unwrap(), bytes(range), "{range:?}");
    }
    let found = store.get_ranges(&path, &ranges).await.unwrap();
    assert!(ranges.iter().zip(&found).all(|(range, found)| found == bytes(range)));
    assert!(store.get_ranges(&path, &[]).await.unwrap().is_empty());
    let asked = |range: GetRange| {
        let (store, path) = (store.clone(), path.clone());
        async move { store.get_opts(&path, GetOptions { range: Some(range), ..GetOptions::default() }).await }
    };
    assert_eq!(asked(GetRange::Suffix(10)).await.unwrap().bytes().await.unwrap(), whole[whole.len() - 10..]);
    let found = asked(GetRange::Offset(len - 3)).await.unwrap();
    assert_eq!((found.range.clone(), found.meta.size), (len - 3..len, len));
    assert_eq!(found.bytes().await.unwrap(), whole[whole.len() - 3..]);
    assert_eq!(asked(GetRange::Bounded(len - 3..len + 10)).await.unwrap().range, len - 3..len);
    assert!(asked(GetRange::Offset(len)).await.is_err());
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), whole);
    assert_eq!(store.head(&path).await.unwrap().size, len);
}
