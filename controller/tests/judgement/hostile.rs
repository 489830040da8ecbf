//! Numbers that no one should send: nothing panics, nothing overflows, nothing shrinks on them.

use weir_controller::check::check;
use weir_controller::decide::{History, decide};
use weir_controller::model::{Instances, Messages, Observation, UnixSeconds, WorkersObservation};

use super::{base, load};

const FLOATS: [f64; 12] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    1e-300,
    1e300,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
];
const COUNTS: [u64; 5] = [0, 1, u64::MAX, u64::MAX - 1, 1 << 53];
const SIZES: [u32; 4] = [0, 1, u32::MAX, u32::MAX - 1];

fn judged(observations: &[Observation]) {
    let mut policy = base();
    policy.instance_hours_per_day = Some(1000.0);
    let mut history = History::default();
    for observation in observations {
        let decision = decide(&policy, observation, &history);
        let verdict = check(&policy, observation, decision.verdict.clone());
        // As text: a time that is not a number does not equal itself.
        assert_eq!(
            format!("{verdict:?}"),
            format!("{:?}", decision.verdict),
            "the checker agrees: {observation:?}"
        );
        assert!(verdict.backlog_per_instance_target.is_finite());
        let text = serde_json::to_string(&decision.history).expect("JSON");
        history = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e} in {text}"));
        assert_eq!(
            history, decision.history,
            "no number is lost on the way through JSON"
        );
    }
}

#[test]
fn every_time_after_every_other() {
    let mut observations = Vec::new();
    for first in FLOATS {
        for second in FLOATS {
            for at in [first, second, 1.7e9 + first, 1.7e9 + second] {
                let mut observation = load::observation(0.0, (500, 40), (10, 0));
                observation.at = UnixSeconds(at);
                observations.push(observation);
            }
        }
    }
    judged(&observations);
}

#[test]
fn every_count_with_every_size() {
    let mut observations = Vec::new();
    let mut at = 1.7e9;
    for visible in COUNTS {
        for in_flight in COUNTS {
            for size in SIZES {
                for pending in SIZES {
                    at += 15.0;
                    let mut observation = load::observation(at, (visible, in_flight), (1, 0));
                    observation.queues[0].delayed = Some(Messages(visible));
                    observation.fleet.desired = Some(Instances(size));
                    observation.fleet.in_service = Some(Instances(size));
                    observation.fleet.pending = Some(Instances(pending));
                    observation.fleet.terminating = Some(Instances(size));
                    observations.push(observation);
                }
            }
        }
    }
    judged(&observations);
}

#[test]
fn every_report() {
    let mut observations = Vec::new();
    let mut at = 1.7e9;
    for mean in FLOATS {
        for boot in FLOATS {
            for total in COUNTS {
                for slots in SIZES {
                    at += 15.0;
                    let mut observation = load::observation(at, (500, 40), (10, 2));
                    observation.queues[0].oldest_age_seconds = Some(mean);
                    observation.workers = Some(WorkersObservation {
                        completed_total: Some(total),
                        busy_slots: Some(slots),
                        slots: Some(slots),
                        service_seconds_mean: Some(mean),
                        boot_seconds_mean: Some(boot),
                        reporting: Some(slots % 7),
                    });
                    observations.push(observation);
                }
            }
        }
    }
    judged(&observations);
}

#[test]
fn a_spoilt_history_does_no_harm() {
    let observation = load::observation(1.7e9, (500, 40), (10, 0));
    let spoilt = [
        r#"{"version":1,"service_seconds":-5.0,"slots":0.0,"interval":-1.0,"boot_seconds":1e308}"#,
        r#"{"version":1,"demands":[[9e18,40],[-9e18,4]],"launches":[[9e18,4294967295],[0,4294967295]]}"#,
        r#"{"version":1,"watched_since":9e18,"waiting_since":9e18,"arrivals":{"short":1e308,"long":1e308}}"#,
        r#"{"version":1,"used":[[9223372036854775807,1e308],[-9223372036854775808,1e308]]}"#,
        r#"{"version":4000000000}"#,
        r#"{"unknown":"key"}"#,
    ];
    for text in spoilt {
        let history: History = serde_json::from_str(text).expect("a history");
        let mut policy = base();
        policy.instance_hours_per_day = Some(1000.0);
        let decision = decide(&policy, &observation, &history);
        let target = decision.verdict.backlog_per_instance_target;
        assert!(target.is_finite() && target > 0.0, "{text}: {target}");
        let checked = check(&policy, &observation, decision.verdict.clone());
        assert_eq!(checked, decision.verdict, "{text}");
    }
}
