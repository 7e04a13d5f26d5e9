//! Pages for one row of parameter values: the folder of each, and the rows that belong to it.

use super::data;
use arrow::record_batch::RecordBatch;
use minijinja::value::Value;
use perennial_core::digest::digest;
use perennial_core::error::{Error, Result};
use std::collections::{BTreeMap, HashMap};

/// Letters of a value that its folder's name shows.
const SHOWN: usize = 40;

/// A row of a query as text, by column; NULL is none.
pub type TextRow = BTreeMap<String, Option<String>>;

/// What a page is about beside its period: the values of the report's parameters, as text; NULL is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Parameters(BTreeMap<String, Option<String>>);

/// The rows of a query as text, written as the rows of a report's own queries are: parameters are compared by it.
///
/// # Errors
/// `Project` for a column that cannot be shown, such as a list.
pub fn text_rows(batches: &[RecordBatch]) -> Result<Vec<TextRow>> {
    let mut all = Vec::new();
    for batch in batches {
        let schema = batch.schema();
        let names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
        for row in items(&data::rows(std::slice::from_ref(batch))?) {
            all.push(names.iter().map(|name| (name.to_string(), text(&row, name))).collect());
        }
    }
    Ok(all)
}

fn items(rows: &Value) -> Vec<Value> {
    rows.try_iter().map(Iterator::collect).unwrap_or_default()
}

fn text(row: &Value, column: &str) -> Option<String> {
    let value = row.get_attr(column).unwrap_or(Value::UNDEFINED);
    (!value.is_none() && !value.is_undefined()).then(|| value.to_string())
}

impl Parameters {
    /// None: the page as a whole.
    pub fn whole() -> &'static Parameters {
        static WHOLE: Parameters = Parameters(BTreeMap::new());
        &WHOLE
    }

    /// The parameters of these names in a row.
    ///
    /// # Errors
    /// `Project` when the row has no such column.
    pub fn of_row(row: &TextRow, names: &[String]) -> Result<Parameters> {
        let value = |name: &String| match row.get(name) {
            Some(value) => Ok((name.clone(), value.clone())),
            None => {
                let error = Error::project(format!("the query has no column `{name}`, which is a parameter"));
                Err(error.suggest(name, row.keys().map(String::as_str)))
            }
        };
        names.iter().map(value).collect::<Result<_>>().map(Parameters)
    }

    /// Whether there are none: the page as a whole.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// The name of the page's folder: the values as far as any file system takes them, and a hash of them as they are,
    /// so that two pages never meet in one folder.
    pub fn slug(&self) -> String {
        let shown: String = self.0.values().flatten().map(|value| format!("{value} ")).collect();
        let lower = shown.to_lowercase();
        let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let shown: String = words.join("-").chars().take(SHOWN).collect();
        let parts = self.0.iter().flat_map(|(name, value)| {
            let kind = if value.is_some() { "is" } else { "null" };
            [name.as_str(), kind, value.as_deref().unwrap_or_default()]
        });
        let hash = digest(parts);
        let hash = &hash[..16];
        if shown.is_empty() { hash.to_string() } else { format!("{shown}-{hash}") }
    }

    /// As templates see them: all that the report declares, none where a page has no value.
    pub(crate) fn value(&self, declared: &[String]) -> Value {
        let value = |name: &String| Value::from(self.0.get(name).cloned().flatten());
        Value::from_pairs(declared.iter().map(|name| (name.clone(), value(name))))
    }
}

/// The results of a report's queries, each read once, by parameter values.
pub(crate) struct Split(Vec<(String, Rows)>);

/// A result: the same for all pages, or split.
enum Rows {
    Shared(Value),
    By(Vec<String>, HashMap<Vec<Option<String>>, Value>),
}

impl Split {
    /// Splits every result by those of the parameters that it has as columns.
    ///
    /// # Errors
    /// `Project` when no result has a parameter: every page would show all rows.
    pub(crate) fn of(results: &[(String, Vec<RecordBatch>)], parameters: &[String]) -> Result<Split> {
        let has = |batches: &[RecordBatch], name: &str| batches.iter().any(|b| b.schema().index_of(name).is_ok());
        // A result without a batch does not say its columns; it has no rows either.
        let is_known = results.iter().all(|(_, batches)| !batches.is_empty());
        let is_missing = |name: &&String| is_known && !results.iter().any(|(_, batches)| has(batches, name));
        if let Some(name) = parameters.iter().find(is_missing) {
            return Err(no_column(name));
        }
        let result = |(name, batches): &(String, Vec<RecordBatch>)| {
            let rows = data::rows(batches)?;
            let columns: Vec<String> = parameters.iter().filter(|column| has(batches, column)).cloned().collect();
            if columns.is_empty() {
                return Ok((name.clone(), Rows::Shared(rows)));
            }
            let mut groups: HashMap<Vec<Option<String>>, Vec<Value>> = HashMap::new();
            for row in items(&rows) {
                groups.entry(columns.iter().map(|column| text(&row, column)).collect()).or_default().push(row);
            }
            let groups = groups.into_iter().map(|(key, rows)| (key, Value::from(rows))).collect();
            Ok((name.clone(), Rows::By(columns, groups)))
        };
        results.iter().map(result).collect::<Result<_>>().map(Split)
    }

    /// The rows of one page, and whether there is anything on it: where results are split, at least one row of these.
    pub(crate) fn page(&self, parameters: &Parameters) -> (Vec<(String, Value)>, bool) {
        let is_split = self.0.iter().any(|(_, result)| matches!(result, Rows::By(..)));
        let mut has_rows = self.0.is_empty();
        let mut rows = Vec::new();
        for (name, result) in &self.0 {
            let (own, counts) = match result {
                Rows::Shared(rows) => (rows.clone(), !is_split),
                Rows::By(columns, groups) => {
                    let key: Vec<Option<String>> =
                        columns.iter().map(|column| parameters.0.get(column).cloned().flatten()).collect();
                    (groups.get(&key).cloned().unwrap_or_else(|| Value::from(Vec::<Value>::new())), true)
                }
            };
            has_rows |= counts && own.len() != Some(0);
            rows.push((name.clone(), own));
        }
        (rows, has_rows)
    }
}

/// The error of a parameter that nothing is split by.
pub(crate) fn no_column(name: &str) -> Error {
    let error = Error::project(format!("no query of the report has a column `{name}`, which is a parameter"));
    error.hint(format!(
        "select `{name}` in the queries whose rows belong to one page; without it every page shows all rows"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use std::collections::BTreeSet;
    use std::sync::Arc;

    fn of(values: &[(&str, Option<&str>)]) -> Parameters {
        Parameters(values.iter().map(|(name, value)| (name.to_string(), value.map(str::to_string))).collect())
    }

    fn region(value: &str) -> Parameters {
        of(&[("region", Some(value))])
    }

    #[test]
    fn any_value_has_a_folder_of_its_own() {
        let long = "Łódź ".repeat(300);
        let values = [
            "north",
            "North",
            "NORTH",
            "华北",
            "华 北",
            "",
            " ",
            "../../etc/passwd",
            "..",
            ".",
            "a/b",
            "a\\b",
            "con",
            "nul\0",
            "é",
            "e\u{301}",
            &long,
            "🎉",
        ];
        let mut slugs: Vec<String> = values.iter().map(|value| region(value).slug()).collect();
        slugs.push(of(&[("region", None)]).slug());
        slugs.push(of(&[("manager", Some("north"))]).slug());
        slugs.push(of(&[("manager", Some("a")), ("region", Some("b"))]).slug());
        slugs.push(of(&[("manager", Some("a b")), ("region", None)]).slug());
        let folded: BTreeSet<String> = slugs.iter().map(|slug| slug.to_lowercase()).collect();
        assert_eq!(folded.len(), slugs.len(), "{slugs:?}");
        for slug in &slugs {
            assert!(slug.chars().all(|c| c.is_alphanumeric() || c == '-'), "{slug}");
            assert!((16..=200).contains(&slug.len()) && !slug.starts_with('-'), "{slug}");
        }
        assert!(
            region("华北").slug().starts_with("华北-") && region("../../etc/passwd").slug().starts_with("etc-passwd-")
        );
    }

    fn batch(regions: &[Option<&str>], orders: &[i64]) -> Vec<RecordBatch> {
        let region: ArrayRef = Arc::new(StringArray::from(regions.to_vec()));
        let orders: ArrayRef = Arc::new(Int64Array::from(orders.to_vec()));
        vec![RecordBatch::try_from_iter_with_nullable([("region", region, true), ("orders", orders, false)]).unwrap()]
    }

    fn total(months: &[i64]) -> Vec<RecordBatch> {
        let months: ArrayRef = Arc::new(Int64Array::from(months.to_vec()));
        vec![RecordBatch::try_from_iter([("months", months)]).unwrap()]
    }

    #[test]
    fn each_page_has_its_rows_and_what_all_share() {
        let regions = [Some("north"), Some("south"), None, Some("north"), Some("")];
        let results = [("orders".into(), batch(&regions, &[1, 2, 3, 4, 5])), ("history".into(), total(&[12]))];
        let split = Split::of(&results, &["region".into()]).unwrap();
        let orders = |parameters: &Parameters| {
            let (rows, has_rows) = split.page(parameters);
            assert_eq!(rows[1].1.len(), Some(1), "what has no such column is shared");
            let orders: Vec<i64> =
                items(&rows[0].1).iter().map(|r| i64::try_from(r.get_attr("orders").unwrap()).unwrap()).collect();
            assert_eq!(has_rows, !orders.is_empty());
            orders
        };
        assert_eq!(orders(&region("north")), [1, 4]);
        assert_eq!(orders(&region("south")), [2]);
        assert_eq!(orders(&of(&[("region", None)])), [3], "NULL is a value of its own");
        assert_eq!(orders(&region("")), [5]);
        assert_eq!(orders(&region("North")), [0i64; 0], "values are compared as they are");
        assert_eq!(
            Split::of(&results, &[]).unwrap().page(&Parameters::default()).0[0].1.len(),
            Some(5),
            "the whole page"
        );
    }

    #[test]
    fn a_parameter_that_splits_nothing_is_refused() {
        let results = [("history".into(), total(&[12]))];
        let error = Split::of(&results, &["region".into()]).err().unwrap();
        assert_eq!(error.message(), "no query of the report has a column `region`, which is a parameter");
    }

    #[test]
    fn rows_of_another_query_are_compared_by_the_same_text() {
        let rows = text_rows(&batch(&[Some("north"), None], &[7, 8])).unwrap();
        let first = Parameters::of_row(&rows[0], &["orders".into(), "region".into()]).unwrap();
        assert_eq!(first, of(&[("orders", Some("7")), ("region", Some("north"))]));
        assert_eq!(Parameters::of_row(&rows[1], &["region".into()]).unwrap(), of(&[("region", None)]));
        let error = Parameters::of_row(&rows[0], &["regoin".into()]).unwrap_err();
        assert_eq!(error.hint_text(), Some("did you mean `region`?"));
    }
}
