//! Mail written into a folder, for trials: one file a message, as a mail program opens it.

use super::message::Message;
use super::outcome::{Outcome, Reason};
use std::io::{ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

/// Files of one recipient and second, at most.
const MAX_NUMBER: u32 = 10_000;
/// Characters of a recipient in a file name.
const MAX_SLUG_CHARACTERS: usize = 60;

/// Writes a message as `<time>-<recipient>-<n>.eml`. The file appears whole.
pub(crate) fn write(folder: &Path, message: &Message, encoded: &[u8]) -> Outcome {
    match write_new(folder, message, encoded) {
        Ok(path) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Outcome::Sent { answer: format!("written as {name}") }
        }
        Err(error) => {
            let reason = Reason::new(format!("cannot write into {}: {error}", folder.display()));
            Outcome::Failed(reason.hint("check that the folder can be written to and that the disk has space"))
        }
    }
}

fn write_new(folder: &Path, message: &Message, encoded: &[u8]) -> Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let begin = format!("{}-{}", message.date.strftime("%Y%m%dT%H%M%SZ"), slug(&message.to.address));
    let beside = folder.join(format!(".{begin}.{}.tmp", std::process::id()));
    let written = (|| {
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(encoded)?;
        file.sync_all()?;
        for number in 1..MAX_NUMBER {
            let path = folder.join(format!("{begin}-{number}.eml"));
            // A link, unlike a rename, never replaces a file.
            match std::fs::hard_link(&beside, &path) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(_) if path.exists() => {}
                // A file system without links.
                Err(_) => return std::fs::rename(&beside, &path).map(|()| path),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    })();
    // What is left of it is of no use.
    let _ = std::fs::remove_file(&beside);
    written
}

/// An address as a piece of a file name.
fn slug(address: &str) -> String {
    let lower = address.to_lowercase().replace('@', "-at-");
    let allowed = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    lower.chars().map(allowed).take(MAX_SLUG_CHARACTERS).collect()
}
