//! Globs: which files they match, and which folders can be skipped.

use globset::{GlobBuilder, GlobMatcher};
use perennial_core::error::{Error, Result};

/// Extensions of files that are still being written by programs and browsers.
const UNFINISHED: [&str; 4] = [".tmp", ".part", ".filepart", ".crdownload"];
/// Prefix of the lock files that Office keeps next to an open document.
const OWNER_FILE: &str = "~$";

/// A glob, and the folder before its first wildcard, the only one that is searched.
#[derive(Clone)]
pub(crate) struct Pattern {
    glob: String,
    matcher: GlobMatcher,
    folder: String,
    is_literal: bool,
    /// Maximum number of folders in a matching path; `None` when the glob contains `**`.
    max_folders: Option<usize>,
}

impl Pattern {
    /// Reads a glob.
    ///
    /// # Errors
    /// Of kind `Project` when it is malformed.
    pub(super) fn new(glob: &str) -> Result<Pattern> {
        let glob = glob.trim_start_matches("./");
        let matcher = GlobBuilder::new(glob)
            .literal_separator(true)
            .build()
            .map_err(|e| Error::project(format!("`{glob}` is not a valid file pattern: {}", e.kind())))?
            .compile_matcher();
        let fixed = glob.find(['*', '?', '[', '{', '\\']).map_or(glob, |first| &glob[..first]);
        let folder = fixed.rfind('/').map_or("", |slash| &fixed[..slash]).to_string();
        // Alternatives within braces may have different depths.
        let max_folders = (!glob.contains("**") && !glob.contains('{')).then(|| glob.matches('/').count());
        Ok(Pattern { glob: glob.to_string(), matcher, folder, is_literal: fixed == glob, max_folders })
    }

    /// The only matching path of a glob without wildcards.
    pub(super) fn literal(&self) -> Option<&str> {
        self.is_literal.then_some(self.glob.as_str())
    }

    /// The folder that contains all matches; empty for the location itself.
    pub(super) fn folder(&self) -> &str {
        &self.folder
    }

    /// The path of an entry of a folder.
    pub(super) fn join(folder: &str, name: &str) -> String {
        if folder.is_empty() { name.to_string() } else { format!("{folder}/{name}") }
    }

    /// Whether a file matches, or a folder may hold files that do.
    pub(super) fn concerns(&self, path: &str, is_folder: bool) -> bool {
        if !is_folder {
            return self.matches(path);
        }
        let folders = path.matches('/').count() + 1;
        !hidden(path) && self.max_folders.is_none_or(|max| folders <= max)
    }

    /// Whether a folder matches like a file and is not one that is only passed through: the glob asks for more than any
    /// name in its last part.
    pub(super) fn looks_for(&self, folder: &str) -> bool {
        let last = self.glob.rsplit('/').next().unwrap_or(&self.glob);
        last.chars().any(|letter| letter != '*') && self.matches(folder)
    }

    /// Whether a file matches.
    pub(super) fn matches(&self, path: &str) -> bool {
        !hidden(path) && self.matcher.is_match(path) && !self.leaves_out(path)
    }

    /// Whether a file is still being written, and the glob does not ask for such files.
    fn leaves_out(&self, path: &str) -> bool {
        let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        let (pattern, name) = (name(&self.glob), name(path));
        let unfinished = UNFINISHED.iter().any(|end| name.ends_with(end) && !pattern.ends_with(end));
        unfinished || (name.starts_with(OWNER_FILE) && !pattern.starts_with(OWNER_FILE))
    }
}

fn hidden(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(glob: &str, path: &str) -> bool {
        Pattern::new(glob).unwrap().matches(path)
    }

    #[test]
    fn files_still_being_written_are_left_out() {
        for name in ["a.csv.part", "a.TMP", "in/b.filepart", "in/c.xlsx.crdownload", "in/~$d.xlsx", ".a"] {
            assert!(!matches("**", name), "{name}");
        }
        for name in ["a.csv", "a.tmp.csv", "part", "in/part-0.csv", "~a"] {
            assert!(matches("**", name), "{name}");
        }
        assert!(matches("*.part", "a.part") && matches("in/~$*", "in/~$d.xlsx"));
        assert!(!matches("*.part", "~$a.part"));
    }

    #[test]
    fn folders_that_look_like_the_files_asked_for_are_told_from_others() {
        let looks_for = |glob: &str, folder: &str| Pattern::new(glob).unwrap().looks_for(folder);
        assert!(looks_for("*.parquet", "orders.parquet") && looks_for("**/orders-*", "in/orders-1"));
        assert!(!looks_for("**/*", "in") && !looks_for("*", "in") && !looks_for("*/*.csv", "in"));
    }

    #[test]
    fn folders_that_cannot_hold_a_match_are_not_entered() {
        let enters = |glob: &str, folder: &str| Pattern::new(glob).unwrap().concerns(folder, true);
        assert!(!enters("*.csv", "in") && enters("*/a.csv", "in") && !enters("*/a.csv", "in/old"));
        assert!(enters("**/a.csv", "in/old/older") && enters("{a,b/c}/*.csv", "b/c"));
        assert!(!enters("**/a.csv", ".git") && !enters("**/a.csv", "in/.git"));
    }
}
