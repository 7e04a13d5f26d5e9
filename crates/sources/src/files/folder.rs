//! Files in a folder of this machine.

use super::bytes::FileBytes;
use super::file::{Listing, SourceFile, no_file, not_utf8};
use super::file_store::FileStore;
use super::pattern::Pattern;
use super::random_access::RandomAccess;
use perennial_core::error::{Error, Result};
use perennial_core::regular_file;
use std::path::{Path, PathBuf};

/// A folder of this machine.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The folder at a path or a `file://` URL. Nothing is read yet.
    ///
    /// # Errors
    /// Of kind `Project` when a URL is not a path on this machine.
    pub(crate) fn open(location: &str) -> Result<Folder> {
        if !location.contains("://") {
            return Ok(Folder(PathBuf::from(location)));
        }
        let path = url::Url::parse(location).ok().and_then(|url| url.to_file_path().ok());
        path.map(Folder).ok_or_else(|| Error::project(format!("`{location}` is not a path on this machine")))
    }
}

#[async_trait::async_trait]
impl FileStore for Folder {
    async fn list(&self, pattern: &Pattern) -> Result<Listing> {
        let (root, pattern) = (self.0.clone(), pattern.clone());
        tokio::task::spawn_blocking(move || list(&root, &pattern))
            .await
            .map_err(|e| Error::bug(format!("listing files stopped: {e}")))?
    }

    async fn read(&self, file: &SourceFile) -> Result<FileBytes> {
        FileBytes::open_local(&self.0.join(&file.path), file)
    }

    fn random_access<'a>(&'a self, file: &'a SourceFile) -> RandomAccess<'a> {
        RandomAccess::Local(self.0.join(&file.path))
    }
}

fn list(root: &Path, pattern: &Pattern) -> Result<Listing> {
    let mut found = Listing::default();
    if !root.is_dir() {
        return Err(Error::unreachable("the folder does not exist"));
    }
    if let Some(path) = pattern.literal() {
        match std::fs::metadata(root.join(path)) {
            Ok(data) if data.is_file() => found.files.push(file(path.to_string(), &data)?),
            Ok(data) => return Err(no_file(path, regular_file::kind(data.file_type()))),
            Err(_) => {}
        }
        return Ok(found);
    }
    // Every folder with the real paths of its ancestors, since a link may lead back to one of them.
    let mut folders = vec![(pattern.folder().to_string(), Vec::new())];
    while let Some((folder, mut ancestors)) = folders.pop() {
        let entries = match std::fs::read_dir(root.join(&folder)) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(Error::unreachable(format!("folder `{folder}`: {e}"))),
        };
        let real = std::fs::canonicalize(root.join(&folder)).unwrap_or_else(|_| root.join(&folder));
        if ancestors.contains(&real) {
            continue;
        }
        ancestors.push(real);
        for entry in entries {
            let entry = entry.map_err(|e| Error::unreachable(format!("folder `{folder}`: {e}")))?;
            let name = entry.file_name();
            let path = Pattern::join(&folder, &name.to_string_lossy());
            // Links are followed; a file that was removed since the listing is skipped.
            let Ok(data) = std::fs::metadata(root.join(&folder).join(&name)) else { continue };
            let is_left_out = data.is_dir() && pattern.looks_for(&path);
            if !pattern.concerns(&path, data.is_dir()) && !is_left_out {
                continue;
            }
            if name.to_str().is_none() {
                return Err(not_utf8(&path));
            }
            if data.is_file() {
                found.files.push(file(path, &data)?);
            } else if is_left_out || !data.is_dir() {
                found.leave_out(&path, regular_file::kind(data.file_type()));
            } else {
                folders.push((path, ancestors.clone()));
            }
        }
    }
    Ok(found)
}

fn file(path: String, data: &std::fs::Metadata) -> Result<SourceFile> {
    let modified = data
        .modified()
        .ok()
        .and_then(|time| jiff::Timestamp::try_from(time).ok())
        .ok_or_else(|| Error::unreachable(format!("`{path}` has no modification time")))?;
    Ok(SourceFile::without_tag(path, data.len(), modified))
}
