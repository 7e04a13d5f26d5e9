//! Given and expected files of `perennial migrate`, and what the parser says of old names.

use super::*;
use perennial_core::contract::{Extraction, Load, Paging, SinceFormat, ValueLocale};

const GIVEN: &str = "\
# The shop.
location: data   # a folder
without: [x]
tables:
  orders:
    files: \"orders-*.csv\"
    format: csv
    load: deliveries
    total_rows: {column: written, values: [Total], otherwise: fail}  # otherwise: fail
    expect:
      least_rows: 1
      \"least_of_usual\": 0.5
      'most_of_usual': 2
      otherwise: warn
    columns:
      # A column may have an old name as its own.
      written: {type: text, description: \"written: by hand\"}
      amount: {type: decimal, written: european}
      price:
        type: decimal
        written:    # as the branch in Lyon writes
          like: french
";

const EXPECTED: &str = "\
# The shop.
location: data   # a folder
exclude: [x]
tables:
  orders:
    files: \"orders-*.csv\"
    format: csv
    load: by_file
    total_rows: {column: written, values: [Total], on_violation: fail}  # otherwise: fail
    expect:
      min_rows: 1
      \"min_ratio\": 0.5
      'max_ratio': 2
      on_violation: warn
    columns:
      # A column may have an old name as its own.
      written: {type: text, description: \"written: by hand\"}
      amount: {type: decimal, locale: european}
      price:
        type: decimal
        locale:    # as the branch in Lyon writes
          like: french
";

const SERVICE: &str = "\
location: https://desk.example.com
tables:
  tickets:
    path: /tickets.json
    paging: {cursor: {token: after, keeps: true}}
    since_parameter: since
    since_format: as_delivered
    most_requests_per_second: 2
    load: {incremental: {cursor: id}}
    key: [id]
    columns: {id: {type: integer}}
";

fn migrated(text: &str) -> String {
    crate::migrate::migrate("erp.yml", text).unwrap().map_or(text.to_string(), |migration| migration.text)
}

#[test]
fn old_names_are_replaced_and_nothing_else() {
    let migration = crate::migrate::migrate("erp.yml", GIVEN).unwrap().unwrap();
    assert_eq!(migration.text, EXPECTED);
    let changes: Vec<String> =
        migration.changes.iter().map(|c| format!("{}:{} {} {}", c.line, c.column, c.old, c.new)).collect();
    assert_eq!(
        changes,
        [
            "3:1 without exclude",
            "8:11 deliveries by_file",
            "9:52 otherwise on_violation",
            "11:7 least_rows min_rows",
            "12:7 least_of_usual min_ratio",
            "13:7 most_of_usual max_ratio",
            "14:7 otherwise on_violation",
            "18:31 written locale",
            "21:9 written locale",
        ]
    );
    assert_eq!(crate::migrate::migrate("erp.yml", EXPECTED).unwrap(), None);
    let service = migrated(SERVICE);
    for new in ["resume: true", "since_format: as_is", "max_requests_per_second: 2"] {
        assert!(service.contains(new), "{service}");
    }
}

#[test]
fn line_ends_marks_and_aliases_stay() {
    let windows = format!("\u{feff}{}", GIVEN.replace('\n', "\r\n"));
    assert_eq!(migrated(&windows), format!("\u{feff}{}", EXPECTED.replace('\n', "\r\n")));
    let shared =
        "location: data\ntables:\n  a: &t\n    load: {deliveries: }\n    columns: {x: {written: swiss}}\n  b: *t\n";
    let expected =
        "location: data\ntables:\n  a: &t\n    load: {by_file: }\n    columns: {x: {locale: swiss}}\n  b: *t\n";
    assert_eq!(migrated(shared), expected);
    // An alias has the new name of what it repeats.
    let alias = "tables:\n  a: {load: &mode deliveries}\n  b: {load: *mode}\n";
    let migration = crate::migrate::migrate("erp.yml", alias).unwrap().unwrap();
    assert_eq!(migration.text, alias.replace("deliveries", "by_file"));
    assert_eq!(migration.changes.len(), 1);
    // The anchor is where the old name is not one.
    let elsewhere = "description: &mode deliveries\ntables:\n  b: {load: *mode}\n";
    let problems = crate::migrate::migrate("erp.yml", elsewhere).unwrap_err();
    assert_eq!(problems.iter().next().unwrap().to_string(), "erp.yml:3:13: `deliveries` is now `by_file`");
    let problems = crate::migrate::migrate("erp.yml", "a: [").unwrap_err();
    assert!(problems.iter().next().unwrap().message().starts_with("this is not YAML"));
}

#[test]
fn old_names_are_read_with_a_note() {
    let project =
        load(&[("perennial.yml", PROJECT), ("pipelines/sources/erp.yml", &GIVEN.replace("without: [x]\n", ""))]);
    let project = project.unwrap_or_else(|problems| panic!("{}", render_all(&problems, false)));
    let table = &project.sources[0].tables[0];
    assert_eq!(table.load, Load::ByFile);
    assert_eq!((table.expectations.min_rows, table.expectations.max_ratio), (Some(1), Some(2.0)));
    assert!(table.total_rows.as_ref().unwrap().fail);
    assert!(matches!(table.columns[1].locale, ValueLocale::Numbers(_)));
    let notes: Vec<String> = project.notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        ["pipelines/sources/erp.yml:7:11: `deliveries` is now `by_file`, `otherwise` is now `on_violation`, \
             `least_rows` is now `min_rows`, `least_of_usual` is now `min_ratio`, `most_of_usual` is now `max_ratio`, \
             `written` is now `locale`; the old names are accepted in this version only; \
             `perennial migrate` renames them"]
    );
    let project = load(&[("perennial.yml", PROJECT), ("pipelines/sources/desk.yml", SERVICE)]).unwrap();
    let Extraction::Pages(pages) = &project.sources[0].tables[0].extraction else { panic!() };
    assert!(matches!(pages.paging, Paging::Cursor { resume: true, .. }));
    assert_eq!((pages.since_format, pages.max_requests_per_second), (SinceFormat::AsIs, Some(2)));
    let project = load(&[("perennial.yml", PROJECT), ("pipelines/sources/erp.yml", SOURCE)]).unwrap();
    assert!(project.notes.is_empty());
}

#[test]
fn both_names_are_one_too_many() {
    insta::assert_snapshot!(column_problems("a: {type: integer, written: english, locale: swiss}"), @r#"
    pipelines/sources/erp.yml:7:26: `written` is the old name of `locale`, which is given as well [remove `written`]
    "#);
}

#[test]
fn a_project_is_migrated_file_by_file() {
    let folder = folder(&[
        ("perennial.yml", PROJECT),
        ("pipelines/sources/erp.yml", GIVEN),
        ("pipelines/sources/web.yml", SOURCE),
        ("pipelines/nightly.yml", "without: [x]\n"),
    ]);
    let (migrations, problems) = crate::migrations(folder.path());
    assert!(problems.is_empty());
    let paths: Vec<&str> = migrations.iter().map(|migration| migration.path.as_str()).collect();
    assert_eq!(paths, ["pipelines/sources/erp.yml"]);
    assert_eq!(migrations[0].text, EXPECTED);

    std::fs::write(folder.path().join("pipelines/sources/crm.yml"), "a: [").unwrap();
    let (migrations, problems) = crate::migrations(folder.path());
    assert_eq!((migrations.len(), problems.iter().count()), (1, 1));
}
