//! Functions that give values: exact sums and shares, and rows picked by their columns. Templates and phrases have them.

use super::call::{Call, attribute};
use super::data::number;
use super::decimal::Decimal;
use super::manual::{Argument, Example, Kind, PAGE, Page, Section};
use minijinja::value::{Kwargs, Rest, Value};
use minijinja::{Environment, Error};

/// A function of templates and phrases.
pub(crate) struct Function {
    pub page: Page,
    call: fn(&Call) -> Result<Value, Error>,
}

const TWO: &[Argument] =
    &[Argument::value("a", Kind::Number, "a figure"), Argument::value("b", Kind::Number, "another figure")];
const MONTHS: (&str, &str) =
    ("months", "period | revenue | orders\n2026-08-01 | 1000.00 | 8\n2026-09-01 | 1200.50 | 10");

/// Every function.
pub(crate) static FUNCTIONS: &[Function] = &[
    Function {
        page: Page {
            name: "pick",
            section: Section::Functions,
            syntax: "pick(rows, column=value, ...)",
            summary: "The first row whose columns have these values, or none",
            arguments: &[Argument::value("rows", Kind::Rows, "rows of a query")],
            takes_any: true,
            description: "Ask `{% if row %}` before its columns: a period may have no row.",
            example: Example {
                rows: &[MONTHS],
                template: "Revenue was {{ pick(months, period=period.start).revenue | cents }}.",
                page: "Revenue was 1,200.50.",
            },
            related: &["total", "period"],
            ..PAGE
        },
        call: |call| {
            let mut wanted = Vec::new();
            for name in call.names() {
                wanted.push((call.keyword(&name)?.unwrap_or(Value::from(())), name));
            }
            for row in call.rows()? {
                let mut is_wanted = true;
                for (value, name) in &wanted {
                    is_wanted &= attribute(&row, name)? == *value;
                }
                if is_wanted {
                    return Ok(row);
                }
            }
            Ok(Value::from(()))
        },
    },
    Function {
        page: Page {
            name: "total",
            section: Section::Functions,
            syntax: "total(rows, 'column')",
            summary: "The sum of a column, exact; NULL counts as zero",
            arguments: &[
                Argument::value("rows", Kind::Rows, "rows of a query"),
                Argument::value("column", Kind::NumberColumn, "the column"),
            ],
            description: "Templates may not add floating-point numbers; this adds decimals.",
            example: Example { rows: &[MONTHS], template: "{{ total(months, 'revenue') | cents }}", page: "2,200.50" },
            related: &["plus", "ratio"],
            ..PAGE
        },
        call: |call| {
            let column = call.value(1).to_string();
            let mut sum = Decimal::default();
            for row in call.rows()? {
                sum = sum.plus(number(&attribute(&row, &column)?).unwrap_or_default());
            }
            Ok(Value::from_object(sum))
        },
    },
    Function {
        page: Page {
            name: "series",
            section: Section::Functions,
            syntax: "series(rows, x='period', y='revenue')",
            summary: "A column as a list of figures in the order of time",
            arguments: &[
                Argument::value("rows", Kind::Rows, "rows of a query, in any order"),
                Argument::required("x", Kind::DateColumn, "the column with the time"),
                Argument::required("y", Kind::NumberColumn, "the column of figures"),
            ],
            description: "For `series` of `headlines`, whose last point is the figure beside it.",
            example: Example {
                rows: &[("months", "period | orders\n2026-09-01 | 10\n2026-08-01 | 8")],
                template: "{{ series(months, x='period', y='orders') | join(', ') }}",
                page: "8, 10",
            },
            related: &["headlines", "columns"],
            ..PAGE
        },
        call: |call| {
            let (x, y) = (call.required("x")?, call.required("y")?);
            let mut points = Vec::new();
            for row in call.rows()? {
                points.push((attribute(&row, &x)?, attribute(&row, &y)?));
            }
            points.sort_by(|a, b| a.0.cmp(&b.0));
            Ok(points.into_iter().map(|(_, figure)| figure).collect())
        },
    },
    Function {
        page: Page {
            name: "plus",
            section: Section::Functions,
            syntax: "plus(a, b)",
            summary: "The sum of two figures, exact; none where one is not known",
            arguments: TWO,
            description: "`+` adds floating-point numbers and is refused for decimals.",
            example: Example { rows: &[], template: "{{ plus(0.1, 0.2) | cents }}", page: "0.30" },
            related: &["minus", "total"],
            ..PAGE
        },
        call: |call| Ok(of_two(call, |a, b| Some(a.plus(b)))),
    },
    Function {
        page: Page {
            name: "minus",
            section: Section::Functions,
            syntax: "minus(a, b)",
            summary: "The difference of two figures, exact; none where one is not known",
            arguments: TWO,
            description: "As `plus`.",
            example: Example { rows: &[], template: "{{ minus(1200, 1000) | short_signed }}", page: "+200" },
            related: &["plus", "change"],
            ..PAGE
        },
        call: |call| Ok(of_two(call, |a, b| Some(a.minus(b)))),
    },
    Function {
        page: Page {
            name: "ratio",
            section: Section::Functions,
            syntax: "ratio(part, whole)",
            summary: "The quotient of two figures to nine places; none where one is not known or the second is zero",
            arguments: &[
                Argument::value("part", Kind::Number, "the dividend"),
                Argument::value("whole", Kind::Number, "the divisor"),
            ],
            description: "For shares: `ratio(part, whole) | percent`.",
            example: Example { rows: &[], template: "{{ ratio(1, 8) | percent }}", page: "12.5\u{202f}%" },
            related: &["percent", "total"],
            ..PAGE
        },
        call: |call| Ok(of_two(call, Decimal::over)),
    },
    Function {
        page: Page {
            name: "sign",
            section: Section::Functions,
            syntax: "sign(figure)",
            summary: "-1, 0 or 1; none where the figure is not known",
            arguments: &[Argument::value("figure", Kind::Number, "a figure")],
            description: "For words that depend on the direction.",
            example: Example {
                rows: &[],
                template: "Revenue {{ 'rose' if sign(minus(1200, 1000)) > 0 else 'fell' }}.",
                page: "Revenue rose.",
            },
            related: &["absolute"],
            ..PAGE
        },
        call: |call| Ok(number(&call.value(0)).map_or(Value::from(()), |n| Value::from(n.signum() as i64))),
    },
];

/// What comes of two figures; none where one of them is not known.
fn of_two(call: &Call, compute: impl Fn(Decimal, Decimal) -> Option<Decimal>) -> Value {
    let both = number(&call.value(0)).zip(number(&call.value(1)));
    both.and_then(|(a, b)| compute(a, b)).map_or(Value::from(()), Value::from_object)
}

/// Adds them to an environment.
pub(crate) fn register(env: &mut Environment<'static>) {
    for function in FUNCTIONS {
        env.add_function(function.page.name, move |values: Rest<Value>, with: Kwargs| {
            (function.call)(&Call::new(&function.page, values.0, with)?)
        });
    }
}
