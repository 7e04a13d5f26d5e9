//! Tables drafted from a database.

use super::draft::{self, ColumnDraft, TableDraft};
use super::{Look, dialect_of, names, yaml};
use arrow::array::{Array, ArrayRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use perennial_core::contract::{SourceTable, ValueType};
use perennial_core::error::{Error, Kind, Result};
use perennial_core::sql::Dialect;
use perennial_intake::{GuessOptions, ProbeOutcome};
use perennial_sources::{Database, FoundColumn, FoundRelation, FoundTable, System};
use std::sync::Arc;

/// Drafts every table and view that the account may read, and says what was left out.
pub(super) async fn tables(look: &Look<'_>, database: &Arc<dyn Database>) -> Result<(Vec<TableDraft>, Vec<String>)> {
    let (mut tables, mut left_out) = (Vec::new(), Vec::new());
    let mut taken = Vec::new();
    let dialect = dialect_of(&look.place.location);
    for found in database.tables().await? {
        let written = found.written(&dialect);
        let names = [&found.name, &format!("{}.{}", found.schema, found.name), &written];
        if !names.into_iter().any(|name| look.wants(name)) {
            continue;
        }
        let relation = match database.describe(&written).await {
            Ok(relation) => relation,
            Err(error) if error.kind() == Kind::Unreachable => return Err(error),
            Err(error) => {
                left_out.push(format!("{written}: {}", error.message()));
                continue;
            }
        };
        if relation.columns.is_empty() {
            left_out.push(format!("{written}: it has no columns"));
            continue;
        }
        let base = perennial_project::identifier(&found.name).unwrap_or_else(|| format!("table_{}", tables.len() + 1));
        let name = names::unused(base, &taken);
        taken.push(name.clone());
        let mut table = drafted(name, found, &relation, &dialect);
        look_into(look, database, &mut table).await?;
        settle(&mut table);
        tables.push(table);
    }
    Ok((tables, left_out))
}

fn drafted(name: String, found: FoundTable, relation: &FoundRelation, dialect: &Dialect) -> TableDraft {
    let what = if found.is_view { "a view" } else { "a table" };
    let comment = match found.about_rows {
        Some(rows) => format!("{what} of about {rows} rows"),
        None => what.to_string(),
    };
    let mut table = TableDraft {
        name,
        description: relation.comment.clone().unwrap_or_default(),
        comments: vec![comment],
        extraction: vec![("table", yaml::scalar(&found.written(dialect)))],
        relation: Some(found),
        ..TableDraft::default()
    };
    let mut taken = Vec::new();
    for (place, column) in relation.columns.iter().enumerate() {
        let name = names::column(&column.name, place, &taken);
        taken.push(name.clone());
        table.columns.push(column_of(column, name));
    }
    let named = |from: &String| table.columns.iter().find(|c| c.from == *from).map(|c| c.name.clone());
    table.key = relation.key.iter().filter_map(named).collect();
    draft::mark_personal(&mut table);
    table
}

/// Says what follows from the columns, when their types are known.
fn settle(table: &mut TableDraft) {
    load(table);
    table.time_column = draft::time_column(&table.columns);
}

fn column_of(found: &FoundColumn, name: String) -> ColumnDraft {
    let mut comments = Vec::new();
    let kind = found.type_name.to_ascii_lowercase();
    match &found.data_type {
        ValueType::Instant { zone, .. } if !kind.contains("with time zone") && !kind.contains("timestamptz") => {
            comments.push(format!("`{kind}` has no time zone; it is read in {zone}, which `zone` changes"));
        }
        ValueType::Decimal { .. } if ["numeric", "decimal"].contains(&kind.as_str()) => {
            comments.push(format!("`{kind}` without precision: as many digits as were seen; more are rejected"));
        }
        _ => {}
    }
    if names::is_foreign(&found.name) {
        comments.push(format!("choose a name; in the database it is {}", found.name));
    }
    ColumnDraft {
        name,
        from: found.name.clone(),
        data_type: found.data_type.clone(),
        locale: None,
        required: found.required,
        null_values: Vec::new(),
        personal: false,
        description: found.comment.clone().unwrap_or_default(),
        comments,
    }
}

/// Only what changed is read where a stamp says it; where nothing does, everything.
fn load(table: &mut TableDraft) {
    let stamped = |says: fn(&str) -> bool| {
        let moment = |c: &&ColumnDraft| matches!(c.data_type, ValueType::Instant { .. }) && says(&c.name);
        table.columns.iter().find(moment)
    };
    let changed = stamped(names::says_changed);
    let created = stamped(names::says_created).filter(|_| changed.is_some_and(|changed| !changed.required));
    let cursor: Vec<String> = changed.into_iter().chain(created).map(|column| column.name.clone()).collect();
    if cursor.is_empty() {
        table.load = Some("snapshot".to_string());
        table.comments.push("no column shows when a row changed, so every load reads all rows".to_string());
    } else if table.key.is_empty() {
        table.load = Some("snapshot".to_string());
        let column = &cursor[0];
        table.comments.push(format!("`{column}` may show what changed, but without a key every load reads all rows"));
    } else {
        table.load = Some(format!("{{incremental: {{cursor: {}}}}}", yaml::list(&cursor)));
        let missed = "a cursor misses deleted rows and changes that do not touch it; `full_every` (7d by default) finds \
                      both, `load: snapshot` finds them in every run";
        table.comments.push(missed.to_string());
    }
    if table.key.is_empty() {
        table.comments.push("no key: the database has none, so the table is replaced as a whole".to_string());
    }
}

/// Reads the first rows with the draft and comments on them: personal data, few values, values that would be rejected.
async fn look_into(look: &Look<'_>, database: &Arc<dyn Database>, table: &mut TableDraft) -> Result<()> {
    let source = match look.contract(std::slice::from_ref(table)) {
        Ok(source) => source,
        Err(problems) => {
            let first = problems.iter().next().map(|error| error.message().to_string()).unwrap_or_default();
            return Err(Error::bug(format!("the draft of {} is not a valid contract: {first}", table.name)));
        }
    };
    let Some(contract) = source.tables.first() else { return Ok(()) };
    let system = System::Database(database.clone());
    match perennial_intake::probe_table(&system, &source, contract).await {
        Ok(probed) => tell(look, table, contract, &probed),
        Err(error) if error.kind() == Kind::Unreachable => return Err(error),
        Err(error) => table.comments.push(format!("its rows could not be read: {}", error.message())),
    }
    Ok(())
}

fn tell(look: &Look<'_>, table: &mut TableDraft, contract: &SourceTable, probed: &ProbeOutcome) {
    if let Some(batch) = &probed.batch {
        for column in &mut table.columns {
            if let Some(array) = batch.column_by_name(&column.name).filter(|_| column.data_type == ValueType::Text) {
                let values = texts(array, look.sample_rows);
                look_for_type(look, column, &values);
                draft::look_at_values(column, &values);
            }
        }
    }
    for promised in &contract.columns {
        let of_it = probed.rejects.iter().filter(|reject| reject.column.as_deref() == Some(promised.name.as_str()));
        let mut of_it = of_it.peekable();
        let Some(reason) = of_it.peek().map(|reject| reject.reason.clone()) else { continue };
        let count = of_it.count();
        if let Some(column) = table.columns.iter_mut().find(|column| column.name == promised.name) {
            column.comments.push(format!("{count} of the first {} rows are rejected: {reason}", probed.rows()));
        }
    }
}

/// What the values of a text column are besides text. Where a database promises no types (SQLite), the values decide; elsewhere
/// somebody chose text, and the draft only says what it looks like.
fn look_for_type(look: &Look<'_>, column: &mut ColumnDraft, values: &[Option<String>]) {
    let options = GuessOptions {
        zone: look.time_zone,
        named_as_time: names::is_time(&column.name),
        named_as_code: names::is_code(&column.name),
        formats: false,
        locales: false,
    };
    let guess = perennial_intake::guess(values, options);
    let time = matches!(guess.data_type, ValueType::Date { .. } | ValueType::Instant { .. });
    let has_types = perennial_sources::kind_of(&look.place.location).is_ok_and(|kind| kind.typed);
    if time && !has_types {
        column.data_type = guess.data_type;
        column.comments.extend(guess.remarks);
    } else if time {
        column.comments.push("text in the database, but every value that was read is a date or time".to_string());
    }
}

fn texts(array: &ArrayRef, most: usize) -> Vec<Option<String>> {
    let Ok(shown) = ArrayFormatter::try_new(array, &FormatOptions::default()) else { return Vec::new() };
    (0..array.len().min(most)).map(|row| array.is_valid(row).then(|| shown.value(row).to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use perennial_core::sql::STANDARD;

    fn table(columns: &[(&str, &str, ValueType, bool)], key: &[&str]) -> TableDraft {
        let column = |(name, type_name, data_type, required): &(&str, &str, ValueType, bool)| FoundColumn {
            name: name.to_string(),
            type_name: type_name.to_string(),
            data_type: data_type.clone(),
            required: *required,
            comment: None,
        };
        let relation = FoundRelation {
            columns: columns.iter().map(column).collect(),
            key: key.iter().map(|name| name.to_string()).collect(),
            comment: Some("Orders".into()),
        };
        let found = FoundTable {
            schema: "sales".into(),
            in_default_schema: false,
            name: "orders".into(),
            about_rows: Some(7),
            is_view: false,
        };
        let mut table = drafted("orders".into(), found, &relation, &STANDARD);
        settle(&mut table);
        table
    }

    fn instant() -> ValueType {
        ValueType::Instant { formats: vec![], zone: "UTC".into() }
    }

    #[test]
    fn stamps_by_convention_are_a_cursor_where_there_is_a_key() {
        let columns = [
            ("ID", "integer", ValueType::Integer, true),
            ("create_date", "timestamp without time zone", instant(), true),
            ("write_date", "timestamp without time zone", instant(), false),
        ];
        let with_key = table(&columns, &["ID"]);
        assert_eq!(with_key.load.as_deref(), Some("{incremental: {cursor: [write_date, create_date]}}"));
        assert_eq!(with_key.key, ["id"]);
        assert_eq!(with_key.time_column.as_deref(), Some("create_date"));
        assert_eq!(table(&columns, &[]).load.as_deref(), Some("snapshot"));
        assert_eq!(table(&columns[..2], &["ID"]).load.as_deref(), Some("snapshot"));
        assert!(with_key.columns[1].comments[0].contains("has no time zone"));
        // A stamp that is always set needs no other beside it.
        let always = [columns[0].clone(), columns[1].clone(), ("updated_at", "timestamptz", instant(), true)];
        assert_eq!(table(&always, &["ID"]).load.as_deref(), Some("{incremental: {cursor: [updated_at]}}"));
    }

    #[test]
    fn a_bare_numeric_says_where_its_digits_come_from() {
        let money = ValueType::Decimal { precision: 18, scale: 2 };
        let found = table(&[("total", "numeric", money.clone(), false), ("fee", "numeric(12,2)", money, false)], &[]);
        assert!(found.columns[0].comments[0].contains("without precision"));
        assert!(found.columns[1].comments.is_empty());
    }
}
