//! The values a search may try, from dear and early to cheap and late.
//!
//! Owns the steps. It must not run anything.

use crate::sim::peers::{Peer, Setting};

/// Values by place; a larger place is cheaper and later, nearly always.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ladder {
    /// Messages: from `from` on, in steps of 2 %.
    Messages { from: f64 },
    /// Instances, one by one, from `most` down to one.
    Instances { most: u32 },
}

/// A step's size.
const STEP: f64 = 1.02;
/// The last step: some hundred million times the first.
const MESSAGES_PLACE_MAX: u32 = 930;
/// Twice as much: a search's first strides.
const DOUBLING_PLACES: u32 = 35;

impl Ladder {
    /// What a rule's swept parameter may be.
    pub(super) fn of(rule: &Setting) -> Self {
        match rule.peer() {
            Peer::StaticPeak => Self::Instances {
                most: whole(rule.swept()),
            },
            // One bound for the whole queue, where the others' targets are an instance's.
            Peer::StepScaling => Self::Messages { from: 1.0 },
            _ => Self::Messages { from: 0.1 },
        }
    }

    /// The value at a place.
    pub(super) fn value(self, place: u32) -> f64 {
        match self {
            Self::Messages { from } => from * STEP.powf(f64::from(place)),
            Self::Instances { most } => f64::from(most.saturating_sub(place)),
        }
    }

    /// The place of the largest value that is no larger; of the smallest where all are.
    pub(super) fn place(self, value: f64) -> u32 {
        match self {
            Self::Messages { from } => {
                whole((value / from).ln() / STEP.ln()).min(MESSAGES_PLACE_MAX)
            }
            Self::Instances { most } => most.saturating_sub(whole(value)).min(self.last()),
        }
    }

    /// The last place.
    pub(super) fn last(self) -> u32 {
        match self {
            Self::Messages { .. } => MESSAGES_PLACE_MAX,
            Self::Instances { most } => most.saturating_sub(1),
        }
    }

    /// The first stride of a search that does not know where the edge is.
    pub(super) fn first_stride(self) -> u32 {
        match self {
            Self::Messages { .. } => DOUBLING_PLACES,
            Self::Instances { .. } => self.last().max(1),
        }
    }

    /// From one setting to the next that is worth a frontier's point: 40 %, or an eighth of the
    /// instances.
    pub(super) fn spread_stride(self, place: u32) -> u32 {
        match self {
            Self::Messages { .. } => 17,
            Self::Instances { most } => (most.saturating_sub(place) / 8).max(1),
        }
    }

    /// Places this close need no more trying between them in a coarse search: 8 %, or one
    /// instance.
    pub(super) fn close(self) -> u32 {
        match self {
            Self::Messages { .. } => 4,
            Self::Instances { .. } => 1,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float casts saturate, and NaN becomes 0"
)]
fn whole(x: f64) -> u32 {
    x as u32
}
