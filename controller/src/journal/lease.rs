//! The lease: which controller may act on a fleet, and until when.
//!
//! Owns its shape and its times. Who keeps it is the ledger's affair.

use crate::model::{Seconds, UnixSeconds};

/// A lease holds this long; the controller renews it before each act. Long enough for a round
/// whose every call needs its 15 s, short enough that another takes over within the boot time of
/// an instance.
pub const LEASE_FOR: Seconds = Seconds(60.0);

/// How far two controllers' clocks may be apart. The holder stops this long before the lease
/// ends by its clock, another waits this long after by its own. NTP keeps machines within
/// milliseconds; a virtual machine that was paused may be off by seconds until the next sync.
pub const CLOCK_SKEW_MAX: Seconds = Seconds(5.0);

/// The right to act on a fleet, for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Lease {
    /// The fleet, by its policy's name.
    pub fleet: String,
    /// The holder's token: one a controller process, never used by another.
    pub token: String,
    /// Until when it holds.
    pub until: UnixSeconds,
}

impl Lease {
    /// How long the holder may still act, with the clock skew taken off.
    pub fn left(&self, now: UnixSeconds) -> Seconds {
        Seconds((self.until.0 - CLOCK_SKEW_MAX.0 - now.0).max(0.0))
    }
}

/// What came of asking for a lease.
#[derive(Clone, Debug, PartialEq)]
pub enum Claim {
    /// It is the caller's.
    Held(Lease),
    /// Another holds it.
    Taken {
        /// Until when, unless it is renewed.
        until: UnixSeconds,
    },
}

/// Whether a lease still is the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is, and what was asked for was done.
    Held,
    /// It is not, and nothing was done.
    Lost,
}
