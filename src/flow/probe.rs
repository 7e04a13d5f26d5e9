//! Whether the sources can be read as a run will read them: each is opened, and the first rows of every table are
//! checked against the contract. Nothing is written, no lock is taken, and the lake is not read.

use futures::future::join_all;
use perennial_core::contract::{Extraction, Source};
use perennial_core::error::{Error, Kind};
use perennial_intake::ProbeOutcome;
use perennial_sources::System;

/// The result of probing a source.
#[derive(Debug)]
pub(crate) struct SourceTest {
    /// The source.
    pub source: String,
    /// Which system it is, for people: `PostgreSQL 15.18`, `a folder`.
    pub system: String,
    /// The results of its tables; none if the source could not be opened.
    pub tables: Vec<TableTest>,
    /// Why the source could not be opened.
    pub error: Option<Error>,
}

/// The result of probing a table.
#[derive(Debug)]
pub(crate) struct TableTest {
    /// The table.
    pub table: String,
    /// Whether it is read from files.
    pub of_files: bool,
    /// The first rows, or why they could not be read.
    pub found: Result<ProbeOutcome, Error>,
}

/// Whether a source or table can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ProbeStatus {
    /// It can be read, and its first rows satisfy the contract.
    Ok,
    /// It can be read, but has no rows or rows that are rejected.
    BadData,
    /// It cannot be read.
    Failed,
}

/// Probes sources concurrently, all of them even if some fail.
pub(crate) async fn test_sources(sources: &[&Source]) -> Vec<SourceTest> {
    join_all(sources.iter().map(|source| test_source(source))).await
}

async fn test_source(source: &Source) -> SourceTest {
    let kind = perennial_sources::kind_of(&source.location).map_or("", |kind| kind.name);
    let mut test =
        SourceTest { source: source.name.clone(), system: kind.to_string(), tables: Vec::new(), error: None };
    let system = match System::open(source).await {
        Ok(system) => system,
        Err(error) => return SourceTest { error: Some(error), ..test },
    };
    if let System::Database(database) = &system {
        match database.version().await {
            Ok(version) => test.system = version,
            Err(error) => return SourceTest { error: Some(error), ..test },
        }
    }
    for table in &source.tables {
        let found = perennial_intake::probe_table(&system, source, table).await;
        let of_files = matches!(table.extraction, Extraction::Files { .. });
        test.tables.push(TableTest { table: table.name.clone(), of_files, found });
    }
    test
}

impl TableTest {
    /// Whether it can be read.
    pub fn status(&self) -> ProbeStatus {
        match &self.found {
            Err(_) => ProbeStatus::Failed,
            Ok(found) if found.rows() == 0 || !found.rejects.is_empty() => ProbeStatus::BadData,
            Ok(_) => ProbeStatus::Ok,
        }
    }

    /// The exit code it calls for.
    pub fn exit_code(&self) -> u8 {
        match &self.found {
            Err(error) => error.kind().exit_code(),
            Ok(_) if self.status() == ProbeStatus::BadData => Kind::Data.exit_code(),
            Ok(_) => 0,
        }
    }
}

impl SourceTest {
    /// The worst status of its tables.
    pub fn status(&self) -> ProbeStatus {
        let of_tables = self.tables.iter().map(TableTest::status).max().unwrap_or(ProbeStatus::Ok);
        if self.error.is_some() { ProbeStatus::Failed } else { of_tables }
    }

    /// The exit code it calls for: the highest of its tables.
    pub fn exit_code(&self) -> u8 {
        let of_source = self.error.as_ref().map_or(0, |error| error.kind().exit_code());
        self.tables.iter().map(TableTest::exit_code).fold(of_source, u8::max)
    }

    /// Rows that were read.
    pub fn rows(&self) -> u64 {
        self.tables.iter().filter_map(|table| table.found.as_ref().ok()).map(ProbeOutcome::rows).sum()
    }

    /// Rows that were rejected.
    pub fn rejected(&self) -> u64 {
        self.tables.iter().filter_map(|table| table.found.as_ref().ok()).map(|found| found.rejects.len() as u64).sum()
    }
}
