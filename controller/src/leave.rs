//! Who leaves when a fleet shrinks.
//!
//! Pure: from the roster and a quota to instance ids, in the order they should leave. It must not
//! decide how many leave; that is the verdict's.
//!
//! An instance that is ended is held by the terminating lifecycle hook while its worker finishes
//! or hands back what it has, so ending a busy one loses nothing: it drains. It still wastes: the
//! slots that stay behind serve nobody during the drain. So the order is
//!
//! 1. **idle**: a fresh report with no busy slot, one that drains already before all others;
//! 2. **booting**: not yet in service, or too young to have reported; a worker reports with its
//!    first job, so it has not begun one;
//! 3. **busy**: a fresh report with busy slots, the least busy first;
//! 4. **silent**: in service, launched long enough ago to have reported or nobody knows when, no
//!    fresh report. It is unknown, not idle.
//!
//! Where a backlog stands by design, nobody ever falls idle, and a fleet that waited for it would
//! never shrink. So spare capacity reaches the busy too, but only those whose jobs are known to be
//! short ([`DRAINABLE`]): a job of hours is waited for until it ends by itself.
//!
//! Spare capacity never reaches the silent while any message is in flight, for then one of them
//! may be at work and beyond reach of a drain; nor the booting, unless somebody reports, which
//! shows that reports arrive. Only capacity that *must* go, because the policy's maximum was
//! lowered below what is there, reaches as far as it has to. An instance that is terminating
//! already, or that the group does not count, never leaves twice.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::model::{Member, Phase, Seconds, UnixSeconds};

/// A busy instance drains as spare where its jobs take no longer than this on average. Half of the
/// hook's shortest sensible patience: nine drains of ten are over within two to three means.
pub const DRAINABLE: Seconds = Seconds(300.0);

/// How many are to leave, and what may be presumed about those that do not report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quota {
    /// Instances above what the verdict wants.
    pub spare: usize,
    /// Of those, how many are above the policy's maximum: they leave, whatever is known of them.
    pub forced: usize,
    /// Whether an instance without a report may be at work.
    pub quiet: Quiet,
    /// The moment of the roster.
    pub now: UnixSeconds,
    /// From launch to the first report, generously: younger than this is booting, not silent.
    pub boot_allowance: Seconds,
}

/// What is known about instances that do not report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quiet {
    /// No message is in flight anywhere in the fleet: nobody can be working.
    AtRest,
    /// Messages are in flight, or it is unknown whether any are.
    MayBeAtWork,
}

/// Chooses who leaves, in order; never more than the larger of `spare` and `forced`.
pub fn choose(roster: &[Member], quota: &Quota) -> Vec<String> {
    let mut staying: Vec<Candidate<'_>> = roster
        .iter()
        .filter_map(|member| Candidate::of(member, quota))
        .collect();
    let reports_arrive = roster.iter().any(|member| member.report.is_some());
    let mut leaving = Vec::new();
    while leaving.len() < quota.spare.max(quota.forced) {
        let Some(next) = first_to_leave(&staying) else {
            break;
        };
        let next = staying.swap_remove(next);
        let is_forced = leaving.len() < quota.forced;
        let may_leave = match next.standing {
            Standing::IdleDraining | Standing::Idle => true,
            Standing::Booting => reports_arrive || quota.quiet == Quiet::AtRest,
            Standing::Busy(_) => is_drainable(next.member),
            Standing::Silent => quota.quiet == Quiet::AtRest,
        };
        if may_leave || is_forced {
            leaving.push(next.member.id.clone());
        }
    }
    leaving
}

fn is_drainable(member: &Member) -> bool {
    let mean = (member.report.as_ref()).and_then(|report| report.service_seconds_mean);
    mean.is_some_and(|seconds| seconds <= DRAINABLE.0)
}

/// The zones are counted anew for each, so that those who stay are spread evenly.
fn first_to_leave(staying: &[Candidate<'_>]) -> Option<usize> {
    let mut in_zone: BTreeMap<&str, usize> = BTreeMap::new();
    for candidate in staying {
        *in_zone.entry(&candidate.member.zone).or_default() += 1;
    }
    let crowd = |candidate: &Candidate<'_>| in_zone[candidate.member.zone.as_str()];
    (0..staying.len()).min_by(|&a, &b| {
        let (a, b) = (&staying[a], &staying[b]);
        a.standing
            .cmp(&b.standing)
            .then_with(|| by_version(a.member, b.member))
            .then_with(|| crowd(b).cmp(&crowd(a)))
            .then_with(|| by_birth(a.member, b.member))
            .then_with(|| a.member.id.cmp(&b.member.id))
    })
}

struct Candidate<'a> {
    member: &'a Member,
    standing: Standing,
}

/// In the order of leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    IdleDraining,
    Idle,
    Booting,
    Busy(u32),
    Silent,
}

impl<'a> Candidate<'a> {
    fn of(member: &'a Member, quota: &Quota) -> Option<Self> {
        let standing = match (member.phase, &member.report) {
            (Phase::Terminating | Phase::Other, _) => return None,
            (_, Some(report)) if report.busy_slots > 0 => Standing::Busy(report.busy_slots),
            (_, Some(report)) if report.draining => Standing::IdleDraining,
            (_, Some(_)) => Standing::Idle,
            (Phase::Pending, None) => Standing::Booting,
            (Phase::InService, None) => match member.launched_at {
                Some(launched) if quota.now.0 <= launched.0 + quota.boot_allowance.0 => {
                    Standing::Booting
                }
                _ => Standing::Silent,
            },
        };
        Some(Self { member, standing })
    }
}

/// Older software first. Those that do not report have no version and are alike.
fn by_version(a: &Member, b: &Member) -> Ordering {
    match (&a.report, &b.report) {
        (Some(a), Some(b)) => version_key(&a.version).cmp(&version_key(&b.version)),
        _ => Ordering::Equal,
    }
}

/// `0.10.0` is after `0.9.0`; what is no number counts as 0, and the text breaks ties.
fn version_key(version: &str) -> (Vec<u64>, &str) {
    let numbers = version
        .split(['.', '-', '+'])
        .map(|part| part.parse().unwrap_or(0))
        .collect();
    (numbers, version)
}

/// Longest there first, so that the newest leave last; unknown counts as new.
fn by_birth(a: &Member, b: &Member) -> Ordering {
    birth(a).total_cmp(&birth(b))
}

fn birth(member: &Member) -> f64 {
    member.launched_at.map_or_else(
        || {
            member
                .report
                .as_ref()
                .map_or(f64::INFINITY, |report| report.started_at)
        },
        |at| at.0,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_protocol::Report;

    const NOW: f64 = 10_000.0;

    fn member(id: &str, phase: Phase, age: f64) -> Member {
        Member {
            id: id.to_owned(),
            zone: "a".to_owned(),
            phase,
            launched_at: Some(UnixSeconds(NOW - age)),
            report: None,
        }
    }

    fn reporting(id: &str, busy_slots: u32) -> Member {
        Member {
            report: Some(Report {
                instance_id: id.to_owned(),
                fleet: "f".to_owned(),
                started_at: NOW - 500.0,
                reported_at: NOW - 5.0,
                slots: 4,
                busy_slots,
                completed_total: 0,
                failed_total: 0,
                service_seconds_mean: None,
                service_seconds_p95: None,
                draining: false,
                version: "0.1.0".to_owned(),
                expires_at: 0,
            }),
            ..member(id, Phase::InService, 600.0)
        }
    }

    fn with_report(mut member: Member, change: impl FnOnce(&mut Report)) -> Member {
        change(member.report.as_mut().unwrap());
        member
    }

    fn with_jobs_of(member: Member, seconds: f64) -> Member {
        with_report(member, |r| r.service_seconds_mean = Some(seconds))
    }

    fn in_zone(mut member: Member, zone: &str) -> Member {
        zone.clone_into(&mut member.zone);
        member
    }

    fn spare(spare: usize) -> Quota {
        Quota {
            spare,
            forced: 0,
            quiet: Quiet::MayBeAtWork,
            now: UnixSeconds(NOW),
            boot_allowance: Seconds(300.0),
        }
    }

    struct Case {
        name: &'static str,
        roster: Vec<Member>,
        quota: Quota,
        leaving: &'static [&'static str],
    }

    fn order_cases() -> Vec<Case> {
        vec![
            Case {
                name: "idle before busy",
                roster: vec![reporting("busy", 1), reporting("idle", 0)],
                quota: spare(1),
                leaving: &["idle"],
            },
            Case {
                name: "draining before the other idle ones",
                roster: vec![
                    reporting("idle", 0),
                    with_report(reporting("leaving", 0), |r| r.draining = true),
                ],
                quota: spare(2),
                leaving: &["leaving", "idle"],
            },
            Case {
                name: "older software first, by number and not by letter",
                roster: vec![
                    with_report(reporting("new", 0), |r| "0.10.0".clone_into(&mut r.version)),
                    with_report(reporting("old", 0), |r| "0.9.0".clone_into(&mut r.version)),
                ],
                quota: spare(1),
                leaving: &["old"],
            },
            Case {
                name: "the fullest zone first, counted anew for each",
                roster: vec![
                    in_zone(reporting("a1", 0), "a"),
                    in_zone(reporting("b1", 0), "b"),
                    in_zone(reporting("b2", 0), "b"),
                    in_zone(reporting("b3", 0), "b"),
                ],
                quota: spare(3),
                leaving: &["b1", "b2", "a1"],
            },
            Case {
                name: "the newest last",
                roster: vec![
                    Member {
                        launched_at: Some(UnixSeconds(NOW - 50.0)),
                        ..reporting("new", 0)
                    },
                    Member {
                        launched_at: Some(UnixSeconds(NOW - 900.0)),
                        ..reporting("old", 0)
                    },
                ],
                quota: spare(1),
                leaving: &["old"],
            },
        ]
    }

    fn spare_cases() -> Vec<Case> {
        let at_rest = |quota| Quota {
            quiet: Quiet::AtRest,
            ..quota
        };
        vec![
            Case {
                name: "where not enough are idle, the least busy drain",
                roster: vec![
                    with_jobs_of(reporting("full", 4), 30.0),
                    with_jobs_of(reporting("half", 2), 30.0),
                    reporting("idle", 0),
                ],
                quota: spare(2),
                leaving: &["idle", "half"],
            },
            Case {
                name: "long jobs, and jobs of unknown length, are waited for",
                roster: vec![
                    with_jobs_of(reporting("long", 1), 301.0),
                    reporting("unknown", 1),
                    with_jobs_of(reporting("short", 2), 300.0),
                ],
                quota: spare(3),
                leaving: &["short"],
            },
            Case {
                name: "a booting one goes before a busy one, where reports arrive",
                roster: vec![
                    member("booting", Phase::Pending, 10.0),
                    reporting("busy", 1),
                ],
                quota: spare(1),
                leaving: &["booting"],
            },
            Case {
                name: "a booting one stays where nobody reports and messages are in flight",
                roster: vec![member("booting", Phase::Pending, 10.0)],
                quota: spare(1),
                leaving: &[],
            },
            Case {
                name: "a silent one stays while messages are in flight",
                roster: vec![
                    member("silent", Phase::InService, 900.0),
                    reporting("idle", 0),
                ],
                quota: spare(2),
                leaving: &["idle"],
            },
            Case {
                name: "with nothing in flight the booting go, then the silent",
                roster: vec![
                    member("booting", Phase::Pending, 10.0),
                    member("young", Phase::InService, 60.0),
                    member("silent", Phase::InService, 900.0),
                    reporting("idle", 0),
                ],
                quota: at_rest(spare(4)),
                leaving: &["idle", "young", "booting", "silent"],
            },
            Case {
                name: "an unknown launch time counts as silent",
                roster: vec![
                    Member {
                        launched_at: None,
                        ..member("a-unknown", Phase::InService, 0.0)
                    },
                    reporting("idle", 0),
                ],
                quota: spare(2),
                leaving: &["idle"],
            },
            Case {
                name: "nobody leaves twice, and what the group does not count never",
                roster: vec![
                    Member {
                        phase: Phase::Terminating,
                        ..reporting("going", 0)
                    },
                    Member {
                        phase: Phase::Other,
                        ..reporting("standby", 0)
                    },
                ],
                quota: at_rest(Quota {
                    forced: 2,
                    ..spare(2)
                }),
                leaving: &[],
            },
            Case {
                name: "nobody leaves where nobody should",
                roster: vec![reporting("idle", 0)],
                quota: spare(0),
                leaving: &[],
            },
        ]
    }

    fn forced_cases() -> Vec<Case> {
        vec![
            Case {
                name: "capacity above the maximum goes, the least busy first",
                roster: vec![
                    reporting("full", 4),
                    reporting("some", 1),
                    reporting("more", 2),
                ],
                quota: Quota {
                    forced: 2,
                    ..spare(2)
                },
                leaving: &["some", "more"],
            },
            Case {
                name: "beyond what is forced no silent one goes",
                roster: vec![
                    member("s1", Phase::InService, 950.0),
                    member("s2", Phase::InService, 900.0),
                ],
                quota: Quota {
                    forced: 1,
                    ..spare(2)
                },
                leaving: &["s1"],
            },
            Case {
                name: "forced capacity takes booting ones, then busy ones, then silent ones",
                roster: vec![
                    member("booting", Phase::Pending, 10.0),
                    member("silent", Phase::InService, 900.0),
                    reporting("busy", 4),
                ],
                quota: Quota {
                    forced: 2,
                    ..spare(2)
                },
                leaving: &["booting", "busy"],
            },
        ]
    }

    fn check(cases: Vec<Case>) {
        for mut case in cases {
            let chosen = choose(&case.roster, &case.quota);
            assert_eq!(chosen, case.leaving, "{}", case.name);
            case.roster.reverse();
            let chosen = choose(&case.roster, &case.quota);
            assert_eq!(chosen, case.leaving, "{}, in another order", case.name);
        }
    }

    #[test]
    fn leaves_in_order() {
        check(order_cases());
    }

    #[test]
    fn spare_capacity_leaves_only_where_a_drain_reaches_it() {
        check(spare_cases());
    }

    #[test]
    fn capacity_above_the_maximum_leaves_whatever_is_known_of_it() {
        check(forced_cases());
    }
}
