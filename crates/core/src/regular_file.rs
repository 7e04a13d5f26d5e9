//! Files that end: a pipe, a device or a socket in the place of a file would be waited for, and with it the lock of a run.

use std::fs::{File, FileType, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Opening does not wait for the other end of a pipe (`O_NONBLOCK`, as the systems' binary interfaces fix it).
#[cfg(any(target_os = "linux", target_os = "android"))]
const NO_WAIT: i32 = 0o4000;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
const NO_WAIT: i32 = 0x4;

/// Opens a file for reading, following links.
///
/// # Errors
/// Of kind `InvalidInput` when it is not a regular file, and as [`File::open`].
pub fn open(path: &Path) -> Result<File> {
    // A device may do something when it is opened, and a socket cannot be.
    check(std::fs::metadata(path)?.file_type())?;
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, NO_WAIT);
    let file = options.open(path)?;
    // It may have been replaced meanwhile.
    check(file.metadata()?.file_type())?;
    Ok(file)
}

/// The bytes of a file.
///
/// # Errors
/// As [`open`].
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of a file.
///
/// # Errors
/// As [`open`], and of kind `InvalidData` when it is not UTF-8.
pub fn read_to_string(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

/// What a thing in a folder is that is not a regular file: `a named pipe`.
pub fn kind(file_type: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if file_type.is_fifo() {
            return "a named pipe";
        }
        if file_type.is_socket() {
            return "a socket";
        }
        if file_type.is_block_device() || file_type.is_char_device() {
            return "a device";
        }
    }
    if file_type.is_dir() { "a folder" } else { "not a regular file" }
}

fn check(file_type: FileType) -> Result<()> {
    if file_type.is_file() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidInput, format!("it is {} where a file is expected", kind(file_type))))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_files_are_opened_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("file"), "text").unwrap();
        std::os::unix::fs::symlink(path("file"), path("link")).unwrap();
        assert_eq!(read_to_string(&path("link")).unwrap(), "text");
        assert!(std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        for (name, what) in [("pipe", "a named pipe"), ("socket", "a socket"), (".", "a folder")] {
            let error = open(&path(name)).unwrap_err();
            assert_eq!(error.to_string(), format!("it is {what} where a file is expected"), "{name}");
        }
        let error = open(Path::new("/dev/null")).unwrap_err();
        assert_eq!(error.to_string(), "it is a device where a file is expected");
        assert_eq!(open(&path("none")).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn bytes_that_are_not_text_are_said_to_be_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"\xff").unwrap();
        assert_eq!(read_to_string(&path).unwrap_err().to_string(), "it is not UTF-8");
    }
}
