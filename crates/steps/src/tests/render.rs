use super::*;
use minijinja::value::Value;
use perennial_engine::Spot;

fn rendered(sql: &str) -> Rendered {
    let one = project(vec![step("core.orders", "SELECT 1 AS a"), step("marts.x", sql)]);
    let (renderer, problems) = Renderer::new(&one, &context());
    assert!(problems.is_empty());
    let file = &one.steps[1];
    renderer.render(Template::rest_of(&file.file, file.body), Value::UNDEFINED).unwrap()
}

/// Where the first occurrence of a word in the rendered SQL stands in the file (three lines of header).
fn place(rendered: &Rendered, word: &str) -> String {
    let at = rendered.sql.find(word).unwrap();
    let line = rendered.sql[..at].matches('\n').count() + 1;
    let column = rendered.sql[..at].rsplit('\n').next().unwrap().chars().count() + 1;
    rendered.place(Spot { line, column, width: word.chars().count() }).to_string()
}

#[test]
fn what_templates_may_use() {
    let sql = "SELECT '{{ as_of }}' a, '{{ time_zone }}' b, '{{ currency }}' c, '{{ var('rule') }}' d, {{ var('window') }} e,\n\
               '{{ var('none', 'x') }}' f FROM {{ ref('orders') }}, {{ ref('core', 'orders') }}, {{ source('erp', 'orders') }}";
    assert_eq!(
        rendered(sql).sql,
        "SELECT '2026-03-01' a, 'Europe/Berlin' b, 'EUR' c, 'R1' d, 12 e,\n\
         'x' f FROM core.orders, core.orders, source.erp__orders"
    );
}

#[test]
fn every_place_is_followed_to_the_file() {
    let sql = "SELECT 1 AS first, -- 客户\n  {{ var('window') }} AS second,\n\
               {% if var('rule') == 'R1' %}\n  3 AS third,\n{% endif -%}\n\n  4 AS fourth\nFROM core.orders";
    let rendered = rendered(sql);
    assert!(!rendered.sql.contains('{'));
    assert_eq!(place(&rendered, "first"), "sql/marts/x.sql:4:13");
    assert_eq!(place(&rendered, "12"), "sql/marts/x.sql:5:3");
    assert_eq!(place(&rendered, "second"), "sql/marts/x.sql:5:26");
    assert_eq!(place(&rendered, "third"), "sql/marts/x.sql:7:8");
    assert_eq!(place(&rendered, "fourth"), "sql/marts/x.sql:10:8");
    assert_eq!(place(&rendered, "core"), "sql/marts/x.sql:11:6");
}

#[test]
fn white_space_is_trimmed_as_without_marks() {
    let sql = "a {%- if true %} b {%- endif -%}  c  {{- ' d' -}}  \n e {# no #} f";
    let plain = minijinja::Environment::new().render_str(sql, Value::from(BTreeMap::<String, Value>::new())).unwrap();
    assert_eq!(rendered(sql).sql, plain);
}

#[test]
fn loops_and_blocks_that_become_values() {
    let sql = "{% set list %}a, b{% endset %}{% macro m(x) %}<{{ x }}>{% endmacro %}\
               SELECT {% for c in [1, 2] %}{{ c }} AS c{{ c }}{% if not loop.last %}, {% endif %}{% endfor %}, {{ list | length }}, {{ m('y') }}";
    assert_eq!(rendered(sql).sql, "SELECT 1 AS c1, 2 AS c2, 4, <y>");
}

#[test]
fn raw_text_and_braces_in_strings_stand_as_they_are() {
    assert_eq!(rendered("SELECT '{% raw %}{{ x }}{% endraw %}', '{{ '}}' }}'").sql, "SELECT '{{ x }}', '}}'");
}

/// That a macro is unknown only the text of the template engine's error tells; see `is_call_of_undefined`.
#[test]
fn a_call_of_something_undefined_is_told_in_these_words() {
    let environment = minijinja::Environment::new();
    let template = "{% macro m() %}{{ missing() }}{% endmacro %}{{ m() }}";
    let error = environment.render_str(template, Value::from(BTreeMap::<String, Value>::new())).unwrap_err();
    assert!(format!("{error:#}").contains("undefined is not callable"), "{error:#}");
}
