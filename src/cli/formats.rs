//! `perennial formats`.

use super::output::Format;
use super::table::Table;
use super::text::wrapped;
use super::{Context, Outcome, Output, Verb};
use perennial_core::error::{Error, Problems, Result, closest};
use perennial_project::{FormatPage, format_pages, notes, type_words};

/// Read the manual of the formats of known systems
#[derive(clap::Args)]
pub(super) struct Formats {
    /// The format to read about, as in `asterisk_queue_log`
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    output: Output,
}

#[async_trait::async_trait(?Send)]
impl Verb for Formats {
    fn format(&self) -> Format {
        self.output.format
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome, Problems> {
        let pages = format_pages();
        let chosen = self.name.as_deref().map(|name| find(&pages, name)).transpose()?;
        match (context.printer.format, chosen) {
            (Format::Text, None) => context.printer.line(list(&pages).trim_end())?,
            (Format::Text, Some(page)) => context.printer.line(page_text(page).trim_end())?,
            (Format::Json, None) => context.printer.json(&pages.iter().map(summary).collect())?,
            (Format::Json, Some(page)) => context.printer.json(&whole(page))?,
            (Format::Csv, None) => {
                let rows: Vec<Vec<String>> = pages.iter().map(|p| vec![p.name.into(), p.title.into()]).collect();
                context.printer.csv(&["format", "title"], &rows)?;
            }
            (Format::Csv, Some(page)) => context.printer.csv(&["column", "type", "from", "notes"], &rows(page))?,
        }
        Ok(Outcome::Done)
    }
}

fn find<'p>(pages: &'p [FormatPage], name: &str) -> Result<&'p FormatPage> {
    let wanted = name.trim().to_lowercase();
    pages.iter().find(|page| page.name == wanted).ok_or_else(|| {
        let names: Vec<&str> = pages.iter().map(|page| page.name).collect();
        let near = closest(&wanted, &names).map(|near| format!("did you mean `{near}`?"));
        let all = "`perennial formats` lists them; docs/sources.md describes csv, json and other general formats";
        Error::project(format!("unknown format `{name}`")).hint(near.unwrap_or(all.to_string()))
    })
}

fn list(pages: &[FormatPage]) -> String {
    let widest = pages.iter().map(|page| page.name.len()).max().unwrap_or(0);
    let lines = pages.iter().map(|page| wrapped(&format!("  {:widest$}  ", page.name), &page.title.replace('`', "")));
    format!("{}\nRead one: perennial formats NAME\n", lines.collect::<String>())
}

/// A page as text for the screen. The manual is Markdown that reads as it is.
fn page_text(page: &FormatPage) -> String {
    let indented = |text: &str| text.lines().map(|line| format!("  {line}\n")).collect::<String>();
    let mut text = format!("{}\n\n{}.\n\n{}\nContract\n", page.name, page.title, page.manual);
    text.push_str(&indented(&format!("{}{}", page.example(), page.rules())));
    text.push_str("\nColumns\n");
    text.push_str(&indented(&Table::new(&["column", "type", "from", ""], rows(page)).text(None)));
    let further = page.further_fields();
    if !further.is_empty() {
        text.push_str(&format!("\nFurther fields\n{}", wrapped("  ", &further.join(", "))));
    }
    text
}

fn rows(page: &FormatPage) -> Vec<Vec<String>> {
    let row = |column: &perennial_core::contract::Column| {
        vec![column.name.clone(), type_words(&column.data_type), column.from.clone(), notes(column)]
    };
    page.columns.iter().map(row).collect()
}

fn summary(page: &FormatPage) -> serde_json::Value {
    serde_json::json!({ "format": page.name, "title": page.title })
}

fn whole(page: &FormatPage) -> serde_json::Value {
    let columns = page.columns.iter().map(|column| {
        serde_json::json!({
            "column": column.name, "type": type_words(&column.data_type), "from": column.from,
            "required": column.required, "personal": column.personal, "description": column.description,
        })
    });
    let mut all = summary(page);
    all["manual"] = page.manual.into();
    all["key"] = page.key.clone().into();
    all["newest_by"] = page.newest_by.clone().into();
    all["time_column"] = page.time_column.clone().into();
    all["columns"] = columns.collect();
    all["further_fields"] = page.further_fields().into();
    all
}

#[cfg(test)]
mod tests {
    use super::super::text::WIDTH;
    use super::*;

    #[test]
    fn the_list_fits_the_screen_and_a_mistyped_name_is_suggested() {
        let pages = format_pages();
        let wide: Vec<String> =
            list(&pages).lines().filter(|line| line.chars().count() > WIDTH).map(str::to_string).collect();
        assert_eq!(wide, Vec::<String>::new());
        assert_eq!(find(&pages, "Snowplow").unwrap().name, "snowplow");
        let error = find(&pages, "asterisk_queuelog").unwrap_err();
        assert_eq!(error.hint_text(), Some("did you mean `asterisk_queue_log`?"));
    }

    #[test]
    fn a_page_has_manual_rules_columns_and_further_fields() {
        let pages = format_pages();
        let text = page_text(find(&pages, "freeswitch_cdr").unwrap());
        for part in ["mod_cdr_csv", "  key: [uuid]\n", "  time_column: started_at\n", "caller_id_number"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(
            page_text(find(&pages, "combined_log").unwrap()).contains("Further fields\n  remote_log_name, request")
        );
    }
}
