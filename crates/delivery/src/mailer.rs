//! Hands mail over.

use super::mail_folder;
use super::message::{self, Message};
use super::outcome::{Outcome, Reason};
use super::smtp::{Account, SmtpServer};
use perennial_core::error::Result;
use perennial_project::{Mail, MailServer};
use std::path::PathBuf;

/// Hands mail over to the server of a project, over one connection while there is more to send.
pub struct Mailer {
    mail: Mail,
    server: Server,
}

enum Server {
    Smtp(Box<SmtpServer>),
    Folder(PathBuf),
}

impl Mailer {
    /// A mailer that has not connected yet.
    pub fn new(mail: Mail) -> Mailer {
        let server = match mail.server.clone() {
            MailServer::Smtp { host, port, security, login, ca_file, timeout } => {
                Server::Smtp(Box::new(SmtpServer::new(Account { host, port, security, login, ca_file, timeout })))
            }
            MailServer::Folder(folder) => Server::Folder(folder),
        };
        Mailer { mail, server }
    }

    /// Connects and logs in, unless that was done; nothing of any message leaves. What fails here fails for all messages.
    ///
    /// # Errors
    /// Why no message can be handed over now; a later attempt may succeed.
    pub async fn connect(&mut self) -> Result<(), Reason> {
        match &mut self.server {
            Server::Smtp(server) => server.connect().await,
            Server::Folder(_) => Ok(()),
        }
    }

    /// Hands a message over, connecting first where that was not done.
    pub async fn send(&mut self, message: &Message) -> Outcome {
        let addresses = (message::envelope_address(&self.mail.from), message::envelope_address(&message.to));
        let (from, to, encoded) = match (addresses, message.encode(&self.mail)) {
            ((Ok(from), Ok(to)), Ok(encoded)) => (from, to, encoded),
            ((Err(error), _), _) => return Outcome::Failed(error.into()),
            ((_, Err(error)), _) | (_, Err(error)) => return Outcome::Refused(error.into()),
        };
        match &mut self.server {
            Server::Smtp(server) => server.send(&from, &to, &encoded).await,
            Server::Folder(folder) => mail_folder::write(folder, message, &encoded),
        }
    }

    /// Takes leave of the server.
    pub async fn close(&mut self) {
        if let Server::Smtp(server) = &mut self.server {
            server.close().await;
        }
    }

    /// The message as it would be sent, for a file `.eml`.
    ///
    /// # Errors
    /// Of kind `Project` when an address cannot be used.
    pub fn preview(&self, message: &Message) -> Result<Vec<u8>> {
        message.encode(&self.mail)
    }

    /// The Message-ID of the message with this identifier.
    pub fn message_id(&self, id: &str) -> String {
        message::message_id(id, &self.mail.from)
    }
}
