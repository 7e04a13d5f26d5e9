use super::*;
use std::fmt::Write;

const ORDERS: &str = "SELECT order_id, customer_id, ordered_on, amount FROM {{ source('erp', 'orders') }}";

async fn problems_with(cases: &[(&str, &str)]) -> String {
    let mut all = String::new();
    for (what, sql) in cases {
        let found = problems_of(&project(vec![step("core.orders", ORDERS), step("marts.x", sql)])).await;
        writeln!(all, "== {what}\n{found}\n").unwrap();
    }
    all
}

#[tokio::test]
async fn names_that_are_not_there() {
    let found = problems_with(&[
        ("unknown column", "SELECT order_id,\n  custmer_id\nFROM core.orders"),
        ("unknown column of an alias", "SELECT o.amout FROM core.orders o"),
        ("unknown alias", "SELECT p.amount FROM core.orders o"),
        ("unknown table", "SELECT * FROM core.ordrs\nJOIN nowhere.at_all USING (order_id)"),
        ("table without schema", "WITH c AS (SELECT 1)\nSELECT * FROM c, orders"),
        ("unknown function", "SELECT\n  summ(amount) AS revenue FROM core.orders"),
        ("a function other engines have", "SELECT date_diff('day', ordered_on, ordered_on) AS d FROM core.orders"),
        ("ambiguous", "SELECT order_id FROM core.orders a JOIN core.orders b ON a.order_id = b.order_id"),
        ("two columns", "SELECT nope, nada FROM core.orders"),
    ])
    .await;
    insta::assert_snapshot!(found, @"");
}

#[tokio::test]
async fn syntax_and_types() {
    let found = problems_with(&[
        ("syntax error", "SELECT order_id\nFRM core.orders"),
        ("syntax error at the end", "SELECT order_id, FROM core.orders WHERE ("),
        ("two statements", "SELECT 1 AS a; SELECT 2 AS b"),
        ("nothing", "-- later\n"),
        ("not a query", "DELETE FROM core.orders"),
        ("type mismatch", "SELECT order_id\nFROM core.orders\nWHERE ordered_on = amount"),
        ("types of arguments", "SELECT date_part('year', amount) AS y FROM core.orders"),
        ("sum of text", "SELECT sum(order_id) AS s FROM core.orders"),
        ("literal cast", "SELECT order_id FROM core.orders\nWHERE ordered_on >= DATE '2026-13-01'"),
        ("interval arithmetic", "SELECT ordered_on + customer_id * INTERVAL '1 month' AS d FROM core.orders"),
        ("aggregate in WHERE", "SELECT customer_id FROM core.orders\nWHERE sum(amount) > 5 GROUP BY customer_id"),
        ("not grouped", "SELECT customer_id, order_id, sum(amount) AS s\nFROM core.orders GROUP BY customer_id"),
        ("union of unequal width", "SELECT 1 AS a UNION ALL\nSELECT 1 AS a, 2 AS b"),
        ("pivot", "SELECT * FROM core.orders PIVOT (sum(amount) FOR customer_id IN (1, 2))"),
        ("two columns of one name", "SELECT order_id AS a, amount AS a FROM core.orders"),
        ("no such type in a table", "SELECT order_id, INTERVAL '1 day' AS i FROM core.orders"),
    ])
    .await;
    insta::assert_snapshot!(found, @"");
}

#[tokio::test]
async fn templates() {
    let found = problems_with(&[
        ("bad ref", "SELECT * FROM {{ ref('core.order') }}"),
        ("bad source", "SELECT * FROM {{ source('erp', 'order') }}"),
        ("undefined var", "SELECT 1 AS a,\n  '{{ var('rul') }}' AS b"),
        ("undefined name", "SELECT '{{ asof }}' AS b"),
        ("unclosed", "SELECT '{{ as_of ' AS b\nFROM core.orders"),
        ("unknown filter", "SELECT '{{ as_of | upcase }}' AS b"),
        ("unknown macro", "SELECT {{ cents('amount') }} AS b FROM core.orders"),
        ("a column from a variable", "SELECT\n  {{ var('rule') }} AS b FROM core.orders"),
        ("behind an expression", "SELECT {{ var('window') }} AS window_months, nope\nFROM {{ ref('orders') }}"),
        ("in a loop", "SELECT order_id\n{% for c in ['amount', 'amont'] -%}\n  , {{ c }} AS {{ c }}_2\n{% endfor %}\nFROM core.orders"),
    ])
    .await;
    insta::assert_snapshot!(found, @"");
}

#[tokio::test]
async fn macros() {
    let mut one = project(vec![
        step("core.orders", ORDERS),
        step("marts.good", "SELECT {{ euros('amount') }} AS e, {{ doubled('amount') }} AS d FROM {{ ref('orders') }}"),
        step("marts.bad", "SELECT 1 AS a,\n {{ broken('amount') }} AS e FROM core.orders"),
        step("marts.inside", "SELECT\n {{ euros('amont') }} AS e FROM core.orders"),
    ]);
    one.macros = vec![
        text_file("sql/macros/money.sql", "{% macro euros(c) %}round({{ c }}, 0){% endmacro %}\n"),
        text_file(
            "sql/macros/more.sql",
            "{% macro doubled(c) %}2 * {{ euros(c) }}{% endmacro %}\n{% macro broken(c) %}\n  {{ missing(c) }}{% endmacro %}",
        ),
        text_file("sql/macros/wrong.sql", "{% macro a( %}x{% endmacro %}"),
    ];
    let (checked, problems) = checked(&one).await;
    let good = checked.step(&name("marts.good")).unwrap();
    assert_eq!(good.rendered.sql, "SELECT round(amount, 0) AS e, 2 * round(amount, 0) AS d FROM core.orders");
    insta::assert_snapshot!(render_all(&problems, false), @"");
}

#[tokio::test]
async fn circles() {
    let one = project(vec![
        step("marts.a", "SELECT 1 AS x\nFROM marts.b"),
        step("marts.b", "SELECT x FROM {{ ref('c') }}"),
        step("marts.c", "SELECT x FROM marts.b"),
        step("marts.free", "SELECT 1 AS x"),
    ]);
    let (checked, problems) = checked(&one).await;
    assert_eq!(checked.steps.iter().map(|s| s.name.to_string()).collect::<Vec<_>>(), ["marts.free"]);
    insta::assert_snapshot!(render_all(&problems, false), @"");
}

#[tokio::test]
async fn what_follows_from_a_broken_step_is_not_reported_again() {
    let one = project(vec![
        step("marts.a", "SELECT nope FROM source.erp__orders"),
        step("marts.b", "SELECT anything FROM marts.a"),
        step("marts.c", "SELECT other FROM marts.b"),
    ]);
    let (checked, problems) = checked(&one).await;
    assert_eq!((problems.len(), checked.steps.len()), (1, 0));
}

#[tokio::test]
async fn headers() {
    let other = |t: &str, c: &str| ColumnRule::Relationships { to: name(t), column: c.into() };
    let mut bad = with_columns(
        step("marts.x", "SELECT order_id, customer_id, ordered_on FROM core.orders"),
        &[
            ("order_idd", &[ColumnRule::NotNull]),
            ("customer_id", &[other("core.order", "customer_id"), other("core.orders", "customerid")]),
            ("ordered_on", &[ColumnRule::Range { min: Some("yesterday".into()), max: None }]),
        ],
    );
    bad.file.text = bad.file.text.replace("grain: []", "grain: [as]").into();
    let shift = 2;
    bad.body += shift;
    bad.header.columns.iter_mut().for_each(|c| c.span = c.span.start + shift..c.span.end + shift);
    bad.header.grain = vec!["as".into()];
    let mut one = project(vec![step("core.orders", ORDERS), bad]);
    one.tests = vec![step("tests.sums", "SELECT * FROM marts.x\nWHERE amout < 0")];
    insta::assert_snapshot!(problems_of(&one).await, @"");
}

#[tokio::test]
async fn a_right_project_gives_order_schemas_and_reads() {
    let one = project(vec![
        step("marts.a", "SELECT count(*) AS n, row_number() OVER () AS r, max(ordered_on) AS d FROM core.orders"),
        step("core.orders", ORDERS),
    ]);
    let found = no_problems(&one).await;
    let names: Vec<String> = found.steps.iter().map(|s| s.name.to_string()).collect();
    assert_eq!(names, ["core.orders", "marts.a"]);
    let schema: Vec<String> =
        found.steps[1].schema.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect();
    assert_eq!(schema, ["n Int64", "r Int64", "d Date32"]);
    assert_eq!(found.steps[0].reads.iter().map(|r| r.to_string()).collect::<Vec<_>>(), ["source.erp__orders"]);
    assert_eq!(found.graph.downstream(&name("core.orders")).len(), 1);
}

#[tokio::test]
async fn queries_of_reports_are_checked_at_their_place() {
    let one = project(vec![step("core.orders", ORDERS)]);
    let (_, checker, _) = check(&one, &context(), &Surroundings::default()).await.unwrap();
    let file = text_file(
        "report-templates/review.md",
        "---\nqueries:\n  headline: |\n    SELECT sum(amount) AS revenue\n    FROM core.orders\n    WHERE ordered > DATE '{{ period.start }}'\n---\n",
    );
    let sql = "SELECT sum(amount) AS revenue\nFROM core.orders\nWHERE ordered > DATE '{{ period.start }}'\n";
    let template = Template::block(&file, file.text.find("SELECT").unwrap(), sql);
    let period: BTreeMap<String, minijinja::Value> = [("start".to_string(), minijinja::Value::from("2026-01-01"))].into();
    let more: BTreeMap<String, minijinja::Value> = [("period".to_string(), minijinja::Value::from(period))].into();
    let problems = checker.query(template, minijinja::Value::from(more)).await.unwrap_err();
    insta::assert_snapshot!(render_all(&problems, false), @"");
}

#[tokio::test]
#[ignore = "a measurement, not a test"]
async fn two_hundred_steps() {
    let mut steps = vec![step("core.orders", ORDERS)];
    for i in 0..200 {
        let from = if i == 0 { "core.orders".to_string() } else { format!("marts.s{}", (i - 1) / 2) };
        steps.push(step(
            &format!("marts.s{i}"),
            &format!(
                "WITH a AS (SELECT customer_id, date_trunc('month', ordered_on)::DATE AS m, amount, order_id, ordered_on FROM {from}),\n\
                 b AS (SELECT customer_id, m, sum(amount) AS total, count(*) FILTER (WHERE amount > 0) AS n FROM a GROUP BY ALL)\n\
                 SELECT a.order_id, a.customer_id, a.ordered_on, a.amount, b.total / nullif(b.n, 0) AS mean,\n\
                 row_number() OVER (PARTITION BY a.customer_id ORDER BY a.ordered_on) AS rn\n\
                 FROM a JOIN b ON a.customer_id = b.customer_id AND a.m = b.m WHERE a.ordered_on < DATE '{{{{ as_of }}}}'"
            ),
        ));
    }
    let one = project(steps);
    for _ in 0..3 {
        let begun = std::time::Instant::now();
        let found = no_problems(&one).await;
        eprintln!("{} steps in {:?}", found.steps.len(), begun.elapsed());
    }
}
