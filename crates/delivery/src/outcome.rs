//! What became of a message.

use perennial_core::error::Error;
use std::fmt;
use std::time::Duration;

/// Characters of an answer that are kept.
const MAX_ANSWER_CHARACTERS: usize = 300;

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken over.
    Sent {
        /// What the receiver answered.
        answer: String,
    },
    /// It was refused for good: another attempt would be refused as well.
    Refused(Reason),
    /// It had no effect outside, and a later attempt may succeed.
    Failed(Reason),
    /// Nobody knows whether it was taken over: the connection was lost, or no answer came, after it had left. It must not
    /// be sent again without a person's decision.
    Unknown(Reason),
}

/// Why a message was not sent. It shows no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason {
    /// The receiver's code: of SMTP, HTTP, or its own.
    pub code: Option<String>,
    /// What it said, with its code before it, or what happened; one line.
    pub text: String,
    /// What to do next.
    pub hint: Option<String>,
    /// How long the receiver asks to wait.
    pub retry_after: Option<Duration>,
    /// It is not about this message: the next one to the same receiver would fail alike, and each attempt may count there
    /// as a login that failed.
    pub of_server: bool,
}

impl Reason {
    /// A reason without a code: nobody answered.
    pub(crate) fn new(text: impl AsRef<str>) -> Reason {
        Reason { text: one_line(text.as_ref()), of_server: true, ..Reason::default() }
    }

    /// Adds the receiver's code, with which it answered this message; the text has it already.
    pub(crate) fn code(mut self, code: impl fmt::Display) -> Reason {
        self.code = Some(code.to_string());
        self.of_server = false;
        self
    }

    /// Adds what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Reason {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Error> for Reason {
    fn from(error: Error) -> Reason {
        Reason { hint: error.hint_text().map(str::to_string), ..Reason::new(error.to_string()) }
    }
}

impl From<Reason> for Error {
    fn from(reason: Reason) -> Error {
        let error = Error::unreachable(reason.to_string());
        match reason.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// The beginning of a text as one line.
pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let line = words.join(" ");
    match line.char_indices().nth(MAX_ANSWER_CHARACTERS) {
        Some((end, _)) => format!("{} ...", &line[..end]),
        None => line,
    }
}
