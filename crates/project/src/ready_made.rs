//! `ready_made`: contracts of known systems that ship with the program.

use super::document::{Document, Text};
use super::fields::{Fields, one_of};
use super::{renames, shipped, tables};
use perennial_core::contract::SourceTable;
use perennial_core::error::Error;
use perennial_core::location::scheme;

/// A ready-made contract, without the tables that a project excludes.
pub(super) struct ReadyMade {
    /// What the system is.
    pub description: String,
    tables: Vec<SourceTable>,
}

impl ReadyMade {
    /// Its tables and those of a project, which replace ready-made ones of the same name; others come last.
    pub fn with(&self, own: Vec<SourceTable>) -> Vec<SourceTable> {
        let mut tables = self.tables.clone();
        for table in own {
            match tables.iter_mut().find(|shipped| shipped.name == table.name) {
                Some(shipped) => *shipped = table,
                None => tables.push(table),
            }
        }
        tables
    }
}

/// Reads `ready_made` and `exclude` of a source. `location` is the source's, if it could be read.
pub(super) fn read(fields: &Fields, location: Option<&str>, time_zone: &str) -> Option<ReadyMade> {
    let excluded = fields.texts("exclude");
    let Some(name) = fields.text("ready_made") else {
        if fields.has("exclude") {
            let error = Error::project("`exclude` is for tables of a `ready_made` source");
            fields.document.report(&fields.span_of("exclude"), error);
        }
        return None;
    };
    let Some(file) = shipped::ready_made(&name.value) else {
        let error = Error::project(format!("unknown ready-made source `{}`", name.value));
        let known = shipped::ready_made_sources();
        fields.document.report(&name.span, error.suggest(&name.value, known.iter().copied()));
        return None;
    };
    let document = Document::new(file.path, file.text);
    let ready_made = read_contract(&document, fields, &name, location, time_zone);
    fields.document.adopt(document);
    let mut ready_made = ready_made?;
    for text in &excluded {
        let before = ready_made.tables.len();
        ready_made.tables.retain(|table| table.name != text.value);
        if ready_made.tables.len() == before {
            let error = Error::project(format!("`{}` has no table `{}`", name.value, text.value));
            let known = ready_made.tables.iter().map(|table| table.name.as_str());
            fields.document.report(&text.span, error.suggest(&text.value, known));
        }
    }
    Some(ready_made)
}

/// Reads the contract itself, whose `systems` are the schemes of possible locations.
fn read_contract(
    document: &Document,
    fields: &Fields,
    name: &Text,
    location: Option<&str>,
    time_zone: &str,
) -> Option<ReadyMade> {
    let mut node = document.parse_all()?;
    renames::apply(document, &mut node);
    let own = Fields::of(document, &node, "a ready-made source", 0..0)?;
    let systems: Vec<String> = own.texts("systems").into_iter().map(|text| text.value).collect();
    let scheme = location.map(|location| scheme(location).unwrap_or_else(|| "file".to_string()));
    if let Some(scheme) = scheme.filter(|scheme| !systems.contains(scheme)) {
        let error = Error::project(format!("`{}` cannot be read from `{scheme}://`", name.value));
        fields.document.report(&fields.span_of("location"), error.hint(one_of(systems.iter().map(String::as_str))));
    }
    let kind = systems.first().and_then(|scheme| perennial_sources::kind_of(&format!("{scheme}://")).ok());
    let tables = own.required("tables");
    let tables = tables.map(|node| tables::read(document, node, kind, time_zone)).unwrap_or_default();
    let ready_made = ReadyMade { description: own.words("description"), tables };
    own.finish();
    Some(ready_made)
}
