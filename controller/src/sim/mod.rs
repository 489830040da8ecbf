//! A simulated queue and fleet, message by message, for judging policies before they run.
//!
//! Owns how time passes in a simulation. Everything follows from the arrivals and one seed: the
//! same input gives the same result on any machine. It must not judge; scalers do, `decide` among
//! them.

pub mod bound;
pub mod load;
pub mod peers;
mod run;
mod score;
mod world;

pub use run::{Judged, Scaler, run};
pub use score::Score;
pub use world::{SeenToo, Setup, World};
