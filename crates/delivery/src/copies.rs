//! Copies of pages: a static site in a folder or an object store.

use super::outcome::{Outcome, Reason};
use bytes::Bytes;
use object_store::path::Path as StorePath;
use object_store::{Attribute, Attributes, ObjectStore, PutOptions};
use perennial_core::error::{Error, Result};
use perennial_core::file;
use perennial_core::location::scrub;
use perennial_core::store;
use std::path::Path;
use std::sync::Arc;

/// Pages are replaced under the same address, so that browsers and caches ask whether theirs is still the newest.
const CACHE_CONTROL: &str = "no-cache";

/// A file of a site.
#[derive(Clone, Debug)]
pub struct SiteFile {
    /// Its path below the site's root: `management-review/2026-09/en.html`.
    pub path: String,
    /// Its content.
    pub content: Bytes,
}

/// Copies files below a folder. Each appears whole, indexes after the pages to which they lead; those that are there and
/// the same are not touched, and nothing is deleted.
pub fn copy_to_folder(files: &[SiteFile], folder: &Path) -> Outcome {
    let mut written = 0;
    for site_file in in_order(files) {
        let copied = checked(site_file).and_then(|path| copy(&folder.join(path), &site_file.content));
        match copied {
            Ok(true) => written += 1,
            Ok(false) => {}
            Err(error) => return Outcome::Failed(error.into()),
        }
    }
    Outcome::Sent { answer: said(written, files.len()) }
}

/// Copies files below a location of an object store (`s3://bucket/site`), with content types, so that the store or a server
/// before it shows them as a site. Indexes are written after the pages to which they lead, and nothing is deleted.
pub async fn copy_to_store(files: &[SiteFile], location: &str) -> Outcome {
    match store::open(location) {
        Ok((store, prefix)) => copy_into(files, &store, &prefix, location).await,
        Err(error) => Outcome::Failed(error.into()),
    }
}

pub(crate) async fn copy_into(
    files: &[SiteFile],
    store: &Arc<dyn ObjectStore>,
    prefix: &StorePath,
    location: &str,
) -> Outcome {
    for file in in_order(files) {
        // Parsed and not joined, which would encode every character but those of ASCII.
        let path = checked(file).and_then(|path| {
            StorePath::parse(format!("{prefix}/{path}"))
                .map_err(|e| Error::project(format!("{path} cannot be written to {location}: {e}")))
        });
        let path = match path {
            Ok(path) => path,
            Err(error) => return Outcome::Failed(error.into()),
        };
        let attributes = Attributes::from_iter([
            (Attribute::ContentType, content_type(&file.path)),
            (Attribute::CacheControl, CACHE_CONTROL),
        ]);
        let options = PutOptions { attributes, ..PutOptions::default() };
        if let Err(error) = store.put_opts(&path, file.content.clone().into(), options).await {
            let text = scrub(&error.to_string());
            // The store's answer in XML says nothing that its status does not.
            let text = text.split("<?xml").next().unwrap_or(&text).trim_end_matches([':', ' ']);
            let reason = Reason::new(format!("cannot write {} to {location}: {text}", file.path));
            return Outcome::Failed(
                reason.hint("check that the bucket exists and that the access keys may write to it"),
            );
        }
    }
    Outcome::Sent { answer: said(files.len(), files.len()) }
}

/// Pages first, then indexes from the deepest to the root's.
fn in_order(files: &[SiteFile]) -> Vec<&SiteFile> {
    let mut ordered: Vec<&SiteFile> = files.iter().collect();
    let depth = |file: &SiteFile| file.path.matches('/').count();
    ordered.sort_by_key(|file| {
        let is_index = file.path.rsplit('/').next() == Some("index.html");
        (is_index, if is_index { usize::MAX - depth(file) } else { 0 })
    });
    ordered
}

/// The path of a file, which leads out of no folder.
fn checked(file: &SiteFile) -> Result<&str> {
    let is_name = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':', '\0']);
    match file.path.split('/').all(is_name) {
        true => Ok(&file.path),
        false => Err(Error::bug(format!("`{}` cannot be the path of a page", file.path))),
    }
}

/// Writes a file unless it is there and the same, and says whether it did.
fn copy(path: &Path, content: &[u8]) -> Result<bool> {
    if std::fs::metadata(path).is_ok_and(|meta| meta.len() == content.len() as u64)
        && std::fs::read(path).is_ok_and(|there| there == content)
    {
        return Ok(false);
    }
    let failed = |e: std::io::Error| {
        Error::unreachable(format!("cannot write {}: {e}", path.display()))
            .hint("check that the folder can be written to and that the disk has space")
    };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    file::replace(path, content).map_err(failed)?;
    Ok(true)
}

fn said(written: usize, all: usize) -> String {
    format!("{written} of {all} files written")
}

/// The type of a file by the ending of its name.
fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "txt" | "md" => "text/plain; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        _ => "application/octet-stream",
    }
}
