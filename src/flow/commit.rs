//! The commit that is checked out in the project's folder, so that a record says which files a run was made with.

use std::path::Path;
use std::process::Command;

/// The hash of the commit, with `-dirty` where the folder's files differ from it; `None` without git or a repository.
pub(super) fn of_folder(root: &Path) -> Option<String> {
    let git = |arguments: &[&str]| {
        // A status must not take git's own lock from somebody who works in the folder.
        let output =
            Command::new("git").arg("--no-optional-locks").arg("-C").arg(root).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let commit = git(&["rev-parse", "--verify", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no", "--", "."])?;
    Some(if changes.is_empty() { commit } else { format!("{commit}-dirty") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_outside_of_a_repository_has_no_commit() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(of_folder(folder.path()), None);
    }

    #[test]
    fn changed_files_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| {
            let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
            let ran = Command::new("git").arg("-C").arg(folder.path()).args(identity).args(arguments).output().unwrap();
            assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        };
        std::fs::write(folder.path().join("perennial.yml"), "name: A\n").unwrap();
        git(&["init", "--quiet"]);
        assert_eq!(of_folder(folder.path()), None, "nothing is committed yet");
        git(&["add", "."]);
        git(&["commit", "--quiet", "-m", "Begin"]);
        let clean = of_folder(folder.path()).unwrap();
        assert!(clean.len() == 40 && clean.bytes().all(|b| b.is_ascii_hexdigit()), "{clean}");
        std::fs::write(folder.path().join("perennial.yml"), "name: B\n").unwrap();
        assert_eq!(of_folder(folder.path()), Some(format!("{clean}-dirty")));
    }
}
