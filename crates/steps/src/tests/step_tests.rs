use super::*;
use crate::steps::run_step_test;

fn monthly() -> Project {
    project(vec![step(
        "marts.monthly",
        "SELECT date_trunc('month', ordered_on)::DATE AS month, sum(amount) AS revenue, count(*) AS orders, '{{ var('rule') }}' AS rule\n\
         FROM source.erp__orders WHERE ordered_on < DATE '{{ as_of }}' GROUP BY ALL ORDER BY month",
    )])
}

async fn outcome(yaml: &str) -> Option<String> {
    let mut one = monthly();
    let file = text_file("tests/steps/monthly.yml", yaml);
    one.step_tests = vec![file.clone()];
    let checked = no_problems(&one).await;
    let outcome = run_step_test(&one, &checked, &context(), &file).await.unwrap();
    outcome.failure.map(|e| e.message().to_string())
}

const GIVEN: &str = "step: marts.monthly\nas_of: 2026-02-15\nvars: {rule: R2}\ngiven:\n  source.erp__orders:\n    \
    - {order_id: a, ordered_on: 2026-01-05, amount: 10.00}\n    \
    - {order_id: b, ordered_on: 2026-01-31, amount: 0.10}\n    \
    - {order_id: c, ordered_on: 2026-02-14, amount: ~}\n    \
    - {order_id: d, ordered_on: 2026-02-15, amount: 99}\n";

#[tokio::test]
async fn rows_as_expected() {
    let any = "expect:\n  rows:\n    - {month: 2026-02-01, orders: 1, revenue: ~}\n    - {month: 2026-01-01, orders: 2, revenue: 10.1}\n";
    assert_eq!(outcome(&format!("{GIVEN}{any}")).await, None);
    let exact =
        "expect:\n  order: exact\n  rows:\n    - {month: 2026-01-01, rule: R2}\n    - {month: 2026-02-01, rule: R2}\n";
    assert_eq!(outcome(&format!("{GIVEN}{exact}")).await, None);
    assert_eq!(outcome("step: marts.monthly\nexpect: {rows: []}\n").await, None);
}

#[tokio::test]
async fn other_rows_are_shown_side_by_side() {
    let any = "expect:\n  rows:\n    - {month: 2026-01-01, orders: 2}\n    - {month: 2026-02-01, orders: 2}\n";
    insta::assert_snapshot!(outcome(&format!("{GIVEN}{any}")).await.unwrap(), @r#"
    marts.monthly gives other rows than expected (2 for 2)
      missing:    month = 2026-02-01, orders = 2
      unexpected: month = 2026-02-01, orders = 1
    "#);
    let exact = "expect:\n  order: exact\n  rows:\n    - {month: 2026-02-01}\n    - {month: 2026-01-01}\n";
    insta::assert_snapshot!(outcome(&format!("{GIVEN}{exact}")).await.unwrap(), @r#"
    marts.monthly gives other rows than expected (2 for 2)
      row 1, expected: month = 2026-02-01
      row 1, given:    month = 2026-01-01
      row 2, expected: month = 2026-01-01
      row 2, given:    month = 2026-02-01
    "#);
}

#[tokio::test]
async fn mistakes_in_the_file() {
    let mut all = String::new();
    for yaml in [
        "step: marts.montly\nexpect: {rows: []}\n",
        "step: marts.monthly\ngiven:\n  core.orders: []\nexpect: {rows: []}\n",
        "step: marts.monthly\ngiven:\n  source.erp__orders:\n    - {orderid: 1}\nexpect: {rows: []}\n",
        "step: marts.monthly\nexpect:\n  rows:\n    - {months: 1}\n",
        "step: marts.monthly\nexpected:\n  rows: []\n",
    ] {
        let mut one = monthly();
        one.step_tests = vec![text_file("tests/steps/monthly.yml", yaml)];
        all.push_str(&problems_of(&one).await);
        all.push_str("\n\n");
    }
    insta::assert_snapshot!(all, @r#"
    error: there is no step `marts.montly`
     --> tests/steps/monthly.yml:1:7
      |
    1 | step: marts.montly
      |       ^^^^^^^^^^^^
      |
      = help: did you mean `marts.monthly`?

    error: marts.monthly does not read `core.orders`
     --> tests/steps/monthly.yml:3:3
      |
    3 |   core.orders: []
      |   ^^^^^^^^^^^
      |
      = help: known are `source.erp__orders`

    error: source.erp__orders has no column `orderid`
     --> tests/steps/monthly.yml:4:8
      |
    4 |     - {orderid: 1}
      |        ^^^^^^^
      |
      = help: did you mean `order_id`?

    error: the step gives no column `months`
     --> tests/steps/monthly.yml:4:8
      |
    4 |     - {months: 1}
      |        ^^^^^^
      |
      = help: did you mean `month`?

    error: unknown field `expected`, expected one of step, as_of, vars, given, expect
     --> tests/steps/monthly.yml:2:1
      |
    2 | expected:
      | ^
      |
      = help: a test has `step`, `as_of`, `vars`, `given` and `expect` with `order` and `rows`
    "#);
}

#[tokio::test]
async fn values_are_cast_exactly() {
    let mut one = monthly();
    let yaml = "step: marts.monthly\ngiven:\n  source.erp__orders:\n    - {amount: 1.005}\nexpect: {rows: []}\n";
    let file = text_file("tests/steps/monthly.yml", yaml);
    one.step_tests = vec![file.clone()];
    let checked = no_problems(&one).await;
    let error = run_step_test(&one, &checked, &context(), &file).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "tests/steps/monthly.yml:4:8: column `amount` of source.erp__orders is DECIMAL(18,2), which cannot hold 1.005"
    );
}

#[tokio::test]
async fn structs_and_lists_are_written_as_json() {
    let steps = vec![
        step(
            "core.fits",
            "SELECT order_id, named_struct('r', 1.5::DOUBLE, 'path', [1, 2]) AS fit FROM source.erp__orders",
        ),
        step("marts.r", "SELECT order_id, fit['r'] AS r, fit['path'][2] AS second, fit['path'] AS path FROM core.fits"),
    ];
    let mut one = project(steps);
    let yaml = "step: marts.r\ngiven:\n  core.fits:\n    - {order_id: a, fit: '{\"r\": 0.25, \"path\": [3, 4]}'}\n    \
                - {order_id: b, fit: '{}'}\n    - {order_id: c}\nexpect:\n  rows:\n    \
                - {order_id: a, r: 0.25, second: 4, path: '[3, 4]'}\n    - {order_id: b, r: ~, second: ~, path: ~}\n    \
                - {order_id: c, r: ~, second: ~, path: ~}\n";
    let file = text_file("tests/steps/r.yml", yaml);
    one.step_tests = vec![file.clone()];
    let checked = no_problems(&one).await;
    let outcome = run_step_test(&one, &checked, &context(), &file).await.unwrap();
    assert_eq!(outcome.failure.map(|e| e.message().to_string()), None);
    let wrong = text_file("tests/steps/r.yml", &yaml.replace("0.25, \"path\"", "much, \"path\""));
    let error = run_step_test(&one, &checked, &context(), &wrong).await.unwrap_err().to_string();
    assert!(error.contains("to be written as JSON"), "{error}");
}
