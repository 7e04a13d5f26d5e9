//! What templates can name beside their queries, and the keys of a report's header.

use super::manual::{Argument, Example, Kind, PAGE, Page, Section};

/// Names that every template has, beside the rows of its queries.
pub(crate) const VARIABLES: &[&str] = &["period", "as_of", "language", "currency", "company", "vars", "params"];

/// What a period has.
pub(crate) const OF_PERIOD: &[Argument] = &[
    Argument::optional("start", Kind::Date, "", "its first day, as in 2026-09-01"),
    Argument::optional("end", Kind::Date, "", "the first day after it, as in 2026-10-01"),
    Argument::optional("before", Kind::Date, "", "the first day of the period before"),
    Argument::optional("year_ago", Kind::Date, "", "the first day of the same period a year ago"),
    Argument::optional("label", Kind::Text, "", "as in paths: `2026-09`, or `2026-09-30` of a report by day"),
    Argument::optional("status", Kind::Choice(&["open", "closed"]), "", "whether it is over at the business date"),
    Argument::optional("title", Kind::Text, "", "as the language writes it: `September 2026`; not in queries"),
];

/// Their pages.
pub(crate) static PAGES: &[Page] = &[
    Page {
        name: "header",
        section: Section::Report,
        syntax: "---\ntitle: Orders by region\nperiod: month\n---",
        summary: "The keys of a report's header",
        arguments: &[
            Argument::required("title", Kind::Text, "the title, or one for each language: `{en: Orders, zh-CN: 订单}`"),
            Argument::optional(
                "period",
                Kind::Choice(&["month", "day"]),
                "month",
                "what one edition is about; a run issues the newest period that is over",
            ),
            Argument::optional(
                "languages",
                Kind::Text,
                "those of perennial.yml",
                "the languages it is issued in; phrases are needed in these only",
            ),
            Argument::optional("readers", Kind::Text, "", "who reads it"),
            Argument::optional(
                "issue_after",
                Kind::Text,
                "the end of the period",
                "how long a run waits after the end of a period before it issues it: `2 days`, or `3 working_days of germany` \
                 with a calendar of perennial.yml; the period before stays the newest until then",
            ),
            Argument::optional(
                "parameters",
                Kind::Text,
                "",
                "columns that may split the report into pages of their own, as in `[region]`; see `params`",
            ),
            Argument::optional(
                "calendar",
                Kind::Text,
                "core.periods",
                "a table whose column `period` has the first day of every month with rows; a period before the first or \
                 after the last of them is refused. Without such a table a report is refused when none of its queries has a row",
            ),
            Argument::optional(
                "queries",
                Kind::Text,
                "",
                "queries by name, beside those in `queries/*.sql`; their rows are variables of the template",
            ),
        ],
        description: "A report is a folder `report-templates/<report>/` with `report.md`: this header between two lines \
                      `---`, then Markdown and minijinja. Beside it lie `queries/*.sql`, one query each, which the template \
                      names like the file; `phrases.yml`, phrases by key and language; and `pieces/*.md`, which the template \
                      includes: `{% include 'pieces/top.md' %}`. What several reports use lies in `report-templates/shared/`: \
                      `phrases.yml`, and pieces (`{% include 'shared/top.md' %}`). A query that two reports share is a view in \
                      `sql/`.",
        example: Example {
            rows: &[("orders", "region | orders\nnorth | 10\nsouth | 8")],
            template: "{{ verdict('Most orders came from ' ~ orders[0].region ~ '.') }}",
            page: "Most orders came from north.",
        },
        related: &["queries", "period", "t"],
        ..PAGE
    },
    Page {
        name: "queries",
        section: Section::Variables,
        syntax: "orders[0].region",
        summary: "The rows of each query, under the name of the query",
        description: "A list of rows with the columns of the query. NULL is none; decimals stay exact; dates, timestamps and \
                      instants are text in ISO 8601, which the filters `date` and `month` write out. In the SQL of a query \
                      `{{ period.start }}`, `end`, `before`, `year_ago`, `label` and `status` of it, `{{ as_of }}`, \
                      `{{ time_zone }}`, `{{ currency }}` and `{{ var('name') }}` are put in; dates are put in without quotes: \
                      write `DATE '{{ period.start }}'`.",
        example: Example {
            rows: &[("orders", "region | orders\nnorth | 10\nsouth | 8")],
            template: "{{ orders | length }} regions: {% for row in orders %}{{ row.region }} {{ row.orders }}{{ ', ' if not \
                       loop.last else '' }}{% endfor %}",
            page: "2 regions: north 10, south 8",
        },
        related: &["header", "pick", "total"],
        ..PAGE
    },
    Page {
        name: "period",
        section: Section::Variables,
        syntax: "period.start",
        summary: "What the edition is about",
        arguments: OF_PERIOD,
        description: "The days from `start` up to, not including, `end`. All of them are text.",
        example: Example {
            rows: &[],
            template: "{{ period.title }}: {{ period.start }} to before {{ period.end }}, {{ period.status }}",
            page: "September 2026: 2026-09-01 to before 2026-10-01, closed",
        },
        related: &["as_of", "month", "header"],
        ..PAGE
    },
    Page {
        name: "as_of",
        section: Section::Variables,
        syntax: "as_of",
        summary: "The business date of the rows: only facts dated before it are seen",
        description: "Text in ISO 8601. `period.status` says whether the period was over by then.",
        example: Example { rows: &[], template: "As of {{ as_of | date }}", page: "As of 1 October 2026" },
        related: &["period", "date"],
        ..PAGE
    },
    Page {
        name: "language",
        section: Section::Variables,
        syntax: "language",
        summary: "The language of the page, as its tag",
        description: "Text that differs by language belongs into `phrases.yml`, under one key for all languages.",
        example: Example { rows: &[], template: "{{ language }}", page: "en" },
        related: &["t"],
        ..PAGE
    },
    Page {
        name: "currency",
        section: Section::Variables,
        syntax: "currency",
        summary: "The currency of the project, as the language names it beside a table",
        description: "`EUR` in English, `欧元` in Chinese. The filter `amount` writes an amount with its currency.",
        example: Example { rows: &[], template: "Revenue in {{ currency }}", page: "Revenue in EUR" },
        related: &["amount"],
        ..PAGE
    },
    Page {
        name: "company",
        section: Section::Variables,
        syntax: "company",
        summary: "The name of the project",
        description: "The `name` in perennial.yml.",
        example: Example { rows: &[], template: "{{ company }}", page: "Verdant" },
        related: &["vars"],
        ..PAGE
    },
    Page {
        name: "vars",
        section: Section::Variables,
        syntax: "vars.name",
        summary: "The variables of the project",
        description: "`vars` in perennial.yml, and `--vars` of the command line over them. In the SQL of a query they are \
                      `{{ var('name') }}`.",
        example: Example {
            rows: &[],
            template: "Silent for {{ vars.overdue_ratio | default(3) }} times the usual gap",
            page: "Silent for 3 times the usual gap",
        },
        related: &["queries", "company"],
        ..PAGE
    },
    Page {
        name: "params",
        section: Section::Variables,
        syntax: "params.name",
        summary: "The values that a page for one row of parameters is about",
        description: "The names are those of `parameters` in the header; all of them are none on the page of the report as a \
                      whole. Where a delivery has `for_each`, every row of its query is a page: the queries of the report run \
                      once, the rows of those that have a parameter as a column go to the page with their value, and all \
                      other queries are the same on every page. Values are text and compared as they are; NULL is a value of \
                      its own. The title in the header may name them: `title: \"Sales{% if params.region %} in {{ \
                      params.region }}{% endif %}\"`.",
        example: Example {
            rows: &[("orders", "orders\n10")],
            template: "{% if params.region %}{{ params.region }}{% else %}All regions{% endif %}: {{ orders[0].orders | integer }}",
            page: "All regions: 10",
        },
        related: &["header", "queries"],
        ..PAGE
    },
    Page {
        name: "formats",
        section: Section::Formats,
        syntax: "format='percent'",
        summary: "How columns of tables and figures of charts are written",
        arguments: &FORMAT_ARGUMENTS,
        description: "Without a format a column of numbers has the decimal places of its values, at most four; a column of \
                      dates is written as dates; anything else is text. Figures in a picture have three significant digits, \
                      those in the table below it are in full.",
        example: Example {
            rows: &[("shares", "region | share\nnorth | 0.57\nsouth | 0.031")],
            template: "{{ table(shares, columns=[{'key': 'region', 'label': 'Region'}, {'key': 'share', 'label': 'Share', \
                       'format': 'percent'}]) }}",
            page: "Region | Share\nnorth | 57.0\u{202f}%\nsouth | 3.1\u{202f}%",
        },
        related: &["table", "columns", "bars"],
        ..PAGE
    },
];

/// Formats as the manual lists them.
const FORMAT_ARGUMENTS: [Argument; super::formats::FORMATS.len()] = {
    let mut all = [Argument::optional("", Kind::Any, "", ""); super::formats::FORMATS.len()];
    let mut i = 0;
    while i < all.len() {
        all[i] = Argument::optional(super::formats::FORMATS[i].0, Kind::Any, "", super::formats::FORMATS[i].2);
        i += 1;
    }
    all
};
