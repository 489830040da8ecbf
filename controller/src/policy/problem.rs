//! What is wrong with a policy file, said so that a person can mend it: place, key, what was
//! found, what is allowed, what to do.
//!
//! Owns the wording's frame and its two forms, text and JSON. It must not judge a value.

use std::fmt::{self, Write as _};

use serde::Serialize;
pub use weir_yaml::Place;

/// One thing wrong with a policy file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, as it was named on the command line.
    pub file: String,
    /// Where in it; none for what concerns the whole file.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// The key's path, such as `fleet.min` or `queues[1].weight`; empty for the whole file.
    pub key: String,
    /// What stands there.
    pub found: String,
    /// What may stand there.
    pub allowed: String,
    /// What to do next; may be empty.
    pub advice: String,
    /// The line itself.
    #[serde(skip)]
    pub source_line: String,
}

impl Problem {
    /// `file:line:column: key: found …, allowed …; advice`, on one line.
    pub fn headline(&self) -> String {
        let mut text = match self.place {
            Some(Place { line, column }) => format!("{}:{line}:{column}: ", self.file),
            None => format!("{}: ", self.file),
        };
        if !self.key.is_empty() {
            text.push_str(&self.key);
            text.push_str(": ");
        }
        let _ = write!(text, "found {}, allowed {}", self.found, self.allowed);
        if !self.advice.is_empty() {
            text.push_str("; ");
            text.push_str(&self.advice);
        }
        text
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline())?;
        let Some(place) = self.place.filter(|_| !self.source_line.trim().is_empty()) else {
            return Ok(());
        };
        let number = place.line.to_string();
        let gutter = " ".repeat(number.len());
        // Tabs are kept in the caret's indent, so that it stands below its character.
        let indent: String = self
            .source_line
            .chars()
            .take(place.column.saturating_sub(1))
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        write!(
            f,
            "\n {number} | {}\n {gutter} | {indent}^",
            self.source_line
        )
    }
}

/// Everything wrong with the policies that were read; at least one problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            write!(f, "{gap}{problem}")?;
        }
        Ok(())
    }
}
