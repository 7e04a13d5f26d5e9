//! What a header promises, held against the columns the SQL gives.

use super::check::{Checker, Step};
use super::column_tests::range_predicate;
use crate::error::{Error, Place, Problems};
use crate::project::{ColumnHeader, ColumnRule};
use arrow::datatypes::{Schema, SchemaRef};

/// Columns, tests of columns and the grain of one step.
pub(super) async fn check(checker: &Checker, step: &Step, problems: &mut Problems) {
    for column in &step.header.columns {
        let place = Place::span(&step.file.path, step.file.text.clone(), column.span.clone());
        if step.schema.field_with_name(&column.name).is_err() {
            let error = Error::project(format!("the query of {} gives no column `{}`", step.name, column.name));
            problems.push(error.at(place).suggest(&column.name, names(&step.schema)));
            continue;
        }
        for test in &column.tests {
            if let Err(error) = rule(checker, step, column, &test.rule).await {
                problems.push(error.at(place_of_rule(step, column, &test.rule)));
            }
        }
    }
    for name in &step.header.grain {
        if step.schema.field_with_name(name).is_err() {
            let error =
                Error::project(format!("the grain names `{name}`, which the query of {} does not give", step.name));
            problems.push(error.at(place_of_grain(step, name)).suggest(name, names(&step.schema)));
        }
    }
}

fn names(schema: &Schema) -> Vec<&str> {
    schema.fields().iter().map(|f| f.name().as_str()).collect()
}

async fn rule(checker: &Checker, step: &Step, column: &ColumnHeader, rule: &ColumnRule) -> Result<(), Error> {
    match rule {
        ColumnRule::Relationships { to, column: other } => {
            if checker.is_broken(to) {
                return Ok(());
            }
            if !checker.known().contains(to) {
                let known: Vec<String> = checker.known().iter().map(|t| t.to_string()).collect();
                let error = Error::project(format!("the test of `{}` names the unknown table `{to}`", column.name));
                return Err(error.suggest(&to.to_string(), known.iter().map(String::as_str)));
            }
            let schema: SchemaRef = checker.engine().schema(to).await?;
            if schema.field_with_name(other).is_err() {
                let error =
                    Error::project(format!("the test of `{}` names `{other}`, which {to} does not have", column.name));
                return Err(error.suggest(other, names(&schema)));
            }
            Ok(())
        }
        ColumnRule::Range { min, max } => {
            let Some(predicate) = range_predicate(&step.schema, &column.name, min.as_deref(), max.as_deref()) else {
                return Err(Error::project(format!("the range of `{}` has neither min nor max", column.name)));
            };
            let table = crate::engine::quoted_name(&step.name);
            let sql = format!("SELECT 1 FROM {table} WHERE {predicate}");
            let checked = match checker.engine().plan(&sql).await {
                Ok(plan) => checker.engine().state().optimize(&plan).map(|_| ()),
                Err(error) => Err(error),
            };
            checked.map_err(|error| {
                let why =
                    crate::engine::diagnose(&error, &sql).into_iter().next().map(|d| d.message).unwrap_or_default();
                Error::project(format!("the range of `{}` does not fit its type: {why}", column.name))
            })
        }
        ColumnRule::NotNull | ColumnRule::Unique | ColumnRule::AcceptedValues(_) => Ok(()),
    }
}

/// The rule's own word behind the column's name, where the header holds it.
fn place_of_rule(step: &Step, column: &ColumnHeader, rule: &ColumnRule) -> Place {
    let text = &step.file.text;
    let word = match rule {
        ColumnRule::Relationships { .. } => "relationships",
        ColumnRule::Range { .. } => "range",
        _ => "",
    };
    let behind = column.span.end.min(text.len());
    let found = (!word.is_empty()).then(|| text[behind..].find(word)).flatten().map(|i| behind + i);
    let range = found.map_or(column.span.clone(), |start| start..start + word.len());
    Place::span(&step.file.path, text.clone(), range)
}

fn place_of_grain(step: &Step, name: &str) -> Place {
    let text = &step.file.text;
    let grain = text.find("grain:").unwrap_or(0);
    let start = text[grain..].find(name).map_or(grain, |i| grain + i);
    Place::span(&step.file.path, text.clone(), start..start + name.len())
}
