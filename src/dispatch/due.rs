//! Which messages are due: worked out from the editions, from who gets them and from nothing that a run remembers, so that
//! a run that is killed after it has published loses none.

use super::outbox::{Channel, Queued, What, month_of};
use super::pages::{Issued, Page};
use jiff::Timestamp;
use perennial_project::{DeliverWhen, Delivery, Recipients, ReportFile, Webhook, WebhookKind};
use perennial_reports::Parameters;

/// Somebody or something that gets pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recipient {
    pub channel: Channel,
    /// An address, a folder, a store, or the kind of a webhook.
    pub to: String,
    /// The name beside an address.
    pub name: Option<String>,
    /// The language's tag; empty for all.
    pub language: String,
}

/// A message that is due, with the month of its folder in the outbox.
pub(super) type DueMessage = (String, Queued);

/// The recipients that a delivery names itself. Those of rows are in [`super::rows`].
pub(super) fn recipients(report: &ReportFile, delivery: &Delivery) -> Vec<Recipient> {
    let first = report.languages.first().copied().unwrap_or_default();
    let language = |language: Option<perennial_project::Language>| language.unwrap_or(first).tag().to_string();
    let one = |channel, to: String, language| vec![Recipient { channel, to, name: None, language }];
    match &delivery.to {
        Recipients::Mail(recipients) => recipients
            .iter()
            .map(|recipient| Recipient {
                channel: Channel::Mail,
                to: recipient.address.address.clone(),
                name: recipient.address.name.clone(),
                language: language(recipient.language),
            })
            .collect(),
        Recipients::OfRows { .. } => Vec::new(),
        Recipients::Folder(folder) => one(Channel::Folder, folder.display().to_string(), String::new()),
        Recipients::Store(url) => one(Channel::Store, url.clone(), String::new()),
        Recipients::Webhook(webhook) => one(Channel::Webhook, webhook_name(webhook), language(webhook.language)),
    }
}

/// What names a webhook without its URL, which is a secret.
pub(super) fn webhook_name(webhook: &Webhook) -> String {
    format!("{} ({})", webhook_kind(webhook.kind), webhook.url.origin())
}

/// The name of a kind of webhook.
pub(super) fn webhook_kind(kind: WebhookKind) -> &'static str {
    match kind {
        WebhookKind::Generic => "generic",
        WebhookKind::Slack => "slack",
        WebhookKind::Teams => "teams",
        WebhookKind::Feishu => "feishu",
        WebhookKind::DingTalk => "dingtalk",
        WebhookKind::WeCom => "wecom",
    }
}

/// The message of a page to a recipient, if one is due. `run` is the last run that could issue the report, if it succeeded.
pub(super) fn of_page(
    delivery: &Delivery,
    page: &Page,
    parameters: &Parameters,
    recipient: &Recipient,
    run: Option<&str>,
    now: Timestamp,
) -> Option<DueMessage> {
    let record = &page.record;
    // The month is that of what makes the message another one, so that whoever works it out looks in the same folder.
    let (occasion, month) = match delivery.when {
        DeliverWhen::EachRun => {
            let run = run?;
            (format!("run {run}"), month_of_run(run).unwrap_or_else(|| month_of(record.issued_at)))
        }
        DeliverWhen::NewEdition => (edition(record.edition), month_of(record.issued_at)),
        DeliverWhen::ChangedFigures => {
            let since = &page.figures_since;
            (edition(since.edition), month_of(since.issued_at))
        }
        DeliverWhen::NotEmpty if record.not_empty == Some(true) => {
            (edition(record.edition), month_of(record.issued_at))
        }
        DeliverWhen::NotEmpty => return None,
    };
    Some((month, message(What::Edition, occasion, delivery, page, parameters, recipient, now)))
}

/// The message that there is no new edition, since a run that issued none.
pub(super) fn of_no_page(
    delivery: &Delivery,
    issued: &Issued,
    since_run: &str,
    parameters: &Parameters,
    recipient: &Recipient,
    now: Timestamp,
) -> Option<DueMessage> {
    let page = issued.page.as_ref()?;
    if !matches!(recipient.channel, Channel::Mail | Channel::Webhook) {
        return None;
    }
    let month = month_of_run(since_run)?;
    Some((month, message(What::NotIssued, format!("since {since_run}"), delivery, page, parameters, recipient, now)))
}

fn message(
    what: What,
    occasion: String,
    delivery: &Delivery,
    page: &Page,
    parameters: &Parameters,
    recipient: &Recipient,
    now: Timestamp,
) -> Queued {
    let record = &page.record;
    Queued {
        format: Queued::FORMAT,
        at: now,
        what,
        occasion,
        report: record.report.clone(),
        period: record.period.clone(),
        parameters: parameters.clone(),
        edition: record.edition,
        release: record.release,
        run_id: record.run_id.clone(),
        delivery: delivery.name.clone(),
        channel: recipient.channel,
        recipient: recipient.to.clone(),
        name: recipient.name.clone(),
        language: recipient.language.clone(),
        again: 0,
    }
}

fn edition(number: u32) -> String {
    format!("edition {number}")
}

/// The month in which a run began, by its id (`20261001T020000Z-3f9a`).
fn month_of_run(run_id: &str) -> Option<String> {
    let (year, month) = (run_id.get(..4)?, run_id.get(4..6)?);
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    (is_number(year) && is_number(month)).then(|| format!("{year}-{month}"))
}
