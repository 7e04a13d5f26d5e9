//! `notify` of perennial.yml: who is told of the state of runs.

use super::document::{Node, Text, Value};
use super::fields::Fields;
use super::{Language, Notify, NotifyOn, NotifyTo, mail, webhooks};
use perennial_core::error::Error;
use std::path::Path;

const ON: [(&str, NotifyOn); 6] = [
    ("failure", NotifyOn::Failure),
    ("recovery", NotifyOn::Recovery),
    ("warning", NotifyOn::Warning),
    ("late_source", NotifyOn::LateSource),
    ("deadline", NotifyOn::Deadline),
    ("delivery", NotifyOn::Delivery),
];
/// What to write where mail is to be sent and nothing says how.
pub(super) const MAIL_HINT: &str =
    "add to perennial.yml: `mail: {from: \"Reports <reports@example.com>\", server: \"smtp://mail.example.com:587\"}`";

/// Reads `notify`, and the names of pipelines in it, which are known later.
pub(super) fn read(fields: &Fields, root: &Path) -> (Vec<Notify>, Vec<Text>) {
    let mut pipelines = Vec::new();
    let Some(node) = fields.optional("notify") else { return (Vec::new(), pipelines) };
    let Value::List(items) = &node.value else {
        let error = Error::project(format!("`notify` must be a list, found {}", node.kind()));
        fields.document.report(&node.span, error.hint("write each entry as `- {on: [failure], mail: [...]}`"));
        return (Vec::new(), pipelines);
    };
    let read = items.iter().filter_map(|item| entry(fields, item, root, &mut pipelines)).collect();
    (read, pipelines)
}

fn entry(project: &Fields, node: &Node, root: &Path, pipelines: &mut Vec<Text>) -> Option<Notify> {
    let fields = Fields::of(project.document, node, "an entry of `notify`", node.span.start..node.span.start)?;
    let on = on(&fields);
    let mail = fields.optional("mail").map(|node| addresses(project, &fields, node));
    let webhook = fields.optional("webhook").map(|node| {
        let languages: Vec<Language> = Language::all().collect();
        webhooks::read(&fields, node, fields.span_of("webhook"), root, &languages)
    });
    let to = match (mail, webhook) {
        (Some(mail), None) => Some(NotifyTo::Mail(mail)),
        (None, Some(webhook)) => webhook.map(NotifyTo::Webhook),
        (None, None) => {
            let error = Error::project("an entry of `notify` needs `mail` or `webhook`");
            fields.document.report(&fields.owner, error);
            None
        }
        (Some(_), Some(_)) => {
            let error = Error::project("an entry of `notify` has `mail` or `webhook`, not both");
            fields.document.report(&fields.span_of("webhook"), error.hint("write two entries"));
            None
        }
    };
    let named = fields.texts("pipelines");
    pipelines.extend(named.iter().cloned());
    fields.finish();
    Some(Notify { on, to: to?, pipelines: named.into_iter().map(|text| text.value).collect() })
}

fn on(fields: &Fields) -> Vec<NotifyOn> {
    let mut on = Vec::new();
    fields.required("on");
    for text in fields.texts("on") {
        match ON.iter().find(|(word, _)| *word == text.value) {
            Some((_, what)) if on.contains(what) => {
                fields.document.report(&text.span, Error::project(format!("`on` names `{}` twice", text.value)));
            }
            Some((_, what)) => on.push(*what),
            None => {
                let error = Error::project(format!("`on` names `{}`", text.value));
                fields.document.report(&text.span, error.suggest(&text.value, ON.iter().map(|(word, _)| *word)));
            }
        }
    }
    if on.is_empty() && fields.is_set("on") && fields.texts("on").is_empty() {
        let error = Error::project("`on` is empty").hint(super::fields::one_of(ON.iter().map(|(word, _)| *word)));
        fields.document.report(&fields.span_of("on"), error);
    }
    on
}

fn addresses(project: &Fields, fields: &Fields, node: &Node) -> Vec<super::Address> {
    if !project.is_set("mail") {
        let error = Error::project("`mail` of perennial.yml is missing, so that no mail can be sent");
        fields.document.report(&fields.span_of("mail"), error.hint(MAIL_HINT));
    }
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut addresses: Vec<super::Address> = Vec::new();
    for item in items {
        let Value::Scalar { .. } = item.value else {
            let error = Error::project(format!("an entry of `mail` is an address, found {}", item.kind()));
            let hint = "write `mail: [ops@example.com]`; notices are in English";
            fields.document.report(&item.span, error.hint(hint));
            continue;
        };
        let Some(text) = fields.document.text("mail", item) else { continue };
        let Some(address) = mail::address(fields.document, &text) else { continue };
        if addresses.iter().any(|other| other.is_same(&address)) {
            fields.document.report(&text.span, Error::project(format!("duplicate address `{}`", address.address)));
        } else {
            addresses.push(address);
        }
    }
    if items.is_empty() {
        fields.document.report(&fields.span_of("mail"), Error::project("`mail` is empty").hint("list addresses"));
    }
    addresses
}
