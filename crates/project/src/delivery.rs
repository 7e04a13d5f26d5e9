//! `report-templates/<report>/delivery.yml`: who gets a report.

use super::document::{Document, Node, Text, Value};
use super::environment::{self, Lookup};
use super::fields::Fields;
use super::folders::OwnPlaces;
use super::notify::MAIL_HINT;
use super::{
    DeliverWhen, Delivery, ForEach, MailRecipient, Project, Recipients, ReportFile, TextFile, mail, names, reports,
    webhooks,
};
use perennial_core::error::Error;
use perennial_core::location;
use std::ops::Range;
use std::path::PathBuf;

const WHEN: [(&str, DeliverWhen); 4] = [
    ("each_run", DeliverWhen::EachRun),
    ("new_edition", DeliverWhen::NewEdition),
    ("changed_figures", DeliverWhen::ChangedFigures),
    ("not_empty", DeliverWhen::NotEmpty),
];
/// The query whose rows say that there is something to deliver.
const NOT_EMPTY: &str = "not_empty";
/// The keys that say to whom; beside them `address` of `for_each`.
const TO: [&str; 4] = ["mail", "folder", "store", "webhook"];
const STORES: [&str; 6] = ["s3", "s3a", "gs", "az", "abfs", "abfss"];

/// What a file of deliveries refers to.
pub(super) struct DeliveryContext<'a> {
    /// The project, whose options are read.
    pub project: &'a Project,
    pub lookup: Lookup<'a>,
}

/// Reads the file of a report whose header and queries are read.
pub(super) fn read(
    document: &Document,
    file: &TextFile,
    report: &ReportFile,
    context: &DeliveryContext,
) -> Vec<Delivery> {
    let Some(node) = document.parse_all() else { return Vec::new() };
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        Value::Map(entries) if entries.is_empty() => return Vec::new(),
        Value::Map(_) => std::slice::from_ref(&node),
        _ => {
            let error = Error::project(format!("deliveries are a list, found {}", node.kind()));
            document.report(&node.span, error.hint("write each one as `- mail: [name@example.com]`"));
            return Vec::new();
        }
    };
    let mut reader = Reader { document, file, report, context, recipients: Vec::new() };
    let mut deliveries: Vec<Delivery> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Some((delivery, name)) = reader.delivery(item, index + 1) else { continue };
        if let Some(other) = deliveries.iter().find(|other| is_same_copy(other, &delivery)) {
            let error = Error::project(format!("duplicate delivery, first at {}", other.place));
            let hint = "the same pages would go to the same place; remove one of them";
            document.report(&(item.span.start..item.span.start), error.hint(hint));
        }
        match deliveries.iter().find(|other| other.name == delivery.name) {
            Some(other) => {
                let error = Error::project(format!("duplicate name `{}`, first at {}", other.name, other.place));
                document.report(&name, error.hint("a delivery without a `name` has its number as name"));
            }
            None => deliveries.push(delivery),
        }
    }
    deliveries
}

/// Whether two deliveries of a report copy all of it to one place. Recipients of mail are compared one by one.
fn is_same_copy(one: &Delivery, other: &Delivery) -> bool {
    let is_same = match (&one.to, &other.to) {
        (Recipients::Folder(one), Recipients::Folder(other)) => one == other,
        (Recipients::Store(one), Recipients::Store(other)) => one == other,
        (Recipients::Webhook(one), Recipients::Webhook(other)) => {
            one.url == other.url && one.language == other.language
        }
        _ => false,
    };
    is_same && one.for_each.is_none() && other.for_each.is_none()
}

struct Reader<'a> {
    document: &'a Document,
    file: &'a TextFile,
    report: &'a ReportFile,
    context: &'a DeliveryContext<'a>,
    /// Who gets the whole report by mail, with the language and the line.
    recipients: Vec<(MailRecipient, usize)>,
}

impl Reader<'_> {
    /// A delivery and the place of its name.
    fn delivery(&mut self, node: &Node, number: usize) -> Option<(Delivery, Range<usize>)> {
        let owner = node.span.start..node.span.start;
        let fields = Fields::of(self.document, node, "a delivery", owner.clone())?;
        let name = fields.text("name");
        let name_span = name.as_ref().map_or(fields.owner.clone(), |text| text.span.clone());
        if let Some(Err(error)) = name.as_ref().map(|text| names::check_part("a delivery", &text.value)) {
            self.document.report(&name_span, error);
        }
        let when = self.when(&fields);
        let for_each = fields.optional("for_each").map(|node| self.for_each(&fields, node));
        let rows = for_each.as_ref().and_then(|each| each.as_ref()).and_then(|each| each.to.clone());
        let to = self.to(&fields, for_each.is_some(), rows);
        fields.finish();
        let for_each = match for_each {
            Some(None) => return None,
            Some(Some(each)) => Some(each.pages),
            None => None,
        };
        let delivery = Delivery {
            name: name.map_or_else(|| number.to_string(), |text| text.value),
            place: self.document.place(&owner),
            when,
            to: to?,
            for_each,
        };
        Some((delivery, name_span))
    }

    fn when(&self, fields: &Fields) -> DeliverWhen {
        let when = fields.choice("when", &WHEN, DeliverWhen::default());
        if when == DeliverWhen::NotEmpty && !self.report.queries.iter().any(|query| query.name == NOT_EMPTY) {
            let error = Error::project(format!("`when: not_empty` needs a query `{NOT_EMPTY}` in the report"));
            let hint =
                format!("write queries/{NOT_EMPTY}.sql beside the report: the report is delivered when it has rows");
            let span = fields.text("when").map_or(fields.owner.clone(), |text| text.span);
            self.document.report(&span, error.hint(hint));
        }
        when
    }

    /// To whom: one of the keys, or the addresses of rows.
    fn to(&mut self, fields: &Fields, for_each: bool, rows: Option<Recipients>) -> Option<Recipients> {
        let given: Vec<&str> = TO.into_iter().filter(|key| fields.is_set(key)).collect();
        let is_mail = given.contains(&"mail") || matches!(rows, Some(Recipients::OfRows { .. }));
        let project = self.context.project;
        if is_mail && project.mail.is_none() && !project.unread.mail {
            let key = if given.contains(&"mail") { "mail" } else { "for_each" };
            let error = Error::project("`mail` of perennial.yml is missing, so that no mail can be sent");
            self.document.report(&fields.span_of(key), error.hint(MAIL_HINT));
        }
        match (given.as_slice(), &rows) {
            ([], None) => {
                let error = Error::project("a delivery needs a recipient");
                let hint = match for_each {
                    true => "write `address` in `for_each`, or `mail`, `folder`, `store` or `webhook`",
                    false => "write `mail`, `folder`, `store` or `webhook`",
                };
                self.document.report(&fields.owner, error.hint(hint));
                return None;
            }
            ([_, more, ..], _) | ([more], Some(_)) => {
                let error = Error::project("a delivery has one kind of recipient");
                self.document.report(&fields.span_of(more), error.hint("write a delivery for each"));
            }
            _ => {}
        }
        let mail = fields.optional("mail").map(|node| Recipients::Mail(self.mail(fields, node, !for_each)));
        let folder = fields.text("folder").map(|text| self.folder(&text).map(Recipients::Folder));
        let store = fields.text("store").map(|text| self.store(&text).map(Recipients::Store));
        let webhook = fields.optional("webhook").map(|node| {
            let (owner, root) = (fields.span_of("webhook"), &project.root);
            webhooks::read(fields, node, owner, root, &self.report.languages).map(Recipients::Webhook)
        });
        rows.or(mail).or(folder.flatten()).or(store.flatten()).or(webhook.flatten())
    }

    fn mail(&mut self, fields: &Fields, node: &Node, is_whole: bool) -> Vec<MailRecipient> {
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        if items.is_empty() {
            let error = Error::project("`mail` is empty").hint("list addresses");
            self.document.report(&fields.span_of("mail"), error);
        }
        let before = self.recipients.len();
        let mut recipients: Vec<MailRecipient> = Vec::new();
        for item in items {
            let Some(recipient) = self.mail_recipient(item) else { continue };
            let line = self.document.line(item.span.start);
            let language = |recipient: &MailRecipient| recipient.language.or(self.report.languages.first().copied());
            let is_same = |other: &MailRecipient| {
                other.address.is_same(&recipient.address) && language(other) == language(&recipient)
            };
            // Pages of rows differ, so that one address may get several of them.
            let known = if is_whole { self.recipients.as_slice() } else { &self.recipients[before..] };
            if let Some((_, first)) = known.iter().find(|(other, _)| is_same(other)) {
                let address = &recipient.address.address;
                let error = Error::project(format!("duplicate recipient `{address}`, first in line {first}"));
                self.document.report(&item.span, error.hint("the same report would be sent twice; remove one of them"));
                continue;
            }
            self.recipients.push((recipient.clone(), line));
            recipients.push(recipient);
        }
        if !is_whole {
            self.recipients.truncate(before);
        }
        recipients
    }

    fn mail_recipient(&self, node: &Node) -> Option<MailRecipient> {
        let Value::Map(_) = node.value else {
            let text = self.document.text("mail", node)?;
            return Some(MailRecipient { address: mail::address(self.document, &text)?, language: None });
        };
        let fields = Fields::of(self.document, node, "a recipient", node.span.start..node.span.start)?;
        let address = fields.required_text("address").and_then(|text| mail::address(self.document, &text));
        let language = webhooks::language(&fields, &self.report.languages);
        fields.finish();
        Some(MailRecipient { address: address?, language })
    }

    /// A folder for copies, which is not one that perennial keeps something in itself.
    fn folder(&self, text: &Text) -> Option<PathBuf> {
        let written = environment::expand(self.document, text, self.context.lookup)?;
        if environment::is_url(&written) {
            let error = Error::project(format!("`folder` is `{written}`, which is not a folder"));
            self.document.report(&text.span, error.hint("write `store` for a place of an object store"));
            return None;
        }
        let project = self.context.project;
        let folder = environment::absolute(&project.root, &written);
        let own = OwnPlaces { root: &project.root, reports_folder: &project.reports_folder, lake: &project.lake };
        if let Some(why) = own.in_the_way_of_folder(&folder) {
            let error = Error::project(format!("`folder` is `{written}`, and {why}"));
            self.document.report(&text.span, error.hint("name a folder of its own"));
            return None;
        }
        Some(folder)
    }

    fn store(&self, text: &Text) -> Option<String> {
        let written = environment::expand(self.document, text, self.context.lookup)?;
        if let Err(error) = location::forbid_credentials(&written) {
            self.document.report_secret(&text.span, error);
            return None;
        }
        let is_store = location::scheme(&written).is_some_and(|scheme| STORES.contains(&scheme.as_str()));
        let has_bucket = written.split_once("://").is_some_and(|(_, rest)| !rest.is_empty() && !rest.starts_with('/'));
        if is_store && has_bucket {
            return Some(written.trim_end_matches('/').to_string());
        }
        let what = if is_store { "names no bucket" } else { "is not a place of an object store" };
        let error = Error::project(format!("`store` is `{written}`, which {what}"));
        let hint = "write it as `s3://bucket/path`, `gs://bucket/path` or `az://container/path`; a path on this machine \
                    is a `folder`";
        self.document.report(&text.span, error.hint(hint));
        None
    }

    fn for_each(&self, delivery: &Fields, node: &Node) -> Option<Rows> {
        let fields = Fields::of(self.document, node, "`for_each`", delivery.span_of("for_each"))?;
        let query = fields.required_text("query");
        let parameters = self.parameters(&fields);
        let column = |key| {
            let text = fields.text(key)?;
            if let Err(error) = names::check("a column", &text.value) {
                self.document.report(&text.span, error);
            }
            Some(text.value)
        };
        let (address, language) = (column("address"), column("language"));
        if language.is_some() && address.is_none() && !fields.has("address") {
            let error = Error::project("`language` has no effect without `address`");
            self.document.report(&fields.span_of("language"), error);
        }
        fields.finish();
        let query = query?;
        let to = address.map(|address_column| Recipients::OfRows { address_column, language_column: language });
        let offset = reports::first_byte(self.document, &query);
        Some(Rows { pages: ForEach { query: query.value, file: self.file.clone(), offset, parameters }, to })
    }

    /// Columns of the query that are parameters, which the header of the report declares.
    fn parameters(&self, fields: &Fields) -> Vec<String> {
        let declared = &self.report.parameters;
        let node = fields.required("parameters");
        if matches!(node, Some(Node { value: Value::List(items), .. }) if items.is_empty()) {
            let error = Error::project("`parameters` is empty");
            let hint = "name the columns of the query by which the pages differ, and declare them in the header of report.md: \
                        `parameters: [region]`";
            self.document.report(&fields.span_of("parameters"), error.hint(hint));
            return Vec::new();
        }
        if let Some(node) = node.filter(|_| declared.is_empty()) {
            let error = Error::project("the report has no parameters");
            let written = self.document.texts("parameters", node);
            let names: Vec<&str> = written.iter().map(|text| text.value.as_str()).collect();
            let hint = format!("write `parameters: [{}]` in the header of its report.md", names.join(", "));
            self.document.report(&fields.span_of("parameters"), error.hint(hint));
            return Vec::new();
        }
        let mut parameters: Vec<String> = Vec::new();
        for text in fields.texts("parameters") {
            if parameters.contains(&text.value) {
                let error = Error::project(format!("duplicate parameter `{}`", text.value));
                self.document.report(&text.span, error);
            } else if declared.contains(&text.value) {
                parameters.push(text.value);
            } else {
                let error = Error::project(format!("the report has no parameter `{}`", text.value));
                self.document.report(&text.span, error.suggest(&text.value, declared.iter().map(String::as_str)));
            }
        }
        parameters
    }
}

/// Pages of the rows of a query, and to whom they go where the rows say so.
struct Rows {
    pages: ForEach,
    to: Option<Recipients>,
}
