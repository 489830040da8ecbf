//! What a verdict broke.
//!
//! Owns the independent checker's reasons and their words. What a guarantee is, `check` says.

use std::fmt;

use serde::Serialize;

use crate::model::Instances;

/// Why a verdict is not carried out.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Breach {
    /// The verdict broke a guarantee and is not carried out.
    CheckFailed {
        /// What the verdict wanted.
        wanted: Option<Instances>,
        /// What is kept.
        allowed: Option<Instances>,
        /// What it broke.
        broken: Vec<String>,
    },
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CheckFailed { wanted, broken, .. } => write!(
                f,
                "changes nothing: the verdict{} broke a guarantee, which is a defect of this \
                 program: {}",
                wanted.map_or(String::new(), |n| format!(" ({})", n.0)),
                broken.join("; ")
            ),
        }
    }
}
