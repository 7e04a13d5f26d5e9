//! `docs/reports.md` as a reader follows it: its files are checked and made into pages.

use super::fixture::{draft, money, row};
use super::{NoRows, footer};
use crate::{IssueRequest, Output, Period, editions};
use minijinja::value::Value;
use perennial_core::error::render_all;
use perennial_project::{PeriodKind, Project};
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
    let project: Project = draft(files, "EUR").unwrap_or_else(|problems| panic!("{}", render_all(&problems, false)));
    let problems = crate::check(&project);
    assert!(problems.is_empty(), "{}", render_all(&problems, false));
    let report = project.reports.iter().find(|report| report.name == "regions").unwrap();
    let rows: Vec<(String, Value)> =
        rows().into_iter().filter(|(name, _)| report.queries.iter().any(|query| query.name == *name)).collect();
    let request = IssueRequest {
        project: &project,
        report,
        period: Period::parse(PeriodKind::Month, "2026-09").unwrap(),
        as_of: jiff::civil::date(2026, 10, 1),
        languages: &report.languages,
        outputs: &[Output::Html],
        queries: &NoRows,
        footer: &footer(1),
        issued_at: "2026-10-02T02:15:00Z".parse().unwrap(),
        folder,
    };
    editions::issue(&request, &rows).unwrap();
    let record = crate::newest_edition(folder, "regions", request.period).unwrap().unwrap();
    record.verdict.into_values().collect()
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
