//! On the local disk, files are synced before a record names them, so that a power failure cannot leave a release
//! whose files are empty. Object stores guarantee this for every put.

use super::open::Lake;
use object_store::{ObjectStoreExt, PutMode, PutPayload};
use perennial_core::error::{Error, Result};
use std::collections::BTreeSet;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What the name of a file ends in while it is written.
pub(crate) const TEMPORARY: &str = ".tmp";

/// Writes a small file, and returns whether it was: `PutMode::Create` writes none over another. In a folder it is synced
/// before it has its name, so that a power failure leaves no part of it.
pub(crate) async fn write(lake: &Lake, path: &str, bytes: Vec<u8>, mode: PutMode) -> Result<bool> {
    let (store, place) = (lake.store(), lake.path(path));
    let failed = |error| lake.failed(&format!("write {path} to"), error);
    let payload = PutPayload::from(bytes);
    let written = if lake.folder().is_none() {
        store.put_opts(&place, payload, mode.into()).await.map(drop)
    } else {
        let temporary = temporary_of(path);
        let from = lake.path(&temporary);
        store.put(&from, payload).await.map_err(failed)?;
        sync(lake, vec![temporary.clone()]).await?;
        match mode {
            PutMode::Create => {
                let renamed = store.rename_if_not_exists(&from, &place).await;
                if renamed.is_err() {
                    lake.delete(&temporary).await?;
                }
                renamed
            }
            _ => store.rename(&from, &place).await,
        }
    };
    match written {
        Ok(()) => {
            sync(lake, vec![path.to_string()]).await?;
            Ok(true)
        }
        Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

/// A name beside a file that no other writer of it has, whatever the process or machine.
fn temporary_of(path: &str) -> String {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    // The keys of a map are random for each process and thread.
    let random = RandomState::new().hash_one((std::process::id(), number));
    format!("{path}.{random:016x}{TEMPORARY}")
}

/// Syncs files (paths below the lake's root) and the folders they are in to the disk.
pub(crate) async fn sync(lake: &Lake, paths: Vec<String>) -> Result<()> {
    let Some(folder) = lake.folder().map(Path::to_path_buf) else { return Ok(()) };
    if paths.is_empty() {
        return Ok(());
    }
    let location = lake.location();
    match tokio::task::spawn_blocking(move || sync_files(&folder, &paths)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Error::unreachable(format!("cannot sync the lake {location} to disk: {error}"))),
        Err(error) => Err(Error::bug(format!("a task that syncs the lake to disk has stopped: {error}"))),
    }
}

fn sync_files(folder: &Path, paths: &[String]) -> std::io::Result<()> {
    let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
    for path in paths {
        let path = folder.join(path);
        File::open(&path)?.sync_all()?;
        folders.extend(path.ancestors().skip(1).take_while(|p| p.starts_with(folder)).map(Path::to_path_buf));
    }
    if cfg!(unix) {
        for folder in folders {
            File::open(folder)?.sync_all()?;
        }
    }
    Ok(())
}
