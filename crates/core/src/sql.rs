//! How names and texts are quoted in SQL.

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

    /// Schema and name of a table as people write it: `orders`, `sales.orders`, `sales."Order.Lines"`. `None` when the
    /// text is not a table name.
    pub fn split_table(&self, text: &str) -> Option<(Option<String>, String)> {
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

    /// A table name as people write it, such that [`Dialect::split_table`] reads it back: quoted only where it must be.
    pub fn written_table(&self, schema: Option<&str>, name: &str) -> String {
        let part = |text: &str| match text.contains(['.', ' ', self.quote]) {
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
