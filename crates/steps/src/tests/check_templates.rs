//! Mistakes in the templates and macros of steps.

use super::*;

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
    insta::assert_snapshot!(found, @r"
    == bad ref
    error: unknown step `core.order`
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
    error: undefined variable `asof`
     --> sql/marts/x.sql:4:12
      |
    4 | SELECT '{{ asof }}' AS b
      |            ^^^^
      |
      = help: did you mean `as_of`?

    == unclosed
    error: syntax error: unexpected end of string
     --> sql/marts/x.sql:5:17
      |
    5 | FROM core.orders
      |                 ^

    == unknown filter
    error: unknown filter `upcase`
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
      = help: expected one of `ref`, `source`, `var`, `range`, `dict`

    == a column from a variable
    error: unknown column `r1`
     --> sql/marts/x.sql:5:3
      |
    5 |   {{ var('rule') }} AS b FROM core.orders
      |   ^^^^^^^^^^^^^^^^^
      |
      = help: expected one of `order_id`, `customer_id`, `ordered_on`, `amount`

    == behind an expression
    error: unknown column `nope`
     --> sql/marts/x.sql:4:46
      |
    4 | SELECT {{ var('window') }} AS window_months, nope
      |                                              ^^^^
      |
      = help: expected one of `order_id`, `customer_id`, `ordered_on`, `amount`

    == in a loop
    error: unknown column `amont`
     --> sql/marts/x.sql:6:5
      |
    6 |   , {{ c }} AS {{ c }}_2
      |     ^^^^^^^
      |
      = help: did you mean `amount`?
    ");
}

#[tokio::test]
async fn all_mistakes_of_a_file_are_found() {
    let mut one = project(vec![
        step("core.orders", ORDERS),
        step(
            "marts.many",
            "SELECT '{{ asof }}' AS a, {{ cents('amount') }} AS b, '{{ as_of | upcase }}' AS c,\n  \
             {{ var('rul') }} AS d, {{ per('amount') }} AS e, {{ euros('amount') }} AS f\n\
             FROM {{ ref('core.order') }} JOIN {{ source('erp', 'order') }} USING (order_id)",
        ),
        step("marts.block", "SELECT 1 AS a {% if asof %}, 2 AS b{% endif %}, {{ nothing }} AS c"),
        step("marts.dbt", "{{ config(materialized='view') }} SELECT 1 AS a"),
    ]);
    one.macros = vec![
        text_file("sql/macros/a.sql", "{% macro per(part, whole) %}\n  {{ part }} / {{ whole }}{% endmacro %}\n"),
        text_file("sql/macros/b.sql", "{% macro euros(c) %}{{ rond(c) }}{% endmacro %}\n"),
    ];
    insta::assert_snapshot!(problems_of(&one).await, @r"
    error: undefined variable `asof`
     --> sql/marts/many.sql:4:12
      |
    4 | SELECT '{{ asof }}' AS a, {{ cents('amount') }} AS b, '{{ as_of | upcase }}' AS c,
      |            ^^^^
      |
      = help: did you mean `as_of`?

    error: unknown function or macro `cents`
     --> sql/marts/many.sql:4:30
      |
    4 | SELECT '{{ asof }}' AS a, {{ cents('amount') }} AS b, '{{ as_of | upcase }}' AS c,
      |                              ^^^^^^^^^^^^^^^
      |
      = help: expected one of `ref`, `source`, `var`, `range`, `dict`, `per`, `euros`

    error: unknown filter `upcase`
     --> sql/marts/many.sql:4:67
      |
    4 | SELECT '{{ asof }}' AS a, {{ cents('amount') }} AS b, '{{ as_of | upcase }}' AS c,
      |                                                                   ^^^^^^

    error: variable `rul` is not set
     --> sql/marts/many.sql:5:6
      |
    5 |   {{ var('rul') }} AS d, {{ per('amount') }} AS e, {{ euros('amount') }} AS f
      |      ^^^^^^^^^^
      |
      = help: did you mean `rule`?

    error: macro `per` is called without `whole`
     --> sql/marts/many.sql:5:26
      |
    5 |   {{ var('rul') }} AS d, {{ per('amount') }} AS e, {{ euros('amount') }} AS f
      |                          ^^^^^^^^^^^^^^^^^^^
      |
      = help: it is written as per(part, whole)

    error: unknown function or macro `rond`
     --> sql/macros/b.sql:1:24
      |
    1 | {% macro euros(c) %}{{ rond(c) }}{% endmacro %}
      |                        ^^^^^^^
      |
      = help: expected one of `ref`, `source`, `var`, `range`, `dict`, `per`, `euros` (called from sql/marts/many.sql:5:52)

    error: unknown step `core.order`
     --> sql/marts/many.sql:6:9
      |
    6 | FROM {{ ref('core.order') }} JOIN {{ source('erp', 'order') }} USING (order_id)
      |         ^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `core.orders`?

    error: source `erp` has no table `order`
     --> sql/marts/many.sql:6:38
      |
    6 | FROM {{ ref('core.order') }} JOIN {{ source('erp', 'order') }} USING (order_id)
      |                                      ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `orders`?

    error: undefined variable `asof`
     --> sql/marts/block.sql:4:21
      |
    4 | SELECT 1 AS a {% if asof %}, 2 AS b{% endif %}, {{ nothing }} AS c
      |                     ^^^^
      |
      = help: did you mean `as_of`?

    error: unknown function or macro `config`
     --> sql/marts/dbt.sql:4:4
      |
    4 | {{ config(materialized='view') }} SELECT 1 AS a
      |    ^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write it in the header of the file: /* --- materialize: view --- */
    ");
}

#[tokio::test]
async fn a_macro_has_one_text() {
    let mut one = project(vec![step("core.orders", ORDERS)]);
    one.macros = vec![
        text_file("sql/macros/a.sql", "{% macro euros(c) %}round({{ c }}, 0){% endmacro %}\n"),
        text_file("sql/macros/b.sql", "\n{%- macro euros(c) %}{{ c }}{% endmacro %}\n"),
    ];
    let (_, problems) = checked(&one).await;
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["sql/macros/b.sql:2:11: duplicate macro `euros`"]);
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
    insta::assert_snapshot!(render_all(&problems, false), @r"
    error: syntax error: unexpected `%`, expected identifier
     --> sql/macros/wrong.sql:1:13
      |
    1 | {% macro a( %}x{% endmacro %}
      |             ^

    error: unknown function or macro `missing`
     --> sql/macros/more.sql:3:6
      |
    3 |   {{ missing(c) }}{% endmacro %}
      |      ^^^^^^^^^^
      |
      = help: expected one of `ref`, `source`, `var`, `range`, `dict`, `euros`, `doubled`, `broken` (called from sql/marts/bad.sql:5:2)

    error: unknown column `amont`
     --> sql/marts/inside.sql:5:2
      |
    5 |  {{ euros('amont') }} AS e FROM core.orders
      |  ^^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `amount`?
    ");
}
