//! The law of releases: whatever was run before, and however it ended, once every pipeline has run in order of dependency,
//! at one date over one state of the sources, the lake holds what one run of everything puts into an empty one.

use super::company::{Company, Content, Fault, PIPELINES, content, invoker, request};
use crate::flow::{self, Ending, RunRequest};
use jiff::civil::{Date, date};
use jiff::{Span, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::collections::BTreeSet;

/// Something that happens to a lake or its sources.
#[derive(Clone, Debug)]
enum Happening {
    /// The sources change.
    Change(Change),
    /// A run.
    Run(RunOf),
    /// The last run that failed is continued.
    Retry(Option<Fault>),
    /// An earlier release is published again: the one so many tenths back.
    Rollback(u64),
    /// The clock is set by so many hours, back or forth.
    Clock(i64),
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Order,
    OrderAgain,
    Customers,
    Visit,
    RotateVisits,
    Sale,
    SalesAgain,
    NewColumn,
}

#[derive(Clone, Debug)]
struct RunOf {
    pipeline: &'static str,
    as_of: Date,
    select: Option<&'static str>,
    exclude: Option<&'static str>,
    full_refresh: bool,
    publish: bool,
    fault: Option<Fault>,
}

fn change() -> impl Strategy<Value = Change> {
    use Change::{Customers, NewColumn, Order, OrderAgain, RotateVisits, Sale, SalesAgain, Visit};
    proptest::sample::select(vec![Order, OrderAgain, Customers, Visit, RotateVisits, Sale, SalesAgain, NewColumn])
}

fn fault() -> impl Strategy<Value = Option<Fault>> {
    prop_oneof![
        6 => Just(None),
        4 => (0u16..1000).prop_map(|share| Some(Fault::Killed(share))),
        2 => proptest::sample::select(vec!["erp", "web", "shop"]).prop_map(|source| Some(Fault::SourceFails(source))),
        1 => Just(Some(Fault::AllSourcesFail)),
        1 => proptest::sample::select(vec!["core", "marts"]).prop_map(|layer| Some(Fault::TestFails(layer))),
    ]
}

fn run_of() -> impl Strategy<Value = RunOf> {
    let pipeline = proptest::sample::select(vec!["erp", "web", "shop", "marts", "all"]);
    let as_of = prop_oneof![3 => Just(date(2026, 3, 1)), 1 => Just(date(2026, 2, 9)), 1 => Just(date(2026, 2, 1))];
    let steps = || vec!["core.*", "core.orders", "marts.rows", "staging.open_orders+", "+marts.customer"];
    let some = |steps| prop_oneof![4 => Just(None), 1 => proptest::sample::select(steps).prop_map(Some)];
    let full_refresh = prop_oneof![5 => Just(false), 1 => Just(true)];
    let publish = prop_oneof![6 => Just(true), 1 => Just(false)];
    (pipeline, as_of, some(steps()), some(steps()), full_refresh, publish, fault()).prop_map(
        |(pipeline, as_of, select, exclude, full_refresh, publish, fault)| RunOf {
            pipeline,
            as_of,
            select,
            exclude,
            full_refresh,
            publish,
            fault,
        },
    )
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => change().prop_map(Happening::Change),
        8 => run_of().prop_map(Happening::Run),
        3 => fault().prop_map(Happening::Retry),
        1 => (1u64..10).prop_map(Happening::Rollback),
        1 => (-100i64..40).prop_map(Happening::Clock),
    ]
}

/// A lake that things happen to.
struct History {
    company: Company,
    now: Timestamp,
    /// Whether rows that are merged by key have more than one version by now.
    rows_changed: bool,
}

impl History {
    fn new() -> History {
        History { company: Company::new(), now: "2026-04-01T02:00:00Z".parse().unwrap(), rows_changed: false }
    }

    fn later(&mut self) -> Timestamp {
        self.now = self.now.checked_add(Span::new().minutes(7)).unwrap();
        self.now
    }

    fn happen(&mut self, happening: &Happening) -> Result<(), String> {
        match happening {
            Happening::Change(change) => self.change(*change),
            Happening::Clock(hours) => self.now = self.now.checked_add(Span::new().hours(*hours)).unwrap(),
            Happening::Rollback(tenths) => self.rollback(*tenths),
            Happening::Run(run) => self.run(run)?,
            Happening::Retry(fault) => self.retry(fault.as_ref()),
        }
        Ok(())
    }

    fn change(&mut self, change: Change) {
        let company = &mut self.company;
        match change {
            Change::Order => company.order(),
            Change::OrderAgain => company.change_order(),
            Change::Customers => company.customers(),
            Change::Visit => company.visit(),
            Change::Sale => company.sale(),
            Change::SalesAgain => company.sales_again(),
            Change::NewColumn => company.sales_with_a_new_column(),
            // Only what a release holds may go: what is taken away unread is lost to everybody.
            Change::RotateVisits => {
                if let Some(Ok(_)) = self.attempt("web", date(2026, 3, 1)) {
                    self.company.rotate_visits();
                }
            }
        }
        self.rows_changed |= matches!(change, Change::OrderAgain | Change::Customers);
    }

    fn attempt(&mut self, pipeline: &str, as_of: Date) -> Option<Result<Ending, String>> {
        let request = request(pipeline, as_of, self.later());
        let project = self.company.project("lake", None);
        let ended = self.company.run(&project, &request, None)?;
        Some(match ended {
            Ok(outcome) if outcome.ending != Ending::NotPublished && outcome.problems.is_empty() => Ok(outcome.ending),
            Ok(outcome) => Err(format!("{:?}: {:?}", outcome.ending, outcome.problems)),
            Err(problems) => Err(format!("{problems:?}")),
        })
    }

    fn rollback(&mut self, tenths: u64) {
        self.company.restore_visits();
        let project = self.company.project("lake", None);
        let now = self.later();
        runtime().block_on(async {
            let lake = perennial_lake::Lake::open(&project.lake).await.unwrap();
            let Some(newest) = lake.latest().await.unwrap() else { return };
            let to = newest.number * tenths / 10;
            if to > 0 && to < newest.number {
                let published = flow::rollback(&project, to, invoker(), now, &super::company::Silent).await.unwrap();
                assert_eq!(published.number, newest.number + 1);
            }
        });
    }

    fn run(&mut self, run: &RunOf) -> Result<(), String> {
        if run.full_refresh {
            self.company.restore_visits();
        }
        let request = RunRequest {
            select: run.select.iter().map(ToString::to_string).collect(),
            exclude: run.exclude.iter().map(ToString::to_string).collect(),
            full_refresh: run.full_refresh,
            publish: run.publish,
            ..request(run.pipeline, run.as_of, self.later())
        };
        let project = self.company.project("lake", run.fault.as_ref());
        let ended = self.company.run(&project, &request, run.fault.as_ref());
        let undisturbed = run.fault.is_none() && run.select.is_none() && run.exclude.is_none();
        match ended {
            // A pipeline that reads nothing but its own sources has no reason to fail.
            Some(Err(problems)) if undisturbed && ["erp", "web", "shop", "all"].contains(&run.pipeline) => {
                Err(format!("{run:?} failed: {problems:?}"))
            }
            Some(Ok(outcome)) if undisturbed && outcome.ending == Ending::NotPublished && run.pipeline != "marts" => {
                Err(format!("{run:?} was not published: {:?}", outcome.problems))
            }
            _ => Ok(()),
        }
    }

    /// Goes on where the last run stopped, where that is possible.
    fn retry(&mut self, fault: Option<&Fault>) {
        let project = self.company.project("lake", fault);
        let now = self.later();
        if let Ok(request) = runtime().block_on(flow::retry(&project, None, invoker(), now)) {
            self.company.run(&project, &request, fault);
        }
    }

    /// Every pipeline once, in order, at one date over one state of the sources.
    fn settle(&mut self) -> Result<Content, String> {
        for pipeline in PIPELINES {
            self.attempt(pipeline, date(2026, 3, 1)).unwrap().map_err(|e| format!("the last {pipeline}: {e}"))?;
        }
        Ok(content(&self.company.project("lake", None)))
    }

    /// One run of everything in a lake of its own, over everything that the sources ever had.
    fn at_once(&mut self) -> Content {
        self.company.restore_visits();
        let project = self.company.project("at-once", None);
        let request = request("all", date(2026, 3, 1), "2026-04-01T02:00:00Z".parse().unwrap());
        let outcome = self.company.run(&project, &request, None).unwrap().unwrap();
        assert!(matches!(outcome.ending, Ending::Published { release: 1, .. }), "{:?}", outcome.ending);
        content(&project)
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Where two lakes differ although they should not; a raw table whose rows were merged by key holds the versions that
/// were seen on the way.
fn differences(found: &Content, expected: &Content, rows_changed: bool) -> Vec<String> {
    let mut differences = Vec::new();
    let names: BTreeSet<&String> = found.relations.keys().chain(expected.relations.keys()).collect();
    for name in names {
        let by_way = name.starts_with("raw.erp__") || name.ends_with("_history");
        if rows_changed && by_way {
            continue;
        }
        match (found.relations.get(name), expected.relations.get(name)) {
            (Some(found), Some(expected)) if found == expected => {}
            (Some(found), Some(expected)) => {
                let only = |a: &[String], b: &[String]| {
                    a.iter().filter(|row| !b.contains(row)).take(3).cloned().collect::<Vec<_>>()
                };
                differences.push(format!(
                    "{name}: {} rows, expected {}; only here: {:?}; missing: {:?}",
                    found.len(),
                    expected.len(),
                    only(found, expected),
                    only(expected, found)
                ));
            }
            (found, _) => {
                differences.push(format!("{name} {}", if found.is_some() { "should not be" } else { "is missing" }))
            }
        }
    }
    let (Some(found), Some(expected)) = (&found.release, &expected.release) else { return differences };
    for (name, expected) in &expected.loaded {
        let Some(found) = found.loaded.get(name) else {
            differences.push(format!("what was loaded of {name} is missing"));
            continue;
        };
        let watermark = |state: &perennial_lake::LoadState| state.watermark.clone();
        if watermark(found) != watermark(expected) {
            differences.push(format!(
                "watermark of {name}: {:?}, expected {:?}",
                watermark(found),
                watermark(expected)
            ));
        }
        if (&found.contract, &found.accepted_columns) != (&expected.contract, &expected.accepted_columns) {
            differences.push(format!("contract or accepted columns of {name}: {:?}", found.accepted_columns));
        }
        if name.name.starts_with("shop__") {
            let files = |state: &perennial_lake::LoadState| {
                state
                    .files
                    .iter()
                    .map(|(path, f)| (path.clone(), f.bytes, f.rows, f.rejects, f.newest.clone()))
                    .collect::<Vec<_>>()
            };
            if files(found) != files(expected) {
                differences.push(format!("files of {name}: {:?}, expected {:?}", files(found), files(expected)));
            }
        }
    }
    differences
}

fn law(happenings: &[Happening]) -> Result<(), String> {
    let mut history = History::new();
    for happening in happenings {
        history.happen(happening)?;
        // A release can be read, whatever made it.
        content(&history.company.project("lake", None));
    }
    let settled = history.settle()?;
    let differences = differences(&settled, &history.at_once(), history.rows_changed);
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}

fn variable(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// `PERENNIAL_CASES` says how many histories are tried, `PERENNIAL_SEED` which.
#[test]
fn after_any_history_the_pipelines_give_what_one_run_of_everything_gives() {
    let cases = variable("PERENNIAL_CASES", 12) as u32;
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&variable("PERENNIAL_SEED", 9).to_le_bytes());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 60, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let histories = proptest::collection::vec(happening(), 3..14);
    let outcome =
        runner.run(&histories, |happenings| law(&happenings).map_err(|e| TestCaseError::fail(format!("{e}\n"))));
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// The table of losses: two pipelines with sources of their own, in turn.
#[test]
fn two_pipelines_in_turn_lose_nothing() {
    let run = |pipeline| {
        Happening::Run(RunOf {
            pipeline,
            as_of: date(2026, 3, 1),
            select: None,
            exclude: None,
            full_refresh: false,
            publish: true,
            fault: None,
        })
    };
    let happenings = [
        run("erp"),
        run("web"),
        Happening::Change(Change::Order),
        Happening::Change(Change::Customers),
        Happening::Change(Change::RotateVisits),
        run("erp"),
        run("web"),
        run("shop"),
        run("marts"),
        run("erp"),
    ];
    if let Err(found) = law(&happenings) {
        panic!("{found}");
    }
}

/// The comparison sees what is missing: a lake in which only one pipeline has run.
#[test]
fn a_lake_that_lacks_a_pipeline_differs() {
    let mut history = History::new();
    history.attempt("erp", date(2026, 3, 1)).unwrap().unwrap();
    let found = content(&history.company.project("lake", None));
    let differences = differences(&found, &history.at_once(), false);
    for name in [
        "raw.web__visits",
        "source.shop__sales",
        "core.visits",
        "marts.customer",
        "rejects",
        "what was loaded of raw.shop__sales",
    ] {
        assert!(differences.iter().any(|said| said.starts_with(name)), "{name} is not in {differences:?}");
    }
}

/// Whichever pipeline is the first, what it publishes can be read: not a view of a table that is not there yet.
#[test]
fn what_the_first_pipeline_publishes_can_be_read() {
    for pipeline in ["erp", "web", "shop"] {
        let mut history = History::new();
        history.attempt(pipeline, date(2026, 3, 1)).unwrap().unwrap();
        let found = content(&history.company.project("lake", None));
        let view = "staging.open_orders";
        assert_eq!(found.relations.contains_key(view), pipeline == "erp", "{pipeline}: {:?}", found.relations.keys());
    }
}
