//! A message of mail, and its form on the wire.

use super::webhooks::Link;
use jiff::Timestamp;
use lettre::message::header::{
    ContentDisposition, ContentId, ContentTransferEncoding, ContentType, HeaderName, HeaderValue, MessageId, Subject,
};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use perennial_core::digest::digest;
use perennial_core::error::{Error, Result};
use perennial_project::{Address, Mail};
use std::time::SystemTime;

/// Bytes of the headers of one part, at most.
const PART_HEADER_BYTES: u64 = 512;
/// Characters of a line of base64.
const LINE_CHARACTERS: u64 = 76;

/// A message to one recipient. Sender and the address for answers are those of the project.
#[derive(Clone, Debug)]
pub struct Message {
    /// To whom.
    pub to: Address,
    /// What makes it this message, in letters and digits: its Message-ID is made from it, so that the same message has
    /// the same on each attempt.
    pub id: String,
    /// When it was written.
    pub date: Timestamp,
    /// Subject.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The same as HTML, with pictures as `cid:...`; a message may be text alone.
    pub html: Option<String>,
    /// Pictures of the HTML.
    pub pictures: Vec<Picture>,
    /// Attached files, the most important first.
    pub attachments: Vec<Attachment>,
    /// What the message says of what was left out for its size.
    pub left_out: LeftOut,
}

/// Words, in the recipient's language, about what was left out of a message for its size.
#[derive(Clone, Debug, Default)]
pub struct LeftOut {
    /// The sentence, with `{}` where the names of what was left out stand.
    pub sentence: String,
    /// The name of the pictures: `the charts`. Files have names of their own.
    pub pictures: String,
    /// What stands between two names.
    pub separator: String,
    /// Where all of it is to be found.
    pub link: Option<Link>,
}

impl LeftOut {
    fn sentence(&self, names: &[&str]) -> String {
        self.sentence.replace("{}", &names.join(&self.separator))
    }

    fn text(&self, names: &[&str]) -> String {
        match &self.link {
            Some(link) => format!("{}\n{}: {}", self.sentence(names), link.label, link.url),
            None => self.sentence(names),
        }
    }

    fn html(&self, names: &[&str]) -> String {
        let sentence = escape(&self.sentence(names));
        match &self.link {
            Some(link) => format!("{sentence}<br><a href=\"{}\">{}</a>", escape(&link.url), escape(&link.label)),
            None => sentence,
        }
    }
}

/// A picture inside the HTML of a message.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The name by which the HTML shows it: `cid:NAME`.
    pub cid: String,
    /// PNG.
    pub png: Vec<u8>,
}

/// An attached file.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// Its name, with any characters.
    pub name: String,
    /// Its type: `application/pdf`.
    pub mime: String,
    /// Its content.
    pub content: Vec<u8>,
}

impl Message {
    /// The message as it is sent, the same on each attempt.
    ///
    /// # Errors
    /// Of kind `Project` when an address cannot be used.
    pub(crate) fn encode(&self, mail: &Mail) -> Result<Vec<u8>> {
        let mut builder = lettre::Message::builder()
            .date(SystemTime::from(self.date))
            .header(MessageId::from(message_id(&self.id, &mail.from)))
            .from(mailbox(&mail.from)?)
            .to(mailbox(&self.to)?)
            .header(Subject::from(header_text(&self.subject)));
        if let Some(reply_to) = &mail.reply_to {
            builder = builder.reply_to(mailbox(reply_to)?);
        }
        // No program and no absent reader answers (RFC 3834; the second is what Exchange reads).
        builder = builder.raw_header(header("Auto-Submitted", "auto-generated".into()));
        builder = builder.raw_header(header("X-Auto-Response-Suppress", "OOF, AutoReply".into()));
        if let Some(address) = &mail.list_unsubscribe {
            let address = header_text(address);
            let value = if address.starts_with('<') { address } else { format!("<{address}>") };
            builder = builder.raw_header(header("List-Unsubscribe", value));
        }
        let message = self.parts(mail.max_attachment_bytes)?.into_message(builder)?;
        Ok(message.formatted())
    }

    /// multipart/mixed(multipart/alternative(text, multipart/related(HTML, pictures)), attachments), without the levels
    /// that would hold one part only.
    fn parts(&self, max_attachment_bytes: u64) -> Result<Part> {
        let pictures: u64 = self.pictures.iter().map(|picture| encoded_bytes(picture.png.len())).sum();
        let pictures_fit = pictures <= max_attachment_bytes;
        // The pictures are part of what is read; they go before files.
        let mut used = if pictures_fit { pictures } else { 0 };
        let mut left_out: Vec<&str> = if pictures_fit { Vec::new() } else { vec![&self.left_out.pictures] };
        let mut attached = Vec::new();
        for attachment in &self.attachments {
            let bytes = encoded_bytes(attachment.content.len());
            if used + bytes <= max_attachment_bytes {
                used += bytes;
                attached.push(attachment);
            } else {
                left_out.push(&attachment.name);
            }
        }
        let text = match left_out.is_empty() {
            true => self.text.clone(),
            false => format!("{}\n\n{}\n", self.text.trim_end(), self.left_out.text(&left_out)),
        };
        let mut body = Part::Single(text_part(ContentType::TEXT_PLAIN, &text));
        if let Some(html) = &self.html {
            let mut html = if pictures_fit { html.clone() } else { without_pictures(html) };
            if !left_out.is_empty() {
                html = with_note(&html, &self.left_out.html(&left_out));
            }
            let mut rich = Part::Single(text_part(ContentType::TEXT_HTML, &html));
            if pictures_fit && !self.pictures.is_empty() {
                let mut parts = vec![rich];
                for (number, picture) in self.pictures.iter().enumerate() {
                    parts.push(Part::Single(picture_part(number + 1, picture)?));
                }
                rich = self.multipart("related; type=\"text/html\"", parts)?;
            }
            body = self.multipart("alternative", vec![body, rich])?;
        }
        if attached.is_empty() {
            return Ok(body);
        }
        let mut parts = vec![body];
        for attachment in attached {
            parts.push(Part::Single(attachment_part(attachment)?));
        }
        self.multipart("mixed", parts)
    }

    /// Several parts. The boundary is made from the message's identifier and cannot occur in an encoded part.
    fn multipart(&self, kind: &str, parts: Vec<Part>) -> Result<Part> {
        let boundary = format!("=_{}", &digest([self.id.as_str(), kind])[..32]);
        let content_type = content_type(&format!("multipart/{kind}; boundary=\"{boundary}\""))?;
        let whole = MultiPart::builder().header(content_type).build();
        Ok(Part::Multi(parts.into_iter().fold(whole, |whole, part| match part {
            Part::Single(part) => whole.singlepart(part),
            Part::Multi(part) => whole.multipart(part),
        })))
    }
}

/// A part of a message.
enum Part {
    Single(SinglePart),
    Multi(MultiPart),
}

impl Part {
    fn into_message(self, builder: lettre::message::MessageBuilder) -> Result<lettre::Message> {
        let built = match self {
            Part::Single(part) => builder.singlepart(part),
            Part::Multi(part) => builder.multipart(part),
        };
        built.map_err(|e| Error::bug(format!("a message cannot be built: {e}")).because(e))
    }
}

/// The Message-ID of a message: of the sender's domain, as receivers expect it.
pub(crate) fn message_id(id: &str, from: &Address) -> String {
    let domain = from.address.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    format!("<{id}@{}>", ascii_domain(domain))
}

/// An address as the library has it; the domain in ASCII, as all servers take it.
pub(crate) fn envelope_address(address: &Address) -> Result<lettre::Address> {
    let invalid = |why: String| {
        Error::project(format!("`{}` is not a mail address{why}", header_text(&address.address)))
            .hint("write `name@domain`, or `Name <name@domain>`")
    };
    let (user, domain) = address.address.rsplit_once('@').ok_or_else(|| invalid(String::new()))?;
    lettre::Address::new(user, ascii_domain(domain)).map_err(|e| invalid(format!(": {e}")).because(e))
}

fn mailbox(address: &Address) -> Result<Mailbox> {
    let name = address.name.as_deref().map(header_text).filter(|name| !name.is_empty());
    Ok(Mailbox::new(name, envelope_address(address)?))
}

fn ascii_domain(domain: &str) -> String {
    match url::Host::parse(domain) {
        Ok(url::Host::Domain(ascii)) => ascii,
        _ => domain.to_string(),
    }
}

/// The text without line breaks and other control characters, so that nothing in it begins another header, and without
/// what begins an encoded word, which readers would decode.
fn header_text(text: &str) -> String {
    let line = text.replace(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'), " ");
    line.trim().replace("=?", "= ?")
}

/// A header whose value is ASCII and needs no encoding.
fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::dangerous_new_pre_encoded(HeaderName::new_from_ascii_str(name), value.clone(), value)
}

fn content_type(text: &str) -> Result<ContentType> {
    ContentType::parse(text).map_err(|e| Error::bug(format!("`{text}` is not a content type: {e}")).because(e))
}

/// A text; the library chooses an encoding that servers take and that keeps lines short.
fn text_part(content_type: ContentType, text: &str) -> SinglePart {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    SinglePart::builder().header(content_type).body(text)
}

fn picture_part(number: usize, picture: &Picture) -> Result<SinglePart> {
    let part = SinglePart::builder()
        .header(content_type("image/png")?)
        .header(ContentId::from(format!("<{}>", header_text(&picture.cid))))
        .header(ContentDisposition::inline_with_name(&format!("picture-{number}.png")));
    binary(part, &picture.png)
}

fn attachment_part(attachment: &Attachment) -> Result<SinglePart> {
    let part = SinglePart::builder()
        .header(content_type(&attachment.mime)?)
        .header(ContentDisposition::attachment(&header_text(&attachment.name)));
    binary(part, &attachment.content)
}

/// Always base64: a file must arrive byte for byte, and its line ends are not those of mail.
fn binary(part: lettre::message::SinglePartBuilder, content: &[u8]) -> Result<SinglePart> {
    let body = Body::new_with_encoding(content.to_vec(), ContentTransferEncoding::Base64);
    Ok(part.body(body.map_err(|_| Error::bug("a file cannot be written as base64"))?))
}

/// Bytes of a file in base64, with its line ends and headers.
fn encoded_bytes(bytes: usize) -> u64 {
    let characters = (bytes as u64).div_ceil(3) * 4;
    characters + characters.div_ceil(LINE_CHARACTERS) * 2 + PART_HEADER_BYTES
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// HTML whose pictures are replaced by the text that stands for them.
fn without_pictures(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some(at) = rest.find("<img ") {
        let (before, from) = rest.split_at(at);
        let mut is_quoted = false;
        let end = from.find(|c: char| {
            is_quoted ^= c == '"';
            c == '>' && !is_quoted
        });
        let (tag, after) = from.split_at(end.map_or(from.len(), |end| end + 1));
        let value = |name: &str| tag.split_once(name).and_then(|(_, value)| value.split('"').next());
        out.push_str(before);
        out.push_str(match value(" src=\"cid:") {
            Some(_) => value(" alt=\"").unwrap_or_default(),
            None => tag,
        });
        rest = after;
    }
    out + rest
}

/// HTML with a note at its end, in a column as wide as mail programs show one.
fn with_note(html: &str, note: &str) -> String {
    let layout = "role=\"presentation\" border=\"0\" cellpadding=\"0\" cellspacing=\"0\"";
    let note = format!(
        "<table {layout} width=\"100%\"><tr><td align=\"center\" style=\"padding:0 16px 16px 16px\">\n\
         <!--[if mso]><table {layout} width=\"600\"><tr><td><![endif]-->\n\
         <table {layout} width=\"100%\" style=\"max-width:600px\"><tr><td align=\"left\" \
         style=\"font-family:Arial,sans-serif;font-size:14px;line-height:21px;color:#1b1e22\">{note}</td></tr></table>\n\
         <!--[if mso]></td></tr></table><![endif]-->\n</td></tr></table>\n"
    );
    // ASCII case alone changes, so that byte positions stay.
    match html.to_ascii_lowercase().rfind("</body>") {
        Some(at) => format!("{}{note}{}", &html[..at], &html[at..]),
        None => format!("{html}{note}"),
    }
}
