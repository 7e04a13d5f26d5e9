//! Files of the lake that are not what was written.

use perennial_core::error::Error;
use std::fmt;

/// A file that is missing, or holds something else than was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Its path below the lake's root.
    pub path: String,
    /// What is wrong with it.
    pub damage: Damage,
}

/// What is wrong with a damaged file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It is not there.
    Missing,
    /// Its content does not have the checksum that it was written with.
    Changed,
    /// It can be read, but it does not describe the files and rows of the newest release.
    Differs,
    /// The content of one block, counted from 0, does not have the checksum that it was written with.
    Block(u64),
}

impl Damaged {
    /// A file that is not there.
    pub(crate) fn missing(path: &str) -> Damaged {
        Damaged { path: path.to_string(), damage: Damage::Missing }
    }

    /// A file whose content is not what was written.
    pub(crate) fn changed(path: &str) -> Damaged {
        Damaged { path: path.to_string(), damage: Damage::Changed }
    }
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match self.damage {
            Damage::Missing => write!(f, "{path} is missing from the lake"),
            Damage::Changed => write!(f, "{path} is damaged: its content is not what was written"),
            Damage::Differs => write!(f, "{path} has other files or rows than the newest release"),
            Damage::Block(block) => write!(f, "{path} is damaged: block {block} is not what was written"),
        }
    }
}

impl std::error::Error for Damaged {}

impl From<Damaged> for Error {
    fn from(damaged: Damaged) -> Error {
        Error::data(damaged.to_string())
            .hint("`perennial lake verify` says what is damaged and what repairs it")
            .because(damaged)
    }
}

/// The damaged file that an error is about, if it is about one.
pub(crate) fn damage_in<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Damaged> {
    std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
}
