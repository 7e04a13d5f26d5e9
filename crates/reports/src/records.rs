//! What the folder of a report says of its editions, in files that older and newer programs read.

use super::Output;
use super::footer::NamedFigure;
use super::parameters::Parameters;
use perennial_core::error::{Error, Result};
use perennial_lake::TestCounts;
use perennial_project::Language;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

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
    /// What it is about beside its period; empty for the page as a whole.
    #[serde(default, skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
    /// Whether the report's query `not_empty` had rows; `None` where there is no such query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_empty: Option<bool>,
    /// The edition as mail, per language tag.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mail: BTreeMap<String, MailRecord>,
}

/// An edition as mail in one language: names of files beside `edition.json`, and what a message quotes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MailRecord {
    /// The subject, one line.
    pub subject: String,
    /// The HTML body, which names its pictures by `cid:`.
    pub html: String,
    /// The plain body.
    pub text: String,
    /// Headline figures as the language writes them, for short messages.
    pub figures: Vec<WrittenFigure>,
    /// The pictures of the HTML body.
    pub pictures: Vec<MailPicture>,
}

/// A headline figure as a language writes it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct WrittenFigure {
    /// What it is.
    pub label: String,
    /// The figure with its unit.
    pub value: String,
}

/// A picture of a mail.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MailPicture {
    /// A PNG beside `edition.json`.
    pub file: String,
    /// The value of its `Content-ID`, without brackets.
    pub cid: String,
    /// The width at which it is shown, in pixels of a page.
    pub width: u32,
    /// The height at which it is shown.
    pub height: u32,
}

/// An edition as mail, read and ready to be packed. Pages to attach are named by [`Record::pages`]: they may be large.
#[derive(Clone, Debug)]
pub struct MailParts {
    /// The subject, one line.
    pub subject: String,
    /// The HTML body.
    pub html: String,
    /// The plain body.
    pub text: String,
    /// Pictures and their bytes.
    pub pictures: Vec<(MailPicture, Vec<u8>)>,
}

impl MailRecord {
    /// The names of its files.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        let pictures = self.pictures.iter().map(|picture| picture.file.as_str());
        [self.html.as_str(), self.text.as_str()].into_iter().chain(pictures)
    }

    /// The same with other names of its files.
    pub(crate) fn renamed(&self, name: impl Fn(&str) -> String) -> MailRecord {
        let picture = |picture: &MailPicture| MailPicture { file: name(&picture.file), ..picture.clone() };
        MailRecord {
            html: name(&self.html),
            text: name(&self.text),
            pictures: self.pictures.iter().map(picture).collect(),
            ..self.clone()
        }
    }

    /// Reads it from the folder of its edition.
    ///
    /// # Errors
    /// `Unreachable` when a file cannot be read.
    pub fn read(&self, folder: &Path) -> Result<MailParts> {
        let bytes = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|error| cannot_read(&path, error))
        };
        let text = |name: &str| bytes(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let picture = |picture: &MailPicture| Ok((picture.clone(), bytes(&picture.file)?));
        Ok(MailParts {
            subject: self.subject.clone(),
            html: text(&self.html)?,
            text: text(&self.text)?,
            pictures: self.pictures.iter().map(picture).collect::<Result<_>>()?,
        })
    }
}

impl Record {
    /// The names of the pages in a language, beside `edition.json`.
    pub fn pages(&self, language: Language) -> impl Iterator<Item = &str> {
        let own = move |file: &&str| file.split('.').next() == Some(language.tag());
        self.files.iter().map(String::as_str).filter(own)
    }

    /// Whether its headline figures are those of another edition.
    pub fn has_same_figures(&self, other: &Record) -> bool {
        self.figures == other.figures
    }

    /// The names of all files of the edition but its record.
    pub(crate) fn all_files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str).chain(self.mail.values().flat_map(MailRecord::files))
    }

    /// Whether it stands for one that could not be read.
    pub(crate) fn is_rebuilt(&self) -> bool {
        self.content.is_empty() && self.run_id.is_empty()
    }
}

/// `not-issued.json`: why the newest run issued nothing for a period. It is gone when an edition is issued.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NotIssued {
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

/// The folder of a report's editions for a period; those of a page for one row of parameters lie in a folder of their
/// own.
pub fn edition_folder(folder: &Path, report: &str, period: &str, parameters: &Parameters) -> PathBuf {
    let whole = folder.join(report).join(period);
    if parameters.is_empty() { whole } else { whole.join(parameters.slug()) }
}

/// Why the newest run issued nothing for a period, from the folder of its editions, if it did not.
///
/// # Errors
/// As [`newest_in`].
pub fn not_issued(place: &Path) -> Result<Option<NotIssued>> {
    read(&place.join("not-issued.json"))
}

/// The record of an earlier edition in a folder of editions.
///
/// # Errors
/// As [`newest_in`].
pub fn edition_in(place: &Path, number: u32) -> Result<Option<Record>> {
    read(&place.join(format!("edition-{number}.json")))
}

/// The releases that editions stand on, of all reports, periods and pages, earlier editions as well.
///
/// # Errors
/// As [`newest_in`].
pub fn releases_of_editions(folder: &Path) -> Result<BTreeSet<u64>> {
    let mut releases = BTreeSet::new();
    for report in folders(folder)? {
        for period in folders(&folder.join(&report))? {
            let whole = folder.join(&report).join(&period);
            let pages = folders(&whole)?.into_iter().map(|page| whole.join(page));
            for place in pages.chain([whole.clone()]) {
                let Some(record) = newest_in(&place)? else { continue };
                let earlier = (1..record.edition).map(|number| edition_in(&place, number));
                for record in earlier.chain([Ok(Some(record))]) {
                    releases.extend(record?.filter(|record| !record.is_rebuilt()).map(|record| record.release));
                }
            }
        }
    }
    Ok(releases)
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
            let newest = newest_in(&place)?;
            let not_issued = not_issued(&place)?;
            if newest.is_none() && not_issued.is_none() {
                continue;
            }
            let mut earlier = Vec::new();
            for number in (1..newest.as_ref().map_or(1, |n| n.edition)).rev() {
                earlier.extend(edition_in(&place, number)?);
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
fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
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
pub fn newest_in(place: &Path) -> Result<Option<Record>> {
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
        parameters: Parameters::default(),
        not_empty: None,
        mail: BTreeMap::new(),
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
