//! What is made of the settings tried: the best, and those that no other beats in both.

use crate::sim::peers::Setting;

/// A setting with what it came to.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The peer, typed in.
    pub setting: Setting,
    /// What it cost.
    pub billed_hours: f64,
    /// The share that started late, 0 to 1.
    pub late_share: f64,
}

/// The cheapest that keeps the allowed lateness, of equals the least late; `None` where none
/// does.
pub fn cheapest(tried: &[Tried], late_share_max: f64) -> Option<&Tried> {
    let kept = tried.iter().filter(|one| one.late_share <= late_share_max);
    kept.min_by(|a, b| by_cost(a, b))
}

/// The least late, of equals the cheapest: what is left to choose where none keeps the objective.
pub fn least_late(tried: &[Tried]) -> Option<&Tried> {
    let by_lateness = |a: &&Tried, b: &&Tried| {
        let later = a.late_share.total_cmp(&b.late_share);
        later.then(a.billed_hours.total_cmp(&b.billed_hours))
    };
    tried.iter().min_by(by_lateness)
}

/// Those that no other beats in both cost and lateness, cheapest first; of equals, one.
pub fn frontier(tried: &[Tried]) -> Vec<&Tried> {
    undominated(tried.iter().collect(), |one| {
        (one.billed_hours, one.late_share)
    })
}

/// The same of anything that has a cost and a lateness.
pub fn undominated<T>(mut all: Vec<T>, cost_and_lateness: impl Fn(&T) -> (f64, f64)) -> Vec<T> {
    all.sort_by(|a, b| {
        let (a, b) = (cost_and_lateness(a), cost_and_lateness(b));
        a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    let mut least = f64::INFINITY;
    all.retain(|one| {
        let (_, late) = cost_and_lateness(one);
        let is_less_late = late < least;
        least = least.min(late);
        is_less_late
    });
    all
}

fn by_cost(a: &Tried, b: &Tried) -> std::cmp::Ordering {
    let dearer = a.billed_hours.total_cmp(&b.billed_hours);
    dearer.then(a.late_share.total_cmp(&b.late_share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::peers::StaticPeak;

    fn tried(points: &[(f64, f64)]) -> Vec<Tried> {
        (0_u32..)
            .zip(points)
            .map(|(size, (billed_hours, late_share))| Tried {
                setting: Setting::StaticPeak(StaticPeak { size }),
                billed_hours: *billed_hours,
                late_share: *late_share,
            })
            .collect()
    }

    fn sizes(tried: &[&Tried]) -> Vec<u32> {
        let size = |one: &&Tried| match &one.setting {
            Setting::StaticPeak(peak) => peak.size,
            other => panic!("{other:?}"),
        };
        tried.iter().map(size).collect()
    }

    #[test]
    fn a_frontier_has_what_no_other_beats_in_both() {
        // 1 is dearer than 4 and later; 2 and 5 are equals; 3 is as late as 0 and dearer.
        let tried = tried(&[
            (9.0, 0.0),
            (8.0, 0.2),
            (5.0, 0.3),
            (9.5, 0.0),
            (7.0, 0.1),
            (5.0, 0.3),
        ]);
        assert_eq!(sizes(&frontier(&tried)), [2, 4, 0]);
        assert!(frontier(&[]).is_empty());
    }

    #[test]
    fn the_cheapest_keeps_what_is_allowed_and_the_least_late_is_the_cheapest_of_them() {
        let tried = tried(&[
            (9.0, 0.02),
            (8.0, 0.2),
            (9.5, 0.02),
            (10.0, 0.03),
            (9.0, 0.01),
        ]);
        let cheapest = |max: f64| cheapest(&tried, max).map(|best| sizes(&[best])[0]);
        assert_eq!(cheapest(0.05), Some(4));
        assert_eq!(cheapest(0.2), Some(1));
        assert_eq!(cheapest(0.001), None);
        assert_eq!(least_late(&tried[..4]).map(|one| sizes(&[one])[0]), Some(0));
        assert!(least_late(&[]).is_none());
    }
}
