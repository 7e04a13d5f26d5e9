//! Looks through the folders of a server for files that match.

use super::super::files::{SourceFile, not_utf8};
use super::super::pattern::Pattern;
use super::{Fault, modified};
use crate::error::Error;
use russh_sftp::client::SftpSession;
use russh_sftp::client::fs::Metadata;
use russh_sftp::protocol::FileType;

/// What stands in a name for bytes that are no letters of UTF-8.
const NO_LETTER: char = '\u{fffd}';

/// The path that the server is asked for.
pub(super) fn below(folder: &str, path: &str) -> String {
    match (folder, path) {
        ("", "") => "/".to_string(),
        (folder, "") => folder.to_string(),
        (folder, path) => format!("{folder}/{path}"),
    }
}

/// A folder still to be looked into.
struct Folder {
    path: String,
    /// Where it really is; not known yet of one that a link leads to.
    place: Option<String>,
    /// The real places of those above it: a link may lead back to one of them.
    above: Vec<String>,
}

/// The files below a folder that match.
pub(super) async fn walk(sftp: &SftpSession, root: &str, pattern: &Pattern) -> Result<Vec<SourceFile>, Fault> {
    let asked = below(root, "");
    if !stat(sftp, &asked, &asked).await?.is_dir() {
        return Err(Fault::ours(Error::unreachable(format!("`{asked}` is not a folder"))));
    }
    let mut found = Vec::new();
    if let Some(path) = pattern.literal() {
        match stat(sftp, &below(root, path), path).await {
            Ok(data) if is_file(&data) => found.push(file(path.to_string(), &data)?),
            Ok(_) => {}
            Err(fault) if fault.is_missing() => {}
            Err(fault) => return Err(fault),
        }
        return Ok(found);
    }
    let start = pattern.folder().to_string();
    let mut folders = vec![Folder { path: start, place: None, above: Vec::new() }];
    while let Some(folder) = folders.pop() {
        look(sftp, root, pattern, folder, &mut folders, &mut found).await?;
    }
    Ok(found)
}

/// Looks into one folder: gives its files that match and the folders in it that may hold more.
async fn look(
    sftp: &SftpSession,
    root: &str,
    pattern: &Pattern,
    folder: Folder,
    folders: &mut Vec<Folder>,
    found: &mut Vec<SourceFile>,
) -> Result<(), Fault> {
    let asked = below(root, &folder.path);
    let entries = match sftp.read_dir(&asked).await.map_err(Fault::at(&asked)) {
        Ok(entries) => entries,
        Err(fault) if fault.is_missing() => return Ok(()),
        Err(fault) => return Err(fault),
    };
    let place = match folder.place {
        Some(place) => place,
        None => sftp.canonicalize(&asked).await.map_err(Fault::at(&asked))?,
    };
    let mut above = folder.above;
    if above.contains(&place) {
        return Ok(());
    }
    above.push(place.clone());
    for entry in entries {
        let name = entry.file_name();
        let path = Pattern::join(&folder.path, &name);
        if !pattern.concerns(&path, true) && !pattern.concerns(&path, false) {
            continue;
        }
        if name.contains(NO_LETTER) {
            return Err(Fault::ours(not_utf8(&path)));
        }
        let mut data = entry.metadata();
        let is_link = data.permissions.is_none() || data.file_type() == FileType::Symlink;
        if is_link {
            data = match stat(sftp, &below(root, &path), &path).await {
                Ok(data) => data,
                // A link that leads nowhere, or a file removed meanwhile.
                Err(fault) if fault.is_missing() => continue,
                Err(fault) => return Err(fault),
            };
        }
        if data.is_dir() && pattern.concerns(&path, true) {
            let place = (!is_link).then(|| format!("{}/{name}", place.trim_end_matches('/')));
            folders.push(Folder { path, place, above: above.clone() });
        } else if is_file(&data) && pattern.matches(&path) {
            found.push(file(path, &data)?);
        }
    }
    Ok(())
}

async fn stat(sftp: &SftpSession, asked: &str, path: &str) -> Result<Metadata, Fault> {
    sftp.metadata(asked).await.map_err(Fault::at(path))
}

/// Whether it is a file; a server that does not tell what things are lists files.
fn is_file(data: &Metadata) -> bool {
    data.permissions.is_none() || data.file_type() == FileType::File
}

fn file(path: String, data: &Metadata) -> Result<SourceFile, Fault> {
    let (Some(bytes), Some(modified)) = (data.size, modified(data)) else {
        let error = format!("the server does not tell size and time of change of `{path}`, by which files are known");
        return Err(Fault::ours(Error::unreachable(error)));
    };
    Ok(SourceFile { path, bytes, tag: format!("modified={modified}"), modified })
}
