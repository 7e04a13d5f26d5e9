//! Searches the folders of a server for files that match.

use super::super::file::{Listing, SourceFile, no_file, not_utf8};
use super::super::pattern::Pattern;
use super::error::SftpError;
use perennial_core::error::Error;
use russh_sftp::client::SftpSession;
use russh_sftp::client::fs::Metadata;
use russh_sftp::protocol::FileType;

/// Stands in a name for bytes that are not UTF-8.
const REPLACEMENT: char = '\u{fffd}';

/// The path on the server.
pub(super) fn below(folder: &str, path: &str) -> String {
    match (folder, path) {
        ("", "") => "/".to_string(),
        (folder, "") => folder.to_string(),
        (folder, path) => format!("{folder}/{path}"),
    }
}

/// A folder still to be searched.
struct Folder {
    path: String,
    /// Its real path; not known yet where a link leads to it.
    real: Option<String>,
    /// The real paths of its ancestors: a link may lead back to one of them.
    ancestors: Vec<String>,
}

/// The files below a folder that match.
pub(super) async fn walk(sftp: &SftpSession, root: &str, pattern: &Pattern) -> Result<Listing, SftpError> {
    let full_path = below(root, "");
    if !stat(sftp, &full_path, &full_path).await?.is_dir() {
        return Err(SftpError::own(Error::unreachable(format!("`{full_path}` is not a folder"))));
    }
    let mut found = Listing::default();
    if let Some(path) = pattern.literal() {
        match stat(sftp, &below(root, path), path).await {
            Ok(data) if is_file(&data) => found.files.push(file(path.to_string(), &data)?),
            Ok(data) => return Err(SftpError::own(no_file(path, kind(&data)))),
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error),
        }
        return Ok(found);
    }
    let start = pattern.folder().to_string();
    let mut folders = vec![Folder { path: start, real: None, ancestors: Vec::new() }];
    while let Some(folder) = folders.pop() {
        search(sftp, root, pattern, folder, &mut folders, &mut found).await?;
    }
    Ok(found)
}

/// Searches one folder: adds its files that match, and the folders in it that may contain more.
async fn search(
    sftp: &SftpSession,
    root: &str,
    pattern: &Pattern,
    folder: Folder,
    folders: &mut Vec<Folder>,
    found: &mut Listing,
) -> Result<(), SftpError> {
    let full_path = below(root, &folder.path);
    let entries = match sftp.read_dir(&full_path).await.map_err(SftpError::at(&full_path)) {
        Ok(entries) => entries,
        Err(error) if error.is_missing() => return Ok(()),
        Err(error) => return Err(error),
    };
    let real = match folder.real {
        Some(real) => real,
        None => sftp.canonicalize(&full_path).await.map_err(SftpError::at(&full_path))?,
    };
    let mut ancestors = folder.ancestors;
    if ancestors.contains(&real) {
        return Ok(());
    }
    ancestors.push(real.clone());
    for entry in entries {
        let name = entry.file_name();
        let path = Pattern::join(&folder.path, &name);
        if !pattern.concerns(&path, true) && !pattern.concerns(&path, false) {
            continue;
        }
        if name.contains(REPLACEMENT) {
            return Err(SftpError::own(not_utf8(&path)));
        }
        let mut data = entry.metadata();
        let is_link = data.permissions.is_none() || data.file_type() == FileType::Symlink;
        if is_link {
            data = match stat(sftp, &below(root, &path), &path).await {
                Ok(data) => data,
                // A broken link, or a file that was removed meanwhile.
                Err(error) if error.is_missing() => continue,
                Err(error) => return Err(error),
            };
        }
        if data.is_dir() && pattern.looks_for(&path) {
            found.leave_out(&path, kind(&data));
        } else if data.is_dir() && pattern.concerns(&path, true) {
            let real = (!is_link).then(|| format!("{}/{name}", real.trim_end_matches('/')));
            folders.push(Folder { path, real, ancestors: ancestors.clone() });
        } else if is_file(&data) && pattern.matches(&path) {
            found.files.push(file(path, &data)?);
        } else if !data.is_dir() && pattern.matches(&path) {
            found.leave_out(&path, kind(&data));
        }
    }
    Ok(())
}

async fn stat(sftp: &SftpSession, full_path: &str, path: &str) -> Result<Metadata, SftpError> {
    sftp.metadata(full_path).await.map_err(SftpError::at(path))
}

/// Whether it is a file; a server that does not report types lists only files.
fn is_file(data: &Metadata) -> bool {
    data.permissions.is_none() || data.file_type() == FileType::File
}

/// What it is that is not a file; the protocol does not tell more.
fn kind(data: &Metadata) -> &'static str {
    if data.is_dir() { "a folder" } else { "a pipe, a device or a socket" }
}

fn file(path: String, data: &Metadata) -> Result<SourceFile, SftpError> {
    let (Some(bytes), Some(modified)) = (data.size, modified(data)) else {
        let error = format!(
            "the server does not report size and modification time of `{path}`, which tell versions of a file apart"
        );
        return Err(SftpError::own(Error::unreachable(error)));
    };
    Ok(SourceFile::without_tag(path, bytes, modified))
}

/// When a file was last modified, in whole seconds, which is all that the protocol transmits.
pub(super) fn modified(data: &Metadata) -> Option<jiff::Timestamp> {
    data.mtime.and_then(|seconds| jiff::Timestamp::from_second(i64::from(seconds)).ok())
}
