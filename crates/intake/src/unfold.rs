//! Samples of JSON: the fields of objects in the place of the objects.

use super::probe::{Sample, SampleColumn};
use perennial_sources::MAX_NEW_FIELDS;
use sonic_rs::{JsonValueTrait, LazyValue};
use std::collections::HashMap;

/// Objects within each other that are taken apart, at most.
const MAX_DEPTH: usize = 4;

impl Sample {
    /// Replaces a column that contains only objects by a column for every field (`user` becomes `user.ip` and
    /// `user.address.city`). Lists stay as they are.
    pub fn unfold(&mut self) {
        let folded = std::mem::take(&mut self.columns);
        self.columns = folded.into_iter().flat_map(|column| unfolded(column, MAX_DEPTH)).collect();
    }
}

fn unfolded(column: SampleColumn, depth: usize) -> Vec<SampleColumn> {
    let mut texts = column.values.iter().flatten().filter(|text| !text.is_empty()).peekable();
    if depth == 0 || texts.peek().is_none() || !texts.all(|text| text.starts_with('{')) {
        return vec![column];
    }
    let mut fields: Vec<SampleColumn> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (row, text) in column.values.iter().enumerate() {
        let Some(text) = text else { continue };
        for entry in sonic_rs::to_object_iter(text.as_str()) {
            // A text that only begins like an object is left as it is.
            let Ok((name, value)) = entry else { return vec![column] };
            let name = format!("{}.{name}", column.name);
            // Names that are made from data are not columns.
            if fields.len() > MAX_NEW_FIELDS {
                return vec![column];
            }
            let at = *places.entry(name).or_insert_with_key(|name| {
                let values = vec![None; column.values.len()];
                fields.push(SampleColumn { name: name.clone(), values, declared: None, files: column.files });
                fields.len() - 1
            });
            fields[at].values[row] = text_of(&value);
        }
    }
    fields.into_iter().flat_map(|field| unfolded(field, depth - 1)).collect()
}

/// A value as the reader of JSON gives it: texts without quotes, numbers as they are written, `null` as none.
fn text_of(value: &LazyValue<'_>) -> Option<String> {
    match value.as_str() {
        _ if value.is_null() => None,
        Some(text) => Some(text.to_string()),
        None => Some(value.as_raw_str().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: &[Option<&str>]) -> Sample {
        let values = values.iter().map(|value| value.map(str::to_string)).collect();
        let column = SampleColumn { name: "user".to_string(), values, declared: None, files: 1 };
        let mut sample = Sample::default();
        sample.columns.push(column);
        sample
    }

    fn shown(mut sample: Sample) -> Vec<String> {
        sample.unfold();
        let row = |value: &Option<String>| value.clone().unwrap_or("∅".to_string());
        let column =
            |c: &SampleColumn| format!("{}: {}", c.name, c.values.iter().map(row).collect::<Vec<_>>().join(" | "));
        sample.columns.iter().map(column).collect()
    }

    #[test]
    fn objects_become_their_fields_and_numbers_keep_their_digits() {
        let rows = [
            Some(r#"{"id": 1.10, "at": {"city": "上\u6d77"}}"#),
            None,
            Some(r#"{"id": null, "tags": [1, 2], "at": {"zip": "1"}}"#),
        ];
        assert_eq!(
            shown(sample(&rows)),
            [
                "user.id: 1.10 | ∅ | ∅",
                "user.at.city: 上海 | ∅ | ∅",
                "user.at.zip: ∅ | ∅ | 1",
                "user.tags: ∅ | ∅ | [1, 2]"
            ]
        );
    }

    #[test]
    fn what_is_no_object_in_every_row_stays() {
        assert_eq!(shown(sample(&[Some("{\"a\": 1}"), Some("b")])), ["user: {\"a\": 1} | b"]);
        assert_eq!(shown(sample(&[Some("{\"a\": 1}"), Some("{oops")])), ["user: {\"a\": 1} | {oops"]);
        assert_eq!(shown(sample(&[None, Some("")])), ["user: ∅ | "]);
    }
}
