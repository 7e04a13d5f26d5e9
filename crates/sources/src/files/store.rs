//! Files in an object store. Credentials and endpoints come from the environment (`AWS_ENDPOINT_URL`, ...).

use super::bytes::{FileBytes, PIECES_AHEAD};
use super::file::{Listing, SourceFile, changed, unreadable};
use super::file_store::FileStore;
use super::pattern::Pattern;
use super::random_access::{RandomAccess, RangeReader};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt};
use perennial_core::error::{Error, Result};
use perennial_core::location::scrub;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What a tag begins with that is a store's entity tag.
const TAG: &str = "etag=";

/// A prefix of an object store.
#[derive(Debug)]
pub(crate) struct Store {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

/// A bucket of S3, or of a store that speaks its protocol.
pub(crate) fn open_s3(location: &str) -> Result<Store> {
    open(location, AmazonS3Builder::from_env().with_url(location).with_allow_http(true).build())
}

/// A bucket of Google Cloud Storage.
pub(crate) fn open_google(location: &str) -> Result<Store> {
    open(location, GoogleCloudStorageBuilder::from_env().with_url(location).build())
}

/// A container of Azure Blob Storage.
pub(crate) fn open_azure(location: &str) -> Result<Store> {
    open(location, MicrosoftAzureBuilder::from_env().with_url(location).build())
}

fn open(location: &str, store: object_store::Result<impl ObjectStore>) -> Result<Store> {
    let invalid = |e: String| Error::project(format!("`{location}` cannot be opened: {}", scrub(&e)));
    let store = store.map_err(|e| invalid(e.to_string()).because(e))?;
    let url = url::Url::parse(location).map_err(|e| invalid(e.to_string()))?;
    let prefix = Path::from_url_path(url.path()).map_err(|e| invalid(e.to_string()))?;
    Ok(Store::new(Arc::new(store), prefix))
}

impl Store {
    /// A prefix of a store that is open.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, prefix: Path) -> Store {
        Store { store, prefix }
    }

    /// The key of a path below the prefix, character for character: keys of other programs contain any characters, and
    /// `join` would encode them.
    fn key(&self, path: &str) -> Result<Path> {
        let key = format!("{}/{path}", self.prefix);
        Path::parse(&key).map_err(|e| Error::project(format!("`{key}` is not a valid object key: {e}")).because(e))
    }
}

#[async_trait::async_trait]
impl FileStore for Store {
    async fn list(&self, pattern: &Pattern) -> Result<Listing> {
        if let Some(path) = pattern.literal() {
            return match self.store.head(&self.key(path)?).await {
                Ok(meta) => Ok(Listing { files: vec![file(path.to_string(), &meta)?], ..Listing::default() }),
                Err(object_store::Error::NotFound { .. }) => Ok(Listing::default()),
                Err(error) => Err(error.into()),
            };
        }
        let folder = if pattern.folder().is_empty() { self.prefix.clone() } else { self.key(pattern.folder())? };
        let mut found = Listing::default();
        let mut listing = self.store.list(Some(&folder));
        while let Some(meta) = listing.try_next().await? {
            let Some(rest) = meta.location.prefix_match(&self.prefix) else { continue };
            let parts: Vec<String> = rest.map(|part| part.as_ref().to_string()).collect();
            let path = parts.join("/");
            if pattern.matches(&path) {
                found.files.push(file(path, &meta)?);
            }
        }
        Ok(found)
    }

    async fn read(&self, file: &SourceFile) -> Result<FileBytes> {
        let object = self.store.get(&self.key(&file.path)?).await.map_err(|e| unreadable(&file.path, e))?;
        check_version(file, &object.meta)?;
        let mut stream = object.into_stream();
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        let path = file.path.clone();
        tokio::spawn(async move {
            while let Some(piece) = stream.next().await {
                if sender.send(piece.map_err(|e| unreadable(&path, e))).await.is_err() {
                    break;
                }
            }
        });
        Ok(FileBytes::from_pieces(&file.path, Some(file.bytes), pieces))
    }

    fn random_access<'a>(&'a self, file: &'a SourceFile) -> RandomAccess<'a> {
        RandomAccess::Remote(Box::pin(async move {
            let (store, key, listed) = (self.store.clone(), self.key(&file.path)?, file.clone());
            Ok(Box::new(StoredObject { store, key, listed }) as Box<dyn RangeReader>)
        }))
    }
}

/// An object of which parts are read.
struct StoredObject {
    store: Arc<dyn ObjectStore>,
    key: Path,
    listed: SourceFile,
}

#[async_trait::async_trait]
impl RangeReader for StoredObject {
    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let failed = |e| unreadable(&self.listed.path, e);
        let options = GetOptions::new().with_range(Some(range));
        let part = self.store.get_opts(&self.key, options).await.map_err(failed)?;
        check_version(&self.listed, &part.meta)?;
        part.bytes().await.map_err(failed)
    }

    /// Every part was compared when it was read.
    async fn check_unchanged(&self) -> Result<()> {
        Ok(())
    }
}

/// Compares what a store gives with what it listed: the entity tags where it has them, else sizes and whole seconds,
/// which is all that an answer's header tells. Within one answer, the client compares.
fn check_version(listed: &SourceFile, meta: &ObjectMeta) -> Result<()> {
    let given = file(listed.path.clone(), meta)?;
    let has_tag = |file: &SourceFile| file.tag.starts_with(TAG);
    let same = match has_tag(listed) && has_tag(&given) {
        // A weak tag stands for the same bytes, sent in another encoding.
        true => given.tag.replace("W/\"", "") == listed.tag.replace("W/\"", ""),
        false => given.bytes == listed.bytes && given.modified.as_second() == listed.modified.as_second(),
    };
    if same { Ok(()) } else { Err(changed(&listed.path, "the store has another version of it")) }
}

fn file(path: String, meta: &ObjectMeta) -> Result<SourceFile> {
    let modified = jiff::Timestamp::from_microsecond(meta.last_modified.timestamp_micros())
        .map_err(|e| Error::unreachable(format!("`{path}` has an invalid modification time: {e}")))?;
    let file = SourceFile::without_tag(path, meta.size, modified);
    Ok(match &meta.e_tag {
        Some(tag) => SourceFile { tag: format!("{TAG}{}", tag.trim_matches('"')), ..file },
        None => file,
    })
}
