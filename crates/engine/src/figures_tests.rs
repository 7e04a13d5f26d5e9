//! No figure is wrong in silence, and every error says by whose fault it is.

use super::*;
use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use perennial_lake::DataFiles as _;
use std::error::Error as _;

/// `core.t` in several batches: numbers at the ends of BIGINT and DECIMAL(38), in an order in which every partial sum
/// leaves the type, though the whole does not.
fn engine() -> Engine {
    let engine = Engine::open(EngineSettings::default(), None).unwrap();
    let longest = 10_i128.pow(38) - 1;
    let big: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX, i64::MAX, i64::MIN, i64::MIN, 2]));
    let wide = Decimal128Array::from(vec![longest, longest, -longest, -longest, 500]);
    let wide: ArrayRef = Arc::new(wide.with_precision_and_scale(38, 2).unwrap());
    let group: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "a", "b", "c"]));
    let day: ArrayRef = Arc::new(Date32Array::from(vec![20_454; 5]));
    let number: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5]));
    let at = TimestampMicrosecondArray::from(vec![1_767_222_000_000_000; 5]);
    let moment: ArrayRef = Arc::new(at.clone());
    let instant: ArrayRef = Arc::new(at.with_timezone("UTC"));
    let columns = [
        ("big", big),
        ("wide", wide),
        ("name", group),
        ("day", day),
        ("n", number),
        ("moment", moment),
        ("instant", instant),
    ];
    let all = RecordBatch::try_from_iter(columns).unwrap();
    let rows = (0..5).map(|row| all.slice(row, 1)).collect();
    engine.register_rows(&TableName::new("core", "t"), all.schema(), rows).unwrap();
    engine
}

/// The first row, its values with a comma between.
async fn row(sql: &str) -> String {
    let batches = engine().collect(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    let batch = batches.iter().find(|batch| batch.num_rows() > 0).unwrap();
    let options = FormatOptions::default().with_null("NULL");
    let values = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap().value(0).to_string());
    values.collect::<Vec<_>>().join(", ")
}

/// The message with its place, and the exit code.
async fn refused(sql: &str) -> (String, u8) {
    let error = engine().collect(sql).await.expect_err(sql);
    (error.to_string(), error.kind().exit_code())
}

#[tokio::test]
async fn a_sum_is_judged_when_it_is_whole() {
    for (sql, expected) in [
        // 2 * (2^63 - 1) - 2 * 2^63 + 2
        ("SELECT sum(big) FROM core.t", "0"),
        ("SELECT sum(wide) FROM core.t", "5.00"),
        ("SELECT sum(big), sum(wide) FROM core.t GROUP BY name ORDER BY name LIMIT 1", "-1, 0.00"),
        ("SELECT sum(DISTINCT big) FROM core.t", "1"),
        ("SELECT sum(big) FILTER (WHERE n > 4) FROM core.t", "2"),
        ("SELECT sum(big) FROM core.t WHERE n > 9", "NULL"),
        ("SELECT sum(big) OVER () FROM core.t", "0"),
        ("SELECT sum(n) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM core.t ORDER BY n DESC", "9"),
        ("SELECT sum(DISTINCT n) OVER (ORDER BY n ROWS 1 PRECEDING) FROM core.t ORDER BY n DESC", "9"),
        ("SELECT count(DISTINCT name), sum(n), max(n) FROM core.t", "3, 15, 5"),
        ("SELECT arrow_typeof(sum(n)), arrow_typeof(sum(wide)) FROM core.t", "Int64, Decimal128(38, 2)"),
        ("SELECT arrow_typeof(sum(1.5::DECIMAL(10, 2))), sum(1.5::DOUBLE * n) FROM core.t", "Decimal128(20, 2), 22.5"),
        ("SELECT sum(TIMESTAMP '2026-01-02' - TIMESTAMP '2026-01-01')", "PT86400S"),
        ("SELECT avg(wide), avg(n) FROM core.t", "1.000000, 3.0"),
    ] {
        let given = row(sql).await;
        assert_eq!(given, expected, "{sql}");
    }
    let (message, code) = refused("SELECT\n  sum(big) FROM core.t WHERE n <= 2").await;
    assert_eq!(message, "query:2:7: sum(core.t.big) is 18446744073709551614, which does not fit into BIGINT");
    assert_eq!(code, 1);
    for sql in [
        "SELECT name, sum(big * 1) AS s FROM core.t WHERE n < 3 OR n = 5 GROUP BY name HAVING sum(big) + 1 > 0",
        "SELECT sum(wide) FROM core.t WHERE n <= 2",
        "SELECT sum(big) OVER (ORDER BY n) FROM core.t",
        "SELECT sum(big) OVER (ORDER BY n ROWS 1 PRECEDING) FROM core.t",
        "SELECT sum(DISTINCT big) FROM core.t WHERE big > 0",
    ] {
        let (message, code) = refused(sql).await;
        assert!(message.contains("does not fit into") && code == 1, "{sql}: {message} ({code})");
    }
}

#[tokio::test]
async fn arithmetic_does_not_wrap() {
    for (sql, expected) in [
        (
            "SELECT big - 1 + 1, -n, n * 2, arrow_typeof(n::INT + 1::INT) FROM core.t WHERE n = 1",
            "9223372036854775807, -1, 2, Int32",
        ),
        ("SELECT wide * 1::DECIMAL(1, 0), wide / 1::DECIMAL(1, 0) FROM core.t WHERE n = 5", "5.00, 5.000000"),
        ("SELECT n + 1 AS m FROM core.t GROUP BY n + 1 ORDER BY m", "2"),
        ("SELECT 1.5 + 2, n / 2, n % 2, day + 1, day - day FROM core.t", "3.5, 0, 1, 2026-01-02, 0"),
        ("SELECT count(*) FROM core.t a JOIN core.t b ON a.n = b.n + 1 WHERE a.n + b.n > 3", "3"),
        ("SELECT array_transform([n, 1], e -> e + 1) FROM core.t", "[2, 2]"),
        ("SELECT n FROM core.t LIMIT 1 + 1", "1"),
        ("SELECT NULL + n, n + NULL FROM core.t", "NULL, NULL"),
        (
            "SELECT n << 62, -n << 63, 0 << 70, n::INT << 2::INT, 5 << NULL FROM core.t WHERE n = 1",
            "4611686018427387904, -9223372036854775808, 0, 4, NULL",
        ),
        ("SELECT big >> 62, -big >> 70, 1 + n >> 1 FROM core.t WHERE n = 1", "1, -1, 1"),
        (
            "SELECT CASE WHEN w > 2 THEN round(w * 0.5::DECIMAL(2, 1), 2) * 2 ELSE round(w, 2) END \
             FROM (SELECT n::DECIMAL(18, 6) * 1.5::DECIMAL(26, 8) AS w FROM core.t WHERE n = 3) AS t",
            "4.50",
        ),
    ] {
        assert_eq!(row(sql).await, expected, "{sql}");
    }
    for (sql, expected) in [
        ("SELECT n,\n  big + n FROM core.t", "query:2:9: 9223372036854775807 + 1 does not fit into BIGINT"),
        ("SELECT n - big FROM core.t WHERE n = 3", "query:1:12: 3 - -9223372036854775808 does not fit into BIGINT"),
        ("SELECT big * 2 FROM core.t", "query:1:8: 9223372036854775807 * 2 does not fit into BIGINT"),
        ("SELECT -big FROM core.t WHERE n = 3", "query:1:9: -(-9223372036854775808) does not fit into BIGINT"),
        ("SELECT n << 63 FROM core.t", "query:1:8: 1 << 63 does not fit into BIGINT"),
        ("SELECT 3 + 1 << n + 63 FROM core.t", "query:1:17: 4 << 64 does not fit into BIGINT"),
        ("SELECT big::INT FROM core.t", "can't cast value 9223372036854775807 to type INTEGER"),
        ("SELECT n::INT * 2147483647::INT FROM core.t", "query:1:8: 2 * 2147483647 does not fit into INTEGER"),
        (
            "SELECT wide + wide FROM core.t",
            "query:1:15: 999999999999999999999999999999999999.99 + 999999999999999999999999999999999999.99 \
             does not fit into DECIMAL(38,2)",
        ),
        ("SELECT wide * 3::DECIMAL(1, 0) FROM core.t", "query:1:8: "),
        (
            "SELECT n,\n  avg(wide) FROM core.t WHERE n = 1 GROUP BY n",
            "query:2:3: `avg`: the average has more digits than its DECIMAL type holds",
        ),
        ("SELECT avg(wide) FROM core.t WHERE n = 1", "query:1:8: `avg`: the average has more digits"),
        ("SELECT abs(big) FROM core.t WHERE n = 3", "int64Array overflow on abs(-9223372036854775808)"),
    ] {
        let (message, code) = refused(sql).await;
        assert!(message.starts_with(expected) && code == 1, "{sql}: {message} ({code})");
    }
    // 1.4e38 is below the greatest number of 128 bits, and has a digit too many.
    let (message, _) = refused("SELECT wide + wide * 0.5::DECIMAL(2, 1) FROM core.t WHERE n = 1").await;
    assert!(message.contains("does not fit into DECIMAL(38,"), "{message}");
    let (message, code) = refused("SELECT 9223372036854775807 + 1").await;
    assert_eq!(message, "query:1:8: 9223372036854775807 + 1 does not fit into BIGINT");
    assert_eq!(code, 1);
}

#[tokio::test]
async fn an_error_inside_a_view_has_no_place_in_the_query() {
    let engine = engine();
    engine.register_view(&TableName::new("core", "v"), "SELECT\n\n  big + n AS m FROM core.t").await.unwrap();
    let error = engine.collect("SELECT m FROM core.v").await.unwrap_err();
    assert_eq!(error.to_string(), "9223372036854775807 + 1 does not fit into BIGINT");
}

#[tokio::test]
async fn types_that_do_not_go_together_are_refused() {
    let mut all = String::new();
    for what in [
        "day < 5",
        "5 >= day",
        "day BETWEEN 1 AND DATE '2026-01-01'",
        "day IN (1, 2)",
        "CASE day WHEN 1 THEN 2 END",
        "n IS DISTINCT FROM day",
        "n IN (SELECT day FROM core.t)",
        "moment = 7",
        "name = n",
        "name < day",
        "moment > name",
        "day < instant",
        "moment - instant",
        "instant - day",
        "greatest(day, n)",
        "coalesce(n, name)",
        "nullif(day, 0)",
        "nvl(day, 0)",
        "CASE WHEN n > 1 THEN day ELSE 0 END",
        "lag(day, 1, 0) OVER (ORDER BY n)",
    ] {
        let (message, code) = refused(&format!("SELECT {what} AS x FROM core.t")).await;
        assert_eq!(code, 2, "{what}");
        all.push_str(&format!("{what}: {message}\n"));
    }
    for sql in [
        "SELECT 1 FROM core.t a JOIN (SELECT n AS day FROM core.t) b USING (day)",
        "SELECT day FROM core.t UNION ALL SELECT n FROM core.t",
        "SELECT name FROM core.t UNION SELECT day FROM core.t",
        "SELECT n FROM core.t INTERSECT SELECT day FROM core.t",
    ] {
        let (message, code) = refused(sql).await;
        assert_eq!(code, 2, "{sql}");
        all.push_str(&format!("{sql}: {message}\n"));
    }
    insta::assert_snapshot!(all);
    for what in [
        "day < '2026-01-05'",
        "day BETWEEN '2026-01-01' AND '2026-02-01'",
        "day + 1 > day - 1",
        "n = '3'",
        "day < moment",
        "moment < instant",
        "instant - instant",
        "instant > '2026-01-01T00:00:00Z'",
        "CASE WHEN n > 1 THEN name ELSE NULL END",
        "CAST(instant AT TIME ZONE 'Europe/Berlin' AS DATE) = day",
        "name || n",
        "n IN (1, 2.5)",
        "n = 1.5",
    ] {
        row(&format!("SELECT {what} AS x FROM core.t")).await;
    }
}

#[tokio::test]
async fn results_far_larger_than_their_arguments_are_bounded() {
    let megabytes = "repeat(name, 10000000)";
    for what in [
        "length(repeat('x', 2000000000))",
        "rpad('x', 1000000000)",
        "lpad(name, 1000000000, 'é')",
        "length(replace(repeat('x', 1000000), 'x', repeat('y', 1000)))",
        &format!("length(concat({}))", [megabytes; 30].join(", ")),
        &format!("length(concat_ws({megabytes}, {}))", ["'a'"; 30].join(", ")),
        &format!("length({})", [megabytes; 30].join(" || ")),
        "cardinality(array_repeat(1, 1000000000))",
        "cardinality(array_resize([1], 1000000000, 0))",
        "cardinality(range(1, 1000000000))",
        "cardinality(generate_series(1, 10000000000, 2))",
        "cardinality(generate_series(TIMESTAMP '2000-01-01', TIMESTAMP '2026-01-01', INTERVAL '1 second'))",
    ] {
        let (message, _) = refused(&format!("SELECT {what} AS x FROM core.t")).await;
        assert!(message.contains("MB at once; at most 256 MB are allowed"), "{what}: {message}");
    }
    for (what, expected) in [
        ("repeat(name, 3), rpad(name, 3, '.'), lpad(name, 3)", "aaa, a..,   a"),
        ("replace(name, 'a', 'bcd'), replace('aXbX', 'X', name), replace(name, '', '-')", "bcd, aaba, a"),
        (
            "name || n || 'x', name || NULL, 'a' || 'b', concat(name, NULL, 1), concat_ws('-', name, 'b')",
            "a1x, NULL, ab, a1, a-b",
        ),
        ("[n] || [2], [1, 2] || n", "[1, 2], [1, 2, 1]"),
        ("range(n, 4), generate_series(2), array_repeat(name, 2)", "[1, 2, 3], [0, 1, 2], [a, a]"),
        ("cardinality(generate_series(DATE '2026-01-01', DATE '2026-12-31', INTERVAL '1 month'))", "12"),
    ] {
        assert_eq!(row(&format!("SELECT {what} FROM core.t")).await, expected, "{what}");
    }
}

/// What is deep, in the time that the deepest allowed takes, and without an end of the stack.
#[test]
fn deep_queries_are_planned_or_refused() {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let terms = |word: &str, count: usize| vec!["1"; count].join(word);
            assert_eq!(row(&format!("SELECT {}", terms(" + ", 1_000))).await, "1000");
            assert_eq!(row(&vec!["SELECT 1 AS x"; 300].join(" UNION ALL ")).await, "1");
            assert_eq!(row(&format!("SELECT {}1{}", "abs(".repeat(60), ")".repeat(60))).await, "1");
            let values = (0..10_000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
            assert_eq!(row(&format!("SELECT count(*) FROM core.t WHERE n IN ({values})")).await, "5");
            for sql in [
                format!("SELECT {}", terms("+", 20_000)),
                format!("SELECT 1 FROM core.t WHERE {}", vec!["n = 1"; 5_000].join(" OR ")),
                vec!["SELECT 1 AS x"; 2_000].join(" UNION ALL "),
                format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000)),
                format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(5_000), " END".repeat(5_000)),
            ] {
                let (message, code) = refused(&sql).await;
                assert!(message.contains("more than ") && code == 2, "{message}");
            }
        });
    };
    std::thread::Builder::new().stack_size(64 << 20).spawn(run).unwrap().join().unwrap();
}

#[tokio::test]
async fn an_unknown_table_is_the_source_of_its_error() {
    for (sql, name, column) in [("SELECT * FROM nowhere.x", "nowhere.x", 23), ("SELECT * FROM x", "x", 15)] {
        let error = engine().query(sql).await.unwrap_err();
        assert_eq!(error.to_string(), format!("query:1:{column}: unknown table `{name}`"));
        let source = error.source().and_then(|source| source.downcast_ref::<UnknownTable>());
        assert_eq!(source, Some(&UnknownTable { name: name.into() }));
    }
}

/// What the engine and the stores say when a file of the lake is not as it was written, and when a store fails.
#[tokio::test]
async fn damage_and_outages_are_told_apart() {
    use datafusion::parquet::errors::ParquetError;
    use object_store::Error as StoreError;
    let generic = |source: &str| StoreError::Generic { store: "S3", source: source.to_string().into() };
    let damaged =
        perennial_lake::Damaged { path: "raw/erp__orders/1.parquet".into(), damage: perennial_lake::Damage::Block(3) };
    let of_store = |error: StoreError| DataFusionError::ParquetError(Box::new(ParquetError::External(Box::new(error))));
    let read = |error: DataFusionError| {
        let made = query_error(error, "SELECT 1");
        assert!(made.hint_text().is_some(), "{made}");
        (made.to_string(), made.kind().exit_code())
    };
    let (message, code) = read(of_store(StoreError::Generic { store: "lake", source: Box::new(damaged) }));
    assert_eq!(
        message,
        "the query failed: raw/erp__orders/1.parquet is damaged: block 3 is not what was written (a file of raw.erp__orders)"
    );
    assert_eq!(code, 1);
    let missing = StoreError::NotFound { path: "lake/core/orders/2.parquet".into(), source: "no such file".into() };
    let (message, code) = read(of_store(missing));
    assert!(
        message.ends_with("lake/core/orders/2.parquet is missing from the lake (a file of core.orders)"),
        "{message}"
    );
    assert_eq!(code, 1);
    assert_eq!(read(of_store(generic("server returned 503 Slow Down"))).1, 3);
    assert_eq!(read(DataFusionError::ObjectStore(Box::new(generic("timed out")))).1, 3);
    assert_eq!(read(DataFusionError::ParquetError(Box::new(ParquetError::General("Corrupt footer".into())))).1, 1);
    // The footer is read first, and what the store said of it comes as a text.
    let footer = |said: StoreError| {
        let error = format!(
            "Failed to fetch metadata for file lake/core/orders/2.parquet: {}",
            DataFusionError::ObjectStore(Box::new(said))
        );
        read(DataFusionError::ParquetError(Box::new(ParquetError::General(error))))
    };
    let (message, code) = footer(generic("server returned 503 Slow Down"));
    assert_eq!(message, "the query failed: the lake's store failed: Generic S3 error: server returned 503 Slow Down");
    assert_eq!(code, 3);
    let damaged =
        perennial_lake::Damaged { path: "core/orders/2.parquet".into(), damage: perennial_lake::Damage::Changed };
    let (message, code) = footer(StoreError::Generic { store: "lake", source: Box::new(damaged) });
    assert_eq!(
        message,
        "the query failed: core/orders/2.parquet is damaged: its content is not what was written (a file of core.orders)"
    );
    assert_eq!(code, 1);
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    assert_eq!(read(DataFusionError::IoError(full)).1, 3);
    let memory = DataFusionError::ResourcesExhausted("pool".into());
    assert_eq!(read(memory).1, 2);
}

/// A folder's files in their real words: missing, empty, cut, foreign, and with a footer that is none.
#[tokio::test]
async fn damaged_files_of_a_folder_name_their_table() {
    let folder = tempfile::tempdir().unwrap();
    let lake = perennial_lake::Lake::open(folder.path().to_str().unwrap()).await.unwrap();
    let name = TableName::new("core", "orders");
    let batch =
        RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from_iter_values(0..5_000)) as ArrayRef)]).unwrap();
    let mut writer = lake.writer(&name, "r1", batch.schema()).unwrap();
    writer.write(&batch).await.unwrap();
    let files = writer.finish().await.unwrap();
    let path = folder.path().join(&files[0].path);
    let whole = std::fs::read(&path).unwrap();
    let mut bad_footer = whole.clone();
    let at = bad_footer.len() - 20;
    bad_footer[at] ^= 0xff;
    let damages: [(&str, Option<Vec<u8>>); 5] = [
        ("missing", None),
        ("empty", Some(Vec::new())),
        ("cut", Some(whole[..whole.len() / 2].to_vec())),
        ("foreign", Some(vec![b'x'; whole.len()])),
        ("footer", Some(bad_footer)),
    ];
    for (what, bytes) in damages {
        match bytes {
            None => std::fs::remove_file(&path).unwrap(),
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
        }
        let lake = perennial_lake::Lake::open(folder.path().to_str().unwrap()).await.unwrap();
        let store = EngineStore { store: lake.store(), url: lake.store_url().clone(), prefix: lake.prefix().clone() };
        let engine = Engine::open(EngineSettings::default(), Some(store)).unwrap();
        let list = Arc::new(super::files::FilesTable::new(
            engine.store.clone().unwrap().0,
            &engine.store.clone().unwrap().1,
            batch.schema(),
            &files,
        ));
        engine.put(&name, list).unwrap();
        let error = engine.collect("SELECT sum(n) FROM core.orders").await.expect_err(what);
        assert_eq!(error.kind(), Kind::Data, "{what}: {error}");
        assert!(error.to_string().contains("(a file of core.orders)"), "{what}: {error}");
        assert!(!error.to_string().contains("Object Store"), "{what}: {error}");
        assert!(error.hint_text().is_some_and(|hint| hint.contains("perennial lake verify")), "{what}");
    }
}
