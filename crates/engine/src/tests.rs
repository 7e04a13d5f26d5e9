use super::*;
use arrow::array::{AsArray, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::util::pretty::pretty_format_batches;
use perennial_core::contract::{SourceTable, ValueType, origin_fields};
use perennial_lake::Lake;
use perennial_testing::{column, source_table};

fn engine() -> Engine {
    Engine::open(EngineSettings::default(), None).unwrap()
}

async fn shown(engine: &Engine, sql: &str) -> String {
    pretty_format_batches(&engine.collect(sql).await.unwrap()).unwrap().to_string()
}

async fn one_number(engine: &Engine, sql: &str) -> i64 {
    engine.collect(sql).await.unwrap()[0].column(0).as_primitive::<Int64Type>().value(0)
}

#[tokio::test]
async fn the_dialect_takes_what_analysts_write() {
    let engine = engine();
    for (sql, expected) in [
        ("SELECT sum(x) FILTER (WHERE x > 1) FROM (VALUES (1), (2)) t(x)", 2),
        ("SELECT x FROM (VALUES (1), (2)) t(x) QUALIFY row_number() OVER (ORDER BY x DESC) = 1", 2),
        ("SELECT count(*) FROM (VALUES (1), (1)) t(x) GROUP BY ALL", 2),
        ("SELECT '3'::BIGINT", 3),
        ("SELECT * EXCLUDE (y) FROM (VALUES (1, 2)) t(x, y)", 1),
        ("SELECT count(*) FROM (VALUES (1), (2)) t(x), UNNEST([10, 20, 30]) AS u(y)", 6),
        ("SELECT array_transform([1, 2], e -> e + 1)[2]", 3),
        ("SELECT months_between(DATE '2010-12-31', DATE '2011-12-01')", 12),
        ("WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT count(*) FROM r", 5),
        ("SELECT DATE '2020-03-01' - DATE '2020-02-01'", 29),
    ] {
        assert_eq!(one_number(&engine, sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn business_dates_are_cut_in_a_time_zone() {
    let engine = engine();
    let sql = "SELECT (TIMESTAMP '2020-01-31 23:30:00' AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin')::DATE = \
               DATE '2020-02-01'";
    let rows = engine.collect(sql).await.unwrap();
    assert!(rows[0].column(0).as_boolean().value(0));
}

#[tokio::test]
async fn a_query_changes_nothing() {
    let engine = engine();
    engine.register_schema(&TableName::new("core", "orders"), schema(&[("amount", DataType::Int64)])).unwrap();
    let error = engine.query("CREATE TABLE t AS SELECT 1").await.unwrap_err();
    assert_eq!(error.to_string(), "query:1:1: only queries are allowed, found CREATE");
    assert_eq!(error.hint_text(), Some("write a SELECT; tables change only through the steps of a run"));
    let error = engine.query("-- all of them\ndelete from core.nosuch").await.unwrap_err();
    assert_eq!(error.to_string(), "query:2:1: only queries are allowed, found DELETE");
    // A query that begins like one.
    let error = engine.query("WITH t AS (SELECT 1) DELETE FROM core.orders").await.unwrap_err();
    assert_eq!(error.message(), "only queries are allowed, found DELETE");
}

#[tokio::test]
async fn queries_of_other_databases_are_corrected() {
    let engine = engine();
    engine.register_schema(&TableName::new("core", "orders"), schema(&[("day", DataType::Date32)])).unwrap();
    for (sql, message, hint) in [
        (
            "SELECT 1; SELECT 2",
            "query:1:11: only one query is allowed at a time",
            "run the second one by itself, or write WITH for intermediate results",
        ),
        (
            "SELECT TOP 5 day FROM core.orders",
            "query:1:8: `TOP` is not supported",
            "write LIMIT and the number at the end of the query",
        ),
        ("SELECT cout(*) FROM core.orders", "query:1:8: unknown function `cout`", "did you mean `count`?"),
        (
            "SELECT to_char(day, 'YYYY-MM') FROM core.orders",
            "query:1:21: `to_char`: the pattern 'YYYY-MM' has no specifier such as %Y",
            "patterns are those of strftime: write '%Y-%m'",
        ),
        ("SELECT (SELECT 1, 2) AS x", "this subquery has more than one column", "select one column in it"),
    ] {
        let error = engine.query(sql).await.unwrap_err();
        assert_eq!((error.to_string().as_str(), error.hint_text()), (message, Some(hint)), "{sql}");
    }
    engine.query("SELECT 1;").await.unwrap();
    assert_eq!(one_number(&engine, "SELECT to_char(DATE '2026-01-31', '%Y')::BIGINT").await, 2026);
}

#[tokio::test]
async fn an_error_of_a_query_says_where() {
    let engine = engine();
    engine.register_schema(&TableName::new("core", "orders"), schema(&[("customer_id", DataType::Int64)])).unwrap();
    let error = engine.query("SELECT custmer_id\nFROM core.orders").await.unwrap_err();
    assert_eq!(error.to_string(), "query:1:8: unknown column `custmer_id`");
    assert_eq!(error.hint_text(), Some("did you mean `customer_id`?"));
}

fn schema(fields: &[(&str, DataType)]) -> SchemaRef {
    Arc::new(Schema::new(fields.iter().map(|(n, t)| Field::new(*n, t.clone(), true)).collect::<Vec<_>>()))
}

async fn lake_engine(folder: &std::path::Path, settings: EngineSettings) -> (Lake, Engine) {
    let lake = Lake::open(folder.to_str().unwrap()).await.unwrap();
    let store = EngineStore { store: lake.store(), url: lake.store_url().clone(), prefix: lake.prefix().clone() };
    let engine = Engine::open(settings, Some(store)).unwrap();
    (lake, engine)
}

#[tokio::test]
async fn files_that_lack_a_column_read_as_null_and_no_files_as_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, engine) = lake_engine(folder.path(), EngineSettings::default()).await;
    let table = TableName::new("marts", "x");
    let old = schema(&[("id", DataType::Int64)]);
    let new = schema(&[("id", DataType::Int64), ("name", DataType::Utf8)]);
    let ids = |ids: Vec<i64>| Arc::new(Int64Array::from(ids)) as arrow::array::ArrayRef;
    let mut files = Vec::new();
    let mut writer = lake.table_writer(&table, "r1", old.clone()).unwrap();
    writer.write(&RecordBatch::try_new(old, vec![ids(vec![1, 2])]).unwrap()).await.unwrap();
    files.extend(writer.finish().await.unwrap());
    let mut writer = lake.table_writer(&table, "r2", new.clone()).unwrap();
    let names = Arc::new(StringArray::from(vec!["c"]));
    writer.write(&RecordBatch::try_new(new.clone(), vec![ids(vec![3]), names]).unwrap()).await.unwrap();
    files.extend(writer.finish().await.unwrap());

    let version = TableVersion::new(new, files, String::new());
    engine.register_files(&table, &version).unwrap();
    insta::assert_snapshot!(shown(&engine, "SELECT * FROM marts.x ORDER BY id").await, @r"
    +----+------+
    | id | name |
    +----+------+
    | 1  |      |
    | 2  |      |
    | 3  | c    |
    +----+------+
    ");
    assert_eq!(one_number(&engine, "SELECT count(*) FROM marts.x WHERE name = 'c'").await, 1);
    engine.register_files(&table, &TableVersion { files: vec![], ..version }).unwrap();
    assert_eq!(one_number(&engine, "SELECT count(*) FROM marts.x").await, 0);
}

#[tokio::test]
async fn more_rows_than_memory_are_sorted_and_grouped_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let settings = EngineSettings { memory_limit_bytes: 200 << 20, ..EngineSettings::default() };
    let (lake, engine) = lake_engine(&folder.path().join("lake"), settings).await;
    let table = TableName::new("core", "big");
    let columns = schema(&[("k", DataType::Int64), ("text", DataType::Utf8)]);
    let mut writer = lake.table_writer(&table, "r1", columns.clone()).unwrap();
    for part in 0..100_i64 {
        let keys: Int64Array = (0..10_000_i64).map(|i| (i * 7_919 + part * 104_729) % 1_000_003).collect();
        let texts: StringArray =
            keys.iter().map(|k| Some(format!("a text that belongs to the key number {k:?}"))).collect();
        let batch = RecordBatch::try_new(columns.clone(), vec![Arc::new(keys), Arc::new(texts)]).unwrap();
        writer.write(&batch).await.unwrap();
    }
    let files = writer.finish().await.unwrap();
    let version = TableVersion::new(columns, files, String::new());
    engine.register_files(&table, &version).unwrap();
    let grouped = "SELECT count(*) FROM (SELECT k, min(text) FROM core.big GROUP BY k)";
    assert_eq!(one_number(&engine, grouped).await, one_number(&engine.frugal(), grouped).await);
    // Merging sorted partitions cannot spill, so that a sort of everything is for the frugal engine, as steps find out.
    let sorted =
        "SELECT count(*) FROM (SELECT k, text, lead(k) OVER (ORDER BY text, k) AS n FROM core.big) WHERE n IS NULL";
    assert_eq!(one_number(&engine.frugal(), sorted).await, 1);
}

fn contract(key: &[&str], newest_by: Option<&str>) -> SourceTable {
    let columns = vec![
        column("order_id", ValueType::Text),
        column("line", ValueType::Integer),
        column("amount", ValueType::Integer),
        column("updated_at", ValueType::Instant { formats: vec![], zone: "UTC".into() }),
    ];
    let key = key.iter().map(|k| k.to_string()).collect();
    SourceTable { key, newest_by: newest_by.map(String::from), ..source_table(columns) }
}

/// Order, line, amount, updated at, file, line in file, loaded at.
type Arrived = (&'static str, i64, i64, Option<i64>, &'static str, i64, i64);

fn raw(rows: &[Arrived], accepted: &str) -> (SchemaRef, RecordBatch) {
    let table = contract(&["order_id"], None);
    let schema = source_schema(&table, &[accepted.to_string()], true);
    let zone = |v: TimestampMicrosecondArray| Arc::new(v.with_timezone("UTC"));
    let batch = RecordBatch::try_new(
        schema.clone(),
        vec![
            Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.0))),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.1))),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.2))),
            zone(rows.iter().map(|r| r.3).collect()),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|_| "more"))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.4))),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.5))),
            zone(rows.iter().map(|r| Some(r.6)).collect()),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|_| "run"))),
        ],
    );
    assert_eq!(schema.fields().len(), 5 + origin_fields().len());
    (schema, batch.unwrap())
}

async fn newest(rows: &[Arrived], key: &[&str], newest_by: Option<&str>) -> Vec<i64> {
    let engine = engine();
    let (schema, batch) = raw(rows, "colour");
    engine.register_rows(&TableName::raw("erp", "orders"), schema, vec![batch]).unwrap();
    let sql = source_view_sql(&TableName::raw("erp", "orders"), &contract(key, newest_by), &["colour".to_string()]);
    engine.register_view(&TableName::source("erp", "orders"), &sql).await.unwrap();
    let columns = engine.schema(&TableName::source("erp", "orders")).await.unwrap();
    let names: Vec<&str> = columns.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["order_id", "line", "amount", "updated_at", "colour"]);
    let rows = engine.collect("SELECT amount FROM source.erp__orders ORDER BY amount").await.unwrap();
    rows.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
}

#[tokio::test]
async fn of_each_key_the_newest_row_is_shown() {
    let rows: &[Arrived] = &[
        ("a", 1, 10, Some(5), "f1", 1, 100),
        ("a", 1, 11, Some(7), "f1", 2, 100),
        ("a", 1, 12, Some(6), "f2", 1, 200),
        ("a", 2, 20, None, "f2", 9, 200), // NULL is the least, however late it came
        ("a", 2, 21, Some(1), "f1", 3, 100),
        ("b", 1, 30, Some(3), "f1", 4, 100), // a tie goes to the later load
        ("b", 1, 31, Some(3), "f0", 1, 200),
        ("c", 1, 40, None, "f1", 7, 100), // then to the greater file, then to the greater line
        ("c", 1, 41, None, "f3", 5, 100),
        ("c", 1, 42, None, "f3", 6, 100),
        ("d", 1, 50, Some(1), "f1", 8, 100),
    ];
    assert_eq!(newest(rows, &["order_id", "line"], Some("updated_at")).await, [11, 21, 31, 42, 50]);
    // Without newest_by the last that arrived is the newest.
    assert_eq!(newest(rows, &["order_id", "line"], None).await, [12, 20, 31, 42, 50]);
    assert_eq!(newest(rows, &["order_id"], Some("updated_at")).await, [11, 31, 42, 50]);
    // Without a key every row stands for itself.
    assert_eq!(newest(rows, &[], None).await.len(), rows.len());
}

/// Every problem of a query over `t(day, at, name, n, amount, list)`, as `column: message (hint)`.
async fn problems(sql: &str) -> Vec<String> {
    let engine = Engine::for_check(EngineSettings::default()).unwrap();
    let columns = [
        ("day", DataType::Date32),
        ("name", DataType::Utf8),
        ("n", DataType::Int64),
        ("amount", DataType::Decimal128(18, 2)),
    ];
    engine.register_schema(&TableName::new("core", "t"), schema(&columns)).unwrap();
    let state = engine.state();
    let dialect = state.config().options().sql_parser.dialect;
    let statement = state.sql_to_statement(sql, &dialect).unwrap();
    let found = match state.statement_to_plan(statement.clone()).await {
        Err(error) => problems_of_planning(&state, statement, error, sql).await,
        Ok(plan) => match state.optimize(&plan) {
            Err(_) => failing_casts(&state, &analysed(&state, &plan).unwrap(), sql),
            Ok(optimised) => {
                let mut found = mistyped_comparisons(&plan);
                found.extend(problems_of_run(&state, &optimised, sql));
                found
            }
        },
    };
    let text = |p: QueryProblem| {
        let column = p.spot.map_or(0, |spot| spot.column);
        format!("{column}: {} ({})", p.message, p.hint.as_deref().unwrap_or("-"))
    };
    found.into_iter().map(text).collect()
}

#[tokio::test]
async fn what_a_run_would_refuse_is_found_without_a_row() {
    let mut all = String::new();
    for sql in [
        "SELECT date_diff('wek', day, day) AS a, date_diff('wek', day, DATE '2026-01-01') AS b FROM core.t",
        "SELECT date_trunc('mnoth', day) AS m FROM core.t",
        "SELECT date_part('mnoth', day) AS m FROM core.t",
        "SELECT name, bg_nbd_fit(n, n, n, 'weks') AS fit FROM core.t GROUP BY name",
        "SELECT percentile_cont(n, 1.5) AS p FROM core.t",
        "SELECT n FROM core.t WHERE row_number() OVER (PARTITION BY name ORDER BY day DESC) = 1",
        "SELECT name FROM core.t GROUP BY name HAVING rank() OVER (ORDER BY name) = 1",
        "SELECT count(DISTINCT name, n) AS pairs FROM core.t",
        "SELECT string_agg(name, ',') OVER (PARTITION BY n ORDER BY day ROWS 2 PRECEDING) AS last_three FROM core.t",
        "SELECT n FROM core.t WHERE n = $1",
        "SELECT ntile(0) OVER (ORDER BY n) AS tile FROM core.t",
        "SELECT CAST('x' AS BIGINT) AS a, DATE '2026-13-01' AS b, n FROM core.t WHERE day > '2026-02-30'",
        "SELECT n FROM core.t WHERE day < 5 AND name = 1 AND n IN (name, '2') AND day BETWEEN 1 AND 2",
        "SELECT a.n FROM core.t a JOIN core.t b ON a.name = b.n WHERE a.n IN (SELECT name FROM core.t)",
        "SELECT iff(n > 2, 'a', 'b') AS x, zeroifnull(n) AS d, nosuch AS e, regexp_substr(name, 'a') AS z, n AS n FROM core.t \
         WHERE foo = 1 AND mod(n, 2) = 0",
        "SELECT Name, \"closed\" AS c, date_diff(month, day, day) AS m FROM core.t",
    ] {
        all.push_str(&format!("{sql}\n  {}\n", problems(sql).await.join("\n  ")));
    }
    insta::assert_snapshot!(all, @r#"
    SELECT date_diff('wek', day, day) AS a, date_diff('wek', day, DATE '2026-01-01') AS b FROM core.t
      18: `date_diff`: unknown unit 'wek' (did you mean 'week'?)
      51: `date_diff`: unknown unit 'wek' (did you mean 'week'?)
    SELECT date_trunc('mnoth', day) AS m FROM core.t
      19: `date_trunc`: unknown unit 'mnoth' (did you mean `month`?)
    SELECT date_part('mnoth', day) AS m FROM core.t
      18: `date_part`: unknown unit 'mnoth' (did you mean `month`?)
    SELECT name, bg_nbd_fit(n, n, n, 'weks') AS fit FROM core.t GROUP BY name
      34: `bg_nbd_fit`: unknown unit 'weks' (did you mean 'week'?)
    SELECT percentile_cont(n, 1.5) AS p FROM core.t
      27: `percentile_cont`: percentile value must be between 0.0 and 1.0 inclusive, 1.5 is invalid (-)
    SELECT n FROM core.t WHERE row_number() OVER (PARTITION BY name ORDER BY day DESC) = 1
      28: the window function `row_number` cannot be used in WHERE (filter with QUALIFY, as in `QUALIFY row_number() OVER (...) = 1`)
    SELECT name FROM core.t GROUP BY name HAVING rank() OVER (ORDER BY name) = 1
      46: the window function `rank` cannot be used in HAVING (filter with QUALIFY, as in `QUALIFY row_number() OVER (...) = 1`)
    SELECT count(DISTINCT name, n) AS pairs FROM core.t
      8: `count(DISTINCT ...)` takes one argument (write count(DISTINCT (name, n)), which also counts combinations that contain NULL)
    SELECT string_agg(name, ',') OVER (PARTITION BY n ORDER BY day ROWS 2 PRECEDING) AS last_three FROM core.t
      8: `string_agg` cannot be computed over a sliding window frame (write array_to_string(array_agg(x) OVER (...), ','))
    SELECT n FROM core.t WHERE n = $1
      32: no value is given for `$1` (write `{{ var('name') }}` and set the variable under `vars` in perennial.yml)
    SELECT ntile(0) OVER (ORDER BY n) AS tile FROM core.t
      8: `ntile`: NTILE requires a positive integer (-)
    SELECT CAST('x' AS BIGINT) AS a, DATE '2026-13-01' AS b, n FROM core.t WHERE day > '2026-02-30'
      13: cannot cast 'x' to BIGINT (write a whole number such as '12')
      39: cannot cast '2026-13-01' to DATE (write a date such as '2026-01-31')
      84: cannot cast '2026-02-30' to DATE (write a date such as '2026-01-31')
    SELECT n FROM core.t WHERE day < 5 AND name = 1 AND n IN (name, '2') AND day BETWEEN 1 AND 2
      28: DATE cannot be compared with BIGINT (write a date, as in DATE '2026-01-31', or compare date_part('year', ...))
      40: TEXT cannot be compared with BIGINT (write the number as text, '1', or cast the text: TRY_CAST(x AS BIGINT))
      53: BIGINT cannot be compared with TEXT (cast one of them: CAST(number AS VARCHAR), or TRY_CAST(text AS BIGINT))
      74: DATE cannot be compared with BIGINT (write a date, as in DATE '2026-01-31', or compare date_part('year', ...))
    SELECT a.n FROM core.t a JOIN core.t b ON a.name = b.n WHERE a.n IN (SELECT name FROM core.t)
      62: BIGINT cannot be compared with TEXT (cast one of them: CAST(number AS VARCHAR), or TRY_CAST(text AS BIGINT))
      43: TEXT cannot be compared with BIGINT (cast one of them: CAST(number AS VARCHAR), or TRY_CAST(text AS BIGINT))
    SELECT iff(n > 2, 'a', 'b') AS x, zeroifnull(n) AS d, nosuch AS e, regexp_substr(name, 'a') AS z, n AS n FROM core.t WHERE foo = 1 AND mod(n, 2) = 0
      8: unknown function `iff` (write CASE WHEN ... THEN ... ELSE ... END)
      35: unknown function `zeroifnull` (write coalesce(x, 0))
      55: unknown column `nosuch` (expected one of `day`, `name`, `n`, `amount`)
      68: unknown function `regexp_substr` (write regexp_match(text, 'pattern')[1])
      124: unknown column `foo` (expected one of `day`, `name`, `n`, `amount`)
      136: unknown function `mod` (write `a % b`)
    SELECT Name, "closed" AS c, date_diff(month, day, day) AS m FROM core.t
      14: unknown column `closed` (text is written in single quotes: 'closed')
      39: unknown column `month` (a unit of time is written in single quotes: 'month')
    "#);
}

#[tokio::test]
async fn what_a_run_computes_is_no_problem() {
    for sql in [
        "SELECT date_diff('week', day, day) AS a, extract(month FROM day) AS m, date_trunc('month', day) AS t FROM core.t",
        "SELECT name, bg_nbd_fit(n, n, n, 'week') AS fit FROM core.t GROUP BY name",
        "SELECT n FROM core.t QUALIFY row_number() OVER (PARTITION BY name ORDER BY day DESC) = 1",
        "SELECT count(DISTINCT n) AS a, sum(DISTINCT n) AS b, avg(DISTINCT amount) AS c FROM core.t",
        "SELECT avg(DISTINCT amount) AS c FROM core.t",
        "SELECT count(DISTINCT (name, n)) AS pairs FROM core.t",
        "SELECT array_to_string(array_agg(name) OVER (ORDER BY day ROWS 2 PRECEDING), ',') AS last_three FROM core.t",
        "SELECT n FROM core.t WHERE n = '3' AND day > '2026-01-31' AND amount > 5 AND name = '1'",
        "SELECT array_transform([n, 1], e -> e + 1) AS l, to_char(day, '%Y-%m') AS m FROM core.t",
        "SELECT (SELECT max(n) FROM core.t) AS newest, n FROM core.t WHERE n > (SELECT avg(n) FROM core.t)",
        "SELECT n FROM core.t a WHERE EXISTS (SELECT 1 FROM core.t b WHERE b.n = a.n)",
        "SELECT n FROM core.t WHERE day - DATE '2026-01-01' < 5",
    ] {
        assert_eq!(problems(sql).await, [""; 0], "{sql}");
    }
}

/// What is read from the engine's words, in its words of today.
#[tokio::test]
async fn what_the_engine_says_is_understood() {
    let engine = engine();
    let columns = [("day", DataType::Date32), ("n", DataType::Int64), ("name", DataType::Utf8)];
    engine.register_schema(&TableName::new("core", "t"), schema(&columns)).unwrap();
    let mut misunderstood = Vec::new();
    for (sql, message) in [
        ("SELECT day, sum(n) FROM core.t", "column `core.t.day` is neither grouped by nor aggregated"),
        ("SELECT n FROM core.t WHERE n = (SELECT n, day FROM core.t)", "this subquery has more than one column"),
        ("SELECT n FROM core.t WHERE n IN (SELECT n, day FROM core.t)", "this subquery has more than one column"),
        ("EXPLAIN ANALYZE INSERT INTO core.t SELECT * FROM core.t", "only queries are allowed"),
        ("WITH x AS (SELECT 1) DELETE FROM core.t", "only queries are allowed, found DELETE"),
        ("SELECT day * INTERVAL '1 month' FROM core.t", ""),
        ("SELECT * FROM core.t PIVOT (sum(n) FOR name IN ('a'))", "PIVOT is not supported"),
        ("SELECT * FROM core.t UNPIVOT (x FOR y IN (n))", "UNPIVOT is not supported"),
        ("SELECT n FROM core.t t WHERE n = (SELECT u.n FROM core.t u WHERE u.day > t.day LIMIT 1)", "correlated"),
        ("SELECT n AS a, name AS a FROM core.t", "duplicate column `a`"),
        ("SELECT sum(name) FROM core.t", "function `sum` does not accept TEXT"),
        ("SELECT mode(name, 1) FROM core.t", "`mode`: "),
        ("SELECT n = true FROM core.t", "BIGINT cannot be compared with BOOLEAN"),
        ("SELECT nosuch(n) FROM core.t", "unknown function `nosuch`"),
        ("SELECT 1 FROM core.nosuch", "unknown table `core.nosuch`"),
        ("SELECT FROM WHERE", "syntax error: expected "),
        ("SELECT n::VARIANT FROM core.t", "unknown type `VARIANT`"),
    ] {
        let error = engine.collect(sql).await.expect_err(sql);
        if !error.message().contains(message) || error.kind().exit_code() == 70 {
            misunderstood.push(format!("{sql}: {error}"));
        }
    }
    assert_eq!(misunderstood, [""; 0]);
}

#[tokio::test]
async fn habits_of_other_engines_come_with_what_to_write() {
    let mut all = String::new();
    for sql in [
        "SELECT n + 1 AS b, b * 2 AS c FROM core.t",
        "SELECT CAST(n AS INT64) AS a FROM core.t",
        "SELECT lag(n) AS a, split(name, ',') AS b, safe_divide(n, 2) AS c, quarter(day) AS d FROM core.t",
        "SELECT * EXCEPT (n) FROM core.t",
        "SELECT first_value(n IGNORE NULLS) OVER (ORDER BY day) AS f FROM core.t",
        "WITH t AS MATERIALIZED (SELECT 1 AS a) SELECT * FROM t",
    ] {
        let found = match Engine::for_check(EngineSettings::default())
            .unwrap()
            .state()
            .sql_to_statement(sql, &datafusion::common::config::Dialect::DuckDB)
        {
            Ok(_) => problems(sql).await,
            Err(error) => diagnose(&error, sql)
                .into_iter()
                .map(|p| format!("{} ({})", p.message, p.hint.unwrap_or_default()))
                .collect(),
        };
        all.push_str(&format!("{sql}\n  {}\n", found.join("\n  ")));
    }
    insta::assert_snapshot!(all, @r"
    SELECT n + 1 AS b, b * 2 AS c FROM core.t
      20: unknown column `b` (a name given with AS is not known in the same SELECT; compute it in a WITH query first)
    SELECT CAST(n AS INT64) AS a FROM core.t
      18: unknown type `INT64` (write BIGINT)
    SELECT lag(n) AS a, split(name, ',') AS b, safe_divide(n, 2) AS c, quarter(day) AS d FROM core.t
      8: unknown function `lag` (write lag(x) OVER (ORDER BY ...))
      21: unknown function `split` (write string_to_array(x, ','))
      44: unknown function `safe_divide` (write a / nullif(b, 0))
      68: unknown function `quarter` (write date_part('quarter', day))
    SELECT * EXCEPT (n) FROM core.t
      syntax error: expected SELECT, VALUES, or a subquery in the query body, found `n` (write * EXCLUDE (...) instead of * EXCEPT (...))
    SELECT first_value(n IGNORE NULLS) OVER (ORDER BY day) AS f FROM core.t
      syntax error: expected ), found `IGNORE` (write IGNORE NULLS behind the parenthesis: first_value(x) IGNORE NULLS OVER (...))
    WITH t AS MATERIALIZED (SELECT 1 AS a) SELECT * FROM t
      syntax error: expected (, found `MATERIALIZED` (leave MATERIALIZED out)
    ");
}
