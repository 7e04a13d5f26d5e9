//! Pages for one row of parameters, and the time at which a report is issued.

use super::fixture::{Company, draft, language, load};
use super::footer;
use crate::{IssueRequest, Output, PageRequest, Parameters, Period, Queries, TextRow, edition_folder, newest_in};
use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;
use jiff::civil::date;
use perennial_calendar::BusinessCalendar;
use perennial_core::error::{Error, Result};
use perennial_project::{IssueAfter, Language, PeriodKind, Project};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const REPORT: &str = "\
---
title: \"Orders{% if params.region %} of {{ params.region }}{% endif %}\"
period: month
languages: [en, zh-CN]
parameters: [region]
---
{{ verdict((params.region if params.region else 'All') ~ ': ' ~ (total(orders, 'orders') | integer) ~ ' orders in '
  ~ (months[0].months | integer) ~ ' months.') }}
{{ headlines([{'name': 'orders', 'label': 'N', 'format': 'integer', 'value': total(orders, 'orders')}]) }}
";

fn project(text: &str) -> Project {
    load(
        &[
            ("report-templates/regions/report.md", text),
            ("report-templates/regions/queries/orders.sql", "SELECT 'orders'"),
            ("report-templates/regions/queries/months.sql", "SELECT 'months'"),
        ],
        "EUR",
    )
}

/// Orders by region, and months for all; counts how often it is asked.
struct Orders(Vec<(Option<&'static str>, i64)>, AtomicUsize);

#[async_trait::async_trait]
impl Queries for Orders {
    async fn rows(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        if sql.contains("min(period)") {
            return Err(Error::project("no calendar"));
        }
        self.1.fetch_add(1, Ordering::Relaxed);
        let numbers = |numbers: Vec<i64>| Arc::new(Int64Array::from(numbers)) as ArrayRef;
        if sql.contains("months") {
            return Ok(vec![RecordBatch::try_from_iter([("months", numbers(vec![12]))]).unwrap()]);
        }
        let regions =
            Arc::new(StringArray::from(self.0.iter().map(|(region, _)| *region).collect::<Vec<_>>())) as ArrayRef;
        let orders = numbers(self.0.iter().map(|(_, orders)| *orders).collect());
        Ok(vec![
            RecordBatch::try_from_iter_with_nullable([("region", regions, true), ("orders", orders, false)]).unwrap(),
        ])
    }
}

fn region(value: Option<&str>) -> Parameters {
    let row: TextRow = BTreeMap::from([("region".to_string(), value.map(str::to_string))]);
    Parameters::of_row(&row, &["region".into()]).unwrap()
}

fn september() -> Period {
    Period::parse(PeriodKind::Month, "2026-09").unwrap()
}

fn request<'a>(
    project: &'a Project,
    queries: &'a Orders,
    footer: &'a crate::Footer,
    folder: &'a Path,
) -> IssueRequest<'a> {
    let report = project.reports.iter().find(|report| report.name == "regions").unwrap();
    IssueRequest {
        project,
        report,
        parameters: Parameters::whole(),
        period: september(),
        as_of: date(2026, 10, 1),
        languages: &report.languages,
        outputs: &[Output::Html],
        queries,
        footer,
        issued_at: "2026-10-02T02:15:00Z".parse().unwrap(),
        folder,
    }
}

#[tokio::test]
async fn a_page_for_each_row_from_queries_that_run_once() {
    let (project, folder, footer) = (project(REPORT), tempfile::tempdir().unwrap(), footer(7));
    let queries =
        Orders(vec![(Some("North"), 3), (Some("../x"), 4), (None, 5), (Some("North"), 6)], AtomicUsize::default());
    let (chinese, both) = ([language("zh-CN")], [Language::ENGLISH, language("zh-CN")]);
    let page = |value, languages| PageRequest { parameters: region(value), languages, footer: &footer };
    let pages = [
        page(Some("North"), &both),
        page(Some("../x"), &chinese),
        page(None, &both),
        page(Some("Nowhere"), &both),
        page(Some("North"), &both),
    ];
    let request = request(&project, &queries, &footer, folder.path());
    let issued = crate::issue_pages(request, &pages).await.unwrap();
    assert_eq!(queries.1.load(Ordering::Relaxed), 2, "each query once");
    assert_eq!(issued.len(), 4, "a row that comes twice is one page");
    let said = |value: Option<&str>| {
        let place = edition_folder(folder.path(), "regions", "2026-09", &region(value));
        newest_in(&place).unwrap().map(|record| (record.edition, record.verdict, record.title, record.parameters))
    };
    let north = said(Some("North")).unwrap();
    assert_eq!((north.0, north.1["en"].as_str()), (1, "North: 9 orders in 12 months."));
    assert_eq!((north.2["en"].as_str(), north.3), ("Orders of North", region(Some("North"))));
    let other = said(Some("../x")).unwrap();
    assert_eq!(other.1.get("en"), None, "in the languages that its readers want");
    assert_eq!(other.1["zh-CN"], "../x: 4 orders in 12 months.");
    assert_eq!(said(None).unwrap().1["en"], "All: 5 orders in 12 months.");
    assert!(said(Some("Nowhere")).is_none(), "a page without rows of its own is not made");
    let error = issued.iter().find_map(|(parameters, page)| (*parameters == region(Some("Nowhere"))).then_some(page));
    assert!(crate::is_without_data(error.unwrap().as_ref().unwrap_err()));
    let folders = std::fs::read_dir(folder.path().join("regions/2026-09")).unwrap().count();
    assert_eq!(folders, 3, "nothing lies beside them");

    crate::issue(request).await.unwrap();
    let whole = newest_in(&folder.path().join("regions/2026-09")).unwrap().unwrap();
    assert_eq!((whole.verdict["en"].as_str(), whole.title["en"].as_str()), ("All: 18 orders in 12 months.", "Orders"));
    crate::write_index(&project, folder.path()).unwrap();
    let index = std::fs::read_to_string(folder.path().join("index.html")).unwrap();
    assert!(index.contains("All: 18 orders") && !index.contains("North"), "pages by row are not listed");
    assert_eq!(crate::releases_of_editions(folder.path()).unwrap(), [7].into());
}

#[tokio::test]
async fn each_page_counts_its_own_editions() {
    let (project, folder) = (project(REPORT), tempfile::tempdir().unwrap());
    let mut numbers = Vec::new();
    for (release, north, south) in [(7, 1, 1), (8, 2, 1), (9, 2, 1)] {
        let footer = footer(release);
        let queries = Orders(vec![(Some("north"), north), (Some("south"), south)], AtomicUsize::default());
        let pages = ["north", "south"].map(|value| PageRequest {
            parameters: region(Some(value)),
            languages: &[Language::ENGLISH],
            footer: &footer,
        });
        let issued = crate::issue_pages(request(&project, &queries, &footer, folder.path()), &pages).await.unwrap();
        numbers
            .push(issued.into_iter().map(|(_, page)| page.unwrap()).map(|e| (e.number, e.is_new)).collect::<Vec<_>>());
    }
    assert_eq!(numbers, [[(1, true), (1, true)], [(2, true), (1, false)], [(2, false), (1, false)]]);
    assert_eq!(crate::releases_of_editions(folder.path()).unwrap(), [7, 8].into());
}

#[tokio::test]
async fn a_report_that_asks_whether_it_has_anything_to_say() {
    let text = "---\ntitle: Warning\nperiod: month\nlanguages: [en]\n---\n{{ verdict((not_empty | length) ~ ' customers') }}\n";
    let files = [
        ("report-templates/regions/report.md", text),
        ("report-templates/regions/queries/not_empty.sql", "SELECT 'orders'"),
    ];
    let (project, footer) = (load(&files, "EUR"), footer(7));
    for (rows, expected) in [(Vec::new(), Some(false)), (vec![(Some("north"), 1)], Some(true))] {
        let folder = tempfile::tempdir().unwrap();
        crate::issue(request(&project, &Orders(rows, AtomicUsize::default()), &footer, folder.path())).await.unwrap();
        let record = newest_in(&folder.path().join("regions/2026-09")).unwrap().unwrap();
        assert_eq!(record.not_empty, expected);
    }
}

#[test]
fn mistakes_with_parameters_are_found_before_a_run() {
    let problems = |text: &str| {
        let project = project(text);
        let report = project.reports.iter().find(|report| report.name == "regions").unwrap();
        let schema = |name: &str, column: &str| {
            let field = arrow::datatypes::Field::new(column, arrow::datatypes::DataType::Utf8, true);
            (name.to_string(), Arc::new(arrow::datatypes::Schema::new(vec![field])))
        };
        let columns = BTreeMap::from([schema("orders", "shop"), schema("months", "month")]);
        let mut all = crate::check(&project);
        all.extend(crate::check_columns(report, &columns));
        all.iter().map(|e| format!("{e} ({})", e.hint_text().unwrap_or_default())).collect::<Vec<_>>()
    };
    let header = "---\ntitle: \"Of {{ params.regoin }}\"\nperiod: month\nlanguages: [en]\nparameters: [region]\n---\n";
    let found = problems(&format!("{header}{{{{ params.regin }}}}\n"));
    assert_eq!(
        found,
        [
            "report-templates/regions/report.md:7:11: unknown parameter `regin` (did you mean `region`?)",
            "report-templates/regions/report.md:2:22: unknown parameter `regoin` (did you mean `region`?)",
            "report-templates/regions/report.md:5:14: no query of the report has a column `region`, which is a parameter \
             (select `region` in the queries whose rows belong to one page; without it every page shows all rows)",
        ]
    );
    assert!(draft(&[("report-templates/regions/report.md", header)], "EUR").is_ok());
}

#[test]
fn a_period_is_due_when_what_it_waits_for_has_passed() {
    let mut report = project(REPORT).reports.into_iter().find(|report| report.name == "regions").unwrap();
    let mut newest = |after: IssueAfter, month: i8, day: i8| {
        report.issue_after = after;
        Period::newest_due(&report, date(2026, month, day)).label()
    };
    assert_eq!([newest(IssueAfter::End, 9, 30), newest(IssueAfter::End, 10, 1)], ["2026-08", "2026-09"]);
    // The first two days of October are known on the third.
    let two = || IssueAfter::Days(2);
    assert_eq!([newest(two(), 10, 2), newest(two(), 10, 3)], ["2026-08", "2026-09"]);
    // 1 October 2026 is a Thursday: the working days after September are 1, 2 and, with Monday the 5th free, the 6th.
    let calendar = BusinessCalendar {
        holidays: BTreeMap::from([(date(2026, 10, 5), "free".to_string())]),
        ..BusinessCalendar::monday_to_friday()
    };
    let three = || IssueAfter::WorkingDays(3, calendar.clone());
    assert_eq!([newest(three(), 10, 6), newest(three(), 10, 7)], ["2026-08", "2026-09"]);
    // More than a period: what is newest then is older.
    assert_eq!(newest(IssueAfter::Days(40), 10, 1), "2026-07");
    report.period = PeriodKind::Day;
    report.issue_after = IssueAfter::WorkingDays(1, calendar);
    // Friday's figures wait for Tuesday, Monday being free.
    assert_eq!(Period::newest_due(&report, date(2026, 10, 6)).label(), "2026-10-01");
    assert_eq!(Period::newest_due(&report, date(2026, 10, 7)).label(), "2026-10-05");
}

/// What pages that differ cost: `cargo test -p perennial-reports pages_by_row_cost -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn pages_by_row_cost() {
    const PAGES: usize = 12;
    let case = super::case(24, true, false);
    let first = date(2024, 10, 1);
    let rows: Vec<_> = (0..PAGES).map(|i| Company::new(24, 200 + i).rows(first, true, false)).collect();
    let (footer, folder) = (footer(7), tempfile::tempdir().unwrap());
    for outputs in [&[][..], &[Output::Html], &Output::ALL] {
        let begun = std::time::Instant::now();
        for (i, rows) in rows.iter().enumerate() {
            let place = folder.path().join(format!("{}-{i}", outputs.len()));
            let request = IssueRequest {
                project: &case.project,
                report: &case.project.reports[0],
                parameters: Parameters::whole(),
                period: case.period,
                as_of: case.as_of,
                languages: &[Language::ENGLISH],
                outputs,
                queries: &super::NoRows,
                footer: &footer,
                issued_at: "2026-10-02T02:15:00Z".parse().unwrap(),
                folder: &place,
            };
            crate::editions::issue(&request, rows).unwrap();
        }
        println!("mail and {outputs:?}: {:?} a page", begun.elapsed() / PAGES as u32);
    }
}
