//! Editions: what was issued, kept for ever.
//!
//! The newest edition of a period lies at `<report>/<period>/<language>.html|pdf` with `edition.json` beside it. When a
//! period is issued again with other content, the files of the edition before become `<language>.edition-1.html` and
//! `edition-1.json`. The same content is never issued twice. Every file is written beside its place and then renamed.
//!
//! With the pages of an edition lies what it is as mail: `mail-<language>.html`, `mail-<language>.txt` and the pictures
//! `mail-<language>-<n>.png`. A page for one row of parameters has a folder of its own in that of the period.

use super::fingerprint;
use super::footer::EditionFacts;
use super::parameters::Parameters;
use super::records::{
    self, FORMAT, MailPicture, MailRecord, NotIssued, Record, WrittenFigure, edition_folder, edition_in, entries,
    newest_in,
};
use super::setting::{Setting, zone};
use super::template::{self, Page, Source};
use super::theme::Style;
use super::{IssueRequest, NOT_EMPTY, Output, fonts, html, index, mail, pdf};
use minijinja::value::Value;
use perennial_core::error::{Error, Result};
use perennial_core::file_mode::FileMode;
use perennial_project::{Language, Project};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What happened to a report.
#[derive(Debug)]
pub struct Edition {
    /// Counted within the period, from 1.
    pub number: u32,
    /// Whether it is a new one; else the newest one already said the same.
    pub is_new: bool,
    /// The verdict in the first language.
    pub verdict: String,
    /// Files of this edition.
    pub files: Vec<PathBuf>,
    /// Those of the languages and outputs asked for, written now or standing already.
    pub written: Vec<PathBuf>,
    /// Outputs that could not be made, and why.
    pub refused: Vec<Error>,
    /// What is not quite right with outputs that were made: characters that no font has.
    pub notes: Vec<String>,
}

pub(super) fn issue(request: &IssueRequest<'_>, rows: &[(String, Value)]) -> Result<Edition> {
    let folder = edition_folder(request.folder, &request.report.name, &request.period.label(), request.parameters);
    let style = Style::read(&request.project.theme, &request.project.root)?;
    let last = newest_in(&folder)?;
    let mut notes = Vec::new();
    if last.as_ref().is_some_and(Record::is_rebuilt) {
        notes.push(format!("{} could not be read; it is written anew", folder.join("edition.json").display()));
    }
    // The report's first language stands for all, so that an edition does not depend on which are asked for.
    let first = request.report.languages.first().or(request.languages.first()).copied().unwrap_or_default();
    let probe = render_all(request, rows, &[first], &EditionFacts::default())?;
    let content = probe.first().map(|page| fingerprint::content(page, &style)).unwrap_or_default();
    let is_new = last.as_ref().is_none_or(|l| l.content != content);
    let mut number = last.as_ref().map_or(1, |l| l.edition);
    if is_new {
        number = last.as_ref().map_or(1, |l| l.edition + 1);
    }
    // What changed is told against the edition before this one, also when a lost file of it is made again.
    let before = if is_new { last.clone() } else { edition_in(&folder, number - 1)? };
    let facts = EditionFacts {
        number,
        made_at: Some(if is_new {
            request.issued_at
        } else {
            last.as_ref().map_or(request.issued_at, |l| l.issued_at)
        }),
        last_figures: before.map(|b| b.figures).unwrap_or_default(),
    };
    let pages = render_all(request, rows, request.languages, &facts)?;
    let mode = request.project.page_mode;
    mode.create_folders(&folder).map_err(|e| cannot_write(&folder, e))?;
    remove_temporary(&folder);
    let mut refused = Vec::new();
    let mut written: Vec<(String, Vec<u8>)> = Vec::new();
    let mut asked = Vec::new();
    let mut mails = BTreeMap::new();
    for page in &pages {
        let tag = page.language.tag();
        let standing = last.as_ref().filter(|_| !is_new).and_then(|last| last.mail.get(tag));
        if !standing.is_some_and(|mail| mail.files().all(|name| folder.join(name).is_file())) {
            let (record, files, refused) = as_mail(request, page, &style)?;
            notes.extend(refused.map(|error| format!("{} {}", request.report.name, error.message())));
            written.extend(files);
            mails.insert(tag.to_string(), record);
        }
        for output in request.outputs {
            let name = format!("{}.{}", page.language.tag(), output.extension());
            asked.push(name.clone());
            if !is_new && folder.join(&name).is_file() {
                continue;
            }
            match output {
                Output::Html => written.push((name, html::write(page, &style).into_bytes())),
                Output::Pdf => match pdf::write(page, &style, facts.made_at.unwrap_or(request.issued_at)) {
                    Ok(pdf) => {
                        if !pdf.missing.is_empty() {
                            let list: Vec<String> = pdf.missing.iter().map(|c| fonts::code_point(*c)).collect();
                            notes.push(format!(
                                "{} {name}: no installed font has {}; the page shows a mark instead",
                                request.report.name,
                                list.join(", ")
                            ));
                        }
                        written.push((name, pdf.bytes));
                    }
                    Err(error) if error.kind() == perennial_core::error::Kind::Bug => return Err(error),
                    Err(error) => refused.push(error.context(format!("{} {}", request.report.name, name))),
                },
            }
        }
    }
    if let Some(last) = last.as_ref().filter(|_| is_new) {
        put_aside(&folder, last, mode)?;
    }
    for (name, bytes) in &written {
        write(&folder.join(name), bytes, mode)?;
    }
    if let Some(last) = last.as_ref().filter(|_| is_new) {
        remove_others(&folder, last, &written)?;
    }
    let mut record = record(request, rows, &pages, number, content);
    record.files = records::pages(&folder);
    record.mail = mails;
    if let Some(mut last) = last.filter(|_| !is_new) {
        last.title.extend(record.title);
        last.verdict.extend(record.verdict);
        last.mail.extend(record.mail);
        last.not_empty = record.not_empty;
        record = Record { files: record.files, ..last };
    }
    write_json(&folder.join("edition.json"), &record, mode)?;
    let not_issued = folder.join("not-issued.json");
    if not_issued.exists() {
        std::fs::remove_file(&not_issued).map_err(|e| cannot_write(&not_issued, e))?;
    }
    Ok(Edition {
        number,
        is_new,
        verdict: pages.first().map(|p| p.verdict.clone()).unwrap_or_default(),
        files: record.files.iter().map(|name| folder.join(name)).collect(),
        written: asked.iter().map(|name| folder.join(name)).filter(|path| path.is_file()).collect(),
        refused,
        notes,
    })
}

fn render_all(
    request: &IssueRequest<'_>,
    rows: &[(String, Value)],
    languages: &[Language],
    edition: &EditionFacts,
) -> Result<Vec<Page>> {
    let project = request.project;
    let zone = zone(project)?;
    let phrases = Arc::new(request.report.phrases.clone());
    let page = |language: &Language| {
        let setting = Setting {
            language: *language,
            currency: project.currency.clone(),
            zone: zone.clone(),
            period: request.period,
            as_of: request.as_of,
            phrases: phrases.clone(),
        };
        template::render(&Source {
            report: request.report,
            shared: &project.shared_templates,
            company: &project.name,
            vars: &project.vars,
            setting,
            rows,
            parameters: request.parameters,
            footer: request.footer,
            edition,
        })
    };
    languages.iter().map(page).collect()
}

/// A page as mail: its record, its files, and why it has no pictures.
fn as_mail(request: &IssueRequest<'_>, page: &Page, style: &Style) -> Result<(MailRecord, Files, Option<Error>)> {
    let tag = page.language.tag();
    let (report, period) = (&request.report.name, request.period.label());
    let link = page_link(request.project, report, &period, request.parameters, page.language);
    let mail = mail::write(page, style, link.as_deref())?;
    let (html, text) = (format!("mail-{tag}.html"), format!("mail-{tag}.txt"));
    let mut files = vec![(html.clone(), mail.html.into_bytes()), (text.clone(), mail.text.into_bytes())];
    let mut pictures = Vec::new();
    for (i, image) in mail.pictures.into_iter().enumerate() {
        let file = format!("mail-{tag}-{}.png", i + 1);
        files.push((file.clone(), image.bytes));
        pictures.push(MailPicture { file, cid: image.cid, width: image.width, height: image.height });
    }
    let figures = mail.figures.into_iter().map(|(label, value)| WrittenFigure { label, value }).collect();
    Ok((MailRecord { subject: mail.subject, html, text, figures, pictures }, files, mail.refused))
}

/// Names and bytes of files.
type Files = Vec<(String, Vec<u8>)>;

/// Where readers find a page on the web; nothing where `reports_url` does not say.
pub fn page_link(
    project: &Project,
    report: &str,
    period: &str,
    parameters: &Parameters,
    language: Language,
) -> Option<String> {
    let mut link = project.reports_url.as_ref()?.trim_end_matches('/').to_string();
    let slug = (!parameters.is_empty()).then(|| parameters.slug());
    let page = format!("{}.html", language.tag());
    for part in [report, period].into_iter().chain(slug.as_deref()).chain([page.as_str()]) {
        link.push('/');
        for byte in part.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => link.push(char::from(byte)),
                other => {
                    let _ = write!(link, "%{other:02X}");
                }
            }
        }
    }
    Some(link)
}

fn record(
    request: &IssueRequest<'_>,
    rows: &[(String, Value)],
    pages: &[Page],
    edition: u32,
    content: String,
) -> Record {
    let has_rows = |(_, rows): &(String, Value)| rows.len().is_some_and(|rows| rows > 0);
    let per_language = |text: fn(&Page) -> String| pages.iter().map(|p| (p.language.tag().into(), text(p))).collect();
    Record {
        format: FORMAT,
        report: request.report.name.clone(),
        title: per_language(|p| p.title.clone()),
        period: request.period.label(),
        period_status: request.period.status(request.as_of).into(),
        edition,
        release: request.footer.release,
        run_id: request.footer.run_id.clone(),
        as_of: request.as_of.to_string(),
        issued_at: request.issued_at,
        tests: request.footer.tests,
        verdict: per_language(|p| p.verdict.clone()),
        figures: pages.first().map(|p| p.figures.iter().map(|(f, _)| f.clone()).collect()).unwrap_or_default(),
        content,
        files: Vec::new(),
        parameters: request.parameters.clone(),
        not_empty: rows.iter().find(|(name, _)| name == NOT_EMPTY).map(has_rows),
        mail: BTreeMap::new(),
    }
}

/// Removes what processes that died left of files they were writing: a page is written in less than an hour. One that
/// cannot be removed harms nobody.
fn remove_temporary(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let is_temporary =
            entry.file_name().to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(".tmp"));
        let age = entry.metadata().and_then(|about| about.modified()).ok().and_then(|at| at.elapsed().ok());
        if is_temporary && age.is_some_and(|age| age > Duration::from_secs(3_600)) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Copies the files of the edition before to names with its number. The copies are complete before anything is
/// replaced, and a copy that is there is not made again: a process that died here loses no edition.
fn put_aside(folder: &Path, last: &Record, mode: FileMode) -> Result<()> {
    let aside = |name: &str| match name.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem}.edition-{}.{extension}", last.edition),
        None => name.to_string(),
    };
    for name in last.all_files() {
        let (from, to) = (folder.join(name), folder.join(aside(name)));
        if !to.is_file() && from.is_file() {
            let bytes = std::fs::read(&from).map_err(|e| cannot_write(&from, e))?;
            write(&to, &bytes, mode)?;
        }
    }
    let mut record = last.clone();
    record.files = last.files.iter().map(|name| aside(name)).filter(|name| folder.join(name).is_file()).collect();
    record.mail = last.mail.iter().map(|(tag, mail)| (tag.clone(), mail.renamed(aside))).collect();
    record.mail.retain(|_, mail| mail.files().all(|name| folder.join(name).is_file()));
    write_json(&folder.join(format!("edition-{}.json", last.edition)), &record, mode)
}

/// Removes files of the edition before that this one does not have: a PDF that was refused, a chart fewer in its mail.
fn remove_others(folder: &Path, before: &Record, written: &[(String, Vec<u8>)]) -> Result<()> {
    for name in before.all_files().filter(|name| !written.iter().any(|(new, _)| new == name)) {
        let path = folder.join(name);
        if path.is_file() {
            std::fs::remove_file(&path).map_err(|e| cannot_write(&path, e))?;
        }
    }
    Ok(())
}

/// Notes that a report was not issued and why; the edition before stays. The index shows it.
pub fn record_not_issued(
    project: &Project,
    report: &str,
    period: super::Period,
    reason: &str,
    run_id: &str,
    at: jiff::Timestamp,
) -> Result<()> {
    let place = project.reports_folder.join(report).join(period.label());
    project.page_mode.create_folders(&place).map_err(|e| cannot_write(&place, e))?;
    let note = NotIssued {
        format: FORMAT,
        report: report.into(),
        period: period.label(),
        reason: reason.into(),
        run_id: run_id.into(),
        at,
    };
    write_json(&place.join("not-issued.json"), &note, project.page_mode)
}

/// Writes `index.html` over all reports in a folder, in the project's first language.
pub fn write_index(project: &Project, folder: &Path) -> Result<()> {
    project.page_mode.create_folders(folder).map_err(|e| cannot_write(folder, e))?;
    let style = Style::read(&project.theme, &project.root)?;
    remove_temporary(folder);
    let page = index::write(project, &entries(folder)?, &style)?;
    write(&folder.join("index.html"), page.as_bytes(), project.page_mode)
}

/// An index over those reports and periods of a folder that are listed, for a copy of them elsewhere.
///
/// # Errors
/// As [`write_index`], but for writing.
pub fn index_of(project: &Project, folder: &Path, is_listed: &dyn Fn(&str, &str) -> bool) -> Result<String> {
    let style = Style::read(&project.theme, &project.root)?;
    let mut entries = entries(folder)?;
    entries.retain(|entry| entry.folder.split_once('/').is_some_and(|(report, period)| is_listed(report, period)));
    index::write(project, &entries, &style)
}

fn write_json<T: serde::Serialize>(path: &Path, value: &T, mode: FileMode) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| Error::bug(format!("cannot write {}: {e}", path.display())).because(e))?;
    write(path, format!("{text}\n").as_bytes(), mode)
}

/// Writes a file that others may read as `mode` says, unless it is there and somebody has said otherwise.
fn write(path: &Path, bytes: &[u8], mode: FileMode) -> Result<()> {
    let is_new = !path.exists();
    perennial_core::file::replace(path, bytes).map_err(|error| cannot_write(path, error))?;
    if is_new { mode.give_to_file(path).map_err(|error| cannot_write(path, error)) } else { Ok(()) }
}

fn cannot_write(path: &Path, error: std::io::Error) -> Error {
    Error::unreachable(format!("cannot write {}: {error}", path.display())).because(error)
}
