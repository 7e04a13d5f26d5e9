//! Pages that were wrong once: wide tables, ranks, titles without headings, characters without a font.

use super::fixture::{load, row};
use super::{footer, issue};
use crate::{IssueRequest, Output, Parameters, Period, editions};
use minijinja::value::Value;
use perennial_project::{Language, PeriodKind};
use std::path::Path;

/// Issues a report of these rows and gives its HTML and what became of the PDF.
fn issue_one(template: &str, name: &str, rows: Vec<Value>, folder: &Path) -> (String, editions::Edition) {
    let text = format!(
        "---\ntitle: Case\nlanguages: [en]\nqueries: {{{name}: SELECT 1}}\n---\n{template}\n\n{{{{ footer() }}}}\n"
    );
    let project = load(&[("report-templates/case/report.md", &text)], "EUR");
    let report = project.reports.iter().find(|report| report.name == "case").unwrap();
    let problems: Vec<String> = crate::check(&project).iter().map(|e| e.to_string()).collect();
    assert_eq!(problems, Vec::<String>::new());
    let request = IssueRequest {
        parameters: Parameters::whole(),
        project: &project,
        report,
        period: Period::parse(PeriodKind::Month, "2026-09").unwrap(),
        as_of: jiff::civil::date(2026, 10, 1),
        languages: &[Language::ENGLISH],
        outputs: &Output::ALL,
        queries: &super::NoRows,
        footer: &footer(1),
        issued_at: "2026-10-02T02:15:00Z".parse().unwrap(),
        folder,
    };
    let edition = editions::issue(&request, &[(name.to_string(), Value::from(rows))]).unwrap();
    (std::fs::read_to_string(folder.join("case/2026-09/en.html")).unwrap(), edition)
}

#[test]
fn a_title_of_a_table_needs_no_heading_above_it() {
    let folder = tempfile::tempdir().unwrap();
    let rows = vec![row([("region", Value::from("north")), ("v", Value::from(12.5))])];
    let (html, edition) =
        issue_one("{{ verdict('One table.') }}\n\n{{ table(rows, title='Regions') }}", "rows", rows, folder.path());
    assert!(edition.refused.is_empty(), "{:?}", edition.refused);
    assert!(html.contains("<h2>Regions</h2>") && html.contains(">12.5<"), "its level follows that of the page");
}

#[test]
fn a_table_of_many_columns_keeps_every_figure_in_the_pdf() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (1..=16).map(|i| format!("c{i}")).collect();
    let rows: Vec<Value> = (0..3)
        .map(|r| {
            let mut pairs = vec![("customer".to_string(), Value::from(format!("Customer {r}")))];
            pairs.extend(names.iter().enumerate().map(|(i, n)| (n.clone(), Value::from(100_000_000 + r * 1_000 + i))));
            Value::from_pairs(pairs)
        })
        .collect();
    let (html, edition) = issue_one("{{ table(rows, title='Wide') }}", "rows", rows, folder.path());
    assert!(edition.refused.is_empty(), "{:?}", edition.refused);
    assert!(html.contains("100,002,015"));
    let pdf = folder.path().join("case/2026-09/en.pdf");
    let Ok(text) = std::process::Command::new("pdftotext").arg("-layout").arg(&pdf).arg("-").output() else { return };
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("Part 1 of 2") && text.contains("Part 2 of 2"), "{text}");
    assert!(
        text.contains("100,002,015") && text.matches("Customer 2").count() == 2,
        "the first column is repeated: {text}"
    );
}

#[test]
fn a_character_without_a_font_does_not_cost_the_pdf() {
    let folder = tempfile::tempdir().unwrap();
    let rows = vec![row([("name", Value::from("Private \u{f8ff} use"))])];
    let (html, edition) = issue_one("{{ table(names) }}", "names", rows, folder.path());
    assert!(edition.refused.is_empty(), "{:?}", edition.refused);
    assert!(html.contains("Private \u{f8ff} use"), "the reader's system may have it");
    assert_eq!(edition.notes, ["case en.pdf: no installed font has U+F8FF; the page shows a mark instead"]);
    assert!(folder.path().join("case/2026-09/en.pdf").is_file());
}

#[test]
fn names_stay_letter_for_letter() {
    let folder = tempfile::tempdir().unwrap();
    let rows = vec![row([("name", Value::from("`Tick` [link](x) | ~~gone~~"))])];
    let (html, _) = issue_one("{{ table(names) }}\n\n**{{ names[0].name }}**", "names", rows, folder.path());
    assert_eq!(html.matches("`Tick` [link](x) | ~~gone~~").count(), 2, "{html}");
}

#[test]
fn arguments_are_checked_when_a_page_is_made_too() {
    let folder = tempfile::tempdir().unwrap();
    for (template, message) in [
        (
            "{{ bars(top, x='customer', y='revenu') }}",
            "the query `top` has no column `revenu`; did you mean `revenue`?",
        ),
        ("{{ bars(top, x='customer') }}", "`bars` needs `y=`"),
        (
            "{{ bars(top, **{'x': 'customer', 'y': 'revenue', 'titel': 'x'}) }}",
            "`bars` has no argument `titel`; did you mean `title`?",
        ),
        (
            "{% set c = [{'key': 'customer', 'lable': 'x'}] %}{{ table(top, columns=c) }}",
            "unknown key `lable` in `columns`; did you mean `label`?",
        ),
        ("{{ verdict() }}", "`verdict` needs `sentences`; write `verdict(sentences)`"),
    ] {
        let mut case = super::case(2, true, false);
        let report = &mut case.project.reports[0];
        report.file.text = format!("---\n---\n{template}\n").into();
        report.body = 8;
        let error = issue(&case, folder.path(), &[Output::Html], 1).unwrap_err();
        assert!(error.message().contains(message), "{template}: {error}");
    }
}
