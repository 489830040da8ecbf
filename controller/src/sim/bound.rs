//! What a clairvoyant would have paid: the work's taut string, with boots and gaps priced.
//!
//! The shortest path between what has arrived and what is due serves all in time at the least
//! peak and the fewest changes (Yao, Demers, Shenker 1995). Capacity is divisible here, in
//! twentieths of an instance, so this comes close to the linear program from above and stays
//! below what whole instances can do. Messages are divisible too, and boots are foreseen.

/// Instance-seconds of the clairvoyant schedule.
///
/// `work` is instance-seconds arriving in each step of `step_seconds`; each is served within
/// `objective_seconds`; a launch costs `boot_seconds`, and a gap shorter than that is idled
/// through (the ski rental's offline optimum, level by level).
pub fn clairvoyant(
    work: &[f64],
    step_seconds: f64,
    objective_seconds: f64,
    boot_seconds: f64,
) -> f64 {
    /// Parts of an instance.
    const PARTS: f64 = 20.0;
    let slack = floor(objective_seconds / step_seconds);
    let levels: Vec<usize> = taut_string(work, slack)
        .into_iter()
        .map(|served| ceil(served / step_seconds * PARTS - 1e-9))
        .collect();
    let peak = levels.iter().copied().max().unwrap_or(0);
    // For each level, the last step in which it was used.
    let mut used: Vec<Option<usize>> = vec![None; peak];
    let mut seconds = 0.0;
    for (step, level) in levels.iter().enumerate() {
        for last in &mut used[..*level] {
            let gap = last.map_or(f64::INFINITY, |last| {
                (step - last - 1) as f64 * step_seconds
            });
            seconds += gap.min(boot_seconds) + step_seconds;
            *last = Some(step);
        }
    }
    seconds / PARTS
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
        assert!((cost - 10_000.0 - 120.0).abs() < 60.0, "{cost}");
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
