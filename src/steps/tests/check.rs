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
    error: no table is called `p` here
     --> sql/marts/x.sql:4:8
      |
    4 | SELECT p.amount FROM core.orders o
      |        ^^^^^^^^
      |
      = help: tables here are `o`

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
      = help: known are `core.orders`, `marts.x`, `raw.erp__orders` and `source.erp__orders`

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
    error: unknown function `date_diff`
     --> sql/marts/x.sql:4:8
      |
    4 | SELECT date_diff('day', ordered_on, ordered_on) AS d FROM core.orders
      |        ^^^^^^^^^
      |
      = help: subtract dates: `later - earlier` is a number of days; months_between() counts months

    == ambiguous
    error: column `order_id` is ambiguous
     --> sql/marts/x.sql:4:8
      |
    4 | SELECT order_id FROM core.orders a JOIN core.orders b ON a.order_id = b.order_id
      |        ^^^^^^^^
      |
      = help: write one of a.order_id, b.order_id

    == two columns
    error: unknown column `nope`
     --> sql/marts/x.sql:4:8
      |
    4 | SELECT nope, nada FROM core.orders
      |        ^^^^
      |
      = help: known are `order_id`, `customer_id`, `ordered_on` and `amount`

    error: unknown column `nada`
     --> sql/marts/x.sql:4:14
      |
    4 | SELECT nope, nada FROM core.orders
      |              ^^^^
      |
      = help: known are `order_id`, `customer_id`, `ordered_on` and `amount`
    "#);
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
        ("correlated", "SELECT order_id,\n  (SELECT max(b.amount) FROM core.orders b WHERE b.ordered_on < a.ordered_on) AS m FROM core.orders a"),
        ("pivot", "SELECT * FROM core.orders PIVOT (sum(amount) FOR customer_id IN (1, 2))"),
        ("two columns of one name", "SELECT order_id AS a, amount AS a FROM core.orders"),
        ("no such type in a table", "SELECT order_id, INTERVAL '1 day' AS i FROM core.orders"),
    ])
    .await;
    insta::assert_snapshot!(found, @r#"
    == syntax error
    error: syntax error: expected end of statement, found `core`
     --> sql/marts/x.sql:5:5
      |
    5 | FRM core.orders
      |     ^^^^

    == syntax error at the end
    error: syntax error: the query ends where an expression is expected
     --> sql/marts/x.sql:4:41
      |
    4 | SELECT order_id, FROM core.orders WHERE (
      |                                         ^

    == two statements
    error: more than one statement in one file
     --> sql/marts/x.sql:4:1
      |
    4 | SELECT 1 AS a; SELECT 2 AS b
      | ^^^^^^
      |
      = help: a file holds one query; use WITH for steps on the way

    == nothing
    error: there is no SQL in the file
     --> sql/marts/x.sql:4:1
      |
    4 | -- later
      | ^^

    == not a query
    error: a step is a query and changes nothing itself
     --> sql/marts/x.sql:4:1
      |
    4 | DELETE FROM core.orders
      | ^^^^^^
      |
      = help: write a SELECT; its rows become the table

    == type mismatch
    error: cannot infer common argument type for comparison operation DATE = DECIMAL(18,2)
     --> sql/marts/x.sql:6:7
      |
    6 | WHERE ordered_on = amount
      |       ^^^^^^^^^^

    == types of arguments
    error: function `date_part` does not take DECIMAL(18,2)
     --> sql/marts/x.sql:4:8
      |
    4 | SELECT date_part('year', amount) AS y FROM core.orders
      |        ^^^^^^^^^
      |
      = help: see what it takes: SELECT * FROM information_schema.routines WHERE routine_name = 'date_part'

    == sum of text
    error: function `sum` does not take TEXT
     --> sql/marts/x.sql:4:8
      |
    4 | SELECT sum(order_id) AS s FROM core.orders
      |        ^^^
      |
      = help: see what it takes: SELECT * FROM information_schema.routines WHERE routine_name = 'sum'

    == literal cast
    error: cannot cast string '2026-13-01' to value of DATE type
     --> sql/marts/x.sql:5:26
      |
    5 | WHERE ordered_on >= DATE '2026-13-01'
      |                          ^^^^^^^^^^^^
      |
      = help: TRY_CAST gives NULL where a value does not fit

    == interval arithmetic
    error: cannot get result type for temporal operation BIGINT * INTERVAL
     --> sql/marts/x.sql:4:35
      |
    4 | SELECT ordered_on + customer_id * INTERVAL '1 month' AS d FROM core.orders
      |                                   ^^^^^^^^
      |
      = help: write `day + (n || ' months')::INTERVAL`

    == aggregate in WHERE
    error: aggregate functions are not allowed in the WHERE clause
     --> sql/marts/x.sql:5:1
      |
    5 | WHERE sum(amount) > 5 GROUP BY customer_id
      | ^^^^^
      |
      = help: consider using HAVING instead

    == not grouped
    error: column `core.orders.order_id` is neither grouped by nor aggregated
     --> sql/marts/x.sql:4:21
      |
    4 | SELECT customer_id, order_id, sum(amount) AS s
      |                     ^^^^^^^^
      |
      = help: add it to GROUP BY, or write GROUP BY ALL

    == union of unequal width
    error: UNION queries have different number of columns
     --> sql/marts/x.sql:4:1
      |
    4 | SELECT 1 AS a UNION ALL
      | ^

    == correlated
    error: this correlated subquery cannot be computed (it reads `a.ordered_on` from outside)
     --> sql/marts/x.sql:5:52
      |
    5 |   (SELECT max(b.amount) FROM core.orders b WHERE b.ordered_on < a.ordered_on) AS m FROM core.orders a
      |                                                    ^^^^^^^^^^
      |
      = help: write it as a join, or with a window function

    == pivot
    error: PIVOT is not supported; write `sum(x) FILTER (WHERE ...)`, UNION ALL or a join
     --> sql/marts/x.sql:4:27
      |
    4 | SELECT * FROM core.orders PIVOT (sum(amount) FOR customer_id IN (1, 2))
      |                           ^^^^^

    == two columns of one name
    error: two columns are called `a`
     --> sql/marts/x.sql:4:20
      |
    4 | SELECT order_id AS a, amount AS a FROM core.orders
      |                    ^
      |
      = help: give one of them another name with AS

    == no such type in a table
    error: column `i` of marts.x is Interval(MonthDayNano), which no table in the lake can hold
     --> sql/marts/x.sql:4:38
      |
    4 | SELECT order_id, INTERVAL '1 day' AS i FROM core.orders
      |                                      ^
      |
      = help: cast it to text, a number, a date or an instant
    "#);
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
    insta::assert_snapshot!(found, @r#"
    == bad ref
    error: there is no step `core.order`
     --> sql/marts/x.sql:4:18
      |
    4 | SELECT * FROM {{ ref('core.order') }}
      |                  ^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `core.orders`?

    == bad source
    error: source `erp` has no table `order`
     --> sql/marts/x.sql:4:18
      |
    4 | SELECT * FROM {{ source('erp', 'order') }}
      |                  ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `orders`?

    == undefined var
    error: variable `rul` is not set
     --> sql/marts/x.sql:5:7
      |
    5 |   '{{ var('rul') }}' AS b
      |       ^^^^^^^^^^
      |
      = help: did you mean `rule`?

    == undefined name
    error: undefined value: `asof` is undefined
     --> sql/marts/x.sql:4:12
      |
    4 | SELECT '{{ asof }}' AS b
      |            ^^^^
      |
      = help: known are `as_of`, `time_zone`, `currency` and var('name')

    == unclosed
    error: syntax error: unexpected end of string
     --> sql/marts/x.sql:5:17
      |
    5 | FROM core.orders
      |                 ^

    == unknown filter
    error: unknown filter: filter upcase is unknown
     --> sql/marts/x.sql:4:20
      |
    4 | SELECT '{{ as_of | upcase }}' AS b
      |                    ^^^^^^

    == unknown macro
    error: unknown function or macro `cents`
     --> sql/marts/x.sql:4:11
      |
    4 | SELECT {{ cents('amount') }} AS b FROM core.orders
      |           ^^^^^^^^^^^^^^^
      |
      = help: known are `ref`, `source`, `var`, `range` and `dict`

    == a column from a variable
    error: unknown column `r1`
     --> sql/marts/x.sql:5:3
      |
    5 |   {{ var('rule') }} AS b FROM core.orders
      |   ^^^^^^^^^^^^^^^^^
      |
      = help: known are `order_id`, `customer_id`, `ordered_on` and `amount`

    == behind an expression
    error: unknown column `nope`
     --> sql/marts/x.sql:4:46
      |
    4 | SELECT {{ var('window') }} AS window_months, nope
      |                                              ^^^^
      |
      = help: known are `order_id`, `customer_id`, `ordered_on` and `amount`

    == in a loop
    error: unknown column `amont`
     --> sql/marts/x.sql:6:5
      |
    6 |   , {{ c }} AS {{ c }}_2
      |     ^^^^^^^
      |
      = help: did you mean `amount`?
    "#);
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
    insta::assert_snapshot!(render_all(&problems, false), @r#"
    error: syntax error: unexpected `%`, expected identifier
     --> sql/macros/wrong.sql:1:13
      |
    1 | {% macro a( %}x{% endmacro %}
      |             ^

    error: unknown macro `missing`
     --> sql/macros/more.sql:3:6
      |
    3 |   {{ missing(c) }}{% endmacro %}
      |      ^^^^^^^^^^
      |
      = help: known are `euros`, `doubled` and `broken`

    error: unknown column `amont`
     --> sql/marts/inside.sql:5:2
      |
    5 |  {{ euros('amont') }} AS e FROM core.orders
      |  ^^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `amount`?
    "#);
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
    insta::assert_snapshot!(render_all(&problems, false), @r#"
    error: steps read one another in a circle: marts.b -> marts.c -> marts.b
     --> sql/marts/b.sql:4:15
      |
    4 | SELECT x FROM {{ ref('c') }}
      |               ^^^^^^^^^^^^^^
      |
      = help: take the common part out into a step of its own
    "#);
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
    insta::assert_snapshot!(problems_of(&one).await, @r#"
    error: the query of marts.x gives no column `order_idd`
     --> sql/marts/x.sql:4:3
      |
    4 |   order_idd: {tests: [notnull]}
      |   ^^^^^^^^^
      |
      = help: did you mean `order_id`?

    error: the test of `customer_id` names the unknown table `core.order`
     --> sql/marts/x.sql:5:25
      |
    5 |   customer_id: {tests: [relationships { to: tablename { schema: "core", name: "order" }, column: "customer_id" }, relationships { to:...
      |                         ^^^^^^^^^^^^^
      |
      = help: did you mean `core.orders`?

    error: the test of `customer_id` names `customerid`, which core.orders does not have
     --> sql/marts/x.sql:5:25
      |
    5 |   customer_id: {tests: [relationships { to: tablename { schema: "core", name: "order" }, column: "customer_id" }, relationships { to:...
      |                         ^^^^^^^^^^^^^
      |
      = help: did you mean `customer_id`?

    error: the range of `ordered_on` does not fit its type: cannot cast string 'yesterday' to value of DATE type
     --> sql/marts/x.sql:6:24
      |
    6 |   ordered_on: {tests: [range { min: some("yesterday"), max: none }]}
      |                        ^^^^^

    error: the grain names `as`, which the query of marts.x does not give
     --> sql/marts/x.sql:2:9
      |
    2 | grain: [as]
      |         ^^
      |
      = help: known are `order_id`, `customer_id` and `ordered_on`

    error: unknown column `amout`
     --> sql/tests/sums.sql:5:7
      |
    5 | WHERE amout < 0
      |       ^^^^^
      |
      = help: known are `order_id`, `customer_id` and `ordered_on`
    "#);
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
