//! The thorough search, where what is claimed rests on the peers' best.
//!
//! Owns which settings it tries: a coarse grid first, and wherever one keeps the allowed lateness
//! and the next does not, a fine one of 2 %, a little beyond too, where "cheaper and later" does
//! not quite hold.

use super::{Allowed, Point, Sweep};

/// The coarse grid takes every sixth place, 13 % of target.
const STRIDE: u32 = 6;
/// Settings beyond an edge that are tried too, 6 % of target: short traces are rugged.
const BEYOND: u32 = 3;
/// A setting with so many late is of no use to anyone: no larger target is tried.
const HOPELESSLY_LATE: f64 = 0.5;

impl Sweep<'_> {
    /// The cheapest setting that keeps the allowed lateness; `None` where no setting does.
    pub fn cheapest(&mut self, allowed: Allowed) -> Option<Point> {
        self.refine(|point| allowed.keeps(point));
        self.cheapest_tried(allowed).cloned()
    }

    /// Tries the settings that cost about this much, so that the frontier is fine there.
    pub fn explore(&mut self, billed_hours: f64) {
        self.refine(|point| point.billed_hours > billed_hours);
    }

    /// Tries the places at each edge of the coarse grid: where one passes and the next does not.
    fn refine(&mut self, passes: impl Fn(&Point) -> bool) {
        for pair in self.grid().windows(2) {
            let [low, high] = [pair[0], pair[1]];
            if passes(self.at(low)) && !passes(self.at(high)) {
                for place in low..=(high + BEYOND).min(self.ladder.last()) {
                    self.at(place);
                }
            }
        }
    }

    /// The coarse grid, ascending, from what is hopelessly dear to what is hopelessly late. It
    /// begins at what the slots can start within the longest objective.
    fn grid(&mut self) -> Vec<u32> {
        let first = self.ladder.place(self.carried()) / STRIDE * STRIDE;
        let mut grid = vec![first];
        let mut at = first;
        while at >= STRIDE && !self.is_hopelessly_dear(at) {
            at -= STRIDE;
            grid.push(at);
        }
        at = first;
        while at + STRIDE <= self.ladder.last() && !self.is_hopelessly_late(at) {
            at += STRIDE;
            grid.push(at);
        }
        grid.sort_unstable();
        grid
    }

    fn is_hopelessly_late(&mut self, place: u32) -> bool {
        let late_shares = &self.at(place).late_shares;
        late_shares.iter().all(|late| *late > HOPELESSLY_LATE)
    }
}
