//! A changed policy's way to its file: whole or not at all.
//!
//! Owns the file. It must not know what stands in it.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::edit::Edit;

/// Why a file was not written. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// Somebody changed it since it was read.
    #[error("{}: has changed since it was read; run it again", .file.display())]
    Changed {
        /// The file.
        file: PathBuf,
    },
    /// The disk refused.
    #[error("{}: cannot be written, and is as it was", .file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// Its reason.
        source: io::Error,
    },
}

/// A new text beside its file, with the file's permissions, not yet in its place. Dropped, it
/// leaves nothing behind.
#[derive(Debug)]
pub struct Staged {
    file: PathBuf,
    target: PathBuf,
    before: String,
    text: NamedTempFile,
}

impl Staged {
    /// Lays a change's text beside its file; where the file is a link, beside what it leads to.
    pub fn new(file: &Path, edit: &Edit) -> Result<Self, NotWritten> {
        let refused = |source| NotWritten::Io {
            file: file.to_owned(),
            source,
        };
        let target = fs::canonicalize(file).map_err(refused)?;
        let folder = target.parent().unwrap_or(Path::new("."));
        let staged = || -> io::Result<NamedTempFile> {
            let mut text = NamedTempFile::new_in(folder)?;
            text.write_all(edit.after.as_bytes())?;
            text.as_file()
                .set_permissions(fs::metadata(&target)?.permissions())?;
            text.as_file().sync_all()?;
            Ok(text)
        };
        let text = staged().map_err(refused)?;
        Ok(Self {
            file: file.to_owned(),
            target,
            before: edit.before.clone(),
            text,
        })
    }

    /// Puts it in the file's place, in one step, if the file is still what was read.
    pub fn put(self) -> Result<(), NotWritten> {
        let Self {
            file,
            target,
            before,
            text,
        } = self;
        match fs::read_to_string(&target) {
            Ok(now) if now == before => {}
            Ok(_) => return Err(NotWritten::Changed { file }),
            Err(source) => return Err(NotWritten::Io { file, source }),
        }
        match text.persist(&target) {
            Ok(_) => Ok(()),
            Err(error) => Err(NotWritten::Io {
                file,
                source: error.error,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit() -> Edit {
        Edit {
            before: "before\n".to_owned(),
            after: "after\n".to_owned(),
        }
    }

    /// A folder with one file that holds what the edit is of.
    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.yaml");
        fs::write(&file, "before\n").unwrap();
        (folder, file)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_file_is_the_old_one_until_it_is_the_new_one() {
        let (folder, file) = folder();
        let staged = Staged::new(&file, &edit()).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "before\n");
        staged.put().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "after\n");
        assert_eq!(names(folder.path()), ["policy.yaml"]);
    }

    #[test]
    fn what_is_interrupted_leaves_the_old_file_and_nothing_else() {
        let (folder, file) = folder();
        drop(Staged::new(&file, &edit()).unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "before\n");
        assert_eq!(names(folder.path()), ["policy.yaml"]);
    }

    #[test]
    fn another_ones_change_is_not_overwritten() {
        let (folder, file) = folder();
        let staged = Staged::new(&file, &edit()).unwrap();
        fs::write(&file, "another's\n").unwrap();
        let error = staged.put().unwrap_err();
        assert!(error.to_string().ends_with("run it again"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "another's\n");
        assert_eq!(names(folder.path()), ["policy.yaml"]);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_stay() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let (folder, file) = folder();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let link = folder.path().join("link.yaml");
        symlink("policy.yaml", &link).unwrap();
        Staged::new(&link, &edit()).unwrap().put().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "after\n");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o640
        );
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let (folder, _) = folder();
        let error = Staged::new(&folder.path().join("no.yaml"), &edit()).unwrap_err();
        assert!(
            error.to_string().contains("no.yaml: cannot be written"),
            "{error}"
        );
    }
}
