//! `retry` goes on where a run stopped: what it had read and made is used again, if nothing else has changed.

use super::company::{Company, Fault, content, invoker, request};
use crate::flow::{self, Ending, Event, Observer, RunOutcome, RunRequest};
use jiff::civil::date;
use perennial_core::error::{Problems, Result};
use perennial_project::Project;
use std::sync::Mutex;

/// What a run did.
#[derive(Default)]
struct Done(Mutex<Vec<String>>);

impl Observer for Done {
    fn event(&self, event: Event<'_>) {
        let line = match event {
            Event::SourceDone { table, .. } => format!("read {table}"),
            Event::StepDone { step, .. } => format!("made {step}"),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

fn run(project: &Project, request: &RunRequest) -> (Result<RunOutcome, Problems>, Vec<String>) {
    let done = Done::default();
    let outcome = wait(flow::run(project, request, &done));
    let mut lines = done.0.into_inner().unwrap();
    lines.sort();
    (outcome, lines)
}

pub(super) fn at(minute: i8) -> jiff::Timestamp {
    date(2026, 4, 1).at(2, minute, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp()
}

fn retry(project: &Project, minute: i8) -> Result<RunRequest> {
    wait(flow::retry(project, None, invoker(), at(minute)))
}

fn number(project: &Project) -> u64 {
    content(project).release.unwrap().number
}

fn journals(company: &Company) -> usize {
    std::fs::read_dir(company.root().join("lake/_perennial/journals")).map_or(0, Iterator::count)
}

#[test]
fn finished_sources_and_steps_are_not_done_again() {
    let company = Company::new();
    let broken = company.project("lake", Some(&Fault::SourceFails("shop")));
    let (outcome, lines) = run(&broken, &request("all", date(2026, 3, 1), at(0)));
    assert_eq!(outcome.unwrap().ending, Ending::NotPublished);
    assert_eq!(lines, ["read erp.customers", "read erp.orders", "read web.visits"]);

    let mended = company.project("lake", None);
    let request = retry(&mended, 5).unwrap();
    assert_eq!((request.attempt, request.as_of), (2, Some(date(2026, 3, 1))));
    let (outcome, lines) = run(&mended, &request);
    assert!(matches!(outcome.unwrap().ending, Ending::Published { release: 1, .. }));
    assert!(!lines.iter().any(|line| line.starts_with("read erp") || line.starts_with("read web")), "{lines:?}");
    assert!(lines.contains(&"read shop.sales".to_string()), "{lines:?}");
    assert_eq!(journals(&company), 0, "what is published needs no journal");

    let other = Company::new();
    let whole = other.project("lake", None);
    run(&whole, &super::company::request("all", date(2026, 3, 1), at(0))).0.unwrap();
    assert_eq!(content(&mended).relations, content(&whole).relations);
    let error = retry(&mended, 10).unwrap_err();
    assert_eq!(error.message(), "no run that failed can be continued");
}

#[test]
fn steps_that_passed_are_kept_when_a_test_fails() {
    let company = Company::new();
    let project = company.project("lake", Some(&Fault::TestFails("marts")));
    let (outcome, first) = run(&project, &request("all", date(2026, 3, 1), at(0)));
    assert_eq!(outcome.unwrap().ending, Ending::NotPublished);
    assert!(first.iter().any(|line| line.starts_with("made core.")), "{first:?}");
    let (outcome, again) = run(&project, &retry(&project, 5).unwrap());
    assert_eq!(outcome.unwrap().ending, Ending::NotPublished, "the test fails again");
    assert_eq!(again, Vec::<String>::new(), "nothing is read or made once more");
    // A run of the failed one's successor is continued in the same way.
    assert_eq!(retry(&project, 10).unwrap().attempt, 3);
    assert_eq!(journals(&company), 1);
}

#[test]
fn nothing_is_used_once_the_project_or_the_release_has_changed() {
    let mut company = Company::new();
    let broken = company.project("lake", Some(&Fault::SourceFails("shop")));
    run(&broken, &request("all", date(2026, 3, 1), at(0))).0.unwrap();
    let path = company.root().join("sql/core/visits.sql");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}\n-- changed\n")).unwrap();
    let error = retry(&company.project("lake", None), 5).unwrap_err();
    assert!(
        error.message().starts_with("the project's files, variables or the newest release have changed"),
        "{error}"
    );
    std::fs::write(&path, text).unwrap();
    assert!(retry(&company.project("lake", None), 5).is_ok());
    company.visit();
    let (outcome, _) = run(&company.project("lake", None), &request("web", date(2026, 3, 1), at(6)));
    assert!(matches!(outcome.unwrap().ending, Ending::Published { .. }));
    assert!(retry(&company.project("lake", None), 7).is_err());
    // A further attempt does not use it either.
    let second = RunRequest { attempt: 2, ..request("all", date(2026, 3, 1), at(8)) };
    let (outcome, lines) = run(&company.project("lake", None), &second);
    assert!(matches!(outcome.unwrap().ending, Ending::Published { .. }));
    assert!(lines.contains(&"read erp.orders".to_string()), "{lines:?}");
}

#[test]
fn a_further_attempt_goes_on_by_itself_and_a_full_refresh_makes_nothing_twice() {
    let company = Company::new();
    let first = RunRequest { full_refresh: true, ..request("all", date(2026, 3, 1), at(0)) };
    let broken = company.project("lake", Some(&Fault::TestFails("marts")));
    assert_eq!(run(&broken, &first).0.unwrap().ending, Ending::NotPublished);
    let second = RunRequest { attempt: 2, now: at(5), ..first };
    let (outcome, lines) = run(&broken, &second);
    assert_eq!(outcome.unwrap().ending, Ending::NotPublished);
    assert_eq!(lines, Vec::<String>::new());
}

#[test]
fn a_run_that_was_killed_is_continued() {
    let mut company = Company::new();
    let project = company.project("lake", None);
    // The first run says how long one takes.
    company.run(&project, &request("all", date(2026, 2, 1), at(0)), None).unwrap().unwrap();
    for order in 0..3 {
        company.order();
        company.sale();
        let before = number(&project);
        let killed = Fault::Killed(500 + 150 * order);
        let minute = 10 * (i8::try_from(order).unwrap() + 1);
        let ended = company.run(&project, &request("all", date(2026, 3, 1), at(minute)), Some(&killed));
        // One that was killed after it had published needs no more than a repair.
        match (ended, retry(&project, minute + 5)) {
            (Some(outcome), _) => assert!(outcome.unwrap().problems.is_empty()),
            (None, Ok(request)) => assert!(run(&project, &request).0.unwrap().problems.is_empty()),
            (None, Err(_)) => assert_eq!(number(&project), before + 1, "it was killed before it published"),
        }
    }
    let whole = company.project("at-once", None);
    run(&whole, &request("all", date(2026, 3, 1), at(0))).0.unwrap();
    assert_eq!(content(&project).relations["marts.customer"], content(&whole).relations["marts.customer"]);
}
