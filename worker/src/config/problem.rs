//! What is wrong with a configuration file, said so that a person can mend it.
//!
//! It owns the wording's frame and must not judge a value.

use std::fmt;

use serde::Serialize;
use weir_yaml::Place;

/// One thing wrong with a file. As JSON, a stable shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    pub(crate) file: String,
    /// None for what concerns the whole file.
    #[serde(flatten)]
    pub(crate) place: Option<Place>,
    /// Such as `queues[1].weight`; empty for the whole file.
    pub(crate) key: String,
    pub(crate) found: String,
    pub(crate) allowed: String,
    /// What to do next; may be empty.
    pub(crate) advice: String,
    #[serde(skip)]
    pub(crate) source_line: String,
}

/// Everything wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl Problem {
    /// What concerns the whole file.
    pub(super) fn of_file(file: &str, found: impl Into<String>, allowed: &str) -> Self {
        Self {
            file: file.to_owned(),
            place: None,
            key: String::new(),
            found: found.into(),
            allowed: allowed.to_owned(),
            advice: String::new(),
            source_line: String::new(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some(Place { line, column }) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " found {}, allowed is {}", self.found, self.allowed)?;
        if !self.advice.is_empty() {
            write!(f, "; {}", self.advice)?;
        }
        let Some(place) = self.place.filter(|_| !self.source_line.trim().is_empty()) else {
            return Ok(());
        };
        let number = place.line.to_string();
        let gutter = " ".repeat(number.len());
        // Tabs are kept in the caret's indent, so that it stands below its character.
        let before = self.source_line.chars().take(place.column - 1);
        let indent: String = before.map(|c| if c == '\t' { c } else { ' ' }).collect();
        write!(
            f,
            "\n {number} | {}\n {gutter} | {indent}^",
            self.source_line
        )
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(f, "{problem}")?;
        }
        let many = self.0.len();
        let plural = if many == 1 { "problem" } else { "problems" };
        write!(f, "{many} {plural} in the configuration file")
    }
}
