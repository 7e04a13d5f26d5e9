//! Files that are deliveries of one table, told by their names: what is left when dates and numbers are taken out.

use super::names;
use perennial_sources::SourceFile;
use std::collections::BTreeMap;

/// A run of digits of a single file that is at least so long is a date or number that will be another next time.
const DATE_DIGITS: usize = 4;
/// Parts of names that name no table.
const NAMES_OF_NONE: [&str; 8] = ["part", "data", "export", "file", "dump", "out", "output", "chunk"];

/// The files of one table.
#[derive(Debug, PartialEq)]
pub(super) struct Group {
    /// Pattern of the files.
    pub(super) pattern: String,
    /// Name of the table.
    pub(super) name: String,
    /// In the order of their paths.
    pub(super) files: Vec<SourceFile>,
}

/// Groups files by their paths without dates and numbers.
pub(super) fn group(files: Vec<SourceFile>) -> Vec<Group> {
    let mut by_pattern: BTreeMap<String, Vec<SourceFile>> = BTreeMap::new();
    for file in files {
        by_pattern.entry(pattern(&file.path, "*")).or_default().push(file);
    }
    let paths: Vec<(String, Vec<String>)> =
        by_pattern.iter().map(|(p, files)| (p.clone(), files.iter().map(|f| f.path.clone()).collect())).collect();
    let mut taken = Vec::new();
    let mut groups = Vec::new();
    for (pattern, files) in by_pattern {
        let others = paths.iter().filter(|(other, _)| *other != pattern).flat_map(|(_, paths)| paths);
        let written = written(&pattern, &files, &others.map(String::as_str).collect::<Vec<_>>());
        let name = names::unused(name(&pattern), &taken);
        taken.push(name.clone());
        groups.push(Group { pattern: written, name, files });
    }
    groups
}

/// The pattern as a contract writes it: the file's own path where it is alone and has no date in its name, and digits in
/// place of `*` where that would match files of other tables.
fn written(pattern: &str, files: &[SourceFile], others: &[&str]) -> String {
    if let [only] = files
        && longest_run(&only.path) < DATE_DIGITS
    {
        return escaped(&only.path);
    }
    let matches = |glob: &str, path: &str| {
        let glob = globset::GlobBuilder::new(glob).literal_separator(true).build();
        glob.is_ok_and(|glob| glob.compile_matcher().is_match(path))
    };
    if others.iter().any(|path| matches(pattern, path)) {
        let digits = files.first().map(|file| self::pattern(&file.path, "[0-9]*")).unwrap_or_default();
        if files.iter().all(|file| matches(&digits, &file.path)) {
            return digits;
        }
    }
    pattern.to_string()
}

fn longest_run(path: &str) -> usize {
    path.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0)
}

/// A path as a pattern that matches it: signs with a meaning stand for any letter.
pub(super) fn escaped(path: &str) -> String {
    path.chars().map(|c| if "*?[]{}\\!".contains(c) { '?' } else { c }).collect()
}

/// A path in which every run of digits, with the signs between such runs, is `star`.
fn pattern(path: &str, star: &str) -> String {
    let parts: Vec<String> = path.split('/').map(|part| pattern_of_part(part, star)).collect();
    parts.join("/")
}

fn pattern_of_part(part: &str, star: &str) -> String {
    // The end says how a file is written, also where it holds digits (`.mp3`, `.bz2`).
    let (stem, end) = part.split_at(part.find('.').unwrap_or(part.len()));
    let end_has_date = longest_run(end) >= DATE_DIGITS;
    let (stem, end) = if end_has_date { (part, "") } else { (stem, end) };
    let letters: Vec<char> = stem.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    while at < letters.len() {
        if !letters[at].is_ascii_digit() {
            out.push_str(&escaped(&letters[at].to_string()));
            at += 1;
            continue;
        }
        while at < letters.len() && letters[at].is_ascii_digit() {
            at += 1;
            let sign = letters.get(at).is_some_and(|c| "-_.T:".contains(*c));
            let more = letters.get(at + 1).is_some_and(char::is_ascii_digit);
            if sign && more {
                at += 1;
            }
        }
        out.push_str(star);
    }
    format!("{out}{}", escaped(end))
}

/// What a pattern says besides dates and numbers; the folder's name where the file's says nothing.
fn name(pattern: &str) -> String {
    let mut parts: Vec<String> = pattern.split('/').map(|part| part.replace('*', "")).collect();
    if let Some(last) = parts.last_mut() {
        *last = last.split('.').find(|piece| !piece.is_empty()).unwrap_or_default().to_string();
    }
    let named = parts.iter().rev().filter_map(|part| perennial_project::identifier(part));
    let named: Vec<String> = named.collect();
    let good = named.iter().find(|name| !NAMES_OF_NONE.contains(&name.as_str()));
    good.or(named.first()).cloned().unwrap_or_else(|| "rows".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(paths: &[&str]) -> Vec<(String, String, usize)> {
        let file = |path: &&str| SourceFile {
            path: path.to_string(),
            bytes: 1,
            tag: String::new(),
            modified: jiff::Timestamp::UNIX_EPOCH,
            grows: false,
        };
        let found = group(paths.iter().map(file).collect());
        found.into_iter().map(|g| (g.pattern, g.name, g.files.len())).collect()
    }

    #[test]
    fn dates_and_numbers_are_taken_out_of_names() {
        for (path, pattern, name) in [
            ("orders-2026-11-21.csv", "orders-*.csv", "orders"),
            ("orders_20261121T120000.csv.gz", "orders_*.csv.gz", "orders"),
            ("2026-09/events-2026-09-30.jsonl", "*/events-*.jsonl", "events"),
            ("order-lines-2026-11-21.csv", "order-lines-*.csv", "order_lines"),
            ("orders/2026/11/part-00001.parquet", "orders/*/*/part-*.parquet", "orders"),
            ("queue_log", "queue_log", "queue_log"),
            ("access.log.20261121", "access.log.*", "access"),
            ("q1.csv", "q1.csv", "q1"),
            ("20261121.csv", "*.csv", "csv"),
            ("Kunden (alt).csv", "Kunden (alt).csv", "kunden_alt"),
            ("a[1].csv", "a?1?.csv", "a_1"),
        ] {
            let found = groups(&[path]);
            assert_eq!(found[0].0, pattern, "{path}");
            if !["20261121.csv", "a[1].csv", "q1.csv"].contains(&path) {
                assert_eq!(found[0].1, name, "{path}");
            }
        }
        let two = groups(&["q1.csv", "q2.csv"]);
        assert_eq!((two[0].0.as_str(), two[0].2), ("q*.csv", 2));
    }

    #[test]
    fn a_pattern_does_not_take_the_files_of_another_table() {
        let found = groups(&["orders-2026-11-21.csv", "orders-lines-2026-11-21.csv"]);
        assert_eq!(found[0].0, "orders-[0-9]*.csv");
        assert_eq!(found[1].0, "orders-lines-*.csv");
    }
}
