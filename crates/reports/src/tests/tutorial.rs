//! `docs/reports.md` as a reader follows it: its files are checked and made into pages.

use super::fixture::{draft, money, row};
use super::{NoRows, footer};
use crate::{EditionRecord, IssueRequest, Output, Parameters, Period, edition_folder, editions};
use minijinja::value::Value;
use perennial_core::error::render_all;
use perennial_project::Project;
use std::path::Path;

const TEXT: &str = include_str!("../../../../docs/reports.md");

/// The block of code behind a line that has this text.
fn code(after: &str) -> String {
    let rest = &TEXT[TEXT.find(after).unwrap_or_else(|| panic!("`{after}` is not in docs/reports.md"))..];
    let begin = rest.find("\n```").unwrap() + 1;
    let body = &rest[begin + rest[begin..].find('\n').unwrap() + 1..];
    body[..body.find("\n```").unwrap() + 1].to_string()
}

fn rows() -> Vec<(String, Value)> {
    let region = |name: &str, cents: i128| {
        row([
            ("region", Value::from(name)),
            ("revenue", money(cents)),
            ("orders", Value::from(12)),
            ("customers", Value::from(7)),
        ])
    };
    let month = |period: &str, cents: i128| {
        row([("period", Value::from(period)), ("revenue", money(cents)), ("period_status", Value::from("closed"))])
    };
    vec![
        ("regions".into(), Value::from(vec![region("north", 7_500_000), region("south", 2_500_000)])),
        ("months".into(), Value::from(vec![month("2026-08-01", 8_000_000), month("2026-09-01", 10_000_000)])),
    ]
}

fn verdicts(files: &[(&str, &str)], folder: &Path) -> Vec<String> {
    page(files, &rows(), Parameters::whole(), folder).verdict.into_values().collect()
}

/// The record of the page of the report in these files.
fn page(files: &[(&str, &str)], rows: &[(String, Value)], parameters: &Parameters, folder: &Path) -> EditionRecord {
    let project: Project = draft(files, "EUR").unwrap_or_else(|problems| panic!("{}", render_all(&problems, false)));
    let problems = crate::check(&project);
    assert!(problems.is_empty(), "{}", render_all(&problems, false));
    let path = files[0].0.trim_start_matches("report-templates/").trim_end_matches("/report.md");
    let report = project.reports.iter().find(|report| report.name == path).unwrap();
    let is_asked = |(name, _): &&(String, Value)| report.queries.iter().any(|query| query.name == *name);
    let rows: Vec<(String, Value)> = rows.iter().filter(is_asked).cloned().collect();
    let request = IssueRequest {
        parameters,
        project: &project,
        report,
        period: Period::newest_due(report, jiff::civil::date(2026, 10, 1)),
        as_of: jiff::civil::date(2026, 10, 1),
        languages: &report.languages,
        outputs: &[Output::Html],
        queries: &NoRows,
        footer: &footer(1),
        issued_at: "2026-10-02T02:15:00Z".parse().unwrap(),
        folder,
    };
    editions::issue(&request, &rows).unwrap();
    let place = edition_folder(folder, &report.name, &request.period.label(), parameters);
    crate::newest_in(&place).unwrap().unwrap()
}

#[test]
fn the_first_page_of_the_tutorial_is_made() {
    let template = code("`report-templates/regions/report.md`:");
    let regions = code("`report-templates/regions/queries/regions.sql`:");
    let months = code("`report-templates/regions/queries/months.sql`:");
    let issue = |files: &[(&str, String)], folder: &Path| {
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        verdicts(&files, folder)
    };
    let first = |template: &str| -> Vec<(&'static str, String)> {
        vec![
            ("report-templates/regions/report.md", template.to_string()),
            ("report-templates/regions/queries/regions.sql", regions.clone()),
        ]
    };
    let folder = tempfile::tempdir().unwrap();
    let sentence = "September 2026: north is the largest of 2 regions, with 75.0\u{202f}% of revenue.";
    assert_eq!(issue(&first(&template), folder.path()), [sentence]);

    // The fourth step.
    let more = code("Into `report.md`, above");
    let template = template.replace("## Orders and customers", &format!("{more}\n## Orders and customers"));
    let mut all = first(&template);
    all.push(("report-templates/regions/queries/months.sql", months.clone()));
    issue(&all, folder.path());
    let html = std::fs::read_to_string(folder.path().join("regions/2026-09/en.html")).unwrap();
    assert!(html.contains("Revenue 25.0\u{202f}% above August"), "the change is in the title");

    // Two languages.
    let mut all = first(&code("`report-templates/regions/report.md`, for both languages:"));
    all.push(("report-templates/regions/queries/months.sql", months));
    all.push(("report-templates/regions/phrases.yml", code("`report-templates/regions/phrases.yml`:")));
    let said = issue(&all, folder.path());
    assert_eq!(said, [sentence.to_string(), "2026年9月：2 个地区中north收入最高，占 75.0%。".to_string()]);
    let page = |language: &str| {
        std::fs::read_to_string(folder.path().join(format!("regions/2026-09/{language}.html"))).unwrap()
    };
    for text in ["Revenue", "Orders", "Customers", "Region", "By month"] {
        assert!(page("en").contains(&format!(">{text}")), "{text}");
        assert!(!page("zh-CN").contains(text), "{text}");
    }
}

#[test]
fn a_warning_says_whether_it_has_anything_to_say() {
    let files = ["report.md", "queries/not_empty.sql"].map(|file| {
        let path = format!("report-templates/silent/{file}");
        let text = code(&format!("`{path}`:"));
        (path, text)
    });
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let customer = row([
        ("customer", Value::from("Northwind")),
        ("last_purchased_on", Value::from("2026-06-17")),
        ("days_silent", Value::from(105)),
        ("value_at_stake", money(7_500_000)),
    ]);
    for (rows, expected) in [(vec![customer], true), (Vec::new(), false)] {
        let folder = tempfile::tempdir().unwrap();
        let rows = vec![("not_empty".to_string(), Value::from(rows))];
        let record = page(&files, &rows, Parameters::whole(), folder.path());
        assert_eq!((record.period.as_str(), record.not_empty), ("2026-09-30", Some(expected)));
        let said = if expected { "1 customers are silent beyond their own rhythm." } else { "Nothing to report." };
        assert_eq!(record.verdict["en"], said);
    }
}

#[test]
fn the_page_of_a_region_says_so() {
    let begin = code("place of the first ones of `report-templates/regions/report.md`:");
    let path = "report-templates/regions/report.md";
    let queries = code("`report-templates/regions/queries/regions.sql`:");
    let files = [(path, begin.as_str()), ("report-templates/regions/queries/regions.sql", queries.as_str())];
    let folder = tempfile::tempdir().unwrap();
    let region = [("region".to_string(), Some("north".to_string()))].into();
    let north = Parameters::of_row(&region, &["region".into()]).unwrap();
    let whole = page(&files, &rows(), Parameters::whole(), folder.path());
    assert_eq!(
        (whole.title["en"].as_str(), whole.verdict["en"].as_str()),
        ("Sales", "September 2026: EUR\u{202f}100\u{202f}k in 2 regions.")
    );
    let of_north = page(&files, &rows(), &north, folder.path());
    assert_eq!(of_north.title["en"], "Sales in north");
    assert!(of_north.verdict["en"].ends_with(" in north."), "{:?}", of_north.verdict);
    assert!(north.slug().starts_with("north-"));
}
