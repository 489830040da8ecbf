//! What a clairvoyant would have paid, nearly: the work's taut string, with boots and gaps priced.
//!
//! It knows all arrivals and service times, launches ahead, and may divide messages and
//! instances. Work is a fluid here: a job's work comes up second by second from its arrival on,
//! and each second of it is due the objective later, for a job that starts in time may run on past
//! the objective. The shortest path between what has come up and what is due serves all in time
//! at the least peak and the fewest changes (Yao, Demers, Shenker 1995).
//!
//! It is an approximation, not a proven bound: the path that costs least with boots priced is a
//! linear program's, and lies up to a few percent below this one where load is bursty and the
//! objective short. And it starts everything in time: a scaler that lets a share of the messages
//! be late can cost less. It must not know a scaler.

use crate::sim::Load;

/// Instance-hours of the clairvoyant schedule for a load on instances with `slots` slots.
pub fn hours(load: &Load, slots: u32, objective_seconds: f64, boot_seconds: f64) -> f64 {
    /// Finer steps change the figure by less than a part in a thousand.
    const STEP_SECONDS: f64 = 15.0;
    let work = work(load, slots, STEP_SECONDS);
    clairvoyant(&work, STEP_SECONDS, objective_seconds, boot_seconds) / 3600.0
}

/// Instance-seconds that come up in each step.
fn work(load: &Load, slots: u32, step_seconds: f64) -> Vec<f64> {
    let mut work = Vec::new();
    for (arrival, service_seconds) in load.arrivals.iter().zip(&load.service_seconds) {
        let (mut from, until) = (*arrival, arrival + service_seconds);
        let mut step = floor(from / step_seconds);
        while from < until {
            let end = ((step + 1) as f64 * step_seconds).min(until);
            if work.len() <= step {
                work.resize(step + 1, 0.0);
            }
            work[step] += (end - from) / f64::from(slots);
            (from, step) = (end, step + 1);
        }
    }
    work
}

/// Instance-seconds of the clairvoyant schedule.
///
/// `work` is instance-seconds that come up in each step of `step_seconds`; each is served within
/// `objective_seconds`; a launch costs `boot_seconds`, and a gap shorter than that is idled
/// through (the ski rental's offline optimum, level by level).
fn clairvoyant(work: &[f64], step_seconds: f64, objective_seconds: f64, boot_seconds: f64) -> f64 {
    let slack = ceil(objective_seconds / step_seconds);
    // (level, last step in which it and those below it were used): a lower level later.
    let mut used: Vec<(f64, usize)> = Vec::new();
    let mut seconds = 0.0;
    for (step, served) in taut_string(work, slack).into_iter().enumerate() {
        let level = served / step_seconds;
        let mut paid = 0.0;
        while let Some((top, last)) = used.last().copied()
            && paid < level
        {
            let gap_seconds = (step - last - 1) as f64 * step_seconds;
            seconds += (top.min(level) - paid) * gap_seconds.min(boot_seconds);
            paid = top.min(level);
            if top <= level {
                used.pop();
            }
        }
        seconds += (level - paid) * boot_seconds + served;
        if level > 0.0 {
            used.push((level, step));
        }
    }
    seconds
}

/// Work served in each step by the shortest path through the tube between the work that has
/// arrived by a step's end and the work that arrived `slack` steps before it.
fn taut_string(work: &[f64], slack: usize) -> Vec<f64> {
    let steps = work.len() + slack;
    let mut arrived = vec![0.0; steps + 1];
    for step in 0..steps {
        arrived[step + 1] = arrived[step] + work.get(step).copied().unwrap_or(0.0);
    }
    let due = |step: usize| {
        if step == steps {
            arrived[steps]
        } else {
            arrived[step.saturating_sub(slack)]
        }
    };
    let mut served = Vec::with_capacity(steps);
    let (mut at, mut done) = (0, 0.0);
    while at < steps {
        let (corner, slope) = next_corner(at, steps, |step| {
            let ahead = (step - at) as f64;
            ((due(step) - done) / ahead, (arrived[step] - done) / ahead)
        });
        served.extend(std::iter::repeat_n(slope, corner - at));
        done += slope * (corner - at) as f64;
        at = corner;
    }
    served
}

/// How far the string goes straight on, and how steeply: `slopes` gives the least and the most
/// that keep within the tube at a step.
fn next_corner(at: usize, steps: usize, slopes: impl Fn(usize) -> (f64, f64)) -> (usize, f64) {
    let (mut least, mut most) = ((at + 1, f64::NEG_INFINITY), (at + 1, f64::INFINITY));
    for step in at + 1..=steps {
        let (low, high) = slopes(step);
        if low > most.1 {
            return most;
        }
        if high < least.1 {
            return least;
        }
        if low >= least.1 {
            least = (step, low);
        }
        if high <= most.1 {
            most = (step, high);
        }
    }
    (steps, slopes(steps).0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_a_burst_over_its_objective() {
        // 60 instance-seconds at once, due within 6 steps of 10 s: one instance for 60 s.
        let served = taut_string(&[60.0, 0.0, 0.0, 0.0, 0.0, 0.0], 6);
        assert!((served.iter().sum::<f64>() - 60.0).abs() < 1e-9);
        assert!(served.iter().all(|s| *s <= 10.0 + 1e-9), "{served:?}");
        let cost = clairvoyant(&[60.0, 0.0, 0.0, 0.0, 0.0, 0.0], 10.0, 60.0, 30.0);
        assert!((60.0..=100.0).contains(&cost), "{cost}");
    }

    #[test]
    fn steady_work_costs_itself_and_one_boot() {
        let cost = clairvoyant(&[10.0; 1000], 10.0, 300.0, 120.0);
        assert!((cost - 10_000.0 - 120.0).abs() < 5.0, "{cost}");
    }

    #[test]
    fn idles_through_a_short_gap_and_boots_anew_after_a_long_one() {
        // One instance is busy, two for a while, then none; then one again.
        let gap = |steps: usize| {
            let mut work = vec![10.0, 20.0, 10.0];
            work.extend(std::iter::repeat_n(0.0, steps));
            work.push(10.0);
            clairvoyant(&work, 10.0, 0.0, 35.0)
        };
        assert!((gap(3) - (50.0 + 2.0 * 35.0 + 30.0)).abs() < 1e-9);
        assert!((gap(4) - (50.0 + 3.0 * 35.0)).abs() < 1e-9);
    }

    #[test]
    fn never_serves_before_arrival_or_after_the_objective() {
        let work: Vec<f64> = (0..200).map(|i| f64::from(i * 7919 % 37)).collect();
        let served = taut_string(&work, 5);
        let (mut done, mut arrived) = (0.0, 0.0);
        for (step, served) in served.iter().enumerate() {
            done += served;
            arrived += work.get(step).copied().unwrap_or(0.0);
            let due: f64 = work.iter().take((step + 1).saturating_sub(5)).sum();
            assert!(done <= arrived + 1e-6, "step {step}");
            assert!(done >= due - 1e-6, "step {step}");
        }
    }
}
