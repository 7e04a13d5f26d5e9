//! Packs editions and notices into what the delivery package carries.

use super::carrier::{Carrier, Prepared};
use super::due::webhook_kind;
use super::notices::{Notice, Teller};
use super::outbox::{Channel, Queued, What};
use super::pages::issued;
use super::texts;
use jiff::Timestamp;
use perennial_core::error::{Error, Result};
use perennial_delivery::{
    Attachment, Card, LeftOut, Link, Mailer, Message, Outcome, Picture, Reason, SiteFile, Tone, Webhooks,
    copy_to_folder, copy_to_store,
};
use perennial_project::{Address, Delivery, Language, Mail, MailServer, Project, Recipients, ReportFile, Webhook};
use perennial_reports::{EditionRecord, MailRecord, Period, edition_folder, newest_in, page_link};
use std::path::{Path, PathBuf};
use tokio::sync::Mutex;

/// Periods of a report that a copy holds: a year and the month before it. Its cost does not grow with the years.
const COPIED_PERIODS: usize = 13;

/// The ways out of a project.
pub(super) struct Transports<'a> {
    project: &'a Project,
    mailer: Option<Mutex<Mailer>>,
    webhooks: Mutex<Webhooks>,
    /// Everything goes into this folder instead: a preview, or a simulation.
    into: Option<&'a Path>,
    now: Timestamp,
}

/// A message that can be sent at once.
struct Ready<'a> {
    transports: &'a Transports<'a>,
    parcel: Parcel<'a>,
}

enum Parcel<'a> {
    Mail(Box<Message>),
    Card(&'a Webhook, Card),
    Folder(Vec<SiteFile>, PathBuf),
    Store(Vec<SiteFile>, String),
}

impl<'a> Transports<'a> {
    /// Those that a project declares; into a folder instead where one is given.
    pub fn new(project: &'a Project, into: Option<&'a Path>, now: Timestamp) -> Result<Transports<'a>> {
        let mail = project.mail.clone().map(|mail| match into {
            Some(folder) => Mail { server: MailServer::Folder(folder.to_path_buf()), ..mail },
            None => mail,
        });
        let mailer = mail.map(|mail| Mutex::new(Mailer::new(mail)));
        Ok(Transports { project, mailer, webhooks: Mutex::new(Webhooks::new()?), into, now })
    }

    /// Takes leave of the mail server.
    pub async fn close(&self) {
        if let Some(mailer) = &self.mailer {
            mailer.lock().await.close().await;
        }
    }

    fn mailer(&self) -> Result<&Mutex<Mailer>> {
        self.mailer.as_ref().ok_or_else(|| {
            let error = Error::project("the project sends mail and does not say how");
            error.hint("write `mail: {from: ..., server: smtp://...}` in perennial.yml")
        })
    }

    fn report(&self, queued: &Queued) -> Result<(&'a ReportFile, &'a Delivery)> {
        let report = self.project.reports.iter().find(|report| report.name == queued.report);
        let delivery = report.and_then(|report| {
            Some((report, report.deliveries.iter().find(|delivery| delivery.name == queued.delivery)?))
        });
        let gone = || {
            Error::project(format!(
                "the delivery `{}` of the report `{}` is no longer declared",
                queued.delivery, queued.report
            ))
        };
        delivery.ok_or_else(gone)
    }

    /// The folder and record of the edition that a message is about.
    fn edition(&self, queued: &Queued) -> Result<(PathBuf, EditionRecord)> {
        let folder = edition_folder(&self.project.reports_folder, &queued.report, &queued.period, &queued.parameters);
        let missing = || Error::project(format!("there is no edition in {}", folder.display()));
        let record = newest_in(&folder)?.ok_or_else(missing)?;
        Ok((folder, record))
    }

    fn link(&self, queued: &Queued, language: Language) -> Option<String> {
        page_link(self.project, &queued.report, &queued.period, &queued.parameters, language)
    }

    /// An edition as mail.
    fn mail_of_edition(&self, queued: &Queued, to: Address) -> Result<Message> {
        let language = language(queued);
        let (folder, record) = self.edition(queued)?;
        let parts = mail_record(&record, language)?.read(&folder)?;
        let name = match queued.parameters.is_empty() {
            true => format!("{}-{}", queued.report, queued.period),
            false => format!("{}-{}-{}", queued.report, queued.period, queued.parameters.slug()),
        };
        let mut attachments = Vec::new();
        for file in record.pages(language) {
            let (ending, mime) = match file.rsplit_once('.') {
                Some((_, "pdf")) => ("pdf", "application/pdf"),
                Some((_, "html")) => ("html", "text/html"),
                _ => continue,
            };
            attachments.push(Attachment {
                name: format!("{name}.{ending}"),
                mime: mime.to_string(),
                content: read(&folder.join(file))?,
            });
        }
        // The page that is printed first: what is too large is left out from the end.
        attachments.sort_by_key(|attachment| attachment.mime != "application/pdf");
        Ok(Message {
            to,
            id: queued.sent_as(),
            date: queued.at,
            subject: parts.subject,
            text: parts.text,
            html: Some(parts.html),
            pictures: parts.pictures.into_iter().map(|(picture, png)| Picture { cid: picture.cid, png }).collect(),
            attachments,
            left_out: texts::left_out(language, self.link(queued, language)),
        })
    }

    /// That there is no new edition: subject and text.
    fn late(&self, report: &ReportFile, queued: &Queued) -> Result<(String, String)> {
        let issued = issued(&self.project.reports_folder, report)?;
        let on_time = || Error::project(format!("the report `{}` is not late any more", report.name));
        let late = issued.not_issued.ok_or_else(on_time)?;
        let period = Period::parse(report.period, &late.period)?;
        let last = issued.page.map(|page| page.record);
        let notice = perennial_reports::late_notice(self.project, report, period, last.as_ref(), language(queued))?;
        Ok((notice.subject, notice.text))
    }

    fn mail(&self, report: &ReportFile, queued: &Queued) -> Result<Message> {
        self.mailer()?;
        let to = Address { name: queued.name.clone(), address: queued.recipient.clone() };
        if queued.what == What::Edition {
            return self.mail_of_edition(queued, to);
        }
        let (subject, text) = self.late(report, queued)?;
        Ok(plain(to, queued.sent_as(), queued.at, subject, text))
    }

    /// Sends an edition as mail at once.
    ///
    /// # Errors
    /// What keeps it from being made ready.
    pub async fn send_mail(&self, report: &ReportFile, queued: &Queued) -> Result<Outcome> {
        let message = self.mail(report, queued)?;
        Ok(self.mailer()?.lock().await.send(&message).await)
    }

    fn card(&self, report: &ReportFile, queued: &Queued) -> Result<Card> {
        let language = language(queued);
        let link = self.link(queued, language).map(|url| Link { label: texts::open(language).to_string(), url });
        let card = Card {
            id: queued.sent_as(),
            link,
            cut: texts::more(language).to_string(),
            language: language.tag().to_string(),
            ..Card::default()
        };
        if queued.what == What::NotIssued {
            let (title, verdict) = self.late(report, queued)?;
            return Ok(Card { title, verdict, tone: Tone::Bad, ..card });
        }
        let (_, record) = self.edition(queued)?;
        let mail = mail_record(&record, language)?;
        let text =
            |of: &std::collections::BTreeMap<String, String>| of.get(language.tag()).cloned().unwrap_or_default();
        let period = Period::parse(report.period, &record.period)?.title(language);
        Ok(Card {
            title: format!("{} {period}", text(&record.title)),
            verdict: text(&record.verdict),
            figures: mail.figures.iter().map(|figure| (figure.label.clone(), figure.value.clone())).collect(),
            ..card
        })
    }

    /// The files of a copy: the report's newest periods, and an index of what is copied to the same place. A page for a row
    /// is copied alone: it may be confidential.
    fn site(&self, queued: &Queued) -> Result<Vec<SiteFile>> {
        let below = |period: &str| match queued.parameters.is_empty() {
            true => format!("{}/{period}", queued.report),
            false => format!("{}/{period}/{}", queued.report, queued.parameters.slug()),
        };
        if !queued.parameters.is_empty() {
            return pages_in(&self.edition(queued)?.0, &below(&queued.period));
        }
        let shares = |report: &ReportFile| {
            report.deliveries.iter().any(|delivery| delivery.for_each.is_none() && is_to(&delivery.to, queued))
        };
        let shared: Vec<&ReportFile> = self.project.reports.iter().filter(|report| shares(report)).collect();
        let mut files = Vec::new();
        let mut listed = Vec::new();
        for report in shared {
            let folder = self.project.reports_folder.join(&report.name);
            let periods = super::pages::periods(&folder, report)?;
            for period in periods.into_iter().take(COPIED_PERIODS) {
                let label = period.label();
                if report.name == queued.report {
                    files.extend(pages_in(&folder.join(&label), &below(&label))?);
                }
                listed.push((report.name.clone(), label));
            }
        }
        let is_listed = |report: &str, period: &str| listed.iter().any(|(r, p)| r == report && p == period);
        let index = perennial_reports::index_of(self.project, &self.project.reports_folder, &is_listed)?;
        files.push(SiteFile { path: "index.html".to_string(), content: index.into() });
        Ok(files)
    }
}

#[async_trait::async_trait]
impl Carrier for Transports<'_> {
    async fn prepare(&self, queued: &Queued) -> Result<Box<dyn Prepared + '_>> {
        let (report, delivery) = self.report(queued)?;
        let parcel = match (queued.channel, &delivery.to) {
            (Channel::Mail, _) => Parcel::Mail(Box::new(self.mail(report, queued)?)),
            (Channel::Webhook, Recipients::Webhook(webhook)) => Parcel::Card(webhook, self.card(report, queued)?),
            (Channel::Folder, Recipients::Folder(folder)) => Parcel::Folder(self.site(queued)?, folder.clone()),
            (Channel::Store, Recipients::Store(url)) => Parcel::Store(self.site(queued)?, url.clone()),
            _ => {
                let error =
                    format!("the delivery `{}` of the report `{}` goes elsewhere now", delivery.name, report.name);
                return Err(Error::project(error));
            }
        };
        Ok(Box::new(Ready { transports: self, parcel }))
    }
}

#[async_trait::async_trait]
impl Prepared for Ready<'_> {
    async fn message_id(&self) -> Option<String> {
        match &self.parcel {
            Parcel::Mail(message) => Some(self.transports.mailer().ok()?.lock().await.message_id(&message.id)),
            _ => None,
        }
    }

    async fn send(self: Box<Self>) -> Outcome {
        let transports = self.transports;
        match self.parcel {
            Parcel::Mail(message) => match transports.mailer() {
                Ok(mailer) => mailer.lock().await.send(&message).await,
                Err(error) => failed(&error),
            },
            Parcel::Card(webhook, card) => transports.post(webhook, &card).await,
            Parcel::Folder(files, folder) => {
                copy_to_folder(&files, &transports.instead(&folder.display().to_string()).unwrap_or(folder))
            }
            Parcel::Store(files, url) => match transports.instead(&url) {
                Some(folder) => copy_to_folder(&files, &folder),
                None => copy_to_store(&files, &url).await,
            },
        }
    }
}

impl Transports<'_> {
    async fn post(&self, webhook: &Webhook, card: &Card) -> Outcome {
        let Some(folder) = self.into else { return self.webhooks.lock().await.send(webhook, card, self.now).await };
        let name = format!("{}-{}-{}.json", self.now.strftime("%Y%m%dT%H%M%SZ"), webhook_kind(webhook.kind), card.id);
        let text = format!("{:#}\n", Webhooks::preview(webhook.kind, card));
        let file = SiteFile { path: name.clone(), content: text.into() };
        match copy_to_folder(&[file], folder) {
            Outcome::Sent { .. } => Outcome::Sent { answer: format!("written as {name}") },
            other => other,
        }
    }

    /// The folder that stands for a place where everything goes into one folder.
    fn instead(&self, place: &str) -> Option<PathBuf> {
        let words: Vec<&str> = place.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        Some(self.into?.join("copies").join(words.join("-")))
    }
}

#[async_trait::async_trait]
impl Teller for Transports<'_> {
    async fn mail(&self, to: &Address, notice: &Notice) -> Outcome {
        let subject = format!("[{}] {}", self.project.name, notice.title);
        let id = format!("{}{}", notice.id, &perennial_core::digest::digest([&to.address])[..8]);
        let message = plain(to.clone(), id, notice.at, subject, notice.text());
        match self.mailer() {
            Ok(mailer) => mailer.lock().await.send(&message).await,
            Err(error) => failed(&error),
        }
    }

    async fn webhook(&self, to: &Webhook, notice: &Notice) -> Outcome {
        let language = to.language.unwrap_or(Language::ENGLISH);
        let card = Card {
            id: notice.id.clone(),
            title: format!("{}: {}", self.project.name, notice.title),
            verdict: notice.lines.first().cloned().unwrap_or_default(),
            tone: if notice.is_good { Tone::Good } else { Tone::Bad },
            figures: notice.facts.clone(),
            lines: notice.lines.iter().skip(1).chain(&notice.to_do).cloned().collect(),
            link: None,
            cut: texts::more(language).to_string(),
            language: language.tag().to_string(),
        };
        self.post(to, &card).await
    }
}

fn failed(error: &Error) -> Outcome {
    Outcome::Failed(Reason {
        text: error.to_string(),
        hint: error.hint_text().map(str::to_string),
        of_server: true,
        ..Reason::default()
    })
}

/// A message without pictures and files.
fn plain(to: Address, id: String, date: Timestamp, subject: String, text: String) -> Message {
    Message {
        to,
        id,
        date,
        subject,
        text,
        html: None,
        pictures: Vec::new(),
        attachments: Vec::new(),
        left_out: LeftOut::default(),
    }
}

fn language(queued: &Queued) -> Language {
    Language::from_tag(&queued.language).unwrap_or_default()
}

fn mail_record(record: &EditionRecord, language: Language) -> Result<&MailRecord> {
    record.mail.get(language.tag()).ok_or_else(|| {
        let name = format!("{} {}", record.report, record.period);
        let error = Error::project(format!("edition {} of {name} has no mail in {}", record.edition, language.tag()));
        error.hint(format!(
            "`perennial report {} --period {}` makes it, if the report is issued in that language",
            record.report, record.period
        ))
    })
}

/// Whether recipients are the place that a message goes to.
fn is_to(to: &Recipients, queued: &Queued) -> bool {
    match (queued.channel, to) {
        (Channel::Folder, Recipients::Folder(folder)) => folder.display().to_string() == queued.recipient,
        (Channel::Store, Recipients::Store(url)) => *url == queued.recipient,
        _ => false,
    }
}

/// The pages in a folder of editions, those of earlier editions as well, below a path.
fn pages_in(folder: &Path, below: &str) -> Result<Vec<SiteFile>> {
    let failed = |e: std::io::Error| Error::unreachable(format!("cannot read {}: {e}", folder.display())).because(e);
    let mut files = Vec::new();
    let listing = match std::fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err(failed(error)),
    };
    for entry in listing {
        let name = entry.map_err(failed)?.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_page =
            (name.ends_with(".html") || name.ends_with(".pdf")) && !name.starts_with('.') && !name.starts_with("mail-");
        if is_page {
            let content = read(&folder.join(name))?.into();
            files.push(SiteFile { path: format!("{below}/{name}"), content });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::unreachable(format!("cannot read {}: {e}", path.display())).because(e))
}
