//! The quick search, some ten runs a rule, where people wait for it.
//!
//! Owns which settings it tries: from a guess in ever longer strides to the edge between what
//! keeps the allowed lateness and what does not, halved until it is 8 % wide, or one instance;
//! and what runs are left, on either side, for the frontier.

use super::{Allowed, Point, Sweep};
use crate::sim::peers::Peer;

/// Runs a rule; finding the edge may take a few more.
const RUNS: usize = 10;

impl Sweep<'_> {
    /// The cheapest setting found that keeps the allowed lateness; `None` where none was found.
    pub fn coarse(&mut self, allowed: Allowed) -> Option<Point> {
        if let Some(edge) = self.edge(allowed) {
            self.halve(allowed, edge);
        }
        self.spread(allowed);
        self.cheapest_tried(allowed).cloned()
    }

    /// A place that keeps what is allowed and a larger one that does not.
    fn edge(&mut self, allowed: Allowed) -> Option<(u32, u32)> {
        let mut at = self.guess();
        let mut stride = self.ladder.first_stride();
        let keeps = allowed.keeps(self.at(at));
        loop {
            let next = if keeps {
                at.saturating_add(stride).min(self.ladder.last())
            } else {
                at.saturating_sub(stride)
            };
            let is_over = next == at || (!keeps && self.is_hopelessly_dear(at));
            if is_over {
                return None;
            }
            if allowed.keeps(self.at(next)) != keeps {
                return Some((at.min(next), at.max(next)));
            }
            (at, stride) = (next, stride.saturating_mul(2));
        }
    }

    /// Half of what the slots can start in time, as boots take their part of it; and what is
    /// documented where the parameter means something else.
    fn guess(&self) -> u32 {
        let value = match self.rule.peer() {
            Peer::StepScaling | Peer::StaticPeak => self.rule.swept(),
            _ => self.carried() / 2.0,
        };
        self.ladder.place(value)
    }

    fn halve(&mut self, allowed: Allowed, (mut kept, mut late): (u32, u32)) {
        while late - kept > self.ladder.close() {
            let middle = kept.midpoint(late);
            if allowed.keeps(self.at(middle)) {
                kept = middle;
            } else {
                late = middle;
            }
        }
    }

    /// Spends what runs are left to both sides of the best, or of the least late.
    fn spread(&mut self, allowed: Allowed) {
        let late = |point: &Point| point.late_shares[allowed.objective];
        let best = self.cheapest_tried(allowed).map(|best| best.target);
        let least_late = || {
            let points = self.points.values();
            points
                .min_by(|a, b| late(a).total_cmp(&late(b)))
                .map(|point| point.target)
        };
        let Some(centre) = best.or_else(least_late) else {
            return;
        };
        let centre = self.ladder.place(centre * (1.0 + f64::EPSILON));
        let stride = self.ladder.spread_stride(centre);
        for distance in (1..=6).map(|n| n * stride) {
            let sides = [
                centre.saturating_add(distance),
                centre.saturating_sub(distance),
            ];
            for place in sides {
                let near = place.saturating_sub(stride / 2)..=place.saturating_add(stride / 2);
                let is_new = self.points.range(near).next().is_none();
                if is_new && place <= self.ladder.last() && self.points.len() < RUNS {
                    self.at(place);
                }
            }
        }
    }
}
