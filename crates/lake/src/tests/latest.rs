//! The newest release is found with one short listing, and the hint where to begin may be anything.

use super::*;

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
}
