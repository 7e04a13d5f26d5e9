//! What a project says of running by itself: when pipelines are due, who gets pages, who is told, what is kept. The words
//! only; modules of the same names read them from files.

use super::{Language, TextFile};
use perennial_calendar::{DueTimes, TimeWindow};
use perennial_core::contract::Secret;
use perennial_core::error::Place;
use std::path::PathBuf;
use std::time::Duration;

/// When a pipeline runs by itself.
#[derive(Clone, Debug)]
pub struct PipelineSchedule {
    /// The times.
    pub due: DueTimes,
    /// The business date of a run, in days after the date it was planned for: 1 for `scheduled_date + 1`.
    pub as_of_offset_days: i64,
    /// What becomes of times that were missed.
    pub catch_up: CatchUp,
    /// What happens when a run is still going on at the next time.
    pub overlap: Overlap,
    /// Sources that must be fresh before a run begins.
    pub wait_for: Option<WaitFor>,
    /// Times of the day at which no run begins; one that is due begins afterwards.
    pub not_between: Vec<TimeWindow>,
    /// How long a run may take before it is ended.
    pub stop_after: Option<Duration>,
    /// The time of the day by which a run must have succeeded.
    pub finish_by: Option<jiff::civil::Time>,
}

/// What becomes of times that were missed while nothing was running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CatchUp {
    /// The latest is made up for.
    #[default]
    Latest,
    /// All, oldest first.
    All,
    /// None.
    None,
}

/// What happens when a run is still going on at the next time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// The next one is skipped.
    #[default]
    Skip,
    /// The next one waits; at most one does.
    Queue,
}

/// What a run waits for.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitFor {
    /// The sources.
    pub sources: Vec<String>,
    /// The time of the day until which it waits.
    pub until: jiff::civil::Time,
    /// Whether it then runs without them; else it gives up.
    pub then_run: bool,
}

/// How often a run is tried while a source or store cannot be reached (exit code 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// Attempts in all, the first included.
    pub max: u32,
    /// The pause before the second; each further one is twice as long.
    pub first_pause: Duration,
    /// The longest pause.
    pub max_pause: Duration,
}

impl Default for Attempts {
    fn default() -> Attempts {
        Attempts { max: 3, first_pause: Duration::from_secs(300), max_pause: Duration::from_secs(3600) }
    }
}

/// The server that takes mail, from `mail` in perennial.yml.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The sender, `Name <address>`.
    pub from: Address,
    /// Where answers go.
    pub reply_to: Option<Address>,
    /// The server.
    pub server: MailServer,
    /// Bytes of attached files and pictures of one mail, encoded; what is larger is linked instead.
    pub max_attachment_bytes: u64,
    /// The value of `List-Unsubscribe`, a `mailto:` or `https:` address.
    pub list_unsubscribe: Option<String>,
}

/// Where mail is handed over.
#[derive(Clone, Debug)]
pub enum MailServer {
    /// An SMTP server.
    Smtp {
        /// Its name.
        host: String,
        /// Its port.
        port: u16,
        /// How the connection is protected.
        security: MailSecurity,
        /// How the sender is known.
        login: MailLogin,
        /// Certificates of authorities (PEM) to trust in addition to those of the machine.
        ca_file: Option<PathBuf>,
        /// Time without an answer after which the server counts as hanging.
        timeout: Duration,
    },
    /// A folder into which mails are written as `.eml`, for trials.
    Folder(PathBuf),
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailSecurity {
    /// STARTTLS, which the server must offer (`smtp://`).
    StartTls,
    /// TLS from the first byte (`smtps://`).
    Tls,
    /// None; only to this machine, or where `tls: off` says so.
    Off,
}

/// How the sender is known to a mail server.
#[derive(Clone, Debug)]
pub enum MailLogin {
    /// Not at all.
    None,
    /// By user and password (PLAIN or LOGIN).
    Password {
        /// User.
        user: String,
        /// Password.
        password: Secret,
    },
    /// By an OAuth 2 token (XOAUTH2), got with client credentials.
    OAuth {
        /// The mailbox.
        user: String,
        /// Where tokens are got.
        token_url: String,
        /// The application.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
        /// What is asked for.
        scope: String,
    },
}

/// An address of mail, checked: no line break, one `@`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The name to show.
    pub name: Option<String>,
    /// `local@domain`.
    pub address: String,
}

/// Who gets a report: `report-templates/<report>/delivery.yml`.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its name, unique in the report: from the file, else its number.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Which editions are delivered.
    pub when: DeliverWhen,
    /// To whom.
    pub to: Recipients,
    /// One page for each row of a query; `None` for the report as it is.
    pub for_each: Option<ForEach>,
}

/// Which editions are delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliverWhen {
    /// The newest edition after each run that succeeded.
    EachRun,
    /// Each new edition.
    #[default]
    NewEdition,
    /// New editions whose headline figures differ from those of the edition before; the first of a period always.
    ChangedFigures,
    /// New editions that have something to say: the report's `not_empty` query has rows.
    NotEmpty,
}

/// To whom an edition goes.
#[derive(Clone, Debug)]
pub enum Recipients {
    /// Mail, one message each.
    Mail(Vec<MailRecipient>),
    /// Mail to the addresses that the rows of [`Delivery::for_each`] name.
    OfRows {
        /// The column of the address.
        address_column: String,
        /// The column of the language tag; the report's first language where there is none.
        language_column: Option<String>,
    },
    /// A folder, into which the files are copied.
    Folder(PathBuf),
    /// A place of an object store: a static site with an index.
    Store(String),
    /// A webhook.
    Webhook(Webhook),
}

/// A recipient of mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailRecipient {
    /// Who.
    pub address: Address,
    /// The language; the report's first where nothing is said.
    pub language: Option<Language>,
}

/// A query whose rows are pages of their own.
#[derive(Clone, Debug)]
pub struct ForEach {
    /// SQL, with minijinja as in the queries of reports.
    pub query: String,
    /// The file it stands in.
    pub file: TextFile,
    /// Byte at which it begins in the file.
    pub offset: usize,
    /// Columns that are parameters of the page (`{{ params.region }}`).
    pub parameters: Vec<String>,
}

/// A webhook.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Whose format.
    pub kind: WebhookKind,
    /// Where; it is a secret itself.
    pub url: Secret,
    /// What requests are signed with (飞书, 钉钉, and `generic` as HMAC-SHA256).
    pub secret: Option<Secret>,
    /// The language of the text; the report's first where nothing is said.
    pub language: Option<Language>,
}

/// The formats of webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookKind {
    /// JSON of our own.
    Generic,
    /// Slack blocks.
    Slack,
    /// An Adaptive Card for a Workflow of Microsoft Teams.
    Teams,
    /// 飞书.
    Feishu,
    /// 钉钉.
    DingTalk,
    /// 企业微信.
    WeCom,
}

/// Who is told of the state of nights: an entry of `notify` in perennial.yml.
#[derive(Clone, Debug)]
pub struct Notify {
    /// What of.
    pub on: Vec<NotifyOn>,
    /// Whom.
    pub to: NotifyTo,
    /// Pipelines; empty for all.
    pub pipelines: Vec<String>,
}

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotifyOn {
    /// A run failed, or could not begin.
    Failure,
    /// A run succeeded after one that failed.
    Recovery,
    /// Tests warned.
    Warning,
    /// A source is later than its contract says.
    LateSource,
    /// A deadline passed without a good run.
    Deadline,
    /// A mail or message could not be delivered.
    Delivery,
}

/// Who is told.
#[derive(Clone, Debug)]
pub enum NotifyTo {
    /// Mail.
    Mail(Vec<Address>),
    /// A webhook.
    Webhook(Webhook),
}

/// Which releases are kept: `keep` in perennial.yml. Those that editions stand on are kept whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Every release of so many days.
    pub days: u32,
    /// The last release of each of so many months.
    pub months: u32,
    /// Files of runs that failed, for `retry`.
    pub failed_days: u32,
    /// The newest releases, whatever their age.
    pub min_releases: u32,
}

impl Default for Keep {
    fn default() -> Keep {
        Keep { days: 14, months: 36, failed_days: 3, min_releases: 2 }
    }
}

/// What a report waits for after its period has ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum IssueAfter {
    /// Nothing: it is issued by the first run after the end.
    #[default]
    End,
    /// So many days.
    Days(u16),
    /// So many working days of a calendar.
    WorkingDays(u16, perennial_calendar::BusinessCalendar),
}
