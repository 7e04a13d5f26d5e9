//! The phrasebook of one page: phrases rendered in its language, and the filters that write figures.

use super::blocks::{inline, plain, shield};
use super::data::number;
use super::number::{self, Decimal, Sign};
use super::period::Period;
use super::words::{self, Words};
use crate::project::Language;
use jiff::civil::Date;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use std::sync::Arc;

/// The kind of a template's error that says a figure cannot be trusted; others are mistakes of the project.
pub const UNTRUSTED: ErrorKind = ErrorKind::BadSerialization;

/// What a page is about and for whom; filters and components read it.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The language of the page.
    pub language: Language,
    /// ISO 4217.
    pub currency: String,
    /// Cuts instants into dates.
    pub zone: jiff::tz::TimeZone,
    /// What the edition is about.
    pub period: Period,
    /// The business date of the rows.
    pub as_of: Date,
    /// All phrases.
    pub words: Arc<Words>,
}

/// Phrases in one language.
pub struct Phrasebook {
    setting: Setting,
    env: Environment<'static>,
}

/// Saying phrases; a trait so that the foot can be written against it.
pub trait Say {
    /// A phrase as Markdown.
    fn say(&self, key: &str, with: &[(&str, Value)]) -> Result<String, Error>;
}

impl Say for Phrasebook {
    fn say(&self, key: &str, with: &[(&str, Value)]) -> Result<String, Error> {
        self.render(key, Value::from_pairs(with.iter().map(|(k, v)| (k.to_string(), v.clone()))))
    }
}

impl Phrasebook {
    /// The phrasebook of a page.
    pub fn new(setting: Setting) -> Phrasebook {
        let env = environment(&setting);
        Phrasebook { setting, env }
    }

    /// A phrase as Markdown, given everything it may name.
    pub fn render(&self, key: &str, context: Value) -> Result<String, Error> {
        let text = words::text(&self.setting.words, key, self.setting.language)
            .map_err(|e| Error::new(ErrorKind::InvalidOperation, described(&e)))?;
        self.env.render_named_str(key, text.trim(), context).map_err(|error| {
            let language = self.setting.language.tag();
            let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_string);
            Error::new(ErrorKind::BadInclude, format!("the phrase `{key}` ({language}, {}): {detail}", words::FILE))
                .with_source(error)
        })
    }

    /// A phrase without parameters as plain text.
    pub fn word(&self, key: &str) -> Result<String, Error> {
        self.word_with(key, &[])
    }

    /// A phrase as plain text.
    pub fn word_with(&self, key: &str, with: &[(&str, String)]) -> Result<String, Error> {
        let context = Value::from_pairs(with.iter().map(|(k, v)| (k.to_string(), Value::from(v.clone()))));
        Ok(plain(&inline(&self.render(key, context)?)))
    }

    /// A value as plain text: Markdown if it came from a phrase, else as it is.
    pub fn plain(&self, value: &Value) -> String {
        if value.is_none() || value.is_undefined() {
            String::new()
        } else if value.is_safe() {
            plain(&inline(value.as_str().unwrap_or_default()))
        } else {
            value.to_string()
        }
    }

    /// A date or instant of the data as the language writes it; other text as it is.
    pub fn moment(&self, text: &str) -> String {
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
    pub fn language(&self) -> Language {
        self.setting.language
    }

    /// What the edition is about.
    pub fn period(&self) -> Period {
        self.setting.period
    }

    /// The business date of the rows.
    pub fn as_of(&self) -> Date {
        self.setting.as_of
    }

    /// The time zone of the company.
    pub fn zone(&self) -> &jiff::tz::TimeZone {
        &self.setting.zone
    }

    /// A head with the currency beside it: `Amount, EUR`, `金额（欧元）`.
    pub fn with_currency(&self, key: &str) -> Result<String, Error> {
        let (label, currency) = (self.word(key)?, self.currency());
        Ok(match self.language() {
            Language::English => format!("{label}, {currency}"),
            _ => format!("{label}（{currency}）"),
        })
    }

    /// The currency as it is named under a table: `EUR`, `欧元`.
    pub fn currency(&self) -> String {
        words::currency_word(&self.setting.currency, self.setting.language)
    }
}

fn described(error: &crate::error::Error) -> String {
    match error.hint_text() {
        Some(hint) => format!("{} ({hint})", error.message()),
        None => error.message().to_string(),
    }
}

/// An environment with the filters and pure functions that phrases and templates share.
pub fn environment(setting: &Setting) -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::Custom("markdown".into()));
    env.set_formatter(|out, _, value| {
        let written = if value.is_safe() {
            out.write_str(value.as_str().unwrap_or_default())
        } else if value.is_undefined() {
            return Err(Error::from(ErrorKind::UndefinedError));
        } else if value.is_none() {
            Ok(())
        } else {
            out.write_str(&shield(&value.to_string()))
        };
        written.map_err(Error::from)
    });
    figure_filters(&mut env, setting);
    date_filters(&mut env, setting);
    arithmetic(&mut env);
    env.add_global("language", setting.language.tag());
    env.add_global("currency", words::currency_word(&setting.currency, setting.language));
    env
}

/// Names of the filters added to minijinja's own, for messages.
pub const FILTERS: &[&str] = &[
    "short",
    "short_signed",
    "amount",
    "full",
    "cents",
    "integer",
    "percent",
    "percent_signed",
    "absolute",
    "date",
    "month",
    "month_short",
    "month_name",
];

fn figure_filters(env: &mut Environment<'static>, setting: &Setting) {
    let language = setting.language;
    let currency = setting.currency.clone();
    env.add_filter("short", move |v: &Value| written(v, |d| number::short(d, language, Sign::Minus)));
    env.add_filter("short_signed", move |v: &Value| written(v, |d| number::short(d, language, Sign::Both)));
    env.add_filter("amount", move |v: &Value| written(v, |d| words::amount(d, &currency, language)));
    env.add_filter("full", |v: &Value| written(v, |d| number::full(d, 0, Sign::Minus)));
    env.add_filter("cents", |v: &Value| written(v, |d| number::full(d, 2, Sign::Minus)));
    env.add_filter("integer", |v: &Value| written(v, |d| number::full(d, 0, Sign::Minus)));
    env.add_filter("percent", move |v: &Value| written(v, |d| number::percent(d, language, Sign::Minus)));
    env.add_filter("percent_signed", move |v: &Value| written(v, |d| number::percent(d, language, Sign::Both)));
    env.add_filter("absolute", |v: &Value| given(v).map(|d| Value::from_object(d.abs())));
}

fn date_filters(env: &mut Environment<'static>, setting: &Setting) {
    let language = setting.language;
    let zone = setting.zone.clone();
    type Writer = fn(Date, Language) -> String;
    let all: [(&'static str, Writer); 4] = [
        ("date", number::date),
        ("month", number::month),
        ("month_short", number::month_short),
        ("month_name", number::month_name),
    ];
    for (name, write) in all {
        let zone = zone.clone();
        env.add_filter(name, move |v: &Value| day(v, &zone).map(|d| write(d, language)));
    }
}

/// Sums and shares in exact arithmetic. Templates may not add binary floats.
fn arithmetic(env: &mut Environment<'static>) {
    env.add_function("minus", |a: &Value, b: &Value| match (number(a), number(b)) {
        (Some(a), Some(b)) => Value::from_object(a.minus(b)),
        _ => Value::from(()),
    });
    env.add_function("plus", |a: &Value, b: &Value| match (number(a), number(b)) {
        (Some(a), Some(b)) => Value::from_object(a.plus(b)),
        _ => Value::from(()),
    });
    env.add_function("ratio", |a: &Value, b: &Value| {
        let quotient = number(a).zip(number(b)).and_then(|(a, b)| a.over(b));
        quotient.map_or(Value::from(()), Value::from_object)
    });
    env.add_function("sign", |a: &Value| number(a).map_or(Value::from(()), |d| Value::from(d.signum() as i64)));
    env.add_function("pick", |rows: &Value, with: minijinja::value::Kwargs| -> Result<Value, Error> {
        let wanted: Vec<(String, Value)> =
            with.args().map(|name| Ok((name.to_string(), with.get::<Value>(name)?))).collect::<Result<_, Error>>()?;
        for row in rows.try_iter()? {
            if wanted.iter().all(|(name, value)| row.get_attr(name).is_ok_and(|found| found == *value)) {
                return Ok(row);
            }
        }
        Ok(Value::from(()))
    });
    env.add_function("total", |rows: &Value, column: &str| -> Result<Value, Error> {
        let mut sum = Decimal::default();
        for row in rows.try_iter()? {
            sum = sum.plus(number(&row.get_attr(column)?).unwrap_or_default());
        }
        Ok(Value::from_object(sum))
    });
}

/// Names of the functions added by [`environment`], for checks.
pub const FUNCTIONS: &[&str] = &["minus", "plus", "ratio", "sign", "pick", "total"];

/// The number of a value, or an error that says what it was instead.
pub fn given(value: &Value) -> Result<Decimal, Error> {
    number(value).ok_or_else(|| {
        let what = if value.is_none() { "none (an unknown figure)".to_string() } else { format!("`{value}`") };
        Error::new(ErrorKind::InvalidOperation, format!("a figure was expected here, not {what}"))
    })
}

fn written(value: &Value, write: impl Fn(Decimal) -> String) -> Result<String, Error> {
    given(value).map(write)
}

/// The day of a value: an ISO date, or an instant cut in the time zone.
pub fn day(value: &Value, zone: &jiff::tz::TimeZone) -> Result<Date, Error> {
    let text = value.to_string();
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(at.to_zoned(zone.clone()).date());
    }
    text.parse().map_err(|_| {
        Error::new(ErrorKind::InvalidOperation, format!("a date such as 2026-09-30 was expected here, not `{text}`"))
    })
}
