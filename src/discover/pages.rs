//! A table drafted from the first page of a service.

use super::draft::{self, ColumnDraft, TableDraft};
use super::{Look, files, key, names, yaml};
use perennial_core::contract::{Format, Pages, Paging, SinceFormat};
use perennial_core::error::{Error, Result};
use perennial_intake::Sample;
use perennial_sources::{Http, RowReader};

/// Fields in which services put their rows.
const LISTS: [&str; 9] = ["data", "items", "results", "rows", "records", "value", "entries", "content", "list"];

/// Drafts the table whose first page stands at a path.
pub(super) async fn table(look: &Look<'_>, http: &Http, path: &str) -> Result<TableDraft> {
    let name = files::source_name(path);
    let mut refused: Option<Error> = None;
    let own = [name.clone()];
    let lists = [None].into_iter().chain(LISTS.iter().copied().chain(own.iter().map(String::as_str)).map(Some));
    for rows in lists {
        let pages = Pages {
            path: path.to_string(),
            rows: rows.map(str::to_string),
            paging: Paging::None,
            since_parameter: None,
            since_format: SinceFormat::AsIs,
            max_requests_per_second: None,
        };
        let reader = http.read(&pages, None, &[], true).await?;
        let mut sample = Sample::default();
        match sample.add_rows(RowReader::Text(Box::new(reader)), look.sample_rows).await {
            Ok(()) if sample.rows() > 0 => {
                sample.unfold();
                return Ok(drafted(look, name, &pages, &sample));
            }
            Ok(()) => {}
            Err(error) if error.kind() == perennial_core::error::Kind::Data => {
                refused.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    let error = refused.unwrap_or_else(|| Error::data(format!("`{path}` returned no rows")));
    Err(error.hint("choose a path that returns a list of objects, or an object with one"))
}

fn drafted(look: &Look<'_>, name: String, pages: &Pages, sample: &Sample) -> TableDraft {
    let mut extraction = vec![("path", yaml::scalar(&pages.path))];
    extraction.extend(pages.rows.iter().map(|rows| ("rows", yaml::scalar(rows))));
    let columns: Vec<ColumnDraft> = files::columns(look, &Format::JsonLines, sample);
    let mut table = TableDraft { name, extraction, columns, load: Some("snapshot".into()), ..TableDraft::default() };
    table.comments.push(format!("drafted from the {} rows of the first page", sample.rows()));
    table.comments.push("set `paging` to read further pages; without it only the first one is read".to_string());
    draft::mark_personal(&mut table);
    for column in &mut table.columns {
        if let Some(sampled) = sample.columns.iter().find(|sampled| sampled.name == column.from) {
            draft::look_at_values(column, &sampled.values);
        }
    }
    if let Some(found) = key::find(&table.columns, sample) {
        table.comments.push(format!("key: unique in {} rows; check that it is meant to be", sample.rows()));
        table.key = found.columns;
    }
    table.time_column = draft::time_column(&table.columns);
    if let Some(changed) = table.columns.iter().find(|column| names::says_changed(&column.name)) {
        table
            .comments
            .push(format!("`{}` may show what changed: see `load: incremental` and `since_parameter`", changed.name));
    }
    table
}
