//! What is work and what is capacity: in flight, phantoms, stale counts, boots, drains.

use weir_controller::model::{Instances, Messages, WorkersObservation};

use super::{Story, desired, first, has_code, policy};

/// A job of hours was the last; its message was not visible, so the queue was called empty and the
/// only worker ended in its midst (aws/aws-cdk#9242, kedacore/keda#1663).
#[test]
fn a_single_long_job_keeps_its_instance_though_nothing_is_visible() {
    let mut story = Story::new(policy("5m", "30s", ""));
    let sizes = story.stay(8.0 * 3600.0, (0, 1), (1, 0));
    assert!(sizes.iter().all(|size| *size == 1), "{sizes:?}");
    let after = story.follow(600.0, (0, 0), 1);
    assert_eq!(
        after.last(),
        Some(&0),
        "and when it is done, the instance goes"
    );
}

/// Only visible messages counted, though those in work keep the slots that the next ones wait for
/// (kedacore/keda#1663).
#[test]
fn what_runs_takes_up_room() {
    let idle = first(policy("5m", "10m", ""), (60, 0), 10);
    let busy = first(policy("5m", "10m", ""), (60, 40), 10);
    assert!(
        busy >= idle + 8,
        "{busy} with all slots taken, {idle} with none"
    );
}

/// A queue that nobody writes to is counted with one or two messages now and then, and a fleet at
/// zero woke for each (kedacore/keda#7845).
#[test]
fn a_phantom_message_does_not_wake_a_fleet_from_zero() {
    let mut story = Story::new(policy("5m", "8s", ""));
    for look in 0..500 {
        let seen = story.seen((1 + look % 2, 0), (0, 0));
        let verdict = story.judge(&seen);
        assert_eq!(desired(&verdict), 0);
        assert!(has_code(&verdict, "unconfirmed"), "{:?}", verdict.trail);
        assert_eq!(story.look((0, 0), (0, 0)), 0);
    }
    story.look((1, 0), (0, 0));
    assert_eq!(story.look((1, 0), (0, 0)), 1, "seen twice, it is real");
}

/// Counts a minute old came back after the messages were taken, and each return ordered workers
/// anew (kedacore/keda#7330).
#[test]
fn a_count_that_comes_back_orders_nothing_twice() {
    let mut story = Story::reporting(policy("5m", "8s", ""), 8.0);
    let wanted = story.look((300, 0), (0, 0));
    assert!(wanted > 1);
    for _ in 0..8 {
        assert!(story.look((300, 0), (wanted, wanted)) <= wanted);
    }
    let mut size = wanted;
    for look in 0..240 {
        let came_back = 60 * (look % 2);
        let next = story.look((20 + came_back, 2), (size, 0));
        assert!(next <= size, "{size} to {next}");
        size = next;
    }
    assert!(size <= 2, "{size} kept for messages that never came");
}

/// An answer older than the last one was taken for news (kedacore/keda#7330).
#[test]
fn an_older_look_changes_nothing() {
    let mut story = Story::new(policy("5m", "8s", ""));
    story.stay(1200.0, (0, 8), (4, 0));
    for counts in [(0, 0), (5000, 16)] {
        story.at -= 60.0;
        let seen = story.seen(counts, (4, 0));
        let verdict = story.judge(&seen);
        assert_eq!(desired(&verdict), 4);
        assert!(has_code(&verdict, "time_backwards"), "{:?}", verdict.trail);
        story.at += 60.0;
        story.look((0, 8), (4, 0));
    }
}

/// While what was ordered was not placed yet, every poll ordered the same again
/// (kedacore/keda#1323, hashicorp/nomad-autoscaler#610).
#[test]
fn capacity_that_boots_is_not_ordered_twice() {
    let mut story = Story::new(policy("5m", "8s", ""));
    let wanted = story.look((800, 0), (0, 0));
    assert!(wanted > 5, "{wanted}");
    let sizes = story.stay(90.0, (800, 0), (wanted, wanted));
    assert!(
        sizes.iter().all(|size| *size == wanted),
        "{sizes:?}, not {wanted}"
    );
    let mut size = wanted;
    for _ in 0..20 {
        size = story.look((800, 0), (size, size));
    }
    assert!(size <= 2 * wanted, "{size} where {wanted} were enough");
}

/// An instance that was draining passed for capacity, and jobs waited for hours
/// (buildkite/buildkite-agent-scaler#39).
#[test]
fn instances_that_leave_are_no_capacity() {
    let look = |terminating, reporting| {
        let mut story = Story::reporting(policy("5m", "60s", ""), 60.0);
        let mut seen = story.seen((200, 8), (2, 0));
        seen.fleet.terminating = Some(Instances(terminating));
        seen.workers = seen.workers.map(|workers| WorkersObservation {
            reporting: Some(reporting),
            slots: Some(4 * reporting),
            ..workers
        });
        desired(&story.judge(&seen))
    };
    let alone = look(0, 2);
    assert!(alone > 2, "{alone}");
    assert_eq!(look(20, 2), alone);
    assert_eq!(look(20, 22), alone, "though they still report");
}

/// A queue of few, slow messages looks short, and length alone gives it next to nothing
/// (kedacore/keda#5488).
#[test]
fn the_same_length_with_slower_jobs_asks_for_more() {
    let sizes = ["1s", "30s", "10m"].map(|service| first(policy("5m", service, ""), (40, 0), 0));
    assert!(sizes[0] < sizes[1] && sizes[1] < sizes[2], "{sizes:?}");
    assert_eq!(sizes[0], 1);
    let learned = [1.0, 300.0].map(|mean| {
        let mut story = Story::reporting(policy("5m", "30s", ""), mean);
        story.stay(900.0, (0, 8), (2, 0));
        story.look((80, 8), (2, 0))
    });
    assert!(
        learned[1] > learned[0] + 5,
        "{learned:?} from what workers report"
    );
}

/// What matters is how long the oldest has waited, not how many there are
/// (kedacore/keda#5754, practo/k8s-worker-pod-autoscaler#116).
#[test]
fn the_same_length_that_has_waited_longer_asks_for_more() {
    let look = |age| {
        let mut story = Story::new(policy("10m", "60s", ""));
        let mut seen = story.seen((100, 0), (1, 0));
        seen.queues[0].oldest_age_seconds = Some(age);
        desired(&story.judge(&seen))
    };
    assert!(look(400.0) > look(0.0), "{} and {}", look(400.0), look(0.0));
}

/// One fleet was to work several queues and could only watch one
/// (buildkite/buildkite-agent-scaler#205, buildkite/buildkite-agent-scaler#20).
#[test]
fn several_queues_share_one_fleet() {
    let text = "version: 1\nname: t\nqueues: [{ name: q }, { name: r }]\n\
                fleet: { auto_scaling_group: g, max: 600 }\nobjective: { start_within: 5m }\n\
                worker: { slots: 4, service_time: 60s, boot_time: 90s }\n";
    let both = weir_controller::policy::parse("test", text).expect("a policy");
    let look = |q: u64, r: u64| {
        let mut story = Story::new(both.clone());
        let mut seen = story.seen((q, 0), (1, 0));
        let mut other = seen.queues[0].clone();
        other.name = "r".to_owned();
        other.visible = Some(Messages(r));
        seen.queues.push(other);
        desired(&story.judge(&seen))
    };
    let together = first(policy("5m", "60s", ""), (400, 0), 1);
    assert!(
        look(200, 200).abs_diff(together) <= 1,
        "{} and {together}",
        look(200, 200)
    );
    assert!(look(200, 0) < look(200, 200));
    assert!(look(0, 200) < look(200, 200));
}

/// Tracking a backlog per task needed a formula that the tool could not hold
/// (aws/aws-cdk#34072).
#[test]
fn the_backlog_per_instance_and_its_target_come_with_every_verdict() {
    let mut story = Story::reporting(policy("5m", "8s", ""), 30.0);
    story.stay(3600.0, (100, 40), (10, 0));
    let seen = story.seen((100, 40), (10, 0));
    let verdict = story.judge(&seen);
    assert_eq!(verdict.backlog_per_instance, Some(14.0));
    // Four run, and each slot starts (300 - 15) / 30 more before the objective is over.
    let target = verdict.backlog_per_instance_target;
    assert!((target - 42.0).abs() < 1.5, "{target}");
}
