//! The functions as analysts call them: the examples of the manual, and SQL logic tests.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod logic;
mod session;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use perennial_functions::{FUNCTIONS, Function, Kind, Section, check_constants};
use std::collections::BTreeSet;
use std::path::Path;

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_the_manual_gives_its_answer() {
    let session = session::open(2);
    let mut wrong = Vec::new();
    for function in FUNCTIONS {
        for example in function.page().examples {
            let answer = match session::answer(&session, example.sql).await {
                Ok(answer) => answer,
                Err(error) => error.to_string(),
            };
            if answer != example.answer {
                wrong.push(format!("{}:\n{}\ngave\n{answer}\n", function.name, example.sql));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `docs/functions` holds a page for each function and nothing else, and its list is that of the code.
#[test]
fn the_manual_lists_every_function() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/functions");
    let files = std::fs::read_dir(&folder).unwrap();
    let files: BTreeSet<String> = files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned()).collect();
    let pages = FUNCTIONS.iter().map(|function| format!("{}.md", function.name));
    assert_eq!(files, pages.chain(["README.md".to_string()]).collect());
    let (file, list) = (folder.join("README.md"), manual_index());
    if std::env::var_os("PERENNIAL_WRITE_MANUAL").is_some() {
        std::fs::write(&file, &list).unwrap();
    }
    assert!(
        std::fs::read_to_string(&file).unwrap() == list,
        "docs/functions/README.md is out of date; write it anew with\n\
         PERENNIAL_WRITE_MANUAL=1 cargo test -p perennial-functions --test functions the_manual"
    );
}

/// All functions by chapter, as Markdown that links their pages.
fn manual_index() -> String {
    let mut text = String::from(
        "# SQL functions of perennial\n\nThese come in addition to the functions of Apache DataFusion. \
         `perennial functions NAME` prints a page.\nThis list is generated from the pages; every example on them is \
         run as a test.\n",
    );
    for chapter in FUNCTIONS.chunk_by(|one, next| one.section == next.section) {
        let title = chapter[0].section.title();
        text += &format!("\n## {title}\n\n| function | kind | what it gives |\n|---|---|---|\n");
        for function in chapter {
            let (name, kind, summary) = (function.name, function.kind.name(), function.page().summary);
            text += &format!("| [{name}]({name}.md) | {kind} | {summary} |\n");
        }
    }
    text
}

#[test]
fn every_page_is_complete() {
    let names: Vec<_> = FUNCTIONS.iter().map(|function| function.name).collect();
    let mut sections: Vec<Section> = Vec::new();
    for function in FUNCTIONS {
        let (name, page) = (function.name, function.page());
        assert_eq!(page.title, name);
        assert_eq!(page.kind, function.kind.name(), "{name}: the kind of the function");
        assert!(page.examples.iter().all(|example| !example.answer.is_empty()), "{name} has an example without answer");
        assert!(!page.examples.is_empty(), "{name} has no example");
        assert!(page.syntax.starts_with(name), "{name}: the syntax begins with the name");
        assert!(!page.summary.is_empty() && !page.summary.ends_with('.'), "{name}: the summary is one sentence");
        assert!(!page.description.is_empty() && !page.returns.is_empty(), "{name}: description or answer is missing");
        assert!(function.section != Section::Fits || !page.sources.is_empty(), "{name}: no paper");
        for argument in parameters(function) {
            assert!(page.arguments.iter().any(|(documented, _)| *documented == argument), "{name}: `{argument}`");
        }
        for related in &page.related {
            assert!(names.contains(&related.as_str()), "{name} refers to {related}, which does not exist");
        }
        assert_eq!(names.iter().filter(|other| **other == name).count(), 1, "duplicate function {name}");
        sections.push(function.section);
    }
    assert!(sections.is_sorted(), "the list follows the chapters of the manual");
}

/// Names by which the arguments of a function can be given.
fn parameters(function: &Function) -> Vec<String> {
    let signature = match function.kind {
        Kind::Scalar(make) => make().signature().clone(),
        Kind::Aggregate(make) => make().signature().clone(),
        Kind::Window(make) => make().signature().clone(),
    };
    signature.parameter_names.unwrap_or_default()
}

/// Each rule of constant arguments, with a value that is refused: function, arguments, position and message.
#[test]
fn constant_arguments_are_checked() {
    let text = |text: &str| Some(ScalarValue::from(text));
    let number = |number: f64| Some(ScalarValue::from(number));
    let whole = |number: i64| Some(ScalarValue::from(number));
    let day = |day: i32| Some(ScalarValue::Date32(Some(day)));
    let list = |numbers: &[i64]| {
        let items: Vec<ScalarValue> = numbers.iter().map(|number| ScalarValue::from(*number)).collect();
        Some(ScalarValue::List(ScalarValue::new_list_nullable(&items, &DataType::Int64)))
    };
    let months = Some(ScalarValue::new_interval_mdn(1, 0, 0));
    let cases: Vec<(&str, Vec<Option<ScalarValue>>, usize, &str)> = vec![
        ("purchase_summary", vec![None, None, None, text("weks")], 3, "unknown unit 'weks'; did you mean 'week'?"),
        (
            "purchase_summary",
            vec![None, None, day(9), None, day(9)],
            4,
            "holdout_to is not after observed_to; the hold-out begins on the day after",
        ),
        (
            "bg_nbd_fit",
            vec![None, None, None, text("fortnight")],
            3,
            "unknown unit 'fortnight'; expected one of 'day', 'week', 'month' or 'year'",
        ),
        (
            "bg_bb_fit",
            vec![None, None, None, whole(-1)],
            3,
            "the weight is -1; it is how many customers a row stands for, 0 or more",
        ),
        (
            "gamma_gamma_fit",
            vec![None, None, whole(-2)],
            2,
            "the weight is -2; it is how many customers a row stands for, 0 or more",
        ),
        (
            "p_alive_interval",
            vec![None, None, None, None, number(95.0)],
            4,
            "the confidence is 95; it lies between 0 and 1, 0.95 where it is not given",
        ),
        (
            "expected_purchases",
            vec![None, None, None, None, whole(-3)],
            4,
            "the horizon is -3; it is a length of time, 0 or more and finite",
        ),
        (
            "expected_purchases_new",
            vec![None, number(f64::INFINITY)],
            1,
            "the horizon is inf; it is a length of time, 0 or more and finite",
        ),
        (
            "p_no_purchase_interval",
            vec![None, None, None, None, whole(4), text("yaer"), None],
            5,
            "unknown unit 'yaer'; did you mean 'year'?",
        ),
        (
            "p_no_purchase_interval",
            vec![None, None, None, None, whole(4), number(0.0)],
            5,
            "the confidence is 0; it lies between 0 and 1, 0.95 where it is not given",
        ),
        (
            "discounted_expected_purchases",
            vec![None, None, None, None, whole(10), None],
            4,
            "the yearly discount rate is 10; it lies between 0 and 1, 0.1 is 10 % a year",
        ),
        (
            "discounted_expected_purchases",
            vec![None, None, None, None, whole(0), number(f64::INFINITY)],
            5,
            "without a discount rate the horizon must be finite; the sum has no end",
        ),
        (
            "customer_lifetime_value",
            vec![None, None, None, None, None, None, whole(30)],
            6,
            "the margin share is 30; it lies between -1 and 1, 0.3 is a margin of 30 % of spend",
        ),
        ("kaplan_meier", vec![None, None, None, whole(-1)], 3, "until is -1; it is a finite number, 0 or more"),
        (
            "log_rank",
            vec![None, None, None, whole(-1)],
            3,
            "the weight is -1; it is how many customers a row stands for, 0 or more",
        ),
        ("survival", vec![None, number(1.5)], 1, "the period is 1.5; it is a whole number of periods from 0 to 100000"),
        (
            "retention_rate",
            vec![None, whole(0)],
            1,
            "the period is 0; it is a whole number of periods from 1 to 100000",
        ),
        (
            "retention_rate_interval",
            vec![None, whole(1), whole(1)],
            2,
            "the confidence is 1; it lies between 0 and 1, 0.95 where it is not given",
        ),
        (
            "residual_lifetime",
            vec![None, None, whole(10)],
            2,
            "the yearly discount rate is 10; it lies between 0 and 1, 0.1 is 10 % a year",
        ),
        ("lift", vec![None, None, whole(0)], 2, "bins is 0; it is a whole number from 1 to 1000"),
        (
            "holdout_by_frequency",
            vec![None, None, None, whole(-1)],
            3,
            "last_bin is -1; it is a whole number from 0 to 1000",
        ),
        ("date_diff", vec![text("wek"), None, None], 0, "unknown unit 'wek'; did you mean 'week'?"),
        (
            "open_seconds",
            vec![None, None, text("Mo-Fr 09:00-17:00")],
            2,
            "`Mo-Fr` is not a day of the week; expected one of Mon, Tue, Wed, Thu, Fri, Sat, Sun",
        ),
        ("sessionize", vec![None, months], 1, "a gap of months has no fixed length; write days"),
        ("sessionize", vec![None, whole(-1)], 1, "the gap is -1 seconds; it is a number from 0 to 1e13"),
        ("quantile_cutoffs", vec![None, whole(1)], 1, "the number of bins is 1; it is a whole number from 2 to 1000"),
        ("quantile_score", vec![None, list(&[2, 1])], 1, "the threshold 2 comes before 1; they are ascending"),
        ("width_bucket", vec![None, list(&[3, 5, 4])], 1, "the threshold 5 comes before 4; they are ascending"),
        (
            "width_bucket",
            vec![None, whole(5), whole(5), None],
            2,
            "low is 5 and high is 5; bounds are finite and differ",
        ),
        ("width_bucket", vec![None, None, None, whole(0)], 3, "the count of bins is 0; it is a whole number from 1 on"),
    ];
    for (function, arguments, argument, said) in cases {
        let problem = check_constants(function, &arguments).unwrap_err();
        let text = format!("{}; {}", problem.message, problem.hint.unwrap_or_default());
        assert_eq!((problem.argument, text.as_str()), (argument, said), "{function}");
        // Nothing is said of arguments that are not known.
        assert_eq!(check_constants(function, &vec![None; arguments.len()]), Ok(()), "{function}");
    }
    assert_eq!(check_constants("date_diff", &[text("Weeks"), None, None]), Ok(()));
    assert_eq!(check_constants("date_trunc", &[text("wek"), None]), Ok(()));
}

/// Without a name the only calendar is meant. 1 January 2027 is a Friday, 10 October 2026 a Saturday.
#[tokio::test]
async fn the_only_calendar_is_the_default() {
    let sql = "SELECT is_working_day(DATE '2027-01-01') AS a, is_working_day(DATE '2026-10-10') AS b, \
               open_seconds(DATE '2027-01-01', DATE '2027-01-02', 'Mon-Fri 09:00-10:00') AS c";
    for (calendar, expected) in
        [("germany", "false | false | 0"), ("china", "true | true | 3600"), ("none", "true | false | 3600")]
    {
        let session = session::open_with_calendars(1, &[calendar]);
        let answer = session::answer(&session, sql).await.unwrap();
        assert_eq!(answer, format!("a | b | c\n{expected}"), "{calendar}");
    }
}

/// Every file of `tests/slt`, with one partition and with several: the answers may not differ in a digit.
/// Files whose names begin with `real_` ask of published data and do nothing where those are absent, those that begin with
/// `calendars_` run in a session with calendars.
#[tokio::test(flavor = "multi_thread")]
async fn sql_logic_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut wrong = Vec::new();
    for file in files {
        let begins_with = |prefix| file.file_name().unwrap().to_str().unwrap().starts_with(prefix);
        for partitions in [1, 3] {
            let session = match begins_with("calendars_") {
                true => session::open_with_calendars(partitions, &["germany", "china"]),
                false => session::open(partitions),
            };
            if begins_with("real_") && !session::register_real_data(&session).await {
                continue;
            }
            for failure in logic::failures(&session, &file).await {
                wrong.push(format!("{} with {partitions} partitions, {failure}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
