//! A call of a function of templates: its arguments, checked against the function's page of the manual.

use super::data::{Row, attribute_if_any, defined, given, invalid, number, unknown};
use super::decimal::Decimal;
use super::manual::Page;
use minijinja::Error;
use minijinja::value::{Kwargs, Value};

/// A call of a function of templates, checked against its page of the manual.
pub(crate) struct Call {
    page: &'static Page,
    values: Vec<Value>,
    with: Kwargs,
}

impl Call {
    /// The call with these arguments, or what is wrong with them.
    pub(crate) fn new(page: &'static Page, values: Vec<Value>, with: Kwargs) -> Result<Call, Error> {
        let call = Call { page, values, with };
        call.check().map_err(invalid)?;
        call.values.iter().try_for_each(defined)?;
        for name in call.names() {
            defined(&call.with.peek::<Value>(&name)?)?;
        }
        Ok(call)
    }

    fn check(&self) -> Result<(), String> {
        let page = self.page;
        let named: Vec<&str> = self.with.args().collect();
        for name in &named {
            page.argument(name).map_err(|problem| problem.in_one_line())?;
        }
        page.is_complete(self.values.len(), &named).map_err(|problem| problem.in_one_line())
    }

    /// The argument at a place, from 0; none where it was not given.
    pub(crate) fn value(&self, index: usize) -> Value {
        self.values.get(index).cloned().unwrap_or_default()
    }

    /// The rows of the first argument.
    pub(crate) fn rows(&self) -> Result<Vec<Value>, Error> {
        let rows = self.value(0);
        if rows.as_str().is_some() || rows.is_number() {
            return Err(invalid(format!("`{}` draws the rows of a query, not `{rows}`", self.page.name)));
        }
        Ok(rows.try_iter()?.collect())
    }

    /// The names of all keyword arguments given.
    pub(crate) fn names(&self) -> Vec<String> {
        self.with.args().map(str::to_string).collect()
    }

    /// A keyword argument; nothing where it was not given or is none.
    pub(crate) fn keyword(&self, name: &str) -> Result<Option<Value>, Error> {
        let value: Option<Value> = self.with.get(name)?;
        Ok(value.filter(|value| !value.is_none() && !value.is_undefined()))
    }

    /// A keyword argument that is a word or a name of a column.
    pub(crate) fn name(&self, name: &str) -> Result<Option<String>, Error> {
        let Some(value) = self.keyword(name)? else { return Ok(None) };
        match value.as_str() {
            Some(text) => {
                self.page.allows(name, text).map_err(|problem| invalid(problem.in_one_line()))?;
                Ok(Some(text.to_string()))
            }
            None => Err(invalid(format!("`{name}` of `{}` is one name, not `{value}`", self.page.name))),
        }
    }

    /// The same where the page says that it must be there.
    pub(crate) fn required(&self, name: &str) -> Result<String, Error> {
        Ok(self.name(name)?.unwrap_or_default())
    }
}

/// A column of a row.
pub(crate) fn attribute(row: &Value, key: &str) -> Result<Value, Error> {
    defined(row)?;
    if let Some(value) = attribute_if_any(row, key) {
        return Ok(value);
    }
    if let Some(row) = row.downcast_object_ref::<Row>() {
        return Err(row.unknown(key));
    }
    let columns: Vec<String> = row.try_iter().map(|keys| keys.map(|key| key.to_string()).collect()).unwrap_or_default();
    Err(unknown(format!("these rows have no column `{key}`"), key, columns.iter().map(String::as_str)))
}

/// A column of a row as text.
pub(crate) fn text(row: &Value, key: &str) -> Result<String, Error> {
    Ok(attribute(row, key)?.to_string())
}

/// A column of a row that must be a number.
pub(crate) fn figure(row: &Value, key: &str) -> Result<Decimal, Error> {
    given(&attribute(row, key)?)
}

/// A column of a row that may be NULL.
pub(crate) fn optional_figure(row: &Value, key: &str) -> Result<Option<Decimal>, Error> {
    Ok(number(&attribute(row, key)?))
}
