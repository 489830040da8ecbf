//! Tasks of an ECS service above its desired count, which ECS cannot end since they are protected.
//!
//! Pure, and only for services. Two things leave a surplus: a **deployment**, which starts tasks of
//! the new revision beside those of the old and waits until these are gone; and a round that broke
//! off after it had lowered the count. Nobody else would tell them to leave, so each round does,
//! whatever its verdict.

use super::{present_in, quota};
use crate::leave::{self, Quota};
use crate::model::{Instances, Member, Phase};
use crate::policy::Policy;
use crate::ports::{Change, Sighting};

/// Who leaves of those above `size`, and the sighting without them.
///
/// Outdated tasks leave as soon as as many others run in their place, busy or not: a deployment
/// ends with the last of them. While there are any, nobody else leaves: the others are what takes
/// their place, and ECS would start anew whichever of those left.
pub(super) fn dismiss(
    policy: &Policy,
    sighting: &Sighting,
    size: Instances,
) -> (Vec<Change>, Sighting) {
    let mut rest = sighting.clone();
    let is_outdated = |member: &Member| sighting.outdated.contains(&member.id);
    let running = |member: &&Member| member.phase == Phase::InService;
    let surplus = sighting.roster.iter().filter(running).count();
    let surplus = surplus.saturating_sub(size.0 as usize);
    let of_present = quota(policy, sighting, size);
    let leaving = if sighting.outdated.is_empty() {
        let spare = present_in(sighting).saturating_sub(size.0 as usize);
        let quota = Quota {
            spare,
            forced: 0,
            ..of_present
        };
        leave::choose(&sighting.roster, &quota)
    } else {
        rest.roster.retain(|member| is_outdated(member));
        let quota = Quota {
            spare: surplus,
            forced: surplus,
            ..of_present
        };
        let running: Vec<Member> = rest.roster.iter().filter(running).cloned().collect();
        leave::choose(&running, &quota)
    };
    for member in &mut rest.roster {
        if leaving.contains(&member.id) {
            member.phase = Phase::Terminating;
        }
    }
    let changes = leaving.into_iter();
    let changes = changes.map(|instance| Change::Dismiss { instance });
    (changes.collect(), rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Action, UnixSeconds, Verdict};
    use crate::policy::{EcsService, Scaler};
    use crate::testing;

    fn policy() -> Policy {
        let mut policy = testing::policy("thumbnails");
        policy.fleet.scaler = Scaler::EcsService(EcsService {
            cluster: "media".to_owned(),
            service: "thumbnails".to_owned(),
        });
        policy
    }

    fn planned(action: Action, wanted: u32, sighting: &Sighting) -> Vec<String> {
        let verdict = Verdict {
            at: UnixSeconds(0.0),
            fleet: "thumbnails".to_owned(),
            action,
            desired: Some(Instances(wanted)),
            backlog_per_instance: None,
            backlog_per_instance_target: 30.0,
            trail: Vec::new(),
        };
        let plan = super::super::plan(&policy(), &verdict, sighting);
        plan.iter().map(Change::to_string).collect()
    }

    fn seen(roster: Vec<Member>, desired: u32) -> Sighting {
        let mut sighting = testing::sighting("thumbnails", 0, roster);
        sighting.observation.fleet.desired = Some(Instances(desired));
        sighting
    }

    #[test]
    fn what_a_broken_round_left_above_the_count_leaves_in_the_next() {
        let roster = vec![testing::worker("t-0", 0), testing::worker("t-1", 2)];
        let above = "end t-0, above desired capacity";
        assert_eq!(planned(Action::Hold, 1, &seen(roster.clone(), 1)), [above]);
        let grown = planned(Action::Grow, 2, &seen(roster, 1));
        assert_eq!(
            grown,
            ["set desired capacity to 2"],
            "or is asked for again"
        );
    }

    #[test]
    fn a_busy_surplus_with_long_jobs_is_waited_for() {
        let roster = vec![testing::worker("t-0", 1), testing::worker("t-1", 2)];
        assert!(planned(Action::Hold, 1, &seen(roster, 1)).is_empty());
    }

    #[test]
    fn a_group_keeps_its_surplus_while_the_verdict_holds() {
        let roster = vec![testing::worker("i-0", 0), testing::worker("i-1", 0)];
        let sighting = seen(roster, 1);
        let verdict = Verdict {
            at: UnixSeconds(0.0),
            fleet: "thumbnails".to_owned(),
            action: Action::Hold,
            desired: Some(Instances(1)),
            backlog_per_instance: None,
            backlog_per_instance_target: 30.0,
            trail: Vec::new(),
        };
        let group = testing::policy("thumbnails");
        assert_eq!(super::super::plan(&group, &verdict, &sighting), []);
    }

    /// Two tasks of the old revision, one of them busy, and the new ones that `phase` says.
    fn deploying(phase: Phase) -> Sighting {
        let new = |id| Member {
            phase,
            ..testing::worker(id, 0)
        };
        let roster = vec![
            testing::worker("old-busy", 3),
            testing::worker("old-idle", 0),
            new("new-0"),
            new("new-1"),
        ];
        let mut sighting = seen(roster, 2);
        sighting.outdated = ["old-busy", "old-idle"].map(str::to_owned).into();
        sighting
    }

    #[test]
    fn a_deployments_old_tasks_leave_once_new_ones_run() {
        let booting = planned(Action::Hold, 2, &deploying(Phase::Pending));
        assert!(booting.is_empty(), "{booting:?}");
        let running = planned(Action::Hold, 2, &deploying(Phase::InService));
        let both = ["old-idle", "old-busy"].map(|id| format!("end {id}, above desired capacity"));
        assert_eq!(running, both, "and the new ones stay");
    }

    #[test]
    fn shrinking_in_a_deployment_takes_of_the_old() {
        let shrunk = planned(Action::Shrink, 1, &deploying(Phase::Pending));
        assert_eq!(shrunk, ["end old-idle"]);
    }
}
