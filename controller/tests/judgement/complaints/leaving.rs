//! Who leaves: the idle, and nobody who is at work.

use weir_controller::leave::{self, Quiet, Quota};
use weir_controller::model::{Member, Phase, UnixSeconds};
use weir_protocol::Report;

use super::super::seconds;
use super::EVENING;

fn member(id: &str, busy_slots: u32) -> Member {
    Member {
        id: id.to_owned(),
        zone: "a".to_owned(),
        phase: Phase::InService,
        launched_at: Some(UnixSeconds(EVENING - 3600.0)),
        report: Some(Report {
            instance_id: id.to_owned(),
            fleet: "t".to_owned(),
            started_at: EVENING - 3500.0,
            reported_at: EVENING - 5.0,
            slots: 4,
            busy_slots,
            completed_total: 9,
            failed_total: 0,
            service_seconds_mean: None,
            service_seconds_p95: None,
            draining: false,
            version: "0.1.0".to_owned(),
            expires_at: 0,
        }),
    }
}

fn leaving(roster: &[Member], spare: usize) -> Vec<String> {
    let quota = Quota {
        spare,
        forced: 0,
        quiet: Quiet::MayBeAtWork,
        now: UnixSeconds(EVENING),
        boot_allowance: seconds(300.0),
    };
    leave::choose(roster, &quota)
}

/// Four became three in the midst of a production deploy, and the one that deployed was it
/// (buildkite/elastic-ci-stack-for-aws#1399, aws/containers-roadmap#125, kedacore/keda#6719).
#[test]
fn the_idle_one_leaves_and_the_busy_one_stays() {
    let roster = [
        member("deploys", 1),
        member("builds", 4),
        member("idle", 0),
        member("tests", 2),
    ];
    assert_eq!(leaving(&roster, 1), ["idle"]);
    assert_eq!(
        leaving(&roster, 3),
        ["idle"],
        "the busy ones leave when they fall idle"
    );
}

/// All were busy and one was taken anyway, twice, five hours of work each time
/// (wellcomecollection/platform#6518, kedacore/keda#157).
#[test]
fn nobody_leaves_a_fleet_that_is_all_at_work() {
    let roster: Vec<Member> = (0..10)
        .map(|i| member(&format!("i-{i}"), 1 + i % 4))
        .collect();
    assert_eq!(leaving(&roster, 9), [""; 0]);
}
