//! What a header promises, held against the columns the SQL gives.

use super::check::{Checker, Step};
use super::column_tests::range_predicate;
use super::step_tests::cast_exactly;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use perennial_core::error::{Error, Place, Problems};
use perennial_engine::{diagnose, mistyped_comparisons, quoted, quoted_name};
use perennial_project::{ColumnHeader, ColumnRule};

/// Columns, tests of columns and the grain of one step.
pub(super) async fn check(checker: &Checker, step: &Step, problems: &mut Problems) {
    for column in &step.header.columns {
        let place = Place::span(&step.file.path, step.file.text.clone(), column.span.clone());
        if step.schema.field_with_name(&column.name).is_err() {
            let error = Error::project(format!("{} has no column `{}`", step.name, column.name));
            problems.push(error.at(place).suggest(&column.name, names(&step.schema)));
            continue;
        }
        for test in &column.tests {
            let place = Place::span(&step.file.path, step.file.text.clone(), test.span.clone());
            for error in rule(checker, step, column, &test.rule).await {
                problems.push(error.at(place.clone()));
            }
        }
    }
    for name in &step.header.grain {
        if step.schema.field_with_name(name).is_err() {
            let error = Error::project(format!("the grain names `{name}`, which is not a column of {}", step.name));
            problems.push(error.at(place_of_grain(step, name)).suggest(name, names(&step.schema)));
        }
    }
}

fn names(schema: &Schema) -> Vec<&str> {
    schema.fields().iter().map(|f| f.name().as_str()).collect()
}

/// What is wrong with a rule.
async fn rule(checker: &Checker, step: &Step, column: &ColumnHeader, rule: &ColumnRule) -> Vec<Error> {
    match rule {
        ColumnRule::Relationships { to, column: other } => {
            if checker.is_broken(to) {
                return Vec::new();
            }
            if !checker.known().contains(to) {
                let known: Vec<String> = checker.known().iter().map(|t| t.to_string()).collect();
                let error = Error::project(format!("unknown table `{to}` in the test of `{}`", column.name));
                return vec![error.suggest(&to.to_string(), known.iter().map(String::as_str))];
            }
            let schema: SchemaRef = match checker.engine().schema(to).await {
                Ok(schema) => schema,
                Err(error) => return vec![error],
            };
            if schema.field_with_name(other).is_err() {
                let error = format!("{to} has no column `{other}`, which the test of `{}` names", column.name);
                return vec![Error::project(error).suggest(other, names(&schema))];
            }
            let (table, to_table) = (quoted_name(&step.name), quoted_name(to));
            let (own, other_name) = (quoted(&column.name), quoted(other));
            let sql = format!("SELECT 1 FROM {table} a JOIN {to_table} b ON a.{own} = b.{other_name}");
            match not_plannable(checker, &sql).await {
                Some(why) => {
                    vec![Error::project(format!("`{}` cannot be matched with `{to}.{other}`: {why}", column.name))]
                }
                None => Vec::new(),
            }
        }
        ColumnRule::Range { min, max } => {
            let table = quoted_name(&step.name);
            let mut errors = Vec::new();
            for (word, min, max) in [("min", min.as_deref(), None), ("max", None, max.as_deref())] {
                let Some(predicate) = range_predicate(&step.schema, &column.name, min, max) else { continue };
                if let Some(why) = not_plannable(checker, &format!("SELECT 1 FROM {table} WHERE {predicate}")).await {
                    let message = format!("`{word}` of the range of `{}` does not fit its type: {why}", column.name);
                    errors.push(Error::project(message));
                }
            }
            errors
        }
        ColumnRule::AcceptedValues(values) => values_that_never_occur(step, column, values),
        ColumnRule::NotNull | ColumnRule::Unique => Vec::new(),
    }
}

/// Accepted values that a column of its type cannot hold. They are compared as text, so that only types of which every
/// value has one spelling are judged.
fn values_that_never_occur(step: &Step, column: &ColumnHeader, values: &[String]) -> Vec<Error> {
    let Ok(field) = step.schema.field_with_name(&column.name) else { return Vec::new() };
    let data_type = field.data_type();
    if !(data_type.is_integer() || matches!(data_type, DataType::Boolean | DataType::Date32)) {
        return Vec::new();
    }
    let wrong = values.iter().filter_map(|value| cast_exactly(vec![Some(value)], data_type).err());
    wrong.map(|why| Error::project(format!("column `{}` {why}", column.name))).collect()
}

/// Why a query cannot be planned, or compares what does not go together.
async fn not_plannable(checker: &Checker, sql: &str) -> Option<String> {
    let planned = match checker.engine().plan(sql).await {
        Ok(plan) => match mistyped_comparisons(&plan).into_iter().next() {
            Some(problem) => return Some(problem.message),
            None => checker.engine().state().optimize(&plan).map(|_| ()),
        },
        Err(error) => Err(error),
    };
    let error = planned.err()?;
    Some(diagnose(&error, sql).into_iter().next().map(|found| found.message).unwrap_or_default())
}

fn place_of_grain(step: &Step, name: &str) -> Place {
    let text = &step.file.text;
    let grain = text.find("grain:").unwrap_or(0);
    let start = text[grain..].find(name).map_or(grain, |i| grain + i);
    Place::span(&step.file.path, text.clone(), start..start + name.len())
}
