//! What lies under a source's location: a folder, a prefix of an object store, or a folder of an SFTP server.

use super::bytes::FileBytes;
use super::pattern::Pattern;
use super::sftp::Sftp;
use crate::contract::Access;
use crate::error::{Error, Result};
use futures::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One file of a source, as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Path below the source's location, with `/`.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// What tells one content from another without reading it: the store's entity tag, or the time of change.
    pub tag: String,
    /// When it was last changed.
    pub modified: jiff::Timestamp,
}

/// A place that holds the files of a source.
#[derive(Clone, Debug)]
pub struct Files {
    location: String,
    place: Location,
}

#[derive(Clone, Debug)]
pub(super) enum Location {
    Folder(PathBuf),
    Store { store: Arc<dyn ObjectStore>, prefix: ObjectPath },
    Sftp(Arc<Sftp>),
}

impl Files {
    /// Opens a folder (a path or `file://` URL), a prefix of a store (`s3://`, `gs://`, `az://`) or a folder of an SFTP
    /// server (`sftp://`). Credentials and endpoints of stores come from the environment (`AWS_ENDPOINT_URL`, ...), those
    /// of SFTP from `access`. Nothing is read yet.
    ///
    /// # Errors
    /// Of kind `Project` when the location is not one of these.
    pub async fn open(location: &str, access: &Access) -> Result<Files> {
        let place = match url::Url::parse(location) {
            Ok(url) if url.scheme() == "file" => Location::Folder(
                url.to_file_path()
                    .map_err(|()| Error::project(format!("`{location}` is not a path on this machine")))?,
            ),
            Ok(url) if url.scheme() == "sftp" => Location::Sftp(Arc::new(Sftp::open(&url, access)?)),
            Ok(url) if location.contains("://") => open_store(location, &url)?,
            _ => Location::Folder(PathBuf::from(location)),
        };
        Ok(Files { location: location.to_string(), place })
    }

    /// The files whose path below the location matches the glob, by path. `*` stays within a folder, `**` does not;
    /// names that begin with a dot are left out, and so are files still being written (`*.part`, `~$*` and their like)
    /// unless the glob names them. No match is an empty list.
    ///
    /// # Errors
    /// Of kind `Project` when the glob is malformed or the server refuses us, `Data` when a name is not UTF-8,
    /// `Unreachable` when the location cannot be read.
    pub async fn list(&self, glob: &str) -> Result<Vec<SourceFile>> {
        let pattern = Pattern::new(glob)?;
        let mut found = match &self.place {
            Location::Folder(root) => {
                let root = root.clone();
                tokio::task::spawn_blocking(move || list_folder(&root, &pattern))
                    .await
                    .map_err(|e| Error::bug(format!("listing of files stopped: {e}")))?
            }
            Location::Store { store, prefix } => list_store(store.as_ref(), prefix, &pattern).await,
            Location::Sftp(sftp) => sftp.list(&pattern).await,
        }
        .map_err(|e| e.context(format!("cannot read `{}`", self.location)))?;
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Opens a file for reading from its first byte.
    ///
    /// # Errors
    /// Of kind `Unreachable` when it cannot be opened.
    pub async fn read(&self, file: &SourceFile) -> Result<FileBytes> {
        match &self.place {
            Location::Folder(root) => FileBytes::open_local(&root.join(&file.path), file),
            Location::Store { store, prefix } => {
                FileBytes::open_remote(store.as_ref(), below(prefix, &file.path)?, file).await
            }
            Location::Sftp(sftp) => sftp.read(file).await,
        }
    }

    /// The BLAKE3 hash of a local file's content, in hexadecimal; `None` elsewhere, where the tag has to tell.
    ///
    /// # Errors
    /// Of kind `Unreachable` when it cannot be read.
    pub async fn content_hash(&self, file: &SourceFile) -> Result<Option<String>> {
        let Location::Folder(root) = &self.place else { return Ok(None) };
        let bytes = FileBytes::open_local(&root.join(&file.path), file)?;
        tokio::task::spawn_blocking(move || bytes.hash_all())
            .await
            .map_err(|e| Error::bug(format!("hashing of a file stopped: {e}")))?
            .map(Some)
    }

    /// The files of a store that is there already, below a prefix.
    #[cfg(test)]
    pub(crate) fn of_store(store: Arc<dyn ObjectStore>, prefix: &str) -> Files {
        let location = format!("memory://{prefix}");
        Files { location, place: Location::Store { store, prefix: ObjectPath::from(prefix) } }
    }

    pub(super) fn place(&self) -> &Location {
        &self.place
    }
}

/// The key of a path below a prefix, letter for letter: other programs' keys hold any letters, and `join` would encode
/// them.
pub(super) fn below(prefix: &ObjectPath, path: &str) -> Result<ObjectPath> {
    let key = format!("{prefix}/{path}");
    ObjectPath::parse(&key).map_err(|e| Error::project(format!("`{key}` is no name a store can hold: {e}")).because(e))
}

fn open_store(location: &str, url: &url::Url) -> Result<Location> {
    use object_store::{aws::AmazonS3Builder, azure::MicrosoftAzureBuilder, gcp::GoogleCloudStorageBuilder};
    let store: object_store::Result<Arc<dyn ObjectStore>> = match url.scheme() {
        "s3" | "s3a" => AmazonS3Builder::from_env()
            .with_url(location)
            .with_allow_http(true)
            .build()
            .map(|store| Arc::new(store) as Arc<dyn ObjectStore>),
        "gs" => GoogleCloudStorageBuilder::from_env()
            .with_url(location)
            .build()
            .map(|store| Arc::new(store) as Arc<dyn ObjectStore>),
        "az" | "abfs" | "abfss" | "adl" | "azure" => MicrosoftAzureBuilder::from_env()
            .with_url(location)
            .build()
            .map(|store| Arc::new(store) as Arc<dyn ObjectStore>),
        other => {
            return Err(Error::project(format!("`{location}` cannot be read: `{other}` is not a known kind of store"))
                .hint("known are a path, `file://`, `s3://`, `gs://`, `az://` and `sftp://`"));
        }
    };
    let store = store.map_err(|e| Error::project(format!("`{location}` cannot be opened: {e}")).because(e))?;
    let prefix = ObjectPath::from_url_path(url.path())
        .map_err(|e| Error::project(format!("`{location}` is not a valid location: {e}")))?;
    Ok(Location::Store { store, prefix })
}

fn list_folder(root: &Path, pattern: &Pattern) -> Result<Vec<SourceFile>> {
    let mut found = Vec::new();
    if !root.is_dir() {
        return Err(Error::unreachable("there is no such folder"));
    }
    if let Some(path) = pattern.literal() {
        if let Ok(data) = std::fs::metadata(root.join(path))
            && data.is_file()
        {
            found.push(local_file(path.to_string(), &data)?);
        }
        return Ok(found);
    }
    // Every folder with the real places of those above it, which a link may lead back to.
    let mut folders = vec![(pattern.folder().to_string(), Vec::new())];
    while let Some((folder, mut above)) = folders.pop() {
        let entries = match std::fs::read_dir(root.join(&folder)) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(Error::unreachable(format!("folder `{folder}`: {e}"))),
        };
        let real = std::fs::canonicalize(root.join(&folder)).unwrap_or_else(|_| root.join(&folder));
        if above.contains(&real) {
            continue;
        }
        above.push(real);
        for entry in entries {
            let entry = entry.map_err(|e| Error::unreachable(format!("folder `{folder}`: {e}")))?;
            let name = entry.file_name();
            let path = Pattern::join(&folder, &name.to_string_lossy());
            // Followed through links; a file removed since the listing is none.
            let Ok(data) = std::fs::metadata(root.join(&folder).join(&name)) else { continue };
            if !pattern.concerns(&path, data.is_dir()) {
                continue;
            }
            if name.to_str().is_none() {
                return Err(not_utf8(&path));
            }
            if data.is_dir() {
                folders.push((path, above.clone()));
            } else {
                found.push(local_file(path, &data)?);
            }
        }
    }
    Ok(found)
}

/// A name that cannot be kept as text, and so not be told from others.
pub(super) fn not_utf8(path: &str) -> Error {
    Error::data(format!("the name of the file or folder `{path}` is not UTF-8"))
        .hint("rename it, or write the pattern so that it does not match")
}

fn local_file(path: String, data: &std::fs::Metadata) -> Result<SourceFile> {
    let modified = data
        .modified()
        .ok()
        .and_then(|time| jiff::Timestamp::try_from(time).ok())
        .ok_or_else(|| Error::unreachable(format!("`{path}` has no time of change")))?;
    Ok(SourceFile { path, bytes: data.len(), tag: format!("modified={modified}"), modified })
}

async fn list_store(store: &dyn ObjectStore, prefix: &ObjectPath, pattern: &Pattern) -> Result<Vec<SourceFile>> {
    if let Some(path) = pattern.literal() {
        return match store.head(&below(prefix, path)?).await {
            Ok(meta) => Ok(vec![stored_file(path.to_string(), &meta)?]),
            Err(object_store::Error::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        };
    }
    let folder = if pattern.folder().is_empty() { prefix.clone() } else { below(prefix, pattern.folder())? };
    let mut found = Vec::new();
    let mut listing = store.list(Some(&folder));
    while let Some(meta) = listing.try_next().await? {
        let Some(rest) = meta.location.prefix_match(prefix) else { continue };
        let parts: Vec<String> = rest.map(|part| part.as_ref().to_string()).collect();
        let path = parts.join("/");
        if pattern.matches(&path) {
            found.push(stored_file(path, &meta)?);
        }
    }
    Ok(found)
}

fn stored_file(path: String, meta: &ObjectMeta) -> Result<SourceFile> {
    let modified = jiff::Timestamp::from_microsecond(meta.last_modified.timestamp_micros())
        .map_err(|e| Error::unreachable(format!("`{path}` has an impossible time of change: {e}")))?;
    let tag = match &meta.e_tag {
        Some(tag) => format!("etag={}", tag.trim_matches('"')),
        None => format!("modified={modified}"),
    };
    Ok(SourceFile { path, bytes: meta.size, tag, modified })
}
