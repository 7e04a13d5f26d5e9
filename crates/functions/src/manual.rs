//! The list's entries, and the pages of the manual.
//!
//! The page of a function is its file in `docs/functions`; what `perennial functions NAME` prints is read from it.

use crate::constants::{ConstantProblem, Constants, Rule};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

/// The text of a function's page, by the function's name.
macro_rules! page {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/functions/", $name, ".md"))
    };
}

pub(crate) use page;

/// One function: how it is made, and what is known of it before it is called.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// The name in SQL.
    pub name: &'static str,
    /// The chapter of the manual.
    pub section: Section,
    /// Makes it for a session.
    pub kind: Kind,
    page: &'static str,
    rule: Option<Rule>,
}

/// How a function is called.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// One row in, one value out.
    Scalar(fn() -> ScalarUDF),
    /// Many rows in, one value out; `GROUP BY` and `OVER` work.
    Aggregate(fn() -> AggregateUDF),
    /// Rows in an order; only with `OVER`.
    Window(fn() -> WindowUDF),
}

/// Chapters of the manual, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// From purchases to the input of models.
    Input,
    /// Aggregates that fit a model.
    Fits,
    /// Scalar functions that predict from a fit.
    Predictions,
    /// How long customers stay.
    Retention,
    /// How good a score or a model is.
    Evaluation,
    /// Working days and opening hours.
    WorkingTime,
    /// Calendar, text, ordering, sums.
    General,
}

/// A page of the manual. Text is Markdown, a formula is plain text in backquotes.
#[derive(Debug, Default, PartialEq)]
pub struct Page {
    /// The heading: the name of the function.
    pub title: &'static str,
    /// One sentence without a full stop at the end.
    pub summary: String,
    /// The kind of the function, as the page says it.
    pub kind: String,
    /// How it is called, optional arguments in brackets, a line for each way: `p_alive(fit, frequency, recency, age)`.
    pub syntax: &'static str,
    /// What it does, with the equation where there is one.
    pub description: String,
    /// Name, and type, unit and meaning of every argument.
    pub arguments: Vec<(String, String)>,
    /// Type, unit and meaning of the answer; fields of a struct one by one; what gives NULL.
    pub returns: String,
    /// Queries with their answers, run as tests. The first is the one to begin with.
    pub examples: Vec<Example>,
    /// When not to use it, what is an error, what the answer cannot say.
    pub limits: Vec<String>,
    /// Papers with the numbers of the equations used; empty where there is nothing to cite.
    pub sources: Vec<String>,
    /// Names of functions to read next.
    pub related: Vec<String>,
}

/// A query and its answer.
#[derive(Debug, Default, PartialEq)]
pub struct Example {
    /// A self-contained query.
    pub sql: &'static str,
    /// The answer: names of the columns, then the rows; cells separated by ` | `, NULL as `NULL`.
    pub answer: &'static str,
}

impl Function {
    /// A function of one row.
    pub(crate) const fn scalar(
        name: &'static str,
        section: Section,
        page: &'static str,
        make: fn() -> ScalarUDF,
    ) -> Function {
        Function { name, section, kind: Kind::Scalar(make), page, rule: None }
    }

    /// A function of many rows.
    pub(crate) const fn aggregate(
        name: &'static str,
        section: Section,
        page: &'static str,
        make: fn() -> AggregateUDF,
    ) -> Function {
        Function { name, section, kind: Kind::Aggregate(make), page, rule: None }
    }

    /// A function of rows in an order.
    pub(crate) const fn window(
        name: &'static str,
        section: Section,
        page: &'static str,
        make: fn() -> WindowUDF,
    ) -> Function {
        Function { name, section, kind: Kind::Window(make), page, rule: None }
    }

    /// The same with a rule for its constant arguments.
    pub(crate) const fn with_rule(self, rule: Rule) -> Function {
        Function { rule: Some(rule), ..self }
    }

    /// Its page of the manual.
    pub fn page(&self) -> Page {
        Page::parse(self.page)
    }

    /// Names it can be called by besides [`Function::name`].
    pub fn other_names(&self) -> Vec<String> {
        match self.kind {
            Kind::Scalar(make) => make().aliases().to_vec(),
            Kind::Aggregate(make) => make().aliases().to_vec(),
            Kind::Window(make) => make().aliases().to_vec(),
        }
    }

    /// Checks the constant arguments of a call, by position; `None` stands for an argument that is not constant.
    pub fn check_constants(&self, arguments: &[Option<ScalarValue>]) -> Result<(), ConstantProblem> {
        self.rule.map_or(Ok(()), |rule| rule(&Constants::new(arguments)))
    }
}

impl Kind {
    /// The kind as a word: `scalar`, `aggregate`, `window`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Scalar(_) => "scalar",
            Kind::Aggregate(_) => "aggregate",
            Kind::Window(_) => "window",
        }
    }
}

impl Section {
    /// The heading of the chapter.
    pub fn title(self) -> &'static str {
        match self {
            Section::Input => "From purchases to the input of models",
            Section::Fits => "Fitting a model",
            Section::Predictions => "Predicting from a fit",
            Section::Retention => "Retention",
            Section::Evaluation => "Evaluating scores and models",
            Section::WorkingTime => "Working days and opening hours",
            Section::General => "Calendar, text, order, sums",
        }
    }
}

/// A part of a page.
enum Block {
    Heading(&'static str),
    /// The text between two fences.
    Code(&'static str),
    Item(String),
    Paragraph(String),
}

impl Page {
    /// Reads a page: name, summary and kind, syntax and description, then `Arguments`, `Returns`, `Examples`, `Limits`
    /// and `Sources`, and what to see also.
    fn parse(text: &'static str) -> Page {
        let mut page = Page::default();
        let mut heading = "";
        for block in blocks(text) {
            match (heading, block) {
                ("", Block::Heading(title)) => (heading, page.title) = (title, title),
                (_, Block::Heading(title)) => heading = title,
                (_, Block::Paragraph(line)) if line.starts_with("See also ") => {
                    page.related =
                        line.split('[').skip(1).filter_map(|link| Some(link.split_once(']')?.0.into())).collect();
                }
                ("Arguments", Block::Item(item)) => page.arguments.extend(argument(&item)),
                ("Returns", Block::Paragraph(line)) => append(&mut page.returns, &line),
                ("Examples", Block::Code(code)) => match page.examples.last_mut() {
                    Some(example) if example.answer.is_empty() => example.answer = code,
                    _ => page.examples.push(Example { sql: code, answer: "" }),
                },
                ("Limits", Block::Item(item)) => page.limits.push(item),
                ("Sources", Block::Item(item)) => page.sources.push(item),
                (_, Block::Code(code)) => page.syntax = code,
                (_, Block::Paragraph(line)) if page.summary.is_empty() => {
                    let kind = line.rsplit_once(". (").and_then(|(_, kind)| kind.strip_suffix(" function)"));
                    page.kind = kind.unwrap_or_default().into();
                    page.summary = line.rsplit_once(". (").map_or(line.as_str(), |(summary, _)| summary).into();
                }
                (_, Block::Paragraph(text) | Block::Item(text)) => append(&mut page.description, &text),
            }
        }
        page
    }

    /// How it is called, where there are several ways each in backquotes.
    pub fn call(&self) -> String {
        self.syntax.lines().map(|line| format!("`{line}`")).collect::<Vec<_>>().join(" or ")
    }
}

/// The parts of a page. Lines of a paragraph or an item are joined.
fn blocks(text: &'static str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut rest = text;
    // Whether the line continues the block before it.
    let mut is_open = false;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = after;
        let continues = std::mem::replace(&mut is_open, !line.is_empty());
        if line.starts_with("```") {
            let (code, after) = rest.split_once("\n```").unwrap_or((rest, ""));
            blocks.push(Block::Code(code));
            (rest, is_open) = (after.split_once('\n').map_or("", |(_, after)| after), false);
        } else if line.starts_with('#') {
            blocks.push(Block::Heading(line.trim_start_matches('#').trim()));
            is_open = false;
        } else if let Some(item) = line.strip_prefix("- ") {
            blocks.push(Block::Item(item.into()));
        } else if !line.is_empty() {
            match blocks.last_mut() {
                Some(Block::Item(open) | Block::Paragraph(open)) if continues => {
                    open.push(' ');
                    open.push_str(line.trim());
                }
                _ => blocks.push(Block::Paragraph(line.into())),
            }
        }
    }
    blocks
}

/// `` `name`: meaning `` in two parts.
fn argument(item: &str) -> Option<(String, String)> {
    let (name, meaning) = item.strip_prefix('`')?.split_once("`: ")?;
    Some((name.into(), meaning.into()))
}

/// Adds a paragraph.
fn append(text: &mut String, paragraph: &str) {
    if !text.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(paragraph);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_part_by_part() {
        let page = Page::parse(
            "# twice\n\nDoubles a\nnumber. (scalar function)\n\n```sql\ntwice(x)\ntwice(x, y)\n```\n\nFirst\nparagraph.\n\n\
             Second.\n\n## Arguments\n\n- `x`: a number,\n  any\n- `y`: another\n\n## Returns\n\nTwice\n`x`.\n\n\
             ## Examples\n\n```sql\nSELECT\n  twice(1)\n```\n```text\na | b\n1 | 2\n```\n\n## Limits\n\n- None.\n\n\
             ## Sources\n\n- Euclid\n\nSee also [half](half.md), [thrice](thrice.md).\n",
        );
        let expected = Page {
            title: "twice",
            summary: "Doubles a number".into(),
            kind: "scalar".into(),
            syntax: "twice(x)\ntwice(x, y)",
            description: "First paragraph.\n\nSecond.".into(),
            arguments: vec![("x".into(), "a number, any".into()), ("y".into(), "another".into())],
            returns: "Twice `x`.".into(),
            examples: vec![Example { sql: "SELECT\n  twice(1)", answer: "a | b\n1 | 2" }],
            limits: vec!["None.".into()],
            sources: vec!["Euclid".into()],
            related: vec!["half".into(), "thrice".into()],
        };
        assert_eq!(page, expected);
        assert_eq!(page.call(), "`twice(x)` or `twice(x, y)`");
    }
}
