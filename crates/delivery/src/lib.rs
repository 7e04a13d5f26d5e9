//! Carries pages and notices to people, and knows nothing of lakes, reports or schedules.
//!
//! [`Mailer`] hands mail to an SMTP server or writes it into a folder; [`Webhooks`] posts cards to chats and systems;
//! [`copy_to_folder`] and [`copy_to_store`] keep a static site; [`ping`] tells a dead-man's switch that all is well. What
//! became of a message is an [`Outcome`]: whether it had an effect outside decides whether it may be tried again.
//!
//! Secrets are read when they are used, so that one that was changed counts without a restart, and are hidden in every
//! text that comes back.

mod outcome;
mod causes;
mod http;
// Mail
mod message;
mod mailer;
mod smtp;
mod oauth;
mod mail_folder;
// Others
mod webhooks;
mod pace;
mod copies;
mod ping;

pub use copies::{SiteFile, copy_to_folder, copy_to_store};
pub use mailer::Mailer;
pub use message::{Attachment, LeftOut, Message, Picture};
pub use outcome::{Outcome, Reason};
pub use ping::{Signal, ping};
pub use webhooks::{Card, Link, Tone, Webhooks};

#[cfg(test)]
mod tests;
