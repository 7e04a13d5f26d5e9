use super::*;
use crate::run_step_test;

fn monthly() -> Project {
    project(vec![step(
        "marts.monthly",
        "SELECT date_trunc('month', ordered_on)::DATE AS month, sum(amount) AS revenue, count(*) AS orders, '{{ var('rule') }}' AS rule\n\
         FROM source.erp__orders WHERE ordered_on < DATE '{{ as_of }}' GROUP BY ALL ORDER BY month",
    )])
}

async fn outcome(yaml: &str) -> Option<String> {
    let mut one = monthly();
    let test = step_test("tests/steps/monthly.yml", yaml);
    one.step_tests = vec![test.clone()];
    let checked = no_problems(&one).await;
    let outcome = run_step_test(&one, &checked, &context(), &test).await.unwrap();
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
    marts.monthly returned different rows than expected
      missing:    month = 2026-02-01, orders = 2
      unexpected: month = 2026-02-01, orders = 1
    "#);
    let exact = "expect:\n  order: exact\n  rows:\n    - {month: 2026-02-01}\n    - {month: 2026-01-01}\n";
    insta::assert_snapshot!(outcome(&format!("{GIVEN}{exact}")).await.unwrap(), @r#"
    marts.monthly returned different rows than expected
      row 1, expected: month = 2026-02-01
      row 1, given:    month = 2026-01-01
      row 2, expected: month = 2026-01-01
      row 2, given:    month = 2026-02-01
    "#);
}

#[tokio::test]
async fn counts_are_shown_where_they_differ() {
    let two = "expect:\n  rows:\n    - {month: 2026-01-01}\n";
    let failure = outcome(&format!("{GIVEN}{two}")).await.unwrap();
    let first = failure.lines().next().unwrap();
    assert_eq!(first, "marts.monthly returned different rows than expected (2 instead of 1)");
}

/// Its file has a problem of its own, such as a mistyped key in the header.
#[tokio::test]
async fn a_test_of_a_step_that_could_not_be_read_is_not_reported() {
    let mut one = project(vec![]);
    one.step_tests = vec![step_test("tests/steps/monthly.yml", "step: marts.monthly\nexpect: {rows: []}\n")];
    assert!(problems_of(&one).await.contains("unknown step `marts.monthly`"));
    one.unread.steps.insert(name("marts.monthly"));
    no_problems(&one).await;
}

async fn problems_of_test(yaml: &str) -> String {
    let mut one = monthly();
    match read_step_test(&text_file("tests/steps/monthly.yml", yaml)) {
        Ok(test) => one.step_tests = vec![test],
        Err(problems) => return render_all(&problems, false),
    }
    problems_of(&one).await
}

#[tokio::test]
async fn names_and_values_are_checked() {
    let mut all = String::new();
    for yaml in [
        "step: marts.montly\nexpect: {rows: []}\n",
        "step: marts.monthly\ngiven:\n  core.orders: []\n  source.erp__order: []\nexpect: {rows: []}\n",
        "step: marts.monthly\ngiven:\n  source.erp__orders:\n    - {orderid: 1, amount: abc}\n    \
         - {orderid: 2, ordered_on: 2026-13-01, amount: 1.005}\nexpect:\n  rows:\n    \
         - {months: 1, orders: many}\n    - {months: 2, orders: 1.5}\n",
        "step: marts.monthly\nexpect:\n  rows:\n    - {orders: 1}\n    - {orders: 1, rule: R1}\n",
        "step: marts.monthly\nas_of: March\nexpected:\n  rows: []\n",
    ] {
        all.push_str(&problems_of_test(yaml).await);
        all.push_str("\n\n");
    }
    insta::assert_snapshot!(all, @r"
    error: unknown step `marts.montly`
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
      = help: expected `source.erp__orders`

    error: marts.monthly does not read `source.erp__order`
     --> tests/steps/monthly.yml:4:3
      |
    4 |   source.erp__order: []
      |   ^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `source.erp__orders`?

    error: source.erp__orders has no column `orderid`
     --> tests/steps/monthly.yml:4:8
      |
    4 |     - {orderid: 1, amount: abc}
      |        ^^^^^^^
      |
      = help: did you mean `order_id`?

    error: column `amount` is DECIMAL(18,2), which cannot hold `abc`
     --> tests/steps/monthly.yml:4:28
      |
    4 |     - {orderid: 1, amount: abc}
      |                            ^^^
      |
      = help: write a number such as `12.50`, or `~` for NULL

    error: column `ordered_on` is DATE, which cannot hold `2026-13-01`
     --> tests/steps/monthly.yml:5:32
      |
    5 |     - {orderid: 2, ordered_on: 2026-13-01, amount: 1.005}
      |                                ^^^^^^^^^^
      |
      = help: write a date such as `2026-01-31`, or `~` for NULL

    error: column `amount` is DECIMAL(18,2), which cannot hold `1.005`
     --> tests/steps/monthly.yml:5:52
      |
    5 |     - {orderid: 2, ordered_on: 2026-13-01, amount: 1.005}
      |                                                    ^^^^^
      |
      = help: write a number such as `12.50`, or `~` for NULL

    error: marts.monthly has no column `months`
     --> tests/steps/monthly.yml:8:8
      |
    8 |     - {months: 1, orders: many}
      |        ^^^^^^
      |
      = help: did you mean `month`?

    error: column `orders` is BIGINT, which cannot hold `many`
     --> tests/steps/monthly.yml:8:27
      |
    8 |     - {months: 1, orders: many}
      |                           ^^^^
      |
      = help: write a whole number such as `12`, or `~` for NULL

    error: column `orders` is BIGINT, which cannot hold `1.5`
     --> tests/steps/monthly.yml:9:27
      |
    9 |     - {months: 2, orders: 1.5}
      |                           ^^^
      |
      = help: write a whole number such as `12`, or `~` for NULL

    error: expected row 1 does not name `rule`, which others do
     --> tests/steps/monthly.yml:4:7
      |
    4 |     - {orders: 1}
      |       ^^^^^^^^^^^
      |
      = help: expected rows all name the same columns; write `~` for NULL

    error: `as_of` is `March`, which is not a date
     --> tests/steps/monthly.yml:2:8
      |
    2 | as_of: March
      |        ^^^^^
      |
      = help: write a date such as `2026-02-15`

    error: a test of a step needs `expect`
     --> tests/steps/monthly.yml:1:1
      |
    1 | step: marts.monthly
      | ^

    error: unknown key `expected` in a test of a step
     --> tests/steps/monthly.yml:3:1
      |
    3 | expected:
      | ^^^^^^^^
      |
      = help: did you mean `expect`?
    ");
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
    let test = step_test("tests/steps/r.yml", yaml);
    one.step_tests = vec![test.clone()];
    let checked = no_problems(&one).await;
    let outcome = run_step_test(&one, &checked, &context(), &test).await.unwrap();
    assert_eq!(outcome.failure.map(|e| e.message().to_string()), None);
    // A YAML mapping or list is as good as its JSON.
    let plain = yaml.replace("'{\"r\": 0.25, \"path\": [3, 4]}'", "{r: 0.25, path: [3, 4]}");
    assert_ne!(plain, yaml);
    let outcome = run_step_test(&one, &checked, &context(), &step_test("tests/steps/r.yml", &plain)).await.unwrap();
    assert_eq!(outcome.failure.map(|e| e.message().to_string()), None);
    let wrong = yaml.replace("0.25, \"path\"", "much, \"path\"");
    one.step_tests = vec![step_test("tests/steps/r.yml", &wrong)];
    let problems = problems_of(&one).await;
    assert!(problems.contains("which is written as JSON"), "{problems}");
}
