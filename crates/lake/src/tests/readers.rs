//! What other programs see: readers of Delta tables that share no code with the lake open its tables.

use super::faults::{FailingStore, Fault};
use super::*;
use arrow::array::{
    Array, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array, Int16Array,
    Int32Array, ListArray, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields, Int64Type};
use parquet::arrow::ArrowWriter;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, SystemTime};

/// A process with the readers, in Python.
struct Readers {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Readers {
    fn start() -> Readers {
        let mut process = perennial_testing::python()
            .args(["-c", include_str!("delta_readers.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python is needed");
        let requests = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Readers { process, requests, answers }
    }

    fn call(&mut self, request: &Value) -> Value {
        writeln!(self.requests, "{request}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        let answer: Value = serde_json::from_str(&answer).expect("python failed; scripts/test installs its packages");
        assert!(answer.get("error").is_none(), "{}", answer["error"].as_str().unwrap_or_default());
        answer["result"].clone()
    }

    /// Runs lines of Python, which set `result`.
    fn run(&mut self, code: &str, arguments: Value) -> Value {
        self.call(&json!({"call": "run", "code": code, "arguments": arguments}))
    }

    /// Every reader sees exactly the release's tables, also when it asks for some of their rows.
    fn assert_see(&mut self, lake: &Lake, release: &Release) {
        self.assert_see_with(lake, release, 1000);
    }

    /// The same with at most this many conditions on rows for each table.
    fn assert_see_with(&mut self, lake: &Lake, release: &Release, conditions: usize) {
        let folder = lake.folder().unwrap();
        for (name, version) in &release.tables {
            let problems = self.call(&json!({
                "call": "compare",
                "table": table_path(lake, &name.to_string()),
                "schema": schema_file(folder, version),
                "max_conditions": conditions,
                "files": version.files.iter().map(|f| folder.join(&f.path)).collect::<Vec<_>>(),
            }));
            let problems: Vec<&str> = problems.as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect();
            assert!(problems.is_empty(), "release {}:\n{}", release.number, problems.join("\n"));
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn table_path(lake: &Lake, table: &str) -> String {
    lake.folder().unwrap().join(table.replace('.', "/")).to_str().unwrap().to_string()
}

/// A Parquet file without rows, which tells Python the columns of a table.
fn schema_file(folder: &Path, version: &TableVersion) -> std::path::PathBuf {
    let path = folder.join("schema.parquet");
    let file = std::fs::File::create(&path).unwrap();
    ArrowWriter::try_new(file, version.schema.clone(), None).unwrap().close().unwrap();
    path
}

/// A column of every type without parts.
fn wide_rows(first: i64, count: i64) -> RecordBatch {
    let some = |i: i64| (i % 5 != 3).then_some(i);
    let ids = || first..first + count;
    let microseconds = |i: i64| 1_600_000_000_123_456 + i * 3_600_000_001;
    let decimals: Decimal128Array = ids().map(|i| some(i).map(|i| i128::from(i) * 1234 - 5000)).collect();
    let long_decimals: Decimal128Array = ids().map(|i| some(i).map(|i| i128::from(i) * 10_i128.pow(30))).collect();
    let with_zone: TimestampMicrosecondArray = ids().map(|i| some(i).map(microseconds)).collect();
    let columns: [(&str, ArrayRef); 15] = [
        ("id", Arc::new(Int64Array::from_iter_values(ids()))),
        ("name", Arc::new(ids().map(|i| some(i).map(|i| format!("客户 {i} \"'\\"))).collect::<StringArray>())),
        ("revenue", Arc::new(decimals.with_precision_and_scale(18, 2).unwrap())),
        ("total", Arc::new(long_decimals.with_precision_and_scale(38, 6).unwrap())),
        ("day", Arc::new(ids().map(|i| some(i).map(|i| i as i32 - 2)).collect::<Date32Array>())),
        ("at", Arc::new(with_zone.with_timezone("UTC"))),
        ("local", Arc::new(ids().map(|i| some(i).map(microseconds)).collect::<TimestampMicrosecondArray>())),
        (
            "share",
            Arc::new(ids().map(|i| some(i).map(|i| if i == 2 { f64::NAN } else { 0.5 })).collect::<Float64Array>()),
        ),
        ("ratio", Arc::new(ids().map(|i| some(i).map(|i| i as f32 / 4.0)).collect::<Float32Array>())),
        ("active", Arc::new(ids().map(|i| some(i).map(|i| i % 2 == 0)).collect::<BooleanArray>())),
        ("tiny", Arc::new(ids().map(|i| some(i).map(|i| (i % 100) as i8 - 50)).collect::<Int8Array>())),
        ("small", Arc::new(ids().map(|i| some(i).map(|i| -(i as i16))).collect::<Int16Array>())),
        ("medium", Arc::new(ids().map(|i| some(i).map(|i| i as i32)).collect::<Int32Array>())),
        ("code", Arc::new(ids().map(|i| some(i).map(|i| vec![0, 255, i as u8])).collect::<BinaryArray>())),
        ("nothing", Arc::new(ids().map(|_| None::<&str>).collect::<StringArray>())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

/// Lists and structs, in each other.
fn nested_rows(first: i64, count: i64) -> RecordBatch {
    let ids = || first..first + count;
    let some = |i: i64| (i % 4 != 1).then_some(i);
    let list = || {
        let values = |i: i64| (0..i % 3).map(|n| (n != 1).then_some(n + i)).collect::<Vec<_>>();
        ListArray::from_iter_primitive::<Int64Type, _, _>(ids().map(|i| some(i).map(values)))
    };
    let fields: Fields = vec![
        Field::new("day", DataType::Date32, true),
        Field::new("text", DataType::Utf8, true),
        Field::new("counts", list().data_type().clone(), true),
    ]
    .into();
    let members: Vec<ArrayRef> = vec![
        Arc::new(ids().map(|i| some(i + 1).map(|i| i as i32)).collect::<Date32Array>()),
        Arc::new(ids().map(|i| Some(format!("row {i}"))).collect::<StringArray>()),
        Arc::new(list()),
    ];
    let present: NullBuffer = ids().map(|i| some(i + 2).is_some()).collect::<Vec<_>>().into();
    let columns: [(&str, ArrayRef); 3] = [
        ("id", Arc::new(Int64Array::from_iter_values(ids()))),
        ("counts", Arc::new(list())),
        ("last order", Arc::new(StructArray::new(fields, members, Some(present)))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

/// As [`rows`], with columns that came later.
fn later_rows(first: i64, count: i64) -> RecordBatch {
    let earlier = rows(first, count);
    let days: Date32Array = (first..first + count).map(|i| (i % 3 != 0).then_some(i as i32)).collect();
    let prices: Decimal128Array = (first..first + count).map(|i| Some(i128::from(i) * 10_i128.pow(16) + 7)).collect();
    let columns: [(&str, ArrayRef); 4] = [
        ("id", earlier.column(0).clone()),
        ("text", earlier.column(1).clone()),
        ("day", Arc::new(days)),
        ("price", Arc::new(prices.with_precision_and_scale(30, 2).unwrap())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

/// Batches of different columns.
const SHAPES: [fn(i64, i64) -> RecordBatch; 4] = [rows, wide_rows, nested_rows, later_rows];

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_types_name_and_history() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let first = table(&lake, "marts.wide", "r1", &wide_rows(1, 7)).await;
    let nested = table(&lake, "marts.nested", "r1", &nested_rows(1, 9)).await;
    let empty = table(&lake, "marts.empty", "r1", &wide_rows(1, 0)).await;
    let tables = [("marts.wide", first.clone()), ("marts.nested", nested.clone()), ("marts.empty", empty.clone())];
    let published = lake.publish(&lock, new_release("r1", tables)).await.unwrap();
    let mut readers = Readers::start();
    readers.assert_see(&lake, &published.release);
    let mut grown = first.clone();
    grown.files.extend(table(&lake, "marts.wide", "r2", &wide_rows(8, 5)).await.files);
    let tables = [("marts.wide", grown), ("marts.nested", nested), ("marts.empty", empty)];
    let published = lake.publish(&lock, new_release("r2", tables)).await.unwrap();
    readers.assert_see(&lake, &published.release);
    let published = lake.rollback(&lock, 1, "r3", timestamp("2026-11-23T00:00:00Z")).await.unwrap();
    readers.assert_see(&lake, &published.release);

    let seen = readers.run(
        "table = deltalake.DeltaTable(arguments)\n\
         history = [[c['version'], c['operation'], c['operationParameters'].get('mode'), c['perennial.run'],\n\
             c['timestamp']] for c in reversed(table.history())]\n\
         protocol = table.protocol()\n\
         result = {'history': history, 'name': table.metadata().name, 'transaction': table.transaction_version('perennial'),\n\
             'protocol': [protocol.min_reader_version, protocol.min_writer_version, protocol.reader_features],\n\
             'types': [str(f.type.type) for f in table.schema().fields]}\n",
        json!(table_path(&lake, "marts.wide")),
    );
    // Seconds since 1970 of 2026-11-22T04:15:00Z and the midnight after it.
    let (first_day, next_day) = (1_795_320_900_000_i64, 1_795_392_000_000_i64);
    let history = json!([
        [0, "CREATE TABLE", null, "r1", first_day],
        [1, "WRITE", "Append", "r2", first_day],
        [2, "WRITE", "Overwrite", "r3", next_day],
    ]);
    assert_eq!(seen["history"], history);
    assert_eq!((&seen["name"], &seen["transaction"]), (&json!("marts.wide"), &json!(3)));
    assert_eq!(seen["protocol"], json!([3, 7, ["timestampNtz"]]));
    let types = [
        "long",
        "string",
        "decimal(18,2)",
        "decimal(38,6)",
        "date",
        "timestamp",
        "timestamp_ntz",
        "double",
        "float",
        "boolean",
        "byte",
        "short",
        "integer",
        "binary",
        "string",
    ];
    assert_eq!(seen["types"], json!(types));
}

/// Tables are created, grow, get other columns, become empty, are removed and added again, releases are removed, and
/// processes are killed at any time: after every run all readers see the newest release.
#[tokio::test(flavor = "multi_thread")]
async fn readers_see_the_newest_release_after_any_sequence_of_runs() {
    let mut readers = Readers::start();
    let mut checkpoints = 0;
    for seed in 0..2 {
        let mut random = StdRng::seed_from_u64(seed);
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("läke 1");
        for number in 1..=15 {
            let run_id = format!("20261122T0415{number:02}Z-0000");
            let killed_after = if random.random_bool(0.4) { random.random_range(1..120) } else { i64::MAX };
            let store = FailingStore::new(Fault::Gone, killed_after);
            let lake = Lake::in_folder_through(folder.clone(), store).unwrap();
            random_run(&lake, &run_id, &mut random).await.ok();

            let lake = Lake::open(folder.to_str().unwrap()).await.unwrap();
            let lock = lake.lock(holder("repair"), now()).await.unwrap();
            let repairs = lake.repair(&lock).await.unwrap();
            assert!(repairs.delta_behind.is_none(), "{:?}", repairs.delta_behind);
            for killed in repairs.killed {
                lake.end_run(&lock, &killed.holder.run_id).await.unwrap();
            }
            drop(lock);
            let killed_after = if random.random_bool(0.4) { random.random_range(1..100) } else { i64::MAX };
            let store = FailingStore::new(Fault::Gone, killed_after);
            random_vacuum(&Lake::in_folder_through(folder.clone(), store).unwrap(), &mut random).await.ok();
            if let Some(latest) = lake.latest().await.unwrap() {
                assert_delta_follows(&lake, &latest).await;
                readers.assert_see_with(&lake, &latest, 4);
            }
        }
        let lake = Lake::open(folder.to_str().unwrap()).await.unwrap();
        let files = lake.list("").await.unwrap();
        checkpoints += files.iter().filter(|(path, _)| path.ends_with(".checkpoint.parquet")).count();
    }
    assert!(checkpoints > 1, "only {checkpoints} checkpoints were written");
}

/// A vacuum that leaves one to three releases, or ends early because its store does.
async fn random_vacuum(lake: &Lake, random: &mut StdRng) -> Result<()> {
    let rule = Retention {
        days: 0,
        months: 0,
        min_releases: random.random_range(1..4),
        needed: BTreeSet::new(),
        outbox_from: jiff::civil::date(2026, 3, 1),
        grace: jiff::SignedDuration::ZERO,
        zone: jiff::tz::TimeZone::UTC,
    };
    let lock = lake.lock(holder("vacuum"), now()).await?;
    let vacuum = lake.vacuum(&lock, &rule, now() + jiff::SignedDuration::from_hours(48)).await?;
    drop(lock);
    lake.delete_waste(&vacuum).await
}

/// A run that changes some tables, or ends early because its store does.
async fn random_run(lake: &Lake, run_id: &str, random: &mut StdRng) -> Result<()> {
    let lock = lake.lock(holder(run_id), now()).await?;
    lake.repair(&lock).await?;
    lake.begin_run(&lock, now(), &serde_json::Value::Null).await?;
    let before = lake.latest().await?;
    let mut tables = Vec::new();
    for table in ["raw.a", "raw.b", "marts.c", "marts.d"] {
        let old = before.as_ref().and_then(|release| release.tables.get(&name(table)));
        let shape = SHAPES[random.random_range(0..SHAPES.len())];
        let (first, count) = (random.random_range(1..1000), random.random_range(1..20));
        let version = match (random.random_range(0..10), old) {
            (0, _) => continue,
            (1, Some(old)) => old.clone(),
            (2, _) => try_table(lake, table, run_id, &shape(first, 0)).await?,
            (3..=6, Some(old)) => {
                let same = SHAPES.iter().find(|shape| shape(1, 0).num_columns() == old.schema.fields().len()).unwrap();
                let grows_columns = old.schema.fields().len() == 2 && random.random_bool(0.5);
                let shape = if grows_columns { &SHAPES[3] } else { same };
                let mut grown = try_table(lake, table, run_id, &shape(first, count)).await?;
                grown.files.splice(0..0, old.files.clone());
                grown
            }
            _ => try_table(lake, table, run_id, &shape(first, count)).await?,
        };
        tables.push((table, version));
    }
    let published = lake.publish(&lock, new_release(run_id, tables)).await?;
    lake.end_run(&lock, run_id).await?;
    match published.delta_behind {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Readers need not open a file whose statistics exclude it: here it does not exist.
#[tokio::test(flavor = "multi_thread")]
async fn statistics_let_readers_skip_files() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let mut version = table(&lake, "marts.wide", "r1", &wide_rows(1, 7)).await;
    let skipped = lake.folder().unwrap().join(&version.files[0].path);
    version.files.extend(table(&lake, "marts.wide", "r1", &wide_rows(101, 8)).await.files);
    lake.publish(&lock, new_release("r1", [("marts.wide", version)])).await.unwrap();
    std::fs::remove_file(skipped).unwrap();
    let mut readers = Readers::start();
    let code = "import datetime, decimal\n\
        utc = datetime.timezone.utc\n\
        conditions = [('id', 101), ('revenue', decimal.Decimal('1000.00')), ('day', datetime.date(1970, 4, 1)),\n\
            ('at', datetime.datetime(2020, 9, 17, tzinfo=utc)), ('local', datetime.datetime(2020, 9, 17)),\n\
            ('medium', 100)]\n\
        result = {}\n\
        for reader in ('delta-rs', 'duckdb'):\n\
        \x20   for condition in conditions:\n\
        \x20       if reader == 'duckdb' and condition[0] in ('at', 'local'):\n\
        \x20           continue  # DuckDB opens every file for a condition on timestamps.\n\
        \x20       try:\n\
        \x20           found = len(READERS[reader](arguments, condition))\n\
        \x20       except Exception as error:\n\
        \x20           found = str(error)\n\
        \x20       result[f'{reader} {condition[0]}'] = found\n";
    let found = readers.run(code, json!(table_path(&lake, "marts.wide")));
    // Of ids 101 to 108 two have a NULL in every column but `id`: 103 and 108.
    for (case, rows) in found.as_object().unwrap() {
        let expected = if case.ends_with(" id") { 8 } else { 6 };
        assert_eq!(*rows, json!(expected), "{case}");
    }
    assert_eq!(found.as_object().unwrap().len(), 10);
}

/// Bounds in the log are those of the rows; text has none.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_bounds_but_no_names() {
    let (_folder, lake) = new_lake().await;
    let columns: [(&str, ArrayRef); 7] = [
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ("name", Arc::new(StringArray::from(vec![Some("客户"), None, Some("b")]))),
        (
            "revenue",
            Arc::new(Decimal128Array::from(vec![Some(1234), None, Some(-5)]).with_precision_and_scale(18, 2).unwrap()),
        ),
        ("day", Arc::new(Date32Array::from(vec![-1, 0, 20_000]))),
        ("at", Arc::new(TimestampMicrosecondArray::from(vec![0, 1, 1_600_000_000_123_456]).with_timezone("UTC"))),
        ("share", Arc::new(Float64Array::from(vec![0.5, f64::NAN, 2.0]))),
        ("nothing", Arc::new(Int64Array::from(vec![None::<i64>; 3]))),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true))).unwrap();
    let version = table(&lake, "marts.wide", "r1", &batch).await;
    let found = stats::of_file(&lake, &version.files[0], &version.schema).await.unwrap().unwrap();
    let expected = json!({
        "numRecords": 3,
        "minValues": {"id": 1, "revenue": -0.05, "day": "1969-12-31", "at": "1970-01-01T00:00:00.000000Z"},
        "maxValues": {"id": 3, "revenue": 12.34, "day": "2024-10-04", "at": "2020-09-13T12:26:40.123456Z"},
        "nullCount": {"id": 0, "revenue": 1, "day": 0, "at": 0, "nothing": 3},
    });
    assert_eq!(serde_json::from_str::<Value>(&found).unwrap(), expected);
}

/// Old commits are deleted once a checkpoint covers them; readers see the same table.
#[tokio::test(flavor = "multi_thread")]
async fn expired_commits_are_deleted_and_readers_see_the_same() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let mut readers = Readers::start();
    let log = lake.folder().unwrap().join("marts/a/_delta_log");
    let names = || {
        let mut names: Vec<String> =
            std::fs::read_dir(&log).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let commit = |version: u64| format!("{version:020}.json");
    let checkpoint = |version: u64| format!("{version:020}.checkpoint.parquet");
    let mut release = None;
    for number in 0..=20 {
        let run_id = format!("r{number}");
        let a = table(&lake, "marts.a", &run_id, &wide_rows(number * 10, 10)).await;
        let published = lake.publish(&lock, new_release(&run_id, [("marts.a", a)])).await.unwrap();
        assert!(published.delta_behind.is_none());
        release = Some(published.release);
        if number == 12 {
            readers.assert_see(&lake, release.as_ref().unwrap());
            assert_eq!(names().iter().filter(|name| name.ends_with(".json")).count(), 13);
            let day = Duration::from_secs(24 * 60 * 60);
            // Versions up to 11 are older than the retention time, version 12 is not.
            let published_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_320_900);
            for name in names() {
                let age = if name == commit(12) { 29 } else { 32 };
                let file = std::fs::File::options().write(true).open(log.join(name)).unwrap();
                file.set_modified(published_at - day * age).unwrap();
            }
        }
    }
    // The newest expired version is 11: from the checkpoint before it on, every version can still be read.
    let mut expected: Vec<String> = (10..=20).map(commit).collect();
    expected.extend([checkpoint(10), checkpoint(20), "_last_checkpoint".to_string()]);
    expected.sort();
    assert_eq!(names(), expected);
    readers.assert_see(&lake, &release.unwrap());
    let versions =
        "result = [len(deltalake.DeltaTable(arguments, version=v).to_pyarrow_table()) for v in range(10, 21)]";
    assert_eq!(readers.run(versions, json!(table_path(&lake, "marts.a"))), json!(vec![10; 11]));
}

/// Commits and checkpoints of other programs are read, and the next release overrides them.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_release_overrides_what_other_programs_wrote() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r1"), now()).await.unwrap();
    let mut readers = Readers::start();
    // A table of delta-rs where the lake is to have one, with a checkpoint and a commit after it.
    let code = "rows = pyarrow.table({'name': ['x', 'y'], 'id': pyarrow.array([1, 2], pyarrow.int32())})\n\
        for n in range(4):\n\
        \x20   transaction = deltalake.Transaction('perennial', -10 + n)\n\
        \x20   properties = deltalake.CommitProperties(app_transactions=[transaction])\n\
        \x20   deltalake.write_deltalake(arguments, rows, mode='append', commit_properties=properties)\n\
        deltalake.DeltaTable(arguments).create_checkpoint()\n\
        deltalake.write_deltalake(arguments, rows, mode='append')\n";
    readers.run(code, json!(table_path(&lake, "marts.a")));
    let found = delta_snapshot(&lake, "marts.a").await.unwrap();
    assert_eq!((found.version, found.checkpoint, found.contents.files.len()), (4, Some(3), 5));
    assert_eq!(found.transaction_version("perennial"), Some(-7));
    let a = table(&lake, "marts.a", "r1", &rows(1, 10)).await;
    let published = lake.publish(&lock, new_release("r1", [("marts.a", a.clone())])).await.unwrap();
    assert!(published.delta_behind.is_none(), "{:?}", published.delta_behind);
    readers.assert_see(&lake, &published.release);

    // Files are merged into one and a checkpoint is written: readers see the same rows until the next release.
    let mut grown = a;
    for number in 2..=4 {
        let run_id = format!("r{number}");
        grown.files.extend(table(&lake, "marts.a", &run_id, &rows(number * 100, 10)).await.files);
        lake.publish(&lock, new_release(&run_id, [("marts.a", grown.clone())])).await.unwrap();
    }
    let code = "table = deltalake.DeltaTable(arguments)\n\
        result = table.optimize.compact()['numFilesRemoved']\n\
        table.create_checkpoint()\n";
    assert_eq!(readers.run(code, json!(table_path(&lake, "marts.a"))), json!(4));
    let latest = lake.latest().await.unwrap().unwrap();
    readers.assert_see(&lake, &latest);
    grown.files.extend(table(&lake, "marts.a", "r5", &rows(500, 10)).await.files);
    let published = lake.publish(&lock, new_release("r5", [("marts.a", grown)])).await.unwrap();
    assert!(published.delta_behind.is_none(), "{:?}", published.delta_behind);
    assert_delta_follows(&lake, &published.release).await;
    readers.assert_see(&lake, &published.release);
}

/// Checkpoints list removed files until they expire, so that a vacuum knows them.
#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_knows_the_removed_files() {
    let (_folder, lake) = new_lake().await;
    let lock = lake.lock(holder("r0"), now()).await.unwrap();
    let mut removed = Vec::new();
    for number in 0..=12 {
        let run_id = format!("r{number}");
        let a = table(&lake, "marts.a", &run_id, &rows(1, 3)).await;
        removed.extend(a.files.iter().map(|f| f.path.strip_prefix("marts/a/").unwrap().to_string()));
        // Five releases a week earlier than the others and a day.
        let hours = if number < 5 { -8 * 24 } else { 0 };
        let published_at = now() + jiff::SignedDuration::from_hours(hours);
        lake.publish(&lock, NewRelease { published_at, ..new_release(&run_id, [("marts.a", a)]) }).await.unwrap();
    }
    let found = delta_snapshot(&lake, "marts.a").await.unwrap();
    assert_eq!((found.version, found.checkpoint), (12, Some(10)));
    // The checkpoint forgot the files of releases 0 to 3, which releases 1 to 4 removed 8 days before.
    removed.pop();
    let mut kept = removed.split_off(4);
    kept.sort();
    assert_eq!(found.contents.tombstones.keys().cloned().collect::<Vec<_>>(), kept);
    let mut readers = Readers::start();
    let code = "result = sorted(deltalake.DeltaTable(arguments).vacuum(retention_hours=0, dry_run=True,\n\
        \x20   enforce_retention_duration=False))";
    let deleted = readers.run(code, json!(table_path(&lake, "marts.a")));
    assert_eq!(deleted, json!(kept));
}
