//! The taut string: the shortest path through the tube, with boots and gaps priced.
//!
//! The shortest path serves all in time at the least peak and the fewest changes (Yao, Demers,
//! Shenker 1995). The path that costs least with boots priced is the linear program's, and lies
//! up to a few percent below this one where load is bursty and the objective short.

use super::Schedule;
use super::tube::Tube;

/// The string's schedule: a launch costs `boot_seconds`, and a gap shorter than that is idled
/// through (the ski rental's offline optimum, level by level).
pub(super) fn schedule(tube: &Tube, boot_seconds: f64) -> Schedule {
    let step_seconds = tube.step_seconds;
    let served = taut_string(tube);
    let mut idle = Idle::new(served.len());
    // (level, last step in which it and those below it were used): a lower level later.
    let mut used: Vec<(f64, usize)> = Vec::new();
    let mut seconds = 0.0;
    for (step, served) in served.iter().enumerate() {
        let level = served / step_seconds;
        let mut paid = 0.0;
        while let Some((top, last)) = used.last().copied()
            && paid < level
        {
            let gap_seconds = (step - last - 1) as f64 * step_seconds;
            let instances = top.min(level) - paid;
            seconds += instances * gap_seconds.min(boot_seconds);
            if gap_seconds <= boot_seconds {
                idle.add(last + 1, step, instances);
            }
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
    let busy = served.into_iter().map(|served| served / step_seconds);
    Schedule {
        step_seconds,
        instances: busy
            .zip(idle.in_steps())
            .map(|(busy, idle)| busy + idle)
            .collect(),
        hours: seconds / 3600.0,
    }
}

/// Instances that idle, as changes from step to step.
struct Idle(Vec<f64>);

impl Idle {
    fn new(steps: usize) -> Self {
        Self(vec![0.0; steps + 1])
    }

    /// From one step until before another.
    fn add(&mut self, from: usize, until: usize, instances: f64) {
        self.0[from] += instances;
        self.0[until] -= instances;
    }

    fn in_steps(self) -> impl Iterator<Item = f64> {
        let sum = |sum: &mut f64, change: f64| {
            *sum += change;
            Some(sum.max(0.0))
        };
        self.0.into_iter().scan(0.0, sum)
    }
}

/// Work served in each step by the shortest path through the tube.
fn taut_string(tube: &Tube) -> Vec<f64> {
    let (steps, arrived) = (tube.steps(), tube.arrived());
    let mut served = Vec::with_capacity(steps);
    let (mut at, mut done) = (0, 0.0);
    while at < steps {
        let (corner, slope) = next_corner(at, steps, |step| {
            let ahead = (step - at) as f64;
            let due = tube.due(&arrived, step);
            ((due - done) / ahead, (arrived[step] - done) / ahead)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A tube of work in steps of 10 s, due so many steps later.
    fn tube(work: &[f64], slack: usize) -> Tube {
        Tube::of_steps(work, slack)
    }

    fn cost(work: &[f64], slack: usize, boot_seconds: f64) -> f64 {
        schedule(&tube(work, slack), boot_seconds).hours * 3600.0
    }

    #[test]
    fn spreads_a_burst_over_its_objective() {
        // 60 instance-seconds at once, due within 6 steps of 10 s: one instance for 60 s.
        let burst = [60.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let served = taut_string(&tube(&burst, 6));
        assert!((served.iter().sum::<f64>() - 60.0).abs() < 1e-9);
        assert!(served.iter().all(|s| *s <= 10.0 + 1e-9), "{served:?}");
        let cost = cost(&burst, 6, 30.0);
        assert!((60.0..=100.0).contains(&cost), "{cost}");
    }

    #[test]
    fn steady_work_costs_itself_and_one_boot() {
        let cost = cost(&[10.0; 1000], 30, 120.0);
        assert!((cost - 10_000.0 - 120.0).abs() < 5.0, "{cost}");
    }

    #[test]
    fn idles_through_a_short_gap_and_boots_anew_after_a_long_one() {
        // One instance is busy, two for a while, then none; then one again.
        let gap = |steps: usize| {
            let mut work = vec![10.0, 20.0, 10.0];
            work.extend(std::iter::repeat_n(0.0, steps));
            work.push(10.0);
            schedule(&tube(&work, 0), 35.0)
        };
        let (short, long) = (gap(3), gap(4));
        assert!((short.hours * 3600.0 - (50.0 + 2.0 * 35.0 + 30.0)).abs() < 1e-9);
        assert!((long.hours * 3600.0 - (50.0 + 3.0 * 35.0)).abs() < 1e-9);
        assert_eq!(short.instances, [1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(long.instances, [1.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        assert!((long.peak_instances() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn never_serves_before_arrival_or_after_the_objective() {
        let work: Vec<f64> = (0..200).map(|i| f64::from(i * 7919 % 37)).collect();
        let served = taut_string(&tube(&work, 5));
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
