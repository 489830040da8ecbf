//! Which peers there are, what is typed into each, and where each value is from.
//!
//! Owns the list and the words. What a rule does with its parameters is in the rule's own file.

use std::collections::BTreeMap;

use super::{
    AgentScaler, Keda, Nomad, Proportional, StaticPeak, StepScaling, TargetTracking,
    WorkerPodAutoscaler, agent_scaler, keda, nomad, proportional, static_peak, step_scaling,
    target_tracking, worker_pod_autoscaler,
};
use crate::sim::Scaler;

/// A product, or what people do without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// AWS's own, on backlog per instance.
    TargetTracking,
    /// Fixed steps, as CDK's queue-processing services have them.
    StepScaling,
    /// KEDA and Kubernetes' autoscaler.
    Keda,
    /// Buildkite's.
    AgentScaler,
    /// Nomad's autoscaler.
    Nomad,
    /// Practo's.
    WorkerPodAutoscaler,
    /// A home-made function.
    Proportional,
    /// One size for ever.
    StaticPeak,
}

/// What a parameter is, as the peer's own documentation has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name there.
    pub name: &'static str,
    /// Its unit; empty for a plain number.
    pub unit: &'static str,
    /// The default or the recipe there; `none` where users must choose.
    pub documented: &'static str,
    /// Whether a search varies it. One of a peer's parameters is swept; others differ between
    /// its rules.
    pub is_swept: bool,
}

/// What whoever types a parameter in knows of their queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Facts {
    /// Messages are to start within this.
    pub objective_seconds: f64,
    /// Mean time of a job.
    pub service_seconds: f64,
    /// Jobs an instance runs at a time.
    pub slots: u32,
    /// The most instances there may be.
    pub max: u32,
}

impl Facts {
    /// What a slot's worth of an instance's time a job takes.
    pub(super) fn seconds_a_job(&self) -> f64 {
        self.service_seconds / f64::from(self.slots.max(1))
    }

    /// AWS's recipe, the acceptable backlog per instance: acceptable latency over the average time
    /// an instance takes for a message (EC2 Auto Scaling user guide, "Scaling based on Amazon
    /// SQS").
    pub(super) fn acceptable_backlog(&self) -> f64 {
        (self.objective_seconds / self.seconds_a_job().max(1e-3)).max(1e-3)
    }
}

/// A peer with all its parameters typed in, that has seen nothing yet.
#[derive(Clone, Debug)]
pub enum Setting {
    /// Of [`Peer::TargetTracking`].
    TargetTracking(TargetTracking),
    /// Of [`Peer::StepScaling`].
    StepScaling(StepScaling),
    /// Of [`Peer::Keda`].
    Keda(Keda),
    /// Of [`Peer::AgentScaler`].
    AgentScaler(AgentScaler),
    /// Of [`Peer::Nomad`].
    Nomad(Nomad),
    /// Of [`Peer::WorkerPodAutoscaler`].
    WorkerPodAutoscaler(WorkerPodAutoscaler),
    /// Of [`Peer::Proportional`].
    Proportional(Proportional),
    /// Of [`Peer::StaticPeak`].
    StaticPeak(StaticPeak),
}

/// What a rule tells of its parameters.
pub(super) trait Typed: Fresh {
    /// In the order of the peer's parameters.
    fn values(&self) -> Vec<f64>;

    /// A choice that is no number, in words.
    fn variant(&self) -> Option<String> {
        None
    }

    /// The same rule with another value of what is swept.
    fn with_swept(&self, value: f64) -> Setting;
}

/// A rule that was typed in has seen nothing; each run gets one of its own.
pub(super) trait Fresh {
    /// One that has seen nothing yet.
    fn fresh(&self) -> Box<dyn Scaler + Send>;
}

impl<T: Scaler + Clone + Send + 'static> Fresh for T {
    fn fresh(&self) -> Box<dyn Scaler + Send> {
        Box::new(self.clone())
    }
}

impl Peer {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::TargetTracking,
        Self::StepScaling,
        Self::Keda,
        Self::AgentScaler,
        Self::Nomad,
        Self::WorkerPodAutoscaler,
        Self::Proportional,
        Self::StaticPeak,
    ];

    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::TargetTracking => "target tracking",
            Self::StepScaling => "CDK steps",
            Self::Keda => "KEDA",
            Self::AgentScaler => "Buildkite",
            Self::Nomad => "Nomad",
            Self::WorkerPodAutoscaler => "worker pod autoscaler",
            Self::Proportional => "proportional",
            Self::StaticPeak => "static",
        }
    }

    /// What can be typed in.
    pub fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::TargetTracking => &target_tracking::PARAMETERS,
            Self::StepScaling => &step_scaling::PARAMETERS,
            Self::Keda => &keda::PARAMETERS,
            Self::AgentScaler => &agent_scaler::PARAMETERS,
            Self::Nomad => &nomad::PARAMETERS,
            Self::WorkerPodAutoscaler => &worker_pod_autoscaler::PARAMETERS,
            Self::Proportional => &proportional::PARAMETERS,
            Self::StaticPeak => &static_peak::PARAMETERS,
        }
    }

    /// The parameter that a search varies.
    pub fn swept(self) -> &'static Parameter {
        let is_swept = |parameter: &&Parameter| parameter.is_swept;
        (self.parameters().iter().find(is_swept)).expect("invariant: every peer has one")
    }

    /// Its defaults, and where it has none, AWS's recipe with in-flight messages counted.
    pub fn documented(self, facts: &Facts) -> Setting {
        match self {
            Self::TargetTracking => Setting::TargetTracking(TargetTracking::documented(facts)),
            Self::StepScaling => Setting::StepScaling(StepScaling::documented()),
            Self::Keda => Setting::Keda(Keda::documented()),
            Self::AgentScaler => Setting::AgentScaler(AgentScaler::documented(facts)),
            Self::Nomad => Setting::Nomad(Nomad::documented(facts)),
            Self::WorkerPodAutoscaler => {
                Setting::WorkerPodAutoscaler(WorkerPodAutoscaler::documented(facts))
            }
            Self::Proportional => Setting::Proportional(Proportional::documented(facts)),
            Self::StaticPeak => Setting::StaticPeak(StaticPeak::documented(facts)),
        }
    }

    /// The rules to search, each with what is swept at its documented value: choices between
    /// which people differ, and where a default is in a peer's way, a kinder value.
    pub fn rules(self, facts: &Facts) -> Vec<Setting> {
        match self {
            Self::TargetTracking => TargetTracking::rules(facts)
                .into_iter()
                .map(Setting::TargetTracking)
                .collect(),
            Self::StepScaling => StepScaling::rules()
                .into_iter()
                .map(Setting::StepScaling)
                .collect(),
            Self::Keda => Keda::rules().into_iter().map(Setting::Keda).collect(),
            Self::AgentScaler => AgentScaler::rules(facts)
                .into_iter()
                .map(Setting::AgentScaler)
                .collect(),
            Self::Nomad => Nomad::rules(facts)
                .into_iter()
                .map(Setting::Nomad)
                .collect(),
            Self::WorkerPodAutoscaler => {
                let rules = WorkerPodAutoscaler::rules(facts).into_iter();
                rules.map(Setting::WorkerPodAutoscaler).collect()
            }
            Self::Proportional => Proportional::rules(facts)
                .into_iter()
                .map(Setting::Proportional)
                .collect(),
            Self::StaticPeak => vec![self.documented(facts)],
        }
    }
}

impl Setting {
    /// Whose it is.
    pub fn peer(&self) -> Peer {
        match self {
            Self::TargetTracking(_) => Peer::TargetTracking,
            Self::StepScaling(_) => Peer::StepScaling,
            Self::Keda(_) => Peer::Keda,
            Self::AgentScaler(_) => Peer::AgentScaler,
            Self::Nomad(_) => Peer::Nomad,
            Self::WorkerPodAutoscaler(_) => Peer::WorkerPodAutoscaler,
            Self::Proportional(_) => Peer::Proportional,
            Self::StaticPeak(_) => Peer::StaticPeak,
        }
    }

    /// Ready to size a fleet, for one run.
    pub fn scaler(&self) -> Box<dyn Scaler + Send> {
        self.typed().fresh()
    }

    /// What is typed in, by the peer's own names; units are in [`Peer::parameters`].
    pub fn parameters(&self) -> BTreeMap<String, f64> {
        let names = self.peer().parameters().iter();
        names
            .map(|parameter| parameter.name.to_owned())
            .zip(self.typed().values())
            .collect()
    }

    /// A choice that is no number, in words.
    pub fn variant(&self) -> Option<String> {
        self.typed().variant()
    }

    /// The value of what is swept.
    pub fn swept(&self) -> f64 {
        let parameters = self.peer().parameters().iter();
        (parameters.zip(self.typed().values()))
            .find_map(|(parameter, value)| parameter.is_swept.then_some(value))
            .expect("invariant: every peer has one")
    }

    /// The same with another value of what is swept.
    #[must_use]
    pub fn with_swept(&self, value: f64) -> Self {
        self.typed().with_swept(value)
    }

    fn typed(&self) -> &dyn Typed {
        match self {
            Self::TargetTracking(rule) => rule,
            Self::StepScaling(rule) => rule,
            Self::Keda(rule) => rule,
            Self::AgentScaler(rule) => rule,
            Self::Nomad(rule) => rule,
            Self::WorkerPodAutoscaler(rule) => rule,
            Self::Proportional(rule) => rule,
            Self::StaticPeak(rule) => rule,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const FACTS: Facts = Facts {
        objective_seconds: 60.0,
        service_seconds: 8.0,
        slots: 4,
        max: 40,
    };

    #[test]
    fn every_peer_names_each_parameter_and_sweeps_one() {
        let names: BTreeSet<&str> = Peer::ALL.into_iter().map(Peer::name).collect();
        assert_eq!(names.len(), Peer::ALL.len());
        for peer in Peer::ALL {
            let name = peer.name();
            let swept = peer.parameters().iter().filter(|one| one.is_swept);
            assert_eq!(swept.count(), 1, "{name}");
            for setting in peer.rules(&FACTS).iter().chain([&peer.documented(&FACTS)]) {
                assert_eq!(setting.peer(), peer);
                let values = setting.typed().values().len();
                assert_eq!(values, peer.parameters().len(), "{name}");
                assert_eq!(setting.parameters().len(), values, "{name} names one twice");
                let other = setting.with_swept(3.0);
                assert_eq!(other.swept().to_bits(), 3.0_f64.to_bits(), "{name}");
                assert_eq!(other.variant(), setting.variant(), "{name}");
            }
        }
    }

    #[test]
    fn rules_differ_in_more_than_what_is_swept() {
        for peer in Peer::ALL {
            let rules = peer.rules(&FACTS);
            let told = |rule: &Setting| format!("{:?}", rule.with_swept(1.0));
            let distinct: BTreeSet<String> = rules.iter().map(told).collect();
            assert_eq!(distinct.len(), rules.len(), "{}", peer.name());
        }
    }

    #[test]
    fn what_is_documented_follows_from_the_facts_by_the_documents_recipes() {
        // 60 s over 8 s are 7.5 messages for a slot, 30 for an instance of 4.
        let swept = [
            (Peer::TargetTracking, 30.0),
            (Peer::StepScaling, 100.0),
            (Peer::Keda, 5.0),
            (Peer::AgentScaler, 4.0),
            (Peer::Nomad, 30.0),
            (Peer::WorkerPodAutoscaler, 30.0),
            (Peer::Proportional, 30.0),
            (Peer::StaticPeak, 40.0),
        ];
        for (peer, value) in swept {
            let documented = peer.documented(&FACTS).swept();
            assert_eq!(documented.to_bits(), f64::to_bits(value), "{}", peer.name());
        }
        let wpa = Peer::WorkerPodAutoscaler.documented(&FACTS).parameters();
        assert_eq!(wpa["secondsToProcessOneJob"].to_bits(), 2.0_f64.to_bits());
    }

    #[test]
    fn a_setting_gives_a_new_scaler_each_time() {
        use super::super::seen;
        let setting = Peer::Keda.documented(&FACTS);
        let first = |setting: &Setting| setting.scaler().size(&seen(0.0, (9, 0), (0, 0)));
        assert_eq!((first(&setting), first(&setting)), (1, 1));
    }
}
