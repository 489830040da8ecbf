//! Chance: lease tokens, job ids and the jitter of backoffs are drawn here and nowhere else.
//!
//! It must not be used inside a decision: pure modules take the drawn number as an argument.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place where tokens are made"
)]

/// A token no other attempt has: a random UUID, 36 characters, which is also the longest that
/// DynamoDB's `ClientRequestToken` may be.
pub(crate) fn token() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Uniform in [0, 1).
pub(crate) fn unit() -> f64 {
    rand::random::<f64>()
}
