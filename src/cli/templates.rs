//! `perennial templates`.

use super::output::Format;
use super::text::wrapped;
use super::{Context, Outcome, Output, Verb};
use perennial_core::error::{Error, Problems, Result, closest};
use perennial_reports::manual::{Argument, Kind, Page, Section};

/// Read the manual of report templates: charts, components, filters, variables
#[derive(clap::Args)]
pub(super) struct Templates {
    /// What to read about, as in `columns`
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Templates {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let pages = perennial_reports::pages();
        let chosen = self.name.as_deref().map(|name| find(&pages, name)).transpose()?;
        match (context.printer.format, chosen) {
            (Format::Text, None) => context.printer.line(list(&pages).trim_end())?,
            (Format::Text, Some(page)) => context.printer.line(page_text(page).trim_end())?,
            (Format::Json, None) => context.printer.json(&pages.iter().map(|page| summary(page)).collect())?,
            (Format::Json, Some(page)) => context.printer.json(&whole(page))?,
            (Format::Csv, None) => {
                let rows: Vec<Vec<String>> = pages.iter().map(|page| row(page)).collect();
                context.printer.csv(&["name", "chapter", "syntax", "summary"], &rows)?;
            }
            (Format::Csv, Some(page)) => {
                let rows: Vec<Vec<String>> = page.all_arguments().map(argument_row).collect();
                context.printer.csv(&["argument", "takes", "default", "meaning"], &rows)?;
            }
        }
        Ok(Outcome::Done)
    }
}

fn find(pages: &[&'static Page], name: &str) -> Result<&'static Page> {
    let wanted = name.trim().trim_end_matches("()").to_lowercase();
    pages.iter().copied().find(|page| page.name == wanted).ok_or_else(|| {
        let names: Vec<&str> = pages.iter().map(|page| page.name).collect();
        let near = closest(&wanted, &names).map(|near| format!("did you mean `{near}`?"));
        let all = "`perennial templates` lists them; minijinja documents its own filters and functions";
        Error::project(format!("templates have no `{name}`")).hint(near.unwrap_or_else(|| all.to_string()))
    })
}

fn list(pages: &[&Page]) -> String {
    let widest = pages.iter().map(|page| page.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    let mut chapter = None;
    for page in pages {
        if chapter != Some(page.section) {
            chapter = Some(page.section);
            text.push_str(&format!("\n{}\n", page.section.title()));
        }
        text.push_str(&wrapped(&format!("  {:widest$}  ", page.name), page.summary));
    }
    format!("{}\nRead one: perennial templates NAME\n", text.trim_start())
}

/// A page as text for the screen.
fn page_text(page: &Page) -> String {
    let indented =
        |text: &str| text.lines().map(|line| format!("  {line}").trim_end().to_string() + "\n").collect::<String>();
    let mut text = format!("{}\n\n{}", page.syntax, wrapped("", &format!("{}.", page.summary)));
    text.push_str(&format!("\n{}", wrapped("", page.description)));
    if !page.columns.is_empty() {
        text.push_str("\nRows\n");
        let widest = page.columns.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, meaning) in page.columns {
            text.push_str(&wrapped(&format!("  {name:widest$}  "), meaning));
        }
    }
    text.push_str(&arguments(page.heading(), page.all_arguments()));
    for argument in page.all_arguments() {
        if let Kind::Records(keys) = argument.kind {
            text.push_str(&arguments(&format!("Keys of {}", argument.name), keys.iter()));
        }
    }
    text.push_str("\nExample\n");
    for (name, rows) in page.example.rows {
        text.push_str(&format!("  The query `{name}` gives\n\n{}\n", indented(&indented(rows))));
    }
    text.push_str(&format!("{}\n", indented(page.example.template)));
    let becomes = if page.section == Section::Charts { "a picture, and below it the figures" } else { "which becomes" };
    text.push_str(&format!("  {becomes}\n\n{}", indented(&indented(page.example.page))));
    if !page.related.is_empty() {
        text.push_str(&format!("\nSee also {}\n", page.related.join(", ")));
    }
    text
}

fn arguments<'a>(title: &str, all: impl Iterator<Item = &'a Argument>) -> String {
    let all: Vec<&Argument> = all.collect();
    if all.is_empty() {
        return String::new();
    }
    let widest = all.iter().map(|argument| argument.name.len()).max().unwrap_or(0);
    let line = |argument: &&Argument| {
        let choices = match argument.kind {
            Kind::Choice(choices) => format!(" ({})", choices.join(", ")),
            _ => String::new(),
        };
        let default = match argument.default {
            None => "; required".to_string(),
            Some("" | "none") => String::new(),
            Some(default) => format!("; without it {default}"),
        };
        wrapped(&format!("  {:widest$}  ", argument.name), &format!("{}{choices}{default}", argument.meaning))
    };
    format!("\n{title}\n{}", all.iter().map(line).collect::<String>())
}

fn row(page: &Page) -> Vec<String> {
    [page.name, page.section.title(), page.syntax, page.summary].map(str::to_string).to_vec()
}

fn argument_row(argument: &Argument) -> Vec<String> {
    let default = argument.default.unwrap_or("required");
    vec![argument.name.into(), argument.kind.words(), default.into(), argument.meaning.into()]
}

fn summary(page: &Page) -> serde_json::Value {
    serde_json::json!({
        "name": page.name, "chapter": page.section.title(), "syntax": page.syntax, "summary": page.summary,
    })
}

fn whole(page: &Page) -> serde_json::Value {
    let argument = |argument: &Argument| {
        serde_json::json!({
            "name": argument.name, "takes": argument.kind.words(), "required": argument.is_required(),
            "default": argument.default, "meaning": argument.meaning,
        })
    };
    let columns = page.columns.iter().map(|(name, meaning)| serde_json::json!({"name": name, "meaning": meaning}));
    let rows = page.example.rows.iter().map(|(name, rows)| serde_json::json!({"query": name, "rows": rows}));
    let mut all = summary(page);
    all["description"] = page.description.into();
    all["rows"] = columns.collect();
    all["arguments"] = page.all_arguments().map(argument).collect();
    all["example"] = serde_json::json!({
        "rows": rows.collect::<Vec<_>>(), "template": page.example.template, "page": page.example.page,
    });
    all["related"] = page.related.into();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_laid_out_and_a_mistyped_name_is_suggested() {
        let pages = perennial_reports::pages();
        let text = page_text(find(&pages, "Minus()").unwrap());
        insta::assert_snapshot!(text, @r"
minus(a, b)

The difference of two figures, exact; none where one is not known.

As `plus`.

Arguments
  a  a figure; required
  b  another figure; required

Example
  {{ minus(1200, 1000) | short_signed }}

  which becomes

    +200

See also plus, change
");
        assert_eq!(find(&pages, "colums").unwrap_err().hint_text(), Some("did you mean `columns`?"));
        assert!(find(&pages, "upper").unwrap_err().hint_text().unwrap().contains("perennial templates"));
    }
}
