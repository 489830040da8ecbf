//! A simulated queue and fleet, message by message, for judging policies before they run.
//!
//! Owns how time passes in a simulation, what it costs, and who it is compared with. Everything
//! follows from the arrivals and one seed: the same input gives the same result on any machine.
//! It must not judge; scalers do, `decide` among them.

pub(crate) mod chance;
mod fleet;
mod instance;
pub mod load;
pub mod peers;
mod ports;
mod queue;
mod run;
mod score;
mod setup;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod world;

pub use load::{Drift, Load, Service, Spread, Trace};
pub use ports::SimulatedFleet;
pub use run::{Judged, Scaler, run};
pub use score::{Look, Score};
pub use setup::{Conditions, QUEUE, SeenToo, Setup, Shortage};
pub use world::{Tally, World};
