//! One answer: JSON, from which rows are cut as they are written.

use crate::text::Evidence;
use bytes::Bytes;
use perennial_core::error::{Error, Result, list};
use sonic_rs::{JsonValueTrait, LazyValue};

/// Maximum number of names that an error lists.
const MAX_NAMES: usize = 12;

/// An answer that is JSON.
#[derive(Debug)]
pub(super) struct Answer {
    place: String,
    text: String,
    link: String,
}

/// Rows cut out of an answer.
#[derive(Debug)]
pub(super) struct Rows {
    /// One row a line.
    pub(super) lines: Bytes,
    pub(super) count: u64,
}

impl Answer {
    /// An answer without content.
    pub(super) fn empty(place: String) -> Answer {
        Answer { place, text: "null".to_string(), link: String::new() }
    }

    /// An answer of a content type, with its `Link` header. `shown` returns the beginning of a text for an error.
    ///
    /// # Errors
    /// Of kind `Data` when it is not JSON.
    pub(super) fn of(
        place: String,
        body: Vec<u8>,
        content_type: &str,
        link: String,
        shown: impl Fn(&str) -> String,
    ) -> Result<Answer> {
        let text = decoded(&place, body, content_type)?;
        match sonic_rs::from_str::<serde::de::IgnoredAny>(&text) {
            Ok(_) => Ok(Answer { place, text, link }),
            Err(error) => {
                let at = error.offset();
                let what = if text.trim().is_empty() { "nothing".to_string() } else { shown(&text) };
                let error = Error::data(format!("the response of {place} is not JSON (error at byte {at}): {what}"));
                Err(error.hint("check that `path` is the address of data, not of a web page"))
            }
        }
    }

    /// The `Link` header.
    pub(super) fn link(&self) -> &str {
        &self.link
    }

    /// The URL that answered, for errors.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// A value at a dotted path, as text; `None` when it is missing, `null` or empty.
    ///
    /// # Errors
    /// Of kind `Data` when it is a list or an object.
    pub(super) fn text_at(&self, path: &str) -> Result<Option<String>> {
        let Some(value) = self.find(path) else { return Ok(None) };
        if value.is_null() {
            return Ok(None);
        }
        if value.is_object() || value.is_array() {
            return Err(Error::data(format!("`{path}` in the response of {} is not a single value", self.place)));
        }
        let text = value.as_str().map_or_else(|| value.as_raw_str().to_string(), str::to_string);
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// A Boolean at a dotted path; `None` when it is missing or `null`.
    ///
    /// # Errors
    /// Of kind `Data` when it is not a Boolean.
    pub(super) fn flag_at(&self, path: &str) -> Result<Option<bool>> {
        match self.text_at(path)?.as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(other) => {
                let error = format!("`{path}` in the response of {} is `{other}`, neither true nor false", self.place);
                Err(Error::data(error))
            }
        }
    }

    /// The elements of the list at a dotted path, or of the answer itself.
    ///
    /// # Errors
    /// Of kind `Data` when there is no list.
    pub(super) fn rows(&self, path: Option<&str>) -> Result<Rows> {
        let Some(list) = self.find(path.unwrap_or_default()) else {
            if self.text.trim() == "null" {
                return Ok(Rows { lines: Bytes::new(), count: 0 });
            }
            return Err(self.no_list(path, "has no"));
        };
        if list.is_null() {
            return Ok(Rows { lines: Bytes::new(), count: 0 });
        }
        let Some(elements) = list.into_array_iter() else { return Err(self.no_list(path, "has no list at")) };
        let mut lines = Vec::with_capacity(self.text.len());
        let mut count = 0;
        for element in elements {
            let element = element.map_err(|e| Error::bug(format!("an answer that was checked is not JSON: {e}")))?;
            // Between the tokens of JSON a space is as good as a line end, and strings contain none.
            lines.extend(element.as_raw_str().bytes().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { b }));
            lines.push(b'\n');
            count += 1;
        }
        Ok(Rows { lines: lines.into(), count })
    }

    fn find(&self, path: &str) -> Option<LazyValue<'_>> {
        let names: Vec<&str> = path.split('.').filter(|name| !name.is_empty()).collect();
        sonic_rs::get(self.text.as_str(), &names).ok()
    }

    fn no_list(&self, path: Option<&str>, lacks: &str) -> Error {
        let place = &self.place;
        let entries = sonic_rs::to_object_iter(self.text.as_str());
        let names: Vec<String> = entries.filter_map(|e| e.ok()).map(|(name, _)| name.to_string()).collect();
        let shown: Vec<&str> = names.iter().take(MAX_NAMES).map(String::as_str).collect();
        let found = if shown.is_empty() { String::new() } else { format!("; it has {}", list(&shown)) };
        match path {
            Some(path) => Error::data(format!("the response of {place} {lacks} `{path}`{found}"))
                .hint("set `rows` to the path of the list of rows in the response"),
            None => Error::data(format!("the response of {place} is not a list{found}"))
                .hint("set `rows` to the path of the list of rows in the response"),
        }
    }
}

/// The text of an answer, which is UTF-8 unless it says otherwise.
fn decoded(place: &str, body: Vec<u8>, content_type: &str) -> Result<String> {
    let parameters = content_type.split(';').skip(1).map(str::trim);
    let charset =
        parameters.filter_map(|parameter| parameter.split_once('=')).find(|(n, _)| n.eq_ignore_ascii_case("charset"));
    let charset = charset.map_or("utf-8", |(_, value)| value.trim().trim_matches('"'));
    let Some(encoding) = encoding_rs::Encoding::for_label(charset.as_bytes()) else {
        return Err(Error::data(format!("{place} responds in the unknown encoding `{charset}`")));
    };
    let wrong =
        || Error::data(format!("the response of {place} contains bytes that are not valid {}", encoding.name()));
    if encoding == encoding_rs::UTF_8 || is_utf8(&body, encoding) {
        let mut text = String::from_utf8(body).map_err(|_| wrong())?;
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        return Ok(text);
    }
    let (text, _, damaged) = encoding.decode(&body);
    if damaged { Err(wrong()) } else { Ok(text.into_owned()) }
}

/// Whether bytes are UTF-8 whatever is declared: servers that declare `charset=iso-8859-1` for everything send JSON in UTF-8,
/// as RFC 8259 demands. No text of an encoding of one byte a character is valid UTF-8 by chance; of others some are.
fn is_utf8(body: &[u8], declared: &'static encoding_rs::Encoding) -> bool {
    if declared.is_single_byte() {
        return std::str::from_utf8(body).is_ok();
    }
    let mut evidence = Evidence::default();
    evidence.take(body);
    evidence.end();
    evidence.is_utf8()
}

#[cfg(test)]
mod tests {
    use super::*;
    use perennial_core::error::Kind;

    fn answer(text: &str) -> Answer {
        Answer::of("x".into(), text.as_bytes().to_vec(), "application/json", String::new(), str::to_string).unwrap()
    }

    #[test]
    fn rows_are_cut_as_they_are_written() {
        let text =
            "{\"a\": {\"rows\": [\n {\"n\": 1.50,\n\t\"t\": \"x\\ny\"} , {} ,[1],7]}, \"end\": true, \"t\": \"k\"}";
        let answer = answer(text);
        let rows = answer.rows(Some("a.rows")).unwrap();
        assert_eq!(rows.count, 4);
        assert_eq!(rows.lines, Bytes::from("{\"n\": 1.50, \t\"t\": \"x\\ny\"}\n{}\n[1]\n7\n"));
        assert_eq!(answer.text_at("t").unwrap().as_deref(), Some("k"));
        assert_eq!((answer.flag_at("end").unwrap(), answer.flag_at("a.none").unwrap()), (Some(true), None));
        assert!(answer.flag_at("t").is_err() && answer.text_at("a").is_err());
        let error = answer.rows(Some("rows")).unwrap_err();
        assert_eq!(error.message(), "the response of x has no `rows`; it has `a`, `end` and `t`");
        assert!(answer.rows(None).unwrap_err().message().contains("is not a list"));
    }

    #[test]
    fn an_answer_without_a_list_has_no_rows_when_it_says_null() {
        assert_eq!(answer("{\"rows\": null}").rows(Some("rows")).unwrap().count, 0);
        assert_eq!(answer(" null ").rows(Some("rows")).unwrap().count, 0);
        assert_eq!(answer("[]").rows(None).unwrap().count, 0);
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_begin() {
        for text in ["<html>", "{\"a\":1", "{\"a\":1}}", "", "{\"a\":\"x\ny\"}", "{\"a\":01}", "[1,]"] {
            let answer = Answer::of("x".into(), text.into(), "", String::new(), str::to_string);
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), Kind::Data, "{text}");
            assert!(error.message().contains("is not JSON"), "{error}");
        }
        assert!(Answer::of("x".into(), vec![b'"', 0xff, b'"'], "", String::new(), str::to_string).is_err());
    }

    #[test]
    fn other_encodings_are_read_as_they_say() {
        // ["客户"] in GBK, by Python's codec.
        let body = b"[\"\xbf\xcd\xbb\xa7\"]".to_vec();
        let answer = Answer::of("x".into(), body, "text/json; charset=\"GBK\"", String::new(), str::to_string).unwrap();
        assert_eq!(answer.rows(None).unwrap().lines, Bytes::from("\"客户\"\n"));
        let body = "[\"客户\", \"Müller\"]".as_bytes().to_vec();
        let utf8 =
            Answer::of("x".into(), body, "text/json; charset=iso-8859-1", String::new(), str::to_string).unwrap();
        assert_eq!(utf8.rows(None).unwrap().lines, Bytes::from("\"客户\"\n\"Müller\"\n"));
        // One character that is not ASCII decides, and so do the bytes of the declared encoding.
        for (body, name) in
            [("[\"M\u{fc}ller\"]".as_bytes(), "Müller"), (b"[\"M\xfcller\"]", "Müller"), (b"[\"x\"]", "x")]
        {
            let kind = "text/json; charset=iso-8859-1";
            let answer = Answer::of("x".into(), body.to_vec(), kind, String::new(), str::to_string).unwrap();
            assert_eq!(answer.rows(None).unwrap().lines, Bytes::from(format!("\"{name}\"\n")));
        }
        assert!(Answer::of("x".into(), b"[]".to_vec(), "a/b;charset=martian", String::new(), str::to_string).is_err());
    }
}
