//! Places of a project that it reads from or keeps something in itself: nothing else may be written there.

use std::path::Path;

/// What is read from the project's folder, or kept there by others.
const OWN: [&str; 6] = ["perennial.yml", "pipelines", "report-templates", "sql", "tests", ".git"];

/// The places of a project whose options are read.
#[derive(Clone, Copy)]
pub(super) struct OwnPlaces<'a> {
    pub root: &'a Path,
    pub reports_folder: &'a Path,
    /// A path or a URL.
    pub lake: &'a str,
}

impl OwnPlaces<'_> {
    /// Why mails or copies cannot be written to a folder: `` `lake` of perennial.yml is there too ``.
    pub fn in_the_way_of_folder(&self, folder: &Path) -> Option<String> {
        let is_there = overlap(folder, self.reports_folder);
        is_there.then(|| of_settings("reports")).or_else(|| self.in_the_way(folder))
    }

    /// The same of a file, which may lie among the pages.
    pub fn in_the_way(&self, place: &Path) -> Option<String> {
        let lake = Path::new(self.lake);
        if lake.is_absolute() && overlap(place, lake) {
            return Some(of_settings("lake"));
        }
        if self.root.starts_with(place) {
            return Some("the project is there".to_string());
        }
        let own = OWN.into_iter().find(|own| place.starts_with(self.root.join(own)))?;
        Some(format!("`{own}` is the project's own"))
    }
}

fn of_settings(key: &str) -> String {
    format!("`{key}` of perennial.yml is there too")
}

fn overlap(place: &Path, own: &Path) -> bool {
    place.starts_with(own) || own.starts_with(place)
}
