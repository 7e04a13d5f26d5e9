//! What a page of the manual says, and the page as Markdown.

use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use std::fmt::Write;

/// Columns of a query on a page.
pub const WIDTH: usize = 96;

/// One function: how it is made and what the manual says of it.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Makes it for a session.
    pub kind: Kind,
    /// Its page.
    pub page: &'static Page,
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
    Judging,
    /// Calendar, text, ordering, sums.
    General,
}

/// A page of the manual. Text is Markdown, a formula is plain text in backquotes.
#[derive(Debug)]
pub struct Page {
    /// The name in SQL.
    pub name: &'static str,
    /// The chapter.
    pub section: Section,
    /// How it is called, optional arguments in brackets: `p_alive(fit, frequency, recency, age)`.
    pub syntax: &'static str,
    /// One sentence without a full stop at the end.
    pub summary: &'static str,
    /// Name, and type, unit and meaning of every argument.
    pub arguments: &'static [(&'static str, &'static str)],
    /// Type, unit and meaning of the answer; fields of a struct one by one; what gives NULL.
    pub returns: &'static str,
    /// What it does, with the equation where there is one.
    pub description: &'static str,
    /// Papers with the numbers of the equations used; empty where there is nothing to cite.
    pub sources: &'static [&'static str],
    /// Queries with their answers, run as tests. The first is the one to begin with.
    pub examples: &'static [Example],
    /// When not to use it, what is an error, what the answer cannot say.
    pub limits: &'static [&'static str],
    /// Names of functions to read next.
    pub related: &'static [&'static str],
}

/// A query and its answer.
#[derive(Debug)]
pub struct Example {
    /// A query that stands by itself.
    pub sql: &'static str,
    /// The answer: names of the columns, then the rows; cells separated by ` | `, NULL as `NULL`.
    pub answer: &'static str,
}

impl Page {
    /// How it is called, where there are several ways each in back quotes.
    pub fn call(&self) -> String {
        self.syntax.lines().map(|line| format!("`{line}`")).collect::<Vec<_>>().join(" or ")
    }
}

impl Example {
    /// The query in lines of at most `width` characters where blanks outside quotes allow it.
    pub fn folded(&self, width: usize) -> String {
        let mut text = String::new();
        for line in self.sql.lines() {
            // A line with a comment stands as it is.
            let is_folded = !line.contains("--");
            let (mut length, mut is_quoted) = (0, false);
            for (i, word) in line.split(' ').enumerate() {
                let may_break = i > 0 && is_folded && !is_quoted && length + 1 + word.len() > width;
                match i {
                    0 => {}
                    _ if may_break => text.push_str("\n    "),
                    _ => text.push(' '),
                }
                length = if may_break { 4 + word.len() } else { length + usize::from(i > 0) + word.len() };
                is_quoted ^= word.matches('\'').count() % 2 == 1;
                text.push_str(word);
            }
            text.push('\n');
        }
        text.trim_end().to_string()
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
            Section::Judging => "Judging scores and models",
            Section::General => "Calendar, text, order, sums",
        }
    }
}

impl Kind {
    /// The kind as a word: `scalar`, `aggregate`, `window`.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Scalar(_) => "scalar",
            Kind::Aggregate(_) => "aggregate",
            Kind::Window(_) => "window",
        }
    }
}

/// All functions by chapter, as Markdown that links their pages.
pub fn index(functions: &[Function]) -> String {
    let mut text = String::from(
        "# SQL functions of perennial\n\nBeside those of Apache DataFusion. `perennial functions NAME` prints a page. \
         These pages are generated\nfrom the code; every example is run as a test.\n",
    );
    let mut chapter = None;
    for function in functions {
        let page = function.page;
        if chapter != Some(page.section) {
            chapter = Some(page.section);
            // Writing into a String cannot fail.
            let _ =
                write!(text, "\n## {}\n\n| function | kind | what it gives |\n|---|---|---|\n", page.section.title());
        }
        let _ = writeln!(text, "| [{0}]({0}.md) | {1} | {2} |", page.name, function.kind.word(), page.summary);
    }
    text
}

impl Function {
    /// Names it can be called by beside the one of its page.
    pub fn other_names(&self) -> Vec<String> {
        match self.kind {
            Kind::Scalar(make) => make().aliases().to_vec(),
            Kind::Aggregate(make) => make().aliases().to_vec(),
            Kind::Window(make) => make().aliases().to_vec(),
        }
    }

    /// The page as Markdown.
    pub fn markdown(&self) -> String {
        let page = self.page;
        let mut text = format!("# {}\n\n{}. ({} function)\n\n", page.name, page.summary, self.kind.word());
        // Writing into a String cannot fail.
        let _ = write!(text, "```sql\n{}\n```\n\n{}\n\n## Arguments\n\n", page.syntax, page.description);
        for (name, meaning) in page.arguments {
            let _ = writeln!(text, "- `{name}`: {meaning}");
        }
        let _ = write!(text, "\n## Answer\n\n{}\n\n## Examples\n", page.returns);
        for example in page.examples {
            let _ = write!(text, "\n```sql\n{}\n```\n```text\n{}\n```\n", example.folded(WIDTH), example.answer);
        }
        for (title, lines) in [("Limits", page.limits), ("Sources", page.sources)] {
            if !lines.is_empty() {
                let _ = writeln!(text, "\n## {title}\n");
            }
            for line in lines {
                let _ = writeln!(text, "- {line}");
            }
        }
        if !page.related.is_empty() {
            let names: Vec<_> = page.related.iter().map(|name| format!("[{name}]({name}.md)")).collect();
            let _ = write!(text, "\nSee also {}.\n", names.join(", "));
        }
        text
    }
}
