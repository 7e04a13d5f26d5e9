//! Gives `perennial --version` the commit that is built: that of `PERENNIAL_COMMIT`, else of the repository.

#![allow(clippy::print_stdout, reason = "Cargo reads what a build script prints")]

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PERENNIAL_COMMIT");
    let given = std::env::var("PERENNIAL_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = given.or_else(of_repository).unwrap_or_else(|| "unknown".to_string());
    println!("cargo::rustc-env=PERENNIAL_VERSION={} ({commit})", env!("CARGO_PKG_VERSION"));
}

/// The commit of the repository that this folder is the root of; it may lie in a repository of something else.
fn of_repository() -> Option<String> {
    if Path::new(&git(&["rev-parse", "--show-toplevel"])?).canonicalize().ok()? != Path::new(".").canonicalize().ok()? {
        return None;
    }
    // Written whenever HEAD moves: by commits, checkouts and rebases.
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

/// What git answers.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_string()).filter(|text| !text.is_empty())
}
