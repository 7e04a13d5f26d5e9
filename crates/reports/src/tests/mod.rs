//! The shipped report, rendered from a small company: in three languages, with much and with little data.

mod examples;
mod fixture;
mod frictions;
mod mail;
mod mistakes;
mod pages;
mod times;
mod tutorial;
mod worth;

use super::footer::{Cause, CauseKind, Footer, SourceFact};
use super::{IssueRequest, Output, Parameters, Period, Queries, editions};
use arrow::record_batch::RecordBatch;
use fixture::{Company, language, languages, load, month_of, project};
use jiff::civil::{Date, date};
use minijinja::value::Value;
use perennial_core::error::{Error, Result};
use perennial_lake::TestCounts;
use perennial_project::{Language, PeriodKind, Project};
use std::path::Path;

struct NoRows;

#[async_trait::async_trait]
impl Queries for NoRows {
    async fn rows(&self, _sql: &str) -> Result<Vec<RecordBatch>> {
        Err(Error::bug("no test asks for rows"))
    }
}

fn footer(release: u64) -> Footer {
    Footer {
        release,
        published_at: Some("2026-10-02T02:14:09Z".parse().unwrap()),
        run_id: "20261002T021409-3f9a".into(),
        tests: TestCounts { passed: 118, warned: 2, failed: 0 },
        warnings: vec!["tests.orders_without_customer".into(), "marts.rfm.segment".into()],
        sources: vec![
            SourceFact {
                name: "erp.orders".into(),
                newest: Some("2026-09-30T21:58:11Z".into()),
                rows: 184_312,
                rejects: 12,
                notes: 0,
                stale: None,
            },
            SourceFact {
                name: "call_centre.calls".into(),
                newest: Some("2026-09-27".into()),
                rows: 22_871,
                rejects: 0,
                notes: 1,
                stale: Some(format!("cannot read calls.csv: {}", "x".repeat(400))),
            },
        ],
        causes: vec![Cause { kind: CauseKind::LateData, what: "erp.orders, 14 rows of August 2026".into() }],
    }
}

/// A company of so many months, the last of which is September 2026.
struct Case {
    project: Project,
    rows: Vec<(String, Value)>,
    period: Period,
    as_of: Date,
}

fn case(months: usize, margin: bool, open: bool) -> Case {
    let first = date(2026, 9, 1).checked_sub(jiff::Span::new().months(months as i64 - 1)).unwrap();
    assert_eq!(month_of(first, months - 1), date(2026, 9, 1));
    let company = Company::new(months, if months == 1 { 90 } else { 1_400 });
    let period = Period::containing(PeriodKind::Month, date(2026, 9, 1));
    let as_of = if open { date(2026, 9, 20) } else { date(2026, 10, 2) };
    let currency = if margin { "EUR" } else { "GBP" };
    Case { project: project(currency), rows: company.rows(first, margin, open), period, as_of }
}

fn issue(case: &Case, folder: &Path, outputs: &[Output], release: u64) -> Result<editions::Edition> {
    let request = IssueRequest {
        parameters: Parameters::whole(),
        project: &case.project,
        report: &case.project.reports[0],
        period: case.period,
        as_of: case.as_of,
        languages: &languages(),
        outputs,
        queries: &NoRows,
        footer: &footer(release),
        issued_at: "2026-10-02T02:15:00Z".parse().unwrap(),
        folder,
    };
    editions::issue(&request, &case.rows)
}

fn page(folder: &Path, language: &str) -> String {
    std::fs::read_to_string(folder.join("management-review/2026-09").join(format!("{language}.html"))).unwrap()
}

/// Renders every case into the folder of `PERENNIAL_PAGES`, to be looked at.
#[test]
#[ignore = "writes pages for the eye"]
fn pages_to_look_at() {
    let folder = std::path::PathBuf::from(std::env::var("PERENNIAL_PAGES").unwrap());
    for (name, case) in
        [("full", case(24, true, false)), ("open", case(24, false, true)), ("one-month", case(1, false, false))]
    {
        let edition = issue(&case, &folder.join(name), &Output::ALL, 7).unwrap();
        assert!(edition.refused.is_empty(), "{:?}", edition.refused);
        editions::write_index(&case.project, &folder.join(name)).unwrap();
    }
}

#[test]
fn the_shipped_templates_have_no_problem() {
    let problems = super::check(&project("EUR"));
    let all: Vec<String> = problems.iter().map(|e| format!("{e} ({:?})", e.hint_text())).collect();
    assert!(problems.is_empty(), "{}", all.join("\n"));
}

#[test]
fn a_page_begins_with_its_verdict_and_ends_with_its_account() {
    let folder = tempfile::tempdir().unwrap();
    let edition = issue(&case(24, true, false), folder.path(), &[Output::Html], 7).unwrap();
    assert!(edition.verdict.starts_with("September 2026: revenue EUR\u{202f}"), "{}", edition.verdict);
    let html = page(folder.path(), "en");
    let position = |what: &str| html.find(what).unwrap_or_else(|| panic!("`{what}` is missing"));
    let order = [
        "class=\"verdict\"",
        "class=\"headlines\"",
        "Revenue fell by",
        "key customers,",
        "Of 100 new customers",
        "moved up",
        "left the key tier",
        "largest customers of September",
        "What this page is based on",
        "20261002T021409-3f9a",
    ];
    assert!(order.windows(2).all(|pair| position(pair[0]) < position(pair[1])), "{order:?}");
    assert!(
        !html.contains("http://") || html.matches("http://").count() == html.matches("www.w3.org/2000/svg").count()
    );
    assert!(!html.contains("https://") && !html.contains("<script") && !html.contains("url(http"));
}

#[test]
fn every_language_says_the_same_figures() {
    let folder = tempfile::tempdir().unwrap();
    issue(&case(24, true, false), folder.path(), &[Output::Html], 7).unwrap();
    for (language, words) in [
        ("zh-CN", ["经营月报", "客户金字塔", "关键客户", "留存率", "升降级", "数据说明"]),
        ("zh-TW", ["經營月報", "客戶金字塔", "關鍵客戶", "留存率", "升降級", "資料說明"]),
    ] {
        let html = page(folder.path(), language);
        for word in words {
            assert!(html.contains(word), "{language} lacks {word}");
        }
        assert!(!html.contains("cannot read"), "messages of the program are in English");
        assert!(html.contains(&format!("<html lang=\"{language}\">")));
    }
}

#[test]
fn data_stays_data() {
    let folder = tempfile::tempdir().unwrap();
    issue(&case(24, true, false), folder.path(), &[Output::Html], 7).unwrap();
    let html = page(folder.path(), "en");
    assert!(html.contains("A &amp; B *Trading* &lt;Ltd&gt; &quot;quoted&quot;"));
    assert!(html.contains("Verdant &amp; Söhne"));
}

#[test]
fn little_data_reads_well_too() {
    let folder = tempfile::tempdir().unwrap();
    issue(&case(1, false, false), folder.path(), &[Output::Html], 1).unwrap();
    let html = page(folder.path(), "en");
    assert!(html.contains("class=\"verdict\""));
    assert!(!html.contains("NaN") && !html.contains(">none<") && !html.contains("undefined"), "no trace of gaps");
    assert!(!html.contains("Of 100 new customers"), "there is no month after the first");
    assert!(html.contains("one month’s revenue"), "only the months there are");
    for words in ["12 months’ revenue", "of the 12 months", "of 12 months"] {
        assert!(!html.contains(words), "{words}: only the months there are");
    }
    assert!(html.contains("months cannot be said") && html.contains("too few purchases"), "no model, no figure");
    assert!(html.contains("Buyers who had bought before"), "without a margin another figure stands in its place");
}

#[test]
fn no_data_at_all_is_said_so() {
    let mut case = case(2, false, false);
    case.rows.iter_mut().for_each(|(_, rows)| *rows = Value::from(Vec::<Value>::new()));
    let folder = tempfile::tempdir().unwrap();
    let edition = issue(&case, folder.path(), &[Output::Html], 1).unwrap();
    assert_eq!(edition.verdict, "There are no figures for September 2026.");
}

#[test]
fn a_bridge_that_does_not_add_up_is_bad_data() {
    let mut case = case(24, false, false);
    let (_, rows) = case.rows.iter_mut().find(|(name, _)| name == "bridge_rows").unwrap();
    *rows = Value::from(
        rows.try_iter().unwrap().filter(|r| r.get_attr("effect").unwrap().as_str() != Some("lost")).collect::<Vec<_>>(),
    );
    let folder = tempfile::tempdir().unwrap();
    let error = issue(&case, folder.path(), &[Output::Html], 1).unwrap_err();
    assert_eq!(error.kind(), perennial_core::error::Kind::Data, "{error}");
    assert!(error.to_string().contains("the bridge does not add up"), "{error}");
}

#[test]
fn one_language_alone_is_no_other_edition() {
    let folder = tempfile::tempdir().unwrap();
    let case = case(3, true, false);
    issue(&case, folder.path(), &[Output::Html], 7).unwrap();
    let footer = footer(7);
    let request = IssueRequest {
        parameters: Parameters::whole(),
        project: &case.project,
        report: &case.project.reports[0],
        period: case.period,
        as_of: case.as_of,
        languages: &[language("zh-TW")],
        outputs: &[Output::Html],
        queries: &NoRows,
        footer: &footer,
        issued_at: "2026-10-04T02:15:00Z".parse().unwrap(),
        folder: folder.path(),
    };
    let edition = editions::issue(&request, &case.rows).unwrap();
    assert!(!edition.is_new && edition.files.len() == 3, "{edition:?}");
    assert_eq!(edition.written, [folder.path().join("management-review/2026-09/zh-TW.html")]);
}

#[test]
fn an_open_month_is_hatched_and_compared_with_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let edition = issue(&case(24, false, true), folder.path(), &[Output::Html], 1).unwrap();
    assert!(edition.verdict.contains("is still open"), "{}", edition.verdict);
    assert!(!edition.verdict.contains(" over ") && !edition.verdict.contains(" under "), "{}", edition.verdict);
    let html = page(folder.path(), "en");
    assert!(html.contains("-hatch") && html.contains("hatched months are still open"));
    assert!(!html.contains("Revenue fell by") && !html.contains("Revenue rose by"), "no bridge against a whole month");
    assert!(!html.contains("Against August") && !html.contains("a month before"), "no comparison with whole months");
    assert!(edition.verdict.contains("on 1 September 2026)"), "{}", edition.verdict);
}

#[test]
fn the_same_content_is_issued_once_and_other_content_is_a_new_edition() {
    let folder = tempfile::tempdir().unwrap();
    let first = issue(&case(24, true, false), folder.path(), &[Output::Html], 7).unwrap();
    assert!(first.is_new && first.number == 1 && first.files.len() == 3, "{first:?}");
    let again = issue(&case(24, true, false), folder.path(), &[Output::Html], 8).unwrap();
    assert!(!again.is_new && again.number == 1, "{again:?}");
    let mut other = case(24, true, false);
    other.rows[0].1 = case(24, false, false).rows[0].1.clone();
    let second = issue(&other, folder.path(), &[Output::Html], 9).unwrap();
    assert!(second.is_new && second.number == 2, "{second:?}");
    let place = folder.path().join("management-review/2026-09");
    for name in ["en.html", "en.edition-1.html", "zh-TW.edition-1.html", "edition.json", "edition-1.json"] {
        assert!(place.join(name).is_file(), "{name} is missing");
    }
    assert!(page(folder.path(), "en").contains("Late data: erp.orders, 14 rows of August 2026"));
    let reason = "3 tests failed";
    super::record_not_issued(
        &perennial_project::Project { reports_folder: folder.path().to_path_buf(), ..other.project.clone() },
        "management-review",
        other.period,
        reason,
        "run-9",
        "2026-10-03T02:00:00Z".parse().unwrap(),
    )
    .unwrap();
    super::write_index(&other.project, folder.path()).unwrap();
    let index = std::fs::read_to_string(folder.path().join("index.html")).unwrap();
    for part in ["management-review/2026-09/en.html", "en.edition-1.html", reason, "September 2026"] {
        assert!(index.contains(part), "{part} is missing from the index");
    }

    // A power cut has left the record empty and a page half written: nothing that was issued is lost.
    std::fs::write(place.join("edition.json"), "").unwrap();
    let temporary = place.join(".en.html.123.tmp");
    std::fs::write(&temporary, "<html").unwrap();
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(86_400);
    std::fs::File::options().write(true).open(&temporary).unwrap().set_modified(long_ago).unwrap();
    super::write_index(&other.project, folder.path()).unwrap();
    let before = page(folder.path(), "en");
    let third = issue(&other, folder.path(), &[Output::Html], 10).unwrap();
    assert!(third.is_new && third.number == 3, "{third:?}");
    assert_eq!(std::fs::read_to_string(place.join("en.edition-2.html")).unwrap(), before);
    assert!(place.join("edition-1.json").is_file() && place.join("edition-2.json").is_file());
    assert!(!temporary.exists());
    assert!(third.notes[0].contains("could not be read"), "{:?}", third.notes);
}

/// A calendar from July to September 2026 and no rows else.
struct Calendar;

#[async_trait::async_trait]
impl Queries for Calendar {
    async fn rows(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        use arrow::array::{ArrayRef, StringArray};
        if !sql.contains("min(period)") {
            return Ok(Vec::new());
        }
        let column = |day: &str| std::sync::Arc::new(StringArray::from(vec![day])) as ArrayRef;
        let columns = [("first", column("2026-07-01")), ("last", column("2026-09-01"))];
        Ok(vec![RecordBatch::try_from_iter(columns).unwrap()])
    }
}

#[tokio::test]
async fn a_period_outside_of_the_data_is_refused() {
    let project = project("EUR");
    let folder = tempfile::tempdir().unwrap();
    let mut messages = Vec::new();
    for label in ["2026-06", "2026-10", "2026-08"] {
        let error = super::issue(IssueRequest {
            parameters: Parameters::whole(),
            project: &project,
            report: &project.reports[0],
            period: Period::parse(PeriodKind::Month, label).unwrap(),
            as_of: date(2026, 10, 2),
            languages: &[Language::ENGLISH],
            outputs: &[Output::Html],
            queries: &Calendar,
            footer: &footer(1),
            issued_at: "2026-10-02T02:15:00Z".parse().unwrap(),
            folder: folder.path(),
        })
        .await
        .unwrap_err();
        assert_eq!(error.kind(), perennial_core::error::Kind::Project);
        messages.push((error.message().to_string(), error.hint_text().map(str::to_string)));
    }
    let hint = Some("there is data from 2026-07 to 2026-09".to_string());
    let message = |label: &str| format!("there is no data for {label} of the report management-review");
    assert_eq!(messages[0], (message("2026-06"), hint.clone()));
    assert_eq!(messages[1], (message("2026-10"), hint));
    assert_eq!(messages[2], (message("2026-08"), None), "within the calendar, but without any row");
    assert!(!folder.path().join("management-review").exists(), "nothing is written");
}

#[test]
fn mistakes_are_found_at_their_place() {
    let report = "\
---
title: Regions
languages: [en, zh-TW]
queries:
  regions: SELECT 1
---
{{ verdict(t('verdict_revenu')) }}
{{ regoins | length }} {{ as_of | monthname }} {{ period.strat }}
{{ brige(regions) }}
{{ bars(regions, x='region', y='orders', titel='Regions', sort='size', format='euro') }}
{{ columns(regions, x='period', y=['orders', 'revenue'], y2='revenue') }}
{{ table(regions, columns=[{'key': 'region', 'lable': 'Region', 'format': 'monney'}]) }}
{{ t('orders', count=1) }} {{ t('sum') }}
{% include 'pieces/top.md' %}
";
    let phrases = "orders: {en: \"{{ n | integr }} orders\", zh-TW: 訂單}\nverdict_revenue: {en: a, zh-TW: b}\nsum: {en: \"{{ adds(1, 2) }}\", zh-TW: x}\n";
    let project = load(
        &[("report-templates/regions/report.md", report), ("report-templates/regions/phrases.yml", phrases)],
        "EUR",
    );
    let all: Vec<String> = super::check(&project)
        .iter()
        .map(|e| format!("{e} [{}]", e.hint_text().unwrap_or("")).replace("report-templates/regions/", ""))
        .collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    assert_eq!(
        all,
        [
            "report.md:7:15: unknown phrase `verdict_revenu` [did you mean `verdict_revenue`?]",
            "report.md:8:4: unknown query or variable `regoins` [did you mean `regions`?]",
            "report.md:8:35: unknown filter `monthname` [did you mean `month_name`?]",
            "report.md:8:58: `period` has no `strat` [did you mean `start`?]",
            "report.md:9:4: unknown function or chart `brige` [did you mean `bridge`?]",
            "report.md:10:42: `bars` has no argument `titel` [did you mean `title`?]",
            "report.md:10:65: `sort` is `size` [expected one of `value`, `label`, `none`]",
            "report.md:10:80: unknown format `euro` [expected one of `text`, `number`, `decimal1`, `integer`, `money`, `money_signed`, \
             `cents`, `percent`, `percent_signed`, `date`, `month`]",
            "report.md:11:35: `y` of `columns` is one name, not a list [draw a chart for each; two scales in one picture make \
             any two lines look related]",
            "report.md:11:58: `columns` has no `y2`: a second axis is not drawn [two scales make any two lines look related; \
             draw two charts, one below the other]",
            "report.md:12:47: unknown key `lable` in `columns` [did you mean `label`?]",
            "report.md:12:76: unknown format `monney` [did you mean `money`?]",
            "report.md:13:7: the phrase `orders` needs `n` [write `t('orders', n=...)`]",
            "report.md:14:13: unknown piece `pieces/top.md` [pieces lie in the report's pieces/, as \
             `pieces/x.md`, or in report-templates/shared, as `shared/x.md`]",
            "phrases.yml:1:22: unknown filter `integr` [did you mean `integer`?]",
            "phrases.yml:3:15: unknown function `adds` in a phrase [expected one of `pick`, `total`, `series`, `plus`, `minus`, \
             `ratio`, `sign`]",
        ]
    );
}

#[test]
fn a_calendar_that_does_not_exist_is_found() {
    let report = "---\ntitle: x\nlanguages: [en]\ncalendar: core.period\n---\n{{ footer() }}\n";
    let project = load(&[("report-templates/x/report.md", report)], "EUR");
    let problems = super::check(&project);
    let all: Vec<String> = problems.iter().map(|e| e.to_string()).collect();
    assert_eq!(all, ["report-templates/x/report.md:4:11: unknown table `core.period`"]);
}

#[test]
fn the_layout_of_before_is_still_read() {
    let report = "---\ntitle: x\nlanguages: [en]\nqueries: {rows: SELECT 1}\n---\n{% include 'shared/foot.md' %}\n";
    let files = [
        ("report-templates/old.md", report),
        ("report-templates/shared/foot.md", "{{ t('goodbye') }}\n\n{{ foot() }}\n"),
        ("report-templates/words.yml", "goodbye: {en: Goodbye}\n"),
    ];
    let project = load(&files, "EUR");
    let problems: Vec<String> = super::check(&project).iter().map(|e| e.to_string()).collect();
    assert_eq!(problems, Vec::<String>::new());
    let old = project.reports.iter().find(|report| report.name == "old").unwrap();
    assert_eq!(old.queries.len(), 1);
    let notes: Vec<String> = project.notes.iter().map(|note| note.to_string()).collect();
    assert_eq!(
        notes,
        [
            "report-templates/old.md: a report is a folder now; move it to report-templates/old/report.md",
            "report-templates/words.yml: phrases are in the folder of their report now; move them to \
             report-templates/<report>/phrases.yml, or to report-templates/shared/phrases.yml",
            "report-templates/shared/foot.md:3:4: `foot` is called `footer` now; write `footer()`",
        ]
    );
}

#[test]
fn a_project_changes_one_phrase_of_a_shipped_report() {
    let own = "no_data: {en: \"Nothing in {{ period }}.\"}\n";
    for path in ["report-templates/management-review/phrases.yml", "report-templates/shared/phrases.yml"] {
        let mut case = case(2, false, false);
        case.project = load(&[(path, own)], "GBP");
        case.rows.iter_mut().for_each(|(_, rows)| *rows = Value::from(Vec::<Value>::new()));
        let folder = tempfile::tempdir().unwrap();
        let edition = issue(&case, folder.path(), &[Output::Html], 1).unwrap();
        assert_eq!(edition.verdict, "Nothing in September 2026.", "{path}");
        assert!(page(folder.path(), "zh-CN").contains("尚无数据"), "the other languages stay");
    }
}

#[test]
fn a_mistake_while_rendering_names_its_place() {
    let mut case = case(2, true, false);
    let report = &mut case.project.reports[0];
    report.file.path = "report-templates/management-review/report.md".into();
    report.file.text = "---\n---\nfine\n\n{{ top[0].customer | short }}\n".into();
    report.body = 8;
    let folder = tempfile::tempdir().unwrap();
    let error = issue(&case, folder.path(), &[Output::Html], 1).unwrap_err();
    assert!(error.to_string().starts_with("report-templates/management-review/report.md:5:"), "{error}");
    assert!(error.to_string().contains("expected a number here"), "{error}");
}

#[test]
fn queries_carry_the_period() {
    let project = project("EUR");
    let period = Period::parse(PeriodKind::Month, "2026-09").unwrap();
    let queries = super::queries_for(&project, &project.reports[0], period, date(2026, 10, 2)).unwrap();
    assert_eq!(queries.len(), 13);
    assert!(queries.iter().all(|(_, sql)| sql.contains("DATE '2026-09-01'")), "{queries:?}");
}

#[test]
fn a_pdf_is_tagged_and_titled() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = case(24, true, false);
    case.project.name = "Verdant".into();
    for (_, rows) in case.rows.iter_mut().filter(|(name, _)| name == "top" || name == "left_key") {
        *rows = Value::from(Vec::<Value>::new());
    }
    let request = IssueRequest {
        parameters: Parameters::whole(),
        project: &case.project,
        report: &case.project.reports[0],
        period: case.period,
        as_of: case.as_of,
        languages: &[Language::ENGLISH],
        outputs: &[Output::Pdf],
        queries: &NoRows,
        footer: &footer(1),
        issued_at: "2026-10-02T02:15:00Z".parse().unwrap(),
        folder: folder.path(),
    };
    let edition = editions::issue(&request, &case.rows).unwrap();
    assert!(edition.refused.is_empty(), "{:?}", edition.refused);
    let bytes = std::fs::read(folder.path().join("management-review/2026-09/en.pdf")).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(bytes.starts_with(b"%PDF-1.7"));
    assert!(text.contains("pdfuaid:part") && text.contains("/StructTreeRoot") && text.contains("/Lang"));
}
