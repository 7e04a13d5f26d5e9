//! On the local disk: bytes are forced down before a record names them, so that a power cut cannot leave a release
//! whose files are empty. Object stores promise as much with every put.

use super::open::Lake;
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Forces files (paths below the lake's root) and the folders they are in to the disk.
pub(super) async fn settle(lake: &Lake, paths: Vec<String>) -> Result<()> {
    let Some(folder) = lake.folder().map(Path::to_path_buf) else { return Ok(()) };
    if paths.is_empty() {
        return Ok(());
    }
    let location = lake.location();
    match tokio::task::spawn_blocking(move || force(&folder, &paths)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Error::unreachable(format!("the lake {location} could not be written to disk: {error}"))),
        Err(error) => Err(Error::bug(format!("a task of the lake stopped: {error}"))),
    }
}

fn force(folder: &Path, paths: &[String]) -> std::io::Result<()> {
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
