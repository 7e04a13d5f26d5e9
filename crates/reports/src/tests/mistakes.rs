//! Mistakes of somebody who writes a first page: found by `check` where it can know, else by the page, each at its place.

use super::fixture::{load, row};
use super::{NoRows, footer};
use crate::{IssueRequest, Output, Parameters, Period, check_columns, editions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use minijinja::value::Value;
use perennial_core::error::{Error, Problems};
use perennial_project::{Language, LoadOptions, PeriodKind, Project};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A project with a report `queues` of these queries.
fn project(template: &str) -> Project {
    let text = format!(
        "---\ntitle: Queues\nlanguages: [en]\nqueries: {{queues: SELECT 1, days: SELECT 1}}\n---\n{template}\n"
    );
    load(&[("report-templates/queues/report.md", &text)], "EUR")
}

fn lines(problems: &Problems) -> Vec<String> {
    let line = |e: &Error| format!("{e} [{}]", e.hint_text().unwrap_or("")).replace("report-templates/queues/", "");
    problems.iter().map(line).collect()
}

fn checked(template: &str) -> Vec<String> {
    let problems = crate::check(&project(template));
    lines(&problems)
}

fn columns() -> BTreeMap<String, SchemaRef> {
    let schema = |fields: &[(&str, DataType)]| {
        Arc::new(Schema::new(fields.iter().map(|(n, t)| Field::new(*n, t.clone(), true)).collect::<Vec<_>>()))
    };
    let instant = DataType::Timestamp(TimeUnit::Microsecond, None);
    let queues = schema(&[("queue", DataType::Utf8), ("calls", DataType::Int64), ("wait", DataType::Float64)]);
    let days =
        schema(&[("day", DataType::Date32), ("week", instant), ("name", DataType::Utf8), ("n", DataType::Int64)]);
    BTreeMap::from([("queues".to_string(), queues), ("days".to_string(), days)])
}

/// What is found when the columns of the queries are known.
fn planned(template: &str) -> Vec<String> {
    let project = project(template);
    let report = project.reports.iter().find(|report| report.name == "queues").unwrap();
    lines(&check_columns(report, &columns()))
}

/// The error of the page.
fn refused(template: &str) -> String {
    let project = project(template);
    let report = project.reports.iter().find(|report| report.name == "queues").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let request = IssueRequest {
        parameters: Parameters::whole(),
        project: &project,
        report,
        period: Period::parse(PeriodKind::Month, "2026-09").unwrap(),
        as_of: jiff::civil::date(2026, 10, 1),
        languages: &[Language::ENGLISH],
        outputs: &[Output::Html],
        queries: &NoRows,
        footer: &footer(1),
        issued_at: "2026-10-02T02:15:00Z".parse().unwrap(),
        folder: folder.path(),
    };
    let rows = vec![
        row([("queue", Value::from("sales")), ("calls", Value::from(7)), ("wait", Value::from(31.5))]),
        row([("queue", Value::from("support")), ("calls", Value::from(9)), ("wait", Value::from(12.0))]),
    ];
    let rows = [("queues".to_string(), Value::from(rows)), ("days".to_string(), Value::from(Vec::<Value>::new()))];
    match editions::issue(&request, &rows) {
        Ok(_) => {
            format!("no error: {}", std::fs::read_to_string(folder.path().join("queues/2026-09/en.html")).unwrap())
        }
        Err(error) => error.to_string().replace("report-templates/queues/", ""),
    }
}

#[test]
fn a_column_that_the_rows_lack_is_refused_when_the_page_is_made() {
    let unknown = "the query `queues` has no column `queu`; did you mean `queue`?";
    for template in [
        "{{ queues[0].queu }}",
        "{{ 'a' ~ queues[0].queu }}",
        "{% for row in queues %}{{ row.queu }}{% endfor %}",
        "{% set now = pick(queues, queue='sales') %}{{ now.queu }}",
        "{{ queues | map(attribute='queu') | join(', ') }}",
        "{{ pick(queues, queu='sales') }}",
        "{{ queues[0]['queu'] }}",
        "{{ note(queues[0].queu) }}",
    ] {
        let error = refused(template);
        assert!(error.starts_with("report.md:6:") && error.contains(unknown), "{template}: {error}");
    }
    for (template, named) in [
        ("{{ vars.nix }}", "`vars.nix` is undefined"),
        ("{{ note(vars.nix) }}", "`vars.nix` is undefined"),
        ("{{ vars.nix | short }}", "`vars.nix` is undefined"),
        ("{% set now = pick(queues, queue='none') %}{{ now.calls | integer }}", "`now.calls` is undefined"),
        ("{% set now = pick(queues, queue='none') %}{{ note(now.calls) }}", "`now.calls` is undefined"),
    ] {
        let error = refused(template);
        assert!(error.starts_with("report.md:6:") && error.contains(named), "{template}: {error}");
    }
}

#[test]
fn columns_that_a_query_does_not_give_are_found() {
    let found = planned(
        "{{ bars(queues, x='queu', y='calls', title=t('total')) }}
{{ table(queues, columns=[{'key': 'cals', 'label': 'queue_name'}]) }} {{ total(queues, 'orders') }}
{{ queues[0].queu }} {{ (queues | first).cals }} {{ pick(queues, que='a').wait }}
{% for row in queues | sort(attribute='cals') -%}{{ row.cals }} {{ loop.index }}{%- endfor %}
{%- set now = pick(days, day=period.start) -%}
{{ now.nn }} {{ now['nn'] }} {{ days[1:] | map(attribute='dy') | list }} {{ (queues | selectattr('wai', 'gt', 3) | list)[0].calls }}
{{ bars(queues | list, x='of no query', y='b') }} {{ row.cals }} {{ columns(others, x='a', y='b') }}
{% set either = queues[0] %}{% set either = days[0] %}{{ either.anything }} {{ now.day }} {{ now.name.nothing }}",
    );
    assert_eq!(
        found,
        [
            "report.md:8:14: the query `queues` has no column `queu` [did you mean `queue`?]",
            "report.md:8:42: the query `queues` has no column `cals` [did you mean `calls`?]",
            "report.md:8:66: the query `queues` has no column `que` [did you mean `queue`?]",
            "report.md:9:40: the query `queues` has no column `cals` [did you mean `calls`?]",
            "report.md:9:57: the query `queues` has no column `cals` [did you mean `calls`?]",
            "report.md:11:8: the query `days` has no column `nn` [did you mean `n`?]",
            "report.md:11:22: the query `days` has no column `nn` [did you mean `n`?]",
            "report.md:11:59: the query `days` has no column `dy` [expected one of `day`, `week`, `name`, `n`]",
            "report.md:11:99: the query `queues` has no column `wai` [did you mean `wait`?]",
            "report.md:6:20: the query `queues` has no column `queu` [did you mean `queue`?]",
            "report.md:7:36: the query `queues` has no column `cals` [did you mean `calls`?]",
            "report.md:7:89: the query `queues` has no column `orders` [expected one of `queue`, `calls`, `wait`]",
        ]
    );
}

#[test]
fn columns_of_another_type_than_is_needed_are_found() {
    let found = planned(
        "{{ bars(queues, x='queue', y='queue') }}
{{ columns(days, x='name', y='n') }} {{ columns(days, x='week', y='n') }}
{{ table(days, columns=[
  {'key': 'name', 'format': 'integer'}, {'format': 'month', 'key': 'n'}, {'key': 'day', 'format': 'text'},
  {'key': 'week', 'format': 'date'}, {'key': 'day', 'format': 'decimal1'}]) }} {{ total(days, 'name') }}",
    );
    let fits = "[take a format that fits, or leave it out; `perennial templates formats` lists them]";
    let cast = "[name another column, or cast this one in the query]";
    assert_eq!(
        found,
        [
            format!(
                "report.md:6:31: `y` needs a column of numbers; the column `queue` of the query `queues` is text {cast}"
            ),
            format!(
                "report.md:7:21: `x` needs a column of dates; the column `name` of the query `days` is text {cast}"
            ),
            format!(
                "report.md:9:30: the format `integer` writes numbers; the column `name` of the query `days` is text {fits}"
            ),
            format!(
                "report.md:9:53: the format `month` writes dates; the column `n` of the query `days` is a number {fits}"
            ),
            format!(
                "report.md:10:64: the format `decimal1` writes numbers; the column `day` of the query `days` is a date {fits}"
            ),
            format!(
                "report.md:10:96: `column` needs a column of numbers; the column `name` of the query `days` is text {cast}"
            ),
        ]
    );
}

#[test]
fn columns_that_a_chart_needs_are_found() {
    assert_eq!(
        planned("{{ bridge(queues) }}"),
        [
            "report.md:6:4: `bridge` needs the column `effect`, which the query `queues` does not have [`effect`: `start`, \
             `new`, `reactivated`, `expansion`, `contraction`, `lost` or `end`; one row each]",
            "report.md:6:4: `bridge` needs the column `amount`, which the query `queues` does not have [`amount`: the \
             amount; losses are negative. A missing effect counts as zero]",
        ]
    );
}

#[test]
fn arguments_that_are_missing_are_found() {
    let found = checked(
        "{{ bars(queues, x='queue') }} {{ total(queues) }} {{ verdict() }} {{ note('a', 'b') }}
{{ table(queues, columns=[{'label': 'Calls', 'format': 'integer'}]) }} {{ bars(*queues) }} {{ note('a',) }}
{{ bars(queues, x='queue', y='calls', format='date') }}
{{ headlines([{'name': 'a', 'label': 'A', 'format': 'month', 'value': 1}]) }}",
    );
    assert_eq!(
        found,
        [
            "report.md:6:4: `bars` needs `y=` [write `bars(rows, x='region', y='revenue', sort='value', format=..., title=..., note=...)`]",
            "report.md:6:34: `total` needs `column` [write `total(rows, 'column')`]",
            "report.md:6:54: `verdict` needs `sentences` [write `verdict(sentences)`]",
            "report.md:6:70: `note` has too many arguments [write `note(text)`]",
            "report.md:7:27: a mapping of `columns` needs the key `key` [add `'key': ...`: the column of the rows]",
            "report.md:8:47: the format `date` does not write figures, and `bars` shows figures [expected one of `number`, \
             `decimal1`, `integer`, `money`, `money_signed`, `cents`, `percent`, `percent_signed`]",
            "report.md:9:54: the format `month` does not write figures, and `headlines` shows figures [expected one of \
             `number`, `decimal1`, `integer`, `money`, `money_signed`, `cents`, `percent`, `percent_signed`]",
        ]
    );
}

#[test]
fn what_is_unknown_is_named_with_what_comes_close() {
    let found = checked(
        "{{ colums(queues) }} {{ pie(queues) }} {{ 1 | integr }} {{ 1 | thousands }} {{ queus }} {{ vars.nix }}
{{ vars.nix | default(3) }} {% if vars.nix is defined %}{% endif %}",
    );
    let manual = "`perennial templates` lists the functions, charts and filters there are";
    assert_eq!(
        found,
        [
            "report.md:6:4: unknown function or chart `colums` [did you mean `columns`?]".to_string(),
            format!("report.md:6:25: unknown function or chart `pie` [{manual}]"),
            "report.md:6:47: unknown filter `integr` [did you mean `integer`?]".to_string(),
            format!("report.md:6:64: unknown filter `thousands` [{manual}]"),
            "report.md:6:80: unknown query or variable `queus` [did you mean `queues`?]".to_string(),
            "report.md:6:97: unknown variable `nix` [add it to `vars` in perennial.yml, or write `vars.nix | default(...)`]"
                .to_string(),
        ]
    );
    let none = checked("{{ surely_not_here }}");
    assert!(!none[0].contains("`loop`") && none[0].contains("`queues`"), "{none:?}");
}

#[test]
fn tags_in_the_sql_of_a_query_are_checked_at_their_column() {
    let text = "---\ntitle: Q\nlanguages: [en]\n---\n{{ a | length }}\n";
    let files = [
        ("report-templates/queues/report.md", text),
        ("report-templates/queues/queries/a.sql", "SELECT 1\nWHERE d = DATE '{{ perod.start }}'\n"),
        ("report-templates/queues/queries/b.sql", "SELECT {{ period.begin }}\n"),
        ("report-templates/queues/queries/c.sql", "SELECT '{{ var('overdu') }}'\n"),
    ];
    let found = lines(&crate::check(&load(&files, "EUR")));
    assert_eq!(
        found,
        [
            "queries/a.sql:2:20: query `a`: unknown name `perod` [did you mean `period`?]",
            "queries/b.sql:1:11: query `b`: `period` has no `begin` [expected one of `start`, `end`, `before`, `year_ago`, \
             `label`, `status`]",
            "queries/c.sql:1:12: query `c`: unknown variable `overdu`; add it to `vars` in perennial.yml []",
        ]
    );
}

#[test]
fn five_mistakes_are_five_problems() {
    let template =
        "{{ pies(queues) }}\n{{ bars(queues, x='queu', y='calls', format='monney') }}\n{{ t('nothing_such') }}";
    let found = [checked(template), planned(template)].concat();
    assert_eq!(found.len(), 4, "the fifth, in a query's SQL, is found by whoever plans it: {found:?}");
}

#[test]
fn phrases_that_are_not_yaml_are_one_problem() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("perennial.yml", "name: x\nlake: lake\n");
    write(
        "report-templates/queues/report.md",
        "---\ntitle: x\nlanguages: [en]\n---\n{{ t('one', n=1) }} {{ t('two') }}\n",
    );
    write("report-templates/queues/phrases.yml", "one:\n  en: {{ n }} calls\ntwo: {en: Two}\n");
    let found = || {
        let options = LoadOptions { vars: None, env: &|_| None };
        let (project, mut problems) = Project::draft(folder.path(), &options).unwrap();
        problems.extend(crate::check(&project));
        lines(&problems)
    };
    let quote = "put the whole text in quotes: `\"{{ ... }}\"`";
    assert_eq!(found(), [format!("phrases.yml:2:7: YAML takes `{{{{` for a mapping [{quote}]")]);
    let of_report = folder.path().join("report-templates/queues");
    std::fs::rename(of_report.join("phrases.yml"), of_report.join("phrases.yaml")).unwrap();
    assert_eq!(found(), ["phrases.yaml: files ending in `.yaml` are not read [rename it to `phrases.yml`]"]);
}

/// What is found in a report `queues` with these other files beside it.
fn checked_with(template: &str, files: &[(&str, &str)]) -> Vec<String> {
    let text = format!(
        "---\ntitle: Queues\nlanguages: [en]\nqueries: {{queues: SELECT 1, days: SELECT 1}}\n---\n{template}\n"
    );
    let mut all = vec![("report-templates/queues/report.md", text.as_str())];
    all.extend(files);
    lines(&crate::check(&load(&all, "EUR")))
}

#[test]
fn texts_that_are_compared_or_joined_are_not_values() {
    let phrases = ("report-templates/queues/phrases.yml", "a: {en: A}\nb: {en: B}\n");
    let template = "{% set mode = 'x' %}
{{ bars(queues, x='queue' if language == 'en' else 'calls', y='wait', sort='value' if mode == 'x' else 'none') }}
{{ bars(queues, x='queue_' ~ language, y='wait', sort='value' if mode in ('x', 'y') else 'none') }}
{{ t('a' if language == 'en' else 'b') }} {{ t('tier_' ~ mode) }} {{ t('A' | lower) }}
{{ table(queues, columns=[{'key': 'queue_' ~ language}, {'key': 'calls' if 'x' == mode else 'wait', 'format': 'INTEGER' | lower}]) }}
{{ bars(queues, x=['queue', 'calls'][0], y=['wait'] | first) }}";
    assert_eq!(checked_with(template, &[phrases]), [""; 0]);
    assert_eq!(planned(template), [""; 0]);
    // Both branches are still checked.
    let found = checked_with(
        "{{ t('a' if language == 'en' else 'nothing') }} {{ bars(queues, x='queue', y='calls', sort='val' if 1 == 1 else 'vale') }}",
        &[phrases],
    );
    assert_eq!(found.len(), 3, "{found:?}");
    let found = planned("{{ bars(queues, x='queu' if language == 'en' else 'queeu', y='calls') }}");
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn names_that_a_template_binds_are_its_own() {
    for template in [
        "{% for period in days %}{{ period.revenue }}{% endfor %}",
        "{% for period in days %}{{ period.revenue }}{% endfor %}{{ period.start }}",
        "{% for name, vars in queues | items %}{{ vars.nix }}{% endfor %}",
        "{% with period = days[0] %}{{ period.n }}{% endwith %}",
        "{% macro note(text, kind='x') %}{{ text }}{% endmacro %}{{ note('a', kind='b') }}",
    ] {
        assert_eq!(checked(template), [""; 0], "{template}");
    }
    assert_eq!(checked("{{ period.revenue }}").len(), 1);
}

#[test]
fn a_piece_has_the_names_that_its_template_binds() {
    let piece = ("report-templates/queues/pieces/x.md", "{{ rows }} {{ total_x }} {{ label }} {{ nowhere }}");
    let include = "{% include 'pieces/x.md' %}";
    let template = format!(
        "{{% for name, rows in queues | groupby('queue') %}}{include}{{% endfor %}}
{{% with total_x = 5 %}}{include}{{% endwith %}}
{{% macro line(label) %}}{include}{{% endmacro %}}"
    );
    let found = checked_with(&template, &[piece]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("pieces/x.md:1:41: unknown query or variable `nowhere`"), "{found:?}");
    // A piece that includes another one gives it its names too.
    let outer = ("report-templates/queues/pieces/outer.md", "{% set inner = 1 %}{% include 'pieces/inner.md' %}");
    let inner = ("report-templates/queues/pieces/inner.md", "{{ inner }}");
    assert_eq!(checked_with("{% include 'pieces/outer.md' %}", &[outer, inner]), [""; 0]);
}

#[test]
fn names_given_by_a_mapping_are_left_to_the_page() {
    let phrases = ("report-templates/queues/phrases.yml", "hello: {en: \"{{ revenue }}\"}\n");
    assert_eq!(checked_with("{{ t('hello', **queues[0]) }}", &[phrases]), [""; 0]);
    assert_eq!(checked_with("{{ t('hello', n=2 ** 3) }}", &[phrases]).len(), 1);
}

#[test]
fn the_direction_of_a_headline_is_the_same_for_check_and_page() {
    let headline = |good: &str| {
        format!("{{{{ headlines([{{'name': 'a', 'label': 'A', 'format': 'integer', 'value': 1{good}}}]) }}}}")
    };
    for good in [", 'good': ''", ", 'good': 'none'", ", 'good': 'sideways'"] {
        let (found, error) = (checked(&headline(good)), refused(&headline(good)));
        assert!(found.len() == 1 && found[0].contains("expected one of `up`, `down`"), "{good}: {found:?}");
        assert!(error.contains("expected one of `up`, `down`"), "{good}: {error}");
    }
    for good in ["", ", 'good': none", ", 'good': 'up'", ", 'good': 'down' if 1 == 1 else none"] {
        assert_eq!(checked(&headline(good)), [""; 0], "{good}");
        assert!(refused(&headline(good)).starts_with("no error"), "{good}");
    }
}
