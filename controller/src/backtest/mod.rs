//! Policies on recorded or generated arrivals: what they would have cost, how long messages would
//! have waited, beside what people use today and the clairvoyant bound.
//!
//! Owns traces, the bound, the search for settings, and the figures' shape. It must not simulate
//! (`sim` does), judge (`decide` does) or print (`cli` does).

pub mod bound;
pub mod compare;
pub mod elasticity;
pub mod history;
mod measure;
pub mod outcome;
pub mod progress;
pub mod report;
pub mod scenario;
mod seeds;
pub mod sweep;
pub mod traces;
pub mod tune;
pub(crate) mod words;

#[cfg(test)]
mod tests;
