//! Against a real server; what is expected is what psql says, or follows from the SQL that made the rows.

mod errors;
mod loads;
mod real;
mod speed;
mod types;

use super::open;
use crate::{CellReject, Database, RelationRequest, Since, TypedReader, TypedRows};
use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use perennial_core::contract::{Access, Column, Relation, RelationRows, SourceTable, Tls, ValueType};
use perennial_core::error::Result;
use perennial_testing::{PostgresServer, column, source_table};
use std::sync::Arc;

/// As root of the test's server, in the clear.
fn access() -> Access {
    Access { tls: Tls::Off, read_timeout_seconds: 30, ..Access::default() }
}

fn location(server: &PostgresServer, database: &str) -> String {
    format!("postgresql://postgres@localhost:{}/{database}", server.port)
}

async fn connected(server: &PostgresServer, database: &str) -> Arc<dyn Database> {
    open(&location(server, database), &access()).await.unwrap()
}

fn table(name: &str) -> Relation {
    Relation { rows: RelationRows::Table(name.into()), filter: None }
}

fn query(sql: &str) -> Relation {
    Relation { rows: RelationRows::Query(sql.into()), filter: None }
}

fn instant() -> ValueType {
    ValueType::Instant { formats: vec![], zone: "UTC".into() }
}

fn columns(wanted: &[(&str, ValueType)]) -> SourceTable {
    source_table(wanted.iter().map(|(name, data_type)| column(name, data_type.clone())).collect::<Vec<Column>>())
}

/// Everything that was read.
#[derive(Debug, Default)]
struct Read {
    fields: Vec<String>,
    types: Vec<String>,
    batches: Vec<RecordBatch>,
    rejects: Vec<CellReject>,
    readers: usize,
}

impl Read {
    fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The texts of one column, NULL as `-`.
    fn column(&self, name: &str) -> Vec<String> {
        let place = self.fields.iter().position(|field| field == name).unwrap();
        let options = FormatOptions::default().with_null("-");
        let mut texts = Vec::new();
        for batch in &self.batches {
            let shown = ArrayFormatter::try_new(batch.column(place), &options).unwrap();
            texts.extend((0..batch.num_rows()).map(|row| shown.value(row).to_string()));
        }
        texts
    }

    fn sorted(&self, name: &str) -> Vec<String> {
        let mut texts = self.column(name);
        texts.sort();
        texts
    }
}

/// All rows of a reader, with its fields and their types.
fn drained(mut reader: Box<dyn TypedReader>) -> Result<(Vec<String>, Vec<String>, Vec<TypedRows>)> {
    let mut found = Vec::new();
    while let Some(rows) = reader.next_rows()? {
        found.push(rows);
    }
    Ok((reader.fields().to_vec(), reader.types().to_vec(), found))
}

async fn read_request(database: &Arc<dyn Database>, request: RelationRequest<'_>) -> Result<Read> {
    let readers = database.read(&request).await?;
    let mut read = Read { readers: readers.len(), ..Read::default() };
    let tasks: Vec<_> = readers.into_iter().map(|reader| tokio::task::spawn_blocking(|| drained(reader))).collect();
    for task in tasks {
        let (fields, types, found) = task.await.unwrap()?;
        (read.fields, read.types) = (fields, types);
        for rows in found {
            let before = read.rows();
            read.rejects
                .extend(rows.rejects.into_iter().map(|reject| CellReject { row: before + reject.row, ..reject }));
            read.batches.push(rows.batch);
        }
    }
    Ok(read)
}

async fn try_read(database: &Arc<dyn Database>, relation: &Relation, contract: &SourceTable) -> Result<Read> {
    read_request(database, RelationRequest { relation, table: contract, all_columns: false, since: None }).await
}

async fn read(database: &Arc<dyn Database>, relation: &Relation, wanted: &[(&str, ValueType)]) -> Read {
    try_read(database, relation, &columns(wanted)).await.unwrap()
}

async fn read_since(database: &Arc<dyn Database>, name: &str, wanted: &[(&str, ValueType)], since: Since<'_>) -> Read {
    let (relation, contract) = (table(name), columns(wanted));
    let request = RelationRequest { relation: &relation, table: &contract, all_columns: false, since: Some(since) };
    read_request(database, request).await.unwrap()
}
