//! Variables of the project, as SQL and report templates see them.

use minijinja::Value;

/// A variable as a value of templates.
pub fn template_value(variable: &serde_json::Value) -> Value {
    match variable {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(b) => Value::from(*b),
        serde_json::Value::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(whole), _) => Value::from(whole),
            (None, Some(float)) => Value::from(float),
            (None, None) => Value::from(n.to_string()),
        },
        serde_json::Value::String(s) => Value::from(s.as_str()),
        serde_json::Value::Array(all) => Value::from(all.iter().map(template_value).collect::<Vec<_>>()),
        serde_json::Value::Object(map) => Value::from_pairs(map.iter().map(|(k, v)| (k.clone(), template_value(v)))),
    }
}
