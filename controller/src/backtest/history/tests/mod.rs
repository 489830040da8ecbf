//! A past is held to the truth: a simulated fleet's, of which everything is known.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and times of tests are small"
)]

mod cache;
mod gaps;
mod recorded;
mod truth;
mod window;
