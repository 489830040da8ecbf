//! The port to where policy files lie: what is there, and its versions.
//!
//! A folder and a bucket implement it. Which version is in force is not its affair.

use std::fmt;

use async_trait::async_trait;

use crate::clock::rfc3339;
use crate::model::UnixSeconds;
use crate::ports::PortError;

/// Where policy files lie.
#[async_trait]
pub trait Shelf: Send + Sync {
    /// Where that is, for messages.
    fn place(&self) -> String;

    /// The policy files that are there now. A file that was removed is not.
    async fn list(&self) -> Result<Vec<Listed>, PortError>;

    /// The newest version of `file`; none where it was removed since it was listed.
    async fn newest(&self, file: &str) -> Result<Option<Edition>, PortError>;

    /// The versions of `file` before `newest`, as far back as they are kept or the file was there
    /// without a break.
    async fn earlier(&self, file: &str, newest: &Mark) -> Result<Earlier, PortError>;

    /// The text of one of the earlier versions.
    async fn read(&self, file: &str, version: &Mark) -> Result<Text, PortError>;
}

/// A file in a listing.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its full name.
    pub file: String,
    /// Another one whenever its text is another.
    pub stamp: String,
    /// When it was written.
    pub written: UnixSeconds,
}

/// A version of a file with its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Edition {
    /// Which version.
    pub mark: Mark,
    /// The same as in a listing that shows this version.
    pub stamp: String,
    /// The text.
    pub text: Text,
}

/// A file's text, or what was found in its place.
pub type Text = Result<String, String>;

/// Tells a file's versions apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// The version's id; empty where there is only ever one version.
    pub id: String,
    /// When it was written.
    pub written: UnixSeconds,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = rfc3339(self.written);
        if self.id.is_empty() {
            write!(f, "the text of {at}")
        } else {
            write!(f, "version {} of {at}", self.id)
        }
    }
}

/// The versions before the newest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Earlier {
    /// Newest first.
    pub versions: Vec<Mark>,
    /// Whether the file was removed before the oldest of them was written: what lay there before
    /// that is not to come back.
    pub removed_before: bool,
}

/// Bytes as a file's text.
pub fn text(bytes: Vec<u8>) -> Text {
    String::from_utf8(bytes).map_err(|_| "bytes that are not UTF-8 text".to_owned())
}
