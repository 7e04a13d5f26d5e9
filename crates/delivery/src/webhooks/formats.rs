//! The bodies of requests, one for each kind of receiver.

use super::card::{Card, Tone, characters, fitting, one_line, shortened};
use super::markdown::{plain, whole};
use perennial_project::WebhookKind;
use serde_json::{Value, json};

/// Slack: characters of a header, a section, a field, the text of a button and its address; fields of a section.
const SLACK_HEADER: usize = 150;
const SLACK_SECTION: usize = 3_000;
const SLACK_FIELD: usize = 2_000;
const SLACK_BUTTON: usize = 75;
const SLACK_URL: usize = 3_000;
const SLACK_FIELDS: usize = 10;
/// Headline figures that a card shows.
const MAX_FIGURES: usize = 40;
/// Bytes of a whole request that Teams (28 KB) and 飞书 (20 KB) take, and of the text of 钉钉 (20,000), less a margin.
const TEAMS_BODY: usize = 27_000;
const FEISHU_BODY: usize = 19_000;
const DINGTALK_TEXT: usize = 15_000;
/// Bytes of lines that are tried one after the other until the whole fits.
const LINES: [usize; 5] = [12_000, 6_000, 3_000, 1_000, 0];
/// 企业微信: bytes of the Markdown.
const WECOM_CONTENT: usize = 4_096;
/// Characters of a label or figure in Teams and 飞书.
const MAX_FIGURE: usize = 60;

/// The body that a receiver of a kind takes.
pub(super) fn body(kind: WebhookKind, card: &Card) -> Value {
    match kind {
        WebhookKind::Generic => generic(card),
        WebhookKind::Slack => slack(card),
        WebhookKind::Teams => fitted(TEAMS_BODY, |lines| teams(card, lines)),
        WebhookKind::Feishu => fitted(FEISHU_BODY, |lines| feishu(card, lines)),
        WebhookKind::DingTalk => json!({
            "msgtype": "markdown",
            "markdown": {
                "title": shortened(&one_line(&card.title), 100),
                "text": whole(card, "\n\n", false, DINGTALK_TEXT),
            },
        }),
        WebhookKind::WeCom => json!({
            "msgtype": "markdown",
            "markdown": { "content": whole(card, "\n", true, WECOM_CONTENT) },
        }),
    }
}

/// The body with as many bytes of lines as the whole has space for.
fn fitted(max: usize, body: impl Fn(usize) -> Value) -> Value {
    let fits = |body: &Value| body.to_string().len() <= max;
    LINES.iter().map(|lines| body(*lines)).find(fits).unwrap_or_else(|| body(0))
}

/// JSON of our own: docs/mail.md describes it for those who read it.
fn generic(card: &Card) -> Value {
    let figures = card.figures.iter().map(|(label, value)| json!({ "label": label, "value": value }));
    json!({
        "version": 1,
        "id": card.id,
        "title": card.title,
        "verdict": card.verdict,
        "tone": match card.tone { Tone::Neutral => "neutral", Tone::Good => "good", Tone::Bad => "bad" },
        "figures": figures.collect::<Vec<_>>(),
        "lines": card.lines,
        "link": card.link.as_ref().map(|link| link.url.as_str()),
        "language": card.language,
    })
}

/// Blocks. All text is `plain_text`, in which nothing has a meaning of its own; the fallback for notifications has none
/// of that, so that its three special characters are escaped.
fn slack(card: &Card) -> Value {
    let text = |text: &str, max| json!({ "type": "plain_text", "text": shortened(text, max), "emoji": false });
    let mut blocks = vec![json!({ "type": "header", "text": text(&one_line(&card.title), SLACK_HEADER) })];
    if !card.verdict.is_empty() {
        blocks.push(json!({ "type": "section", "text": text(&one_line(&card.verdict), SLACK_SECTION) }));
    }
    for figures in card.figures.chunks(SLACK_FIELDS).take(MAX_FIGURES / SLACK_FIELDS) {
        let field =
            |(label, value): &(String, String)| text(&format!("{}\n{}", one_line(label), one_line(value)), SLACK_FIELD);
        blocks.push(json!({ "type": "section", "fields": figures.iter().map(field).collect::<Vec<_>>() }));
    }
    let lines: Vec<String> = card.lines.iter().map(|line| one_line(line)).collect();
    if !lines.is_empty() {
        let fitting = fitting(&lines, "\n", &card.cut, SLACK_SECTION, characters);
        blocks.push(json!({ "type": "section", "text": text(&fitting, SLACK_SECTION) }));
    }
    if let Some(link) = card.link.as_ref().filter(|link| characters(&link.url) <= SLACK_URL) {
        blocks.push(json!({
            "type": "actions",
            "elements": [{ "type": "button", "text": text(&link.label, SLACK_BUTTON), "url": link.url }],
        }));
    }
    let fallback = one_line(&format!("{}: {}", card.title, card.verdict));
    let fallback = fallback.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({ "text": shortened(&fallback, SLACK_SECTION), "blocks": blocks })
}

/// An Adaptive Card in the message that a Workflow of Teams takes ("When a Teams webhook request is received").
fn teams(card: &Card, max_lines: usize) -> Value {
    let block = |text: String| json!({ "type": "TextBlock", "text": text, "wrap": true });
    let colour = match card.tone {
        Tone::Neutral => "Default",
        Tone::Good => "Good",
        Tone::Bad => "Attention",
    };
    let mut body = vec![json!({
        "type": "TextBlock", "text": plain(&shortened(&card.title, 200)), "wrap": true,
        "size": "Large", "weight": "Bolder", "style": "heading",
    })];
    if !card.verdict.is_empty() {
        body.push(json!({
            "type": "TextBlock", "text": plain(&shortened(&card.verdict, 500)), "wrap": true,
            "color": colour, "weight": "Bolder",
        }));
    }
    if !card.figures.is_empty() {
        let fact = |(label, value): &(String, String)| json!({ "title": plain(&shortened(label, MAX_FIGURE)), "value": plain(&shortened(value, MAX_FIGURE)) });
        body.push(json!({
            "type": "FactSet", "facts": card.figures.iter().take(MAX_FIGURES).map(fact).collect::<Vec<_>>(),
        }));
    }
    if !card.lines.is_empty() {
        let lines: Vec<String> = card.lines.iter().map(|line| plain(line)).collect();
        // One line break would be a space.
        body.push(block(fitting(&lines, "\n\n", &plain(&card.cut), max_lines, str::len)));
    }
    let link = card.link.as_ref().filter(|link| link.url.len() <= SLACK_URL);
    let action = link.map(|link| json!({ "type": "Action.OpenUrl", "title": link.label, "url": link.url }));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "lang": card.language,
                "msteams": { "width": "Full" },
                "body": body,
                "actions": action.into_iter().collect::<Vec<_>>(),
            },
        }],
    })
}

/// A card of 飞书; its text is plain as well.
fn feishu(card: &Card, max_lines: usize) -> Value {
    let text = |text: &str| json!({ "tag": "plain_text", "content": text });
    let template = match card.tone {
        Tone::Neutral => "blue",
        Tone::Good => "green",
        Tone::Bad => "red",
    };
    let mut elements = Vec::new();
    if !card.verdict.is_empty() {
        elements.push(json!({ "tag": "div", "text": text(&shortened(&one_line(&card.verdict), 500)) }));
    }
    if !card.figures.is_empty() {
        let field = |(label, value): &(String, String)| {
            let figure =
                format!("{}\n{}", shortened(&one_line(label), MAX_FIGURE), shortened(&one_line(value), MAX_FIGURE));
            json!({ "is_short": true, "text": text(&figure) })
        };
        let figures = card.figures.iter().take(MAX_FIGURES).map(field);
        elements.push(json!({ "tag": "div", "fields": figures.collect::<Vec<_>>() }));
    }
    if !card.lines.is_empty() {
        let lines: Vec<String> = card.lines.iter().map(|line| one_line(line)).collect();
        elements.push(json!({ "tag": "div", "text": text(&fitting(&lines, "\n", &card.cut, max_lines, str::len)) }));
    }
    if let Some(link) = card.link.as_ref().filter(|link| link.url.len() <= SLACK_URL) {
        elements.push(json!({
            "tag": "action",
            "actions": [{ "tag": "button", "type": "primary", "text": text(&link.label), "url": link.url }],
        }));
    }
    json!({
        "msg_type": "interactive",
        "card": {
            "config": { "wide_screen_mode": true },
            "header": { "title": text(&shortened(&one_line(&card.title), 200)), "template": template },
            "elements": elements,
        },
    })
}
