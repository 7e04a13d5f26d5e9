//! Whether the sources can be read, as a night will read them: opened, and the first rows of every table held against
//! the contract. Nothing is written, no lock is taken, and the lake is not looked at.

use crate::contract::{Delivery, Source};
use crate::error::{Error, Kind};
use crate::intake::{self, Probed};
use crate::sources::{self, System};
use futures::future::join_all;

/// What came of looking at a source.
#[derive(Debug)]
pub struct SourceTest {
    /// The source.
    pub source: String,
    /// What answers, for people: `PostgreSQL 15.18`, `a folder`.
    pub system: String,
    /// Of every table what was found; none where the source could not be opened.
    pub tables: Vec<TableTest>,
    /// Why the source could not be opened.
    pub error: Option<Error>,
}

/// What came of looking at a table.
#[derive(Debug)]
pub struct TableTest {
    /// The table.
    pub table: String,
    /// Whether it is delivered in files.
    pub of_files: bool,
    /// The first rows, or why they could not be read.
    pub found: Result<Probed, Error>,
}

/// How well a source or table stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It can be read and its first rows keep the contract.
    Good,
    /// It can be read, and has no rows or some that are refused.
    Faults,
    /// It cannot be read.
    Fails,
}

/// Looks at sources, all at once; one that fails keeps no other away.
pub async fn test_sources(sources: &[&Source]) -> Vec<SourceTest> {
    join_all(sources.iter().map(|source| test_source(source))).await
}

async fn test_source(source: &Source) -> SourceTest {
    let scheme = sources::scheme(&source.location);
    let kind = sources::SCHEMES.iter().find(|(name, ..)| *name == scheme).map_or("", |(.., words)| words);
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
        let found = intake::probe_table(&system, source, table).await;
        let of_files = matches!(table.delivery, Delivery::Files { .. });
        test.tables.push(TableTest { table: table.name.clone(), of_files, found });
    }
    test
}

impl TableTest {
    /// How well it stands.
    pub fn standing(&self) -> Standing {
        match &self.found {
            Err(_) => Standing::Fails,
            Ok(found) if found.rows() == 0 || !found.rejects.is_empty() => Standing::Faults,
            Ok(_) => Standing::Good,
        }
    }

    /// The exit code it calls for.
    pub fn exit_code(&self) -> u8 {
        match &self.found {
            Err(error) => error.kind().exit_code(),
            Ok(_) if self.standing() == Standing::Faults => Kind::Data.exit_code(),
            Ok(_) => 0,
        }
    }
}

impl SourceTest {
    /// How well it stands: as its worst table.
    pub fn standing(&self) -> Standing {
        let of_tables = self.tables.iter().map(TableTest::standing).max().unwrap_or(Standing::Good);
        if self.error.is_some() { Standing::Fails } else { of_tables }
    }

    /// The exit code it calls for: the highest of its tables.
    pub fn exit_code(&self) -> u8 {
        let of_source = self.error.as_ref().map_or(0, |error| error.kind().exit_code());
        self.tables.iter().map(TableTest::exit_code).fold(of_source, u8::max)
    }

    /// Rows that were looked at.
    pub fn rows(&self) -> u64 {
        self.tables.iter().filter_map(|table| table.found.as_ref().ok()).map(Probed::rows).sum()
    }

    /// Rows of them that are refused.
    pub fn refused(&self) -> u64 {
        self.tables.iter().filter_map(|table| table.found.as_ref().ok()).map(|found| found.rejects.len() as u64).sum()
    }
}
