//! Opening a lake, which is a folder or a prefix of an object store, and access to its objects.

use super::damaged::damage_in;
use super::verified::{Checksums, VerifiedStore};
use super::{DataFile, Release};
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Result, list};
use perennial_core::location::{forbid_credentials, scrub};
use perennial_core::store;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use url::Url;

/// Schemes a lake's URL may have.
const SCHEMES: [&str; 7] = ["s3", "s3a", "gs", "az", "abfs", "abfss", "file"];

/// The folder of the lake's own records.
pub(crate) const RECORDS: &str = "_perennial";

/// A lake, opened. Cheap to clone; clones share their counters.
#[derive(Clone, Debug)]
pub struct Lake {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    store: Arc<VerifiedStore>,
    store_url: Url,
    root_url: Url,
    prefix: Path,
    folder: Option<PathBuf>,
    next_file: AtomicU64,
    /// Data files this process wrote, so that those that are not released can be deleted.
    written: Mutex<BTreeSet<String>>,
    /// The number of the next file of each system table and run.
    system_parts: Mutex<HashMap<(String, String), u64>>,
    /// Objects that this process has read or written, by hash.
    objects: Mutex<HashMap<String, bytes::Bytes>>,
    /// The release that was read last, with its number and the text of its record: a run asks for it several times.
    last_read: Mutex<Option<(u64, bytes::Bytes, Release)>>,
    /// A release record was sent and it is not known whether it was written: this process may delete nothing.
    publication_unknown: AtomicBool,
}

impl Lake {
    /// Opens the lake at an absolute path or a URL (`s3://`, `gs://`, `az://`, `file://`). Access keys and the store's
    /// address come from the environment (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP`, ...).
    ///
    /// A folder need not exist yet.
    ///
    /// # Errors
    /// `Project` when the location is not valid, `Unreachable` when the store does not answer; neither shows a
    /// credential.
    pub async fn open(location: &str) -> Result<Lake> {
        match parse_location(location)? {
            Location::Folder(folder) => Lake::in_folder(folder),
            Location::Store(url) => {
                let (store, prefix) = store::open(url.as_str())?;
                let lake = Lake::with_store(url, store, prefix);
                lake.probe().await?;
                Ok(lake)
            }
        }
    }

    /// A lake on the local disk.
    fn in_folder(folder: PathBuf) -> Result<Lake> {
        match std::fs::metadata(&folder) {
            Ok(found) if !found.is_dir() => {
                return Err(Error::project(format!("the lake {} is a file; it must be a folder", folder.display())));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(Error::unreachable(format!("cannot open the lake {}: {error}", folder.display())));
            }
        }
        Lake::in_folder_through(folder, Arc::new(LocalFileSystem::new()))
    }

    /// A lake on the local disk, reached through a store of which `/` is the root of the disk.
    pub(crate) fn in_folder_through(folder: PathBuf, store: Arc<dyn ObjectStore>) -> Result<Lake> {
        let bad = || Error::project(format!("`{}` cannot be the path of a lake", folder.display()));
        let root_url = Url::from_directory_path(&folder).map_err(|_| bad())?;
        let prefix = Path::from_url_path(root_url.path()).map_err(|_| bad())?;
        let mut lake = Lake::with_store(root_url, store, prefix);
        if let Some(inner) = Arc::get_mut(&mut lake.inner) {
            inner.folder = Some(folder);
        }
        Ok(lake)
    }

    /// A lake below `prefix` of a store.
    pub(crate) fn with_store(root_url: Url, store: Arc<dyn ObjectStore>, prefix: Path) -> Lake {
        let mut store_url = root_url.clone();
        store_url.set_path("/");
        let inner = Inner {
            store: Arc::new(VerifiedStore::new(store)),
            store_url,
            root_url,
            prefix,
            folder: None,
            next_file: AtomicU64::new(1),
            written: Mutex::default(),
            system_parts: Mutex::default(),
            objects: Mutex::default(),
            last_read: Mutex::default(),
            publication_unknown: AtomicBool::new(false),
        };
        Lake { inner: Arc::new(inner) }
    }

    async fn probe(&self) -> Result<()> {
        let records = self.path(RECORDS);
        match self.store().list_with_delimiter(Some(&records)).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed("reach", error)),
        }
    }

    /// The store the lake is on, which verifies what is read of files whose checksums are known. Its paths begin at [`Lake::store_url`], not at the lake.
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        self.inner.store.clone()
    }

    /// Scheme and authority of the store (`file:///`, `s3://bucket/`): what a query engine registers it under.
    pub fn store_url(&self) -> &Url {
        &self.inner.store_url
    }

    /// The lake's place in its store.
    pub fn prefix(&self) -> &Path {
        &self.inner.prefix
    }

    /// The lake's folder when it is on the local disk.
    pub(crate) fn folder(&self) -> Option<&std::path::Path> {
        self.inner.folder.as_deref()
    }

    /// The path in the store of something below the lake's root (`marts/rfm/x.parquet`).
    pub fn path(&self, below_root: &str) -> Path {
        self.inner.prefix.parts().chain(Path::from(below_root).parts()).collect()
    }

    /// The lake's folder or URL, for people.
    pub fn location(&self) -> String {
        match &self.inner.folder {
            Some(folder) => folder.display().to_string(),
            None => self.inner.root_url.as_str().trim_end_matches('/').to_string(),
        }
    }

    pub(crate) fn next_file(&self) -> u64 {
        self.inner.next_file.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn written(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.inner.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn system_parts(&self) -> MutexGuard<'_, HashMap<(String, String), u64>> {
        self.inner.system_parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn objects(&self) -> MutexGuard<'_, HashMap<String, bytes::Bytes>> {
        self.inner.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the checksums of a file known, so that what is read of it is verified.
    pub(crate) fn register_blocks(&self, file: &DataFile) {
        if let Some(blocks) = &file.blocks {
            let checksums = || Checksums::Blocks(blocks.clone());
            self.inner.store.register(self.path(&file.path), &file.path, file.bytes, checksums);
        }
    }

    /// Makes the checksum (XXH3, 64 bits) of a whole file known, so that it is verified before it is read.
    pub(crate) fn register_whole(&self, path: &str, bytes: u64, hash: u64) {
        let checksums = || Checksums::Whole { hash, verified: AtomicBool::new(false) };
        self.inner.store.register(self.path(path), path, bytes, checksums);
    }

    /// Makes the checksums of all files of a release known. Reading a release does this; one that another [`Lake`]
    /// has read needs it.
    pub fn verify_files_of(&self, release: &Release) {
        release.tables.values().flat_map(|table| &table.files).for_each(|file| self.register_blocks(file));
    }

    pub(crate) fn last_read(&self) -> MutexGuard<'_, Option<(u64, bytes::Bytes, Release)>> {
        self.inner.last_read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn publication_unknown(&self) -> &AtomicBool {
        &self.inner.publication_unknown
    }

    /// An error of the store that names the lake and hides what a signed URL carries. `action` is what could not be
    /// done, up to the preposition before the lake: `read marts/x from`.
    pub(crate) fn failed(&self, action: &str, error: object_store::Error) -> Error {
        use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
        if let Some(damaged) = damage_in(&error) {
            return damaged.clone().into();
        }
        let text = scrub(&error.to_string());
        // The store's answer in XML says nothing that its status does not.
        let text = text.split("<?xml").next().unwrap_or(&text).trim_end_matches([':', ' ']);
        let hint = match &error {
            PermissionDenied { .. } | Unauthenticated { .. } => {
                Some("check the access keys in the environment, and that they may read and write at this location")
            }
            NotFound { .. } => Some("check that the bucket exists and that its name is right"),
            _ if text.contains("404 Not Found") => Some("check that the bucket exists and that its name is right"),
            _ => None,
        };
        let error = Error::unreachable(format!("cannot {action} the lake {}: {text}", self.location()));
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// Reads a small object; `None` when there is none.
    pub(crate) async fn read(&self, below_root: &str) -> Result<Option<bytes::Bytes>> {
        let action = format!("read {below_root} from");
        match self.store().get(&self.path(below_root)).await {
            Ok(found) => Ok(Some(found.bytes().await.map_err(|e| self.failed(&action, e))?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(&action, error)),
        }
    }

    /// Paths below the lake's root, and sizes, of all objects in one of its folders and the folders in that.
    pub(crate) async fn list(&self, below_root: &str) -> Result<Vec<(String, u64)>> {
        Ok(self.list_objects(below_root).await?.into_iter().map(|(path, meta)| (path, meta.size)).collect())
    }

    /// The same with what else the store says of each.
    pub(crate) async fn list_objects(&self, below_root: &str) -> Result<Vec<(String, ObjectMeta)>> {
        let folder = self.path(below_root);
        let found: Vec<ObjectMeta> = match self.store().list(Some(&folder)).try_collect().await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(self.failed(&format!("list {below_root} in"), error)),
        };
        let below = |path: &Path| {
            let parts = path.prefix_match(&self.inner.prefix)?;
            Some(parts.map(|part| part.as_ref().to_string()).collect::<Vec<_>>().join("/"))
        };
        Ok(found.into_iter().filter_map(|meta| Some((below(&meta.location)?, meta))).collect())
    }

    /// Deletes one object, if it is there.
    pub(crate) async fn delete(&self, below_root: &str) -> Result<()> {
        match self.store().delete(&self.path(below_root)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(&format!("delete {below_root} from"), error)),
        }
    }
}

/// The folder of a table below the lake's root. Other characters would be encoded by some stores and not by others.
pub(crate) fn table_folder(table: &TableName) -> Result<String> {
    for part in [&table.schema, &table.name] {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if part.is_empty() || part.starts_with('_') || !part.chars().all(allowed) {
            return Err(Error::project(format!("`{table}` cannot be the name of a table in the lake"))
                .hint("use letters, digits and underscores, and begin with a letter"));
        }
    }
    Ok(format!("{}/{}", table.schema, table.name))
}

enum Location {
    Folder(PathBuf),
    Store(Url),
}

fn parse_location(location: &str) -> Result<Location> {
    if std::path::Path::new(location).is_absolute() {
        return Ok(Location::Folder(PathBuf::from(location)));
    }
    let mut url = Url::parse(location).map_err(|_| {
        Error::project(format!("`{}` is neither an absolute path nor a URL", scrub(location)))
            .hint("write the lake as a folder or as s3://bucket/prefix")
    })?;
    if !SCHEMES.contains(&url.scheme()) {
        return Err(Error::project(format!("a lake cannot have a URL of scheme `{}`", url.scheme()))
            .hint(format!("expected one of {}", list(&SCHEMES))));
    }
    if url.scheme() == "file" {
        let folder =
            url.to_file_path().map_err(|()| Error::project(format!("`{url}` is not a path on this machine")))?;
        return Ok(Location::Folder(folder));
    }
    forbid_credentials(location)?;
    let path = url.path().trim_end_matches('/').to_string();
    url.set_path(&format!("{path}/"));
    Ok(Location::Store(url))
}
