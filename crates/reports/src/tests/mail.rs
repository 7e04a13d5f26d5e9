//! A page as mail: what it says, what mail clients make of it, and that it stays small.

use super::fixture::{load, money, row};
use super::{NoRows, case, footer, issue};
use crate::{EditionRecord, IssueRequest, MailParts, Output, Parameters, Period, editions, late_notice, newest_in};
use minijinja::value::Value;
use perennial_project::{Language, PeriodKind, Project};
use std::path::Path;

/// What Gmail shows of a body at most is 102 KB.
const LIMIT: usize = 100_000;

const REPORT: &str = "\
---
title: Sales by region
period: month
languages: [en]
---
{{ verdict('North is the largest region.') }}

{{ headlines([{'name': 'revenue', 'label': 'Revenue', 'format': 'integer', 'value': regions[0].revenue,
  'previous': 40, 'year_ago': 80, 'good': 'up'}, {'name': 'shops', 'label': 'Shops', 'format': 'integer', 'value': 7}]) }}
";

const CHART: &str = "
{{ bars(regions, x='region', y='revenue', format='integer', title='North leads', note='In pieces') }}

## Shops

{{ table(regions, columns=[{'key': 'region', 'label': 'Region'}]) }}
";

const TABLE: &str = "
{{ table(regions, title='Regions', columns=[{'key': 'region', 'label': 'Region'},
  {'key': 'revenue', 'label': 'Pieces', 'format': 'integer'}]) }}
";

fn project(text: &str) -> Project {
    load(
        &[("report-templates/sales/report.md", text), ("report-templates/sales/queries/regions.sql", "SELECT 1")],
        "EUR",
    )
}

fn regions(count: usize) -> Vec<(String, Value)> {
    let region = |i: usize| {
        let name = if i == 0 { "North <&>".to_string() } else { format!("Region {i}") };
        row([("region", Value::from(name)), ("revenue", Value::from(60 - i as i64 % 50))])
    };
    vec![("regions".into(), Value::from((0..count).map(region).collect::<Vec<_>>()))]
}

/// The mail of a report in English, of September 2026.
fn mail(project: &Project, rows: &[(String, Value)], folder: &Path) -> MailParts {
    let report = project.reports.iter().find(|report| report.name == "sales").unwrap();
    let request = IssueRequest {
        project,
        report,
        parameters: Parameters::whole(),
        period: Period::parse(PeriodKind::Month, "2026-09").unwrap(),
        as_of: jiff::civil::date(2026, 10, 1),
        languages: &report.languages,
        outputs: &[Output::Html],
        queries: &NoRows,
        footer: &footer(7),
        issued_at: "2026-10-02T02:15:00Z".parse().unwrap(),
        folder,
    };
    editions::issue(&request, rows).unwrap();
    let place = folder.join("sales/2026-09");
    newest_in(&place).unwrap().unwrap().mail["en"].read(&place).unwrap()
}

fn edition(folder: &Path) -> EditionRecord {
    newest_in(&folder.join("management-review/2026-09")).unwrap().unwrap()
}

#[test]
fn the_plain_body_says_the_page_in_lines() {
    let folder = tempfile::tempdir().unwrap();
    let mut project = project(&format!("{REPORT}{CHART}\n{{{{ footer() }}}}\n"));
    project.reports_url = Some("https://reports.example.com/all".into());
    let parts = mail(&project, &regions(2), folder.path());
    assert_eq!(parts.subject, "Sales by region · September 2026 · North is the largest region.");
    // 60 is half as much again as 40, and a quarter less than 80.
    let expected = "\
Verdant & Söhne

Sales by region · September 2026
September 2026, closed · as of 1 October 2026

North is the largest region.

             last month  last year
Revenue  60     +50.0\u{202f}%    \u{2212}25.0\u{202f}%
Shops     7

Read the whole page:
https://reports.example.com/all/sales/2026-09/en.html

North leads
In pieces
revenue: North <&> 60; Region 1 59

Also on the page:
- Shops

-- 
As of 1 October 2026 · Period September 2026, closed · Edition 1, made 2
October 2026, 04:15 · Release 7, published 2 October 2026, 04:14 · Run
20261002T021409-3f9a · Tests 118 passed, 2 warned:
tests.orders_without_customer, marts.rfm.segment
";
    assert_eq!(parts.text, expected);
}

#[test]
fn a_page_without_charts_is_shown_itself_with_long_tables_cut() {
    let folder = tempfile::tempdir().unwrap();
    let parts = mail(&project(&format!("{REPORT}{TABLE}")), &regions(50), folder.path());
    assert!(parts.pictures.is_empty());
    for body in [&parts.html, &parts.text] {
        assert!(body.contains("Regions") && body.contains("Region 19") && !body.contains("Region 20"));
        assert!(body.contains("30 more on the page"), "{body}");
    }
    assert!(parts.text.contains("\nRegion 1       59\n"), "{}", parts.text);
    assert!(parts.html.contains(">North &lt;&amp;&gt;</td>") && !parts.html.contains("North <"));
}

#[test]
fn every_mail_client_can_lay_it_out_and_loads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    issue(&case(24, true, false), folder.path(), &[Output::Html], 7).unwrap();
    let record = edition(folder.path());
    assert_eq!(record.mail.keys().collect::<Vec<_>>(), ["en", "zh-CN", "zh-TW"]);
    for (tag, mail) in &record.mail {
        let parts = mail.read(&folder.path().join("management-review/2026-09")).unwrap();
        let html = &parts.html;
        assert!(html.len() < LIMIT / 2, "{} bytes", html.len());
        for never in
            ["<style", "<script", "<link", "<svg", "display:flex", "grid", "var(", "http://", "https://", "url("]
        {
            assert!(!html.contains(never), "{tag} has `{never}`");
        }
        assert!(html.contains("color-scheme:light only") && html.contains("bgcolor=\"#ffffff\""));
        assert!(html.split("<table").skip(1).all(|table| table.split('>').next().unwrap().contains(" width=\"")));
        let images: Vec<&str> = html.split("<img ").skip(1).map(|image| image.split('>').next().unwrap()).collect();
        assert_eq!(images.len(), parts.pictures.len());
        assert_eq!(images.len(), 5, "bridge, pyramids, triangle, migration, calibration");
        for (image, (picture, bytes)) in images.iter().zip(&parts.pictures) {
            let size = format!("src=\"cid:{}\" width=\"{}\" alt=\"", picture.cid, picture.width);
            assert!(image.starts_with(&size) && image.split("alt=\"").nth(1).unwrap().len() > 40, "{image}");
            // A PNG says its size in bytes 16 to 23; there are two pixels for each of the page.
            let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
            assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
            assert_eq!(number(16), picture.width * 2);
            assert!(number(20).abs_diff(picture.height * 2) <= 1 && bytes.len() < 200_000, "{}", bytes.len());
        }
        assert!(!parts.subject.contains(['\r', '\n']) && parts.subject.chars().count() <= 120, "{}", parts.subject);
        assert!(parts.text.lines().all(|line| line.chars().count() <= 78), "{}", parts.text);
        assert_eq!(mail.figures.len(), 6);
        for figure in &mail.figures {
            assert!(html.contains(&figure.value) && parts.text.contains(&figure.value), "{figure:?}");
        }
    }
}

#[test]
fn a_first_month_is_compared_with_nothing() {
    let folder = tempfile::tempdir().unwrap();
    issue(&case(1, false, false), folder.path(), &[Output::Html], 1).unwrap();
    let record = edition(folder.path());
    let parts = record.mail["en"].read(&folder.path().join("management-review/2026-09")).unwrap();
    assert!(!parts.html.contains("last month") && !parts.text.contains("last year"), "{}", parts.text);
}

#[test]
fn a_huge_report_stays_small_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let long = "word ".repeat(4_000);
    let table = format!("{{{{ table(regions, columns=[{}]) }}}}\n\n", "{'key': 'region', 'label': 'x'},".repeat(14));
    let text = format!("{REPORT}\n{long}\n\n{}", table.repeat(12));
    let mut rows = regions(1);
    let name = "很长的名字".repeat(60);
    rows[0].1 = Value::from(
        (0..30).map(|_| row([("region", Value::from(name.clone())), ("revenue", money(1))])).collect::<Vec<_>>(),
    );
    let parts = mail(&project(&text), &rows, folder.path());
    for body in [&parts.html, &parts.text] {
        assert!(body.len() < LIMIT, "{}", body.len());
        assert!(body.contains("The rest does not fit into a mail and is on the page."));
    }
    assert!(parts.html.ends_with("</html>\n"));
}

#[test]
fn names_of_the_data_never_become_headers_or_markup() {
    let folder = tempfile::tempdir().unwrap();
    let text = REPORT.replace("'North is the largest region.'", "regions[0].region ~ ' leads.'");
    let mut rows = regions(1);
    let name = "A\r\nBcc: all@example.com\r\n\r\n<img src=https://evil.example/x.png>";
    rows[0].1 = Value::from(vec![row([("region", Value::from(name)), ("revenue", Value::from(60))])]);
    let parts = mail(&project(&text), &rows, folder.path());
    assert!(
        !parts.subject.contains(['\r', '\n']) && parts.subject.contains("A Bcc: all@example.com"),
        "{}",
        parts.subject
    );
    assert!(!parts.html.contains("<img"), "{}", parts.html);
}

#[test]
fn an_edition_before_keeps_its_mail() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("sales/2026-09");
    let with_chart = project(&format!("{REPORT}{CHART}"));
    let first = mail(&with_chart, &regions(3), folder.path());
    let second = mail(&project(&format!("{REPORT}{TABLE}")), &regions(4), folder.path());
    assert_eq!((first.pictures.len(), second.pictures.len()), (1, 0));
    assert!(!place.join("mail-en-1.png").exists(), "what the new edition does not have is gone");
    let kept = crate::edition_in(&place, 1).unwrap().unwrap();
    let kept = kept.mail["en"].read(&place).unwrap();
    assert_eq!((&kept.html, &kept.text, &kept.pictures[0].1), (&first.html, &first.text, &first.pictures[0].1));
    // The same content again writes a lost part anew, and nothing else.
    std::fs::remove_file(place.join("mail-en.txt")).unwrap();
    let again = mail(&project(&format!("{REPORT}{TABLE}")), &regions(4), folder.path());
    assert_eq!(again.text, second.text);
    assert_eq!(newest_in(&place).unwrap().unwrap().edition, 2);
}

#[test]
fn records_of_earlier_versions_are_read() {
    let folder = tempfile::tempdir().unwrap();
    issue(&case(3, true, false), folder.path(), &[Output::Html], 7).unwrap();
    let path = folder.path().join("management-review/2026-09/edition.json");
    let mut record: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    record.as_object_mut().unwrap().remove("mail").unwrap();
    std::fs::write(&path, record.to_string()).unwrap();
    assert!(edition(folder.path()).mail.is_empty());
    issue(&case(3, true, false), folder.path(), &[Output::Html], 7).unwrap();
    assert_eq!((edition(folder.path()).mail.len(), edition(folder.path()).edition), (3, 1), "made when next issued");
}

#[test]
fn readers_of_a_late_page_are_told_what_they_can_rely_on() {
    let folder = tempfile::tempdir().unwrap();
    let case = case(3, true, false);
    issue(&case, folder.path(), &[Output::Html], 7).unwrap();
    let last = edition(folder.path());
    let october = Period::parse(PeriodKind::Month, "2026-10").unwrap();
    let say = |last, tag: &str| {
        let language = Language::from_tag(tag).unwrap();
        late_notice(&case.project, &case.project.reports[0], october, last, language).unwrap()
    };
    let english = say(Some(&last), "en");
    assert_eq!(english.subject, "Management review, October 2026: not issued yet");
    assert!(
        english.text.ends_with(
            "The last good edition is that of September 2026, issued 2 October 2026, 04:15. It will be sent as soon as it is \
             issued."
        ),
        "{}",
        english.text
    );
    assert!(say(None, "en").text.contains("There is no earlier edition."));
    assert!(say(Some(&last), "zh-CN").text.contains("2026年9月") && say(None, "zh-TW").subject.contains("尚未簽發"));
}
