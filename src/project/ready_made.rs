//! `ready_made`: contracts of known systems, which ship with the program.

use super::contracts::{self, Surroundings};
use super::document::{Document, Text};
use super::fields::{Fields, one_of};
use super::shipped;
use crate::contract::SourceTable;
use crate::error::Error;
use crate::sources;

/// A contract that ships, without the tables that a project leaves out.
pub(super) struct ReadyMade {
    /// What the system is.
    pub description: String,
    tables: Vec<SourceTable>,
}

impl ReadyMade {
    /// Its tables with those of a project: one of the same name takes the place of the shipped one, others come last.
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

/// Reads `ready_made` and `without` of a source. `location` is the source's, where it could be read.
pub(super) fn read(fields: &Fields, location: Option<&str>, around: &Surroundings) -> Option<ReadyMade> {
    let without = fields.texts("without");
    let Some(name) = fields.text("ready_made") else {
        if fields.has("without") {
            let error = Error::project("`without` leaves out tables of a ready-made source, and this is none");
            fields.document.report(&fields.span_of("without"), error);
        }
        return None;
    };
    let Some(file) = shipped::ready_made(&name.value) else {
        let error = Error::project(format!("no source `{}` is ready-made", name.value));
        let known = shipped::ready_made_sources();
        fields.document.report(&name.span, error.suggest(&name.value, known.iter().copied()));
        return None;
    };
    let document = Document::new(file.path, file.text);
    let ready_made = read_contract(&document, fields, &name, location, around);
    fields.document.adopt(document);
    let mut ready_made = ready_made?;
    for text in &without {
        let before = ready_made.tables.len();
        ready_made.tables.retain(|table| table.name != text.value);
        if ready_made.tables.len() == before {
            let error = Error::project(format!("`{}` has no table `{}` to leave out", name.value, text.value));
            let known = ready_made.tables.iter().map(|table| table.name.as_str());
            fields.document.report(&text.span, error.suggest(&text.value, known));
        }
    }
    Some(ready_made)
}

/// Reads the contract itself, which says in `systems` at which kinds of locations it can be.
fn read_contract(
    document: &Document,
    fields: &Fields,
    name: &Text,
    location: Option<&str>,
    around: &Surroundings,
) -> Option<ReadyMade> {
    let node = document.parse_all()?;
    let own = Fields::of(document, &node, "a ready-made source", 0..0)?;
    let systems: Vec<String> = own.texts("systems").into_iter().map(|text| text.value).collect();
    if let Some(location) = location.filter(|location| !systems.contains(&sources::scheme(location))) {
        let scheme = sources::scheme(location);
        let error = Error::project(format!("`{}` is not read from `{scheme}://`", name.value));
        fields.document.report(&fields.span_of("location"), error.hint(one_of(systems.iter().map(String::as_str))));
    }
    let kind = systems.first().and_then(|scheme| sources::kind_of(&format!("{scheme}://")).ok());
    let tables = own.required("tables");
    let tables = tables.map(|node| contracts::read_tables(document, node, kind, around)).unwrap_or_default();
    let ready_made = ReadyMade { description: own.words("description"), tables };
    own.finish();
    Some(ready_made)
}
