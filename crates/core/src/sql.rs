//! How names and texts are quoted in SQL.

use crate::error::{Error, Result};

/// The quoting rules of one SQL engine.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// The character around identifiers.
    quote: char,
    /// Writes a text literal.
    literal: fn(&str) -> String,
}

/// Standard SQL: identifiers in double quotes, texts in single quotes, which are doubled within. DataFusion and SQLite.
pub const STANDARD: Dialect = Dialect::new('"', standard_literal);

fn standard_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Dialect {
    /// A dialect that puts identifiers between `quote` characters and writes texts by `literal`.
    pub const fn new(quote: char, literal: fn(&str) -> String) -> Dialect {
        Dialect { quote, literal }
    }

    /// An identifier, quoted.
    pub fn identifier(&self, name: &str) -> String {
        let quote = self.quote;
        let inner = name.replace(quote, &format!("{quote}{quote}"));
        format!("{quote}{inner}{quote}")
    }

    /// A text literal.
    pub fn literal(&self, text: &str) -> String {
        (self.literal)(text)
    }

    /// A table name, quoted, with its schema where there is one.
    pub fn table(&self, schema: Option<&str>, name: &str) -> String {
        match schema {
            Some(schema) => format!("{}.{}", self.identifier(schema), self.identifier(name)),
            None => self.identifier(name),
        }
    }

    /// Schema and name of a table as people write it: `orders`, `sales.orders`, `sales."Order.Lines"`.
    ///
    /// # Errors
    /// Of kind `Project` when the text is not a table name.
    pub fn parse_table(&self, text: &str) -> Result<(Option<String>, String)> {
        self.split_table(text).ok_or_else(|| {
            let quotes = if self.quote == '`' { "backquotes" } else { "double quotes" };
            Error::project(format!("`{text}` is not a table name")).hint(format!(
                "write `orders` or `sales.orders`, and put {quotes} around a name that contains a dot: {}",
                self.with_quoted_dots(text)
            ))
        })
    }

    /// What a name with several dots may mean: the first separates the schema, the others belong to the name.
    fn with_quoted_dots(&self, text: &str) -> String {
        let parts = text.trim().split_once('.');
        let parts = parts.filter(|(schema, name)| !schema.is_empty() && name.contains('.') && !name.ends_with('.'));
        let (schema, name) = parts.filter(|_| !text.contains(self.quote)).unwrap_or(("sales", "order.lines"));
        self.written_table(Some(schema), name)
    }

    fn split_table(&self, text: &str) -> Option<(Option<String>, String)> {
        let mut parts = vec![String::new()];
        let mut characters = text.trim().chars().peekable();
        let mut quoted = false;
        while let Some(character) = characters.next() {
            let last = parts.len() - 1;
            if character == self.quote {
                if quoted && characters.next_if_eq(&self.quote).is_some() {
                    parts[last].push(self.quote);
                } else {
                    quoted = !quoted;
                }
            } else if character == '.' && !quoted {
                parts.push(String::new());
            } else {
                parts[last].push(character);
            }
        }
        if quoted || parts.iter().any(String::is_empty) {
            return None;
        }
        let name = parts.pop()?;
        let schema = parts.pop();
        parts.is_empty().then_some((schema, name))
    }

    /// A table name as people write it, such that [`Dialect::parse_table`] reads it back: quoted only where it must be.
    pub fn written_table(&self, schema: Option<&str>, name: &str) -> String {
        let part = |text: &str| match text.contains(|c: char| c == '.' || c == self.quote || c.is_whitespace()) {
            true => self.identifier(text),
            false => text.to_string(),
        };
        match schema {
            Some(schema) => format!("{}.{}", part(schema), part(name)),
            None => part(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(STANDARD.identifier("a \"b\""), "\"a \"\"b\"\"\"");
        assert_eq!(STANDARD.literal("it's"), "'it''s'");
        assert_eq!(STANDARD.table(Some("s"), "t"), "\"s\".\"t\"");
        assert_eq!(Dialect::new('`', standard_literal).identifier("a`b"), "`a``b`");
    }

    #[test]
    fn table_names_are_split_at_dots_outside_quotes() {
        let split = |text| STANDARD.split_table(text);
        assert_eq!(split("orders"), Some((None, "orders".into())));
        assert_eq!(split(" sales.orders "), Some((Some("sales".into()), "orders".into())));
        assert_eq!(split("sales.\"Order.\"\"Lines\"\"\""), Some((Some("sales".into()), "Order.\"Lines\"".into())));
        for wrong in ["", "a.", ".a", "a.b.c", "\"a"] {
            assert_eq!(split(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_no_table_name_is_quoted_in_the_hint() {
        let hint = |dialect: Dialect, text: &str| {
            let error = dialect.parse_table(text).unwrap_err();
            assert_eq!(error.message(), format!("`{text}` is not a table name"));
            error.hint_text().unwrap().to_string()
        };
        let mysql = hint(Dialect::new('`', standard_literal), "shop.order.lines");
        assert!(mysql.ends_with("put backquotes around a name that contains a dot: shop.`order.lines`"), "{mysql}");
        let standard = hint(STANDARD, "\"a");
        assert!(standard.ends_with("put double quotes around a name that contains a dot: sales.\"order.lines\""));
    }

    #[test]
    fn written_names_are_read_back() {
        for (schema, name) in [(None, "orders"), (Some("sales"), "Order Lines"), (Some("a.b"), "c\"d"), (None, "a.b")] {
            let written = STANDARD.written_table(schema, name);
            assert_eq!(
                STANDARD.split_table(&written),
                Some((schema.map(str::to_string), name.to_string())),
                "{written}"
            );
        }
        assert_eq!(STANDARD.written_table(Some("sales"), "orders"), "sales.orders");
    }
}
