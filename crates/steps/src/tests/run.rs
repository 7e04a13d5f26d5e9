use super::*;
use crate::{Progress, RunInput, RunOutcome, StepResult, run, show};
use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::pretty::pretty_format_batches;
use jiff::civil::date;
use perennial_core::contract::origin_fields;
use perennial_engine::{Engine, EngineSettings, EngineStore};
use perennial_lake::history::TestStatus;
use perennial_lake::{Lake, TableVersion};
use std::collections::BTreeSet;
use std::sync::Arc;

fn word(result: &StepResult) -> &'static str {
    match result {
        StepResult::Built => "built",
        StepResult::Unchanged => "unchanged",
        StepResult::View => "view",
        StepResult::Failed(_) => "failed",
        StepResult::Skipped { .. } => "skipped",
    }
}

/// Is told and says nothing.
struct NoProgress;

impl Progress for NoProgress {}

struct TestLake {
    _folder: tempfile::TempDir,
    lake: Lake,
}

impl TestLake {
    async fn new() -> TestLake {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().to_str().unwrap()).await.unwrap();
        TestLake { _folder: folder, lake }
    }

    fn engine(&self, project: &Project) -> Engine {
        let lake = &self.lake;
        let store = EngineStore { store: lake.store(), url: lake.store_url().clone(), prefix: lake.prefix().clone() };
        let settings = EngineSettings { calendars: project.calendars.clone(), ..EngineSettings::default() };
        Engine::open(settings, Some(store)).unwrap()
    }

    /// Raw orders: id, customer, day since 1970, cents.
    async fn raw(&self, run: &str, rows: &[(&str, Option<i64>, i32, i128)]) -> BTreeMap<TableName, TableVersion> {
        self.raw_from(run, rows, 0).await
    }

    /// The rows from one on, with the lines that they have in all of them.
    async fn raw_from(
        &self,
        run: &str,
        rows: &[(&str, Option<i64>, i32, i128)],
        first: usize,
    ) -> BTreeMap<TableName, TableVersion> {
        let (rows, first_line) = (&rows[first..], first as i64 + 2);
        let erp = erp();
        let columns = erp.tables[0].columns.iter().map(|c| Arc::new(c.field())).chain(origin_fields());
        let schema = Arc::new(Schema::new(columns.collect::<Vec<Arc<Field>>>()));
        let n = rows.len() as i64;
        let batch = RecordBatch::try_new(
            schema.clone(),
            vec![
                Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.0))) as ArrayRef,
                Arc::new(rows.iter().map(|r| r.1).collect::<Int64Array>()),
                Arc::new(Date32Array::from_iter_values(rows.iter().map(|r| r.2))),
                Arc::new(
                    Decimal128Array::from_iter_values(rows.iter().map(|r| r.3))
                        .with_precision_and_scale(18, 2)
                        .unwrap(),
                ),
                Arc::new(StringArray::from_iter_values(rows.iter().map(|_| "orders.csv"))),
                Arc::new(Int64Array::from_iter_values(first_line..first_line + n)),
                Arc::new(
                    TimestampMicrosecondArray::from_iter_values(rows.iter().map(|_| 1_000_000)).with_timezone("UTC"),
                ),
                Arc::new(StringArray::from_iter_values(rows.iter().map(|_| run))),
            ],
        )
        .unwrap();
        let table = TableName::raw("erp", "orders");
        let mut writer = self.lake.table_writer(&table, run, schema.clone()).unwrap();
        writer.write(&batch).await.unwrap();
        let files = writer.finish().await.unwrap();
        [(table, TableVersion::new(schema, files, run.into()))].into()
    }

    async fn run(
        &self,
        project: &Project,
        words: &[&str],
        given: &BTreeMap<TableName, TableVersion>,
        previous: &BTreeMap<TableName, TableVersion>,
        run_id: &str,
    ) -> (RunOutcome, Engine) {
        let checked = no_problems(project).await;
        let words: Vec<String> = words.iter().map(|w| w.to_string()).collect();
        let selected: BTreeSet<TableName> = checked.select(&words, &[]).unwrap();
        let input = RunInput {
            checked: &checked,
            selected: &selected,
            as_of: date(2026, 10, 1),
            previous,
            previous_views: &[],
            given,
            run_id,
            full_refresh: false,
            resumed: &BTreeSet::new(),
            parallel_steps: 2,
        };
        let engine = self.engine(project);
        let outcome = run(&engine, &input, &self.lake, &NoProgress).await.unwrap();
        (outcome, engine)
    }
}

fn shop() -> Project {
    project(vec![
        step("core.orders", "SELECT order_id, customer_id, ordered_on, amount FROM {{ source('erp', 'orders') }}"),
        view(step("marts.recent", "SELECT * FROM core.orders WHERE ordered_on >= DATE '1970-01-03'")),
        step("marts.total", "SELECT sum(amount) AS total, count(*) AS orders FROM marts.recent"),
        step("marts.customers", "SELECT customer_id, count(*) AS n FROM core.orders GROUP BY ALL"),
    ])
}

const ROWS: &[(&str, Option<i64>, i32, i128)] =
    &[("a", Some(1), 0, 1000), ("b", Some(1), 2, 250), ("c", None, 3, -50), ("b", Some(1), 2, 275)];

async fn shown(engine: &Engine, sql: &str) -> String {
    pretty_format_batches(&engine.collect(sql).await.unwrap()).unwrap().to_string()
}

fn statuses(outcome: &RunOutcome) -> Vec<String> {
    let mut all: Vec<String> = outcome.steps.iter().map(|s| format!("{} {}", s.name, word(&s.result))).collect();
    all.sort();
    all
}

#[tokio::test]
async fn steps_read_what_steps_before_them_wrote() {
    let lake = TestLake::new().await;
    let given = lake.raw("r1", ROWS).await;
    let (outcome, engine) = lake.run(&shop(), &[], &given, &BTreeMap::new(), "r1").await;
    assert!(outcome.may_be_published());
    assert_eq!(
        statuses(&outcome),
        ["core.orders built", "marts.customers built", "marts.recent view", "marts.total built"]
    );
    // b came twice; the later line counts: 2.75 - 0.50.
    insta::assert_snapshot!(shown(&engine, "SELECT * FROM marts.total").await, @r"
    +-------+--------+
    | total | orders |
    +-------+--------+
    | 2.25  | 2      |
    +-------+--------+
    ");
    let names: Vec<String> = outcome.tables.keys().map(|t| t.to_string()).collect();
    assert_eq!(names, ["core.orders", "marts.customers", "marts.total"]);
    assert_eq!(outcome.tables[&name("core.orders")].rows(), 3);
}

/// Whole numbers beside fractions, and a scale that rounding sets: the analysed types are those of the rows.
#[tokio::test]
async fn a_table_has_the_types_of_its_rows() {
    let lake = TestLake::new().await;
    let given = lake.raw("r1", ROWS).await;
    let project = project(vec![
        step("core.orders", "SELECT order_id, amount FROM {{ source('erp', 'orders') }}"),
        step(
            "marts.mixed",
            "SELECT CASE WHEN amount < 0 THEN 0 ELSE 0.5 END AS part, round(amount * 1, 1) AS rounded FROM core.orders",
        ),
        step("marts.half", "SELECT sum(part) AS parts, sum(rounded) AS amount FROM marts.mixed"),
    ]);
    let (outcome, engine) = lake.run(&project, &[], &given, &BTreeMap::new(), "r1").await;
    assert!(outcome.may_be_published());
    let parts = outcome.tables[&name("marts.mixed")].schema.field(0).data_type().clone();
    assert_eq!(parts, DataType::Float64);
    // a: 10.0, b: 2.8 (2.75 rounded half away from zero), c: -0.5.
    insta::assert_snapshot!(shown(&engine, "SELECT * FROM marts.half").await, @r"
    +-------+--------+
    | parts | amount |
    +-------+--------+
    | 1.0   | 12.3   |
    +-------+--------+
    ");
}

#[tokio::test]
async fn what_has_not_changed_is_not_computed_again() {
    let lake = TestLake::new().await;
    let given = lake.raw("r1", ROWS).await;
    let (first, _) = lake.run(&shop(), &[], &given, &BTreeMap::new(), "r1").await;
    let (again, _) = lake.run(&shop(), &[], &given, &first.tables, "r2").await;
    assert_eq!(
        statuses(&again),
        ["core.orders unchanged", "marts.customers unchanged", "marts.recent view", "marts.total unchanged"]
    );
    assert_eq!(again.tables[&name("marts.total")].files, first.tables[&name("marts.total")].files);

    // Another SQL of the view: only what reads it.
    let mut other = shop();
    other.steps[1] = view(step("marts.recent", "SELECT * FROM core.orders WHERE ordered_on >= DATE '1970-01-04'"));
    let (changed, _) = lake.run(&other, &[], &given, &first.tables, "r3").await;
    assert_eq!(
        statuses(&changed),
        ["core.orders unchanged", "marts.customers unchanged", "marts.recent view", "marts.total built"]
    );
    // Other rows: everything.
    let more = lake.raw("r4", &ROWS[..2]).await;
    let (all, _) = lake.run(&shop(), &[], &more, &first.tables, "r4").await;
    assert_eq!(
        statuses(&all),
        ["core.orders built", "marts.customers built", "marts.recent view", "marts.total built"]
    );
}

#[tokio::test]
async fn steps_not_selected_are_as_the_release_has_them() {
    let lake = TestLake::new().await;
    let given = lake.raw("r1", ROWS).await;
    let (first, _) = lake.run(&shop(), &[], &given, &BTreeMap::new(), "r1").await;
    let more = lake.raw("r2", &ROWS[..1]).await;
    let (second, _) = lake.run(&shop(), &["marts.customers"], &more, &first.tables, "r2").await;
    assert_eq!(statuses(&second), ["marts.customers unchanged"]);
    assert_eq!(second.tables.len(), 3);
    let checked = no_problems(&shop()).await;
    let selected = [name("marts.total")].into();
    let input = RunInput {
        checked: &checked,
        selected: &selected,
        as_of: date(2026, 10, 1),
        previous: &BTreeMap::new(),
        previous_views: &[],
        given: &given,
        run_id: "r3",
        full_refresh: false,
        resumed: &BTreeSet::new(),
        parallel_steps: 1,
    };
    let error = run(&lake.engine(&shop()), &input, &lake.lake, &NoProgress).await.unwrap_err();
    assert_eq!(error.message(), "marts.total reads core.orders, which is not in any release yet");
}

#[tokio::test]
async fn a_failure_stops_what_follows_from_it_and_nothing_else() {
    let lake = TestLake::new().await;
    let given = lake.raw("r1", ROWS).await;
    let one = project(vec![
        step("core.orders", "SELECT order_id, customer_id FROM source.erp__orders"),
        step("marts.bad", "SELECT order_id,\n  CAST(order_id AS BIGINT) AS number FROM core.orders"),
        step("marts.after", "SELECT * FROM marts.bad"),
        step("marts.later", "SELECT * FROM marts.after"),
        step("marts.good", "SELECT count(*) AS n FROM core.orders"),
    ]);
    let (outcome, _) = lake.run(&one, &[], &given, &BTreeMap::new(), "r1").await;
    assert!(!outcome.may_be_published());
    assert_eq!(
        statuses(&outcome),
        ["core.orders built", "marts.after skipped", "marts.bad failed", "marts.good built", "marts.later skipped"]
    );
    let failed = outcome.steps.iter().find_map(|s| match &s.result {
        StepResult::Failed(error) => Some(error),
        _ => None,
    });
    insta::assert_snapshot!(perennial_core::error::render(failed.unwrap(), false), @r#"
    error: marts.bad cannot be computed: cannot cast string 'a' to value of BIGINT type
     --> sql/marts/bad.sql:4:1
      |
    4 | SELECT order_id,
      | ^^^^^^
      |
      = help: TRY_CAST returns NULL where a value does not fit
    "#);
}

#[tokio::test]
async fn failing_rows_are_counted_and_shown() {
    let lake = TestLake::new().await;
    let given = lake.raw("r1", ROWS).await;
    let values = |v: &[&str]| ColumnRule::AcceptedValues(v.iter().map(|s| s.to_string()).collect());
    let mut orders = with_columns(
        step("core.orders", "SELECT order_id, customer_id, ordered_on, amount FROM source.erp__orders"),
        &[
            ("order_id", &[ColumnRule::NotNull, ColumnRule::Unique, values(&["a", "b", "it's"])]),
            ("customer_id", &[ColumnRule::NotNull, ColumnRule::Unique, values(&["1"])]),
            ("ordered_on", &[ColumnRule::Range { min: Some("1970-01-02".into()), max: None }]),
            ("amount", &[ColumnRule::Range { min: Some("0".into()), max: Some("5.00".into()) }]),
        ],
    );
    orders.header.grain = vec!["customer_id".into()];
    orders.header.columns[1].tests[0].severity = Severity::Warn;
    let known = ColumnRule::Relationships { to: name("core.known"), column: "id".into() };
    let mut one = project(vec![
        orders,
        with_columns(step("core.a", "SELECT 1 AS id UNION ALL SELECT 7 UNION ALL SELECT NULL"), &[("id", &[known])]),
        step("core.known", "SELECT 1 AS id"),
        step("marts.after", "SELECT * FROM core.orders"),
    ]);
    one.tests = vec![
        step("tests.none", "SELECT * FROM core.known WHERE id < 0"),
        step("tests.one", "SELECT id, 'x' AS why FROM core.known"),
        step("tests.behind", "SELECT * FROM marts.after"),
    ];
    one.tests[1].header.severity = Severity::Warn;
    // core.a reads nothing of core.known in its SQL, yet its test does.
    let (outcome, _) = lake.run(&one, &[], &given, &BTreeMap::new(), "r1").await;
    assert!(!outcome.may_be_published());
    assert!(statuses(&outcome).contains(&"marts.after skipped".to_string()));
    let mut lines: Vec<String> = outcome
        .tests
        .iter()
        .map(|t| {
            let status = format!("{:?}", t.status).to_lowercase();
            format!("{} {status} {} {}", t.name, t.failures, t.example.as_deref().unwrap_or("-"))
        })
        .collect();
    lines.sort();
    assert_eq!(outcome.tests.iter().filter(|t| t.status == TestStatus::Warned).count(), 2);
    insta::assert_snapshot!(lines.join("\n"), @r#"
    core.a.id.relationships failed 1 id = 7
    core.orders.amount.range failed 2 customer_id = 1, amount = 10.00
    core.orders.customer_id.accepted_values passed 0 -
    core.orders.customer_id.not_null warned 1 customer_id = NULL
    core.orders.customer_id.unique failed 1 customer_id = 1, times = 2
    core.orders.grain failed 1 customer_id = 1, times = 2
    core.orders.order_id.accepted_values failed 1 customer_id = NULL, order_id = ***
    core.orders.order_id.not_null passed 0 -
    core.orders.order_id.unique passed 0 -
    core.orders.ordered_on.range failed 1 customer_id = 1, ordered_on = 1970-01-01
    tests.behind skipped 0 -
    tests.none passed 0 -
    tests.one warned 1 id = 1, why = x
    "#);
}

#[tokio::test]
async fn a_step_is_shown_without_being_kept() {
    let lake = TestLake::new().await;
    let given = lake.raw("r1", ROWS).await;
    let (first, _) = lake.run(&shop(), &[], &given, &BTreeMap::new(), "r1").await;
    let checked = no_problems(&shop()).await;
    let engine = lake.engine(&shop());
    let mut tables = first.tables.clone();
    tables.extend(given);
    crate::register(&engine, &checked, &tables).await.unwrap();
    let rows = show(&engine, checked.step(&name("marts.recent")).unwrap(), 1).await.unwrap();
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    insta::assert_snapshot!(shown(&engine, "SELECT order_id FROM marts.recent ORDER BY ALL").await, @r"
    +----------+
    | order_id |
    +----------+
    | b        |
    | c        |
    +----------+
    ");
}

/// A step that is computed again to the same rows, whatever their order, keeps its files, so that nothing that reads it
/// is computed; neither is it when raw files are merged.
#[tokio::test]
async fn the_same_rows_in_other_files_change_nothing_downstream() {
    let lake = TestLake::new().await;
    let given = lake.raw("r1", ROWS).await;
    let (first, _) = lake.run(&shop(), &[], &given, &BTreeMap::new(), "r1").await;

    let mut turned = shop();
    turned.steps[0] = step(
        "core.orders",
        "SELECT order_id, customer_id, ordered_on, amount FROM {{ source('erp', 'orders') }} ORDER BY amount DESC",
    );
    let (second, _) = lake.run(&turned, &[], &given, &first.tables, "r2").await;
    assert_eq!(
        statuses(&second),
        ["core.orders built", "marts.customers unchanged", "marts.recent view", "marts.total unchanged"]
    );
    let orders = name("core.orders");
    assert_eq!(second.tables[&orders].files, first.tables[&orders].files);
    assert_ne!(second.tables[&orders].definition, first.tables[&orders].definition);

    // The same raw rows, of the same run, in two files instead of one.
    let mut halves = lake.raw("r1", &ROWS[..1]).await;
    let table = TableName::raw("erp", "orders");
    let rest = lake.raw_from("r1", ROWS, 1).await;
    halves.get_mut(&table).unwrap().files.extend(rest[&table].files.clone());
    assert_eq!(halves[&table].files.len(), 2);
    let (third, _) = lake.run(&shop(), &[], &halves, &first.tables, "r3").await;
    assert!(third.steps.iter().all(|step| !matches!(step.result, StepResult::Built)), "{:?}", statuses(&third));
}

/// What was made for one business date and what is made for another are not put together.
#[tokio::test]
async fn tables_of_two_dates_are_not_mixed() {
    let lake = TestLake::new().await;
    let given = lake.raw("r1", ROWS).await;
    let dated = || {
        let mut one = shop();
        one.steps.push(step("core.dated", "SELECT DATE '{{ as_of }}' AS as_of"));
        one.steps.push(step("marts.both", "SELECT as_of, order_id FROM core.dated CROSS JOIN core.orders"));
        one
    };
    let (first, _) = lake.run(&dated(), &[], &given, &BTreeMap::new(), "r1").await;
    let as_of = |outcome: &RunOutcome, table: &str| outcome.tables[&name(table)].as_of;
    assert_eq!(as_of(&first, "core.orders"), None, "it is the same on every date");
    assert_eq!(as_of(&first, "core.dated"), Some(date(2026, 10, 1)));
    assert_eq!(as_of(&first, "marts.both"), Some(date(2026, 10, 1)));

    let mut tables = first.tables.clone();
    tables.get_mut(&name("core.dated")).unwrap().as_of = Some(date(2026, 9, 30));
    let (second, _) = lake.run(&dated(), &["marts.both", "marts.total"], &given, &tables, "r2").await;
    assert!(!second.may_be_published());
    assert_eq!(statuses(&second), ["marts.both failed", "marts.total unchanged"]);
    let failed = second.steps.iter().find_map(|s| match &s.result {
        StepResult::Failed(error) => Some(error),
        _ => None,
    });
    let message = failed.unwrap().message();
    assert_eq!(message, "marts.both would describe 2026-10-01, but core.dated, which it reads, describes 2026-09-30");

    let mut allowed = dated();
    allowed.steps[5].header.mixed_as_of = true;
    let (third, _) = lake.run(&allowed, &["marts.both"], &given, &tables, "r3").await;
    assert!(third.may_be_published());
}

/// A source that no run has loaded is not a source without rows.
#[tokio::test]
async fn a_step_over_a_source_that_was_never_loaded_fails() {
    let lake = TestLake::new().await;
    let (outcome, _) = lake.run(&shop(), &[], &BTreeMap::new(), &BTreeMap::new(), "r1").await;
    assert!(!outcome.may_be_published());
    let failed = outcome.steps.iter().find_map(|s| match &s.result {
        StepResult::Failed(error) => Some(error),
        _ => None,
    });
    assert_eq!(failed.unwrap().message(), "core.orders reads source.erp__orders, which no run has loaded yet");
}

/// Reuse stands on these hashes: another encoding computes every step of every installation again. The values were
/// worked out with another implementation of BLAKE3.
#[tokio::test]
async fn definitions_have_the_hashes_that_lakes_have() {
    let one = project(vec![step("core.orders", "SELECT order_id FROM source.erp__orders")]);
    let checked = no_problems(&one).await;
    let orders = checked.step(&name("core.orders")).unwrap();
    assert_eq!(orders.undated_sql.trim_start(), "SELECT order_id FROM source.erp__orders");
    let bare = crate::definition_id("SELECT order_id FROM source.erp__orders");
    assert_eq!(bare, "3:ff7ff7912ea3a842af37213f8b760520514664e0c251c99a5f6c8c5d300d7230");
    let id = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
    let empty = TableVersion::new(id, Vec::new(), String::new());
    assert_eq!(empty.rows_id(), "c19bd5d798336ba105698b121ee54ae50eb06adb899900dda8d60a5e329ca042");
}

/// Also what reads it through a view; nothing else.
#[tokio::test]
async fn another_holiday_computes_again_what_depends_on_calendars() {
    let lake = TestLake::new().await;
    let given = lake.raw("r1", ROWS).await;
    let mut shop = project(vec![
        step("core.orders", ORDERS),
        view(step("marts.on_working_days", "SELECT amount FROM core.orders WHERE IS_WORKING_DAY(ordered_on)")),
        step("marts.total", "SELECT sum(amount) AS total FROM marts.on_working_days"),
        step("marts.due", "SELECT order_id, add_working_days(ordered_on, 2) AS due FROM core.orders"),
        step("marts.customers", "SELECT customer_id, count(*) AS n FROM core.orders GROUP BY ALL"),
    ]);
    let total = "SELECT total FROM marts.total";
    let (first, engine) = lake.run(&shop, &[], &given, &BTreeMap::new(), "r1").await;
    // Of Thursday 1 January 1970 and Saturday the 3rd the first is a working day.
    assert!(shown(&engine, total).await.contains("| 10.00 "));
    // A calendar without a weekend.
    let calendar = shop.calendars.entry("all_days".into()).or_default();
    calendar.holidays.insert(date(1970, 1, 1), "New Year".into());
    let (second, engine) = lake.run(&shop, &[], &given, &first.tables, "r2").await;
    assert_eq!(
        statuses(&second),
        [
            "core.orders unchanged",
            "marts.customers unchanged",
            "marts.due built",
            "marts.on_working_days view",
            "marts.total built"
        ]
    );
    // The newest rows of the two other orders, without that of New Year.
    assert!(shown(&engine, total).await.contains("| 2.25 "), "{}", shown(&engine, total).await);
    let (third, _) = lake.run(&shop, &[], &given, &second.tables, "r3").await;
    assert_eq!(statuses(&third).iter().filter(|status| status.ends_with("built")).count(), 0);
}
