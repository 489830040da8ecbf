//! What the workers' reports add up to.
//!
//! Pure: which reports are fresh, and the sums and means that a round observes. Reading reports
//! from where they are kept is the ports' affair.

use weir_protocol::{REPORT_STALE_SECONDS, Report};

use crate::model::{Member, UnixSeconds, WorkersObservation};

/// A worker process that began this long after its instance was launched was started again
/// later; the span is no boot time.
const BOOT_SECONDS_MAX: f64 = 3600.0;

/// Whether a report still says something about the present.
pub fn is_fresh(report: &Report, now: UnixSeconds) -> bool {
    now.0 - report.reported_at <= REPORT_STALE_SECONDS
}

/// Adds fresh reports up; `None` where there are none.
///
/// Workers that drain take no more jobs: they add to what is finished and how long it took, not
/// to slots, busy slots or those reporting.
pub fn summarise(reports: &[Report], roster: &[Member]) -> Option<WorkersObservation> {
    if reports.is_empty() {
        return None;
    }
    let serving = || reports.iter().filter(|report| !report.draining);
    Some(WorkersObservation {
        completed_total: Some(reports.iter().map(|report| report.completed_total).sum()),
        busy_slots: Some(serving().map(|report| report.busy_slots).sum()),
        slots: Some(serving().map(|report| report.slots).sum()),
        service_seconds_mean: mean(reports.iter().filter_map(|r| r.service_seconds_mean)),
        boot_seconds_mean: mean(roster.iter().filter_map(boot_seconds)),
        reporting: u32::try_from(serving().count()).ok(),
    })
}

fn boot_seconds(member: &Member) -> Option<f64> {
    let seconds = member.report.as_ref()?.started_at - member.launched_at?.0;
    (0.0..=BOOT_SECONDS_MAX)
        .contains(&seconds)
        .then_some(seconds)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Phase;
    use crate::testing;

    #[test]
    fn a_report_is_fresh_for_45_seconds_and_not_longer() {
        let report = testing::report("i-1", 0);
        let at = report.reported_at;
        assert!(is_fresh(&report, UnixSeconds(at + 45.0)));
        assert!(!is_fresh(&report, UnixSeconds(at + 45.1)));
    }

    #[test]
    fn no_reports_are_unknown_and_not_zero() {
        assert_eq!(summarise(&[], &[]), None);
    }

    #[test]
    fn draining_workers_count_for_what_they_finished_and_not_as_capacity() {
        let reports = [
            Report {
                completed_total: 10,
                service_seconds_mean: Some(2.0),
                ..testing::report("i-1", 3)
            },
            Report {
                completed_total: 5,
                service_seconds_mean: Some(4.0),
                draining: true,
                ..testing::report("i-2", 1)
            },
        ];
        let sum = summarise(&reports, &[]).unwrap();
        assert_eq!(sum.completed_total, Some(15));
        assert_eq!(sum.busy_slots, Some(3));
        assert_eq!(sum.slots, Some(4));
        assert_eq!(sum.reporting, Some(1));
        assert_eq!(sum.service_seconds_mean, Some(3.0));
        assert_eq!(sum.boot_seconds_mean, None);
    }

    #[test]
    fn boot_time_is_measured_from_launch_to_the_worker_and_not_from_later_restarts() {
        let booted_in = |id: &str, seconds: f64| {
            let report = testing::report(id, 0);
            Member {
                launched_at: Some(UnixSeconds(report.started_at - seconds)),
                report: Some(report),
                ..testing::member(id, Phase::InService)
            }
        };
        let roster = [
            booted_in("i-1", 80.0),
            booted_in("i-2", 100.0),
            booted_in("i-restarted", 90_000.0),
            booted_in("i-clock-ahead", -3.0),
            testing::member("i-silent", Phase::InService),
        ];
        let reports: Vec<Report> = roster.iter().filter_map(|m| m.report.clone()).collect();
        let sum = summarise(&reports, &roster).unwrap();
        assert_eq!(sum.boot_seconds_mean, Some(90.0));
    }
}
