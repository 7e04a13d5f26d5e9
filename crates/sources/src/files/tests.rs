//! Listing and reading files, in folders and object stores.

use crate::csv::CsvReader;
use crate::files::Files;
use crate::parquet::ParquetReader;
use crate::testing::{PLAIN, drain, files_in, files_of, gzip, long_parquet, names, opened, wait, write};
use crate::text::TextReader;
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
    let list = |glob: &str| -> Vec<String> {
        wait(files.list(glob)).unwrap().files.into_iter().map(|file| file.path).collect()
    };
    assert_eq!(list("orders.csv"), ["orders.csv"]);
    assert_eq!(list("orders*.csv"), ["orders-2.csv", "orders.csv"]);
    assert_eq!(list("2024/*/orders.csv"), ["2024/01/orders.csv", "2024/02/orders.csv"]);
    assert_eq!(list("**/orders.csv"), ["2024/01/orders.csv", "2024/02/orders.csv", "orders.csv"]);
    assert_eq!(list("{calls,orders}.csv"), ["calls.csv", "orders.csv"]);
    assert_eq!(list("2025/*.csv"), Vec::<String>::new());
    assert_eq!(list("nothing.csv"), Vec::<String>::new());
    assert_eq!(wait(files.list("[")).unwrap_err().kind(), Kind::Project);
    let file = &wait(files.list("calls.csv")).unwrap().files[0];
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
        files.list(glob).await.unwrap().files.into_iter().map(|file| file.path).collect()
    };
    assert_eq!(list("2024/*/*.csv*").await, ["2024/01/a.csv", "2024/02/客户 b.csv.gz"]);
    assert_eq!(list("**/a.csv").await, ["2024/01/a.csv"]);
    assert_eq!(list("long.parquet").await, ["long.parquet"]);
    assert_eq!(list("none.csv").await, Vec::<String>::new());
    assert_eq!(list("none/*.csv").await, Vec::<String>::new());
    for (glob, rows) in [("2024/01/*", 200_000), ("2024/02/*", 1)] {
        let bytes = files.read(&files.list(glob).await.unwrap().files[0]).await.unwrap();
        let read = tokio::task::spawn_blocking(move || {
            drain(CsvReader::open(bytes, &PLAIN, &names(&["a", "b"])).unwrap()).unwrap()
        });
        assert_eq!(read.await.unwrap().rows.len(), rows);
    }
    let before = files.list("2024/02/*").await.unwrap().files.remove(0);
    assert!(before.tag.starts_with("etag="), "{}", before.tag);
    assert_eq!(files.content_hash(&before).await.unwrap(), None);
    put("2024/02/客户 b.csv.gz", gzip(b"a,b\n1,3\n")).await;
    assert_ne!(files.list("2024/02/*").await.unwrap().files[0].tag, before.tag);
    let file = files.list("long.parquet").await.unwrap().files.remove(0);
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

#[cfg(unix)]
#[test]
fn what_is_no_file_is_named_and_never_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write(folder.path(), "orders-1.csv", b"x");
    write(folder.path(), "orders-2.csv/part.csv", b"x");
    assert!(std::process::Command::new("mkfifo").arg(path("orders-3.csv")).status().unwrap().success());
    std::os::unix::fs::symlink("/dev/zero", path("orders-4.csv")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(path("orders-5.csv")).unwrap();
    let files = files_in(folder.path().to_str().unwrap()).unwrap();
    let listing = wait(files.list("orders-*.csv")).unwrap();
    assert_eq!(listing.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["orders-1.csv"]);
    assert_eq!(
        listing.left_out,
        [
            "`orders-2.csv` is a folder, not a file, so it is left out",
            "`orders-3.csv` is a named pipe, not a file, so it is left out",
            "`orders-4.csv` is a device, not a file, so it is left out",
            "`orders-5.csv` is a socket, not a file, so it is left out",
        ]
    );
    // Folders that are only passed through are not worth a note.
    let listing = wait(files.list("**/*")).unwrap();
    assert_eq!((listing.files.len(), listing.left_out.len()), (2, 3));
    for (name, what) in [("orders-2.csv", "a folder"), ("orders-3.csv", "a named pipe"), ("orders-4.csv", "a device")] {
        let error = wait(files.list(name)).unwrap_err();
        assert_eq!(error.kind(), Kind::Data);
        assert!(error.message().ends_with(&format!("`{name}` is {what} where a file is expected")), "{error}");
    }
    // One that takes the place of a listed file.
    let file = wait(files.list("orders-1.csv")).unwrap().files.remove(0);
    std::fs::rename(path("orders-3.csv"), path("orders-1.csv")).unwrap();
    let error = wait(files.read(&file)).map(|_| ()).unwrap_err();
    assert!(error.message().contains("it is a named pipe where a file is expected"), "{error}");
}

/// More than the readers have in memory, so that writing in the middle changes what is still to be read.
fn long_csv(letter: char) -> Vec<u8> {
    let rows: String = (0..400_000).map(|i| format!("{i},{letter}\n")).collect();
    format!("a,b\n{rows}").into_bytes()
}

#[test]
fn a_file_that_is_rewritten_in_place_while_it_is_read_is_noticed() {
    use std::io::{Seek, Write};
    for (kind, bytes) in [("text", long_csv('1')), ("parquet", long_parquet(400_000))] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "f", &bytes);
        let files = files_in(folder.path().to_str().unwrap()).unwrap();
        let file = wait(files.list("f")).unwrap().files.remove(0);
        // The clocks of file systems advance every few milliseconds.
        let rewrite = || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            let mut writer = std::fs::File::options().write(true).open(folder.path().join("f")).unwrap();
            writer.seek(std::io::SeekFrom::Start(0)).unwrap();
            writer.write_all(&bytes).unwrap();
        };
        let error = match kind {
            "text" => {
                let bytes = wait(files.read(&file)).unwrap();
                let mut reader = CsvReader::open(bytes, &PLAIN, &names(&["a", "b"])).unwrap();
                reader.next_rows().unwrap().unwrap();
                rewrite();
                drain(reader).unwrap_err()
            }
            _ => {
                let mut reader = ParquetReader::open(&files, &file, None, |_| true).unwrap();
                reader.next_rows().unwrap().unwrap();
                rewrite();
                while reader.next_rows().unwrap().is_some() {}
                reader.finish().unwrap_err()
            }
        };
        assert_eq!(error.kind(), Kind::Unreachable);
        assert_eq!(error.message(), "`f` changed while it was read: it was written to");
        // Rewritten before it is opened, it is whole.
        assert!(wait(files.content_hash(&file)).unwrap().is_some());
    }
}

#[test]
fn a_file_that_is_replaced_by_another_while_it_is_read_stays_whole() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "f", &long_csv('1'));
    write(folder.path(), "g", &long_csv('2'));
    let files = files_in(folder.path().to_str().unwrap()).unwrap();
    let bytes = wait(async { files.read(&files.list("f").await.unwrap().files[0]).await.unwrap() });
    std::fs::rename(folder.path().join("g"), folder.path().join("f")).unwrap();
    let mut reader = CsvReader::open(bytes, &PLAIN, &names(&["a", "b"])).unwrap();
    let mut rows = 0;
    while let Some(batch) = reader.next_rows().unwrap() {
        assert!((0..batch.len()).all(|row| batch.cell(row, 1) == Some("1")));
        rows += batch.len();
    }
    assert_eq!(rows, 400_000);
    reader.finish().unwrap();
}

#[test]
fn a_log_that_is_appended_to_while_it_is_read_is_read_as_it_was_listed() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "f", b"a,b\n1,2\n3");
    let append = |bytes: &[u8]| {
        std::fs::File::options().append(true).open(folder.path().join("f")).unwrap().write_all(bytes).unwrap();
    };
    let files = files_in(folder.path().to_str().unwrap()).unwrap();
    let mut file = wait(files.list("f")).unwrap().files.remove(0);
    file.grows = true;
    append(b",4\n");
    for whole_lines in [false, true] {
        let mut bytes = wait(files.read(&file)).unwrap();
        let hashes = bytes.hash_held(4);
        if whole_lines {
            bytes.only_whole_lines();
        }
        append(b"5,6\n");
        let read = drain(CsvReader::open(bytes, &PLAIN, &names(&["a", "b"])).unwrap()).unwrap();
        assert_eq!(read.rows.len() + read.rejects.len(), if whole_lines { 1 } else { 2 });
        assert_eq!((hashes.read().0, hashes.has_unfinished_line()), (9, whole_lines));
    }
    // Emptied and begun again, it is another one.
    let bytes = wait(files.read(&file)).unwrap();
    write(folder.path(), "f", b"a,b\n");
    let error = drain(CsvReader::open(bytes, &PLAIN, &names(&["a", "b"])).unwrap()).unwrap_err();
    assert!(error.message().contains("changed while it was read"), "{error}");
}

#[test]
fn another_version_of_an_object_than_the_listed_one_is_noticed() {
    use object_store::ObjectStoreExt;
    let store: Arc<dyn object_store::ObjectStore> = Arc::new(object_store::memory::InMemory::new());
    let files = files_of(store.clone(), "in");
    let put = async |bytes: Vec<u8>| {
        store.put(&object_store::path::Path::from("in/f"), bytes.into()).await.unwrap();
    };
    wait(put(long_parquet(400_000)));
    let file = wait(files.list("f")).unwrap().files.remove(0);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _inside = runtime.enter();
    let mut reader = ParquetReader::open(&files, &file, None, |_| true).unwrap();
    reader.next_rows().unwrap().unwrap();
    wait(put(long_parquet(400_000)));
    let mut next = || loop {
        match reader.next_rows() {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(error) => return Some(error),
        }
    };
    let error = next().unwrap();
    assert!(error.message().contains("`f` changed while it was read: the store has another version of it"), "{error}");
    let error = wait(files.read(&file)).map(|_| ()).unwrap_err();
    assert!(error.message().contains("another version"), "{error}");
}

#[test]
fn errors_of_stores_show_no_signature() {
    let io = std::io::Error::other("error sending request for url (https://a.blob/c?sig=s3cret): reset");
    let error = object_store::Error::Generic { store: "x", source: Box::new(io) };
    let error = crate::files::unreadable("f", error);
    assert!(error.message().contains("https://a.blob/c?...") && !error.message().contains("s3cret"), "{error}");
    let io = std::io::Error::other("https://k:s3cret@a.blob/c refused");
    let error = perennial_core::error::Error::from(object_store::Error::Generic { store: "x", source: Box::new(io) });
    assert!(error.message().contains("https://...@a.blob/c") && !error.message().contains("s3cret"), "{error}");
}

#[test]
fn a_file_that_grows_while_it_is_read_is_noticed() {
    let (folder, file) = opened(b"a,b\n1,2\n");
    write(folder.path(), "f", b"a,b\n1,2\n3,4\n");
    let error = drain(CsvReader::open(file, &PLAIN, &names(&["a", "b"])).unwrap()).unwrap_err();
    assert!(error.message().contains("changed while it was read"), "{error}");
}
