//! Every "why" as data: a code, its numbers, and one place where the text is made.
//!
//! Reasons are what people read in `plan` and `explain` and what programs match on; codes are
//! stable. This module must not decide anything.

use serde::Serialize;

/// Why a stage wanted what it wanted. Owned by the stages' author; codes are snake_case and stable.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// Placeholder.
    Placeholder {},
}
