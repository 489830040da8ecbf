//! What must hold of groups whatever is done to them.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::super::Cloud;
use super::*;
use crate::cloud::ec2::{TemplateData, TemplateSpec};

const GROUP: &str = "workers";
const HOOK: &str = "weir-drain";
const MAX: usize = 8;

fn cloud(config: &CloudConfig, change: GroupChange) -> Cloud {
    let mut cloud = Cloud::new(config);
    let now = Time::from_secs(1_000);
    cloud
        .ec2
        .create_launch_template(now, "lt", TemplateData::default())
        .unwrap();
    let change = GroupChange {
        name: GROUP.into(),
        region: "eu-west-1".into(),
        min: Some(0),
        max: Some(MAX),
        zones: vec!["eu-west-1a".into(), "eu-west-1b".into()],
        template: Some(TemplateSpec {
            name: Some("lt".into()),
            ..TemplateSpec::default()
        }),
        ..change
    };
    cloud
        .autoscaling
        .create_group(now, &change, &mut cloud.ec2)
        .unwrap();
    cloud
}

fn drain_hook() -> HookChange {
    HookChange {
        name: HOOK.into(),
        transition: Some(Transition::Terminating),
        heartbeat_timeout: Some(Duration::from_mins(2)),
        ..HookChange::default()
    }
}

/// Something done to the group; instances are named by their place among all members.
#[derive(Clone, Debug)]
enum Step {
    SetDesired(usize),
    End { nth: usize, decrement: Decrement },
    Complete { nth: usize },
    Protect { nth: usize, protection: Protection },
    Fail { nth: usize },
    Capacity(Option<usize>),
    Wait { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let nth = 0..MAX * 2;
    let decrement = prop_oneof![Just(Decrement::Yes), Just(Decrement::No)];
    let protection = prop_oneof![Just(Protection::Protected), Just(Protection::Unprotected)];
    prop_oneof![
        3 => (0..=MAX + 1).prop_map(Step::SetDesired),
        2 => (nth.clone(), decrement).prop_map(|(nth, decrement)| Step::End { nth, decrement }),
        2 => nth.clone().prop_map(|nth| Step::Complete { nth }),
        2 => (nth.clone(), protection).prop_map(|(nth, protection)| Step::Protect { nth, protection }),
        1 => nth.prop_map(|nth| Step::Fail { nth }),
        1 => prop::option::of(0..MAX).prop_map(Step::Capacity),
        4 => (0..200_u64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

fn act(cloud: &mut Cloud, now: &mut Time, step: &Step) {
    let ids: Vec<String> = {
        let group = cloud.autoscaling.group(GROUP).unwrap();
        group
            .members()
            .iter()
            .map(|member| member.id.clone())
            .collect()
    };
    let id = |nth: usize| ids.get(nth).cloned().unwrap_or_default();
    let Cloud {
        autoscaling, ec2, ..
    } = cloud;
    // What AWS would refuse is refused; the invariants are about what is left.
    match step {
        Step::SetDesired(desired) => drop(autoscaling.set_desired(*now, GROUP, *desired, ec2)),
        Step::End { nth, decrement } => {
            drop(autoscaling.terminate_instance(*now, &id(*nth), *decrement, ec2));
        }
        Step::Complete { nth } => {
            let action = ActionRef {
                group: GROUP.into(),
                hook: HOOK.into(),
                instance: Some(id(*nth)),
                token: None,
            };
            drop(autoscaling.complete_action(*now, &action, ActionResult::Continue, ec2));
        }
        Step::Protect { nth, protection } => {
            let change = ProtectionChange {
                group: GROUP.into(),
                instances: vec![id(*nth)],
                protection: *protection,
            };
            drop(autoscaling.set_protection(*now, &change, ec2));
        }
        Step::Fail { nth } => autoscaling.instance_failed(*now, &id(*nth), ec2),
        Step::Capacity(capacity) => autoscaling.set_capacity(*capacity),
        Step::Wait { seconds } => {
            *now = *now + Duration::from_secs(*seconds);
            autoscaling.advance(*now, ec2);
        }
    }
}

proptest! {
    /// The size stays within its bounds; a group in which nothing is due has the size it wants, unless
    /// protection or a lack of capacity keeps it from that; and each instance is told of as launched
    /// before it has ended, and as ended once.
    #[test]
    fn a_group_keeps_its_promises(steps in prop::collection::vec(step(), 1..80)) {
        let config = CloudConfig { shutdown: Duration::from_secs(3), ..CloudConfig::default() };
        let mut cloud = cloud(&config, GroupChange { hooks: vec![drain_hook()], ..GroupChange::default() });
        let mut now = Time::from_secs(1_000);
        let mut told: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for step in &steps {
            act(&mut cloud, &mut now, step);
            for event in cloud.autoscaling.drain_events() {
                match event {
                    Event::Launched { instance, .. } => told.entry(instance.id).or_default().0 += 1,
                    Event::Ended { instance } => told.entry(instance).or_default().1 += 1,
                    Event::LifecycleStateChanged { .. } => {}
                }
            }
            let group = cloud.autoscaling.group(GROUP).unwrap();
            prop_assert!(group.size.min <= group.size.desired && group.size.desired <= group.size.max);
            for member in group.members().iter().filter(|member| member.is_in_service()) {
                let state = cloud.ec2.instance(&member.id).map(|found| found.state);
                prop_assert_eq!(state, Some(InstanceState::Running));
            }
        }
        for (id, (launched, ended)) in &told {
            prop_assert!(*launched <= 1 && *ended <= 1, "{} launched {} ended {}", id, launched, ended);
        }
        // Left alone, the group comes to rest.
        cloud.autoscaling.set_capacity(None);
        now = now + Duration::from_hours(1);
        cloud.advance(now);
        let group = cloud.autoscaling.group(GROUP).unwrap();
        let protected = group.members().iter().filter(|m| m.protection == Protection::Protected).count();
        prop_assert!(group.active() >= group.size.desired);
        prop_assert!(group.active() == group.size.desired || protected >= group.active());
        prop_assert_eq!(group.members().len(), group.active(), "nobody leaves for an hour");
    }

    /// One long step and many short ones come to the same.
    #[test]
    fn time_may_pass_in_any_steps(cuts in prop::collection::vec(1..60_u64, 1..20)) {
        let run = |cuts: &[u64]| {
            let change = GroupChange { desired: Some(4), hooks: vec![drain_hook()], ..GroupChange::default() };
            let mut cloud = cloud(&CloudConfig::default(), change);
            let mut now = Time::from_secs(1_000);
            cloud.advance(now + Duration::from_secs(1));
            let Cloud { autoscaling, ec2, .. } = &mut cloud;
            autoscaling.set_desired(now + Duration::from_secs(1), GROUP, 1, ec2).unwrap();
            for cut in cuts {
                now = now + Duration::from_secs(*cut);
                cloud.advance(now);
            }
            let group = cloud.autoscaling.group(GROUP).unwrap();
            let seen = |member: &Member| (member.id.clone(), member.lifecycle_state());
            group.members().iter().map(seen).collect::<Vec<_>>()
        };
        prop_assert_eq!(run(&cuts), run(&[cuts.iter().sum()]));
    }
}

#[test]
fn a_launch_delay_holds_back_launches_and_nothing_else() {
    let config = CloudConfig {
        launch_delay: Duration::from_secs(10),
        ..CloudConfig::default()
    };
    let mut cloud = cloud(
        &config,
        GroupChange {
            desired: Some(2),
            ..GroupChange::default()
        },
    );
    let members = |cloud: &Cloud| cloud.autoscaling.group(GROUP).unwrap().members().len();
    cloud.advance(Time::from_secs(1_009));
    assert_eq!(members(&cloud), 0);
    assert_eq!(
        cloud.autoscaling.next_event_at(),
        Some(Time::from_secs(1_010))
    );
    cloud.advance(Time::from_secs(1_010));
    assert_eq!(members(&cloud), 2);
}

#[test]
fn an_instance_that_dies_while_it_drains_is_gone_at_once() {
    let change = GroupChange {
        desired: Some(1),
        hooks: vec![drain_hook()],
        ..GroupChange::default()
    };
    let mut cloud = cloud(&CloudConfig::default(), change);
    let now = Time::from_secs(1_010);
    cloud.advance(now);
    let id = cloud.autoscaling.group(GROUP).unwrap().members()[0]
        .id
        .clone();
    let Cloud {
        autoscaling, ec2, ..
    } = &mut cloud;
    autoscaling
        .terminate_instance(now, &id, Decrement::Yes, ec2)
        .unwrap();
    cloud.instance_failed(now, &id);
    assert!(cloud.autoscaling.group(GROUP).unwrap().members().is_empty());
    assert_eq!(
        cloud.ec2.instance(&id).unwrap().state,
        InstanceState::Terminated
    );
}

#[test]
fn an_instance_that_is_not_up_yet_is_not_held_by_the_drain_hook() {
    let change = GroupChange {
        desired: Some(1),
        hooks: vec![drain_hook()],
        ..GroupChange::default()
    };
    let mut cloud = cloud(&CloudConfig::default(), change);
    let now = Time::from_secs(1_000);
    let id = cloud.autoscaling.group(GROUP).unwrap().members()[0]
        .id
        .clone();
    let Cloud {
        autoscaling, ec2, ..
    } = &mut cloud;
    autoscaling
        .terminate_instance(now, &id, Decrement::Yes, ec2)
        .unwrap();
    assert!(cloud.autoscaling.group(GROUP).unwrap().members().is_empty());
}
