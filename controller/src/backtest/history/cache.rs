//! Days that were fetched before, on disk: CloudWatch bills each metric it is asked for.
//!
//! Owns files and their names. A day is kept only when it will not change any more; whoever reads
//! decides that. Nothing here fails a command: a file that cannot be read or written is a note.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::recording::{Metric, Points, Subject};
use crate::clock::timestamp;
use crate::model::UnixSeconds;

/// The files' version; others are fetched anew.
const VERSION: u32 = 1;

/// A folder of days, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    folder: Option<PathBuf>,
}

/// What tells a day from every other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayKey {
    /// Where it is from: the region, or the endpoint that stands for it, and whose account it is.
    pub origin: String,
    /// Of what.
    pub subject: Subject,
    /// Seconds of a period.
    pub period: i64,
    /// When the day begins, in Unix seconds.
    pub from: i64,
}

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    key: DayKey,
    points: BTreeMap<Metric, Points>,
}

impl Cache {
    /// Keeps days in this folder.
    pub fn at(folder: PathBuf) -> Self {
        Self {
            folder: Some(folder),
        }
    }

    /// Keeps days where the user's programs keep what they can fetch again; nowhere, where there is
    /// no such place.
    pub fn of_user() -> Self {
        use etcetera::BaseStrategy as _;
        let folder = etcetera::choose_base_strategy()
            .map(|user| user.cache_dir().join("weir").join("cloudwatch"));
        Self {
            folder: folder.ok(),
        }
    }

    /// Keeps nothing.
    pub fn none() -> Self {
        Self { folder: None }
    }

    /// The folder, where there is one.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// A day that was kept. A file that is no such day is set aside, under its name with
    /// `.broken`, and `notes` says so.
    pub fn get(&self, key: &DayKey, notes: &mut Vec<String>) -> Option<BTreeMap<Metric, Points>> {
        let path = self.path(key)?;
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                notes.push(format!("{} cannot be read ({error})", path.display()));
                return None;
            }
        };
        match serde_json::from_slice::<File>(&text) {
            Ok(file) if file.version == VERSION && file.key == *key => Some(file.points),
            Ok(file) if file.version != VERSION => None,
            _ => {
                notes.push(set_aside(&path));
                None
            }
        }
    }

    /// Keeps a day: all of the file is there, or none of it.
    pub fn put(&self, key: &DayKey, points: BTreeMap<Metric, Points>, notes: &mut Vec<String>) {
        let Some(path) = self.path(key) else { return };
        let file = File {
            version: VERSION,
            key: key.clone(),
            points,
        };
        if let Err(error) = write(&path, &file) {
            let note = format!(
                "what was fetched is not kept: {} cannot be written ({error})",
                path.display()
            );
            // Days come by the dozen, and fail for one reason.
            if notes
                .iter()
                .all(|other| !other.starts_with("what was fetched is not kept"))
            {
                notes.push(note);
            }
        }
    }

    /// `thumbnails-a1b2c3d4e5f6/60s/2026-11-20.json`: readable, and apart for whatever else is in the key.
    fn path(&self, key: &DayKey) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?;
        let whole = format!(
            "{}\n{}\n{}",
            key.origin, key.subject.queue, key.subject.group
        );
        let digest = Sha256::digest(whole.as_bytes());
        let digest = digest
            .iter()
            .take(6)
            .fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
        let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let queue: String = key.subject.queue.chars().filter(is_plain).collect();
        let day = timestamp(UnixSeconds(key.from as f64)).strftime("%Y-%m-%d.json");
        let subject = folder.join(format!("{queue}-{digest:012x}"));
        Some(
            subject
                .join(format!("{}s", key.period))
                .join(day.to_string()),
        )
    }
}

fn set_aside(path: &Path) -> String {
    let aside = path.with_extension("json.broken");
    match std::fs::rename(path, &aside) {
        Ok(()) => format!(
            "{} is no day of this history: set aside as {}, and fetched anew",
            path.display(),
            aside.display()
        ),
        Err(error) => format!(
            "{} is no day of this history, and cannot be set aside ({error}); fetched anew",
            path.display()
        ),
    }
}

fn write(path: &Path, file: &File) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)?;
    let mut whole = NamedTempFile::new_in(folder)?;
    whole.write_all(&serde_json::to_vec(file)?)?;
    whole.persist(path)?;
    Ok(())
}
