//! Handing mail over by SMTP (RFC 5321): one connection for several messages, one transaction for each recipient.
//!
//! The steps are taken one by one, because what a failure means depends on the step: until the content of a message has
//! left, a failure had no effect; afterwards a missing answer leaves it unknown whether the server took it.

use super::causes;
use super::oauth::{self, Tokens};
use super::outcome::{Outcome, Reason, one_line};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Auth, Data, Mail, Noop, Quit, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use perennial_core::contract::Secret;
use perennial_core::location::scrub_secrets;
use perennial_core::regular_file;
use perennial_project::{MailLogin, MailSecurity};
use std::future::Future;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

/// After a message has left, a server may look at it so many times as long as it may take for any other answer, up to the
/// 10 minutes of RFC 5321, section 4.5.3.2.6.
const CONTENT_TIMEOUTS: u32 = 10;
/// See [`CONTENT_TIMEOUTS`].
const MAX_CONTENT_TIMEOUT: Duration = Duration::from_secs(600);
/// So many addresses of a server are tried within the time that it has for an answer.
const ADDRESSES: u32 = 3;
/// How long a farewell may take.
const QUIT_TIMEOUT: Duration = Duration::from_secs(2);

/// A server and how it is spoken to.
pub(crate) struct Account {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: MailSecurity,
    pub(crate) login: MailLogin,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) timeout: Duration,
}

/// A server, with the connection to it.
pub(crate) struct SmtpServer {
    account: Account,
    tokens: Tokens,
    /// What no text may show: what was sent to log in.
    secrets: Vec<String>,
    connection: Option<AsyncSmtpConnection>,
}

/// A step that failed.
enum Failure {
    /// No answer came within this time.
    Silent(Duration),
    /// The server answered with a code of failure, with which its text begins; or would have answered so.
    Answered { code: u16, text: String },
    /// The connection broke, or could not be made.
    Lost(String),
}

impl SmtpServer {
    pub(crate) fn new(account: Account) -> SmtpServer {
        SmtpServer { account, tokens: Tokens::default(), secrets: Vec::new(), connection: None }
    }

    /// Connects, encrypts and logs in; or makes sure that the connection there is still holds.
    pub(crate) async fn connect(&mut self) -> Result<(), Reason> {
        if let Some(mut connection) = self.connection.take()
            && self.step(connection.command(Rset)).await.is_ok()
        {
            self.connection = Some(connection);
            return Ok(());
        }
        let mut connection = self.open().await?;
        match self.log_in(&mut connection).await {
            Ok(()) => {
                self.connection = Some(connection);
                Ok(())
            }
            Err(reason) => {
                quit(connection).await;
                Err(reason)
            }
        }
    }

    /// Hands over one message.
    pub(crate) async fn send(&mut self, from: &lettre::Address, to: &lettre::Address, content: &[u8]) -> Outcome {
        let mut reused = self.connection.is_some();
        loop {
            if let Err(reason) = self.connect().await {
                return Outcome::Failed(reason);
            }
            let Some(mut connection) = self.connection.take() else {
                return Outcome::Failed(Reason::new(format!("{} is not connected", self.name())));
            };
            match self.transact(&mut connection, from, to, content).await {
                Ok(answer) => {
                    self.connection = Some(connection);
                    return Outcome::Sent { answer };
                }
                // Servers close a connection that has brought many messages; nothing of this one has left.
                Err((Failure::Answered { code: 421, .. }, Stage::Sender)) if reused => {
                    quit(connection).await;
                    reused = false;
                }
                Err((failure, stage)) => {
                    // After an answer the connection holds, and what was begun is undone before the next message.
                    match &failure {
                        Failure::Answered { code, .. } if *code != 421 => self.connection = Some(connection),
                        _ => quit(connection).await,
                    }
                    return self.outcome(failure, stage);
                }
            }
        }
    }

    /// Takes leave.
    pub(crate) async fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            quit(connection).await;
        }
    }

    fn name(&self) -> String {
        format!("the mail server {}:{}", self.account.host, self.account.port)
    }

    /// One exchange with the server.
    async fn step<T>(&self, exchange: impl Future<Output = Result<T, SmtpError>>) -> Result<T, Failure> {
        within(self.account.timeout, exchange).await
    }

    /// A connection, encrypted as the account says.
    async fn open(&self) -> Result<AsyncSmtpConnection, Reason> {
        let Account { host, port, security, timeout, .. } = &self.account;
        let name = self.name();
        let tls = match security {
            MailSecurity::Off => None,
            MailSecurity::StartTls | MailSecurity::Tls => Some(self.tls_parameters()?),
        };
        let hello = hello();
        let wrapper = tls.clone().filter(|_| *security == MailSecurity::Tls);
        let address = (host.as_str(), *port);
        // A name may have several addresses, of which the first leads nowhere.
        let one = *timeout / ADDRESSES;
        let connecting = AsyncSmtpConnection::connect_tokio1(address, Some(one), &hello, wrapper, None);
        let mut connection = self.step(connecting).await.map_err(|failure| {
            let reason = self.refused(failure, "the connection", "cannot be reached");
            match (security, port) {
                (MailSecurity::StartTls | MailSecurity::Off, 465) if reason.hint.is_none() => {
                    reason.hint("port 465 expects TLS from the first byte: write `smtps://`")
                }
                _ => reason,
            }
        })?;
        let (MailSecurity::StartTls, Some(tls)) = (security, tls) else { return Ok(connection) };
        if !connection.can_starttls() {
            quit(connection).await;
            let reason = Reason::new(format!("{name} does not offer STARTTLS, and mail is not sent unencrypted"));
            return Err(reason.hint(
                "write `smtps://` if the server has a port for TLS (465), or `tls: off` for one in your own network",
            ));
        }
        self.step(connection.starttls(tls, &hello))
            .await
            .map_err(|f| self.refused(f, "STARTTLS", "cannot be encrypted"))?;
        self.check_clean(&mut connection).await?;
        Ok(connection)
    }

    /// Makes sure that no answer arrived before the encryption began: somebody between could have put it there, and every
    /// later answer would be taken for that of the next command.
    async fn check_clean(&self, connection: &mut AsyncSmtpConnection) -> Result<(), Reason> {
        let mut clean = !has_answer(connection).await;
        if clean {
            // The answer to EHLO, if it is still to come, has several lines.
            let noop = self.step(connection.command(Noop)).await;
            let noop = noop.map_err(|failure| self.reason(failure, "was lost after STARTTLS"))?;
            clean = noop.message().count() <= 1 && !has_answer(connection).await;
        }
        match clean {
            true => Ok(()),
            false => Err(Reason::new(format!("{} answered before its encryption began", self.name()))
                .hint("somebody between may be reading along: ask the network's administrator")),
        }
    }

    fn tls_parameters(&self) -> Result<TlsParameters, Reason> {
        let mut builder = TlsParameters::builder(self.account.host.clone());
        if let Some(path) = &self.account.ca_file {
            let unreadable =
                |e: String| Reason::new(format!("the certificates in {} cannot be read: {e}", path.display()));
            let pem = regular_file::read(path).map_err(|e| unreadable(e.to_string()))?;
            if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
                return Err(Reason::new(format!("{} contains no certificate", path.display()))
                    .hint("`ca_file` must be in PEM format: -----BEGIN CERTIFICATE-----"));
            }
            builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(|e| unreadable(e.to_string()))?);
        }
        builder.build().map_err(|e| Reason::new(format!("TLS cannot be set up: {}", causes::in_words(&e.to_string()))))
    }

    async fn log_in(&mut self, connection: &mut AsyncSmtpConnection) -> Result<(), Reason> {
        match self.account.login.clone() {
            MailLogin::None => Ok(()),
            MailLogin::Password { user, password } => self.log_in_by_password(connection, user, &password).await,
            MailLogin::OAuth { user, token_url, client_id, client_secret, scope } => {
                let client = oauth::Client {
                    token_url: &token_url,
                    client_id: &client_id,
                    client_secret: &client_secret,
                    scope: &scope,
                };
                self.log_in_by_token(connection, &user, &client).await
            }
        }
    }

    async fn log_in_by_password(
        &mut self,
        connection: &mut AsyncSmtpConnection,
        user: String,
        password: &Secret,
    ) -> Result<(), Reason> {
        const BY_PASSWORD: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];
        let revealed = password.reveal()?;
        if connection.server_info().get_auth_mechanism(&BY_PASSWORD).is_none() {
            let reason = Reason::new(format!("{} does not offer a login by password (PLAIN or LOGIN)", self.name()));
            return Err(reason.hint(if connection.server_info().supports_auth_mechanism(Mechanism::Xoauth2) {
                "it offers XOAUTH2: write `oauth` in place of `password`"
            } else {
                "remove `user` and `password` if it takes mail without a login, or use its port for submission (587 or 465)"
            }));
        }
        self.secrets = vec![revealed.clone()];
        let credentials = Credentials::new(user, revealed);
        let answer = self.step(connection.auth(&BY_PASSWORD, &credentials)).await;
        answer.map_err(|failure| {
            let reason = self.refused(failure, "the login", "was lost during the login");
            match reason.hint {
                None => reason.hint(format!("check `user` and `password` ({}) of `mail`", password.origin())),
                Some(_) => reason,
            }
        })?;
        Ok(())
    }

    async fn log_in_by_token(
        &mut self,
        connection: &mut AsyncSmtpConnection,
        user: &str,
        client: &oauth::Client<'_>,
    ) -> Result<(), Reason> {
        if !connection.server_info().supports_auth_mechanism(Mechanism::Xoauth2) {
            let reason = Reason::new(format!("{} does not offer a login by OAuth 2 (XOAUTH2)", self.name()));
            return Err(reason.hint("write `user` and `password` in place of `oauth`"));
        }
        let token = self.tokens.get(client, self.account.timeout).await?;
        self.secrets = vec![token.clone()];
        let credentials = Credentials::new(user.to_string(), token);
        let begin = Auth::new(Mechanism::Xoauth2, credentials, None).map_err(|e| Reason::new(e.to_string()))?;
        let mut answer = self.step(connection.command(begin)).await;
        if matches!(&answer, Ok(answer) if answer.has_code(334)) {
            // The reason comes as a challenge; an empty answer to it brings the code.
            answer = self.step(connection.command("\r\n")).await;
        }
        match answer {
            Ok(answer) if answer.has_code(235) => Ok(()),
            Ok(answer) => {
                Err(Reason::new(format!("{} answered the login with {}", self.name(), u16::from(answer.code()))))
            }
            Err(failure) => {
                // The next attempt gets a new token.
                self.tokens.forget();
                let reason = self.refused(failure, "the login", "was lost during the login");
                Err(match reason.hint {
                    None => reason.hint(
                        "check that `user` is the mailbox and that the application may send mail as it (docs/mail.md)",
                    ),
                    Some(_) => reason,
                })
            }
        }
    }

    /// One message: its answer, or what failed and when.
    async fn transact(
        &self,
        connection: &mut AsyncSmtpConnection,
        from: &lettre::Address,
        to: &lettre::Address,
        content: &[u8],
    ) -> Result<String, (Failure, Stage)> {
        let mut parameters = Vec::new();
        if !content.is_ascii() || !AsRef::<str>::as_ref(to).is_ascii() || !AsRef::<str>::as_ref(from).is_ascii() {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                let text = "the server takes no address with characters other than ASCII before the `@`".to_string();
                return Err((Failure::Answered { code: 553, text }, Stage::Recipient));
            }
            parameters = vec![MailParameter::SmtpUtfEight, MailParameter::Body(MailBodyParameter::EightBitMime)];
        }
        let at = |stage| move |failure| (failure, stage);
        let sender = connection.command(Mail::new(Some(from.clone()), parameters));
        self.step(sender).await.map_err(at(Stage::Sender))?;
        let recipient = connection.command(Rcpt::new(to.clone(), Vec::new()));
        self.step(recipient).await.map_err(at(Stage::Recipient))?;
        let go_ahead = self.step(connection.command(Data)).await.map_err(at(Stage::Data))?;
        if !go_ahead.has_code(354) {
            let code = u16::from(go_ahead.code());
            return Err((Failure::Lost(format!("unexpected answer {code} to DATA")), Stage::Data));
        }
        let timeout = (self.account.timeout * CONTENT_TIMEOUTS).min(MAX_CONTENT_TIMEOUT).max(self.account.timeout);
        let answer = within(timeout, connection.message(content)).await.map_err(at(Stage::Content))?;
        match u16::from(answer.code()) {
            200..=299 => Ok(one_line(&format!("{} {}", answer.code(), text_of(&answer)))),
            code => Err((Failure::Lost(format!("unexpected answer {code} to the message")), Stage::Content)),
        }
    }

    /// What a failure at a stage means.
    fn outcome(&self, failure: Failure, stage: Stage) -> Outcome {
        let code = match &failure {
            Failure::Answered { code, .. } => Some(*code),
            Failure::Silent(_) | Failure::Lost(_) => None,
        };
        let reason = self.reason(
            failure,
            match stage {
                Stage::Content => "was lost while it took the message, which may have been delivered or not",
                _ => "was lost before it took the message",
            },
        );
        match (stage, code) {
            (Stage::Content, None) => Outcome::Unknown(reason),
            // The sender is refused, not this recipient; likewise who is not logged in.
            (Stage::Sender, Some(code)) if code != 552 => Outcome::Failed(Reason { of_server: true, ..reason }),
            (_, Some(530 | 535 | 538)) => Outcome::Failed(Reason { of_server: true, ..reason }),
            (_, Some(500..)) => Outcome::Refused(reason),
            _ => Outcome::Failed(reason),
        }
    }

    /// A failure before any message in words. `refused` is what an answer refused, `lost` says what happened without one.
    fn refused(&self, failure: Failure, refused: &str, lost: &str) -> Reason {
        let answered = matches!(failure, Failure::Answered { .. });
        let reason = self.reason(failure, lost);
        let text = match answered {
            true => format!("{} refused {refused}: {}", self.name(), reason.text),
            false => reason.text,
        };
        Reason { text, of_server: true, ..reason }
    }

    /// A failure in words: those of the server where it answered. `lost` says what happened where it did not.
    fn reason(&self, failure: Failure, lost: &str) -> Reason {
        let name = self.name();
        match failure {
            Failure::Silent(timeout) => {
                let seconds = timeout.as_secs_f32();
                let unit = if seconds == 1.0 { "second" } else { "seconds" };
                Reason::new(format!("{name} {lost}: no answer within {seconds} {unit}"))
            }
            Failure::Lost(why) => {
                let cause = causes::in_words(&scrub_secrets(&why, &self.secrets));
                let reason = Reason::new(format!("{name} {lost}: {cause}"));
                match causes::certificate_hint(&why) {
                    Some(hint) => reason.hint(hint),
                    None => reason,
                }
            }
            Failure::Answered { code, text } => {
                let reason = Reason::new(scrub_secrets(&text, &self.secrets)).code(code);
                match answer_hint(code, &text) {
                    Some(hint) => reason.hint(hint),
                    None => reason,
                }
            }
        }
    }
}

/// Where a transaction failed.
#[derive(Clone, Copy)]
enum Stage {
    Sender,
    Recipient,
    Data,
    Content,
}

type SmtpError = lettre::transport::smtp::Error;

async fn within<T>(timeout: Duration, exchange: impl Future<Output = Result<T, SmtpError>>) -> Result<T, Failure> {
    match tokio::time::timeout(timeout, exchange).await {
        Ok(Ok(answer)) => Ok(answer),
        Err(_) => Err(Failure::Silent(timeout)),
        Ok(Err(error)) => {
            let text = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            Err(match error.status() {
                Some(code) => Failure::Answered { code: code.into(), text: format!("{code} {text}") },
                None if error.is_timeout() => Failure::Silent(timeout),
                None => Failure::Lost(text),
            })
        }
    }
}

/// Whether an answer is there for which nobody asked.
async fn has_answer(connection: &mut AsyncSmtpConnection) -> bool {
    !matches!(within(Duration::ZERO, connection.read_response()).await, Err(Failure::Silent(_)))
}

async fn quit(mut connection: AsyncSmtpConnection) {
    // It is closed in any case.
    let _ = within(QUIT_TIMEOUT, connection.command(Quit)).await;
}

fn text_of(response: &Response) -> String {
    response.message().collect::<Vec<_>>().join(" ")
}

/// The name with which this machine introduces itself.
fn hello() -> ClientId {
    match ClientId::default() {
        ClientId::Domain(name)
            if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.')) =>
        {
            ClientId::Domain(name)
        }
        _ => ClientId::Ipv4(Ipv4Addr::LOCALHOST),
    }
}

/// What to do about an answer.
fn answer_hint(code: u16, text: &str) -> Option<&'static str> {
    let said = |enhanced: &str| text.split(|c: char| !c.is_ascii_digit() && c != '.').any(|word| word == enhanced);
    if said("5.7.30") || said("5.7.139") {
        return Some(
            "Exchange Online no longer accepts passwords: register an application and write `oauth` in place of `password` \
             (docs/mail.md)",
        );
    }
    if said("5.7.60") {
        return Some("the account may not send as this sender: check `from`");
    }
    if code == 552 || said("5.3.4") || said("5.2.3") {
        return Some("the message is too large for the server: lower `attach_max`");
    }
    if code == 534 || said("5.7.9") {
        return Some("the account needs a password made for applications, or `oauth`");
    }
    if code == 530 || said("5.7.57") || text.to_ascii_lowercase().contains("relay") {
        return Some("the server wants a login: write `user` and `password`, or `oauth`, under `mail`");
    }
    None
}
