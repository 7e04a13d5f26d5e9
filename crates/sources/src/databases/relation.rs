//! What is read of a relation: its SQL, and which of its columns.

use super::RelationRequest;
use perennial_core::contract::{Column, ColumnPolicy, Relation, RelationRows};
use perennial_core::error::{Error, Result};
use perennial_core::sql::Dialect;

/// What is selected from, and the filter of the contract.
pub(super) struct Selection {
    from: String,
    filter: Option<String>,
}

impl Selection {
    /// The rows of a relation.
    ///
    /// # Errors
    /// Of kind `Project` when the table's name is malformed.
    pub(super) fn of(relation: &Relation, dialect: &Dialect) -> Result<Selection> {
        match &relation.rows {
            RelationRows::Table(name) => {
                let (schema, name) = dialect.parse_table(name)?;
                Ok(Selection::table(schema.as_deref(), &name, relation, dialect))
            }
            RelationRows::Query(sql) => Ok(Selection::query(sql, relation, dialect)),
        }
    }

    /// The rows of a table whose name is known.
    pub(super) fn table(schema: Option<&str>, name: &str, relation: &Relation, dialect: &Dialect) -> Selection {
        Selection { from: dialect.table(schema, name), filter: relation.filter.clone() }
    }

    /// The rows of a query.
    pub(super) fn query(sql: &str, relation: &Relation, dialect: &Dialect) -> Selection {
        // On a line of its own, the bracket is not part of a comment at the end of the query.
        let from = format!("({}\n) AS {}", sql.trim().trim_end_matches(';'), dialect.identifier("query"));
        Selection { from, filter: relation.filter.clone() }
    }

    /// The statement that selects columns of the rows that meet the filter and every condition.
    pub(super) fn select(&self, columns: &str, conditions: &[String]) -> String {
        let all: Vec<String> =
            self.filter.iter().chain(conditions).map(|condition| format!("({condition}\n)")).collect();
        let condition = if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) };
        format!("SELECT {columns} FROM {}{condition}", self.from)
    }
}

/// A column that is read.
pub(super) struct SelectedColumn<'a> {
    /// Its name as the contract writes it.
    pub(super) name: String,
    /// Its index among the columns of the relation.
    pub(super) index: usize,
    /// The columns of the contract that are read from it.
    pub(super) wanted: Vec<&'a Column>,
}

/// The columns to read, in the order of the relation. `same` compares names as the database does.
///
/// # Errors
/// Of kind `Project` when there are none, or one is missing that must not be.
pub(super) fn select_columns<'a>(
    names: &[&str],
    request: &RelationRequest<'a>,
    same: impl Fn(&str, &str) -> bool,
) -> Result<Vec<SelectedColumn<'a>>> {
    let table = request.table;
    if table.on_missing_column == ColumnPolicy::Fail {
        let wanted: Vec<String> = table.columns.iter().map(|column| column.from.clone()).collect();
        find_columns(names, &wanted, request.relation, &same)?;
    }
    let select = |(index, name): (usize, &&str)| {
        let wanted: Vec<&Column> = table.columns.iter().filter(|column| same(&column.from, name)).collect();
        let shown = wanted.first().map_or(name.to_string(), |column| column.from.clone());
        (!wanted.is_empty() || request.all_columns).then_some(SelectedColumn { name: shown, index, wanted })
    };
    let selected: Vec<SelectedColumn<'a>> = names.iter().enumerate().filter_map(select).collect();
    if selected.is_empty() {
        let message = format!("`{}` has none of the contract's columns", request.relation.label());
        return Err(Error::project(message));
    }
    Ok(selected)
}

/// The indexes of columns in a relation.
///
/// # Errors
/// Of kind `Project` when one is missing.
pub(super) fn find_columns(
    names: &[&str],
    wanted: &[String],
    relation: &Relation,
    same: impl Fn(&str, &str) -> bool,
) -> Result<Vec<usize>> {
    let missing = |name: &String| {
        Error::project(format!("`{}` has no column `{name}`", relation.label())).suggest(name, names.iter().copied())
    };
    wanted.iter().map(|name| names.iter().position(|known| same(known, name)).ok_or_else(|| missing(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use perennial_core::sql::STANDARD;

    #[test]
    fn comments_at_the_end_of_sql_hide_nothing() {
        let relation = Relation { rows: RelationRows::Query("SELECT 1 -- one;".into()), filter: Some("a -- b".into()) };
        let selection = Selection::of(&relation, &STANDARD).unwrap();
        let expected = "SELECT * FROM (SELECT 1 -- one\n) AS \"query\" WHERE (a -- b\n) AND (c > 1\n)";
        assert_eq!(selection.select("*", &["c > 1".to_string()]), expected);
    }

    #[test]
    fn tables_are_quoted() {
        let relation = Relation { rows: RelationRows::Table("sales.\"Order.Lines\"".into()), filter: None };
        let selection = Selection::of(&relation, &STANDARD).unwrap();
        assert_eq!(selection.select("\"a\"", &[]), "SELECT \"a\" FROM \"sales\".\"Order.Lines\"");
        let relation = Relation { rows: RelationRows::Table("a.b.c".into()), filter: None };
        let error = Selection::of(&relation, &STANDARD).err().unwrap();
        assert_eq!(error.message(), "`a.b.c` is not a table name");
    }
}
