//! Mistakes in names, headers and what steps read, and the queries of reports.

use super::*;

#[tokio::test]
async fn names_that_are_not_there() {
    let found = problems_with(&[
        ("unknown column", "SELECT order_id,\n  custmer_id\nFROM core.orders"),
        ("unknown column of an alias", "SELECT o.amout FROM core.orders o"),
        ("unknown alias", "SELECT p.amount FROM core.orders o"),
        ("unknown table", "SELECT * FROM core.ordrs\nJOIN nowhere.at_all USING (order_id)"),
        ("table without schema", "WITH c AS (SELECT 1)\nSELECT * FROM c, orders"),
        ("unknown function", "SELECT\n  summ(amount) AS revenue FROM core.orders"),
        ("a function other engines have", "SELECT timestampdiff('day', ordered_on, ordered_on) AS d FROM core.orders"),
        ("ambiguous", "SELECT order_id FROM core.orders a JOIN core.orders b ON a.order_id = b.order_id"),
        ("two columns", "SELECT nope, nada FROM core.orders"),
    ])
    .await;
    insta::assert_snapshot!(found, @r#"
    == unknown column
    error: unknown column `custmer_id`
     --> sql/marts/x.sql:5:3
      |
    5 |   custmer_id
      |   ^^^^^^^^^^
      |
      = help: did you mean `customer_id`?

    == unknown column of an alias
    error: unknown column `amout` of `o`
     --> sql/marts/x.sql:4:8
      |
    4 | SELECT o.amout FROM core.orders o
      |        ^^^^^^^
      |
      = help: did you mean `amount`?

    == unknown alias
    error: unknown table `p` in this query
     --> sql/marts/x.sql:4:8
      |
    4 | SELECT p.amount FROM core.orders o
      |        ^^^^^^^^
      |
      = help: expected `o`

    == unknown table
    error: unknown table `core.ordrs`
     --> sql/marts/x.sql:4:15
      |
    4 | SELECT * FROM core.ordrs
      |               ^^^^^^^^^^
      |
      = help: did you mean `core.orders`?

    error: unknown table `nowhere.at_all`
     --> sql/marts/x.sql:5:6
      |
    5 | JOIN nowhere.at_all USING (order_id)
      |      ^^^^^^^^^^^^^^
      |
      = help: expected one of `core.orders`, `marts.x`, `raw.erp__orders`, `source.erp__orders`

    == table without schema
    error: unknown table `orders`
     --> sql/marts/x.sql:5:18
      |
    5 | SELECT * FROM c, orders
      |                  ^^^^^^
      |
      = help: did you mean `core.orders`?

    == unknown function
    error: unknown function `summ`
     --> sql/marts/x.sql:5:3
      |
    5 |   summ(amount) AS revenue FROM core.orders
      |   ^^^^
      |
      = help: did you mean `sum`?

    == a function other engines have
    error: unknown function `timestampdiff`
     --> sql/marts/x.sql:4:8
      |
    4 | SELECT timestampdiff('day', ordered_on, ordered_on) AS d FROM core.orders
      |        ^^^^^^^^^^^^^
      |
      = help: write date_diff('day', earlier, later)

    == ambiguous
    error: column `order_id` is ambiguous
     --> sql/marts/x.sql:4:8
      |
    4 | SELECT order_id FROM core.orders a JOIN core.orders b ON a.order_id = b.order_id
      |        ^^^^^^^^
      |
      = help: expected one of a.order_id, b.order_id

    == two columns
    error: unknown column `nope`
     --> sql/marts/x.sql:4:8
      |
    4 | SELECT nope, nada FROM core.orders
      |        ^^^^
      |
      = help: expected one of `order_id`, `customer_id`, `ordered_on`, `amount`

    error: unknown column `nada`
     --> sql/marts/x.sql:4:14
      |
    4 | SELECT nope, nada FROM core.orders
      |              ^^^^
      |
      = help: expected one of `order_id`, `customer_id`, `ordered_on`, `amount`
    "#);
}

#[tokio::test]
async fn cycles() {
    let one = project(vec![
        step("marts.a", "SELECT 1 AS x\nFROM marts.b"),
        step("marts.b", "SELECT x FROM {{ ref('c') }}"),
        step("marts.c", "SELECT x FROM marts.b"),
        step("marts.free", "SELECT 1 AS x"),
    ]);
    let (checked, problems) = checked(&one).await;
    assert_eq!(checked.steps.iter().map(|s| s.name.to_string()).collect::<Vec<_>>(), ["marts.free"]);
    insta::assert_snapshot!(render_all(&problems, false), @r"
    error: dependency cycle between steps: marts.b -> marts.c -> marts.b
     --> sql/marts/b.sql:4:15
      |
    4 | SELECT x FROM {{ ref('c') }}
      |               ^^^^^^^^^^^^^^
      |
      = help: move the common part to a step of its own
    ");
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
            ("customer_id", &[ColumnRule::AcceptedValues(vec!["1".into(), "x".into()])]),
        ],
    );
    bad.file.text = bad.file.text.replace("grain: []", "grain: [as]").into();
    let shift = 2;
    bad.body += shift;
    for column in &mut bad.header.columns {
        column.span = column.span.start + shift..column.span.end + shift;
        column.tests.iter_mut().for_each(|t| t.span = t.span.start + shift..t.span.end + shift);
    }
    bad.header.grain = vec!["as".into()];
    let mut one = project(vec![step("core.orders", ORDERS), bad]);
    one.tests = vec![step("tests.sums", "SELECT * FROM marts.x\nWHERE amout < 0")];
    insta::assert_snapshot!(problems_of(&one).await, @r"
    error: marts.x has no column `order_idd`
     --> sql/marts/x.sql:4:3
      |
    4 |   order_idd: {tests: [not_null]}
      |   ^^^^^^^^^
      |
      = help: did you mean `order_id`?

    error: unknown table `core.order` in the test of `customer_id`
     --> sql/marts/x.sql:5:25
      |
    5 |   customer_id: {tests: [relationships, relationships]}
      |                         ^^^^^^^^^^^^^
      |
      = help: did you mean `core.orders`?

    error: core.orders has no column `customerid`, which the test of `customer_id` names
     --> sql/marts/x.sql:5:40
      |
    5 |   customer_id: {tests: [relationships, relationships]}
      |                                        ^^^^^^^^^^^^^
      |
      = help: did you mean `customer_id`?

    error: `min` of the range of `ordered_on` does not fit its type: cannot cast string 'yesterday' to value of DATE type
     --> sql/marts/x.sql:6:24
      |
    6 |   ordered_on: {tests: [range]}
      |                        ^^^^^

    error: column `customer_id` is BIGINT, which cannot hold `x`
     --> sql/marts/x.sql:7:25
      |
    7 |   customer_id: {tests: [accepted_values]}
      |                         ^^^^^^^^^^^^^^^

    error: the grain names `as`, which is not a column of marts.x
     --> sql/marts/x.sql:2:9
      |
    2 | grain: [as]
      |         ^^
      |
      = help: expected one of `order_id`, `customer_id`, `ordered_on`

    error: unknown column `amout`
     --> sql/tests/sums.sql:5:7
      |
    5 | WHERE amout < 0
      |       ^^^^^
      |
      = help: expected one of `order_id`, `customer_id`, `ordered_on`
    ");
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
    let (_, checker, _) = check(&one, &context(), &CheckInput::default()).await.unwrap();
    let file = text_file(
        "report-templates/review.md",
        "---\nqueries:\n  headline: |\n    SELECT sum(amount) AS revenue\n    FROM core.orders\n    WHERE ordered > DATE '{{ period.start }}'\n---\n",
    );
    let sql = "SELECT sum(amount) AS revenue\nFROM core.orders\nWHERE ordered > DATE '{{ period.start }}'\n";
    let template = Template::block(&file, file.text.find("SELECT").unwrap(), sql);
    let period: BTreeMap<String, minijinja::Value> =
        [("start".to_string(), minijinja::Value::from("2026-01-01"))].into();
    let more: BTreeMap<String, minijinja::Value> = [("period".to_string(), minijinja::Value::from(period))].into();
    let problems = checker.query(template, minijinja::Value::from(more)).await.unwrap_err();
    insta::assert_snapshot!(render_all(&problems, false), @r#"
    error: unknown column `ordered`
     --> report-templates/review.md:6:11
      |
    6 |     WHERE ordered > DATE '{{ period.start }}'
      |           ^^^^^^^
      |
      = help: did you mean `ordered_on`?
    "#);
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

#[tokio::test]
async fn a_definition_is_the_sql_and_how_it_is_kept() {
    let described = |description: &str| {
        let mut one = step("marts.a", "SELECT 1 AS x");
        one.header.description = description.to_string();
        one.header.tags = vec![description.to_string()];
        one
    };
    let mut definitions = Vec::new();
    for one in [described("x"), described("y"), view(described("x")), step("marts.a", "SELECT 2 AS x")] {
        definitions.push(no_problems(&project(vec![one])).await.steps[0].definition.clone());
    }
    assert_eq!(definitions[0], definitions[1]);
    assert_ne!(definitions[0], definitions[2]);
    assert_ne!(definitions[0], definitions[3]);
}
