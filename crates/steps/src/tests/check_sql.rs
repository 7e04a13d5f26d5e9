//! Mistakes in the SQL of steps.

use super::*;

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
    insta::assert_snapshot!(found, @r"
    == syntax error
    error: syntax error: expected end of statement, found `core`
     --> sql/marts/x.sql:5:5
      |
    5 | FRM core.orders
      |     ^^^^

    == syntax error at the end
    error: syntax error: expected an expression at the end of the query
     --> sql/marts/x.sql:4:41
      |
    4 | SELECT order_id, FROM core.orders WHERE (
      |                                         ^

    == two statements
    error: only one statement is allowed per file
     --> sql/marts/x.sql:4:16
      |
    4 | SELECT 1 AS a; SELECT 2 AS b
      |                ^^^^^^
      |
      = help: a file holds one query; use WITH for intermediate results

    == nothing
    error: the file has no SQL
     --> sql/marts/x.sql:4:1
      |
    4 | -- later
      | ^^

    == not a query
    error: a step must be a query
     --> sql/marts/x.sql:4:1
      |
    4 | DELETE FROM core.orders
      | ^^^^^^
      |
      = help: write a SELECT; its rows become the table

    == type mismatch
    error: DATE cannot be compared with DECIMAL(18,2)
     --> sql/marts/x.sql:6:7
      |
    6 | WHERE ordered_on = amount
      |       ^^^^^^^^^^
      |
      = help: write a date, as in DATE '2026-01-31', or compare date_part('year', ...)

    == types of arguments
    error: function `date_part` does not accept DECIMAL(18,2)
     --> sql/marts/x.sql:4:8
      |
    4 | SELECT date_part('year', amount) AS y FROM core.orders
      |        ^^^^^^^^^
      |
      = help: see its signatures: SELECT * FROM information_schema.routines WHERE routine_name = 'date_part'

    == sum of text
    error: function `sum` does not accept TEXT
     --> sql/marts/x.sql:4:8
      |
    4 | SELECT sum(order_id) AS s FROM core.orders
      |        ^^^
      |
      = help: see its signatures: SELECT * FROM information_schema.routines WHERE routine_name = 'sum'

    == literal cast
    error: cannot cast '2026-13-01' to DATE
     --> sql/marts/x.sql:5:26
      |
    5 | WHERE ordered_on >= DATE '2026-13-01'
      |                          ^^^^^^^^^^^^
      |
      = help: write a date such as '2026-01-31'

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
    error: this correlated subquery is not supported (it refers to the outer column `a.ordered_on`)
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
    error: duplicate column `a`
     --> sql/marts/x.sql:4:20
      |
    4 | SELECT order_id AS a, amount AS a FROM core.orders
      |                    ^
      |
      = help: rename one of them with AS

    == no such type in a table
    error: column `i` of marts.x is Interval(MonthDayNano), which cannot be stored in the lake
     --> sql/marts/x.sql:4:38
      |
    4 | SELECT order_id, INTERVAL '1 day' AS i FROM core.orders
      |                                      ^
      |
      = help: cast it to text, a number, a date or a timestamp
    ");
}

#[tokio::test]
async fn what_a_run_would_refuse() {
    let found = problems_with(&[
        ("a window in WHERE", "SELECT order_id FROM core.orders\nWHERE row_number() OVER (PARTITION BY customer_id ORDER BY ordered_on DESC) = 1"),
        ("two distinct arguments", "SELECT count(DISTINCT customer_id, ordered_on) AS pairs FROM core.orders"),
        ("a sliding frame", "SELECT order_id,\n  string_agg(order_id, ',') OVER (ORDER BY order_id ROWS 2 PRECEDING) AS last_three FROM core.orders"),
        ("a parameter", "SELECT order_id FROM core.orders WHERE order_id = $1"),
        ("a unit", "SELECT {{ var('window') }} AS w, date_diff('mnoth', ordered_on, ordered_on) AS months FROM core.orders"),
        (
            "six mistakes",
            "SELECT iff(amount > 2, 'a', 'b') AS x,\n  nvl2(order_id, 1, 0) AS y,\n  zeroifnull(amount) AS d,\n  nosuch AS n,\n  \
             regexp_substr(order_id, 'a') AS z\nFROM core.orders\nWHERE foo = 1 AND mod(customer_id, 2) = 0",
        ),
    ])
    .await;
    insta::assert_snapshot!(found, @r"
    == a window in WHERE
    error: the window function `row_number` cannot be used in WHERE
     --> sql/marts/x.sql:5:7
      |
    5 | WHERE row_number() OVER (PARTITION BY customer_id ORDER BY ordered_on DESC) = 1
      |       ^^^^^^^^^^
      |
      = help: filter with QUALIFY, as in `QUALIFY row_number() OVER (...) = 1`

    == two distinct arguments
    error: `count(DISTINCT ...)` takes one argument
     --> sql/marts/x.sql:4:8
      |
    4 | SELECT count(DISTINCT customer_id, ordered_on) AS pairs FROM core.orders
      |        ^^^^^
      |
      = help: write count(DISTINCT (customer_id, ordered_on)), which also counts combinations that contain NULL

    == a sliding frame
    error: `string_agg` cannot be computed over a sliding window frame
     --> sql/marts/x.sql:5:3
      |
    5 |   string_agg(order_id, ',') OVER (ORDER BY order_id ROWS 2 PRECEDING) AS last_three FROM core.orders
      |   ^^^^^^^^^^
      |
      = help: write array_to_string(array_agg(x) OVER (...), ',')

    == a parameter
    error: no value is given for `$1`
     --> sql/marts/x.sql:4:51
      |
    4 | SELECT order_id FROM core.orders WHERE order_id = $1
      |                                                   ^^
      |
      = help: write `{{ var('name') }}` and set the variable under `vars` in perennial.yml

    == a unit
    error: `date_diff`: unknown unit 'mnoth'
     --> sql/marts/x.sql:4:44
      |
    4 | SELECT {{ var('window') }} AS w, date_diff('mnoth', ordered_on, ordered_on) AS months FROM core.orders
      |                                            ^^^^^^^
      |
      = help: did you mean 'month'?

    == six mistakes
    error: unknown function `iff`
     --> sql/marts/x.sql:4:8
      |
    4 | SELECT iff(amount > 2, 'a', 'b') AS x,
      |        ^^^
      |
      = help: write CASE WHEN ... THEN ... ELSE ... END

    error: unknown function `zeroifnull`
     --> sql/marts/x.sql:6:3
      |
    6 |   zeroifnull(amount) AS d,
      |   ^^^^^^^^^^
      |
      = help: write coalesce(x, 0)

    error: unknown column `nosuch`
     --> sql/marts/x.sql:7:3
      |
    7 |   nosuch AS n,
      |   ^^^^^^
      |
      = help: expected one of `order_id`, `customer_id`, `ordered_on`, `amount`

    error: unknown function `regexp_substr`
     --> sql/marts/x.sql:8:3
      |
    8 |   regexp_substr(order_id, 'a') AS z
      |   ^^^^^^^^^^^^^
      |
      = help: write regexp_match(text, 'pattern')[1]

    error: unknown column `foo`
      --> sql/marts/x.sql:10:7
       |
    10 | WHERE foo = 1 AND mod(customer_id, 2) = 0
       |       ^^^
       |
       = help: expected one of `order_id`, `customer_id`, `ordered_on`, `amount`

    error: unknown function `mod`
      --> sql/marts/x.sql:10:19
       |
    10 | WHERE foo = 1 AND mod(customer_id, 2) = 0
       |                   ^^^
       |
       = help: write `a % b`
    ");
}

#[tokio::test]
async fn one_kind_of_mistake_does_not_hide_another() {
    let sql = "SELECT date_diff('mnoth', ordered_on, ordered_on) AS months, CAST('12,5' AS BIGINT) AS n\n\
               FROM core.orders\nWHERE ordered_on > 3 AND ordered_on < '2026-02-31'";
    let found = problems_of(&project(vec![step("core.orders", ORDERS), step("marts.x", sql)])).await;
    let first_lines: Vec<&str> = found.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(
        first_lines,
        [
            "error: `date_diff`: unknown unit 'mnoth'",
            "error: cannot cast '12,5' to BIGINT",
            "error: DATE cannot be compared with BIGINT",
            "error: cannot cast '2026-02-31' to DATE",
        ]
    );
}

/// `to_char` takes patterns of strftime; those of other databases would be returned as they are.
#[tokio::test]
async fn patterns_of_times() {
    let found = problems_with(&[(
        "twice",
        "SELECT to_char(ordered_on, 'YYYY-MM') AS month, to_char(ordered_on, '%Y') AS year,\n  to_char(ordered_on, 'YYYY-MM') || 'x' AS again FROM core.orders",
    )])
    .await;
    insta::assert_snapshot!(found, @r"
    == twice
    error: `to_char`: the pattern 'YYYY-MM' has no specifier such as %Y
     --> sql/marts/x.sql:4:28
      |
    4 | SELECT to_char(ordered_on, 'YYYY-MM') AS month, to_char(ordered_on, '%Y') AS year,
      |                            ^^^^^^^^^
      |
      = help: patterns are those of strftime: write '%Y-%m'

    error: `to_char`: the pattern 'YYYY-MM' has no specifier such as %Y
     --> sql/marts/x.sql:5:23
      |
    5 |   to_char(ordered_on, 'YYYY-MM') || 'x' AS again FROM core.orders
      |                       ^^^^^^^^^
      |
      = help: patterns are those of strftime: write '%Y-%m'
    ");
}

/// What is computed from a personal column is personal, under whatever name; what is only filtered by it is not.
#[tokio::test]
async fn personal_columns_are_followed_through_the_sql() {
    let one = project(vec![
        step("core.keys", "SELECT lower(order_id) AS k, customer_id, amount FROM source.erp__orders"),
        view(step("core.both", "SELECT k || '!' AS shout, amount FROM core.keys UNION ALL SELECT 'x', 1")),
        step(
            "marts.counts",
            "SELECT b.amount, max(b.shout) AS last, count(*) AS n, row_number() OVER (ORDER BY b.amount) AS r, \
             (SELECT min(k) FROM core.keys) AS first FROM core.both b JOIN core.keys a ON a.k = b.shout \
             WHERE a.k <> 'y' GROUP BY b.amount",
        ),
    ]);
    let checked = no_problems(&one).await;
    let personal = |table: &str| checked.step(&name(table)).unwrap().personal.iter().cloned().collect::<Vec<_>>();
    assert_eq!(personal("core.keys"), ["k"]);
    assert_eq!(personal("core.both"), ["shout"]);
    assert_eq!(personal("marts.counts"), ["first", "last"]);
}
