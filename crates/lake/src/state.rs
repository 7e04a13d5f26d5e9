//! Small objects beside the releases that say how the operation stands: what was sent, what the scheduler has done, who
//! was told. They belong to no release. Each is written whole; one that must not be written twice is created under the
//! condition that it does not exist yet, which decides between processes.

use super::durable::{self, TEMPORARY};
use super::open::{Lake, RECORDS};
use object_store::PutMode;
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
        // What another process is just writing, or was killed over, is not an object yet.
        let whole = found.into_iter().filter(|(path, _)| !path.ends_with(TEMPORARY));
        let mut names: Vec<String> =
            whole.filter_map(|(path, _)| Some(path.strip_prefix(&prefix)?.to_string())).collect();
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
    pub async fn put_state(&self, folder: StateFolder, name: &str, content: impl Into<Vec<u8>>) -> Result<()> {
        durable::write(self, &folder.path(name), content.into(), PutMode::Overwrite).await.map(drop)
    }

    /// Creates an object unless one of its name exists, and says whether it did: of several processes one is told so. When
    /// this returns, it survives a power failure.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn create_state(&self, folder: StateFolder, name: &str, content: impl Into<Vec<u8>>) -> Result<bool> {
        durable::write(self, &folder.path(name), content.into(), PutMode::Create).await
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn of_many_who_create_an_object_one_does_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().to_str().unwrap()).await.unwrap();
        let create = |writer: u32| {
            let lake = lake.clone();
            let name = "2026-10/a/2-sending.json";
            async move { lake.create_state(StateFolder::Outbox, name, writer.to_string()).await.unwrap().then_some(writer) }
        };
        let tasks: Vec<_> = (0..20).map(|writer| tokio::spawn(create(writer))).collect();
        let mut winners = Vec::new();
        for task in tasks {
            winners.extend(task.await.unwrap());
        }
        let [winner] = winners.try_into().unwrap();
        let content = lake.read_state(StateFolder::Outbox, "2026-10/a/2-sending.json").await.unwrap().unwrap();
        assert_eq!(content, winner.to_string());
        let folder = folder.path().join("_perennial/outbox/2026-10/a");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        // What a process that was killed has begun to write is not an object.
        std::fs::write(folder.join("3-sent.json.00ff.tmp"), "{").unwrap();
        let names = lake.state_names(StateFolder::Outbox).await.unwrap();
        assert_eq!(names, ["2026-10/a/2-sending.json"]);
        lake.put_state(StateFolder::Outbox, "2026-10/a/2-sending.json", "other").await.unwrap();
        let content = lake.read_state(StateFolder::Outbox, "2026-10/a/2-sending.json").await.unwrap().unwrap();
        assert_eq!(content, "other");
    }
}
