//! Chance: lease tokens, job ids and the jitter of backoffs are drawn here and nowhere else.
//!
//! It must not be used inside a decision: pure modules take the drawn number as an argument. A test
//! that is to be repeatable seeds its thread.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place where tokens are made"
)]

use std::cell::RefCell;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

thread_local! {
    static SEEDED: RefCell<Option<StdRng>> = const { RefCell::new(None) };
}

/// From now on everything that is drawn on this thread comes from `seed`: for tests alone, as tokens
/// that can be foreseen fence nobody out.
#[doc(hidden)]
pub fn seed_this_thread(seed: u64) {
    SEEDED.set(Some(StdRng::seed_from_u64(seed)));
}

/// A token no other attempt has: a random UUID, 36 characters, which is also the longest that
/// DynamoDB's `ClientRequestToken` may be.
pub(crate) fn token() -> String {
    let seeded = SEEDED.with_borrow_mut(|seeded| seeded.as_mut().map(RngExt::random));
    // The thread's generator is a cryptographic one, and asks the kernel only now and then.
    let bytes = seeded.unwrap_or_else(rand::random::<[u8; 16]>);
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}

/// Uniform in [0, 1).
pub(crate) fn unit() -> f64 {
    let drawn = SEEDED.with_borrow_mut(|seeded| seeded.as_mut().map(RngExt::random));
    drawn.unwrap_or_else(rand::random::<f64>)
}
