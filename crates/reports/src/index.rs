//! `index.html`: every report, period and edition, with its verdict.

use super::html::{document, escape};
use super::language::data;
use super::number;
use super::parameters::Parameters;
use super::period::Period;
use super::phrases::Phrasebook;
use super::records::{Entry, Record};
use super::setting::Setting;
use super::theme::Style;
use perennial_core::error::{Error, Result};
use perennial_project::{Language, PeriodKind, Project};
use std::fmt::Write;

/// The index in the project's first language.
pub(super) fn write(project: &Project, entries: &[Entry], style: &Style) -> Result<String> {
    let language = project.languages.first().copied().unwrap_or_default();
    let book = Phrasebook::new(Setting::of_project(project, language, &project.phrases)?);
    body(project, entries, &book)
        .map(|(title, body)| document(language, &title, &body, style))
        .map_err(|e| Error::project(e.detail().unwrap_or("a phrase of the index failed").to_string()).because(e))
}

fn body(project: &Project, entries: &[Entry], book: &Phrasebook) -> Result<(String, String), minijinja::Error> {
    let title = book.plain_phrase("index_title")?;
    let mut out = format!(
        "<a class=\"skip\" href=\"#content\">{}</a><header><p class=\"company\">{}</p><h1>{}</h1>\
         <p class=\"status\"></p></header><main id=\"content\">",
        escape(&book.plain_phrase("skip_to_content")?),
        escape(&project.name),
        escape(&title)
    );
    if entries.is_empty() {
        let _ = write!(out, "<p>{}</p>", escape(&book.plain_phrase("index_none")?));
    }
    let mut last = "";
    for entry in entries {
        let report = entry.folder.split('/').next().unwrap_or_default();
        if report != last {
            if !last.is_empty() {
                out.push_str("</tbody></table></div>");
            }
            open(&mut out, &report_title(project, report, book.language()), book)?;
            last = report;
        }
        row(&mut out, entry, book)?;
    }
    if !last.is_empty() {
        out.push_str("</tbody></table></div>");
    }
    out.push_str("</main>");
    Ok((format!("{title} · {}", project.name), out))
}

fn report_title(project: &Project, name: &str, language: Language) -> String {
    let report = project.reports.iter().find(|r| r.name == name);
    report.map_or_else(|| name.to_string(), |r| super::template::title(r, language, Parameters::whole()))
}

fn open(out: &mut String, title: &str, book: &Phrasebook) -> Result<(), minijinja::Error> {
    let _ = write!(
        out,
        "<h2>{0}</h2><div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{0}\"><table class=\"index\"><thead><tr>",
        escape(title)
    );
    for (key, class) in [
        ("period", ""),
        ("index_edition", " class=\"n\""),
        ("index_release", " class=\"n\""),
        ("index_verdict", ""),
        ("index_pages", ""),
    ] {
        let _ = write!(out, "<th scope=\"col\"{class}>{}</th>", escape(&book.plain_phrase(key)?));
    }
    out.push_str("</tr></thead><tbody>");
    Ok(())
}

fn row(out: &mut String, entry: &Entry, book: &Phrasebook) -> Result<(), minijinja::Error> {
    let label = entry.folder.split('/').nth(1).unwrap_or_default();
    let _ = write!(out, "<tr><th scope=\"row\">{}</th>", escape(&period_title(label, book.language())));
    match &entry.newest {
        Some(record) => {
            let label = |key: &str| book.plain_phrase(key).map(|word| escape(&word));
            let (edition, release) = (label("index_edition")?, label("index_release")?);
            let _ = write!(
                out,
                "<td class=\"n\" data-label=\"{edition}\">{}</td><td class=\"n\" data-label=\"{release}\">{}</td><td>",
                record.edition, record.release
            );
            let verdict = record.verdict.get(book.language().tag()).or_else(|| record.verdict.values().next());
            let _ = write!(out, "{}", escape(verdict.map_or("", String::as_str)));
            reason(out, entry, book)?;
            out.push_str("</td><td>");
            links(out, &entry.folder, record, None);
            for earlier in &entry.earlier {
                let number = [("number", earlier.edition.to_string())];
                links(out, &entry.folder, earlier, Some(&book.plain_phrase_with("index_earlier", &number)?));
            }
        }
        None => {
            out.push_str("<td class=\"n none\">\u{2013}</td><td class=\"n none\">\u{2013}</td><td>");
            reason(out, entry, book)?;
            out.push_str("</td><td>");
        }
    }
    out.push_str("</td></tr>");
    Ok(())
}

fn reason(out: &mut String, entry: &Entry, book: &Phrasebook) -> Result<(), minijinja::Error> {
    if let Some(note) = &entry.not_issued {
        let day = number::instant(note.at, book.zone(), book.language());
        let with = [("reason", note.reason.clone()), ("run", note.run_id.clone()), ("at", day)];
        let text = book.plain_phrase_with("index_not_issued", &with)?;
        let _ = write!(out, "<p class=\"reason\">{}</p>", escape(&text));
    }
    Ok(())
}

/// The files of an edition, a line per language.
fn links(out: &mut String, folder: &str, record: &Record, label: Option<&str>) {
    if let Some(label) = label {
        let _ = write!(out, "<div class=\"company\">{}</div>", escape(label));
    }
    for language in Language::all() {
        let name = &data(language).name;
        let own = record.files.iter().filter(|file| file.split('.').next() == Some(language.tag()));
        let links: Vec<String> = own
            .map(|file| {
                let kind = file.rsplit('.').next().unwrap_or_default().to_uppercase();
                let path = escape(&format!("{folder}/{file}"));
                format!("<a href=\"{path}\" aria-label=\"{name} {kind}\">{kind}</a>")
            })
            .collect();
        if !links.is_empty() {
            let tag = language.tag();
            let _ = write!(out, "<div class=\"pages\"><span lang=\"{tag}\">{name}</span> {}</div>", links.join(" "));
        }
    }
}

fn period_title(label: &str, language: Language) -> String {
    let kind = if label.len() == 7 { PeriodKind::Month } else { PeriodKind::Day };
    Period::parse(kind, label).map_or_else(|_| label.to_string(), |p| p.title(language))
}
