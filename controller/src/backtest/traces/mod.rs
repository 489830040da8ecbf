//! Where arrivals come from: files, seeded generators, the queue's own history.
//!
//! Owns reading and making traces. It must not know what becomes of a message.

mod csv;

pub use csv::{TraceError, parse};
