//! Who can read what a run leaves behind.
#![cfg(unix)]

use crate::support::{perennial, run};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Every file and folder below a folder with its permissions.
fn modes(folder: &Path) -> Vec<(PathBuf, bool, u32)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let about = std::fs::symlink_metadata(&path).unwrap();
        found.push((path.clone(), about.is_dir(), about.permissions().mode() & 0o777));
        if about.is_dir() {
            found.extend(modes(&path));
        }
    }
    found
}

/// Rows in the lake are for the owner and the group, pages for everybody, whatever the account's umask is.
#[test]
fn files_have_the_modes_of_the_project() {
    for (umask, settings, file, page) in [
        ("000", "", 0o640, 0o644),
        ("022", "", 0o640, 0o644),
        ("077", "", 0o600, 0o644),
        ("077", "file_mode: 0640\npage_mode: 0640\n", 0o640, 0o640),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("company");
        let init = ["demo".as_ref(), project.as_os_str(), "--customers".as_ref(), "60".as_ref(), "--no-run".as_ref()];
        run(init).ended(0);
        let text = std::fs::read_to_string(project.join("perennial.yml")).unwrap();
        let others = text.lines().filter(|line| !line.starts_with("file_mode:") && !line.starts_with("page_mode:"));
        let text: String = others.map(|line| format!("{line}\n")).collect();
        std::fs::write(project.join("perennial.yml"), format!("{text}{settings}")).unwrap();
        let program = perennial(["run", "--project"]).get_program().to_owned();
        let script = format!("umask {umask}; exec \"$0\" run --project \"$1\"");
        let ended = std::process::Command::new("sh").arg("-c").arg(script).arg(program).arg(&project).output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        for (place, wanted) in [("lake", file), ("reports", page)] {
            let found = modes(&project.join(place));
            assert!(found.len() > 5, "{place}: {found:?}");
            for (path, is_folder, mode) in found {
                let wanted = if is_folder { wanted | (wanted >> 2 & 0o111) } else { wanted };
                assert_eq!(format!("{mode:o}"), format!("{wanted:o}"), "{} under umask {umask}", path.display());
            }
        }
    }
}

/// The lock is a file of the lake; what a link in its place leads to is not overwritten.
#[test]
fn a_lock_that_is_a_link_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("company");
    run(["demo".as_ref(), project.as_os_str(), "--customers".as_ref(), "60".as_ref(), "--no-run".as_ref()]).ended(0);
    let victim = folder.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    std::fs::create_dir_all(project.join("lake/_perennial")).unwrap();
    std::os::unix::fs::symlink(&victim, project.join("lake/_perennial/lock")).unwrap();
    let ran = run(["run".as_ref(), "--project".as_ref(), project.as_os_str()]).ended(2);
    assert!(ran.stderr.contains("is not a regular file"), "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
}
