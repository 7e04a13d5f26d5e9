//! A page in the making: what charts and components work with.

use super::blocks::{Block, Inline, inline, placeholder, unshield};
use super::call::Call;
use super::data::invalid;
use super::footer::{EditionFacts, Footer, NamedFigure};
use super::manual::Page;
use super::phrases::Phrasebook;
use minijinja::Error;
use minijinja::value::Value;
use std::sync::{Mutex, MutexGuard};

/// What a page in the making has so far.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// Blocks that components made, in order of the calls.
    pub blocks: Vec<Block>,
    /// Named figures of the headline strip, with their labels.
    pub figures: Vec<(NamedFigure, String)>,
    /// The verdict as plain text.
    pub verdict: String,
}

/// What components write to and read from.
pub(crate) struct Canvas {
    /// The phrases of the page's language.
    pub book: Phrasebook,
    /// What the page says of its data.
    pub footer: Footer,
    /// The edition it becomes.
    pub edition: EditionFacts,
    draft: Mutex<Draft>,
}

impl Canvas {
    /// An empty page.
    pub(crate) fn new(book: Phrasebook, footer: Footer, edition: EditionFacts) -> Canvas {
        Canvas { book, footer, edition, draft: Mutex::default() }
    }

    /// What the page has so far.
    pub(crate) fn draft(&self) -> Result<MutexGuard<'_, Draft>, Error> {
        self.draft.lock().map_err(|_| invalid("a component failed before"))
    }

    /// Keeps a block and gives the mark that takes its place in the text.
    pub(crate) fn put(&self, block: Block) -> Result<Value, Error> {
        let mut draft = self.draft()?;
        draft.blocks.push(block);
        Ok(Value::from_safe_string(placeholder(draft.blocks.len() - 1)))
    }
}

/// A value as runs: Markdown if it came from a phrase, else plain text.
pub(crate) fn runs(value: &Value) -> Vec<Inline> {
    if value.is_none() || value.is_undefined() {
        Vec::new()
    } else if value.is_safe() {
        inline(value.as_str().unwrap_or_default())
    } else {
        // A phrase that was joined to other text is text, without its marks.
        vec![Inline::Text(unshield(&value.to_string()))]
    }
}

/// A component: its page of the manual, by which its arguments are checked, and what it does.
pub(crate) struct Component {
    pub page: Page,
    pub call: fn(&Canvas, &Call) -> Result<Value, Error>,
}
