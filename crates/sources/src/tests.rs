use crate::csv::CsvReader;
use crate::files::store::Store;
use crate::json::JsonLinesReader;
use crate::kinds::open_files;
use crate::*;
use perennial_core::contract::{Access, CsvOptions, TextEncoding};
use perennial_core::error::{Error, Kind, Result};
use proptest::prelude::*;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn files_of(store: Arc<dyn object_store::ObjectStore>, prefix: &str) -> Files {
    Files::new("memory://test", Store::new(store, object_store::path::Path::from(prefix)))
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(future)
}

fn files_in(location: &str) -> Result<Files> {
    wait(open_files(location, &Access::default()))
}

pub(crate) fn opened(bytes: &[u8]) -> (tempfile::TempDir, FileBytes) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "f", bytes);
    let files = files_in(folder.path().to_str().unwrap()).unwrap();
    let file = wait(async { files.read(&files.list("f").await.unwrap()[0]).await.unwrap() });
    (folder, file)
}

pub(crate) const PLAIN: CsvOptions = CsvOptions {
    delimiter: b',',
    collapse: false,
    quote: Some(b'"'),
    header: true,
    header_row: None,
    skip_rows: Vec::new(),
    encoding: TextEncoding::Utf8,
};

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Read {
    pub(crate) fields: Vec<String>,
    /// Line and cells; a cell without value is `∅`.
    pub(crate) rows: Vec<(u64, Vec<String>)>,
    pub(crate) rejects: Vec<RowReject>,
}

pub(crate) fn drain(mut reader: impl TextReader) -> Result<Read> {
    drain_all(&mut reader)
}

pub(crate) fn drain_boxed(mut reader: Box<dyn TextReader>) -> Result<Read> {
    drain_all(&mut *reader)
}

fn drain_all(reader: &mut dyn TextReader) -> Result<Read> {
    let mut read = Read::default();
    while let Some(rows) = reader.next_rows()? {
        for row in 0..rows.len() {
            let cells = (0..rows.fields().len()).map(|field| rows.cell(row, field).unwrap_or("∅").to_string());
            read.rows.push((rows.lines()[row], cells.collect()));
        }
        read.rejects.extend_from_slice(rows.rejects);
    }
    reader.finish()?;
    read.fields = reader.fields().to_vec();
    Ok(read)
}

pub(crate) fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

fn csv_with(bytes: &[u8], options: &CsvOptions, expected: &[&str]) -> Result<Read> {
    let (_folder, file) = opened(bytes);
    drain(CsvReader::open(file, options, &names(expected))?)
}

fn csv(bytes: &[u8]) -> Read {
    csv_with(bytes, &PLAIN, &["a", "b"]).unwrap()
}

fn json(bytes: &[u8], paths: &[&str], collect_new: bool) -> Read {
    let (_folder, file) = opened(bytes);
    drain(JsonLinesReader::open(file, &names(paths), collect_new).unwrap()).unwrap()
}

pub(crate) fn rows(rows: &[(u64, &[&str])]) -> Vec<(u64, Vec<String>)> {
    rows.iter().map(|(line, cells)| (*line, names(cells))).collect()
}

fn data_error(result: Result<Read>) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), Kind::Data, "{error}");
    error
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

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

/// A Parquet file of several blocks: numbers in order, and letters that do not compress.
pub(crate) fn long_parquet(rows: u64) -> Vec<u8> {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    let numbers = Arc::new(Int64Array::from_iter_values(0..rows as i64)) as ArrayRef;
    let letters =
        (0..rows).map(|i| format!("{:x}{:x}", i.wrapping_mul(0x9e3779b97f4a7c15), i.wrapping_mul(0xd1b54a32d192ed03)));
    let batch = RecordBatch::try_from_iter([
        ("number", numbers),
        ("letters", Arc::new(StringArray::from_iter_values(letters)) as ArrayRef),
    ])
    .unwrap();
    let mut writer = ::parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
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
fn a_plain_csv_counts_its_header() {
    let read = csv(b"a,b\n1,2\r\n\n3,\n,4");
    assert_eq!(read.fields, ["a", "b"]);
    assert_eq!(read.rows, rows(&[(2, &["1", "2"]), (4, &["3", ""]), (5, &["", "4"])]));
    assert!(read.rejects.is_empty());
}

#[test]
fn quotes_hold_delimiters_newlines_and_quotes() {
    let read = csv(b"a,b\n\"1,\n1\",\"say \"\"hi\"\"\"\n5,x\"y\n\"\",\"\"\"\"\r\n7,8\n");
    assert_eq!(
        read.rows,
        rows(&[(2, &["1,\n1", "say \"hi\""]), (4, &["5", "x\"y"]), (5, &["", "\""]), (6, &["7", "8"])])
    );
    let plain = CsvOptions { quote: None, ..PLAIN };
    let read = csv_with(b"a,b\n\"1,2\"\n", &plain, &["a", "b"]).unwrap();
    assert_eq!(read.rows, rows(&[(2, &["\"1", "2\""])]));
}

#[test]
fn asterisks_quoting_is_understood() {
    let options = CsvOptions { header: false, ..PLAIN };
    let read = csv_with(b"\"\"\"\"\" <138>\",x\n", &options, &["a", "b"]).unwrap();
    assert_eq!(read.rows, rows(&[(1, &["\"\" <138>", "x"])]));
}

#[test]
fn ragged_rows_are_refused_and_the_others_stay() {
    let read = csv(b"a,b\n1\n2,3\n4,5,6\n\"x\"y,7\n8,9\n");
    assert_eq!(read.rows, rows(&[(3, &["2", "3"]), (6, &["8", "9"])]));
    let rejects: Vec<(u64, &str, &str)> =
        read.rejects.iter().map(|f| (f.line, f.raw.as_str(), f.reason.as_str())).collect();
    assert_eq!(
        rejects,
        [
            (2, "1", "the row has 1 fields where 2 are expected"),
            (4, "4,5,6", "the row has 3 fields where 2 are expected"),
            (5, "\"x\"y,7", "text follows the closing quote of a field"),
        ]
    );
}

#[test]
fn a_refused_row_is_cut_after_a_thousand_letters() {
    let long = format!("a,b\n{}\n", "é".repeat(3000));
    let read = csv(long.as_bytes());
    assert_eq!(read.rejects[0].raw, "é".repeat(1000));
}

#[test]
fn an_unclosed_quote_fails_the_file() {
    let error = data_error(csv_with(b"a,b\n1,2\n\"3,4\n5,6\n", &PLAIN, &["a", "b"]));
    assert!(error.message().contains("line 3 is never closed"), "{error}");
    let error = data_error(csv_with(b"a,\"b\n1,2\n", &PLAIN, &["a", "b"]));
    assert!(error.message().contains("line 1 is never closed"), "{error}");
}

#[test]
fn blank_aligned_files_collapse() {
    let options = CsvOptions { delimiter: b' ', collapse: true, header: false, ..PLAIN };
    let read = csv_with(
        b" 00004 0001 19970101  2   29.33\n 00004  0001 \"1 2\" 2  3 \n  \n",
        &options,
        &["a", "b", "c", "d", "e"],
    );
    let expected: &[(u64, &[&str])] =
        &[(1, &["00004", "0001", "19970101", "2", "29.33"]), (2, &["00004", "0001", "1 2", "2", "3"])];
    assert_eq!(read.unwrap().rows, rows(expected));
}

#[test]
fn a_byte_order_mark_is_no_letter() {
    assert_eq!(csv(b"\xef\xbb\xbfa,b\n1,2\n").fields, ["a", "b"]);
    let error = data_error(csv_with(b"\xff\xfea\0,\0b\0", &PLAIN, &["a"]));
    assert!(error.message().contains("UTF-16"), "{error}");
    assert_eq!(json(b"\xef\xbb\xbf{\"a\":1}\n", &["a"], false).rows, rows(&[(1, &["1"])]));
}

#[test]
fn chinese_encodings_are_read() {
    // 客户,金额 / 王 , 1 in GB18030; 客戶,金額 / 王 , 1 in Big5: bytes by Python's codecs.
    let gb = b"\xbf\xcd\xbb\xa7,\xbd\xf0\xb6\xee\n\xcd\xf5,1\n";
    let big5 = b"\xab\xc8\xa4\xe1,\xaa\xf7\xc3B\n\xa4\xfd,1\n";
    let options = |encoding| CsvOptions { encoding, ..PLAIN };
    let read = csv_with(gb, &options(TextEncoding::Gb18030), &["客户", "金额"]).unwrap();
    assert_eq!((read.fields, read.rows), (names(&["客户", "金额"]), rows(&[(2, &["王", "1"])])));
    let read = csv_with(big5, &options(TextEncoding::Big5), &["客戶", "金額"]).unwrap();
    assert_eq!((read.fields, read.rows), (names(&["客戶", "金額"]), rows(&[(2, &["王", "1"])])));
    // A long file, so that letters fall on the borders of pieces.
    let (long, _, _) = encoding_rs::GB18030.encode("客户,金额\n");
    let mut long = long.into_owned();
    let (row, _, _) = encoding_rs::GB18030.encode("上海客户有限公司𠀀,12\n");
    (0..20_001).for_each(|_| long.extend_from_slice(&row));
    let read = csv_with(&long, &options(TextEncoding::Gb18030), &["客户"]).unwrap();
    assert_eq!(read.rows.len(), 20_001);
    assert!(read.rows.iter().all(|(_, cells)| cells[0] == "上海客户有限公司𠀀"));
}

#[test]
fn the_wrong_encoding_is_named_with_the_right_one() {
    let gb = b"\xbf\xcd\xbb\xa7,\xbd\xf0\xb6\xee\n\xcd\xf5,1\n";
    let error = data_error(csv_with(gb, &PLAIN, &["客户", "金额"]));
    assert!(error.message().contains("not valid utf-8") && error.message().contains("`客户`"), "{error}");
    assert!(error.hint_text().unwrap().contains("`encoding: gb18030`"), "{error}");
    // Big5 decodes as GB18030 without an error; only the names tell.
    let big5 = b"\xab\xc8\xa4\xe1,\xaa\xf7\xc3B\n\xa4\xfd,1\n";
    let options = CsvOptions { encoding: TextEncoding::Gb18030, ..PLAIN };
    let error = data_error(csv_with(big5, &options, &["客戶", "金額"]));
    assert!(error.message().contains("expected `客戶` and `金額`, found"), "{error}");
    assert!(error.hint_text().unwrap().contains("`encoding: big5`"), "{error}");
}

#[test]
fn the_wrong_header_is_named() {
    let error = data_error(csv_with(b"x;y\n1;2\n", &PLAIN, &["x", "y"]));
    assert!(error.hint_text().unwrap().contains("delimiter: \";\""), "{error}");
    let error = data_error(csv_with(b"1,2\n", &PLAIN, &["a", "b"]));
    assert!(error.message().contains("expected `a` and `b`, found `1` and `2`"), "{error}");
    let error = data_error(csv_with(b"a,b,a\n", &PLAIN, &["a", "b"]));
    assert!(error.message().contains("duplicate column in the header: `a`"), "{error}");
}

#[test]
fn rows_that_are_not_letters_are_refused_alone() {
    let read = csv(b"a,b\n1,2\n3,\xff\n\"\"\"\xc3\",4\n5,6\n");
    assert_eq!(read.rows, rows(&[(2, &["1", "2"]), (5, &["5", "6"])]));
    let lines: Vec<u64> = read.rejects.iter().map(|reject| reject.line).collect();
    assert_eq!((lines, read.rejects[0].raw.as_str()), (vec![3, 4], "3,\u{fffd}"));
    assert!(read.rejects[0].reason.contains("not valid utf-8"));
    // A GB18030 file with a byte that is none.
    let options = CsvOptions { encoding: TextEncoding::Gb18030, ..PLAIN };
    let read = csv_with(b"a,b\n\xcd\xf5,1\n\xff,2\nx,3\n", &options, &["a", "b"]).unwrap();
    assert_eq!(read.rows, rows(&[(2, &["王", "1"]), (4, &["x", "3"])]));
    assert!(read.rejects[0].reason.contains("not valid gb18030"));
}

#[test]
fn empty_files_have_their_outcomes() {
    assert!(csv(b"a,b\n").rows.is_empty());
    assert!(csv(b"a,b").rows.is_empty());
    for empty in [&b""[..], b"\xef\xbb\xbf", &gzip(b"")] {
        let error = data_error(csv_with(empty, &PLAIN, &["a", "b"]));
        assert!(error.message().contains("`f` is empty (0 bytes)"), "{error}");
    }
    let error = data_error(csv_with(b"\n\n", &PLAIN, &["a"]));
    assert!(error.message().contains("only empty lines where a header"), "{error}");
    let options = CsvOptions { header: false, ..PLAIN };
    assert!(csv_with(b"", &options, &["a"]).unwrap().rows.is_empty());
    assert!(json(b"", &["a"], false).rows.is_empty());
    assert!(json(b"\n\n", &["a"], false).rows.is_empty());
}

#[test]
fn gzip_of_many_members_and_zstd_are_told_from_their_bytes() {
    let members = [gzip(b"a,b\n1,"), gzip(b"2\n3,4\n")].concat();
    let expected = rows(&[(2, &["1", "2"]), (3, &["3", "4"])]);
    assert_eq!(csv(&members).rows, expected);
    let packed = zstd::encode_all(&b"a,b\n1,2\n3,4\n"[..], 3).unwrap();
    assert_eq!(csv(&packed).rows, expected);
    assert_eq!(json(&gzip(b"{\"a\":1}"), &["a"], false).rows, rows(&[(1, &["1"])]));
}

#[test]
fn a_file_cut_short_fails_naming_byte_and_line() {
    let mut text = b"a,b\n".to_vec();
    let mut random = 1_u64;
    for _ in 0..400_000 {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        text.extend_from_slice(format!("{},{}\n", random >> 40, random >> 50).as_bytes());
    }
    for packed in [gzip(&text), zstd::encode_all(&text[..], 3).unwrap()] {
        let cut = &packed[..packed.len() / 2];
        let (_folder, file) = opened(cut);
        let mut reader = CsvReader::open(file, &PLAIN, &names(&["a", "b"])).unwrap();
        let mut good = 0;
        let error = loop {
            match reader.next_rows() {
                Ok(Some(rows)) => {
                    assert!(rows.rejects.is_empty());
                    good += rows.len() as u64;
                }
                Ok(None) => panic!("the end was not noticed"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), Kind::Data);
        let message = error.message();
        assert!(message.contains(&format!("is truncated at byte {}", cut.len())), "{message}");
        let line: u64 = message.split("after line ").nth(1).unwrap().split(':').next().unwrap().parse().unwrap();
        assert!(good > 100_000 && line > good && line < 300_000, "{good} rows: {message}");
    }
    let mut damaged = gzip(&text);
    let middle = damaged.len() / 2;
    damaged[middle..middle + 100].fill(0xaa);
    assert!(data_error(csv_with(&damaged, &PLAIN, &["a"])).message().contains("gzip stream"));
}

#[test]
fn a_file_that_grows_while_it_is_read_is_noticed() {
    let (folder, file) = opened(b"a,b\n1,2\n");
    write(folder.path(), "f", b"a,b\n1,2\n3,4\n");
    let error = drain(CsvReader::open(file, &PLAIN, &names(&["a", "b"])).unwrap()).unwrap_err();
    assert!(error.message().contains("changed while it was read"), "{error}");
}

#[test]
fn json_fields_are_found_by_path() {
    let read = json(
        br#"{"id": 7, "props": {"device": "phone", "n": {"x": 1.50}}, "t": null}
{"props": {"n": {"x": 1e400}, "device": "a\"b\u5ba2"}, "id": "x", "t": true}

{"id": [1, {"a": 2}], "props": null}
"#,
        &["id", "props.device", "props.n.x", "t", "props"],
        false,
    );
    assert_eq!(read.rejects, []);
    assert_eq!(
        read.rows,
        rows(&[
            (1, &["7", "phone", "1.50", "∅", r#"{"device": "phone", "n": {"x": 1.50}}"#]),
            (2, &["x", "a\"b客", "1e400", "true", r#"{"n": {"x": 1e400}, "device": "a\"b\u5ba2"}"#]),
            (4, &[r#"[1, {"a": 2}]"#, "∅", "∅", "∅", "∅"]),
        ])
    );
}

#[test]
fn json_numbers_keep_their_digits() {
    let read = json(br#"{"a":123456789012345678901234567890.10,"b":-0.000,"c":1E5}"#, &["a", "b", "c"], false);
    assert_eq!(read.rows, rows(&[(1, &["123456789012345678901234567890.10", "-0.000", "1E5"])]));
}

#[test]
fn of_a_name_that_stands_twice_the_last_counts_and_dots_may_be_letters() {
    let read = json(b"{\"a\":1,\"a\":2}\n{\"b.c\":3}\n{\"b\":{\"c\":4}}\n", &["a", "b.c"], false);
    assert_eq!(read.rows, rows(&[(1, &["2", "∅"]), (2, &["∅", "3"]), (3, &["∅", "4"])]));
}

#[test]
fn new_json_fields_are_collected_when_wanted() {
    let text = b"{\"a\":1}\n{\"a\":2,\"n\":\"x\",\"p\":{\"d\":1,\"e\":2}}\n{\"n\":\"y\"}\n";
    let read = json(text, &["a", "p.d"], true);
    assert_eq!(read.fields, ["a", "p.d", "n", "p.e"]);
    assert_eq!(read.rows, rows(&[(1, &["1", "∅", "∅", "∅"]), (2, &["2", "1", "x", "2"]), (3, &["∅", "∅", "y", "∅"])]));
    assert_eq!(json(text, &["a", "p.d"], false).fields, ["a", "p.d"]);
    let many: String = (0..300).map(|i| format!("{{\"k{i}\":1}}\n")).collect();
    let (_folder, file) = opened(many.as_bytes());
    let error = data_error(drain(JsonLinesReader::open(file, &names(&["a"]), true).unwrap()));
    assert!(error.message().contains("more than 200 fields"), "{error}");
}

#[test]
fn lines_that_are_no_json_object_are_refused_with_their_text() {
    let text = b"{\"a\":1}\n{\"a\":\n[1]\n5\n{\"a\":2} {\"a\":3}\n{\"a\":2}}\nnull\n{\"a\":\"\xff\"}\n{\"a\":\"\\ud800\"}\n{}\n{} x\n{\"p\":3,\"a\":1}\n{\"a\":01}\n{\"a\":9}";
    let read = json(text, &["a", "p.q"], false);
    assert_eq!(read.rows, rows(&[(1, &["1", "∅"]), (10, &["∅", "∅"]), (14, &["9", "∅"])]));
    let rejects: Vec<(u64, &str)> = read.rejects.iter().map(|f| (f.line, f.raw.as_str())).collect();
    assert_eq!(
        rejects,
        [
            (2, "{\"a\":"),
            (3, "[1]"),
            (4, "5"),
            (5, "{\"a\":2} {\"a\":3}"),
            (6, "{\"a\":2}}"),
            (7, "null"),
            (8, "{\"a\":\"\u{fffd}\"}"),
            (9, "{\"a\":\"\\ud800\"}"),
            (11, "{} x"),
            (12, "{\"p\":3,\"a\":1}"),
            (13, "{\"a\":01}"),
        ]
    );
    let reason = |line: u64| read.rejects.iter().find(|f| f.line == line).unwrap().reason.clone();
    assert!(reason(2).starts_with("not valid JSON"), "{}", reason(2));
    assert!(reason(3).contains("array") && reason(4).contains("value") && reason(8).contains("utf-8"));
    assert_eq!(reason(12), "`p` is not an object");
}

#[test]
fn records_longer_than_a_window_are_read() {
    let long = "x".repeat(3 * 1024 * 1024);
    let read = csv(format!("a,b\n1,\"{long}\n\"\n2,{long}\n3,4\n").as_bytes());
    let lines: Vec<u64> = read.rows.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 4, 5]);
    assert_eq!(read.rows[0].1[1].len(), long.len() + 1);
    let read = json(format!("{{\"a\":\"{long}\"}}\n{{\"a\":1}}\n").as_bytes(), &["a"], false);
    assert_eq!((read.rows.len(), read.rows[0].1[0].len()), (2, long.len()));
}

/// Fields with everything that makes CSV hard.
fn field() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-z0-9 ,\"\n\r;客é]{0,12}", 1 => Just(String::new())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn csv_comes_back_as_the_csv_crate_wrote_it(
        table in prop::collection::vec(prop::collection::vec(field(), 3), 0..60),
        crlf in any::<bool>(),
        delimiter in prop::sample::select(vec![b',', b';', b'\t']),
    ) {
        let terminator = if crlf { ::csv::Terminator::CRLF } else { ::csv::Terminator::Any(b'\n') };
        let mut writer = ::csv::WriterBuilder::new().delimiter(delimiter).terminator(terminator).from_writer(Vec::new());
        writer.write_record(["a", "b", "c"]).unwrap();
        let mut expected = Vec::new();
        let mut line = 2;
        for row in &table {
            writer.write_record(row).unwrap();
            expected.push((line, row.clone()));
            line += 1 + row.iter().map(|cell| cell.matches('\n').count() as u64).sum::<u64>();
        }
        let options = CsvOptions { delimiter, ..PLAIN };
        let read = csv_with(&writer.into_inner().unwrap(), &options, &["a"]).unwrap();
        prop_assert_eq!(read.rows, expected);
        prop_assert!(read.rejects.is_empty());
    }

    #[test]
    fn json_comes_back_as_serde_wrote_it(
        table in prop::collection::vec((any::<Option<String>>(), any::<i64>(), any::<bool>()), 0..60),
    ) {
        let mut text = String::new();
        let mut expected = Vec::new();
        for (i, (word, number, flag)) in table.iter().enumerate() {
            text += &serde_json::json!({"n": {"number": number}, "word": word, "flag": flag}).to_string();
            text.push('\n');
            let word = word.clone().unwrap_or("∅".to_string());
            expected.push((i as u64 + 1, vec![word, number.to_string(), flag.to_string()]));
        }
        let read = json(text.as_bytes(), &["word", "n.number", "flag"], false);
        prop_assert_eq!(read.rejects, vec![]);
        prop_assert_eq!(read.rows, expected);
    }

    #[test]
    fn any_bytes_end_without_panic(bytes in prop::collection::vec(prop::sample::select(b"a,\"\n\r {}[]:1\\u\xc3\xff".to_vec()), 0..300)) {
        let _ = csv_with(&bytes, &PLAIN, &[]);
        let _ = csv_with(&bytes, &CsvOptions { delimiter: b' ', collapse: true, header: false, ..PLAIN }, &["a", "b"]);
        let _ = csv_with(&bytes, &CsvOptions { encoding: TextEncoding::Big5, header: false, ..PLAIN }, &["a", "b"]);
        json(&bytes, &["a"], true);
    }
}
