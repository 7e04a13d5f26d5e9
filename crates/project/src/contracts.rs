//! `pipelines/sources/*.yml`: the contracts of sources.

use super::document::{Document, Node};
use super::environment::{self, Lookup};
use super::fields::Fields;
use super::{Note, access, names, ready_made, renames, tables};
use perennial_core::contract::{Source, SourceTable};
use perennial_core::error::{Error, Problems, Result};
use std::path::Path;

/// What the file of a contract holds.
pub(super) struct ContractFile {
    /// `None` when it could not be read; what was wrong was reported.
    pub(super) source: Option<Source>,
    /// That it has old names, if so.
    pub(super) note: Option<Note>,
}

/// What the text of a contract refers to.
pub(crate) struct ContractContext<'a> {
    /// The folder of the project, for relative paths.
    pub(crate) root: &'a Path,
    pub(crate) lookup: Lookup<'a>,
    /// The project's time zone, for instants without an offset.
    pub(crate) time_zone: &'a str,
}

/// Reads the text of a contract as if it were `pipelines/sources/<name>.yml` of a project in `root`; instants without a
/// zone of their own are in `time_zone`.
///
/// # Errors
/// Every problem of the text, of kind `Project`.
pub fn read_contract(name: &str, text: &str, root: &Path, time_zone: &str) -> Result<Source, Problems> {
    let document = Document::new(format!("pipelines/sources/{name}.yml"), text);
    let context = ContractContext { root, lookup: &|variable| std::env::var(variable).ok(), time_zone };
    let source = read(&document, name, &context).source;
    let problems = document.into_problems();
    match source {
        Some(source) => problems.or_ok(source),
        None => Err(problems),
    }
}

/// Reads the contract of one source, whose name is the file's.
pub(super) fn read(document: &Document, name: &str, context: &ContractContext) -> ContractFile {
    check_source_name(document, name);
    let Some(mut node) = document.parse_all() else { return ContractFile { source: None, note: None } };
    let note = renames::note(document, &renames::apply(document, &mut node));
    ContractFile { source: read_source(document, &node, name, context), note }
}

fn read_source(document: &Document, node: &Node, name: &str, context: &ContractContext) -> Option<Source> {
    let fields = Fields::of(document, node, "a source", 0..0)?;
    let mut description = fields.words("description");
    let location = fields.required_text("location").and_then(|text| {
        let location = environment::locate(context.root, &environment::expand(document, &text, context.lookup)?);
        let kind = match perennial_sources::kind_of(&location) {
            Ok(kind) => kind,
            Err(error) => {
                document.report(&text.span, error);
                return None;
            }
        };
        if let Err(error) = kind.forbid_secrets(&location) {
            document.report_secret(&text.span, error);
        }
        Some((location, kind))
    });
    let kind = location.as_ref().map(|(_, kind)| *kind);
    let access = access::read(&fields, context.root);
    let ready_made =
        ready_made::read(&fields, location.as_ref().map(|(location, _)| location.as_str()), context.time_zone);
    let tables = match fields.is_set("ready_made") {
        true => fields.optional("tables"),
        false => fields.required("tables"),
    };
    let mut tables = tables.map(|node| tables::read(document, node, kind, context.time_zone)).unwrap_or_default();
    if let Some(ready_made) = ready_made {
        tables = ready_made.with(tables);
        if description.is_empty() {
            description = ready_made.description;
        }
    }
    fields.finish();
    check_histories(document, &tables);
    let (location, _) = location?;
    Some(Source { name: name.to_string(), description, location, access, tables })
}

/// Reports tables with the name of another table's history, which is a relation of its own.
fn check_histories(document: &Document, tables: &[SourceTable]) {
    for table in tables.iter().filter(|table| table.history) {
        let name = format!("{}_history", table.name);
        if tables.iter().any(|other| other.name == name) {
            let message = format!("the table `{name}` has the name of `{}`'s history", table.name);
            let error =
                Error::project(message).hint(format!("rename the table, or remove `history` from `{}`", table.name));
            document.report(&(0..0), error);
        }
    }
}

fn check_source_name(document: &Document, name: &str) {
    if let Err(error) = names::check("a source", name) {
        document.report(&(0..0), error);
    } else if name.contains("__") {
        let error = Error::project(format!("`{name}` cannot be the name of a source: `__` separates source and table"));
        document.report(&(0..0), error.hint("use a single `_`"));
    }
}
