//! What a clairvoyant would have paid: a bracket around the least cost of a load.
//!
//! The clairvoyant knows all arrivals and service times, launches ahead, and may divide messages
//! and instances. [`schedule`] is what it could do to start everything in time, and what that
//! costs: an upper end, close but not least. [`exact_hours`] is a linear program's value: no
//! schedule costs less, divided or whole, that starts all but the allowed share in time. So the
//! first is no bound on a scaler that lets some messages be late, and the second is one on every
//! scaler that keeps the objective. Nothing here may know a scaler.

mod certificate;
mod program;
mod string;
#[cfg(test)]
mod tests;
mod tube;

use std::ops::Range;

use crate::sim::Load;
use program::{Class, Program};
use tube::{Cut, Tube};

/// The most steps of the linear program: two weeks of minutes and some more.
const STEPS_MAX: f64 = 21_000.0;

/// What a schedule must keep, and what it pays for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Jobs an instance runs at a time; at least one.
    pub slots: u32,
    /// Messages are to start within this.
    pub objective_seconds: f64,
    /// Billed from a launch to the first job.
    pub boot_seconds: f64,
}

/// A clairvoyant's instances over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// A step's length.
    pub step_seconds: f64,
    /// Instances in service in each step, idle through gaps shorter than a boot included; not
    /// whole numbers, since instances are divisible here.
    pub instances: Vec<f64>,
    /// Instance-hours billed: those in service, and a boot for every launch.
    pub hours: f64,
}

impl Schedule {
    /// The most instances at a time.
    pub fn peak_instances(&self) -> f64 {
        self.instances.iter().copied().fold(0.0, f64::max)
    }
}

/// Instance-hours of the clairvoyant schedule for a load on instances with `slots` slots.
pub fn hours(load: &Load, slots: u32, objective_seconds: f64, boot_seconds: f64) -> f64 {
    let terms = Terms {
        slots,
        objective_seconds,
        boot_seconds,
    };
    schedule(load, &terms).hours
}

/// A schedule that starts everything in time: the shortest path through the load's tube, with
/// instances idling through gaps shorter than a boot.
///
/// In steps of 15 s (finer ones change the hours by less than a part in a thousand), so that a
/// message may start two steps after its objective; shorter objectives have shorter steps.
pub fn schedule(load: &Load, terms: &Terms) -> Schedule {
    let all = Cut {
        step_seconds: step_seconds(terms),
        service_seconds: 0.0..f64::INFINITY,
    };
    string::schedule(&Tube::new(load, terms, &all), terms.boot_seconds)
}

/// Instance-hours that no schedule costs less than which starts all but the share of messages
/// `late_share_max` in time, and in the end all of them, whoever chooses which are late.
///
/// Proven to a millionth by weak duality, whatever the solver did, and in no more than 21 000
/// steps, which keep it below the least cost where a trace is long. What it takes for granted: a
/// boot takes the time given, and a job that has started runs to its end. Where instances are
/// reclaimed or boots spread, it is nearly a bound. EC2's minute that is billed at least is left
/// out, which matters for boots shorter than that.
pub fn exact_hours(load: &Load, terms: &Terms, late_share_max: f64) -> f64 {
    let asked = Exactly {
        terms: *terms,
        excused: excused(load, late_share_max),
        step_seconds: program_step_seconds(load, terms),
    };
    exact(load, &asked)
}

/// What the linear program is asked.
#[derive(Clone, Copy, Debug)]
struct Exactly {
    terms: Terms,
    /// Messages that may be late.
    excused: f64,
    step_seconds: f64,
}

fn exact(load: &Load, asked: &Exactly) -> f64 {
    let program = Program {
        classes: classes(load, asked),
        excused: asked.excused,
        boot_seconds: asked.terms.boot_seconds,
    };
    let least = certificate::seconds(&program, &program::worths(&program));
    // Sums round, and so do waits: a millionth off.
    (least * (1.0 - 1e-6)).max(program.work()) / 3600.0
}

/// Whole messages that may be late.
fn excused(load: &Load, late_share_max: f64) -> f64 {
    (late_share_max * load.arrivals.len() as f64 + 1e-6).floor()
}

/// Jobs by their length, so that excusing a message excuses little more than its own work: those
/// longer than the mean apart from those twice as long. One class where none is excused.
fn classes(load: &Load, asked: &Exactly) -> Vec<Class> {
    let longest = load.jobs().map(|(_, seconds)| seconds).fold(0.0, f64::max);
    let mean = load.work_seconds() / load.service_seconds.len().max(1) as f64;
    let apart_from = if asked.excused > 0.0 { mean } else { longest };
    let mut classes = Vec::new();
    let mut below = f64::INFINITY;
    while below > 0.0 {
        let half = below.min(longest) / 2.0;
        let from = if half > apart_from { half } else { 0.0 };
        classes.push(class(load, asked, from..below));
        below = from;
    }
    classes
}

fn class(load: &Load, asked: &Exactly, service_seconds: Range<f64>) -> Class {
    let lengths = load.jobs().map(|(_, seconds)| seconds);
    let of_class = lengths.filter(|seconds| service_seconds.contains(seconds));
    let longest = of_class.fold(0.0, f64::max);
    let cut = Cut {
        step_seconds: asked.step_seconds,
        service_seconds,
    };
    Class {
        longest: longest / f64::from(asked.terms.slots),
        tube: Tube::new(load, &asked.terms, &cut),
    }
}

/// The program's steps are some of the schedule's together, so that its value is never above the
/// schedule's.
fn program_step_seconds(load: &Load, terms: &Terms) -> f64 {
    let ends = load.jobs().map(|(arrival, seconds)| arrival + seconds);
    let step_seconds = step_seconds(terms);
    let steps = (ends.fold(0.0, f64::max) + terms.objective_seconds) / step_seconds;
    step_seconds * (steps / STEPS_MAX).ceil().max(1.0)
}

/// An objective is two steps at least.
fn step_seconds(terms: &Terms) -> f64 {
    const STEP_SECONDS: f64 = 15.0;
    STEP_SECONDS.min(terms.objective_seconds / 2.0).max(1.0)
}
