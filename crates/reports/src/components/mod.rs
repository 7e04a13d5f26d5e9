//! The components of templates: functions that become parts of the page. Charts have a list of their own.

mod change;
mod headlines;
mod table;

use super::blocks::{Block, Inline, plain};
use super::call::Call;
use super::canvas::{Canvas, Component, runs};
use super::charts::retention_triangle;
use super::data::invalid;
use super::language::data;
use super::manual::{Argument, Example, Kind, PAGE, Page, Section};
use minijinja::value::{Kwargs, Rest, Value};
use minijinja::{Environment, Error};
use std::sync::Arc;

/// Every component.
pub(crate) static COMPONENTS: &[Component] = &[
    VERDICT,
    headlines::HEADLINES,
    table::TABLE,
    PHRASE,
    change::CHANGE,
    NOTE,
    CALLOUT,
    PAGE_BREAK,
    retention_triangle::MEANS,
    FOOTER,
];

/// What a component was called before, still understood.
pub(crate) const FORMER_NAMES: &[(&str, &str)] = &[("foot", "footer")];

/// Adds them to an environment.
pub(crate) fn register(env: &mut Environment<'static>, canvas: &Arc<Canvas>) {
    for component in COMPONENTS {
        let names = FORMER_NAMES.iter().filter(|(_, now)| *now == component.page.name).map(|(former, _)| *former);
        for name in names.chain([component.page.name]) {
            let canvas = canvas.clone();
            env.add_function(name, move |values: Rest<Value>, with: Kwargs| {
                (component.call)(&canvas, &Call::new(&component.page, values.0, with)?)
            });
        }
    }
}

const VERDICT: Component = Component {
    page: Page {
        name: "verdict",
        section: Section::Components,
        syntax: "verdict(sentences)",
        summary: "What happened, in one or two sentences: the beginning of the page",
        arguments: &[Argument::value("sentences", Kind::Any, "a sentence, or a list of them in order of weight")],
        description: "Sentences that are none or empty are left out. The index of all reports shows the verdict.",
        example: Example {
            rows: &[("months", "period | revenue\n2026-09-01 | 1060123.45")],
            template: "{{ verdict([period.title ~ ': revenue ' ~ (months[0].revenue | amount) ~ '.', none]) }}",
            page: "September 2026: revenue EUR\u{202f}1.06\u{202f}M.",
        },
        related: &["headlines", "t", "amount"],
        ..PAGE
    },
    call: |canvas, call| {
        let given = call.value(0);
        let sentences: Vec<Value> = match given.as_str() {
            Some(_) => vec![given],
            None => given.try_iter()?.collect(),
        };
        let gap = &data(canvas.book.language()).text.sentence;
        let mut all: Vec<Inline> = Vec::new();
        for sentence in sentences {
            let more = runs(&sentence);
            if plain(&more).trim().is_empty() {
                continue;
            }
            if !all.is_empty() && !gap.is_empty() {
                all.push(Inline::Text(gap.clone()));
            }
            all.extend(more);
        }
        canvas.draft()?.verdict = plain(&all);
        canvas.put(Block::Verdict(all))
    },
};

const PHRASE: Component = Component {
    page: Page {
        name: "t",
        section: Section::Components,
        syntax: "t('key', name=value, ...)",
        summary: "A phrase in the language of the page",
        arguments: &[Argument::value("key", Kind::Text, "its key in `phrases.yml`")],
        takes_any: true,
        description: "Phrases are looked for in the report's `phrases.yml`, then in that of `shared/`, then among those that \
                      pages have by themselves (`customers`, `total`, `tier_key` and so on). A phrase is minijinja and Markdown; \
                      it knows what it is given by name, `language` and `currency`, all filters and all functions. It must have \
                      a text in every language of the report: `orders: {en: Orders, zh-CN: 订单数}`. Plurals are an `if`: \
                      `{{ n | integer }} order{{ '' if n == 1 else 's' }}`.",
        example: Example { rows: &[], template: "{{ t('customers') }}", page: "Customers" },
        related: &["header", "language"],
        ..PAGE
    },
    call: |canvas, call| {
        let mut pairs = Vec::new();
        for name in call.names() {
            pairs.push((name.clone(), call.keyword(&name)?.unwrap_or(Value::from(()))));
        }
        let key = call.value(0).to_string();
        canvas.book.render(&key, Value::from_pairs(pairs)).map(Value::from_safe_string)
    },
};

const NOTE: Component = Component {
    page: Page {
        name: "note",
        section: Section::Components,
        syntax: "note(text)",
        summary: "A quiet line",
        arguments: &[Argument::value("text", Kind::Text, "unit, period, rule, rows counted")],
        description: "Charts and tables have one of their own: `note=`.",
        example: Example { rows: &[], template: "{{ note('Revenue in EUR') }}", page: "Revenue in EUR" },
        related: &["callout", "table"],
        ..PAGE
    },
    call: |canvas, call| canvas.put(Block::Note(runs(&call.value(0)))),
};

const CALLOUT: Component = Component {
    page: Page {
        name: "callout",
        section: Section::Components,
        syntax: "callout(head, text)",
        summary: "A paragraph set apart",
        arguments: &[
            Argument::value("head", Kind::Text, "a word or two"),
            Argument::value("text", Kind::Text, "what readers must not miss"),
        ],
        description: "One to a page; with more of them nothing is set apart.",
        example: Example {
            rows: &[],
            template: "{{ callout('Note', 'September has one working day less.') }}",
            page: "Note: September has one working day less.",
        },
        related: &["note"],
        ..PAGE
    },
    call: |canvas, call| canvas.put(Block::Callout(runs(&call.value(0)), runs(&call.value(1)))),
};

const PAGE_BREAK: Component = Component {
    page: Page {
        name: "page_break",
        section: Section::Components,
        syntax: "page_break()",
        summary: "The printed page ends here",
        description: "Nothing happens on a screen. Tables and pictures are kept together without it.",
        example: Example {
            rows: &[],
            template: "Summary\n\n{{ page_break() }}\n\nDetails",
            page: "Summary\n\nDetails",
        },
        ..PAGE
    },
    call: |canvas, _| canvas.put(Block::PageBreak),
};

const FOOTER: Component = Component {
    page: Page {
        name: "footer",
        section: Section::Components,
        syntax: "footer()",
        summary: "What the page is based on: business date, release, run, tests, sources, changes since the last edition",
        description: "Every report ends with it. Changes since the last edition are those of the figures in `headlines`.",
        example: Example {
            rows: &[],
            template: "{{ footer() }}",
            page: "## What this page is based on\n\nAs of: 1 October 2026\nPeriod: September 2026, closed\nEdition: 1\nRelease: \
                   7\nRun: 20261001T021409-3f9a\nTests: 118 passed, 0 warned\n\n### Changes since the last edition\n\nThis is \
                   the first edition of this period.",
        },
        related: &["headlines", "as_of"],
        ..PAGE
    },
    call: |canvas, _| {
        let blocks = {
            let draft = canvas.draft()?;
            super::footer::blocks(&canvas.book, &canvas.footer, &canvas.edition, &draft.figures)?
        };
        canvas.put(Block::Footer(blocks))
    },
};

/// A value that must be a list.
fn list(value: &Value, what: &str) -> Result<Vec<Value>, Error> {
    if value.as_str().is_some() || value.is_number() {
        return Err(invalid(format!("{what} is a list, not `{value}`")));
    }
    Ok(value.try_iter()?.collect())
}
