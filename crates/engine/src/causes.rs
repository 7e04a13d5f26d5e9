//! What caused an error of the engine, and what helps: the one place that decides it, for queries, steps, tests and
//! reports alike.

use super::diagnose::{QueryProblem, diagnose, plain};
use super::patterns;
use super::spots::{Spot, spot_named};
use super::{CATALOG, DEFAULT_SCHEMA};
use datafusion::error::DataFusionError;
use datafusion::parquet::errors::ParquetError;
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Kind, Place};
use perennial_core::location::scrub;
use perennial_functions::{Overflow, TooLarge};
use perennial_lake::Damaged;
use std::error::Error as StdError;
use std::fmt;

const DAMAGED: &str = "`perennial lake verify` names every damaged file and what repairs it: often \
    `perennial run --full-refresh`, or `perennial rollback` to an earlier release";
const MISSING_ROOM: &str = "raise `memory_limit` in perennial.yml, or make the query hold fewer rows at once";
const STORE: &str = "try again later; if it stays so, check the store's address, its keys and the network";

/// What caused an error.
pub(super) struct Cause {
    pub kind: Kind,
    /// What is wrong, where the query's text cannot be at fault.
    outside: Option<String>,
    hint: Option<&'static str>,
}

impl Cause {
    fn of_the_query(kind: Kind) -> Cause {
        Cause { kind, outside: None, hint: None }
    }

    fn outside(kind: Kind, text: String, hint: &'static str) -> Cause {
        Cause { kind, outside: Some(text), hint: Some(hint) }
    }

    pub(super) fn of(error: &DataFusionError) -> Cause {
        let chain = || std::iter::successors(Some(error as &(dyn StdError + 'static)), |one| StdError::source(*one));
        if let Some(damaged) = chain().find_map(|one| one.downcast_ref::<Damaged>()) {
            return Cause::outside(Kind::Data, with_table(damaged.to_string(), &damaged.path), DAMAGED);
        }
        let from_store = chain().find_map(|one| one.downcast_ref::<object_store::Error>());
        if let Some(object_store::Error::NotFound { path, .. }) = from_store {
            return Cause::outside(Kind::Data, with_table(format!("{path} is missing from the lake"), path), DAMAGED);
        }
        let whole = error.strip_backtrace();
        let cut = chain()
            .filter_map(|one| one.downcast_ref::<std::io::Error>())
            .any(|one| one.kind() == std::io::ErrorKind::UnexpectedEof)
            || from_store.is_some_and(|one| patterns::CUT.is_match(&one.to_string()));
        if cut {
            return damaged_file(&whole, "it is shorter than what was written");
        }
        if let Some(failed) = from_store {
            return store_failed(&failed.to_string());
        }
        if let Some(said) = patterns::FOOTER.captures(&whole).map(|parts| parts[1].to_string()) {
            return footer_unread(&whole, &said);
        }
        if let Some(unreadable) = chain().find_map(|one| one.downcast_ref::<ParquetError>()) {
            return damaged_file(&whole, &plain(&unreadable.to_string()));
        }
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => {
                let text = "out of memory for queries (two fifths of `memory_limit`)";
                Cause::outside(Kind::Project, text.to_string(), MISSING_ROOM)
            }
            DataFusionError::IoError(failed) => {
                let text = format!("a temporary file cannot be used: {failed}");
                Cause::outside(Kind::Unreachable, text, "free space in the folder for temporary files (TMPDIR)")
            }
            DataFusionError::ArrowError(failed, _) => match failed.as_ref() {
                arrow::error::ArrowError::ParquetError(text) => damaged_file(&whole, &plain(text)),
                _ => Cause::of_the_query(Kind::Data),
            },
            DataFusionError::External(failed) if failed.is::<Overflow>() || failed.is::<TooLarge>() => {
                Cause::of_the_query(Kind::Data)
            }
            DataFusionError::Execution(_) => Cause::of_the_query(Kind::Data),
            DataFusionError::Plan(_)
            | DataFusionError::SQL(..)
            | DataFusionError::SchemaError(..)
            | DataFusionError::NotImplemented(_) => Cause::of_the_query(Kind::Project),
            _ => Cause::of_the_query(Kind::Bug),
        }
    }
}

fn store_failed(said: &str) -> Cause {
    Cause::outside(Kind::Unreachable, format!("the lake's store failed: {}", scrub(said)), STORE)
}

/// The end of a Parquet file, which is read first.
fn footer_unread(error: &str, said: &str) -> Cause {
    let path = patterns::LAKE_FILE.captures(error).map(|parts| parts[1].to_string()).unwrap_or_default();
    if let Some(found) = patterns::OF_THE_LAKE.captures(said) {
        return Cause::outside(Kind::Data, with_table(found[1].to_string(), &path), DAMAGED);
    }
    if patterns::NOT_FOUND.is_match(said) {
        return Cause::outside(Kind::Data, with_table(format!("{path} is missing from the lake"), &path), DAMAGED);
    }
    if patterns::CUT.is_match(said) {
        return damaged_file(error, "it is shorter than what was written");
    }
    store_failed(said)
}

/// A Parquet file that cannot be read.
fn damaged_file(error: &str, what: &str) -> Cause {
    let text = match patterns::LAKE_FILE.captures(error).map(|parts| parts[1].to_string()) {
        Some(path) => with_table(format!("{path} is damaged: {what}"), &path),
        None => format!("a file of the lake is damaged: {what}"),
    };
    Cause::outside(Kind::Data, text, DAMAGED)
}

/// The table whose file it is: files lie in `schema/table/`.
fn with_table(text: String, path: &str) -> String {
    match path.rsplit('/').collect::<Vec<_>>().as_slice() {
        [_, table, schema, ..] => format!("{text} (a file of {})", TableName::new(*schema, *table)),
        _ => text,
    }
}

/// A query names a table that is not registered; the source of the error that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownTable {
    /// The name as the query has it.
    pub name: String,
}

impl fmt::Display for UnknownTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not registered", self.name)
    }
}

impl StdError for UnknownTable {}

fn unknown_table(error: &DataFusionError, sql: &str) -> Option<UnknownTable> {
    let DataFusionError::Plan(text) = error.find_root() else { return None };
    let name = patterns::UNKNOWN_TABLE.captures(text)?[1].to_string();
    let name = name.strip_prefix(CATALOG).and_then(|rest| rest.strip_prefix('.')).unwrap_or(&name);
    // The engine adds a schema to a name without one.
    let bare = name.strip_prefix(DEFAULT_SCHEMA).and_then(|rest| rest.strip_prefix('.'));
    let name = bare.filter(|_| !sql.to_lowercase().contains(DEFAULT_SCHEMA)).unwrap_or(name);
    Some(UnknownTable { name: name.to_string() })
}

/// An error outside of any query's text.
pub fn failure(error: DataFusionError, doing: impl fmt::Display) -> Error {
    let cause = Cause::of(&error);
    let text = cause.outside.unwrap_or_else(|| match error.find_root() {
        DataFusionError::External(failed) => failed.to_string(),
        root => plain(&root.strip_backtrace()),
    });
    let made = Error::new(cause.kind, format!("{doing}: {text}")).because(error);
    match cause.hint {
        Some(hint) => made.hint(hint),
        None => made,
    }
}

/// An error of a query whose text is known: its cause, and where in the text if that can be told. `place` makes a
/// place of a spot in the text, and says where the text begins.
pub fn failure_of_query(
    error: DataFusionError,
    doing: impl fmt::Display,
    sql: &str,
    place: impl FnOnce(Option<Spot>) -> Option<Place>,
) -> Error {
    let cause = Cause::of(&error);
    let found = match cause.outside {
        Some(_) => None,
        None => diagnose(&error, sql).into_iter().next(),
    };
    let (made, spot) = match found {
        Some(found) => (found.error(cause.kind, Some(&doing)).because(error), found.spot),
        None => (failure(error, doing), None),
    };
    match place(spot) {
        Some(place) => made.at(place),
        None => made,
    }
}

/// An error of running a query that stands in no file.
pub fn query_error(error: DataFusionError, sql: &str) -> Error {
    let cause = Cause::of(&error);
    let is_of_the_query = |found: &QueryProblem| cause.outside.is_none() && found.of_the_query;
    match diagnose(&error, sql).into_iter().next().filter(is_of_the_query) {
        Some(found) => found.error_in(cause.kind, "query", sql).because(error),
        None => failure(error, "the query failed"),
    }
}

/// An error of planning such a query: whatever its constants are, they stand in the text.
pub(super) fn planning_error(error: DataFusionError, sql: &str) -> Error {
    if let Some(unknown) = unknown_table(&error, sql) {
        let found = QueryProblem::new(format!("unknown table `{}`", unknown.name));
        let spot = spot_named(&found.message, sql);
        return QueryProblem { spot, ..found }.error_in(Kind::Project, "query", sql).because(unknown);
    }
    let cause = Cause::of(&error);
    match diagnose(&error, sql).into_iter().next() {
        Some(found) if cause.outside.is_none() && found.of_the_query => {
            found.error_in(Kind::Project, "query", sql).because(error)
        }
        _ => failure(error, "the query failed"),
    }
}
