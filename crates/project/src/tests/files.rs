//! Every kind of file, key by key.

use super::*;

#[test]
fn the_project_file_names_the_valid_choices() {
    insta::assert_snapshot!(problems(&[("perennial.yml",
        "name: x\nlake: lake\nname: y\nlanguages: [de, en, en]\nmemory_limit: 1MB\nas_of: yesterday\nvars: {Rule: 1}\n\
         theme: {accent: blue, logo: logo.jpg, colour: red}\nreports: s3://x\nshipped: [\"sql/nothing/*\", \"[\"]\n")]), @r##"
        perennial.yml:3:1: duplicate key `name`, first in line 1
        perennial.yml:4:13: unknown language `de` [expected one of `en`, `zh-CN`, `zh-TW`]
        perennial.yml:4:21: duplicate language `en`
        perennial.yml:5:15: a memory limit of `1MB` is too small [set at least `16MB`]
        perennial.yml:6:8: `as_of` is `yesterday`, which is not a date [write `today` or a date such as `2026-10-01`]
        perennial.yml:7:8: `Rule` cannot be the name of a variable: only a-z, 0-9 and _ are allowed [call it `rule`]
        perennial.yml:8:17: `blue` is not a colour [write it as "#1f5f8b", in quotes]
        perennial.yml:8:29: the logo `logo.jpg` is neither an SVG nor a PNG file
        perennial.yml:8:39: unknown key `colour` in a theme [expected one of `logo`, `accent`, `font`]
        perennial.yml:9:10: `reports` is `s3://x`; reports are written to a folder, not to a URL
        perennial.yml:10:11: no shipped file matches `sql/nothing/*` [patterns are relative to the project's folder: `sql/marts/*`, `report-templates/**`]
        perennial.yml:10:28: `[` is not a file pattern: unclosed character class; missing ']'
        "##);
    insta::assert_snapshot!(problems(&[("perennial.yml", "")]), @r##"
        perennial.yml:1:1: a project needs `name`
        perennial.yml:1:1: a project needs `lake`
        "##);
    insta::assert_snapshot!(problems(&[("perennial.yml", "name: [x\nlake: lake\n")]), @r##"
        perennial.yml:2:5: this is not YAML: illegal placement of ':' indicator
        "##);
    insta::assert_snapshot!(problems(&[("perennial.yml", "- a\n- b\n")]), @r##"
        perennial.yml:1:1: a project must be a mapping, found a list
        "##);
    insta::assert_snapshot!(problems(&[("perennial.yml", "name: x\nlake: ${LAKE}/${BUCKET}\n")]), @r##"
        perennial.yml:2:7: environment variable `LAKE` is not set [set it, or give a default: ${LAKE:-...}]
        "##);
    insta::assert_snapshot!(problems(&[("perennial.yml", "name: x\nlake: y\n---\nname: z\n")]), @r##"
        perennial.yml:3:1: only one YAML document is allowed per file [remove the `---`]
        "##);
}

#[test]
fn variables_of_the_command_line_are_checked() {
    let project = [("perennial.yml", "name: x\nlake: y\nvars: {rule: R1}\n")];
    insta::assert_snapshot!(written(load_with(&project, Some("{ruel: R2}"))), @r##"
        --vars:1:2: unknown variable `ruel`: perennial.yml does not declare it and nothing reads it [did you mean `rule`?]
        "##);
    insta::assert_snapshot!(written(load_with(&project, Some("rule=R2"))), @r##"
        --vars:1:1: `--vars` must be a mapping of names to values [write it as --vars '{rule: R2}']
        "##);
    insta::assert_snapshot!(written(load_with(&project, Some("{rule: R2"))), @r##"
        --vars:1:1: this is not YAML: unclosed bracket '{'
        "##);
    assert_eq!(load_with(&project, Some("{\"rule\": \"R2\"}")).unwrap().vars["rule"], json!("R2"));
}

#[test]
fn a_contract_is_checked_key_by_key() {
    insta::assert_snapshot!(table_problems(
        "files: \"[a\"\nformat: {csv: {delimiter: \"||\", quote: \",\", encoding: latin1, heder: true}}\n\
         key: [id, oder_id, id]\nnewest_by: updated\ntime_column: order_id\non_new_column: keep\non_bad_row: drop\n\
         max_rejects: {share: 5}\ncolumns:\n  order_id: {type: text}\n  id: {type: integer}"), @r##"
        pipelines/sources/erp.yml:4:12: `[a` is not a file pattern: unclosed character class; missing ']'
        pipelines/sources/erp.yml:5:31: `delimiter` is `||`, which is not one ASCII character [write one character in quotes, or `tab`]
        pipelines/sources/erp.yml:5:37: `quote` and `delimiter` are the same character
        pipelines/sources/erp.yml:5:59: `encoding` is `latin1` [expected one of `utf-8`, `gb18030`, `big5`]
        pipelines/sources/erp.yml:5:67: unknown key `heder` in the csv format [did you mean `header`?]
        pipelines/sources/erp.yml:6:15: `key` names the unknown column `oder_id` [did you mean `order_id`?]
        pipelines/sources/erp.yml:6:24: `key` names `id` twice
        pipelines/sources/erp.yml:7:16: `newest_by` names the unknown column `updated` [expected one of `order_id`, `id`]
        pipelines/sources/erp.yml:8:18: `time_column` names `order_id`, which is neither a date nor an instant [no column of this table is of type date or instant]
        pipelines/sources/erp.yml:9:20: `on_new_column` is `keep` [expected one of `accept`, `ignore`, `fail`]
        pipelines/sources/erp.yml:10:17: `on_bad_row` is `drop` [expected one of `reject`, `fail`]
        pipelines/sources/erp.yml:11:26: `share` is `5` [write a share from 0 to 1, such as `0.05` for 5 %]
        "##);
    insta::assert_snapshot!(table_problems("files: ../a.csv\nformat: xlsx\nnewest_by: a\nmax_rejects: {}\ncolumns:\n  a: {type: text}"), @r##"
        pipelines/sources/erp.yml:4:12: the files `../a.csv` are outside the source's location [`files` is relative to `location`; move the common part there]
        pipelines/sources/erp.yml:5:13: unknown format `xlsx` [expected one of `csv`, `json_lines`, `json`, `lines`, `parquet`, `excel`; `perennial formats` lists those of known systems]
        pipelines/sources/erp.yml:6:16: `newest_by` has no effect without a `key` [list the columns that identify a row in `key`]
        pipelines/sources/erp.yml:7:5: `max_rejects` needs `rows`, `share` or `times_usual`
        "##);
    insta::assert_snapshot!(table_problems("files: a.csv\nformat: csv\nduplicate_keys: newest\nload: {append: {}}\nkey: [a]\nrotated: maybe\ncolumns:\n  a: {type: text}"), @r##"
        pipelines/sources/erp.yml:6:5: `duplicate_keys: newest` contradicts `load: append`, which keeps the first row of each key
        pipelines/sources/erp.yml:9:14: `rotated` is `maybe` [write `true` or `false`]
        "##);
    insta::assert_snapshot!(table_problems("files: a.csv\nformat: csv\nduplicate_keys: last\nload: snapshot\nkey: [a]\nrotated: true\ncolumns:\n  a: {type: text}"), @r##"
        pipelines/sources/erp.yml:6:21: `duplicate_keys` is `last` [expected one of `reject`, `newest`, `fail`]
        pipelines/sources/erp.yml:9:5: `rotated` contradicts `load: snapshot`, where each file is the whole table
        "##);
    insta::assert_snapshot!(table_problems("files: a.csv\nformat: excel\nduplicate_keys: fail\nrotated: true\ncolumns:\n  a: {type: text}"), @r##"
        pipelines/sources/erp.yml:6:5: `duplicate_keys` has no effect without a `key`
        pipelines/sources/erp.yml:7:5: `rotated` is for files of text that are appended to
        "##);
    insta::assert_snapshot!(table_problems("format: {parquet: {rows: 1}}\ncolumns: []"), @r##"
        pipelines/sources/erp.yml:3:3: a table needs `files`
        pipelines/sources/erp.yml:4:24: unknown key `rows` in this format [it has no options]
        pipelines/sources/erp.yml:5:14: `columns` must be a mapping, found a list
        "##);
    insta::assert_snapshot!(problems(&[("pipelines/sources/ERP-1.yml", SOURCE), ("pipelines/sources/a__b.yml", SOURCE), ("pipelines/sources/x.yaml", SOURCE)]), @r##"
        pipelines/sources/ERP-1.yml:1:1: `ERP-1` cannot be the name of a source: only a-z, 0-9 and _ are allowed [call it `erp_1`]
        pipelines/sources/a__b.yml:1:1: `a__b` cannot be the name of a source: `__` separates source and table [use a single `_`]
        pipelines/sources/x.yaml: files ending in `.yaml` are not read [rename it to `x.yml`]
        "##);
    insta::assert_snapshot!(problems(&[("pipelines/sources/erp.yml", "tables:\n  orders: {}\n  orders: {}\n")]), @r##"
        pipelines/sources/erp.yml:1:1: a source needs `location`
        pipelines/sources/erp.yml:2:3: a table needs `files`
        pipelines/sources/erp.yml:2:3: a table needs `format`
        pipelines/sources/erp.yml:2:3: a table needs `columns`
        pipelines/sources/erp.yml:3:3: duplicate key `orders`, first in line 2
        "##);
}

#[test]
fn a_column_is_checked_against_its_type() {
    insta::assert_snapshot!(column_problems(
        "a: {type: strng}\nb: {from: x}\nc: {type: decimal, precision: 4, scale: 5}\nd: {type: decimal, precision: 40}\n\
         e: {type: enumeration, values: []}\nf: {type: enumeration}\ng: {type: enumeration, values: [x, x]}\n\
         h: {type: date, formats: [\"%d.%m\", \"%Q\"]}\ni: {type: instant, zone: Europe/Brelin}\n\
         j: {type: integer, min: 1.5, max: 9}\nk: {type: decimal, scale: 2, min: 0.125}\nl: {type: date, max: 2026-02-30}\n\
         m: {type: integer, min: 5, max: 1}\nn: {type: text, min: 1, precision: 3}\no: {type: integer, required: yes}\n\
         p: {type: text, requird: true, description: one, and two}\nOrder ID: {type: text}\n订单: {type: text}\n_file: {type: text}"), @r##"
        pipelines/sources/erp.yml:7:17: unknown type `strng` [expected one of `text`, `integer`, `decimal`, `float`, `boolean`, `date`, `instant`, `enumeration`]
        pipelines/sources/erp.yml:8:7: a column needs `type`
        pipelines/sources/erp.yml:9:40: `scale` is `5`, more than the 4 digits of `precision`
        pipelines/sources/erp.yml:10:26: `precision` is `40` [a decimal has 1 to 38 digits]
        pipelines/sources/erp.yml:11:30: `values` is empty, so every row would be rejected [list the allowed values]
        pipelines/sources/erp.yml:12:7: a column needs `values`
        pipelines/sources/erp.yml:13:42: `values` names `x` twice
        pipelines/sources/erp.yml:14:33: `%d.%m` is not a format of dates: it leaves out part of the date [write it such as "%Y-%m-%d" or "%d.%m.%Y"]
        pipelines/sources/erp.yml:14:42: `%Q` is not a format of dates: it leaves out part of the date [write it such as "%Y-%m-%d" or "%d.%m.%Y"]
        pipelines/sources/erp.yml:15:32: unknown time zone `Europe/Brelin` [did you mean `Europe/Berlin`?]
        pipelines/sources/erp.yml:16:31: `min` is `1.5`, which is not a whole number
        pipelines/sources/erp.yml:17:41: `min` is `0.125`, which is not a decimal of that scale
        pipelines/sources/erp.yml:18:28: `max` is `2026-02-30`, which is not a date such as 2026-01-31
        pipelines/sources/erp.yml:19:26: `min` 5 is above `max` 1
        pipelines/sources/erp.yml:20:23: `min` does not apply to columns of type text [it is for columns of type integer, decimal, float, date, instant]
        pipelines/sources/erp.yml:20:31: `precision` does not apply to columns of type text [it is for columns of type decimal]
        pipelines/sources/erp.yml:21:36: `required` is `yes` [write `true` or `false`]
        pipelines/sources/erp.yml:22:23: unknown key `requird` in a column [did you mean `required`?]
        pipelines/sources/erp.yml:22:56: unknown key `and two` in a column [inside `{...}` a text with a comma must be quoted]
        pipelines/sources/erp.yml:23:7: `Order ID` cannot be the name of a column: only a-z, 0-9 and _ are allowed [call it `order_id` and add `from: "Order ID"`]
        pipelines/sources/erp.yml:24:7: `订单` cannot be the name of a column: only a-z, 0-9 and _ are allowed [give it an English name and add `from: "订单"`]
        pipelines/sources/erp.yml:25:7: `_file` cannot be the name of a column: names that begin with `_` are reserved for the lake
        "##);
}

#[test]
fn a_header_is_checked_line_by_line() {
    insta::assert_snapshot!(step_problems(
        "grian: [a]\nmaterialize: incremental\nseverity: warn\ncolumns:\n  a:\n    tests:\n      - not_nul\n      - range\n\
         \x20     - accepted_values: []\n      - relationships: {to: customers, colum: id}\n      - warn: {range: {}}\n\
         \x20     - not_null: 3\n      - {unique: , not_null: }\n      - [x]\n"), @r##"
        sql/marts/rfm.sql:2:1: unknown key `grian` in a header [did you mean `grain`?]
        sql/marts/rfm.sql:3:14: `materialize` is `incremental` [expected one of `table`, `view`]
        sql/marts/rfm.sql:4:1: unknown key `severity` in a header [expected one of `description`, `grain`, `materialize`, `tags`, `columns`, `mixed_as_of`]
        sql/marts/rfm.sql:8:9: unknown test `not_nul` [did you mean `not_null`?]
        sql/marts/rfm.sql:9:9: `range` needs `min` or `max` [write it as `range: {min: 0, max: 100}`]
        sql/marts/rfm.sql:10:9: `accepted_values` is empty, so every row would fail
        sql/marts/rfm.sql:11:9: `relationships` needs `field`
        sql/marts/rfm.sql:11:29: `customers` is not a table name; write it as `schema.name`
        sql/marts/rfm.sql:11:40: unknown key `colum` in `relationships` [did you mean `column`?]
        sql/marts/rfm.sql:12:16: `range` needs `min` or `max`
        sql/marts/rfm.sql:13:19: `not_null` takes no options
        sql/marts/rfm.sql:14:9: a test is a name or one key with options, such as `not_null` or `range: {min: 0}` [write each test after its own `- `]
        sql/marts/rfm.sql:15:9: a test is a name or one key with options, found a list [expected one of `not_null`, `unique`, `accepted_values`, `relationships`, `range`, `warn`]
        "##);
    insta::assert_snapshot!(problems(&[
        ("sql/marts/open.sql", "/* ---\ndescription: x\nSELECT 1\n"),
        ("sql/marts/undashed.sql", "/* ---\ndescription: x\n*/\nSELECT 1\n"),
        ("sql/marts/empty.sql", "/* ---\ndescription: x\n--- */\n\n"),
        ("sql/marts/tab.sql", "/* ---\ndescription: x\n\tgrain: [a]\n--- */\nSELECT 1"),
        ("sql/loose.sql", "SELECT 1"),
        ("sql/raw/x.sql", "SELECT 1"),
        ("sql/marts/Rfm-Score.sql", "SELECT 1"),
        ("sql/marts/a/twice.sql", "SELECT 1"),
        ("sql/marts/b/twice.sql", "SELECT 1"),
        ("sql/marts/plain.sql", "-- no header\nSELECT 1"),
        ("sql/marts/OTHER.SQL", "SELECT 1"),
        ("sql/tests/x.sql", "/* ---\nseverity: fatal\ngrain: [a]\n--- */\nSELECT 1"),
    ]), @r##"
        sql/loose.sql:1:1: a step must be in a layer's folder [move it to `sql/staging`, `sql/core` or `sql/marts`: sql/marts/loose.sql]
        sql/marts/OTHER.SQL: files ending in `.SQL` are not read [rename it to `OTHER.sql`]
        sql/marts/Rfm-Score.sql:1:1: `Rfm-Score` cannot be the name of a step: only a-z, 0-9 and _ are allowed [call it `rfm_score`]
        sql/marts/b/twice.sql:1:1: `marts.twice` is defined twice, also by sql/marts/a/twice.sql [rename one of the files]
        sql/marts/empty.sql:1:1: the file has no SQL
        sql/marts/open.sql:1:1: the header is not closed [close it with a line `--- */`]
        sql/marts/tab.sql:2:14: this is not YAML: while scanning a plain scalar, found a tab
        sql/marts/undashed.sql:3:1: the header ends without `---` [close it with a line `--- */`]
        sql/raw/x.sql:1:1: `raw` is a layer reserved for the lake [put steps in another folder, such as `sql/staging`, `sql/core` or `sql/marts`]
        sql/tests/x.sql:2:11: `severity` is `fatal` [expected one of `error`, `warn`]
        sql/tests/x.sql:3:1: unknown key `grain` in a header [expected one of `description`, `severity`, `tags`]
        "##);
}

#[test]
fn pipelines_name_what_there_is() {
    insta::assert_snapshot!(problems(&[
        ("pipelines/nightly.yml", "schedule: every night\nsources: [erp, eerp, \"x*\"]\nsteps: [+marts.rfm, \"marts.*\", rfm+1, tag:x, marst.rfm]\nreports: [a, revew]\nstep: x\n"),
        ("pipelines/sources/erp.yml", SOURCE),
        ("sql/marts/rfm.sql", "SELECT 1"),
        ("report-templates/review.md", "---\ntitle: Review\n---\n"),
    ]), @r##"
        pipelines/nightly.yml:1:11: a schedule has five fields, `every night` has 2 [write minute, hour, day of the month, month and weekday: "0 2 * * *" is every day at 02:00]
        pipelines/nightly.yml:2:16: unknown source `eerp` [did you mean `erp`?]
        pipelines/nightly.yml:2:22: unknown source `x*` [expected `erp`]
        pipelines/nightly.yml:3:46: unknown step `marst.rfm` [did you mean `marts.rfm`?]
        pipelines/nightly.yml:4:11: unknown report `a` [expected `review`]
        pipelines/nightly.yml:4:14: unknown report `revew` [did you mean `review`?]
        pipelines/nightly.yml:5:1: unknown key `step` in a pipeline [did you mean `steps`?]
        "##);
    // A source that cannot be read is known by name all the same.
    insta::assert_snapshot!(problems(&[("pipelines/nightly.yml", "sources: [erp]\n"), ("pipelines/sources/erp.yml", "tables: [\n")]), @r##"
        pipelines/sources/erp.yml:1:9: this is not YAML: unclosed bracket '['
        "##);
}

#[test]
fn schedules_are_parsed_field_by_field() {
    let of = |schedule: &str| problems(&[("pipelines/nightly.yml", &format!("schedule: {schedule}\n"))]);
    for good in
        ["\"0 2 * * *\"", "'*/15 8-18 * * MON-FRI'", "30 6 1,15 JAN,jul 0", "\"@daily\"", "0 4 L * *", "0 0 29 2 *"]
    {
        assert_eq!(of(good), "none", "{good}");
    }
    insta::assert_snapshot!(of("\"99 99 99 99 99\""), @r"
    pipelines/nightly.yml:1:12: `99` is not a valid minute of a schedule [expected 0 to 59, `*`, a list `1,15`, a range `9-17` or a step `*/5`]
    pipelines/nightly.yml:1:15: `99` is not a valid hour of a schedule [expected 0 to 23, `*`, a list `1,15`, a range `9-17` or a step `*/5`]
    pipelines/nightly.yml:1:18: `99` is not a valid day of the month of a schedule [expected 1 to 31, or L for the last, `*`, a list `1,15`, a range `9-17` or a step `*/5`]
    pipelines/nightly.yml:1:21: `99` is not a valid month of a schedule [expected 1 to 12 or JAN to DEC, `*`, a list `1,15`, a range `9-17` or a step `*/5`]
    pipelines/nightly.yml:1:24: `99` is not a valid weekday of a schedule [expected 0 to 7 or SUN to SAT, 0 and 7 being Sunday, `*`, a list `1,15`, a range `9-17` or a step `*/5`]
    ");
    insta::assert_snapshot!(of("'0  26 * * mno'"), @r"
    pipelines/nightly.yml:1:15: `26` is not a valid hour of a schedule [expected 0 to 23, `*`, a list `1,15`, a range `9-17` or a step `*/5`]
    pipelines/nightly.yml:1:22: `mno` is not a valid weekday of a schedule [expected 0 to 7 or SUN to SAT, 0 and 7 being Sunday, `*`, a list `1,15`, a range `9-17` or a step `*/5`]
    ");
    insta::assert_snapshot!(of("\"0 0 31 2 *\""), @"pipelines/nightly.yml:1:11: the schedule `0 0 31 2 *` never occurs [none of its months has such a day]");
    insta::assert_snapshot!(of("\"@dayly\""), @"pipelines/nightly.yml:1:11: unknown schedule `@dayly` [expected one of `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`]");
    insta::assert_snapshot!(of("0 0 2 * * *"), @r#"pipelines/nightly.yml:1:11: a schedule has five fields, `0 0 2 * * *` has 6 [write minute, hour, day of the month, month and weekday: "0 2 * * *" is every day at 02:00]"#);
}

#[test]
fn a_variable_of_the_command_line_is_declared_or_read() {
    let project = [
        ("perennial.yml", "name: x\nlake: y\nvars: {rule: R1}\n"),
        ("sql/marts/a.sql", "SELECT {{ var('alert_percent', 5) }} AS x"),
    ];
    assert!(load_with(&project, Some("{alert_percent: 50}")).is_ok());
    let report = ("report-templates/a/report.md", "---\ntitle: A\n---\n{{ vars.limit | default(5) }}\n");
    assert!(load_with(&[project[0], report], Some("{limit: 50}")).is_ok());
    insta::assert_snapshot!(written(load_with(&project, Some("{alertpercent: 50, colour: red}"))), @r"
    --vars:1:2: unknown variable `alertpercent`: perennial.yml does not declare it and nothing reads it [did you mean `alert_percent`?]
    --vars:1:20: unknown variable `colour`: perennial.yml does not declare it and nothing reads it [expected one of `alert_percent`, `rule`]
    ");
}

#[test]
fn a_test_of_a_step_is_checked_line_by_line() {
    insta::assert_snapshot!(problems(&[(
        "tests/steps/rfm.yml",
        "stp: marts.rfm\nas_of: March\ngiven:\n  core.orders: {a: 1}\n  core.lines:\n    - 5\n    - {a: 1, a: 2}\n\
         expect:\n  order: exactly\n  row: []\n",
    )]), @r"
    tests/steps/rfm.yml:1:1: a test of a step needs `step`
    tests/steps/rfm.yml:1:1: unknown key `stp` in a test of a step [did you mean `step`?]
    tests/steps/rfm.yml:2:8: `as_of` is `March`, which is not a date [write a date such as `2026-02-15`]
    tests/steps/rfm.yml:4:16: rows are a list, found a mapping [write each row as `- {column: value}`]
    tests/steps/rfm.yml:6:7: a row must be a mapping, found a single value
    tests/steps/rfm.yml:7:14: duplicate key `a`, first in line 7
    tests/steps/rfm.yml:8:1: `expect` needs `rows`
    tests/steps/rfm.yml:9:10: `order` is `exactly` [expected one of `any`, `exact`]
    tests/steps/rfm.yml:10:3: unknown key `row` in `expect` [did you mean `rows`?]
    ");
    let problems = problems(&[(
        "tests/steps/rfm.yml",
        "step: marts.rfm\ngiven: {core.orders: [{a: ~, b: [1, {c: x}]}]}\nexpect: {rows: }\n",
    )]);
    assert_eq!(problems, "none");
}

#[test]
fn reports_and_phrases_speak_all_their_languages() {
    insta::assert_snapshot!(problems(&[
        ("report-templates/a/report.md", "---\ntitle: {en: A, de: B}\nlanguages: [en, zh-TW]\ncalendar: periods\nqueries:\n  Top 10: SELECT 1\n  none:\n---\n"),
        ("report-templates/b.md", "# no header\n"),
        ("report-templates/c/report.md", "---\ntitle: C\n"),
        ("report-templates/My Report.md", "---\ntitle: C\n---\n"),
        ("report-templates/e/report.md", "---\ntitle: E\nlanguages: [en, zh-TW]\nqueries: {top: SELECT 1}\n---\n"),
        ("report-templates/e/phrases.yml", "up: {en: up}\ndown: {en: down, zh-TW: 下}\nbad: x\n"),
        ("report-templates/e/queries/top.sql", "SELECT 2"),
        ("report-templates/e/queries/Last.sql", "SELECT 3"),
        ("report-templates/e/query.sql", "SELECT 3"),
        ("report-templates/f/pieces/x.md", "x"),
    ]), @r##"
        report-templates/My Report.md:1:1: `My Report` cannot be the name of a report: only a-z, 0-9, _ and - are allowed [call it `my-report`]
        report-templates/a/report.md:2:1: the title is missing in zh-TW
        report-templates/a/report.md:2:16: unknown language `de` [expected one of `en`, `zh-CN`, `zh-TW`]
        report-templates/a/report.md:4:11: `calendar` is `periods`, which does not name a table [write layer and table, as in `core.periods`]
        report-templates/a/report.md:6:3: `Top 10` cannot be the name of a query: only a-z, 0-9 and _ are allowed [call it `top_10`]
        report-templates/a/report.md:7:3: the query `none` is empty
        report-templates/b.md:1:1: a report begins with a header between two lines `---` [a piece that a template includes belongs in the report's pieces/ or in report-templates/shared]
        report-templates/c/report.md:1:1: this header has no end [close it with a line `---`]
        report-templates/e/phrases.yml:1:1: the phrase `up` is missing in zh-TW [`languages` of the report `e` names them]
        report-templates/e/phrases.yml:3:6: a phrase must be a mapping, found a single value
        report-templates/e/queries/Last.sql: `Last` cannot be the name of a query: only a-z, 0-9 and _ are allowed [call it `last`]
        report-templates/e/queries/top.sql: the query `top` is defined twice: report-templates/e/report.md defines it too [remove one of them]
        report-templates/e/query.sql: nothing reads this file [a report's folder holds report.md, phrases.yml, delivery.yml, queries/*.sql and pieces/*.md]
        report-templates/f/pieces/x.md: the report `f` has no template [write it to report-templates/f/report.md]
        "##);
}

#[test]
fn a_report_is_a_folder() {
    let project = load(&[
        ("perennial.yml", PROJECT),
        ("report-templates/README.md", "read by people"),
        ("report-templates/e/report.md", "---\ntitle: E\nqueries: {first: SELECT 1}\n---\nbody"),
        ("report-templates/e/queries/second.sql", "SELECT 2\n"),
        ("report-templates/e/phrases.yml", "up: {en: up}\nboth: {en: of the report}\n"),
        ("report-templates/e/pieces/x.md", "x"),
        ("report-templates/shared/y.md", "y"),
        ("report-templates/shared/phrases.yml", "down: {en: down}\nboth: {en: shared}\n"),
    ]);
    let project = project.unwrap_or_else(|problems| panic!("{}", render_all(&problems, false)));
    let report = &project.reports[0];
    assert_eq!((report.name.as_str(), report.calendar.to_string().as_str()), ("e", "core.periods"));
    let queries: Vec<(&str, &str)> = report.queries.iter().map(|q| (q.name.as_str(), q.file.path.as_str())).collect();
    assert_eq!(
        queries,
        [("first", "report-templates/e/report.md"), ("second", "report-templates/e/queries/second.sql")]
    );
    assert_eq!((report.pieces.len(), project.shared_templates.len()), (1, 1));
    let phrase = |key: &str| report.phrases[key][&Language::ENGLISH].text.clone();
    assert_eq!((phrase("up"), phrase("down"), phrase("both")), ("up".into(), "down".into(), "of the report".into()));
}

#[test]
fn phrases_of_the_footer_are_read_under_their_keys_of_earlier_versions() {
    let project = load(&[
        ("perennial.yml", PROJECT),
        ("report-templates/e/report.md", "---\ntitle: E\nlanguages: [en]\n---\nbody"),
        ("report-templates/e/phrases.yml", "foot_title: {en: Where it is from}\nfoot_note: {en: Our own}\n"),
        ("report-templates/shared/phrases.yml", "foot_run: {en: Old}\nfooter_run: {en: New}\nfoot_rows: {en: Lines}\n"),
    ]);
    let project = project.unwrap_or_else(|problems| panic!("{}", render_all(&problems, false)));
    let phrases = &project.reports[0].phrases;
    let phrase = |key: &str| phrases[key][&Language::ENGLISH].text.clone();
    assert_eq!(phrase("footer_title"), "Where it is from");
    assert_eq!(phrase("footer_run"), "New");
    assert_eq!(phrase("footer_rows"), "Lines");
    assert_eq!(phrase("foot_note"), "Our own");
    assert!(!phrases.contains_key("footer_note"));
    let notes: Vec<String> = project.notes.iter().map(ToString::to_string).collect();
    let note = |place: &str, of: &str| {
        format!("report-templates/{place}: the phrase `foot_{of}` is called `footer_{of}` now; write `footer_{of}`")
    };
    assert_eq!(
        notes,
        [
            note("shared/phrases.yml:1:1", "run"),
            note("shared/phrases.yml:3:1", "rows"),
            note("e/phrases.yml:1:1", "title")
        ]
    );
}

#[test]
fn a_phrase_that_lacks_a_language_is_marked_at_its_key() {
    // `up` is also written in the text before, and the text of the report goes over that of `shared`.
    let found = problems(&[
        ("report-templates/e/report.md", "---\ntitle: E\nlanguages: [en, zh-TW]\n---\n"),
        ("report-templates/e/phrases.yml", "down: {en: not up, zh-TW: 下}\nup: # up to here\n  en: higher\n"),
        ("report-templates/shared/phrases.yml", "other: {en: an up, zh-TW: 上}\n"),
    ]);
    assert!(found.starts_with("report-templates/e/phrases.yml:2:1: the phrase `up` is missing in zh-TW"), "{found}");
}

#[test]
fn names_of_tables_are_checked_by_the_rules_of_their_database() {
    let table = |location: &str, table: &str| {
        let source = format!(
            "location: {location}\ntables:\n  a:\n    table: {table}\n    columns: {{id: {{type: integer}}}}\n"
        );
        problems(&[("pipelines/sources/erp.yml", &source)])
    };
    insta::assert_snapshot!(table("mysql://u@localhost/shop", "shop.order.lines"), @"
    pipelines/sources/erp.yml:4:12: `shop.order.lines` is not a table name [write `orders` or `sales.orders`, and put backquotes around a name that contains a dot: shop.`order.lines`]
    ");
    insta::assert_snapshot!(table("postgresql://u@localhost/shop", "'\"a'"), @r#"
    pipelines/sources/erp.yml:4:12: `"a` is not a table name [write `orders` or `sales.orders`, and put double quotes around a name that contains a dot: sales."order.lines"]
    "#);
    for (location, name) in [
        ("mysql://u@localhost/shop", "shop.`order.lines`"),
        ("postgresql://u@localhost/shop", "sales.\"order.lines\""),
        ("sqlite://shop.db", "Order Lines"),
    ] {
        assert_eq!(table(location, name), "none", "{name}");
    }
}

#[test]
fn an_empty_key_is_as_a_missing_one() {
    let source = "\
location: data
tables:
  orders:
    files: orders.csv
    format: csv
    key: [id]
    columns:
      id: {type: text, identifier: }
      price: {type: decimal, precision: , scale: }
      amount: {type: decimal, locale: {like: chinese, currency: , units: }}
";
    let project = load(&[("perennial.yml", PROJECT), ("pipelines/sources/erp.yml", source)]).unwrap();
    let columns = &project.sources[0].tables[0].columns;
    assert_eq!(columns[0].identifier, None);
    assert_eq!(columns[1].data_type, ValueType::Decimal { precision: 18, scale: 2 });
    let chinese = perennial_core::contract::NumberLocale::named("chinese").unwrap();
    assert_eq!(columns[2].locale, perennial_core::contract::ValueLocale::Numbers(Box::new(chinese)));
    let without_key = source.replace("key: [id]", "key:\n    load: snapshot");
    insta::assert_snapshot!(problems(&[("pipelines/sources/erp.yml", &without_key)]), @"
    pipelines/sources/erp.yml:7:11: `snapshot` of files needs a `key`
    ");
}
