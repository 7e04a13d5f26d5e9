//! On the local disk, files are synced before a record names them, so that a power failure cannot leave a release
//! whose files are empty. Object stores guarantee this for every put.

use super::open::Lake;
use perennial_core::error::{Error, Result};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

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
