mod delivery;
mod files;
mod ready_made;
mod formats;
mod schedule;
mod settings;
mod shipped;
mod locale;
mod migrate;

use super::*;
use perennial_core::contract::{BadRowPolicy, ColumnPolicy, CsvOptions, Format, TextEncoding, ValueType};
use perennial_core::error::render_all;
use serde_json::json;

const PROJECT: &str = "name: Test\nlake: lake\ntime_zone: Europe/Berlin\n";
const SOURCE: &str = "\
location: data
tables:
  orders:
    files: orders.csv
    format: csv
    columns:
      order_id: {type: text}
";

fn chinese() -> Language {
    Language::from_tag("zh-CN").unwrap()
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn load_with(files: &[(&str, &str)], vars: Option<&str>) -> Result<Project, Problems> {
    let folder = folder(files);
    let environment = |name: &str| (name == "BUCKET").then(|| "figures".to_string());
    Project::load(folder.path(), &LoadOptions { vars, env: &environment })
}

fn load(files: &[(&str, &str)]) -> Result<Project, Problems> {
    load_with(files, None)
}

/// The problems of a project, one a line, with their hints.
fn problems(files: &[(&str, &str)]) -> String {
    let mut with_project = files.to_vec();
    if !files.iter().any(|(path, _)| *path == "perennial.yml") {
        with_project.push(("perennial.yml", PROJECT));
    }
    written(load(&with_project))
}

fn written(result: Result<Project, Problems>) -> String {
    let problems = match result {
        Ok(_) => return "none".to_string(),
        Err(problems) => problems,
    };
    let line = |error: &Error| match error.hint_text() {
        Some(hint) => format!("{error} [{hint}]"),
        None => error.to_string(),
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A source whose one table has these lines in place of the last three of `SOURCE`.
fn table_problems(lines: &str) -> String {
    let indented: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    let source = format!("location: data\ntables:\n  orders:\n{indented}");
    problems(&[("pipelines/sources/erp.yml", &source)])
}

fn column_problems(lines: &str) -> String {
    let indented: String = lines.lines().map(|line| format!("  {line}\n")).collect();
    table_problems(&format!("files: a.csv\nformat: csv\ncolumns:\n{indented}"))
}

fn step_problems(header: &str) -> String {
    problems(&[("sql/marts/rfm.sql", &format!("/* ---\n{header}\n--- */\nSELECT 1\n"))])
}

#[test]
fn a_good_project_is_read_whole() {
    let source = "\
description: The till
location: s3://${BUCKET}/till
tables:
  sales:
    files: \"*/sales-*.csv\"
    format: {csv: {delimiter: tab, quote: none, header: false, encoding: gb18030}}
    key: [id]
    newest_by: at
    time_column: at
    on_new_column: ignore
    on_bad_row: fail
    max_rejects: {rows: 10}
    columns:
      id: {type: integer, required: true, min: 1}
      at: {type: instant, formats: [\"%d.%m.%Y %H:%M\"]}
      amount: {type: decimal, precision: 10, scale: 3, from: Betrag, min: 0.000, null_values: [\"-\"]}
      kind: {type: enumeration, values: [a, b], personal: true}
      day: {type: date}
";
    let step = "\
/* ---
description: Scores
grain: [customer_id]
materialize: view
tags: [nightly]
columns:
  customer_id: {description: Who, tests: [not_null, {warn: unique}]}
  r: {tests: [{range: {min: 1, max: 5}}, {accepted_values: [1, 2]}]}
  till_id: {tests: [{relationships: {to: source.till__sales, column: id}}]}
  on: {tests: [{range: {min: 2026-01-01}}]}
--- */
SELECT 1
";
    let report = "\
---
title: {en: Review, zh-CN: 回顾}
period: day
languages: [en, zh-CN]
readers: executives
queries:
  headline: |
    SELECT 1
    FROM x
  short: \"SELECT 2\"
---
# {{ title }}
";
    let project = load_with(
        &[
            (
                "perennial.yml",
                "name: Shop\nlake: s3://${BUCKET}/lake/\nreports: out\ntime_zone: Asia/Shanghai\ncurrency: CNY\n\
                 languages: [zh-CN]\nmemory_limit: 512MB\nas_of: 2026-10-01\n\
                 vars: {rule: R1, months: 12, list: [1, x]}\ntheme: {accent: \"#AA0000\"}\n",
            ),
            (
                "pipelines/nightly.yml",
                "description: All\nschedule: \"0 2 * * *\"\nsources: [\"*\"]\nreports: [review]\n",
            ),
            ("pipelines/sources/till.yml", source),
            ("sql/marts/customers/rfm.sql", step),
            ("sql/tests/no_gap.sql", "/* ---\nseverity: warn\n--- */\nSELECT {{ var('new_one') }} AS x"),
            ("sql/macros/money.sql", "{% macro m() %}{% endmacro %}"),
            ("tests/steps/rfm.yml", "step: marts.rfm\nexpect: {rows: []}\n"),
            ("report-templates/review/report.md", report),
            ("report-templates/shared/footer.md", "footer"),
            ("report-templates/shared/phrases.yml", "test.phrase: {en: yes, zh-CN: 是}\n"),
        ],
        Some("{rule: R2, new_one: true}"),
    );
    let project = match project {
        Ok(project) => project,
        Err(problems) => panic!("{}", render_all(&problems, false)),
    };

    assert_eq!((project.name.as_str(), project.lake.as_str()), ("Shop", "s3://figures/lake"));
    assert!(project.reports_folder.is_absolute() && project.reports_folder.ends_with("out"));
    assert_eq!(project.memory_limit_bytes, 512_000_000);
    assert_eq!(project.as_of, AsOf::Date(jiff::civil::date(2026, 10, 1)));
    assert_eq!(project.languages, [chinese()]);
    assert_eq!(project.vars["rule"], json!("R2"));
    assert_eq!((&project.vars["months"], &project.vars["list"]), (&json!(12), &json!([1, "x"])));
    assert_eq!(project.vars["new_one"], json!(true));
    assert_eq!(project.theme.accent.as_deref(), Some("#aa0000"));

    let pipeline = &project.pipelines[0];
    assert_eq!((pipeline.name.as_str(), &pipeline.sources[..]), ("nightly", &["till".to_string()][..]));
    assert_eq!((&pipeline.steps[..], &pipeline.reports[..]), (&["*".to_string()][..], &["review".to_string()][..]));

    let till = &project.sources[0];
    assert_eq!((till.name.as_str(), till.location.as_str()), ("till", "s3://figures/till"));
    let sales = &till.tables[0];
    let csv = CsvOptions {
        delimiter: b'\t',
        collapse: false,
        quote: None,
        header: false,
        header_row: None,
        skip_rows: vec![],
        encoding: TextEncoding::Gb18030,
    };
    assert_eq!(sales.format(), Some(&Format::Csv(csv)));
    assert_eq!((sales.on_new_column, sales.on_missing_column), (ColumnPolicy::Ignore, ColumnPolicy::Fail));
    assert_eq!(sales.on_bad_row, BadRowPolicy::Fail);
    assert_eq!((sales.max_rejects.rows, sales.max_rejects.share), (Some(10), None));
    assert_eq!((sales.key[0].as_str(), sales.newest_by.as_deref()), ("id", Some("at")));
    assert_eq!(sales.place.as_ref().unwrap().to_string(), "pipelines/sources/till.yml:4:3");
    let instant = ValueType::Instant { formats: vec!["%d.%m.%Y %H:%M".into()], zone: "Asia/Shanghai".into() };
    assert_eq!(sales.columns[1].data_type, instant);
    let amount = &sales.columns[2];
    assert_eq!((amount.from.as_str(), amount.min.as_deref()), ("Betrag", Some("0.000")));
    assert_eq!(amount.data_type, ValueType::Decimal { precision: 10, scale: 3 });
    assert_eq!(amount.null_values, ["-"]);

    let rfm = &project.steps[0];
    assert_eq!((rfm.name.to_string().as_str(), rfm.file.path.as_str()), ("marts.rfm", "sql/marts/customers/rfm.sql"));
    assert_eq!(rfm.file.text[rfm.body..].trim(), "SELECT 1");
    assert_eq!((rfm.header.grain[0].as_str(), rfm.header.materialize), ("customer_id", Materialize::View));
    let customer = &rfm.header.columns[0];
    assert_eq!(&rfm.file.text[customer.span.clone()], "customer_id");
    assert_eq!((&customer.tests[0].rule, customer.tests[0].severity), (&ColumnRule::NotNull, Severity::Error));
    assert_eq!((&customer.tests[1].rule, customer.tests[1].severity), (&ColumnRule::Unique, Severity::Warn));
    let range =
        |min: &str, max: Option<&str>| ColumnRule::Range { min: Some(min.into()), max: max.map(str::to_string) };
    assert_eq!(rfm.header.columns[1].tests[0].rule, range("1", Some("5")));
    assert_eq!(rfm.header.columns[3].tests[0].rule, range("DATE '2026-01-01'", None));
    assert_eq!(project.tests[0].name.to_string(), "tests.no_gap");
    assert_eq!(project.tests[0].header.severity, Severity::Warn);

    let review = &project.reports[0];
    assert_eq!(
        (review.name.as_str(), review.period, review.readers.as_str()),
        ("review", PeriodKind::Day, "executives")
    );
    assert_eq!(review.title[&chinese()], "回顾");
    assert_eq!(review.file.text[review.body..].trim(), "# {{ title }}");
    assert_eq!(review.queries[0].sql, "SELECT 1\nFROM x\n");
    assert!(review.file.text[review.queries[0].offset..].starts_with("SELECT 1\n"));
    assert!(review.file.text[review.queries[1].offset..].starts_with("SELECT 2\""));
    assert_eq!(project.phrases["test.phrase"][&chinese()].text, "是");
    assert_eq!((project.macros.len(), project.step_tests.len(), project.shared_templates.len()), (1, 1, 1));
}

#[test]
fn all_files_are_looked_at_in_one_go() {
    insta::assert_snapshot!(problems(&[
        ("perennial.yml", "name: x\nlaek: lake\ntime_zone: Europe/Berln\ncurrency: euro\nmemory_limit: 1 gig\n"),
        ("pipelines/nightly.yml", "sources: [erq]\nsteps: [marts.rfn]\n"),
        ("pipelines/sources/erp.yml", "location: ${DATA}\ntables:\n  orders: {format: cvs}\n"),
        ("sql/marts/rfm.sql", "/* ---\nmaterialize: tabel\n--- */\nSELECT 1"),
        ("report-templates/review/report.md", "---\nperiod: year\n---\n"),
    ]), @r##"
        perennial.yml:1:1: a project needs `lake`
        perennial.yml:2:1: unknown key `laek` in a project [did you mean `lake`?]
        perennial.yml:3:12: unknown time zone `Europe/Berln` [did you mean `Europe/Berlin`?]
        perennial.yml:4:11: `euro` is not a currency [write the three-letter ISO 4217 code, such as `EUR`, `USD` or `CNY`]
        perennial.yml:5:15: `1 gig` is not a size [write it as `512MB`, `1.5GB` or `2GiB`]
        pipelines/nightly.yml:1:11: unknown source `erq` [did you mean `erp`?]
        pipelines/nightly.yml:2:9: unknown step `marts.rfn` [did you mean `marts.rfm`?]
        pipelines/sources/erp.yml:1:11: environment variable `DATA` is not set [set it, or give a default: ${DATA:-...}]
        pipelines/sources/erp.yml:3:3: a table needs `files`
        pipelines/sources/erp.yml:3:3: a table needs `columns`
        pipelines/sources/erp.yml:3:20: unknown format `cvs` [expected one of `csv`, `json_lines`, `json`, `lines`, `parquet`, `excel`; `perennial formats` lists those of known systems]
        report-templates/review/report.md:1:1: a report needs `title`
        report-templates/review/report.md:2:9: `period` is `year` [expected one of `month`, `day`]
        sql/marts/rfm.sql:2:14: `materialize` is `tabel` [expected one of `table`, `view`]
        "##);
}

#[test]
fn a_lake_has_a_folder_of_its_own_and_no_secret_in_its_location() {
    let folder = folder(&[]);
    let root = folder.path().display().to_string();
    let result = |lake: &str| {
        std::fs::write(folder.path().join("perennial.yml"), format!("name: x\nlake: \"{lake}\"\n")).unwrap();
        Project::load(folder.path(), &LoadOptions { vars: None, env: &|_| None })
    };
    let said = |lake: &str| written(result(lake));
    let no_folder = "the lake would be the folder of the project or one above it";
    for lake in [".", "..", &root, &format!("file://{root}"), &format!("file://{root}/lake/.."), "file:///"] {
        assert!(said(lake).contains(no_folder), "{lake}: {}", said(lake));
    }
    for lake in ["file://.", "file://lake"] {
        assert!(said(lake).contains("is not a path on this machine"), "{lake}: {}", said(lake));
    }
    for (lake, place) in [
        (format!("file://{root}/lake"), format!("{root}/lake")),
        ("s3://bucket/lake/".to_string(), "s3://bucket/lake".to_string()),
        (format!("{root}x"), format!("{root}x")),
    ] {
        assert_eq!(result(&lake).unwrap().lake, place);
    }
    for (lake, variable) in [
        ("az://c/p?sig=s3cret", "AZURE_STORAGE_SAS_TOKEN"),
        ("abfss://c:s3cret@account.dfs.core.windows.net/p", "AZURE_STORAGE_ACCOUNT_KEY"),
        ("s3://user:s3cret@b", "AWS_SECRET_ACCESS_KEY"),
        ("gs://b?x=s3cret", "GOOGLE_APPLICATION_CREDENTIALS"),
        ("file:///data?sig=s3cret", "path"),
    ] {
        let said = said(lake);
        assert!(said.starts_with("perennial.yml:2:7: the location contains "), "{said}");
        assert!(said.contains(variable) && !said.contains("s3cret"), "{said}");
    }
}

#[test]
fn a_problem_is_shown_under_its_line() {
    let problems =
        load(&[("perennial.yml", PROJECT), ("sql/marts/rfm.sql", "/* ---\nmaterialise: view\n--- */\nSELECT 1")]);
    insta::assert_snapshot!(render_all(&problems.unwrap_err(), false), @r##"
        error: unknown key `materialise` in a header
         --> sql/marts/rfm.sql:2:1
          |
        2 | materialise: view
          | ^^^^^^^^^^^
          |
          = help: did you mean `materialize`?
        "##);
}

#[test]
fn a_text_that_is_not_utf_8_or_not_there_is_said_so() {
    let folder = folder(&[("perennial.yml", PROJECT)]);
    std::fs::create_dir_all(folder.path().join("sql/marts")).unwrap();
    std::fs::write(folder.path().join("sql/marts/x.sql"), b"SELECT 1\n-- \xff\n").unwrap();
    insta::assert_snapshot!(written(Project::load(folder.path(), &LoadOptions::of_process())), @r##"
        sql/marts/x.sql: line 2 is not UTF-8 [save the file as UTF-8]
        "##);
    let empty = tempfile::tempdir().unwrap();
    let text = written(Project::load(empty.path(), &LoadOptions::of_process()));
    assert!(text.contains("there is no `perennial.yml`") && text.contains("perennial init DIR"), "{text}");
}

#[test]
fn the_nearest_project_above_is_found() {
    let folder = folder(&[("perennial.yml", PROJECT), ("sql/marts/rfm.sql", "SELECT 1")]);
    let root = std::path::absolute(folder.path()).unwrap();
    assert_eq!(Project::find(&folder.path().join("sql/marts")).unwrap(), root);
    let error = Project::find(Path::new("/nowhere/at/all")).unwrap_err();
    assert!(error.message().contains("`/nowhere/at/all`"));
}

#[test]
fn aliases_stand_for_what_they_name_but_not_without_end() {
    let source = "location: data\ntables:\n  a: &t\n    files: x.csv\n    format: csv\n    columns: {id: {type: text}}\n  b: *t\n";
    let project = load(&[("perennial.yml", PROJECT), ("pipelines/sources/erp.yml", source)]).unwrap();
    assert_eq!(project.sources[0].tables[1].name, "b");
    assert_eq!(project.sources[0].tables[1].columns[0].name, "id");
    let mut bomb = String::from("name: x\nlake: y\nvars:\n  a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n");
    for (before, after) in ["ab", "bc", "cd", "de", "ef", "fg"].iter().map(|pair| pair.split_at(1)) {
        bomb += &format!("  {after}: &{after} [{}]\n", vec![format!("*{before}"); 10].join(", "));
    }
    assert!(problems(&[("perennial.yml", &bomb)]).contains("aliases expand to too many values"));
}
