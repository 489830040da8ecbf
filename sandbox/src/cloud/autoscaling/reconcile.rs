//! What makes a group's members follow its settings: launches, victims, and each member's life.

use std::collections::{BTreeMap, VecDeque};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::super::Time;
use super::super::ec2::{Ec2, InstanceState, Launch};
use super::activity::NewActivity;
use super::group::{Blocked, Group};
use super::hook::{Action, ActionResult, Transition};
use super::member::{Health, Held, Member, Phase, Protection};
use super::{Event, TargetState, Timing};

/// What a group acts on, at one moment.
pub(super) struct Scene<'a> {
    pub(super) now: Time,
    pub(super) ec2: &'a mut Ec2,
    pub(super) events: &'a mut VecDeque<Event>,
    pub(super) rng: &'a mut ChaCha8Rng,
    pub(super) timing: &'a Timing,
}

impl Scene<'_> {
    pub(super) fn uuid(&mut self) -> String {
        let random = uuid::Builder::from_random_bytes(self.rng.random());
        random.into_uuid().to_string()
    }
}

impl Group {
    /// When something happens to the group by itself.
    pub(super) fn next_event_at(&self) -> Option<Time> {
        let short = self.active() < self.size.desired;
        let launch = self.launch_after.filter(|_| short);
        let members = self.members.iter().filter_map(Member::next_event_at);
        members.chain(launch).min()
    }

    /// Lets happen what is due now, then launches or ends what the size asks for.
    pub(super) fn settle(&mut self, scene: &mut Scene) {
        let due = |member: &Member| member.next_event_at().is_some_and(|at| at <= scene.now);
        let due: Vec<String> = self
            .members
            .iter()
            .filter(|member| due(member))
            .map(|member| member.id.clone())
            .collect();
        for id in due {
            self.step(&id, scene);
        }
        self.reconcile(scene);
    }

    /// Moves one member whose time has come.
    fn step(&mut self, id: &str, scene: &mut Scene) {
        let Some(member) = self.member_mut(id) else {
            return;
        };
        match &mut member.phase {
            Phase::Booting { .. } => self.booted(id, scene),
            Phase::Coming { actions } | Phase::Leaving { actions } => {
                let overdue = actions
                    .iter()
                    .find(|(_, action)| action.due_at() <= scene.now);
                if let Some((hook, result)) =
                    overdue.map(|(hook, action)| (hook.clone(), action.default_result))
                {
                    self.complete(id, &hook, result, scene);
                }
            }
            Phase::ShuttingDown { .. } | Phase::Failed { .. } => self.gone(id, scene),
            Phase::InService => {}
        }
    }

    fn booted(&mut self, id: &str, scene: &mut Scene) {
        scene.ec2.set_state(scene.now, id, InstanceState::Running);
        let actions = self.holds(Transition::Launching, scene);
        if let Some(instance) = scene.ec2.instance(id) {
            scene.events.push_back(Event::Launched {
                group: self.name.clone(),
                instance: instance.clone(),
            });
        }
        if actions.is_empty() {
            self.in_service(id, scene);
        } else if let Some(member) = self.member_mut(id) {
            member.phase = Phase::Coming { actions };
        }
    }

    fn in_service(&mut self, id: &str, scene: &mut Scene) {
        let Some(member) = self.member_mut(id) else {
            return;
        };
        member.phase = Phase::InService;
        let activity = member.activity;
        self.activities.end(scene.now, activity, Ok(()));
    }

    /// The holds of all hooks of this transition.
    fn holds(&self, transition: Transition, scene: &mut Scene) -> BTreeMap<String, Action> {
        let hooks = self
            .hooks
            .values()
            .filter(|hook| hook.transition == transition);
        hooks
            .map(|hook| (hook.name.clone(), hook.hold(scene.now, scene.uuid())))
            .collect()
    }

    /// A hook's action on a member ends.
    pub(super) fn complete(
        &mut self,
        id: &str,
        hook: &str,
        result: ActionResult,
        scene: &mut Scene,
    ) {
        let Some(member) = self.member_mut(id) else {
            return;
        };
        let Some(actions) = member.actions_mut() else {
            return;
        };
        actions.remove(hook);
        let free = actions.is_empty();
        match (&member.phase, result) {
            (Phase::Coming { .. }, ActionResult::Abandon) => {
                let activity = member.activity;
                self.activities.end(
                    scene.now,
                    activity,
                    Err(format!("Lifecycle action of hook {hook} was abandoned.")),
                );
                let cause = format!(
                    "At {} an instance was taken out of service because its launching lifecycle \
                     action was abandoned.",
                    scene.now
                );
                self.end_member(id, cause, scene);
            }
            (Phase::Coming { .. }, ActionResult::Continue) if free => self.in_service(id, scene),
            (Phase::Leaving { .. }, ActionResult::Abandon) => {
                self.shut_down(id, Held::ByHook, scene);
            }
            (Phase::Leaving { .. }, ActionResult::Continue) if free => {
                self.shut_down(id, Held::ByHook, scene);
            }
            _ => {}
        }
    }

    /// Sends a member on its way out; hooks may hold it. Gives the activity's number.
    pub(super) fn end_member(&mut self, id: &str, cause: String, scene: &mut Scene) -> u64 {
        let activity = self.activities.begin(
            scene.now,
            NewActivity {
                id: scene.uuid(),
                description: format!("Terminating EC2 instance: {id}"),
                cause,
            },
        );
        let was_up = self
            .members
            .iter()
            .any(|member| member.id == id && !matches!(member.phase, Phase::Booting { .. }));
        scene.events.push_back(Event::LifecycleStateChanged {
            instance: id.into(),
            target_state: TargetState::Terminated,
        });
        let actions = self.holds(Transition::Terminating, scene);
        let Some(member) = self.member_mut(id) else {
            return activity;
        };
        member.activity = activity;
        if actions.is_empty() || !was_up {
            self.shut_down(id, Held::Never, scene);
        } else {
            member.phase = Phase::Leaving { actions };
        }
        activity
    }

    fn shut_down(&mut self, id: &str, was: Held, scene: &mut Scene) {
        scene
            .ec2
            .set_state(scene.now, id, InstanceState::ShuttingDown);
        scene.events.push_back(Event::Ended {
            instance: id.into(),
        });
        let until = scene.now + scene.timing.shutdown;
        if let Some(member) = self.member_mut(id) {
            member.phase = Phase::ShuttingDown { until, was };
        }
        if until <= scene.now {
            self.gone(id, scene);
        }
    }

    fn gone(&mut self, id: &str, scene: &mut Scene) {
        let Some(at) = self.members.iter().position(|member| member.id == id) else {
            return;
        };
        let member = self.members.remove(at);
        let activity = if matches!(member.phase, Phase::Failed { .. }) {
            self.activities.begin(
                scene.now,
                NewActivity {
                    id: scene.uuid(),
                    description: format!("Terminating EC2 instance: {id}"),
                    cause: format!(
                        "At {} an instance was taken out of service in response to an EC2 health \
                         check indicating it has been terminated or stopped.",
                        scene.now
                    ),
                },
            )
        } else {
            member.activity
        };
        self.activities.end(scene.now, activity, Ok(()));
        scene
            .ec2
            .set_state(scene.now, id, InstanceState::Terminated);
    }

    /// A member died by itself. Its hooks hold nothing any more.
    pub(super) fn failed(&mut self, id: &str, scene: &mut Scene) {
        let noticed_at = scene.now + scene.timing.detect_failure;
        let Some(member) = self.member_mut(id) else {
            return;
        };
        let was_leaving = member.is_leaving();
        if matches!(
            member.phase,
            Phase::Failed { .. } | Phase::ShuttingDown { .. }
        ) {
            return;
        }
        member.health = Health::Unhealthy;
        if was_leaving {
            self.shut_down(id, Held::ByHook, scene);
            return;
        }
        member.phase = Phase::Failed { noticed_at };
        scene
            .ec2
            .set_state(scene.now, id, InstanceState::Terminated);
        scene.events.push_back(Event::Ended {
            instance: id.into(),
        });
    }

    fn reconcile(&mut self, scene: &mut Scene) {
        let (active, desired) = (self.active(), self.size.desired);
        if active < desired && self.launch_after.is_none_or(|at| at <= scene.now) {
            self.launch_after = None;
            self.launch(desired - active, scene);
        }
        if active > desired {
            self.shrink(active - desired, scene);
        } else {
            self.blocked = Blocked::No;
        }
    }

    fn launch(&mut self, wanted: usize, scene: &mut Scene) {
        for _ in 0..wanted {
            let active = self.active();
            let mut activity = NewActivity {
                id: scene.uuid(),
                description: "Launching a new EC2 instance".into(),
                cause: format!(
                    "{}  At {} an instance was started in response to a difference between desired \
                     and actual capacity, increasing the capacity from {active} to {}.",
                    self.last_cause,
                    scene.now,
                    active + 1
                ),
            };
            let full = |capacity: usize| scene.ec2.alive() >= capacity;
            if scene.timing.capacity.is_some_and(full) {
                activity
                    .description
                    .push_str(".  Status Reason: no capacity.");
                let zone = self.next_zone();
                let number = self.activities.begin(scene.now, activity);
                let why = format!(
                    "We currently do not have sufficient capacity in the Availability Zone you \
                     requested ({zone}). Launching EC2 instance failed. InsufficientInstanceCapacity"
                );
                self.activities.end(scene.now, number, Err(why));
                self.launch_after = Some(scene.now + scene.timing.launch_retry);
                return;
            }
            let member = self.launch_one(activity, scene);
            let booted = matches!(member.phase, Phase::Booting { until } if until <= scene.now);
            let id = member.id.clone();
            self.members.push(member);
            if booted {
                self.booted(&id, scene);
            }
        }
    }

    fn launch_one(&mut self, mut activity: NewActivity, scene: &mut Scene) -> Member {
        let settings = &self.settings;
        let mixed = settings.mixed_instances.as_ref();
        let template = settings
            .template
            .clone()
            .or(mixed.map(|mixed| mixed.template.clone()))
            .map(|spec| scene.ec2.pinned(&spec));
        let instance = scene.ec2.launch(
            scene.now,
            Launch {
                zone: self.next_zone(),
                template: template.clone(),
                instance_type: mixed.and_then(|mixed| mixed.instance_types.first().cloned()),
                tags: self.instance_tags(),
            },
        );
        activity.description = format!("Launching a new EC2 instance: {}", instance.id);
        Member {
            id: instance.id.clone(),
            zone: instance.zone.clone(),
            instance_type: instance.instance_type.clone(),
            template,
            launched_at: scene.now,
            protection: settings.new_instances,
            health: Health::Healthy,
            phase: Phase::Booting {
                until: scene.now + scene.timing.boot,
            },
            activity: self.activities.begin(scene.now, activity),
        }
    }

    /// The zone with the fewest active members; the first of several.
    fn next_zone(&self) -> String {
        let zone = self.zones.iter().min_by_key(|zone| self.active_in(zone));
        zone.cloned().unwrap_or_else(|| "eu-west-1a".into())
    }

    fn active_in(&self, zone: &str) -> usize {
        let active = self.members.iter().filter(|member| member.is_active());
        active.filter(|member| member.zone == zone).count()
    }

    /// Ends up to `excess` members that are in service and not protected.
    fn shrink(&mut self, excess: usize, scene: &mut Scene) {
        let coming = self
            .members
            .iter()
            .filter(|m| m.is_active() && !m.is_in_service())
            .count();
        for _ in 0..excess {
            let Some(victim) = self.victim() else {
                // Those still coming may be free to go once they are in service.
                if coming == 0 {
                    self.note_blocked(scene);
                }
                return;
            };
            let cause = format!(
                "{}  At {} an instance was taken out of service in response to a difference between \
                 desired and actual capacity, shrinking the capacity from {} to {}.",
                self.last_cause,
                scene.now,
                self.active(),
                self.active() - 1
            );
            self.end_member(&victim, cause, scene);
        }
    }

    /// Of the unprotected members in service: from the fullest zone, the oldest launch ("Default
    /// termination policy").
    fn victim(&self) -> Option<String> {
        let free = |member: &&Member| {
            member.is_in_service() && member.protection == Protection::Unprotected
        };
        let by_zone_and_age = |member: &&Member| {
            let crowd = self.active_in(&member.zone);
            (std::cmp::Reverse(crowd), member.launched_at)
        };
        let victim = self.members.iter().filter(free).min_by_key(by_zone_and_age);
        victim.map(|member| member.id.clone())
    }

    fn note_blocked(&mut self, scene: &mut Scene) {
        if self.blocked == Blocked::Noted {
            return;
        }
        self.blocked = Blocked::Noted;
        let number = self.activities.begin(
            scene.now,
            NewActivity {
                id: scene.uuid(),
                description: "Could not scale to desired capacity because all remaining instances \
                              are protected from scale-in."
                    .into(),
                cause: self.last_cause.clone(),
            },
        );
        self.activities.cancel(
            scene.now,
            number,
            "All remaining instances are protected from scale-in.",
        );
    }
}
