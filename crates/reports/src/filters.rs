//! Filters that write figures and dates as the page's language does.

use super::data::{day, given};
use super::decimal::Decimal;
use super::manual::{Example, PAGE, Page, Section};
use super::number::{self, Sign};
use super::setting::Setting;
use jiff::civil::Date;
use minijinja::value::Value;
use minijinja::{Environment, Error};
use perennial_project::Language;

/// A filter of templates and phrases.
pub(crate) struct Filter {
    pub page: Page,
    apply: fn(&Setting, &Value) -> Result<Value, Error>,
}

/// Every filter of ours; those of minijinja work as well.
pub(crate) static FILTERS: &[Filter] = &[
    Filter {
        page: filter(
            "short",
            "figure | short",
            "A figure in three significant digits, with the language's large units",
            "For sentences and titles. Tables have figures in full.",
            "{{ 1060123.45 | short }}, {{ 8512 | short }}, {{ 312 | short }}",
            "1.06\u{202f}M, 8.51\u{202f}k, 312",
            &["amount", "short_signed", "integer"],
        ),
        apply: |setting, value| figure(value, |n| number::short(n, setting.language, Sign::Minus)),
    },
    Filter {
        page: filter(
            "short_signed",
            "figure | short_signed",
            "The same with a plus before gains",
            "For differences: what rose and what fell reads without colour.",
            "{{ 1200 | short_signed }}, {{ (-42049) | short_signed }}",
            "+1.20\u{202f}k, \u{2212}42.0\u{202f}k",
            &["short"],
        ),
        apply: |setting, value| figure(value, |n| number::short(n, setting.language, Sign::Both)),
    },
    Filter {
        page: filter(
            "amount",
            "figure | amount",
            "An amount in three significant digits with its currency",
            "The currency is the project's. Name it once in a section, not at every figure.",
            "{{ 1060123.45 | amount }}",
            "EUR\u{202f}1.06\u{202f}M",
            &["short", "currency"],
        ),
        apply: |setting, value| figure(value, |n| number::amount(n, &setting.currency, setting.language)),
    },
    Filter {
        page: filter(
            "integer",
            "figure | integer",
            "A whole number in full",
            "Rounded half away from zero.",
            "{{ 1234.5 | integer }}",
            "1,235",
            &["full", "cents"],
        ),
        apply: |setting, value| figure(value, |n| number::integer(n, setting.language)),
    },
    Filter {
        page: filter(
            "decimal1",
            "figure | decimal1",
            "A number with one decimal place",
            "For averages. Rounded half away from zero.",
            "{{ 36.5833 | decimal1 }}",
            "36.6",
            &["integer", "cents"],
        ),
        apply: |setting, value| figure(value, |n| number::full(n, 1, Sign::Minus, setting.language)),
    },
    Filter {
        page: filter(
            "full",
            "figure | full",
            "The same as `integer`, for amounts",
            "An amount in whole units of the currency.",
            "{{ 1060123.45 | full }}",
            "1,060,123",
            &["cents", "amount"],
        ),
        apply: |setting, value| figure(value, |n| number::integer(n, setting.language)),
    },
    Filter {
        page: filter(
            "cents",
            "figure | cents",
            "An amount in full with two decimal places",
            "Rounded half away from zero, once.",
            "{{ 1060123.455 | cents }}",
            "1,060,123.46",
            &["full"],
        ),
        apply: |setting, value| figure(value, |n| number::full(n, 2, Sign::Minus, setting.language)),
    },
    Filter {
        page: filter(
            "percent",
            "share | percent",
            "A share between 0 and 1 as per cent with one digit",
            "`ratio(part, whole) | percent` is exact.",
            "{{ 0.0305 | percent }}",
            "3.1\u{202f}%",
            &["ratio", "percent_signed"],
        ),
        apply: |setting, value| figure(value, |n| number::percent(n, setting.language, Sign::Minus)),
    },
    Filter {
        page: filter(
            "percent_signed",
            "share | percent_signed",
            "The same with a plus above zero",
            "For changes. `change` writes a whole clause.",
            "{{ 0.12 | percent_signed }}, {{ (-0.031) | percent_signed }}",
            "+12.0\u{202f}%, \u{2212}3.1\u{202f}%",
            &["change", "percent"],
        ),
        apply: |setting, value| figure(value, |n| number::percent(n, setting.language, Sign::Both)),
    },
    Filter {
        page: filter(
            "absolute",
            "figure | absolute",
            "A figure without its sign",
            "For sentences that say in words which way it went: `fell by {{ change | absolute | short }}`.",
            "{{ (-42049) | absolute | short }}",
            "42.0\u{202f}k",
            &["sign"],
        ),
        apply: |_, value| given(value).map(|n| Value::from_object(n.abs())),
    },
    Filter {
        page: filter(
            "date",
            "day | date",
            "A date as the language writes it",
            "An instant is cut into days in the time zone of the project; a timestamp without a zone, as `date_trunc` gives \
             it, is calendar time and is not shifted.",
            "{{ '2026-09-30' | date }}",
            "30 September 2026",
            &["month", "as_of"],
        ),
        apply: |setting, value| dated(setting, value, number::date),
    },
    Filter {
        page: filter(
            "month",
            "day | month",
            "The month of a date, with its year",
            "As `date`.",
            "{{ period.start | month }}",
            "September 2026",
            &["month_short", "month_name", "period"],
        ),
        apply: |setting, value| dated(setting, value, number::month),
    },
    Filter {
        page: filter(
            "month_short",
            "day | month_short",
            "The month of a date, short, with its year",
            "As `date`.",
            "{{ period.start | month_short }}",
            "Sep 2026",
            &["month"],
        ),
        apply: |setting, value| dated(setting, value, number::month_short),
    },
    Filter {
        page: filter(
            "month_name",
            "day | month_name",
            "The month of a date, without its year",
            "As `date`.",
            "{{ period.before | month_name }}",
            "August",
            &["month"],
        ),
        apply: |setting, value| dated(setting, value, number::month_name),
    },
];

const fn filter(
    name: &'static str,
    syntax: &'static str,
    summary: &'static str,
    description: &'static str,
    template: &'static str,
    page: &'static str,
    related: &'static [&'static str],
) -> Page {
    let example = Example { rows: &[], template, page };
    Page { name, section: Section::Filters, syntax, summary, description, example, related, ..PAGE }
}

fn figure(value: &Value, write: impl Fn(Decimal) -> String) -> Result<Value, Error> {
    given(value).map(|number| Value::from(write(number)))
}

fn dated(setting: &Setting, value: &Value, write: fn(Date, Language) -> String) -> Result<Value, Error> {
    day(value, &setting.zone).map(|day| Value::from(write(day, setting.language)))
}

/// Adds them to an environment.
pub(crate) fn register(env: &mut Environment<'static>, setting: &Setting) {
    for filter in FILTERS {
        let setting = setting.clone();
        env.add_filter(filter.page.name, move |value: &Value| (filter.apply)(&setting, value));
    }
}

/// Names of all of them.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FILTERS.iter().map(|filter| filter.page.name)
}
