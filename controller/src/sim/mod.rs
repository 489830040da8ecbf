//! A simulated queue and fleet, message by message, for judging policies before they run.
//!
//! Owns how time passes in a simulation, what it costs, and who it is compared with. Everything
//! follows from the arrivals and one seed: the same input gives the same result on any machine.
//! It must not judge; scalers do, `decide` among them.

pub(crate) mod chance;
mod instance;
pub mod load;
pub mod peers;
mod run;
mod score;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod world;

pub use load::{Load, Trace};
pub use run::{Judged, Scaler, run};
pub use score::Score;
pub use world::{QUEUE, SeenToo, Setup, Tally, World};
