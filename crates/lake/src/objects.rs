//! Objects that are named by the hash of what they hold: manifests, load states, results of tests, SQL, project files.
//!
//! An object is written once and never changed, so that releases share those that they have in common, and a damaged
//! one is noticed when it is read.

use super::damaged::Damaged;
use super::open::{Lake, RECORDS};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectStoreExt, PutPayload};
use perennial_core::digest::digest;
use perennial_core::error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// Objects read or written at a time.
pub(crate) const OBJECTS_AT_ONCE: usize = 32;

/// Objects that are to be written together.
#[derive(Default)]
pub(crate) struct NewObjects {
    objects: BTreeMap<String, Bytes>,
}

impl NewObjects {
    /// Adds an object; returns its hash.
    pub(crate) fn add(&mut self, content: impl Into<Bytes>) -> String {
        let content = content.into();
        let hash = digest([&content]);
        self.objects.insert(hash.clone(), content);
        hash
    }

    /// Adds a value as JSON; returns its hash.
    pub(crate) fn add_json<T: Serialize>(&mut self, what: &str, value: &T) -> Result<String> {
        let text = serde_json::to_vec(value)
            .map_err(|e| Error::bug(format!("{what} cannot be written as JSON: {e}")).because(e))?;
        Ok(self.add(text))
    }
}

impl Lake {
    /// Writes the objects that this process has neither read nor written yet; returns their paths.
    pub(crate) async fn put_objects(&self, new: NewObjects) -> Result<Vec<String>> {
        let known = |hash: &String| self.objects().contains_key(hash);
        let unknown: Vec<(String, Bytes)> = new.objects.into_iter().filter(|(hash, _)| !known(hash)).collect();
        let puts = unknown.into_iter().map(|(hash, content)| async move {
            let path = object_path(&hash);
            let put = self.store().put(&self.path(&path), PutPayload::from_bytes(content.clone())).await;
            put.map_err(|e| self.failed(&format!("write {path} to"), e))?;
            self.objects().insert(hash, content);
            Ok(path)
        });
        futures::stream::iter(puts).buffer_unordered(OBJECTS_AT_ONCE).try_collect().await
    }

    /// Forgets the objects that were read of a release which is no longer the newest: they may have been removed since.
    pub(crate) async fn forget_if_old(&self) -> Result<()> {
        if self.objects().is_empty() {
            return Ok(());
        }
        let read = self.last_read().as_ref().map(|(number, ..)| *number);
        if read.is_none() || read != self.latest_number().await? {
            self.objects().clear();
            *self.last_read() = None;
        }
        Ok(())
    }

    /// An object by its hash.
    ///
    /// # Errors
    /// `Data` when it is missing or does not have the content that its name says, `Unreachable` when the store fails.
    pub async fn object(&self, hash: &str) -> Result<Bytes> {
        if let Some(known) = self.objects().get(hash) {
            return Ok(known.clone());
        }
        let content = self.read_object(hash).await?;
        self.objects().insert(hash.to_string(), content.clone());
        Ok(content)
    }

    /// An object as it is in the store.
    pub(crate) async fn read_object(&self, hash: &str) -> Result<Bytes> {
        let path = object_path(hash);
        let content = self.read(&path).await?.ok_or_else(|| Damaged::missing(&path))?;
        match digest([&content]) == hash {
            true => Ok(content),
            false => Err(Damaged::changed(&path).into()),
        }
    }

    /// An object that holds a value as JSON.
    pub(crate) async fn object_json<T: DeserializeOwned>(&self, hash: &str) -> Result<T> {
        let content = self.object(hash).await?;
        serde_json::from_slice(&content)
            .map_err(|e| Error::data(format!("{} cannot be read: {e}", object_path(hash))).because(e))
    }
}

/// The path of an object below the lake's root.
pub(crate) fn object_path(hash: &str) -> String {
    format!("{}/{}/{hash}", objects_folder(), hash.get(..2).unwrap_or("00"))
}

/// The folder of all objects below the lake's root.
pub(crate) fn objects_folder() -> String {
    format!("{RECORDS}/objects")
}

/// The hash of the object that has a path.
pub(crate) fn object_hash(path: &str) -> Option<String> {
    path.rsplit('/').next().filter(|hash| object_path(hash) == path).map(str::to_string)
}
