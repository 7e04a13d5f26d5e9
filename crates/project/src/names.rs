//! What tables, columns, sources and variables may be called.

use perennial_core::error::Error;

/// Layers the lake keeps for itself.
const OWN_LAYERS: [&str; 5] = ["raw", "source", "system", "information_schema", "_perennial"];

/// A name of a source, table, column, step or variable: small letters, digits and `_`, no digit in front.
pub(super) fn check(what: &str, name: &str) -> Result<(), Error> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.is_empty() && name.chars().all(letters) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(());
    }
    let error = Error::project(format!("`{name}` cannot be the name of {what}: only a-z, 0-9 and _ are allowed"));
    Err(match tidy(name) {
        Some(tidy) => error.hint(format!("call it `{tidy}`")),
        None => error,
    })
}

/// A name of a report or delivery, which is also part of a file's name: as above, and `-`.
pub(super) fn check_part(what: &str, name: &str) -> Result<(), Error> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(letters) {
        return Ok(());
    }
    let error = Error::project(format!("`{name}` cannot be the name of {what}: only a-z, 0-9, _ and - are allowed"));
    Err(match tidy(name) {
        Some(tidy) => error.hint(format!("call it `{}`", tidy.replace('_', "-"))),
        None => error,
    })
}

/// The layer a step's folder names.
pub(super) fn check_layer(layer: &str) -> Result<(), Error> {
    if OWN_LAYERS.contains(&layer) {
        let error = Error::project(format!("`{layer}` is a layer reserved for the lake"));
        return Err(error.hint("put steps in another folder, such as `sql/staging`, `sql/core` or `sql/marts`"));
    }
    check("a layer", layer)
}

/// The nearest allowed name of a source, table or column: `Rfm-Score` becomes `rfm_score`; nothing when no letter of it
/// can be kept. Runs of `_` become one.
pub fn identifier(name: &str) -> Option<String> {
    let tidy = tidy(name)?;
    Some(tidy.split('_').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_"))
}

/// The nearest allowed name: `Rfm-Score` becomes `rfm_score`.
fn tidy(name: &str) -> Option<String> {
    let mut tidy = String::new();
    let mut before = '_';
    for c in name.chars() {
        if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            tidy.push('_');
        }
        tidy.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
        before = c;
    }
    let tidy = tidy.trim_matches('_').to_string();
    let good = !tidy.is_empty() && !tidy.starts_with(|c: char| c.is_ascii_digit());
    good.then_some(tidy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_name_comes_with_a_good_one() {
        assert!(check("a step", "rfm_2").is_ok());
        for (bad, good) in [("Rfm-Score", "rfm_score"), ("Customer ID", "customer_id"), ("orderTs", "order_ts")] {
            let error = check("a step", bad).unwrap_err();
            assert_eq!(error.hint_text(), Some(format!("call it `{good}`").as_str()));
        }
        assert_eq!(check("a step", "2026").unwrap_err().hint_text(), None);
        assert_eq!(check("a column", "客户").unwrap_err().hint_text(), None);
        assert_eq!(identifier(" Net - Amount_").as_deref(), Some("net_amount"));
        assert_eq!(identifier("金额"), None);
        assert_eq!(check_part("a report", "Sales Review").unwrap_err().hint_text(), Some("call it `sales-review`"));
        assert!(check_layer("raw").unwrap_err().message().contains("reserved for the lake"));
    }
}
