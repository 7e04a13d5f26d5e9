//! Where a SQLite database is: `sqlite://path/of/the/file.db`.

use std::path::PathBuf;

/// The file at a location.
pub(super) fn path(location: &str) -> PathBuf {
    PathBuf::from(location.split_once("://").map_or(location, |(_, path)| path))
}
