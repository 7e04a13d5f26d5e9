//! What the folder of a report says of its editions, in files that older and newer programs read.

use super::Output;
use super::footer::NamedFigure;
use perennial_core::error::{Error, Result};
use perennial_lake::TestCounts;
use perennial_project::Language;
use std::collections::BTreeMap;
use std::path::Path;

/// Layout of `edition.json`, raised when it changes in a way that older programs cannot read.
pub(crate) const FORMAT: u32 = 1;

/// `edition.json`.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Record {
    /// [`FORMAT`].
    pub format: u32,
    /// The report's name.
    pub report: String,
    /// Its title per language tag.
    pub title: BTreeMap<String, String>,
    /// The period's label.
    pub period: String,
    /// `closed` or `open` when it was issued.
    pub period_status: String,
    /// Counted within the period, from 1.
    pub edition: u32,
    /// The release it was made from.
    pub release: u64,
    /// The run that published the release.
    pub run_id: String,
    /// The business date of its rows.
    pub as_of: String,
    /// When it was made, in UTC.
    pub issued_at: jiff::Timestamp,
    /// Tests of the release.
    pub tests: TestCounts,
    /// The verdict per language tag.
    pub verdict: BTreeMap<String, String>,
    /// Headline figures, for the next edition to compare.
    pub figures: Vec<NamedFigure>,
    /// Hash of what the pages say, without their footers.
    pub content: String,
    /// Its files, beside this one.
    pub files: Vec<String>,
}

impl Record {
    /// Whether it stands for one that could not be read.
    pub(crate) fn is_rebuilt(&self) -> bool {
        self.content.is_empty() && self.run_id.is_empty()
    }
}

/// `not-issued.json`: why the newest run issued nothing for a period.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct NotIssued {
    /// [`FORMAT`].
    pub format: u32,
    /// The report's name.
    pub report: String,
    /// The period's label.
    pub period: String,
    /// Why.
    pub reason: String,
    /// The run that did not issue it.
    pub run_id: String,
    /// When.
    pub at: jiff::Timestamp,
}

/// What the index knows of one period of one report.
#[derive(Debug)]
pub(crate) struct Entry {
    pub folder: String,
    pub newest: Option<Record>,
    pub earlier: Vec<Record>,
    pub not_issued: Option<NotIssued>,
}

/// Reports by name, their periods newest first.
pub(crate) fn entries(folder: &Path) -> Result<Vec<Entry>> {
    let mut out = Vec::new();
    for report in folders(folder)? {
        let mut periods = folders(&folder.join(&report))?;
        periods.reverse();
        for period in periods {
            let place = folder.join(&report).join(&period);
            let newest = newest(&place)?;
            let not_issued: Option<NotIssued> = read(&place.join("not-issued.json"))?;
            if newest.is_none() && not_issued.is_none() {
                continue;
            }
            let mut earlier = Vec::new();
            for number in (1..newest.as_ref().map_or(1, |n| n.edition)).rev() {
                earlier.extend(read::<Record>(&place.join(format!("edition-{number}.json")))?);
            }
            out.push(Entry { folder: format!("{report}/{period}"), newest, earlier, not_issued });
        }
    }
    Ok(out)
}

/// The folders in a folder, in order.
fn folders(folder: &Path) -> Result<Vec<String>> {
    let Ok(listing) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for entry in listing {
        let entry = entry.map_err(|e| cannot_read(folder, e))?;
        if entry.path().is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// A file of this module; nothing where it does not exist.
pub(crate) fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot_read(path, error)),
    };
    let format = serde_json::from_slice::<FormatOnly>(&text).map(|record| record.format);
    if let Ok(format) = format
        && format > FORMAT
    {
        let error = format!("{} has format {format}, which a newer version of perennial wrote", path.display());
        return Err(Error::project(error).hint("update perennial"));
    }
    Ok(serde_json::from_slice(&text).ok())
}

#[derive(serde::Deserialize)]
struct FormatOnly {
    format: u32,
}

/// The record of the newest edition in a folder. One that cannot be read, as a power cut may leave it, is replaced by
/// what the files beside it say: the number, and which pages there are. Such an edition equals no other, so that the next
/// one is issued and the pages of this one are kept.
pub(crate) fn newest(place: &Path) -> Result<Option<Record>> {
    let path = place.join("edition.json");
    if !path.is_file() {
        return Ok(None);
    }
    if let Some(record) = read(&path)? {
        return Ok(Some(record));
    }
    let mut earlier = 0;
    while place.join(format!("edition-{}.json", earlier + 1)).is_file() {
        earlier += 1;
    }
    let name = |path: Option<&Path>| path.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    Ok(Some(Record {
        format: FORMAT,
        report: name(place.parent()),
        title: BTreeMap::new(),
        period: name(Some(place)),
        period_status: String::new(),
        edition: earlier + 1,
        release: 0,
        run_id: String::new(),
        as_of: String::new(),
        issued_at: jiff::Timestamp::UNIX_EPOCH,
        tests: TestCounts::default(),
        verdict: BTreeMap::new(),
        figures: Vec::new(),
        content: String::new(),
        files: pages(place),
    }))
}

/// The names of the pages of the newest edition in a folder.
pub(crate) fn pages(folder: &Path) -> Vec<String> {
    let names = Language::all().flat_map(|l| Output::ALL.map(|o| format!("{}.{}", l.tag(), o.extension())));
    names.filter(|name| folder.join(name).is_file()).collect()
}

fn cannot_read(path: &Path, error: std::io::Error) -> Error {
    Error::unreachable(format!("cannot read {}: {error}", path.display())).because(error)
}
