//! Listing and reading files, in folders and object stores.

use crate::csv::CsvReader;
use crate::files::Files;
use crate::parquet::ParquetReader;
use crate::testing::{PLAIN, drain, files_in, files_of, gzip, long_parquet, names, opened, wait, write};
use crate::typed::TypedReader;
use perennial_core::error::Kind;
use std::sync::Arc;

#[test]
fn lists_by_glob_below_the_location() {
    let folder = tempfile::tempdir().unwrap();
    for name in
        ["orders.csv", "orders-2.csv", "2024/01/orders.csv", "2024/02/orders.csv", "2024/02/.orders.csv", "calls.csv"]
    {
        write(folder.path(), name, b"x");
    }
    let files = files_in(folder.path().to_str().unwrap()).unwrap();
    let list =
        |glob: &str| -> Vec<String> { wait(files.list(glob)).unwrap().into_iter().map(|file| file.path).collect() };
    assert_eq!(list("orders.csv"), ["orders.csv"]);
    assert_eq!(list("orders*.csv"), ["orders-2.csv", "orders.csv"]);
    assert_eq!(list("2024/*/orders.csv"), ["2024/01/orders.csv", "2024/02/orders.csv"]);
    assert_eq!(list("**/orders.csv"), ["2024/01/orders.csv", "2024/02/orders.csv", "orders.csv"]);
    assert_eq!(list("{calls,orders}.csv"), ["calls.csv", "orders.csv"]);
    assert_eq!(list("2025/*.csv"), Vec::<String>::new());
    assert_eq!(list("nothing.csv"), Vec::<String>::new());
    assert_eq!(wait(files.list("[")).unwrap_err().kind(), Kind::Project);
    let file = &wait(files.list("calls.csv")).unwrap()[0];
    assert_eq!((file.bytes, file.tag.starts_with("modified=2")), (1, true));
    // BLAKE3 of the letter x, by the Python package `blake3`.
    let hash = wait(files.content_hash(file)).unwrap().unwrap();
    assert_eq!(hash, "3ae7d805f6789a6402acb70ad4096a85a56bf6804eaf25c0493ac697548d30b5");
}

/// The same outcomes in a store as in a folder: listing, streaming, tags, Parquet in blocks.
async fn check_store(files: Files, store: Arc<dyn object_store::ObjectStore>, prefix: &str) {
    use object_store::ObjectStoreExt;
    let put = async |name: &str, bytes: Vec<u8>| {
        let path = object_store::path::Path::parse(format!("{prefix}/{name}")).unwrap();
        store.put(&path, bytes.into()).await.unwrap();
    };
    let long: String = (0..200_000).map(|i| format!("{i},x\n")).collect();
    put("2024/01/a.csv", format!("a,b\n{long}").into_bytes()).await;
    put("2024/02/客户 b.csv.gz", gzip(b"a,b\n1,2\n")).await;
    put("long.parquet", long_parquet(400_000)).await;
    let list = async |glob: &str| -> Vec<String> {
        files.list(glob).await.unwrap().into_iter().map(|file| file.path).collect()
    };
    assert_eq!(list("2024/*/*.csv*").await, ["2024/01/a.csv", "2024/02/客户 b.csv.gz"]);
    assert_eq!(list("**/a.csv").await, ["2024/01/a.csv"]);
    assert_eq!(list("long.parquet").await, ["long.parquet"]);
    assert_eq!(list("none.csv").await, Vec::<String>::new());
    assert_eq!(list("none/*.csv").await, Vec::<String>::new());
    for (glob, rows) in [("2024/01/*", 200_000), ("2024/02/*", 1)] {
        let bytes = files.read(&files.list(glob).await.unwrap()[0]).await.unwrap();
        let read = tokio::task::spawn_blocking(move || {
            drain(CsvReader::open(bytes, &PLAIN, &names(&["a", "b"])).unwrap()).unwrap()
        });
        assert_eq!(read.await.unwrap().rows.len(), rows);
    }
    let before = files.list("2024/02/*").await.unwrap().remove(0);
    assert!(before.tag.starts_with("etag="), "{}", before.tag);
    assert_eq!(files.content_hash(&before).await.unwrap(), None);
    put("2024/02/客户 b.csv.gz", gzip(b"a,b\n1,3\n")).await;
    assert_ne!(files.list("2024/02/*").await.unwrap()[0].tag, before.tag);
    let file = files.list("long.parquet").await.unwrap().remove(0);
    assert!(file.bytes > 8 * 1024 * 1024, "{} bytes are not several blocks", file.bytes);
    let sum = tokio::task::spawn_blocking(move || {
        use arrow::array::AsArray;
        let mut reader =
            ParquetReader::open(&files, &file, None, |name| name == "number" || name == "letters").unwrap();
        let mut sum = 0;
        while let Some(batch) = reader.next_rows().unwrap() {
            assert_eq!(batch.batch.num_columns(), 2);
            sum += batch.batch.column(0).as_primitive::<arrow::datatypes::Int64Type>().values().iter().sum::<i64>();
        }
        sum
    });
    assert_eq!(sum.await.unwrap(), 400_000 * 399_999 / 2);
}

#[test]
fn a_store_is_read_as_a_folder_is() {
    let store: Arc<dyn object_store::ObjectStore> = Arc::new(object_store::memory::InMemory::new());
    wait(check_store(files_of(store.clone(), "some/where"), store, "some/where"));
}

#[test]
fn s3_is_read_as_a_folder_is() {
    let server = perennial_testing::s3_server();
    server.new_bucket("sources");
    let store = server.store("sources");
    wait(check_store(files_of(store.clone(), "some/where"), store, "some/where"));
}

#[test]
fn a_location_that_is_none_says_so() {
    let files = files_in("/no/such/folder").unwrap();
    let error = wait(files.list("*.csv")).unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.message().contains("/no/such/folder"), "{error}");
    assert_eq!(files_in("ftp://host/x").unwrap_err().kind(), Kind::Project);
}

#[test]
fn a_file_that_grows_while_it_is_read_is_noticed() {
    let (folder, file) = opened(b"a,b\n1,2\n");
    write(folder.path(), "f", b"a,b\n1,2\n3,4\n");
    let error = drain(CsvReader::open(file, &PLAIN, &names(&["a", "b"])).unwrap()).unwrap_err();
    assert!(error.message().contains("changed while it was read"), "{error}");
}
