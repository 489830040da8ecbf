//! How far and how soon: out of zero, up, down, and not at all.

use weir_controller::model::{Action, Instances};

use super::super::seconds;
use super::{EVENING, Story, desired, first, has_code, policy};

/// One cooldown for all workers is too short for one that takes ten minutes to boot and too long
/// for one that takes seconds (kedacore/keda#157).
#[test]
fn spare_capacity_is_kept_for_as_long_as_it_takes_to_have_back() {
    let kept = |boot| {
        let mut policy = policy("15m", "8s", "");
        policy.worker.boot_time = seconds(boot);
        let mut story = Story::new(policy);
        story.stay(1800.0, (0, 40), (10, 0));
        story.look((4000, 40), (10, 0));
        let sizes = story.follow(3600.0, (0, 0), 10);
        sizes.iter().filter(|size| **size == 10).count()
    };
    let (quick, slow) = (kept(20.0), kept(600.0));
    assert!(slow >= 4 * quick, "{slow} looks and {quick}");
}

/// Nothing came of what was ordered, and desired climbed to six times what ran; it had to be put
/// back by hand (atlassian/escalator#294). What was lost in a shortage was never ordered again
/// (github-aws-runners/terraform-aws-github-runner#2925).
#[test]
fn desired_does_not_climb_while_capacity_does_not_come() {
    let mut story = Story::new(policy("5m", "60s", ""));
    let mut size = 10;
    let mut backlog = 100;
    let mut short = 0;
    for _ in 0..480 {
        backlog += 40;
        let seen = story.seen((backlog, 40), (size, size - 10));
        let verdict = story.judge(&seen);
        short += u32::from(has_code(&verdict, "capacity_short"));
        size = desired(&verdict);
    }
    assert!(size < 400, "{size} asked for, 10 run");
    assert!(short > 100, "{short} of 480 looks say so");
    for _ in 0..240 {
        size = story.look((backlog, 4 * u64::from(size)), (size, 0));
    }
    assert_eq!(size, 600, "once it comes, all that is due is ordered");
}

/// The cooldown over, the fleet fell from any size to zero at once, whatever the limit for going
/// down (kedacore/keda#7770).
#[test]
fn a_fleet_comes_down_by_its_step_to_the_very_end() {
    let mut story = Story::new(policy("5m", "4h", "scale_in: { max_step: 2 }"));
    story.stay(1800.0, (0, 36), (9, 0));
    let sizes = story.follow(1800.0, (0, 0), 9);
    let falls: Vec<u32> = sizes.windows(2).map(|pair| pair[0] - pair[1]).collect();
    assert!(falls.iter().all(|fall| *fall <= 2), "{sizes:?}");
    assert_eq!(sizes.last(), Some(&0), "{sizes:?}");
}

/// The hold was for the last instance alone; above it the fleet fell at once
/// (kedacore/keda#5008, kedacore/keda#737).
#[test]
fn the_hold_is_for_every_instance_and_not_the_last_alone() {
    let mut story = Story::new(policy("5m", "8s", "scale_in: { hold: 10m }"));
    story.stay(1800.0, (4000, 40), (10, 0));
    let sizes = story.follow(3600.0, (0, 4), 10);
    let kept = sizes.iter().filter(|size| **size == 10).count();
    assert!((39..=43).contains(&kept), "{sizes:?}");
    assert_eq!(sizes.last(), Some(&1));
}

/// Ten workers with four tasks each were within a tolerance of one tenth of 41 tasks: the last one
/// waited for good (kubernetes/kubernetes#116984).
#[test]
fn the_forty_first_task_gets_capacity() {
    let mut story = Story::reporting(policy("5m", "4h", ""), 14_400.0);
    let sizes = story.stay(3600.0, (0, 40), (10, 0));
    assert!(sizes.iter().all(|size| *size <= 10), "{sizes:?}");
    assert_eq!(story.look((1, 40), (10, 0)), 11);
    let sizes = story.stay(300.0, (0, 41), (11, 0));
    assert!(sizes.iter().all(|size| *size <= 11), "{sizes:?}");
}

/// A ratio to what runs is nothing at zero: the fleet never woke, or one by one
/// (hashicorp/nomad-autoscaler#530, hashicorp/nomad-autoscaler#424).
#[test]
fn a_fleet_leaves_zero_in_one_step() {
    let mut story = Story::new(policy("5m", "60s", ""));
    let seen = story.seen((500, 0), (0, 0));
    let verdict = story.judge(&seen);
    assert_eq!(
        (verdict.action, verdict.backlog_per_instance),
        (Action::Grow, None)
    );
    let each = verdict.backlog_per_instance_target;
    assert!(
        each * f64::from(desired(&verdict)) >= 500.0,
        "{each} by {}",
        desired(&verdict)
    );
}

/// Three minutes of an alarm's samples went by before anything was ordered
/// (aws/containers-roadmap#1208, aws/containers-roadmap#638).
#[test]
fn the_first_look_at_a_backlog_that_is_due_orders_at_once() {
    assert!(first(policy("5m", "8s", ""), (2000, 16), 4) > 10);
    let mut story = Story::new(policy("5m", "8s", ""));
    story.stay(3600.0, (0, 4), (2, 0));
    assert!(
        story.look((2000, 8), (2, 0)) > 10,
        "and after an hour of calm"
    );
}

/// With one cooldown for both ways a fleet either flaps or lags
/// (hashicorp/nomad-autoscaler#272, kedacore/keda#2455).
#[test]
fn up_is_at_once_and_down_is_slow() {
    let limits = "scale_out: { max_step: 100% }\nscale_in: { max_step: 1, hold: 5m }";
    let mut story = Story::new(policy("5m", "8s", limits));
    story.stay(1200.0, (0, 32), (8, 0));
    assert_eq!(story.look((9000, 32), (8, 0)), 16);
    assert_eq!(
        story.look((9000, 32), (16, 8)),
        32,
        "the next look, the next step"
    );
    let sizes = story.follow(1200.0, (0, 4), 32);
    assert!(sizes[..19].iter().all(|size| *size == 32), "{sizes:?}");
    assert!(
        sizes.windows(2).all(|pair| pair[0] - pair[1] <= 1),
        "{sizes:?}"
    );
    assert!(sizes[sizes.len() - 1] < 8, "{sizes:?}");
}

/// Evaluations were left out as long as the group had anything unfinished, and while a cooldown ran
/// (hashicorp/nomad-autoscaler#885).
#[test]
fn growth_waits_for_no_shrink_and_for_no_unfinished_activity() {
    let mut story = Story::new(policy("5m", "8s", "scale_in: { hold: 1h }"));
    story.stay(7200.0, (2000, 40), (10, 0));
    // Purged: the first look is doubted.
    story.stay(30.0, (0, 4), (10, 0));
    let seen = story.seen((0, 4), (10, 0));
    let verdict = story.judge(&seen);
    assert!(has_code(&verdict, "hold_recent"), "{:?}", verdict.trail);
    let mut seen = story.seen((9000, 28), (10, 3));
    seen.fleet.terminating = Some(Instances(5));
    let verdict = story.judge(&seen);
    assert_eq!(verdict.action, Action::Grow, "{:?}", verdict.trail);
}

/// Sizes followed every twitch of the counts (kedacore/keda#2455); one scaler went to its max and
/// never came down (practo/k8s-worker-pod-autoscaler#32).
#[test]
fn counts_that_twitch_leave_the_fleet_in_peace() {
    let changes = |sizes: &[u32]| sizes.windows(2).filter(|pair| pair[0] != pair[1]).count();
    for more in ["", "scale_in: { hold: 0s }"] {
        let sizes = &twitching(more)[240..];
        assert!(changes(sizes) <= 8, "{sizes:?}");
        assert!(
            sizes.iter().all(|size| (8..=12).contains(size)),
            "{sizes:?}"
        );
    }
}

/// Four hours of 1.2 messages a second, counted a third too high or too low at random.
fn twitching(more: &str) -> Vec<u32> {
    let mut story = Story::reporting(policy("5m", "30s", more), 30.0);
    let mut sizes = vec![10];
    let mut waiting: u64 = 0;
    for look in 0_u64..960 {
        let size = sizes[sizes.len() - 1];
        let present = waiting + 36;
        let in_flight = present.min(4 * u64::from(size));
        let wrong = |count: u64, salt: u64| count * (67 + (look * 7919 + salt) % 67) / 100;
        let counted = (wrong(waiting + 30, 0), wrong(in_flight, 40));
        sizes.push(story.look(counted, (size, 0)));
        waiting = (waiting + 18).saturating_sub(in_flight / 2);
    }
    sizes
}

/// A working day begins with a rush, and no minimum could be set for the hours of the day
/// (buildkite/buildkite-agent-scaler#80).
#[test]
fn a_minimum_holds_in_its_hours_and_not_after() {
    let schedule = "schedule:\n\
                    - { cron: \"0 8 * * MON-FRI\", timezone: Europe/Berlin, for: 10h, min: 5 }";
    let mut story = Story::new(policy("5m", "8s", schedule));
    // Berlin is an hour ahead of UTC in November: from here it is 8 h 46 min to 8:00 there.
    story.at = EVENING + 31_600.0 - 600.0;
    assert_eq!(
        story.follow(570.0, (0, 0), 0).last(),
        Some(&0),
        "before eight"
    );
    story.at = EVENING + 31_600.0 + 1.0;
    assert_eq!(story.look((0, 0), (0, 0)), 5, "at eight");
    assert_eq!(story.follow(3600.0, (0, 0), 5).last(), Some(&5));
    story.at = EVENING + 31_600.0 + 36_000.0 + 1.0;
    assert_eq!(
        story.follow(1800.0, (0, 0), 5).last(),
        Some(&0),
        "after six"
    );
}
