//! Who takes part: the policy, or a peer at a setting.
//!
//! Owns how each becomes a scaler and a row. It must not run it.

use std::collections::BTreeMap;

use crate::backtest::outcome::{Row, ScoreShape, Setting};
use crate::backtest::seeds;
use crate::policy::Policy;
use crate::sim::peers;
use crate::sim::{Judged, Scaler};

/// What this scaler is called beside its peers.
pub(super) const WEIR: &str = "weir";

/// Who takes part.
pub(super) struct Entrant {
    setting: Setting,
    rule: Rule,
}

enum Rule {
    Policy(Policy),
    Peer(peers::Setting),
}

impl Entrant {
    pub(super) fn policy(policy: &Policy) -> Self {
        Self {
            setting: Setting::Policy,
            rule: Rule::Policy(policy.clone()),
        }
    }

    pub(super) fn peer(rule: peers::Setting, setting: Setting) -> Self {
        Self {
            setting,
            rule: Rule::Peer(rule),
        }
    }

    pub(super) fn scaler(&self) -> Box<dyn Scaler + '_> {
        match &self.rule {
            Rule::Policy(policy) => Box::new(Judged::new(policy)),
            Rule::Peer(rule) => rule.scaler(),
        }
    }

    pub(super) fn row(&self, scores: &[ScoreShape]) -> Row {
        let (score, confidence) = seeds::summarise(scores);
        let (scaler, parameters, variant) = match &self.rule {
            Rule::Policy(_) => (WEIR, BTreeMap::new(), None),
            Rule::Peer(rule) => (rule.peer().name(), rule.parameters(), rule.variant()),
        };
        Row {
            scaler: scaler.to_owned(),
            setting: self.setting,
            parameters,
            variant,
            score,
            confidence,
        }
    }
}
