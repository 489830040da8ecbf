//! Chance, from one seed, in named streams.
//!
//! A stream for each thing that is left to chance: a draw more of one never shifts another, so
//! that scalers compared on one seed meet the same messages.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What is left to chance.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    /// When in its step a message arrives.
    Arrivals = 1,
    /// How long a job takes.
    Service = 2,
    /// How far SQS's counts are off.
    Counts = 3,
    /// How long a boot takes.
    Boots = 4,
    /// Which attempts fail.
    Failures = 5,
    /// When spot capacity is reclaimed.
    Reclaims = 6,
    /// When a generated trace's crowds, pushes and pauses come.
    Shape = 7,
    /// How a generated trace's counts spread.
    Noise = 8,
    /// Which days a tuned saving is told from anew.
    Resampling = 9,
}

/// The named stream of a seed.
pub(crate) fn stream(seed: u64, name: Stream) -> ChaCha8Rng {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    chance.set_stream(name as u64);
    chance
}
