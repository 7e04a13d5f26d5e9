//! `perennial functions`.

use super::output::Format;
use super::table::Table;
use super::text::wrapped;
use super::{Context, Outcome, Output, Verb};
use perennial_core::error::{Error, Problems, Result, closest};
use perennial_functions::{Example, FUNCTIONS, Function};

/// Read the manual of the SQL functions that perennial adds
#[derive(clap::Args)]
pub(super) struct Functions {
    /// The function to read about, as in `max_by`
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Functions {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let chosen = self.name.as_deref().map(find).transpose()?;
        match (context.printer.format, chosen) {
            (Format::Text, None) => context.printer.line(list().trim_end())?,
            (Format::Text, Some(function)) => context.printer.line(page(function).trim_end())?,
            (Format::Json, None) => context.printer.json(&FUNCTIONS.iter().map(summary).collect())?,
            (Format::Json, Some(function)) => context.printer.json(&whole(function))?,
            (Format::Csv, chosen) => {
                let functions = FUNCTIONS.iter().filter(|f| chosen.is_none_or(|c| c.name == f.name));
                let rows: Vec<Vec<String>> = functions.map(row).collect();
                context.printer.csv(&["function", "chapter", "kind", "syntax", "summary"], &rows)?;
            }
        }
        Ok(Outcome::Done)
    }
}

fn find(name: &str) -> Result<&'static Function> {
    let wanted = name.trim().trim_end_matches("()").to_lowercase();
    let known = |function: &&Function| function.name == wanted || function.other_names().contains(&wanted);
    FUNCTIONS.iter().find(known).ok_or_else(|| {
        let names: Vec<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
        let near = closest(&wanted, &names).map(|near| format!("did you mean `{near}`?"));
        let all = "`perennial functions` lists them; DataFusion documents the functions of the engine";
        Error::project(format!("unknown function `{name}`")).hint(near.unwrap_or_else(|| all.to_string()))
    })
}

fn list() -> String {
    let widest = FUNCTIONS.iter().map(|function| function.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    let mut chapter = None;
    for function in FUNCTIONS {
        if chapter != Some(function.section) {
            chapter = Some(function.section);
            text.push_str(&format!("\n{}\n", function.section.title()));
        }
        text.push_str(&wrapped(&format!("  {:widest$}  ", function.name), &function.page().summary));
    }
    format!("{}\nRead one: perennial functions NAME\n", text.trim_start())
}

/// A page as text for the screen.
fn page(function: &Function) -> String {
    let page = function.page();
    let mut text = format!("{}\n\n", page.syntax);
    text.push_str(&wrapped("", &format!("{}. ({} function)", page.summary, function.kind.name())));
    text.push_str(&format!("\n{}\nArguments\n", wrapped("", &page.description)));
    let widest = page.arguments.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, meaning) in &page.arguments {
        text.push_str(&wrapped(&format!("  {name:widest$}  "), meaning));
    }
    text.push_str(&format!("\nReturns\n{}\nExamples\n", wrapped("  ", &page.returns)));
    let examples: Vec<String> = page.examples.iter().map(example).collect();
    text.push_str(&examples.join("\n"));
    for (title, lines) in [("Limits", &page.limits), ("Sources", &page.sources)] {
        if !lines.is_empty() {
            text.push_str(&format!("\n{title}\n"));
        }
        lines.iter().for_each(|line| text.push_str(&wrapped("  - ", line)));
    }
    if !page.related.is_empty() {
        text.push_str(&format!("\n{}", wrapped("See also ", &page.related.join(", "))));
    }
    text
}

fn example(example: &Example) -> String {
    let mut lines = example.answer.lines().map(|line| line.split(" | ").map(str::to_string).collect::<Vec<_>>());
    let header = lines.next().unwrap_or_default();
    let rows: Vec<_> = lines.collect();
    let figures = |i: usize| rows.iter().all(|row| row.get(i).is_some_and(|cell| cell.parse::<f64>().is_ok()));
    let right: Vec<bool> = (0..header.len()).map(figures).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let answer = Table::new(&header, rows).aligned(right).text(None);
    let indented =
        |text: &str| text.lines().map(|line| format!("  {line}").trim_end().to_string() + "\n").collect::<String>();
    format!("{}\n{}", indented(example.sql), indented(&answer))
}

fn row(function: &Function) -> Vec<String> {
    let page = function.page();
    [function.name, function.section.title(), function.kind.name(), page.syntax, &page.summary]
        .map(str::to_string)
        .to_vec()
}

fn summary(function: &Function) -> serde_json::Value {
    let page = function.page();
    serde_json::json!({
        "function": function.name, "other_names": function.other_names(), "chapter": function.section.title(),
        "kind": function.kind.name(), "syntax": page.syntax, "summary": page.summary,
    })
}

fn whole(function: &Function) -> serde_json::Value {
    let page = function.page();
    let arguments = page.arguments.iter().map(|(name, meaning)| serde_json::json!({"name": name, "meaning": meaning}));
    let examples = page.examples.iter().map(|e| serde_json::json!({"sql": e.sql, "answer": e.answer}));
    let mut all = summary(function);
    all["arguments"] = arguments.collect();
    all["examples"] = examples.collect();
    all["description"] = page.description.into();
    all["returns"] = page.returns.into();
    all["limits"] = page.limits.into();
    all["sources"] = page.sources.into();
    all["related"] = page.related.into();
    all
}

#[cfg(test)]
mod tests {
    use super::super::text::WIDTH;
    use super::*;

    #[test]
    fn the_list_fits_the_screen() {
        let wide: Vec<String> =
            list().lines().filter(|line| line.chars().count() > WIDTH).map(str::to_string).collect();
        assert_eq!(wide, Vec::<String>::new());
    }

    #[test]
    fn a_page_is_laid_out() {
        let function = find("MONTHS_BETWEEN()").unwrap();
        insta::assert_snapshot!(page(function), @r"
months_between(from, to)

The number of calendar months between two days. (scalar function)

As cohort tables count: 31 January to 1 February is 1, 1 to 31 January is 0.

Arguments
  from  DATE, the earlier day
  to    DATE, the later day

Returns
  BIGINT, months; negative where `to` is in an earlier month; NULL where either day is NULL.

Examples
  SELECT months_between(DATE '2010-12-31', DATE '2011-12-01') AS months

  months
  ──────
      12

Limits
  - The day of the month is ignored; for lengths of time subtract the days.

See also date_diff
");
    }

    #[test]
    fn a_function_is_found_by_its_other_name_and_a_mistyped_one_is_suggested() {
        assert_eq!(find("arg_max").unwrap().name, "max_by");
        assert_eq!(find("max_bye").unwrap_err().hint_text(), Some("did you mean `max_by`?"));
        assert!(find("sum").unwrap_err().hint_text().unwrap().contains("perennial functions"));
    }
}
