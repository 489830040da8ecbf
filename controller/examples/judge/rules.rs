//! Whom the judgement is held against: three products, every one of their rules, none of them
//! slowed down by late metrics.

use weir_controller::sim::peers::{
    Counted, Keda, Peer, Proportional, RampUp, ScaleIn, Setting, TargetTracking,
};

/// The products, in the table's order.
pub(crate) const PEERS: [Peer; 3] = [Peer::Proportional, Peer::Keda, Peer::TargetTracking];

/// A peer with each of its typed-in constants but the target.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// In words, unique; kept results are found by it.
    pub(crate) name: String,
    pub(crate) setting: Setting,
}

/// A target that is left open.
const OPEN: f64 = 1.0;

/// All rules.
pub(crate) fn all() -> Vec<Rule> {
    let proportional = [120.0, 300.0, 600.0, 1800.0, 7200.0].map(|hold| Rule {
        name: format!("proportional, hold {hold} s"),
        setting: Setting::Proportional(Proportional::new(OPEN, hold)),
    });
    let ramps = [
        ("KEDA", RampUp::Legacy),
        ("KEDA, behavior block", RampUp::Behavior),
    ];
    let keda = ramps.map(|(name, ramp_up)| Rule {
        name: name.to_owned(),
        setting: Setting::Keda(Keda::new(OPEN, ramp_up)),
    });
    proportional
        .into_iter()
        .chain(keda)
        .chain(target_tracking())
        .collect()
}

fn target_tracking() -> Vec<Rule> {
    let counts = [
        ("visible", Counted::Visible),
        ("visible and in flight", Counted::VisibleAndInFlight),
    ];
    let repeats = [
        ("in each minute", ScaleIn::EveryPoint),
        ("in each 15 minutes", ScaleIn::AfreshEachTime),
    ];
    let rule = |(counted, messages): (&str, Counted), (repeat, scale_in): (&str, ScaleIn)| Rule {
        name: format!("target tracking, {counted}, {repeat}"),
        setting: Setting::TargetTracking(TargetTracking::new(OPEN, messages, scale_in)),
    };
    let of_count = |count| repeats.map(|repeat| rule(count, repeat));
    counts.into_iter().flat_map(of_count).collect()
}
