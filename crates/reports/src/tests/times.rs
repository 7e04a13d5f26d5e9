//! Time on pages: calendar time is never shifted, columns stand in the order of time, days are days.

use super::fixture::{load, row};
use super::{NoRows, footer};
use crate::{IssueRequest, Output, Parameters, Period, data, editions};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use jiff::civil::{Date, date};
use minijinja::value::Value;
use perennial_project::{PeriodKind, Project};
use std::sync::Arc;

/// A project west of Greenwich with a report of one query `rows`.
fn project(template: &str, languages: &str) -> Project {
    let text = format!("---\ntitle: Times\nlanguages: [{languages}]\nqueries: {{rows: SELECT 1}}\n---\n{template}\n");
    let settings = "name: West\nlake: lake\ntime_zone: America/New_York\ncurrency: USD\nas_of: 2026-10-01\n";
    load(&[("report-templates/times/report.md", &text), ("perennial.yml", settings)], "USD")
}

fn page(template: &str, language: &str, rows: Value) -> String {
    let project = project(template, language);
    let report = project.reports.iter().find(|report| report.name == "times").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let request = IssueRequest {
        parameters: Parameters::whole(),
        project: &project,
        report,
        period: Period::parse(PeriodKind::Month, "2026-09").unwrap(),
        as_of: date(2026, 10, 1),
        languages: &report.languages,
        outputs: &[Output::Html],
        queries: &NoRows,
        footer: &footer(1),
        issued_at: "2026-10-02T02:15:00Z".parse().unwrap(),
        folder: folder.path(),
    };
    editions::issue(&request, &[("rows".to_string(), rows)]).unwrap();
    std::fs::read_to_string(folder.path().join("times/2026-09").join(format!("{language}.html"))).unwrap()
}

/// A page without its style sheet and fonts.
fn body(html: &str) -> &str {
    html.find("<main").map_or(html, |at| &html[at..])
}

/// Midnights as `date_trunc` gives them, without a zone or in UTC, each with a figure.
fn midnights(days: &[Date], zone: Option<&str>) -> Value {
    let at = |day: &Date| day.at(0, 0, 0, 0).in_tz("UTC").unwrap().timestamp().as_microsecond();
    let times = TimestampMicrosecondArray::from(days.iter().map(at).collect::<Vec<_>>());
    let figures = Int64Array::from((1..=days.len() as i64).map(|n| n * 10).collect::<Vec<_>>());
    let columns: [(&str, ArrayRef); 2] =
        [("at", Arc::new(times.with_timezone_opt(zone.map(Arc::<str>::from)))), ("calls", Arc::new(figures))];
    data::rows(&[RecordBatch::try_from_iter(columns).unwrap()]).unwrap()
}

const EVERYWHERE: &str = "{{ rows[0].at | date }}; {{ rows[0].at | month }}; {{ rows[0].at | month_name }}

{{ table(rows, columns=[{'key': 'at', 'format': 'month'}, {'key': 'at', 'format': 'date'}, {'key': 'calls'}]) }}

{{ columns(rows, x='at', y='calls') }}

{{ headlines([{'name': 'calls', 'label': 'Calls of ' ~ (rows[0].at | month_short), 'format': 'integer',
  'value': rows[0].calls, 'series': series(rows, x='at', y='calls')}]) }}";

#[test]
fn calendar_time_is_shown_as_it_is_and_instants_in_the_zone() {
    let months = [date(2026, 9, 1), date(2026, 8, 1)];
    let html = page(EVERYWHERE, "en", midnights(&months, None));
    for text in ["1 September 2026; September 2026; September", ">September 2026</th>", ">1 September 2026</td>"] {
        assert!(html.contains(text), "{text}");
    }
    assert!(
        html.contains("Calls of Sep 2026 over the last 2 periods") && html.contains(">Aug 2026<"),
        "{}",
        body(&html)
    );
    assert!(!html.contains("Jul 2026") && !html.contains("31 August"), "nothing is shifted: {}", body(&html));

    let html = page("{{ rows[0].at | date }}\n\n{{ table(rows) }}", "en", midnights(&months, Some("UTC")));
    assert!(html.contains("31 August 2026"), "midnight in UTC is the evening before in New York: {}", body(&html));
}

#[test]
fn columns_stand_in_the_order_of_time_with_their_days() {
    let weeks = [date(2026, 9, 14), date(2026, 9, 7), date(2026, 9, 21)];
    let template = "{{ columns(rows, x='at', y='calls') }}";
    let html = page(template, "en", midnights(&weeks, None));
    let places: Vec<usize> = ["7 September 2026", "14 September 2026", "21 September 2026"]
        .map(|day| {
            html.find(&format!("<td>{day}</td>"))
                .or_else(|| html.find(day))
                .unwrap_or_else(|| panic!("{day}: {}", body(&html)))
        })
        .to_vec();
    assert!(places.is_sorted(), "{places:?}");
    assert!(html.contains(">7 Sep<") && html.contains(">14 Sep<"), "{}", body(&html));
    let html = page(template, "zh-CN", midnights(&weeks, None));
    assert!(html.contains(">9月7日<"), "{}", body(&html));
}

#[test]
fn a_headline_without_a_comparison_has_no_line_for_it() {
    let rows = || Value::from(vec![row([("calls", Value::from(7))])]);
    let figure = |more: &str| {
        let one = "{'name': 'calls', 'label': 'Calls', 'format': 'integer', 'value': rows[0].calls";
        page(&format!("{{{{ headlines([{one}{more}}}]) }}}}"), "en", rows())
    };
    let html = figure("");
    assert!(!html.contains("<dt>") && !html.contains("<dl class=\"versus\">"), "{}", body(&html));
    let html = figure(", 'previous': none");
    assert!(html.contains("<dt>last month</dt><dd>\u{2013}</dd>") && !html.contains("last year"), "{}", body(&html));
}

#[test]
fn an_average_has_one_decimal_place() {
    let rows = Value::from(vec![row([("wait", Value::from(36.583_333))])]);
    let html = page("{{ table(rows, columns=[{'key': 'wait', 'format': 'decimal1'}]) }}", "en", rows);
    assert!(html.contains(">36.6<"), "{}", body(&html));
}
