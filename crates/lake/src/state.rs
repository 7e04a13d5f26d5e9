//! Small objects beside the releases that say how the operation stands: what was sent, what the scheduler has done, who
//! was told. They belong to no release. Each is written whole; one that must not be written twice is created under the
//! condition that it does not exist yet, which decides between processes.

use super::durable;
use super::open::{Lake, RECORDS};
use object_store::{ObjectStoreExt, PutMode, PutPayload};
use perennial_core::error::Result;

/// The folders of such objects below `_perennial`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateFolder {
    /// What was sent to whom.
    Outbox,
    /// What the scheduler has planned and done.
    Schedule,
    /// Who was told of what.
    Notices,
    /// What runs that failed had finished, for `retry`.
    Journals,
}

impl StateFolder {
    /// Its name.
    fn name(self) -> &'static str {
        match self {
            StateFolder::Outbox => "outbox",
            StateFolder::Schedule => "schedule",
            StateFolder::Notices => "notices",
            StateFolder::Journals => "journals",
        }
    }

    /// The month `2026-10` in whose folder an object is; `None` for objects elsewhere.
    pub(crate) fn month_of(self, path: &str) -> Option<&str> {
        let (month, _) = path.strip_prefix(&self.path(""))?.split_once('/')?;
        month.starts_with(|c: char| c.is_ascii_digit()).then_some(month)
    }

    fn path(self, name: &str) -> String {
        format!("{RECORDS}/{}/{name}", self.name())
    }
}

impl Lake {
    /// The names of the objects of a folder (`2026-10/abc.json`), ascending.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn state_names(&self, folder: StateFolder) -> Result<Vec<String>> {
        self.state_names_below(folder, "").await
    }

    /// The names of those in a folder of such a folder (`2026-10`), ascending; each is given whole, with that folder.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn state_names_below(&self, folder: StateFolder, below: &str) -> Result<Vec<String>> {
        let prefix = folder.path("");
        let found = self.list(folder.path(below).trim_end_matches('/')).await?;
        let mut names: Vec<String> =
            found.into_iter().filter_map(|(path, _)| Some(path.strip_prefix(&prefix)?.to_string())).collect();
        names.sort();
        Ok(names)
    }

    /// An object; `None` where it does not exist.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn read_state(&self, folder: StateFolder, name: &str) -> Result<Option<bytes::Bytes>> {
        self.read(&folder.path(name)).await
    }

    /// Writes an object, over one of its name. When this returns, it survives a power failure.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn put_state(&self, folder: StateFolder, name: &str, content: impl Into<PutPayload>) -> Result<()> {
        let path = folder.path(name);
        let put = self.store().put(&self.path(&path), content.into()).await;
        put.map_err(|error| self.failed(&format!("write {path} to"), error))?;
        durable::sync(self, vec![path]).await
    }

    /// Creates an object unless one of its name exists, and says whether it did: of several processes one is told so. When
    /// this returns, it survives a power failure.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn create_state(&self, folder: StateFolder, name: &str, content: impl Into<PutPayload>) -> Result<bool> {
        let path = folder.path(name);
        match self.store().put_opts(&self.path(&path), content.into(), PutMode::Create.into()).await {
            Ok(_) => {}
            Err(object_store::Error::AlreadyExists { .. }) => return Ok(false),
            Err(error) => return Err(self.failed(&format!("write {path} to"), error)),
        }
        durable::sync(self, vec![path]).await?;
        Ok(true)
    }

    /// Deletes an object, if it exists.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn delete_state(&self, folder: StateFolder, name: &str) -> Result<()> {
        let path = folder.path(name);
        self.delete(&path).await?;
        // Object stores have no folders. On a disk, empty ones would pile up and be listed; one that is not empty stays.
        if let (Some(root), Some((below, _))) = (self.folder(), name.rsplit_once('/')) {
            std::fs::remove_dir(root.join(folder.path(below))).ok();
        }
        Ok(())
    }
}
