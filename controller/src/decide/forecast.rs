//! What will arrive before new capacity is there?
//!
//! A forecast may raise demand, never lower it. Today's forecast is that arrivals stay as they
//! are, which demand already counts: every policy passes through unchanged, and nothing is said
//! about it in the trail.

use super::demand::Demand;
use crate::policy::{Forecast, Policy};

/// The demand, raised by what is foreseen.
pub(super) fn forecast(policy: &Policy, demand: Demand) -> Demand {
    match policy.forecast {
        Forecast::Off | Forecast::Auto => demand,
    }
}
