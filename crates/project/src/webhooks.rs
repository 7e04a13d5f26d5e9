//! Webhooks, as `notify` and deliveries of reports name them.

use super::document::Node;
use super::fields::Fields;
use super::{Language, Webhook, WebhookKind, access, settings};
use perennial_core::error::Error;
use std::ops::Range;
use std::path::Path;

const KINDS: [(&str, WebhookKind); 6] = [
    ("generic", WebhookKind::Generic),
    ("slack", WebhookKind::Slack),
    ("teams", WebhookKind::Teams),
    ("feishu", WebhookKind::Feishu),
    ("dingtalk", WebhookKind::DingTalk),
    ("wecom", WebhookKind::WeCom),
];
const URL: [&str; 2] = ["url", "url_file"];
const SECRET: [&str; 2] = ["secret", "secret_file"];

/// Reads a webhook, whose language is one of these.
pub(super) fn read(
    fields: &Fields,
    node: &Node,
    owner: Range<usize>,
    root: &Path,
    languages: &[Language],
) -> Option<Webhook> {
    let webhook = Fields::of(fields.document, node, "`webhook`", owner)?;
    let kind = webhook.required_text("kind").and_then(|text| webhook.document.choice("kind", &text, &KINDS));
    let url = access::secret_of(&webhook, URL, "WEBHOOK_URL", root);
    if !URL.iter().any(|key| webhook.is_set(key)) {
        webhook.required("url");
    }
    let secret = access::secret_of(&webhook, SECRET, "WEBHOOK_SECRET", root);
    let signs = |kind| matches!(kind, WebhookKind::Generic | WebhookKind::Feishu | WebhookKind::DingTalk);
    if let Some(key) = SECRET.into_iter().find(|key| webhook.is_set(key) && kind.is_some_and(|kind| !signs(kind))) {
        let error = Error::project(format!("`{key}` has no effect on this kind of webhook"));
        let hint = "`generic`, `feishu` and `dingtalk` sign their messages; the URL of the others is the secret";
        webhook.document.report(&webhook.span_of(key), error.hint(hint));
    }
    let language = language(&webhook, languages);
    webhook.finish();
    Some(Webhook { kind: kind?, url: url?, secret, language })
}

/// The key `language`: one of those in which there are texts.
pub(super) fn language(fields: &Fields, languages: &[Language]) -> Option<Language> {
    let text = fields.text("language")?;
    let language = settings::language(fields.document, &text)?;
    if !languages.contains(&language) {
        let error = Error::project(format!("`language` is `{}`, in which the report is not issued", text.value));
        let tags = languages.iter().map(|language| language.tag());
        fields.document.report(&text.span, error.hint(super::fields::one_of(tags)));
        return None;
    }
    Some(language)
}
