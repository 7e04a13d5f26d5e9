//! The names in a header, of which a file may have a million.

use perennial_core::error::list;
use std::collections::HashSet;

/// Names that an error lists.
const MAX_NAMES: usize = 50;

/// A name that occurs twice. Columns without a name are not compared.
pub(crate) fn duplicate(names: &[String]) -> Option<&str> {
    let mut seen = HashSet::with_capacity(names.len());
    names.iter().map(String::as_str).find(|name| !name.is_empty() && !seen.insert(*name))
}

/// The first names, for an error.
pub(crate) fn first_names(names: &[String]) -> String {
    let first: Vec<&str> = names.iter().take(MAX_NAMES).map(String::as_str).collect();
    match names.len() - first.len() {
        0 => list(&first),
        more => format!("`{}` and {more} more", first.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_compared_at_once_and_not_all_listed() {
        let mut names: Vec<String> = (0..1_000_000).map(|i| format!("column_{i}")).collect();
        names.extend([String::new(), String::new()]);
        assert_eq!(duplicate(&names), None);
        names.push("column_7".to_string());
        assert_eq!(duplicate(&names), Some("column_7"));
        let shown = first_names(&names);
        assert!(
            shown.starts_with("`column_0`, `column_1`") && shown.ends_with("`column_49` and 999953 more"),
            "{shown}"
        );
        assert_eq!(first_names(&names[..2]), "`column_0` and `column_1`");
    }
}
