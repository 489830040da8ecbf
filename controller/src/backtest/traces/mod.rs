//! Where arrivals come from: files, seeded generators, the queue's own history.
//!
//! Owns reading and making traces. It must not know what becomes of a message.

mod arrivals;
mod csv;
mod found;
mod generate;
mod grid;
mod keys;
mod lines;
mod shapes;
#[cfg(test)]
mod tests;

pub use arrivals::{
    Arrivals, MESSAGES_MAX, MONDAY, Options, Scale, Source, fit, load, mean_service_seconds,
    starts_at,
};
pub use csv::{Recorded, parse, read, write};
pub use generate::{GENERATORS, Generator, Noise};
pub use grid::STEPS_MAX;
