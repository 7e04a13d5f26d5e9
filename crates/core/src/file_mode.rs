//! Who may read and write the files that the program makes.

use std::fmt;
use std::io::Result;
use std::path::Path;

/// Permissions of files as POSIX has them, in octal: `0640` is read and write for the owner and read for the group.
/// Folders have them as well, and may be entered by whoever may read or write in them.
///
/// ```
/// use perennial_core::file_mode::FileMode;
/// let mode = FileMode::parse("0640").unwrap();
/// assert_eq!((mode.folders(), mode.umask()), (0o750, 0o027));
/// assert!(FileMode::parse("640x").is_none());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FileMode(u32);

impl FileMode {
    /// Read and write for the owner, read for the group.
    pub const GROUP_READS: FileMode = FileMode(0o640);
    /// Read and write for the owner, read for everybody.
    pub const ALL_READ: FileMode = FileMode(0o644);

    /// Three octal digits, also with a zero in front; the owner must be able to read and write, and nobody executes.
    pub fn parse(text: &str) -> Option<FileMode> {
        let digits = text.strip_prefix("0o").or(text.strip_prefix('0')).unwrap_or(text);
        let mode = u32::from_str_radix(digits, 8).ok().filter(|_| digits.len() == 3)?;
        (mode & 0o111 == 0 && mode & 0o600 == 0o600).then_some(FileMode(mode))
    }

    /// The same for folders.
    pub fn folders(self) -> u32 {
        self.0 | (self.0 >> 2 | self.0 >> 1) & 0o111
    }

    /// What a process masks so that its files and folders have these permissions.
    pub fn umask(self) -> u32 {
        0o777 & !self.folders()
    }

    /// Gives a file these permissions, whatever the process masks. Nothing on systems without them.
    ///
    /// # Errors
    /// When the file belongs to somebody else.
    pub fn give_to_file(self, path: &Path) -> Result<()> {
        set(path, self.0)
    }

    /// Makes a folder and those above it that are missing, with these permissions.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub fn create_folders(self, path: &Path) -> Result<()> {
        let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
        std::fs::create_dir_all(path)?;
        missing.into_iter().filter(|folder| !folder.as_os_str().is_empty()).try_for_each(|f| set(f, self.folders()))
    }
}

#[cfg(unix)]
fn set(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set(_path: &Path, _mode: u32) -> Result<()> {
    Ok(())
}

impl fmt::Debug for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_can_be_entered_by_whoever_reads_or_writes() {
        let folders = |text: &str| FileMode::parse(text).map(FileMode::folders);
        assert_eq!(folders("0600"), Some(0o700));
        assert_eq!(folders("0644"), Some(0o755));
        assert_eq!(folders("660"), Some(0o770));
        assert_eq!(folders("0620"), Some(0o730));
        for wrong in ["", "0", "0755", "0400", "0888", "00640", "1640", "rw-r-----", "-640"] {
            assert_eq!(folders(wrong), None, "{wrong}");
        }
    }
}
