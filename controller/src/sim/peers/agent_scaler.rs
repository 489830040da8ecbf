//! Buildkite's agent scaler, a function that sets an AWS group's size, and what its agents do.
//!
//! As documented the scaler never scales in (`DisableScaleIn`): agents that were idle for so long
//! end themselves, and their instance with them (`ScaleInIdlePeriod` of the Elastic CI stack).
//! Jobs go to the agents that finished one last (Buildkite's docs, "Agent prioritization"), so the
//! work gathers on few, and an instance counts as idle here that the work of the whole period could
//! do without. Where scale-in is enabled, the scaler lowers the size itself. The Elastic CI mode,
//! experimental, is left out.

use std::collections::VecDeque;

use super::setting::{Facts, Parameter, Setting, Typed};
use super::{Look, whole};
use crate::model::Observation;
use crate::sim::Scaler;

pub(super) const PARAMETERS: [Parameter; 8] = [
    Parameter {
        name: "AgentsPerInstance",
        unit: "jobs",
        documented: "slots",
        is_swept: true,
    },
    Parameter {
        name: "AvailabilityThreshold",
        unit: "",
        documented: "0.5",
        is_swept: false,
    },
    Parameter {
        name: "InstanceBuffer",
        unit: "instances",
        documented: "0",
        is_swept: false,
    },
    Parameter {
        name: "ScaleOutFactor",
        unit: "",
        documented: "1",
        is_swept: false,
    },
    Parameter {
        name: "ScaleInFactor",
        unit: "",
        documented: "1",
        is_swept: false,
    },
    Parameter {
        name: "ScaleOutCooldownPeriod",
        unit: "s",
        documented: "300",
        is_swept: false,
    },
    Parameter {
        name: "ScaleInCooldownPeriod",
        unit: "s",
        documented: "3600",
        is_swept: false,
    },
    Parameter {
        name: "ScaleInIdlePeriod",
        unit: "s",
        documented: "600",
        is_swept: false,
    },
];

/// How instances leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// `DisableScaleIn: true`, the default: idle agents end themselves.
    Idle,
    /// `DisableScaleIn: false`: the scaler ends what is too many.
    ScaleIn,
}

/// An agent for each scheduled and running job: visible and in flight over the agents of an
/// instance, at every look (it loops every 10 s), from none to any size in one step.
#[derive(Clone, Debug)]
pub struct AgentScaler {
    /// `AgentsPerInstance`: jobs, scheduled and running, an instance is meant to carry.
    pub agents_per_instance: f64,
    /// Agents that run on an instance in truth.
    pub slots: u32,
    /// `AvailabilityThreshold`: with a smaller share of the agents online, one more instance
    /// is started; 0 turns that off.
    pub availability_threshold: f64,
    /// `InstanceBuffer`: instances beyond those needed, as long as there is a job for each.
    pub instance_buffer: u32,
    /// `ScaleOutFactor`: parts of the missing instances that are added at a time, rounded up.
    pub scale_out_factor: f64,
    /// `ScaleInFactor`: parts of the instances too many that leave at a time, rounded up.
    pub scale_in_factor: f64,
    /// `ScaleOutCooldownPeriod`.
    pub scale_out_cooldown_seconds: f64,
    /// `ScaleInCooldownPeriod`.
    pub scale_in_cooldown_seconds: f64,
    /// `ScaleInIdlePeriod`.
    pub idle_seconds: f64,
    /// How instances leave.
    pub leaving: Leaving,
    scaled_out_at: f64,
    scaled_in_at: f64,
    idle: Idle,
}

impl AgentScaler {
    const AVAILABILITY_THRESHOLD: f64 = 0.5;
    const SCALE_OUT_COOLDOWN_SECONDS: f64 = 300.0;
    const SCALE_IN_COOLDOWN_SECONDS: f64 = 3600.0;
    const IDLE_SECONDS: f64 = 600.0;

    /// The defaults of the template.
    pub fn new(slots: u32) -> Self {
        Self {
            agents_per_instance: f64::from(slots.max(1)),
            slots: slots.max(1),
            availability_threshold: Self::AVAILABILITY_THRESHOLD,
            instance_buffer: 0,
            scale_out_factor: 1.0,
            scale_in_factor: 1.0,
            scale_out_cooldown_seconds: Self::SCALE_OUT_COOLDOWN_SECONDS,
            scale_in_cooldown_seconds: Self::SCALE_IN_COOLDOWN_SECONDS,
            idle_seconds: Self::IDLE_SECONDS,
            leaving: Leaving::Idle,
            scaled_out_at: f64::NEG_INFINITY,
            scaled_in_at: f64::NEG_INFINITY,
            idle: Idle::default(),
        }
    }

    pub(super) fn documented(facts: &Facts) -> Self {
        Self::new(facts.slots)
    }

    /// As documented; with nothing to cool down from after scaling out; that with agents that
    /// leave after two idle minutes; and with the scaler's own scale-in in their place. None
    /// repairs: with more jobs meant for an instance than it has agents, the scaler would take the
    /// missing ones for dead.
    pub(super) fn rules(facts: &Facts) -> Vec<Self> {
        let documented = Self {
            availability_threshold: 0.0,
            ..Self::documented(facts)
        };
        let prompt = Self {
            scale_out_cooldown_seconds: 0.0,
            ..documented.clone()
        };
        let brief = Self {
            idle_seconds: 120.0,
            ..prompt.clone()
        };
        let scales_in = Self {
            scale_in_cooldown_seconds: 300.0,
            leaving: Leaving::ScaleIn,
            ..prompt.clone()
        };
        vec![documented, prompt, brief, scales_in]
    }

    fn wanted(&self, look: &Look) -> u32 {
        let need = look.backlog();
        if need <= 0.0 {
            return 0;
        }
        let base = whole(need / self.agents_per_instance);
        let repaired = if self.lacks_agents(look) {
            base.max(look.desired + 1)
        } else {
            base
        };
        repaired + self.instance_buffer.min(base)
    }

    /// The group is complete and too few of its agents are online.
    fn lacks_agents(&self, look: &Look) -> bool {
        let group = Self::group(look);
        let online = f64::from(look.in_service * self.slots);
        let available = online / (self.agents_per_instance * f64::from(group));
        group == look.desired && available < self.availability_threshold
    }

    fn group(look: &Look) -> u32 {
        if look.in_service == 0 {
            look.desired
        } else {
            look.in_service
        }
    }

    fn scale_out(&mut self, look: &Look, wanted: u32) -> u32 {
        if look.at - self.scaled_out_at < self.scale_out_cooldown_seconds {
            return look.desired;
        }
        self.scaled_out_at = look.at;
        look.desired + whole(f64::from(wanted - look.desired) * self.scale_out_factor)
    }

    fn scale_in(&mut self, look: &Look, wanted: u32) -> u32 {
        let is_cooling = look.at - self.scaled_in_at < self.scale_in_cooldown_seconds;
        if self.leaving == Leaving::Idle || is_cooling || wanted >= look.desired {
            return look.desired;
        }
        self.scaled_in_at = look.at;
        // The change is negative, and rounded down.
        look.desired.saturating_sub(whole(
            f64::from(look.desired - wanted) * self.scale_in_factor,
        ))
    }

    /// Instances that end themselves at this look.
    fn leaving(&mut self, look: &Look) -> u32 {
        let busy = whole(look.in_flight / f64::from(self.slots));
        let idle = look.in_service.saturating_sub(busy);
        self.idle.leaving(look.at, self.idle_seconds, idle)
    }
}

impl Scaler for AgentScaler {
    fn size(&mut self, seen: &Observation) -> u32 {
        let look = Look::of(seen);
        let wanted = self.wanted(&look);
        let size = if wanted > Self::group(&look) && wanted > look.desired {
            self.scale_out(&look, wanted)
        } else {
            self.scale_in(&look, wanted)
        };
        match self.leaving {
            Leaving::Idle => size.saturating_sub(self.leaving(&look)),
            Leaving::ScaleIn => size,
        }
    }
}

/// Idle instances of late: a window of those that may be the fewest.
#[derive(Clone, Debug, Default)]
struct Idle {
    fewest: VecDeque<(f64, u32)>,
}

impl Idle {
    /// Those that were idle for so long; they leave, and are idle no more.
    fn leaving(&mut self, at: f64, seconds: f64, idle: u32) -> u32 {
        if self.fewest.is_empty() {
            self.fewest.push_back((at, 0));
        }
        while self.fewest.back().is_some_and(|(_, fewer)| *fewer >= idle) {
            self.fewest.pop_back();
        }
        self.fewest.push_back((at, idle));
        while self
            .fewest
            .front()
            .is_some_and(|(then, _)| *then < at - seconds)
        {
            self.fewest.pop_front();
        }
        let leaving = self.fewest.front().map_or(0, |(_, fewest)| *fewest);
        for (_, fewer) in &mut self.fewest {
            *fewer -= leaving;
        }
        leaving
    }
}

impl Typed for AgentScaler {
    fn values(&self) -> Vec<f64> {
        vec![
            self.agents_per_instance,
            self.availability_threshold,
            f64::from(self.instance_buffer),
            self.scale_out_factor,
            self.scale_in_factor,
            self.scale_out_cooldown_seconds,
            self.scale_in_cooldown_seconds,
            self.idle_seconds,
        ]
    }

    fn variant(&self) -> Option<String> {
        Some(match self.leaving {
            Leaving::Idle => "agents leave idle".to_owned(),
            Leaving::ScaleIn => "scales in".to_owned(),
        })
    }

    fn with_swept(&self, agents_per_instance: f64) -> Setting {
        Setting::AgentScaler(Self {
            agents_per_instance,
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::seen;
    use super::*;

    #[test]
    fn an_agent_for_each_job_scheduled_or_running() {
        let mut peer = AgentScaler::new(4);
        assert_eq!(peer.size(&seen(0.0, (0, 0), (0, 0))), 0);
        // 17 jobs on 4 agents each are 5 instances, from none in one step.
        assert_eq!(peer.clone().size(&seen(10.0, (17, 0), (0, 0))), 5);
        assert_eq!(peer.size(&seen(10.0, (5, 12), (3, 0))), 5);
    }

    #[test]
    fn scaling_out_cools_down() {
        let mut peer = AgentScaler::new(1);
        assert_eq!(peer.size(&seen(0.0, (2, 0), (1, 0))), 2);
        assert_eq!(peer.size(&seen(290.0, (9, 2), (2, 0))), 2);
        assert_eq!(peer.size(&seen(300.0, (9, 2), (2, 0))), 11);
    }

    #[test]
    fn factors_take_parts_of_a_change_rounded_up() {
        let mut peer = AgentScaler::new(1);
        peer.leaving = Leaving::ScaleIn;
        (peer.scale_out_factor, peer.scale_in_factor) = (0.5, 0.3);
        // 7 missing: 3.5, so 4. 7 too many: 2.1, so 3.
        assert_eq!(peer.clone().size(&seen(0.0, (0, 9), (2, 0))), 6);
        assert_eq!(peer.size(&seen(0.0, (0, 2), (9, 0))), 6);
    }

    #[test]
    fn its_own_scale_in_waits_for_its_cool_down_where_it_is_enabled() {
        let mut peer = AgentScaler::new(1);
        assert_eq!(peer.clone().size(&seen(0.0, (0, 2), (9, 0))), 9, "disabled");
        peer.leaving = Leaving::ScaleIn;
        assert_eq!(peer.size(&seen(0.0, (0, 2), (9, 0))), 2);
        assert_eq!(peer.size(&seen(3590.0, (0, 1), (2, 0))), 2);
        assert_eq!(peer.size(&seen(3600.0, (0, 1), (2, 0))), 1);
    }

    #[test]
    fn a_complete_group_with_half_its_agents_missing_gets_one_more() {
        let mut peer = AgentScaler::new(4);
        peer.agents_per_instance = 9.0;
        // 4 of 9 are online; of 8 it would be half, which is enough.
        assert_eq!(peer.clone().size(&seen(0.0, (1, 0), (3, 0))), 4);
        assert_eq!(
            peer.clone().size(&seen(0.0, (1, 0), (2, 1))),
            3,
            "not complete"
        );
        assert_eq!(peer.clone().size(&seen(0.0, (0, 0), (3, 0))), 3, "no job");
        peer.agents_per_instance = 8.0;
        assert_eq!(peer.size(&seen(0.0, (1, 0), (3, 0))), 3);
    }

    #[test]
    fn a_buffer_stands_by_while_there_are_jobs_for_it() {
        let mut peer = AgentScaler::new(2);
        peer.instance_buffer = 3;
        assert_eq!(
            peer.clone().size(&seen(0.0, (3, 0), (0, 0))),
            4,
            "2 and 2 of 3"
        );
        assert_eq!(peer.clone().size(&seen(0.0, (20, 0), (0, 0))), 13);
        assert_eq!(peer.size(&seen(0.0, (0, 0), (0, 0))), 0);
    }

    #[test]
    fn instances_leave_that_were_idle_for_the_whole_period() {
        let mut peer = AgentScaler::new(2);
        let mut have = 6;
        let mut changes = Vec::new();
        for look in 0..140_u32 {
            let at = look * 10;
            // 10 jobs keep 5 busy, from 100 s on 4 jobs keep 2, from 700 s on none.
            let running = if at < 100 {
                10
            } else if at < 700 {
                4
            } else {
                0
            };
            let size = peer.size(&seen(f64::from(at), (0, running), (have, 0)));
            if size != have {
                changes.push((at, size));
            }
            have = size;
        }
        // One is idle from before the second look on, three more from 100 s on, all from 700 s on.
        assert_eq!(changes, [(610, 5), (700, 2), (1300, 0)]);
    }
}
