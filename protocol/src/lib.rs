//! The items that a Weir worker and controller exchange: the worker's [`Report`] about itself and
//! the [`JobRecord`] of one job.
//!
//! This crate owns their shape and the names of tables' attributes and keys. It must not talk to
//! anything: serde is its only dependency, so that every program can afford it.

mod job;
pub mod keys;
mod report;

pub use job::{JobRecord, JobState};
pub use report::{REPORT_EVERY_SECONDS, REPORT_STALE_SECONDS, Report};
