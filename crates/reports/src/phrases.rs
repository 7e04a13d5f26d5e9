//! The phrasebook of one page: phrases in its language, with minijinja inside for plurals and figures.

use super::blocks::{Inline, inline, plain, shield, unshield};
use super::data::{day, defined, given, invalid, near_or};
use super::formats::Format;
use super::language::data;
use super::period::Period;
use super::setting::Setting;
use super::{filters, functions, number};
use jiff::civil::Date;
use minijinja::value::{Rest, Value, ValueOrKwargs};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior};
use perennial_core::error::Place;
use perennial_project::{Language, Phrases};

/// The kind of a template's error that says a figure cannot be trusted; others are mistakes of the project.
pub(crate) const UNTRUSTED: ErrorKind = ErrorKind::BadSerialization;

/// What to do about a phrase that is not there.
pub(crate) const ADD_PHRASE: &str = "add it to the report's phrases.yml";

/// Phrases in one language.
pub(crate) struct Phrasebook {
    setting: Setting,
    env: Environment<'static>,
}

impl Phrasebook {
    /// The phrasebook of a page.
    pub(crate) fn new(setting: Setting) -> Phrasebook {
        let env = environment(&setting);
        Phrasebook { setting, env }
    }

    /// A phrase as Markdown, given everything it may name.
    pub(crate) fn render(&self, key: &str, context: Value) -> Result<String, Error> {
        let language = self.setting.language;
        let own = self.setting.phrases.get(key);
        let text = own.and_then(|texts| texts.get(&language));
        let (source, place) = match text {
            Some(text) => {
                let span = text.span.clone();
                (text.text.as_str(), Some(Place::span(text.file.path.clone(), text.file.text.clone(), span)))
            }
            None => (data(language).phrase(key).ok_or_else(|| self.missing(key))?, None),
        };
        self.env.render_named_str(key, source.trim(), context).map_err(|error| {
            let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_string);
            let place = place.map_or_else(String::new, |place| format!(", {place}"));
            Error::new(ErrorKind::BadInclude, format!("phrase `{key}` ({}{place}): {detail}", language.tag()))
                .with_source(error)
        })
    }

    fn missing(&self, key: &str) -> Error {
        let tag = self.setting.language.tag();
        if self.setting.phrases.contains_key(key) {
            return invalid(format!("the phrase `{key}` is missing in {tag}; add a line `{tag}: ...` to it"));
        }
        let known = known_keys(&self.setting.phrases);
        invalid(format!("unknown phrase `{key}`; {}", near_or(key, known, ADD_PHRASE)))
    }

    /// A phrase as runs.
    pub(crate) fn say(&self, key: &str, with: &[(&str, Value)]) -> Result<Vec<Inline>, Error> {
        let context = Value::from_pairs(with.iter().map(|(k, v)| (k.to_string(), v.clone())));
        Ok(inline(&self.render(key, context)?))
    }

    /// A phrase without parameters as plain text.
    pub(crate) fn plain_phrase(&self, key: &str) -> Result<String, Error> {
        self.plain_phrase_with(key, &[])
    }

    /// A phrase as plain text.
    pub(crate) fn plain_phrase_with(&self, key: &str, with: &[(&str, String)]) -> Result<String, Error> {
        let context = Value::from_pairs(with.iter().map(|(k, v)| (k.to_string(), Value::from(v.clone()))));
        Ok(plain(&inline(&self.render(key, context)?)))
    }

    /// A value as plain text: Markdown if it came from a phrase, else as it is.
    pub(crate) fn plain(&self, value: &Value) -> String {
        if value.is_none() || value.is_undefined() {
            String::new()
        } else if value.is_safe() {
            plain(&inline(value.as_str().unwrap_or_default()))
        } else {
            unshield(&value.to_string())
        }
    }

    /// A date or instant of the data as the language writes it; other text as it is.
    pub(crate) fn timestamp(&self, text: &str) -> String {
        if let Ok(day) = text.parse::<Date>()
            && text.len() == 10
        {
            return number::date(day, self.language());
        }
        match text.parse::<jiff::Timestamp>() {
            Ok(at) => number::instant(at, &self.setting.zone, self.language()),
            Err(_) => text.to_string(),
        }
    }

    /// The language of the page.
    pub(crate) fn language(&self) -> Language {
        self.setting.language
    }

    /// What the edition is about.
    pub(crate) fn period(&self) -> Period {
        self.setting.period
    }

    /// The business date of the rows.
    pub(crate) fn as_of(&self) -> Date {
        self.setting.as_of
    }

    /// The time zone of the company.
    pub(crate) fn zone(&self) -> &jiff::tz::TimeZone {
        &self.setting.zone
    }

    /// A head with its unit: `Gap, days`, `间隔（天）`.
    pub(crate) fn with_unit(&self, label: &str, unit: &str) -> String {
        data(self.language()).with_unit(label, unit)
    }

    /// A head with the currency beside it: `Amount, EUR`, `金额（欧元）`.
    pub(crate) fn with_currency(&self, key: &str) -> Result<String, Error> {
        Ok(self.with_unit(&self.plain_phrase(key)?, self.currency()))
    }

    /// The currency as it is named beside a table: `EUR`, `欧元`.
    pub(crate) fn currency(&self) -> &str {
        number::currency_name(&self.setting.currency, self.setting.language)
    }

    /// A cell of a table; what is not known is a dash.
    pub(crate) fn cell(&self, format: Format, value: &Value) -> Result<String, Error> {
        if value.is_none() {
            return Ok("\u{2013}".into());
        }
        Ok(match format {
            Format::Text => match bool::try_from(value.clone()) {
                Ok(true) => self.plain_phrase("flag_true")?,
                Ok(false) => self.plain_phrase("flag_false")?,
                Err(_) => self.plain(value),
            },
            Format::Date => number::date(day(value, self.zone())?, self.language()),
            Format::Month => number::month(day(value, self.zone())?, self.language()),
            figure => figure.write(given(value)?, self.language()),
        })
    }

    /// Parts of a description in one line.
    pub(crate) fn list(&self, parts: impl IntoIterator<Item = String>) -> String {
        parts.into_iter().collect::<Vec<_>>().join(&data(self.language()).text.list)
    }
}

/// Every key that a phrase can be asked for by.
pub(crate) fn known_keys(phrases: &Phrases) -> Vec<&str> {
    let mut keys: Vec<&str> = phrases.keys().map(String::as_str).collect();
    keys.extend(data(Language::ENGLISH).keys());
    keys
}

/// minijinja's `map`, which would leave a hole where an attribute is missing.
fn mapped(state: &mut State<'_, '_>, value: Value, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let all = Value::from(minijinja::filters::map(state, value, args)?);
    for item in all.try_iter()?.checked() {
        defined(&item?)?;
    }
    Ok(all)
}

/// An environment with the filters and functions that phrases and templates share.
pub(crate) fn environment(setting: &Setting) -> Environment<'static> {
    let mut env = Environment::new();
    // Errors of undefined values then name the expression that they come from.
    env.set_debug(true);
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::Custom("markdown".into()));
    env.set_formatter(|out, _, value| {
        let written = if value.is_safe() {
            out.write_str(value.as_str().unwrap_or_default())
        } else if value.is_undefined() {
            return defined(value);
        } else if value.is_none() {
            Ok(())
        } else {
            // A phrase that was joined to other text is text: what protects its figures is put back first.
            out.write_str(&shield(&unshield(&value.to_string())))
        };
        written.map_err(Error::from)
    });
    env.add_filter("map", mapped);
    filters::register(&mut env, setting);
    functions::register(&mut env);
    env.add_global("language", setting.language.tag());
    env.add_global("currency", number::currency_name(&setting.currency, setting.language).to_string());
    env
}
