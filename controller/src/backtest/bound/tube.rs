//! A load as a tube: between the work that has come up and the work that is due, every schedule
//! that starts everything in time passes.
//!
//! Work is a fluid here. A job's work comes up second by second from its arrival on, and each
//! second of it is due the objective later: what a job that starts in time does lies between the
//! two, for it may run on past the objective. Owns the tube at the ends of steps, where it is
//! exact whatever the step's length. It must not choose a path.

use std::ops::Range;

use super::Terms;
use crate::sim::Load;

/// What of a load, in what steps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cut {
    /// A step's length.
    pub(super) step_seconds: f64,
    /// The jobs of such lengths.
    pub(super) service_seconds: Range<f64>,
}

/// The work that comes up and is due, in steps of equal length.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tube {
    /// A step's length.
    pub(super) step_seconds: f64,
    /// Instance-seconds that come up in each step.
    pub(super) work: Vec<f64>,
    /// Of those, the ones due a step before the step's others; empty where none are.
    early: Vec<f64>,
    /// Steps from that in which work comes up to that by whose end it is due.
    pub(super) slack: usize,
}

impl Tube {
    /// The tube of some of a load's jobs.
    pub(super) fn new(load: &Load, terms: &Terms, cut: &Cut) -> Self {
        let step_seconds = cut.step_seconds;
        let slack = ceil(terms.objective_seconds.max(0.0) / step_seconds);
        // What comes up in a step's first so many seconds is due a step earlier.
        let early_seconds = slack as f64 * step_seconds - terms.objective_seconds.max(0.0);
        let mut tube = Self {
            step_seconds,
            work: Vec::new(),
            early: Vec::new(),
            slack,
        };
        for (arrival, service_seconds) in load.jobs() {
            if !cut.service_seconds.contains(&service_seconds) {
                continue;
            }
            let until = arrival + service_seconds;
            tube.add(arrival, until, f64::from(terms.slots), early_seconds);
        }
        tube
    }

    /// Steps until all work is due.
    pub(super) fn steps(&self) -> usize {
        self.work.len() + self.slack
    }

    /// All work that has come up by each step's begin, and by the end.
    pub(super) fn arrived(&self) -> Vec<f64> {
        let mut arrived = vec![0.0; self.steps() + 1];
        for step in 0..self.steps() {
            arrived[step + 1] = arrived[step] + self.work.get(step).copied().unwrap_or(0.0);
        }
        arrived
    }

    /// The work that is due by a step's begin, where `arrived` is [`Tube::arrived`].
    pub(super) fn due(&self, arrived: &[f64], step: usize) -> f64 {
        if step == self.steps() {
            return arrived[step];
        }
        step.checked_sub(self.slack).map_or(0.0, |came_up| {
            arrived[came_up] + self.early.get(came_up).copied().unwrap_or(0.0)
        })
    }

    /// Work that comes up in steps of 10 s, due so many steps later.
    #[cfg(test)]
    pub(super) fn of_steps(work: &[f64], slack: usize) -> Self {
        Self {
            step_seconds: 10.0,
            work: work.to_vec(),
            early: Vec::new(),
            slack,
        }
    }

    /// Work that comes up in each step and is due by the end of the step `slack` later.
    pub(super) fn late(&self) -> Vec<f64> {
        let early = self.early.iter().copied().chain(std::iter::repeat(0.0));
        let late = |(work, early): (&f64, f64)| (work - early).max(0.0);
        self.work.iter().zip(early).map(late).collect()
    }

    /// Work that comes up in each step and is due by the end of the step before that.
    pub(super) fn early(&self) -> Vec<f64> {
        self.early.clone()
    }

    /// One job's work, spread over the steps in which it comes up.
    fn add(&mut self, from: f64, until: f64, slots: f64, early_seconds: f64) {
        let (mut from, mut step) = (from, floor(from / self.step_seconds));
        while from < until {
            let begin = step as f64 * self.step_seconds;
            let end = ((step + 1) as f64 * self.step_seconds).min(until);
            if self.work.len() <= step {
                self.work.resize(step + 1, 0.0);
            }
            self.work[step] += (end - from) / slots;
            let early = end.min(begin + early_seconds) - from;
            if early > 0.0 {
                if self.early.len() <= step {
                    self.early.resize(step + 1, 0.0);
                }
                self.early[step] += early / slots;
            }
            (from, step) = (end, step + 1);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float casts saturate"
)]
fn floor(x: f64) -> usize {
    x.floor() as usize
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float casts saturate"
)]
fn ceil(x: f64) -> usize {
    x.ceil() as usize
}
