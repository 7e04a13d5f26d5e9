//! Email addresses: what may stand in a header, and nothing else.

use super::Address;
use perennial_core::error::{Error, Result};
use perennial_core::visible::on_one_line;
use url::Host;

/// Longest address and longest part before the `@` (RFC 5321, 4.5.3.1), in bytes.
const MAX_ADDRESS_BYTES: usize = 254;
const MAX_LOCAL_BYTES: usize = 64;
/// Characters besides letters and digits before the `@` (RFC 5322, `atext`).
const LOCAL_MARKS: &str = "!#$%&'*+-/=?^_`{|}~.";
/// Characters for which a name must be in quotes.
const NAME_MARKS: &str = "\"\\<>@,;:";

impl Address {
    /// Reads `name@example.com`, `Name <name@example.com>` or `"Name, with marks" <name@example.com>`. Names are in any
    /// script; a domain in another script is kept in its ASCII form (`xn--...`). No control character, line break or other
    /// character that is not shown is part of it, so that it can be written into a header.
    ///
    /// # Errors
    /// Of kind `Project` without a place, with a hint.
    pub fn parse(text: &str) -> Result<Address> {
        let text = text.trim_matches(' ');
        let shown = on_one_line(text);
        let invalid = |what: String| {
            let error = Error::project(format!("`{shown}` is not an email address: {what}"));
            error.hint("write `name@example.com` or `Name <name@example.com>`")
        };
        if let Some(hidden) = text.chars().find(|c| is_hidden(*c)) {
            return Err(invalid(format!("it contains the character U+{:04X}, which is not shown", u32::from(hidden))));
        }
        let (name, address) = split(text).map_err(|what| match what {
            NAME_NEEDS_QUOTES if has_several(text) => several(&shown),
            NAME_NEEDS_QUOTES => invalid(what.to_string()).hint(quoted(text)),
            what => invalid(what.to_string()),
        })?;
        if has_several(address) {
            return Err(several(&shown));
        }
        let address = checked(address).map_err(invalid)?;
        Ok(Address { name: (!name.is_empty()).then_some(name), address })
    }

    /// Whether two addresses are taken for one mailbox, whatever the names beside them. A server may tell capital letters
    /// from small ones before the `@` (RFC 5321, 2.4), but addresses that differ in nothing else are one in practice.
    pub(crate) fn is_same(&self, other: &Address) -> bool {
        self.address.eq_ignore_ascii_case(&other.address)
    }
}

const NAME_NEEDS_QUOTES: &str = "a name with one of the characters `\" \\ < > @ , ; :` must be in quotes";

/// How a text is written whose name needs quotes.
fn quoted(text: &str) -> String {
    let (name, address) = text.split_once('<').unwrap_or((text, ""));
    let name = name.trim_end().replace('\\', "\\\\").replace('"', "\\\"");
    let written = format!("\"{name}\" <{address}");
    format!("write `{written}`, in YAML within single quotes: `'{}'`", written.replace('\'', "''"))
}

/// The name, without its quotes, and the address of a text.
fn split(text: &str) -> Result<(String, &str), &'static str> {
    let (name, rest) = match text.strip_prefix('"') {
        Some(quoted) => unquoted(quoted).ok_or("its quotes are not closed")?,
        None if text.ends_with('>') => {
            let (name, _) = text.split_once('<').ok_or("it has no `<`")?;
            (name.trim_end().to_string(), &text[name.len()..])
        }
        None if text.contains(['<', '>']) => return Err("nothing may follow the `>`"),
        None => return Ok((String::new(), text)),
    };
    if !text.starts_with('"') && name.contains(|c| NAME_MARKS.contains(c)) {
        return Err(NAME_NEEDS_QUOTES);
    }
    let address = rest.trim_start().strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    Ok((name, address.ok_or("the address must be between `<` and `>` behind the name")?.trim_matches(' ')))
}

/// A quoted name and what follows its last quote.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((name.trim().to_string(), &text[at + 1..])),
            '\\' => name.push(chars.next()?.1),
            other => name.push(other),
        }
    }
    None
}

/// Whether a text lists several addresses.
fn has_several(text: &str) -> bool {
    text.matches('@').count() > 1 && text.contains([',', ';'])
}

fn several(shown: &str) -> Error {
    let error = Error::project(format!("`{shown}` holds several email addresses"));
    error.hint("`mail` takes a list, `[one@example.com, two@example.com]`; `from`, `reply_to` and `address` take one")
}

/// The address with its domain in ASCII.
fn checked(address: &str) -> Result<String, String> {
    let (local, domain) = match address.split_once('@') {
        None => return Err("it has no `@`".to_string()),
        Some((_, rest)) if rest.contains('@') => return Err("it has more than one `@`".to_string()),
        Some((local, domain)) => (local, domain),
    };
    if local.is_empty() || domain.is_empty() {
        let side = if local.is_empty() { "before" } else { "after" };
        return Err(format!("there is nothing {side} the `@`"));
    }
    let is_allowed = |c: &char| c.is_alphanumeric() || LOCAL_MARKS.contains(*c);
    if let Some(wrong) = local.chars().find(|c| !is_allowed(c)) {
        return Err(format!("`{wrong}` may not stand before the `@`"));
    }
    if local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Err("a dot before the `@` must stand between two other characters".to_string());
    }
    let domain = domain_in_ascii(domain).ok_or_else(|| format!("`{domain}` is not a domain"))?;
    let address = format!("{local}@{domain}");
    match local.len() > MAX_LOCAL_BYTES || address.len() > MAX_ADDRESS_BYTES {
        true => Err(format!("it may have {MAX_ADDRESS_BYTES} bytes, and {MAX_LOCAL_BYTES} before the `@`")),
        false => Ok(address),
    }
}

/// A domain in lower case and ASCII.
fn domain_in_ascii(domain: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if domain.chars().any(|c| c.is_ascii() && !is_plain(c)) {
        return None;
    }
    let Ok(Host::Domain(ascii)) = Host::parse(domain) else { return None };
    let is_label = |label: &str| (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-');
    (ascii.chars().all(is_plain) && ascii.split('.').all(is_label)).then_some(ascii)
}

/// Whether a reader does not see the character: controls, separators of lines, marks of direction, and those of no width.
/// Joiners, which the names of some scripts need, are allowed.
fn is_hidden(c: char) -> bool {
    let has_no_width =
        matches!(c, '\u{ad}' | '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
    has_no_width || on_one_line(c.encode_utf8(&mut [0; 4])).len() > c.len_utf8()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> (Option<String>, String) {
        let address = Address::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        (address.name, address.address)
    }

    fn refused(text: &str) -> String {
        Address::parse(text).expect_err(text).to_string()
    }

    #[test]
    fn names_are_in_any_script_and_domains_in_ascii() {
        let named = |name: &str, address: &str| (Some(name.to_string()), address.to_string());
        assert_eq!(read("ceo@example.com"), (None, "ceo@example.com".to_string()));
        assert_eq!(read(" <ceo@Example.COM> "), (None, "ceo@example.com".to_string()));
        assert_eq!(read("Acme reports <reports@example.com>"), named("Acme reports", "reports@example.com"));
        assert_eq!(read("王 <wang@example.com>"), named("王", "wang@example.com"));
        assert_eq!(read("Müller (Sales) <m.o'neil+x@example.com>"), named("Müller (Sales)", "m.o'neil+x@example.com"));
        assert_eq!(
            read(r#""Acme, \"the\" <company>" <a@example.com>"#),
            named("Acme, \"the\" <company>", "a@example.com")
        );
        assert_eq!(read(r#""Acme"<a@example.com>"#), named("Acme", "a@example.com"));
        assert_eq!(read("root@localhost"), (None, "root@localhost".to_string()));
        // Punycode from Python: "例子.中国".encode("idna") and "bücher.example".encode("idna").
        assert_eq!(read("wang@例子.中国").1, "wang@xn--fsqu00a.xn--fiqs8s");
        assert_eq!(read("a@bücher.example").1, "a@xn--bcher-kva.example");
    }

    #[test]
    fn a_name_that_needs_quotes_is_shown_in_them() {
        for (text, hint) in [
            (
                "Acme, Inc. <a@example.com>",
                r#"write `"Acme, Inc." <a@example.com>`, in YAML within single quotes: `'"Acme, Inc." <a@example.com>'`"#,
            ),
            (
                r#"O'Neil "x", \ <a@example.com>"#,
                r#"write `"O'Neil \"x\", \\" <a@example.com>`, in YAML within single quotes: `'"O''Neil \"x\", \\" <a@example.com>'`"#,
            ),
        ] {
            assert_eq!(Address::parse(text).expect_err(text).hint_text(), Some(hint));
            let (_, written) = hint.split_once('`').unwrap();
            let (written, _) = written.split_once('`').unwrap();
            assert_eq!(read(written).0.as_deref(), text.split_once(" <").map(|(name, _)| name));
        }
        let several = Address::parse("a@example.com, b@example.com").expect_err("two addresses");
        assert!(several.hint_text().unwrap().contains("`reply_to` and `address` take one"));
    }

    #[test]
    fn nothing_but_an_address_passes() {
        for (text, what) in [
            ("", "it has no `@`"),
            ("ceo", "it has no `@`"),
            ("@example.com", "nothing before the `@`"),
            ("ceo@", "nothing after the `@`"),
            ("a@b@example.com", "more than one `@`"),
            ("a b@example.com", "` ` may not stand before"),
            (".a@example.com", "a dot before"),
            ("a..b@example.com", "a dot before"),
            ("a.@example.com", "a dot before"),
            ("a@exa mple.com", "`exa mple.com` is not a domain"),
            ("a@example..com", "is not a domain"),
            ("a@example.com.", "is not a domain"),
            ("a@-example.com", "is not a domain"),
            ("a@exa_mple.com", "is not a domain"),
            ("a@1.2.3.4", "is not a domain"),
            ("a@[1.2.3.4]", "is not a domain"),
            ("a@ex%61mple.com", "is not a domain"),
            ("a@example.com:25", "is not a domain"),
            ("Name a@example.com", "` ` may not stand before"),
            ("Name <a@example.com", "nothing may follow"),
            ("Name <a@example.com> x", "nothing may follow"),
            ("Name a@example.com>", "it has no `<`"),
            ("Acme, Inc. <a@example.com>", "must be in quotes"),
            ("x@y <a@example.com>", "must be in quotes"),
            ("\"Acme <a@example.com>", "quotes are not closed"),
            ("\"Acme\" a@example.com", "between `<` and `>`"),
            ("A <b <a@example.com>", "may not stand before"),
            ("a@example.com, b@example.com", "holds several email addresses"),
            ("A <a@example.com>; B <b@example.com>", "holds several email addresses"),
            ("a@example.com\r\nBcc: b@example.com", "U+000D"),
            ("A\nBcc: b@example.com <a@example.com>", "U+000A"),
            ("\"A\tB\" <a@example.com>", "U+0009"),
            ("a@example.com\n", "U+000A"),
            ("a\u{0}@example.com", "U+0000"),
            ("A\u{85}B <a@example.com>", "U+0085"),
            ("A\u{2028}B <a@example.com>", "U+2028"),
            ("A\u{202e}B <a@example.com>", "U+202E"),
            ("a\u{200b}@example.com", "U+200B"),
        ] {
            let message = refused(text);
            assert!(message.contains(what) && !message.contains(['\n', '\r']), "{text:?}: {message}");
        }
        let long = |local: usize, label: usize| format!("{}@{}.{1}.{1}.com", "a".repeat(local), "b".repeat(label));
        // 64 + 1 + 3 * 61 + 6 bytes are 254.
        assert_eq!(read(&long(64, 61)).1.len(), 254);
        assert!(refused(&long(65, 10)).contains("it may have 254 bytes"));
        assert!(refused(&long(64, 62)).contains("it may have 254 bytes"));
        assert!(refused("a@xn--a").contains("is not a domain"));
    }

    proptest! {
        #[test]
        fn what_passes_has_one_line_and_one_at(text in any::<String>(), name in any::<String>()) {
            for text in [text.clone(), format!("{name}<{text}@example.com>"), format!("\"{name}\" <a@{text}.com>")] {
                let Ok(address) = Address::parse(&text) else { continue };
                prop_assert_eq!(address.address.matches('@').count(), 1);
                prop_assert!(!address.address.chars().any(|c| c.is_control() || c.is_whitespace() || "<>,;\"".contains(c)));
                prop_assert!(!address.name.unwrap_or_default().chars().any(char::is_control));
            }
        }
    }
}
