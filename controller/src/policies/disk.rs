//! Policy files on the disk: one version each, the present one.

use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use async_trait::async_trait;

use super::shelf::{Earlier, Edition, Listed, Mark, Shelf, Text};
use crate::model::UnixSeconds;
use crate::policy::yaml_files;
use crate::ports::PortError;

/// A file, or a folder of `*.yaml`.
#[derive(Clone, Debug)]
pub struct Disk {
    path: PathBuf,
}

impl Disk {
    /// What `path` names.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

#[async_trait]
impl Shelf for Disk {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    async fn list(&self) -> Result<Vec<Listed>, PortError> {
        let files = yaml_files(&self.path).map_err(|error| unreadable(&self.path, error))?;
        let mut listed = Vec::new();
        for file in files {
            if let Some(edition) = edition(&file)? {
                listed.push(Listed {
                    file: file.display().to_string(),
                    stamp: edition.stamp,
                    written: edition.mark.written,
                });
            }
        }
        Ok(listed)
    }

    async fn newest(&self, file: &str) -> Result<Option<Edition>, PortError> {
        edition(Path::new(file))
    }

    async fn earlier(&self, _: &str, _: &Mark) -> Result<Earlier, PortError> {
        Ok(Earlier::default())
    }

    async fn read(&self, file: &str, version: &Mark) -> Result<Text, PortError> {
        let what = format!("{version} of {file} is gone: the disk keeps no versions");
        Err(PortError::Refused { what })
    }
}

/// Policies are small: their text is its own stamp.
fn edition(file: &Path) -> Result<Option<Edition>, PortError> {
    let read =
        std::fs::metadata(file).and_then(|about| Ok((about.modified()?, std::fs::read(file)?)));
    let (modified, bytes) = match read {
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(file, error)),
    };
    let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Some(Edition {
        mark: Mark {
            id: String::new(),
            written: UnixSeconds(since.as_secs_f64()),
        },
        stamp: String::from_utf8_lossy(&bytes).into_owned(),
        text: super::shelf::text(bytes),
    }))
}

fn unreadable(path: &Path, error: io::Error) -> PortError {
    PortError::Unavailable {
        what: format!("cannot read {}", path.display()),
        source: Box::new(error),
    }
}
