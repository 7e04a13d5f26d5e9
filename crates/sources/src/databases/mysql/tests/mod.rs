//! Reading from a real MariaDB server.

mod changes;
mod errors;
mod matomo;
mod types;

use super::open;
use crate::{CellReject, Database, RelationRequest, Since, TypedReader};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use perennial_core::contract::{
    Access, Column, Extraction, Relation, RelationRows, Secret, SourceTable, Tls, ValueType,
};
use perennial_core::error::Result;
use perennial_testing::{MariaDbServer, column, mariadb_server, source_table};
use std::sync::Arc;

/// An account of the server; in the clear, as most tests are not about encryption.
fn access((user, password): (&str, &str)) -> Access {
    Access {
        user: Some(user.into()),
        password: Some(Secret::Environment(password.into())),
        tls: Tls::Off,
        connect_timeout_seconds: 10,
        read_timeout_seconds: 30,
        ..Access::default()
    }
}

/// A session that may write.
async fn owner(server: &MariaDbServer, database: &str) -> Conn {
    let (user, password) = MariaDbServer::OWNER;
    let options = OptsBuilder::default()
        .socket(server.socket.to_str())
        .user(Some(user))
        .pass(Some(password))
        .db_name((!database.is_empty()).then_some(database));
    let mut owner = Conn::new(options).await.unwrap();
    owner.query_drop("SET NAMES utf8mb4").await.unwrap();
    owner
}

/// A new database with these tables, and a session that may write to it.
async fn database(server: &MariaDbServer, name: &str, statements: &[&str]) -> Conn {
    let mut owner = owner(server, "").await;
    owner.query_drop(format!("CREATE DATABASE `{name}` CHARACTER SET utf8mb4")).await.unwrap();
    owner.query_drop(format!("USE `{name}`")).await.unwrap();
    for statement in statements {
        owner.query_drop(*statement).await.unwrap();
    }
    owner
}

async fn reader(server: &MariaDbServer, name: &str) -> Arc<dyn Database> {
    open(&server.location(name), &access(MariaDbServer::READER)).await.unwrap()
}

fn relation(name: &str) -> Relation {
    Relation { rows: RelationRows::Table(name.into()), filter: None }
}

fn query(sql: &str) -> Relation {
    Relation { rows: RelationRows::Query(sql.into()), filter: None }
}

fn contract(columns: Vec<Column>) -> SourceTable {
    let extraction = Extraction::Relation(relation("unused"));
    SourceTable { extraction, ..source_table(columns) }
}

fn decimal(precision: u8, scale: i8) -> ValueType {
    ValueType::Decimal { precision, scale }
}

fn instant(zone: &str) -> ValueType {
    ValueType::Instant { formats: vec![], zone: zone.into() }
}

fn date() -> ValueType {
    ValueType::Date { formats: vec![] }
}

/// What was read.
#[derive(Debug, Default)]
struct Found {
    fields: Vec<String>,
    types: Vec<String>,
    /// Cells as text; `-` where there is no value.
    rows: Vec<Vec<String>>,
    /// Field, value and reason of each reject.
    rejects: Vec<(String, String, String)>,
}

impl Found {
    /// The rows as lines.
    fn lines(&self) -> Vec<String> {
        self.rows.iter().map(|row| row.join(" | ")).collect()
    }

    fn take(&mut self, batch: &arrow::array::RecordBatch, rejects: Vec<CellReject>) {
        let options = FormatOptions::default();
        let shown: Vec<ArrayFormatter> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let cell = |i: usize| {
                if batch.column(i).is_null(row) { "-".to_string() } else { shown[i].value(row).to_string() }
            };
            self.rows.push((0..shown.len()).map(cell).collect());
        }
        let fields = &self.fields;
        self.rejects
            .extend(rejects.into_iter().map(|reject| (fields[reject.field].clone(), reject.raw, reject.reason)));
    }
}

/// Reads one reader to its end, on a thread that may block.
async fn drain(mut reader: Box<dyn TypedReader>) -> Result<Found> {
    let read = move || {
        let mut found = Found { fields: reader.fields().to_vec(), types: reader.types().to_vec(), ..Found::default() };
        while let Some(rows) = reader.next_rows()? {
            found.take(&rows.batch, rows.rejects);
        }
        Ok(found)
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

async fn readers(
    database: &dyn Database,
    relation: &Relation,
    table: &SourceTable,
    since: Option<Since<'_>>,
) -> Result<Box<dyn TypedReader>> {
    let request = RelationRequest { relation, table, all_columns: table.columns.is_empty(), since };
    let mut readers = database.read(&request).await?;
    assert_eq!(readers.len(), 1);
    Ok(readers.remove(0))
}

async fn read(database: &dyn Database, relation: &Relation, columns: Vec<Column>) -> Result<Found> {
    drain(readers(database, relation, &contract(columns), None).await?).await
}
